// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libhmadvise: the system call and /dev/gmem.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hmadvise.h"

/* libc does not know the call yet. The number is the same everywhere but... */
#ifndef __NR_hmadvise
#if defined(__alpha__)
#define __NR_hmadvise	582
#elif defined(__x86_64__) && defined(__ILP32__)
#define __NR_hmadvise	(__X32_SYSCALL_BIT + 472)
#elif defined(__mips__) && _MIPS_SIM == _ABIO32
#define __NR_hmadvise	(4000 + 472)
#elif defined(__mips__) && _MIPS_SIM == _ABI64
#define __NR_hmadvise	(5000 + 472)
#elif defined(__mips__)
#define __NR_hmadvise	(6000 + 472)
#else
#define __NR_hmadvise	472
#endif
#endif

/* How often in a row hmadvise_all() takes "try again" for an answer. */
#define MAX_CONTENDED	64

long hmadvise(int hnid, void *addr, size_t len, int advice, unsigned int flags)
{
	return syscall(__NR_hmadvise, hnid, addr, len, advice, flags);
}

long hmadvise_all(int hnid, void *addr, size_t len, int advice,
		  unsigned int flags)
{
	unsigned int contended = 0;
	size_t done = 0;
	long ret;

	/* A query has no range. */
	if (flags)
		return hmadvise(hnid, addr, len, advice, flags);
	do {
		ret = hmadvise(hnid, (char *)addr + done, len - done, advice,
			       flags);
		if (ret > 0) {
			done += ret;
			contended = 0;
			continue;
		}
		if (!ret)
			break;
		if (errno == EAGAIN && ++contended < MAX_CONTENDED)
			continue;
		if (done)
			break;
		return -1;
	} while (done < len);
	/* The kernel rounds the length up to whole pages; callers need not. */
	return done < len ? (long)done : (long)len;
}

long hmadvise_version(void)
{
	return hmadvise(HMADV_NODE_ANY, NULL, 0, 0, HMADV_FLAG_VERSION);
}

long hmadvise_features(void)
{
	return hmadvise(HMADV_NODE_ANY, NULL, 0, 0, HMADV_FLAG_FEATURES);
}

long hmadvise_residency(const void *addr, size_t len, int32_t *vec, size_t n)
{
	struct gmem_residency arg = {
		.size = sizeof(arg),
		.addr = (uintptr_t)addr,
		.len = len,
		.vec = (uintptr_t)vec,
		.vec_len = n,
	};
	int fd, ret, err;

	fd = open(HMADVISE_DEVICE, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		/* No such file and no such driver: a kernel without GMEM. */
		if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
			errno = ENOSYS;
		return -1;
	}
	ret = ioctl(fd, GMEM_IOC_RESIDENCY, &arg);
	err = errno;
	close(fd);
	if (ret < 0) {
		errno = err;
		return -1;
	}
	return arg.filled;
}

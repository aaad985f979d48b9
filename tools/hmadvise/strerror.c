// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libhmadvise: what an errno value means for hmadvise(2).
 */
#include <errno.h>
#include <string.h>

#include "hmadvise.h"
#include "util.h"

static const struct {
	int err;
	const char *text;
} meanings[] = {
	{ 0, "success" },
	{ EAGAIN,
	  "the pages were in use elsewhere and nothing was done; try again" },
	{ EFAULT, "the result array is not writable memory" },
	{ EINTR, "interrupted by a signal before anything was done" },
	{ EINVAL,
	  "unknown advice, flag or node, address not page aligned, or wrong range" },
	{ ENODEV, "no such node: neither a host node with memory nor an hnode" },
	{ ENOMEM, "no memory is mapped at the address, or the kernel is out of memory" },
	{ ENOSPC, "the hnode is full and nothing could be placed on it" },
	{ ENOSYS, "this kernel has no GMEM" },
	{ EIO, "the device did not give the data back; it is still there" },
	{ EPERM,
	  "the memory is sealed, or a system call filter of a container refused" },
	{ EACCES, "no permission to open " HMADVISE_DEVICE },
	{ ESRCH, "this process is not attached to the device of that hnode" },
};

const char *hmadvise_strerror(int err)
{
	const char *name;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(meanings); i++) {
		if (meanings[i].err == err)
			return meanings[i].text;
	}
#ifdef __GLIBC__
	/* Unlike strerror(), this never points into a buffer. */
	name = strerrordesc_np(err);
#else
	name = strerror(err);
#endif
	return name ? name : "unknown error";
}

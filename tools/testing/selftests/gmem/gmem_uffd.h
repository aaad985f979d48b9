/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * userfaultfd: a pager, whose thread pages a range of memory in one of several ways,
 * and counts what it was asked for.
 */
#ifndef GMEM_UFFD_H
#define GMEM_UFFD_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "gmem_test.h"

/* How the pager answers. */
enum answer {
	ANSWER_COPY,		/* the page, from its source */
	ANSWER_COPY_ALL,	/* everything at once */
	ANSWER_ZERO,
	ANSWER_CONTINUE,	/* with what is in the file */
	ANSWER_UNPROTECT,
	ANSWER_UNPROTECT_ALL,
	ANSWER_POISON,
	ANSWER_UNREGISTER,
};

struct pager {
	int fd;
	char *dst;
	const char *src;	/* what dst is to hold */
	size_t len;
	size_t unit;		/* of memory that one answer is about */
	enum answer answer;
	/* Before it answers, the pager itself uses this device on its source. */
	const struct gt_dev *dev;
	/* What the memory must hold when a write to it is announced, or 0. */
	__u64 seed;
	pthread_t thread;
	bool stop;
	unsigned long missing;
	unsigned long wp;
	unsigned long minor;
	int error;
};

static inline void pager_failed(struct pager *p, int error)
{
	if (!p->error)
		p->error = error;
}

static inline int pager_copy(struct pager *p, size_t off, size_t len)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)p->dst + off,
		.src = (uintptr_t)p->src + off,
		.len = len,
	};

	return ioctl(p->fd, UFFDIO_COPY, &copy) ? errno : 0;
}

static inline int pager_protect(struct pager *p, size_t off, size_t len, bool wp)
{
	struct uffdio_writeprotect arg = {
		.range = { .start = (uintptr_t)p->dst + off, .len = len },
		.mode = wp ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(p->fd, UFFDIO_WRITEPROTECT, &arg) ? errno : 0;
}

static inline int pager_zero(struct pager *p, size_t off)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)p->dst + off, .len = p->unit },
	};

	return ioctl(p->fd, UFFDIO_ZEROPAGE, &zero) ? errno : 0;
}

static inline int pager_continue(struct pager *p, size_t off)
{
	struct uffdio_continue arg = {
		.range = { .start = (uintptr_t)p->dst + off, .len = p->unit },
	};

	return ioctl(p->fd, UFFDIO_CONTINUE, &arg) ? errno : 0;
}

static inline int pager_poison(struct pager *p, size_t off)
{
	struct uffdio_poison arg = {
		.range = { .start = (uintptr_t)p->dst + off, .len = p->unit },
	};

	return ioctl(p->fd, UFFDIO_POISON, &arg) ? errno : 0;
}

static inline int pager_unregister(struct pager *p)
{
	struct uffdio_range arg = { .start = (uintptr_t)p->dst, .len = p->len };
	int ret = ioctl(p->fd, UFFDIO_UNREGISTER, &arg) ? errno : 0;

	/* That wakes who waits for a missing page, but nobody else. */
	if (ioctl(p->fd, UFFDIO_WAKE, &arg))
		ret = errno;
	return ret;
}

static inline void pager_wake(struct pager *p, size_t off)
{
	struct uffdio_range arg = {
		.start = (uintptr_t)p->dst + off,
		.len = p->unit,
	};

	if (ioctl(p->fd, UFFDIO_WAKE, &arg))
		pager_failed(p, errno);
}

static inline int pager_do(struct pager *p, size_t off)
{
	switch (p->answer) {
	case ANSWER_COPY:
		return pager_copy(p, off, p->unit);
	case ANSWER_COPY_ALL:
		return pager_copy(p, 0, p->len);
	case ANSWER_ZERO:
		return pager_zero(p, off);
	case ANSWER_CONTINUE:
		return pager_continue(p, off);
	case ANSWER_UNPROTECT:
		return pager_protect(p, off, p->unit, false);
	case ANSWER_UNPROTECT_ALL:
		return pager_protect(p, 0, p->len, false);
	case ANSWER_POISON:
		return pager_poison(p, off);
	case ANSWER_UNREGISTER:
		break;
	}
	return pager_unregister(p);
}

static inline void pager_answer(struct pager *p, const struct uffd_msg *msg)
{
	size_t off = msg->arg.pagefault.address - (uintptr_t)p->dst;
	__u64 flags = msg->arg.pagefault.flags, word;
	int ret;

	off &= ~(p->unit - 1);
	if (flags & UFFD_PAGEFAULT_FLAG_WP)
		gt_add(&p->wp, 1);
	else if (flags & UFFD_PAGEFAULT_FLAG_MINOR)
		gt_add(&p->minor, 1);
	else
		gt_add(&p->missing, 1);
	if (p->dev && gt_read(p->dev, p->src + off, 8, &word))
		pager_failed(p, 1000);
	/* Nobody has written before this is answered. */
	if (p->seed && gt_load((__u64 *)(p->dst + off)) !=
		       gt_pattern_word(p->seed, off / 8))
		pager_failed(p, 1001);
	ret = pager_do(p, off);
	/* Somebody else was quicker, or the answer to another was for all. */
	if (ret == EEXIST)
		pager_wake(p, off);
	else if (ret && ret != EAGAIN && ret != ENOENT)
		pager_failed(p, ret);
}

static inline void *pager_run(void *arg)
{
	struct pager *p = arg;
	struct uffd_msg msg;

	while (!gt_load(&p->stop)) {
		struct pollfd wait = { .fd = p->fd, .events = POLLIN };

		if (poll(&wait, 1, 10) != 1 || !(wait.revents & POLLIN))
			continue;
		if (read(p->fd, &msg, sizeof(msg)) == sizeof(msg) &&
		    msg.event == UFFD_EVENT_PAGEFAULT)
			pager_answer(p, &msg);
	}
	return NULL;
}

static inline int uffd_open(__u64 features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static inline int uffd_register(int fd, void *va, size_t len, __u64 mode)
{
	struct uffdio_register arg = {
		.range = { .start = (uintptr_t)va, .len = len },
		.mode = mode,
	};

	return ioctl(fd, UFFDIO_REGISTER, &arg) ? errno : 0;
}

#endif /* GMEM_UFFD_H */

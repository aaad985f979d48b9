// SPDX-License-Identifier: GPL-2.0-only
/*
 * The torture test: those who look at a slot, or hold on to it, from outside.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/fs.h>

#include "refs_holder.h"
#include "torture.h"

#define TT_PIPE		(16 * GT_PAGE)
#define TT_PINNED	64	/* pages */

static void op_vm_readv(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_bytes(w, s, 1);
	struct iovec local = { w->buf, part.len };
	struct iovec remote = { s->va + part.off, part.len };

	tt_must(w, "process_vm_readv", s, part.off, part.len,
		process_vm_readv(getpid(), &local, 1, &remote, 1, 0) !=
		(ssize_t)part.len);
	tt_compare(w, s, w->buf, part.off, part.len, "process_vm_readv");
}

static void op_vm_writev(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_bytes(w, s, 1);
	struct iovec local = { s->shadow + part.off, part.len };
	struct iovec remote = { s->va + part.off, part.len };

	tt_renew(w, s, part.off, part.len);
	tt_must(w, "process_vm_writev", s, part.off, part.len,
		process_vm_writev(getpid(), &local, 1, &remote, 1, 0) !=
		(ssize_t)part.len);
}

static void op_proc_mem(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_bytes(w, s, 1);
	off_t at = (uintptr_t)s->va + part.off;
	bool write = s->prot == TT_RW && tt_below(&w->rng, 2);
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	tt_must(w, "open of mem", s, 0, 0, fd < 0);
	if (write) {
		tt_renew(w, s, part.off, part.len);
		tt_must(w, "write to mem", s, part.off, part.len,
			pwrite(fd, s->shadow + part.off, part.len, at) !=
			(ssize_t)part.len);
	} else {
		tt_must(w, "read from mem", s, part.off, part.len,
			pread(fd, w->buf, part.len, at) != (ssize_t)part.len);
		tt_compare(w, s, w->buf, part.off, part.len, "read from mem");
	}
	close(fd);
}

/* By copy or by reference; a reference keeps the pages from moving. */
static void op_pipe(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_bytes(w, s, 1);
	bool by_reference = tt_below(&w->rng, 2);
	struct iovec iov;
	ssize_t n, have;

	if (part.len > TT_PIPE - GT_PAGE)
		part.len = TT_PIPE - GT_PAGE;
	iov = (struct iovec){ s->va + part.off, part.len };
	n = by_reference ? vmsplice(w->pipe[1], &iov, 1, 0) :
			   write(w->pipe[1], iov.iov_base, iov.iov_len);
	tt_must(w, by_reference ? "vmsplice" : "write to pipe", s, part.off,
		part.len, n != (ssize_t)part.len);
	if (n <= 0)
		return;
	if (by_reference)
		tt_prefetch(w, s);
	for (have = 0; have < n; have += part.len) {
		part.len = read(w->pipe[0], w->buf + have, n - have);
		if ((ssize_t)part.len <= 0)
			break;
	}
	tt_must(w, "read from pipe", s, part.off, n, have != n);
	tt_compare(w, s, w->buf, part.off, n, by_reference ? "vmsplice" :
		   "write to pipe");
}

/* The kernel's own test of pins has one user at a time. */
static const struct holder_ops *take_holder(struct tt_worker *w)
{
	static const struct holder_ops * const pins[] = {
		&pins_to_read, &pins_to_write, &pins_fast,
	};
	bool *busy = &w->proc->board->pin_busy;

	if (!tt_below(&w->rng, 4) ||
	    __atomic_exchange_n(busy, true, __ATOMIC_ACQUIRE))
		return &ring_buffer;
	return pins[tt_below(&w->rng, ARRAY_SIZE(pins))];
}

static void drop_holder(struct tt_worker *w, const struct holder_ops *ops,
			struct holder *h)
{
	ops->drop(h);
	if (ops != &ring_buffer)
		__atomic_store_n(&w->proc->board->pin_busy, false,
				 __ATOMIC_RELEASE);
}

/*
 * A long-term pin, or the buffer of a ring: it and the process see what the
 * other writes, by the CPU or by a device, wherever advice wants the pages.
 */
static void op_pin(struct tt_worker *w, struct tt_slot *s)
{
	const struct holder_ops *ops = take_holder(w);
	struct tt_part part = tt_pages(w, s);
	struct holder h;

	if (part.len > TT_PINNED * GT_PAGE)
		part.len = TT_PINNED * GT_PAGE;
	h = (struct holder){
		.buf = s->va + part.off,
		.len = part.len,
		.pins = w->proc->pins,
	};
	errno = -ops->hold(&h);
	tt_must(w, ops->put ? "buffer of a ring" : "pin", s, part.off, part.len,
		errno);
	if (errno)
		return;
	tt_prefetch(w, s);
	tt_renew(w, s, part.off, part.len);
	tt_write_any(w, s, part.off, part.len);
	errno = -ops->see(&h, w->buf);
	tt_must(w, "look through a pin", s, part.off, part.len, errno);
	tt_compare(w, s, w->buf, part.off, part.len, "pin");
	if (ops->put) {
		tt_renew(w, s, part.off, part.len);
		errno = -ops->put(&h, s->shadow + part.off);
		tt_must(w, "input to a ring", s, part.off, part.len, errno);
		tt_read_any(w, s, part.off, part.len, w->buf);
		tt_compare(w, s, w->buf, part.off, part.len, "after input");
	}
	drop_holder(w, ops, &h);
}

/* ------------------------------------------------------------------- /proc */

/* Reads all of a file of /proc/self and drops it. */
static void read_all(struct tt_worker *w, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	while (fd >= 0 && n > 0)
		n = read(fd, w->buf, GT_HUGE);
	tt_must(w, path, NULL, 0, 0, fd < 0 || n < 0);
	close(fd);
}

static void op_scan(struct tt_worker *w, struct tt_slot *s)
{
	struct page_region region[16];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = (uintptr_t)s->va & ~(GT_PAGE - 1),
		.end = ((uintptr_t)s->va + s->len + GT_PAGE - 1) & ~(GT_PAGE - 1),
		.vec = (uintptr_t)region,
		.vec_len = ARRAY_SIZE(region),
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.return_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED | PAGE_IS_HUGE,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int found = ioctl(fd, PAGEMAP_SCAN, &arg);

	tt_must(w, "PAGEMAP_SCAN", s, 0, s->len, found < 0);
	tt_count(w, "PAGEMAP_SCAN finds something", found > 0);
	close(fd);
}

static void op_proc(struct tt_worker *w, struct tt_slot *s)
{
	switch (tt_below(&w->rng, 3)) {
	case 0:
		read_all(w, "/proc/self/smaps_rollup");
		break;
	case 1:
		read_all(w, "/proc/self/numa_maps");
		break;
	case 2:	/* soft-dirty, where there is such a thing */
		tt_must(w, "clear_refs", NULL, 0, 0,
			gt_write_file("/proc/self/clear_refs", "4"));
		break;
	}
}

static struct tt_op ops[] = {
	{ "process_vm_readv", op_vm_readv, 4, PROT_READ, TT_ANY, false },
	{ "process_vm_writev", op_vm_writev, 3, TT_RW, TT_ANY, false },
	{ "/proc/self/mem", op_proc_mem, 4, PROT_READ, TT_ANY, false },
	{ "pipe", op_pipe, 4, PROT_READ, TT_ANY, false },
	{ "pin", op_pin, 4, TT_RW, TT_OWN, false },
	{ "PAGEMAP_SCAN", op_scan, 2, PROT_NONE, TT_ANY, false },
	{ "smaps and others", op_proc, 1, PROT_NONE, TT_ANY, false },
};

const struct tt_ops tt_ref_ops = { ops, ARRAY_SIZE(ops) };

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The torture test: slots that are mappings of files. What is written there is
 * in the file, and the other way round; private mappings are a process's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "torture.h"

#define TT_FILE_BYTES	(90 * GT_PAGE)

static int make_file(unsigned int flags, size_t len)
{
	int fd = memfd_create("torture", MFD_CLOEXEC | flags);

	if (fd >= 0 && ftruncate(fd, len)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int add_file(struct tt_worker *w, enum tt_kind kind, int fd, size_t len)
{
	struct tt_slot *s = &w->slot[w->nr_slots++];
	char *va = mmap(NULL, len, TT_RW,
			kind == TT_PRIVATE ? MAP_PRIVATE : MAP_SHARED, fd, 0);

	if (va == MAP_FAILED)
		return -errno;
	*s = (struct tt_slot){
		.va = va,
		.len = len,
		.prot = TT_RW,
		.kind = kind,
		.fd = fd,
		.shadow = calloc(1, len),
	};
	return s->shadow ? 0 : -ENOMEM;
}

int tt_add_files(struct tt_worker *w)
{
	int shared = make_file(0, TT_FILE_BYTES);
	int private = make_file(0, TT_FILE_BYTES);
	int huge = make_file(MFD_HUGETLB, GT_HUGE);

	if (shared < 0 || private < 0 || huge < 0)
		return -errno;
	return add_file(w, TT_FILE, shared, TT_FILE_BYTES) ?:
	       add_file(w, TT_PRIVATE, private, TT_FILE_BYTES) ?:
	       add_file(w, TT_HUGETLB, huge, GT_HUGE);
}

/* ------------------------------------------------------------------- files */

static void op_pread(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_bytes(w, s, 1);

	tt_must(w, "pread", s, part.off, part.len,
		pread(s->fd, w->buf, part.len, part.off) != (ssize_t)part.len);
	tt_compare(w, s, w->buf, part.off, part.len, "pread");
}

static void op_pwrite(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_bytes(w, s, 1);

	tt_renew(w, s, part.off, part.len);
	tt_must(w, "pwrite", s, part.off, part.len,
		pwrite(s->fd, s->shadow + part.off, part.len, part.off) !=
		(ssize_t)part.len);
}

/* Of pages, or of the one page that it is. */
static struct tt_part unit_part(struct tt_worker *w, const struct tt_slot *s)
{
	return s->kind == TT_HUGETLB ? (struct tt_part){ 0, s->len } :
				       tt_pages(w, s);
}

static void op_punch(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = unit_part(w, s);

	tt_must(w, "punch a hole", s, part.off, part.len,
		tt_below(&w->rng, 2) ?
		fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  part.off, part.len) :
		madvise(s->va + part.off, part.len, MADV_REMOVE));
	memset(s->shadow + part.off, 0, part.len);
}

/* The pages stay in the file. */
static void op_forget(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = unit_part(w, s);

	tt_must(w, "MADV_DONTNEED of a file", s, part.off, part.len,
		madvise(s->va + part.off, part.len, MADV_DONTNEED));
}

static void op_truncate(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = unit_part(w, s);
	struct gt_dev *dev = tt_random_dev(w);
	int ret;

	tt_must(w, "truncate", s, part.off, s->len - part.off,
		ftruncate(s->fd, part.off));
	ret = tt_touch(w, dev, s->va + part.off, false);
	if (ret != -EFAULT)
		tt_fail(w, "device %u behind the end of a file: %d", dev->index,
			ret);
	tt_must(w, "truncate back", s, part.off, s->len - part.off,
		ftruncate(s->fd, s->len));
	memset(s->shadow + part.off, 0, s->len - part.off);
}

/* Another mapping of it in the same place. */
static void op_map_again(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = unit_part(w, s);
	char *va = s->va + part.off;

	tt_must(w, "munmap of a file", s, part.off, part.len,
		munmap(va, part.len));
	if (tt_touch(w, &w->dev[0], va, false) != -EFAULT)
		tt_fail(w, "device finds a file that was unmapped");
	tt_must(w, "mmap of a file", s, part.off, part.len,
		mmap(va, part.len, TT_RW, MAP_SHARED | MAP_FIXED_NOREPLACE,
		     s->fd, part.off) != va);
}

/* What a private mapping had of its own goes; the file is empty. */
static void op_drop_private(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_pages(w, s);

	tt_must(w, "MADV_DONTNEED of private pages", s, part.off, part.len,
		madvise(s->va + part.off, part.len, MADV_DONTNEED));
	memset(s->shadow + part.off, 0, part.len);
}

static struct tt_op ops[] = {
	{ "pread", op_pread, 3, PROT_NONE, TT_FILE | TT_HUGETLB, false },
	{ "pwrite", op_pwrite, 2, PROT_NONE, TT_FILE, false },
	{ "punch a hole", op_punch, 3, PROT_NONE, TT_FILE | TT_HUGETLB, false },
	{ "MADV_DONTNEED of a file", op_forget, 2, PROT_NONE,
	  TT_FILE | TT_HUGETLB, false },
	{ "truncate", op_truncate, 2, PROT_NONE, TT_FILE | TT_HUGETLB, false },
	{ "map a file again", op_map_again, 2, PROT_NONE, TT_FILE, false },
	{ "drop private pages", op_drop_private, 2, PROT_NONE, TT_PRIVATE, false },
};

const struct tt_ops tt_file_ops = { ops, ARRAY_SIZE(ops) };

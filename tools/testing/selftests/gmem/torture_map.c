// SPDX-License-Identifier: GPL-2.0-only
/*
 * The torture test: memory that a slot is given in place of what it had, and
 * memory that comes by userfaultfd.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "gmem_abi.h"
#include "gmem_uffd.h"
#include "torture.h"

/* Of pages that a handler is asked for, one by one. */
#define TT_UFFD_PAGES		32

static char *other_place(const struct tt_slot *s)
{
	return s->place[s->va == s->place[0]];
}

static void *map_anon(void *va, size_t len, int prot, int flags)
{
	return mmap(va, len, prot, MAP_PRIVATE | MAP_ANONYMOUS |
		    MAP_NORESERVE | flags, -1, 0);
}

/* No device may reach what the process does not have (any more). */
static void must_be_gone(struct tt_worker *w, const char *what, char *va)
{
	struct gt_dev *dev = tt_random_dev(w);
	int ret = tt_touch(w, dev, va, tt_below(&w->rng, 2));

	if (ret != -EFAULT)
		tt_fail(w, "device %u finds what is gone by %s: %d", dev->index,
			what, ret);
}

/* The end of the slot goes, and new memory comes in its place. */
static void op_resize(struct tt_worker *w, struct tt_slot *s)
{
	size_t keep = (1 + tt_below(&w->rng, s->len / GT_PAGE)) * GT_PAGE;
	size_t more = s->len - keep;
	char *end = s->va + keep;

	if (!more)
		return;
	tt_unlock(w, s);
	tt_must(w, "mremap shrinks", s, 0, keep,
		mremap(s->va, s->len, keep, 0) != s->va);
	must_be_gone(w, "mremap", end);
	/* A mapping of its own, if it is several that cannot grow as one. */
	if (mremap(s->va, keep, s->len, 0) == s->va) {
		tt_count(w, "mremap grows", true);
	} else {
		tt_count(w, "mremap grows", false);
		tt_must(w, "mmap behind", s, keep, more,
			map_anon(end, more, s->prot, MAP_FIXED_NOREPLACE) != end);
	}
	memset(s->shadow + keep, 0, more);
}

/* The pages move, the mapping stays and is empty. */
static void op_dontunmap(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_slot old = *s;
	struct tt_part part;
	char *to = other_place(s);

	tt_unlock(w, s);
	tt_unmerge(w, s);
	tt_must(w, "MREMAP_DONTUNMAP", s, 0, s->len,
		mremap(s->va, s->len, s->len, MREMAP_MAYMOVE | MREMAP_FIXED |
		       MREMAP_DONTUNMAP, to) != to);
	s->va = to;
	old.shadow = w->zeros;
	part = tt_bytes(w, &old, 1);
	memset(w->buf, 0x5a, part.len);
	tt_read_any(w, &old, part.off, part.len, w->buf);
	tt_compare(w, &old, w->buf, part.off, part.len, "left by MREMAP_DONTUNMAP");
	tt_must(w, "munmap of what was left", s, 0, s->len,
		munmap(old.va, old.len));
	must_be_gone(w, "munmap", old.va);
}

/* To a place where something else is, perhaps on a device, that goes. */
static void op_move_over(struct tt_worker *w, struct tt_slot *s)
{
	struct gt_dev *dev = tt_random_dev(w);
	char *to = other_place(s);

	tt_unmerge(w, s);
	tt_must(w, "mmap where it goes", s, 0, s->len,
		map_anon(to, s->len, TT_RW, MAP_FIXED_NOREPLACE) != to);
	gt_fill(dev, to, s->len, 0xdeadULL);
	tt_must(w, "mremap over something", s, 0, s->len,
		mremap(s->va, s->len, s->len, MREMAP_MAYMOVE | MREMAP_FIXED,
		       to) != to);
	must_be_gone(w, "mremap", s->va);
	s->va = to;
}

/* New memory over some, with no moment between them. */
static void op_replace(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_pages(w, s);
	char *va = s->va + part.off;

	tt_unlock(w, s);
	tt_must(w, "MAP_FIXED", s, part.off, part.len,
		map_anon(va, part.len, s->prot, MAP_FIXED) != va);
	memset(s->shadow + part.off, 0, part.len);
	tt_read_any(w, s, part.off, part.len, w->buf);
	tt_compare(w, s, w->buf, part.off, part.len, "after MAP_FIXED");
}

static void op_guard(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_pages(w, s);
	char *va = s->va + part.off;

	tt_unlock(w, s);
	tt_must(w, "guard", s, part.off, part.len,
		madvise(va, part.len, MADV_GUARD_INSTALL));
	must_be_gone(w, "a guard", va + tt_below(&w->rng, part.len / 8) * 8);
	if (gt_cpu_touch(va, false) != -EFAULT)
		tt_fail(w, "the CPU finds what is behind a guard");
	tt_must(w, "guard goes", s, part.off, part.len,
		madvise(va, part.len, MADV_GUARD_REMOVE));
	memset(s->shadow + part.off, 0, part.len);
}

/* ------------------------------------------------------------- userfaultfd */

static bool uffd_begin(struct tt_worker *w, const struct tt_slot *s,
		       struct pager *p, __u64 mode, __u64 features)
{
	p->fd = uffd_open(features);
	tt_must(w, "userfaultfd", s, 0, 0, p->fd < 0);
	if (p->fd < 0)
		return false;
	errno = uffd_register(p->fd, p->dst, p->len, mode);
	tt_must(w, "UFFDIO_REGISTER", s, 0, p->len, errno);
	errno = pthread_create(&p->thread, NULL, pager_run, p);
	if (!errno)
		return true;
	tt_must(w, "thread of a pager", s, 0, p->len, errno);
	pager_unregister(p);
	close(p->fd);
	return false;
}

static void uffd_end(struct tt_worker *w, const struct tt_slot *s,
		     struct pager *p)
{
	gt_store(&p->stop, true);
	pthread_join(p->thread, NULL);
	/* A child of somebody may have the file, too. */
	errno = pager_unregister(p);
	tt_must(w, "UFFDIO_UNREGISTER", s, 0, p->len, errno);
	close(p->fd);
	errno = p->error;
	tt_must(w, "pager", s, 0, p->len, p->error);
}

static struct pager pager_of(struct tt_worker *w, const struct tt_slot *s,
			     enum answer answer)
{
	struct tt_part part = tt_pages(w, s);

	if (part.len > TT_UFFD_PAGES * GT_PAGE)
		part.len = TT_UFFD_PAGES * GT_PAGE;
	return (struct pager){
		.dst = s->va + part.off,
		.src = s->shadow + part.off,
		.len = part.len,
		.unit = GT_PAGE,
		.answer = answer,
	};
}

/* What was dropped comes from a handler, for the CPU and for devices. */
static void op_missing(struct tt_worker *w, struct tt_slot *s)
{
	struct pager p = pager_of(w, s, ANSWER_COPY);
	size_t off = p.dst - s->va;

	tt_unlock(w, s);
	if (!uffd_begin(w, s, &p, UFFDIO_REGISTER_MODE_MISSING, 0))
		return;
	tt_must(w, "MADV_DONTNEED", s, off, p.len,
		madvise(p.dst, p.len, MADV_DONTNEED));
	tt_read_any(w, s, off, p.len, w->buf);
	tt_compare(w, s, w->buf, off, p.len, "from a handler");
	uffd_end(w, s, &p);
	tt_count(w, "a handler is asked", p.missing);
}

/* A write waits until a handler allows it. */
static void op_protected(struct tt_worker *w, struct tt_slot *s)
{
	struct pager p = pager_of(w, s, ANSWER_UNPROTECT);
	size_t off = p.dst - s->va;

	/* KSM forgets of a page that it is protected. */
	tt_unmerge(w, s);
	/* There must be something to protect. */
	tt_renew(w, s, off, p.len);
	tt_write_any(w, s, off, p.len);
	if (!uffd_begin(w, s, &p, UFFDIO_REGISTER_MODE_WP,
			UFFD_FEATURE_PAGEFAULT_FLAG_WP))
		return;
	errno = pager_protect(&p, 0, p.len, true);
	tt_must(w, "UFFDIO_WRITEPROTECT", s, off, p.len, errno);
	tt_read_any(w, s, off, p.len, w->buf);
	tt_compare(w, s, w->buf, off, p.len, "write-protected");
	if (gt_load(&p.wp))
		tt_fail(w, "a handler is asked about reads");
	tt_renew(w, s, off, p.len);
	tt_write_any(w, s, off, p.len);
	uffd_end(w, s, &p);
	if (p.wp < p.len / GT_PAGE)
		tt_fail(w, "%lu writes announced, of %zu pages", p.wp,
			p.len / GT_PAGE);
	tt_count(w, "a handler allows a write", p.wp);
}

static struct tt_op ops[] = {
	{ "mremap resizes", op_resize, 4, PROT_NONE, TT_OWN, false },
	{ "MREMAP_DONTUNMAP", op_dontunmap, 3, PROT_READ, TT_OWN, false },
	{ "mremap over something", op_move_over, 2, PROT_NONE, TT_OWN, false },
	{ "MAP_FIXED", op_replace, 4, TT_RW, TT_OWN, false },
	{ "guard", op_guard, 3, TT_RW, TT_OWN, false },
	{ "userfaultfd missing", op_missing, 3, TT_RW, TT_OWN, false },
	{ "userfaultfd wp", op_protected, 3, TT_RW, TT_OWN, false },
};

const struct tt_ops tt_map_ops = { ops, ARRAY_SIZE(ops) };

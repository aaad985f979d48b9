// SPDX-License-Identifier: GPL-2.0-only
/*
 * The torture test: what a process does with its memory, other than to access
 * it. Some of it may fail at any time (nothing to collapse, nothing to page
 * out); what must succeed is checked, and what it does to contents.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gmem_abi.h"
#include "torture.h"

#define TT_PIPE		(16 * GT_PAGE)
#define TT_THP		"/sys/kernel/mm/transparent_hugepage/enabled"

#ifndef MPOL_BIND
#define MPOL_DEFAULT	0
#define MPOL_BIND	2
#define MPOL_MF_MOVE	2
#endif

void tt_must(struct tt_worker *w, const char *what, const struct tt_slot *s,
	     size_t off, size_t len, int ret)
{
	if (ret)
		ret = -errno;
	tt_note(w, what, s, off, len, ret);
	if (ret)
		tt_fail(w, "%s: slot %u +0x%zx 0x%zx: %s", what,
			tt_number(w, s), off, len, strerror(-ret));
}

/* What may fail, even each time, and what must not under any circumstances. */
static void try(struct tt_worker *w, const char *what, const struct tt_slot *s,
		size_t off, size_t len, int ret)
{
	if (ret)
		ret = -errno;
	tt_note(w, what, s, off, len, ret);
	if (ret == -EFAULT || ret == -EIO || ret == -ENODEV || ret == -EPERM)
		tt_fail(w, "%s: slot %u +0x%zx 0x%zx: %s", what,
			tt_number(w, s), off, len, strerror(-ret));
}

static void may(struct tt_worker *w, const char *what, const struct tt_slot *s,
		size_t off, size_t len, int ret)
{
	tt_count(w, what, !ret);
	try(w, what, s, off, len, ret);
}

void tt_protect(struct tt_worker *w, struct tt_slot *s, int prot)
{
	tt_must(w, prot == PROT_NONE ? "mprotect NONE" : prot == PROT_READ ?
		"mprotect RO" : "mprotect RW", s, 0, s->len,
		mprotect(s->va, s->len, prot));
	s->prot = prot;
}

void tt_unlock(struct tt_worker *w, struct tt_slot *s)
{
	if (!s->locked)
		return;
	tt_must(w, "munlock", s, 0, s->len, munlock(s->va, s->len));
	s->locked = false;
}

/*
 * mremap() of several mappings has KSM give each page back, and what interrupts that makes
 * it begin again, with some of them moved.
 */
void tt_unmerge(struct tt_worker *w, struct tt_slot *s)
{
	tt_must(w, "MADV_UNMERGEABLE", s, 0, s->len,
		madvise(s->va, s->len, MADV_UNMERGEABLE));
}

/* ------------------------------------------------------------------ advice */

static void prefetch_result(struct tt_worker *w, const char *what,
			    const struct tt_slot *s, size_t off, size_t len,
			    long ret, bool holes)
{
	tt_note(w, what, s, off, len, ret);
	if (ret > 0 || ret == -EAGAIN || ret == -ENOSPC)
		return;
	if (ret == -ENOMEM && holes)
		return;
	tt_fail(w, "%s: 0x%zx at 0x%zx returns %ld", what, len, off, ret);
}

/* Of pages that the slot is in, the neighbours' included. */
void tt_prefetch(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_bytes(w, s, 1);
	uintptr_t start = (uintptr_t)s->va + part.off;
	size_t len = part.len + (start & (GT_PAGE - 1));
	unsigned int n = tt_below(&w->rng, w->proc->nr_devs + 1);
	int hnid = n < w->proc->nr_devs ? w->dev[n].hnid : 0;
	char *va = s->va + part.off;
	bool before = gt_node(va) == hnid;
	long ret;

	start &= ~(GT_PAGE - 1);
	ret = gt_hmadvise(hnid, (void *)start, len, HMADV_PREFETCH, 0);
	prefetch_result(w, hnid ? "prefetch to device" : "prefetch home", s,
			part.off, len, ret, false);
	if (hnid && s->kind == TT_OWN && !before)
		tt_count(w, "prefetch to device", gt_node(va) == hnid);
}

/* Advice about anything in the arena: other threads are at work there. */
static void op_prefetch_wide(struct tt_worker *w, struct tt_slot *s)
{
	size_t nr = w->proc->arena_len / GT_PAGE;
	size_t at = tt_below(&w->rng, nr);
	size_t len = (1 + tt_below(&w->rng, nr - at)) * GT_PAGE;
	unsigned int n = tt_below(&w->rng, w->proc->nr_devs + 1);
	int hnid = n < w->proc->nr_devs ? w->dev[n].hnid : HMADV_NODE_ANY;
	long ret;

	if (len > 4 * GT_HUGE)
		len = 4 * GT_HUGE;
	ret = gt_hmadvise(hnid, w->proc->arena + at * GT_PAGE, len,
			  HMADV_PREFETCH, 0);
	prefetch_result(w, "prefetch anything", NULL, at * GT_PAGE, len, ret,
			true);
}

static const struct {
	int advice;
	const char *name;
} advices[] = {
	{ MADV_COLLAPSE, "MADV_COLLAPSE" },
	{ MADV_PAGEOUT, "MADV_PAGEOUT" },
	{ MADV_COLD, "MADV_COLD" },
	{ MADV_HUGEPAGE, "MADV_HUGEPAGE" },
	{ MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE" },
	{ MADV_WILLNEED, "MADV_WILLNEED" },
	{ MADV_POPULATE_READ, "MADV_POPULATE_READ" },
	{ MADV_POPULATE_WRITE, "MADV_POPULATE_WRITE" },
};

#define NR_WIDE_ADVICES	5
#define NR_ADVICES	ARRAY_SIZE(advices)

static void op_madvise(struct tt_worker *w, struct tt_slot *s)
{
	unsigned int n = 1 + tt_below(&w->rng, NR_ADVICES - 1);
	struct tt_part part = tt_pages(w, s);

	may(w, advices[n].name, s, part.off, part.len,
	    madvise(s->va + part.off, part.len, advices[n].advice));
}

static void op_madvise_wide(struct tt_worker *w, struct tt_slot *s)
{
	unsigned int n = tt_below(&w->rng, NR_WIDE_ADVICES);
	size_t nr = w->proc->arena_len / GT_PAGE;
	size_t at = tt_below(&w->rng, nr);
	size_t len = (1 + tt_below(&w->rng, nr - at)) * GT_PAGE;

	if (advices[n].advice == MADV_COLLAPSE) {
		at &= ~(GT_HUGE / GT_PAGE - 1);
		len = GT_HUGE;
	}
	if (len > 2 * GT_HUGE)
		len = 2 * GT_HUGE;
	try(w, advices[n].name, NULL, at * GT_PAGE, len,
	    madvise(w->proc->arena + at * GT_PAGE, len, advices[n].advice));
}

/* Of a whole block, which must be one mapping for that. */
static void op_collapse(struct tt_worker *w, struct tt_slot *s)
{
	s = &w->slot[0];
	if ((uintptr_t)s->va % GT_HUGE)
		return;
	tt_protect(w, s, TT_RW);
	tt_unlock(w, s);
	tt_unmerge(w, s);
	tt_must(w, "MADV_HUGEPAGE", s, 0, s->len,
		madvise(s->va, s->len, MADV_HUGEPAGE));
	tt_must(w, "no policy", s, 0, s->len,
		syscall(SYS_mbind, s->va, s->len, MPOL_DEFAULT, NULL, 0, 0));
	may(w, "MADV_COLLAPSE", s, 0, s->len,
	    madvise(s->va, s->len, MADV_COLLAPSE));
}

static void op_ksm(struct tt_worker *w, struct tt_slot *s)
{
	bool merge = tt_below(&w->rng, 4);

	may(w, merge ? "MADV_MERGEABLE" : "MADV_UNMERGEABLE", s, 0, s->len,
	    madvise(s->va, s->len, merge ? MADV_MERGEABLE : MADV_UNMERGEABLE));
}

static void op_thp_mode(struct tt_worker *w, struct tt_slot *s)
{
	static const char * const mode[] = { "always", "madvise", "never" };
	unsigned int n = tt_below(&w->rng, 3);

	gt_write_file(TT_THP, mode[n]);
	tt_note(w, mode[n], NULL, 0, 0, 0);
}

/* -------------------------------------------------------- contents are lost */

static void op_discard(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_pages(w, s);
	bool hint = tt_below(&w->rng, 2);
	long ret;

	if (hint)
		ret = gt_hmadvise(HMADV_NODE_ANY, s->va + part.off, part.len,
				  HMADV_DISCARD, 0);
	else
		ret = madvise(s->va + part.off, part.len, MADV_DONTNEED) ?
		      -errno : (long)part.len;
	tt_note(w, hint ? "discard" : "MADV_DONTNEED", s, part.off, part.len,
		ret);
	if (s->locked ? ret != -EINVAL : ret != (long)part.len)
		tt_fail(w, "discard of slot %u returns %ld, %slocked",
			tt_number(w, s), ret,
			s->locked ? "" : "not ");
	if (!s->locked)
		memset(s->shadow + part.off, 0, part.len);
}

static bool is_zero(const char *p, size_t len)
{
	return !*p && !memcmp(p, p + 1, len - 1);
}

/*
 * Each page has its contents, or zeros; and once it is written to, it keeps
 * what was written.
 */
static void op_free(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_pages(w, s);
	size_t at;

	tt_unlock(w, s);
	tt_must(w, "MADV_FREE", s, part.off, part.len,
		madvise(s->va + part.off, part.len, MADV_FREE));
	tt_read_any(w, s, part.off, part.len, w->buf);
	for (at = 0; at < part.len; at += GT_PAGE) {
		if (is_zero(w->buf + at, GT_PAGE))
			continue;
		if (!tt_compare(w, s, w->buf + at, part.off + at, GT_PAGE,
				"after MADV_FREE"))
			return;
	}
	tt_renew(w, s, part.off, part.len);
	tt_write_any(w, s, part.off, part.len);
	if (tt_below(&w->rng, 2))
		may(w, "MADV_PAGEOUT", s, part.off, part.len,
		    madvise(s->va + part.off, part.len, MADV_PAGEOUT));
}

static void op_munmap(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_pages(w, s);
	char *va = s->va + part.off;
	int prot = s->prot;
	unsigned int i;
	int ret;

	tt_unlock(w, s);
	tt_must(w, "munmap", s, part.off, part.len, munmap(va, part.len));
	for (i = 0; i < w->proc->nr_devs; i++) {
		ret = gt_translated(&w->dev[i], va, part.len);
		if (ret)
			tt_fail(w, "device %u after munmap of slot %u: %d translations",
				w->dev[i].index, tt_number(w, s),
				ret);
	}
	if (tt_below(&w->rng, 2) && tt_touch(w, &w->dev[0], va, false) != -EFAULT)
		tt_fail(w, "device finds memory that was unmapped");
	tt_must(w, "mmap", s, part.off, part.len,
		mmap(va, part.len, prot,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE |
		     MAP_NORESERVE, -1, 0) != va);
	memset(s->shadow + part.off, 0, part.len);
}

/* ------------------------------------------------------ the mapping changes */

static void op_mprotect(struct tt_worker *w, struct tt_slot *s)
{
	static const int prot[] = { PROT_READ, PROT_READ, PROT_NONE, TT_RW };

	tt_protect(w, s, prot[tt_below(&w->rng, 4)]);
}

/* A part only, which splits the mapping and perhaps a huge page. */
static void op_mprotect_part(struct tt_worker *w, struct tt_slot *s)
{
	int prot = tt_below(&w->rng, 2) ? PROT_READ : PROT_NONE;
	struct tt_part part = tt_pages(w, s);
	char *va = s->va + part.off;
	unsigned int i;
	int ret;

	tt_must(w, "mprotect of a part", s, part.off, part.len,
		mprotect(va, part.len, prot));
	for (i = 0; i < w->proc->nr_devs; i++) {
		ret = tt_touch(w, &w->dev[i], va + part.len - 8, true);
		if (ret != -EFAULT)
			tt_fail(w, "write to a read-only part of slot %u: %d",
				tt_number(w, s), ret);
	}
	if (prot == PROT_READ) {
		tt_read_any(w, s, part.off, part.len, w->buf);
		tt_compare(w, s, w->buf, part.off, part.len, "read-only part");
	}
	tt_must(w, "mprotect of a part", s, part.off, part.len,
		mprotect(va, part.len, s->prot));
}

static void op_mremap(struct tt_worker *w, struct tt_slot *s)
{
	char *to = s->place[s->va == s->place[0]];

	tt_unmerge(w, s);
	tt_must(w, s->va == s->place[0] ? "mremap away" : "mremap back", s, 0,
		s->len, mremap(s->va, s->len, s->len,
			       MREMAP_MAYMOVE | MREMAP_FIXED, to) != to);
	if (tt_touch(w, &w->dev[0], s->va, false) != -EFAULT)
		tt_fail(w, "device finds memory that was moved");
	s->va = to;
}

static void op_lock(struct tt_worker *w, struct tt_slot *s)
{
	if (s->locked) {
		tt_unlock(w, s);
		return;
	}
	tt_must(w, "mlock", s, 0, s->len, mlock(s->va, s->len));
	s->locked = true;
}

/* Host pages move between nodes; what is on a device stays. */
static void op_mbind(struct tt_worker *w, struct tt_slot *s)
{
	unsigned long mask = 1UL << tt_below(&w->rng, w->proc->nr_nodes);
	struct tt_part part = tt_pages(w, s);
	bool bind = tt_below(&w->rng, 2);

	may(w, "mbind", s, part.off, part.len,
	    syscall(SYS_mbind, s->va + part.off, part.len,
		    bind ? MPOL_BIND : MPOL_DEFAULT, bind ? &mask : NULL,
		    bind ? 64 : 0, bind ? MPOL_MF_MOVE : 0));
}

static struct tt_op ops[] = {
	{ "prefetch", tt_prefetch, 14, PROT_NONE, TT_ANY, false },
	{ "prefetch anything", op_prefetch_wide, 4, PROT_NONE, TT_ANY, false },
	{ "madvise", op_madvise, 10, TT_RW, TT_OWN, false },
	{ "madvise anything", op_madvise_wide, 5, PROT_NONE, TT_ANY, false },
	{ "collapse", op_collapse, 3, PROT_NONE, TT_OWN, false },
	{ "KSM", op_ksm, 2, TT_RW, TT_OWN, false },
	{ "THP mode", op_thp_mode, 1, PROT_NONE, TT_ANY, false },
	{ "discard", op_discard, 5, PROT_NONE, TT_OWN, false },
	{ "MADV_FREE", op_free, 4, TT_RW, TT_OWN, false },
	{ "munmap", op_munmap, 5, TT_RW, TT_OWN, false },
	{ "mprotect", op_mprotect, 6, PROT_NONE, TT_OWN, false },
	{ "mprotect of a part", op_mprotect_part, 4, TT_RW, TT_OWN, false },
	{ "mremap", op_mremap, 5, PROT_NONE, TT_OWN, false },
	{ "mlock", op_lock, 3, TT_RW, TT_OWN, false },
	{ "mbind", op_mbind, 3, PROT_NONE, TT_OWN, false },
};

const struct tt_ops tt_mm_ops = { ops, ARRAY_SIZE(ops) };

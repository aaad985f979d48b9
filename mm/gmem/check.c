// SPDX-License-Identifier: GPL-2.0-only
/*
 * The counting check: are the frames in use those that are recorded?
 *
 * Reads the page tables of every process that has an address space, where its
 * logical page table says that data is on a device, and counts each frame once.
 * A frame in use that was not found there is foreign if some process maps it
 * that has no address space (a child after fork), and leaked otherwise. A frame
 * that was found but is free is stale. Only a quiet system counts to zero.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include "internal.h"

/* Milliseconds to wait for mmap_locks in all. */
#define GM_CHECK_TRIES		2000

/**
 * struct gm_check - result of the check of one hnode
 * @hnode:	which one
 * @seen:	one bit for each page that a page table holds
 * @recorded:	pages in use that were seen
 * @foreign:	pages in use that only processes without address space map
 * @leaked:	pages in use that nobody maps
 * @stale:	pages seen that are not in use
 * @tries:	how often an mmap_lock was waited for
 * @ret:	0, or why there is no result
 */
struct gm_check {
	struct gm_hnode *hnode;
	unsigned long *seen;
	unsigned long recorded;
	unsigned long foreign;
	unsigned long leaked;
	unsigned long stale;
	unsigned int tries;
	int ret;
};

static void gm_check_note(unsigned long va, struct page *page, void *arg)
{
	struct gm_check *check = arg;
	struct gm_hnode *hnode = check->hnode;

	if (page && gm_hnode_of_page(page) == hnode)
		__set_bit(page_to_pfn(page) - hnode->base_pfn, check->seen);
}

/*
 * Reads the page table of a range. A program can hold its mmap_lock up for as long as
 * it likes, and no hnode can go while we wait.
 */
static int gm_check_range(struct gm_check *check, struct gm_as *as,
			  unsigned long start, unsigned long end)
{
	while (!mmap_read_trylock(as->mm)) {
		if (++check->tries > GM_CHECK_TRIES)
			return -EBUSY;
		if (msleep_interruptible(1))
			return -EINTR;
	}
	gm_where_walk(as->mm, start, end, gm_check_note, check);
	mmap_read_unlock(as->mm);
	return 0;
}

static void gm_check_as(struct gm_as *as, void *arg)
{
	unsigned long at = PHYS_PFN(as->start), end = PHYS_PFN(as->end);
	struct gm_check *check = arg;
	struct gm_lpt_run run;

	if (!mmget_not_zero(as->mm))
		return;
	while (!check->ret && at < end &&
	       gm_lpt_find(&as->lpt, at, end, &run)) {
		gm_lpt_run_clip(&run, at, end);
		at = run.end;
		if (run.state.res == gm_hnode_res(check->hnode)) {
			at = min(run.end, round_down(run.start, GM_BLOCK_PAGES)
				 + GM_BLOCK_PAGES);
			check->ret = gm_check_range(check, as,
						    run.start << PAGE_SHIFT,
						    at << PAGE_SHIFT);
		}
		cond_resched();
	}
	mmput(as->mm);
}

static void gm_check_count(struct gm_check *check)
{
	struct gm_hnode *hnode = check->hnode;
	unsigned long i;

	for (i = 0; i < hnode->nr_pages; i++) {
		unsigned long pfn = hnode->base_pfn + i;
		bool used = gm_frames_used(hnode, pfn);
		bool seen = test_bit(i, check->seen);

		if (seen && used)
			check->recorded++;
		else if (seen)
			check->stale++;
		else if (used && folio_mapped(page_folio(pfn_to_page(pfn))))
			check->foreign++;
		else if (used)
			check->leaked++;
	}
}

static int gm_check_hnode(struct gm_hnode *hnode, void *arg)
{
	struct gm_check check = { .hnode = hnode }, *sum = arg;

	check.seen = kvcalloc(BITS_TO_LONGS(hnode->nr_pages),
			      sizeof(long), GFP_KERNEL);
	if (!check.seen) {
		sum->ret = -ENOMEM;
		return sum->ret;
	}
	gm_as_visit_all(gm_check_as, &check);
	gm_check_count(&check);
	kvfree(check.seen);
	sum->ret = check.ret;
	sum->recorded += check.recorded;
	sum->foreign += check.foreign;
	sum->leaked += check.leaked;
	sum->stale += check.stale;
	return sum->ret;
}

/**
 * gm_check_show() - check and print the result
 * @m: where to
 * @unused: unused
 *
 * Context: may sleep for long.
 * Return: 0; -ENOMEM; -EINTR; -EBUSY when a process does not let anybody look.
 */
int gm_check_show(struct seq_file *m, void *unused)
{
	struct gm_check sum = {};

	/* Frames that were locked in memory wait there. */
	lru_add_drain_all();
	gm_hnode_visit_all(gm_check_hnode, &sum);
	if (sum.ret)
		return sum.ret;

	seq_printf(m, "frames_used %lu\n",
		   sum.recorded + sum.foreign + sum.leaked);
	seq_printf(m, "frames_recorded %lu\n", sum.recorded);
	seq_printf(m, "frames_foreign %lu\n", sum.foreign);
	seq_printf(m, "leaked %lu\n", sum.leaked);
	seq_printf(m, "stale %lu\n", sum.stale);
	return 0;
}

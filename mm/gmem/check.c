// SPDX-License-Identifier: GPL-2.0-only
/*
 * The counting check: are the frames in use those that are recorded?
 *
 * Reads the page tables of every process that has an address space, where its
 * logical page table says that data is on a device, and counts each frame once.
 * A frame in use that was not found there is foreign if some process maps it,
 * and leaked otherwise. A frame that was found but is free is stale. Only a quiet
 * system counts to zero.
 *
 * Foreign are frames that only processes without address space map (a child after
 * fork); what a process had before it got its address space; and what mremap() has
 * carried elsewhere, which core mm tells of the old place only. The next fault or
 * hint there records it. All else has a record, from before it is in a page table
 * until after it is not, even while something moves: the second pass reads all of
 * the page tables and counts what has none. gm_origin() says what should have one.
 *
 * For both to be of the same moment, the record is looked up under the lock of the
 * page table. Data on its way home loses its record while the folio is locked, with
 * an entry that is not the device's; munmap() erases it while the range has no VMA.
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
/* Memory to look at before the mmap_lock must be let go. */
#define GM_CHECK_PIECE		SZ_64M

/**
 * struct gm_check - result of the check of one hnode, or of the sum of all
 * @hnode:	which one
 * @as:		whose page tables are read
 * @seen:	one bit for each page that a page table holds
 * @recorded:	pages in use that were seen
 * @foreign:	pages in use that are mapped, but not where one is recorded
 * @leaked:	pages in use that nobody maps
 * @stale:	pages seen that are not in use
 * @unrecorded:	pages in a page table whose record was lost
 * @tries:	how often an mmap_lock was waited for
 * @ret:	0, or why there is no result
 */
struct gm_check {
	struct gm_hnode *hnode;
	struct gm_as *as;
	unsigned long *seen;
	unsigned long recorded;
	unsigned long foreign;
	unsigned long leaked;
	unsigned long stale;
	unsigned long unrecorded;
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

/* A program can hold its mmap_lock up for as long as it likes. */
static int gm_check_lock(struct gm_check *check, struct mm_struct *mm)
{
	while (!mmap_read_trylock(mm)) {
		if (++check->tries > GM_CHECK_TRIES)
			return -EBUSY;
		if (msleep_interruptible(1))
			return -EINTR;
	}
	return 0;
}

/* Reads the page table of a range. No hnode can go while we wait. */
static int gm_check_range(struct gm_check *check, struct gm_as *as,
			  unsigned long start, unsigned long end)
{
	int ret = gm_check_lock(check, as->mm);

	if (ret)
		return ret;
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

/* Whether data is recorded to be where it is. Too little memory can leave a doubt. */
static bool gm_check_is_recorded(struct gm_as *as, unsigned long index,
				 const struct gm_hnode *hnode)
{
	struct gm_lpt_state state = gm_lpt_get(&as->lpt, index);

	return state.res == gm_hnode_res(hnode) ||
	       (state.res > GM_LPT_HOST && state.flags & GM_LPT_INEXACT);
}

/* The lock of the page table is held. A locked folio is on its way, or may be. */
static void gm_check_record(unsigned long va, struct page *page, void *arg)
{
	struct gm_hnode *hnode = page ? gm_hnode_of_page(page) : NULL;
	unsigned long index = PHYS_PFN(va), origin;
	struct gm_check *check = arg;
	struct folio *folio;

	if (!hnode)
		return;
	folio = page_folio(page);
	if (folio_test_locked(folio))
		return;
	origin = (unsigned long)folio_zone_device_data(folio) +
		 folio_page_idx(folio, page);
	if (origin == gm_origin(check->as, index) &&
	    !gm_check_is_recorded(check->as, index, hnode))
		check->unrecorded++;
}

/* Reads the page table of the next piece of memory. Return: where to go on. */
static unsigned long gm_check_piece(struct gm_check *check, unsigned long at)
{
	unsigned long end = check->as->end;
	struct mm_struct *mm = check->as->mm;
	struct vm_area_struct *vma;

	check->ret = signal_pending(current) ? -EINTR : gm_check_lock(check, mm);
	if (check->ret)
		return end;
	vma = find_vma(mm, at);
	if (vma && vma->vm_start < end) {
		at = max(at, vma->vm_start);
		end = min3(end, vma->vm_end, at + GM_CHECK_PIECE);
		gm_where_walk(mm, at, end, gm_check_record, check);
	}
	mmap_read_unlock(mm);
	return end;
}

static void gm_check_records(struct gm_as *as, void *arg)
{
	struct gm_check *check = arg;
	unsigned long at = as->start;

	if (check->ret || !mmget_not_zero(as->mm))
		return;
	check->as = as;
	while (at < as->end) {
		at = gm_check_piece(check, at);
		cond_resched();
	}
	mmput(as->mm);
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
	gm_as_visit_all(gm_check_records, &sum);
	if (sum.ret)
		return sum.ret;

	seq_printf(m, "frames_used %lu\n",
		   sum.recorded + sum.foreign + sum.leaked);
	seq_printf(m, "frames_recorded %lu\n", sum.recorded);
	seq_printf(m, "frames_foreign %lu\n", sum.foreign);
	seq_printf(m, "leaked %lu\n", sum.leaked);
	seq_printf(m, "stale %lu\n", sum.stale);
	seq_printf(m, "unrecorded %lu\n", sum.unrecorded);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Invalidation: the CPU side is about to change.
 *
 * The notifier runs before core mm changes a mapping. When it returns, no
 * device translates the range any more. Most calls find nothing recorded and
 * return at once, without a lock.
 *
 * It neither allocates nor migrates, and may run in the middle of memory
 * reclaim. Where the logical page table would need memory to cut a run in two,
 * and there is none at hand, the whole run is given up instead: removing too
 * many translations is always right.
 *
 * What happens to the residency of a run is told by the event: unmapped memory
 * has none; anything else makes the record an upper bound (GM_LPT_INEXACT) that
 * the next migration makes exact. Our own migrations keep the record themselves
 * and are recognised by their owner.
 *
 * Who translates a run is forgotten here and nowhere else, also for our own migrations.
 * When they are done it may be too late: MADV_DONTNEED drops migration entries, beside
 * them, and what comes there then, a device may have mapped already.
 *
 * A fault that is under way in the range has an interval notifier of its own,
 * see flight.c. It removes what the fault may just have installed, whatever the
 * record says: the notifier of the address space may have run before it, and
 * have found no record, or one of which the translation was yet to come.
 *
 *	gm_map_range()				gm_flight_invalidate()
 *	 record context in LPT
 *	 down_read(map_lock)			 down_write(map_lock)
 *	 seq changed? then retry		 set seq
 *	 peer_map()				 peer_unmap()
 *	 up_read(map_lock)			 up_write(map_lock)
 *
 * Either the fault comes first, and is undone, or it sees the new sequence.
 *
 * Both are interval notifiers: one that is not may not say -EAGAIN to a caller
 * that cannot wait, since core mm does not undo what it told the others (7.2).
 *
 * Where more is removed than the caller asked for, because a run or a DMA mapping
 * cannot be cut, a fault nearby does not learn of it by its own notifier: it
 * compares gm_as.overshoot.
 */
#include <linux/mm.h>
#include <linux/mmu_notifier.h>

#include "internal.h"
#include "trace.h"

static void gm_count_overshoot(struct gm_as *as)
{
	lockdep_assert_held_write(&as->map_lock);
	as->overshoot++;
}

/**
 * gm_unmap_ctx() - remove the translations of one context in a range
 * @ctx: the context, not dead
 * @start: first address
 * @end: end, exclusive
 * @flags: GM_UNMAP_* flags
 *
 * Context: gm_as.map_lock is held exclusively. Does not allocate.
 * Return: 0, or -EAGAIN with %GM_UNMAP_NONBLOCK.
 */
int gm_unmap_ctx(struct gm_context *ctx, unsigned long start,
		 unsigned long end, unsigned int flags)
{
	const struct gm_mmu *mmu = ctx->dev->mmu;
	int ret;

	lockdep_assert_held_write(&ctx->as->map_lock);

	/* A DMA mapping goes as a whole, and all that uses it before. */
	if (gm_dma_widen(ctx, &start, &end))
		gm_count_overshoot(ctx->as);
	ret = mmu->peer_unmap(ctx, start, end - start, flags);
	if (ret)
		return ret;
	if (mmu->tlb_invl)
		mmu->tlb_invl(ctx, start, end - start);
	gm_dma_unmap_range(ctx, start, end);
	gm_exclusive_forget(ctx, start, end, !(flags & GM_UNMAP_NONBLOCK));
	return 0;
}

/* Removes the translations of a set of contexts. */
static int gm_unmap_set(struct gm_as *as, u64 set, unsigned long start,
			unsigned long end, unsigned int flags)
{
	lockdep_assert_held_write(&as->map_lock);

	while (set) {
		struct gm_context *ctx = as->ctx[__ffs64(set)];
		int ret;

		set &= set - 1;
		/* The last bits of a context that was shut down just now. */
		if (!ctx || ctx->dead)
			continue;
		ret = gm_unmap_ctx(ctx, start, end, flags);
		if (ret)
			return ret;
	}
	return 0;
}

/* What an event does to the record of a run. */
static struct gm_lpt_change gm_change_for(const struct gm_lpt_run *run,
					  enum mmu_notifier_event event,
					  bool ours)
{
	struct gm_lpt_change chg = { .map_clear = GM_LPT_CTX_MASK };

	if (run->state.res == GM_LPT_HOST || event == MMU_NOTIFY_UNMAP ||
	    event == MMU_NOTIFY_RELEASE) {
		/* Host memory is recorded only while it is translated. */
		chg.set_res = true;
		chg.res = GM_LPT_NONE;
		chg.flags_clear = GM_LPT_INEXACT;
	} else if (!ours) {
		chg.flags_set = GM_LPT_INEXACT;
	}
	return chg;
}

/* Records that a run has changed, all of it if a part is not possible. */
static int gm_forget_run(struct gm_as *as, struct gm_lpt_run *run,
			 const struct gm_lpt_change *chg, unsigned int flags)
{
	struct gm_lpt_change coarse = {
		.map_clear = GM_LPT_CTX_MASK,
		.flags_set = GM_LPT_INEXACT,
	};
	unsigned long done, end = run->end;
	int ret;

	if (!gm_lpt_modify(&as->lpt, run->start, end, chg,
			   GFP_NOWAIT | __GFP_NOWARN, &done))
		return 0;

	/* @done was reached; the run that holds it could not be cut. */
	gm_count_overshoot(as);
	while (gm_lpt_find(&as->lpt, done, end, run)) {
		ret = gm_unmap_set(as, run->state.mapped,
				   run->start << PAGE_SHIFT,
				   run->end << PAGE_SHIFT, flags);
		if (ret)
			return ret;
		/*
		 * A fault that records its own pages may have joined the run to its
		 * neighbours, which are still translated. It waits for our lock before
		 * it records more.
		 */
		if (gm_lpt_modify_within(&as->lpt, run, &coarse))
			done = run->end;
	}
	return 0;
}

/* @first: the first run in the range, if it is known */
static int gm_invalidate_locked(struct gm_as *as, unsigned long start,
				unsigned long end,
				const struct mmu_notifier_range *range,
				const struct gm_lpt_run *first,
				unsigned int flags)
{
	bool ours = range->event == MMU_NOTIFY_MIGRATE &&
		    range->owner == gm_pgmap_owner();
	unsigned long at = start;
	struct gm_lpt_run run;

	lockdep_assert_held_write(&as->map_lock);
	while (at < end) {
		struct gm_lpt_change chg;
		unsigned long next;
		int ret;

		if (first)
			run = *first;
		else if (!gm_lpt_find(&as->lpt, at, end, &run))
			break;
		first = NULL;
		gm_lpt_run_clip(&run, at, end);
		next = run.end;
		ret = gm_unmap_set(as, run.state.mapped,
				   run.start << PAGE_SHIFT,
				   run.end << PAGE_SHIFT, flags);
		if (ret)
			return ret;
		chg = gm_change_for(&run, range->event, ours);
		ret = gm_forget_run(as, &run, &chg, flags);
		if (ret)
			return ret;
		at = next;
		if (!(flags & GM_UNMAP_NONBLOCK))
			cond_resched();
	}
	return 0;
}

static bool gm_as_invalidate(struct mmu_interval_notifier *mni,
			     const struct mmu_notifier_range *range,
			     unsigned long seq)
{
	struct gm_as *as = container_of(mni, struct gm_as, notifier);
	unsigned long start = PHYS_PFN(max(range->start, as->start));
	unsigned long end = PHYS_PFN(min(range->end, as->end));
	bool block = mmu_notifier_range_blockable(range);
	unsigned long updates = gm_lpt_updates(&as->lpt);
	struct gm_lpt_run run;
	bool found;
	int ret;

	/* Nobody waits for this sequence number, but it must move. */
	mmu_interval_set_seq(mni, seq);
	found = gm_lpt_find(&as->lpt, start, end, &run);
	if (!found && range->event != MMU_NOTIFY_RELEASE)
		return true;

	if (block)
		down_write(&as->map_lock);
	else if (!down_write_trylock(&as->map_lock))
		return false;
	if (range->event == MMU_NOTIFY_RELEASE)
		WRITE_ONCE(as->dead, true);	/* debugfs shows it */
	/*
	 * What is installed by now was recorded before, and counted. What was cleared was
	 * so under our lock, or for a context that is dead.
	 */
	found &= gm_lpt_updates(&as->lpt) == updates;
	ret = gm_invalidate_locked(as, start, end, range, found ? &run : NULL,
				   block ? 0 : GM_UNMAP_NONBLOCK);
	up_write(&as->map_lock);

	gm_stat_add(&as->stats, GM_STAT_INVALIDATIONS, 1);
	trace_gm_invalidate(as, start << PAGE_SHIFT, end << PAGE_SHIFT,
			    range->event, block, ret);
	return !ret;
}

const struct mmu_interval_notifier_ops gm_notifier_ops = {
	.invalidate = gm_as_invalidate,
};

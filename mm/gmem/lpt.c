// SPDX-License-Identifier: GPL-2.0-only
/*
 * The logical page table: where the data of each page of an address space is,
 * and which contexts translate it.
 *
 * Vocabulary:
 *
 *	state	what is recorded of a page: struct gm_lpt_state. In here it is
 *		packed into 63 bits, and called bits.
 *	run	neighbouring pages of one state
 *	block	LPT_LEAF_PAGES pages, aligned
 *	leaf	the bits of every page of a block, one by one: struct lpt_leaf
 *	entry	what the maple tree holds for a range: either a value entry, the
 *		bits of a run, or a pointer to a leaf
 *	gap	a range without entry: all of its pages have the all-zero state
 *
 * A run costs some 16 to 32 bytes in a maple tree. That is next to nothing as
 * long as runs are long, and too much when they are not; so a block that has
 * fallen into more than LPT_SPLIT runs is given a leaf, of 8 bytes a page, and
 * goes back to runs when LPT_MERGE edges between them are left. In between
 * nothing happens, lest a block change to and fro.
 *
 * Invariants:
 *
 * - An exact update (lpt_update.c) leaves no value entry beside another of equal
 *   bits, and none of zero bits, where it changed something. So memory follows
 *   the number of runs, not of pages nor of updates: a range that is filled piece
 *   by piece with one state is one entry. Runs are not joined across the limits
 *   of a leaf. gm_lpt_modify_coarse() may break this, because it never allocates;
 *   the next exact update there mends it.
 * - A leaf is in the tree once, for all of its block or for the end of it; the
 *   latter is what remains when memory is short while it goes back to runs.
 * - No update fails because of a leaf. If there is no memory for one, the block
 *   stays in runs until a limit in it moves again; if there is none for the runs,
 *   it stays in the leaf.
 * - At any moment each page has either the state from before an update or the
 *   one after it, for lock-free readers too, and also after an update that
 *   failed half way.
 *
 * Locking: an update holds the tree's own spinlock, and nothing else is needed
 * to keep the table well formed. It is the innermost lock: under it nothing but
 * the allocator takes another, and memory is allocated blockingly only after
 * letting it go; what was looked up before is looked up again then. Long
 * updates let it go now and then, so an update of many runs is not atomic
 * towards another; callers whose updates must not interleave have a lock of
 * their own. Readers take the RCU read lock only. What they get was true
 * at some moment during the call, page by page; who needs it to stay true holds
 * the lock that updates are made under.
 *
 * Not supported: 32 bit machines (the bits must fit into a value entry), index
 * ULONG_MAX, updates from interrupts.
 */
#include <linux/kernel.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include "lpt_tree.h"

/* So many levels hold a few thousand entries. */
#define LPT_SMALL_HEIGHT	4

/**
 * gm_lpt_state_apply() - what a change makes of a state
 * @state:	the state before
 * @chg:	the change
 *
 * Return: the state after.
 */
struct gm_lpt_state gm_lpt_state_apply(struct gm_lpt_state state,
				       const struct gm_lpt_change *chg)
{
	struct lpt_masks masks = lpt_pack_change(chg);

	return lpt_unpack(lpt_apply(lpt_pack(state), &masks));
}

/**
 * gm_lpt_init() - make an empty table
 * @lpt:	memory for it
 *
 * Needs no memory of its own, and cannot fail.
 */
void gm_lpt_init(struct gm_lpt *lpt)
{
	/*
	 * Gaps are tracked for the sake of the nodes that come with it, which
	 * are those of every mm. In RCU mode the others do not survive a store
	 * that removes an inner node whose 16 slots are all in use:
	 * mt_clear_meta(), run by mt_destroy_walk() after mte_dead_leaves()
	 * took the type out of the last slot, mistakes that slot for metadata,
	 * and what mt_free_walk() frees is not a node. Seen with 7.2.
	 */
	mt_init_flags(&lpt->tree, MT_FLAGS_USE_RCU | MT_FLAGS_ALLOC_RANGE);
	lpt->nr_leaves = 0;
	lpt->has_zeroes = false;
	lpt->min = GM_LPT_END;
	lpt->max = 0;
	lpt->updates = 0;
}

/**
 * gm_lpt_destroy() - free a table
 * @lpt:	table; nobody else may use it any more
 *
 * The table is empty afterwards, and can be used again.
 */
void gm_lpt_destroy(struct gm_lpt *lpt)
{
	MA_STATE(mas, &lpt->tree, 0, 0);
	int budget = LPT_BATCH;
	struct lpt_leaf *leaf;
	void *entry;

	/* The maple tree would free a large one without a pause. */
	if (mt_height(&lpt->tree) > LPT_SMALL_HEIGHT)
		gm_lpt_erase(lpt, 0, GM_LPT_END, GFP_KERNEL, NULL);
	mtree_lock(&lpt->tree);
	if (lpt->nr_leaves) {
		mas_for_each(&mas, entry, ULONG_MAX) {
			leaf = lpt_entry_leaf(entry);
			if (leaf)
				lpt_leaf_free_rcu(leaf);
			if (--budget)
				continue;
			/* Nobody else uses the table any more. */
			budget = LPT_BATCH;
			mas_pause(&mas);
			mtree_unlock(&lpt->tree);
			cond_resched();
			mtree_lock(&lpt->tree);
		}
	}
	lpt->nr_leaves = 0;
	lpt->has_zeroes = false;
	__mt_destroy(&lpt->tree);
	lpt_set_bounds(lpt, GM_LPT_END, 0);
	lpt_count_update(lpt);
	mtree_unlock(&lpt->tree);
}

/*
 * Look up the entry of a page, with only the RCU read lock held.
 *
 * A store that moves the limit between two ranges does so in place. A walk
 * reads the limits more than once:
 *
 *	reader at page 12		writer: [0, 10) A -> [0, 15) A
 *
 *	first range ends at 9,
 *	so it is in the second
 *					first range ends at 14
 *	second range begins after 14
 *
 * and page 12 is in neither. So a walk is repeated if it did not end where it
 * was to go to. For the same reason readers do not use mas_find(), which goes on
 * from limits that it read before.
 */
static __always_inline void *lpt_walk(struct ma_state *mas,
				      unsigned long index)
{
	void *entry;

	do {
		mas_set(mas, index);
		entry = mas_walk(mas);
	} while (unlikely(mas->index > index || mas->last < index));
	return entry;
}

/* Find the first run in a range with some bit of @mask. */
static __always_inline bool lpt_find(struct gm_lpt *lpt, unsigned long start,
				     unsigned long end, u64 mask,
				     struct gm_lpt_run *run)
{
	MA_STATE(mas, &lpt->tree, start, start);
	struct lpt_span range, span;
	int budget = LPT_BATCH;
	struct lpt_leaf *leaf;
	bool found = false;
	void *entry;

	if (start >= end || end <= READ_ONCE(lpt->min) ||
	    start >= READ_ONCE(lpt->max))
		return false;

	rcu_read_lock();
	for (; start < end; start = range.end) {
		if (unlikely(!budget--)) {
			/* Each walk is one of its own; others want the CPU. */
			rcu_read_unlock();
			budget = LPT_BATCH;
			rcu_read_lock();
		}
		entry = lpt_walk(&mas, start);
		if (!entry && mas.last >= end - 1)
			break;
		range = lpt_range(&mas);
		leaf = lpt_entry_leaf(entry);
		if (leaf) {
			found = lpt_leaf_find(leaf, &range, start,
					      min(end, range.end), mask, &span);
		} else {
			span = range;
			span.bits = lpt_entry_bits(entry);
			found = span.bits & mask;
		}
		if (found)
			break;
	}
	rcu_read_unlock();
	if (!found)
		return false;

	run->start = span.start;
	run->end = span.end;
	run->state = lpt_unpack(span.bits);
	return true;
}

/**
 * gm_lpt_find() - find the first run in a range
 * @lpt:	table
 * @start:	first page index
 * @end:	end of the range
 * @run:	out: the whole run, which may begin before @start and end after
 *		@end; see gm_lpt_run_clip()
 *
 * A run ends where the table has a reason to: two neighbouring runs can have
 * the same state. To visit all runs::
 *
 *	for (index = start; gm_lpt_find(lpt, index, end, &run); index = run.end)
 *
 * Context: Any. Takes the RCU read lock.
 * Return: true if there is a page in the range whose state is not all zeros.
 */
bool gm_lpt_find(struct gm_lpt *lpt, unsigned long start, unsigned long end,
		 struct gm_lpt_run *run)
{
	return lpt_find(lpt, start, end, LPT_ALL_MASK, run);
}

/**
 * gm_lpt_find_mapped() - find the first run in a range that is translated
 * @lpt:	table
 * @start:	first page index
 * @end:	end of the range
 * @run:	out: as with gm_lpt_find()
 *
 * Context: Any. Takes the RCU read lock.
 * Return: true if some context may translate a page of the range.
 */
bool gm_lpt_find_mapped(struct gm_lpt *lpt, unsigned long start,
			unsigned long end, struct gm_lpt_run *run)
{
	return lpt_find(lpt, start, end, GM_LPT_CTX_MASK, run);
}

/* @within: change nothing if the run that holds @index is not inside; or NULL */
static bool lpt_modify_coarse(struct gm_lpt *lpt, unsigned long index,
			      const struct gm_lpt_run *within,
			      const struct gm_lpt_change *chg,
			      struct gm_lpt_run *run)
{
	MA_STATE(mas, &lpt->tree, index, index);
	struct lpt_masks masks = lpt_pack_change(chg);
	struct lpt_span range, found;
	struct lpt_leaf *leaf;
	u64 bits = 0;
	void *entry;

	mtree_lock(&lpt->tree);
	entry = mas_walk(&mas);
	if (mas.last == ULONG_MAX)	/* a gap */
		mas.last = GM_LPT_END - 1;
	range = lpt_range(&mas);
	leaf = lpt_entry_leaf(entry);
	if (leaf) {
		lpt_leaf_run(leaf, &range, index, &found);
	} else {
		found = range;
		found.bits = lpt_entry_bits(entry);
	}
	if (within && (found.start < within->start || found.end > within->end))
		found.bits = 0;
	if (found.bits) {
		bits = lpt_apply(found.bits, &masks);
		if (leaf)
			lpt_leaf_modify(leaf, &range, found.start, found.end,
					&masks);
		else
			lpt_store_in_place(&mas, bits);
		if (!bits && !leaf)
			lpt->has_zeroes = true;
		lpt_count_update(lpt);
	}
	mtree_unlock(&lpt->tree);

	run->start = found.start;
	run->end = found.end;
	run->state = lpt_unpack(bits);
	return found.bits;
}

/**
 * gm_lpt_modify_coarse() - change the state of a whole run, without memory
 * @lpt:	table
 * @index:	page index
 * @chg:	what to do; should only clear, and set %GM_LPT_INEXACT
 * @run:	out: the run and its new state, or the gap that @index is in
 *
 * For those who must record a change, have no memory to do it exactly, and can
 * do it to more pages than they have to. A run is stored already, so storing
 * something else for the same range cannot fail.
 *
 * Context: Process context; does not sleep. Takes the table's lock.
 * Return: true if the run was changed, false if nothing is recorded at @index.
 */
bool gm_lpt_modify_coarse(struct gm_lpt *lpt, unsigned long index,
			  const struct gm_lpt_change *chg,
			  struct gm_lpt_run *run)
{
	return lpt_modify_coarse(lpt, index, NULL, chg, run);
}

/**
 * gm_lpt_modify_within() - change the state of a run that was found, without memory
 * @lpt:	table
 * @run:	what gm_lpt_find() has returned; out, on success: what of it was
 *		changed, from its start on, and the new state
 * @chg:	what to do; should only clear, and set %GM_LPT_INEXACT
 *
 * As gm_lpt_modify_coarse(), for those who have done something about the run that
 * they found: an update of its neighbours can have joined them to it since.
 *
 * Context: Process context; does not sleep. Takes the table's lock.
 * Return: true if it was changed; false if it is not what it was, and has to be found
 * again.
 */
bool gm_lpt_modify_within(struct gm_lpt *lpt, struct gm_lpt_run *run,
			  const struct gm_lpt_change *chg)
{
	const struct gm_lpt_run within = *run;

	return lpt_modify_coarse(lpt, within.start, &within, chg, run);
}

/**
 * gm_lpt_metadata_bytes() - how much memory a table takes
 * @lpt:	table
 *
 * Leaves are counted, and so are the nodes of the tree that hold entries. The
 * nodes above those cannot be seen from here; they are assumed to be half full.
 *
 * Context: Any. Takes the RCU read lock.
 * Return: an estimate in bytes, without struct gm_lpt itself.
 */
size_t gm_lpt_metadata_bytes(struct gm_lpt *lpt)
{
	MA_STATE(mas, &lpt->tree, 0, 0);
	struct maple_enode *node = NULL;
	unsigned long nr = 0;
	unsigned long level;
	void *entry;

	rcu_read_lock();
	mas_for_each(&mas, entry, ULONG_MAX) {
		if (mas.node != node)
			nr++;
		node = mas.node;
	}
	rcu_read_unlock();

	for (level = nr; level > 1; nr += level)
		level = DIV_ROUND_UP(level, MAPLE_ARANGE64_SLOTS / 2);
	return nr * sizeof(struct maple_node) +
	       READ_ONCE(lpt->nr_leaves) * LPT_LEAF_BYTES;
}

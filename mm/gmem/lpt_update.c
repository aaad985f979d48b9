// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exact updates of the logical page table: of ranges, in runs and in leaves, and
 * the change from the one to the other. Vocabulary, invariants and locking are
 * those of lpt.c.
 */
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "lpt_tree.h"

/* Ranges in a block that are too many, and edges in a leaf that are too few. */
#define LPT_SPLIT		64
#define LPT_MERGE		16
/*
 * Failures to allocate in a row before an update that may block gives up; and before it
 * takes what it gets, charged or not.
 */
#define LPT_MAX_RETRIES		8
#define LPT_MAX_CHARGES		4
/*
 * A table can be made to grow by touching memory here and there and dropping it again,
 * so its memory is charged: leaves, and nodes as far as the maple tree allows it, which
 * takes those of a split from a sheaf that is charged to nobody (7.2). Under the lock
 * nobody is waited for.
 */
#define LPT_NODE_GFP		(GFP_NOWAIT | __GFP_ACCOUNT)
/* As much as one store takes. */
#define LPT_ROOM		2048

/*
 * An update under way.
 *
 * @mas:	holds the nodes that are allocated in advance, if any
 * @index:	first page that is not done yet
 * @end:	end of the range to update
 * @min:	first index of the node that held @index before the last store
 * @max:	last index of that node
 * @masks:	what to do
 * @gfp:	how to allocate
 * @budget:	ranges to look at before the lock must be let go
 * @retries:	failures to allocate in a row
 */
struct lpt_update {
	struct ma_state mas;
	unsigned long index;
	unsigned long end;
	unsigned long min;
	unsigned long max;
	struct lpt_masks masks;
	gfp_t gfp;
	int budget;
	int retries;
};

/* Include runs in front of @first that have the same bits. */
static unsigned long lpt_join_left(struct ma_state *mas, unsigned long first,
				   u64 bits)
{
	void *entry;

	lockdep_assert_held(&mas->tree->ma_lock);

	while (first) {
		mas_set(mas, first - 1);
		entry = mas_walk(mas);
		if (!xa_is_value(entry) || lpt_entry_bits(entry) != bits)
			break;
		first = mas->index;
	}
	return first;
}

/* Include runs behind @last that have the same bits. */
static unsigned long lpt_join_right(struct ma_state *mas, unsigned long last,
				    u64 bits)
{
	void *entry;

	lockdep_assert_held(&mas->tree->ma_lock);

	for (;;) {
		mas_set(mas, last + 1);
		entry = mas_walk(mas);
		if (!xa_is_value(entry) || lpt_entry_bits(entry) != bits)
			break;
		last = mas->last;
	}
	return last;
}

/**
 * gm_lpt_store() - store an entry for the range of a maple state
 * @mas:	maple state
 * @entry:	what to store
 *
 * Does not sleep. Tests replace it by one that fails.
 *
 * Return: 0; or nothing was changed: -EAGAIN when it may do once there is room,
 * -ENOMEM when not.
 */
VISIBLE_IF_KUNIT int gm_lpt_store(struct ma_state *mas, void *entry)
{
	KUNIT_STATIC_STUB_REDIRECT(gm_lpt_store, mas, entry);

	lockdep_assert_held(&mas->tree->ma_lock);

	if (mas_preallocate(mas, entry, LPT_NODE_GFP))
		return -EAGAIN;
	mas_store_prealloc(mas, entry);
	return 0;
}

static int lpt_store(struct lpt_update *up, void *entry)
{
	if (up->retries < LPT_MAX_CHARGES)
		return gm_lpt_store(&up->mas, entry);
	mas_store(&up->mas, entry);
	return mas_is_err(&up->mas) ? -EAGAIN : 0;
}

/*
 * Store @bits for pages that all have them after the update, together with
 * neighbours that have them already. @at_start, @at_end: whether there can be
 * such neighbours. The tree joins gaps by itself.
 *
 * Return: as gm_lpt_store().
 */
static int lpt_store_run(struct gm_lpt *lpt, struct lpt_update *up,
			 struct lpt_span *run, bool at_start, bool at_end)
{
	bool joins = run->bits || lpt->has_zeroes;
	struct ma_state *mas = &up->mas;
	unsigned long first = run->start;
	unsigned long last = run->end - 1;
	int ret;

	lockdep_assert_held(&mas->tree->ma_lock);

	if (at_end && joins)
		last = lpt_join_right(mas, last, run->bits);
	if (at_start && joins)
		first = lpt_join_left(mas, first, run->bits);
	mas_set_range(mas, first, last);
	ret = lpt_store(up, lpt_mk_entry(run->bits));
	if (ret)
		return ret;
	run->start = first;
	run->end = last + 1;
	return 0;
}

/*
 * Go back from a leaf to runs. @range is that of the leaf. One run after the
 * other replaces a piece of the leaf, so that readers find every page in one
 * or the other, and can stop for lack of memory.
 */
static void lpt_merge_leaf(struct gm_lpt *lpt, struct lpt_update *up,
			   struct lpt_leaf *leaf, const struct lpt_span *range)
{
	struct lpt_span rest = *range;
	struct lpt_span run;
	unsigned long end;

	lockdep_assert_held(&lpt->tree.ma_lock);

	while (rest.start < rest.end) {
		lpt_leaf_run(leaf, &rest, rest.start, &run);
		end = run.end;
		if (lpt_store_run(lpt, up, &run, rest.start == range->start,
				  end == range->end)) {
			lpt_leaf_count_edges(leaf, rest.start, rest.end);
			return;
		}
		rest.start = end;
		up->budget -= 2;
	}
	WRITE_ONCE(lpt->nr_leaves, lpt->nr_leaves - 1);
	lpt_leaf_free_rcu(leaf);
}

/* Whether the block that begins at @start has fallen into too many runs. */
static bool lpt_is_fragmented(struct lpt_update *up, unsigned long start)
{
	struct ma_state *mas = &up->mas;
	unsigned long last = start + LPT_LEAF_PAGES - 1;
	unsigned int nr = 1;

	lockdep_assert_held(&mas->tree->ma_lock);

	mas_set(mas, start);
	mas_walk(mas);
	while (mas->last < last && nr <= LPT_SPLIT) {
		mas_next_range(mas, ULONG_MAX);
		nr++;
	}
	up->budget -= nr;
	return nr > LPT_SPLIT;
}

/*
 * Fill a new leaf with what the tree has for the block that begins at @start.
 *
 * Return: a leaf for the end of the block that is there already, or NULL.
 */
static struct lpt_leaf *lpt_fill_leaf(struct ma_state *mas,
				      struct lpt_leaf *leaf,
				      unsigned long start)
{
	unsigned long end = start + LPT_LEAF_PAGES;
	struct lpt_leaf *old = NULL;
	struct lpt_span span;
	void *entry;

	lockdep_assert_held(&mas->tree->ma_lock);

	mas_set(mas, start);
	entry = mas_walk(mas);
	for (;;) {
		span.start = max(mas->index, start);
		span.end = min(mas->last, end - 1) + 1;
		if (entry && !xa_is_value(entry)) {
			old = entry;
			lpt_leaf_copy(leaf, old, span.start, span.end);
		} else {
			span.bits = lpt_entry_bits(entry);
			lpt_leaf_fill(leaf, &span);
		}
		if (span.end == end)
			break;
		entry = mas_next_range(mas, ULONG_MAX);
	}
	lpt_leaf_count_edges(leaf, start, end);
	return old;
}

/* Whether the block that begins at @start was in one node before the update. */
static bool lpt_is_in_node(const struct lpt_update *up, unsigned long start)
{
	return start >= up->min && start + LPT_LEAF_PAGES - 1 <= up->max;
}

/* Give the block of @index a leaf if it needs one, and there is memory. */
static void lpt_split_block(struct gm_lpt *lpt, struct lpt_update *up,
			    unsigned long index)
{
	unsigned long start = index & ~LPT_LEAF_MASK;
	struct ma_state *mas = &up->mas;
	struct lpt_leaf *leaf, *old;

	lockdep_assert_held(&lpt->tree.ma_lock);

	/* What a node holds, and the two edges of a run, are never too many. */
	BUILD_BUG_ON(MAPLE_RANGE64_SLOTS + 2 > LPT_SPLIT);
	if (lpt_is_in_node(up, start))
		return;
	if (start > GM_LPT_END - LPT_LEAF_PAGES ||
	    !lpt_is_fragmented(up, start))
		return;
	leaf = lpt_leaf_alloc(LPT_NODE_GFP);
	if (!leaf)
		return;

	old = lpt_fill_leaf(mas, leaf, start);
	mas_set_range(mas, start, start + LPT_LEAF_PAGES - 1);
	if (lpt_store(up, leaf)) {
		lpt_leaf_free(leaf);
		return;
	}
	if (old)
		lpt_leaf_free_rcu(old);
	else
		WRITE_ONCE(lpt->nr_leaves, lpt->nr_leaves + 1);
	up->budget -= LPT_SPLIT;
}

/* Only the limits of a run make a block more fragmented than it was. */
static void lpt_split_blocks(struct gm_lpt *lpt, struct lpt_update *up,
			     const struct lpt_span *run)
{
	bool first = run->start & LPT_LEAF_MASK;
	bool second = run->end & LPT_LEAF_MASK;

	if (first)
		lpt_split_block(lpt, up, run->start);
	if (second && !(first && run->start >> LPT_LEAF_SHIFT ==
				 run->end >> LPT_LEAF_SHIFT))
		lpt_split_block(lpt, up, run->end);
}

/* Update as many pages from @up->index on as are in one leaf. */
static void lpt_update_leaf(struct gm_lpt *lpt, struct lpt_update *up,
			    struct lpt_leaf *leaf)
{
	struct lpt_span range = lpt_range(&up->mas);
	unsigned long end = min(range.end, up->end);

	lpt_leaf_modify(leaf, &range, up->index, end, &up->masks);
	up->budget -= LPT_SPLIT;
	if (leaf->edges <= LPT_MERGE)
		lpt_merge_leaf(lpt, up, leaf, &range);
	up->index = end;
}

/*
 * Include what the update makes the same of behind @run: it ends with the range
 * that @up->mas is at, or inside of it with the update.
 *
 * Return: whether a range ends there, and the next may have to be joined.
 */
static bool lpt_extend(struct lpt_update *up, struct lpt_span *run)
{
	struct ma_state *mas = &up->mas;
	void *entry;
	u64 old;

	while (run->end < up->end) {
		/* The step after the pause joins what follows. */
		if (--up->budget < 0)
			return true;
		entry = mas_next_range(mas, ULONG_MAX);
		if (entry && !xa_is_value(entry))
			return false;
		old = lpt_entry_bits(entry);
		if (lpt_apply(old, &up->masks) != run->bits)
			return false;
		if (entry && old == run->bits)
			run->end = mas->last + 1;
		else
			run->end = min(mas->last, up->end - 1) + 1;
	}
	return run->end - 1 == mas->last;
}

/*
 * Change the bits of an entry as a whole, if it is a value and stays one, and the update
 * ends with it. Nothing but its neighbours need be looked at.
 *
 * Return: false if that is not so, or it has to be joined to one of them.
 */
static bool lpt_update_whole(struct lpt_update *up, const void *entry,
			     const struct lpt_span *run)
{
	struct ma_state *mas = &up->mas;
	unsigned long first = mas->index, last = mas->last;

	lockdep_assert_held(&mas->tree->ma_lock);

	if (!entry || !run->bits || run->start != first ||
	    run->end - 1 != last || run->end != up->end)
		return false;
	if (lpt_join_right(mas, last, run->bits) != last ||
	    lpt_join_left(mas, first, run->bits) != first) {
		mas_set(mas, first);
		mas_walk(mas);
		return false;
	}
	mas_set_range(mas, first, last);
	lpt_store_in_place(mas, run->bits);
	return true;
}

/*
 * Update the pages from @up->index to the end of the run that they are in
 * after the update.
 *
 * Return: as gm_lpt_store().
 */
static int lpt_update_run(struct gm_lpt *lpt, struct lpt_update *up)
{
	struct ma_state *mas = &up->mas;
	bool at_start, at_end;
	struct lpt_span run;
	unsigned long end;
	void *entry;
	int ret;

	lockdep_assert_held(&lpt->tree.ma_lock);

	up->budget--;
	mas_set(mas, up->index);
	entry = mas_walk(mas);
	if (entry && !xa_is_value(entry)) {
		lpt_update_leaf(lpt, up, entry);
		return 0;
	}
	run.start = up->index;
	run.end = min(mas->last, up->end - 1) + 1;
	run.bits = lpt_apply(lpt_entry_bits(entry), &up->masks);
	if (entry == lpt_mk_entry(run.bits) ||
	    lpt_update_whole(up, entry, &run)) {
		up->index = run.end;
		return 0;
	}
	up->min = mas->min;
	up->max = mas->max;
	at_start = run.start == mas->index;
	at_end = lpt_extend(up, &run);
	end = run.end;
	ret = lpt_store_run(lpt, up, &run, at_start, at_end);
	if (ret)
		return ret;
	lpt_split_blocks(lpt, up, &run);
	up->index = min(end, up->end);
	return 0;
}

/* An update that may record something: to be called when the lock was taken. */
static void lpt_grow_bounds(struct gm_lpt *lpt, const struct lpt_update *up)
{
	if (up->masks.set && up->index < up->end)
		lpt_set_bounds(lpt, min(lpt->min, up->index),
			       max(lpt->max, up->end));
}

/* Let others take the lock when an update takes long. */
static void lpt_relax(struct gm_lpt *lpt, struct lpt_update *up)
{
	if (up->budget > 0)
		return;

	lpt_count_update(lpt);
	mtree_unlock(&lpt->tree);
	if (gfpflags_allow_blocking(up->gfp))
		cond_resched();
	mtree_lock(&lpt->tree);
	lpt_grow_bounds(lpt, up);
	up->budget = LPT_BATCH;
}

/*
 * Waits for memory outside the lock, if that is allowed: first for the memory cgroup to
 * have room. The system may have none even so: then for nodes.
 *
 * Return: false if there is none.
 */
static bool lpt_make_room(struct gm_lpt *lpt, struct lpt_update *up)
{
	void *room;

	if (!gfpflags_allow_blocking(up->gfp) ||
	    up->retries++ >= LPT_MAX_RETRIES)
		return false;
	lpt_count_update(lpt);
	if (up->retries <= LPT_MAX_CHARGES) {
		mtree_unlock(&lpt->tree);
		room = kmalloc(LPT_ROOM,
			       up->gfp | __GFP_ACCOUNT | __GFP_NOWARN);
		kfree(room);
		mtree_lock(&lpt->tree);
		if (!room)
			return false;
	} else if (!mas_nomem(&up->mas, up->gfp)) {
		return false;
	}
	lpt_grow_bounds(lpt, up);
	up->budget = LPT_BATCH;
	return true;
}

static int lpt_update(struct gm_lpt *lpt, struct lpt_update *up)
{
	int ret = 0;

	might_sleep_if(gfpflags_allow_blocking(up->gfp));

	mtree_lock(&lpt->tree);
	lpt_grow_bounds(lpt, up);
	while (up->index < up->end) {
		ret = lpt_update_run(lpt, up);
		if (!ret) {
			up->retries = 0;
			lpt_relax(lpt, up);
			continue;
		}
		if (ret != -EAGAIN || !lpt_make_room(lpt, up))
			break;
	}
	if (mtree_empty(&lpt->tree)) {
		lpt_set_bounds(lpt, GM_LPT_END, 0);
		lpt->has_zeroes = false;
	}
	lpt_count_update(lpt);
	mtree_unlock(&lpt->tree);
	mas_destroy(&up->mas);
	return ret == -EAGAIN ? -ENOMEM : ret;
}

static int lpt_change(struct gm_lpt *lpt, unsigned long start,
		      unsigned long end, const struct lpt_masks *masks,
		      gfp_t gfp, unsigned long *done)
{
	struct lpt_update up = {
		.index = start,
		.end = end,
		.masks = *masks,
		.gfp = gfp,
		.budget = LPT_BATCH,
	};
	int ret;

	mas_init(&up.mas, &lpt->tree, start);
	ret = lpt_update(lpt, &up);
	if (done)
		*done = up.index;
	return ret;
}

/**
 * gm_lpt_modify() - change the state of every page in a range
 * @lpt:	table
 * @start:	first page index
 * @end:	end of the range
 * @chg:	what to do to the state of each page
 * @gfp:	how to allocate; if it allows to block, memory is allocated
 *		outside the table's lock
 * @done:	out, optional: end of what was changed, which is @end on success
 *
 * On failure the pages in [@start, @done) have their new state and the others
 * are as they were. Calling it again for the rest, or for everything, is fine.
 *
 * Context: Process context; may sleep if @gfp allows it. Takes the table's
 *	lock.
 * Return: 0, or -ENOMEM.
 */
int gm_lpt_modify(struct gm_lpt *lpt, unsigned long start, unsigned long end,
		  const struct gm_lpt_change *chg, gfp_t gfp,
		  unsigned long *done)
{
	struct lpt_masks masks = lpt_pack_change(chg);

	return lpt_change(lpt, start, end, &masks, gfp, done);
}

/**
 * gm_lpt_erase() - forget a range
 * @lpt:	table
 * @start:	first page index
 * @end:	end of the range
 * @gfp:	how to allocate: what stays of a run can need an entry of its own
 * @done:	out, optional: end of what was erased
 *
 * Context and failure are those of gm_lpt_modify().
 *
 * Return: 0, or -ENOMEM.
 */
int gm_lpt_erase(struct gm_lpt *lpt, unsigned long start, unsigned long end,
		 gfp_t gfp, unsigned long *done)
{
	const struct lpt_masks masks = { .clear = LPT_ALL_MASK };

	return lpt_change(lpt, start, end, &masks, gfp, done);
}

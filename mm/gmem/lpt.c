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
 * - An exact update leaves no value entry beside another of equal bits, and
 *   none of zero bits, where it changed something. So memory follows the number
 *   of runs, not of pages nor of updates: a range that is filled piece by piece
 *   with one state is one entry. Runs are not joined across the limits of a
 *   leaf. gm_lpt_modify_coarse() may break this, because it never allocates;
 *   the next exact update there mends it.
 * - A leaf is in the tree once, for all of its block or for the end of it; the
 *   latter is what remains when memory is short while it goes back to runs.
 * - No update fails because of a leaf. If there is no memory for one, the block
 *   stays in runs; if there is none for the runs, it stays in the leaf.
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
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/maple_tree.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "lpt.h"
#include "lpt_bits.h"
#include "lpt_leaf.h"

/* Ranges to look at before others get a chance to take the lock. */
#define LPT_BATCH		1024
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
/* So many levels hold a few thousand entries. */
#define LPT_SMALL_HEIGHT	4

/*
 * An update under way.
 *
 * @mas:	holds the nodes that are allocated in advance, if any
 * @index:	first page that is not done yet
 * @end:	end of the range to update
 * @masks:	what to do
 * @gfp:	how to allocate
 * @budget:	ranges to look at before the lock must be let go
 * @retries:	failures to allocate in a row
 */
struct lpt_update {
	struct ma_state mas;
	unsigned long index;
	unsigned long end;
	struct lpt_masks masks;
	gfp_t gfp;
	int budget;
	int retries;
};

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
	lpt->min = GM_LPT_END;
	lpt->max = 0;
}

/*
 * Set limits that spare most lookups in vain a walk. Readers that still see the
 * old ones come before the update.
 */
static void lpt_set_bounds(struct gm_lpt *lpt, unsigned long min,
			   unsigned long max)
{
	lockdep_assert_held(&lpt->tree.ma_lock);

	if (min != lpt->min)
		WRITE_ONCE(lpt->min, min);
	if (max != lpt->max)
		WRITE_ONCE(lpt->max, max);
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
	__mt_destroy(&lpt->tree);
	lpt_set_bounds(lpt, GM_LPT_END, 0);
	mtree_unlock(&lpt->tree);
}

/* The range of the entry that @mas is at. */
static struct lpt_span lpt_range(const struct ma_state *mas)
{
	return (struct lpt_span){ .start = mas->index, .end = mas->last + 1 };
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
 * such neighbours.
 *
 * Return: as gm_lpt_store().
 */
static int lpt_store_run(struct lpt_update *up, struct lpt_span *run,
			 bool at_start, bool at_end)
{
	struct ma_state *mas = &up->mas;
	unsigned long first = run->start;
	unsigned long last = run->end - 1;
	int ret;

	lockdep_assert_held(&mas->tree->ma_lock);

	if (at_end)
		last = lpt_join_right(mas, last, run->bits);
	if (at_start)
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
		if (lpt_store_run(up, &run, rest.start == range->start,
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

/* Give the block of @index a leaf if it needs one, and there is memory. */
static void lpt_split_block(struct gm_lpt *lpt, struct lpt_update *up,
			    unsigned long index)
{
	unsigned long start = index & ~LPT_LEAF_MASK;
	struct ma_state *mas = &up->mas;
	struct lpt_leaf *leaf, *old;

	lockdep_assert_held(&lpt->tree.ma_lock);

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
		/* What is left out for now is joined by the next step. */
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
	void *entry, *new;
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
	end = run.end;
	new = lpt_mk_entry(run.bits);
	if (new != entry) {
		at_start = run.start == mas->index;
		at_end = lpt_extend(up, &run);
		end = run.end;
		ret = lpt_store_run(up, &run, at_start, at_end);
		if (ret)
			return ret;
		lpt_split_blocks(lpt, up, &run);
	}
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
	if (mtree_empty(&lpt->tree))
		lpt_set_bounds(lpt, GM_LPT_END, 0);
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

/*
 * An entry in place of another of the same range is a store into its slot,
 * which needs no node (wr_exact_fit), with concurrent readers neither. NULL
 * would be another matter: gaps are joined. So zero bits are a value here.
 */
static void lpt_store_in_place(struct ma_state *mas, u64 bits)
{
	lockdep_assert_held(&mas->tree->ma_lock);

	mas_store(mas, xa_mk_value(bits));
	WARN_ON_ONCE(mas_is_err(mas));
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

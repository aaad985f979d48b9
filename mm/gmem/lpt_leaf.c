// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leaves of the logical page table.
 *
 * A leaf is written under the lock of the table that it is in, and read under
 * that or the RCU read lock. Each packed state is a word that is read and
 * written at once; nothing in a leaf relates two of them, so readers need no
 * order among them. @edges is for the writer only.
 *
 * Nothing here fails but the allocation.
 */
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/slab.h>

#include "lpt_leaf.h"

static_assert(sizeof(struct lpt_leaf) <= 32);

/**
 * lpt_leaf_alloc() - allocate a leaf
 * @gfp:	how
 *
 * Return: a leaf with undefined content, or NULL.
 */
struct lpt_leaf *lpt_leaf_alloc(gfp_t gfp)
{
	struct lpt_leaf *leaf = kmalloc_obj(*leaf, gfp);

	if (!leaf)
		return NULL;
	leaf->page = kmalloc_objs(leaf->page[0], LPT_LEAF_PAGES, gfp);
	if (!leaf->page) {
		kfree(leaf);
		return NULL;
	}
	leaf->edges = 0;
	return leaf;
}

/**
 * lpt_leaf_free() - free a leaf that no reader can see
 * @leaf:	leaf
 */
void lpt_leaf_free(struct lpt_leaf *leaf)
{
	kfree(leaf->page);
	kfree(leaf);
}

static void lpt_leaf_rcu(struct rcu_head *rcu)
{
	lpt_leaf_free(container_of(rcu, struct lpt_leaf, rcu));
}

/**
 * lpt_leaf_free_rcu() - free a leaf when all readers are gone
 * @leaf:	leaf
 */
void lpt_leaf_free_rcu(struct lpt_leaf *leaf)
{
	call_rcu(&leaf->rcu, lpt_leaf_rcu);
}

static u64 lpt_leaf_get(const struct lpt_leaf *leaf, unsigned long index)
{
	return READ_ONCE(leaf->page[index & LPT_LEAF_MASK]);
}

static void lpt_leaf_set(struct lpt_leaf *leaf, unsigned long index, u64 bits)
{
	WRITE_ONCE(leaf->page[index & LPT_LEAF_MASK], bits);
}

/* How many pages in [start, end) differ from the page before. */
static unsigned int lpt_leaf_edges(const struct lpt_leaf *leaf,
				   unsigned long start, unsigned long end)
{
	unsigned int nr = 0;
	unsigned long i;

	for (i = start; i < end; i++)
		nr += lpt_leaf_get(leaf, i) != lpt_leaf_get(leaf, i - 1);
	return nr;
}

/**
 * lpt_leaf_fill() - set all pages of a range to one state
 * @leaf:	leaf that is not in a table yet
 * @span:	range and state
 */
void lpt_leaf_fill(struct lpt_leaf *leaf, const struct lpt_span *span)
{
	unsigned long i;

	for (i = span->start; i < span->end; i++)
		lpt_leaf_set(leaf, i, span->bits);
}

/**
 * lpt_leaf_copy() - take over the pages of another leaf of the same block
 * @leaf:	leaf that is not in a table yet
 * @from:	leaf to copy from
 * @start:	first page index
 * @end:	end of the range
 */
void lpt_leaf_copy(struct lpt_leaf *leaf, const struct lpt_leaf *from,
		   unsigned long start, unsigned long end)
{
	unsigned long i;

	for (i = start; i < end; i++)
		lpt_leaf_set(leaf, i, lpt_leaf_get(from, i));
}

/**
 * lpt_leaf_count_edges() - count what has been filled in
 * @leaf:	leaf
 * @start:	first page index of the range it is responsible for
 * @end:	end of that range
 */
void lpt_leaf_count_edges(struct lpt_leaf *leaf, unsigned long start,
			  unsigned long end)
{
	leaf->edges = lpt_leaf_edges(leaf, start + 1, end);
}

/**
 * lpt_leaf_modify() - change the state of pages
 * @leaf:	leaf
 * @range:	range that it is responsible for
 * @start:	first page index, in @range
 * @end:	end, in @range
 * @masks:	what to do
 */
void lpt_leaf_modify(struct lpt_leaf *leaf, const struct lpt_span *range,
		     unsigned long start, unsigned long end,
		     const struct lpt_masks *masks)
{
	/* The pages that may begin or cease to differ from the one before. */
	unsigned long first = max(start, range->start + 1);
	unsigned long last = min(end + 1, range->end);
	unsigned long i;

	leaf->edges -= lpt_leaf_edges(leaf, first, last);
	for (i = start; i < end; i++)
		lpt_leaf_set(leaf, i, lpt_apply(lpt_leaf_get(leaf, i), masks));
	leaf->edges += lpt_leaf_edges(leaf, first, last);
}

/**
 * lpt_leaf_run() - the run that a page is in
 * @leaf:	leaf
 * @range:	range that it is responsible for
 * @index:	page index, in @range
 * @run:	out: the run, not beyond @range
 */
void lpt_leaf_run(const struct lpt_leaf *leaf, const struct lpt_span *range,
		  unsigned long index, struct lpt_span *run)
{
	run->bits = lpt_leaf_get(leaf, index);
	run->start = index;
	while (run->start > range->start &&
	       lpt_leaf_get(leaf, run->start - 1) == run->bits)
		run->start--;
	run->end = index + 1;
	while (run->end < range->end &&
	       lpt_leaf_get(leaf, run->end) == run->bits)
		run->end++;
}

/**
 * lpt_leaf_find() - find the first run with some of the bits wanted
 * @leaf:	leaf
 * @range:	range that it is responsible for
 * @start:	first page index, in @range
 * @end:	end, in @range
 * @mask:	bits of which one must be set
 * @run:	out: the run, not beyond @range
 *
 * Return: true if there is one.
 */
bool lpt_leaf_find(const struct lpt_leaf *leaf, const struct lpt_span *range,
		   unsigned long start, unsigned long end, u64 mask,
		   struct lpt_span *run)
{
	unsigned long i;

	for (i = start; i < end; i++) {
		if (!(lpt_leaf_get(leaf, i) & mask))
			continue;
		lpt_leaf_run(leaf, range, i, run);
		/* A writer may have been faster. */
		if (run->bits & mask)
			return true;
	}
	return false;
}

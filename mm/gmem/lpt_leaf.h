/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Leaves of the logical page table: one packed state for every page of a block,
 * for blocks that are too fragmented to be described by runs. Private to the
 * table.
 */
#ifndef _MM_GMEM_LPT_LEAF_H
#define _MM_GMEM_LPT_LEAF_H

#include <linux/bits.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "lpt_bits.h"

#define LPT_LEAF_SHIFT		9
#define LPT_LEAF_PAGES		BIT(LPT_LEAF_SHIFT)
#define LPT_LEAF_MASK		(LPT_LEAF_PAGES - 1)

/* A range of page indexes, and packed states of its pages. */
struct lpt_span {
	unsigned long start;
	unsigned long end;
	u64 bits;
};

/**
 * struct lpt_leaf - the states of a block of LPT_LEAF_PAGES pages
 * @rcu:	to free it
 * @page:	packed states; an allocation of its own, which then fills a page
 * @edges:	how many pages in the leaf's range differ from the page before
 *
 * The page of an index is found by the low bits of the index. The leaf may be
 * responsible for a part of its block only: who calls knows the range, and
 * passes it.
 */
struct lpt_leaf {
	struct rcu_head rcu;
	u64 *page;
	unsigned int edges;
};

/* The bits of a value entry or gap. */
static inline u64 lpt_entry_bits(void *entry)
{
	return entry ? xa_to_value(entry) : 0;
}

/* Return: the leaf that an entry points to, or NULL. */
static inline struct lpt_leaf *lpt_entry_leaf(void *entry)
{
	return xa_is_value(entry) ? NULL : entry;
}

static inline void *lpt_mk_entry(u64 bits)
{
	return bits ? xa_mk_value(bits) : NULL;
}

/* What the slab allocator makes of the two allocations. */
#define LPT_LEAF_BYTES		(LPT_LEAF_PAGES * sizeof(u64) + 32)

struct lpt_leaf *lpt_leaf_alloc(gfp_t gfp);
void lpt_leaf_free(struct lpt_leaf *leaf);
void lpt_leaf_free_rcu(struct lpt_leaf *leaf);
void lpt_leaf_fill(struct lpt_leaf *leaf, const struct lpt_span *span);
void lpt_leaf_copy(struct lpt_leaf *leaf, const struct lpt_leaf *from,
		   unsigned long start, unsigned long end);
void lpt_leaf_count_edges(struct lpt_leaf *leaf, unsigned long start,
			  unsigned long end);
void lpt_leaf_modify(struct lpt_leaf *leaf, const struct lpt_span *range,
		     unsigned long start, unsigned long end,
		     const struct lpt_masks *masks);
void lpt_leaf_run(const struct lpt_leaf *leaf, const struct lpt_span *range,
		  unsigned long index, struct lpt_span *run);
bool lpt_leaf_find(const struct lpt_leaf *leaf, const struct lpt_span *range,
		   unsigned long start, unsigned long end, u64 mask,
		   struct lpt_span *run);

#endif /* _MM_GMEM_LPT_LEAF_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What lookups and updates of the tree of a logical page table have in common.
 * Private to it.
 */
#ifndef _MM_GMEM_LPT_TREE_H
#define _MM_GMEM_LPT_TREE_H

#include <linux/bug.h>
#include <linux/lockdep.h>
#include <linux/maple_tree.h>

#include "lpt.h"
#include "lpt_bits.h"
#include "lpt_leaf.h"

/* Ranges to look at before others get a chance to take the lock. */
#define LPT_BATCH		1024

/*
 * Set limits that spare most lookups in vain a walk. Readers that still see the
 * old ones come before the update.
 */
static inline void lpt_set_bounds(struct gm_lpt *lpt, unsigned long min,
				  unsigned long max)
{
	lockdep_assert_held(&lpt->tree.ma_lock);

	if (min != lpt->min)
		WRITE_ONCE(lpt->min, min);
	if (max != lpt->max)
		WRITE_ONCE(lpt->max, max);
}

/* The lock is about to be let go: what was stored is there for who sees the new number. */
static inline void lpt_count_update(struct gm_lpt *lpt)
{
	lockdep_assert_held(&lpt->tree.ma_lock);

	/* Pairs with gm_lpt_updates(). */
	smp_store_release(&lpt->updates, lpt->updates + 1);
}

/* The range of the entry that @mas is at. */
static inline struct lpt_span lpt_range(const struct ma_state *mas)
{
	return (struct lpt_span){ .start = mas->index, .end = mas->last + 1 };
}

/*
 * An entry in place of another of the same range is a store into its slot,
 * which needs no node (wr_exact_fit), with concurrent readers neither. NULL
 * would be another matter: gaps are joined. So zero bits are a value here.
 */
static inline void lpt_store_in_place(struct ma_state *mas, u64 bits)
{
	lockdep_assert_held(&mas->tree->ma_lock);

	mas_store(mas, xa_mk_value(bits));
	WARN_ON_ONCE(mas_is_err(mas));
}

#endif /* _MM_GMEM_LPT_TREE_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of a page, packed into the 63 bits of a value entry, and what can
 * be done to it. Private to the logical page table.
 */
#ifndef _MM_GMEM_LPT_BITS_H
#define _MM_GMEM_LPT_BITS_H

#include <linux/bits.h>
#include <linux/bug.h>
#include <linux/build_bug.h>
#include <linux/types.h>

#include "lpt.h"

/* How a state is packed: the set of contexts lowest, then residency, flags. */
#define LPT_RES_SHIFT		GM_LPT_MAX_CTX
#define LPT_RES_MASK		((u64)U16_MAX << LPT_RES_SHIFT)
#define LPT_FLAGS_SHIFT		(LPT_RES_SHIFT + 16)
#define LPT_WRITABLE		((u64)GM_LPT_WRITABLE << LPT_FLAGS_SHIFT)
#define LPT_ALL_MASK		GENMASK_ULL(62, 0)

static_assert(BITS_PER_LONG == 64);
static_assert(LPT_FLAGS_SHIFT + 7 == 63);
static_assert(((u64)GM_LPT_FLAGS_MASK << LPT_FLAGS_SHIFT | LPT_RES_MASK |
	       GM_LPT_CTX_MASK) == LPT_ALL_MASK);

/* A change of packed states that have nothing of @keep: clear first, then set. */
struct lpt_masks {
	u64 keep;
	u64 clear;
	u64 set;
};

static inline u64 lpt_pack(struct gm_lpt_state state)
{
	return state.mapped | (u64)state.res << LPT_RES_SHIFT |
	       (u64)state.flags << LPT_FLAGS_SHIFT;
}

static inline struct gm_lpt_state lpt_unpack(u64 bits)
{
	return (struct gm_lpt_state){
		.mapped = bits & GM_LPT_CTX_MASK,
		.res = (bits & LPT_RES_MASK) >> LPT_RES_SHIFT,
		.flags = bits >> LPT_FLAGS_SHIFT,
	};
}

static inline struct lpt_masks lpt_pack_change(const struct gm_lpt_change *chg)
{
	struct lpt_masks masks = {
		.keep = chg->unless_mapped ? GM_LPT_CTX_MASK : 0,
		.clear = lpt_pack((struct gm_lpt_state){
			.mapped = chg->map_clear,
			.res = chg->set_res ? U16_MAX : 0,
			.flags = chg->flags_clear,
		}),
		.set = lpt_pack((struct gm_lpt_state){
			.mapped = chg->map_set,
			.res = chg->set_res ? chg->res : 0,
			.flags = chg->flags_set,
		}),
	};

	WARN_ON_ONCE((chg->map_clear | chg->map_set) & ~GM_LPT_CTX_MASK);
	WARN_ON_ONCE((chg->flags_clear | chg->flags_set) & ~GM_LPT_FLAGS_MASK);
	masks.clear &= LPT_ALL_MASK;
	masks.set &= LPT_ALL_MASK;
	return masks;
}

static inline u64 lpt_apply(u64 bits, const struct lpt_masks *masks)
{
	if (bits & masks->keep)
		return bits;
	bits = (bits & ~masks->clear) | masks->set;
	if (!(bits & GM_LPT_CTX_MASK))
		bits &= ~LPT_WRITABLE;
	return bits;
}

#endif /* _MM_GMEM_LPT_BITS_H */

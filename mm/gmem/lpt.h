/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The logical page table: where the data of each page is, and who translates
 * it. lpt.c explains how it works; this header knows no mm types, and compiles
 * in userspace.
 *
 * Everything here counts in page indexes. A range is [@start, @end): @end is
 * exclusive, and may be at most %GM_LPT_END.
 */
#ifndef _MM_GMEM_LPT_H
#define _MM_GMEM_LPT_H

#include <linux/bits.h>
#include <linux/bug.h>
#include <linux/gfp.h>
#include <linux/limits.h>
#include <linux/maple_tree.h>
#include <linux/minmax.h>
#include <linux/types.h>

#include <asm/barrier.h>

/* Context ids are 0 to GM_LPT_MAX_CTX - 1. */
#define GM_LPT_MAX_CTX		40
#define GM_LPT_CTX_MASK		GENMASK_ULL(GM_LPT_MAX_CTX - 1, 0)

/* The end of the largest range: page indexes are below this. */
#define GM_LPT_END		ULONG_MAX

/* Residency: where the current data of a page is. */
#define GM_LPT_NONE		0	/* unknown, or no data yet */
#define GM_LPT_HOST		1	/* host memory, on any NUMA node */
#define GM_LPT_HNODE(n)		((n) + 2)
#define GM_LPT_MAX_HNODE	(U16_MAX - 2)

/* Some context may hold a translation that allows writing. */
#define GM_LPT_WRITABLE		BIT(0)
/* An upper bound: fewer may translate it, and the data may be elsewhere. */
#define GM_LPT_INEXACT		BIT(1)
#define GM_LPT_PINNED		BIT(2)
#define GM_LPT_DISCARDED	BIT(3)
#define GM_LPT_READ_MOSTLY	BIT(4)
#define GM_LPT_PREFERRED	BIT(5)
#define GM_LPT_FLAGS_MASK	GENMASK(6, 0)

/**
 * struct gm_lpt_state - what is recorded of one page
 * @mapped:	set of context ids that may translate it
 * @res:	%GM_LPT_NONE, %GM_LPT_HOST or GM_LPT_HNODE()
 * @flags:	GM_LPT_WRITABLE and the other flags
 *
 * The state in which everything is zero is that of every page that was never
 * recorded. It takes no memory.
 *
 * %GM_LPT_WRITABLE says something of the contexts in @mapped: it vanishes with
 * the last of them.
 */
struct gm_lpt_state {
	u64 mapped;
	u16 res;
	u8 flags;
};

/**
 * struct gm_lpt_run - a run of pages that have one state
 * @start:	first page index
 * @end:	end, exclusive
 * @state:	the state of every page in it
 */
struct gm_lpt_run {
	unsigned long start;
	unsigned long end;
	struct gm_lpt_state state;
};

/**
 * struct gm_lpt_change - what to do to the state of a page
 * @map_clear:	context ids to take out of the set
 * @map_set:	context ids to put in afterwards
 * @flags_clear: flags to clear
 * @flags_set:	flags to set afterwards
 * @set_res:	whether to set the residency to @res
 * @unless_mapped: leave alone what any context may translate
 * @res:	new residency
 */
struct gm_lpt_change {
	u64 map_clear;
	u64 map_set;
	u8 flags_clear;
	u8 flags_set;
	bool set_res;
	bool unless_mapped;
	u16 res;
};

/**
 * struct gm_lpt - a logical page table
 * @tree:	runs, and leaves for blocks of pages that have too many runs. Its
 *		lock is held for every update, and is the innermost lock.
 * @nr_leaves:	number of leaves; written under the lock of @tree
 * @has_zeroes:	a value of zero may be in @tree, see gm_lpt_modify_coarse(); read and
 *		written under the lock of @tree
 * @min:	no page below has been recorded since the table was empty last
 * @max:	nor one from here on; both are written under the lock of @tree
 * @updates:	how often an update let the lock go; written under the lock of @tree
 */
struct gm_lpt {
	struct maple_tree tree;
	unsigned long nr_leaves;
	bool has_zeroes;
	unsigned long min;
	unsigned long max;
	unsigned long updates;
};

/**
 * gm_lpt_updates() - how many updates, or parts of long ones, a table has seen
 * @lpt:	table
 *
 * For those who look something up, then take a lock that whoever relies on an update
 * takes after it. If the number is the same before the one and after the other, they
 * would find the same again, but for what is being stored just now.
 *
 * Context: Any.
 * Return: the number, which wraps.
 */
static inline unsigned long gm_lpt_updates(const struct gm_lpt *lpt)
{
	/* Pairs with lpt_count_update(). */
	return smp_load_acquire(&lpt->updates);
}

void gm_lpt_init(struct gm_lpt *lpt);
void gm_lpt_destroy(struct gm_lpt *lpt);

bool gm_lpt_find(struct gm_lpt *lpt, unsigned long start, unsigned long end,
		 struct gm_lpt_run *run);
bool gm_lpt_find_mapped(struct gm_lpt *lpt, unsigned long start,
			unsigned long end, struct gm_lpt_run *run);

int gm_lpt_modify(struct gm_lpt *lpt, unsigned long start, unsigned long end,
		  const struct gm_lpt_change *chg, gfp_t gfp,
		  unsigned long *done);
bool gm_lpt_modify_within(struct gm_lpt *lpt, struct gm_lpt_run *run,
			  const struct gm_lpt_change *chg);
bool gm_lpt_modify_coarse(struct gm_lpt *lpt, unsigned long index,
			  const struct gm_lpt_change *chg,
			  struct gm_lpt_run *run);
int gm_lpt_erase(struct gm_lpt *lpt, unsigned long start, unsigned long end,
		 gfp_t gfp, unsigned long *done);

struct gm_lpt_state gm_lpt_state_apply(struct gm_lpt_state state,
				       const struct gm_lpt_change *chg);
size_t gm_lpt_metadata_bytes(struct gm_lpt *lpt);

#if IS_ENABLED(CONFIG_KUNIT)
int gm_lpt_store(struct ma_state *mas, void *entry);
#endif

/**
 * gm_lpt_state_equal() - whether two states are the same
 * @a:	one
 * @b:	the other
 *
 * Return: true if nothing differs.
 */
static inline bool gm_lpt_state_equal(struct gm_lpt_state a,
				      struct gm_lpt_state b)
{
	return a.mapped == b.mapped && a.res == b.res && a.flags == b.flags;
}

/**
 * gm_lpt_run_clip() - cut a run to a range
 * @run:	run that overlaps [@start, @end), as gm_lpt_find() returns it
 * @start:	first page index
 * @end:	end of the range
 */
static inline void gm_lpt_run_clip(struct gm_lpt_run *run, unsigned long start,
				   unsigned long end)
{
	run->start = max(run->start, start);
	run->end = min(run->end, end);
}

/**
 * gm_lpt_get() - the state of one page
 * @lpt:	table
 * @index:	page index
 *
 * Return: the state; all zeros if nothing is recorded.
 */
static inline struct gm_lpt_state gm_lpt_get(struct gm_lpt *lpt,
					     unsigned long index)
{
	struct gm_lpt_run run;

	if (!gm_lpt_find(lpt, index, index + 1, &run))
		return (struct gm_lpt_state){};
	return run.state;
}

/**
 * gm_lpt_count_runs() - how many runs there are
 * @lpt:	table
 *
 * Context: Any. Takes the RCU read lock again and again.
 * Return: the number; a snapshot, for statistics and tests.
 */
static inline unsigned long gm_lpt_count_runs(struct gm_lpt *lpt)
{
	struct gm_lpt_run run;
	unsigned long index;
	unsigned long nr = 0;

	for (index = 0; gm_lpt_find(lpt, index, GM_LPT_END, &run);
	     index = run.end)
		nr++;
	return nr;
}

#endif /* _MM_GMEM_LPT_H */

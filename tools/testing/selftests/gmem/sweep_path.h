/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one test of the failure sweeps: each path is a variant of its fixture. See
 * sweep.h.
 */
#ifndef GMEM_SWEEP_PATH_H
#define GMEM_SWEEP_PATH_H

#include <errno.h>
#include <stdio.h>

#include "gmem_quiet.h"
#include "sweep.h"

/* Far more than any path has. */
#define SWEEP_MAX	5000
#define SWEEP_TIMEOUT	900
/*
 * Runs without a failure that end a sweep: pages that happen to be contiguous take
 * fewer copies and mappings, so that one run may be that much shorter than the next.
 */
#define SWEEP_IDLE	24

#define HITS(kind)	(1U << FAIL_##kind)

FIXTURE(sweep)
{
	struct world w;
};

/*
 * A path:
 *
 * @setup:	makes what @act needs; nothing fails yet
 * @act:	0 or a negative errno; something fails in it
 * @after:	looks at the result @ret of @act, tries again, looks at all the data and
 *		frees it; nothing fails any more
 * @huge:	data in a huge page
 * @nomem:	@act may be -ENOMEM when an allocation fails; else it must succeed
 * @error:	the same for the operations of the driver: what it may be, or 0
 * @must:	kinds that must have been met
 */
FIXTURE_VARIANT(sweep)
{
	bool (*setup)(struct world *w);
	int (*act)(struct world *w);
	bool (*after)(struct world *w, int ret);
	bool huge;
	bool nomem;
	int error[FAIL_KINDS];
	unsigned int must;
};

#define PATH		FIXTURE_VARIANT(sweep)

static inline void world_init(struct __test_metadata *_metadata,
			      struct world *w)
{
	char slot[32];

	ASSERT_EQ(0, gt_set_engine("cpu"));
	w->nr = gt_dev_count();
	ASSERT_GE(w->nr, 1);
	ASSERT_EQ(0, gt_open(&w->dev, 0));
	ASSERT_EQ(0, gt_pci_slot(&w->dev, slot, sizeof(slot)));
	ASSERT_EQ(0, gt_close(&w->dev));
	snprintf(w->name, sizeof(w->name), "%s.0", slot);
	ASSERT_EQ(0, sweep_open(&w->sweep))
		TH_LOG("the kernel has no fault injection");
}

static inline void world_check(struct __test_metadata *_metadata,
			       const struct world *w)
{
	int i;

	/* A test that gave up may have left something armed. */
	for (i = FAIL_COPY; i < FAIL_KINDS; i++)
		EXPECT_EQ(0, sweep_calm(i));
	if (gt_dev_count() != w->nr)
		gt_write_file(DRIVER "bind", w->name);
	gt_expect_quiet(_metadata);
}

FIXTURE_SETUP(sweep)
{
	self->w.len = variant->huge ? GT_HUGE : BASE_LEN;
	world_init(_metadata, &self->w);
}

FIXTURE_TEARDOWN_PARENT(sweep)
{
	world_check(_metadata, &self->w);
}

/* The only error that @act may have when there was a failure of that kind. */
static inline int sweep_error(const PATH *path, int kind)
{
	switch (kind) {
	case FAIL_NONE:
		return 0;
	case FAIL_SLAB:
	case FAIL_PAGE:
		return path->nomem ? -ENOMEM : 0;
	default:
		return path->error[kind];
	}
}

/* One run; fails what is the n-th, or the first of @want. Returns what failed. */
static inline int sweep_run(struct __test_metadata *_metadata,
			    struct world *w, const PATH *path, int want)
{
	unsigned int n = w->sweep.nth;
	bool nth = want == FAIL_NONE;
	int kind, ret;

	ASSERT_TRUE(path->setup(w)) TH_LOG("n = %u", n);
	ASSERT_TRUE(nth ? sweep_arm(&w->sweep) :
			  sweep_arm_kind(&w->sweep, want));
	ret = path->act(w);
	kind = nth ? sweep_disarm(&w->sweep) :
		     sweep_disarm_kind(&w->sweep, want);
	ASSERT_GE(kind, FAIL_NONE) TH_LOG("n = %u", n);
	if (ret)
		ASSERT_EQ(sweep_error(path, kind), ret)
			TH_LOG("n = %u, %s", n, sweep_name(kind));
	ASSERT_TRUE(path->after(w, ret))
		TH_LOG("n = %u, %s, result %d", n, sweep_name(kind), ret);
	ASSERT_TRUE(clean())
		TH_LOG("n = %u, %s, result %d", n, sweep_name(kind), ret);
	return kind;
}

/* n = 1, 2, 3, ... */
static inline void sweep_all(struct __test_metadata *_metadata,
			     struct world *w, const PATH *path)
{
	int idle = 0;

	w->sweep.nth = 1;
	while (idle < SWEEP_IDLE) {
		if (sweep_run(_metadata, w, path, FAIL_NONE) == FAIL_NONE)
			idle++;
		else
			idle = 0;
		ASSERT_GT(SWEEP_MAX, ++w->sweep.nth);
	}
}

/* The kinds that must be met and were not. */
static inline unsigned int sweep_missed(const struct sweep *sweep,
					const PATH *path)
{
	unsigned int missed = path->must;
	int i;

	for (i = 0; i < FAIL_KINDS; i++)
		if (sweep->hits[i])
			missed &= ~(1U << i);
	return missed;
}

TEST_F_TIMEOUT(sweep, fails, SWEEP_TIMEOUT)
{
	struct sweep *sweep = &self->w.sweep;
	int i;

	sweep_all(_metadata, &self->w, variant);
	for (i = FAIL_COPY; i < FAIL_KINDS; i++)
		if (sweep_missed(sweep, variant) & (1U << i))
			sweep_run(_metadata, &self->w, variant, i);
	for (i = 0; i < FAIL_KINDS; i++) {
		if (sweep->hits[i])
			TH_LOG("%s %u", sweep_name(i), sweep->hits[i]);
		EXPECT_EQ(0, sweep_missed(sweep, variant) & (1U << i))
			TH_LOG("%s never failed", sweep_name(i));
	}
}

#endif /* GMEM_SWEEP_PATH_H */

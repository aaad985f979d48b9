// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the logical page table: random operations compared with a
 * naive model, updates that run out of memory, and readers and writers that
 * run at the same time.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/sched/task.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../lpt.h"
#include "lpt_model.h"

#define LPT_SEEDS	6
#define LPT_STEPS	1500

struct lpt_fixture {
	struct gm_lpt lpt;
	struct lpt_model model;
};

static int lpt_test_init(struct kunit *test)
{
	struct lpt_fixture *fix = kvzalloc_obj(*fix);

	if (!fix)
		return -ENOMEM;
	gm_lpt_init(&fix->lpt);
	test->priv = fix;
	return 0;
}

static void lpt_test_exit(struct kunit *test)
{
	struct lpt_fixture *fix = test->priv;

	if (!fix)
		return;
	gm_lpt_destroy(&fix->lpt);
	kvfree(fix);
}

static struct gm_lpt_change lpt_resident(unsigned int hnode)
{
	return (struct gm_lpt_change){
		.map_set = 1, .set_res = true, .res = GM_LPT_HNODE(hnode),
	};
}

static void lpt_test_apply(struct kunit *test)
{
	struct gm_lpt_state s = { .mapped = 5, .flags = GM_LPT_WRITABLE,
				  .res = GM_LPT_HNODE(GM_LPT_MAX_HNODE) };
	struct gm_lpt_change chg = { .map_clear = 1 };

	s = gm_lpt_state_apply(s, &chg);
	KUNIT_EXPECT_EQ(test, s.mapped, 4);
	KUNIT_EXPECT_EQ(test, s.flags, GM_LPT_WRITABLE);
	KUNIT_EXPECT_EQ(test, s.res, U16_MAX);

	/* Nobody is left who could write. */
	chg.map_clear = 4;
	s = gm_lpt_state_apply(s, &chg);
	KUNIT_EXPECT_EQ(test, s.mapped, 0);
	KUNIT_EXPECT_EQ(test, s.flags, 0);
}

static void lpt_test_unless_mapped(struct kunit *test)
{
	const struct gm_lpt_change chg = {
		.unless_mapped = true, .map_set = 2, .set_res = true,
		.flags_set = GM_LPT_INEXACT,
	};
	const struct gm_lpt_state mapped = { .mapped = 1, .res = GM_LPT_HOST };
	struct gm_lpt_state s = gm_lpt_state_apply(mapped, &chg);

	KUNIT_EXPECT_TRUE(test, gm_lpt_state_equal(s, mapped));
	s.mapped = 0;
	s = gm_lpt_state_apply(s, &chg);
	KUNIT_EXPECT_EQ(test, s.mapped, 2);
	KUNIT_EXPECT_EQ(test, s.res, GM_LPT_NONE);
	KUNIT_EXPECT_EQ(test, s.flags, GM_LPT_INEXACT);
}

static void lpt_test_limits(struct kunit *test)
{
	struct lpt_fixture *fix = test->priv;
	struct gm_lpt_change chg = lpt_resident(0);
	struct gm_lpt_run run;
	unsigned long done;

	KUNIT_EXPECT_FALSE(test, gm_lpt_find(&fix->lpt, 0, GM_LPT_END, &run));
	KUNIT_EXPECT_FALSE(test, gm_lpt_modify_coarse(&fix->lpt, 5, &chg, &run));
	KUNIT_EXPECT_EQ(test, run.start, 0);
	KUNIT_EXPECT_EQ(test, run.end, GM_LPT_END);
	KUNIT_EXPECT_EQ(test, 0, gm_lpt_modify(&fix->lpt, 7, 7, &chg,
					       GFP_KERNEL, &done));
	KUNIT_EXPECT_EQ(test, done, 7);

	KUNIT_EXPECT_EQ(test, 0, gm_lpt_modify(&fix->lpt, 0, GM_LPT_END, &chg,
					       GFP_KERNEL, &done));
	KUNIT_EXPECT_EQ(test, done, GM_LPT_END);
	KUNIT_ASSERT_TRUE(test, gm_lpt_find(&fix->lpt, GM_LPT_END - 1,
					    GM_LPT_END, &run));
	KUNIT_EXPECT_EQ(test, run.start, 0);
	KUNIT_EXPECT_EQ(test, run.end, GM_LPT_END);
	KUNIT_EXPECT_EQ(test, 0, gm_lpt_erase(&fix->lpt, 1, GM_LPT_END,
					      GFP_KERNEL, NULL));
	KUNIT_EXPECT_EQ(test, gm_lpt_get(&fix->lpt, 0).mapped, 1);
	KUNIT_EXPECT_EQ(test, gm_lpt_get(&fix->lpt, 1).mapped, 0);
	KUNIT_EXPECT_EQ(test, gm_lpt_count_runs(&fix->lpt), 1);
}

/* What was found is changed as a whole, but nothing that has joined it since. */
static void lpt_test_within(struct kunit *test)
{
	const struct gm_lpt_change none = { .map_clear = 1 };
	struct lpt_fixture *fix = test->priv;
	struct gm_lpt_change chg = lpt_resident(0);
	struct gm_lpt_run run;

	KUNIT_ASSERT_EQ(test, 0, gm_lpt_modify(&fix->lpt, 10, 20, &chg,
					       GFP_KERNEL, NULL));
	KUNIT_ASSERT_EQ(test, 0, gm_lpt_modify(&fix->lpt, 30, 40, &chg,
					       GFP_KERNEL, NULL));
	KUNIT_ASSERT_TRUE(test, gm_lpt_find(&fix->lpt, 12, 13, &run));
	KUNIT_ASSERT_EQ(test, 0, gm_lpt_modify(&fix->lpt, 20, 30, &chg,
					       GFP_KERNEL, NULL));
	KUNIT_EXPECT_FALSE(test, gm_lpt_modify_within(&fix->lpt, &run, &none));
	KUNIT_EXPECT_EQ(test, gm_lpt_get(&fix->lpt, 10).mapped, 1);
	KUNIT_EXPECT_EQ(test, gm_lpt_get(&fix->lpt, 39).mapped, 1);

	KUNIT_ASSERT_TRUE(test, gm_lpt_find(&fix->lpt, 12, 13, &run));
	KUNIT_EXPECT_TRUE(test, gm_lpt_modify_within(&fix->lpt, &run, &none));
	KUNIT_EXPECT_EQ(test, run.start, 10);
	KUNIT_EXPECT_EQ(test, run.end, 40);
	KUNIT_EXPECT_EQ(test, gm_lpt_get(&fix->lpt, 10).mapped, 0);
	KUNIT_EXPECT_EQ(test, gm_lpt_get(&fix->lpt, 39).mapped, 0);
}

/* What a coarse update leaves goes with an exact one beside it. */
static void lpt_test_zeroes(struct kunit *test)
{
	const struct gm_lpt_change none = { .map_clear = 3, .set_res = true };
	struct gm_lpt_change chg = lpt_resident(0);
	struct lpt_fixture *fix = test->priv;
	struct gm_lpt_run run;

	KUNIT_ASSERT_EQ(test, 0, gm_lpt_modify(&fix->lpt, 0, 10, &chg,
					       GFP_KERNEL, NULL));
	chg.map_set = 2;
	KUNIT_ASSERT_EQ(test, 0, gm_lpt_modify(&fix->lpt, 10, 20, &chg,
					       GFP_KERNEL, NULL));
	KUNIT_ASSERT_TRUE(test, gm_lpt_modify_coarse(&fix->lpt, 5, &none,
						     &run));
	KUNIT_EXPECT_EQ(test, run.end, 10);
	KUNIT_EXPECT_FALSE(test, mtree_empty(&fix->lpt.tree));
	KUNIT_ASSERT_EQ(test, 0, gm_lpt_erase(&fix->lpt, 10, 20, GFP_KERNEL,
					      NULL));
	KUNIT_EXPECT_TRUE(test, mtree_empty(&fix->lpt.tree));
}

/* 64 GiB in 2 MiB pieces of one state, in no order, are one entry. */
static void lpt_test_uniform(struct kunit *test)
{
	struct lpt_fixture *fix = test->priv;
	struct gm_lpt_change chg = lpt_resident(0);
	const unsigned long nr = 64UL << 9;
	unsigned long i, at;
	struct gm_lpt_run run;

	for (i = 0; i < nr; i++) {
		at = i * 101 % nr * 512;
		KUNIT_ASSERT_EQ(test, 0,
				gm_lpt_modify(&fix->lpt, at, at + 512, &chg,
					      GFP_KERNEL, NULL));
	}
	KUNIT_EXPECT_EQ(test, gm_lpt_count_runs(&fix->lpt), 1);
	KUNIT_ASSERT_TRUE(test, gm_lpt_find(&fix->lpt, 0, GM_LPT_END, &run));
	KUNIT_EXPECT_EQ(test, run.start, 0);
	KUNIT_EXPECT_EQ(test, run.end, nr * 512);
	KUNIT_EXPECT_LE(test, gm_lpt_metadata_bytes(&fix->lpt), 1024);
}

/* A block that is fragmented, and then is not, has a leaf in between only. */
static void lpt_test_leaf(struct kunit *test)
{
	struct lpt_fixture *fix = test->priv;
	struct gm_lpt_change chg;
	unsigned long i;

	for (i = 0; i < 512; i++) {
		chg = lpt_resident(i & 1);
		KUNIT_ASSERT_EQ(test, 0,
				gm_lpt_modify(&fix->lpt, i, i + 1, &chg,
					      GFP_KERNEL, NULL));
	}
	KUNIT_EXPECT_EQ(test, fix->lpt.nr_leaves, 1);
	KUNIT_EXPECT_EQ(test, gm_lpt_count_runs(&fix->lpt), 512);
	KUNIT_EXPECT_LE(test, gm_lpt_metadata_bytes(&fix->lpt), 16 * 512);
	for (i = 0; i < 512; i++)
		KUNIT_ASSERT_EQ(test, gm_lpt_get(&fix->lpt, i).res,
				GM_LPT_HNODE(i & 1));

	chg = lpt_resident(0);
	KUNIT_ASSERT_EQ(test, 0, gm_lpt_modify(&fix->lpt, 8, 512, &chg,
					       GFP_KERNEL, NULL));
	KUNIT_EXPECT_EQ(test, fix->lpt.nr_leaves, 0);
	KUNIT_EXPECT_EQ(test, gm_lpt_count_runs(&fix->lpt), 9);
	KUNIT_EXPECT_EQ(test, 0, gm_lpt_erase(&fix->lpt, 0, 512, GFP_KERNEL,
					      NULL));
	KUNIT_EXPECT_EQ(test, gm_lpt_metadata_bytes(&fix->lpt), 0);
}

/* Random operations with one seed. May fail only with @may_fail. */
static void lpt_random(struct kunit *test, u64 seed, bool may_fail)
{
	struct lpt_fixture *fix = test->priv;
	struct lpt_model *m = &fix->model;
	const char *err = NULL;
	int step;

	lpt_model_init(m, &fix->lpt, seed % 3 * 0x12345600, seed);
	m->may_fail = may_fail;
	for (step = 0; step < LPT_STEPS && !err; step++) {
		gfp_t gfp = lpt_model_below(m, 2) ? GFP_KERNEL : GFP_NOWAIT;

		err = lpt_model_step(m, gfp);
		if (!err)
			err = lpt_model_check(m);
		cond_resched();
	}
	if (err)
		KUNIT_FAIL(test, "seed %llu step %d: %s", seed, step - 1, err);
	else
		kunit_info(test, "seed %llu: %lu runs, %lu leaves, %zu bytes, %lu failures",
			   seed, gm_lpt_count_runs(m->lpt), m->lpt->nr_leaves,
			   gm_lpt_metadata_bytes(m->lpt), m->fails);
	if (!err && may_fail)
		KUNIT_EXPECT_GT(test, m->fails, LPT_STEPS / 100);
	gm_lpt_destroy(&fix->lpt);
}

static void lpt_test_random(struct kunit *test)
{
	u64 seed;

	for (seed = 1; seed <= LPT_SEEDS; seed++)
		lpt_random(test, seed, false);
}

/* Every fourth store, or so, has no memory. */
static int lpt_store_fails(struct ma_state *mas, void *entry)
{
	struct lpt_fixture *fix = kunit_get_current_test()->priv;

	lockdep_assert_held(&mas->tree->ma_lock);
	if (!lpt_model_below(&fix->model, 4))
		return -ENOMEM;
	mas_store(mas, entry);
	return mas_is_err(mas) ? -ENOMEM : 0;
}

static void lpt_test_random_failures(struct kunit *test)
{
	u64 seed;

	kunit_activate_static_stub(test, gm_lpt_store, lpt_store_fails);
	for (seed = 1; seed <= LPT_SEEDS; seed++)
		lpt_random(test, seed, true);
	kunit_deactivate_static_stub(test, gm_lpt_store);
}

static int lpt_store_never(struct ma_state *mas, void *entry)
{
	return -ENOMEM;
}

/* What cannot fail does not come near what can. */
static void lpt_test_coarse(struct kunit *test)
{
	struct lpt_fixture *fix = test->priv;
	struct lpt_model *m = &fix->model;
	const char *err = NULL;
	unsigned long i;

	lpt_model_init(m, &fix->lpt, 0, 1);
	for (i = 0; i < LPT_STEPS && !err; i++)
		err = lpt_model_step(m, GFP_KERNEL);
	kunit_activate_static_stub(test, gm_lpt_store, lpt_store_never);
	for (i = 0; i < LPT_MODEL_PAGES && !err; i++)
		err = lpt_model_coarse(m, i);
	kunit_deactivate_static_stub(test, gm_lpt_store);
	if (!err)
		err = lpt_model_check(m);
	if (err)
		KUNIT_FAIL(test, "%s", err);
}

/*
 * One of several threads on one table.
 *
 * @id:		writer: the context whose bit it changes
 * @done:	a writer has finished, a reader has gone round once
 * @errors:	what a reader saw that must not be
 * @loops:	how often it went round
 * @bit:	writer: what the bit of each page must be in the end
 */
struct lpt_worker {
	struct gm_lpt *lpt;
	struct task_struct *task;
	struct completion done;
	unsigned int id;
	unsigned long errors;
	unsigned long loops;
	struct lpt_model *rng;
	unsigned long bit[LPT_MODEL_PAGES / BITS_PER_LONG];
};

#define LPT_WRITERS	2
#define LPT_READERS	2
#define LPT_WRITES	4000
/* Pages from here on are always mapped by this context, and in host memory. */
#define LPT_FIXED	(LPT_MODEL_PAGES / 2)
#define LPT_FIXED_CTX	5

static void lpt_park(void)
{
	set_current_state(TASK_INTERRUPTIBLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_INTERRUPTIBLE);
	}
	__set_current_state(TASK_RUNNING);
}

static int lpt_writer(void *arg)
{
	struct lpt_worker *w = arg;
	unsigned long start, end;
	int i;

	for (i = 0; i < LPT_WRITES; i++) {
		bool set = lpt_model_below(w->rng, 3);
		struct gm_lpt_change chg = {
			.map_set = set ? BIT_ULL(w->id) : 0,
			.map_clear = set ? 0 : BIT_ULL(w->id),
		};

		lpt_model_range(w->rng, &start, &end);
		if (gm_lpt_modify(w->lpt, start, end, &chg, GFP_KERNEL, NULL)) {
			w->errors++;
			break;
		}
		if (set)
			bitmap_set(w->bit, start, end - start);
		else
			bitmap_clear(w->bit, start, end - start);
		cond_resched();
	}
	complete(&w->done);
	lpt_park();
	return 0;
}

/* Whether a run is one that can have been there at any time. */
static bool lpt_plausible(const struct gm_lpt_run *run)
{
	u64 mapped = run->state.mapped & ~GENMASK_ULL(LPT_WRITERS - 1, 0);

	if (run->start >= run->end || run->end > LPT_MODEL_PAGES ||
	    !run->state.mapped || run->state.flags)
		return false;
	if (run->start < LPT_FIXED)
		return run->end <= LPT_FIXED && !mapped && !run->state.res;
	return mapped == BIT_ULL(LPT_FIXED_CTX) &&
	       run->state.res == GM_LPT_HOST;
}

/* Whatever writers do, pages keep what no writer changes, and none is missed. */
static int lpt_reader(void *arg)
{
	struct lpt_worker *w = arg;
	struct gm_lpt_run run;
	unsigned long index;

	while (!kthread_should_stop()) {
		for (index = 0;
		     gm_lpt_find_mapped(w->lpt, index, GM_LPT_END, &run);
		     index = run.end) {
			w->errors += !lpt_plausible(&run);
			if (index >= LPT_FIXED && run.start > index)
				w->errors++;
		}
		if (index != LPT_MODEL_PAGES)
			w->errors++;
		if (!w->loops++)
			complete(&w->done);
		cond_resched();
	}
	return 0;
}

static void lpt_check_workers(struct kunit *test, struct gm_lpt *lpt,
			      struct lpt_worker *w)
{
	unsigned long i, wrong = 0;
	int id;

	for (i = 0; i < LPT_MODEL_PAGES; i++) {
		struct gm_lpt_state s = gm_lpt_get(lpt, i);

		for (id = 0; id < LPT_WRITERS; id++)
			if (test_bit(i, w[id].bit) != !!(s.mapped & BIT(id)))
				wrong++;
	}
	KUNIT_EXPECT_EQ_MSG(test, wrong, 0, "updates were lost");
	for (id = 0; id < LPT_WRITERS + LPT_READERS; id++)
		KUNIT_EXPECT_EQ(test, w[id].errors, 0);
	for (id = LPT_WRITERS; id < LPT_WRITERS + LPT_READERS; id++)
		KUNIT_EXPECT_GT(test, w[id].loops, 0);
	kunit_info(test, "%lu and %lu rounds of reading", w[LPT_WRITERS].loops,
		   w[LPT_WRITERS + 1].loops);
}

/*
 * Writers change the same pages, but not the same bits; so in the end every
 * bit is as its writer left it, and meanwhile nothing else changes.
 */
static void lpt_test_concurrent(struct kunit *test)
{
	struct lpt_fixture *fix = test->priv;
	struct gm_lpt_change chg = { .map_set = BIT_ULL(LPT_FIXED_CTX),
				     .set_res = true, .res = GM_LPT_HOST };
	const int nr = LPT_WRITERS + LPT_READERS;
	struct lpt_worker *w;
	int i;

	w = kunit_kcalloc(test, nr, sizeof(*w), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w);
	KUNIT_ASSERT_EQ(test, 0,
			gm_lpt_modify(&fix->lpt, LPT_FIXED, LPT_MODEL_PAGES,
				      &chg, GFP_KERNEL, NULL));
	for (i = 0; i < nr; i++) {
		w[i].lpt = &fix->lpt;
		w[i].id = i;
		init_completion(&w[i].done);
		w[i].rng = kunit_kzalloc(test, offsetof(struct lpt_model, page),
					 GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, w[i].rng);
		w[i].rng->rng = i + 1;
	}
	for (i = nr - 1; i >= 0; i--) {
		w[i].task = kthread_run(i < LPT_WRITERS ? lpt_writer :
							  lpt_reader,
					&w[i], "lpt_test/%d", i);
		if (IS_ERR(w[i].task))
			KUNIT_FAIL(test, "no thread");
	}
	/* A thread that is stopped before it has run never does. */
	for (i = 0; i < nr; i++)
		if (!IS_ERR(w[i].task))
			wait_for_completion(&w[i].done);
	for (i = 0; i < nr; i++)
		if (!IS_ERR(w[i].task))
			kthread_stop(w[i].task);
	lpt_check_workers(test, &fix->lpt, w);
}

static struct kunit_case lpt_test_cases[] = {
	KUNIT_CASE(lpt_test_apply),
	KUNIT_CASE(lpt_test_unless_mapped),
	KUNIT_CASE(lpt_test_limits),
	KUNIT_CASE(lpt_test_within),
	KUNIT_CASE(lpt_test_zeroes),
	KUNIT_CASE_SLOW(lpt_test_uniform),
	KUNIT_CASE(lpt_test_leaf),
	KUNIT_CASE_SLOW(lpt_test_random),
	KUNIT_CASE_SLOW(lpt_test_random_failures),
	KUNIT_CASE(lpt_test_coarse),
	KUNIT_CASE_SLOW(lpt_test_concurrent),
	{ }
};

static struct kunit_suite lpt_test_suite = {
	.name = "gmem_lpt",
	.init = lpt_test_init,
	.exit = lpt_test_exit,
	.test_cases = lpt_test_cases,
};

kunit_test_suite(lpt_test_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of the GMEM logical page table");

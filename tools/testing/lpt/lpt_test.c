// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the logical page table in userspace, printed as TAP:
 *
 *	lpt_test [-r ROUNDS] [-s SEED]
 *
 * Random operations are compared with a naive model; allocation failures and
 * concurrent updates are forced where the kernel can only hope for them; and
 * memory is measured against the budget in the design.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/rcupdate.h>

#include "lpt.h"
#include "lpt_model.h"
#include "shim.h"

#define STEPS		2000

static unsigned long seed = 1;
static unsigned long rounds = 40;
static struct lpt_model model;
static char message[256];

static const char *failed(const char *what, unsigned long a, unsigned long b)
{
	snprintf(message, sizeof(message), "%s (%lu, %lu)", what, a, b);
	return message;
}

static const char *finish(struct gm_lpt *lpt)
{
	gm_lpt_destroy(lpt);
	rcu_test_quiesce();
	return shim_bytes ? failed("memory leaked", shim_bytes, 0) : NULL;
}

static struct gm_lpt_change resident(unsigned int hnode)
{
	return (struct gm_lpt_change){
		.map_set = 1, .set_res = true, .res = GM_LPT_HNODE(hnode),
	};
}

static const char *test_apply(void)
{
	struct gm_lpt_state s = { .mapped = 5, .flags = GM_LPT_WRITABLE,
				  .res = GM_LPT_HNODE(GM_LPT_MAX_HNODE) };
	struct gm_lpt_change chg = { .map_clear = 1 };

	s = gm_lpt_state_apply(s, &chg);
	if (s.mapped != 4 || s.flags != GM_LPT_WRITABLE || s.res != U16_MAX)
		return "clearing one context";
	chg.map_clear = 4;
	s = gm_lpt_state_apply(s, &chg);
	if (s.mapped || s.flags)
		return "write permission outlives the last context";
	chg = (struct gm_lpt_change){
		.map_set = GM_LPT_CTX_MASK, .flags_set = GM_LPT_FLAGS_MASK,
		.set_res = true, .res = GM_LPT_HOST,
	};
	s = gm_lpt_state_apply(s, &chg);
	if (s.mapped != GM_LPT_CTX_MASK || s.flags != GM_LPT_FLAGS_MASK ||
	    s.res != GM_LPT_HOST)
		return "setting everything";
	return NULL;
}

static const char *test_empty(void)
{
	struct gm_lpt_change chg = { .map_clear = 1 };
	struct gm_lpt_run run;
	unsigned long done;
	struct gm_lpt lpt;

	gm_lpt_init(&lpt);
	if (gm_lpt_find(&lpt, 0, GM_LPT_END, &run) ||
	    gm_lpt_modify_coarse(&lpt, 7, &chg, &run))
		return "found something in an empty table";
	if (run.start || run.end != GM_LPT_END)
		return "wrong gap";
	if (gm_lpt_modify(&lpt, 9, 9, &chg, GFP_KERNEL, &done) || done != 9)
		return "empty range";
	if (gm_lpt_erase(&lpt, 0, GM_LPT_END, GFP_NOWAIT, &done) ||
	    done != GM_LPT_END)
		return "erasing nothing";
	chg.map_set = 1;
	if (gm_lpt_modify(&lpt, 0, GM_LPT_END, &chg, GFP_KERNEL, NULL) ||
	    !gm_lpt_find(&lpt, GM_LPT_END - 1, GM_LPT_END, &run) ||
	    run.start || run.end != GM_LPT_END)
		return "everything";
	if (gm_lpt_erase(&lpt, 1, GM_LPT_END, GFP_KERNEL, NULL) ||
	    gm_lpt_count_runs(&lpt) != 1 || gm_lpt_get(&lpt, 1).mapped ||
	    gm_lpt_get(&lpt, 0).mapped != 1)
		return "everything but the first page";
	return finish(&lpt);
}

static const char *random_round(unsigned long round, bool fail)
{
	struct gm_lpt lpt;
	const char *err = NULL;
	unsigned long step;

	gm_lpt_init(&lpt);
	lpt_model_init(&model, &lpt, round % 3 * 0x12345600, seed + round);
	model.may_fail = fail;
	for (step = 0; step < STEPS && !err; step++) {
		gfp_t gfp = lpt_model_below(&model, 2) ? GFP_KERNEL :
							 GFP_NOWAIT;

		if (fail)
			shim_allocs_left = lpt_model_below(&model, 16);
		err = lpt_model_step(&model, gfp);
		shim_allocs_left = -1;
		if (!err)
			err = lpt_model_check(&model);
		if (!lpt_model_below(&model, 8))
			rcu_test_quiesce();
	}
	if (err) {
		printf("# seed %lu step %lu\n", seed + round, step - 1);
		return err;
	}
	if (fail && model.fails < STEPS / 100)
		return failed("too few failures", model.fails, 0);
	return finish(&lpt);
}

static const char *test_random(void)
{
	const char *err = NULL;
	unsigned long i;

	for (i = 0; i < rounds && !err; i++)
		err = random_round(i, false);
	return err;
}

static const char *test_random_failures(void)
{
	const char *err = NULL;
	unsigned long i;

	for (i = 0; i < rounds && !err; i++)
		err = random_round(i, true);
	return err;
}

/* Every single allocation of an update fails in turn. */
static const char *test_fail_each(void)
{
	const char *err = NULL;
	struct gm_lpt lpt;
	long nth;
	int gfp;

	gm_lpt_init(&lpt);
	lpt_model_init(&model, &lpt, 0, seed);
	for (gfp = 0; gfp < 2 && !err; gfp++) {
		for (nth = 0; nth < 40 && !err; nth++) {
			err = lpt_model_shred(&model, GFP_KERNEL);
			if (err)
				break;
			model.may_fail = true;
			shim_allocs_left = nth;
			err = lpt_model_step(&model,
					     gfp ? GFP_KERNEL : GFP_NOWAIT);
			shim_allocs_left = -1;
			model.may_fail = false;
			if (!err)
				err = lpt_model_check(&model);
		}
	}
	return err ?: finish(&lpt);
}

static unsigned long interfered;

/* An update by somebody else whenever the lock is let go for an allocation. */
static void interfere(void)
{
	void (*hook)(void) = shim_block_hook;
	long left = shim_allocs_left;
	struct gm_lpt_change chg = { };
	unsigned long start, end;

	shim_block_hook = NULL;
	shim_allocs_left = -1;
	lpt_model_range(&model, &start, &end);
	if (lpt_model_below(&model, 2))
		chg.map_set = 1ULL << 30 | 1ULL << 33;
	else
		chg.map_clear = 1ULL << 30;
	assert(!gm_lpt_modify(model.lpt, start, end, &chg, GFP_KERNEL, NULL));
	lpt_model_apply(&model, start, end, &chg);
	shim_block_hook = hook;
	shim_allocs_left = left;
	interfered++;
	/* Now it may need more than it has got, and never get it. */
	if (model.may_fail && !lpt_model_below(&model, 4))
		shim_allocs_left = lpt_model_below(&model, 8);
}

/*
 * The two updates change different contexts, so that they give the same result
 * in either order, and none may be lost.
 */
static const char *interfere_many(bool fail)
{
	const char *err = NULL;
	struct gm_lpt lpt;
	int i;

	gm_lpt_init(&lpt);
	lpt_model_init(&model, &lpt, 0, seed);
	/* A leaf that cannot be merged for now may keep runs apart. */
	model.exact = false;
	model.may_fail = fail;
	interfered = 0;
	for (i = 0; i < 10000 && !err; i++) {
		struct gm_lpt_change chg = { };
		unsigned long start, end;

		lpt_model_range(&model, &start, &end);
		if (lpt_model_below(&model, 3))
			chg.map_set = 1ULL << lpt_model_below(&model, 4);
		else
			chg.map_clear = 0xf;
		/* Without memory at hand, the lock must be let go. */
		shim_nowait_fails = true;
		shim_block_hook = interfere;
		err = lpt_model_modify(&model, start, end, &chg, GFP_KERNEL);
		shim_block_hook = NULL;
		shim_allocs_left = -1;
		shim_nowait_fails = lpt_model_below(&model, 2);
		err = err ?: lpt_model_check(&model);
		rcu_test_quiesce();
	}
	shim_nowait_fails = false;
	printf("# interfered %lu times, failed %lu times\n", interfered,
	       model.fails);
	if (!err && (interfered < 1000 || (fail && model.fails < 100)))
		return "too rarely interfered";
	return err ?: finish(&lpt);
}

static const char *test_interfere(void)
{
	return interfere_many(false) ?: interfere_many(true);
}

static struct gm_lpt *growing;
static long after_growing;

/* Fill what was sparse, so that an update needs more memory than it did. */
static void grow(void)
{
	struct gm_lpt_change chg = { .map_set = 1 };
	unsigned long i;

	shim_block_hook = NULL;
	for (i = 0; i < 1UL << 16; i += 16)
		assert(!gm_lpt_modify(growing, i, i + 8, &chg, GFP_KERNEL,
				      NULL));
	shim_allocs_left = after_growing;
}

/* Some memory, then the need for more, and then none: this must end. */
static const char *test_exhausted(void)
{
	struct gm_lpt_change chg = { .map_set = 1 };
	unsigned long i, start, done, fails = 0;
	struct gm_lpt lpt;
	const char *err = NULL;
	int ret;

	alarm(120);
	growing = &lpt;
	for (after_growing = 0; after_growing < 40 && !err; after_growing++) {
		gm_lpt_init(&lpt);
		for (i = 0; i < 1UL << 16; i += 2048)
			if (gm_lpt_modify(&lpt, i, i + 8, &chg, GFP_KERNEL,
					  NULL))
				return "no memory";
		start = 4 + after_growing % 4 * 3000;
		shim_nowait_fails = true;
		shim_block_hook = grow;
		ret = gm_lpt_erase(&lpt, start, start + 30000, GFP_KERNEL,
				   &done);
		shim_block_hook = NULL;
		shim_nowait_fails = false;
		shim_allocs_left = -1;
		fails += !!ret;
		if (ret ? ret != -ENOMEM || done >= start + 30000 :
			  done != start + 30000)
			err = failed("wrong result", -ret, done);
		err = err ?: finish(&lpt);
	}
	alarm(0);
	if (!err && !fails)
		return "never out of memory";
	return err;
}

/*
 * A leaf that can be merged in part only, for lack of memory, and whose block
 * then is fragmented again.
 */
static const char *test_partial_leaf(void)
{
	struct gm_lpt_change a = { .map_set = 1 }, b = { .map_set = 2 };
	struct gm_lpt_change none = { .map_clear = 3 };
	const char *err = NULL;
	unsigned long i, parts = 0;
	struct gm_lpt lpt;
	long nth;

	for (nth = 0; nth < 24 && !err; nth++) {
		gm_lpt_init(&lpt);
		lpt_model_init(&model, &lpt, 0, seed);
		model.exact = false;
		for (i = 0; i < 512; i++)
			err = err ?: lpt_model_modify(&model, i, i + 1,
						      i & 1 ? &a : &b,
						      GFP_KERNEL);
		shim_allocs_left = nth;
		err = err ?: lpt_model_modify(&model, 0, 500, &none,
					      GFP_NOWAIT);
		shim_allocs_left = -1;
		err = err ?: lpt_model_check(&model);
		/* The front of it is a gap already. */
		parts += lpt.nr_leaves == 1 && !mtree_load(&lpt.tree, 0);
		for (i = 0; i < 500; i += 2)
			err = err ?: lpt_model_modify(&model, i, i + 1, &a,
						      GFP_KERNEL);
		err = err ?: lpt_model_check(&model);
		if (!err && lpt.nr_leaves != 1)
			err = failed("leaves", lpt.nr_leaves, nth);
		err = err ?: finish(&lpt);
	}
	if (!err && !parts)
		return "never merged in part";
	printf("# merged in part %lu times\n", parts);
	return err;
}

/* Updates that remove large parts of large trees at once. */
static const char *test_wide(void)
{
	struct gm_lpt_change chg = resident(0);
	unsigned long i, at, nr = 1UL << 13;
	const char *err = NULL;
	struct gm_lpt lpt;
	int round;

	gm_lpt_init(&lpt);
	lpt_model_init(&model, &lpt, 0, seed);
	for (round = 0; round < 12 && !err; round++) {
		for (i = 0; i < nr; i++) {
			at = (round & 1 ? i : i * 40503 % nr) * 1024;
			if (gm_lpt_modify(&lpt, at, at + 512, &chg, GFP_KERNEL,
					  NULL))
				return "no memory";
		}
		if (gm_lpt_count_runs(&lpt) != nr)
			return failed("runs", gm_lpt_count_runs(&lpt), nr);
		for (i = 0; i < 8; i++) {
			at = lpt_model_below(&model, nr) * 1024;
			if (gm_lpt_erase(&lpt, at, at + (nr << i), GFP_KERNEL,
					 NULL))
				return "no memory";
			rcu_test_quiesce();
		}
	}
	return finish(&lpt);
}

/* A writer that gets in between two reads of a reader. */
static void overtake(void)
{
	struct gm_lpt_change chg = { };
	unsigned long start, end;

	if (lpt_model_below(&model, 3))
		return;
	lpt_model_range(&model, &start, &end);
	/* Now and then everything, so that leaves come and go. */
	if (!lpt_model_below(&model, 8)) {
		start = 0;
		end = LPT_MODEL_PAGES;
	}
	if (lpt_model_below(&model, 2))
		chg.map_set = 1ULL << 30;
	else
		chg.map_clear = 1ULL << 30;
	assert(!gm_lpt_modify(model.lpt, start, end, &chg, GFP_NOWAIT, NULL));
	interfered++;
}

/* Pages keep what no writer changes, for readers too, and none is missed. */
static const char *test_readers(void)
{
	struct gm_lpt_change always = { .map_set = 1ULL << 5 };
	unsigned long index, leaves = 0;
	const char *err = NULL;
	struct gm_lpt_run run;
	struct gm_lpt lpt;
	int i;

	gm_lpt_init(&lpt);
	lpt_model_init(&model, &lpt, 0, seed);
	interfered = 0;
	err = lpt_model_modify(&model, 0, LPT_MODEL_PAGES, &always, GFP_KERNEL);
	always.map_set = 1ULL << 30;
	for (i = 0; i < 1500 && !err; i++) {
		unsigned long at = 512 * lpt_model_below(&model, 8);

		for (index = at; index < at + 512; index += 3)
			err = err ?: lpt_model_modify(&model, index, index + 1,
						      &always, GFP_KERNEL);
		leaves += lpt.nr_leaves;
		shim_read_hook = overtake;
		for (index = 0; gm_lpt_find_mapped(&lpt, index, GM_LPT_END,
						   &run); index = run.end) {
			if (run.start > index || run.end <= index)
				err = failed("page missed", index, run.start);
			if (!(run.state.mapped & 1ULL << 5))
				err = failed("wrong state", index, run.end);
		}
		shim_read_hook = NULL;
		if (!err && index != LPT_MODEL_PAGES)
			err = failed("end missed", index, 0);
		rcu_test_quiesce();
	}
	printf("# overtaken %lu times, %lu leaves\n", interfered, leaves);
	return err ?: finish(&lpt);
}

/* gm_lpt_modify_coarse() must not even try to allocate. */
static const char *test_coarse(void)
{
	const char *err = NULL;
	unsigned long index;
	struct gm_lpt lpt;
	unsigned long before;
	int i;

	gm_lpt_init(&lpt);
	lpt_model_init(&model, &lpt, 0, seed);
	for (i = 0; i < 3000 && !err; i++)
		err = lpt_model_step(&model, GFP_KERNEL);
	shim_allocs_left = 0;
	before = shim_requests;
	for (index = 0; index < LPT_MODEL_PAGES && !err; index++)
		err = lpt_model_coarse(&model, index);
	if (!err && before != shim_requests)
		err = failed("allocations", shim_requests - before, 0);
	shim_allocs_left = -1;
	err = err ?: lpt_model_check(&model);
	/* An exact update mends everything. */
	model.exact = true;
	err = err ?: lpt_model_modify(&model, 0, LPT_MODEL_PAGES,
				      &(struct gm_lpt_change){ .map_set = 2 },
				      GFP_KERNEL);
	err = err ?: lpt_model_check(&model);
	return err ?: finish(&lpt);
}

/* Bytes that the table really takes. */
static size_t settled_bytes(void)
{
	rcu_test_quiesce();
	return shim_bytes;
}

static const char *test_uniform(void)
{
	struct gm_lpt_change chg = resident(0);
	const unsigned long frames = 64UL << 9;	/* of 2 MiB in 64 GiB */
	unsigned long i, at;
	struct gm_lpt lpt;

	gm_lpt_init(&lpt);
	for (i = 0; i < frames; i++) {
		/* In no order: 101 has no common factor with a power of 2. */
		at = 0x7f0000000 + i * 101 % frames * 512;
		if (gm_lpt_modify(&lpt, at, at + 512, &chg, GFP_KERNEL, NULL))
			return "no memory";
	}
	if (gm_lpt_count_runs(&lpt) != 1)
		return failed("runs", gm_lpt_count_runs(&lpt), i);
	printf("# 64 GiB of one state: %zu bytes\n", settled_bytes());
	if (settled_bytes() > 1024)
		return failed("bytes", settled_bytes(), 1024);
	return finish(&lpt);
}

/* 2 MiB frames of one state, here and there in a 1 GiB range or more. */
static const char *test_frames(void)
{
	struct gm_lpt_change chg = resident(0);
	unsigned long i, n;
	struct gm_lpt lpt;

	for (n = 1; n <= 64; n <<= 1) {
		gm_lpt_init(&lpt);
		for (i = 0; i < n << 18; i += 512)
			if (gm_lpt_modify(&lpt, i, i + 512, &chg, GFP_KERNEL,
					  NULL))
				return "no memory";
		if (settled_bytes() > n * 1024)
			return failed("bytes", settled_bytes(), n * 1024);
		if (finish(&lpt))
			return message;
	}
	return NULL;
}

/* Orders in which to touch @n pages, a power of 2. */
static unsigned long order(int how, unsigned long i, unsigned long n)
{
	switch (how) {
	case 0:
		return i;
	case 1:
		return n - 1 - i;
	case 2:		/* scattered */
		return i * 40503 % n;
	default:	/* one of every block, then the next of every block */
		return i % (n / 512) * 512 + i / (n / 512);
	}
}

/* Set @n pages, of which every @step th is different. */
static const char *shred(struct gm_lpt *lpt, int how, unsigned long n,
			 unsigned long step)
{
	unsigned long i, at;

	for (i = 0; i < n; i++) {
		struct gm_lpt_change chg;

		at = order(how, i, n);
		chg = resident(at % step ? 0 : 1);
		if (gm_lpt_modify(lpt, at, at + 1, &chg, GFP_KERNEL, NULL))
			return "no memory";
		if (i % 4096 == 0)
			rcu_test_quiesce();
	}
	for (i = 0; i < n; i++)
		if (gm_lpt_get(lpt, i).res != GM_LPT_HNODE(!(i % step)))
			return failed("wrong residency", i, how);
	return NULL;
}

static const char *test_worst(void)
{
	/* Around the numbers of runs where a block changes, and far from it. */
	static const int steps[] = { 2, 3, 4, 8, 14, 15, 16, 17, 30, 64, 256 };
	const unsigned long n = 1UL << 15;
	size_t bytes, estimate, worst = 0;
	struct gm_lpt lpt;
	const char *err;
	unsigned int i;
	int how, step;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		step = steps[i];
		for (how = 0; how < 4; how++) {
			gm_lpt_init(&lpt);
			err = shred(&lpt, how, n, step);
			if (err)
				return err;
			bytes = settled_bytes();
			estimate = gm_lpt_metadata_bytes(&lpt);
			worst = max(worst, bytes);
			if (step == 2)
				printf("# every page differs, order %d: %zu.%02zu bytes a page\n",
				       how, bytes / n, bytes * 100 / n % 100);
			if (bytes > 16 * n)
				return failed("bytes", bytes, step);
			if (estimate < bytes * 8 / 10 ||
			    estimate > bytes * 12 / 10)
				return failed("estimate", estimate, bytes);
			err = finish(&lpt);
			if (err)
				return err;
		}
	}
	printf("# worst of all patterns: %zu.%02zu bytes a page\n", worst / n,
	       worst * 100 / n % 100);
	return NULL;
}

/* What was fragmented and is uniform again takes no more than before. */
static const char *test_recover(void)
{
	struct gm_lpt_change chg = resident(1);
	const unsigned long n = 1UL << 14;
	unsigned long i;
	struct gm_lpt lpt;
	const char *err;
	int how;

	for (how = 0; how < 4; how++) {
		gm_lpt_init(&lpt);
		err = shred(&lpt, 0, n, 2);
		if (err)
			return err;
		for (i = 0; i < n; i++) {
			unsigned long at = order(how, i, n);

			if (gm_lpt_modify(&lpt, at, at + 1, &chg, GFP_KERNEL,
					  NULL))
				return "no memory";
		}
		if (gm_lpt_count_runs(&lpt) != 1 || lpt.nr_leaves ||
		    settled_bytes() > 1024)
			return failed("runs, bytes", gm_lpt_count_runs(&lpt),
				      settled_bytes());
		if (shred(&lpt, 3, n, 3) ||
		    gm_lpt_erase(&lpt, 0, n, GFP_KERNEL, NULL))
			return "shred and erase";
		if (settled_bytes())
			return failed("bytes of nothing", settled_bytes(), 0);
		err = finish(&lpt);
		if (err)
			return err;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		const char *(*func)(void);
	} tests[] = {
		{ "changes of a state", test_apply },
		{ "empty table, and limits", test_empty },
		{ "random operations", test_random },
		{ "random operations and failures", test_random_failures },
		{ "each allocation fails", test_fail_each },
		{ "updates while the lock is let go", test_interfere },
		{ "readers that are overtaken", test_readers },
		{ "memory runs out during an update", test_exhausted },
		{ "leaves that are merged in part", test_partial_leaf },
		{ "updates of large trees", test_wide },
		{ "coarse updates allocate nothing", test_coarse },
		{ "one state takes one entry", test_uniform },
		{ "memory of 2 MiB frames", test_frames },
		{ "memory of the worst cases", test_worst },
		{ "memory after the worst case", test_recover },
	};
	unsigned int i, bad = 0;
	int opt;

	while ((opt = getopt(argc, argv, "r:s:")) != -1) {
		if (opt == 'r')
			rounds = strtoul(optarg, NULL, 0);
		else if (opt == 's')
			seed = strtoul(optarg, NULL, 0);
		else
			return 2;
	}

	setvbuf(stdout, NULL, _IOLBF, 0);
	shim_init();
	printf("TAP version 13\n1..%zu\n# seed %lu, %lu rounds\n",
	       ARRAY_SIZE(tests), seed, rounds);
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		const char *err = tests[i].func();

		if (err)
			printf("# %s\n", err);
		printf("%sok %u - %s\n", err ? "not " : "", i + 1,
		       tests[i].name);
		bad += !!err;
		if (err) {
			/* What is left over would disturb the next one. */
			rcu_test_quiesce();
			shim_bytes = 0;
			shim_allocs_left = -1;
			shim_nowait_fails = false;
			shim_block_hook = NULL;
			shim_read_hook = NULL;
		}
	}
	return bad ? 1 : 0;
}

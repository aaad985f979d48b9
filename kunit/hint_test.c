// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the argument checks of hmadvise(): a table with every rule,
 * the edges of the range, and random arguments against the rules said again.
 */
#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <uapi/linux/gmem.h>
#include <vdso/page.h>

#include "../hint.h"

#define HINT_LIMIT	((1UL << 47) - PAGE_SIZE)
#define HINT_FUZZ	200000

struct hint_args {
	const char *name;
	int hnid;
	unsigned long addr;
	size_t len;
	int advice;
	unsigned int flags;
	int ret;
	unsigned long end;	/* expected, when @ret is 0 */
};

#define HINT(_name, _hnid, _addr, _len, _advice, _flags, _ret, _end)	\
	{								\
		.name = _name, .hnid = _hnid, .addr = _addr,		\
		.len = _len, .advice = _advice, .flags = _flags,	\
		.ret = _ret, .end = _end,				\
	}
#define HINT_OK(name, hnid, addr, len, advice, end)	\
	HINT(name, hnid, addr, len, advice, 0, 0, end)
#define HINT_BAD(name, hnid, addr, len, advice, flags)	\
	HINT(name, hnid, addr, len, advice, flags, -EINVAL, 0)

static const struct hint_args hint_args[] = {
	HINT_OK("prefetch to a node", 0, SZ_1M, SZ_2M, HMADV_PREFETCH, SZ_1M * 3),
	HINT_OK("prefetch to any node", HMADV_NODE_ANY, SZ_1M, SZ_4K,
		HMADV_PREFETCH, SZ_1M + SZ_4K),
	HINT_OK("prefetch to a large id", INT_MAX, SZ_1M, SZ_4K, HMADV_PREFETCH,
		SZ_1M + SZ_4K),
	HINT_OK("discard", HMADV_NODE_ANY, SZ_1M, SZ_4K, HMADV_DISCARD,
		SZ_1M + SZ_4K),
	HINT_OK("length of zero", 0, SZ_1M, 0, HMADV_PREFETCH, SZ_1M),
	HINT_OK("length is rounded up", 0, SZ_1M, 1, HMADV_PREFETCH,
		SZ_1M + PAGE_SIZE),
	HINT_OK("a page less one", 0, SZ_1M, PAGE_SIZE - 1, HMADV_PREFETCH,
		SZ_1M + PAGE_SIZE),
	HINT_OK("a page and one", 0, SZ_1M, PAGE_SIZE + 1, HMADV_PREFETCH,
		SZ_1M + 2 * PAGE_SIZE),
	HINT_OK("address zero", 0, 0, PAGE_SIZE, HMADV_PREFETCH, PAGE_SIZE),
	HINT_OK("everything", 0, 0, HINT_LIMIT, HMADV_PREFETCH, HINT_LIMIT),
	HINT_OK("last page", 0, HINT_LIMIT - PAGE_SIZE, PAGE_SIZE,
		HMADV_PREFETCH, HINT_LIMIT),
	HINT_OK("last byte, rounded", 0, HINT_LIMIT - PAGE_SIZE, PAGE_SIZE - 1,
		HMADV_PREFETCH, HINT_LIMIT),
	HINT_OK("nothing at the end", 0, HINT_LIMIT, 0, HMADV_PREFETCH,
		HINT_LIMIT),

	HINT_BAD("a byte beyond the end", 0, HINT_LIMIT, 1, HMADV_PREFETCH, 0),
	HINT_BAD("a page that ends beyond", 0, HINT_LIMIT - PAGE_SIZE,
		 PAGE_SIZE + 1, HMADV_PREFETCH, 0),
	HINT_BAD("nothing beyond the end", 0, HINT_LIMIT + PAGE_SIZE, 0,
		 HMADV_PREFETCH, 0),
	HINT_BAD("wraps to zero", 0, -PAGE_SIZE, PAGE_SIZE, HMADV_PREFETCH, 0),
	HINT_BAD("wraps beyond zero", 0, -PAGE_SIZE, 2 * PAGE_SIZE,
		 HMADV_PREFETCH, 0),
	HINT_BAD("length of all ones", 0, SZ_1M, SIZE_MAX, HMADV_PREFETCH, 0),
	HINT_BAD("length of all ones at zero", 0, 0, SIZE_MAX, HMADV_PREFETCH, 0),
	HINT_BAD("last byte of all", 0, -PAGE_SIZE, PAGE_SIZE - 1,
		 HMADV_PREFETCH, 0),
	HINT_BAD("misaligned by one", 0, SZ_1M + 1, PAGE_SIZE, HMADV_PREFETCH, 0),
	HINT_BAD("misaligned by a page less one", 0, SZ_1M + PAGE_SIZE - 1,
		 PAGE_SIZE, HMADV_PREFETCH, 0),
	HINT_BAD("misaligned and empty", 0, SZ_1M + 8, 0, HMADV_PREFETCH, 0),
	HINT_BAD("node below any", HMADV_NODE_ANY - 1, SZ_1M, PAGE_SIZE,
		 HMADV_PREFETCH, 0),
	HINT_BAD("smallest node", INT_MIN, SZ_1M, PAGE_SIZE, HMADV_PREFETCH, 0),
	HINT_BAD("discard names a node", 0, SZ_1M, PAGE_SIZE, HMADV_DISCARD, 0),
	HINT_BAD("no advice", 0, SZ_1M, PAGE_SIZE, 0, 0),
	HINT_BAD("no advice, any node", HMADV_NODE_ANY, SZ_1M, PAGE_SIZE, 0, 0),
	HINT_BAD("next advice", HMADV_NODE_ANY, SZ_1M, PAGE_SIZE,
		 HMADV_DISCARD + 1, 0),
	HINT_BAD("negative advice", HMADV_NODE_ANY, SZ_1M, PAGE_SIZE, -1, 0),
	HINT_BAD("unknown flag", 0, SZ_1M, PAGE_SIZE, HMADV_PREFETCH, 1U << 2),
	HINT_BAD("last flag", 0, SZ_1M, PAGE_SIZE, HMADV_PREFETCH, 1U << 31),
	HINT_BAD("advice with a query", HMADV_NODE_ANY, 0, 0, HMADV_PREFETCH,
		 HMADV_FLAG_VERSION),
	HINT_BAD("query of a range", HMADV_NODE_ANY, SZ_1M, 0, 0,
		 HMADV_FLAG_VERSION),
	HINT_BAD("query with a length", HMADV_NODE_ANY, 0, 1, 0,
		 HMADV_FLAG_FEATURES),
	HINT_BAD("query of a node", 0, 0, 0, 0, HMADV_FLAG_FEATURES),
	HINT_BAD("both queries", HMADV_NODE_ANY, 0, 0, 0,
		 HMADV_FLAG_VERSION | HMADV_FLAG_FEATURES),
	HINT_BAD("query and unknown flag", HMADV_NODE_ANY, 0, 0, 0,
		 HMADV_FLAG_VERSION | 1U << 2),
	HINT_BAD("unknown query", HMADV_NODE_ANY, 0, 0, 0, 1U << 2),
};

static int hint_check(struct gm_hint *hint, const struct hint_args *args)
{
	return gm_hint_check(hint, args->hnid, args->addr, args->len,
			     args->advice, args->flags, HINT_LIMIT);
}

static void hint_test_table(struct kunit *test)
{
	const struct hint_args *args = test->param_value;
	struct gm_hint hint;

	KUNIT_ASSERT_EQ(test, hint_check(&hint, args), args->ret);
	if (args->ret)
		return;
	KUNIT_EXPECT_EQ(test, hint.query, -1);
	KUNIT_EXPECT_EQ(test, hint.hnid, args->hnid);
	KUNIT_EXPECT_EQ(test, hint.advice, args->advice);
	KUNIT_EXPECT_EQ(test, hint.start, args->addr);
	KUNIT_EXPECT_EQ(test, hint.end, args->end);
}

KUNIT_ARRAY_PARAM_DESC(hint_args, hint_args, name);

static void hint_test_query(struct kunit *test)
{
	struct gm_hint hint;

	KUNIT_EXPECT_EQ(test, 0, gm_hint_check(&hint, HMADV_NODE_ANY, 0, 0, 0,
					       HMADV_FLAG_VERSION, HINT_LIMIT));
	KUNIT_EXPECT_EQ(test, hint.query, HMADV_ABI_VERSION);
	KUNIT_EXPECT_EQ(test, 0, gm_hint_check(&hint, HMADV_NODE_ANY, 0, 0, 0,
					       HMADV_FLAG_FEATURES,
					       HINT_LIMIT));
	KUNIT_EXPECT_EQ(test, hint.query,
			1L << HMADV_PREFETCH | 1L << HMADV_DISCARD);
}

/* Exactly the advice that the features name is taken. */
static void hint_test_features(struct kunit *test)
{
	struct gm_hint hint;
	long features;
	int advice, ret;

	KUNIT_ASSERT_EQ(test, 0, gm_hint_check(&hint, HMADV_NODE_ANY, 0, 0, 0,
					       HMADV_FLAG_FEATURES,
					       HINT_LIMIT));
	features = hint.query;
	for (advice = 0; advice < 32; advice++) {
		ret = gm_hint_check(&hint, HMADV_NODE_ANY, 0, PAGE_SIZE, advice,
				    0, HINT_LIMIT);
		KUNIT_EXPECT_EQ(test, !ret, features >> advice & 1);
	}
}

/* The rules of the manual page, one after the other. */
static bool hint_allowed(const struct hint_args *args)
{
	if (args->flags)
		return (args->flags == HMADV_FLAG_VERSION ||
			args->flags == HMADV_FLAG_FEATURES) &&
		       args->hnid == -1 && args->addr == 0 && args->len == 0 &&
		       args->advice == 0;
	if (args->advice != 1 && args->advice != 2)
		return false;
	if (args->hnid < -1 || (args->advice == 2 && args->hnid != -1))
		return false;
	if (args->addr % PAGE_SIZE || args->addr > HINT_LIMIT)
		return false;
	return args->len <= HINT_LIMIT - args->addr;
}

/* Values near those where something changes, and now and then any. */
static unsigned long hint_random(struct rnd_state *rnd)
{
	static const unsigned long near[] = {
		0, 0, 0, PAGE_SIZE, SZ_1M, HINT_LIMIT, HINT_LIMIT - SZ_1M,
		LONG_MAX, -PAGE_SIZE, -SZ_1M,
	};
	u32 r = prandom_u32_state(rnd);
	unsigned long val = near[r % ARRAY_SIZE(near)];

	r = prandom_u32_state(rnd);
	if (r % 16 == 0)
		return (unsigned long)prandom_u32_state(rnd) << 32 |
		       prandom_u32_state(rnd);
	if (r % 4 == 0)
		return val + (r >> 8) % 5 - 2;
	return val + ((r >> 8) % 5 - 2UL) * PAGE_SIZE;
}

static void hint_test_random(struct kunit *test)
{
	unsigned int i, good = 0;
	struct rnd_state rnd;
	struct gm_hint hint;

	prandom_seed_state(&rnd, 7);
	for (i = 0; i < HINT_FUZZ; i++) {
		u32 r = prandom_u32_state(&rnd);
		struct hint_args args = {
			.hnid = (int)(r % 4) - 2,
			.addr = hint_random(&rnd),
			.len = hint_random(&rnd),
			.advice = (int)(r >> 4) % 5 - 1,
			.flags = (r >> 8) % 8 ? 0 : (r >> 12) % 5,
		};
		bool allowed;

		if (args.flags && (r >> 16) % 2)
			args = (struct hint_args){ .hnid = args.hnid,
						   .flags = args.flags };
		allowed = hint_allowed(&args);
		good += allowed;
		KUNIT_ASSERT_EQ_MSG(test, hint_check(&hint, &args),
				    allowed ? 0 : -EINVAL,
				    "hnid %d addr %lx len %zx advice %d flags %x",
				    args.hnid, args.addr, args.len, args.advice,
				    args.flags);
		if (!allowed || args.flags)
			continue;
		KUNIT_ASSERT_EQ(test, hint.end % PAGE_SIZE, 0);
		KUNIT_ASSERT_GE(test, hint.end, args.addr + args.len);
		KUNIT_ASSERT_LT(test, hint.end - args.addr - args.len,
				PAGE_SIZE);
		KUNIT_ASSERT_LE(test, hint.end, HINT_LIMIT);
	}
	/* Otherwise the arguments are badly chosen. */
	KUNIT_EXPECT_GT(test, good, HINT_FUZZ / 50);
}

static struct kunit_case hint_test_cases[] = {
	KUNIT_CASE_PARAM(hint_test_table, hint_args_gen_params),
	KUNIT_CASE(hint_test_query),
	KUNIT_CASE(hint_test_features),
	KUNIT_CASE(hint_test_random),
	{ }
};

static struct kunit_suite hint_test_suite = {
	.name = "gmem_hint",
	.test_cases = hint_test_cases,
};

kunit_test_suite(hint_test_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of the argument checks of hmadvise()");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of data that moves from one device to another: directly when the
 * driver can, by way of the host when it cannot or when that fails, and never
 * with a byte that is not the data.
 */
#include <linux/mman.h>
#include <linux/module.h>
#include <uapi/linux/gmem.h>

#include "../advice.h"
#include "../hint.h"
#include "device_fake.h"

#define PAGES(size)	((size) / PAGE_SIZE)

/**
 * struct peers - two devices at one address space
 * @from:	the one that has the data: that of each test
 * @to:		the other
 * @ctx:	context of @to
 */
struct peers {
	struct fake_dev *from;
	struct fake_dev to;
	struct gm_context *ctx;
};

struct peer_case {
	const char *name;
	bool huge;
};

static const struct peer_case peer_cases[] = {
	{ "base pages", false },
	{ "a huge page", true },
};

KUNIT_ARRAY_PARAM_DESC(peer_cases, peer_cases, name);

static void peer_start(struct kunit *test, struct peers *peers,
		       unsigned long vram_size)
{
	struct fake *fake = test->priv;

	*peers = (struct peers){ .from = &fake->dev };
	fake_attach(test);
	KUNIT_ASSERT_EQ(test, 0, fake_dev_start(test, &peers->to, &fake_mmu,
						vram_size));
	peers->to.copies_peers = true;
	peers->ctx = gm_as_attach(fake->as, peers->to.gm, GM_ATTACH_EXCLUSIVE,
				  NULL);
	if (IS_ERR(peers->ctx)) {
		fake_dev_stop(&peers->to);
		KUNIT_FAIL_AND_ABORT(test, "attach: %pe", peers->ctx);
	}
}

static void peer_stop(struct kunit *test, struct peers *peers)
{
	fake_expect_frames(test);
	gm_as_detach(peers->ctx);
	fake_dev_stop(&peers->to);
	KUNIT_EXPECT_EQ(test, atomic_read(&peers->to.bad), 0);
}

/* A block with a pattern that is on the first device, and mapped there. */
static unsigned long peer_block(struct kunit *test, struct peers *peers,
				bool huge, u32 seed)
{
	struct fake *fake = test->priv;
	unsigned long va = fake_mmap(test, GM_BLOCK_SIZE, huge);

	fake_fill(test, va, GM_BLOCK_SIZE, seed);
	fake_expect_device(test, fake->ctx, va, GM_BLOCK_SIZE, seed);
	KUNIT_EXPECT_EQ(test, fake_snapshot(fake->ctx, va,
					    GM_BLOCK_SIZE).device,
			GM_BLOCK_PAGES);
	return va;
}

static long peer_stat(const struct fake_dev *dev, enum gm_stat item)
{
	return gm_stat_read(&dev->gm->hnode->stats, item);
}

static void peer_expect_stats(struct kunit *test, struct peers *peers,
			      long direct, long home)
{
	KUNIT_EXPECT_EQ(test, peer_stat(&peers->to, GM_STAT_PAGES_PEER_IN),
			direct);
	KUNIT_EXPECT_EQ(test, peer_stat(peers->from, GM_STAT_PAGES_PEER_OUT),
			direct);
	KUNIT_EXPECT_EQ(test, peer_stat(peers->from, GM_STAT_PAGES_OUT), home);
}

/* All of it moves, nothing goes home, and the first device has no trace of it. */
static void peer_test_direct(struct kunit *test)
{
	const struct peer_case *param = test->param_value;
	struct fake *fake = test->priv;
	struct gm_fault fault;
	struct peers peers;
	unsigned long va;

	peer_start(test, &peers, FAKE_VRAM_SIZE);
	va = peer_block(test, &peers, param->huge, 1);
	peers.to.peer_ctx = fake->ctx;
	KUNIT_EXPECT_EQ(test, 0, fake_fault(peers.ctx, va + SZ_64K,
					    GM_PROT_WRITE, &fault));
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_MIGRATED);
	peer_expect_stats(test, &peers, GM_BLOCK_PAGES, 0);
	KUNIT_EXPECT_EQ(test, peer_stat(&peers.to, GM_STAT_PAGES_IN),
			GM_BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, fake_snapshot(fake->ctx, va,
					    GM_BLOCK_SIZE).pages, 0);
	KUNIT_EXPECT_EQ(test, fake_snapshot(peers.ctx, va,
					    GM_BLOCK_SIZE).device,
			GM_BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, fake_snapshot(peers.ctx, va, GM_BLOCK_SIZE).huge,
			param->huge ? GM_BLOCK_PAGES : 0);
	fake_expect_used(test, 0);
	/* What is left there is nobody's data. */
	memset(fake->dev.vram, 0xee, fake->dev.vram_size);
	fake_expect_device(test, peers.ctx, va, GM_BLOCK_SIZE, 1);
	fake_expect_cpu(test, va, GM_BLOCK_SIZE, 1);
	peer_stop(test, &peers);
}

/* Without the driver's consent it goes home, as ever. */
static void peer_test_refused(struct kunit *test)
{
	const struct peer_case *param = test->param_value;
	struct peers peers;
	unsigned long va;

	peer_start(test, &peers, FAKE_VRAM_SIZE);
	peers.to.copies_peers = false;
	va = peer_block(test, &peers, param->huge, 2);
	fake_expect_device(test, peers.ctx, va, GM_BLOCK_SIZE, 2);
	peer_expect_stats(test, &peers, 0, GM_BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, fake_used(&peers.to), GM_BLOCK_PAGES);
	fake_expect_used(test, 0);
	peer_stop(test, &peers);
}

/* A copy that fails moves nothing; then the data goes home. */
static void peer_test_copy_fails(struct kunit *test)
{
	const struct peer_case *param = test->param_value;
	struct peers peers;
	unsigned long va;

	peer_start(test, &peers, FAKE_VRAM_SIZE);
	peers.to.copy_error = -EIO;
	peers.to.copy_error_op = BIT(GM_COPY_FROM_PEER);
	va = peer_block(test, &peers, param->huge, 3);
	fake_expect_device(test, peers.ctx, va, GM_BLOCK_SIZE, 3);
	peer_expect_stats(test, &peers, 0, GM_BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, peer_stat(&peers.to, GM_STAT_COPY_FAILED), 1);
	KUNIT_EXPECT_EQ(test, fake_used(&peers.to), GM_BLOCK_PAGES);
	fake_expect_used(test, 0);
	peer_stop(test, &peers);
}

/* When every way is barred, the fault ends, and the data stays where it is. */
static void peer_test_all_fails(struct kunit *test)
{
	const struct peer_case *param = test->param_value;
	struct fake *fake = test->priv;
	struct gm_fault fault;
	struct peers peers;
	unsigned long va;

	peer_start(test, &peers, FAKE_VRAM_SIZE);
	va = peer_block(test, &peers, param->huge, 4);
	peers.to.copy_error = -EIO;
	peers.to.copy_error_op = BIT(GM_COPY_FROM_PEER);
	fake->dev.copy_error = -EIO;
	fake->dev.copy_error_op = BIT(GM_COPY_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, -EAGAIN, fake_fault(peers.ctx, va, GM_PROT_READ,
						  &fault));
	KUNIT_EXPECT_EQ(test, fake_used(&peers.to), 0);
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), GM_BLOCK_PAGES);
	fake_expect_frames(test);
	fake_expect_device(test, fake->ctx, va, GM_BLOCK_SIZE, 4);

	peers.to.copy_error = 0;
	fake_expect_device(test, peers.ctx, va, GM_BLOCK_SIZE, 4);
	peer_expect_stats(test, &peers, GM_BLOCK_PAGES, 0);
	peer_stop(test, &peers);
}

/* A huge page comes in pieces when there is no frame for a whole one. */
static void peer_test_split(struct kunit *test)
{
	unsigned long va, filler, end, at;
	struct peers peers;

	/* Of two blocks of memory, both in use a little. */
	peer_start(test, &peers, 2 * GM_BLOCK_SIZE);
	filler = fake_mmap(test, 2 * GM_BLOCK_SIZE, false);
	end = filler + GM_BLOCK_SIZE + SZ_64K;
	fake_fill(test, filler, end - filler, 5);
	fake_expect_device(test, peers.ctx, filler, end - filler, 5);
	/* Backwards: who goes forward gets more than he reads. */
	for (at = SZ_1M; at; at -= SZ_64K)
		fake_expect_cpu(test, filler + at - SZ_64K, SZ_64K, 5);
	KUNIT_EXPECT_EQ(test, fake_used(&peers.to), PAGES(SZ_1M + SZ_64K));

	va = peer_block(test, &peers, true, 6);
	fake_expect_device(test, peers.ctx, va, GM_BLOCK_SIZE, 6);
	peer_expect_stats(test, &peers, GM_BLOCK_PAGES, 0);
	KUNIT_EXPECT_EQ(test, fake_snapshot(peers.ctx, va, GM_BLOCK_SIZE).huge,
			0);
	fake_expect_used(test, 0);
	fake_expect_device(test, peers.ctx, filler + SZ_1M,
			   end - filler - SZ_1M, 5);
	peer_stop(test, &peers);
}

/* With no room here it goes home and is used in place. */
static void peer_test_full(struct kunit *test)
{
	const struct peer_case *param = test->param_value;
	unsigned long va, filler;
	struct gm_fault fault;
	struct peers peers;

	peer_start(test, &peers, GM_BLOCK_SIZE);
	filler = fake_mmap(test, GM_BLOCK_SIZE, true);
	fake_fill(test, filler, GM_BLOCK_SIZE, 7);
	fake_expect_device(test, peers.ctx, filler, GM_BLOCK_SIZE, 7);
	va = peer_block(test, &peers, param->huge, 8);
	KUNIT_EXPECT_EQ(test, 0, fake_fault(peers.ctx, va, GM_PROT_WRITE,
					    &fault));
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_INPLACE);
	peer_expect_stats(test, &peers, 0, GM_BLOCK_PAGES);
	fake_expect_device(test, peers.ctx, va, GM_BLOCK_SIZE, 8);
	peer_stop(test, &peers);
}

/* Part on the one device, part on the other, part on the host, part nowhere. */
static void peer_test_mixed(struct kunit *test)
{
	const unsigned long quarter = GM_BLOCK_SIZE / 4;
	struct fake *fake = test->priv;
	struct gm_hint hint = { .advice = HMADV_PREFETCH };
	struct peers peers;
	unsigned long va;

	peer_start(test, &peers, FAKE_VRAM_SIZE);
	va = fake_mmap(test, GM_BLOCK_SIZE, false);
	fake_fill(test, va, 3 * quarter, 9);
	hint.hnid = fake->dev.hnid;
	hint.start = va;
	hint.end = va + quarter;
	KUNIT_EXPECT_EQ(test, gm_advise(&hint), quarter);
	hint.hnid = peers.to.hnid;
	hint.start = va + quarter;
	hint.end = va + 2 * quarter;
	KUNIT_EXPECT_EQ(test, gm_advise(&hint), quarter);

	hint.start = va;
	hint.end = va + GM_BLOCK_SIZE;
	KUNIT_EXPECT_EQ(test, gm_advise(&hint), GM_BLOCK_SIZE);
	peer_expect_stats(test, &peers, PAGES(quarter), 0);
	KUNIT_EXPECT_EQ(test, peer_stat(&peers.to, GM_STAT_PAGES_OUT), 0);
	KUNIT_EXPECT_EQ(test, fake_used(&peers.to), PAGES(3 * quarter));
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), 0);
	KUNIT_EXPECT_EQ(test, fake_snapshot(peers.ctx, va,
					    GM_BLOCK_SIZE).device,
			PAGES(3 * quarter));
	fake_expect_device(test, peers.ctx, va, 3 * quarter, 9);
	peer_stop(test, &peers);
}

/* Nothing is read from a device that is lost. */
static void peer_test_lost(struct kunit *test)
{
	const struct peer_case *param = test->param_value;
	struct fake *fake = test->priv;
	struct gm_fault fault;
	struct peers peers;
	unsigned long va;

	peer_start(test, &peers, FAKE_VRAM_SIZE);
	va = peer_block(test, &peers, param->huge, 10);
	gm_dev_mark_lost(fake->dev.gm);
	KUNIT_EXPECT_EQ(test, -EAGAIN, fake_fault(peers.ctx, va, GM_PROT_READ,
						  &fault));
	peer_expect_stats(test, &peers, 0, 0);
	KUNIT_EXPECT_EQ(test, fake_used(&peers.to), 0);
	fake_dev_stop(&fake->dev);
	KUNIT_EXPECT_EQ(test, -EFAULT, fake_touch(va));
	KUNIT_EXPECT_EQ(test, -EIO, fake_fault(peers.ctx, va, GM_PROT_READ,
					       &fault));
	peer_stop(test, &peers);
}

/* A device that is lost in the middle: what was read may be anything. */
static void peer_test_vanishes(struct kunit *test)
{
	const struct peer_case *param = test->param_value;
	struct fake *fake = test->priv;
	struct gm_fault fault;
	struct peers peers;
	unsigned long va;

	peer_start(test, &peers, FAKE_VRAM_SIZE);
	va = peer_block(test, &peers, param->huge, 11);
	peers.to.peer_vanishes = true;
	KUNIT_EXPECT_EQ(test, -EAGAIN, fake_fault(peers.ctx, va, GM_PROT_READ,
						  &fault));
	peer_expect_stats(test, &peers, 0, 0);
	KUNIT_EXPECT_EQ(test, fake_used(&peers.to), 0);
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), GM_BLOCK_PAGES);
	fake_dev_stop(&fake->dev);
	KUNIT_EXPECT_EQ(test, -EFAULT, fake_touch(va));
	peer_stop(test, &peers);
}

/* Other address spaces that cover the same memory hear of it. */
static void peer_test_other_as(struct kunit *test)
{
	const struct peer_case *param = test->param_value;
	struct fake *fake = test->priv;
	struct gm_context *ctx;
	struct gm_lpt_run run;
	struct peers peers;
	struct gm_as *as;
	unsigned long va;

	peer_start(test, &peers, FAKE_VRAM_SIZE);
	va = fake_mmap(test, GM_BLOCK_SIZE, param->huge);
	fake_fill(test, va, GM_BLOCK_SIZE, 12);
	as = gm_as_create(current->mm, va, va + GM_BLOCK_SIZE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, as);
	ctx = gm_as_attach(as, fake->dev.gm, GM_ATTACH_EXCLUSIVE, NULL);
	gm_as_destroy(as);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx);

	fake_expect_device(test, ctx, va, GM_BLOCK_SIZE, 12);
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), GM_BLOCK_PAGES);
	/* Here nothing is recorded yet: it is found in the page table. */
	fake_expect_device(test, peers.ctx, va, GM_BLOCK_SIZE, 12);
	peer_expect_stats(test, &peers, GM_BLOCK_PAGES, 0);
	KUNIT_EXPECT_EQ(test, fake_snapshot(ctx, va, GM_BLOCK_SIZE).pages, 0);
	KUNIT_EXPECT_TRUE(test, gm_lpt_find(&ctx->as->lpt, PHYS_PFN(va),
					    PHYS_PFN(va) + GM_BLOCK_PAGES,
					    &run));
	KUNIT_EXPECT_EQ(test, run.end - run.start, GM_BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, run.state.res,
			gm_hnode_res(peers.to.gm->hnode));
	KUNIT_EXPECT_EQ(test, run.state.flags & GM_LPT_INEXACT, 0);
	gm_as_detach(ctx);
	peer_stop(test, &peers);
}

static struct kunit_case peer_test_cases[] = {
	KUNIT_CASE_PARAM(peer_test_direct, peer_cases_gen_params),
	KUNIT_CASE_PARAM(peer_test_refused, peer_cases_gen_params),
	KUNIT_CASE_PARAM(peer_test_copy_fails, peer_cases_gen_params),
	KUNIT_CASE_PARAM(peer_test_all_fails, peer_cases_gen_params),
	KUNIT_CASE(peer_test_split),
	KUNIT_CASE_PARAM(peer_test_full, peer_cases_gen_params),
	KUNIT_CASE(peer_test_mixed),
	KUNIT_CASE_PARAM(peer_test_lost, peer_cases_gen_params),
	KUNIT_CASE_PARAM(peer_test_vanishes, peer_cases_gen_params),
	KUNIT_CASE_PARAM(peer_test_other_as, peer_cases_gen_params),
	{ }
};

static struct kunit_suite peer_test_suite = {
	.name = "gmem_device_peer",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = peer_test_cases,
};

kunit_test_suite(peer_test_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of GMEM data that moves between devices");

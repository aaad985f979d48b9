// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the frame allocator, on an hnode that is nothing else: no
 * device, no struct pages. Frames are numbers here.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "../internal.h"

#define FRAMES_BLOCKS	8UL
#define FRAMES_PAGES	(FRAMES_BLOCKS * GM_BLOCK_PAGES)
#define FRAMES_BASE	0x12345200UL	/* a multiple of GM_BLOCK_PAGES */
#define FRAMES_STEPS	20000

/**
 * struct frames_fixture - an hnode and a naive model of it
 * @hnode:	hnode
 * @model:	pages in use
 * @pfns:	room for the answers of the allocator
 */
struct frames_fixture {
	struct gm_hnode hnode;
	DECLARE_BITMAP(model, FRAMES_PAGES);
	unsigned long pfns[GM_BLOCK_PAGES];
};

static int frames_test_init(struct kunit *test)
{
	struct frames_fixture *fix = kvzalloc_obj(*fix);
	int ret;

	if (!fix)
		return -ENOMEM;
	fix->hnode.nr_pages = FRAMES_PAGES;
	fix->hnode.base_pfn = FRAMES_BASE;
	ret = gm_frames_init(&fix->hnode);
	if (ret) {
		kvfree(fix);
		return ret;
	}
	test->priv = fix;
	return 0;
}

/* What gpu_buddy has, and what is kept of it, is everything. */
static void frames_expect_balance(struct kunit *test, struct gm_hnode *hnode)
{
	unsigned long i, ours = 0, used = 0;

	for (i = 0; i < FRAMES_BLOCKS; i++) {
		ours += !!hnode->chunks[i].block;
		used += hnode->chunks[i].used;
		KUNIT_EXPECT_EQ(test, hnode->chunks[i].used,
				bitmap_weight(hnode->chunks[i].bitmap,
					      GM_BLOCK_PAGES));
	}
	KUNIT_EXPECT_EQ(test, hnode->used, used);
	KUNIT_EXPECT_EQ(test, hnode->buddy.avail + ours * GM_BLOCK_SIZE,
			FRAMES_BLOCKS * GM_BLOCK_SIZE);
	/* A chunk is on the list that fits it. */
	KUNIT_EXPECT_LE(test, list_count_nodes(&hnode->empty) +
			      list_count_nodes(&hnode->partial), ours);
	for (i = 0; i < FRAMES_BLOCKS; i++) {
		struct gm_chunk *chunk = &hnode->chunks[i];
		bool full = chunk->used == GM_BLOCK_PAGES;

		KUNIT_EXPECT_EQ(test, list_empty(&chunk->link),
				full || !chunk->block);
	}
}

static void frames_test_exit(struct kunit *test)
{
	struct frames_fixture *fix = test->priv;
	unsigned long i;

	if (!fix)
		return;
	/* What a failed test left behind is no second failure. */
	for_each_set_bit(i, fix->model, FRAMES_PAGES)
		gm_frames_free(&fix->hnode, FRAMES_BASE + i, 0);
	KUNIT_EXPECT_EQ(test, fix->hnode.used, 0);
	frames_expect_balance(test, &fix->hnode);
	gm_frames_exit(&fix->hnode);
	kvfree(fix);
}

static void frames_model_set(struct kunit *test, unsigned long pfn,
			     unsigned long nr)
{
	struct frames_fixture *fix = test->priv;
	unsigned long first = pfn - FRAMES_BASE;

	KUNIT_ASSERT_GE(test, pfn, FRAMES_BASE);
	KUNIT_ASSERT_LE(test, first + nr, FRAMES_PAGES);
	/* Nobody gets what somebody else has. */
	KUNIT_ASSERT_GE(test, find_next_bit(fix->model, first + nr, first),
			first + nr);
	bitmap_set(fix->model, first, nr);
}

static bool frames_alloc_block(struct kunit *test, unsigned long *pfn)
{
	struct frames_fixture *fix = test->priv;

	if (!gm_frames_alloc_block(&fix->hnode, pfn))
		return false;
	KUNIT_EXPECT_EQ(test, (*pfn - FRAMES_BASE) % GM_BLOCK_PAGES, 0);
	frames_model_set(test, *pfn, GM_BLOCK_PAGES);
	return true;
}

static unsigned long frames_alloc_pages(struct kunit *test, unsigned long nr)
{
	struct frames_fixture *fix = test->priv;
	unsigned long i, got;

	got = gm_frames_alloc_pages(&fix->hnode, fix->pfns, nr);
	KUNIT_ASSERT_LE(test, got, nr);
	for (i = 0; i < got; i++)
		frames_model_set(test, fix->pfns[i], 1);
	return got;
}

static void frames_free(struct kunit *test, unsigned long pfn,
			unsigned int order)
{
	struct frames_fixture *fix = test->priv;

	bitmap_clear(fix->model, pfn - FRAMES_BASE, 1UL << order);
	gm_frames_free(&fix->hnode, pfn, order);
}

static void frames_expect_model(struct kunit *test)
{
	struct frames_fixture *fix = test->priv;
	unsigned long i, wrong = 0;

	for (i = 0; i < FRAMES_PAGES; i++)
		wrong += gm_frames_used(&fix->hnode, FRAMES_BASE + i) !=
			 test_bit(i, fix->model);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, fix->hnode.used,
			bitmap_weight(fix->model, FRAMES_PAGES));
	frames_expect_balance(test, &fix->hnode);
}

static void frames_test_blocks(struct kunit *test)
{
	struct frames_fixture *fix = test->priv;
	unsigned long i, pfn, last = 0;

	for (i = 0; i < FRAMES_BLOCKS; i++) {
		KUNIT_ASSERT_TRUE(test, frames_alloc_block(test, &last));
		KUNIT_EXPECT_EQ(test, fix->hnode.used,
				(i + 1) * GM_BLOCK_PAGES);
	}
	KUNIT_EXPECT_EQ(test, 0, gm_stat_read(&fix->hnode.stats,
					      GM_STAT_ALLOC_FAILED));
	/* Full: neither kind, and it is counted. */
	KUNIT_EXPECT_FALSE(test, frames_alloc_block(test, &pfn));
	KUNIT_EXPECT_EQ(test, frames_alloc_pages(test, 1), 0);
	KUNIT_EXPECT_EQ(test, 2, gm_stat_read(&fix->hnode.stats,
					      GM_STAT_ALLOC_FAILED));
	frames_expect_model(test);

	/* The only one that is free is the one to get. */
	frames_free(test, last, GM_BLOCK_ORDER);
	KUNIT_ASSERT_TRUE(test, frames_alloc_block(test, &pfn));
	KUNIT_EXPECT_EQ(test, pfn, last);
}

static void frames_test_pages(struct kunit *test)
{
	struct frames_fixture *fix = test->priv;
	unsigned long pfn, got = 0;

	while (got + 100 <= FRAMES_PAGES) {
		KUNIT_ASSERT_EQ(test, frames_alloc_pages(test, 100), 100);
		got += 100;
	}
	/* Some, but not all that were asked for. */
	KUNIT_EXPECT_EQ(test, frames_alloc_pages(test, 100),
			FRAMES_PAGES - got);
	KUNIT_EXPECT_EQ(test, fix->hnode.used, FRAMES_PAGES);
	KUNIT_EXPECT_EQ(test, 1, gm_stat_read(&fix->hnode.stats,
					      GM_STAT_ALLOC_FAILED));
	frames_expect_model(test);

	/* 511 free pages of a chunk and one of another are no block. */
	for (pfn = FRAMES_BASE + 1; pfn <= FRAMES_BASE + GM_BLOCK_PAGES; pfn++)
		frames_free(test, pfn, 0);
	KUNIT_EXPECT_FALSE(test, frames_alloc_block(test, &pfn));
	frames_free(test, FRAMES_BASE, 0);
	KUNIT_ASSERT_TRUE(test, frames_alloc_block(test, &pfn));
	KUNIT_EXPECT_EQ(test, pfn, FRAMES_BASE);
	KUNIT_EXPECT_EQ(test, frames_alloc_pages(test, 2), 1);
	KUNIT_EXPECT_EQ(test, fix->pfns[0], FRAMES_BASE + GM_BLOCK_PAGES);
}

/* A block that core mm splits is freed in pieces, in any order and size. */
static void frames_test_pieces(struct kunit *test)
{
	struct frames_fixture *fix = test->priv;
	unsigned long pfn, i;

	KUNIT_ASSERT_TRUE(test, frames_alloc_block(test, &pfn));
	frames_free(test, pfn + 256, 8);
	KUNIT_EXPECT_EQ(test, fix->hnode.used, 256);
	frames_free(test, pfn + 1, 0);
	frames_free(test, pfn + 64, 6);
	frames_expect_model(test);

	/* The pieces that are free serve pages, before another block does. */
	KUNIT_EXPECT_EQ(test, frames_alloc_pages(test, 10), 10);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, (fix->pfns[i] - FRAMES_BASE) /
				      GM_BLOCK_PAGES,
				(pfn - FRAMES_BASE) / GM_BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, fix->pfns[0], pfn + 1);
	frames_expect_model(test);
}

/* A whole block of single pages is contiguous if it can be. */
static void frames_test_contiguous(struct kunit *test)
{
	struct frames_fixture *fix = test->priv;
	unsigned long i, broken = 0;

	KUNIT_ASSERT_EQ(test, frames_alloc_pages(test, 1), 1);
	KUNIT_ASSERT_EQ(test, frames_alloc_pages(test, GM_BLOCK_PAGES),
			GM_BLOCK_PAGES);
	for (i = 0; i < GM_BLOCK_PAGES; i++)
		broken += fix->pfns[i] != fix->pfns[0] + i;
	KUNIT_EXPECT_EQ(test, broken, 0);
	KUNIT_EXPECT_EQ(test, (fix->pfns[0] - FRAMES_BASE) % GM_BLOCK_PAGES, 0);
}

static void frames_test_close(struct kunit *test)
{
	struct frames_fixture *fix = test->priv;
	unsigned long block, page, pfn;

	KUNIT_ASSERT_TRUE(test, frames_alloc_block(test, &block));
	KUNIT_ASSERT_EQ(test, frames_alloc_pages(test, 1), 1);
	page = fix->pfns[0];
	KUNIT_ASSERT_TRUE(test, frames_alloc_block(test, &pfn));
	frames_free(test, pfn, GM_BLOCK_ORDER);

	/* Neither from what is kept nor from gpu_buddy. */
	gm_frames_close(&fix->hnode);
	KUNIT_EXPECT_FALSE(test, frames_alloc_block(test, &pfn));
	KUNIT_EXPECT_EQ(test, frames_alloc_pages(test, 1), 0);
	KUNIT_EXPECT_EQ(test, frames_alloc_pages(test, GM_BLOCK_PAGES), 0);
	frames_expect_model(test);

	/* Freeing goes on. */
	frames_free(test, block, GM_BLOCK_ORDER);
	frames_free(test, page, 0);
	KUNIT_EXPECT_EQ(test, fix->hnode.used, 0);
	KUNIT_EXPECT_FALSE(test, frames_alloc_block(test, &pfn));
	frames_expect_model(test);
}

static unsigned long frames_free_blocks(const struct frames_fixture *fix)
{
	unsigned long i, nr = 0;

	for (i = 0; i < FRAMES_PAGES; i += GM_BLOCK_PAGES)
		nr += find_next_bit(fix->model, i + GM_BLOCK_PAGES, i) >=
		      i + GM_BLOCK_PAGES;
	return nr;
}

/* Frees some of what is in use: the largest aligned piece, or less. */
static void frames_free_random(struct kunit *test, struct rnd_state *rnd)
{
	struct frames_fixture *fix = test->priv;
	unsigned int order = prandom_u32_state(rnd) % (GM_BLOCK_ORDER + 1);
	unsigned long at = prandom_u32_state(rnd) % FRAMES_PAGES;

	at = find_next_bit(fix->model, FRAMES_PAGES, at);
	if (at == FRAMES_PAGES)
		return;
	for (;; order--) {
		unsigned long first = round_down(at, 1UL << order);

		if (find_next_zero_bit(fix->model, first + (1UL << order),
				       first) < first + (1UL << order))
			continue;
		frames_free(test, FRAMES_BASE + first, order);
		return;
	}
}

static void frames_test_random(struct kunit *test)
{
	struct frames_fixture *fix = test->priv;
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, 11);
	for (i = 0; i < FRAMES_STEPS; i++) {
		unsigned long room = FRAMES_PAGES - fix->hnode.used;
		u32 r = prandom_u32_state(&rnd);
		unsigned long pfn, nr;

		/* Filling and draining in turns. */
		if (r % 8 < (i / 500 % 2 ? 6 : 3)) {
			frames_free_random(test, &rnd);
		} else if (r & 0x100) {
			bool some = frames_free_blocks(fix);

			KUNIT_ASSERT_EQ(test, frames_alloc_block(test, &pfn),
					some);
		} else {
			nr = r & 0x200 ? GM_BLOCK_PAGES :
					 (r >> 16) % GM_BLOCK_PAGES + 1;
			KUNIT_ASSERT_EQ(test, frames_alloc_pages(test, nr),
					min(nr, room));
		}
		KUNIT_ASSERT_EQ(test, fix->hnode.used,
				bitmap_weight(fix->model, FRAMES_PAGES));
		if (i % 100 == 0)
			frames_expect_model(test);
	}
}

static struct kunit_case frames_test_cases[] = {
	KUNIT_CASE(frames_test_blocks),
	KUNIT_CASE(frames_test_pages),
	KUNIT_CASE(frames_test_pieces),
	KUNIT_CASE(frames_test_contiguous),
	KUNIT_CASE(frames_test_close),
	KUNIT_CASE_SLOW(frames_test_random),
	{ }
};

static struct kunit_suite frames_test_suite = {
	.name = "gmem_frames",
	.init = frames_test_init,
	.exit = frames_test_exit,
	.test_cases = frames_test_cases,
};

kunit_test_suite(frames_test_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of the GMEM frame allocator");

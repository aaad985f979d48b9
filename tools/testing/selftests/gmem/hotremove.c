// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host memory is taken away from under data that devices use in place, or that
 * moves there and back meanwhile.
 *
 * Boot with movablecore=1G: what a process allocates can be moved then, so that
 * its memory can always be taken away.
 */
#include <errno.h>

#include "gmem_exercise.h"
#include "gmem_sizes.h"
#include "gmem_worker.h"

#define MEMORY		"/sys/devices/system/memory/"

static unsigned long block_size(void)
{
	char text[64];

	if (gt_read_file(MEMORY "block_size_bytes", text, sizeof(text)))
		return 0;
	return strtoul(text, NULL, 16);
}

/* More than the guest has. */
#define MAX_BLOCKS	4096

/* The block that holds what the CPU has at an address, or -1. */
static int block_of(const void *va)
{
	__u64 pfn = gt_pfn(va), block = pfn * GT_PAGE / block_size();

	return pfn && block < MAX_BLOCKS ? (int)block : -1;
}

static int set_state(int block, const char *state)
{
	char path[128];
	int ret;

	snprintf(path, sizeof(path), MEMORY "memory%d/state", block);
	ret = gt_write_file(path, state);
	return ret < 0 ? ret : 0;
}

/* Takes a block away; somebody may just be busy with a page of it. */
static int offline(int block)
{
	int i, ret = 0;

	for (i = 0; i < 20; i++) {
		ret = set_state(block, "offline");
		if (ret != -EBUSY)
			break;
		usleep(20000);
	}
	return ret;
}

static int online(int block)
{
	return set_state(block, "online_movable");
}

/*
 * The blocks that can be taken away as long as no device is involved: into some the
 * kernel may have put something of its own early on.
 */
static bool removable[MAX_BLOCKS];

static int find_removable(void)
{
	char path[128], text[64];
	int i, nr = 0;

	for (i = 0; i < MAX_BLOCKS; i++) {
		snprintf(path, sizeof(path), MEMORY "memory%d/valid_zones", i);
		if (gt_read_file(path, text, sizeof(text)) ||
		    strncmp(text, "Movable", 7))
			continue;
		removable[i] = !offline(i) && !online(i);
		nr += removable[i];
	}
	return nr;
}

/*
 * Memory with pattern 1 in such a block. What lies in another one is kept, so that
 * the next piece does not.
 */
static char *make(struct __test_metadata *_metadata, bool huge)
{
	char *buf;
	int i;

	ASSERT_LT(1, find_removable());
	for (i = 0; i < 256; i++) {
		buf = gt_alloc(GT_HUGE, huge);
		ASSERT_NE(NULL, buf);
		gt_pattern(buf, GT_HUGE, 1);
		ASSERT_LE(0, block_of(buf));
		if (removable[block_of(buf)])
			return buf;
	}
	ASSERT_TRUE(false) TH_LOG("no memory in a removable block");
	return NULL;
}

/* The data is at another place, and nobody has noticed. */
GT_TEST(in_place)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, variant->huge);
	int block = block_of(buf);
	unsigned int i;

	for (i = 0; i < self->nr; i++)
		ASSERT_EQ(0, touch_at(&self->dev[i], buf, GT_HUGE, true, true));
	ASSERT_EQ(block, block_of(buf));

	ASSERT_EQ(0, offline(block)) TH_LOG("block %d", block);
	EXPECT_NE(block, block_of(buf));
	for (i = 0; i < self->nr; i++)
		EXPECT_EQ(0, gt_translated(&self->dev[i], buf, GT_HUGE));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, GT_HUGE, 1));
	EXPECT_EQ(-1, gt_pattern_bad(buf, GT_HUGE, 1));
	exercise(_metadata, self, buf, GT_HUGE, 10);
	EXPECT_EQ(0, online(block));
	gt_free(buf, GT_HUGE);
}

/*
 * The data is on a device: the block from which it came has nothing of it, and
 * it comes home to another one.
 */
GT_TEST(resident)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, variant->huge);
	int block = block_of(buf);

	ASSERT_TRUE(bring(dev, buf, GT_HUGE));

	ASSERT_EQ(0, offline(block)) TH_LOG("block %d", block);
	EXPECT_TRUE(gt_all_on(buf, GT_HUGE, dev->hnid));
	EXPECT_EQ(-1, gt_pattern_bad(buf, GT_HUGE, 1));
	exercise(_metadata, self, buf, GT_HUGE, 10);
	EXPECT_EQ(0, online(block));
	gt_free(buf, GT_HUGE);
}

/* Devices fault all the time, and bring the data there and back. */
GT_TEST(at_work)
{
	struct board *board = make_board();
	struct worker w[2];
	unsigned int i;
	int block, done = 0;

	ASSERT_NE(NULL, board);
	/* The workers' memory comes from the same block or the next. */
	make(_metadata, variant->huge);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, start_worker(&w[i], &self->dev[i % self->nr], board,
					  variant->huge, false));
	for (i = 0; i < 100 && done < 3; i++) {
		EXPECT_TRUE(wait_steps(board, 3));
		/* At home now, for a moment. */
		gt_load(w[i % 2].buf);
		block = block_of(w[i % 2].buf);
		if (block < 0 || !removable[block])
			continue;
		ASSERT_EQ(0, offline(block)) TH_LOG("block %d", block);
		EXPECT_TRUE(wait_steps(board, 3));
		EXPECT_EQ(0, online(block));
		done++;
	}
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, stop_worker(&w[i]));
		EXPECT_EQ(-1, bad_block(w[i].buf));
		gt_free(w[i].buf, LEN);
	}
	EXPECT_EQ(3, done);
}

TEST_HARNESS_MAIN

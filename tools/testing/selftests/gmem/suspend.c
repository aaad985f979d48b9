// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine is suspended, as deep as a kernel goes without firmware, while
 * devices hold data and work: afterwards they go on, and everything is there.
 * It does not hibernate as long as there is a device with memory.
 */
#include <errno.h>

#include "gmem_exercise.h"
#include "gmem_worker.h"

#define PM_STATE	"/sys/power/state"
#define PM_TEST		"/sys/power/pm_test"
#define PM_TEST_DELAY	"/sys/module/suspend/parameters/pm_test_delay"
#define PM_SUCCESS	"/sys/power/suspend_stats/success"

FIXTURE_VARIANT(gmem)
{
	/* How far the kernel goes: one of pm_test. */
	const char *level;
};

FIXTURE_VARIANT_ADD(gmem, freezer)
{
	.level = "freezer",
};

FIXTURE_VARIANT_ADD(gmem, devices)
{
	.level = "devices",
};

FIXTURE_VARIANT_ADD(gmem, platform)
{
	.level = "platform",
};

/* There and back. Work that is under way may keep the kernel from it at first. */
static int suspend(const char *level)
{
	struct setting test, delay;
	int i, ret;

	ret = setting_set(&test, PM_TEST, level);
	if (ret)
		return ret;
	ret = setting_set(&delay, PM_TEST_DELAY, "1");
	if (!ret) {
		for (i = 0; i < 5; i++) {
			ret = gt_write_file(PM_STATE, "freeze");
			if (ret != -EBUSY)
				break;
			usleep(10000);
		}
		setting_restore(&delay);
	}
	setting_restore(&test);
	return ret;
}

static long nr_suspends(void)
{
	char text[32];

	return gt_read_file(PM_SUCCESS, text, sizeof(text)) ? -1 : atol(text);
}

/* Data on the device, in both page sizes, and data in place; nobody works. */
GT_TEST(resident)
{
	long before = nr_suspends();
	char *buf[3];
	size_t i;

	for (i = 0; i < 3; i++) {
		buf[i] = gt_alloc(LEN, i == 0);
		ASSERT_NE(NULL, buf[i]);
		gt_pattern(buf[i], LEN, i + 1);
	}
	ASSERT_TRUE(bring(&self->dev[0], buf[0], LEN));
	ASSERT_TRUE(bring(&self->dev[self->nr - 1], buf[1], LEN));
	ASSERT_EQ(0, touch_at(&self->dev[0], buf[2], LEN, true, true));

	ASSERT_EQ(0, suspend(variant->level));
	EXPECT_EQ(before + 1, nr_suspends());
	EXPECT_TRUE(gt_all_on(buf[0], LEN, self->dev[0].hnid));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, gt_dev_pattern(&self->dev[0], buf[i], LEN, i + 1));
		EXPECT_EQ(-1, gt_pattern_bad(buf[i], LEN, i + 1));
		exercise(_metadata, self, buf[i], LEN, 10);
		gt_free(buf[i], LEN);
	}
}

/* What a worker does, but a freeze ends an access early, as a signal would. */
static void *work_on(void *arg)
{
	struct worker *w = arg;
	size_t off;

	while (!gt_load(&w->stop) && !w->error) {
		for (off = 0; off < LEN && !w->error; off += GT_HUGE) {
			w->error = gt_dev_pattern(w->dev, w->buf + off, GT_HUGE,
						  1 + off);
			if (w->error == -EINTR || w->error == -EAGAIN)
				w->error = 0;
			gt_add(&w->board->steps, 1);
		}
		gt_hmadvise(HMADV_NODE_ANY, w->buf, LEN, HMADV_PREFETCH, 0);
	}
	return NULL;
}

/* Faults both ways are under way all the time. */
GT_TEST(at_work)
{
	struct board *board = make_board();
	struct worker w[2] = { };
	unsigned int i;

	ASSERT_NE(NULL, board);
	for (i = 0; i < 2; i++) {
		w[i].dev = &self->dev[i % self->nr];
		w[i].board = board;
		w[i].buf = gt_alloc(LEN, i);
		ASSERT_NE(NULL, w[i].buf);
		fill_blocks(w[i].buf);
		ASSERT_EQ(0, pthread_create(&w[i].thread, NULL, work_on, &w[i]));
	}
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(wait_steps(board, 5));
		EXPECT_EQ(0, suspend(variant->level));
	}
	EXPECT_TRUE(wait_steps(board, 5));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, stop_worker(&w[i]));
		EXPECT_EQ(-1, bad_block(w[i].buf));
		gt_free(w[i].buf, LEN);
	}
}

/* The DMA engine and its interrupt work as before. */
GT_TEST(engine)
{
	struct gt_dev *dev = &self->dev[0];
	struct gmem_mock_stats before, after;
	char *buf = gt_alloc(GT_HUGE, false);
	size_t len = 2 * GT_PAGE;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, len, 1);
	ASSERT_TRUE(bring(dev, buf, len));
	ASSERT_EQ(0, suspend(variant->level));
	ASSERT_EQ(0, gt_set_engine("edu"));
	ASSERT_EQ(0, gt_stats(dev, &before));
	EXPECT_EQ(-1, gt_pattern_bad(buf, len, 1));
	ASSERT_EQ(0, gt_stats(dev, &after));
	ASSERT_EQ(0, gt_set_engine("cpu"));
	EXPECT_LT(before.edu_irqs, after.edu_irqs);
	EXPECT_EQ(before.edu_timeouts, after.edu_timeouts);
	EXPECT_LE(before.edu_bytes + len, after.edu_bytes);
	gt_free(buf, GT_HUGE);
}

/* The test of a hibernation makes room for an image, of this many bytes or of all. */
#define PM_IMAGE_SIZE	"/sys/power/image_size"
#define PM_DRIVER	"/sys/bus/pci/drivers/gmem-mock/"

/* As far as the freezer, then back. */
static int hibernate(void)
{
	struct setting test, delay, size;
	int ret;

	if (setting_set(&test, PM_TEST, "freezer") ||
	    setting_set(&delay, PM_TEST_DELAY, "1") ||
	    setting_set(&size, PM_IMAGE_SIZE, "1099511627776"))
		return -ENOENT;
	ret = gt_write_file(PM_STATE, "disk");
	setting_restore(&size);
	setting_restore(&delay);
	setting_restore(&test);
	return ret;
}

/* @file: of the driver, that wants names. */
static bool tell_driver(const char *file, char (*name)[40], unsigned int nr)
{
	bool ok = true;
	unsigned int i;

	for (i = 0; i < nr; i++)
		ok &= !gt_write_file(file, name[i]);
	return ok;
}

/* All devices are known to the test by the driver's names, and none is open. */
FIXTURE(bound)
{
	char name[GT_MAX_DEVS][40];
	unsigned int nr;
};

FIXTURE_SETUP(bound)
{
	struct gt_dev dev;
	unsigned int i;
	char slot[32];

	ASSERT_EQ(0, gt_set_engine("cpu"));
	self->nr = gt_dev_count();
	ASSERT_GE(self->nr, 1);
	for (i = 0; i < self->nr; i++) {
		ASSERT_EQ(0, gt_open(&dev, i));
		ASSERT_EQ(0, gt_pci_slot(&dev, slot, sizeof(slot)));
		snprintf(self->name[i], sizeof(self->name[i]), "%s.0", slot);
		ASSERT_EQ(0, gt_close(&dev));
	}
}

/* Whatever happened, the next test finds all devices. */
FIXTURE_TEARDOWN_PARENT(bound)
{
	if (gt_dev_count() != self->nr)
		tell_driver(PM_DRIVER "bind", self->name, self->nr);
	gt_expect_quiet(_metadata);
}

TEST_F_TIMEOUT(bound, hibernation, GT_TIMEOUT)
{
	struct gt_dev dev;
	char *buf;

	buf = gt_alloc(GT_HUGE, true);
	ASSERT_NE(NULL, buf);
	gt_pattern(buf, GT_HUGE, 1);
	ASSERT_EQ(0, gt_open(&dev, 0));
	ASSERT_TRUE(bring(&dev, buf, GT_HUGE));
	EXPECT_EQ(-EBUSY, hibernate());
	EXPECT_TRUE(gt_all_on(buf, GT_HUGE, dev.hnid));
	EXPECT_EQ(0, gt_dev_pattern(&dev, buf, GT_HUGE, 1));
	ASSERT_EQ(0, gt_close(&dev));

	/* Without a device it does. */
	EXPECT_TRUE(tell_driver(PM_DRIVER "unbind", self->name, self->nr));
	EXPECT_EQ(0, hibernate());
	EXPECT_TRUE(tell_driver(PM_DRIVER "bind", self->name, self->nr));
	EXPECT_EQ(self->nr, gt_dev_count());
	EXPECT_EQ(-1, gt_pattern_bad(buf, GT_HUGE, 1));
	gt_free(buf, GT_HUGE);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drivers and devices end, at any moment: nothing hangs, nothing leaks, and data
 * that can be carried home is.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "gmem_fixture.h"
#include "gmem_worker.h"

/* ------------------------------------------- devices and drivers that end */

static int pci_write(const char *slot, int function, const char *file,
		     const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s.%d/%s", slot,
		 function, file);
	return gt_write_file(path, text);
}

/* Wait until there are @nr devices (again). */
static bool wait_devices(unsigned int nr)
{
	unsigned long long end = gt_now_ms() + WAIT_MS;

	while (gt_dev_count() != nr && gt_now_ms() < end)
		usleep(10000);
	return gt_dev_count() == nr;
}

/* The ways in which a device goes and comes back. */
struct way {
	int (*go)(const char *slot);
	int (*come)(const char *slot);
};

static int go_unbind(const char *slot)
{
	char name[32];

	snprintf(name, sizeof(name), "%s.0", slot);
	return pci_write(slot, 0, "driver/unbind", name);
}

/* Drivers are found by probing: for what of the pair has lost its driver. */
static int come_bind(const char *slot)
{
	char name[32];
	int i, ret = 0;

	for (i = 0; i < 2 && !ret; i++) {
		snprintf(name, sizeof(name), "%s.%d", slot, i);
		ret = gt_write_file("/sys/bus/pci/drivers_probe", name);
		if (ret == -EINVAL || ret == -EBUSY)
			ret = 0;
	}
	return ret;
}

static int go_unbind_memory(const char *slot)
{
	char name[32];

	snprintf(name, sizeof(name), "%s.1", slot);
	return pci_write(slot, 1, "driver/unbind", name);
}

static int go_remove(const char *slot)
{
	return pci_write(slot, 0, "remove", "1");
}

static int go_remove_memory(const char *slot)
{
	return pci_write(slot, 1, "remove", "1");
}

static int come_rescan(const char *slot)
{
	return gt_write_file("/sys/bus/pci/rescan", "1");
}

FIXTURE(gone)
{
	struct gt_dev dev;
	unsigned int nr;
	char slot[32];
};

FIXTURE_VARIANT(gone)
{
	struct way way;
};

FIXTURE_VARIANT_ADD(gone, unbind)
{
	.way = { go_unbind, come_bind },
};

FIXTURE_VARIANT_ADD(gone, unbind_memory)
{
	.way = { go_unbind_memory, come_bind },
};

FIXTURE_VARIANT_ADD(gone, remove)
{
	.way = { go_remove, come_rescan },
};

FIXTURE_VARIANT_ADD(gone, remove_memory)
{
	.way = { go_remove_memory, come_rescan },
};

FIXTURE_SETUP(gone)
{
	ASSERT_EQ(0, gt_set_engine("cpu"));
	self->nr = gt_dev_count();
	ASSERT_GE(self->nr, 1);
	ASSERT_EQ(0, gt_open(&self->dev, 0));
	ASSERT_EQ(0, gt_pci_slot(&self->dev, self->slot, sizeof(self->slot)));
}

/* Whatever happened, the next test finds all devices. */
FIXTURE_TEARDOWN_PARENT(gone)
{
	if (self->nr && gt_dev_count() != self->nr) {
		come_rescan(self->slot);
		come_bind(self->slot);
	}
	EXPECT_TRUE(wait_devices(self->nr));
	gt_expect_quiet(_metadata);
}

/* After the device is back it is as good as before. */
static void works_again(struct __test_metadata *_metadata, char *buf)
{
	struct gt_dev dev;
	unsigned int nr = gt_dev_count(), i;

	for (i = 0; i < nr; i++) {
		ASSERT_EQ(0, gt_open(&dev, i));
		EXPECT_EQ(0, gt_dev_pattern(&dev, buf, GT_HUGE, 1));
		EXPECT_TRUE(gt_all_on(buf, GT_HUGE, dev.hnid));
		ASSERT_EQ(0, gt_close(&dev));
	}
	EXPECT_EQ(-1, bad_block(buf));
}

/* What was on the device is at home, byte-exact; the file is dead. */
TEST_F_TIMEOUT(gone, with_resident_data, GT_TIMEOUT)
{
	const struct way *way = &variant->way;
	struct gmem_mock_stats stats;
	struct gt_check check;
	char *buf[2];
	int i;

	for (i = 0; i < 2; i++) {
		buf[i] = gt_alloc(LEN, i);
		ASSERT_NE(NULL, buf[i]);
		fill_blocks(buf[i]);
		ASSERT_EQ(0, gt_touch_write(&self->dev, buf[i], LEN));
		ASSERT_TRUE(gt_all_on(buf[i], LEN, self->dev.hnid));
	}
	ASSERT_EQ(0, way->go(self->slot));
	EXPECT_EQ(self->nr - 1, gt_dev_count());
	for (i = 0; i < 2; i++) {
		EXPECT_TRUE(gt_all_on(buf[i], LEN, GT_HOME));
		EXPECT_EQ(-1, bad_block(buf[i]));
	}
	ASSERT_EQ(0, gt_check(&check));
	EXPECT_EQ(0, check.frames_used);
	EXPECT_EQ(-ENODEV, gt_touch(&self->dev, buf[0], 8));
	EXPECT_EQ(-ENODEV, gt_stats(&self->dev, &stats));
	EXPECT_EQ(-ENODEV, gt_hmadvise(self->dev.hnid, buf[0], LEN,
				       HMADV_PREFETCH, 0));
	EXPECT_EQ(0, gt_close(&self->dev));
	ASSERT_EQ(0, way->come(self->slot));
	ASSERT_TRUE(wait_devices(self->nr));
	works_again(_metadata, buf[0]);
	works_again(_metadata, buf[1]);
	gt_free(buf[0], LEN);
	gt_free(buf[1], LEN);
}

/* Also the data of processes that are not there to help. */
TEST_F_TIMEOUT(gone, with_data_of_others, GT_TIMEOUT)
{
	struct board *board = make_board();
	int status;
	pid_t pid;

	ASSERT_NE(NULL, board);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		char *buf = gt_alloc(LEN, true);
		struct gt_dev dev;
		pid_t copy;

		if (!buf || gt_open(&dev, 0))
			_exit(1);
		fill_blocks(buf);
		if (gt_touch_write(&dev, buf, LEN))
			_exit(2);
		/* One that has the data from a fork, and no file. */
		copy = fork();
		if (!copy)
			gt_close(&dev);
		gt_add(&board->ready, 1);
		if (!wait_for(&board->go))
			_exit(3);
		if (bad_block(buf) >= 0)
			_exit(4);
		if (copy && (waitpid(copy, &status, 0) != copy || status))
			_exit(5);
		_exit(0);
	}
	while (gt_load(&board->ready) < 2)
		usleep(1000);
	EXPECT_EQ(0, variant->way.go(self->slot));
	gt_store(&board->go, 1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	ASSERT_EQ(0, gt_close(&self->dev));
	ASSERT_EQ(0, variant->way.come(self->slot));
	ASSERT_TRUE(wait_devices(self->nr));
}

/* In the middle of faults, several times. */
TEST_F_TIMEOUT(gone, at_work, GT_TIMEOUT)
{
	struct board *board = make_board();
	struct worker w[MAX_WORKERS];
	int n, i;

	ASSERT_NE(NULL, board);
	for (n = 0; n < 3; n++) {
		for (i = 0; i < MAX_WORKERS; i++)
			ASSERT_EQ(0, start_worker(&w[i], &self->dev, board,
						  i & 1, false));
		EXPECT_TRUE(wait_steps(board, 8));
		usleep(n * 3331);
		ASSERT_EQ(0, variant->way.go(self->slot));
		for (i = 0; i < MAX_WORKERS; i++) {
			pthread_join(w[i].thread, NULL);
			EXPECT_EQ(-ENODEV, w[i].error);
			EXPECT_EQ(-1, bad_block(w[i].buf));
			EXPECT_TRUE(gt_all_on(w[i].buf, LEN, GT_HOME));
			gt_free(w[i].buf, LEN);
		}
		ASSERT_EQ(0, gt_close(&self->dev));
		ASSERT_EQ(0, variant->way.come(self->slot));
		ASSERT_TRUE(wait_devices(self->nr));
		ASSERT_EQ(0, gt_open(&self->dev, self->nr - 1));
		ASSERT_EQ(0, gt_pci_slot(&self->dev, self->slot,
					 sizeof(self->slot)));
	}
}

/* The other devices do not notice. */
TEST_F_TIMEOUT(gone, beside_others, GT_TIMEOUT)
{
	struct board *board = make_board();
	struct gt_dev other;
	struct worker w;

	ASSERT_NE(NULL, board);
	ASSERT_GE(self->nr, 2) TH_LOG("needs two accelerators");
	ASSERT_EQ(0, gt_open(&other, 1));
	ASSERT_EQ(0, start_worker(&w, &other, board, true, false));
	EXPECT_TRUE(wait_steps(board, 4));
	ASSERT_EQ(0, variant->way.go(self->slot));
	EXPECT_TRUE(wait_steps(board, 8));
	EXPECT_EQ(0, stop_worker(&w));
	EXPECT_EQ(-1, bad_block(w.buf));
	gt_free(w.buf, LEN);
	ASSERT_EQ(0, gt_close(&self->dev));
	ASSERT_EQ(0, variant->way.come(self->slot));
	ASSERT_TRUE(wait_devices(self->nr));
}

/* ------------------------------------------------------------- the module */

static int unload(void)
{
	return syscall(__NR_delete_module, "gmem_mock", O_NONBLOCK) ? -errno :
								       0;
}

static int load(void)
{
	static const char * const path[] = {
		"/lib/modules/gmem_mock.ko", "/lib/modules/gmem-mock.ko",
	};
	unsigned int i;
	int fd = -1, ret;

	for (i = 0; i < ARRAY_SIZE(path) && fd < 0; i++)
		fd = open(path[i], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = syscall(__NR_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

/* Open files keep the module; resident data does not, and is not lost. */
GT_TEST(module_unload)
{
	char *buf = gt_alloc(LEN, true);
	struct gt_check check;
	unsigned int i;

	ASSERT_NE(NULL, buf);
	fill_blocks(buf);
	ASSERT_EQ(0, gt_touch_write(&self->dev[0], buf, LEN));
	EXPECT_EQ(-EWOULDBLOCK, unload());
	EXPECT_EQ(0, gt_dev_pattern(&self->dev[0], buf, GT_HUGE, 1));
	for (i = 0; i < self->nr; i++)
		ASSERT_EQ(0, gt_close(&self->dev[i]));
	ASSERT_EQ(0, unload());
	EXPECT_EQ(0, gt_dev_count());
	EXPECT_TRUE(gt_all_on(buf, LEN, GT_HOME));
	EXPECT_EQ(-1, bad_block(buf));
	ASSERT_EQ(0, gt_check(&check));
	EXPECT_EQ(0, check.frames_used);
	EXPECT_EQ(-ENODEV, gt_hmadvise(self->dev[0].hnid, buf, LEN,
				       HMADV_PREFETCH, 0));
	ASSERT_EQ(0, load());
	ASSERT_TRUE(wait_devices(self->nr));
	ASSERT_EQ(0, gt_set_engine("cpu"));
	works_again(_metadata, buf);
	gt_free(buf, LEN);
}

TEST_HARNESS_MAIN

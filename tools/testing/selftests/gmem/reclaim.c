// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that the kernel wants back while devices use it: swap, pressure in a
 * memory cgroup, advice of the process itself, the OOM killer. Data on a device
 * and data that a device uses in place, written last by the device.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>

#include "gmem_abi.h"
#include "gmem_places.h"

#define LEN		GT_HUGE
#define NR_PAGES	(LEN / GT_PAGE)

#define THP		"/sys/kernel/mm/transparent_hugepage/"
#define SWAP_DEV	"/dev/zram0"
#define ZRAM		"/sys/block/zram0/"
#define SWAP_MB		"192"
#define SWAP_PAGES	(192 * 256)

/* Swap on compressed memory, new for each test. */
static bool swap_start(void)
{
	struct {
		__u32 version;
		__u32 last_page;
		__u32 nr_badpages;
	} info = { .version = 1, .last_page = SWAP_PAGES - 1 };
	char page[GT_PAGE] = { };
	bool good;
	int fd;

	swapoff(SWAP_DEV);
	gt_write_file(ZRAM "reset", "1");
	if (gt_write_file(ZRAM "disksize", SWAP_MB "M") < 0)
		return false;
	memcpy(page + 1024, &info, sizeof(info));
	memcpy(page + sizeof(page) - 10, "SWAPSPACE2", 10);
	fd = open(SWAP_DEV, O_WRONLY | O_CLOEXEC);
	good = write(fd, page, sizeof(page)) == sizeof(page);
	close(fd);
	return good && !swapon(SWAP_DEV, 0);
}

static bool swap_stop(void)
{
	return !swapoff(SWAP_DEV) && gt_write_file(ZRAM "reset", "1") >= 0;
}

/* How many of the pages have no memory now. */
static size_t pages_out(const void *va, size_t len)
{
	size_t nr = len / GT_PAGE, i, out = 0;
	__s32 *vec = malloc(nr * sizeof(*vec));

	if (vec && !gt_residency(va, len, vec))
		for (i = 0; i < nr; i++)
			out += vec[i] == GMEM_NODE_NONE;
	free(vec);
	return out;
}

/* Takes pages out of the batches of all CPUs, where nobody can reclaim them. */
static void drain_batches(void)
{
	int node = 0, status;
	void *page = &node;

	syscall(SYS_move_pages, 0, 1UL, &page, &node, &status, 0);
}

/*
 * Swap the range out, all of it if it can be done; the rest is busy, or is not
 * at home.
 */
static size_t page_out(void *va, size_t len)
{
	size_t out = 0, before;
	int idle = 0;

	while (idle < 5 && out < len / GT_PAGE) {
		before = out;
		drain_batches();
		if (madvise(va, len, MADV_PAGEOUT))
			return 0;
		out = pages_out(va, len);
		idle = out > before ? 0 : idle + 1;
	}
	return out;
}

/*
 * Memory where the device, not a CPU, has written pattern @seed, and for which
 * it has translations: on the device or in place.
 */
static char *make(struct __test_metadata *_metadata, struct gt_dev *dev,
		  const GT_VARIANT *variant, __u64 seed)
{
	char *buf = gt_alloc(LEN, variant->huge);
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_WRITE,
		.flags = variant->inplace ? GMEM_MOCK_OP_INPLACE : 0,
		.va = (uintptr_t)buf,
		.len = LEN,
	};
	char *copy = malloc(LEN);

	ASSERT_NE(NULL, buf);
	ASSERT_NE(NULL, copy);
	gt_pattern(copy, LEN, seed);
	op.arg = (uintptr_t)copy;
	memset(buf, 1, LEN);
	if (!variant->inplace)
		ASSERT_TRUE(bring(dev, buf, LEN));
	ASSERT_EQ(0, gt_run(dev, &op));
	ASSERT_TRUE(gt_all_on(buf, LEN,
			      variant->inplace ? GT_HOME : dev->hnid));
	ASSERT_EQ(1, gt_translated(dev, buf + LEN - GT_PAGE, GT_PAGE));
	free(copy);
	return buf;
}

/* Where there is another word than @want, or -1. */
static ssize_t first_other(const void *va, size_t len, __u64 want)
{
	const __u64 *word = va;
	size_t i;

	for (i = 0; i < len / 8; i++)
		if (gt_load(&word[i]) != want)
			return i * 8;
	return -1;
}

/*
 * Freed at home, and moved to the device or mapped only then: what the device
 * writes is new and must not go with the old. The first test of all, since the
 * frames that it gets may not have been used for anything else before.
 */
GT_TEST(free_then_device)
{
	struct gt_dev *dev = &self->dev[0];
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_FILL,
		.flags = variant->inplace ? GMEM_MOCK_OP_INPLACE : 0,
		.len = LEN,
		.arg = 5,
	};
	char *buf;

	ASSERT_TRUE(swap_start());
	buf = gt_alloc(LEN, variant->huge);
	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	ASSERT_EQ(0, madvise(buf, LEN, MADV_FREE));
	op.va = (uintptr_t)buf;
	ASSERT_EQ(0, gt_run(dev, &op));
	ASSERT_TRUE(bring_home(buf, LEN));
	ASSERT_EQ(NR_PAGES, page_out(buf, LEN));
	EXPECT_EQ(-1, first_other(buf, LEN, 5));
	gt_free(buf, LEN);
	ASSERT_TRUE(swap_stop());
}

/* ------------------------------------------------------------------- swap */

/* What the device wrote in place is in swap; what it holds stays with it. */
GT_TEST(pageout)
{
	struct gt_dev *dev = &self->dev[0];
	unsigned int i;
	char *buf;

	ASSERT_TRUE(swap_start());
	buf = make(_metadata, dev, variant, 1);
	for (i = 0; i < self->nr; i++) {
		if (variant->inplace) {
			/* The device's reading may have moved it. */
			ASSERT_TRUE(bring_home(buf, LEN));
			EXPECT_EQ(NR_PAGES, page_out(buf, LEN));
			EXPECT_EQ(0, gt_translated(dev, buf, LEN));
		} else {
			ASSERT_EQ(0, madvise(buf, LEN, MADV_PAGEOUT));
			EXPECT_EQ(0, pages_out(buf, LEN));
		}
		EXPECT_EQ(0, gt_dev_pattern(&self->dev[i], buf, LEN, 1));
	}
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	exercise(_metadata, self, buf, LEN, 10);
	gt_free(buf, LEN);
	ASSERT_TRUE(swap_stop());
}

/* A write to a page in swap does not lose the rest of the page. */
GT_TEST(write_to_swapped)
{
	struct gt_dev *dev = &self->dev[0];
	size_t i;
	char *buf;
	int ret = 0;

	ASSERT_TRUE(swap_start());
	buf = gt_alloc(LEN, variant->huge);
	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	ASSERT_EQ(NR_PAGES, page_out(buf, LEN));
	/* By turns the devices, and where the data is to go. */
	for (i = 0; i < LEN && !ret; i += GT_PAGE) {
		struct gmem_mock_op op = {
			.opcode = GMEM_MOCK_OP_FILL,
			.flags = variant->inplace ? GMEM_MOCK_OP_INPLACE : 0,
			.va = (uintptr_t)buf + i + 8,
			.len = 8,
			.arg = 5,
		};

		ret = gt_run(&self->dev[i / GT_PAGE % self->nr], &op);
	}
	ASSERT_EQ(0, ret);
	for (i = 0; i < LEN / 8; i++)
		ASSERT_EQ(i % (GT_PAGE / 8) == 1 ? 5 : gt_pattern_word(1, i),
			  ((__u64 *)buf)[i]);
	/* And a second time: what is in swap of it then is stale. */
	ASSERT_EQ(NR_PAGES, page_out(buf, LEN));
	EXPECT_EQ(0, gt_touch(dev, buf, LEN));
	EXPECT_EQ(0, gt_fill(dev, buf, LEN, 6));
	ASSERT_TRUE(bring_home(buf, LEN));
	ASSERT_EQ(NR_PAGES, page_out(buf, LEN));
	EXPECT_EQ(-1, first_other(buf, LEN, 6));
	exercise(_metadata, self, buf, LEN, 10);
	gt_free(buf, LEN);
	ASSERT_TRUE(swap_stop());
}

/* Read back by the CPU only, so that the pages in memory are clean. */
GT_TEST(write_to_clean)
{
	struct gt_dev *dev = &self->dev[0];
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_FILL,
		.flags = variant->inplace ? GMEM_MOCK_OP_INPLACE : 0,
		.len = LEN,
		.arg = 5,
	};
	char *buf;

	ASSERT_TRUE(swap_start());
	buf = gt_alloc(LEN, variant->huge);
	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	ASSERT_EQ(NR_PAGES, page_out(buf, LEN));
	ASSERT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	op.va = (uintptr_t)buf;
	ASSERT_EQ(0, gt_run(dev, &op));
	/* Home, without a write. */
	ASSERT_EQ(5, gt_load((__u64 *)buf));
	ASSERT_TRUE(bring_home(buf, LEN));
	ASSERT_EQ(NR_PAGES, page_out(buf, LEN));
	EXPECT_EQ(-1, first_other(buf, LEN, 5));
	exercise(_metadata, self, buf, LEN, 10);
	gt_free(buf, LEN);
	ASSERT_TRUE(swap_stop());
}

/* A hint for memory of which nothing, and of which a part is in swap. */
GT_TEST(prefetch_swapped)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf;
	int i;

	ASSERT_TRUE(swap_start());
	buf = make(_metadata, dev, variant, 1);
	for (i = 0; i < 3; i++) {
		size_t len = i ? LEN / 2 : LEN;

		ASSERT_TRUE(bring_home(buf, LEN));
		ASSERT_EQ(len / GT_PAGE, page_out(buf, len));
		EXPECT_EQ(LEN, gt_hmadvise(dev->hnid, buf, LEN, HMADV_PREFETCH,
					   0));
		EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
		/* Now that it is there it moves. */
		EXPECT_TRUE(pull(dev, buf, LEN));
		EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	}
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	gt_free(buf, LEN);
	ASSERT_TRUE(swap_stop());
}

/* Swap is taken away: everything comes back to memory, or is where it was. */
GT_TEST(swapoff)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf;

	ASSERT_TRUE(swap_start());
	buf = make(_metadata, dev, variant, 1);
	if (variant->inplace)
		EXPECT_EQ(NR_PAGES, page_out(buf, LEN));
	/* A quarter comes back beforehand, a quarter in place. */
	EXPECT_EQ(0, gt_touch(dev, buf, LEN / 4));
	EXPECT_EQ(0, touch_at(dev, buf + LEN / 4, LEN / 4, false, true));
	ASSERT_TRUE(swap_stop());
	EXPECT_EQ(0, pages_out(buf, LEN));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	gt_free(buf, LEN);
}

/* ----------------------------------------------------------------- advice */

GT_TEST(cold)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant, 1);

	if (variant->inplace)
		ASSERT_LE(LEN, gt_referenced_bytes(buf));
	ASSERT_EQ(0, madvise(buf, LEN, MADV_COLD));
	if (variant->inplace)
		EXPECT_EQ(0, gt_referenced_bytes(buf));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	ASSERT_EQ(0, madvise(buf + GT_PAGE, 5 * GT_PAGE, MADV_COLD));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	exercise(_metadata, self, buf, LEN, 10);
	gt_free(buf, LEN);
}

/*
 * After MADV_FREE the old contents may go, and what is written later must not:
 * also if it is the device that writes, and nobody else ever does.
 */
GT_TEST(free_then_write)
{
	struct gt_dev *dev = &self->dev[0];
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_FILL,
		.flags = variant->inplace ? GMEM_MOCK_OP_INPLACE : 0,
		.len = LEN,
		.arg = 5,
	};
	char *buf;

	ASSERT_TRUE(swap_start());
	buf = make(_metadata, dev, variant, 1);
	ASSERT_EQ(0, madvise(buf, LEN, MADV_FREE));
	op.va = (uintptr_t)buf;
	ASSERT_EQ(0, gt_run(dev, &op));
	ASSERT_TRUE(bring_home(buf, LEN));
	ASSERT_EQ(NR_PAGES, page_out(buf, LEN));
	EXPECT_EQ(-1, first_other(buf, LEN, 5));
	gt_free(buf, LEN);
	ASSERT_TRUE(swap_stop());
}

/* Freed and not written: the old data or zeros, for all the same. */
GT_TEST(free_then_read)
{
	struct gt_dev *dev = &self->dev[0];
	__u64 word, seen;
	size_t i;
	char *buf;

	ASSERT_TRUE(swap_start());
	buf = make(_metadata, dev, variant, 1);
	ASSERT_EQ(0, madvise(buf, LEN, MADV_FREE));
	/* What a device holds it keeps: there nothing is dropped. */
	ASSERT_EQ(variant->inplace ? NR_PAGES : 0, page_out(buf, LEN));
	for (i = 0; i < LEN; i += GT_PAGE) {
		ASSERT_EQ(0, gt_read(dev, buf + i, 8, &seen));
		word = *(__u64 *)(buf + i);
		ASSERT_EQ(word, seen);
		ASSERT_TRUE(!word || word == gt_pattern_word(1, i / 8));
	}
	exercise(_metadata, self, buf, LEN, 10);
	gt_free(buf, LEN);
	ASSERT_TRUE(swap_stop());
}

/* Zeros in the part that was dropped, and only there; locked or not. */
static void dropped(struct __test_metadata *_metadata, GT_SELF *self,
		    const GT_VARIANT *variant, bool locked)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant, 1);
	size_t off = 100 * GT_PAGE, len = 50 * GT_PAGE;
	struct gt_check check;
	unsigned int i;
	__u64 sum;

	if (locked) {
		/* Not brought home by that: only what comes is locked. */
		ASSERT_EQ(0, mlock2(buf, LEN, MLOCK_ONFAULT));
		EXPECT_EQ(-1, madvise(buf, LEN, MADV_DONTNEED));
		ASSERT_EQ(0, madvise(buf + off, len, MADV_DONTNEED_LOCKED));
	} else {
		ASSERT_EQ(0, madvise(buf + off, len, MADV_DONTNEED));
	}
	EXPECT_EQ(0, gt_translated(dev, buf + off, len));
	for (i = 0; i < self->nr; i++) {
		EXPECT_EQ(0, gt_checksum(&self->dev[i], buf + off, len, &sum));
		EXPECT_EQ(0, sum);
		EXPECT_EQ(0, gt_dev_pattern(&self->dev[i], buf, off, 1));
	}
	EXPECT_EQ(-1, gt_pattern_bad(buf, off, 1));
	EXPECT_EQ(gt_pattern_word(1, LEN / 8 - 1), ((__u64 *)buf)[LEN / 8 - 1]);
	exercise(_metadata, self, buf, LEN, 10);
	ASSERT_EQ(0, madvise(buf, LEN, MADV_DONTNEED_LOCKED));
	EXPECT_EQ(0, gt_quiet(&check));
	EXPECT_EQ(0, gt_checksum(dev, buf, LEN, &sum));
	EXPECT_EQ(0, sum);
	gt_free(buf, LEN);
}

GT_TEST(dontneed)
{
	dropped(_metadata, self, variant, false);
}

GT_TEST(dontneed_locked)
{
	dropped(_metadata, self, variant, true);
}

/* One huge page of what was base pages, wherever they were. */
GT_TEST(collapse)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant, 1);
	int i, ret = -1;

	ASSERT_EQ(0, madvise(buf, LEN, MADV_HUGEPAGE));
	/* Some at home, some not. */
	EXPECT_EQ(gt_pattern_word(1, LEN / 16), ((__u64 *)buf)[LEN / 16]);
	for (i = 0; i < 50 && ret; i++) {
		ret = madvise(buf, LEN, MADV_COLLAPSE) ? errno : 0;
		if (ret)
			usleep(10000);
	}
	EXPECT_EQ(0, ret);
	EXPECT_EQ(LEN, gt_huge_bytes(buf));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	exercise(_metadata, self, buf, LEN, 10);
	gt_free(buf, LEN);
}

#define KHUGEPAGED	THP "khugepaged/"

static const char * const eager[][2] = {
	{ KHUGEPAGED "scan_sleep_millisecs", "10" },
	{ KHUGEPAGED "alloc_sleep_millisecs", "10" },
	{ KHUGEPAGED "pages_to_scan", "100000" },
};

/*
 * A device adds to the first word, at home or not, until khugepaged has been @scans
 * times around and @buf has @huge bytes in huge pages. How often it did?
 */
static __u64 add_until(struct __test_metadata *_metadata, struct gt_dev *dev,
		       char *buf, bool inplace, long scans, size_t huge)
{
	unsigned long long end = gt_now_ms() + GT_PATIENCE_MS / 2;
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_ATOMIC_ADD,
		.flags = inplace ? GMEM_MOCK_OP_INPLACE : 0,
		.va = (uintptr_t)buf,
		.len = 8,
		.arg = 1,
	};
	bool done = false;
	__u64 n;

	scans += gt_number(KHUGEPAGED "full_scans");
	for (n = 0; n < GT_ENOUGH || (!done && gt_now_ms() < end); n++) {
		EXPECT_EQ(0, gt_run(dev, &op));
		usleep(5000);
		done = gt_number(KHUGEPAGED "full_scans") >= scans &&
		       gt_huge_bytes(buf) >= huge;
	}
	EXPECT_TRUE(done);
	return n;
}

/*
 * The same in the background, while a device reads and writes: it takes what is at
 * home, and passes over what the device holds.
 */
GT_TEST(khugepaged)
{
	struct gt_dev *dev = &self->dev[0];
	struct setting set[ARRAY_SIZE(eager)];
	unsigned int i;
	__u64 added;
	char *buf;

	for (i = 0; i < ARRAY_SIZE(eager); i++)
		ASSERT_EQ(0, setting_set(&set[i], eager[i][0], eager[i][1]));
	buf = make(_metadata, dev, variant, 1);
	ASSERT_EQ(0, madvise(buf, LEN, MADV_HUGEPAGE));
	added = add_until(_metadata, dev, buf, variant->inplace, 5, 0);
	EXPECT_EQ(gt_pattern_word(1, 0) + added, *(__u64 *)buf);
	ASSERT_TRUE(bring_home(buf, LEN));
	added += add_until(_metadata, dev, buf, true, 0, LEN);
	EXPECT_EQ(gt_pattern_word(1, 0) + added, *(__u64 *)buf);
	*(__u64 *)buf = gt_pattern_word(1, 0);
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	exercise(_metadata, self, buf, LEN, 10);
	gt_free(buf, LEN);
	for (i = ARRAY_SIZE(eager); i--;)
		setting_restore(&set[i]);
}

/* --------------------------------------------------------- memory cgroups */

#define CGROUP	"/sys/fs/cgroup/gmem"

static bool cgroup_make(const char *max, const char *swap_max)
{
	gt_write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	rmdir(CGROUP);
	return !mkdir(CGROUP, 0755) &&
	       gt_write_file(CGROUP "/memory.max", max) >= 0 &&
	       gt_write_file(CGROUP "/memory.swap.max", swap_max) >= 0;
}

static bool cgroup_remove(void)
{
	int i;

	for (i = 0; i < 200; i++) {
		if (!rmdir(CGROUP))
			return true;
		usleep(20000);
	}
	return false;
}

static bool cgroup_join(void)
{
	return gt_write_file(CGROUP "/cgroup.procs", "0") >= 0;
}

#define PRESSED	GT_MB(20)
#define KEPT	GT_MB(4)

/*
 * Uses more than it may have at once, and in the end everything is there: what
 * was used in place, and what the device held meanwhile. The latter counts like
 * host memory, and so is less than the limit.
 */
static int pressed_child(const GT_VARIANT *variant, bool device_first)
{
	struct gt_dev dev;
	char *buf, *kept;
	size_t off;
	int round;

	if (!cgroup_join() || gt_open(&dev, 0))
		return 1;
	buf = gt_alloc(PRESSED, variant->huge);
	kept = gt_alloc(KEPT, variant->huge);
	if (!buf || !kept)
		return 2;
	gt_pattern(kept, KEPT, 2);
	if (!variant->inplace && !pull(&dev, kept, KEPT))
		return 3;
	if (device_first && touch_at(&dev, buf, PRESSED, true, true))
		return 4;
	gt_pattern(buf, PRESSED, 1);
	for (round = 0; round < 2; round++) {
		for (off = 0; off < PRESSED; off += GT_HUGE)
			if (touch_at(&dev, buf + off, GT_HUGE, true, true))
				return 5;
		if (gt_pattern_bad(buf, PRESSED, 1) >= 0)
			return 6;
		if (gt_dev_pattern(&dev, kept, KEPT, 2))
			return 7;
	}
	return gt_pattern_bad(kept, KEPT, 2) >= 0 ? 8 : 0;
}

static void pressed(struct __test_metadata *_metadata,
		    const GT_VARIANT *variant, bool device_first)
{
	int status;
	pid_t pid;

	ASSERT_TRUE(swap_start());
	ASSERT_TRUE(cgroup_make("14M", "max"));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(pressed_child(variant, device_first));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status)
		TH_LOG("%s %d", WIFSIGNALED(status) ? "signal" : "exit",
		       WIFSIGNALED(status) ? WTERMSIG(status) :
					     WEXITSTATUS(status));
	/* What is more than it may have was in swap. */
	EXPECT_LE(PRESSED - GT_MB(14), gt_number(CGROUP "/memory.swap.peak"));
	EXPECT_TRUE(cgroup_remove());
	ASSERT_TRUE(swap_stop());
}

GT_TEST(memcg_pressure)
{
	pressed(_metadata, variant, false);
}

GT_TEST(memcg_pressure_device_first)
{
	pressed(_metadata, variant, true);
}

/* Dies in the end, with data on the device, and takes it along. */
static int doomed_child(const GT_VARIANT *variant)
{
	struct gt_dev dev;
	size_t off;
	char *buf;

	if (!cgroup_join() || gt_open(&dev, 0))
		return 1;
	buf = gt_alloc(GT_MB(256), variant->huge);
	if (!buf)
		return 2;
	memset(buf, 1, GT_MB(8));
	if (touch_at(&dev, buf, GT_MB(8), true, variant->inplace))
		return 3;
	/* By turns for the CPU and for the device. */
	for (off = GT_MB(8); off < GT_MB(256); off += GT_MB(2)) {
		if (off & GT_MB(2))
			memset(buf + off, 1, GT_MB(2));
		else
			touch_at(&dev, buf + off, GT_MB(2), true,
				 variant->inplace);
	}
	return 4;
}

GT_TEST(memcg_oom_kill)
{
	struct gt_check check;
	int status;
	pid_t pid;

	ASSERT_TRUE(cgroup_make("32M", "0"));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(doomed_child(variant));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		TH_LOG("status %#x", status);
	EXPECT_EQ(1, gt_field(CGROUP "/memory.events", "oom_kill"));
	EXPECT_TRUE(cgroup_remove());
	/* Here the devices are still open. */
	EXPECT_EQ(0, gt_quiet(&check));
}

TEST_HARNESS_MAIN

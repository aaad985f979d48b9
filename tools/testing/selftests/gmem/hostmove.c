// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel does to pages on its own, or for administrators: KSM,
 * compaction, moves between nodes, memory that has failed, and the tracking of
 * writes. Devices use the memory in place or hold it.
 *
 * Boot with numa=fake=2.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "gmem_places.h"

#define LEN		GT_HUGE
#define NR_PAGES	(LEN / GT_PAGE)
#define KSM		"/sys/kernel/mm/ksm/"

/* In an entry of pagemap. */
#define SOFT_DIRTY	(1ULL << 55)

#define MPOL_BIND	2
#define MPOL_MF_MOVE	2

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif
#ifndef MADV_HWPOISON
#define MADV_HWPOISON		100
#endif

/* Memory with pattern @seed for which the device has translations to write. */
static char *make(struct __test_metadata *_metadata, struct gt_dev *dev,
		  const GT_VARIANT *variant, __u64 seed)
{
	char *buf = gt_alloc(LEN, variant->huge);

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, seed);
	ASSERT_TRUE(variant->inplace ? !touch_at(dev, buf, LEN, true, true) :
				       bring(dev, buf, LEN));
	return buf;
}

/* -------------------------------------------------------------------- KSM */

/* Two scans see everything that is at home and does not change. */
static void ksm_scan(void)
{
	long before = gt_number(KSM "full_scans");
	int i;

	gt_write_file(KSM "run", "1");
	for (i = 0; i < 300 && gt_number(KSM "full_scans") < before + 3; i++)
		usleep(10000);
	gt_write_file(KSM "run", "0");
}

/* Equal pages become one, and are apart again for whoever writes. */
GT_TEST(ksm)
{
	struct setting sleeps, pages, run;
	struct gt_dev *dev = &self->dev[0];
	char *a, *b;
	size_t i;
	int n;

	ASSERT_EQ(0, setting_set(&sleeps, KSM "sleep_millisecs", "5"));
	ASSERT_EQ(0, setting_set(&pages, KSM "pages_to_scan", "5000"));
	ASSERT_EQ(0, setting_set(&run, KSM "run", "0"));
	a = make(_metadata, dev, variant, 1);
	b = make(_metadata, dev, variant, 1);
	ASSERT_EQ(0, madvise(a, LEN, MADV_MERGEABLE));
	ASSERT_EQ(0, madvise(b, LEN, MADV_MERGEABLE));
	for (n = 0; n < 2; n++) {
		ksm_scan();
		if (variant->inplace && !n)
			EXPECT_GE(gt_number(KSM "pages_sharing"), 1);
		EXPECT_EQ(0, gt_dev_pattern(dev, a, LEN, 1));
		EXPECT_EQ(0, gt_dev_pattern(dev, b, LEN, 1));
		/* Moves what is shared, if it may. */
		gt_hmadvise(dev->hnid, a, LEN, HMADV_PREFETCH, 0);
		EXPECT_EQ(0, gt_dev_pattern(dev, b, LEN, 1));
		ksm_scan();
		/* One of each pair is written by a device. */
		for (i = 0; i < LEN; i += 2 * GT_PAGE)
			if (gt_fill(dev, a + i, 8, 5))
				break;
		EXPECT_EQ(LEN, i);
		EXPECT_EQ(0, gt_dev_pattern(dev, b, LEN, 1));
		EXPECT_EQ(-1, gt_pattern_bad(b, LEN, 1));
		EXPECT_EQ(5, *(__u64 *)a);
		gt_pattern(a, LEN, 1);
	}
	ASSERT_EQ(0, madvise(a, LEN, MADV_UNMERGEABLE));
	exercise(_metadata, self, a, LEN, 10);
	EXPECT_EQ(-1, gt_pattern_bad(b, LEN, 1));
	gt_free(a, LEN);
	exercise(_metadata, self, b, LEN, 20);
	gt_free(b, LEN);
	gt_write_file(KSM "run", "2");
	setting_restore(&run);
	setting_restore(&pages);
	setting_restore(&sleeps);
}

/* --------------------------------------------------------- between nodes */

struct user {
	const struct gt_dev *dev;
	char *buf;
	bool stop;
	int error;
	unsigned long rounds;
};

/* Counts in the first word and looks at the rest, all the time. */
static void *user_run(void *arg)
{
	struct user *u = arg;
	int ret;

	while (!gt_load(&u->stop)) {
		ret = gt_atomic_add(u->dev, u->buf, 1, NULL);
		if (!ret)
			gt_add(&u->rounds, 1);
		else if (ret != -EAGAIN)
			u->error = ret;
		ret = gt_dev_pattern(u->dev, u->buf + GT_PAGE, LEN - GT_PAGE,
				     7);
		if (ret && ret != -EAGAIN)
			u->error = ret;
	}
	return NULL;
}

/*
 * @op is done again and again while a device uses the memory. @buf begins with a
 * counter; the pattern of the rest is written here.
 */
static void during_use(struct __test_metadata *_metadata, GT_SELF *self,
		       char *buf, int (*op)(char *buf, int round))
{
	struct user u = { .dev = &self->dev[0], .buf = buf };
	pthread_t thread;
	int i;

	*(__u64 *)buf = 0;
	gt_pattern(buf + GT_PAGE, LEN - GT_PAGE, 7);
	ASSERT_EQ(0, pthread_create(&thread, NULL, user_run, &u));
	for (i = 0; i < 10 || (i < 2000 && gt_load(&u.rounds) < 10); i++) {
		EXPECT_EQ(0, op(buf, i));
		usleep(2000);
	}
	gt_store(&u.stop, true);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, u.error);
	EXPECT_EQ(u.rounds, *(__u64 *)buf);
	EXPECT_EQ(-1, gt_pattern_bad(buf + GT_PAGE, LEN - GT_PAGE, 7));
}

static int mbind_round(char *buf, int round)
{
	unsigned long mask = 1UL << (round & 1);

	if (syscall(SYS_mbind, buf, LEN, MPOL_BIND, &mask, 3UL, MPOL_MF_MOVE))
		return errno == EIO ? 0 : errno;
	return 0;
}

GT_TEST(mbind)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant, 1);
	int node, i;

	for (node = 0; node < 2; node++) {
		EXPECT_EQ(0, mbind_round(buf, node));
		EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
		EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
		/* At home it is where it has to be. */
		for (i = 0; i < 20 && !gt_all_on(buf, LEN, node); i++)
			EXPECT_EQ(0, mbind_round(buf, node));
		EXPECT_TRUE(gt_all_on(buf, LEN, node));
		EXPECT_EQ(0, touch_at(dev, buf, LEN, true, variant->inplace));
		EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	}
	during_use(_metadata, self, buf, mbind_round);
	gt_free(buf, LEN);
}

static int migrate_round(char *buf, int round)
{
	unsigned long from = 1UL << (round & 1), to = 3 - from;

	return syscall(SYS_migrate_pages, 0, 3UL, &from, &to) < 0 ? errno : 0;
}

GT_TEST(migrate_pages)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant, 1);
	int i;

	for (i = 0; i < 4; i++) {
		EXPECT_EQ(0, migrate_round(buf, i));
		EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	}
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	during_use(_metadata, self, buf, migrate_round);
	gt_free(buf, LEN);
}

/* Hints of NUMA balancing are faults for the device, too. */
GT_TEST(numa_balancing)
{
	struct setting on;
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant, 1);
	int i;

	ASSERT_EQ(0, setting_set(&on, "/proc/sys/kernel/numa_balancing", "1"));
	gt_write_file("/sys/kernel/debug/sched/numa_balancing/scan_delay_ms",
		      "1");
	gt_write_file("/sys/kernel/debug/sched/numa_balancing/scan_period_min_ms",
		      "10");
	for (i = 0; i < 30; i++) {
		EXPECT_EQ(0, touch_at(dev, buf, LEN, true, variant->inplace));
		EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
		if (i % 4 == 3)
			EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	}
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	exercise(_metadata, self, buf, LEN, 10);
	gt_free(buf, LEN);
	setting_restore(&on);
}

static int compact_round(char *buf, int round)
{
	return gt_write_file("/proc/sys/vm/compact_memory", "1") < 0;
}

GT_TEST(compaction)
{
	char *buf = make(_metadata, &self->dev[0], variant, 1);

	during_use(_metadata, self, buf, compact_round);
	gt_free(buf, LEN);
}

/* ----------------------------------------------------------- memory fails */

/* The kernel tells whose data it was; an endless row of it ends the test. */
static int nr_sigbus;

static void on_sigbus(int sig)
{
	if (++nr_sigbus > 10)
		_exit(1);
}

/*
 * A page fails for good: its data is gone, the device and the CPU get an error,
 * and everything around it is good. For a page on the device this is a page at
 * home: the kernel fetches it to have something that can fail.
 */
GT_TEST(hwpoison)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant, 1);
	char *bad = buf + LEN / 2;
	unsigned int i;

	signal(SIGBUS, on_sigbus);
	ASSERT_EQ(0, madvise(bad, GT_PAGE, MADV_HWPOISON));
	EXPECT_GE(1, nr_sigbus);
	for (i = 0; i < self->nr; i++) {
		EXPECT_EQ(0, gt_translated(&self->dev[i], bad, GT_PAGE));
		EXPECT_EQ(-EIO, gt_touch(&self->dev[i], bad, 8));
		EXPECT_EQ(-EIO, gt_fill(&self->dev[i], bad, 8, 1));
	}
	EXPECT_EQ(LEN, gt_hmadvise(dev->hnid, buf, LEN, HMADV_PREFETCH, 0));
	EXPECT_EQ(-EIO, gt_touch(dev, bad, 8));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN / 2, 1));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN / 2, 1));
	EXPECT_EQ(gt_pattern_word(1, LEN / 8 - 1), ((__u64 *)buf)[LEN / 8 - 1]);
	/* New memory at the address is good. */
	ASSERT_EQ(bad, mmap(bad, GT_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			    MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	exercise(_metadata, self, buf, LEN, 10);
	munmap(buf, LEN);
}

/* A page that is about to fail is replaced, and nobody sees it. */
GT_TEST(soft_offline)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant, 1);
	char *bad = buf + LEN / 2;
	int ret;

	ret = madvise(bad, GT_PAGE, MADV_SOFT_OFFLINE) ? errno : 0;
	EXPECT_TRUE(!ret || ret == EBUSY)
		TH_LOG("%d", ret);
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	exercise(_metadata, self, buf, LEN, 10);
	gt_free(buf, LEN);
}

/* ---------------------------------------------------------- soft-dirty bits */

static size_t soft_dirty_pages(const char *buf)
{
	__u64 entry[NR_PAGES];
	size_t i, nr = 0;

	if (gt_pagemap_all(buf, NR_PAGES, entry) != NR_PAGES)
		return -1;
	for (i = 0; i < NR_PAGES; i++)
		nr += !!(entry[i] & SOFT_DIRTY);
	return nr;
}

/* Does this kernel tell what was written? Asked of a page that no device knows. */
static bool tracks_writes(struct __test_metadata *_metadata)
{
	char *page = mmap(NULL, GT_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool tracked;

	ASSERT_NE(MAP_FAILED, page);
	gt_store(page, 1);
	ASSERT_LE(0, gt_write_file("/proc/self/clear_refs", "4"));
	EXPECT_FALSE(gt_pagemap(page) & SOFT_DIRTY);
	gt_store(page, 2);
	tracked = gt_pagemap(page) & SOFT_DIRTY;
	munmap(page, GT_PAGE);
	return tracked;
}

/*
 * What a device writes in place is dirty, what it reads is not. Of a page that is
 * on a device the kernel (7.2) says that it is dirty all the time if it is huge,
 * which misses nothing, and otherwise nothing of what the device writes to it:
 * clear_refs leaves the entry writable. There only the data is looked at.
 */
GT_TEST(soft_dirty)
{
	/* A kernel that does not track writes must at least do no harm. */
	bool tracked = tracks_writes(_metadata);
	bool told = tracked && (variant->inplace || variant->huge);
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant, 1);
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_FILL,
		.flags = variant->inplace ? GMEM_MOCK_OP_INPLACE : 0,
		.va = (uintptr_t)buf + LEN / 2,
		.len = 8,
		.arg = 5,
	};

	EXPECT_EQ(tracked ? NR_PAGES : 0, soft_dirty_pages(buf));
	ASSERT_LE(0, gt_write_file("/proc/self/clear_refs", "4"));
	if (variant->inplace || !variant->huge)
		EXPECT_EQ(0, soft_dirty_pages(buf));
	EXPECT_EQ(0, touch_at(dev, buf, LEN, false, variant->inplace));
	if (variant->inplace || !variant->huge)
		EXPECT_EQ(0, soft_dirty_pages(buf));
	EXPECT_EQ(0, gt_run(dev, &op));
	if (told)
		EXPECT_TRUE(gt_pagemap(buf + LEN / 2) & SOFT_DIRTY);
	/* The whole, now and when it is back home. */
	op.va = (uintptr_t)buf;
	op.len = LEN;
	EXPECT_EQ(0, gt_run(dev, &op));
	if (told)
		EXPECT_EQ(NR_PAGES, soft_dirty_pages(buf));
	ASSERT_TRUE(bring_home(buf, LEN));
	if (told)
		EXPECT_EQ(NR_PAGES, soft_dirty_pages(buf));
	EXPECT_EQ(5, *(__u64 *)(buf + LEN - 8));
	gt_free(buf, LEN);
}

TEST_HARNESS_MAIN

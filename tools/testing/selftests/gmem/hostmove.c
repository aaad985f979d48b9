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

#include "gmem_abi.h"
#include "gmem_places.h"

#define LEN		GT_HUGE
#define NR_PAGES	(LEN / GT_PAGE)
#define KSM		"/sys/kernel/mm/ksm/"

/* In an entry of pagemap. */
#define PRESENT		(1ULL << 63)
#define SOFT_DIRTY	(1ULL << 55)
#define PFN_MASK	((1ULL << 55) - 1)

#define MPOL_BIND	2
#define MPOL_LOCAL	4
#define MPOL_F_NUMA_BALANCING	(1 << 13)
#define MPOL_MF_MOVE	2

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

/*
 * Two scans see everything that is at home and does not change. It takes more to
 * @merge pages that were different last time: KSM passes over them for a while.
 */
static bool ksm_scan(bool merge)
{
	unsigned long long end = gt_now_ms() + GT_PATIENCE_MS / 4;
	long want = gt_number(KSM "full_scans") + 3;
	bool done;

	gt_write_file(KSM "run", "1");
	do {
		usleep(10000);
		done = gt_number(KSM "full_scans") >= want &&
		       (!merge || gt_number(KSM "pages_sharing") > 0);
	} while (!done && gt_now_ms() < end);
	gt_write_file(KSM "run", "0");
	return done;
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
		/* The second time, a CPU has been there last. */
		EXPECT_TRUE(ksm_scan(variant->inplace || n));
		EXPECT_EQ(0, gt_dev_pattern(dev, a, LEN, 1));
		EXPECT_EQ(0, gt_dev_pattern(dev, b, LEN, 1));
		/* Moves what is shared, if it may. */
		gt_hmadvise(dev->hnid, a, LEN, HMADV_PREFETCH, 0);
		EXPECT_EQ(0, gt_dev_pattern(dev, b, LEN, 1));
		EXPECT_TRUE(ksm_scan(false));
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

/* Something that moves memory, each time another way if it can. */
struct mover {
	int (*prepare)(char *buf, int round);
	int (*move)(char *buf, int round);
};

struct user {
	const struct gt_dev *dev;
	char *buf;
	__u64 sum;
	bool inplace;
	bool stop;
	int error;
	unsigned long rounds;
	/* How often a move has begun or ended. */
	unsigned long steps;
};

/* 0, an error, or -EAGAIN if the kernel was faster again and again. */
static int use(const struct user *u, struct gmem_mock_op op, __u64 *result)
{
	int ret;

	op.flags = u->inplace ? GMEM_MOCK_OP_INPLACE : 0;
	ret = gt_run(u->dev, &op);
	*result = op.result;
	return ret;
}

/*
 * The kernel moves nothing but what is at home: there the data stays for one move, by
 * turns, and comes back to the device while the next is under way.
 */
static void stay_home(struct user *u)
{
	unsigned long until = gt_load(&u->steps) + (u->rounds % 2 ? 1 : 3);

	gt_hmadvise(HMADV_NODE_ANY, u->buf, LEN, HMADV_PREFETCH, 0);
	while (gt_load(&u->steps) < until && !gt_load(&u->stop))
		usleep(100);
}

/* Counts in the first word and looks at the rest, all the time. */
static void *user_run(void *arg)
{
	struct user *u = arg;
	struct gmem_mock_op add = {
		.opcode = GMEM_MOCK_OP_ATOMIC_ADD,
		.va = (uintptr_t)u->buf,
		.len = 8,
		.arg = 1,
	};
	struct gmem_mock_op look = {
		.opcode = GMEM_MOCK_OP_CHECKSUM,
		.va = (uintptr_t)u->buf + GT_PAGE,
		.len = LEN - GT_PAGE,
	};
	__u64 result;
	int ret;

	while (!gt_load(&u->stop)) {
		ret = use(u, add, &result);
		if (!ret)
			gt_add(&u->rounds, 1);
		else if (ret != -EAGAIN)
			u->error = ret;
		ret = use(u, look, &result);
		if (ret ? ret != -EAGAIN : result != u->sum)
			u->error = ret ?: -EILSEQ;
		if (!u->inplace)
			stay_home(u);
	}
	return NULL;
}

/* Pages that are in memory before and after, but not in the same. */
static size_t nr_moved(const __u64 *before, const __u64 *after)
{
	size_t i, nr = 0;

	for (i = 0; i < NR_PAGES; i++)
		nr += before[i] & after[i] & PRESENT &&
		      (before[i] ^ after[i]) & PFN_MASK;
	return nr;
}

/*
 * Does the kernel move any page for it? If the device takes them at the same time, they
 * may have other frames for that: but then the kernel did not count them.
 */
static bool move_once(struct __test_metadata *_metadata, struct user *u,
		      const struct mover *mover, int round)
{
	__u64 before[NR_PAGES], after[NR_PAGES];
	long migrated;

	if (mover->prepare)
		EXPECT_EQ(0, mover->prepare(u->buf, round));
	migrated = gt_vmstat("pgmigrate_success");
	EXPECT_EQ(NR_PAGES, gt_pagemap_all(u->buf, NR_PAGES, before));
	gt_add(&u->steps, 1);
	EXPECT_EQ(0, mover->move(u->buf, round));
	EXPECT_EQ(NR_PAGES, gt_pagemap_all(u->buf, NR_PAGES, after));
	gt_add(&u->steps, 1);
	return nr_moved(before, after) &&
	       gt_vmstat("pgmigrate_success") > migrated;
}

/*
 * A device uses the memory until it was moved @enough times, or a quarter of that if
 * the device takes it away again and again. @buf begins with a counter; the pattern of
 * the rest is written here.
 */
static void during_use(struct __test_metadata *_metadata, GT_SELF *self,
		       const GT_VARIANT *variant, char *buf,
		       const struct mover *mover, int enough)
{
	unsigned long long end = gt_now_ms() + GT_PATIENCE_MS;
	struct user u = {
		.dev = &self->dev[0],
		.buf = buf,
		.inplace = variant->inplace,
		.sum = gt_pattern_sum(7, 0, (LEN - GT_PAGE) / 8),
	};
	int i, moves = 0;
	pthread_t thread;

	if (!variant->inplace)
		enough = (enough + 3) / 4;
	*(__u64 *)buf = 0;
	gt_pattern(buf + GT_PAGE, LEN - GT_PAGE, 7);
	ASSERT_EQ(0, pthread_create(&thread, NULL, user_run, &u));
	for (i = 0; i < 10 || moves < enough || gt_load(&u.rounds) < 5; i++) {
		moves += move_once(_metadata, &u, mover, i);
		if (gt_now_ms() > end)
			break;
		usleep(2000);
	}
	gt_store(&u.stop, true);
	pthread_join(thread, NULL);
	EXPECT_LE(enough, moves)
		TH_LOG("in %d rounds", i);
	EXPECT_LE(5, u.rounds);
	EXPECT_EQ(0, u.error);
	EXPECT_EQ(u.rounds, *(__u64 *)buf);
	EXPECT_EQ(-1, gt_pattern_bad(buf + GT_PAGE, LEN - GT_PAGE, 7));
}

/* Nobody uses it; is it all on @node in the end? */
static bool settles(struct __test_metadata *_metadata, char *buf, int node,
		    int (*op)(char *buf, int round), int round)
{
	int i;

	for (i = 0; i < 20 && !gt_all_on(buf, LEN, node); i++)
		EXPECT_EQ(0, op(buf, round));
	return gt_all_on(buf, LEN, node);
}

/* Node 0 and 1 by turns. What is busy may stay where it is. */
static int bind(char *va, size_t len, int round, unsigned int flags)
{
	unsigned long mask = 1UL << (round & 1);

	if (syscall(SYS_mbind, va, len, MPOL_BIND, &mask, 3UL, flags))
		return errno == EIO ? 0 : errno;
	return 0;
}

static int mbind_round(char *buf, int round)
{
	return bind(buf, LEN, round, MPOL_MF_MOVE);
}

static const struct mover mbind_mover = { .move = mbind_round };

GT_TEST(mbind)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant, 1);
	int node;

	for (node = 0; node < 2; node++) {
		EXPECT_EQ(0, mbind_round(buf, node));
		EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
		EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
		/* At home it is where it has to be. */
		EXPECT_TRUE(settles(_metadata, buf, node, mbind_round, node));
		EXPECT_EQ(0, touch_at(dev, buf, LEN, true, variant->inplace));
		EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	}
	during_use(_metadata, self, variant, buf, &mbind_mover, GT_ENOUGH);
	gt_free(buf, LEN);
}

static int migrate_round(char *buf, int round)
{
	unsigned long from = 1UL << (round & 1), to = 3 - from;

	return syscall(SYS_migrate_pages, 0, 3UL, &from, &to) < 0 ? errno : 0;
}

static const struct mover migrate_mover = { .move = migrate_round };

GT_TEST(migrate_pages)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant, 1);
	int i;

	for (i = 0; i < 4; i++) {
		EXPECT_EQ(0, migrate_round(buf, i));
		EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
		EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
		EXPECT_TRUE(settles(_metadata, buf, !(i & 1), migrate_round, i));
		EXPECT_EQ(0, touch_at(dev, buf, LEN, true, variant->inplace));
	}
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	during_use(_metadata, self, variant, buf, &migrate_mover, GT_ENOUGH);
	gt_free(buf, LEN);
}

/* ---------------------------------------------------------- NUMA balancing */

#define NUMAB	"/sys/kernel/debug/sched/numa_balancing/"
/* Rounds in which the device met hints. The kernel gives them when it likes. */
#define HINTED	6

/* Scans as often as the kernel can, and little at a time. */
static const char * const numab[][2] = {
	{ NUMAB "scan_size_mb", "16" },
	{ NUMAB "scan_delay_ms", "1" },
	{ NUMAB "scan_period_min_ms", "10" },
	{ NUMAB "scan_period_max_ms", "20" },
	{ "/proc/sys/kernel/numa_balancing", "1" },
};

/*
 * Hints here and for nothing else of this process: what is counted was there. (The
 * kernel gives them where the policy asks it to look at faults.)
 */
static bool balance_only(char *buf, size_t len)
{
	unsigned long both = 3;

	return !syscall(SYS_set_mempolicy, MPOL_LOCAL, NULL, 0UL) &&
	       !syscall(SYS_mbind, buf, len, MPOL_BIND | MPOL_F_NUMA_BALANCING,
			&both, 3UL, 0);
}

/* What a process with one thread has where it runs gets no hints. */
static void *second_thread(void *arg)
{
	pause();
	return NULL;
}

/* The kernel looks at those who use a CPU, and by their leave. */
static bool wait_hints(long before)
{
	unsigned long long end = gt_now_ms() + GT_PATIENCE_MS / 20;

	while (gt_vmstat("numa_pte_updates") == before)
		if (gt_now_ms() > end)
			return false;
	return true;
}

/*
 * Hints for what is at home, and then the device comes. Did it meet any? What it
 * uses in place it has to ask for by a fault of a CPU's; what it takes, it just takes.
 */
static bool hinted(struct __test_metadata *_metadata, struct gt_dev *dev,
		   const GT_VARIANT *variant, char *buf)
{
	long hints, faults;
	bool given;

	EXPECT_TRUE(bring_home(buf, LEN));
	hints = gt_vmstat("numa_pte_updates");
	given = wait_hints(hints);
	faults = gt_vmstat("numa_hint_faults");
	EXPECT_EQ(0, touch_at(dev, buf, LEN, true, variant->inplace));
	if (variant->inplace)
		given = gt_vmstat("numa_hint_faults") > faults;
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	return given;
}

GT_TEST(numa_balancing)
{
	unsigned long long end = gt_now_ms() + GT_PATIENCE_MS;
	struct gt_dev *dev = &self->dev[0];
	struct setting set[ARRAY_SIZE(numab)];
	pthread_t thread;
	int i, met = 0;
	char *buf;

	for (i = 0; i < ARRAY_SIZE(numab); i++)
		ASSERT_EQ(0, setting_set(&set[i], numab[i][0], numab[i][1]));
	buf = make(_metadata, dev, variant, 1);
	/* For 32 times as long as the last hints took there are no more. */
	ASSERT_TRUE(balance_only(buf, variant->huge ? LEN : LEN / 16));
	ASSERT_EQ(0, pthread_create(&thread, NULL, second_thread, NULL));
	for (i = 0; met < HINTED && gt_now_ms() < end; i++) {
		met += hinted(_metadata, dev, variant, buf);
		if (i % 4 == 3)
			EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	}
	EXPECT_EQ(HINTED, met);
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	exercise(_metadata, self, buf, LEN, 10);
	gt_free(buf, LEN);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	for (i = ARRAY_SIZE(numab); i--;)
		setting_restore(&set[i]);
}

/* ------------------------------------------------------------- compaction */

static int compact_round(char *buf, int round)
{
	return gt_write_file("/proc/sys/vm/compact_memory", "1") < 0;
}

#define CHUNK	(LEN / 8)
#define HOLES	7

/*
 * Compaction fills what is free at the end of memory, and what is there then stays. So
 * @buf is spread out before, on a node of its own, with holes in between.
 */
static int spread(char *buf, int round)
{
	char *fill = gt_alloc(LEN * HOLES, false);
	size_t off;
	int ret;

	if (!fill)
		return -ENOMEM;
	ret = bind(fill, LEN * HOLES, round, 0);
	for (off = 0; off < LEN && !ret; off += CHUNK) {
		ret = bind(buf + off, CHUNK, round, MPOL_MF_MOVE);
		memset(fill + off * HOLES, 1, CHUNK * HOLES);
	}
	gt_free(fill, LEN * HOLES);
	return ret;
}

/* Compaction passes over huge pages: they are what it is for. */
GT_TEST(compaction)
{
	const struct mover mover = {
		.prepare = variant->huge ? NULL : spread,
		.move = compact_round,
	};
	long scanned = gt_vmstat("compact_migrate_scanned");
	char *buf = make(_metadata, &self->dev[0], variant, 1);

	during_use(_metadata, self, variant, buf, &mover,
		   variant->huge ? 0 : GT_ENOUGH / 2);
	EXPECT_LT(scanned, gt_vmstat("compact_migrate_scanned"));
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

/*
 * A page that is about to fail is replaced, and nobody sees it. For one on the
 * device, as above, it is its page at home. A page that is busy stays at first.
 */
GT_TEST(soft_offline)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant, 1);
	char *bad = buf + LEN / 2;
	long kb = gt_field("/proc/meminfo", "HardwareCorrupted:");
	__u64 pfn = gt_pfn(bad);
	int i, ret = EBUSY;

	for (i = 0; i < 50 && ret == EBUSY; i++) {
		ret = madvise(bad, GT_PAGE, MADV_SOFT_OFFLINE) ? errno : 0;
		if (ret == EBUSY)
			usleep(10000);
	}
	EXPECT_EQ(0, ret);
	/* Its memory is out of use, and not under the data. */
	EXPECT_EQ(kb + 4, gt_field("/proc/meminfo", "HardwareCorrupted:"));
	EXPECT_EQ(variant->inplace, !!pfn);
	EXPECT_NE(pfn, gt_pfn(bad));
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

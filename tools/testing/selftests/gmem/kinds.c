// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every kind of anonymous memory is usable by a device as by a CPU: huge, mTHP
 * and base pages, the zero pages, locked and guarded memory, the stack. See
 * kinds_file.c for what has a file behind it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "gmem_abi.h"
#include "gmem_exercise.h"

#define LEN	GT_HUGE

#define THP	"/sys/kernel/mm/transparent_hugepage/"

/* --------------------------------------------------------- sizes of pages */

GT_TEST(anon_huge)
{
	char *buf = gt_alloc(2 * LEN, true);

	ASSERT_NE(NULL, buf);
	memset(buf, 1, 2 * LEN);
	ASSERT_EQ(2 * LEN, gt_huge_bytes(buf));
	exercise(_metadata, self, buf, 2 * LEN, 10);
	ASSERT_TRUE(bring(&self->dev[0], buf, 2 * LEN));
	exercise(_metadata, self, buf, 2 * LEN, 20);
	gt_free(buf, 2 * LEN);
}

GT_TEST(anon_base)
{
	char *buf = gt_alloc(LEN, false);

	ASSERT_NE(NULL, buf);
	memset(buf, 1, LEN);
	ASSERT_EQ(0, gt_huge_bytes(buf));
	exercise(_metadata, self, buf, LEN, 10);
	ASSERT_TRUE(bring(&self->dev[0], buf, LEN));
	exercise(_metadata, self, buf, LEN, 20);
	gt_free(buf, LEN);
}

/* Huge pages that only a part of the process maps, at both ends of the VMA. */
GT_TEST(anon_unaligned)
{
	char *buf = gt_alloc(3 * LEN, true);

	ASSERT_NE(NULL, buf);
	memset(buf, 1, 3 * LEN);
	ASSERT_EQ(0, munmap(buf, 5 * GT_PAGE));
	ASSERT_EQ(0, munmap(buf + 3 * LEN - 7 * GT_PAGE, 7 * GT_PAGE));
	exercise(_metadata, self, buf + 5 * GT_PAGE, 3 * LEN - 12 * GT_PAGE, 1);
	munmap(buf, 3 * LEN);
}

static unsigned long mthp_allocated(unsigned int kb)
{
	char path[128], text[64];

	snprintf(path, sizeof(path), THP "hugepages-%ukB/stats/anon_fault_alloc",
		 kb);
	return gt_read_file(path, text, sizeof(text)) ? 0 :
	       strtoul(text, NULL, 0);
}

/* Folios of @kb KiB, which no device translation has the size of. */
static void mthp(struct __test_metadata *_metadata, GT_SELF *self,
		 unsigned int kb, bool inplace)
{
	struct setting none, some;
	unsigned long before;
	char path[128];
	char *buf;

	snprintf(path, sizeof(path), THP "hugepages-%ukB/enabled", kb);
	ASSERT_EQ(0, setting_set(&none, THP "hugepages-2048kB/enabled",
				 "never"));
	ASSERT_EQ(0, setting_set(&some, path, "always"));
	before = mthp_allocated(kb);
	buf = gt_alloc(LEN, true);
	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 3);
	EXPECT_EQ(LEN / 1024 / kb, mthp_allocated(kb) - before);
	/* A part of a folio first, from its middle on. */
	EXPECT_EQ(0, touch_at(&self->dev[0], buf + 7 * GT_PAGE, GT_PAGE, true,
			      inplace));
	EXPECT_EQ(0, touch_at(&self->dev[0], buf, LEN, true, inplace));
	EXPECT_EQ(0, gt_dev_pattern(&self->dev[0], buf, LEN, 3));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 3));
	exercise(_metadata, self, buf, LEN, 10);
	gt_free(buf, LEN);
	setting_restore(&some);
	setting_restore(&none);
}

GT_TEST(anon_mthp)
{
	unsigned int kb;

	for (kb = 16; kb <= 1024; kb *= 4) {
		mthp(_metadata, self, kb, false);
		mthp(_metadata, self, kb, true);
	}
}

/* --------------------------------------------------------- the zero pages */

#define KPF_THP		22
#define KPF_ZERO_PAGE	24

/* /proc/kpageflags of the page at @va, or 0. */
static __u64 page_flags(const void *va)
{
	__u64 pfn = gt_pfn(va), flags = 0;
	int fd;

	if (!pfn)
		return 0;
	fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	if (pread(fd, &flags, 8, pfn * 8) != 8)
		flags = 0;
	close(fd);
	return flags;
}

static bool is_zero_page(const void *va, bool huge)
{
	__u64 flags = page_flags(va);

	return (flags & (1ULL << KPF_ZERO_PAGE)) &&
	       !!(flags & (1ULL << KPF_THP)) == huge;
}

/* Memory that the CPU has only read: the zero page all over. */
static char *make_zero(struct __test_metadata *_metadata, bool huge)
{
	char *buf = gt_alloc(LEN, huge);
	size_t i;

	ASSERT_NE(NULL, buf);
	for (i = 0; i < LEN; i += GT_PAGE)
		ASSERT_EQ(0, gt_load(buf + i));
	ASSERT_TRUE(is_zero_page(buf, huge));
	ASSERT_TRUE(is_zero_page(buf + LEN - GT_PAGE, huge));
	EXPECT_TRUE(gt_all_on(buf, LEN, GT_HOME));
	return buf;
}

static void zero_page(struct __test_metadata *_metadata,
		      GT_SELF *self, bool huge, bool inplace)
{
	char *other = make_zero(_metadata, huge);
	char *buf = make_zero(_metadata, huge);
	struct gt_dev *dev = &self->dev[0];
	size_t mid = LEN / 2;
	__u64 word, sum, i;

	/* Reading: zeros, wherever they are then. */
	EXPECT_EQ(0, touch_at(dev, buf, LEN, false, inplace));
	EXPECT_EQ(0, gt_checksum(dev, buf, LEN, &sum));
	EXPECT_EQ(0, sum);
	/* Writing one word changes just that, and nobody else's zeros. */
	EXPECT_EQ(0, touch_at(dev, buf + mid, 8, true, inplace));
	EXPECT_EQ(0, gt_fill(dev, buf + mid, 8, 77));
	for (i = 0; i < self->nr; i++) {
		EXPECT_EQ(0, gt_read(&self->dev[i], buf + mid, 8, &word));
		EXPECT_EQ(77, word);
		EXPECT_EQ(0, gt_checksum(&self->dev[i], other, LEN, &sum));
		EXPECT_EQ(0, sum);
	}
	EXPECT_EQ(77, *(__u64 *)(buf + mid));
	for (i = 0; i < LEN; i += 8)
		if (i != mid)
			ASSERT_EQ(0, *(__u64 *)(buf + i));
	exercise(_metadata, self, buf, LEN, 5);
	gt_free(buf, LEN);
	gt_free(other, LEN);
	/* Nor are the zeros of anybody who comes later changed. */
	other = make_zero(_metadata, huge);
	for (i = 0; i < LEN; i += 8)
		ASSERT_EQ(0, *(__u64 *)(other + i));
	gt_free(other, LEN);
}

GT_TEST(zero_page_base)
{
	zero_page(_metadata, self, false, false);
}

GT_TEST(zero_page_base_inplace)
{
	zero_page(_metadata, self, false, true);
}

GT_TEST(zero_page_huge)
{
	zero_page(_metadata, self, true, false);
}

GT_TEST(zero_page_huge_inplace)
{
	zero_page(_metadata, self, true, true);
}

/* A hint moves neither of the zero pages away from the others. */
GT_TEST(zero_page_prefetch)
{
	struct gt_dev *dev = &self->dev[0];
	int huge;

	for (huge = 0; huge < 2; huge++) {
		char *buf = make_zero(_metadata, huge);
		__u64 sum;

		EXPECT_EQ(LEN, gt_hmadvise(dev->hnid, buf, LEN, HMADV_PREFETCH,
					   0));
		EXPECT_EQ(0, gt_checksum(dev, buf, LEN, &sum));
		EXPECT_EQ(0, sum);
		EXPECT_EQ(0, gt_fill(dev, buf, LEN, 9));
		EXPECT_EQ(9, *(__u64 *)(buf + LEN - 8));
		gt_free(buf, LEN);
		buf = make_zero(_metadata, huge);
		EXPECT_EQ(0, *(__u64 *)(buf + LEN - 8));
		gt_free(buf, LEN);
	}
}

/* ---------------------------------------------------------- locked memory */

/* A line of /proc/meminfo, in KiB. */
static long mem_line(const char *key)
{
	char text[4096], *line;

	if (gt_read_file("/proc/meminfo", text, sizeof(text)))
		return -1;
	line = strstr(text, key);
	return line ? atol(line + strlen(key)) : -1;
}

/*
 * The count of locked pages lags behind on the other CPUs; compaction is what
 * makes them catch up.
 */
static long mlocked_kb(long want)
{
	long kb = mem_line("Mlocked:");
	int i;

	for (i = 0; i < 100 && kb != want; i++) {
		gt_write_file("/proc/sys/vm/stat_refresh", "1");
		gt_write_file("/proc/sys/vm/compact_memory", "1");
		usleep(20000);
		kb = mem_line("Mlocked:");
	}
	return kb;
}

static void locked(struct __test_metadata *_metadata, GT_SELF *self,
		   bool huge, bool late)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = gt_alloc(LEN, huge);
	struct gt_check check;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	if (late)
		ASSERT_TRUE(bring(dev, buf, LEN));
	ASSERT_EQ(0, mlock(buf, LEN));
	/* Locked memory must not need a fault of the CPU. */
	EXPECT_TRUE(gt_all_on(buf, LEN, GT_HOME));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	exercise(_metadata, self, buf, LEN, 10);
	EXPECT_EQ(0, gt_fill(dev, buf, LEN, 6));
	ASSERT_EQ(0, munlock(buf, LEN));
	EXPECT_EQ(6, *(__u64 *)(buf + LEN - 8));
	exercise(_metadata, self, buf, LEN, 20);
	/* Unmapped while it is locked and on the device. */
	EXPECT_EQ(0, mlock(buf, LEN));
	EXPECT_EQ(0, gt_fill(dev, buf, LEN, 7));
	gt_free(buf, LEN);
	EXPECT_EQ(0, gt_quiet(&check));
}

GT_TEST(mlock_then_device)
{
	long before = mem_line("Mlocked:");

	locked(_metadata, self, true, false);
	locked(_metadata, self, false, false);
	EXPECT_EQ(before, mlocked_kb(before));
}

GT_TEST(mlock_resident)
{
	long before = mem_line("Mlocked:");

	locked(_metadata, self, true, true);
	locked(_metadata, self, false, true);
	EXPECT_EQ(before, mlocked_kb(before));
}

/* Locked when it comes: the device is the first to touch it. */
GT_TEST(mlock2_onfault)
{
	long before = mem_line("Mlocked:");
	struct gt_dev *dev = &self->dev[0];
	struct gt_check check;
	int huge;

	for (huge = 0; huge < 2; huge++) {
		char *buf = gt_alloc(LEN, huge);

		ASSERT_NE(NULL, buf);
		ASSERT_EQ(0, syscall(SYS_mlock2, buf, LEN, MLOCK_ONFAULT));
		EXPECT_TRUE(gt_all_on(buf, LEN, GMEM_NODE_NONE));
		EXPECT_EQ(0, gt_fill(dev, buf, LEN, 8));
		EXPECT_EQ(8, *(__u64 *)buf);
		EXPECT_EQ(8, *(__u64 *)(buf + LEN - 8));
		exercise(_metadata, self, buf, LEN, 10);
		ASSERT_EQ(0, munlock(buf, LEN));
		exercise(_metadata, self, buf, LEN, 20);
		gt_free(buf, LEN);
		EXPECT_EQ(0, gt_quiet(&check));
	}
	EXPECT_EQ(before, mlocked_kb(before));
}

/* What mlockall() populates and what it does not. */
GT_TEST(mlockall_future)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf;

	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT));
	buf = gt_alloc(LEN, false);
	ASSERT_NE(NULL, buf);
	EXPECT_EQ(0, gt_fill(dev, buf, LEN, 8));
	exercise(_metadata, self, buf, LEN, 10);
	ASSERT_EQ(0, munlockall());
	exercise(_metadata, self, buf, LEN, 20);
	gt_free(buf, LEN);
}

/* -------------------------------------------------------- guarded memory */

/* A guard kills what was there; no access gets past it, the rest works. */
static void guarded(struct __test_metadata *_metadata,
		    GT_SELF *self, bool huge, bool inplace)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = gt_alloc(LEN, huge);
	char *guard = buf + LEN / 2;
	__u64 word;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	ASSERT_EQ(0, touch_at(dev, buf, LEN, true, inplace));
	ASSERT_EQ(0, madvise(guard, 2 * GT_PAGE, MADV_GUARD_INSTALL));
	EXPECT_EQ(0, gt_translated(dev, guard, 2 * GT_PAGE));
	EXPECT_EQ(-EFAULT, gt_read(dev, guard, 8, &word));
	EXPECT_EQ(-EFAULT, gt_fill(dev, guard + GT_PAGE, 8, 1));
	EXPECT_EQ(-EFAULT, gt_fill(dev, buf, LEN, 1));
	/* That one stopped at the guard. */
	EXPECT_EQ(1, *(__u64 *)(guard - 8));
	EXPECT_EQ(gt_pattern_word(1, LEN / 8 - 1), ((__u64 *)buf)[LEN / 8 - 1]);
	EXPECT_EQ(LEN, gt_hmadvise(dev->hnid, buf, LEN, HMADV_PREFETCH, 0));
	EXPECT_EQ(-EFAULT, gt_touch(dev, guard, 8));
	ASSERT_EQ(0, madvise(guard, 2 * GT_PAGE, MADV_GUARD_REMOVE));
	EXPECT_EQ(0, gt_read(dev, guard, 8, &word));
	EXPECT_EQ(0, word);
	exercise(_metadata, self, buf, LEN, 10);
	gt_free(buf, LEN);
}

GT_TEST(guard_resident)
{
	guarded(_metadata, self, true, false);
	guarded(_metadata, self, false, false);
}

GT_TEST(guard_inplace)
{
	guarded(_metadata, self, true, true);
	guarded(_metadata, self, false, true);
}

/* --------------------------------------------------------------- the rest */

/* The stack, where it is and where it has still to grow. */
GT_TEST(stack)
{
	__u64 words[2048];

	exercise(_metadata, self, (char *)words, sizeof(words), 10);
}

/* The heap of the C library, not aligned to anything. */
GT_TEST(heap)
{
	size_t len = 300000;
	char *buf = malloc(len);

	ASSERT_NE(NULL, buf);
	exercise(_metadata, self, buf + 8, len - 16, 10);
	free(buf);
}

/*
 * Memory that may be dropped under pressure; without it, it is ordinary. It stays where
 * it is: what had been on a device could not be dropped any more, and be swapped.
 */
GT_TEST(droppable)
{
	char *buf = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
			 MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, buf);
	exercise(_metadata, self, buf, LEN, 10);
	gt_pattern(buf, LEN, 1);
	ASSERT_EQ(0, gt_touch_write(&self->dev[0], buf, LEN));
	EXPECT_TRUE(gt_all_on(buf, LEN, GT_HOME));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	munmap(buf, LEN);
}

/* MADV_POPULATE_* and MAP_POPULATE are accesses of the CPU. */
GT_TEST(populate)
{
	struct gt_dev *dev = &self->dev[0];
	int huge;

	for (huge = 0; huge < 2; huge++) {
		char *buf = gt_alloc(LEN, huge);

		ASSERT_NE(NULL, buf);
		gt_pattern(buf, LEN, 1);
		ASSERT_TRUE(bring(dev, buf, LEN));
		ASSERT_EQ(0, madvise(buf, LEN, MADV_POPULATE_READ));
		EXPECT_TRUE(gt_all_on(buf, LEN, GT_HOME));
		EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
		ASSERT_TRUE(bring(dev, buf, LEN));
		ASSERT_EQ(0, madvise(buf, LEN, MADV_POPULATE_WRITE));
		EXPECT_TRUE(gt_all_on(buf, LEN, GT_HOME));
		EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
		exercise(_metadata, self, buf, LEN, 10);
		gt_free(buf, LEN);
	}
}

TEST_HARNESS_MAIN

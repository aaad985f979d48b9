// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whenever the CPU side changes, the device forgets: its translation is gone
 * before the call returns, and its next access faults again, or fails.
 */
#include <errno.h>
#include <sys/mman.h>

#include "gmem_places.h"

#define LEN	GT_HUGE

/* A buffer that the device has translations for, all of it. */
static char *make(struct __test_metadata *_metadata, struct gt_dev *dev,
		  bool huge, bool inplace)
{
	char *buf = gt_alloc(LEN, huge);
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_TOUCH,
		.flags = GMEM_MOCK_OP_WRITABLE |
			 (inplace ? GMEM_MOCK_OP_INPLACE : 0),
		.va = (uintptr_t)buf,
		.len = LEN,
	};

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	ASSERT_EQ(0, gt_run(dev, &op));
	ASSERT_EQ(1, gt_translated(dev, buf, GT_PAGE));
	ASSERT_EQ(1, gt_translated(dev, buf + LEN - GT_PAGE, GT_PAGE));
	ASSERT_TRUE(gt_all_on(buf, LEN, inplace ? GT_HOME : dev->hnid));
	return buf;
}

GT_TEST(munmap_all)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant->huge, variant->inplace);
	struct gt_check check;

	ASSERT_EQ(0, munmap(buf, LEN));
	EXPECT_EQ(0, gt_translated(dev, buf, LEN));
	EXPECT_EQ(-EFAULT, gt_touch(dev, buf, 8));
	/* The frames are free at once, not when the process ends. */
	EXPECT_EQ(0, gt_quiet(&check));
}

/* Only what was unmapped is lost; the rest still works. */
GT_TEST(munmap_middle)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant->huge, variant->inplace);
	char *hole = buf + LEN / 2;

	ASSERT_EQ(0, munmap(hole, GT_PAGE));
	EXPECT_EQ(0, gt_translated(dev, hole, GT_PAGE));
	EXPECT_EQ(-EFAULT, gt_touch(dev, hole, 8));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN / 2, 1));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN / 2, 1));
	EXPECT_EQ(gt_pattern_word(1, (LEN / 2 + GT_PAGE) / 8),
		  *(__u64 *)(hole + GT_PAGE));
	EXPECT_EQ(gt_pattern_word(1, LEN / 8 - 1), ((__u64 *)buf)[LEN / 8 - 1]);
	munmap(buf, LEN);
}

/* New memory at the same address is not the old memory. */
GT_TEST(mmap_over)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant->huge, variant->inplace);
	__u64 sum;

	ASSERT_EQ(buf, mmap(buf, LEN, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	EXPECT_EQ(0, gt_translated(dev, buf, LEN));
	EXPECT_EQ(0, gt_checksum(dev, buf, LEN, &sum));
	EXPECT_EQ(0, sum);
	munmap(buf, LEN);
}

GT_TEST(mprotect_read)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant->huge, variant->inplace);

	ASSERT_EQ(0, mprotect(buf, LEN, PROT_READ));
	EXPECT_EQ(-EFAULT, gt_fill(dev, buf, 8, 0));
	EXPECT_EQ(-EFAULT, gt_fill(dev, buf + LEN - 8, 8, 0));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	munmap(buf, LEN);
}

GT_TEST(mprotect_none)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant->huge, variant->inplace);

	ASSERT_EQ(0, mprotect(buf, LEN, PROT_NONE));
	EXPECT_EQ(-EFAULT, gt_touch(dev, buf, 8));
	EXPECT_EQ(-EFAULT, gt_touch(dev, buf + LEN - 8, 8));
	ASSERT_EQ(0, mprotect(buf, LEN, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	munmap(buf, LEN);
}

GT_TEST(madv_dontneed)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant->huge, variant->inplace);
	__u64 sum;

	ASSERT_EQ(0, madvise(buf, LEN, MADV_DONTNEED));
	EXPECT_EQ(0, gt_translated(dev, buf, LEN));
	EXPECT_EQ(0, gt_checksum(dev, buf, LEN, &sum));
	EXPECT_EQ(0, sum);
	EXPECT_EQ(0, buf[LEN - 1]);
	munmap(buf, LEN);
}

/* After mremap() the data is at the new address, for both sides. */
GT_TEST(mremap_away)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant->huge, variant->inplace);
	char *to = gt_alloc(LEN, variant->huge);

	ASSERT_NE(NULL, to);
	ASSERT_EQ(to, mremap(buf, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_EQ(0, gt_translated(dev, buf, LEN));
	EXPECT_EQ(-EFAULT, gt_touch(dev, buf, 8));
	EXPECT_EQ(0, gt_dev_pattern(dev, to, LEN, 1));
	EXPECT_EQ(-1, gt_pattern_bad(to, LEN, 1));
	munmap(to, LEN);
}

/*
 * A CPU access brings the data home and the device's translation is gone; in
 * place, both have one, and it is the same memory.
 */
GT_TEST(cpu_touch)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant->huge, variant->inplace);
	__u64 *word = (__u64 *)buf, seen;

	word[5] = 12345;
	if (!variant->inplace)
		EXPECT_EQ(0, gt_translated(dev, buf, GT_PAGE));
	EXPECT_TRUE(gt_all_on(buf, GT_PAGE, GT_HOME));
	EXPECT_EQ(0, gt_read(dev, word + 5, 8, &seen));
	EXPECT_EQ(12345, seen);
	word[5] = gt_pattern_word(1, 5);
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	munmap(buf, LEN);
}

/*
 * After fork() both processes own the page copy-on-write: what the device
 * writes for the parent is not seen by the child.
 */
GT_TEST(fork_copies)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant->huge, variant->inplace);
	int go[2], status;
	char c = 0;
	pid_t pid;

	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		if (read(go[0], &c, 1) != 1)
			_exit(2);
		_exit(gt_pattern_bad(buf, LEN, 1) >= 0);
	}
	EXPECT_EQ(0, gt_fill(dev, buf, LEN, 7));
	ASSERT_EQ(1, write(go[1], &c, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(7, *(__u64 *)buf);
	EXPECT_EQ(7, *(__u64 *)(buf + LEN - 8));
	munmap(buf, LEN);
	close(go[0]);
	close(go[1]);
}

/* The kernel writing to user memory is a CPU access, too. */
GT_TEST(kernel_write)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant->huge, variant->inplace);
	__u64 want = 0x6b65726e656c2121ULL, seen;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(8, write(fds[1], &want, 8));
	ASSERT_EQ(8, read(fds[0], buf + GT_PAGE, 8));
	EXPECT_EQ(0, gt_read(dev, buf + GT_PAGE, 8, &seen));
	EXPECT_EQ(want, seen);
	/* And reading is: what the device wrote last is what comes out. */
	want++;
	EXPECT_EQ(0, gt_write(dev, buf + 8, 8, &want));
	ASSERT_EQ(8, write(fds[1], buf + 8, 8));
	ASSERT_EQ(8, read(fds[0], &seen, 8));
	EXPECT_EQ(want, seen);
	munmap(buf, LEN);
	close(fds[0]);
	close(fds[1]);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A huge frame of a device, or a huge page that it works on in place, comes to
 * pieces: all others stay, wherever they are looked for.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "gmem_fixture.h"

#define LEN		GT_HUGE

/* Unmap the start, the middle or the end of one 2 MiB frame. */
static void cut(struct __test_metadata *_metadata, struct gt_dev *dev,
		size_t off, size_t len)
{
	char *buf = gt_alloc(LEN, true);
	struct gt_check check;
	size_t i;
	int ret;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	ASSERT_EQ(0, gt_touch_write(dev, buf, LEN));
	ASSERT_TRUE(gt_all_on(buf, LEN, dev->hnid));
	ASSERT_EQ(0, munmap(buf + off, len));
	EXPECT_EQ(0, gt_translated(dev, buf + off, len));
	EXPECT_EQ(-EFAULT, gt_touch(dev, buf + off, 8));
	EXPECT_EQ(-EFAULT, gt_touch(dev, buf + off + len - 8, 8));
	for (i = 0; i < LEN; i += GT_PAGE) {
		__u64 *word = (__u64 *)(buf + i), seen;

		if (i >= off && i < off + len)
			continue;
		/* By turns through the device and through the CPU. */
		ret = 0;
		if (i / GT_PAGE % 2)
			ret = gt_read(dev, word, 8, &seen);
		else
			seen = gt_load(word);
		ASSERT_EQ(0, ret);
		ASSERT_EQ(gt_pattern_word(1, i / 8), seen);
	}
	munmap(buf, LEN);
	EXPECT_EQ(0, gt_quiet(&check));
}

struct looker {
	pthread_t thread;
	char *buf;
	bool stop;
};

static void *look_main(void *arg)
{
	struct looker *look = arg;
	__s32 vec[GT_HUGE / GT_PAGE];

	while (!gt_load(&look->stop))
		gt_residency(look->buf, GT_HUGE, vec);
	return NULL;
}

/* A huge page of a device is broken up while somebody asks where it is. */
GT_TEST(residency_and_split)
{
	struct gt_dev *dev = &self->dev[0];
	struct looker look[2] = { };
	unsigned long long begin, end;
	char *buf = gt_alloc(GT_HUGE, true);
	unsigned int i, rounds = 0;

	ASSERT_NE(NULL, buf);
	for (i = 0; i < ARRAY_SIZE(look); i++) {
		look[i].buf = buf;
		ASSERT_EQ(0, pthread_create(&look[i].thread, NULL, look_main,
					    &look[i]));
	}
	begin = gt_now_ms();
	end = begin + gt_loop_ms(8000);
	while (gt_now_ms() < end ||
	       (rounds < GT_ENOUGH && gt_now_ms() < begin + GT_PATIENCE_MS)) {
		/* A new huge page each time. */
		ASSERT_EQ(0, madvise(buf, GT_HUGE, MADV_DONTNEED));
		gt_pattern(buf, GT_HUGE, rounds);
		ASSERT_EQ(0, gt_to_device(dev, buf, GT_HUGE));
		ASSERT_EQ(0, mprotect(buf + GT_HUGE / 2, GT_PAGE, PROT_READ));
		ASSERT_EQ(GT_PAGE, gt_hmadvise(HMADV_NODE_ANY, buf, GT_PAGE,
					       HMADV_PREFETCH, 0));
		ASSERT_EQ(0, mprotect(buf + GT_HUGE / 2, GT_PAGE,
				      PROT_READ | PROT_WRITE));
		ASSERT_EQ(-1, gt_pattern_bad(buf, GT_HUGE, rounds));
		rounds++;
	}
	for (i = 0; i < ARRAY_SIZE(look); i++) {
		gt_store(&look[i].stop, true);
		pthread_join(look[i].thread, NULL);
	}
	EXPECT_GE(rounds, GT_ENOUGH);
	gt_free(buf, GT_HUGE);
}

/*
 * Behind an IOMMU: a page that was mapped for DMA by itself, and then with its huge page.
 * Both mappings end when the page changes, so nothing may go on using either. A reference
 * keeps the huge page from being split, so that only the page is told of.
 */
GT_TEST(two_mappings_of_a_page)
{
	struct gt_dev *dev = &self->dev[0];
	bool iommu = !access("/sys/class/iommu/dmar0", F_OK);
	char *buf = gt_alloc(GT_HUGE, true);
	struct iovec iov = { buf + 200 * GT_PAGE, GT_PAGE };
	int fds[2], left;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf + GT_PAGE, GT_HUGE - GT_PAGE, 2);
	/* It stays on the host. */
	ASSERT_EQ(0, madvise(buf, GT_HUGE, MADV_MERGEABLE));
	ASSERT_EQ(GT_PAGE, gt_hmadvise(dev->hnid, buf, GT_PAGE, HMADV_PREFETCH,
				       0));
	ASSERT_EQ(0, gt_touch(dev, buf + 100 * GT_PAGE, 8));
	ASSERT_EQ(16 * GT_PAGE, gt_hmadvise(dev->hnid, buf, 16 * GT_PAGE,
					    HMADV_PREFETCH, 0));
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(GT_PAGE, vmsplice(fds[1], &iov, 1, 0));
	ASSERT_EQ(0, madvise(buf, GT_PAGE, MADV_FREE));
	EXPECT_EQ(0, gt_translated(dev, buf, GT_PAGE));
	left = gt_translated(dev, buf, GT_HUGE);
	if (iommu)
		EXPECT_EQ(0, left);
	EXPECT_EQ(0, gt_dev_pattern(dev, buf + GT_PAGE, GT_HUGE - GT_PAGE, 2));
	EXPECT_EQ(-1, gt_pattern_bad(buf + GT_PAGE, GT_HUGE - GT_PAGE, 2));
	close(fds[0]);
	close(fds[1]);
	gt_free(buf, GT_HUGE);
}

GT_TEST(cut_start)
{
	cut(_metadata, &self->dev[0], 0, GT_PAGE);
}

GT_TEST(cut_middle)
{
	cut(_metadata, &self->dev[0], 100 * GT_PAGE, 7 * GT_PAGE);
}

GT_TEST(cut_end)
{
	cut(_metadata, &self->dev[0], LEN - 3 * GT_PAGE, 3 * GT_PAGE);
}

GT_TEST(cut_half)
{
	cut(_metadata, &self->dev[0], LEN / 2, LEN / 2);
}

TEST_HARNESS_MAIN

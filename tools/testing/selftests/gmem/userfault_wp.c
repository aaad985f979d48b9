// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes that another thread wants to hear of: write protection by userfaultfd,
 * with an answer for each write or, asynchronously, with PAGEMAP_SCAN telling
 * afterwards. Devices write, too, and where the data is makes no difference.
 */
#include <linux/fs.h>

#include "gmem_pager.h"
#include "gmem_places.h"

/* Memory with pattern 1 for which the device has translations for writing. */
static char *make(struct __test_metadata *_metadata, struct gt_dev *dev,
		  const GT_VARIANT *variant)
{
	char *buf = gt_alloc(LEN, variant->huge);

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	ASSERT_EQ(0, touch_at(dev, buf, LEN, true, variant->inplace));
	return buf;
}

/* ------------------------------------------------- with an answer for each */

/* One message for each page that the device writes, before it is written. */
GT_TEST(write_by_page)
{
	struct pager p = {
		.dst = make(_metadata, &self->dev[0], variant),
		.answer = ANSWER_UNPROTECT,
		.seed = 1,
	};
	struct gt_dev *dev = &self->dev[0];

	pager_start(_metadata, &p, UFFDIO_REGISTER_MODE_WP, 0);
	ASSERT_EQ(0, pager_protect(&p, 0, LEN, true));
	/* Reading is free. */
	EXPECT_EQ(0, gt_dev_pattern(dev, p.dst, LEN, 1));
	EXPECT_EQ(0, gt_load(&p.wp));
	EXPECT_EQ(0, gt_fill(dev, p.dst, LEN, 5));
	EXPECT_GE(gt_load(&p.wp), NR_PAGES);
	EXPECT_EQ(5, *(__u64 *)p.dst);
	EXPECT_EQ(5, *(__u64 *)(p.dst + LEN - 8));
	pager_stop(_metadata, &p);
	exercise(_metadata, self, p.dst, LEN, 10);
	gt_free(p.dst, LEN);
}

/* Without the pager touching the data, so that it stays where it is. */
GT_TEST(write_at_once)
{
	struct pager p = {
		.dst = make(_metadata, &self->dev[0], variant),
		.answer = ANSWER_UNPROTECT_ALL,
	};
	struct gt_dev *dev = &self->dev[0];
	unsigned int i;

	pager_start(_metadata, &p, UFFDIO_REGISTER_MODE_WP, 0);
	for (i = 0; i < 3; i++) {
		unsigned long before = gt_load(&p.wp);

		ASSERT_EQ(0, pager_protect(&p, 0, LEN, true));
		EXPECT_EQ(0, gt_touch(dev, p.dst, LEN));
		EXPECT_EQ(before, gt_load(&p.wp));
		EXPECT_EQ(0, gt_fill(dev, p.dst + LEN / 2, 8, i + 2));
		EXPECT_GE(gt_load(&p.wp), before + 1);
		EXPECT_EQ(0, gt_fill(dev, p.dst, LEN, i + 3));
	}
	pager_stop(_metadata, &p);
	EXPECT_EQ(5, *(__u64 *)(p.dst + LEN - 8));
	exercise(_metadata, self, p.dst, LEN, 10);
	gt_free(p.dst, LEN);
}

/* The CPU's writes are announced, too, wherever the device left the data. */
GT_TEST(cpu_writes)
{
	struct pager p = {
		.dst = make(_metadata, &self->dev[0], variant),
		.answer = ANSWER_UNPROTECT,
	};
	size_t i;

	pager_start(_metadata, &p, UFFDIO_REGISTER_MODE_WP, 0);
	ASSERT_EQ(0, pager_protect(&p, 0, LEN, true));
	for (i = 0; i < LEN; i += GT_PAGE)
		*(__u64 *)(p.dst + i) = 6;
	EXPECT_GE(gt_load(&p.wp), NR_PAGES);
	pager_stop(_metadata, &p);
	for (i = 0; i < LEN / 8; i++)
		ASSERT_EQ(i % (GT_PAGE / 8) ? gt_pattern_word(1, i) : 6,
			  ((__u64 *)p.dst)[i]);
	exercise(_metadata, self, p.dst, LEN, 10);
	gt_free(p.dst, LEN);
}

/* Protected first, moved by a hint and back later: it stays protected. */
GT_TEST(moves_protected)
{
	struct pager p = {
		.dst = gt_alloc(LEN, variant->huge),
		.answer = ANSWER_UNPROTECT,
	};
	struct gt_dev *dev = &self->dev[0];
	int i, hnid;

	ASSERT_NE(NULL, p.dst);
	gt_pattern(p.dst, LEN, 1);
	pager_start(_metadata, &p, UFFDIO_REGISTER_MODE_WP, 0);
	ASSERT_EQ(0, pager_protect(&p, 0, LEN, true));
	for (i = 0; i < 4; i++) {
		hnid = i & 1 ? HMADV_NODE_ANY : dev->hnid;
		ASSERT_EQ(LEN, gt_hmadvise(hnid, p.dst, LEN, HMADV_PREFETCH,
					   0));
		EXPECT_EQ(0, gt_touch(dev, p.dst, LEN));
	}
	if (!variant->inplace)
		ASSERT_EQ(LEN, gt_hmadvise(dev->hnid, p.dst, LEN,
					   HMADV_PREFETCH, 0));
	EXPECT_EQ(0, gt_load(&p.wp));
	EXPECT_EQ(0, gt_fill(dev, p.dst, LEN / 2, 5));
	EXPECT_GE(gt_load(&p.wp), NR_PAGES / 2);
	memset(p.dst + LEN / 2, 7, LEN / 2);
	EXPECT_GE(gt_load(&p.wp), NR_PAGES);
	EXPECT_EQ(5, *(__u64 *)p.dst);
	pager_stop(_metadata, &p);
	exercise(_metadata, self, p.dst, LEN, 10);
	gt_free(p.dst, LEN);
}

/* Nobody listens any more: nothing is protected any more. */
GT_TEST(unregister)
{
	struct pager p = {
		.dst = make(_metadata, &self->dev[0], variant),
		.answer = ANSWER_UNREGISTER,
	};

	pager_start(_metadata, &p, UFFDIO_REGISTER_MODE_WP, 0);
	ASSERT_EQ(0, pager_protect(&p, 0, LEN, true));
	EXPECT_EQ(0, gt_fill(&self->dev[0], p.dst, LEN, 5));
	EXPECT_EQ(1, p.wp);
	EXPECT_EQ(5, *(__u64 *)(p.dst + LEN - 8));
	pager_stop(_metadata, &p);
	exercise(_metadata, self, p.dst, LEN, 10);
	gt_free(p.dst, LEN);
}

/* Memory that nobody has touched can be protected as well. */
GT_TEST(unpopulated)
{
	struct pager p = {
		.dst = gt_alloc(LEN, variant->huge),
		.answer = ANSWER_UNPROTECT,
	};
	struct gt_dev *dev = &self->dev[0];

	ASSERT_NE(NULL, p.dst);
	pager_start(_metadata, &p, UFFDIO_REGISTER_MODE_WP,
		    UFFD_FEATURE_WP_UNPOPULATED);
	ASSERT_EQ(0, pager_protect(&p, 0, LEN, true));
	EXPECT_EQ(LEN, gt_hmadvise(dev->hnid, p.dst, LEN, HMADV_PREFETCH, 0));
	EXPECT_EQ(0, touch_at(dev, p.dst, LEN / 2, false, variant->inplace));
	EXPECT_EQ(0, gt_load(&p.wp));
	EXPECT_EQ(0, gt_fill(dev, p.dst, LEN, 5));
	EXPECT_GE(gt_load(&p.wp), NR_PAGES);
	EXPECT_EQ(5, *(__u64 *)(p.dst + LEN - 8));
	pager_stop(_metadata, &p);
	gt_free(p.dst, LEN);
}

/* A CPU and two threads of devices write where it is protected all the time. */
struct writer {
	struct pager *p;
	const struct gt_dev *dev;
	unsigned long done;
	int error;
};

static void *writer_run(void *arg)
{
	struct writer *w = arg;
	unsigned int i;
	int ret;

	for (i = 0; i < 300; i++) {
		char *word = w->p->dst + i * 37 % NR_PAGES * GT_PAGE;

		ret = 0;
		if (w->dev)
			ret = gt_atomic_add(w->dev, word, 1, NULL);
		else
			gt_add((__u64 *)word, 1);
		if (!ret)
			w->done++;
		else if (ret != -EAGAIN)
			w->error = ret;
	}
	return NULL;
}

GT_TEST(everybody_writes)
{
	struct pager p = {
		.dst = gt_alloc(LEN, variant->huge),
		.answer = ANSWER_UNPROTECT,
	};
	struct writer w[] = {
		{ .p = &p },
		{ .p = &p, .dev = &self->dev[0] },
		{ .p = &p, .dev = &self->dev[self->nr - 1] },
	};
	unsigned long sum = 0, done = 0;
	pthread_t thread[3];
	unsigned int i;

	ASSERT_NE(NULL, p.dst);
	memset(p.dst, 0, LEN);
	pager_start(_metadata, &p, UFFDIO_REGISTER_MODE_WP, 0);
	ASSERT_EQ(0, pager_protect(&p, 0, LEN, true));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, writer_run,
					    &w[i]));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, pager_protect(&p, 0, LEN, true));
		usleep(5000);
	}
	for (i = 0; i < 3; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_EQ(0, w[i].error);
		done += w[i].done;
	}
	pager_stop(_metadata, &p);
	for (i = 0; i < NR_PAGES; i++)
		sum += *(__u64 *)(p.dst + i * GT_PAGE);
	EXPECT_EQ(done, sum);
	EXPECT_GE(done, 300);
	EXPECT_GE(p.wp, 1);
	gt_free(p.dst, LEN);
}

/* --------------------------------------------------------- asynchronously */

/*
 * How many pages of the range were written since they were protected, or an
 * error; with @again they are protected from now on.
 */
static long written(const void *va, size_t len, bool again)
{
	struct page_region regions[NR_PAGES];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = again ? PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC :
				 0,
		.start = (uintptr_t)va,
		.end = (uintptr_t)va + len,
		.vec = (uintptr_t)regions,
		.vec_len = NR_PAGES,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};
	long n, i, nr = 0;
	int fd;

	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	n = ioctl(fd, PAGEMAP_SCAN, &arg);
	if (n < 0)
		nr = -errno;
	close(fd);
	for (i = 0; i < n; i++)
		nr += (regions[i].end - regions[i].start) / GT_PAGE;
	return nr;
}

static int async_open(void *buf)
{
	int fd = uffd_open(UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED);

	if (fd < 0)
		return -1;
	if (uffd_register(fd, buf, LEN, UFFDIO_REGISTER_MODE_WP)) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Each page that the device has written is reported, and no other; but of a huge
 * page on a device the kernel says that it is written all the time.
 */
GT_TEST(async_scan)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant);
	bool always = variant->huge && !variant->inplace;
	int fd = async_open(buf);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(NR_PAGES, written(buf, LEN, true));
	EXPECT_TRUE(always || !written(buf, LEN, false));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	EXPECT_TRUE(always || !written(buf, LEN, false));
	/* Where the data is now it is written. */
	ASSERT_EQ(0, touch_at(dev, buf, LEN, false, variant->inplace));
	EXPECT_EQ(0, gt_fill(dev, buf + 100 * GT_PAGE, 8, 5));
	EXPECT_EQ(1, written(buf + 100 * GT_PAGE, GT_PAGE, false));
	EXPECT_EQ(0, gt_fill(dev, buf, LEN, 6));
	EXPECT_EQ(NR_PAGES, written(buf, LEN, true));
	EXPECT_TRUE(always || !written(buf, LEN, false));
	EXPECT_EQ(6, *(__u64 *)(buf + LEN - 8));
	close(fd);
	exercise(_metadata, self, buf, LEN, 10);
	gt_free(buf, LEN);
}

/* By the ioctl of userfaultfd, and pages that move meanwhile. */
GT_TEST(async_moves)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = make(_metadata, dev, variant);
	struct pager p = { .fd = async_open(buf), .dst = buf };
	int i;

	ASSERT_GE(p.fd, 0);
	ASSERT_EQ(0, pager_protect(&p, 0, LEN, true));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(LEN, gt_hmadvise(dev->hnid, buf, LEN, HMADV_PREFETCH,
					   0));
		EXPECT_EQ(0, written(buf, LEN, false));
		ASSERT_EQ(LEN, gt_hmadvise(HMADV_NODE_ANY, buf, LEN,
					   HMADV_PREFETCH, 0));
		EXPECT_EQ(0, written(buf, LEN, false));
	}
	ASSERT_EQ(LEN, gt_hmadvise(dev->hnid, buf, LEN, HMADV_PREFETCH, 0));
	EXPECT_EQ(0, gt_fill(dev, buf, LEN, 6));
	EXPECT_EQ(NR_PAGES, written(buf, LEN, false));
	ASSERT_EQ(LEN, gt_hmadvise(HMADV_NODE_ANY, buf, LEN, HMADV_PREFETCH,
				   0));
	EXPECT_EQ(NR_PAGES, written(buf, LEN, false));
	close(p.fd);
	gt_free(buf, LEN);
}

TEST_HARNESS_MAIN

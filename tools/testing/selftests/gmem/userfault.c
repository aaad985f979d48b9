// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that another thread pages in: userfaultfd. A device that faults there
 * waits until that thread has answered, as a CPU does, and gets its answer.
 */
#include <signal.h>

#include "gmem_pager.h"

#define NR_HUGETLB	"/proc/sys/vm/nr_hugepages"

/* ---------------------------------------------------------- missing pages */

static void missing(struct __test_metadata *_metadata, GT_SELF *self,
		    struct pager *p, bool huge)
{
	struct gt_dev *dev = &self->dev[0];

	p->dst = gt_alloc(LEN, huge);
	ASSERT_NE(NULL, p->dst);
	pager_start(_metadata, p, UFFDIO_REGISTER_MODE_MISSING, 0);
	/* A hint does not populate, and asks nobody. */
	EXPECT_EQ(LEN, gt_hmadvise(dev->hnid, p->dst, LEN, HMADV_PREFETCH, 0));
	EXPECT_EQ(0, gt_load(&p->missing));
	EXPECT_EQ(0, gt_dev_pattern(dev, p->dst, LEN, 1));
	EXPECT_GE(gt_load(&p->missing),
		  p->answer == ANSWER_COPY ? NR_PAGES : 1);
	EXPECT_EQ(-1, gt_pattern_bad(p->dst, LEN, 1));
	/* Nothing is missing any more. */
	exercise(_metadata, self, p->dst, LEN, 10);
	/* Dropped, it is missing again, from the device as well. */
	ASSERT_EQ(0, gt_touch_write(dev, p->dst, LEN));
	ASSERT_EQ(0, madvise(p->dst, LEN, MADV_DONTNEED));
	EXPECT_EQ(0, gt_dev_pattern(dev, p->dst, LEN, 1));
	EXPECT_EQ(-1, gt_pattern_bad(p->dst, LEN, 1));
	pager_stop(_metadata, p);
	gt_free(p->dst, LEN);
}

GT_TEST(missing_copy)
{
	char *src = make_source(_metadata, 1);
	int huge;

	for (huge = 0; huge < 2; huge++) {
		struct pager p = { .src = src, .answer = ANSWER_COPY };

		missing(_metadata, self, &p, huge);
	}
	gt_free(src, LEN);
}

GT_TEST(missing_copy_all)
{
	char *src = make_source(_metadata, 1);
	int huge;

	for (huge = 0; huge < 2; huge++) {
		struct pager p = { .src = src, .answer = ANSWER_COPY_ALL };

		missing(_metadata, self, &p, huge);
	}
	gt_free(src, LEN);
}

/* The pager, too, has its data from the device. */
GT_TEST(missing_pager_uses_device)
{
	struct pager p = {
		.src = make_source(_metadata, 1),
		.answer = ANSWER_COPY,
		.dev = &self->dev[0],
	};

	missing(_metadata, self, &p, false);
	gt_free((void *)p.src, LEN);
}

/* And from the neighbourhood of what the device waits for. */
GT_TEST(missing_pager_uses_neighbours)
{
	char *buf = gt_alloc(2 * LEN, false);
	struct pager p = {
		.dst = buf,
		.answer = ANSWER_COPY,
		.dev = &self->dev[0],
	};
	size_t half = LEN / 2;
	int i;

	ASSERT_NE(NULL, buf);
	/* Of each block half is paged; the source of it is the other half. */
	p.fd = uffd_open(0);
	p.unit = GT_PAGE;
	p.src = buf + half;
	ASSERT_GE(p.fd, 0);
	gt_pattern(buf + half, half, 1);
	ASSERT_EQ(0, uffd_register(p.fd, buf, half,
				   UFFDIO_REGISTER_MODE_MISSING));
	ASSERT_EQ(0, pthread_create(&p.thread, NULL, pager_run, &p));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, gt_touch_write(&self->dev[0], buf + half, half));
		EXPECT_EQ(0, gt_dev_pattern(&self->dev[0], buf, half, 1));
		ASSERT_EQ(0, madvise(buf, half, MADV_DONTNEED));
	}
	EXPECT_GE(p.missing, 3 * NR_PAGES / 2);
	pager_stop(_metadata, &p);
	gt_free(buf, 2 * LEN);
}

/* A write is a write: nothing of the page is lost. */
GT_TEST(missing_write)
{
	struct pager p = {
		.src = make_source(_metadata, 1),
		.dst = gt_alloc(LEN, false),
		.answer = ANSWER_COPY,
	};
	unsigned int i;
	size_t off;
	int ret;

	ASSERT_NE(NULL, p.dst);
	pager_start(_metadata, &p, UFFDIO_REGISTER_MODE_MISSING, 0);
	for (off = 0; off < LEN; off += GT_PAGE) {
		ret = gt_fill(&self->dev[off / GT_PAGE % self->nr],
			      p.dst + off, 8, 4711);
		ASSERT_EQ(0, ret);
	}
	for (i = 0; i < LEN / 8; i++)
		ASSERT_EQ(i % (GT_PAGE / 8) ? gt_pattern_word(1, i) : 4711,
			  ((__u64 *)p.dst)[i]);
	pager_stop(_metadata, &p);
	gt_free(p.dst, LEN);
	gt_free((void *)p.src, LEN);
}

GT_TEST(missing_zero)
{
	struct pager p = {
		.dst = gt_alloc(LEN, true),
		.answer = ANSWER_ZERO,
	};
	__u64 sum;

	ASSERT_NE(NULL, p.dst);
	pager_start(_metadata, &p, UFFDIO_REGISTER_MODE_MISSING, 0);
	EXPECT_EQ(0, gt_checksum(&self->dev[0], p.dst, LEN, &sum));
	EXPECT_EQ(0, sum);
	EXPECT_GE(p.missing, NR_PAGES);
	exercise(_metadata, self, p.dst, LEN, 10);
	pager_stop(_metadata, &p);
	gt_free(p.dst, LEN);
}

/* What is there stays where it is; what is missing is asked for. */
GT_TEST(missing_between_resident)
{
	struct pager p = {
		.src = make_source(_metadata, 1),
		.dst = gt_alloc(LEN, false),
		.answer = ANSWER_COPY,
	};
	struct gt_dev *dev = &self->dev[0];
	size_t third = 100 * GT_PAGE;

	ASSERT_NE(NULL, p.dst);
	memcpy(p.dst, p.src, third);
	ASSERT_EQ(0, gt_touch_write(dev, p.dst, third));
	pager_start(_metadata, &p, UFFDIO_REGISTER_MODE_MISSING, 0);
	EXPECT_EQ(0, gt_dev_pattern(dev, p.dst, third, 1));
	EXPECT_EQ(0, p.missing);
	EXPECT_EQ(0, gt_dev_pattern(dev, p.dst, LEN, 1));
	EXPECT_GE(p.missing, NR_PAGES - 100);
	pager_stop(_metadata, &p);
	gt_free(p.dst, LEN);
	gt_free((void *)p.src, LEN);
}

/* Shared memory, with the same words. */
GT_TEST(missing_shmem)
{
	struct pager p = {
		.src = make_source(_metadata, 1),
		.dst = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0),
		.answer = ANSWER_COPY,
	};

	ASSERT_NE(MAP_FAILED, p.dst);
	pager_start(_metadata, &p, UFFDIO_REGISTER_MODE_MISSING, 0);
	EXPECT_EQ(0, gt_dev_pattern(&self->dev[0], p.dst, LEN, 1));
	EXPECT_GE(p.missing, NR_PAGES);
	exercise(_metadata, self, p.dst, LEN, 10);
	pager_stop(_metadata, &p);
	munmap(p.dst, LEN);
	gt_free((void *)p.src, LEN);
}

GT_TEST(missing_hugetlb)
{
	struct pager p = {
		.src = make_source(_metadata, 1),
		.answer = ANSWER_COPY,
		.unit = LEN,
	};

	ASSERT_LE(0, gt_write_file(NR_HUGETLB, "2"));
	p.dst = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	ASSERT_NE(MAP_FAILED, p.dst);
	pager_start(_metadata, &p, UFFDIO_REGISTER_MODE_MISSING, 0);
	EXPECT_EQ(0, gt_dev_pattern(&self->dev[0], p.dst, LEN, 1));
	EXPECT_GE(p.missing, 1);
	exercise(_metadata, self, p.dst, LEN, 10);
	pager_stop(_metadata, &p);
	munmap(p.dst, LEN);
	ASSERT_LE(0, gt_write_file(NR_HUGETLB, "0"));
	gt_free((void *)p.src, LEN);
}

/* Nobody pages any more: the memory is what it would be without. */
GT_TEST(missing_unregister)
{
	struct pager p = {
		.dst = gt_alloc(LEN, false),
		.answer = ANSWER_UNREGISTER,
	};
	__u64 sum;

	ASSERT_NE(NULL, p.dst);
	pager_start(_metadata, &p, UFFDIO_REGISTER_MODE_MISSING, 0);
	EXPECT_EQ(0, gt_checksum(&self->dev[0], p.dst, LEN, &sum));
	EXPECT_EQ(0, sum);
	EXPECT_EQ(1, p.missing);
	pager_stop(_metadata, &p);
	exercise(_metadata, self, p.dst, LEN, 10);
	gt_free(p.dst, LEN);
}

/* An error instead of a message, for those who want it so. */
GT_TEST(missing_sigbus)
{
	char *buf = gt_alloc(LEN, false);
	int fd = uffd_open(UFFD_FEATURE_SIGBUS);

	ASSERT_NE(NULL, buf);
	ASSERT_GE(fd, 0);
	gt_pattern(buf, GT_PAGE, 1);
	ASSERT_EQ(0, uffd_register(fd, buf, LEN, UFFDIO_REGISTER_MODE_MISSING));
	EXPECT_EQ(-EFAULT, gt_touch(&self->dev[0], buf + GT_PAGE, 8));
	EXPECT_EQ(-EFAULT, gt_fill(&self->dev[0], buf + GT_PAGE, 8, 1));
	EXPECT_EQ(0, gt_dev_pattern(&self->dev[0], buf, GT_PAGE, 1));
	EXPECT_TRUE(gt_all_on(buf + GT_PAGE, GT_PAGE, GMEM_NODE_NONE));
	close(fd);
	gt_free(buf, LEN);
}

/* A process whose device waits for ever can be killed. */
GT_TEST(missing_kill)
{
	int status, alive[2];
	char c = 0;
	pid_t pid;

	ASSERT_EQ(0, pipe(alive));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		char *buf = gt_alloc(LEN, false);
		struct gt_dev dev;
		int fd = uffd_open(0);

		if (!buf || fd < 0 || gt_open(&dev, 0) ||
		    uffd_register(fd, buf, LEN, UFFDIO_REGISTER_MODE_MISSING))
			_exit(1);
		if (write(alive[1], &c, 1) != 1)
			_exit(2);
		/* Does not come back. */
		gt_touch(&dev, buf, 8);
		_exit(3);
	}
	ASSERT_EQ(1, read(alive[0], &c, 1));
	usleep(300000);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		TH_LOG("status %#x", status);
	close(alive[0]);
	close(alive[1]);
}

/* ----------------------------------------------------------- minor faults */

static void minor(struct __test_metadata *_metadata, GT_SELF *self,
		  unsigned int memfd_flags, size_t unit)
{
	int fd = memfd_create("gmem", MFD_CLOEXEC | memfd_flags);
	struct pager p = { .answer = ANSWER_CONTINUE, .unit = unit };
	unsigned int i;
	char *file;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ftruncate(fd, LEN));
	file = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	p.dst = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, file);
	ASSERT_NE(MAP_FAILED, p.dst);
	gt_pattern(file, LEN, 1);
	pager_start(_metadata, &p, UFFDIO_REGISTER_MODE_MINOR, 0);
	for (i = 0; i < self->nr; i++) {
		EXPECT_EQ(0, gt_dev_pattern(&self->dev[i], p.dst, LEN, 1));
		EXPECT_GE(p.minor, (i + 1) * LEN / unit);
		ASSERT_EQ(0, munmap(p.dst, LEN));
		ASSERT_EQ(p.dst, mmap(p.dst, LEN, PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_FIXED, fd, 0));
		ASSERT_EQ(0, uffd_register(p.fd, p.dst, LEN,
					   UFFDIO_REGISTER_MODE_MINOR));
	}
	exercise(_metadata, self, p.dst, LEN, 10);
	EXPECT_EQ(0, memcmp(file, p.dst, LEN));
	pager_stop(_metadata, &p);
	munmap(p.dst, LEN);
	munmap(file, LEN);
	close(fd);
}

GT_TEST(minor_shmem)
{
	minor(_metadata, self, 0, GT_PAGE);
}

GT_TEST(minor_hugetlb)
{
	ASSERT_LE(0, gt_write_file(NR_HUGETLB, "2"));
	minor(_metadata, self, MFD_HUGETLB, LEN);
	ASSERT_LE(0, gt_write_file(NR_HUGETLB, "0"));
}

/* ---------------------------------------------------------------- poison */

/* Poisoned memory is an error for the device, and for nobody else a danger. */
GT_TEST(poison)
{
	struct pager p = {
		.dst = gt_alloc(LEN, true),
		.answer = ANSWER_POISON,
		.unit = GT_PAGE,
	};
	struct gt_dev *dev = &self->dev[0];
	char *bad;

	ASSERT_NE(NULL, p.dst);
	bad = p.dst + LEN / 2;
	p.fd = uffd_open(0);
	ASSERT_GE(p.fd, 0);
	gt_pattern(p.dst, LEN, 1);
	ASSERT_EQ(0, gt_touch_write(dev, p.dst, LEN));
	ASSERT_EQ(0, uffd_register(p.fd, p.dst, LEN,
				   UFFDIO_REGISTER_MODE_MISSING));
	ASSERT_EQ(0, madvise(bad, GT_PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, pager_poison(&p, LEN / 2));
	EXPECT_EQ(-EIO, gt_touch(dev, bad, 8));
	EXPECT_EQ(-EIO, gt_fill(dev, bad, 8, 1));
	EXPECT_EQ(LEN, gt_hmadvise(dev->hnid, p.dst, LEN, HMADV_PREFETCH, 0));
	EXPECT_EQ(-EIO, gt_touch(dev, bad, 8));
	EXPECT_EQ(0, gt_dev_pattern(dev, p.dst, LEN / 2, 1));
	EXPECT_EQ(-1, gt_pattern_bad(p.dst, LEN / 2, 1));
	/* A new mapping is good again. */
	close(p.fd);
	ASSERT_EQ(0, madvise(bad, GT_PAGE, MADV_DONTNEED));
	exercise(_metadata, self, p.dst, LEN, 10);
	gt_free(p.dst, LEN);
}

/* The answer to the device that waits. */
GT_TEST(poison_while_waiting)
{
	struct pager p = {
		.dst = gt_alloc(LEN, false),
		.answer = ANSWER_POISON,
	};

	ASSERT_NE(NULL, p.dst);
	pager_start(_metadata, &p, UFFDIO_REGISTER_MODE_MISSING, 0);
	EXPECT_EQ(-EIO, gt_touch(&self->dev[0], p.dst, 8));
	EXPECT_EQ(1, p.missing);
	EXPECT_EQ(-EIO, gt_fill(&self->dev[0], p.dst + GT_PAGE, 8, 1));
	EXPECT_EQ(2, p.missing);
	pager_stop(_metadata, &p);
	gt_free(p.dst, LEN);
}

/* ------------------------------------------------------------------ moves */

static int uffd_move(int fd, void *dst, void *src, size_t len)
{
	struct uffdio_move move = {
		.dst = (uintptr_t)dst,
		.src = (uintptr_t)src,
		.len = len,
		.mode = UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES,
	};

	return ioctl(fd, UFFDIO_MOVE, &move) ? errno : 0;
}

static void moved(struct __test_metadata *_metadata, GT_SELF *self, bool huge,
		  bool inplace)
{
	char *src = gt_alloc(LEN, huge), *dst = gt_alloc(LEN, huge);
	struct gt_dev *dev = &self->dev[0];
	int fd = uffd_open(0), ret;

	ASSERT_GE(fd, 0);
	gt_pattern(src, LEN, 1);
	ASSERT_EQ(0, touch_at(dev, src, LEN, true, inplace));
	ASSERT_EQ(0, uffd_register(fd, dst, LEN, UFFDIO_REGISTER_MODE_MISSING));
	ret = uffd_move(fd, dst, src, LEN);
	if (!inplace) {
		/* Not from a device; nothing has happened. */
		EXPECT_TRUE(ret == ENOENT || ret == EFAULT)
			TH_LOG("from the device: %d", ret);
		EXPECT_EQ(0, gt_dev_pattern(dev, src, LEN, 1));
		/* So bring it home first. */
		EXPECT_EQ(-1, gt_pattern_bad(src, LEN, 1));
		ret = uffd_move(fd, dst, src, LEN);
	}
	ASSERT_EQ(0, ret);
	close(fd);
	EXPECT_EQ(0, gt_translated(dev, src, LEN));
	EXPECT_EQ(0, gt_dev_pattern(dev, dst, LEN, 1));
	EXPECT_EQ(-1, gt_pattern_bad(dst, LEN, 1));
	EXPECT_EQ(0, *(__u64 *)src);
	exercise(_metadata, self, dst, LEN, 10);
	exercise(_metadata, self, src, LEN, 20);
	gt_free(src, LEN);
	gt_free(dst, LEN);
}

GT_TEST(move_inplace)
{
	moved(_metadata, self, true, true);
	moved(_metadata, self, false, true);
}

GT_TEST(move_resident)
{
	moved(_metadata, self, true, false);
	moved(_metadata, self, false, false);
}

/* What is on a device is there: nothing is moved onto it. */
static void moved_onto(struct __test_metadata *_metadata, GT_SELF *self,
		       bool huge, bool src_huge)
{
	char *src = gt_alloc(LEN, src_huge), *dst = gt_alloc(LEN, huge);
	struct gt_dev *dev = &self->dev[0];
	int fd = uffd_open(0);

	ASSERT_GE(fd, 0);
	gt_pattern(src, LEN, 1);
	gt_pattern(dst, LEN, 2);
	ASSERT_TRUE(bring(dev, dst, LEN));
	ASSERT_EQ(0, uffd_register(fd, dst, LEN, UFFDIO_REGISTER_MODE_MISSING));
	EXPECT_EQ(EEXIST, uffd_move(fd, dst, src, LEN));
	EXPECT_TRUE(gt_all_on(dst, LEN, dev->hnid));
	EXPECT_EQ(0, gt_dev_pattern(dev, dst, LEN, 2));
	EXPECT_EQ(-1, gt_pattern_bad(dst, LEN, 2));
	EXPECT_EQ(-1, gt_pattern_bad(src, LEN, 1));
	close(fd);
	gt_free(src, LEN);
	gt_free(dst, LEN);
}

GT_TEST(move_onto_resident)
{
	moved_onto(_metadata, self, true, true);
	moved_onto(_metadata, self, true, false);
	moved_onto(_metadata, self, false, true);
	moved_onto(_metadata, self, false, false);
}

TEST_HARNESS_MAIN

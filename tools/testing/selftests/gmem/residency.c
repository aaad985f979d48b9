// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/gmem tells where memory is: it agrees with the device's translations
 * and with the counters, and refuses nonsense.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "gmem_fixture.h"

/* ------------------------------------------------------------ it tells truth */

/* What the node of page @i should be: every fourth is on the device. */
static bool as_expected(size_t i, size_t touched, int node, int hnid)
{
	if (i >= touched)
		return node == GMEM_NODE_NONE;
	if (i % 4 == 0)
		return node == hnid;
	return node >= 0 && node != hnid;
}

/* Every fourth page goes to the device: exactly those are there. */
GT_TEST(follows_each_page)
{
	size_t nr = GT_HUGE / GT_PAGE, touched = nr / 2, i;
	struct gt_dev *dev = &self->dev[0];
	char *buf = gt_alloc(GT_HUGE, false);
	__s32 vec[GT_HUGE / GT_PAGE];
	struct gmem_mock_xlat xlat;

	ASSERT_NE(NULL, buf);
	memset(buf, 1, touched * GT_PAGE);
	for (i = 0; i < touched; i += 4)
		ASSERT_EQ(GT_PAGE, gt_hmadvise(dev->hnid, buf + i * GT_PAGE,
					       GT_PAGE, HMADV_PREFETCH, 0));
	ASSERT_EQ(0, gt_touch(dev, buf, GT_PAGE));
	ASSERT_EQ(0, gt_residency(buf, GT_HUGE, vec));
	i = 0;
	while (i < nr && as_expected(i, touched, vec[i], dev->hnid))
		i++;
	EXPECT_EQ(nr, i) TH_LOG("page %zu is on the wrong node", i);
	/* What the device translates as its own memory is there. */
	ASSERT_EQ(1, gt_snapshot(dev, buf, GT_PAGE, &xlat, 1));
	EXPECT_EQ(GMEM_MOCK_WHERE_LOCAL, xlat.where);
	gt_free(buf, GT_HUGE);
}

/* Pages on the device and bytes moved are the same number. */
static void agrees_with_counters(struct __test_metadata *_metadata,
				 struct gt_dev *dev, bool huge)
{
	struct gmem_mock_stats start, there, home;
	size_t len = GT_MB(8);
	char *buf = gt_alloc(len, huge);
	struct gt_check check;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, len, 1);
	ASSERT_EQ(0, gt_stats(dev, &start));
	ASSERT_EQ(0, gt_touch_write(dev, buf, len));
	ASSERT_EQ(0, gt_stats(dev, &there));
	ASSERT_EQ(0, gt_check(&check));
	EXPECT_TRUE(gt_all_on(buf, len, dev->hnid));
	EXPECT_EQ(len, there.to_device_bytes - start.to_device_bytes);
	EXPECT_EQ(len / GT_PAGE, check.frames_used);
	EXPECT_EQ(len / GT_PAGE, check.frames_recorded);

	EXPECT_EQ(len, gt_hmadvise(0, buf, len, HMADV_PREFETCH, 0));
	ASSERT_EQ(0, gt_stats(dev, &home));
	ASSERT_EQ(0, gt_quiet(&check));
	EXPECT_TRUE(gt_all_on(buf, len, 0));
	EXPECT_EQ(len, home.from_device_bytes - there.from_device_bytes);
	EXPECT_EQ(0, check.frames_used);
	EXPECT_EQ(-1, gt_pattern_bad(buf, len, 1));
	gt_free(buf, len);
}

GT_TEST(agrees_with_counters_huge)
{
	agrees_with_counters(_metadata, &self->dev[0], true);
}

GT_TEST(agrees_with_counters_base)
{
	agrees_with_counters(_metadata, &self->dev[0], false);
}

/* What is left of a block of which every second page was unmapped is recorded as before. */
GT_TEST(recorded_in_pieces)
{
	size_t nr = GT_HUGE / GT_PAGE, i;
	struct gt_dev *dev = &self->dev[0];
	char *buf = gt_alloc(GT_HUGE, false);
	struct gt_check check;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, GT_HUGE, 1);
	ASSERT_EQ(0, gt_to_device(dev, buf, GT_HUGE));
	for (i = 0; i < nr; i += 2)
		ASSERT_EQ(0, munmap(buf + i * GT_PAGE, GT_PAGE));
	ASSERT_EQ(0, gt_sound(&check));
	EXPECT_EQ(nr / 2, check.frames_used);
	EXPECT_EQ(nr / 2, check.frames_recorded);
	EXPECT_EQ(0, check.unrecorded);
	gt_free(buf, GT_HUGE);
}

/* What mremap() has carried elsewhere has no record there, and needs none. */
GT_TEST(moved_is_not_lost)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = gt_alloc(GT_HUGE, false), *to = gt_alloc(GT_HUGE, false);
	size_t nr = GT_HUGE / GT_PAGE;
	struct gt_check check;

	ASSERT_NE(NULL, buf);
	ASSERT_NE(NULL, to);
	gt_pattern(buf, GT_HUGE, 1);
	ASSERT_EQ(0, gt_to_device(dev, buf, GT_HUGE));
	ASSERT_EQ(to, mremap(buf, GT_HUGE, GT_HUGE,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	ASSERT_EQ(0, gt_sound(&check));
	EXPECT_EQ(nr, check.frames_foreign);
	EXPECT_EQ(0, check.unrecorded);
	/* The device finds it. */
	EXPECT_EQ(0, gt_dev_pattern(dev, to, GT_HUGE, 1));
	ASSERT_EQ(0, gt_sound(&check));
	EXPECT_EQ(nr, check.frames_recorded);
	gt_free(to, GT_HUGE);
}

/* Memory in place is at home, though the device translates it. */
GT_TEST(in_place_is_home)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = mmap(NULL, GT_PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct gmem_mock_xlat xlat;

	ASSERT_NE(MAP_FAILED, buf);
	buf[0] = 1;
	ASSERT_EQ(0, gt_touch_write(dev, buf, GT_PAGE));
	EXPECT_TRUE(gt_all_on(buf, GT_PAGE, GT_HOME));
	ASSERT_EQ(1, gt_snapshot(dev, buf, GT_PAGE, &xlat, 1));
	EXPECT_EQ(GMEM_MOCK_WHERE_HOST, xlat.where);
	munmap(buf, GT_PAGE);
}

/* It does not need a device: every process may ask. */
GT_TEST(without_a_device)
{
	size_t len = 4 * GT_PAGE;
	char *buf = gt_alloc(GT_HUGE, false);
	__s32 vec[4];
	unsigned int i;

	ASSERT_NE(NULL, buf);
	for (i = 0; i < self->nr; i++)
		gt_close(&self->dev[i]);
	buf[0] = 1;
	buf[2 * GT_PAGE] = 1;
	ASSERT_EQ(0, munmap(buf + 3 * GT_PAGE, GT_PAGE));
	ASSERT_EQ(0, gt_residency(buf, len, vec));
	EXPECT_GE(vec[0], 0);
	EXPECT_EQ(GMEM_NODE_NONE, vec[1]);
	EXPECT_GE(vec[2], 0);
	EXPECT_EQ(GMEM_NODE_UNKNOWN, vec[3]);
	gt_free(buf, GT_HUGE);
}

/* ------------------------------------------------------- it refuses nonsense */

static int ask(struct gmem_residency *res)
{
	int fd = open("/dev/gmem", O_RDWR | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = ioctl(fd, GMEM_IOC_RESIDENCY, res) ? -errno : 0;
	close(fd);
	return ret;
}

GT_TEST(errors)
{
	char *buf = gt_alloc(GT_HUGE, false);
	__s32 vec[8] = { 0 };
	const struct gmem_residency good = {
		.size = sizeof(good),
		.addr = (uintptr_t)buf,
		.len = 4 * GT_PAGE,
		.vec = (uintptr_t)vec,
		.vec_len = 8,
	};
	struct gmem_residency res;
	int fd;

	ASSERT_NE(NULL, buf);
	res = good;
	EXPECT_EQ(0, ask(&res));
	EXPECT_EQ(4, res.filled);
	res = good;
	res.size = sizeof(res) - 8;
	EXPECT_EQ(-EINVAL, ask(&res));
	res = good;
	res.size = 0;
	EXPECT_EQ(-EINVAL, ask(&res));
	res = good;
	res.flags = 1;
	EXPECT_EQ(-EINVAL, ask(&res));
	res = good;
	res.addr += 8;
	EXPECT_EQ(-EINVAL, ask(&res));
	res = good;
	res.len += 8;
	EXPECT_EQ(-EINVAL, ask(&res));
	res = good;
	res.addr = -GT_PAGE;
	EXPECT_EQ(-EINVAL, ask(&res));
	res = good;
	res.vec_len = 3;
	EXPECT_EQ(-EINVAL, ask(&res));
	res = good;
	res.vec = 8;
	EXPECT_EQ(-EFAULT, ask(&res));

	fd = open("/dev/gmem", O_RDWR | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-1, ioctl(fd, GMEM_IOC_RESIDENCY, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(fd, _IO('g', 0x7f), &res));
	EXPECT_EQ(ENOTTY, errno);
	close(fd);
	gt_free(buf, GT_HUGE);
}

/* A structure that has grown is accepted as long as the new end is zero. */
GT_TEST(larger_structure)
{
	__s32 vec[1];
	struct {
		struct gmem_residency res;
		__u64 more;
	} big = {
		.res.size = sizeof(big),
		.res.len = GT_PAGE,
		.res.vec = (uintptr_t)vec,
		.res.vec_len = 1,
	};
	char *buf = gt_alloc(GT_HUGE, false);

	ASSERT_NE(NULL, buf);
	big.res.addr = (uintptr_t)buf;
	EXPECT_EQ(0, ask(&big.res));
	EXPECT_EQ(1, big.res.filled);
	big.more = 1;
	EXPECT_EQ(-E2BIG, ask(&big.res));
	gt_free(buf, GT_HUGE);
}

TEST_HARNESS_MAIN

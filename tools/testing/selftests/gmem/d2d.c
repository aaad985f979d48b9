// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data that moves from one device to another: directly, without a byte through
 * host memory, when the engine reaches the other device's memory; by way of the
 * host when it does not, or when that fails. Either way it is the same data.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gmem_quiet.h"

#define LEN		GT_HUGE
#define WAIT_MS		60000
/* Moves in each direction that a side must have seen before it is disturbed. */
#define ROUNDS		5

FIXTURE(d2d)
{
	struct gt_dev dev[2];
	unsigned int nr;
	char slot[2][32];
};

FIXTURE_SETUP(d2d)
{
	int i;

	self->nr = gt_dev_count();
	ASSERT_GE(self->nr, 2) TH_LOG("needs two accelerators");
	ASSERT_EQ(0, gt_set_engine("cpu"));
	ASSERT_EQ(0, gt_set_peer_copy(true));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, gt_open(&self->dev[i], i));
		ASSERT_EQ(0, gt_pci_slot(&self->dev[i], self->slot[i],
					 sizeof(self->slot[i])));
	}
}

/* Whatever happened, the next test finds all devices, and as they were. */
FIXTURE_TEARDOWN_PARENT(d2d)
{
	unsigned long long end = gt_now_ms() + WAIT_MS;

	if (self->nr && gt_dev_count() != self->nr)
		gt_write_file("/sys/bus/pci/rescan", "1");
	while (gt_dev_count() != self->nr && gt_now_ms() < end)
		usleep(10000);
	EXPECT_EQ(self->nr, gt_dev_count());
	EXPECT_EQ(0, gt_set_engine("cpu"));
	EXPECT_EQ(0, gt_set_peer_copy(true));
	gt_expect_quiet(_metadata);
}

#define D2D_TEST(name)	TEST_F_TIMEOUT(d2d, name, GT_TIMEOUT)

/* What both devices copied, together. */
struct copied {
	__u64 host;	/* to host memory or from it */
	__u64 peer;
	__u64 edu;
};

static struct copied copied(struct __test_metadata *_metadata,
			    struct gt_dev *dev)
{
	struct gmem_mock_stats stats;
	struct copied sum = { };
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, gt_stats(&dev[i], &stats));
		sum.host += stats.to_device_bytes + stats.from_device_bytes;
		sum.peer += stats.peer_bytes;
		sum.edu += stats.edu_bytes;
	}
	return sum;
}

/* A counter of a device's memory. */
static long long counter(const struct gt_dev *dev, const char *name)
{
	char path[128], text[32] = "";

	snprintf(path, sizeof(path), "/sys/kernel/mm/gmem/hnode%d/stats/%s",
		 dev->hnid, name);
	return gt_read_file(path, text, sizeof(text)) < 0 ? -1 : atoll(text);
}

/* Memory with a pattern, all on the device. */
static char *resident(struct __test_metadata *_metadata, struct gt_dev *dev,
		      size_t len, bool huge, __u64 seed)
{
	char *buf = gt_alloc(len, huge);

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, len, seed);
	ASSERT_EQ(0, gt_to_device(dev, buf, len));
	ASSERT_TRUE(gt_all_on(buf, len, dev->hnid));
	return buf;
}

/* ------------------------------------------------------------ there and back */

static void there_and_back(struct __test_metadata *_metadata,
			   struct gt_dev *dev, bool huge)
{
	char *buf = resident(_metadata, &dev[0], LEN, huge, 1);
	long long out = counter(&dev[0], "pages_peer_out");
	long long in = counter(&dev[1], "pages_peer_in");
	struct gmem_mock_xlat xlats[2];
	struct copied before, after;
	int i;

	EXPECT_GE(out, 0);
	EXPECT_GE(in, 0);
	before = copied(_metadata, dev);
	for (i = 1; i <= 4; i++) {
		struct gt_dev *to = &dev[i % 2];

		EXPECT_EQ(0, gt_dev_pattern(to, buf, LEN, 1));
		EXPECT_TRUE(gt_all_on(buf, LEN, to->hnid));
		EXPECT_EQ(0, gt_translated(&dev[(i + 1) % 2], buf, LEN));
	}
	after = copied(_metadata, dev);
	EXPECT_EQ(before.host, after.host);
	EXPECT_EQ(4 * LEN, after.peer - before.peer);
	EXPECT_EQ(2 * LEN / GT_PAGE, counter(&dev[0], "pages_peer_out") - out);
	EXPECT_EQ(2 * LEN / GT_PAGE, counter(&dev[1], "pages_peer_in") - in);
	/* In one piece, if it was one. */
	EXPECT_EQ(huge ? 1 : 2, gt_snapshot(&dev[0], buf, LEN, xlats, 2));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	gt_free(buf, LEN);
}

D2D_TEST(direct_base)
{
	there_and_back(_metadata, self->dev, false);
}

D2D_TEST(direct_huge)
{
	there_and_back(_metadata, self->dev, true);
}

/* What a device wrote is what the other one finds. */
D2D_TEST(direct_after_write)
{
	char *buf = resident(_metadata, &self->dev[0], LEN, true, 2);
	struct copied before = copied(_metadata, self->dev), after;
	__u64 old, i;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, gt_atomic_add(&self->dev[i % 2], buf + 64, 1,
					   &old));
		EXPECT_EQ(gt_pattern_word(2, 8) + i, old);
	}
	after = copied(_metadata, self->dev);
	EXPECT_EQ(before.host, after.host);
	EXPECT_EQ(19 * LEN, after.peer - before.peer);
	gt_free(buf, LEN);
}

D2D_TEST(prefetch)
{
	struct gt_dev *dev = self->dev;
	struct copied before, after;
	char *buf[2];
	int i;

	for (i = 0; i < 2; i++)
		buf[i] = resident(_metadata, &dev[0], LEN, i, 3);
	before = copied(_metadata, dev);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(LEN, gt_hmadvise(dev[1].hnid, buf[i], LEN,
					   HMADV_PREFETCH, 0));
		EXPECT_TRUE(gt_all_on(buf[i], LEN, dev[1].hnid));
	}
	after = copied(_metadata, dev);
	EXPECT_EQ(before.host, after.host);
	EXPECT_EQ(2 * LEN, after.peer - before.peer);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, gt_dev_pattern(&dev[1], buf[i], LEN, 3));
		EXPECT_EQ(-1, gt_pattern_bad(buf[i], LEN, 3));
		gt_free(buf[i], LEN);
	}
}

/* A part of the block is there already, a part on the host, a part nowhere. */
D2D_TEST(mixed)
{
	const size_t part = LEN / 4;
	struct gt_dev *dev = self->dev;
	char *buf = gt_alloc(LEN, false);
	struct copied before, after;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, 3 * part, 4);
	ASSERT_EQ(part, gt_hmadvise(dev[0].hnid, buf, part, HMADV_PREFETCH, 0));
	ASSERT_EQ(part, gt_hmadvise(dev[1].hnid, buf + part, part,
				    HMADV_PREFETCH, 0));
	before = copied(_metadata, dev);
	EXPECT_EQ(LEN, gt_hmadvise(dev[1].hnid, buf, LEN, HMADV_PREFETCH, 0));
	EXPECT_TRUE(gt_all_on(buf, 3 * part, dev[1].hnid));
	after = copied(_metadata, dev);
	EXPECT_EQ(part, after.peer - before.peer);
	EXPECT_EQ(part, after.host - before.host);
	EXPECT_EQ(0, gt_dev_pattern(&dev[1], buf, 3 * part, 4));
	EXPECT_EQ(-1, gt_pattern_bad(buf, 3 * part, 4));
	gt_free(buf, LEN);
}

/* Shared with a child after fork(): it moves for both. */
static void shared(struct __test_metadata *_metadata, struct gt_dev *dev,
		   bool huge)
{
	char *buf = resident(_metadata, &dev[0], LEN, huge, 5);
	int go[2], status;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		close(go[1]);
		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		_exit(gt_pattern_bad(buf, LEN, 5) < 0 ? 0 : 2);
	}
	EXPECT_EQ(0, gt_dev_pattern(&dev[1], buf, LEN, 5));
	EXPECT_EQ(0, gt_fill(&dev[1], buf, GT_PAGE, 0x55));
	EXPECT_EQ(0, gt_fill(&dev[0], buf + GT_PAGE, GT_PAGE, 0x66));
	EXPECT_EQ(1, write(go[1], "", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(0x55, *(__u64 *)buf);
	EXPECT_EQ(0x66, *(__u64 *)(buf + GT_PAGE));
	gt_pattern(buf, LEN, 5);
	EXPECT_EQ(0, gt_dev_pattern(&dev[0], buf, LEN, 5));
	gt_free(buf, LEN);
}

D2D_TEST(shared_base)
{
	shared(_metadata, self->dev, false);
}

D2D_TEST(shared_huge)
{
	shared(_metadata, self->dev, true);
}

/* --------------------------------------------------------- by way of the host */

static void not_direct(struct __test_metadata *_metadata, struct gt_dev *dev,
		       bool huge)
{
	char *buf = resident(_metadata, &dev[0], LEN, huge, 6);
	struct copied before = copied(_metadata, dev), after;

	ASSERT_EQ(0, gt_set_peer_copy(false));
	EXPECT_EQ(0, gt_dev_pattern(&dev[1], buf, LEN, 6));
	EXPECT_TRUE(gt_all_on(buf, LEN, dev[1].hnid));
	after = copied(_metadata, dev);
	EXPECT_EQ(before.peer, after.peer);
	EXPECT_EQ(2 * LEN, after.host - before.host);
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 6));
	gt_free(buf, LEN);
}

D2D_TEST(switched_off_base)
{
	not_direct(_metadata, self->dev, false);
}

D2D_TEST(switched_off_huge)
{
	not_direct(_metadata, self->dev, true);
}

/* ------------------------------------------------------------------- real DMA */

/* A page or two, alone in their VMA: edu is slow. */
static char *few_pages(struct __test_metadata *_metadata, struct gt_dev *dev,
		       size_t len, __u64 seed)
{
	char *buf = gt_alloc(LEN, false);

	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, munmap(buf + len, LEN - len));
	gt_pattern(buf, len, seed);
	ASSERT_EQ(0, gt_touch_write(dev, buf, len));
	ASSERT_TRUE(gt_all_on(buf, len, dev->hnid));
	return buf;
}

/* From BAR to BAR, with a look at what arrived. */
D2D_TEST(by_dma)
{
	const size_t len = 2 * GT_PAGE;
	struct gt_dev *dev = self->dev;
	char *buf = few_pages(_metadata, &dev[0], len, 7);
	struct copied before = copied(_metadata, dev), after;

	ASSERT_EQ(0, gt_set_engine("edu"));
	EXPECT_EQ(0, gt_touch(&dev[1], buf, len));
	EXPECT_TRUE(gt_all_on(buf, len, dev[1].hnid));
	after = copied(_metadata, dev);
	EXPECT_EQ(before.host, after.host);
	EXPECT_EQ(len, after.peer - before.peer);
	EXPECT_EQ(len, after.edu - before.edu);
	ASSERT_EQ(0, gt_set_engine("cpu"));
	EXPECT_EQ(0, gt_dev_pattern(&dev[1], buf, len, 7));
	EXPECT_EQ(-1, gt_pattern_bad(buf, len, 7));
	gt_free(buf, len);
}

/* Bus mastering of edu on or off: without it a DMA moves nothing, silently. */
static int bus_master(const char *slot, bool on)
{
	char path[128];
	__u16 command;
	int fd, ret = -EIO;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s.0/config", slot);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pread(fd, &command, 2, 4) == 2) {
		command = on ? command | 4 : command & ~4;
		if (pwrite(fd, &command, 2, 4) == 2)
			ret = 0;
	}
	close(fd);
	return ret;
}

/* The engine of the device that wants the data fails: nothing is lost. */
D2D_TEST(dma_fails)
{
	struct gt_dev *dev = self->dev;
	char *buf = few_pages(_metadata, &dev[0], GT_PAGE, 8);
	struct copied before = copied(_metadata, dev), after;
	struct gmem_mock_stats stats, then;

	ASSERT_EQ(0, gt_stats(&dev[1], &stats));
	ASSERT_EQ(0, gt_set_engine("edu"));
	ASSERT_EQ(0, bus_master(self->slot[1], false));
	EXPECT_EQ(0, gt_touch_write(&dev[1], buf, GT_PAGE));
	EXPECT_EQ(0, bus_master(self->slot[1], true));
	ASSERT_EQ(0, gt_set_engine("cpu"));
	ASSERT_EQ(0, gt_stats(&dev[1], &then));
	after = copied(_metadata, dev);
	EXPECT_GT(then.verify_errors, stats.verify_errors);
	EXPECT_EQ(before.peer, after.peer);
	/* It came home with the other engine, and is used in place. */
	EXPECT_EQ(GT_PAGE, after.host - before.host);
	EXPECT_TRUE(gt_all_on(buf, GT_PAGE, GT_HOME));
	EXPECT_EQ(0, gt_dev_pattern(&dev[1], buf, GT_PAGE, 8));
	EXPECT_EQ(-1, gt_pattern_bad(buf, GT_PAGE, 8));
	gt_free(buf, GT_PAGE);
}

/* ------------------------------------------------------- a device that goes */

/* Pulls at the buffer until its device is gone, or it is told to end. */
struct puller {
	struct gt_dev *dev;
	char *buf;
	pthread_t thread;
	unsigned long done;
	bool stop;
	int error;
};

static void *pull(void *arg)
{
	struct puller *p = arg;
	int ret;

	while (!gt_load(&p->stop)) {
		ret = gt_atomic_add(p->dev, p->buf, 1, NULL);
		if (ret && ret != -EAGAIN) {
			p->error = ret;
			break;
		}
		if (!ret)
			gt_add(&p->done, 1);
	}
	return NULL;
}

static bool wait_pulls(struct puller *p, unsigned long more)
{
	unsigned long long end = gt_now_ms() + WAIT_MS;
	unsigned long want = gt_load(&p->done) + more;

	while (gt_load(&p->done) < want && gt_now_ms() < end)
		usleep(1000);
	return gt_load(&p->done) >= want;
}

static int unbind_device(const char *slot)
{
	char path[128], name[40];

	snprintf(name, sizeof(name), "%s.0", slot);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver/unbind",
		 name);
	return gt_write_file(path, name);
}

static int rebind(const char *slot)
{
	char name[40];
	int i, ret = 0;

	for (i = 0; i < 2 && !ret; i++) {
		snprintf(name, sizeof(name), "%s.%d", slot, i);
		ret = gt_write_file("/sys/bus/pci/drivers_probe", name);
		if (ret == -EINVAL || ret == -EBUSY)
			ret = 0;
	}
	return ret;
}

/*
 * Two devices play with the data; in the middle of it one is unbound. What each
 * of them added is there, and so is all else.
 */
static void unbound(struct __test_metadata *_metadata, struct gt_dev *dev,
		    const char *slot, bool huge)
{
	struct copied before, after;
	struct puller p[2];
	char *buf;
	int i;

	buf = gt_alloc(LEN, huge);
	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 9);
	*(__u64 *)buf = 0;
	before = copied(_metadata, dev);
	for (i = 0; i < 2; i++) {
		p[i] = (struct puller){ .dev = &dev[i], .buf = buf };
		ASSERT_EQ(0, pthread_create(&p[i].thread, NULL, pull, &p[i]));
	}
	for (i = 0; i < 2; i++)
		EXPECT_TRUE(wait_pulls(&p[i], ROUNDS));
	after = copied(_metadata, dev);
	EXPECT_GT(after.peer, before.peer);

	EXPECT_EQ(0, unbind_device(slot));
	ASSERT_EQ(0, pthread_join(p[0].thread, NULL));
	EXPECT_EQ(-ENODEV, p[0].error);
	EXPECT_TRUE(wait_pulls(&p[1], ROUNDS));
	gt_store(&p[1].stop, true);
	ASSERT_EQ(0, pthread_join(p[1].thread, NULL));
	EXPECT_EQ(0, p[1].error);

	EXPECT_EQ(p[0].done + p[1].done, *(__u64 *)buf);
	*(__u64 *)buf = gt_pattern_word(9, 0);
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 9));
	EXPECT_EQ(0, gt_dev_pattern(&dev[1], buf, LEN, 9));
	gt_free(buf, LEN);
	EXPECT_EQ(0, gt_close(&dev[0]));
	EXPECT_EQ(0, rebind(slot));
}

D2D_TEST(unbind_base)
{
	unbound(_metadata, self->dev, self->slot[0], false);
}

D2D_TEST(unbind_huge)
{
	unbound(_metadata, self->dev, self->slot[0], true);
}

TEST_HARNESS_MAIN

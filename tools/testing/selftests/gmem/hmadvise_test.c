// SPDX-License-Identifier: GPL-2.0-only
/*
 * hmadvise(2): each errno of the manual page, what the two advices do, and
 * that no argument does harm.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "gmem_fixture.h"

#define LEN	(4 * GT_HUGE)

/* ---------------------------------------------------------------- queries */

GT_TEST(version_and_features)
{
	long features;

	EXPECT_EQ(HMADV_ABI_VERSION,
		  gt_hmadvise(HMADV_NODE_ANY, NULL, 0, 0, HMADV_FLAG_VERSION));
	features = gt_hmadvise(HMADV_NODE_ANY, NULL, 0, 0, HMADV_FLAG_FEATURES);
	ASSERT_GE(features, 0);
	EXPECT_TRUE(features & HMADV_FEATURE(HMADV_PREFETCH));
	EXPECT_TRUE(features & HMADV_FEATURE(HMADV_DISCARD));
	EXPECT_FALSE(features & 1);
}

GT_TEST(query_takes_no_arguments)
{
	const int both = HMADV_FLAG_VERSION | HMADV_FLAG_FEATURES;
	unsigned int flag;
	char c;

	for (flag = 1; flag <= 2; flag++) {
		EXPECT_EQ(-EINVAL, gt_hmadvise(0, NULL, 0, 0, flag));
		EXPECT_EQ(-EINVAL, gt_hmadvise(-1, &c, 0, 0, flag));
		EXPECT_EQ(-EINVAL, gt_hmadvise(-1, NULL, 1, 0, flag));
		EXPECT_EQ(-EINVAL, gt_hmadvise(-1, NULL, 0, 1, flag));
	}
	EXPECT_EQ(-EINVAL, gt_hmadvise(-1, NULL, 0, 0, both));
}

/* A process without any device may ask what there is. */
GT_TEST(query_without_device)
{
	unsigned int i;

	for (i = 0; i < self->nr; i++)
		gt_close(&self->dev[i]);
	EXPECT_EQ(HMADV_ABI_VERSION,
		  gt_hmadvise(HMADV_NODE_ANY, NULL, 0, 0, HMADV_FLAG_VERSION));
}

/* ---------------------------------------------------------------- prefetch */

static void there_and_back(struct __test_metadata *_metadata,
			   struct gt_dev *dev, bool huge, int home)
{
	struct gmem_mock_stats before, after;
	char *buf = gt_alloc(LEN, huge);

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	EXPECT_EQ(LEN, gt_hmadvise(dev->hnid, buf, LEN, HMADV_PREFETCH, 0));
	EXPECT_TRUE(gt_all_on(buf, LEN, dev->hnid));
	/* Once there, there is nothing to move. */
	ASSERT_EQ(0, gt_stats(dev, &before));
	EXPECT_EQ(LEN, gt_hmadvise(dev->hnid, buf, LEN, HMADV_PREFETCH, 0));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	ASSERT_EQ(0, gt_stats(dev, &after));
	EXPECT_EQ(before.to_device_bytes, after.to_device_bytes);
	EXPECT_EQ(before.faults_migrated, after.faults_migrated);

	EXPECT_EQ(LEN, gt_hmadvise(home, buf, LEN, HMADV_PREFETCH, 0));
	EXPECT_TRUE(gt_all_on(buf, LEN, home == -1 ? GT_HOME : home));
	EXPECT_EQ(0, gt_translated(dev, buf, LEN));
	ASSERT_EQ(0, gt_stats(dev, &before));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	ASSERT_EQ(0, gt_stats(dev, &after));
	EXPECT_EQ(before.from_device_bytes, after.from_device_bytes);
	gt_free(buf, LEN);
}

GT_TEST(prefetch_huge)
{
	there_and_back(_metadata, &self->dev[0], true, 0);
}

GT_TEST(prefetch_base)
{
	there_and_back(_metadata, &self->dev[0], false, 0);
}

/* From one device to another. */
GT_TEST(prefetch_across)
{
	char *buf = gt_alloc(LEN, true);
	unsigned int i;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	for (i = 0; i < self->nr; i++) {
		struct gt_dev *dev = &self->dev[i];

		EXPECT_EQ(LEN, gt_hmadvise(dev->hnid, buf, LEN,
					   HMADV_PREFETCH, 0));
		EXPECT_TRUE(gt_all_on(buf, LEN, dev->hnid));
		if (i)
			EXPECT_EQ(0, gt_translated(dev - 1, buf, LEN));
	}
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	gt_free(buf, LEN);
}

/* The length is rounded up to pages, and 0 is allowed. */
GT_TEST(length)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = gt_alloc(LEN, false);

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	EXPECT_EQ(0, gt_hmadvise(dev->hnid, buf, 0, HMADV_PREFETCH, 0));
	EXPECT_TRUE(gt_all_on(buf, LEN, GT_HOME));
	EXPECT_EQ(2 * GT_PAGE, gt_hmadvise(dev->hnid, buf, GT_PAGE + 1,
					   HMADV_PREFETCH, 0));
	EXPECT_TRUE(gt_all_on(buf, 2 * GT_PAGE, dev->hnid));
	EXPECT_TRUE(gt_all_on(buf + 2 * GT_PAGE, LEN - 2 * GT_PAGE, GT_HOME));
	/* A part of a huge page goes alone, too. */
	EXPECT_EQ(GT_PAGE, gt_hmadvise(0, buf + GT_PAGE, GT_PAGE,
				       HMADV_PREFETCH, 0));
	EXPECT_TRUE(gt_all_on(buf, GT_PAGE, dev->hnid));
	EXPECT_TRUE(gt_all_on(buf + GT_PAGE, GT_PAGE, GT_HOME));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	gt_free(buf, LEN);
}

/* A hint never changes contents: not those of memory that cannot move. */
GT_TEST(prefetch_what_cannot_move)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, buf);
	gt_pattern(buf, LEN, 1);
	EXPECT_EQ(LEN, gt_hmadvise(dev->hnid, buf, LEN, HMADV_PREFETCH, 0));
	EXPECT_TRUE(gt_all_on(buf, LEN, GT_HOME));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, LEN, 1));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	munmap(buf, LEN);
}

/* More than fits: the rest stays, which is said, and nothing is lost. */
GT_TEST(prefetch_into_full_device)
{
	struct gt_dev *dev = &self->dev[0];
	size_t step = GT_MB(16), nr = dev->mem_bytes / step + 1, i;
	char **buf = calloc(nr, sizeof(*buf));
	long ret = 0;

	ASSERT_NE(NULL, buf);
	for (i = 0; i < nr; i++) {
		buf[i] = gt_alloc(step, true);
		ASSERT_NE(NULL, buf[i]);
		gt_pattern(buf[i], step, i);
		ret = gt_hmadvise(dev->hnid, buf[i], step, HMADV_PREFETCH, 0);
		EXPECT_TRUE(i >= nr - 2 || ret == (long)step);
	}
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_TRUE(gt_all_on(buf[0], step, dev->hnid));
	EXPECT_FALSE(gt_all_on(buf[nr - 1], step, dev->hnid));
	EXPECT_EQ(-1, gt_pattern_bad(buf[0], step, 0));
	EXPECT_EQ(-1, gt_pattern_bad(buf[nr - 1], step, nr - 1));
	for (i = 0; i < nr; i++)
		gt_free(buf[i], step);
	free(buf);
}

/* ----------------------------------------------------------------- discard */

static void discard(struct __test_metadata *_metadata, struct gt_dev *dev,
		    bool huge, bool there)
{
	char *buf = gt_alloc(LEN, huge);
	struct gt_check check;
	__u64 sum;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	if (there)
		ASSERT_EQ(0, gt_touch_write(dev, buf, LEN));
	EXPECT_EQ(LEN - GT_PAGE,
		  gt_hmadvise(HMADV_NODE_ANY, buf + GT_PAGE, LEN - GT_PAGE,
			      HMADV_DISCARD, 0));
	EXPECT_EQ(0, gt_translated(dev, buf + GT_HUGE, LEN - GT_HUGE));
	/* Zeros, not the old data; and the neighbour is not hurt. */
	EXPECT_EQ(0, gt_checksum(dev, buf + GT_PAGE, LEN - GT_PAGE, &sum));
	EXPECT_EQ(0, sum);
	EXPECT_EQ(0, gt_load(&buf[LEN - 1]));
	EXPECT_EQ(0, gt_load(&buf[GT_PAGE]));
	EXPECT_EQ(-1, gt_pattern_bad(buf, GT_PAGE, 1));
	EXPECT_EQ(LEN, gt_hmadvise(HMADV_NODE_ANY, buf, LEN, HMADV_DISCARD, 0));
	ASSERT_EQ(0, gt_quiet(&check));
	EXPECT_EQ(0, check.frames_used);
	gt_free(buf, LEN);
}

GT_TEST(discard_on_device_huge)
{
	discard(_metadata, &self->dev[0], true, true);
}

GT_TEST(discard_on_device_base)
{
	discard(_metadata, &self->dev[0], false, true);
}

GT_TEST(discard_at_home)
{
	discard(_metadata, &self->dev[0], true, false);
}

/* Only for anonymous private memory, and with no node. */
GT_TEST(discard_refused)
{
	char *buf = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *own = gt_alloc(LEN, false);

	ASSERT_NE(MAP_FAILED, buf);
	ASSERT_NE(NULL, own);
	gt_pattern(buf, LEN, 1);
	gt_pattern(own, LEN, 2);
	EXPECT_EQ(-EINVAL, gt_hmadvise(HMADV_NODE_ANY, buf, LEN,
				       HMADV_DISCARD, 0));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	EXPECT_EQ(-EINVAL, gt_hmadvise(0, own, LEN, HMADV_DISCARD, 0));
	EXPECT_EQ(-EINVAL, gt_hmadvise(self->dev[0].hnid, own, LEN,
				       HMADV_DISCARD, 0));
	EXPECT_EQ(-1, gt_pattern_bad(own, LEN, 2));
	munmap(buf, LEN);
	gt_free(own, LEN);
}

/* ------------------------------------------------------------------ errors */

GT_TEST(einval)
{
	int hnid = self->dev[0].hnid;
	char *buf = gt_alloc(LEN, false);
	unsigned int bit;
	int advice;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	for (advice = -2; advice < 100; advice++)
		if (advice != HMADV_PREFETCH && advice != HMADV_DISCARD)
			EXPECT_EQ(-EINVAL, gt_hmadvise(hnid, buf, LEN,
						       advice, 0));
	for (bit = 0; bit < 32; bit++)
		EXPECT_EQ(-EINVAL, gt_hmadvise(hnid, buf, LEN, HMADV_PREFETCH,
					       1U << bit));
	EXPECT_EQ(-EINVAL, gt_hmadvise(-2, buf, LEN, HMADV_PREFETCH, 0));
	EXPECT_EQ(-EINVAL, gt_hmadvise(hnid, buf + 1, LEN, HMADV_PREFETCH, 0));
	EXPECT_EQ(-EINVAL, gt_hmadvise(hnid, buf + 2048, 0,
				       HMADV_PREFETCH, 0));
	/* Wraps around: by itself, and by the rounding. */
	EXPECT_EQ(-EINVAL, gt_hmadvise(hnid, buf, -(uintptr_t)buf,
				       HMADV_PREFETCH, 0));
	EXPECT_EQ(-EINVAL, gt_hmadvise(hnid, buf, SIZE_MAX,
				       HMADV_PREFETCH, 0));
	EXPECT_EQ(-EINVAL, gt_hmadvise(hnid, (void *)-GT_PAGE, 2 * GT_PAGE,
				       HMADV_PREFETCH, 0));
	EXPECT_TRUE(gt_all_on(buf, LEN, GT_HOME));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	gt_free(buf, LEN);
}

/* A hole at the start is an error, a later one ends the call there. */
GT_TEST(enomem)
{
	int hnid = self->dev[0].hnid, node[] = { hnid, 0 };
	char *buf = gt_alloc(LEN, false);
	unsigned int i;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	ASSERT_EQ(0, munmap(buf + GT_HUGE, GT_PAGE));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-ENOMEM, gt_hmadvise(node[i], buf + GT_HUGE, GT_HUGE,
					       HMADV_PREFETCH, 0));
		EXPECT_EQ(GT_HUGE, gt_hmadvise(node[i], buf, LEN,
					       HMADV_PREFETCH, 0));
		EXPECT_EQ(2 * GT_PAGE,
			  gt_hmadvise(node[i], buf + GT_HUGE - 2 * GT_PAGE, LEN,
				      HMADV_PREFETCH, 0));
	}
	EXPECT_EQ(-ENOMEM, gt_hmadvise(HMADV_NODE_ANY, buf + GT_HUGE, GT_HUGE,
				       HMADV_DISCARD, 0));
	EXPECT_EQ(GT_HUGE, gt_hmadvise(HMADV_NODE_ANY, buf, LEN,
				       HMADV_DISCARD, 0));
	EXPECT_EQ(0, buf[0]);
	/* What is behind the hole was not reached. */
	EXPECT_EQ(gt_pattern_word(1, LEN / 8 - 1), ((__u64 *)buf)[LEN / 8 - 1]);
	gt_free(buf, LEN);
}

#define RESERVED	GT_MB(16384UL)

/* Addresses cost nothing: not in the device's page table either. */
GT_TEST(never_touched)
{
	int hnid = self->dev[0].hnid;
	size_t before, after;
	char *buf;

	buf = mmap(NULL, RESERVED, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	before = gt_mem_available();
	EXPECT_EQ(RESERVED, gt_hmadvise(hnid, buf, RESERVED, HMADV_PREFETCH,
					0));
	after = gt_mem_available();
	/* A page table for all of it takes at least 4 KiB for a block. */
	EXPECT_LT(before, after + RESERVED / GT_HUGE * GT_PAGE / 4);
	EXPECT_EQ(0, gt_translated(&self->dev[0], buf, GT_HUGE));
	ASSERT_EQ(0, munmap(buf, RESERVED));
}

GT_TEST(enodev)
{
	char *buf = gt_alloc(LEN, false);
	const int bad[] = { 1, 63, 999, 1 << 20, 0x7fffffff };
	unsigned int i;

	ASSERT_NE(NULL, buf);
	buf[0] = 1;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-ENODEV, gt_hmadvise(bad[i], buf, LEN,
					       HMADV_PREFETCH, 0));
	gt_free(buf, LEN);
}

/* The node exists, but this process has no business with it. */
GT_TEST(esrch)
{
	struct gt_dev *last = &self->dev[self->nr - 1];
	char *buf = gt_alloc(LEN, false);
	unsigned int i;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	ASSERT_EQ(0, gt_close(last));
	EXPECT_EQ(-ESRCH, gt_hmadvise(last->hnid, buf, LEN, HMADV_PREFETCH, 0));
	for (i = 0; i < self->nr - 1; i++) {
		EXPECT_EQ(LEN, gt_hmadvise(self->dev[i].hnid, buf, LEN,
					   HMADV_PREFETCH, 0));
		ASSERT_EQ(0, gt_close(&self->dev[i]));
		EXPECT_EQ(-ESRCH, gt_hmadvise(self->dev[i].hnid, buf, LEN,
					      HMADV_PREFETCH, 0));
	}
	/* Home and away need no attachment. */
	EXPECT_EQ(LEN, gt_hmadvise(0, buf, LEN, HMADV_PREFETCH, 0));
	EXPECT_TRUE(gt_all_on(buf, LEN, GT_HOME));
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	EXPECT_EQ(LEN, gt_hmadvise(HMADV_NODE_ANY, buf, LEN, HMADV_DISCARD, 0));
	EXPECT_EQ(0, buf[LEN - 1]);
	gt_free(buf, LEN);
}

/* ------------------------------------------------------------------- EINTR */

struct nag {
	pthread_t victim;
	bool stop;
};

static void on_signal(int sig)
{
}

static void *nag(void *arg)
{
	struct nag *nag = arg;

	while (!gt_load(&nag->stop)) {
		pthread_kill(nag->victim, SIGUSR1);
		usleep(200);
	}
	return NULL;
}

/* A signal ends a long call early, and what was done is reported. */
GT_TEST(eintr)
{
	struct sigaction sa = { .sa_handler = on_signal };
	unsigned long long end = gt_now_ms() + 60000;
	struct gt_dev *dev = &self->dev[0];
	struct nag n = { .victim = pthread_self() };
	size_t len = GT_MB(32);
	char *buf = gt_alloc(len, false);
	bool cut = false;
	pthread_t thread;
	int node = dev->hnid, to = node;
	long ret = 0;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, len, 1);
	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, nag, &n));
	while (!cut && gt_now_ms() < end) {
		ret = gt_hmadvise(node, buf, len, HMADV_PREFETCH, 0);
		if (ret != -EINTR) {
			EXPECT_GT(ret, 0);
			EXPECT_LE(ret, (long)len);
			EXPECT_EQ(0, ret % (long)GT_PAGE);
		}
		cut = ret != (long)len;
		to = node;
		node = node ? 0 : dev->hnid;
	}
	gt_store(&n.stop, true);
	pthread_join(thread, NULL);
	EXPECT_TRUE(cut);
	/* Not before: a signal ends this question early, too. */
	if (ret > 0 && cut)
		EXPECT_TRUE(gt_all_on(buf + ret - GT_PAGE, GT_PAGE,
				      to ?: GT_HOME));
	EXPECT_EQ(-1, gt_pattern_bad(buf, len, 1));
	gt_free(buf, len);
}

/* -------------------------------------------------------------------- fuzz */

static __u64 random64(__u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

struct fuzz {
	char *keep;	/* contents must survive: never discarded */
	char *waste;	/* may be discarded; a hole in the middle */
	int hnid[GT_MAX_DEVS + 6];
	unsigned int nr_hnids;
	__u64 state;
};

/* One call that may be anything but a discard of memory that is in use. */
static long fuzz_once(struct fuzz *f)
{
	const char * const addrs[] = {
		f->keep, f->keep + GT_HUGE, f->waste, f->waste + LEN / 2,
		NULL, (char *)-GT_PAGE, (char *)0xffffffff81000000UL,
		(char *)0x7fffffffe000UL, (char *)0x800000000000UL,
	};
	const size_t lens[] = {
		0, 1, GT_PAGE, 3 * GT_PAGE + 5, GT_HUGE, LEN, 1UL << 46,
		1UL << 63, SIZE_MAX, SIZE_MAX - GT_PAGE,
	};
	const int advices[] = {
		HMADV_PREFETCH, HMADV_PREFETCH, HMADV_PREFETCH, HMADV_DISCARD,
		HMADV_DISCARD, 0, 3, -1, 1 << 30,
	};
	const char *addr = addrs[random64(&f->state) % ARRAY_SIZE(addrs)];
	size_t len = lens[random64(&f->state) % ARRAY_SIZE(lens)];
	int advice = advices[random64(&f->state) % ARRAY_SIZE(advices)];
	unsigned int flags = random64(&f->state) % 8 ? 0 :
			     1U << random64(&f->state) % 32;
	int hnid = f->hnid[random64(&f->state) % f->nr_hnids];

	if (random64(&f->state) % 4 == 0)
		addr += random64(&f->state) % 64 * GT_PAGE / 2;
	if (advice == HMADV_DISCARD) {
		hnid = HMADV_NODE_ANY;
		if (len > GT_HUGE)
			len = GT_HUGE;
		if (addr >= f->keep && addr < f->keep + LEN)
			addr = f->waste;
	}
	return gt_hmadvise(hnid, addr, len, advice, flags);
}

GT_TEST(fuzz)
{
	static const int odd[] = { -1, 0, 1, -5, 12345, 0x7fffffff };
	unsigned long long end = gt_now_ms() + gt_loop_ms(3000);
	struct fuzz f = { .state = 0x9e3779b97f4a7c15ULL };
	unsigned long calls = 0, good = 0, bad = 0;
	unsigned int i;
	long ret;

	f.keep = gt_alloc(LEN, true);
	f.waste = gt_alloc(2 * LEN, false);
	ASSERT_NE(NULL, f.keep);
	ASSERT_NE(NULL, f.waste);
	ASSERT_EQ(0, munmap(f.waste + LEN / 2 + GT_HUGE, GT_PAGE));
	gt_pattern(f.keep, LEN, 1);
	for (i = 0; i < ARRAY_SIZE(odd); i++)
		f.hnid[f.nr_hnids++] = odd[i];
	for (i = 0; i < self->nr; i++)
		f.hnid[f.nr_hnids++] = self->dev[i].hnid;
	while (gt_now_ms() < end) {
		ret = fuzz_once(&f);
		/* No private error codes, and never more than was asked. */
		ASSERT_GE(ret, -133);
		good += ret > 0;
		bad += ret < 0;
		if (++calls % 64 == 0) {
			i = calls / 64 % self->nr;
			ASSERT_EQ(0, gt_dev_pattern(&self->dev[i], f.keep,
						    GT_HUGE, 1));
		}
	}
	TH_LOG("%lu calls, %lu did something, %lu refused", calls, good, bad);
	EXPECT_GT(good, 0);
	EXPECT_GT(bad, 0);
	EXPECT_EQ(-1, gt_pattern_bad(f.keep, LEN, 1));
	gt_free(f.keep, LEN);
	gt_free(f.waste, 2 * LEN);
}

/* A hint maps what it moves, and no more than the mapping allows. */
static void grants_nothing(struct __test_metadata *_metadata,
			   struct gt_dev *dev, bool huge)
{
	char *buf = gt_alloc(GT_HUGE, huge);

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, GT_HUGE, 1);
	ASSERT_EQ(0, mprotect(buf, GT_HUGE, PROT_NONE));
	gt_hmadvise(dev->hnid, buf, GT_HUGE, HMADV_PREFETCH, 0);
	EXPECT_EQ(0, gt_translated(dev, buf, GT_HUGE));
	EXPECT_EQ(-EFAULT, gt_touch(dev, buf, 8));
	ASSERT_EQ(0, mprotect(buf, GT_HUGE, PROT_READ));
	gt_hmadvise(HMADV_NODE_ANY, buf, GT_HUGE, HMADV_PREFETCH, 0);
	gt_hmadvise(dev->hnid, buf, GT_HUGE, HMADV_PREFETCH, 0);
	EXPECT_EQ(-EFAULT, gt_touch_write(dev, buf, 8));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, GT_HUGE, 1));
	ASSERT_EQ(0, mprotect(buf, GT_HUGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, gt_touch_write(dev, buf, 8));
	EXPECT_EQ(-1, gt_pattern_bad(buf, GT_HUGE, 1));
	gt_free(buf, GT_HUGE);
}

GT_TEST(prefetch_grants_nothing)
{
	grants_nothing(_metadata, &self->dev[0], true);
	grants_nothing(_metadata, &self->dev[0], false);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices and CPUs at the same page at the same time. Every test has a truth
 * that no interleaving may break: a sum, a counter that only grows, a value
 * that must not be seen any more.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "gmem_fixture.h"

#define LEN		GT_HUGE
#define MAX_THREADS	8

/* Threads that run until the time is over. */
struct crew {
	struct gt_dev *dev;
	char *buf;
	bool stop;
	unsigned long good;
	unsigned long bad;
	int first_error;
	__u64 number;	/* of the write of the device that is under way */
};

static void crew_error(struct crew *crew, int error)
{
	if (!gt_add(&crew->bad, 1))
		gt_store(&crew->first_error, error);
}

static void crew_run(struct __test_metadata *_metadata, struct crew *crew,
		     void *(*fn[])(void *), unsigned int nr, unsigned int ms)
{
	unsigned long long end = gt_now_ms() + GT_PATIENCE_MS;
	pthread_t thread[MAX_THREADS];
	unsigned int i;

	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, fn[i], crew));
	/* A loaded machine gets the time that it needs to do anything. */
	do {
		usleep(gt_loop_ms(ms) * 1000);
	} while (gt_load(&crew->good) < GT_ENOUGH && !gt_load(&crew->bad) &&
		 gt_now_ms() < end);
	gt_store(&crew->stop, true);
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
	TH_LOG("%lu rounds", crew->good);
	EXPECT_EQ(0, crew->bad)
		TH_LOG("first error %d", crew->first_error);
	EXPECT_GE(crew->good, GT_ENOUGH);
}

/* --------------------------------------------------- faults on the same page */

struct starter {
	struct gt_dev *dev;
	pthread_barrier_t *barrier;
	__u64 *word;
	int ret;
};

static void *add_once(void *arg)
{
	struct starter *s = arg;

	pthread_barrier_wait(s->barrier);
	s->ret = gt_atomic_add(s->dev, s->word, 1, NULL);
	return NULL;
}

/* @nr threads fault the same fresh page at once; nobody's addition is lost. */
static void same_page(struct __test_metadata *_metadata, struct gt_dev *dev,
		      unsigned int nr_devs, unsigned int nr, bool huge)
{
	unsigned long long end = gt_now_ms() + gt_loop_ms(8000);
	struct starter s[MAX_THREADS];
	pthread_t thread[MAX_THREADS];
	pthread_barrier_t barrier;
	unsigned int i;

	ASSERT_EQ(0, pthread_barrier_init(&barrier, NULL, nr));
	do {
		char *buf = gt_alloc(LEN, huge);

		ASSERT_NE(NULL, buf);
		gt_pattern(buf, LEN, 1);
		*(__u64 *)buf = 0;
		for (i = 0; i < nr; i++) {
			s[i] = (struct starter){
				.dev = &dev[i % nr_devs],
				.barrier = &barrier,
				.word = (__u64 *)buf,
			};
			ASSERT_EQ(0, pthread_create(&thread[i], NULL,
						    add_once, &s[i]));
		}
		for (i = 0; i < nr; i++) {
			pthread_join(thread[i], NULL);
			ASSERT_EQ(0, s[i].ret);
		}
		ASSERT_EQ(nr, *(__u64 *)buf);
		*(__u64 *)buf = gt_pattern_word(1, 0);
		ASSERT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
		gt_free(buf, LEN);
	} while (gt_now_ms() < end);
}

GT_TEST(two_threads_one_page)
{
	same_page(_metadata, self->dev, 1, 2, false);
}

GT_TEST(two_threads_one_huge_page)
{
	same_page(_metadata, self->dev, 1, 2, true);
}

GT_TEST(many_threads_all_devices)
{
	same_page(_metadata, self->dev, self->nr, MAX_THREADS, true);
}

/* ---------------------------------------------------------------- ping-pong */

static void *cpu_adds(void *arg)
{
	struct crew *crew = arg;
	__u64 *word = (__u64 *)crew->buf;

	while (!gt_load(&crew->stop)) {
		gt_add(word, 1);
		gt_add(&crew->good, 1);
	}
	return NULL;
}

static void *dev_adds(void *arg)
{
	struct crew *crew = arg;
	int ret;

	while (!gt_load(&crew->stop)) {
		ret = gt_atomic_add(crew->dev, crew->buf, 1, NULL);
		/* Taken away too often is an answer; nothing was added. */
		if (!ret)
			gt_add(&crew->good, 1);
		else if (ret != -EAGAIN)
			crew_error(crew, ret);
	}
	return NULL;
}

/*
 * Pulls the page to the device again and again. Without it, a page that could
 * not move once - a CPU was just using it - would stay at home for good, used
 * in place by both.
 */
static void *pulls(void *arg)
{
	struct crew *crew = arg;
	long ret;

	while (!gt_load(&crew->stop)) {
		ret = gt_hmadvise(crew->dev->hnid, crew->buf, LEN,
				  HMADV_PREFETCH, 0);
		if (ret < 0 && ret != -EAGAIN)
			crew_error(crew, ret);
		usleep(1000);
	}
	return NULL;
}

static void ping_pong(struct __test_metadata *_metadata, struct gt_dev *dev,
		      bool huge, void *(*fn[])(void *), unsigned int nr)
{
	char *buf = gt_alloc(LEN, huge);
	struct crew crew = { .dev = dev, .buf = buf };
	struct gmem_mock_stats before, after;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	*(__u64 *)buf = 0;
	ASSERT_EQ(0, gt_stats(dev, &before));
	crew_run(_metadata, &crew, fn, nr, 2000);
	ASSERT_EQ(0, gt_stats(dev, &after));
	EXPECT_EQ(crew.good, *(__u64 *)buf);
	/* The page went to and fro, or this has shown nothing. */
	EXPECT_GE(after.to_device_bytes - before.to_device_bytes, 10 * GT_PAGE);
	EXPECT_GE(after.from_device_bytes - before.from_device_bytes,
		  10 * GT_PAGE);
	*(__u64 *)buf = gt_pattern_word(1, 0);
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	gt_free(buf, LEN);
}

GT_TEST(cpu_and_device_count)
{
	void *(*fn[])(void *) = { cpu_adds, dev_adds, pulls };

	ping_pong(_metadata, &self->dev[0], false, fn, 3);
}

GT_TEST(cpus_and_device_threads_count)
{
	void *(*fn[])(void *) = {
		cpu_adds, dev_adds, cpu_adds, dev_adds, pulls,
	};

	ping_pong(_metadata, &self->dev[0], true, fn, 5);
}

struct duo {
	struct crew crew;
	struct gt_dev *other;
};

static void *other_dev_adds(void *arg)
{
	struct duo *duo = arg;
	int ret;

	while (!gt_load(&duo->crew.stop)) {
		ret = gt_atomic_add(duo->other, duo->crew.buf, 1, NULL);
		if (!ret)
			gt_add(&duo->crew.good, 1);
		else if (ret != -EAGAIN)
			crew_error(&duo->crew, ret);
	}
	return NULL;
}

/* Two devices and a CPU. With one device only, two files of it. */
GT_TEST(two_devices_count)
{
	void *(*fn[])(void *) = { dev_adds, other_dev_adds, cpu_adds, pulls };
	char *buf = gt_alloc(LEN, false);
	struct duo duo = {
		.crew = { .dev = &self->dev[0], .buf = buf },
		.other = &self->dev[self->nr - 1],
	};

	ASSERT_NE(NULL, buf);
	crew_run(_metadata, &duo.crew, fn, 4, 2000);
	EXPECT_EQ(duo.crew.good, *(__u64 *)buf);
	gt_free(buf, LEN);
}

/*
 * Different words of one page: each side only ever sees its own counter where
 * it left it.
 */
static void *cpu_owns_word(void *arg)
{
	struct crew *crew = arg;
	__u64 *word = (__u64 *)crew->buf + 8;
	__u64 n = 0;

	gt_store(word, 0);
	while (!gt_load(&crew->stop)) {
		if (gt_load(word) != n)
			crew_error(crew, 1);
		gt_store(word, ++n);
		gt_add(&crew->good, 1);
	}
	return NULL;
}

static void *dev_owns_word(void *arg)
{
	struct crew *crew = arg;
	__u64 *word = (__u64 *)crew->buf + 16, before, n = 0;
	int ret;

	while (!gt_load(&crew->stop)) {
		ret = gt_atomic_add(crew->dev, word, 1, &before);
		if (ret == -EAGAIN)
			continue;
		if (ret || before != n++)
			crew_error(crew, ret ? ret : 2);
		gt_add(&crew->good, 1);
	}
	return NULL;
}

GT_TEST(words_of_one_page)
{
	void *(*fn[])(void *) = { cpu_owns_word, dev_owns_word, pulls };
	struct crew crew = {
		.dev = &self->dev[0],
		.buf = gt_alloc(LEN, false),
	};

	ASSERT_NE(NULL, crew.buf);
	memset(crew.buf, 0, GT_PAGE);
	crew_run(_metadata, &crew, fn, 3, 2000);
	gt_free(crew.buf, LEN);
}

/* ------------------------------------------- the CPU side changes meanwhile */

/* The device works all the time on what comes and goes. */
static void *dev_fills(void *arg)
{
	struct crew *crew = arg;
	int ret;

	while (!gt_load(&crew->stop)) {
		ret = gt_fill(crew->dev, crew->buf, LEN, 0x0101010101010101ULL);
		if (ret && ret != -EFAULT && ret != -EAGAIN)
			crew_error(crew, ret);
		gt_add(&crew->good, 1);
	}
	return NULL;
}

static void *dev_reads(void *arg)
{
	struct crew *crew = arg;
	__u64 sum;
	int ret;

	while (!gt_load(&crew->stop)) {
		ret = gt_checksum(crew->dev, crew->buf, LEN, &sum);
		if (ret && ret != -EFAULT && ret != -EAGAIN)
			crew_error(crew, ret);
		gt_add(&crew->good, 1);
	}
	return NULL;
}

static void *unmaps(void *arg)
{
	struct crew *crew = arg;
	unsigned int n = 0;
	char *p;

	while (!gt_load(&crew->stop)) {
		/* All of it, or a part of the huge page. */
		size_t off = (n % 4) * GT_PAGE * 100;
		size_t len = n % 4 ? GT_PAGE * 50 : LEN;

		n++;
		if (munmap(crew->buf + off, len))
			crew_error(crew, errno);
		usleep(n % 7 * 100);
		p = mmap(crew->buf + off, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			 -1, 0);
		if (p != crew->buf + off)
			crew_error(crew, errno);
		if (n & 8)
			madvise(crew->buf, LEN, MADV_HUGEPAGE);
		if (n & 1)
			memset(p, 2, len);
		usleep(n % 5 * 100);
	}
	return NULL;
}

/* Every byte is what the CPU, the device or nobody wrote. */
static bool only_bytes(const char *buf, size_t len, const char *allowed)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!memchr(allowed, buf[i], 3))
			return false;
	return true;
}

GT_TEST(munmap_and_device)
{
	void *(*fn[])(void *) = { unmaps, dev_fills, dev_reads };
	struct crew crew = {
		.dev = &self->dev[0],
		.buf = gt_alloc(LEN, true),
	};

	ASSERT_NE(NULL, crew.buf);
	crew_run(_metadata, &crew, fn, 3, 3000);
	EXPECT_TRUE(only_bytes(crew.buf, LEN, "\0\1\2"));
	gt_free(crew.buf, LEN);
}

static void *protects(void *arg)
{
	static const int prot[] = {
		PROT_READ, PROT_READ | PROT_WRITE, PROT_NONE,
		PROT_READ | PROT_WRITE,
	};
	struct crew *crew = arg;
	unsigned int n;

	for (n = 0; !gt_load(&crew->stop); n++) {
		size_t off = n % 3 * GT_PAGE * 64;

		if (mprotect(crew->buf + off, LEN - off, prot[n % 4]))
			crew_error(crew, errno);
		usleep(n % 5 * 100);
	}
	mprotect(crew->buf, LEN, PROT_READ | PROT_WRITE);
	return NULL;
}

GT_TEST(mprotect_and_device)
{
	void *(*fn[])(void *) = { protects, dev_fills, dev_reads };
	struct crew crew = {
		.dev = &self->dev[0],
		.buf = gt_alloc(LEN, true),
	};

	ASSERT_NE(NULL, crew.buf);
	memset(crew.buf, 1, LEN);
	crew_run(_metadata, &crew, fn, 3, 3000);
	EXPECT_TRUE(only_bytes(crew.buf, LEN, "\1\1\1"));
	gt_free(crew.buf, LEN);
}

/*
 * While the memory is read-only the device does not write: the value that is
 * seen first stays.
 */
static void *reader_of_readonly(void *arg)
{
	struct crew *crew = arg;
	__u64 *word = (__u64 *)crew->buf;
	unsigned int n, i;

	for (n = 0; !gt_load(&crew->stop); n++) {
		__u64 seen;

		if (mprotect(crew->buf, LEN, PROT_READ))
			crew_error(crew, errno);
		seen = gt_load(word);
		for (i = 0; i < 200; i++)
			if (gt_load(word) != seen)
				crew_error(crew, 3);
		if (mprotect(crew->buf, LEN, PROT_READ | PROT_WRITE))
			crew_error(crew, errno);
		usleep(200);
	}
	return NULL;
}

static void *dev_adds_if_allowed(void *arg)
{
	struct crew *crew = arg;
	int ret;

	while (!gt_load(&crew->stop)) {
		ret = gt_atomic_add(crew->dev, crew->buf, 1, NULL);
		if (!ret)
			gt_add(&crew->good, 1);
		else if (ret != -EFAULT && ret != -EAGAIN)
			crew_error(crew, ret);
	}
	return NULL;
}

GT_TEST(readonly_means_readonly)
{
	void *(*fn[])(void *) = { reader_of_readonly, dev_adds_if_allowed };
	struct crew crew = {
		.dev = &self->dev[0],
		.buf = gt_alloc(LEN, false),
	};

	ASSERT_NE(NULL, crew.buf);
	memset(crew.buf, 0, LEN);
	crew_run(_metadata, &crew, fn, 2, 2000);
	EXPECT_EQ(crew.good, *(__u64 *)crew.buf);
	gt_free(crew.buf, LEN);
}

/*
 * MADV_DONTNEED or a discard. The device numbers its writes: after the memory
 * was dropped there are zeros, or the number of a write that was not finished
 * when it began, never one from before.
 */
static void *dev_fills_number(void *arg)
{
	struct crew *crew = arg;
	int ret;

	while (!gt_load(&crew->stop)) {
		__u64 number = gt_load(&crew->number) + 1;

		gt_store(&crew->number, number);
		ret = gt_fill(crew->dev, crew->buf, 2 * GT_PAGE, number);
		if (ret && ret != -EAGAIN)
			crew_error(crew, ret);
	}
	return NULL;
}

static int drop(char *buf, bool hint)
{
	if (!hint)
		return madvise(buf, LEN, MADV_DONTNEED) ? -errno : 0;
	return gt_hmadvise(HMADV_NODE_ANY, buf, LEN, HMADV_DISCARD, 0) !=
	       (long)LEN;
}

static void *drops(void *arg)
{
	struct crew *crew = arg;
	__u64 *word = (__u64 *)crew->buf;
	unsigned int n;

	for (n = 0; !gt_load(&crew->stop); n++) {
		__u64 under_way, seen;

		usleep(n % 3 * 200);
		/* By turns the memory is at home or where the device left it. */
		if (n & 2)
			gt_store(&word[1], 0);
		under_way = gt_load(&crew->number);
		if (drop(crew->buf, n & 1))
			crew_error(crew, 4);
		seen = gt_load(&word[512]);
		if (seen && seen < under_way)
			crew_error(crew, 5);
		gt_add(&crew->good, 1);
	}
	return NULL;
}

GT_TEST(dontneed_and_device)
{
	void *(*fn[])(void *) = { drops, dev_fills_number };
	struct crew crew = {
		.dev = &self->dev[0],
		.buf = gt_alloc(LEN, true),
	};

	ASSERT_NE(NULL, crew.buf);
	memset(crew.buf, 0, LEN);
	crew_run(_metadata, &crew, fn, 2, 3000);
	gt_free(crew.buf, LEN);
}

/* A CPU that brings pages home by reading one. */
struct reader {
	char *at;
	char seen;
	bool done;
};

static void *reads_once(void *arg)
{
	struct reader *reader = arg;

	reader->seen = gt_load(reader->at);
	gt_store(&reader->done, true);
	return NULL;
}

/* Until the device's engine works. */
static bool wait_dma(const struct gt_dev *dev, const struct gmem_mock_stats *before)
{
	unsigned long long end = gt_now_ms() + GT_PATIENCE_MS;
	struct gmem_mock_stats stats;

	do {
		usleep(1000);
		if (gt_stats(dev, &stats))
			return false;
	} while (stats.edu_dmas == before->edu_dmas && gt_now_ms() < end);
	return stats.edu_dmas != before->edu_dmas;
}

/*
 * Pages come home slowly. What is dropped meanwhile, and made anew by another device,
 * is that device's, whatever becomes of the others.
 */
GT_TEST(dropped_on_the_way_home)
{
	const size_t len = 16 * GT_PAGE;
	struct gmem_mock_stats before;
	char *buf = gt_alloc(LEN, false);
	struct reader reader;
	pthread_t thread;

	ASSERT_GE(self->nr, 2) TH_LOG("needs two accelerators");
	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, munmap(buf + len, LEN - len));
	memset(buf, 1, GT_PAGE);
	gt_pattern(buf + GT_PAGE, len - GT_PAGE, 21);
	ASSERT_EQ(0, gt_to_device(&self->dev[0], buf, len));
	ASSERT_TRUE(gt_all_on(buf, len, self->dev[0].hnid));
	reader = (struct reader){ .at = buf + len - 1 };

	ASSERT_EQ(0, gt_stats(&self->dev[0], &before));
	ASSERT_EQ(0, gt_set_engine("edu"));
	ASSERT_EQ(0, pthread_create(&thread, NULL, reads_once, &reader));
	EXPECT_TRUE(wait_dma(&self->dev[0], &before));
	EXPECT_EQ(0, madvise(buf, GT_PAGE, MADV_DONTNEED));
	EXPECT_EQ(0, gt_fill(&self->dev[1], buf, GT_PAGE, 22));
	EXPECT_FALSE(gt_load(&reader.done)) TH_LOG("too fast to be disturbed");
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, gt_set_engine("cpu"));

	EXPECT_EQ(reader.seen, *reader.at);
	EXPECT_TRUE(gt_all_on(buf, GT_PAGE, self->dev[1].hnid));
	EXPECT_TRUE(gt_all_on(buf + GT_PAGE, len - GT_PAGE, GT_HOME));
	gt_expect_sound(_metadata);
	/* The device has lost it when the CPU has it. */
	EXPECT_EQ(22, *(__u64 *)buf);
	*(__u64 *)buf = 23;
	EXPECT_EQ(0, gt_atomic_add(&self->dev[1], buf, 1, NULL));
	EXPECT_EQ(24, *(__u64 *)buf);
	EXPECT_EQ(-1, gt_pattern_bad(buf + GT_PAGE, len - GT_PAGE, 21));
	gt_free(buf, len);
}

/* The data moves to and fro under the device, which sees it at one place. */
static void *moves(void *arg)
{
	struct crew *crew = arg;
	char *to = gt_alloc(LEN, true), *from = crew->buf;
	unsigned int n;

	for (n = 0; !gt_load(&crew->stop); n++) {
		if (mremap(from, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED,
			   to) != to)
			crew_error(crew, errno);
		if (gt_pattern_bad(to, GT_PAGE, 1) >= 0)
			crew_error(crew, 6);
		if (mremap(to, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED,
			   from) != from)
			crew_error(crew, errno);
		/* By turns let the device do nothing and all of it. */
		usleep(n % 16 * 1000);
	}
	return NULL;
}

static void *dev_checks(void *arg)
{
	struct crew *crew = arg;
	int ret;

	while (!gt_load(&crew->stop)) {
		ret = gt_dev_pattern(crew->dev, crew->buf, LEN, 1);
		if (!ret)
			gt_add(&crew->good, 1);
		else if (ret != -EFAULT && ret != -EAGAIN)
			crew_error(crew, ret);
	}
	return NULL;
}

GT_TEST(mremap_and_device)
{
	void *(*fn[])(void *) = { moves, dev_checks };
	struct crew crew = {
		.dev = &self->dev[0],
		.buf = gt_alloc(LEN, true),
	};

	ASSERT_NE(NULL, crew.buf);
	gt_pattern(crew.buf, LEN, 1);
	crew_run(_metadata, &crew, fn, 2, 3000);
	EXPECT_EQ(-1, gt_pattern_bad(crew.buf, LEN, 1));
	gt_free(crew.buf, LEN);
}

/* Hints pull one way while the device and a CPU pull the other. */
static void *prefetches(void *arg)
{
	struct crew *crew = arg;
	long ret;
	int n;

	for (n = 0; !gt_load(&crew->stop); n++) {
		ret = gt_hmadvise(n & 1 ? 0 : crew->dev->hnid, crew->buf, LEN,
				  HMADV_PREFETCH, 0);
		if (ret != (long)LEN && ret != -EAGAIN)
			crew_error(crew, ret);
	}
	return NULL;
}

static void *cpu_checks(void *arg)
{
	struct crew *crew = arg;

	while (!gt_load(&crew->stop)) {
		if (gt_pattern_bad(crew->buf, LEN, 1) >= 0)
			crew_error(crew, 7);
		gt_add(&crew->good, 1);
	}
	return NULL;
}

GT_TEST(prefetch_and_everything)
{
	void *(*fn[])(void *) = { prefetches, dev_checks, cpu_checks };
	struct crew crew = {
		.dev = &self->dev[0],
		.buf = gt_alloc(LEN, true),
	};

	ASSERT_NE(NULL, crew.buf);
	gt_pattern(crew.buf, LEN, 1);
	crew_run(_metadata, &crew, fn, 3, 3000);
	gt_free(crew.buf, LEN);
}

/* ------------------------------------------------------------ fork and COW */

/* The child has its own file, and both write through device and CPU. */
static int cow_child(struct gt_dev *parent_dev, char *buf, size_t len)
{
	struct gt_dev dev;

	if (gt_pattern_bad(buf, GT_PAGE, 1) >= 0)
		return 1;
	if (gt_open(&dev, parent_dev->index))
		return 2;
	if (gt_dev_pattern(&dev, buf + GT_HUGE, GT_HUGE, 2))
		return 3;
	if (gt_fill(&dev, buf + GT_HUGE, GT_HUGE, 0x22))
		return 4;
	memset(buf, 0x33, GT_HUGE);
	usleep(20000);
	if (*(__u64 *)(buf + GT_HUGE) != 0x22 || buf[0] != 0x33)
		return 5;
	if (gt_fill(parent_dev, buf, 8, 0) != -EPERM)
		return 6;
	return 0;
}

static void cow(struct __test_metadata *_metadata, struct gt_dev *dev,
		bool huge)
{
	size_t len = 2 * GT_HUGE;
	char *buf = gt_alloc(len, huge);
	int status, n;
	pid_t pid;

	ASSERT_NE(NULL, buf);
	for (n = 0; n < 4; n++) {
		gt_pattern(buf, GT_HUGE, 1);
		gt_pattern(buf + GT_HUGE, GT_HUGE, 2);
		ASSERT_EQ(0, gt_touch_write(dev, buf, len));
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid)
			_exit(cow_child(dev, buf, len));
		/* Meanwhile here: other values, the other way round. */
		EXPECT_EQ(0, gt_fill(dev, buf, GT_HUGE, 0x44));
		memset(buf + GT_HUGE, 0x55, GT_HUGE);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		EXPECT_EQ(0x44, *(__u64 *)buf);
		EXPECT_EQ(0x44, *(__u64 *)(buf + GT_HUGE - 8));
		EXPECT_EQ(0x55, buf[GT_HUGE]);
		EXPECT_EQ(0x55, buf[len - 1]);
	}
	gt_free(buf, len);
}

GT_TEST(fork_and_both_write_huge)
{
	cow(_metadata, &self->dev[0], true);
}

GT_TEST(fork_and_both_write_base)
{
	cow(_metadata, &self->dev[0], false);
}

TEST_HARNESS_MAIN

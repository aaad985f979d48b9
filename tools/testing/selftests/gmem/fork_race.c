// SPDX-License-Identifier: GPL-2.0-only
/*
 * fork() while devices write, and many children at the same shared pages. A
 * child sees of each word a value that it had when the fork was under way, and
 * none that came later.
 */
#include <pthread.h>
#include <stdlib.h>

#include "aspace.h"

#define ROUNDS		6

/* The pattern in the span of a buffer, on the devices. */
static char *make_span(struct __test_metadata *_metadata,
		       struct _test_data_gmem *self, bool huge)
{
	char *buf = gt_alloc(LEN, huge);

	ASSERT_NE(NULL, buf);
	gt_pattern(buf + SPAN_AT, SPAN, 1);
	place_span(_metadata, self, buf, huge);
	return buf + SPAN_AT;
}

/* --------------------------------------------- a device fills, fill by fill */

/**
 * struct filler - a thread that fills the buffer with 1, then 2, and so on
 * @self:	the devices; they take turns, word by word they do not
 * @buf:	the buffer
 * @begun:	the fill that is under way
 * @done:	the last fill that is complete
 * @error:	of a fill
 * @stop:	end of work
 */
struct filler {
	struct _test_data_gmem *self;
	char *buf;
	unsigned long begun;
	unsigned long done;
	int error;
	bool stop;
};

static void *fills(void *arg)
{
	struct filler *f = arg;
	struct _test_data_gmem *self = f->self;
	unsigned long n;
	int ret;

	for (n = 1; !gt_load(&f->stop); n++) {
		gt_store(&f->begun, n);
		do {
			ret = gt_fill(&self->dev[n / 4 % self->nr], f->buf,
				      SPAN, n);
		} while (ret == -EAGAIN);
		if (ret) {
			gt_store(&f->error, ret);
			break;
		}
		gt_store(&f->done, n);
	}
	return NULL;
}

static bool wait_for(unsigned long *counter, unsigned long want)
{
	unsigned long long end = gt_now_ms() + GT_PATIENCE_MS;

	while (gt_load(counter) < want && gt_now_ms() < end)
		usleep(100);
	return gt_load(counter) >= want;
}

struct seen {
	unsigned long low;	/* of all words */
	unsigned long high;
	unsigned long sum;	/* changes with any word */
};

static void look(const char *buf, struct seen *seen)
{
	const __u64 *word = (const __u64 *)buf;
	size_t i;

	*seen = (struct seen){ .low = -1UL };
	for (i = 0; i < SPAN / sizeof(*word); i++) {
		unsigned long value = gt_load(&word[i]);

		if (value < seen->low)
			seen->low = value;
		if (value > seen->high)
			seen->high = value;
		seen->sum = gmem_mock_checksum_step(seen->sum, i, value);
	}
}

/* Looks by CPU or by a device of its own; and again after some more fills. */
static int child(struct filler *f, bool by_device, int from, int to)
{
	static __u64 image[SPAN / sizeof(__u64)];
	struct seen seen, again;
	struct gt_dev dev;
	char c;

	if (by_device) {
		if (gt_open(&dev, 0) || gt_read(&dev, f->buf, SPAN, image))
			return 1;
		look((char *)image, &seen);
	} else {
		look(f->buf, &seen);
	}
	if (write(to, &seen, sizeof(seen)) != sizeof(seen) ||
	    read(from, &c, 1) != 1)
		return 2;
	look(f->buf, &again);
	if (memcmp(&seen, &again, sizeof(seen)))
		return 3;
	/* And the other way round: this is not for the parent. */
	return by_device && gt_fill(&dev, f->buf, SPAN, 0) ? 4 : 0;
}

static void fork_once(struct __test_metadata *_metadata, struct filler *f,
		      unsigned int n)
{
	unsigned long low = gt_load(&f->done), high;
	int to[2], from[2], status;
	struct seen seen;
	pid_t pid;

	ASSERT_EQ(0, pipe(to));
	ASSERT_EQ(0, pipe(from));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		close(to[1]);
		_exit(child(f, n % 2, to[0], from[1]));
	}
	high = gt_load(&f->begun);
	close(to[0]);
	close(from[1]);
	ASSERT_EQ(sizeof(seen), read(from[0], &seen, sizeof(seen)));
	EXPECT_LE(low, seen.low);
	EXPECT_GE(high, seen.high);
	/* The end of a fill that begins now at the earliest. */
	EXPECT_TRUE(wait_for(&f->done, gt_load(&f->begun) + 1));
	ASSERT_EQ(1, write(to[1], "", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status)
		TH_LOG("the child failed in step %d", WEXITSTATUS(status));
	close(to[1]);
	close(from[0]);
}

GT_TEST(fork_and_device_fills)
{
	struct filler f = {
		.self = self,
		.buf = make_span(_metadata, self, variant->huge),
	};
	pthread_t thread;
	struct seen seen;
	unsigned int n;

	ASSERT_EQ(0, gt_fill(&self->dev[0], f.buf, SPAN, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, fills, &f));
	for (n = 0; n < ROUNDS; n++) {
		ASSERT_TRUE(wait_for(&f.done, gt_load(&f.done) + 1));
		/* At different moments of a fill. */
		usleep(n * 1000);
		fork_once(_metadata, &f, n);
	}
	gt_store(&f.stop, true);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, f.error);
	/* All of it is the parent's last fill. */
	look(f.buf, &seen);
	EXPECT_EQ(f.done, seen.low);
	EXPECT_EQ(f.done, seen.high);
	munmap(f.buf, SPAN);
}

/* -------------------------------------------------------- many at one page */

#define CHILDREN	6

/* Each reads all of it from another place on, by CPU or device, and writes. */
static int one_of_many(struct _test_data_gmem *self, char *buf, unsigned int nr,
		       int go)
{
	size_t off = nr * SPAN / CHILDREN & ~(GT_PAGE - 1);
	struct gt_dev dev;
	char c;

	if (nr % 3 == 2 && gt_open(&dev, nr % self->nr))
		return 1;
	if (read(go, &c, 1))
		return 2;
	if (nr % 3 == 2) {
		if (dev_sees(&dev, buf + off, SPAN - off, off) ||
		    dev_sees(&dev, buf, off, 0))
			return 3;
		if (gt_fill(&dev, buf, SPAN, nr))
			return 4;
		return gt_load((__u64 *)(buf + off)) == nr ? 0 : 5;
	}
	/* Reads first, or writes first. */
	if (nr % 3 == 1)
		memset(buf, nr, GT_PAGE);
	else if (cpu_sees(buf, GT_PAGE, 0))
		return 6;
	off += GT_PAGE;
	if (cpu_sees(buf + off, SPAN - off, off) ||
	    cpu_sees(buf + GT_PAGE, off - GT_PAGE, GT_PAGE))
		return 7;
	memset(buf, nr, SPAN);
	return buf[off] == (char)nr ? 0 : 8;
}

/* All start when the pipe is closed. */
static void many(struct __test_metadata *_metadata,
		 struct _test_data_gmem *self, char *buf, bool unmap)
{
	pid_t pid[CHILDREN];
	int go[2], status;
	unsigned int i;

	ASSERT_EQ(0, pipe(go));
	for (i = 0; i < CHILDREN; i++) {
		pid[i] = fork();
		ASSERT_GE(pid[i], 0);
		if (!pid[i]) {
			close(go[1]);
			_exit(one_of_many(self, buf, i, go[0]));
		}
	}
	close(go[0]);
	close(go[1]);
	if (unmap)
		munmap(buf, SPAN);
	else
		EXPECT_EQ(0, intact(self, buf, SPAN, 0));
	for (i = 0; i < CHILDREN; i++) {
		ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
		EXPECT_EQ(0, status)
			TH_LOG("child %u failed in step %d", i,
			       WEXITSTATUS(status));
	}
}

GT_TEST(many_children)
{
	char *buf = make_span(_metadata, self, variant->huge);

	many(_metadata, self, buf, false);
	EXPECT_EQ(0, intact(self, buf, SPAN, 0));
	munmap(buf, SPAN);
}

GT_TEST(many_children_and_unmap)
{
	char *buf = make_span(_metadata, self, variant->huge);

	many(_metadata, self, buf, true);
	EXPECT_TRUE(gone(self, buf, SPAN));
}

/* ----------------------------------------------- born and dead all the time */

static void *checks(void *arg)
{
	struct filler *f = arg;
	struct _test_data_gmem *self = f->self;
	unsigned long n;
	int ret;

	for (n = 0; !gt_load(&f->stop); n++) {
		ret = dev_sees(&self->dev[n % self->nr], f->buf, SPAN, 0);
		if (ret && ret != -EAGAIN)
			gt_store(&f->error, ret);
		else if (!ret)
			gt_add(&f->done, 1);
	}
	return NULL;
}

/* Children that end at once, while the device reads and a word is written. */
GT_TEST(fork_and_exit_and_device_reads)
{
	struct filler f = { .self = self };
	int n, status;
	pthread_t thread;
	pid_t pid;

	f.buf = make_span(_metadata, self, variant->huge);
	ASSERT_EQ(0, pthread_create(&thread, NULL, checks, &f));
	for (n = 0; n < 2 * ROUNDS; n++) {
		__u64 *word = (__u64 *)f.buf + n * 1201;

		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid) {
			gt_store(word, 0);
			_exit(gt_load(word + 1) !=
			      gt_pattern_word(1, n * 1201 + 1));
		}
		/* The same value, by a write that takes a page of one's own. */
		gt_add(word, 0);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		if (n % 4 == 3)
			ASSERT_TRUE(wait_for(&f.done, gt_load(&f.done) + 1));
	}
	gt_store(&f.stop, true);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, f.error);
	EXPECT_EQ(0, intact(self, f.buf, SPAN, 0));
	munmap(f.buf, SPAN);
}

TEST_HARNESS_MAIN

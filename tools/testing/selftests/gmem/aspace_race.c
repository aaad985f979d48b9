// SPDX-License-Identifier: GPL-2.0-only
/*
 * One thread changes the address space, or forks, in a loop, while devices and
 * a CPU add to words all over it. The truth: additions that succeeded are as
 * many as the words say at the end, wherever the words have been meanwhile.
 * Words that nobody may reach do not change, and a child sees no addition that
 * came after it was born.
 */
#include <pthread.h>

#include "aspace.h"
#include "gmem_abi.h"

#define ROUNDS		8
#define HALF_PAGES	(SPAN / 2 / GT_PAGE)
/* At least as many are in each hole, and some are enough to work on. */
#define HOLE_PAGES	9

/**
 * struct race - what a test is about
 * @self:	the devices
 * @cpu:	a CPU adds, too
 * @may_fault:	the buffer is not always there
 * @rounds:	how many, or 0 for the usual number
 * @hole:	the part that goes, and comes back as new memory; may be empty
 * @buf:	the buffer
 * @room:	addresses of the same size with nothing at them
 * @elsewhere:	additions that were found and taken away
 * @good:	additions outside the hole that succeeded
 * @tried:	additions in the hole, whatever became of them
 * @error:	of an addition that should have succeeded
 * @stop:	end of work
 */
struct race {
	struct _test_data_gmem *self;
	bool cpu;
	bool may_fault;
	unsigned int rounds;
	struct part hole;
	char *buf;
	char *room;
	unsigned long elsewhere;
	unsigned long good;
	unsigned long tried;
	int error;
	bool stop;
};

/* A device at work, or a CPU if there is none. */
struct worker {
	struct race *race;
	struct gt_dev *dev;
	pthread_t thread;
	unsigned int nr;
};

static __u64 *word_of(const struct race *race, unsigned int page)
{
	return (__u64 *)(race->buf + page * GT_PAGE) + page % 512;
}

static bool in_hole(const struct race *race, unsigned int page)
{
	size_t off = page * GT_PAGE;

	return off >= race->hole.off && off < race->hole.off + race->hole.len;
}

/* An addition that should succeed, unless the buffer is away. */
static void add(struct worker *w, unsigned int page)
{
	struct race *race = w->race;
	int ret = 0;

	if (w->dev)
		ret = gt_atomic_add(w->dev, word_of(race, page), 1, NULL);
	else
		gt_add(word_of(race, page), 1);
	if (!ret)
		gt_add(&race->good, 1);
	else if (ret != -EAGAIN && !(ret == -EFAULT && race->may_fault))
		gt_store(&race->error, ret);
}

/* One that may fail; a CPU does not try. */
static void add_in_hole(struct worker *w, unsigned int page)
{
	int ret;

	if (!w->dev)
		return;
	ret = gt_atomic_add(w->dev, word_of(w->race, page), 1, NULL);
	if (ret && ret != -EFAULT && ret != -EAGAIN)
		gt_store(&w->race->error, ret);
	gt_add(&w->race->tried, 1);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct race *race = w->race;
	unsigned int page, n;

	for (n = 1; !gt_load(&race->stop); n++) {
		/* As a rule in a block of one's own: 2 MiB are a lot. */
		page = SPAN_AT / GT_PAGE + (n * 37 + w->nr) % HALF_PAGES;
		if (w->nr % 2 ^ (n % 32 == 0))
			page += HALF_PAGES;
		if (race->hole.len && n % 4 == 3)
			page = race->hole.off / GT_PAGE +
			       n / 4 % HOLE_PAGES;
		if (in_hole(race, page))
			add_in_hole(w, page);
		else
			add(w, page);
		if (!w->dev)
			usleep(20000);
	}
	return NULL;
}

/* Waits until a counter has grown by @more. */
static bool wait_for(unsigned long *counter, unsigned long more)
{
	unsigned long long end = gt_now_ms() + GT_PATIENCE_MS;
	unsigned long want = gt_load(counter) + more;

	while (gt_load(counter) < want && gt_now_ms() < end)
		usleep(100);
	return gt_load(counter) >= want;
}

/* What was added to the words at @at, in the pages of @part. */
static unsigned long sum_part(const struct race *race, const char *at,
			      const struct part *part)
{
	size_t shift = at - race->buf;
	unsigned long sum = 0;
	size_t off = part->off > SPAN_AT ? part->off : SPAN_AT;

	for (; off < part->off + part->len && off < SPAN_AT + SPAN;
	     off += GT_PAGE)
		sum += gt_load(word_of(race, off / GT_PAGE) +
			       shift / sizeof(__u64));
	return sum;
}

static const struct part all = { 0, LEN };

/* Parts of the first frame, of both, and the second. */
static const struct part some[] = {
	{ SPAN_AT, GT_PAGE },
	{ SPAN_AT + 10 * GT_PAGE, 7 * GT_PAGE },
	{ GT_HUGE - 3 * GT_PAGE, 3 * GT_PAGE },
	{ GT_HUGE - 5 * GT_PAGE, 9 * GT_PAGE },
	{ GT_HUGE, GT_HUGE },
};

#define NR_SOME	ARRAY_SIZE(some)

static unsigned long sum_all(const struct race *race)
{
	return sum_part(race, race->buf, &all) -
	       sum_part(race, race->buf, &race->hole);
}

static void begin(struct __test_metadata *_metadata, struct race *race,
		  struct worker *worker, bool huge)
{
	struct _test_data_gmem *self = race->self;
	unsigned int i;

	race->buf = gt_alloc(LEN, huge);
	race->room = nowhere(LEN);
	ASSERT_NE(NULL, race->buf);
	ASSERT_NE(NULL, race->room);
	memset(race->buf + SPAN_AT, 0, SPAN);
	place_span(_metadata, self, race->buf, huge);
	for (i = 0; i < self->nr + race->cpu; i++) {
		worker[i] = (struct worker){
			.race = race,
			.dev = i < self->nr ? &self->dev[i] : NULL,
			.nr = i,
		};
		ASSERT_EQ(0, pthread_create(&worker[i].thread, NULL, work,
					    &worker[i]));
	}
}

/* @change is one round; at its end the buffer is where it was. */
static void run(struct __test_metadata *_metadata, struct race *race, bool huge,
		int (*change)(struct race *race, unsigned int n))
{
	struct worker worker[GT_MAX_DEVS + 1];
	struct gt_check check;
	unsigned int i, n;

	begin(_metadata, race, worker, huge);
	for (n = 0; n < (race->rounds ? race->rounds : ROUNDS); n++) {
		ASSERT_TRUE(wait_for(&race->good, 4));
		ASSERT_EQ(0, change(race, n))
			TH_LOG("round %u", n);
	}
	gt_store(&race->stop, true);
	for (i = 0; i < race->self->nr + race->cpu; i++)
		ASSERT_EQ(0, pthread_join(worker[i].thread, NULL));
	EXPECT_EQ(0, race->error);
	EXPECT_EQ(race->good, race->elsewhere + sum_all(race));
	munmap(race->buf, LEN);
	EXPECT_EQ(0, gt_quiet(&check));
}

/* -------------------------------------------------- parts that go and come */

/* One device finds nothing there, and no device knows anything of it. */
static bool unreachable(const struct race *race, const char *va, unsigned int n)
{
	struct _test_data_gmem *self = race->self;

	return gt_touch(&self->dev[n % self->nr], va, 8) == -EFAULT &&
	       gt_fill(&self->dev[n % self->nr], va, 8, 0) == -EFAULT &&
	       !gt_translated(&self->dev[0], va, GT_PAGE) &&
	       !gt_translated(&self->dev[self->nr - 1], va, GT_PAGE);
}

/*
 * A round around @drop, which makes the hole new memory: what is there after it
 * was not added before it, but for what is just being added.
 */
static int renew(struct race *race, unsigned int n,
		 int (*drop)(struct race *race, char *hole, unsigned int n))
{
	unsigned long before;
	int ret;

	if (!wait_for(&race->tried, 12))
		return -ETIMEDOUT;
	before = gt_load(&race->tried);
	ret = drop(race, race->buf + race->hole.off, n);
	if (ret)
		return ret;
	if (sum_part(race, race->buf, &race->hole) >
	    gt_load(&race->tried) - before + race->self->nr)
		return -ESTALE;
	return 0;
}

static int unmaps(struct race *race, char *hole, unsigned int n)
{
	if (munmap(hole, race->hole.len))
		return -errno;
	if (!unreachable(race, hole, n))
		return -EEXIST;
	return mmap(hole, race->hole.len, RW, MAP_PRIVATE | MAP_ANONYMOUS |
		    MAP_FIXED_NOREPLACE, -1, 0) == hole ? 0 : -errno;
}

static int unmap_round(struct race *race, unsigned int n)
{
	return renew(race, n, unmaps);
}

static int maps_over(struct race *race, char *hole, unsigned int n)
{
	return mmap(hole, race->hole.len, RW, MAP_PRIVATE | MAP_ANONYMOUS |
		    MAP_FIXED, -1, 0) == hole ? 0 : -errno;
}

static int map_over_round(struct race *race, unsigned int n)
{
	return renew(race, n, maps_over);
}

static int guards(struct race *race, char *hole, unsigned int n)
{
	if (madvise(hole, race->hole.len, MADV_GUARD_INSTALL))
		return -errno;
	if (!unreachable(race, hole, n))
		return -EEXIST;
	return madvise(hole, race->hole.len, MADV_GUARD_REMOVE) ? -errno : 0;
}

static int guard_round(struct race *race, unsigned int n)
{
	return renew(race, n, guards);
}

/* The end of the buffer, by mremap(). */
static int shrinks(struct race *race, char *hole, unsigned int n)
{
	if (mremap(race->buf, LEN, race->hole.off, 0) != race->buf)
		return -errno;
	if (!unreachable(race, hole, n))
		return -EEXIST;
	return mremap(race->buf, race->hole.off, LEN, 0) == race->buf ?
	       0 : -errno;
}

static int shrink_round(struct race *race, unsigned int n)
{
	return renew(race, n, shrinks);
}

static const struct part holes[] = {
	{ GT_HUGE - 40 * GT_PAGE, HOLE_PAGES * GT_PAGE },
	{ GT_HUGE - 5 * GT_PAGE, HOLE_PAGES * GT_PAGE },
};

static void run_holes(struct __test_metadata *_metadata,
		      struct _test_data_gmem *self, bool huge,
		      int (*change)(struct race *race, unsigned int n))
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(holes); i++) {
		struct race race = {
			.self = self,
			.cpu = true,
			.rounds = ROUNDS / 2,
			.hole = holes[i],
		};

		run(_metadata, &race, huge, change);
	}
}

GT_TEST(munmap)
{
	run_holes(_metadata, self, variant->huge, unmap_round);
}

GT_TEST(map_fixed)
{
	run_holes(_metadata, self, variant->huge, map_over_round);
}

GT_TEST(guard)
{
	run_holes(_metadata, self, variant->huge, guard_round);
}

GT_TEST(mremap_shrink_and_grow)
{
	struct race race = {
		.self = self,
		.cpu = true,
		.hole = { GT_HUGE + 16 * GT_PAGE, GT_HUGE - 16 * GT_PAGE },
	};

	run(_metadata, &race, variant->huge, shrink_round);
}

/* -------------------------------------------------------- data that moves */

static int move_round(struct race *race, unsigned int n)
{
	char *buf = race->buf, *room = race->room;
	const struct part *part = n % 2 ? &some[n / 2 % NR_SOME] : &all;
	unsigned long sum;

	if (mremap(buf + part->off, part->len, part->len,
		   MREMAP_MAYMOVE | MREMAP_FIXED, room + part->off) !=
	    room + part->off)
		return -errno;
	if (!unreachable(race, buf + part->off, n))
		return -EEXIST;
	/* Nobody knows the new place: nothing happens there. */
	sum = sum_part(race, room, part);
	if (n % 4 < 2)
		usleep(2000);
	if (sum_part(race, room, part) != sum)
		return -ESTALE;
	return mremap(room + part->off, part->len, part->len,
		      MREMAP_MAYMOVE | MREMAP_FIXED, buf + part->off) ==
	       buf + part->off ? 0 : -errno;
}

GT_TEST(mremap)
{
	struct race race = { .self = self, .may_fault = true };

	run(_metadata, &race, variant->huge, move_round);
}

/* The pages go and the mapping stays: there is always something to add to. */
static int leave_round(struct race *race, unsigned int n)
{
	unsigned long sum;

	if (mremap(race->buf, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED |
		   MREMAP_DONTUNMAP, race->room) != race->room)
		return -errno;
	sum = sum_part(race, race->room, &all);
	if (!wait_for(&race->good, 4))
		return -ETIMEDOUT;
	if (sum_part(race, race->room, &all) != sum)
		return -ESTALE;
	race->elsewhere += sum;
	return munmap(race->room, LEN) ? -errno : 0;
}

GT_TEST(mremap_dontunmap)
{
	struct race race = { .self = self, .cpu = true };

	run(_metadata, &race, variant->huge, leave_round);
}

/* --------------------------------------------------------------- mprotect */

static int protect_round(struct race *race, unsigned int n)
{
	const struct part *part = &some[n % NR_SOME];
	char *va = race->buf + part->off;
	unsigned long sum;

	if (mprotect(va, part->len, PROT_READ))
		return -errno;
	sum = sum_part(race, race->buf, part);
	if (!wait_for(&race->good, 2))
		return -ETIMEDOUT;
	if (sum_part(race, race->buf, part) != sum)
		return -EROFS;
	if (mprotect(va, part->len, PROT_NONE))
		return -errno;
	if (!unreachable(race, va, n))
		return -EEXIST;
	/* Up in one step or in two. */
	if (n & 1 && mprotect(va, part->len, PROT_READ))
		return -errno;
	if (n & 1 && sum_part(race, race->buf, part) != sum)
		return -ESTALE;
	return mprotect(va, part->len, RW) ? -errno : 0;
}

GT_TEST(mprotect)
{
	struct race race = { .self = self, .may_fault = true };

	run(_metadata, &race, variant->huge, protect_round);
}

/* VMAs come and go, and nobody notices. */
static int split_round(struct race *race, unsigned int n)
{
	const struct part *part = &some[n % NR_SOME];
	char *va = race->buf + part->off;

	if (madvise(va, part->len, MADV_DONTDUMP) || !wait_for(&race->good, 2))
		return -errno;
	return madvise(va, part->len, MADV_DODUMP) ? -errno : 0;
}

GT_TEST(vma_split_and_merge)
{
	struct race race = { .self = self, .cpu = true };

	run(_metadata, &race, variant->huge, split_round);
}

/* ------------------------------------------------------------------- fork */

/* The child adds up, twice, with more additions of the parent in between. */
static int adds_up(const struct race *race, int from, int to)
{
	unsigned long sum = sum_all(race);
	char c;

	if (write(to, &sum, sizeof(sum)) != sizeof(sum) ||
	    read(from, &c, 1) != 1)
		return 1;
	return sum_all(race) != sum ? 2 : 0;
}

static int fork_round(struct race *race, unsigned int n)
{
	unsigned long low = gt_load(&race->good), high, sum;
	int to[2], from[2], status;
	pid_t pid;

	if (pipe(to) || pipe(from))
		return -errno;
	pid = fork();
	if (!pid) {
		close(to[1]);
		_exit(adds_up(race, to[0], from[1]));
	}
	/* What a worker has added it may not have counted yet. */
	high = gt_load(&race->good) + race->self->nr + race->cpu;
	close(to[0]);
	close(from[1]);
	if (pid < 0 || read(from[0], &sum, sizeof(sum)) != sizeof(sum))
		return -ECHILD;
	if (!wait_for(&race->good, 4) || write(to[1], "", 1) != 1)
		return -ETIMEDOUT;
	close(to[1]);
	close(from[0]);
	if (waitpid(pid, &status, 0) != pid || status)
		return -ESTALE;
	return sum < low || sum > high ? -ERANGE : 0;
}

GT_TEST(fork)
{
	struct race race = { .self = self, .cpu = true };

	run(_metadata, &race, variant->huge, fork_round);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * fork(), vfork() and exec() of a process whose data is on a device. A child
 * has the data as of the fork, whoever writes what afterwards, by CPU or by
 * device; it has no device until it opens one.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "aspace.h"

/* In the environment of this program after exec(): the file that was kept. */
#define AFTER_EXEC	"GMEM_TEST_AFTER_EXEC"

/* A child, and what the two tell each other. */
struct kid {
	pid_t pid;
	int to[2];
	int from[2];
};

typedef int (*kid_fn)(struct _test_data_gmem *self, char *buf,
		      struct kid *kid);

static int say(int *fds)
{
	char c = 0;

	return write(fds[1], &c, 1) == 1 ? 0 : -errno;
}

/* Fails if the other side is gone. */
static int hear(int *fds)
{
	char c;

	return read(fds[0], &c, 1) == 1 ? 0 : -EPIPE;
}

/* Tells the parent that something is done, and waits for what it does. */
static int your_turn(struct kid *kid)
{
	return say(kid->from) || hear(kid->to);
}

/* The child's result is 0, or a number that tells which step failed. */
static void start(struct __test_metadata *_metadata,
		  struct _test_data_gmem *self, char *buf, struct kid *kid,
		  kid_fn fn)
{
	ASSERT_EQ(0, pipe(kid->to));
	ASSERT_EQ(0, pipe(kid->from));
	kid->pid = fork();
	ASSERT_GE(kid->pid, 0);
	if (!kid->pid) {
		/* The harness shares the fixture between the two. */
		struct _test_data_gmem mine = *self;

		close(kid->to[1]);
		close(kid->from[0]);
		_exit(fn(&mine, buf, kid));
	}
	close(kid->to[0]);
	close(kid->from[1]);
}

static void finish(struct __test_metadata *_metadata, struct kid *kid)
{
	int status;

	close(kid->to[1]);
	close(kid->from[0]);
	ASSERT_EQ(kid->pid, waitpid(kid->pid, &status, 0));
	EXPECT_EQ(0, status)
		TH_LOG("the child failed in step %d, signal %d",
		       WEXITSTATUS(status), WTERMSIG(status));
}

/* Devices of one's own, in the place of those of the parent. */
static int attach(struct _test_data_gmem *self)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < self->nr; i++) {
		gt_close(&self->dev[i]);
		ret = gt_open(&self->dev[i], i);
	}
	return ret;
}

/* All of the buffer holds @value, for the devices and the CPU. */
static bool filled(struct _test_data_gmem *self, const char *buf, __u64 value)
{
	const __u64 *word = (const __u64 *)buf;
	__u64 want = 0, sum;
	unsigned int i;
	size_t n;

	for (n = 0; n < LEN / 8; n++)
		want = gmem_mock_checksum_step(want, n, value);
	for (i = 0; i < self->nr; i++)
		if (gt_checksum(&self->dev[i], buf, LEN, &sum) || sum != want)
			return false;
	for (n = 0; n < LEN / 8; n++)
		if (gt_load(&word[n]) != value)
			return false;
	return true;
}

/* Each device fills its block. */
static int fill_all(struct _test_data_gmem *self, char *buf, __u64 value)
{
	int ret = gt_fill(&self->dev[0], buf, GT_HUGE, value);

	return ret ? ret : gt_fill(&self->dev[self->nr - 1], buf + GT_HUGE,
				   LEN - GT_HUGE, value);
}

/* ----------------------------------------------------- who sees whose data */

static int sees_by_cpu(struct _test_data_gmem *self, char *buf,
		       struct kid *kid)
{
	if (hear(kid->to))
		return 1;
	return cpu_sees(buf, LEN, 0) ? 2 : 0;
}

/* What a device writes for the parent after the fork is not for the child. */
GT_TEST(parent_device_writes)
{
	char *buf = make(_metadata, self, variant->huge);
	struct kid kid;

	start(_metadata, self, buf, &kid, sees_by_cpu);
	EXPECT_EQ(0, fill_all(self, buf, 7));
	EXPECT_EQ(0, say(kid.to));
	finish(_metadata, &kid);
	EXPECT_TRUE(filled(self, buf, 7));
	munmap(buf, LEN);
}

GT_TEST(parent_cpu_writes)
{
	char *buf = make(_metadata, self, variant->huge);
	struct kid kid;

	start(_metadata, self, buf, &kid, sees_by_cpu);
	memset(buf, 0, LEN);
	EXPECT_EQ(0, say(kid.to));
	finish(_metadata, &kid);
	EXPECT_TRUE(filled(self, buf, 0));
	munmap(buf, LEN);
}

static int writes_by_cpu(struct _test_data_gmem *self, char *buf,
			 struct kid *kid)
{
	if (cpu_sees(buf, LEN, 0))
		return 1;
	gt_pattern(buf, LEN, 2);
	if (your_turn(kid))
		return 2;
	return gt_pattern_bad(buf, LEN, 2) >= 0 ? 3 : 0;
}

GT_TEST(child_cpu_writes)
{
	char *buf = make(_metadata, self, variant->huge);
	struct kid kid;

	start(_metadata, self, buf, &kid, writes_by_cpu);
	EXPECT_EQ(0, hear(kid.from));
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	EXPECT_EQ(0, fill_all(self, buf, 7));
	EXPECT_EQ(0, say(kid.to));
	finish(_metadata, &kid);
	EXPECT_TRUE(filled(self, buf, 7));
	munmap(buf, LEN);
}

static int writes_by_device(struct _test_data_gmem *self, char *buf,
			    struct kid *kid)
{
	if (attach(self))
		return 1;
	if (all_see(self, buf, LEN, 0))
		return 2;
	if (fill_all(self, buf, 9) || !filled(self, buf, 9))
		return 3;
	if (fill_all(self, buf, 11) || your_turn(kid))
		return 4;
	return filled(self, buf, 11) ? 0 : 5;
}

/* The devices of both work on the same addresses, each on its own data. */
GT_TEST(child_device_writes)
{
	char *buf = make(_metadata, self, variant->huge);
	struct kid kid;

	start(_metadata, self, buf, &kid, writes_by_device);
	EXPECT_EQ(0, hear(kid.from));
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	place(_metadata, self, buf);
	EXPECT_EQ(0, fill_all(self, buf, 7));
	EXPECT_EQ(0, say(kid.to));
	finish(_metadata, &kid);
	EXPECT_TRUE(filled(self, buf, 7));
	munmap(buf, LEN);
}

/*
 * Both read by device and find the same, shared; then both write the same words
 * at the same time.
 */
static int reads_then_adds(struct _test_data_gmem *self, char *buf,
			   struct kid *kid)
{
	unsigned int i;

	if (attach(self) || all_see(self, buf, LEN, 0) || your_turn(kid))
		return 1;
	for (i = 0; i < 64; i++)
		if (gt_atomic_add(&self->dev[0], buf + i * 9 * GT_PAGE, 1,
				  NULL))
			return 2;
	for (i = 0; i < 64; i++)
		if (gt_load((__u64 *)(buf + i * 9 * GT_PAGE)) !=
		    gt_pattern_word(1, i * 9 * GT_PAGE / 8) + 1)
			return 3;
	return 0;
}

GT_TEST(both_devices_write)
{
	char *buf = make(_metadata, self, variant->huge);
	struct gt_dev *dev = &self->dev[self->nr - 1];
	struct kid kid;
	unsigned int i;

	start(_metadata, self, buf, &kid, reads_then_adds);
	EXPECT_EQ(0, hear(kid.from));
	EXPECT_EQ(0, all_see(self, buf, LEN, 0));
	EXPECT_EQ(0, say(kid.to));
	for (i = 0; i < 64; i++)
		EXPECT_EQ(0, gt_atomic_add(dev, buf + i * 9 * GT_PAGE, -1ULL,
					   NULL));
	finish(_metadata, &kid);
	for (i = 0; i < 64; i++)
		EXPECT_EQ(0, gt_atomic_add(dev, buf + i * 9 * GT_PAGE, 1,
					   NULL));
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	munmap(buf, LEN);
}

/* What moves while it is shared moves for both. */
GT_TEST(shared_data_moves)
{
	char *buf = make(_metadata, self, variant->huge);
	struct gt_dev *other = &self->dev[self->nr - 1];
	struct kid kid;

	start(_metadata, self, buf, &kid, sees_by_cpu);
	EXPECT_LT(0, gt_hmadvise(other->hnid, buf, LEN, HMADV_PREFETCH, 0));
	EXPECT_EQ(0, all_see(self, buf, LEN, 0));
	EXPECT_LT(0, gt_hmadvise(self->dev[0].hnid, buf, LEN, HMADV_PREFETCH,
				 0));
	EXPECT_EQ(0, say(kid.to));
	finish(_metadata, &kid);
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	munmap(buf, LEN);
}

/* --------------------------------------------------- changes after the fork */

/* munmap, mprotect, mremap and MADV_DONTNEED of what both share. */
static int changes_its_memory(struct _test_data_gmem *self, char *buf,
			      struct kid *kid)
{
	const struct part *part = &parts[4];
	char *va = buf + part->off, *to = nowhere(LEN);

	if (munmap(va, part->len) || rest_intact(self, buf, part) != -EPERM)
		return 1;
	if (mprotect(buf, GT_PAGE, PROT_READ) ||
	    madvise(buf + GT_PAGE, GT_PAGE, MADV_DONTNEED))
		return 2;
	if (mremap(buf + 2 * GT_PAGE, GT_PAGE, GT_PAGE,
		   MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		return 3;
	if (your_turn(kid))
		return 4;
	if (attach(self) || readonly(self, buf, GT_PAGE, 0))
		return 5;
	if (fresh(self, buf + GT_PAGE, GT_PAGE))
		return 6;
	if (!gone(self, va, part->len) || !gone(self, buf + 2 * GT_PAGE,
						GT_PAGE))
		return 7;
	if (intact(self, to, GT_PAGE, 2 * GT_PAGE))
		return 8;
	return intact(self, buf + GT_HUGE * 3 / 2, GT_HUGE / 2,
		      GT_HUGE * 3 / 2) ? 9 : 0;
}

GT_TEST(child_changes_its_memory)
{
	char *buf = make(_metadata, self, variant->huge);
	struct kid kid;

	start(_metadata, self, buf, &kid, changes_its_memory);
	EXPECT_EQ(0, hear(kid.from));
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	place(_metadata, self, buf);
	EXPECT_EQ(0, fill_all(self, buf, 7));
	EXPECT_EQ(0, say(kid.to));
	finish(_metadata, &kid);
	EXPECT_TRUE(filled(self, buf, 7));
	munmap(buf, LEN);
}

static int is_left_alone(struct _test_data_gmem *self, char *buf,
			 struct kid *kid)
{
	struct gt_check check = { };

	if (hear(kid->to))
		return 1;
	/* The frames are the child's now, though it has no device. */
	if (gt_check(&check) || !check.frames_used || check.leaked)
		return 2;
	if (cpu_sees(buf, GT_HUGE, 0))
		return 3;
	if (attach(self) || intact(self, buf, LEN, 0))
		return 4;
	return 0;
}

GT_TEST(parent_unmaps)
{
	char *buf = make(_metadata, self, variant->huge);
	struct gt_check check;
	struct kid kid;

	start(_metadata, self, buf, &kid, is_left_alone);
	ASSERT_EQ(0, munmap(buf, LEN));
	EXPECT_TRUE(gone(self, buf, LEN));
	EXPECT_EQ(0, say(kid.to));
	finish(_metadata, &kid);
	EXPECT_EQ(0, gt_quiet(&check));
}

/* The parent lives on, but not on the devices. */
GT_TEST(parent_detaches)
{
	char *buf = make(_metadata, self, variant->huge);
	struct kid kid;
	unsigned int i;

	start(_metadata, self, buf, &kid, sees_by_cpu);
	for (i = 0; i < self->nr; i++)
		EXPECT_EQ(0, gt_close(&self->dev[i]));
	EXPECT_EQ(0, say(kid.to));
	EXPECT_EQ(0, cpu_sees(buf, LEN, 0));
	finish(_metadata, &kid);
	for (i = 0; i < self->nr; i++)
		ASSERT_EQ(0, gt_open(&self->dev[i], i));
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	munmap(buf, LEN);
}

/* Leaves a child of its own behind; whose pid comes back. */
static int leaves_a_child(struct _test_data_gmem *self, char *buf,
			  struct kid *kid)
{
	pid_t pid;

	if (attach(self) || fill_all(self, buf, 0))
		return 1;
	gt_pattern(buf, LEN, 1);
	if (gt_to_device(&self->dev[0], buf, LEN))
		return 2;
	pid = fork();
	if (pid < 0)
		return 3;
	if (!pid) {
		close(kid->from[1]);
		_exit(is_left_alone(self, buf, kid));
	}
	return write(kid->from[1], &pid, sizeof(pid)) != sizeof(pid);
}

GT_TEST(parent_exits_first)
{
	char *buf = make(_metadata, self, variant->huge);
	int status, mine;
	struct kid kid;
	pid_t pid;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	start(_metadata, self, buf, &kid, leaves_a_child);
	ASSERT_EQ(sizeof(pid), read(kid.from[0], &pid, sizeof(pid)));
	/* Neither ours nor, soon, its parent's is on the devices. */
	munmap(buf, LEN);
	mine = dup(kid.to[1]);
	ASSERT_GE(mine, 0);
	finish(_metadata, &kid);
	ASSERT_EQ(1, write(mine, "", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(mine);
}

/* Each generation writes one word by device and one by CPU, and has a child. */
#define GENERATIONS	4

static int generation(struct _test_data_gmem *self, char *buf, int n)
{
	__u64 *by_cpu = (__u64 *)(buf + GT_HUGE), *by_dev = (__u64 *)buf;
	int i, status;
	pid_t pid;

	if (attach(self))
		return 10 + n;
	/* The ancestors' words as they were, nothing of their later ones. */
	for (i = 0; i <= GENERATIONS; i++) {
		__u64 want = i < n ? 100 + i : 0, seen;

		if (gt_load(&by_dev[i * 1024]) != want ||
		    gt_read(&self->dev[i % self->nr], &by_cpu[i * 1024], 8,
			    &seen) || seen != want)
			return 20 + n;
	}
	if (gt_fill(&self->dev[n % self->nr], &by_dev[n * 1024], 8, 100 + n))
		return 30 + n;
	gt_store(&by_cpu[n * 1024], 100 + n);
	if (n == GENERATIONS)
		return 0;
	pid = fork();
	if (pid < 0)
		return 40 + n;
	if (!pid)
		_exit(generation(self, buf, n + 1));
	/* Not for the descendants any more. */
	if (gt_fill(&self->dev[0], &by_dev[n * 1024], 8, 200 + n))
		return 50 + n;
	gt_store(&by_cpu[n * 1024], 200 + n);
	if (waitpid(pid, &status, 0) != pid)
		return 60 + n;
	if (status)
		return WEXITSTATUS(status);
	return gt_load(&by_dev[n * 1024]) != 200 + n ||
	       gt_load(&by_dev[(n + 1) * 1024]) ? 70 + n : 0;
}

static int first_generation(struct _test_data_gmem *self, char *buf,
			    struct kid *kid)
{
	return generation(self, buf, 0);
}

GT_TEST(grandchildren)
{
	char *buf = make(_metadata, self, variant->huge);
	struct kid kid;

	ASSERT_EQ(0, fill_all(self, buf, 0));
	start(_metadata, self, buf, &kid, first_generation);
	finish(_metadata, &kid);
	EXPECT_TRUE(filled(self, buf, 0));
	munmap(buf, LEN);
}

/* ---------------------------------------------------- what is not inherited */

static int uses_inherited(struct _test_data_gmem *self, char *buf,
			  struct kid *kid)
{
	struct gt_dev *dev = &self->dev[0];
	struct gmem_mock_query query;
	struct gmem_mock_xlat xlat;
	__u64 sum;

	if (gt_touch(dev, buf, 8) != -EPERM ||
	    gt_fill(dev, buf, LEN, 0) != -EPERM ||
	    gt_checksum(dev, buf, LEN, &sum) != -EPERM ||
	    gt_atomic_add(dev, buf, 1, NULL) != -EPERM)
		return 1;
	if (gt_snapshot(dev, buf, LEN, &xlat, 1) != -EPERM)
		return 2;
	if (gt_query(dev->fd, &query))
		return 3;
	/* Not attached, so nothing can go there; but home is no device. */
	if (gt_hmadvise(dev->hnid, buf, LEN, HMADV_PREFETCH, 0) != -ESRCH)
		return 4;
	if (gt_hmadvise(HMADV_NODE_ANY, buf, GT_HUGE, HMADV_PREFETCH, 0) !=
	    GT_HUGE)
		return 5;
	if (cpu_sees(buf, LEN, 0))
		return 6;
	/* Dropped by one, not by the other. */
	if (gt_hmadvise(HMADV_NODE_ANY, buf, LEN, HMADV_DISCARD, 0) != LEN)
		return 7;
	if (buf[0] || buf[LEN - 1])
		return 8;
	/* The end of the child's files is not the end of the parent's. */
	return gt_close(dev) ? 9 : 0;
}

GT_TEST(device_is_not_inherited)
{
	char *buf = make(_metadata, self, variant->huge);
	struct kid kid;

	start(_metadata, self, buf, &kid, uses_inherited);
	finish(_metadata, &kid);
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	place(_metadata, self, buf);
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	munmap(buf, LEN);
}

/* ----------------------------------------------------- DONTFORK, WIPEONFORK */

static int finds_a_hole(struct _test_data_gmem *self, char *buf,
			struct kid *kid)
{
	const struct part *part = &parts[4];

	if (attach(self))
		return 1;
	if (!gone(self, buf + part->off, part->len))
		return 2;
	return rest_intact(self, buf, part) ? 3 : 0;
}

GT_TEST(madv_dontfork)
{
	const struct part *part = &parts[4];
	char *buf = make(_metadata, self, variant->huge);
	char *va = buf + part->off;
	struct kid kid;

	ASSERT_EQ(0, madvise(va, part->len, MADV_DONTFORK));
	place(_metadata, self, buf);
	start(_metadata, self, buf, &kid, finds_a_hole);
	finish(_metadata, &kid);
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	ASSERT_EQ(0, madvise(va, part->len, MADV_DOFORK));
	start(_metadata, self, buf, &kid, writes_by_device);
	EXPECT_EQ(0, hear(kid.from));
	EXPECT_EQ(0, say(kid.to));
	finish(_metadata, &kid);
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	munmap(buf, LEN);
}

static int finds_zeros(struct _test_data_gmem *self, char *buf,
		       struct kid *kid)
{
	const struct part *part = &parts[4];

	if (hear(kid->to) || attach(self))
		return 1;
	if (fresh(self, buf + part->off, part->len))
		return 2;
	return rest_intact(self, buf, part) ? 3 : 0;
}

GT_TEST(madv_wipeonfork)
{
	const struct part *part = &parts[4];
	char *buf = make(_metadata, self, variant->huge);
	char *va = buf + part->off;
	struct kid kid;

	ASSERT_EQ(0, madvise(va, part->len, MADV_WIPEONFORK));
	place(_metadata, self, buf);
	start(_metadata, self, buf, &kid, finds_zeros);
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	EXPECT_EQ(0, say(kid.to));
	finish(_metadata, &kid);
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	munmap(buf, LEN);
}

/* ------------------------------------------------------------- vfork, exec */

struct vforked {
	struct _test_data_gmem *self;
	char *buf;
};

static int shares_all(void *arg)
{
	struct vforked *v = arg;

	/* The same address space: the same devices. */
	if (gt_fill(&v->self->dev[0], v->buf, LEN, 7))
		return 1;
	return gt_load((__u64 *)v->buf) == 7 ? 0 : 2;
}

GT_TEST(vfork_shares)
{
	static char stack[16 * GT_PAGE];
	char *buf = make(_metadata, self, variant->huge);
	struct vforked v = { self, buf };
	int status;
	pid_t pid;

	pid = clone(shares_all, stack + sizeof(stack),
		    CLONE_VM | CLONE_VFORK | SIGCHLD, &v);
	ASSERT_GE(pid, 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(filled(self, buf, 7));
	munmap(buf, LEN);
}

/* As posix_spawn() and system() do: nothing of the parent is disturbed. */
GT_TEST(vfork_and_exec)
{
	char *buf = make(_metadata, self, variant->huge);

	EXPECT_EQ(0, system("true"));
	EXPECT_TRUE(gt_all_on(buf, GT_HUGE, self->dev[0].hnid));
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	munmap(buf, LEN);
}

/*
 * This program again, after exec(), before main(). What it had on devices is
 * gone, though the file is still open; and it can begin anew.
 */
static int after_exec(int fd)
{
	struct gt_dev kept = { .fd = fd, .max_len = GT_HUGE }, dev;
	struct gmem_mock_query query;
	struct gt_check check = { };
	char *buf;

	if (gt_query(kept.fd, &query))
		return 11;
	if (gt_quiet(&check) || check.frames_used || check.stale)
		return 12;
	buf = gt_alloc(GT_HUGE, false);
	if (!buf || gt_touch(&kept, buf, 8) != -EPERM)
		return 13;
	gt_pattern(buf, GT_HUGE, 3);
	if (gt_open(&dev, 0) || gt_to_device(&dev, buf, GT_HUGE) ||
	    gt_dev_pattern(&dev, buf, GT_HUGE, 3))
		return 14;
	if (gt_touch(&kept, buf, 8) != -EPERM)
		return 15;
	return gt_pattern_bad(buf, GT_HUGE, 3) < 0 ? 0 : 16;
}

static void __attribute__((constructor)) begin_after_exec(void)
{
	const char *fd = getenv(AFTER_EXEC);

	if (fd)
		_exit(after_exec(atoi(fd)));
}

static int execs(struct _test_data_gmem *self, char *buf, struct kid *kid)
{
	char fd[16];

	/* @buf is not there yet: what is on the devices is all of the child. */
	if (attach(self))
		return 1;
	buf = gt_alloc(LEN, kid->pid);
	if (!buf)
		return 2;
	gt_pattern(buf, LEN, 1);
	if (gt_to_device(&self->dev[0], buf, LEN))
		return 3;
	snprintf(fd, sizeof(fd), "%d", self->dev[0].fd);
	if (fcntl(self->dev[0].fd, F_SETFD, 0) || setenv(AFTER_EXEC, fd, 1))
		return 4;
	execl("/proc/self/exe", "fork", NULL);
	return 5;
}

static int execs_huge(struct _test_data_gmem *self, char *buf,
		      struct kid *kid)
{
	kid->pid = true;
	return execs(self, buf, kid);
}

GT_TEST(exec_leaves_nothing)
{
	struct kid kid;

	start(_metadata, self, NULL, &kid, variant->huge ? execs_huge : execs);
	finish(_metadata, &kid);
}

/* The same with a parent that goes on with its own. */
static int execs_true(struct _test_data_gmem *self, char *buf,
		      struct kid *kid)
{
	if (attach(self) || fill_all(self, buf, 9))
		return 1;
	execl("/bin/true", "true", NULL);
	return 2;
}

GT_TEST(exec_in_child)
{
	char *buf = make(_metadata, self, variant->huge);
	struct kid kid;

	start(_metadata, self, buf, &kid, execs_true);
	finish(_metadata, &kid);
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	munmap(buf, LEN);
}

/* A thread is at the device when another one calls exec(). */
struct victim {
	struct _test_data_gmem *self;
	char *buf;
	unsigned long done;
};

static void *fills(void *arg)
{
	struct victim *v = arg;
	char *va = v->buf + SPAN_AT;

	for (;;)
		if (!gt_fill(&v->self->dev[0], va, SPAN, gt_load(&v->done)))
			gt_add(&v->done, 1);
	return NULL;
}

static int execs_with_threads(struct _test_data_gmem *self, char *buf,
			      struct kid *kid)
{
	struct victim v = { .self = self, .buf = buf };
	pthread_t thread;

	if (attach(self) || pthread_create(&thread, NULL, fills, &v) ||
	    pthread_create(&thread, NULL, fills, &v))
		return 1;
	while (gt_load(&v.done) < 2)
		usleep(100);
	execl("/bin/true", "true", NULL);
	return 2;
}

GT_TEST(exec_while_device_writes)
{
	char *buf = make(_metadata, self, variant->huge);
	struct kid kid;
	int n;

	for (n = 0; n < 3; n++) {
		start(_metadata, self, buf, &kid, execs_with_threads);
		finish(_metadata, &kid);
	}
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	munmap(buf, LEN);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes and files end, in any order and at any moment: nothing hangs, nothing
 * leaks.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "gmem_fixture.h"
#include "gmem_worker.h"

/* --------------------------------------------------------- processes that end */

/* Several threads on all devices until somebody kills us. */
static void child_works(struct board *board)
{
	struct worker w[MAX_WORKERS];
	struct gt_dev dev[GT_MAX_DEVS];
	unsigned int nr = gt_dev_count(), i;

	for (i = 0; i < nr; i++)
		if (gt_open(&dev[i], i))
			_exit(1);
	for (i = 0; i < MAX_WORKERS; i++)
		if (start_worker(&w[i], &dev[i % nr], board, i & 1, i & 2))
			_exit(2);
	gt_store(&board->ready, 1);
	for (;;)
		pause();
}

static void kill_at_work(struct __test_metadata *_metadata,
			 unsigned int rounds, unsigned long steps)
{
	struct board *board = make_board();
	struct gt_check check;
	unsigned int n;
	int status;
	pid_t pid;

	ASSERT_NE(NULL, board);
	for (n = 0; n < rounds; n++) {
		memset(board, 0, sizeof(*board));
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid)
			child_works(board);
		EXPECT_TRUE(wait_for(&board->ready));
		EXPECT_TRUE(wait_steps(board, steps));
		usleep(n * 1237 % 20000);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		status = wait_gone(pid);
		ASSERT_NE(-1, status) TH_LOG("process %d does not die", pid);
		EXPECT_TRUE(WIFSIGNALED(status));
		ASSERT_EQ(0, gt_quiet(&check));
	}
}

GT_TEST(kill_at_work)
{
	kill_at_work(_metadata, 6, 8);
}

/* A few pages go there and back, which takes edu seconds. */
static void child_works_edu(struct board *board)
{
	size_t len = 8 * GT_PAGE;
	char *buf = gt_alloc(GT_HUGE, false);
	struct gt_dev dev;

	if (!buf || gt_open(&dev, 0))
		_exit(1);
	gt_pattern(buf, len, 1);
	gt_store(&board->ready, 1);
	for (;;) {
		gt_touch_write(&dev, buf, len);
		gt_hmadvise(0, buf, len, HMADV_PREFETCH, 0);
	}
}

/* In the middle of a DMA of edu. */
GT_TEST(kill_at_work_edu)
{
	struct board *board = make_board();
	struct gt_check check;
	int n, status;
	pid_t pid;

	ASSERT_NE(NULL, board);
	ASSERT_EQ(0, gt_set_engine("edu"));
	for (n = 0; n < 3; n++) {
		memset(board, 0, sizeof(*board));
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid)
			child_works_edu(board);
		EXPECT_TRUE(wait_for(&board->ready));
		usleep(150000 + n * 1370000);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		status = wait_gone(pid);
		ASSERT_NE(-1, status) TH_LOG("process %d does not die", pid);
		EXPECT_TRUE(WIFSIGNALED(status));
		ASSERT_EQ(0, gt_quiet(&check));
	}
	ASSERT_EQ(0, gt_set_engine("cpu"));
}

GT_TEST(exit_with_resident_data)
{
	struct gt_check check;
	struct gt_dev dev;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		char *buf = gt_alloc(LEN, true);

		if (!buf || gt_open(&dev, 0))
			_exit(1);
		gt_pattern(buf, LEN, 1);
		if (gt_touch_write(&dev, buf, LEN) ||
		    !gt_all_on(buf, LEN, dev.hnid))
			_exit(2);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, gt_quiet(&check));
}

/* What the file of a dead owner is good for. 1 if all is as it must be. */
static int use_inherited(struct gt_dev *dev, char *buf, __u64 unmaps)
{
	unsigned long long end = gt_now_ms() + WAIT_MS;
	struct gmem_mock_stats stats;

	do {
		if (gt_touch(dev, buf, 8) != -EPERM)
			return 2;
		if (gt_stats(dev, &stats))
			return 3;
		usleep(2000);
		/* The device's translations go with the address space. */
	} while (stats.unmaps == unmaps && gt_now_ms() < end);
	return stats.unmaps > unmaps ? 1 : 4;
}

/* The file outlives the address space: it is passed on and its owner dies. */
GT_TEST(owner_dies_before_file)
{
	struct board *board = make_board();
	struct gmem_mock_stats stats;
	struct gt_dev dev;
	int status;
	pid_t pid;

	ASSERT_NE(NULL, board);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		char *buf = gt_alloc(LEN, true);

		if (!buf || gt_open(&dev, 0))
			_exit(1);
		pid = fork();
		if (!pid) {
			if (!wait_for(&board->ready))
				_exit(1);
			gt_store(&board->go, use_inherited(&dev, buf,
							   board->steps));
			_exit(0);
		}
		if (gt_touch_write(&dev, buf, LEN) || gt_stats(&dev, &stats))
			_exit(2);
		board->steps = stats.unmaps;
		gt_store(&board->ready, 1);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(wait_for(&board->go));
	EXPECT_EQ(1, board->go);
}

/* ------------------------------------------------------------ fork and exec */

/* @buf is on the device: what do both see, whoever lives longer? */
static void fork_resident(struct __test_metadata *_metadata,
			  struct gt_dev *dev, bool huge, bool child_first)
{
	struct board *board = make_board();
	char *buf = gt_alloc(LEN, huge);
	int status;
	pid_t pid;

	ASSERT_NE(NULL, board);
	ASSERT_NE(NULL, buf);
	fill_blocks(buf);
	ASSERT_EQ(0, gt_touch_write(dev, buf, LEN));
	ASSERT_TRUE(gt_all_on(buf, LEN, dev->hnid));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		if (!child_first && !wait_for(&board->go))
			_exit(2);
		_exit(bad_block(buf) >= 0);
	}
	if (child_first) {
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		EXPECT_EQ(-1, bad_block(buf));
	} else {
		EXPECT_EQ(-1, bad_block(buf));
		memset(buf, 0, LEN);
		EXPECT_EQ(0, gt_fill(dev, buf, LEN, 5));
		gt_free(buf, LEN);
		gt_store(&board->go, 1);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
	}
}

GT_TEST(fork_child_first_huge)
{
	fork_resident(_metadata, &self->dev[0], true, true);
}

GT_TEST(fork_child_first_base)
{
	fork_resident(_metadata, &self->dev[0], false, true);
}

GT_TEST(fork_parent_first_huge)
{
	fork_resident(_metadata, &self->dev[0], true, false);
}

GT_TEST(fork_parent_first_base)
{
	fork_resident(_metadata, &self->dev[0], false, false);
}

/* The memory of a device, of which only single pages are free, far apart. */
static char *fill_with_holes(struct __test_metadata *_metadata,
			     struct gt_dev *dev, size_t len)
{
	char *buf = gt_alloc(len, false);
	size_t i;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, len, 5);
	ASSERT_EQ(0, gt_to_device(dev, buf, len));
	for (i = 0; i < 4 * GT_HUGE; i += 2 * GT_PAGE)
		ASSERT_EQ(GT_PAGE, gt_hmadvise(HMADV_NODE_ANY, buf + i, GT_PAGE,
					       HMADV_PREFETCH, 0));
	return buf;
}

/*
 * A huge page that a child shares finds no place of its size: it is not to become
 * single pages for one of the two.
 */
GT_TEST(shared_huge_finds_single_pages)
{
	struct gt_dev *dev = &self->dev[0];
	char *full = fill_with_holes(_metadata, dev, dev->mem_bytes);
	char *buf = gt_alloc(GT_HUGE, true);
	int go[2], status;
	pid_t pid;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, GT_HUGE, 1);
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		close(go[1]);
		_exit(read(go[0], &status, 1) ||
		      gt_pattern_bad(buf, GT_HUGE, 1) != -1);
	}
	close(go[0]);
	EXPECT_EQ(0, gt_dev_pattern(dev, buf, GT_HUGE, 1));
	close(go[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(-1, gt_pattern_bad(buf, GT_HUGE, 1));
	gt_free(buf, GT_HUGE);
	gt_free(full, dev->mem_bytes);
}

/* The new program: the old file is not its, a new one is. */
static int after_exec(int fd)
{
	struct gt_dev old = { .fd = fd, .max_len = GT_PAGE }, dev;
	struct gmem_mock_stats stats;
	__u64 word = 5, before;

	if (gt_atomic_add(&old, &word, 1, NULL) != -EPERM)
		return 10;
	if (gt_stats(&old, &stats))
		return 11;
	if (gt_open(&dev, 0))
		return 12;
	if (gt_atomic_add(&dev, &word, 1, &before) || before != 5)
		return 13;
	return gt_load(&word) == 6 ? 0 : 14;
}

GT_TEST(exec_with_resident_data)
{
	char arg[32], *argv[] = { "lifecycle", "--after-exec", arg, NULL };
	struct gt_dev dev;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		char *buf = gt_alloc(LEN, true);

		if (!buf || gt_open(&dev, 0) || gt_touch_write(&dev, buf, LEN))
			_exit(1);
		fcntl(dev.fd, F_SETFD, 0);
		snprintf(arg, sizeof(arg), "%d", dev.fd);
		execv("/proc/self/exe", argv);
		_exit(2);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

/* ------------------------------------------------------------ files that end */

/* Data on the device survives the end of the file, for the CPU. */
GT_TEST(close_with_resident_data)
{
	struct gt_dev *dev = &self->dev[0];
	struct gt_check check;
	char *buf[2];
	int i;

	for (i = 0; i < 2; i++) {
		buf[i] = gt_alloc(LEN, i);
		ASSERT_NE(NULL, buf[i]);
		fill_blocks(buf[i]);
		ASSERT_EQ(0, gt_touch_write(dev, buf[i], LEN));
	}
	ASSERT_EQ(0, gt_close(dev));
	ASSERT_EQ(0, gt_check(&check));
	EXPECT_EQ(0, check.leaked);
	EXPECT_EQ(0, check.stale);
	EXPECT_EQ(-1, bad_block(buf[0]));
	/* The other half is still there when the device attaches again. */
	ASSERT_EQ(0, gt_open(dev, 0));
	EXPECT_EQ(0, gt_dev_pattern(dev, buf[1], GT_HUGE, 1));
	EXPECT_EQ(-1, bad_block(buf[1]));
	gt_free(buf[0], LEN);
	gt_free(buf[1], LEN);
}

/* close() while another thread's op is under way: it ends as it would. */
GT_TEST(close_at_work)
{
	struct board *board = make_board();
	struct worker w;
	int n, fd;

	ASSERT_NE(NULL, board);
	for (n = 0; n < 10; n++) {
		struct gt_dev dev;

		ASSERT_EQ(0, gt_open(&dev, 0));
		fd = dev.fd;
		ASSERT_EQ(0, start_worker(&w, &dev, board, n & 1, false));
		EXPECT_TRUE(wait_steps(board, 4));
		usleep(n * 317);
		ASSERT_EQ(0, close(fd));
		pthread_join(w.thread, NULL);
		EXPECT_EQ(-EBADF, w.error);
		EXPECT_EQ(-1, bad_block(w.buf));
		gt_free(w.buf, LEN);
	}
}

/* Attach and detach again and again, with a little work each time. */
GT_TEST(open_and_close)
{
	char *buf = gt_alloc(GT_HUGE, false);
	unsigned int n, i;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, GT_HUGE, 1);
	for (i = 0; i < self->nr; i++)
		gt_close(&self->dev[i]);
	for (n = 0; n < 100; n++) {
		struct gt_dev *dev = &self->dev[n % self->nr];

		ASSERT_EQ(0, gt_open(dev, n % self->nr));
		ASSERT_EQ(0, gt_dev_pattern(dev, buf, 2 * GT_PAGE, 1));
		ASSERT_EQ(0, gt_close(dev));
	}
	EXPECT_EQ(-1, gt_pattern_bad(buf, GT_HUGE, 1));
	gt_free(buf, GT_HUGE);
}

struct opener {
	pthread_t thread;
	unsigned long opened;
	int stop;
	int error;
};

static void *keep_opening(void *arg)
{
	struct opener *o = arg;
	struct gt_dev dev;

	while (!gt_load(&o->stop) && !o->error) {
		o->error = gt_open(&dev, 0);
		if (o->error)
			break;
		gt_add(&o->opened, 1);
		o->error = gt_close(&dev);
	}
	return NULL;
}

/*
 * Other files of the process come and go: as long as one is open, the process is
 * attached, and advice has a device to go to.
 */
GT_TEST(advice_while_files_come_and_go)
{
	struct opener o[2] = { };
	struct gt_dev *dev = &self->dev[0];
	char *buf = gt_alloc(LEN, true);
	unsigned int i;
	long ret;

	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 1);
	/* Theirs are to be found first. */
	ASSERT_EQ(0, gt_close(dev));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&o[i].thread, NULL, keep_opening,
					    &o[i]));
	while (!gt_load(&o[0].opened) || !gt_load(&o[1].opened))
		usleep(1000);
	ASSERT_EQ(0, gt_open(dev, 0));
	for (i = 0; i < 400; i++) {
		ret = gt_hmadvise(i % 2 ? 0 : dev->hnid, buf, LEN,
				  HMADV_PREFETCH, 0);
		ASSERT_TRUE(ret > 0 || ret == -EAGAIN)
			TH_LOG("hint %u: %ld", i, ret);
	}
	for (i = 0; i < 2; i++) {
		gt_store(&o[i].stop, 1);
		ASSERT_EQ(0, pthread_join(o[i].thread, NULL));
		EXPECT_EQ(0, o[i].error);
	}
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 1));
	gt_free(buf, LEN);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--after-exec"))
		return after_exec(atoi(argv[2]));
	return test_harness_run(argc, argv);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes, files, drivers and devices end, in any order and at any moment:
 * nothing hangs, nothing leaks, and data that can be carried home is.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "gmem_fixture.h"

#define LEN		GT_MB(8)
#define MAX_WORKERS	4
#define WAIT_MS		60000

/* What a process and its child both see. */
struct board {
	unsigned long steps;
	int ready;
	int go;
};

static struct board *make_board(void)
{
	struct board *board = mmap(NULL, GT_PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return board == MAP_FAILED ? NULL : board;
}

static bool wait_for(int *flag)
{
	unsigned long long end = gt_now_ms() + WAIT_MS;

	while (!gt_load(flag) && gt_now_ms() < end)
		usleep(1000);
	return gt_load(flag);
}

static bool wait_steps(struct board *board, unsigned long more)
{
	unsigned long long end = gt_now_ms() + WAIT_MS;
	unsigned long want = gt_load(&board->steps) + more;

	while (gt_load(&board->steps) < want && gt_now_ms() < end)
		usleep(1000);
	return gt_load(&board->steps) >= want;
}

/* The status of a process that ends in time, or -1. */
static int wait_gone(pid_t pid)
{
	unsigned long long end = gt_now_ms() + WAIT_MS;
	int status;

	while (gt_now_ms() < end) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		usleep(1000);
	}
	return -1;
}

/* ------------------------------------------------------------------ workers */

struct worker {
	struct gt_dev *dev;
	struct board *board;
	char *buf;
	pthread_t thread;
	bool stop;
	bool writes;
	int error;
};

/* Device faults without end: prefetch home, so that there is work again. */
static void *work(void *arg)
{
	struct worker *w = arg;
	size_t off;
	int ret = 0;

	while (!gt_load(&w->stop) && !ret) {
		for (off = 0; off < LEN && !ret; off += GT_HUGE) {
			if (w->writes)
				ret = gt_fill(w->dev, w->buf + off, GT_HUGE, 1);
			else
				ret = gt_dev_pattern(w->dev, w->buf + off,
						     GT_HUGE, 1 + off);
			if (ret == -EAGAIN)
				ret = 0;
			gt_add(&w->board->steps, 1);
		}
		gt_hmadvise(0, w->buf, LEN, HMADV_PREFETCH, 0);
	}
	w->error = ret;
	return NULL;
}

static void fill_blocks(char *buf)
{
	size_t off;

	for (off = 0; off < LEN; off += GT_HUGE)
		gt_pattern(buf + off, GT_HUGE, 1 + off);
}

static ssize_t bad_block(const char *buf)
{
	size_t off;

	for (off = 0; off < LEN; off += GT_HUGE)
		if (gt_pattern_bad(buf + off, GT_HUGE, 1 + off) >= 0)
			return off;
	return -1;
}

static int start_worker(struct worker *w, struct gt_dev *dev,
			struct board *board, bool huge, bool writes)
{
	*w = (struct worker){
		.dev = dev,
		.board = board,
		.buf = gt_alloc(LEN, huge),
		.writes = writes,
	};
	if (!w->buf)
		return -ENOMEM;
	fill_blocks(w->buf);
	return -pthread_create(&w->thread, NULL, work, w);
}

static int stop_worker(struct worker *w)
{
	gt_store(&w->stop, true);
	pthread_join(w->thread, NULL);
	return w->error;
}

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

/* ------------------------------------------- devices and drivers that end */

static int pci_write(const char *slot, int function, const char *file,
		     const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s.%d/%s", slot,
		 function, file);
	return gt_write_file(path, text);
}

/* Wait until there are @nr devices (again). */
static bool wait_devices(unsigned int nr)
{
	unsigned long long end = gt_now_ms() + WAIT_MS;

	while (gt_dev_count() != nr && gt_now_ms() < end)
		usleep(10000);
	return gt_dev_count() == nr;
}

/* The ways in which a device goes and comes back. */
struct way {
	int (*go)(const char *slot);
	int (*come)(const char *slot);
};

static int go_unbind(const char *slot)
{
	char name[32];

	snprintf(name, sizeof(name), "%s.0", slot);
	return pci_write(slot, 0, "driver/unbind", name);
}

/* Drivers are found by probing: for what of the pair has lost its driver. */
static int come_bind(const char *slot)
{
	char name[32];
	int i, ret = 0;

	for (i = 0; i < 2 && !ret; i++) {
		snprintf(name, sizeof(name), "%s.%d", slot, i);
		ret = gt_write_file("/sys/bus/pci/drivers_probe", name);
		if (ret == -EINVAL || ret == -EBUSY)
			ret = 0;
	}
	return ret;
}

static int go_unbind_memory(const char *slot)
{
	char name[32];

	snprintf(name, sizeof(name), "%s.1", slot);
	return pci_write(slot, 1, "driver/unbind", name);
}

static int go_remove(const char *slot)
{
	return pci_write(slot, 0, "remove", "1");
}

static int go_remove_memory(const char *slot)
{
	return pci_write(slot, 1, "remove", "1");
}

static int come_rescan(const char *slot)
{
	return gt_write_file("/sys/bus/pci/rescan", "1");
}

FIXTURE(gone)
{
	struct gt_dev dev;
	unsigned int nr;
	char slot[32];
};

FIXTURE_VARIANT(gone)
{
	struct way way;
};

FIXTURE_VARIANT_ADD(gone, unbind)
{
	.way = { go_unbind, come_bind },
};

FIXTURE_VARIANT_ADD(gone, unbind_memory)
{
	.way = { go_unbind_memory, come_bind },
};

FIXTURE_VARIANT_ADD(gone, remove)
{
	.way = { go_remove, come_rescan },
};

FIXTURE_VARIANT_ADD(gone, remove_memory)
{
	.way = { go_remove_memory, come_rescan },
};

FIXTURE_SETUP(gone)
{
	ASSERT_EQ(0, gt_set_engine("cpu"));
	self->nr = gt_dev_count();
	ASSERT_GE(self->nr, 1);
	ASSERT_EQ(0, gt_open(&self->dev, 0));
	ASSERT_EQ(0, gt_pci_slot(&self->dev, self->slot, sizeof(self->slot)));
}

/* Whatever happened, the next test finds all devices. */
FIXTURE_TEARDOWN_PARENT(gone)
{
	struct gt_check check = { };

	if (self->nr && gt_dev_count() != self->nr) {
		come_rescan(self->slot);
		come_bind(self->slot);
	}
	EXPECT_TRUE(wait_devices(self->nr));
	EXPECT_EQ(0, gt_quiet(&check));
	EXPECT_EQ(0, check.leaked);
	EXPECT_EQ(0, check.stale);
}

/* After the device is back it is as good as before. */
static void works_again(struct __test_metadata *_metadata, char *buf)
{
	struct gt_dev dev;
	unsigned int nr = gt_dev_count(), i;

	for (i = 0; i < nr; i++) {
		ASSERT_EQ(0, gt_open(&dev, i));
		EXPECT_EQ(0, gt_dev_pattern(&dev, buf, GT_HUGE, 1));
		EXPECT_TRUE(gt_all_on(buf, GT_HUGE, dev.hnid));
		ASSERT_EQ(0, gt_close(&dev));
	}
	EXPECT_EQ(-1, bad_block(buf));
}

/* What was on the device is at home, byte-exact; the file is dead. */
TEST_F_TIMEOUT(gone, with_resident_data, GT_TIMEOUT)
{
	const struct way *way = &variant->way;
	struct gmem_mock_stats stats;
	struct gt_check check;
	char *buf[2];
	int i;

	for (i = 0; i < 2; i++) {
		buf[i] = gt_alloc(LEN, i);
		ASSERT_NE(NULL, buf[i]);
		fill_blocks(buf[i]);
		ASSERT_EQ(0, gt_touch_write(&self->dev, buf[i], LEN));
		ASSERT_TRUE(gt_all_on(buf[i], LEN, self->dev.hnid));
	}
	ASSERT_EQ(0, way->go(self->slot));
	EXPECT_EQ(self->nr - 1, gt_dev_count());
	for (i = 0; i < 2; i++) {
		EXPECT_TRUE(gt_all_on(buf[i], LEN, GT_HOME));
		EXPECT_EQ(-1, bad_block(buf[i]));
	}
	ASSERT_EQ(0, gt_check(&check));
	EXPECT_EQ(0, check.frames_used);
	EXPECT_EQ(-ENODEV, gt_touch(&self->dev, buf[0], 8));
	EXPECT_EQ(-ENODEV, gt_stats(&self->dev, &stats));
	EXPECT_EQ(-ENODEV, gt_hmadvise(self->dev.hnid, buf[0], LEN,
				       HMADV_PREFETCH, 0));
	EXPECT_EQ(0, gt_close(&self->dev));
	ASSERT_EQ(0, way->come(self->slot));
	ASSERT_TRUE(wait_devices(self->nr));
	works_again(_metadata, buf[0]);
	works_again(_metadata, buf[1]);
	gt_free(buf[0], LEN);
	gt_free(buf[1], LEN);
}

/* Also the data of processes that are not there to help. */
TEST_F_TIMEOUT(gone, with_data_of_others, GT_TIMEOUT)
{
	struct board *board = make_board();
	int status;
	pid_t pid;

	ASSERT_NE(NULL, board);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		char *buf = gt_alloc(LEN, true);
		struct gt_dev dev;
		pid_t copy;

		if (!buf || gt_open(&dev, 0))
			_exit(1);
		fill_blocks(buf);
		if (gt_touch_write(&dev, buf, LEN))
			_exit(2);
		/* One that has the data from a fork, and no file. */
		copy = fork();
		if (!copy)
			gt_close(&dev);
		gt_add(&board->ready, 1);
		if (!wait_for(&board->go))
			_exit(3);
		if (bad_block(buf) >= 0)
			_exit(4);
		if (copy && (waitpid(copy, &status, 0) != copy || status))
			_exit(5);
		_exit(0);
	}
	while (gt_load(&board->ready) < 2)
		usleep(1000);
	EXPECT_EQ(0, variant->way.go(self->slot));
	gt_store(&board->go, 1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	ASSERT_EQ(0, gt_close(&self->dev));
	ASSERT_EQ(0, variant->way.come(self->slot));
	ASSERT_TRUE(wait_devices(self->nr));
}

/* In the middle of faults, several times. */
TEST_F_TIMEOUT(gone, at_work, GT_TIMEOUT)
{
	struct board *board = make_board();
	struct worker w[MAX_WORKERS];
	int n, i;

	ASSERT_NE(NULL, board);
	for (n = 0; n < 3; n++) {
		for (i = 0; i < MAX_WORKERS; i++)
			ASSERT_EQ(0, start_worker(&w[i], &self->dev, board,
						  i & 1, false));
		EXPECT_TRUE(wait_steps(board, 8));
		usleep(n * 3331);
		ASSERT_EQ(0, variant->way.go(self->slot));
		for (i = 0; i < MAX_WORKERS; i++) {
			pthread_join(w[i].thread, NULL);
			EXPECT_EQ(-ENODEV, w[i].error);
			EXPECT_EQ(-1, bad_block(w[i].buf));
			EXPECT_TRUE(gt_all_on(w[i].buf, LEN, GT_HOME));
			gt_free(w[i].buf, LEN);
		}
		ASSERT_EQ(0, gt_close(&self->dev));
		ASSERT_EQ(0, variant->way.come(self->slot));
		ASSERT_TRUE(wait_devices(self->nr));
		ASSERT_EQ(0, gt_open(&self->dev, self->nr - 1));
		ASSERT_EQ(0, gt_pci_slot(&self->dev, self->slot,
					 sizeof(self->slot)));
	}
}

/* The other devices do not notice. */
TEST_F_TIMEOUT(gone, beside_others, GT_TIMEOUT)
{
	struct board *board = make_board();
	struct gt_dev other;
	struct worker w;

	ASSERT_NE(NULL, board);
	ASSERT_GE(self->nr, 2) TH_LOG("needs two accelerators");
	ASSERT_EQ(0, gt_open(&other, 1));
	ASSERT_EQ(0, start_worker(&w, &other, board, true, false));
	EXPECT_TRUE(wait_steps(board, 4));
	ASSERT_EQ(0, variant->way.go(self->slot));
	EXPECT_TRUE(wait_steps(board, 8));
	EXPECT_EQ(0, stop_worker(&w));
	EXPECT_EQ(-1, bad_block(w.buf));
	gt_free(w.buf, LEN);
	ASSERT_EQ(0, gt_close(&self->dev));
	ASSERT_EQ(0, variant->way.come(self->slot));
	ASSERT_TRUE(wait_devices(self->nr));
}

/* ------------------------------------------------------------- the module */

static int unload(void)
{
	return syscall(__NR_delete_module, "gmem_mock", O_NONBLOCK) ? -errno :
								       0;
}

static int load(void)
{
	static const char * const path[] = {
		"/lib/modules/gmem_mock.ko", "/lib/modules/gmem-mock.ko",
	};
	unsigned int i;
	int fd = -1, ret;

	for (i = 0; i < ARRAY_SIZE(path) && fd < 0; i++)
		fd = open(path[i], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = syscall(__NR_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

/* Open files keep the module; resident data does not, and is not lost. */
GT_TEST(module_unload)
{
	char *buf = gt_alloc(LEN, true);
	struct gt_check check;
	unsigned int i;

	ASSERT_NE(NULL, buf);
	fill_blocks(buf);
	ASSERT_EQ(0, gt_touch_write(&self->dev[0], buf, LEN));
	EXPECT_EQ(-EWOULDBLOCK, unload());
	EXPECT_EQ(0, gt_dev_pattern(&self->dev[0], buf, GT_HUGE, 1));
	for (i = 0; i < self->nr; i++)
		ASSERT_EQ(0, gt_close(&self->dev[i]));
	ASSERT_EQ(0, unload());
	EXPECT_EQ(0, gt_dev_count());
	EXPECT_TRUE(gt_all_on(buf, LEN, GT_HOME));
	EXPECT_EQ(-1, bad_block(buf));
	ASSERT_EQ(0, gt_check(&check));
	EXPECT_EQ(0, check.frames_used);
	EXPECT_EQ(-ENODEV, gt_hmadvise(self->dev[0].hnid, buf, LEN,
				       HMADV_PREFETCH, 0));
	ASSERT_EQ(0, load());
	ASSERT_TRUE(wait_devices(self->nr));
	ASSERT_EQ(0, gt_set_engine("cpu"));
	works_again(_metadata, buf);
	gt_free(buf, LEN);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--after-exec"))
		return after_exec(atoi(argv[2]));
	return test_harness_run(argc, argv);
}

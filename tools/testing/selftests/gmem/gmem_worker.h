/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes that keep a device busy, and a board in shared memory where they and
 * the test leave notes for each other.
 */
#ifndef GMEM_WORKER_H
#define GMEM_WORKER_H

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "gmem_test.h"

#define LEN		GT_MB(8)
#define MAX_WORKERS	4
#define WAIT_MS		60000

/* What a process and its child both see. */
struct board {
	unsigned long steps;
	int ready;
	int go;
};

static inline struct board *make_board(void)
{
	struct board *board = mmap(NULL, GT_PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return board == MAP_FAILED ? NULL : board;
}

static inline bool wait_for(int *flag)
{
	unsigned long long end = gt_now_ms() + WAIT_MS;

	while (!gt_load(flag) && gt_now_ms() < end)
		usleep(1000);
	return gt_load(flag);
}

static inline bool wait_steps(struct board *board, unsigned long more)
{
	unsigned long long end = gt_now_ms() + WAIT_MS;
	unsigned long want = gt_load(&board->steps) + more;

	while (gt_load(&board->steps) < want && gt_now_ms() < end)
		usleep(1000);
	return gt_load(&board->steps) >= want;
}

/* The status of a process that ends in time, or -1. */
static inline int wait_gone(pid_t pid)
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
static inline void *work(void *arg)
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

static inline void fill_blocks(char *buf)
{
	size_t off;

	for (off = 0; off < LEN; off += GT_HUGE)
		gt_pattern(buf + off, GT_HUGE, 1 + off);
}

static inline ssize_t bad_block(const char *buf)
{
	size_t off;

	for (off = 0; off < LEN; off += GT_HUGE)
		if (gt_pattern_bad(buf + off, GT_HUGE, 1 + off) >= 0)
			return off;
	return -1;
}

static inline int start_worker(struct worker *w, struct gt_dev *dev,
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

static inline int stop_worker(struct worker *w)
{
	gt_store(&w->stop, true);
	pthread_join(w->thread, NULL);
	return w->error;
}

#endif /* GMEM_WORKER_H */

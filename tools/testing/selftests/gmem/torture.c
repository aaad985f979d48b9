// SPDX-License-Identifier: GPL-2.0-only
/*
 * The torture test: random operations of several threads of several processes
 * with all devices, on memory of which it is known what every byte must be.
 *
 *	torture [--ops N] [--seed S] [--seeds K] [--procs P] [--threads T]
 *		[--minutes M] [--patience SECONDS]
 *		[--rarity R] [--without OPERATION]... [--times]
 *
 * Each seed is one test of N operations, all threads together. The same seed
 * makes the same operations; what the threads do to each other is up to the
 * scheduler. A seed that can be divided by 3 does without mremap() to elsewhere,
 * and GMEM's own check of its records is looked at while it runs. One operation of
 * R is on a large range as a whole; on a slow kernel, more get done if these are
 * rare. With --minutes, seeds are tried until the time is over. Progress and, after
 * a failure, the last operations of the thread go to stderr. With --times, what
 * each kind of operation took is told.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "torture.h"

#define TT_REPORT_MS	10000
#define TT_LOOK_MS	500
/* For what a process maps while it works: threads' stacks, rings and the like. */
#define TT_SPARE	GT_MB(256)

static struct {
	unsigned long ops;
	unsigned long seed;
	unsigned long seeds;
	unsigned long procs;
	unsigned long threads;
	unsigned long minutes;
	unsigned long patience;	/* seconds without an operation: it hangs */
	unsigned long rarity;	/* of operations on large ranges */
	bool times;
} opt = {
	.ops = 2000,
	.seed = 1,
	.seeds = 3,
	.procs = 2,
	.threads = 3,
	.patience = 120,
	.rarity = 8,
};

/* GUP_TEST, once for all. */
static int pins = -1;

/* ------------------------------------------------------------------- arenas */

/* The slots of one thread in pages; the first has blocks of its own. */
static const unsigned int slot_pages[] = { 1, 37, 300, 7, 150, 64 };
/* In bytes; a multiple of 8 not of a page: they share pages. */
static const unsigned int narrow_bytes[] = { 24, 3000, 5000, 40, 9104 };

#define NR_SHARING	ARRAY_SIZE(slot_pages)
#define NR_NARROW	ARRAY_SIZE(narrow_bytes)

static void *map_room(size_t len)
{
	char *p = mmap(NULL, len + GT_HUGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	return (void *)(((uintptr_t)p + GT_HUGE - 1) & ~(GT_HUGE - 1));
}

/* It is above the arenas, where mmap() looks for room first, when it is gone. */
static void *map_spare(void)
{
	return mmap(NULL, TT_SPARE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static int add_slot(struct tt_worker *w, char *va, char *away, size_t len,
		    enum tt_kind kind)
{
	struct tt_slot *s = &w->slot[w->nr_slots++];

	*s = (struct tt_slot){
		.va = va,
		.place = { va, away },
		.len = len,
		.prot = TT_RW,
		.kind = kind,
		.fd = -1,
		.shadow = calloc(1, len),
	};
	return s->shadow ? 0 : -ENOMEM;
}

/*
 * The arena: a block for each thread; then ranges of pages, of the threads by
 * turns; then narrow ranges, by turns; the common region in the same block. The
 * second place of a slot is unaligned for every other thread.
 */
static int make_slots(struct tt_proc *proc, struct tt_worker *workers)
{
	unsigned int nr = proc->nr_threads, i, t;
	char *va = proc->arena, *away = proc->away;
	int ret = 0;

	for (t = 0; t < nr; t++, va += GT_HUGE, away += 2 * GT_HUGE)
		ret |= add_slot(&workers[t], va, away + t % 2 * GT_PAGE,
				GT_HUGE, TT_OWN);
	for (i = 0; i < NR_SHARING; i++)
		for (t = 0; t < nr; t++) {
			size_t len = slot_pages[i] * GT_PAGE;

			ret |= add_slot(&workers[t], va, away, len, TT_OWN);
			va += len;
			away += len + (i + t) % 3 * GT_PAGE;
		}
	for (i = 0; i < NR_NARROW; i++)
		for (t = 0; t < nr; t++) {
			ret |= add_slot(&workers[t], va, NULL, narrow_bytes[i],
					TT_NARROW);
			va += narrow_bytes[i];
		}
	va += GT_PAGE - (uintptr_t)va % GT_PAGE;
	proc->common = (void *)va;
	va += TT_WORDS * GT_PAGE;
	proc->arena_len = va - proc->arena;
	for (t = 0; t < nr; t++)
		ret |= tt_add_files(&workers[t]);
	return ret;
}

static size_t arena_room(const struct tt_proc *proc)
{
	size_t len = 3 * GT_HUGE + TT_WORDS * GT_PAGE;
	unsigned int i;

	for (i = 0; i < NR_SHARING; i++)
		len += (slot_pages[i] + 2) * GT_PAGE;
	return len * proc->nr_threads;
}

static int make_arena(struct tt_proc *proc, struct tt_worker *workers)
{
	proc->arena = map_room(arena_room(proc));
	proc->away_len = arena_room(proc);
	proc->away = map_room(proc->away_len);
	if (!proc->arena || !proc->away)
		return -ENOMEM;
	return make_slots(proc, workers);
}

static int make_worker(struct tt_proc *proc, struct tt_worker *w,
		       unsigned int t, unsigned long seed)
{
	unsigned long workers = opt.procs * opt.threads;
	unsigned int i;

	w->proc = proc;
	w->index = proc->index * proc->nr_threads + t;
	w->nr_ops = opt.ops / workers + (w->index < opt.ops % workers);
	w->rng.state = seed * 1000003 + w->index;
	w->buf = malloc(GT_HUGE);
	w->zeros = calloc(1, GT_HUGE);
	if (!w->buf || !w->zeros || pipe(w->pipe))
		return -ENOMEM;
	for (i = 0; i < proc->nr_devs; i++)
		if (gt_open(&w->dev[i], i))
			return -ENODEV;
	return 0;
}

/* ---------------------------------------------------------------- processes */

static unsigned int count_nodes(void)
{
	char text[64], *dash;

	if (gt_read_file("/sys/devices/system/node/has_memory", text,
			 sizeof(text)))
		return 1;
	dash = strrchr(text, '-');
	return atoi(dash ? dash + 1 : text) + 1;
}

static void *worker_main(void *arg)
{
	struct tt_worker *w = arg;
	struct tt_board *board = w->proc->board;
	unsigned long n;

	pthread_barrier_wait(&w->proc->ready);
	for (n = 0; n < w->nr_ops && !gt_load(&board->failed); n++) {
		tt_step(w);
		gt_store(&board->done[w->index], n + 1);
	}
	gt_store(&board->now[w->index], "the last verification");
	tt_reap(w);
	if (!gt_load(&board->failed))
		tt_verify(w);
	gt_store(&board->now[w->index], "nothing");
	return NULL;
}

static void check_common(struct tt_worker *w)
{
	const struct tt_proc *proc = w->proc;
	unsigned int i;

	for (i = 0; i < TT_WORDS; i++) {
		__u64 sum = proc->common[i * GT_PAGE / 8];

		if (sum != proc->common_sum[i])
			tt_fail(w, "common word %u is %llu and not %llu", i,
				sum, proc->common_sum[i]);
	}
}

/* These seeds are checked while they run. */
static bool is_checked(unsigned long seed)
{
	return seed % 3 == 0;
}

/* One process, from its beginning to its end. */
static int proc_main(struct tt_board *board, unsigned int index,
		     unsigned long seed)
{
	static struct tt_worker workers[TT_MAX_THREADS];
	struct tt_proc proc = {
		.board = board,
		.index = index,
		.nr_threads = opt.threads,
		.nr_devs = gt_dev_count(),
		.nr_nodes = count_nodes(),
		.rarity = opt.rarity,
		.pins = pins,
		.workers = workers,
	};
	pthread_t thread[TT_MAX_THREADS];
	unsigned int t;
	int ret = 0;
	void *spare = map_spare();

	/* A heap of each thread would be where a hole is. */
	mallopt(M_ARENA_MAX, 1);
	if (is_checked(seed))
		tt_without_moves();
	pthread_barrier_init(&proc.ready, NULL, opt.threads + 1);
	for (t = 0; t < opt.threads && !ret; t++)
		ret = make_worker(&proc, &workers[t], t, seed);
	if (!ret)
		ret = spare == MAP_FAILED ? -ENOMEM : make_arena(&proc, workers);
	if (ret) {
		tt_fail(&workers[0], "cannot begin: %s", strerror(-ret));
		return 1;
	}
	for (t = 0; t < opt.threads; t++)
		if (pthread_create(&thread[t], NULL, worker_main, &workers[t]))
			return 2;
	/* No stack came here. From now on nothing but slots is to move there. */
	if (munmap(proc.away, proc.away_len) || munmap(spare, TT_SPARE))
		return 3;
	pthread_barrier_wait(&proc.ready);
	for (t = 0; t < opt.threads; t++)
		pthread_join(thread[t], NULL);
	if (!gt_load(&board->failed))
		check_common(&workers[0]);
	return gt_load(&board->failed);
}

/* -------------------------------------------------------------------- seeds */

static unsigned long total(const struct tt_board *board)
{
	unsigned long sum = 0;
	unsigned int i;

	for (i = 0; i < opt.procs * opt.threads; i++)
		sum += gt_load(&board->done[i]);
	return sum;
}

/* Where the threads of a process wait in the kernel, if it tells. */
static void print_threads(const char *pid)
{
	char path[600], text[4096];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/task/%s/stack", pid,
			 entry->d_name);
		if (!gt_read_file(path, text, sizeof(text)))
			fprintf(stderr, "# %s:\n%s", path, text);
	}
	if (dir)
		closedir(dir);
}

/* All that may be in each other's way: ours, and those who work on memory. */
static void print_stacks(void)
{
	static const char * const names[] = {
		"torture", "ksmd", "khugepaged", "kcompactd", "kswapd",
	};
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	char path[300], name[64];
	unsigned int i;

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (!atoi(entry->d_name) ||
		    gt_read_file(path, name, sizeof(name)))
			continue;
		for (i = 0; i < ARRAY_SIZE(names); i++)
			if (!strncmp(name, names[i], strlen(names[i])))
				print_threads(entry->d_name);
	}
	if (dir)
		closedir(dir);
}

static void stuck(const struct tt_board *board, const pid_t *pid)
{
	unsigned int i;

	for (i = 0; i < opt.procs * opt.threads; i++)
		ksft_print_msg("worker %u after %lu operations: %s\n", i,
			       gt_load(&board->done[i]),
			       gt_load(&board->now[i]));
	print_stacks();
	for (i = 0; i < opt.procs; i++)
		if (pid[i] > 0)
			kill(pid[i], SIGKILL);
}

static bool all_ended(pid_t *pid, struct tt_board *board)
{
	unsigned int i, left = 0;
	int status;

	for (i = 0; i < opt.procs; i++) {
		if (pid[i] <= 0)
			continue;
		if (waitpid(pid[i], &status, WNOHANG) != pid[i]) {
			left++;
			continue;
		}
		pid[i] = 0;
		if (!status)
			continue;
		ksft_print_msg("process %u ended with status 0x%x\n", i,
			       status);
		gt_store(&board->failed, 1);
	}
	return !left;
}

/* Whatever moves just now, what is on a device is recorded. */
static void check_records(struct tt_board *board)
{
	struct gt_check check = { };
	int ret = gt_check(&check);

	gt_add(&board->looks, ret != -EBUSY);
	if (ret == -EBUSY || (!ret && !check.unrecorded))
		return;
	ksft_print_msg("check: %d, %llu pages without a record\n", ret,
		       check.unrecorded);
	gt_store(&board->failed, 1);
}

/* Waits for the processes. Says how far they are, and ends what hangs. */
static void watch(pid_t *pid, struct tt_board *board, unsigned long seed)
{
	unsigned long long moved = gt_now_ms(), said = moved, looked = 0, now;
	unsigned long before = 0, done;

	while (!all_ended(pid, board)) {
		usleep(20000);
		done = total(board) + gt_load(&board->verified);
		now = gt_now_ms();
		if (done != before)
			moved = now;
		before = done;
		if (is_checked(seed) && now > looked + TT_LOOK_MS) {
			check_records(board);
			looked = gt_now_ms();
		}
		if (now > said + TT_REPORT_MS) {
			fprintf(stderr, "# seed %lu: %lu of %lu\n", seed,
				total(board), opt.ops);
			said = now;
		}
		if (now > moved + opt.patience * 1000) {
			ksft_print_msg("no progress\n");
			gt_store(&board->failed, 1);
			stuck(board, pid);
			moved = now;
		}
	}
}

static void check_shared(struct tt_board *board)
{
	unsigned int i;

	for (i = 0; i < TT_WORDS; i++) {
		__u64 sum = board->shared[i * GT_PAGE / 8];

		if (sum == board->shared_sum[i] || board->failed)
			continue;
		board->failed = 1;
		snprintf(board->message, TT_MESSAGE,
			 "shared word %u is %llu and not %llu", i, sum,
			 board->shared_sum[i]);
	}
}

static void check_quiet(struct tt_board *board)
{
	struct gt_check check = { };
	int ret = gt_quiet(&check);

	if (!ret && !check.frames_used && gt_is_sound(&check))
		return;
	ksft_print_msg("at the end: %d, %llu in use, %llu leaked, %llu stale, %llu unrecorded\n",
		       ret, check.frames_used, check.leaked, check.stale,
		       check.unrecorded);
	board->failed = 1;
}

static void *map_shared(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void print_repeat(unsigned long seed)
{
	printf("# repeat: --seeds 1 --seed %lu --ops %lu", seed, opt.ops);
	printf(" --procs %lu --threads %lu --rarity %lu\n", opt.procs,
	       opt.threads, opt.rarity);
}

static bool run_seed(unsigned long seed, struct tt_count *count)
{
	struct tt_board *board = map_shared(sizeof(*board));
	pid_t pid[TT_MAX_PROCS];
	unsigned long long start = gt_now_ms();
	unsigned int i;
	bool ok;

	if (!board)
		return false;
	board->count = count;
	tt_machine_reset();
	board->shared = map_shared(TT_WORDS * GT_PAGE);
	if (!board->shared)
		return false;
	for (i = 0; i < opt.procs; i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(proc_main(board, i, seed));
		if (pid[i] < 0) {
			ksft_print_msg("cannot fork: %s\n", strerror(errno));
			gt_store(&board->failed, 1);
		}
	}
	watch(pid, board, seed);
	check_shared(board);
	check_quiet(board);
	if (is_checked(seed) && !board->looks) {
		ksft_print_msg("the check was always busy\n");
		board->failed = 1;
	}
	ok = !board->failed && total(board) == opt.ops;
	ksft_print_msg("seed %lu: %lu operations, %lu children, %lu retries, %lu looks, %llu ms\n",
		       seed, total(board), board->children, board->again, board->looks,
		       gt_now_ms() - start);
	if (opt.times)
		tt_print_times(board);
	if (board->message[0])
		ksft_print_msg("%s\n", board->message);
	if (!ok)
		print_repeat(seed);
	munmap(board->shared, TT_WORDS * GT_PAGE);
	munmap(board, sizeof(*board));
	return ok;
}

/* --------------------------------------------------------------------- main */

static unsigned long parse(const char *text, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (*end || end == text || !n || n > max)
		ksft_exit_fail_msg("bad number: %s\n", text);
	return n;
}

static void options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "ops", required_argument, NULL, 'o' },
		{ "seed", required_argument, NULL, 's' },
		{ "seeds", required_argument, NULL, 'k' },
		{ "procs", required_argument, NULL, 'p' },
		{ "threads", required_argument, NULL, 't' },
		{ "minutes", required_argument, NULL, 'm' },
		{ "patience", required_argument, NULL, 'h' },
		{ "rarity", required_argument, NULL, 'r' },
		{ "without", required_argument, NULL, 'w' },
		{ "times", no_argument, NULL, 'i' },
		{ "nothing", no_argument, NULL, 'n' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'o':
			opt.ops = parse(optarg, ~0UL);
			break;
		case 's':
			opt.seed = parse(optarg, ~0UL);
			break;
		case 'k':
			opt.seeds = parse(optarg, 1000000);
			break;
		case 'p':
			opt.procs = parse(optarg, TT_MAX_PROCS);
			break;
		case 't':
			opt.threads = parse(optarg, TT_MAX_THREADS);
			break;
		case 'm':
			opt.minutes = parse(optarg, 1000000);
			break;
		case 'h':
			opt.patience = parse(optarg, 1000000);
			break;
		case 'r':
			opt.rarity = parse(optarg, 1000000);
			break;
		case 'w':
			if (!tt_without(optarg))
				ksft_exit_fail_msg("no such operation: %s\n",
						   optarg);
			break;
		case 'i':
			opt.times = true;
			break;
		case 'n':	/* a child that has become another program */
			exit(0);
		default:
			ksft_exit_fail_msg("unknown option\n");
		}
	}
}

int main(int argc, char **argv)
{
	struct tt_count *count = map_shared(TT_COUNTS * sizeof(*count));
	unsigned long long end;
	unsigned long n;
	bool ok;

	setvbuf(stdout, NULL, _IOLBF, 0);
	options(argc, argv);
	ksft_print_header();
	if (!count)
		ksft_exit_fail_msg("no memory\n");
	pins = tt_machine_set(opt.procs * opt.threads);
	if (!opt.minutes)
		ksft_set_plan(opt.seeds + 1);
	end = gt_now_ms() + opt.minutes * 60000;
	for (n = 0; opt.minutes ? gt_now_ms() < end : n < opt.seeds; n++) {
		ok = run_seed(opt.seed + n, count);
		ksft_test_result(ok, "seed %lu\n", opt.seed + n);
	}
	ksft_test_result(tt_all_worked(count), "everything had an effect\n");
	if (opt.minutes)
		ksft_set_plan(n + 1);
	tt_machine_restore();
	if (ksft_get_fail_cnt())
		ksft_exit_fail();
	ksft_exit_pass();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What GMEM's paths cost, in instructions of the guest, the copy left out.
 *
 * To be run under QEMU with -icount shift=0,sleep=off: then one instruction is
 * one nanosecond, and the time stamp counter counts instructions. The figures
 * are the same in every run, whatever else the machine does.
 *
 * Left out is what gm_mmu.copy took, which the mock accelerator counts, and
 * what the same call costs when there is nothing to do (a system call, the
 * mock's own machinery, reading the counter).
 *
 *	gmem-bench [--json FILE] [--repeat N]
 *
 * The status is 0 when all budgets are met, 1 when one is missed, 2 when
 * something could not be measured.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include <linux/gmem.h>
#include <linux/gmem_mock.h>

#ifndef __NR_hmadvise
#define __NR_hmadvise	472
#endif

#define PAGE		4096UL
#define HUGE		(2UL << 20)
#define PAGES		(HUGE / PAGE)
#define WARM_UP		3
#define MAX_REPEAT	101
/* Where munmap() is measured: far from everything else. */
#define LONELY		((void *)0x600000000000UL)
#define LONELY_PAGES	4
#define RESULT		"/dev/gmem-result"
#define ENGINE		"/sys/module/gmem_mock/parameters/engine"

static int device = -1;
static unsigned int repeat = 21;
static double ticks_per_insn;

static void give_up(const char *what)
{
	fprintf(stderr, "gmem-bench: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* --------------------------------------------------------------- the clock */

static inline uint64_t ticks(void)
{
	uint64_t now;

	_mm_lfence();
	now = __rdtsc();
	_mm_lfence();
	return now;
}

/* @rounds of a loop of two instructions, when no interrupt came between. */
static uint64_t time_of_loop(uint64_t rounds)
{
	uint64_t best = UINT64_MAX, took;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		uint64_t n = rounds, start = ticks();

		asm volatile("1: dec %0; jnz 1b" : "+r" (n) : : "cc");
		took = ticks() - start;
		if (took < best)
			best = took;
	}
	return best;
}

/*
 * How far the counter goes in an instruction: a whole number of ticks, always
 * the same one, or this is not a machine that counts instructions.
 */
static void calibrate(void)
{
	uint64_t one, two;

	time_of_loop(1000);
	one = time_of_loop(10000);
	two = time_of_loop(20000);
	ticks_per_insn = (two - one) / 20000.0;
	if (ticks_per_insn < 0.99 || ticks_per_insn > 1.01) {
		fprintf(stderr,
			"gmem-bench: %.2f ticks per instruction: needs QEMU's -icount shift=0,sleep=off\n",
			ticks_per_insn);
		exit(2);
	}
}

/* -------------------------------------------------------------- the device */

static void set_engine(const char *name)
{
	int fd = open(ENGINE, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, name, strlen(name)) < 0)
		give_up(ENGINE);
	close(fd);
}

static void attach(void)
{
	device = open("/dev/gmem-mock0", O_RDWR | O_CLOEXEC);
	if (device < 0)
		give_up("/dev/gmem-mock0");
}

static void detach(void)
{
	close(device);
	device = -1;
}

static void get_stats(struct gmem_mock_stats *stats)
{
	*stats = (struct gmem_mock_stats){ .size = sizeof(*stats) };
	if (ioctl(device, GMEM_MOCK_STATS, stats))
		give_up("statistics");
}

/* What took place between two moments. */
struct sample {
	uint64_t ticks;
	struct gmem_mock_stats before;
	struct gmem_mock_stats after;
};

/* The device makes sure that it can write to [@va, @va + @len). */
static struct sample touch(void *va, size_t len, uint32_t flags)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_TOUCH,
		.flags = GMEM_MOCK_OP_WRITABLE | flags,
		.va = (uintptr_t)va,
		.len = len,
	};
	struct gmem_mock_run run = {
		.size = sizeof(run),
		.ops = (uintptr_t)&op,
		.op_size = sizeof(op),
		.nr_ops = 1,
	};
	struct sample s;
	uint64_t start;
	int ret;

	get_stats(&s.before);
	start = ticks();
	ret = ioctl(device, GMEM_MOCK_RUN, &run);
	s.ticks = ticks() - start;
	if (ret)
		give_up("device access");
	get_stats(&s.after);
	return s;
}

/* The CPU reads a word at the start of each @step of [@va, @va + @len). */
static struct sample look(const char *va, size_t len, size_t step)
{
	struct sample s;
	uint64_t start;
	size_t off;

	get_stats(&s.before);
	start = ticks();
	for (off = 0; off < len; off += step)
		__atomic_load_n(va + off, __ATOMIC_RELAXED);
	s.ticks = ticks() - start;
	get_stats(&s.after);
	return s;
}

/* A sample must be what it is said to be, or its figure means nothing. */
static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "gmem-bench: %s\n", what);
	exit(2);
}

static void must_move(const struct sample *s, size_t in, size_t out)
{
	must(s->after.to_device_bytes - s->before.to_device_bytes == in,
	     "the data did not move to the device as a whole");
	must(s->after.from_device_bytes - s->before.from_device_bytes == out,
	     "the data did not come home as a whole");
}

static uint64_t without_copy(const struct sample *s)
{
	return s->ticks - (s->after.copy_ns - s->before.copy_ns);
}

/* -------------------------------------------------------------- the memory */

static char *alloc(size_t len, bool huge)
{
	char *raw = mmap(NULL, len + HUGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *va;

	if (raw == MAP_FAILED)
		give_up("mmap");
	va = (char *)(((uintptr_t)raw + HUGE - 1) & ~(HUGE - 1));
	if (madvise(va, len, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		give_up("madvise");
	memset(va, 1, len);
	return va;
}

static void bring_home(void *va, size_t len)
{
	long ret = syscall(__NR_hmadvise, HMADV_NODE_ANY, va, len,
			   HMADV_PREFETCH, 0);

	if (ret != (long)len)
		give_up("hmadvise");
}

/* ------------------------------------------------------------- the results */

struct row {
	const char *key;
	const char *what;
	double budget;		/* 0: there is none */
	double value;
	double raw[MAX_REPEAT];
	unsigned int nr_raw;
};

enum {
	FAULT_THP,
	FAULT_BASE,
	HOST_FAULT_THP,
	HOST_FAULT_BASE,
	FAULT_INPLACE,
	MUNMAP_EXTRA,
	MUNMAP_PLAIN,
	NR_ROWS
};

static struct row rows[NR_ROWS] = {
	[FAULT_THP] = {
		"fault_thp_insns",
		"device fault, migrates a 2 MiB THP", 60000,
	},
	[FAULT_BASE] = {
		"fault_base_page_insns",
		"the same as base pages, per page", 3000,
	},
	[HOST_FAULT_THP] = {
		"host_fault_thp_insns",
		"CPU fault, brings 2 MiB home", 45000,
	},
	[HOST_FAULT_BASE] = {
		"host_fault_base_page_insns",
		"CPU sweep over base pages, per page", 4000,
	},
	[FAULT_INPLACE] = {
		"fault_inplace_page_insns",
		"device fault, base pages in place, per page",
	},
	[MUNMAP_EXTRA] = {
		"munmap_unused_extra_insns",
		"munmap of unused memory, extra when attached", 500,
	},
	[MUNMAP_PLAIN] = {
		"munmap_unused_insns",
		"munmap of unused memory, not attached",
	},
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *values, unsigned int nr)
{
	double sorted[MAX_REPEAT];

	memcpy(sorted, values, nr * sizeof(*sorted));
	qsort(sorted, nr, sizeof(*sorted), by_value);
	return sorted[nr / 2];
}

static void add(unsigned int row, double value)
{
	rows[row].raw[rows[row].nr_raw++] = value;
}

/* ---------------------------------------------------------- what is measured */

/* A device access that needs nothing, and a CPU access that needs nothing. */
static uint64_t idle_touch, idle_look;

static void measure_idle(void)
{
	char *va = alloc(HUGE, true);
	double touches[MAX_REPEAT], looks[MAX_REPEAT];
	struct sample s;
	unsigned int i;

	for (i = 0; i < repeat; i++) {
		touch(va, PAGE, 0);
		s = touch(va, PAGE, 0);
		must(s.after.faults == s.before.faults, "the device faulted");
		touches[i] = s.ticks;
		look(va, PAGE, PAGE);
		s = look(va, PAGE, PAGE);
		must_move(&s, 0, 0);
		looks[i] = s.ticks;
	}
	idle_touch = median(touches, repeat);
	idle_look = median(looks, repeat);
	munmap(va, HUGE);
}

static void measure_thp(void)
{
	char *va = alloc(HUGE, true);
	struct sample there, home;
	unsigned int i;

	for (i = 0; i < WARM_UP + repeat; i++) {
		there = touch(va + PAGE * i, PAGE, 0);
		must_move(&there, HUGE, 0);
		must(there.after.maps_2m == there.before.maps_2m + 1,
		     "the translation is not one of 2 MiB");
		home = look(va + PAGE * i, PAGE, PAGE);
		must_move(&home, 0, HUGE);
		if (i < WARM_UP)
			continue;
		add(FAULT_THP, without_copy(&there) - idle_touch);
		add(HOST_FAULT_THP, without_copy(&home) - idle_look);
	}
	munmap(va, HUGE);
}

/* The mock's own work for a page whose translation is there is left out. */
static void measure_base(void)
{
	char *va = alloc(HUGE, false);
	struct sample there, again, home;
	double cost;
	unsigned int i;

	for (i = 0; i < WARM_UP + repeat; i++) {
		there = touch(va, HUGE, 0);
		must_move(&there, HUGE, 0);
		again = touch(va, HUGE, 0);
		must_move(&again, 0, 0);
		home = look(va, HUGE, PAGE);
		must_move(&home, 0, HUGE);
		if (i < WARM_UP)
			continue;
		cost = (double)without_copy(&there) - again.ticks;
		add(FAULT_BASE, cost / PAGES);
		cost = (double)without_copy(&home) - idle_look;
		add(HOST_FAULT_BASE, cost / PAGES);
	}
	munmap(va, HUGE);
}

static void measure_inplace(void)
{
	char *va = alloc(HUGE, false);
	struct sample first, again;
	unsigned int i;

	for (i = 0; i < WARM_UP + repeat; i++) {
		/* Forget the translations, keep the pages. */
		if (mprotect(va, HUGE, PROT_READ) ||
		    mprotect(va, HUGE, PROT_READ | PROT_WRITE))
			give_up("mprotect");
		memset(va, 1, HUGE);
		first = touch(va, HUGE, GMEM_MOCK_OP_INPLACE);
		must_move(&first, 0, 0);
		must(first.after.faults_inplace > first.before.faults_inplace,
		     "nothing was mapped in place");
		again = touch(va, HUGE, GMEM_MOCK_OP_INPLACE);
		if (i >= WARM_UP)
			add(FAULT_INPLACE,
			    ((double)first.ticks - again.ticks) / PAGES);
	}
	munmap(va, HUGE);
}

/* Map, touch and unmap a few pages that no device has ever seen. */
static double time_of_munmap(void)
{
	size_t len = LONELY_PAGES * PAGE;
	void *va = mmap(LONELY, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	uint64_t start, took;

	if (va == MAP_FAILED)
		give_up("mmap");
	memset(va, 1, len);
	start = ticks();
	munmap(va, len);
	took = ticks() - start;
	return took;
}

static double measure_munmap(double *raw)
{
	unsigned int i;

	for (i = 0; i < WARM_UP; i++)
		time_of_munmap();
	for (i = 0; i < repeat; i++)
		raw[i] = time_of_munmap();
	return median(raw, repeat);
}

/* Before the first attachment, and while there is data on the device. */
static void measure_munmaps(void)
{
	struct row *plain = &rows[MUNMAP_PLAIN], *extra = &rows[MUNMAP_EXTRA];
	unsigned int i;
	double base;
	char *va;

	va = alloc(HUGE, true);
	base = measure_munmap(plain->raw);
	plain->nr_raw = repeat;
	attach();
	touch(va, PAGE, 0);
	measure_munmap(extra->raw);
	extra->nr_raw = repeat;
	for (i = 0; i < repeat; i++)
		extra->raw[i] -= base;
	bring_home(va, HUGE);
	munmap(va, HUGE);
	detach();
}

/* ------------------------------------------------------------------ output */

static bool met(const struct row *row)
{
	return !row->budget || row->value <= row->budget;
}

static bool print_table(void)
{
	bool all = true;
	unsigned int i;

	printf("%-46s %12s %9s\n", "instructions, copy left out", "measured",
	       "budget");
	for (i = 0; i < NR_ROWS; i++) {
		const struct row *row = &rows[i];

		printf("%-46s %12.0f ", row->what, row->value);
		if (row->budget)
			printf("%9.0f  %s\n", row->budget,
			       met(row) ? "pass" : "MISS");
		else
			printf("%9s\n", "-");
		all = all && met(row);
	}
	printf("(also left out: %llu for a device access, %llu for a CPU access)\n",
	       (unsigned long long)idle_touch, (unsigned long long)idle_look);
	return all;
}

static void print_json(FILE *f, bool all)
{
	unsigned int i, j;

	fprintf(f, "{\n");
	for (i = 0; i < NR_ROWS; i++)
		fprintf(f, "  \"%s\": %.0f,\n", rows[i].key, rows[i].value);
	fprintf(f, "  \"within_budget\": %s,\n", all ? "true" : "false");
	fprintf(f, "  \"idle_device_access_insns\": %llu,\n",
		(unsigned long long)idle_touch);
	fprintf(f, "  \"idle_cpu_access_insns\": %llu,\n",
		(unsigned long long)idle_look);
	fprintf(f, "  \"budget\": {");
	for (i = 0, j = 0; i < NR_ROWS; i++)
		if (rows[i].budget)
			fprintf(f, "%s\n    \"%s\": %.0f", j++ ? "," : "",
				rows[i].key, rows[i].budget);
	fprintf(f, "\n  },\n  \"raw\": {");
	for (i = 0; i < NR_ROWS; i++) {
		fprintf(f, "%s\n    \"%s\": [", i ? "," : "", rows[i].key);
		for (j = 0; j < rows[i].nr_raw; j++)
			fprintf(f, "%s%.1f", j ? ", " : "", rows[i].raw[j]);
		fprintf(f, "]");
	}
	fprintf(f, "\n  }\n}\n");
}

static void write_json(const char *path, bool all)
{
	FILE *f = NULL;

	if (path || !access(RESULT, F_OK)) {
		f = fopen(path ? path : RESULT, "we");
		if (!f)
			give_up(path ? path : RESULT);
		print_json(f, all);
		if (fclose(f))
			give_up(path ? path : RESULT);
		return;
	}
	printf("-----BEGIN JSON-----\n");
	print_json(stdout, all);
	printf("-----END JSON-----\n");
}

static const char *parse_arguments(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", required_argument, NULL, 'j' },
		{ "repeat", required_argument, NULL, 'r' },
		{ }
	};
	const char *path = NULL;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'j')
			path = optarg;
		else if (opt == 'r')
			repeat = atoi(optarg);
		else
			exit(2);
	}
	if (repeat < 1 || repeat > MAX_REPEAT) {
		fprintf(stderr, "gmem-bench: --repeat takes 1 to %d\n",
			MAX_REPEAT);
		exit(2);
	}
	return path;
}

int main(int argc, char **argv)
{
	const char *json = parse_arguments(argc, argv);
	unsigned int i;
	bool all;

	calibrate();
	set_engine("cpu");
	measure_munmaps();
	attach();
	measure_idle();
	measure_thp();
	measure_base();
	measure_inplace();
	detach();
	for (i = 0; i < NR_ROWS; i++)
		rows[i].value = median(rows[i].raw, rows[i].nr_raw);
	all = print_table();
	write_json(json, all);
	return !all;
}

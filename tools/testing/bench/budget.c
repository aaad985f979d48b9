// SPDX-License-Identifier: GPL-2.0-only
/*
 * GMEM against its own budget: what its paths cost, the copy left out.
 *
 * Left out is what gm_mmu.copy took, which the mock accelerator counts, and
 * what the same call costs when there is nothing to do (a system call, the
 * mock's own machinery, reading the counter). To be run before anything else was
 * attached to.
 */
#include <string.h>
#include <sys/mman.h>

#include <linux/gmem_mock.h>

#include "bench.h"

#define WARM_UP		3
#define LONELY_PAGES	4

static unsigned int repeat;

/* What took place between two moments. */
struct sample {
	uint64_t ticks;
	struct gmem_mock_stats before;
	struct gmem_mock_stats after;
};

static struct sample sample_of(access_fn *fn, char *va, size_t len)
{
	struct sample s;
	uint64_t start;

	mock_stats(0, &s.before);
	start = measure_begin();
	fn(&gmem, 0, va, len);
	s.ticks = measure_end(start);
	mock_stats(0, &s.after);
	return s;
}

/* The device makes sure that it can write to [@va, @va + @len). */
static struct sample touch(char *va, size_t len)
{
	return sample_of(mock_touch, va, len);
}

/* The CPU reads a word of each page. */
static struct sample look(char *va, size_t len)
{
	return sample_of(cpu_reads, va, len);
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

struct row {
	const char *key;
	const char *what;
	double budget;		/* 0: there is none */
	double value;
	double raw[MAX_RAW];
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

static void add(unsigned int row, double value)
{
	rows[row].raw[rows[row].nr_raw++] = value;
}

/* A device access that needs nothing, and a CPU access that needs nothing. */
static uint64_t idle_touch, idle_look;

static void measure_idle(void)
{
	char *va = memory_get(MEM_THP, HUGE);
	double touches[MAX_RAW], looks[MAX_RAW];
	struct sample s;
	unsigned int i;

	for (i = 0; i < repeat; i++) {
		touch(va, PAGE);
		s = touch(va, PAGE);
		must(s.after.faults == s.before.faults, "the device faulted");
		touches[i] = s.ticks;
		look(va, PAGE);
		s = look(va, PAGE);
		must_move(&s, 0, 0);
		looks[i] = s.ticks;
	}
	idle_touch = median(touches, repeat);
	idle_look = median(looks, repeat);
	memory_put(va, HUGE);
}

static void measure_thp(void)
{
	char *va = memory_get(MEM_THP, HUGE);
	struct sample there, home;
	unsigned int i;

	for (i = 0; i < WARM_UP + repeat; i++) {
		there = touch(va + PAGE * i, PAGE);
		must_move(&there, HUGE, 0);
		must(there.after.maps_2m == there.before.maps_2m + 1,
		     "the translation is not one of 2 MiB");
		home = look(va + PAGE * i, PAGE);
		must_move(&home, 0, HUGE);
		if (i < WARM_UP)
			continue;
		add(FAULT_THP, without_copy(&there) - idle_touch);
		add(HOST_FAULT_THP, without_copy(&home) - idle_look);
	}
	memory_put(va, HUGE);
}

/*
 * The mock's own work for a page whose translation is there is left out. A buffer that
 * goes to and fro: its pages lie in memory as GMEM took them when they came home, some of
 * them side by side. What pages cost that do not is a workload, to_device_2m_base.
 */
static void measure_base(void)
{
	char *va = memory_get(MEM_BASE, HUGE);
	struct sample there, again, home;
	double cost;
	unsigned int i;

	for (i = 0; i < WARM_UP + repeat; i++) {
		there = touch(va, HUGE);
		must_move(&there, HUGE, 0);
		again = touch(va, HUGE);
		must_move(&again, 0, 0);
		home = look(va, HUGE);
		must_move(&home, 0, HUGE);
		if (i < WARM_UP)
			continue;
		cost = (double)without_copy(&there) - again.ticks;
		add(FAULT_BASE, cost / PAGES);
		cost = (double)without_copy(&home) - idle_look;
		add(HOST_FAULT_BASE, cost / PAGES);
	}
	memory_put(va, HUGE);
}

static void measure_inplace(void)
{
	char *va = memory_get(MEM_BASE, HUGE);
	struct sample first, again;
	unsigned int i;

	for (i = 0; i < WARM_UP + repeat; i++) {
		/* Forget the translations, keep the pages. */
		if (mprotect(va, HUGE, PROT_READ) ||
		    mprotect(va, HUGE, PROT_READ | PROT_WRITE))
			give_up("mprotect");
		memset(va, 1, HUGE);
		first = sample_of(mock_touch_inplace, va, HUGE);
		must_move(&first, 0, 0);
		must(first.after.faults_inplace > first.before.faults_inplace,
		     "nothing was mapped in place");
		again = sample_of(mock_touch_inplace, va, HUGE);
		if (i >= WARM_UP)
			add(FAULT_INPLACE,
			    ((double)first.ticks - again.ticks) / PAGES);
	}
	memory_put(va, HUGE);
}

/* Map, touch and unmap a few pages that no device has ever seen. */
static double time_of_munmap(void)
{
	size_t len = LONELY_PAGES * PAGE;
	char *va = memory_get_at(LONELY, len);
	uint64_t start, took;
	int ret;

	memset(va, 1, len);
	start = measure_begin();
	ret = munmap(va, len);
	took = measure_end(start);
	must(!ret, "memory cannot be unmapped");
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

	va = memory_get(MEM_THP, HUGE);
	base = measure_munmap(plain->raw);
	plain->nr_raw = repeat;
	attach(&gmem, 0);
	touch(va, PAGE);
	measure_munmap(extra->raw);
	extra->nr_raw = repeat;
	for (i = 0; i < repeat; i++)
		extra->raw[i] -= base;
	gmem_bring_home(&gmem, 0, va, HUGE);
	memory_put(va, HUGE);
	detach(0);
}

/* The gmem_mock module is there, its engine is a CPU. */
void measure_budget(unsigned int rounds)
{
	unsigned int i;

	repeat = rounds;
	measure_munmaps();
	attach(&gmem, 0);
	measure_idle();
	measure_thp();
	measure_base();
	measure_inplace();
	detach(0);
	for (i = 0; i < NR_ROWS; i++)
		rows[i].value = median(rows[i].raw, rows[i].nr_raw);
}

/* ------------------------------------------------------------------ output */

static bool met(const struct row *row)
{
	return !row->budget || row->value <= row->budget;
}

bool print_budget(void)
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

/* The head of the JSON, without its end. */
void json_budget(FILE *f, bool all)
{
	unsigned int i, j;

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
	fprintf(f, "\n  },\n");
}

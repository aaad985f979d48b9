// SPDX-License-Identifier: GPL-2.0-only
/*
 * The clock. Under QEMU with -icount shift=0,sleep=off one instruction is one
 * nanosecond, and the time stamp counter counts instructions, those of all CPUs
 * together.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

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
void calibrate(void)
{
	double per_insn;
	uint64_t one, two;

	time_of_loop(1000);
	one = time_of_loop(10000);
	two = time_of_loop(20000);
	per_insn = (two - one) / 20000.0;
	if (per_insn >= 0.99 && per_insn <= 1.01)
		return;
	fprintf(stderr,
		"gmem-bench: %.2f ticks per instruction: needs QEMU's -icount shift=0,sleep=off\n",
		per_insn);
	exit(2);
}

/*
 * The marks that the profiler knows by name: around what is measured, and behind the
 * last of a row. Inline they would have no place, and were they the same they would be
 * one function.
 */
__attribute__((noinline, noclone)) static void profile_begin(void)
{
	asm volatile("# begin");
}

__attribute__((noinline, noclone)) static void profile_end(void)
{
	asm volatile("# end");
}

__attribute__((noinline, noclone)) void profile_next(void)
{
	asm volatile("# next");
}

static int part, profiled_part = PART_NONE;

int part_begins(int now)
{
	int before = part;

	part = now;
	return before;
}

void profile_part(int wanted)
{
	profiled_part = wanted;
}

bool profiling(void)
{
	return profiled_part != PART_NONE;
}

uint64_t measure_begin(void)
{
	if (profiling() && part == profiled_part)
		profile_begin();
	return ticks();
}

uint64_t measure_end(uint64_t begin)
{
	uint64_t took = ticks() - begin;

	if (profiling() && part == profiled_part)
		profile_end();
	return took;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(const double *values, unsigned int nr)
{
	double sorted[MAX_RAW];

	memcpy(sorted, values, nr * sizeof(*sorted));
	qsort(sorted, nr, sizeof(*sorted), by_value);
	return sorted[nr / 2];
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The workloads: a row each. To add one is to add a row.
 */
#include <string.h>

#include "bench.h"

#define NEEDS(what)	(1U << CAN_##what)
#define PER_2M		"instructions per 2 MiB"
#define PER_64K		"instructions per 64 KiB"
#define PER_4K		"instructions per 4 KiB"
#define PER_CALL	"instructions per call"

/* How data of one size goes to the device, and how it comes home. */
#define TRIP(_key, _what, _unit, _run, _memory, _bytes, _rounds)		\
	{									\
		.key = "to_device_" _key, .group = "fault",			\
		.what = "device first touch, " _what, .unit = _unit,		\
		.run = _run, .part = THERE, .memory = _memory,			\
		.bytes = _bytes, .rounds = _rounds,				\
	}, {									\
		.key = "to_host_" _key, .group = "fault",			\
		.what = "CPU first touch back, " _what, .unit = _unit,		\
		.run = _run, .part = HOME, .memory = _memory,			\
		.bytes = _bytes, .rounds = _rounds,				\
	}

#define PREFETCH(_key, _what, _memory, _bytes, _rounds)			\
	{									\
		.key = "prefetch_" _key, .group = "prefetch",			\
		.what = "prefetch to the device, " _what,			\
		.unit = "instructions", .run = run_prefetch, .part = THERE,	\
		.memory = _memory, .bytes = _bytes, .x = _bytes,		\
		.x_name = "bytes", .rounds = _rounds,				\
	}, {									\
		.key = "prefetch_home_" _key, .group = "prefetch",		\
		.what = "prefetch to the host, " _what,				\
		.unit = "instructions", .run = run_prefetch, .part = HOME,	\
		.memory = _memory, .bytes = _bytes, .x = _bytes,		\
		.x_name = "bytes", .rounds = _rounds,				\
	}

#define EXTENTS(_key, _nr)							\
	{									\
		.key = "munmap_unused_" _key, .group = "extents",		\
		.what = "munmap of an unused page, " #_nr " extents mapped",	\
		.unit = PER_CALL, .run = run_extents, .part = MUNMAP_UNUSED,	\
		.needs = NEEDS(MAP_HOST), .x = _nr, .x_name = "extents",	\
		.rounds = 11,							\
	}, {									\
		.key = "munmap_mapped_" _key, .group = "extents",		\
		.what = "munmap of a mapped page, " #_nr " extents mapped",	\
		.unit = PER_CALL, .run = run_extents, .part = MUNMAP_MAPPED,	\
		.needs = NEEDS(MAP_HOST), .x = _nr, .x_name = "extents",	\
		.rounds = 11,							\
	}, {									\
		.key = "mprotect_mapped_" _key, .group = "extents",		\
		.what = "mprotect of a mapped page, " #_nr " extents mapped",	\
		.unit = PER_CALL, .run = run_extents, .part = MPROTECT_MAPPED,	\
		.needs = NEEDS(MAP_HOST), .x = _nr, .x_name = "extents",	\
		.rounds = 11,							\
	}

#define THREADS(_nr)								\
	{									\
		.key = "faults_thp_" #_nr, .group = "scaling",			\
		.what = "device faults by " #_nr " threads, 2 MiB THP each",	\
		.unit = PER_2M, .run = run_threads, .memory = MEM_THP,		\
		.bytes = HUGE, .x = _nr, .x_name = "threads", .rounds = 5,	\
	}, {									\
		.key = "faults_base_" #_nr, .group = "scaling",			\
		.what = "device faults by " #_nr " threads, 2 MiB in base pages each", \
		.unit = PER_2M, .run = run_threads, .memory = MEM_BASE,		\
		.bytes = HUGE, .x = _nr, .x_name = "threads", .rounds = 3,	\
	}

const struct workload workloads[] = {
	TRIP("2m_thp", "2 MiB THP", PER_2M, run_trip, MEM_THP, HUGE, 5),
	TRIP("2m_base", "2 MiB in base pages", PER_2M, run_trip, MEM_BASE,
	     HUGE, 5),
	TRIP("64k_mthp", "64 KiB mTHP", PER_64K, run_trip, MEM_MTHP, 64 * KIB,
	     11),
	TRIP("64k_base", "64 KiB in base pages", PER_64K, run_trip, MEM_BASE,
	     64 * KIB, 31),
	TRIP("4k", "one page of 4 KiB", PER_4K, run_trip, MEM_BASE, PAGE, 11),
	{
		.key = "inplace_4k", .group = "fault",
		.what = "device fault in place, one page of 4 KiB",
		.unit = PER_4K, .run = run_inplace, .needs = NEEDS(INPLACE),
		.memory = MEM_BASE, .bytes = PAGE, .rounds = 11,
	}, {
		.key = "inplace_2m_base", .group = "fault",
		.what = "device access in place, 2 MiB in base pages",
		.unit = PER_2M, .run = run_inplace, .needs = NEEDS(INPLACE),
		.memory = MEM_BASE, .bytes = HUGE, .rounds = 5,
	}, {
		.key = "absent_4k", .group = "fault",
		.what = "device fault, one page of 4 KiB never touched",
		.unit = PER_4K, .run = run_absent, .needs = NEEDS(POPULATE),
		.memory = MEM_NONE, .bytes = PAGE, .rounds = 11,
	}, {
		.key = "absent_2m", .group = "fault",
		.what = "device access, 2 MiB never touched, no THP",
		.unit = PER_2M, .run = run_absent, .needs = NEEDS(POPULATE),
		.memory = MEM_NONE, .bytes = HUGE, .rounds = 5,
	},
	{
		.key = "absent_2m_thp", .group = "fault",
		.what = "device access, 2 MiB never touched, THP",
		.unit = PER_2M, .run = run_absent, .needs = NEEDS(POPULATE),
		.memory = MEM_NONE_THP, .bytes = HUGE, .rounds = 5,
	},
	PREFETCH("4k", "4 KiB", MEM_BASE, PAGE, 5),
	PREFETCH("64k", "64 KiB in base pages", MEM_BASE, 64 * KIB, 5),
	PREFETCH("2m", "2 MiB THP", MEM_THP, HUGE, 5),
	PREFETCH("16m", "16 MiB THP", MEM_THP, 16 * MIB, 3),
	PREFETCH("256m", "256 MiB THP", MEM_THP, 256 * MIB, 1),
	{
		.key = "resident_4k", .group = "resident",
		.what = "device reads 4 KiB that it has, and hands them over",
		.unit = PER_4K, .run = run_resident, .needs = NEEDS(RUN),
		.memory = MEM_BASE, .bytes = PAGE, .rounds = 11,
	}, {
		.key = "resident_2m", .group = "resident",
		.what = "device reads 2 MiB that it has, and hands them over",
		.unit = PER_2M, .run = run_resident, .needs = NEEDS(RUN),
		.memory = MEM_THP, .bytes = HUGE, .rounds = 5,
	}, {
		.key = "pingpong_2m", .group = "pingpong",
		.what = "CPU and device in turn, 2 MiB THP, there and back",
		.unit = PER_2M, .run = run_pingpong, .memory = MEM_THP,
		.bytes = HUGE, .rounds = 11,
	}, {
		.key = "pingpong_4k", .group = "pingpong",
		.what = "CPU and device in turn, one page of 4 KiB, there and back",
		.unit = PER_4K, .run = run_pingpong, .memory = MEM_BASE,
		.bytes = PAGE, .rounds = 21,
	}, {
		.key = "hop_2m", .group = "pingpong",
		.what = "two devices in turn, 2 MiB THP, one way",
		.unit = PER_2M, .run = run_hops, .memory = MEM_THP,
		.bytes = HUGE, .rounds = 5,
	}, {
		.key = "hop_4k", .group = "pingpong",
		.what = "two devices in turn, one page of 4 KiB, one way",
		.unit = PER_4K, .run = run_hops, .memory = MEM_BASE,
		.bytes = PAGE, .rounds = 11,
	},
	EXTENTS("1k", 1000),
	EXTENTS("10k", 10000),
	EXTENTS("100k", 100000),
	{
		.key = "attach", .group = "lifecycle",
		.what = "attach a device", .unit = PER_CALL,
		.run = run_attach, .part = ATTACH, .needs = NEEDS(ATTACH),
		.rounds = 11,
	}, {
		.key = "detach", .group = "lifecycle",
		.what = "detach a device", .unit = PER_CALL,
		.run = run_attach, .part = DETACH,
		.needs = NEEDS(ATTACH) | NEEDS(DETACH), .rounds = 11,
	}, {
		.key = "fork_256m", .group = "lifecycle",
		.what = "fork with 256 MiB on the device, THP",
		.unit = PER_CALL, .run = run_fork, .memory = MEM_THP,
		.bytes = 256 * MIB, .rounds = 3,
	}, {
		.key = "metadata_thp", .group = "memory",
		.what = "kernel memory besides the data, THP",
		.unit = "bytes per GiB on the device", .run = run_metadata,
		.part = KERNEL_MEMORY, .needs = NEEDS(RECORD), .memory = MEM_THP,
		.bytes = 256 * MIB, .rounds = 1,
	}, {
		.key = "metadata_base", .group = "memory",
		.what = "kernel memory besides the data, base pages",
		.unit = "bytes per GiB on the device", .run = run_metadata,
		.part = KERNEL_MEMORY, .needs = NEEDS(RECORD), .memory = MEM_BASE,
		.bytes = 64 * MIB, .rounds = 1,
	}, {
		.key = "records_thp", .group = "memory",
		.what = "records of what is where, as counted, THP",
		.unit = "bytes per GiB on the device", .run = run_metadata,
		.part = RECORDS, .needs = NEEDS(COUNT), .memory = MEM_THP,
		.bytes = 256 * MIB, .rounds = 1,
	},
	THREADS(1),
	THREADS(2),
	THREADS(4),
	THREADS(8),
};

const unsigned int nr_workloads = ARRAY_SIZE(workloads);

_Static_assert(ARRAY_SIZE(workloads) <= MAX_WORKLOADS, "MAX_WORKLOADS");

struct result results[MAX_WORKLOADS][MAX_CONTENDERS];
bool was_run[MAX_WORKLOADS];
bool took_part[MAX_CONTENDERS];

void result_add(struct result *r, const struct cost *cost)
{
	must(r->nr < MAX_RAW, "too many rounds");
	r->total[r->nr] = cost->total;
	r->copy[r->nr] = cost->copy;
	r->faults = cost->did.faults;
	r->moved = bytes_moved(&cost->did);
	r->nr++;
}

static const char *why_absent(const struct contender *c,
			      const struct workload *w)
{
	unsigned int ability;

	for (ability = 0; ability < NR_ABILITIES; ability++)
		if ((w->needs & (1U << ability)) && c->cannot[ability])
			return c->cannot[ability];
	return NULL;
}

static void run_row(unsigned int contender, unsigned int row)
{
	const struct contender *c = contenders[contender];
	struct result *r = &results[row][contender];

	was_run[row] = true;
	r->absent = why_absent(c, &workloads[row]);
	if (r->absent)
		return;
	if (workloads[row].run != run_extents)
		extents_end();
	part_begins(workloads[row].part);
	workloads[row].run(c, &workloads[row], r);
}

static bool is_profiled(const struct workload *w, const struct selection *which)
{
	unsigned int i;

	for (i = 0; i < which->nr_profile; i++)
		if (!strcmp(w->key, which->profile[i]))
			return true;
	return false;
}

static bool is_selected(const struct workload *w, const struct selection *which)
{
	if (which->nr_profile)
		return is_profiled(w, which);
	if (which->smp != !strcmp(w->group, "scaling"))
		return false;
	return !which->only || !strncmp(w->key, which->only, strlen(which->only));
}

/* In their order these are the profiles: "profile WORKLOAD CONTENDER". */
static void profile_row(unsigned int contender, unsigned int row, FILE *symbols)
{
	profile_part(workloads[row].part);
	run_row(contender, row);
	profile_part(PART_NONE);
	if (results[row][contender].absent)
		return;
	profile_next();
	if (symbols)
		fprintf(symbols, "profile %s %s\n", workloads[row].key,
			contenders[contender]->key);
}

static void profile_rows(unsigned int index, const struct selection *which)
{
	FILE *symbols = NULL;
	unsigned int row;

	if (which->symbols) {
		symbols = fopen(which->symbols, "ae");
		if (!symbols)
			give_up(which->symbols);
	}
	for (row = 0; row < nr_workloads; row++)
		if (is_selected(&workloads[row], which))
			profile_row(index, row, symbols);
	if (!symbols)
		return;
	fprintf(symbols, "contender %s\n", contenders[index]->key);
	module_symbols(symbols);
	if (fclose(symbols))
		give_up(which->symbols);
}

static void run_rows(unsigned int index, const struct selection *which)
{
	unsigned int row;

	for (row = 0; row < nr_workloads; row++)
		if (is_selected(&workloads[row], which))
			run_row(index, row);
}

/*
 * All its workloads, or those that are selected. Of the limit only what copying costs,
 * if it does not take part itself.
 */
void run_contender(unsigned int index, const struct selection *which,
		   bool takes_part)
{
	module_load(contenders[index]->module, contenders[index]->parameters);
	if (contenders[index] == &limit)
		measure_copy();
	took_part[index] = takes_part;
	if (takes_part && which->nr_profile)
		profile_rows(index, which);
	else if (takes_part)
		run_rows(index, which);
	extents_end();
	module_unload(contenders[index]->module);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The benchmark: what several ways to share memory with the same device cost,
 * in instructions of the guest.
 *
 *	main.c		arguments; the order of things
 *	clock.c		the clock, which counts instructions
 *	module.c	loads and unloads the contenders' modules
 *	memory.c	memory to measure with, and the bytes in it
 *	contender.c	what contenders have in common
 *	mock.c		the mock accelerator's ioctls, which two contenders use
 *	gmem.c svm.c hmm.c explicit.c pairs.c limit.c	the contenders
 *	budget.c	GMEM against its own budget
 *	workload.c	the table of workloads; runs them
 *	fault.c extents.c lifecycle.c scaling.c metadata.c	what they do
 *	result.c	tables and JSON
 *
 * A *contender* is a way to get data to a device and back. A *workload* is a
 * thing to do with it, and becomes one row of the table. What can be measured is
 * measured several times and the median is the result; the clock stands still
 * for nothing but instructions, so there is little difference.
 *
 * What a device access costs is the access, less the same access once more when
 * everything is where it belongs: what is left is what it cost to get it there.
 * So the doorbell (an ioctl), the device's walk of its page table and, of
 * test_hmm, the data that it hands back are left out.
 */
#ifndef _GMEM_BENCH_H
#define _GMEM_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define PAGE		4096UL
#define KIB		1024UL
#define MIB		(1024 * KIB)
#define HUGE		(2 * MIB)
#define PAGES		(HUGE / PAGE)
#define MAX_RAW		101
#define NR_DEVICES	2

/* Where munmap() is measured: far from all that a device has seen. */
#define LONELY		((char *)0x600000000000UL)

struct contender;
struct gmem_mock_stats;

/* clock.c */

void calibrate(void);
double median(const double *values, unsigned int nr);

static inline uint64_t ticks(void)
{
	uint64_t now;

	__builtin_ia32_lfence();
	now = __builtin_ia32_rdtsc();
	__builtin_ia32_lfence();
	return now;
}

/*
 * measure_begin() is the time; measure_end() is how long ago that was. Of what is done
 * for a row, only its own &workload.part is profiled: part_begins() says which part
 * is measured from now on, and returns the one before. PART_NONE never is profiled.
 * profile_next() ends the profile of a row.
 */
#define PART_NONE	(-1)

uint64_t measure_begin(void);
uint64_t measure_end(uint64_t begin);
int part_begins(int part);
void profile_part(int part);
bool profiling(void);
void profile_next(void);

/* main.c */

_Noreturn void give_up(const char *what);

/* A figure must be what it is said to be, or it means nothing. */
void must(bool good, const char *what);

/* module.c */

void module_load(const char *file, const char *parameters);
void module_unload(const char *file);
void module_symbols(FILE *to);

/* memory.c */

/**
 * enum memory - what host memory is made of
 * @MEM_BASE: pages of 4 KiB, hardly two of which lie side by side
 * @MEM_MTHP: folios of 64 KiB
 * @MEM_THP: huge pages of 2 MiB
 * @MEM_NONE: pages of 4 KiB, none of them there yet
 * @MEM_NONE_THP: huge pages, none of them there yet
 */
enum memory { MEM_BASE, MEM_MTHP, MEM_THP, MEM_NONE, MEM_NONE_THP };

char *memory_get(enum memory kind, size_t len);
char *memory_get_at(void *where, size_t len);
void memory_put(char *va, size_t len);
char *buffer_get(size_t len);
void buffer_put(char *buf, size_t len);
void bytes_write(char *va, size_t len, uint64_t seed);
bool bytes_are(const char *va, size_t len, uint64_t seed);
void bytes_check(const char *va, size_t len, uint64_t seed,
		 const struct contender *c, const char *who);

/* contender.c */

/**
 * enum ability - what not every contender can do
 * @CAN_ATTACH: there is something to attach to
 * @CAN_DETACH: the end of an attachment is that, and no more
 * @CAN_INPLACE: the device works on host memory where it is
 * @CAN_MAP_HOST: the device has mappings that follow those of the process, or there is
 *	no device
 * @CAN_POPULATE: the device is the first to use memory
 * @CAN_RUN: the device works by itself, and not by ioctls that stand for it
 * @CAN_RECORD: something besides the device's page table says where data is
 * @CAN_COUNT: the contender keeps a count of what the workload asks for
 */
enum ability {
	CAN_ATTACH,
	CAN_DETACH,
	CAN_INPLACE,
	CAN_MAP_HOST,
	CAN_POPULATE,
	CAN_RUN,
	CAN_RECORD,
	CAN_COUNT,
	NR_ABILITIES
};

/**
 * struct counts - what a contender's devices did so far, all of them together
 * @bare: ticks of the bare copy, where there is nothing else
 * @to_device: bytes that moved to a device
 * @to_host: bytes that moved to the host
 * @peer: bytes that moved from one device to another
 * @zeroed: bytes of a device that were cleared
 * @faults: faults of the devices
 */
struct counts {
	uint64_t bare;
	uint64_t to_device;
	uint64_t to_host;
	uint64_t peer;
	uint64_t zeroed;
	uint64_t faults;
};

typedef void access_fn(const struct contender *c, unsigned int dev, char *va,
		       size_t len);

/**
 * struct contender - one way to share memory with a device
 * @key: in the JSON
 * @name: for people
 * @module: file of its module, in /lib/modules, or NULL
 * @parameters: of the module
 * @node: format of the name of a device's node
 * @bare: only &counts.bare counts: this is the limit
 * @attached: optional; what is part of attaching, besides opening the node
 * @query: optional; what a program asks of a device once, for later
 * @adopt: optional; memory that will be shared, before its first use
 * @forget: optional; undo @adopt
 * @to_device: device @dev uses memory, all of it, for writing. Data moves to it
 * @again: the same when nothing is left to do; NULL if that costs nothing
 * @prefetch: move data to the device before it is asked for; NULL: @to_device
 * @prefetch_again: what to leave out of @prefetch; NULL: nothing
 * @inplace: the device uses memory for writing, and the data stays
 * @inplace_again: the same when nothing is left to do
 * @to_host: the CPU uses the memory, all of it
 * @to_host_again: the same when it is there; NULL if that costs nothing
 * @prefetch_home: move data to the host; NULL: @to_host
 * @hop: device @dev uses memory that the other one has. NULL: @to_device
 * @settle: optional; what has to be done before the device accesses memory that
 *	it populated, or that a child shared
 * @read: the device reads memory; the bytes come to the buffer
 * @write: the device writes to memory the bytes of the buffer
 * @counts: fill in what is known of &struct counts
 * @metadata: bytes of memory that record what is where, or NULL
 * @cannot: by &enum ability: why not, or NULL
 *
 * Wrong data is found out by who asked; everything else that fails ends the
 * program.
 */
struct contender {
	const char *key;
	const char *name;
	const char *module;
	const char *parameters;
	const char *node;
	bool bare;
	void (*attached)(const struct contender *c, unsigned int dev);
	void (*query)(const struct contender *c, unsigned int dev);
	void (*adopt)(char *va, size_t len);
	void (*forget)(char *va, size_t len);
	access_fn *to_device;
	access_fn *again;
	access_fn *prefetch;
	access_fn *prefetch_again;
	access_fn *inplace;
	access_fn *inplace_again;
	access_fn *to_host;
	access_fn *to_host_again;
	access_fn *prefetch_home;
	access_fn *hop;
	access_fn *settle;
	void (*read)(const struct contender *c, unsigned int dev, char *va,
		     size_t len, char *buf);
	void (*write)(const struct contender *c, unsigned int dev, char *va,
		      size_t len, const char *buf);
	void (*counts)(const struct contender *c, struct counts *counts);
	uint64_t (*metadata)(const struct contender *c);
	const char *cannot[NR_ABILITIES];
};

extern const struct contender gmem, svm, hmm, explicit_copy, limit;
extern const struct contender *const contenders[];
extern const unsigned int nr_contenders;

extern int device_fd[NR_DEVICES];

uint64_t time_of_attach(const struct contender *c, unsigned int dev);
void attach(const struct contender *c, unsigned int dev);
void detach(unsigned int dev);
void cpu_reads(const struct contender *c, unsigned int dev, char *va,
	       size_t len);

/* Threads count together. */
static inline void count(uint64_t *sum, uint64_t n)
{
	__atomic_fetch_add(sum, n, __ATOMIC_RELAXED);
}

/* Ticks to copy so many bytes, page by page: the limit. */
double copy_cost(size_t bytes);
void measure_copy(void);
uint64_t bytes_moved(const struct counts *did);

/**
 * struct cost - what something took
 * @total: ticks
 * @copy: of these, what the limit needs for the bytes that moved
 * @did: all that was counted meanwhile
 */
struct cost {
	double total;
	double copy;
	struct counts did;
};

struct cost cost_of(const struct contender *c, access_fn *fn, access_fn *again,
		    unsigned int dev, char *va, size_t len);
struct cost cost_to_device(const struct contender *c, unsigned int dev,
			   char *va, size_t len);
struct cost cost_inplace(const struct contender *c, unsigned int dev, char *va,
			 size_t len);
struct cost cost_prefetch(const struct contender *c, unsigned int dev,
			  char *va, size_t len);
struct cost cost_to_host(const struct contender *c, unsigned int dev,
			 char *va, size_t len);
struct cost cost_prefetch_home(const struct contender *c, unsigned int dev,
			       char *va, size_t len);
struct cost cost_hop(const struct contender *c, unsigned int dev, char *va,
		     size_t len);
struct cost cost_absent(const struct contender *c, unsigned int dev, char *va,
			size_t len);
struct cost cost_sum(const struct cost *a, const struct cost *b);

/* mock.c */

void mock_touch(const struct contender *c, unsigned int dev, char *va,
		size_t len);
void mock_touch_inplace(const struct contender *c, unsigned int dev, char *va,
			size_t len);
void mock_read(const struct contender *c, unsigned int dev, char *va,
	       size_t len, char *buf);
void mock_write(const struct contender *c, unsigned int dev, char *va,
		size_t len, const char *buf);
void mock_touch_memory(const struct contender *c, unsigned int dev);
void mock_stats(unsigned int dev, struct gmem_mock_stats *stats);
void mock_counts(const struct contender *c, struct counts *counts);

/* pairs.c */

void pair_add(char *va, size_t len);
void pair_remove(char *va, size_t len);
uint64_t device_address(const char *va);

/* gmem.c */

void gmem_bring_home(const struct contender *c, unsigned int dev, char *va,
		     size_t len);

/* workload.c */

/**
 * struct result - what a workload cost a contender
 * @absent: why there is none, or NULL
 * @nr: how often it was measured
 * @total: each time, all in all
 * @copy: each time, what the limit needs for the bytes that moved
 * @faults: of the device, the last time
 * @moved: bytes that were copied or cleared, the last time
 * @waits: times that somebody had to wait for a lock, where that was counted
 * @wait: ... and for how many ticks, those of all CPUs, to the microsecond
 * @checked: bytes that were seen to be right
 */
struct result {
	const char *absent;
	unsigned int nr;
	double total[MAX_RAW];
	double copy[MAX_RAW];
	uint64_t faults;
	uint64_t moved;
	bool has_waits;
	uint64_t waits;
	uint64_t wait;
	uint64_t checked;
};

/**
 * struct workload - a row of the table
 * @key: in the JSON
 * @group: in the JSON: rows that belong together
 * @what: for people
 * @unit: what one of the figures is
 * @run: does it, with one contender that is attached to nothing
 * @needs: bits of &enum ability
 * @memory: what the memory is made of
 * @bytes: how much of it, or 0
 * @x: where the row is on the axis of a plot, or 0
 * @x_name: name of that axis
 * @part: see the function
 * @rounds: how often it is measured
 */
struct workload {
	const char *key;
	const char *group;
	const char *what;
	const char *unit;
	void (*run)(const struct contender *c, const struct workload *w,
		    struct result *r);
	unsigned int needs;
	enum memory memory;
	size_t bytes;
	double x;
	const char *x_name;
	int part;
	unsigned int rounds;
};

#define MAX_WORKLOADS	96
#define MAX_CONTENDERS	8

extern const struct workload workloads[];
extern const unsigned int nr_workloads;
extern struct result results[MAX_WORKLOADS][MAX_CONTENDERS];
extern bool was_run[MAX_WORKLOADS];
extern bool took_part[MAX_CONTENDERS];

/**
 * struct selection - which rows to run
 * @only: those whose key begins with this, or NULL: all
 * @profile: those with these keys, and what is measured of each last is marked for
 *	the profiler; or nothing
 * @nr_profile: how many
 * @symbols: file for what was marked, and for the addresses of what is in the modules,
 *	or NULL
 * @smp: those for several CPUs, instead of the others
 */
struct selection {
	const char *only;
	const char *profile[MAX_WORKLOADS];
	unsigned int nr_profile;
	const char *symbols;
	bool smp;
};

void result_add(struct result *r, const struct cost *cost);
void run_contender(unsigned int index, const struct selection *which,
		   bool takes_part);

/* What workloads do; the enums are for &workload.part. */

enum { THERE, HOME, BOTH };
void run_trip(const struct contender *c, const struct workload *w,
	      struct result *r);
void run_prefetch(const struct contender *c, const struct workload *w,
		  struct result *r);
void run_pingpong(const struct contender *c, const struct workload *w,
		  struct result *r);
void run_hops(const struct contender *c, const struct workload *w,
	      struct result *r);
void run_inplace(const struct contender *c, const struct workload *w,
		 struct result *r);
void run_absent(const struct contender *c, const struct workload *w,
		struct result *r);
void run_resident(const struct contender *c, const struct workload *w,
		  struct result *r);

enum { MUNMAP_UNUSED, MUNMAP_MAPPED, MPROTECT_MAPPED };
void run_extents(const struct contender *c, const struct workload *w,
		 struct result *r);
void extents_end(void);

enum { ATTACH, DETACH };
void run_attach(const struct contender *c, const struct workload *w,
		struct result *r);
void run_fork(const struct contender *c, const struct workload *w,
	      struct result *r);

void run_threads(const struct contender *c, const struct workload *w,
		 struct result *r);

enum { KERNEL_MEMORY, RECORDS };
void run_metadata(const struct contender *c, const struct workload *w,
		  struct result *r);

/* budget.c */

void measure_budget(unsigned int repeat);
bool print_budget(void);
void json_budget(FILE *f, bool met);

/* result.c */

void print_results(void);
void write_json(const char *path, bool has_budget, bool met);

#endif /* _GMEM_BENCH_H */

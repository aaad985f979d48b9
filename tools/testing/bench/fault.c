// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workloads: data that goes to the device, and comes home.
 *
 * The bytes are looked at on the way: the CPU writes them, data moves, the device
 * hands over what it sees; it writes others, data comes back, the CPU looks at
 * them. Only the moves are measured.
 */
#include <string.h>

#include "bench.h"

#define WARM_UP	2

/* Each time other bytes. */
static uint64_t next_seed(void)
{
	static uint64_t seed;

	return ++seed;
}

static char *share(const struct contender *c, enum memory kind, size_t len)
{
	char *va = memory_get(kind, len);

	if (c->adopt)
		c->adopt(va, len);
	return va;
}

static void unshare(const struct contender *c, char *va, size_t len)
{
	if (c->forget)
		c->forget(va, len);
	memory_put(va, len);
}

static void device_check(const struct contender *c, unsigned int dev, char *va,
			 size_t len, char *buf, uint64_t seed,
			 struct result *r)
{
	memset(buf, 0, len);
	c->read(c, dev, va, len, buf);
	bytes_check(buf, len, seed, c, "the device");
	r->checked += len;
}

static void device_write(const struct contender *c, unsigned int dev, char *va,
			 size_t len, char *buf, uint64_t seed)
{
	bytes_write(buf, len, seed);
	c->write(c, dev, va, len, buf);
}

static void cpu_check(const struct contender *c, char *va, size_t len,
		      uint64_t seed, struct result *r)
{
	bytes_check(va, len, seed, c, "the CPU");
	r->checked += len;
}

typedef struct cost cost_fn(const struct contender *c, unsigned int dev,
			    char *va, size_t len);

/* There and back, and all the bytes seen at either end. */
static void trip(const struct contender *c, char *va, size_t len, char *buf,
		 cost_fn *out, cost_fn *back, struct cost costs[2],
		 struct result *r)
{
	uint64_t one = next_seed(), two = next_seed();

	bytes_write(va, len, one);
	part_begins(THERE);
	costs[THERE] = out(c, 0, va, len);
	device_check(c, 0, va, len, buf, one, r);
	device_write(c, 0, va, len, buf, two);
	part_begins(HOME);
	costs[HOME] = back(c, 0, va, len);
	cpu_check(c, va, len, two, r);
}

/* What the row before this one found out about the way home, by the same trips. */
static struct {
	const struct contender *c;
	cost_fn *out;
	enum memory memory;
	size_t bytes;
	struct result home;
} last;

static void make_trips(const struct contender *c, const struct workload *w,
		       cost_fn *out, cost_fn *back, unsigned int warm_up,
		       struct result ways[2])
{
	char *buf = buffer_get(w->bytes);
	struct cost costs[2];
	unsigned int i;
	char *va;

	attach(c, 0);
	for (i = 0; i < warm_up + w->rounds; i++) {
		va = share(c, w->memory, w->bytes);
		trip(c, va, w->bytes, buf, out, back, costs, &ways[THERE]);
		unshare(c, va, w->bytes);
		if (i < warm_up)
			continue;
		result_add(&ways[THERE], &costs[THERE]);
		result_add(&ways[HOME], &costs[HOME]);
	}
	ways[HOME].checked = ways[THERE].checked;
	detach(0);
	buffer_put(buf, w->bytes);
}

static void trips(const struct contender *c, const struct workload *w,
		  cost_fn *out, cost_fn *back, unsigned int warm_up,
		  struct result *r)
{
	static struct result ways[2];

	if (w->part == HOME && !profiling() && last.c == c && last.out == out &&
	    last.memory == w->memory && last.bytes == w->bytes) {
		*r = last.home;
		return;
	}
	memset(ways, 0, sizeof(ways));
	make_trips(c, w, out, back, warm_up, ways);
	last.c = c;
	last.out = out;
	last.memory = w->memory;
	last.bytes = w->bytes;
	last.home = ways[HOME];
	*r = ways[w->part];
}

/* First touch by the device, and first touch back by the CPU. */
void run_trip(const struct contender *c, const struct workload *w,
	      struct result *r)
{
	trips(c, w, cost_to_device, cost_to_host, WARM_UP, r);
}

void run_prefetch(const struct contender *c, const struct workload *w,
		  struct result *r)
{
	trips(c, w, cost_prefetch, cost_prefetch_home, 1, r);
}

/* The same memory, to and fro. */
void run_pingpong(const struct contender *c, const struct workload *w,
		  struct result *r)
{
	char *buf = buffer_get(w->bytes), *va;
	struct cost costs[2], both;
	unsigned int i;

	attach(c, 0);
	va = share(c, w->memory, w->bytes);
	for (i = 0; i < WARM_UP + w->rounds; i++) {
		trip(c, va, w->bytes, buf, cost_to_device, cost_to_host, costs,
		     r);
		both = cost_sum(&costs[THERE], &costs[HOME]);
		if (i >= WARM_UP)
			result_add(r, &both);
	}
	unshare(c, va, w->bytes);
	detach(0);
	buffer_put(buf, w->bytes);
}

/* Two devices want the same memory in turn. */
void run_hops(const struct contender *c, const struct workload *w,
	      struct result *r)
{
	char *buf = buffer_get(w->bytes), *va;
	uint64_t seed = next_seed();
	struct cost cost;
	unsigned int i;

	attach(c, 0);
	attach(c, 1);
	va = share(c, w->memory, w->bytes);
	bytes_write(va, w->bytes, seed);
	cost_to_device(c, 1, va, w->bytes);
	for (i = 0; i < 2 * (WARM_UP + w->rounds); i++) {
		cost = cost_hop(c, i % 2, va, w->bytes);
		device_check(c, i % 2, va, w->bytes, buf, seed, r);
		seed = next_seed();
		device_write(c, i % 2, va, w->bytes, buf, seed);
		if (i >= 2 * WARM_UP)
			result_add(r, &cost);
	}
	cost_to_host(c, 1, va, w->bytes);
	cpu_check(c, va, w->bytes, seed, r);
	unshare(c, va, w->bytes);
	detach(1);
	detach(0);
	buffer_put(buf, w->bytes);
}

/* The data stays, and both see what the other writes. */
void run_inplace(const struct contender *c, const struct workload *w,
		 struct result *r)
{
	char *buf = buffer_get(w->bytes), *va;
	uint64_t seed;
	struct cost cost;
	unsigned int i;

	attach(c, 0);
	for (i = 0; i < WARM_UP + w->rounds; i++) {
		va = share(c, w->memory, w->bytes);
		seed = next_seed();
		bytes_write(va, w->bytes, seed);
		cost = cost_inplace(c, 0, va, w->bytes);
		device_check(c, 0, va, w->bytes, buf, seed, r);
		seed = next_seed();
		device_write(c, 0, va, w->bytes, buf, seed);
		cpu_check(c, va, w->bytes, seed, r);
		unshare(c, va, w->bytes);
		if (i >= WARM_UP)
			result_add(r, &cost);
	}
	detach(0);
	buffer_put(buf, w->bytes);
}

static bool is_zero(const char *buf, size_t len)
{
	return !buf[0] && !memcmp(buf, buf + 1, len - 1);
}

/* Nobody has used the memory yet: the device finds zeroes, wherever they are. */
void run_absent(const struct contender *c, const struct workload *w,
		struct result *r)
{
	char *buf = buffer_get(w->bytes), *va;
	uint64_t seed;
	struct cost cost;
	unsigned int i;

	attach(c, 0);
	for (i = 0; i < WARM_UP + w->rounds; i++) {
		va = share(c, w->memory, w->bytes);
		cost = cost_absent(c, 0, va, w->bytes);
		memset(buf, 1, w->bytes);
		c->read(c, 0, va, w->bytes, buf);
		must(is_zero(buf, w->bytes), "new memory is not zero");
		if (c->settle)
			c->settle(c, 0, va, w->bytes);
		seed = next_seed();
		device_write(c, 0, va, w->bytes, buf, seed);
		cpu_check(c, va, w->bytes, seed, r);
		r->checked += w->bytes;
		unshare(c, va, w->bytes);
		if (i >= WARM_UP)
			result_add(r, &cost);
	}
	detach(0);
	buffer_put(buf, w->bytes);
}

/*
 * The device reads what it has, and hands it over: nobody but the device and its
 * driver may have to do with that. A driver reports to what it stands on by a
 * fault, and there must be none, nor may anything move: so the cost says.
 */
void run_resident(const struct contender *c, const struct workload *w,
		  struct result *r)
{
	char *buf = buffer_get(w->bytes), *va;
	struct counts before = { 0 }, after = { 0 };
	uint64_t start, seed = next_seed();
	struct cost cost = { 0 };
	unsigned int i;

	attach(c, 0);
	va = share(c, w->memory, w->bytes);
	bytes_write(va, w->bytes, seed);
	cost_to_device(c, 0, va, w->bytes);
	c->counts(c, &before);
	for (i = 0; i < WARM_UP + w->rounds; i++) {
		start = measure_begin();
		c->read(c, 0, va, w->bytes, buf);
		cost.total = measure_end(start);
		if (i >= WARM_UP)
			result_add(r, &cost);
	}
	c->counts(c, &after);
	must(!memcmp(&before, &after, sizeof(after)),
	     "a device had to fault on memory that it has");
	bytes_check(buf, w->bytes, seed, c, "the device");
	r->checked += w->bytes;
	unshare(c, va, w->bytes);
	detach(0);
	buffer_put(buf, w->bytes);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What contenders have in common: their devices, and how the cost of what they
 * do is measured.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

const struct contender *const contenders[] = {
	&gmem, &svm, &hmm, &explicit_copy, &limit,
};

const unsigned int nr_contenders = ARRAY_SIZE(contenders);

int device_fd[NR_DEVICES] = { -1, -1 };

/* Until the device can be used. */
uint64_t time_of_attach(const struct contender *c, unsigned int dev)
{
	uint64_t start, took;
	char path[64];

	snprintf(path, sizeof(path), c->node, dev);
	start = measure_begin();
	device_fd[dev] = open(path, O_RDWR | O_CLOEXEC);
	if (device_fd[dev] < 0)
		give_up(path);
	if (c->attached)
		c->attached(c, dev);
	took = measure_end(start);
	if (c->query)
		c->query(c, dev);
	return took;
}

void attach(const struct contender *c, unsigned int dev)
{
	int part = part_begins(PART_NONE);

	time_of_attach(c, dev);
	part_begins(part);
}

void detach(unsigned int dev)
{
	close(device_fd[dev]);
	device_fd[dev] = -1;
}

/* A word of each page is enough to have the page. */
void cpu_reads(const struct contender *c, unsigned int dev, char *va,
	       size_t len)
{
	size_t off;

	(void)c;
	(void)dev;
	for (off = 0; off < len; off += PAGE)
		__atomic_load_n(va + off, __ATOMIC_RELAXED);
}

static struct counts difference(const struct counts *after,
				const struct counts *before)
{
	return (struct counts){
		.bare = after->bare - before->bare,
		.to_device = after->to_device - before->to_device,
		.to_host = after->to_host - before->to_host,
		.peer = after->peer - before->peer,
		.zeroed = after->zeroed - before->zeroed,
		.faults = after->faults - before->faults,
	};
}

/* What is cleared is a copy of zeroes. */
uint64_t bytes_moved(const struct counts *did)
{
	return did->to_device + did->to_host + did->peer + did->zeroed;
}

static struct counts counts_of(const struct contender *c)
{
	struct counts counts = { 0 };

	c->counts(c, &counts);
	return counts;
}

static uint64_t time_of(const struct contender *c, access_fn *fn,
			unsigned int dev, char *va, size_t len)
{
	uint64_t start = measure_begin();

	fn(c, dev, va, len);
	return measure_end(start);
}

/* @fn, less @again, which must find nothing to do. */
struct cost cost_of(const struct contender *c, access_fn *fn, access_fn *again,
		    unsigned int dev, char *va, size_t len)
{
	struct counts before = counts_of(c), after, last;
	struct cost cost;
	int part;

	cost.total = time_of(c, fn, dev, va, len);
	after = counts_of(c);
	cost.did = difference(&after, &before);
	cost.copy = copy_cost(bytes_moved(&cost.did));
	if (again) {
		part = part_begins(PART_NONE);
		cost.total -= time_of(c, again, dev, va, len);
		part_begins(part);
		last = counts_of(c);
		must(!memcmp(&last, &after, sizeof(last)),
		     "what was there already had to be fetched again");
	}
	if (c->bare) {
		cost.total = cost.did.bare;
		cost.copy = cost.total;
	}
	return cost;
}

/* Who counts bytes must have counted all of them. */
static struct cost moved(struct cost cost, size_t to_device, size_t to_host)
{
	must(cost.did.to_device == to_device,
	     "not all of the data went to the device");
	must(cost.did.to_host == to_host, "not all of the data came home");
	return cost;
}

struct cost cost_to_device(const struct contender *c, unsigned int dev,
			   char *va, size_t len)
{
	return moved(cost_of(c, c->to_device, c->again, dev, va, len), len, 0);
}

struct cost cost_inplace(const struct contender *c, unsigned int dev, char *va,
			 size_t len)
{
	return moved(cost_of(c, c->inplace, c->inplace_again, dev, va, len),
		     0, 0);
}

struct cost cost_prefetch(const struct contender *c, unsigned int dev,
			  char *va, size_t len)
{
	access_fn *fn = c->prefetch ?: c->to_device;
	access_fn *again = c->prefetch ? c->prefetch_again : c->again;

	return moved(cost_of(c, fn, again, dev, va, len), len, 0);
}

struct cost cost_to_host(const struct contender *c, unsigned int dev,
			 char *va, size_t len)
{
	return moved(cost_of(c, c->to_host, c->to_host_again, dev, va, len),
		     0, len);
}

struct cost cost_prefetch_home(const struct contender *c, unsigned int dev,
			       char *va, size_t len)
{
	access_fn *fn = c->prefetch_home ?: c->to_host;
	access_fn *again = c->prefetch_home ? NULL : c->to_host_again;

	return moved(cost_of(c, fn, again, dev, va, len), 0, len);
}

/* By which way is the contender's affair. */
struct cost cost_hop(const struct contender *c, unsigned int dev, char *va,
		     size_t len)
{
	struct cost cost = cost_of(c, c->hop ?: c->to_device, c->again, dev, va,
				   len);

	must(cost.did.to_device + cost.did.peer == len,
	     "not all of the data went from one device to the other");
	return cost;
}

/* Memory that is nowhere yet gets to the device, and as often as one likes. */
struct cost cost_absent(const struct contender *c, unsigned int dev, char *va,
			size_t len)
{
	struct cost cost = cost_of(c, c->to_device, c->again, dev, va, len);

	must(cost.did.to_device + cost.did.zeroed >= len,
	     "not all of the new memory is on the device");
	return cost;
}

struct cost cost_sum(const struct cost *a, const struct cost *b)
{
	return (struct cost){
		.total = a->total + b->total,
		.copy = a->copy + b->copy,
		.did = {
			.bare = a->did.bare + b->did.bare,
			.to_device = a->did.to_device + b->did.to_device,
			.to_host = a->did.to_host + b->did.to_host,
			.peer = a->did.peer + b->did.peer,
			.zeroed = a->did.zeroed + b->did.zeroed,
			.faults = a->did.faults + b->did.faults,
		},
	};
}

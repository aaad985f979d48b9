// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workloads: what a process pays for a change of its mappings when a device has
 * mapped very many extents of it.
 *
 * An extent is a mapping of one page of host memory that the device uses in place;
 * at the address after it there is nothing, so that nobody can make two of them
 * one. They stay for all the rows that want as many: making them takes long.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define WARM_UP		3
#define FIELD		((char *)0x500000000000UL)
#define STRIDE		(2 * PAGE)
/* So many pages are left between those that are changed. */
#define APART		17

static char *extent(unsigned int i)
{
	return FIELD + i * STRIDE;
}

static void write_page(char *page, uint64_t seed)
{
	bytes_write(page, PAGE, seed);
}

/* Does the device, if it sees the page at all, see what the CPU wrote last? */
static void check_page(const struct contender *c, char *page, uint64_t seed,
		       struct result *r)
{
	_Alignas(PAGE) char buf[PAGE];

	if (c->inplace) {
		c->read(c, 0, page, PAGE, buf);
		bytes_check(buf, PAGE, seed, c, "the device");
	}
	bytes_check(page, PAGE, seed, c, "the CPU");
	r->checked += PAGE;
}

/* Whose extents there are, and how many. */
static const struct contender *owner;
static unsigned int nr_extents;

void extents_end(void)
{
	if (!owner)
		return;
	must(!munmap(FIELD, nr_extents * STRIDE), "extents cannot be unmapped");
	detach(0);
	owner = NULL;
}

static void extents_begin(const struct contender *c, unsigned int nr,
			  struct result *r)
{
	unsigned int i;

	if (owner == c && nr_extents == nr)
		return;
	extents_end();
	attach(c, 0);
	owner = c;
	nr_extents = nr;
	for (i = 0; i < nr; i++) {
		memory_get_at(extent(i), PAGE);
		write_page(extent(i), i);
		if (c->inplace)
			c->inplace(c, 0, extent(i), PAGE);
	}
	for (i = 0; i < nr; i += nr / 100)
		check_page(c, extent(i), i, r);
}

static double time_of_munmap(char *page)
{
	uint64_t start = measure_begin(), took;
	int ret = munmap(page, PAGE);

	took = measure_end(start);
	must(!ret, "a page cannot be unmapped");
	return took;
}

/* A page that no device has ever seen. */
static double munmap_unused(void)
{
	char *va = memory_get_at(LONELY, PAGE);

	write_page(va, 0);
	return time_of_munmap(va);
}

/* One that the device uses. Nor may it see it any more: other data is there. */
static double munmap_mapped(const struct contender *c, char *page,
			    uint64_t seed, struct result *r)
{
	double took = time_of_munmap(page);

	memory_get_at(page, PAGE);
	write_page(page, seed);
	check_page(c, page, seed, r);
	return took;
}

static double mprotect_mapped(const struct contender *c, char *page,
			      uint64_t seed, struct result *r)
{
	uint64_t start = measure_begin(), took;
	int ret = mprotect(page, PAGE, PROT_READ);

	took = measure_end(start);
	if (ret || mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		give_up("mprotect");
	write_page(page, seed);
	check_page(c, page, seed, r);
	return took;
}

static double change(const struct contender *c, const struct workload *w,
		     unsigned int i, struct result *r)
{
	char *page = extent((i + 1) * APART + w->part);

	switch (w->part) {
	case MUNMAP_UNUSED:
		return munmap_unused();
	case MUNMAP_MAPPED:
		return munmap_mapped(c, page, ~(uint64_t)i, r);
	default:
		return mprotect_mapped(c, page, ~(uint64_t)i, r);
	}
}

void run_extents(const struct contender *c, const struct workload *w,
		 struct result *r)
{
	struct cost cost = { 0 };
	unsigned int i;

	extents_begin(c, w->x, r);
	for (i = 0; i < WARM_UP + w->rounds; i++) {
		cost.total = change(c, w, i, r);
		if (i >= WARM_UP)
			result_add(r, &cost);
	}
	check_page(c, extent(nr_extents - 1), nr_extents - 1, r);
}

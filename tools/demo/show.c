// SPDX-License-Identifier: GPL-2.0-only
/*
 * Show what happened, and check that the story holds together.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hmadvise.h>

#include "show.h"

#define COLUMNS		48
/* Pages move at any time; so a count may have to be taken again. */
#define COUNT_TRIES	10

static size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

/* ------------------------------------------------------------- where it is */

/* The node of each page of a range, to be freed; NULL if it cannot be told. */
static int32_t *residency(const void *start, size_t len, size_t *nr)
{
	uintptr_t first = (uintptr_t)start & ~(page_size() - 1);
	size_t bytes = (uintptr_t)start + len - first;
	int32_t *vec;

	*nr = (bytes + page_size() - 1) / page_size();
	vec = malloc(*nr * sizeof(*vec));
	if (vec && hmadvise_residency((void *)first, *nr * page_size(), vec,
				      *nr) == (long)*nr)
		return vec;
	free(vec);
	return NULL;
}

static bool is_host_node(int node)
{
	struct hmadvise_nodes *nodes = hmadvise_nodes_open(NULL);
	bool host = node >= 0 && nodes && !hmadvise_nodes_find(nodes, node);

	hmadvise_nodes_close(nodes);
	return host;
}

bool area_is_on(const struct area *area, int node)
{
	size_t nr, i;
	int32_t *vec = residency(area->start, area->len, &nr);
	bool all = vec;

	for (i = 0; all && i < nr; i++) {
		if (i && vec[i] == vec[i - 1])
			continue;
		all = node == -1 ? is_host_node(vec[i]) : vec[i] == node;
	}
	free(vec);
	return all;
}

/* How many pages of a range are on the node. */
static size_t count_range(uintptr_t start, uintptr_t end, int node)
{
	size_t nr, i, sum = 0;
	int32_t *vec = residency((void *)start, end - start, &nr);

	for (i = 0; vec && i < nr; i++)
		sum += vec[i] == node;
	free(vec);
	return sum;
}

/* How many pages of the whole process are on the node. */
static size_t count_process(int node)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[512];
	size_t sum = 0;

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 &&
		    !strstr(line, "[v"))
			sum += count_range(start, end, node);
	}
	if (maps)
		fclose(maps);
	return sum;
}

/* ---------------------------------------------------------------- counters */

struct counters {
	uint64_t used;	/* pages on the node now */
	uint64_t in;	/* pages that moved there, ever */
	uint64_t out;	/* pages that moved back, ever */
	uint64_t host_faults;
};

static bool read_counters(int hnid, struct counters *counters)
{
	struct hmadvise_nodes *nodes = hmadvise_nodes_open(NULL);
	const struct hmadvise_node *node;
	bool known = false;

	node = nodes ? hmadvise_nodes_find(nodes, hnid) : NULL;
	if (node) {
		const unsigned int need = HMADVISE_NODE_USED |
					  HMADVISE_NODE_PAGES_IN |
					  HMADVISE_NODE_PAGES_OUT |
					  HMADVISE_NODE_HOST_FAULTS;

		counters->used = node->used / page_size();
		counters->in = node->pages_in;
		counters->out = node->pages_out;
		counters->host_faults = node->host_faults;
		known = (node->known & need) == need;
	}
	hmadvise_nodes_close(nodes);
	return known;
}

/*
 * The map and the counters are two sources, and neither knows of the other:
 * pages that are there = frames in use = pages that came - pages that left.
 */
static bool agree(const struct show *show)
{
	int hnid = show->dev->hnid;
	struct counters before, after;
	uint64_t moved;
	size_t there;
	int try;

	for (try = 0; try < COUNT_TRIES; try++) {
		if (!read_counters(hnid, &before))
			break;
		there = count_process(hnid);
		if (!read_counters(hnid, &after))
			break;
		moved = after.in - show->base_in -
			(after.out - show->base_out);
		if (there == before.used && there == after.used &&
		    there == moved)
			return true;
		usleep(1000);
	}
	if (try < COUNT_TRIES) {
		printf("   node %d does not tell its counters\n", hnid);
		return false;
	}
	printf("   MISMATCH: %zu pages in the map, %llu frames in use, %llu pages stayed\n",
	       there, (unsigned long long)after.used,
	       (unsigned long long)moved);
	return false;
}

/* ------------------------------------------------------------------ output */

bool show_begin(struct show *show, const struct device *dev)
{
	struct counters counters;

	*show = (struct show){ .dev = dev };
	if (device_stats(dev, &show->last) ||
	    !read_counters(dev->hnid, &counters))
		return false;
	show->base_in = counters.in - counters.used;
	show->base_out = counters.out;
	show->host_faults = counters.host_faults;
	return true;
}

void show_title(struct show *show, const char *what)
{
	printf("\n%u. %s\n", ++show->step, what);
	fflush(stdout);
}

static void draw(const struct area *area)
{
	struct hmadvise_nodes *nodes = hmadvise_nodes_open(NULL);
	size_t nr, per_letter;
	int32_t *vec = residency(area->start, area->len, &nr);
	char map[COLUMNS + 1];

	if (vec) {
		per_letter = hmadvise_draw_residency(map, sizeof(map), vec, nr,
						     COLUMNS, nodes);
		printf("   %-8s %-*s  %zu pages, %zu a letter\n", area->name,
		       COLUMNS, map, nr, per_letter);
	}
	free(vec);
	hmadvise_nodes_close(nodes);
}

bool show_delta(struct show *show, struct gmem_mock_stats *delta)
{
	struct gmem_mock_stats now;

	if (device_stats(show->dev, &now))
		return false;
	*delta = (struct gmem_mock_stats){
		.faults = now.faults - show->last.faults,
		.faults_migrated = now.faults_migrated -
				   show->last.faults_migrated,
		.faults_local = now.faults_local - show->last.faults_local,
		.faults_inplace = now.faults_inplace -
				  show->last.faults_inplace,
		.maps_4k = now.maps_4k - show->last.maps_4k,
		.maps_2m = now.maps_2m - show->last.maps_2m,
		.edu_dmas = now.edu_dmas - show->last.edu_dmas,
		.edu_irqs = now.edu_irqs - show->last.edu_irqs,
		.edu_bytes = now.edu_bytes - show->last.edu_bytes,
		.cpu_bytes = now.cpu_bytes - show->last.cpu_bytes,
		.to_device_bytes = now.to_device_bytes -
				   show->last.to_device_bytes,
		.from_device_bytes = now.from_device_bytes -
				     show->last.from_device_bytes,
		.zeroed_bytes = now.zeroed_bytes - show->last.zeroed_bytes,
		.copy_errors = now.copy_errors - show->last.copy_errors,
		.verify_errors = now.verify_errors - show->last.verify_errors,
	};
	show->last = now;
	return true;
}

static void print_faults(const struct gmem_mock_stats *d, uint64_t host_faults)
{
	printf("   faults   device %llu", d->faults);
	if (d->faults)
		printf(" (%llu moved data, %llu found it there, %llu in place)",
		       d->faults_migrated, d->faults_local, d->faults_inplace);
	printf(", CPU %llu\n", (unsigned long long)host_faults);
}

static void print_moves(const struct gmem_mock_stats *d)
{
	if (d->to_device_bytes || d->zeroed_bytes)
		printf("   moved    %llu pages to the device, %llu more cleared there\n",
		       d->to_device_bytes / page_size(),
		       d->zeroed_bytes / page_size());
	if (d->from_device_bytes)
		printf("   moved    %llu pages home\n",
		       d->from_device_bytes / page_size());
	if (d->maps_2m || d->maps_4k)
		printf("   mapped   %llu x 2 MiB and %llu x 4 KiB on the device\n",
		       d->maps_2m, d->maps_4k);
}

static void print_engines(const struct gmem_mock_stats *d)
{
	if (d->edu_dmas)
		printf("   engine   edu: %llu KiB in %llu DMAs with %llu interrupts\n",
		       d->edu_bytes >> 10, d->edu_dmas, d->edu_irqs);
	if (d->cpu_bytes)
		printf("   engine   cpu: %llu KiB\n", d->cpu_bytes >> 10);
}

bool show_result(struct show *show, const struct area *areas, unsigned int nr)
{
	struct counters counters;
	struct gmem_mock_stats d;
	unsigned int i;

	for (i = 0; i < nr; i++)
		draw(&areas[i]);
	if (!show_delta(show, &d) || !read_counters(show->dev->hnid, &counters))
		return false;
	show->device_faults = d.faults;
	show->cpu_faults = counters.host_faults - show->host_faults;
	show->host_faults = counters.host_faults;
	print_faults(&d, show->cpu_faults);
	print_moves(&d);
	print_engines(&d);
	fflush(stdout);
	if (d.copy_errors || d.verify_errors) {
		printf("   the engine failed\n");
		return false;
	}
	return agree(show);
}

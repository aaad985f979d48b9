// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workloads: the memory that is needed to know what is where, for data that is
 * on the device.
 *
 * KERNEL_MEMORY is what the kernel says it uses itself, in /proc/meminfo: slabs,
 * page tables, per CPU and vmalloc areas. Its resolution is a page: what is below is
 * nothing. The page table of the device is part of it for nobody. That of the mock
 * accelerator is there from the time before, at the same addresses, or, of explicit,
 * from the start. test_hmm has nothing else, and takes no part.
 *
 * RECORDS is what the contender counts itself.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define GIB		(1024 * MIB)
#define WARM_UP		1
#define SLABS		"/sys/kernel/slab"

static void say_one(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "1", 1) != 1)
		give_up(path);
	close(fd);
}

/* Slabs that nobody uses any more are no memory that is needed. */
static void shrink_slabs(void)
{
	DIR *dir = opendir(SLABS);
	struct dirent *entry;
	char path[512];

	if (!dir)
		give_up(SLABS);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), SLABS "/%s/shrink", entry->d_name);
		say_one(path);
	}
	closedir(dir);
}

static double kernel_memory(void)
{
	static const char * const fields[] = {
		"Slab:", "PageTables:", "SecPageTables:", "Percpu:",
		"VmallocUsed:",
	};
	FILE *f;
	char line[128], name[64];
	unsigned long kib;
	double sum = 0;
	unsigned int i;

	shrink_slabs();
	/* Have the counters of all CPUs summed up. */
	say_one("/proc/sys/vm/stat_refresh");
	f = fopen("/proc/meminfo", "re");
	if (!f)
		give_up("/proc/meminfo");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %lu", name, &kib) != 2)
			continue;
		for (i = 0; i < ARRAY_SIZE(fields); i++)
			if (!strcmp(name, fields[i]))
				sum += kib * KIB;
	}
	fclose(f);
	return sum;
}

static double in_use(const struct contender *c, const struct workload *w)
{
	return w->part == RECORDS ? c->metadata(c) : kernel_memory();
}

static double grown(const struct contender *c, const struct workload *w,
		    char *buf)
{
	char *va = memory_get(w->memory, w->bytes);
	double before, after;

	if (c->adopt)
		c->adopt(va, w->bytes);
	bytes_write(va, w->bytes, 1);
	before = in_use(c, w);
	cost_prefetch(c, 0, va, w->bytes);
	after = in_use(c, w);
	if (buf) {
		c->read(c, 0, va, w->bytes, buf);
		bytes_check(buf, w->bytes, 1, c, "the device");
	}
	if (c->forget)
		c->forget(va, w->bytes);
	memory_put(va, w->bytes);
	return after > before ? after - before : 0;
}

void run_metadata(const struct contender *c, const struct workload *w,
		  struct result *r)
{
	char *buf = buffer_get(w->bytes);
	struct cost cost = { 0 };
	unsigned int i;

	attach(c, 0);
	for (i = 0; i < WARM_UP; i++)
		grown(c, w, NULL);
	for (i = 0; i < w->rounds; i++) {
		cost.total = grown(c, w, buf) * GIB / w->bytes;
		result_add(r, &cost);
		r->checked += w->bytes;
	}
	detach(0);
	buffer_put(buf, w->bytes);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * GMEM: the device works on the program's own pointers.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/gmem.h>
#include <linux/gmem_mock.h>

#include "bench.h"

#ifndef __NR_hmadvise
#define __NR_hmadvise	472
#endif

static void move(int hnid, char *va, size_t len)
{
	if (syscall(__NR_hmadvise, hnid, va, len, HMADV_PREFETCH, 0) !=
	    (long)len)
		give_up("hmadvise");
}

/* The ids of the devices' memory. */
static int hnids[NR_DEVICES];

static void gmem_query(const struct contender *c, unsigned int dev)
{
	struct gmem_mock_query query = { .size = sizeof(query) };

	(void)c;
	if (ioctl(device_fd[dev], GMEM_MOCK_QUERY, &query))
		give_up("query");
	hnids[dev] = query.hnid;
}

static void gmem_prefetch(const struct contender *c, unsigned int dev,
			  char *va, size_t len)
{
	(void)c;
	move(hnids[dev], va, len);
}

void gmem_bring_home(const struct contender *c, unsigned int dev, char *va,
		     size_t len)
{
	(void)c;
	(void)dev;
	move(HMADV_NODE_ANY, va, len);
}

/* What debugfs says of all address spaces: "  runs R bytes B". */
static uint64_t gmem_metadata(const struct contender *c)
{
	FILE *f = fopen("/sys/kernel/debug/gmem/lpt", "re");
	unsigned long runs, bytes;
	char *line = NULL;
	uint64_t sum = 0;
	size_t size = 0;

	(void)c;
	if (!f)
		give_up("/sys/kernel/debug/gmem/lpt");
	while (getline(&line, &size, f) > 0)
		if (sscanf(line, " runs %lu bytes %lu", &runs, &bytes) == 2)
			sum += bytes;
	free(line);
	fclose(f);
	return sum;
}

const struct contender gmem = {
	.key = "gmem",
	.name = "GMEM, mock accelerator",
	.module = "gmem_mock.ko",
	.parameters = "engine=cpu",
	.node = "/dev/gmem-mock%u",
	.query = gmem_query,
	.to_device = mock_touch,
	.again = mock_touch,
	.prefetch = gmem_prefetch,
	.inplace = mock_touch_inplace,
	.inplace_again = mock_touch_inplace,
	.to_host = cpu_reads,
	.to_host_again = cpu_reads,
	.prefetch_home = gmem_bring_home,
	.read = mock_read,
	.write = mock_write,
	.counts = mock_counts,
	.metadata = gmem_metadata,
};

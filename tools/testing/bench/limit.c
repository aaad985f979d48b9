// SPDX-License-Identifier: GPL-2.0-only
/*
 * The limit: nothing but the copy, page by page. Who copies larger pieces may be a
 * little below it. Where nothing is copied, it is the same call of a process that has
 * no device.
 */
#include <sys/ioctl.h>

#include <linux/gmem_bench.h>

#include "bench.h"

#define SAMPLE	HUGE

static double page_cost;
static struct counts so_far;

/* What is between two readings of the clock is the copy and nothing else. */
static uint64_t bare_copy(unsigned int dev, char *va, size_t len,
			  uint32_t flags)
{
	struct gmem_bench_limit arg = {
		.size = sizeof(arg),
		.flags = flags,
		.va = (uintptr_t)va,
		.offset = device_address(va),
		.len = len,
	};

	if (ioctl(device_fd[dev], GMEM_BENCH_LIMIT, &arg))
		give_up("bare copy");
	return arg.ns;
}

/* To be done with the limit's module in place. */
void measure_copy(void)
{
	char *va = memory_get(MEM_THP, SAMPLE);
	double costs[11];
	unsigned int i;

	attach(&limit, 0);
	pair_add(va, SAMPLE);
	for (i = 0; i < ARRAY_SIZE(costs); i++)
		costs[i] = bare_copy(0, va, SAMPLE, 0);
	pair_remove(va, SAMPLE);
	detach(0);
	page_cost = median(costs, ARRAY_SIZE(costs)) / (SAMPLE / PAGE);
	memory_put(va, SAMPLE);
}

double copy_cost(size_t bytes)
{
	must(page_cost, "nobody has measured what copying costs");
	return page_cost * bytes / PAGE;
}

static void limit_to_device(const struct contender *c, unsigned int dev,
			    char *va, size_t len)
{
	(void)c;
	count(&so_far.bare, bare_copy(dev, va, len, 0));
	count(&so_far.to_device, len);
}

static void limit_to_host(const struct contender *c, unsigned int dev,
			  char *va, size_t len)
{
	(void)c;
	count(&so_far.bare, bare_copy(dev, va, len, GMEM_BENCH_LIMIT_TO_HOST));
	count(&so_far.to_host, len);
}

/* One copy, were the device able to take the bytes from the other. */
static void limit_hop(const struct contender *c, unsigned int dev, char *va,
		      size_t len)
{
	bare_copy(!dev, va, len, GMEM_BENCH_LIMIT_TO_HOST);
	limit_to_device(c, dev, va, len);
}

static void limit_read(const struct contender *c, unsigned int dev, char *va,
		       size_t len, char *buf)
{
	mock_read(c, dev, (char *)device_address(va), len, buf);
}

static void limit_write(const struct contender *c, unsigned int dev, char *va,
			size_t len, const char *buf)
{
	mock_write(c, dev, (char *)device_address(va), len, buf);
}

static void limit_counts(const struct contender *c, struct counts *counts)
{
	(void)c;
	*counts = so_far;
}

const struct contender limit = {
	.key = "limit",
	.name = "the limit: the bare copy, or no device",
	.module = "gmem_bench_copy.ko",
	.parameters = "engine=cpu",
	.node = "/dev/gmem-copy%u",
	.bare = true,
	.attached = mock_touch_memory,
	.adopt = pair_add,
	.forget = pair_remove,
	.to_device = limit_to_device,
	.to_host = limit_to_host,
	.hop = limit_hop,
	.read = limit_read,
	.write = limit_write,
	.counts = limit_counts,
	.cannot = {
		[CAN_ATTACH] = "there is nothing to attach to",
		[CAN_INPLACE] = "nothing is copied",
		[CAN_POPULATE] = "nothing is copied",
		[CAN_COUNT] = "there is nothing to record",
	},
};

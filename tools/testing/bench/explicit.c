// SPDX-License-Identifier: GPL-2.0-only
/*
 * Explicit copies: a program with two pointers to everything, as people do
 * today. It knows where on the device its buffers are, and moves their bytes by
 * read() and write() when it is time. The driver pins the program's pages and
 * copies from and to them, without a buffer between.
 */
#include <unistd.h>

#include "bench.h"

static void explicit_to_device(const struct contender *c, unsigned int dev,
			       char *va, size_t len)
{
	off_t to = device_address(va);
	size_t done;
	ssize_t n;

	(void)c;
	for (done = 0; done < len; done += n) {
		n = pwrite(device_fd[dev], va + done, len - done, to + done);
		if (n <= 0)
			give_up("write to the device");
	}
}

static void explicit_to_host(const struct contender *c, unsigned int dev,
			     char *va, size_t len)
{
	off_t from = device_address(va);
	size_t done;
	ssize_t n;

	(void)c;
	for (done = 0; done < len; done += n) {
		n = pread(device_fd[dev], va + done, len - done, from + done);
		if (n <= 0)
			give_up("read from the device");
	}
}

/* By way of the host. */
static void explicit_hop(const struct contender *c, unsigned int dev, char *va,
			 size_t len)
{
	explicit_to_host(c, !dev, va, len);
	explicit_to_device(c, dev, va, len);
}

/* The device works on its own pointers. */
static void explicit_read(const struct contender *c, unsigned int dev,
			  char *va, size_t len, char *buf)
{
	mock_read(c, dev, (char *)device_address(va), len, buf);
}

static void explicit_write(const struct contender *c, unsigned int dev,
			   char *va, size_t len, const char *buf)
{
	mock_write(c, dev, (char *)device_address(va), len, buf);
}

const struct contender explicit_copy = {
	.key = "explicit",
	.name = "explicit copies, read() and write()",
	.module = "gmem_bench_copy.ko",
	.parameters = "engine=cpu",
	.node = "/dev/gmem-copy%u",
	.attached = mock_touch_memory,
	.adopt = pair_add,
	.forget = pair_remove,
	.to_device = explicit_to_device,
	.to_host = explicit_to_host,
	.hop = explicit_hop,
	.read = explicit_read,
	.write = explicit_write,
	.counts = mock_counts,
	.cannot = {
		[CAN_INPLACE] = "the device does not work on host memory",
		[CAN_MAP_HOST] = "the device maps nothing of the process",
		[CAN_POPULATE] = "device memory is there before it is used",
		[CAN_COUNT] = "the program has the pointers",
	},
};

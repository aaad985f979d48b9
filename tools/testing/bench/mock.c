// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock accelerator's ioctls. They are the same for GMEM's driver and for the
 * one that stands on drm_gpusvm: only what is behind them differs.
 */
#include <sys/ioctl.h>

#include <linux/gmem_mock.h>

#include "bench.h"

static void run_op(unsigned int dev, struct gmem_mock_op *op)
{
	struct gmem_mock_run run = {
		.size = sizeof(run),
		.ops = (uintptr_t)op,
		.op_size = sizeof(*op),
		.nr_ops = 1,
	};

	if (ioctl(device_fd[dev], GMEM_MOCK_RUN, &run))
		give_up("device access");
}

void mock_touch(const struct contender *c, unsigned int dev, char *va,
		size_t len)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_TOUCH,
		.flags = GMEM_MOCK_OP_WRITABLE,
		.va = (uintptr_t)va,
		.len = len,
	};

	(void)c;
	run_op(dev, &op);
}

void mock_touch_inplace(const struct contender *c, unsigned int dev, char *va,
			size_t len)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_TOUCH,
		.flags = GMEM_MOCK_OP_WRITABLE | GMEM_MOCK_OP_INPLACE,
		.va = (uintptr_t)va,
		.len = len,
	};

	(void)c;
	run_op(dev, &op);
}

void mock_read(const struct contender *c, unsigned int dev, char *va,
	       size_t len, char *buf)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_READ,
		.flags = GMEM_MOCK_OP_INPLACE,
		.va = (uintptr_t)va,
		.len = len,
		.arg = (uintptr_t)buf,
	};

	(void)c;
	run_op(dev, &op);
}

void mock_write(const struct contender *c, unsigned int dev, char *va,
		size_t len, const char *buf)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_WRITE,
		.flags = GMEM_MOCK_OP_INPLACE,
		.va = (uintptr_t)va,
		.len = len,
		.arg = (uintptr_t)buf,
	};

	(void)c;
	run_op(dev, &op);
}

/* Of a device that has its own addresses: have all translations in place. */
void mock_touch_memory(const struct contender *c, unsigned int dev)
{
	struct gmem_mock_query query = { .size = sizeof(query) };

	if (ioctl(device_fd[dev], GMEM_MOCK_QUERY, &query))
		give_up("query");
	mock_touch(c, dev, NULL, query.mem_bytes);
}

void mock_stats(unsigned int dev, struct gmem_mock_stats *stats)
{
	*stats = (struct gmem_mock_stats){ .size = sizeof(*stats) };
	if (ioctl(device_fd[dev], GMEM_MOCK_STATS, stats))
		give_up("statistics");
}

void mock_counts(const struct contender *c, struct counts *counts)
{
	struct gmem_mock_stats stats;
	unsigned int dev;

	(void)c;
	for (dev = 0; dev < NR_DEVICES; dev++) {
		if (device_fd[dev] < 0)
			continue;
		mock_stats(dev, &stats);
		counts->to_device += stats.to_device_bytes;
		counts->to_host += stats.from_device_bytes;
		counts->peer += stats.peer_bytes;
		counts->zeroed += stats.zeroed_bytes;
		counts->faults += stats.faults;
	}
}

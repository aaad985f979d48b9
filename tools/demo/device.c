// SPDX-License-Identifier: GPL-2.0-only
/*
 * A few calls to the mock accelerator.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device.h"

int device_open(struct device *dev, unsigned int n)
{
	struct gmem_mock_query query = { .size = sizeof(query) };
	char path[32];

	snprintf(path, sizeof(path), "/dev/gmem-mock%u", n);
	dev->fd = open(path, O_RDWR | O_CLOEXEC);
	if (dev->fd < 0)
		return -errno;
	if (ioctl(dev->fd, GMEM_MOCK_QUERY, &query)) {
		close(dev->fd);
		return -errno;
	}
	dev->hnid = query.hnid;
	dev->mem_bytes = query.mem_bytes;
	return 0;
}

void device_close(struct device *dev)
{
	close(dev->fd);
}

static int device_run(const struct device *dev, struct gmem_mock_op *op)
{
	struct gmem_mock_run run = {
		.size = sizeof(run),
		.ops = (uintptr_t)op,
		.op_size = sizeof(*op),
		.nr_ops = 1,
	};

	return ioctl(dev->fd, GMEM_MOCK_RUN, &run) ? -errno : 0;
}

int device_factorial(const struct device *dev, uint32_t *x, size_t nr)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_FACTORIAL,
		.va = (uintptr_t)x,
		.len = nr * sizeof(*x),
	};

	return device_run(dev, &op);
}

int device_copy(const struct device *dev, void *dst, const void *src,
		size_t len)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_COPY,
		.va = (uintptr_t)dst,
		.arg = (uintptr_t)src,
		.len = len,
	};

	return device_run(dev, &op);
}

int device_fill(const struct device *dev, void *dst, uint64_t value,
		size_t len)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_FILL,
		.va = (uintptr_t)dst,
		.arg = value,
		.len = len,
	};

	return device_run(dev, &op);
}

int device_checksum(const struct device *dev, const void *src, size_t len,
		    uint64_t *sum)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_CHECKSUM,
		.va = (uintptr_t)src,
		.len = len,
	};
	int ret = device_run(dev, &op);

	*sum = op.result;
	return ret;
}

int device_stats(const struct device *dev, struct gmem_mock_stats *stats)
{
	*stats = (struct gmem_mock_stats){ .size = sizeof(*stats) };
	return ioctl(dev->fd, GMEM_MOCK_STATS, stats) ? -errno : 0;
}

int device_set_engine(const char *name)
{
	int fd = open("/sys/module/gmem_mock/parameters/engine",
		      O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, name, strlen(name)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

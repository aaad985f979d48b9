/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A few calls to the mock accelerator: what the library of a vendor would be.
 * All of them take ordinary pointers, and return 0 or a negative errno.
 */
#ifndef DEMO_DEVICE_H
#define DEMO_DEVICE_H

#include <stddef.h>
#include <stdint.h>
#include <linux/gmem_mock.h>

struct device {
	int fd;
	int hnid;
	uint64_t mem_bytes;
};

/* Attach this process to accelerator number @n. */
int device_open(struct device *dev, unsigned int n);
void device_close(struct device *dev);

int device_factorial(const struct device *dev, uint32_t *x, size_t nr);
int device_copy(const struct device *dev, void *dst, const void *src,
		size_t len);
int device_fill(const struct device *dev, void *dst, uint64_t value,
		size_t len);
int device_checksum(const struct device *dev, const void *src, size_t len,
		    uint64_t *sum);

int device_stats(const struct device *dev, struct gmem_mock_stats *stats);

/* Who moves data: "edu" (DMA with interrupts) or "cpu". */
int device_set_engine(const char *name);

#endif /* DEMO_DEVICE_H */

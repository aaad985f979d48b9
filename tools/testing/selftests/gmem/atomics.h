/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the tests of atomic access: devices whose atomic operations on host memory are
 * atomic for nobody else, or are; and what a device may do at an address.
 */
#ifndef ATOMICS_H
#define ATOMICS_H

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "gmem_quiet.h"

#define LEN		GT_HUGE
#define NR_PAGES	(LEN / GT_PAGE)
#define TIMEOUT		300
/* So often in a row a side may be told to try again, and not once more. */
#define PATIENCE	100

#define KHUGEPAGED	"/sys/kernel/mm/transparent_hugepage/khugepaged/"
#define HOST_ATOMICS	"/sys/module/gmem_mock/parameters/host_atomics"

#define RW	(GMEM_MOCK_PROT_READ | GMEM_MOCK_PROT_WRITE)
#define RWA	(RW | GMEM_MOCK_PROT_ATOMIC)

/* ------------------------------------------------------------------ devices */

/* Takes the driver from all devices and gives it back. */
static inline bool rebind(unsigned int nr)
{
	char slot[GT_MAX_DEVS][32], path[128], name[48];
	struct gt_dev dev;
	unsigned int i, n;

	for (i = 0; i < nr; i++) {
		if (gt_open(&dev, i) ||
		    gt_pci_slot(&dev, slot[i], sizeof(slot[i])))
			return false;
		gt_close(&dev);
	}
	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "%.31s.0", slot[i]);
		snprintf(path, sizeof(path),
			 "/sys/bus/pci/devices/%s/driver/unbind", name);
		if (gt_write_file(path, name) < 0)
			return false;
	}
	for (i = 0; i < nr; i++) {
		for (n = 0; n < 2; n++) {
			snprintf(name, sizeof(name), "%.31s.%u", slot[i], n);
			gt_write_file("/sys/bus/pci/drivers_probe", name);
		}
	}
	for (i = 0; i < 1000 && gt_dev_count() != nr; i++)
		usleep(10000);
	return gt_dev_count() == nr;
}

/* Opens all devices, which are of the wanted kind then. Returns how many. */
static inline unsigned int open_all(struct gt_dev *dev, bool host_atomics)
{
	unsigned int nr = gt_dev_count(), i;

	/* It would take pages back for the CPUs when nobody expects it. */
	gt_write_file(KHUGEPAGED "max_ptes_swap", "0");
	gt_write_file(KHUGEPAGED "pages_to_scan", "1");
	gt_write_file(KHUGEPAGED "scan_sleep_millisecs", "3600000");
	if (!nr || gt_open(&dev[0], 0))
		return 0;
	if (!(dev[0].caps & GMEM_MOCK_CAP_HOST_ATOMICS) != !host_atomics) {
		gt_close(&dev[0]);
		if (gt_write_file(HOST_ATOMICS, host_atomics ? "Y" : "N") < 0 ||
		    !rebind(nr) || gt_open(&dev[0], 0))
			return 0;
	}
	for (i = 1; i < nr; i++)
		if (gt_open(&dev[i], i))
			return 0;
	for (i = 0; i < nr; i++)
		if (!(dev[i].caps & GMEM_MOCK_CAP_HOST_ATOMICS) !=
		    !host_atomics)
			return 0;
	return nr;
}

/* Pages that were taken from the CPUs for a device, ever. */
static inline long pages_taken(const struct gt_dev *dev)
{
	char path[128], text[64];

	snprintf(path, sizeof(path),
		 "/sys/kernel/mm/gmem/hnode%d/stats/pages_exclusive",
		 dev->hnid);
	return gt_read_file(path, text, sizeof(text)) ? -1 :
	       strtol(text, NULL, 0);
}

/* ------------------------------------------------------------------- access */

static inline int add_op(const struct gt_dev *dev, struct gmem_mock_op *op,
			 void *va, bool inplace)
{
	unsigned int i;
	int ret = -EAGAIN;

	for (i = 0; i < PATIENCE && ret == -EAGAIN; i++) {
		*op = (struct gmem_mock_op){
			.opcode = GMEM_MOCK_OP_ATOMIC_ADD,
			.flags = inplace ? GMEM_MOCK_OP_INPLACE : 0,
			.va = (uintptr_t)va,
			.len = sizeof(__u64),
			.arg = 1,
		};
		ret = gt_run(dev, op);
	}
	return ret;
}

/* The device adds 1, where the data is. */
static inline int add(const struct gt_dev *dev, void *va)
{
	struct gmem_mock_op op;

	return add_op(dev, &op, va, true);
}

static inline int touch_in_place(const struct gt_dev *dev, const void *va,
				 size_t len, bool write)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_TOUCH,
		.flags = (write ? GMEM_MOCK_OP_WRITABLE : 0) |
			 GMEM_MOCK_OP_INPLACE,
		.va = (uintptr_t)va,
		.len = len,
	};

	return gt_run(dev, &op);
}

/* What the device may do at an address without a fault: 0 for nothing. */
static inline unsigned int right(const struct gt_dev *dev, const void *va)
{
	struct gmem_mock_xlat xlat;

	return gt_snapshot(dev, va, 8, &xlat, 1) == 1 ? xlat.prot : 0;
}

/* Pages of the block to which the device has @prot. */
static inline unsigned int pages_with(const struct gt_dev *dev, const void *va,
				      unsigned int prot)
{
	struct gmem_mock_xlat *xlat = calloc(NR_PAGES, sizeof(*xlat));
	unsigned int pages = 0;
	int i, nr = -1;

	if (xlat)
		nr = gt_snapshot(dev, va, LEN, xlat, NR_PAGES);
	for (i = 0; i < nr; i++)
		if (xlat[i].prot == prot)
			pages += xlat[i].len / GT_PAGE;
	free(xlat);
	return pages;
}

#endif /* ATOMICS_H */

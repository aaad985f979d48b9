/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * GMEM benchmark: the mock accelerator by drm_gpusvm and drm_pagemap.
 *
 * What drivers/gmem-mock/glue.c does with GMEM is done here with the helpers that
 * DRM has for the same purpose, as the DOC blocks of drm_gpusvm.c and drm_pagemap.c
 * want it, and as xe does it where they leave it to the driver.
 *
 *	svm.c		address spaces, their ranges, faults; devices
 *	svm_memory.c	device memory, copies
 *
 * All else is drivers/gmem-mock's, see gm.h.
 *
 * Vocabulary: a *range* is drm_gpusvm's, up to 2 MiB of addresses that are mapped
 * and unmapped together. A *block* is the device memory that the data of a range
 * moved to, in one piece.
 *
 * Lock order, outermost first::
 *
 *	svm_contexts_lock
 *	    svm_ctx.lock		drm_gpusvm's "driver_svm_lock"
 *		mmap_lock
 *		    svm_dev.lock	device memory
 *		    drm_gpusvm.notifier_lock
 *			gmock_mmu.lock
 *			svm_ctx.garbage_lock	spinlock
 *
 * What it does not do: evict when device memory is full (data is used in place, as
 * with GMEM), map the memory of another device (its data comes home first), hints.
 * A device that is unbound brings its data home, but drm_pagemap wants the process
 * that moved it to be there: of one that ended, and left data to a child, the end of
 * the child is waited for. A device that is pulled out is not provided for.
 */
#ifndef _GMEM_BENCH_SVM_H
#define _GMEM_BENCH_SVM_H

#include <linux/gpu_buddy.h>
#include <linux/iommu.h>
#include <linux/llist.h>
#include <linux/memremap.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include <drm/drm_device.h>
#include <drm/drm_pagemap.h>

#include "gm.h"
#include "../gmem-mock/mock.h"

/**
 * struct svm_dev - one device
 * @gm: the device as the mock's sources know it
 * @gd: accelerator
 * @drm: DRM device; stands for the device before the helpers, not registered
 * @pagemap: device-private pages in front of the device's memory
 * @dpagemap: the same for drm_pagemap
 * @lock: protects @buddy and @blocks
 * @buddy: device memory
 * @blocks: all &struct svm_block
 * @freed: those that are to be freed
 * @free_work: frees them
 * @contexts: all &struct svm_ctx, under svm_contexts_lock
 */
struct svm_dev {
	struct gm_dev gm;
	struct gmock_dev *gd;
	struct drm_device *drm;
	struct dev_pagemap pagemap;
	struct drm_pagemap dpagemap;
	struct mutex lock;		/* buddy and blocks */
	struct gpu_buddy buddy;
	struct list_head blocks;
	struct llist_head freed;
	struct work_struct free_work;
	struct list_head contexts;
};

/* The owner of all device-private pages: any device copies from any other. */
extern char svm_owner;

int svm_memory_start(struct svm_dev *sd);
void svm_memory_stop(struct svm_dev *sd);

static inline struct svm_dev *svm_page_dev(struct page *page)
{
	return container_of(page_pgmap(page), struct svm_dev, pagemap);
}

static inline u64 svm_page_dpa(struct page *page)
{
	return page_to_phys(page) - svm_page_dev(page)->pagemap.range.start;
}

/*
 * The helpers know host memory by its bus address only. An engine that is run by a
 * CPU wants the other one, which without an IOMMU is the same.
 */
static inline phys_addr_t svm_dma_to_phys(struct svm_dev *sd, dma_addr_t dma)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(sd->drm->dev);

	return domain ? iommu_iova_to_phys(domain, dma) : dma;
}

#endif /* _GMEM_BENCH_SVM_H */

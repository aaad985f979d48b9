// SPDX-License-Identifier: GPL-2.0-only
/*
 * GMEM benchmark, drm_pagemap: device memory, and copies to, from and between it.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>

#include "svm.h"

/* What is handed to the engine at a time. */
#define SVM_EXTENTS		64

/* How often the end of the device looks whether its pages are gone. */
#define SVM_POLL_MS		1

char svm_owner;

/**
 * struct svm_block - device memory of a range
 * @devmem: drm_pagemap's part
 * @ref: held by the pages, all together
 * @sd: device
 * @mem: where it is
 * @mm: whose data it was made for; only the structure is held
 * @entry: in svm_dev.blocks
 * @freed: in svm_dev.freed
 */
struct svm_block {
	struct drm_pagemap_devmem devmem;
	struct kref ref;
	struct svm_dev *sd;
	struct gpu_buddy_block *mem;
	struct mm_struct *mm;
	struct list_head entry;
	struct llist_node freed;
};

/* Device memory */

static void svm_free_work(struct work_struct *work)
{
	struct svm_dev *sd = container_of(work, struct svm_dev, free_work);
	struct llist_node *freed = llist_del_all(&sd->freed);
	struct svm_block *block, *next;

	llist_for_each_entry_safe(block, next, freed, freed) {
		scoped_guard(mutex, &sd->lock) {
			list_del(&block->entry);
			gpu_buddy_free_block(&sd->buddy, block->mem);
		}
		mmdrop(block->mm);
		kfree(block);
	}
}

/* The last page may have been put under a spinlock. */
static void svm_block_release(struct kref *ref)
{
	struct svm_block *block = container_of(ref, struct svm_block, ref);
	struct svm_dev *sd = block->sd;

	llist_add(&block->freed, &sd->freed);
	queue_work(system_dfl_wq, &sd->free_work);
}

static int svm_block_alloc_mem(struct svm_block *block, u64 size)
{
	struct svm_dev *sd = block->sd;
	LIST_HEAD(mem);
	int ret;

	guard(mutex)(&sd->lock);
	ret = gpu_buddy_alloc_blocks(&sd->buddy, 0, sd->buddy.size, size, size,
				     &mem, 0);
	if (ret)
		return ret;
	block->mem = list_first_entry(&mem, struct gpu_buddy_block, link);
	list_add_tail(&block->entry, &sd->blocks);
	return 0;
}

static struct svm_block *svm_block_alloc(struct svm_dev *sd, u64 size,
					 struct mm_struct *mm)
{
	struct svm_block *block = kzalloc_obj(*block);
	int ret;

	if (!block)
		return ERR_PTR(-ENOMEM);
	kref_init(&block->ref);
	block->sd = sd;
	ret = svm_block_alloc_mem(block, size);
	if (ret == -ENOSPC) {
		flush_work(&sd->free_work);
		ret = svm_block_alloc_mem(block, size);
	}
	if (ret) {
		kfree(block);
		return ERR_PTR(ret);
	}
	mmgrab(mm);
	block->mm = mm;
	return block;
}

static struct svm_block *to_svm_block(struct drm_pagemap_devmem *devmem)
{
	return container_of(devmem, struct svm_block, devmem);
}

static void svm_devmem_release(struct drm_pagemap_devmem *devmem)
{
	kref_put(&to_svm_block(devmem)->ref, svm_block_release);
}

static int svm_populate_devmem_pfn(struct drm_pagemap_devmem *devmem,
				   unsigned long npages, unsigned long *pfn)
{
	struct svm_block *block = to_svm_block(devmem);
	u64 phys = block->sd->pagemap.range.start +
		   gpu_buddy_block_offset(block->mem);
	unsigned long i;

	for (i = 0; i < npages; i++)
		pfn[i] = PHYS_PFN(phys) + i;
	return 0;
}

/* Copies */

/**
 * struct svm_copy - a copy under way
 * @gd: whose engine it is for
 * @nr: extents that are collected
 * @ext: these
 */
struct svm_copy {
	struct gmock_dev *gd;
	unsigned int nr;
	struct gm_copy_extent ext[SVM_EXTENTS];
};

static bool svm_extent_joins(const struct gm_copy_extent *last,
			     const struct gm_copy_extent *ext)
{
	if (last->op != ext->op || last->dpa + last->size != ext->dpa)
		return false;
	if (ext->op == GM_COPY_ZERO)
		return true;
	if (ext->op == GM_COPY_FROM_PEER)
		return last->peer_dpa + last->size == ext->peer_dpa;
	return last->phys + last->size == ext->phys &&
	       last->dma_addr + last->size == ext->dma_addr;
}

static int svm_copy_flush(struct svm_copy *copy)
{
	int ret = 0;

	if (copy->nr)
		ret = gmock_migrate(copy->gd, copy->ext, copy->nr);
	copy->nr = 0;
	return ret;
}

static int svm_copy_add(struct svm_copy *copy, const struct gm_copy_extent *ext)
{
	struct gm_copy_extent *last = copy->nr ? &copy->ext[copy->nr - 1] : NULL;
	int ret;

	if (last && svm_extent_joins(last, ext)) {
		last->size += ext->size;
		return 0;
	}
	if (copy->nr == SVM_EXTENTS) {
		ret = svm_copy_flush(copy);
		if (ret)
			return ret;
	}
	copy->ext[copy->nr++] = *ext;
	return 0;
}

/*
 * What to do for the device page @page, whose other side is @addr: host memory, a
 * page of another device, or nothing, which reads as zeros. Of two devices the one
 * that gets the data copies.
 */
static void svm_extent(struct svm_copy *copy, struct page *page,
		       const struct drm_pagemap_addr *addr, size_t size,
		       enum gm_copy_op op, struct gm_copy_extent *ext)
{
	struct svm_dev *sd = svm_page_dev(page);

	copy->gd = sd->gd;
	*ext = (struct gm_copy_extent){
		.op = op,
		.size = size,
		.dpa = svm_page_dpa(page),
	};
	if (!addr->addr) {
		ext->op = GM_COPY_ZERO;
	} else if (addr->proto == DRM_INTERCONNECT_SYSTEM) {
		ext->dma_addr = addr->addr;
		ext->phys = svm_dma_to_phys(sd, addr->addr);
	} else {
		struct page *to = pfn_to_page(PHYS_PFN(addr->addr));

		copy->gd = svm_page_dev(to)->gd;
		ext->op = GM_COPY_FROM_PEER;
		ext->dpa = svm_page_dpa(to);
		ext->peer = &sd->gm;
		ext->peer_dpa = svm_page_dpa(page);
	}
}

static int svm_copy(struct page **pages, struct drm_pagemap_addr *addr,
		    unsigned long npages, enum gm_copy_op op)
{
	struct svm_copy *copy __free(kfree) = kmalloc_obj(*copy);
	struct gm_copy_extent ext;
	unsigned long i, nr;
	int ret;

	if (!copy)
		return -ENOMEM;
	copy->nr = 0;
	for (i = 0; i < npages; i += nr) {
		nr = 1;
		/* Without an address there is nothing to bring home. */
		if (!pages[i] || (op == GM_COPY_FROM_DEVICE && !addr[i].addr))
			continue;
		nr = addr[i].addr ? NR_PAGES(addr[i].order) :
				    folio_nr_pages(page_folio(pages[i]));
		svm_extent(copy, pages[i], &addr[i], nr * PAGE_SIZE, op, &ext);
		ret = svm_copy_add(copy, &ext);
		if (ret)
			return ret;
	}
	return svm_copy_flush(copy);
}

static int svm_copy_to_devmem(struct page **pages,
			      struct drm_pagemap_addr *addr,
			      unsigned long npages,
			      struct dma_fence *pre_migrate_fence)
{
	return svm_copy(pages, addr, npages, GM_COPY_TO_DEVICE);
}

static int svm_copy_to_ram(struct page **pages, struct drm_pagemap_addr *addr,
			   unsigned long npages,
			   struct dma_fence *pre_migrate_fence)
{
	return svm_copy(pages, addr, npages, GM_COPY_FROM_DEVICE);
}

static const struct drm_pagemap_devmem_ops svm_devmem_ops = {
	.devmem_release = svm_devmem_release,
	.populate_devmem_pfn = svm_populate_devmem_pfn,
	.copy_to_devmem = svm_copy_to_devmem,
	.copy_to_ram = svm_copy_to_ram,
};

/* Any device may ask; the address says whose page it is, see svm_segment(). */
static struct drm_pagemap_addr
svm_device_map(struct drm_pagemap *dpagemap, struct device *dev,
	       struct page *page, unsigned int order,
	       enum dma_data_direction dir)
{
	return drm_pagemap_addr_encode(page_to_phys(page),
				       DRM_INTERCONNECT_DRIVER, order, dir);
}

static void svm_device_unmap(struct drm_pagemap *dpagemap, struct device *dev,
			     const struct drm_pagemap_addr *addr)
{
}

static int svm_populate_mm(struct drm_pagemap *dpagemap, unsigned long start,
			   unsigned long end, struct mm_struct *mm,
			   unsigned long timeslice_ms)
{
	struct drm_pagemap_migrate_details details = {
		.timeslice_ms = timeslice_ms,
	};
	struct svm_dev *sd = container_of(dpagemap, struct svm_dev, dpagemap);
	struct svm_block *block = svm_block_alloc(sd, end - start, mm);

	if (IS_ERR(block))
		return PTR_ERR(block);
	drm_pagemap_devmem_init(&block->devmem, sd->drm->dev, mm,
				&svm_devmem_ops, dpagemap, end - start, NULL);
	return drm_pagemap_migrate_to_devmem(&block->devmem, mm, start, end,
					     &details);
}

/* It is part of &struct svm_dev. */
static void svm_pagemap_destroy(struct drm_pagemap *dpagemap,
				bool is_atomic_or_reclaim)
{
}

static const struct drm_pagemap_ops svm_pagemap_ops = {
	.device_map = svm_device_map,
	.device_unmap = svm_device_unmap,
	.populate_mm = svm_populate_mm,
	.destroy = svm_pagemap_destroy,
};

static void svm_evict(struct svm_dev *sd, struct svm_block *block)
{
	int ret = drm_pagemap_evict_to_ram(&block->devmem);

	if (ret)
		dev_err(&sd->gd->dev, "cannot bring data home (%d)\n", ret);
	svm_devmem_release(&block->devmem);
}

/* Each block once: what cannot come home is waited for in svm_memory_stop(). */
static void svm_evict_all(struct svm_dev *sd)
{
	struct svm_block *block;
	LIST_HEAD(seen);

	mutex_lock(&sd->lock);
	while (!list_empty(&sd->blocks)) {
		block = list_first_entry(&sd->blocks, struct svm_block, entry);
		list_move_tail(&block->entry, &seen);
		if (!kref_get_unless_zero(&block->ref))
			continue;
		mutex_unlock(&sd->lock);
		svm_evict(sd, block);
		mutex_lock(&sd->lock);
	}
	list_splice(&seen, &sd->blocks);
	mutex_unlock(&sd->lock);
}

/* Pages */

/*
 * Without an owner: drm_pagemap would hold the module for as long as there are
 * pages, and it is the end of the module, and so of its devices, that brings them
 * home. svm_wait_for_pagemap() waits for them instead.
 */
static const struct file_operations svm_drm_fops = { };

static const struct drm_driver svm_drm_driver = {
	.name = "gmem-svm",
	.desc = "GMEM mock accelerator by drm_gpusvm",
	.fops = &svm_drm_fops,
};

/*
 * Each page of the device holds the drm_pagemap, which holds the DRM device until a
 * worker of drm_pagemap lets go of it. Nobody tells when that was: an action of the
 * DRM device comes before the rest of its release, which the worker would still be
 * in. So the last reference is ours. Who drops another one does not look at the
 * device, nor at anything else of this module, afterwards.
 */
static void svm_wait_for_pagemap(struct svm_dev *sd)
{
	while (kref_read(&sd->drm->ref) > 1)
		msleep(SVM_POLL_MS);
}

static int svm_pages_map(struct svm_dev *sd)
{
	struct dev_pagemap *pagemap = &sd->pagemap;
	struct resource *res;
	void *ret;

	res = request_free_mem_region(&iomem_resource, sd->gd->vram.size,
				      "gmem-svm");
	if (IS_ERR(res))
		return PTR_ERR(res);
	pagemap->type = MEMORY_DEVICE_PRIVATE;
	pagemap->range.start = res->start;
	pagemap->range.end = res->end;
	pagemap->nr_range = 1;
	pagemap->owner = &svm_owner;
	pagemap->ops = drm_pagemap_pagemap_ops_get();
	ret = memremap_pages(pagemap, dev_to_node(sd->drm->dev));
	if (!IS_ERR(ret))
		return 0;
	release_mem_region(res->start, resource_size(res));
	return PTR_ERR(ret);
}

static void svm_pages_unmap(struct svm_dev *sd)
{
	struct range range = sd->pagemap.range;

	memunmap_pages(&sd->pagemap);
	release_mem_region(range.start, range_len(&range));
}

static int svm_pages_start(struct svm_dev *sd)
{
	int ret;

	sd->drm = drm_dev_alloc(&svm_drm_driver, &sd->gd->edu.pdev->dev);
	if (IS_ERR(sd->drm))
		return PTR_ERR(sd->drm);
	ret = svm_pages_map(sd);
	if (ret)
		goto err_drm;
	ret = drm_pagemap_init(&sd->dpagemap, &sd->pagemap, sd->drm,
			       &svm_pagemap_ops);
	if (ret)
		goto err_pages;
	return 0;

err_pages:
	svm_pages_unmap(sd);
err_drm:
	drm_dev_put(sd->drm);
	return ret;
}

/**
 * svm_memory_start() - let drm_pagemap have the device's memory
 * @sd: device
 *
 * Return: 0 or a negative errno.
 */
int svm_memory_start(struct svm_dev *sd)
{
	int ret;

	mutex_init(&sd->lock);
	INIT_LIST_HEAD(&sd->blocks);
	init_llist_head(&sd->freed);
	INIT_WORK(&sd->free_work, svm_free_work);
	ret = gpu_buddy_init(&sd->buddy, sd->gd->vram.size, PAGE_SIZE);
	if (ret)
		return ret;
	ret = svm_pages_start(sd);
	if (ret)
		gpu_buddy_fini(&sd->buddy);
	return ret;
}

/**
 * svm_memory_stop() - undo svm_memory_start()
 * @sd: device; it has no context any more
 *
 * Brings all data home, and waits for what could not be brought.
 */
void svm_memory_stop(struct svm_dev *sd)
{
	svm_evict_all(sd);
	drm_pagemap_put(&sd->dpagemap);
	svm_wait_for_pagemap(sd);
	svm_pages_unmap(sd);
	drm_dev_put(sd->drm);
	flush_work(&sd->free_work);
	gpu_buddy_fini(&sd->buddy);
}

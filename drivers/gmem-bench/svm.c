// SPDX-License-Identifier: GPL-2.0-only
/*
 * GMEM benchmark, drm_gpusvm: address spaces, their ranges, faults; devices.
 *
 * A fault makes a range, moves its data, gets its pages and maps them. A notifier
 * ends the mapping; when the addresses are gone, the range is garbage, which a
 * worker or the next fault collects.
 */
#include <linux/device.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include <drm/drm_gpusvm.h>

#include "svm.h"

/* How often a fault is started over when the address space changes under it. */
#define SVM_TRIES		8

/* What is handed to the MMU at a time. */
#define SVM_SEGMENTS		16

/**
 * struct svm_ctx - one process on one device
 * @gm: the context as the mock's sources know it: its MMU state
 * @gpusvm: the mirror of the address space
 * @lock: held over faults and over what they must not meet
 * @sd: device, NULL once it is gone; under @lock
 * @entry: in svm_dev.contexts
 * @garbage_lock: protects @garbage
 * @garbage: ranges whose addresses were unmapped
 * @garbage_work: removes them
 */
struct svm_ctx {
	struct gm_context gm;
	struct drm_gpusvm gpusvm;
	struct mutex lock;		/* faults */
	struct svm_dev *sd;
	struct list_head entry;
	spinlock_t garbage_lock;	/* protects @garbage */
	struct list_head garbage;
	struct work_struct garbage_work;
};

/**
 * struct svm_range - a range
 * @base: drm_gpusvm's part; first, so that its kfree() is ours
 * @garbage: in svm_ctx.garbage
 * @bound: the MMU has translations; under drm_gpusvm.notifier_lock
 * @read_only: ... for reading only
 */
struct svm_range {
	struct drm_gpusvm_range base;
	struct list_head garbage;
	bool bound;
	bool read_only;
};

static_assert(!offsetof(struct svm_range, base));

static DEFINE_MUTEX(svm_contexts_lock);

static struct svm_ctx *to_svm_ctx(struct drm_gpusvm *gpusvm)
{
	return container_of(gpusvm, struct svm_ctx, gpusvm);
}

static struct svm_range *to_svm_range(struct drm_gpusvm_range *range)
{
	return container_of(range, struct svm_range, base);
}

/* Ranges */

static struct drm_gpusvm_range *svm_range_alloc(struct drm_gpusvm *gpusvm)
{
	struct svm_range *range = kzalloc_obj(*range);

	if (!range)
		return NULL;
	INIT_LIST_HEAD(&range->garbage);
	return &range->base;
}

static void svm_unbind(struct svm_ctx *ctx, struct drm_gpusvm_range *range)
{
	if (to_svm_range(range)->bound)
		gmock_mmu_unmap(&ctx->gm, drm_gpusvm_range_start(range),
				drm_gpusvm_range_size(range), 0);
	to_svm_range(range)->bound = false;
}

static void svm_add_garbage(struct svm_ctx *ctx, struct drm_gpusvm_range *range,
			    const struct mmu_notifier_range *mmu_range)
{
	drm_gpusvm_range_set_unmapped(range, mmu_range);
	scoped_guard(spinlock, &ctx->garbage_lock)
		if (list_empty(&to_svm_range(range)->garbage))
			list_add_tail(&to_svm_range(range)->garbage,
				      &ctx->garbage);
	queue_work(system_dfl_wq, &ctx->garbage_work);
}

static void svm_invalidate(struct drm_gpusvm *gpusvm,
			   struct drm_gpusvm_notifier *notifier,
			   const struct mmu_notifier_range *mmu_range)
{
	struct drm_gpusvm_ctx how = { .in_notifier = true };
	struct svm_ctx *ctx = to_svm_ctx(gpusvm);
	struct drm_gpusvm_range *range = NULL;

	drm_gpusvm_for_each_range(range, notifier, mmu_range->start,
				  mmu_range->end) {
		svm_unbind(ctx, range);
		drm_gpusvm_range_unmap_pages(gpusvm, range, &how);
		if (mmu_range->event == MMU_NOTIFY_UNMAP)
			svm_add_garbage(ctx, range, mmu_range);
	}
}

static const struct drm_gpusvm_ops svm_ops = {
	.range_alloc = svm_range_alloc,
	.invalidate = svm_invalidate,
};

/* A notifier may take it for garbage until it is removed, and not after. */
static void svm_remove_range(struct svm_ctx *ctx,
			     struct drm_gpusvm_range *range)
{
	lockdep_assert_held(&ctx->lock);
	drm_gpusvm_notifier_lock(&ctx->gpusvm);
	svm_unbind(ctx, range);
	drm_gpusvm_notifier_unlock(&ctx->gpusvm);

	drm_gpusvm_range_get(range);
	drm_gpusvm_range_remove(&ctx->gpusvm, range);
	scoped_guard(spinlock, &ctx->garbage_lock)
		list_del_init(&to_svm_range(range)->garbage);
	drm_gpusvm_range_put(range);
}

static struct drm_gpusvm_range *svm_first_garbage(struct svm_ctx *ctx)
{
	struct svm_range *range;

	guard(spinlock)(&ctx->garbage_lock);
	range = list_first_entry_or_null(&ctx->garbage, struct svm_range,
					 garbage);
	return range ? &range->base : NULL;
}

/* Of a range that was unmapped in part, the rest comes home. */
static void svm_collect_garbage(struct svm_ctx *ctx)
{
	struct drm_gpusvm_range *range;

	lockdep_assert_held(&ctx->lock);
	while ((range = svm_first_garbage(ctx))) {
		if (range->pages.flags.partial_unmap)
			drm_gpusvm_range_evict(&ctx->gpusvm, range);
		svm_remove_range(ctx, range);
	}
}

static void svm_garbage_work(struct work_struct *work)
{
	struct svm_ctx *ctx = container_of(work, struct svm_ctx, garbage_work);

	guard(mutex)(&ctx->lock);
	svm_collect_garbage(ctx);
}

/* Faults */

static int svm_segment(struct svm_ctx *ctx, unsigned long va, u32 prot,
		       const struct drm_pagemap_addr *addr,
		       struct gm_segment *seg)
{
	struct page *page;

	*seg = (struct gm_segment){
		.va = va,
		.size = PAGE_SIZE << addr->order,
		.pgsize = PAGE_SIZE,
		.prot = prot,
	};
	if (addr->proto == DRM_INTERCONNECT_SYSTEM) {
		seg->kind = GM_MEM_HOST;
		seg->dma_addr = addr->addr;
		seg->phys = svm_dma_to_phys(ctx->sd, addr->addr);
		return 0;
	}
	page = pfn_to_page(PHYS_PFN(addr->addr));
	if (svm_page_dev(page) != ctx->sd)
		return -EOPNOTSUPP;
	seg->kind = GM_MEM_DEVICE;
	seg->dpa = svm_page_dpa(page);
	return 0;
}

static bool svm_segment_joins(const struct gm_segment *last,
			      const struct gm_segment *seg)
{
	if (last->va + last->size != seg->va || last->kind != seg->kind)
		return false;
	if (seg->kind == GM_MEM_DEVICE)
		return last->dpa + last->size == seg->dpa;
	return last->phys + last->size == seg->phys &&
	       last->dma_addr + last->size == seg->dma_addr;
}

/* A range is mapped and unmapped as a whole: what fits is mapped as a large page. */
static int svm_map(struct svm_ctx *ctx, struct gm_segment *segs,
		   unsigned int nr)
{
	unsigned int i, done;

	for (i = 0; i < nr; i++)
		if (IS_ALIGNED(segs[i].va | segs[i].size | segs[i].dpa |
			       segs[i].phys | segs[i].dma_addr,
			       GMOCK_BLOCK_SIZE))
			segs[i].pgsize = GMOCK_BLOCK_SIZE;
	return gmock_mmu_map(&ctx->gm, segs, nr, &done);
}

static int svm_map_range(struct svm_ctx *ctx, struct drm_gpusvm_range *range,
			 u32 prot)
{
	const struct drm_pagemap_addr *addr = range->pages.dma_addr;
	unsigned long va = drm_gpusvm_range_start(range);
	struct gm_segment segs[SVM_SEGMENTS], seg;
	unsigned int nr = 0;
	int ret;

	for (; va < drm_gpusvm_range_end(range); va += seg.size, addr++) {
		ret = svm_segment(ctx, va, prot, addr, &seg);
		if (ret)
			return ret;
		if (nr && svm_segment_joins(&segs[nr - 1], &seg)) {
			segs[nr - 1].size += seg.size;
			continue;
		}
		if (nr == SVM_SEGMENTS) {
			ret = svm_map(ctx, segs, nr);
			if (ret)
				return ret;
			nr = 0;
		}
		segs[nr++] = seg;
	}
	return svm_map(ctx, segs, nr);
}

static int svm_bind(struct svm_ctx *ctx, struct drm_gpusvm_range *range,
		    bool read_only)
{
	u32 prot = read_only ? GM_PROT_READ :
		   GM_PROT_READ | GM_PROT_WRITE | GM_PROT_ATOMIC;
	int ret;

	ret = gmock_mmu_prepare(&ctx->gm, drm_gpusvm_range_start(range),
				drm_gpusvm_range_size(range));
	if (ret)
		return ret;

	drm_gpusvm_notifier_lock(&ctx->gpusvm);
	if (drm_gpusvm_range_pages_valid(&ctx->gpusvm, range)) {
		to_svm_range(range)->bound = true;
		to_svm_range(range)->read_only = read_only;
		ret = svm_map_range(ctx, range, prot);
		if (ret)
			svm_unbind(ctx, range);
	} else {
		ret = -EAGAIN;
	}
	drm_gpusvm_notifier_unlock(&ctx->gpusvm);
	return ret;
}

/*
 * Move all of the range or nothing. drm_pagemap takes a huge page of the device that it
 * made for 2 MiB which nobody had touched for one page of 512, and says -EBUSY: so look
 * whether all of it is there.
 */
static int svm_populate(struct svm_ctx *ctx, struct drm_gpusvm_range *range)
{
	struct svm_dev *sd = ctx->sd;
	int ret;

	ret = drm_pagemap_populate_mm(&sd->dpagemap,
				      drm_gpusvm_range_start(range),
				      drm_gpusvm_range_end(range),
				      ctx->gpusvm.mm, 0);
	if (ret == -EBUSY &&
	    drm_gpusvm_scan_mm(range, &svm_owner, &sd->pagemap) ==
	    DRM_GPUSVM_SCAN_EQUAL)
		return 0;
	return ret;
}

/* If part of it is in the way, that goes home first. */
static int svm_migrate(struct svm_ctx *ctx, struct drm_gpusvm_range *range)
{
	int ret = svm_populate(ctx, range);

	if (ret == -EBUSY) {
		drm_gpusvm_range_evict(&ctx->gpusvm, range);
		ret = svm_populate(ctx, range);
	}
	return ret;
}

static enum gm_fault_outcome svm_outcome(struct drm_gpusvm_range *range,
					 bool moved)
{
	struct drm_gpusvm_pages_flags flags = {
		/* Pairs with WRITE_ONCE() in drm_gpusvm.c. */
		.__flags = READ_ONCE(range->pages.flags.__flags),
	};

	if (!flags.has_devmem_pages)
		return GM_FAULT_INPLACE;
	return moved ? GM_FAULT_MIGRATED : GM_FAULT_LOCAL;
}

static bool svm_is_bound(struct svm_ctx *ctx, struct drm_gpusvm_range *range,
			 u32 access)
{
	struct svm_range *svm_range = to_svm_range(range);
	bool ret;

	drm_gpusvm_notifier_lock(&ctx->gpusvm);
	ret = svm_range->bound &&
	      !(svm_range->read_only && (access & GM_PROT_WRITE));
	drm_gpusvm_notifier_unlock(&ctx->gpusvm);
	return ret;
}

/* Host or device memory is mapped for writing wherever the program may write. */
static struct drm_gpusvm_range *svm_range_at(struct svm_ctx *ctx,
					     unsigned long va, u32 access,
					     struct drm_gpusvm_ctx *how)
{
	struct drm_gpusvm_range *range;

	range = drm_gpusvm_range_find_or_insert(&ctx->gpusvm, va, 0,
						TASK_SIZE_MAX, how);
	if (range == ERR_PTR(-EPERM) && !(access & GM_PROT_WRITE)) {
		how->read_only = true;
		range = drm_gpusvm_range_find_or_insert(&ctx->gpusvm, va, 0,
							TASK_SIZE_MAX, how);
	}
	return range;
}

/* One attempt at a fault. */
static int svm_fault(struct svm_ctx *ctx, unsigned long va, u32 access,
		     bool migrate)
{
	struct drm_gpusvm_ctx how = {
		.device_private_page_owner = &svm_owner,
		.check_pages_threshold = SZ_64K,
		.devmem_possible = true,
		.allow_mixed = true,
	};
	struct drm_gpusvm_range *range;
	bool moved = false;
	int ret;

	if (!ctx->sd)
		return -ENODEV;
	svm_collect_garbage(ctx);
	range = svm_range_at(ctx, va, access, &how);
	if (IS_ERR(range))
		return PTR_ERR(range);
	if (svm_is_bound(ctx, range, access))
		return svm_outcome(range, false);

	if (migrate && range->pages.flags.migrate_devmem)
		moved = !svm_migrate(ctx, range);
	ret = drm_gpusvm_range_get_pages(&ctx->gpusvm, range, &how);
	if (!ret)
		ret = svm_bind(ctx, range, how.read_only);
	if (!ret)
		return svm_outcome(range, moved);
	if (ret == -EOPNOTSUPP)
		drm_gpusvm_range_evict(&ctx->gpusvm, range);
	else if (ret == -EFAULT || ret == -EPERM)
		/* The vma has changed since: the next one will fit. */
		svm_remove_range(ctx, range);
	return ret;
}

static bool svm_fault_again(int ret)
{
	return ret == -EAGAIN || ret == -EBUSY || ret == -EOPNOTSUPP ||
	       ret == -EFAULT || ret == -EPERM;
}

/* In the words of &struct gmem_mock_op. */
static int svm_fault_error(int ret)
{
	switch (ret) {
	case -EBUSY:
	case -EOPNOTSUPP:
		return -EAGAIN;
	case -EINVAL:
	case -EIO:
	case -ENOENT:
	case -EPERM:
		return -EFAULT;
	}
	return ret;
}

/**
 * gmock_glue_fault() - resolve a device fault
 * @gf: file
 * @va: address
 * @access: GM_PROT_* bits wanted
 * @inplace: leave the data where it is
 *
 * Return: &enum gm_fault_outcome or a negative errno.
 */
int gmock_glue_fault(struct gmock_file *gf, unsigned long va, u32 access,
		     bool inplace)
{
	struct svm_ctx *ctx = container_of(gf->ctx, struct svm_ctx, gm);
	int ret, tries = 0;

	if (mutex_lock_killable(&ctx->lock))
		return -EINTR;
	do {
		ret = svm_fault(ctx, va, access, !inplace);
	} while (svm_fault_again(ret) && ++tries < SVM_TRIES);
	mutex_unlock(&ctx->lock);
	return svm_fault_error(ret);
}

/* Contexts */

static const unsigned long svm_chunks[] = { SZ_2M, SZ_64K, SZ_4K };

/**
 * gmock_glue_attach() - attach the device to an address space
 * @gf: file that is being opened
 * @as: not used: gmock_file.mm is the address space
 *
 * Return: 0 or a negative errno.
 */
int gmock_glue_attach(struct gmock_file *gf, struct gm_as *as)
{
	struct svm_dev *sd = container_of(gf->dev->gm, struct svm_dev, gm);
	struct svm_ctx *ctx = kzalloc_obj(*ctx, GFP_KERNEL_ACCOUNT);
	int ret;

	if (!ctx)
		return -ENOMEM;
	mutex_init(&ctx->lock);
	spin_lock_init(&ctx->garbage_lock);
	INIT_LIST_HEAD(&ctx->garbage);
	INIT_WORK(&ctx->garbage_work, svm_garbage_work);
	ctx->sd = sd;
	ret = gmock_mmu_create(&ctx->gm);
	if (ret)
		goto err_free;
	ret = drm_gpusvm_init(&ctx->gpusvm, "gmem-svm", sd->drm, gf->mm, 0,
			      TASK_SIZE_MAX, SZ_512M, &svm_ops, svm_chunks,
			      ARRAY_SIZE(svm_chunks));
	if (ret)
		goto err_mmu;
	drm_gpusvm_driver_set_lock(&ctx->gpusvm, &ctx->lock);

	scoped_guard(mutex, &svm_contexts_lock)
		list_add_tail(&ctx->entry, &sd->contexts);
	gf->ctx = &ctx->gm;
	gf->mmu = gm_context_priv(&ctx->gm);
	return 0;

err_mmu:
	gmock_mmu_destroy(&ctx->gm);
err_free:
	kfree(ctx);
	return ret;
}

/* After this the context has neither mirror nor MMU. Its faults say -ENODEV. */
static void svm_close(struct svm_ctx *ctx)
{
	lockdep_assert_held(&svm_contexts_lock);
	if (!ctx->sd)
		return;
	disable_work_sync(&ctx->garbage_work);
	scoped_guard(mutex, &ctx->lock) {
		ctx->sd = NULL;
		gmock_mmu_unmap(&ctx->gm, 0, TASK_SIZE_MAX, 0);
		drm_gpusvm_fini(&ctx->gpusvm);
	}
	gmock_mmu_destroy(&ctx->gm);
	list_del(&ctx->entry);
}

/**
 * gmock_glue_detach() - undo gmock_glue_attach()
 * @gf: file; no access and no fault is in flight
 *
 * Data stays on the device until a CPU touches it, or the device ends.
 */
void gmock_glue_detach(struct gmock_file *gf)
{
	struct svm_ctx *ctx = container_of(gf->ctx, struct svm_ctx, gm);

	scoped_guard(mutex, &svm_contexts_lock)
		svm_close(ctx);
	kfree(ctx);
}

/* Devices */

/**
 * gmock_glue_start() - tell drm_pagemap of the device's memory
 * @gd: accelerator, ready to be used
 *
 * Return: 0 or a negative errno.
 */
int gmock_glue_start(struct gmock_dev *gd)
{
	struct svm_dev *sd = kzalloc_obj(*sd);
	int ret;

	if (!sd)
		return -ENOMEM;
	sd->gd = gd;
	sd->gm.priv = gd;
	sd->gm.id = MINOR(gd->dev.devt);
	INIT_LIST_HEAD(&sd->contexts);
	ret = svm_memory_start(sd);
	if (ret) {
		kfree(sd);
		return ret;
	}
	gd->gm = &sd->gm;
	gd->hnid = NUMA_NO_NODE;
	gd->host_atomics = true;
	return 0;
}

/**
 * gmock_glue_lost() - the hardware is gone
 * @gd: accelerator
 */
void gmock_glue_lost(struct gmock_dev *gd)
{
}

/**
 * gmock_glue_stop() - end the device
 * @gd: accelerator that was revoked
 *
 * Its data has come home when this returns.
 */
void gmock_glue_stop(struct gmock_dev *gd)
{
	struct svm_dev *sd = container_of(gd->gm, struct svm_dev, gm);

	scoped_guard(mutex, &svm_contexts_lock)
		while (!list_empty(&sd->contexts))
			svm_close(list_first_entry(&sd->contexts,
						   struct svm_ctx, entry));
	svm_memory_stop(sd);
	kfree(sd);
}

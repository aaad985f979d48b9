// SPDX-License-Identifier: GPL-2.0-only
/*
 * GMEM mock accelerator: the GMEM glue.
 *
 * What a driver needs besides what it has anyway (an MMU, an engine, a way for
 * programs to start work): register the device, attach it to address spaces,
 * raise its faults. It never sees a vma, an mmu notifier or a migration.
 */
#include <linux/module.h>
#include <linux/pci.h>

#include "mock.h"

/*
 * On PCI, an atomic operation on host memory needs AtomicOps all the way. The mock
 * has them or has not, as is wanted.
 */
static bool host_atomics = true;
module_param(host_atomics, bool, 0644);
MODULE_PARM_DESC(host_atomics, "atomic ops on host memory in place are atomic for CPUs, too; counts when a device is bound (default: Y)");

/*
 * GMEM has everything ready: pages are isolated and mapped for DMA. Completes
 * before it returns, so there is no fence.
 */
static int gmock_gm_copy(struct gm_dev *dev, const struct gm_copy_extent *ext,
			 unsigned int nr, struct dma_fence **fence)
{
	return gmock_migrate(gm_dev_priv(dev), ext, nr);
}

/* GMEM asks about our own kind only: the other's data is ours to look at. */
static bool gmock_gm_can_copy_from(struct gm_dev *dev, struct gm_dev *peer)
{
	return gmock_can_copy_from(gm_dev_priv(dev), gm_dev_priv(peer));
}

#define GMOCK_GM_MMU(_caps)						\
	{								\
		.name = "gmem-mock",					\
		.pgsize_bitmap = GMOCK_PGSIZES,				\
		.caps = GM_DEV_CAP_FAULT | GM_DEV_CAP_HOST_ACCESS |	\
			(_caps),					\
		.ctx_create = gmock_mmu_create,				\
		.ctx_destroy = gmock_mmu_destroy,			\
		.map_prepare = gmock_mmu_prepare,			\
		.peer_map = gmock_mmu_map,				\
		.peer_unmap = gmock_mmu_unmap,				\
		.can_copy_from = gmock_gm_can_copy_from,		\
		.copy = gmock_gm_copy,					\
	}

/* Without atomic ops on host memory, and with them. */
static const struct gm_mmu gmock_gm_mmu[] = {
	GMOCK_GM_MMU(0),
	GMOCK_GM_MMU(GM_DEV_CAP_HOST_ATOMICS),
};

/**
 * gmock_glue_start() - tell GMEM of the device and its memory
 * @gd: accelerator, ready to be used: operations may be called at once
 *
 * The parent is edu, the function that does DMA: GMEM maps host memory for it.
 *
 * Return: 0 or a negative errno.
 */
int gmock_glue_start(struct gmock_dev *gd)
{
	gd->host_atomics = READ_ONCE(host_atomics);
	gd->gm = gm_dev_create(&gd->edu.pdev->dev,
			       &gmock_gm_mmu[gd->host_atomics], gd);
	if (IS_ERR(gd->gm))
		return PTR_ERR(gd->gm);
	gd->hnid = gm_dev_register_physmem(gd->gm, GM_MEM_TYPE_PRIVATE, 0,
					   gd->vram.size);
	if (gd->hnid < 0)
		gm_dev_destroy(gd->gm);
	return min(gd->hnid, 0);
}

/**
 * gmock_glue_lost() - the hardware is gone, and the data on it
 * @gd: accelerator
 *
 * Nothing is waited for: gmock_glue_stop() follows.
 */
void gmock_glue_lost(struct gmock_dev *gd)
{
	gm_dev_mark_lost(gd->gm);
}

/**
 * gmock_glue_stop() - end the device
 * @gd: accelerator; no context is left
 *
 * Unless the device is lost, its data has come home when this returns.
 */
void gmock_glue_stop(struct gmock_dev *gd)
{
	gm_dev_destroy(gd->gm);
}

/**
 * gmock_glue_attach() - attach the device to an address space
 * @gf: file that is being opened
 * @as: address space; the context keeps it
 *
 * Return: 0 or a negative errno.
 */
int gmock_glue_attach(struct gmock_file *gf, struct gm_as *as)
{
	gf->ctx = gm_as_attach(as, gf->dev->gm, GM_ATTACH_EXCLUSIVE, NULL);
	if (IS_ERR(gf->ctx))
		return PTR_ERR(gf->ctx);
	gf->mmu = gm_context_priv(gf->ctx);
	return 0;
}

/**
 * gmock_glue_detach() - undo gmock_glue_attach()
 * @gf: file; no access and no fault is in flight
 */
void gmock_glue_detach(struct gmock_file *gf)
{
	gm_as_detach(gf->ctx);
}

/**
 * gmock_glue_fault() - resolve a device fault
 * @gf: file
 * @va: address
 * @access: GM_PROT_* bits wanted
 * @inplace: leave the data where it is
 *
 * The translation is there when this returns, and may be gone again a moment
 * later. The caller holds no lock of the MMU.
 *
 * Return: &enum gm_fault_outcome or a negative errno.
 */
int gmock_glue_fault(struct gmock_file *gf, unsigned long va, u32 access,
		     bool inplace)
{
	struct gm_fault fault = {
		.va = va,
		.access = access,
		.placement = inplace ? GM_PLACE_HOST : GM_PLACE_AUTO,
	};

	return gm_dev_fault(gf->ctx, &fault) ?: fault.outcome;
}

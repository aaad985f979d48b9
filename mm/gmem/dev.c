// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices: registration, and the end of it.
 *
 * A driver calls gm_dev_create() when its device is up and gm_dev_destroy()
 * when it goes, whoever still uses it. Destroying revokes the driver's
 * operations: when it returns none is running and none will be called again.
 * The structure itself lives on while contexts and hnodes refer to it.
 *
 * Faults and migrations run between gm_dev_enter() and gm_dev_exit(). The
 * carrying home of data needs no such protection: it ends before the last frame
 * is free, which gm_dev_destroy() waits for.
 */
#include <linux/dma-mapping.h>
#include <linux/export.h>
#include <linux/idr.h>
#include <linux/slab.h>
#include <linux/swiotlb.h>

#include "internal.h"

static DEFINE_IDA(gm_dev_ids);

static void gm_dev_release(struct kref *kref)
{
	struct gm_dev *dev = container_of(kref, struct gm_dev, kref);

	percpu_ref_exit(&dev->active);
	put_device(dev->parent);
	ida_free(&gm_dev_ids, dev->id);
	mutex_destroy(&dev->ctx_lock);
	kfree(dev);
}

void gm_dev_get(struct gm_dev *dev)
{
	kref_get(&dev->kref);
}

void gm_dev_put(struct gm_dev *dev)
{
	kref_put(&dev->kref, gm_dev_release);
}

static void gm_dev_active_release(struct percpu_ref *ref)
{
	struct gm_dev *dev = container_of(ref, struct gm_dev, active);

	complete(&dev->drained);
}

/**
 * gm_dev_enter() - begin to use the operations of a device
 * @dev: the device
 *
 * Context: any.
 * Return: true if the device is there; then gm_dev_exit() must follow.
 */
bool gm_dev_enter(struct gm_dev *dev)
{
	return percpu_ref_tryget_live(&dev->active);
}

/**
 * gm_dev_exit() - end what gm_dev_enter() began
 * @dev: the device
 */
void gm_dev_exit(struct gm_dev *dev)
{
	percpu_ref_put(&dev->active);
}

/**
 * gm_dev_can_copy_from() - whether data can come from another device directly
 * @dev: the device that is to get it
 * @peer: the device that has it; its hnode is kept
 *
 * Context: may sleep; the mmap_lock and folios may be held.
 * Return: true if so.
 */
bool gm_dev_can_copy_from(struct gm_dev *dev, struct gm_dev *peer)
{
	const struct gm_mmu *mmu = dev->mmu;

	if (!mmu->can_copy_from || mmu->can_copy_from != peer->mmu->can_copy_from)
		return false;
	return !gm_dev_lost(dev) && !gm_dev_lost(peer) && mmu->can_copy_from(dev, peer);
}

static bool gm_mmu_valid(const struct gm_mmu *mmu)
{
	if (!mmu->name || !mmu->peer_map || !mmu->peer_unmap)
		return false;
	if (!(mmu->pgsize_bitmap & PAGE_SIZE))
		return false;
	return mmu->caps & GM_DEV_CAP_FAULT;
}

/* Whether some host memory can only be had by way of bounce buffers. */
static bool gm_dev_bounces(struct device *parent)
{
	return parent->dma_mask && (dma_addressing_limited(parent) ||
				    is_swiotlb_force_bounce(parent));
}

/**
 * gm_dev_create() - register an accelerator
 * @parent: the device that does the DMA. A reference is kept
 * @mmu: the driver's operations. Must stay until gm_dev_destroy() returned
 * @priv: the driver's data, for gm_dev_priv()
 *
 * The device must be ready: operations may be called before this returns.
 *
 * Context: process context, may sleep.
 * Return: the device or an ERR_PTR(): -EINVAL when a required operation or
 * capability is missing or PAGE_SIZE is not among the translation sizes,
 * -EOPNOTSUPP when DMA to @parent would need bounce buffers, -ENOMEM.
 */
struct gm_dev *gm_dev_create(struct device *parent, const struct gm_mmu *mmu,
			     void *priv)
{
	struct gm_dev *dev;
	int ret;

	if (!parent || !mmu || !gm_mmu_valid(mmu))
		return ERR_PTR(-EINVAL);
	if ((mmu->caps & GM_DEV_CAP_HOST_ACCESS) && gm_dev_bounces(parent))
		return ERR_PTR(-EOPNOTSUPP);

	dev = kzalloc_obj(*dev);
	if (!dev)
		return ERR_PTR(-ENOMEM);
	ret = ida_alloc(&gm_dev_ids, GFP_KERNEL);
	if (ret < 0)
		goto err_free;
	dev->id = ret;
	ret = percpu_ref_init(&dev->active, gm_dev_active_release, 0,
			      GFP_KERNEL);
	if (ret)
		goto err_id;

	dev->parent = get_device(parent);
	dev->mmu = mmu;
	dev->priv = priv;
	kref_init(&dev->kref);
	init_completion(&dev->drained);
	mutex_init(&dev->ctx_lock);
	INIT_LIST_HEAD(&dev->contexts);
	return dev;

err_id:
	ida_free(&gm_dev_ids, dev->id);
err_free:
	kfree(dev);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(gm_dev_create);

/**
 * gm_dev_mark_lost() - say that a device does not answer any more
 * @dev: the device
 *
 * For surprise removal. From now on copies from its memory are not tried, and
 * data that was only there is gone: gm_dev_destroy(), which must still be
 * called, poisons it. An access to it gets SIGBUS. Translations are still
 * removed with &gm_mmu.peer_unmap, which may return at once.
 *
 * Context: any.
 */
void gm_dev_mark_lost(struct gm_dev *dev)
{
	WRITE_ONCE(dev->lost, true);
}
EXPORT_SYMBOL_GPL(gm_dev_mark_lost);

/**
 * gm_dev_destroy() - unregister an accelerator
 * @dev: the device; the pointer is dead afterwards
 *
 * Waits for operations in flight, ends all contexts and brings the data home
 * from the device's memory. The driver must keep its operations working until
 * this returns. Contexts that the driver still holds must be given to
 * gm_as_detach() later as usual; until then faults on them return -ENODEV.
 *
 * Context: process context, may sleep. The caller must not hold locks that
 * its operations take, nor the mmap_lock.
 */
void gm_dev_destroy(struct gm_dev *dev)
{
	percpu_ref_kill(&dev->active);
	wait_for_completion(&dev->drained);
	gm_context_end_all(dev);
	if (dev->hnode)
		gm_dev_unregister_physmem(dev, dev->hnode->hnid);
	gm_dev_put(dev);
}
EXPORT_SYMBOL_GPL(gm_dev_destroy);

/**
 * gm_dev_priv() - the driver's data of a device
 * @dev: the device
 *
 * Return: what was given to gm_dev_create().
 */
void *gm_dev_priv(const struct gm_dev *dev)
{
	return dev->priv;
}
EXPORT_SYMBOL_GPL(gm_dev_priv);

/**
 * gm_dev_id() - a small number for messages and traces
 * @dev: the device
 *
 * Return: the number, unique among the devices that exist.
 */
unsigned int gm_dev_id(const struct gm_dev *dev)
{
	return dev->id;
}
EXPORT_SYMBOL_GPL(gm_dev_id);

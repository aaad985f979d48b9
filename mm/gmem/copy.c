// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies: pieces are collected, contiguous ones joined, and handed to the
 * driver in batches.
 *
 * Host memory is mapped for DMA only while a batch is on its way. How a device
 * reaches the memory of another one is its driver's business. An error
 * sticks: later pieces are dropped, and gm_copy_finish() returns it. Then the
 * destinations are undefined and the sources intact.
 */
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>

#include "internal.h"

/*
 * How long a device may take for one batch. A device that does not finish in
 * this time is taken for dead. Generous: QEMU's edu needs 100 ms of its time
 * for each half page, which makes 26 s for a batch of single pages.
 */
#define GM_COPY_TIMEOUT		(120 * HZ)

/**
 * gm_copy_init() - begin a copy
 * @copy: the copy
 * @hnode: the device side; the destination, if both sides are devices
 * @ext: room for GM_BATCH extents, or for as many pieces as will be added
 */
void gm_copy_init(struct gm_copy *copy, struct gm_hnode *hnode,
		  struct gm_copy_extent *ext)
{
	copy->hnode = hnode;
	copy->ext = ext;
	copy->nr = 0;
	copy->ret = 0;
	copy->peers = false;
}

static bool gm_extent_has_host(const struct gm_copy_extent *ext)
{
	return ext->op == GM_COPY_TO_DEVICE || ext->op == GM_COPY_FROM_DEVICE;
}

static enum dma_data_direction gm_copy_dir(enum gm_copy_op op)
{
	return op == GM_COPY_TO_DEVICE ? DMA_TO_DEVICE : DMA_FROM_DEVICE;
}

static void gm_copy_unmap(struct gm_copy *copy, unsigned int nr)
{
	struct device *parent = copy->hnode->dev->parent;
	unsigned int i;

	if (!gm_dma_needs_unmap(copy->hnode->dev))
		return;
	for (i = 0; i < nr; i++) {
		struct gm_copy_extent *ext = &copy->ext[i];

		if (gm_extent_has_host(ext))
			dma_unmap_phys(parent, ext->dma_addr, ext->size,
				       gm_copy_dir(ext->op), 0);
	}
}

static int gm_copy_map(struct gm_copy *copy)
{
	struct gm_copy_extent *ext, *end = copy->ext + copy->nr;
	struct device *parent = copy->hnode->dev->parent;

	if (!parent->dma_mask)
		return 0;
	for (ext = copy->ext; ext < end; ext++) {
		if (!gm_extent_has_host(ext))
			continue;
		ext->dma_addr = dma_map_phys(parent, ext->phys, ext->size,
					     gm_copy_dir(ext->op), 0);
		if (dma_mapping_error(parent, ext->dma_addr)) {
			gm_copy_unmap(copy, ext - copy->ext);
			return -EIO;
		}
	}
	return 0;
}

static int gm_copy_wait(struct gm_copy *copy, struct dma_fence *fence)
{
	long left = dma_fence_wait_timeout(fence, false, GM_COPY_TIMEOUT);
	int ret;

	/* Of a fence with a wait of its own it may be an error: that says nothing. */
	if (left <= 0) {
		ret = -ETIMEDOUT;
	} else {
		ret = dma_fence_get_status(fence);
		ret = min(ret, 0);
	}
	dma_fence_put(fence);
	return ret;
}

/*
 * What was read from a device that is lost now may be anything, and what was written
 * to one is nowhere, whatever the driver saw of it.
 */
static bool gm_copy_lost(const struct gm_copy *copy)
{
	unsigned int i;

	if (gm_dev_lost(copy->hnode->dev))
		return true;
	for (i = 0; copy->peers && i < copy->nr; i++)
		if (copy->ext[i].op == GM_COPY_FROM_PEER &&
		    gm_dev_lost(copy->ext[i].peer))
			return true;
	return false;
}

static void gm_copy_flush(struct gm_copy *copy)
{
	struct gm_dev *dev = copy->hnode->dev;
	struct dma_fence *fence = NULL;
	int ret;

	if (copy->ret || !copy->nr)
		goto out;
	if (gm_dev_lost(dev)) {
		copy->ret = -ENODEV;
		goto out;
	}
	ret = gm_copy_map(copy);
	if (!ret) {
		ret = dev->mmu->copy(dev, copy->ext, copy->nr, &fence);
		if (fence && !ret)
			ret = gm_copy_wait(copy, fence);
		else if (fence)
			dma_fence_put(fence);
		/* The engine may still be at it: nothing is taken back. */
		if (ret == -ETIMEDOUT)
			gm_dev_mark_lost(dev);
		else
			gm_copy_unmap(copy, copy->nr);
	}
	if (!ret && gm_copy_lost(copy))
		ret = -ENODEV;
	copy->ret = ret;
out:
	copy->nr = 0;
}

/**
 * gm_copy_add() - add a piece
 * @copy: the copy
 * @op: what to do
 * @dpa: device physical address
 * @phys: host physical address; ignored for GM_COPY_ZERO
 * @size: bytes
 *
 * Context: may sleep.
 */
void gm_copy_add(struct gm_copy *copy, enum gm_copy_op op, u64 dpa,
		 phys_addr_t phys, size_t size)
{
	struct gm_copy_extent *last;

	if (copy->nr) {
		last = &copy->ext[copy->nr - 1];
		if (last->op == op && last->dpa + last->size == dpa &&
		    (op == GM_COPY_ZERO || last->phys + last->size == phys)) {
			last->size += size;
			return;
		}
	}
	/* Member by member: there is one for each page, and a literal is cleared first. */
	last = &copy->ext[copy->nr++];
	last->op = op;
	last->size = size;
	last->dpa = dpa;
	last->dma_addr = DMA_MAPPING_ERROR;
	last->phys = phys;
	last->peer = NULL;
	last->peer_dpa = 0;
	if (copy->nr == GM_BATCH)
		gm_copy_flush(copy);
}

/**
 * gm_copy_add_peer() - add a piece that is on another device
 * @copy: the copy
 * @dpa: device physical address of the destination
 * @hnode: where the data is
 * @pfn: page frame number there
 * @size: bytes
 *
 * Context: may sleep.
 */
void gm_copy_add_peer(struct gm_copy *copy, u64 dpa,
		      const struct gm_hnode *hnode, unsigned long pfn,
		      size_t size)
{
	u64 peer_dpa = gm_hnode_dpa(hnode, pfn);
	struct gm_copy_extent *last;

	copy->peers = true;
	if (copy->nr) {
		last = &copy->ext[copy->nr - 1];
		if (last->op == GM_COPY_FROM_PEER && last->peer == hnode->dev &&
		    last->dpa + last->size == dpa &&
		    last->peer_dpa + last->size == peer_dpa) {
			last->size += size;
			return;
		}
	}
	copy->ext[copy->nr++] = (struct gm_copy_extent){
		.op = GM_COPY_FROM_PEER,
		.size = size,
		.dpa = dpa,
		.dma_addr = DMA_MAPPING_ERROR,
		.peer = hnode->dev,
		.peer_dpa = peer_dpa,
	};
	if (copy->nr == GM_BATCH)
		gm_copy_flush(copy);
}

/**
 * gm_copy_finish() - wait until everything that was added is done
 * @copy: the copy
 *
 * Context: may sleep.
 * Return: 0 or a negative errno. With -ETIMEDOUT the engine may still write to
 * the destinations: they must never be used for anything else.
 */
int gm_copy_finish(struct gm_copy *copy)
{
	gm_copy_flush(copy);
	if (copy->ret)
		gm_stat_add(&copy->hnode->stats, GM_STAT_COPY_FAILED, 1);
	return copy->ret;
}

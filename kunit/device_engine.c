// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine of the fake device: memcpy(), at once or some time later.
 */
#include <linux/dma-fence.h>
#include <linux/highmem.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "device_fake.h"

/**
 * struct fake_job - what the engine is to do later
 * @fence:	signals when it is done
 * @work:	does it
 * @dev:	the device
 * @nr:		how many extents
 * @ext:	the extents
 */
struct fake_job {
	struct dma_fence fence;
	struct delayed_work work;
	struct fake_dev *dev;
	unsigned int nr;
	struct gm_copy_extent ext[] __counted_by(nr);
};

static int fake_copy_peer(struct fake_dev *dev, void *vram,
			  const struct gm_copy_extent *ext)
{
	struct fake_dev *peer = gm_dev_priv(ext->peer);
	struct gm_context *ctx = dev->peer_ctx;

	fake_require(dev, dev->copies_peers);
	fake_require(dev, !ctx || !fake_snapshot(ctx, 0, TASK_SIZE_MAX).pages);
	if (!fake_in_vram(peer, ext->peer_dpa, ext->size)) {
		fake_require(dev, false);
		return -EINVAL;
	}
	if (dev->peer_vanishes) {
		gm_dev_mark_lost(ext->peer);
		memset(vram, 0xff, ext->size);
	} else {
		memcpy(vram, peer->vram + ext->peer_dpa - FAKE_VRAM_DPA,
		       ext->size);
	}
	return 0;
}

static void fake_copy_page(void *vram, phys_addr_t phys, enum gm_copy_op op)
{
	struct page *page = pfn_to_page(PHYS_PFN(phys));

	if (op == GM_COPY_ZERO)
		memset(vram, 0, PAGE_SIZE);
	else if (op == GM_COPY_TO_DEVICE)
		memcpy_from_page(vram, page, 0, PAGE_SIZE);
	else
		memcpy_to_page(page, 0, vram, PAGE_SIZE);
}

static int fake_copy_one(struct fake_dev *dev, const struct gm_copy_extent *ext)
{
	void *vram = dev->vram + ext->dpa - FAKE_VRAM_DPA;
	size_t off;

	if (!fake_in_vram(dev, ext->dpa, ext->size)) {
		fake_require(dev, false);
		return -EINVAL;
	}
	if (dev->copy_error && dev->copy_error_op & BIT(ext->op) &&
	    (!dev->copy_error_dpa || dev->copy_error_dpa - ext->dpa < ext->size))
		return dev->copy_error;
	if (ext->op == GM_COPY_FROM_PEER)
		return fake_copy_peer(dev, vram, ext);
	for (off = 0; off < ext->size; off += PAGE_SIZE)
		fake_copy_page(vram + off, ext->phys + off, ext->op);
	return 0;
}

static int fake_copy_all(struct fake_dev *dev, const struct gm_copy_extent *ext,
			 unsigned int nr)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++)
		ret = fake_copy_one(dev, &ext[i]);
	return ret;
}

static const char *fake_job_name(struct dma_fence *fence)
{
	return "gmem_fake";
}

static const struct dma_fence_ops fake_job_ops = {
	.get_driver_name = fake_job_name,
	.get_timeline_name = fake_job_name,
};

/* One that has a wait of its own, which does not work. */
static long fake_job_wait(struct dma_fence *fence, bool intr, long timeout)
{
	return -EIO;
}

static const struct dma_fence_ops fake_job_no_wait_ops = {
	.get_driver_name = fake_job_name,
	.get_timeline_name = fake_job_name,
	.wait = fake_job_wait,
};

static void fake_job_run(struct work_struct *work)
{
	struct fake_job *job = container_of(to_delayed_work(work),
					    struct fake_job, work);
	struct fake_dev *dev = job->dev;
	int ret = fake_copy_all(dev, job->ext, job->nr);

	if (ret)
		dma_fence_set_error(&job->fence, ret);
	dma_fence_signal(&job->fence);
	dma_fence_put(&job->fence);
	atomic_inc(&dev->jobs_done);
}

/* &gm_mmu.copy */
int fake_copy(struct gm_dev *gm, const struct gm_copy_extent *ext,
	      unsigned int nr, struct dma_fence **fence)
{
	struct fake_dev *dev = gm_dev_priv(gm);
	struct fake_job *job;

	if (!dev->copy_later)
		return fake_copy_all(dev, ext, nr);
	job = kzalloc_flex(*job, ext, nr);
	if (!job)
		return -ENOMEM;
	job->dev = dev;
	job->nr = nr;
	memcpy(job->ext, ext, flex_array_size(job, ext, nr));
	dma_fence_init(&job->fence,
		       dev->no_wait ? &fake_job_no_wait_ops : &fake_job_ops,
		       NULL, dma_fence_context_alloc(1), 1);
	INIT_DELAYED_WORK(&job->work, fake_job_run);
	*fence = dma_fence_get(&job->fence);
	atomic_inc(&dev->jobs);
	schedule_delayed_work(&job->work, msecs_to_jiffies(FAKE_JOB_MS));
	return 0;
}

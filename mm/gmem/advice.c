// SPDX-License-Identifier: GPL-2.0-only
/*
 * Advice: acts on a hint, block by block, and says how far it got.
 *
 * A page that cannot be moved is not an error: the hint was taken. What ends a
 * hint early is a hole in the range, a signal, a full hnode, or lack of memory;
 * if that is before anything was done it becomes the error.
 */
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/nodemask.h>
#include <linux/sched/signal.h>
#include <uapi/linux/gmem.h>

#include "advice.h"
#include "hint.h"
#include "internal.h"

/**
 * struct gm_walk - a hint on its way through a range
 * @hint:	the hint
 * @as:		address space, or NULL if the process has none
 * @dev:	the hnode's device, referenced, for a prefetch to it
 * @scratch:	working memory
 * @at:		how far it got
 */
struct gm_walk {
	const struct gm_hint *hint;
	struct gm_as *as;
	struct gm_dev *dev;
	struct gm_scratch *scratch;
	unsigned long at;
};

/*
 * The part of the block at walk->at that one VMA covers.
 *
 * Return: the VMA with the mmap_lock held, or an ERR_PTR() without it: -ENOMEM
 * for a hole, -EINTR.
 */
static struct vm_area_struct *gm_walk_lock(struct gm_walk *walk,
					   unsigned long *end)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;

	if (mmap_read_lock_killable(mm))
		return ERR_PTR(-EINTR);
	vma = vma_lookup(mm, walk->at);
	if (!vma) {
		mmap_read_unlock(mm);
		return ERR_PTR(-ENOMEM);
	}
	*end = min3(ALIGN_DOWN(walk->at, GM_BLOCK_SIZE) + GM_BLOCK_SIZE,
		    vma->vm_end, walk->hint->end);
	return vma;
}

/* Brings one block home. */
static int gm_advise_home(struct gm_walk *walk, unsigned long *end)
{
	struct vm_area_struct *vma = gm_walk_lock(walk, end);
	int ret;

	if (IS_ERR(vma))
		return PTR_ERR(vma);
	/* Memory of a kind that is never on a device is home already. */
	ret = gm_vma_usable(vma) ? gm_migrate_home(vma, walk->at, *end, NULL,
						   walk->scratch) : 0;
	mmap_read_unlock(current->mm);
	return !ret || ret == -EINVAL ? 0 : -EIO;
}

/* Whether a part of the block is recorded to be in the device's memory. */
static bool gm_is_on_device(struct gm_as *as, const struct gm_request *req,
			    const struct gm_hnode *hnode)
{
	unsigned long at = PHYS_PFN(req->start), end = PHYS_PFN(req->end);
	struct gm_lpt_run run;

	while (at < end && gm_lpt_find(&as->lpt, at, end, &run)) {
		if (run.state.res == gm_hnode_res(hnode))
			return true;
		at = run.end;
	}
	return false;
}

static int gm_why_no_context(struct gm_dev *dev)
{
	if (!gm_dev_enter(dev))
		return -ENODEV;
	gm_dev_exit(dev);
	return -ESRCH;
}

/*
 * Any context of the device will do: when one ends while it is used, another one
 * takes its place, at most once for each that there can be.
 */
static int gm_advise_resolve(struct gm_walk *walk, struct gm_request *req)
{
	const unsigned long start = req->start, end = req->end;
	unsigned int i;
	int ret;

	for (i = 0; i < GM_LPT_MAX_CTX; i++) {
		req->start = start;
		req->end = end;
		req->ctx = gm_context_find(walk->as, walk->dev);
		if (!req->ctx)
			return gm_why_no_context(walk->dev);
		ret = gm_resolve(req);
		gm_context_put(req->ctx);
		if (ret != -ENODEV)
			return ret;
	}
	return -ENODEV;
}

/* Moves one block to the device and maps it there. */
static int gm_advise_to_device(struct gm_walk *walk, unsigned long *end)
{
	struct vm_area_struct *vma = gm_walk_lock(walk, end);
	struct gm_request req = {
		.start = walk->at,
		.va = GM_NO_VA,
	};
	struct gm_hnode *hnode;
	int ret;

	if (IS_ERR(vma))
		return PTR_ERR(vma);
	mmap_read_unlock(current->mm);
	req.end = *end;
	ret = gm_advise_resolve(walk, &req);
	/* Unmapped meanwhile, or nothing that a device can use: no error. */
	if (ret == -EFAULT)
		ret = 0;
	if (ret || req.moved)
		return ret;

	guard(srcu)(&gm_hnode_srcu);
	hnode = READ_ONCE(walk->dev->hnode);
	if (!hnode || READ_ONCE(hnode->used) < hnode->nr_pages)
		return 0;
	return gm_is_on_device(walk->as, &req, hnode) ? 0 : -ENOSPC;
}

/* Drops the contents up to the end of the VMA. */
static int gm_advise_discard(struct gm_walk *walk, unsigned long *end)
{
	struct vm_area_struct *vma = gm_walk_lock(walk, end);
	bool ok;

	if (IS_ERR(vma))
		return PTR_ERR(vma);
	ok = vma_is_anonymous(vma);
	*end = min(vma->vm_end, walk->hint->end);
	mmap_read_unlock(current->mm);
	if (!ok)
		return -EINVAL;
	/* Knows sealed, locked and watched memory. */
	return do_madvise(current->mm, walk->at, *end - walk->at,
			  MADV_DONTNEED);
}

static long gm_walk_range(struct gm_walk *walk,
			  int (*fn)(struct gm_walk *walk, unsigned long *end))
{
	const struct gm_hint *hint = walk->hint;
	unsigned long end;
	int ret = 0;

	for (walk->at = hint->start; walk->at < hint->end; walk->at = end) {
		if (task_sigpending(current)) {
			ret = -EINTR;
			break;
		}
		ret = fn(walk, &end);
		if (ret)
			break;
		cond_resched();
	}
	return walk->at - hint->start ?: ret;
}

/* Said before anything about the range. */
static int gm_check_attached(struct gm_walk *walk)
{
	struct gm_context *ctx = NULL;

	if (walk->as)
		ctx = gm_context_find(walk->as, walk->dev);
	if (!ctx)
		return gm_why_no_context(walk->dev);
	gm_context_put(ctx);
	return 0;
}

static long gm_prefetch_to_device(struct gm_walk *walk)
{
	struct gm_dev *dev = gm_hnode_dev(walk->hint->hnid);
	long ret;

	if (!dev)
		return -ENODEV;
	gm_dev_get(dev);
	gm_dev_exit(dev);
	walk->dev = dev;
	ret = gm_check_attached(walk);
	if (!ret)
		ret = gm_walk_range(walk, gm_advise_to_device);
	gm_dev_put(dev);
	return ret;
}

static long gm_prefetch_home(struct gm_walk *walk)
{
	long ret;

	walk->scratch = kvmalloc_obj(*walk->scratch, GFP_KERNEL_ACCOUNT);
	if (!walk->scratch)
		return -ENOMEM;
	ret = gm_walk_range(walk, gm_advise_home);
	kvfree(walk->scratch);
	return ret;
}

static bool gm_is_host_node(int node)
{
	if (node == HMADV_NODE_ANY)
		return true;
	return node < MAX_NUMNODES && node_state(node, N_MEMORY);
}

/**
 * gm_advise() - act on a hint of the current process
 * @hint: the hint, checked
 *
 * Context: process context, may sleep.
 * Return: bytes processed, or a negative errno.
 */
long gm_advise(const struct gm_hint *hint)
{
	struct gm_walk walk = { .hint = hint };
	long ret;

	walk.as = gm_as_find(current->mm);
	if (hint->advice == HMADV_DISCARD)
		ret = gm_walk_range(&walk, gm_advise_discard);
	else if (gm_is_host_node(hint->hnid))
		ret = gm_prefetch_home(&walk);
	else
		ret = gm_prefetch_to_device(&walk);
	if (walk.as)
		gm_as_put(walk.as);
	return ret;
}

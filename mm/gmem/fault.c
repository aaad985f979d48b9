// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device faults: policy.
 *
 * find the VMA -> choose the range -> bring the data where it is wanted ->
 * map what there is. Moving is best effort and its failure is not an error: what
 * does not move is mapped in place. Only the last step can fail the fault.
 *
 * One fault at a time works on a block of GM_BLOCK_SIZE of an address space, so
 * that threads of a device that touch the same memory do not undo each other's
 * migration; the others wait, and find the work done.
 */
#include <linux/export.h>
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/secretmem.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "internal.h"
#include "trace.h"

/*
 * How often data that is in the way may be moved out of it in one fault: two
 * devices that want the same page take turns, and each gets on.
 */
#define GM_RESOLVE_TRIES	4

/* Faults that it takes to come home, to split a huge page and to copy. */
#define GM_UNSHARE_FAULTS	3

static struct mutex *gm_block_lock(struct gm_as *as, unsigned long va)
{
	return &as->block_lock[hash_long(va >> GM_BLOCK_SHIFT,
					 ilog2(GM_BLOCK_LOCKS))];
}

/*
 * Cuts the range to what is not yet in the device's memory around the needed
 * address. What is there already must not be disturbed by a migration of its
 * neighbours.
 *
 * Return: false if nothing is left to move.
 */
static bool gm_range_to_move(const struct gm_request *req, u16 res,
			     unsigned long *start, unsigned long *end)
{
	unsigned long first = PHYS_PFN(req->start), last = PHYS_PFN(req->end);
	unsigned long at = first, need = PHYS_PFN(req->va);
	struct gm_lpt *lpt = &req->ctx->as->lpt;
	struct gm_lpt_run run;

	*start = req->start;
	*end = req->end;
	while (at < last && gm_lpt_find(lpt, at, last, &run)) {
		gm_lpt_run_clip(&run, at, last);
		at = run.end;
		if (run.state.res != res || run.state.flags & GM_LPT_INEXACT)
			continue;
		if (req->va == GM_NO_VA) {
			/* A hint moves everything, in whole blocks. */
			if (run.start == first && run.end == last)
				return false;
			continue;
		}
		if (need >= run.start && need < run.end)
			return false;
		if (run.end <= need) {
			*start = run.end << PAGE_SHIFT;
		} else {
			*end = run.start << PAGE_SHIFT;
			break;
		}
	}
	return true;
}

/* Whether something in the range is recorded to be on another device. */
static bool gm_range_is_remote(const struct gm_request *req, u16 res)
{
	unsigned long at = PHYS_PFN(req->start), last = PHYS_PFN(req->end);
	struct gm_lpt_run run;

	while (at < last &&
	       gm_lpt_find(&req->ctx->as->lpt, at, last, &run)) {
		if (run.state.res > GM_LPT_HOST && run.state.res != res)
			return true;
		at = run.end;
	}
	return false;
}

/* Brings the data to the device if that is wanted and possible. */
static void gm_move(struct gm_request *req, struct vm_area_struct *vma)
{
	struct gm_hnode *hnode;
	unsigned long start, end;
	int ret;

	guard(srcu)(&gm_hnode_srcu);
	/* Pairs with the release in gm_dev_register_physmem(). */
	hnode = smp_load_acquire(&req->ctx->dev->hnode);
	if (!hnode || req->placement == GM_PLACE_HOST)
		return;
	if (!gm_range_to_move(req, gm_hnode_res(hnode), &start, &end))
		return;
	if (gm_range_is_remote(req, gm_hnode_res(hnode)))
		gm_migrate_home(vma, req->start, req->end, req->scratch);
	ret = gm_migrate_to_device(req->ctx, vma, start, end, req->va,
				   req->scratch);
	if (ret > 0)
		req->moved += ret;
}

/*
 * Gives the process a copy of its own of a page that it shares copy-on-write
 * and wants to write. hmm_range_fault() does not do that to a page that is on
 * one of our devices.
 */
static int gm_unshare(struct vm_area_struct *vma, unsigned long va)
{
	unsigned int i;

	for (i = 0; i < GM_UNSHARE_FAULTS; i++)
		if (handle_mm_fault(vma, va, FAULT_FLAG_WRITE |
				    FAULT_FLAG_REMOTE, NULL) & VM_FAULT_ERROR)
			return -EFAULT;
	return 0;
}

/*
 * Moves what an earlier round found in the way.
 *
 * @why: what gm_map_range() said then, or 0
 */
static int gm_clear_way(struct gm_request *req, struct vm_area_struct *vma,
			int why)
{
	if (why == -EMLINK)
		return gm_unshare(vma, req->va);
	if (why == -EREMOTE)
		gm_migrate_home(vma, req->start, req->end, req->scratch);
	return 0;
}

/**
 * gm_vma_usable() - whether a device may ever use the memory of a VMA
 * @vma: the VMA
 *
 * Secret memory and shadow stacks are for nobody but their owner's CPUs; the
 * first even the kernel cannot reach. What has no struct pages cannot be mapped or moved.
 *
 * Return: true if it may.
 */
bool gm_vma_usable(struct vm_area_struct *vma)
{
	return !vma_is_secretmem(vma) &&
	       !(vma->vm_flags & (VM_IO | VM_PFNMAP | VM_SHADOW_STACK));
}

/*
 * A migration met a change of the same page and left a record that is wrong, or
 * the page cannot be moved. Look again at the next fault.
 */
static void gm_doubt_record(const struct gm_request *req)
{
	const struct gm_lpt_change inexact = { .flags_set = GM_LPT_INEXACT };
	struct gm_lpt *lpt = &req->ctx->as->lpt;
	unsigned long at = PHYS_PFN(req->start), done;
	struct gm_lpt_run run;

	if (!gm_lpt_find(lpt, at, PHYS_PFN(req->end), &run))
		return;
	if (gm_lpt_modify(lpt, at, PHYS_PFN(req->end), &inexact, GFP_KERNEL,
			  &done))
		gm_lpt_modify_coarse(lpt, run.start, &inexact, &run);
}

static bool gm_vma_allows(const struct vm_area_struct *vma, u32 access)
{
	if ((access & GM_PROT_READ) && !(vma->vm_flags & VM_READ))
		return false;
	return !(access & GM_PROT_WRITE) || (vma->vm_flags & VM_WRITE);
}

/* One round: find the VMA, cut the range to it, move, map. */
static int gm_resolve_once(struct gm_request *req, int why)
{
	struct gm_context *ctx = req->ctx;
	struct mm_struct *mm = ctx->as->mm;
	unsigned long at = req->va == GM_NO_VA ? req->start : req->va;
	struct vm_area_struct *vma;
	int ret;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = vma_lookup(mm, at);
	if (!vma || !gm_vma_usable(vma) || !gm_vma_allows(vma, req->access)) {
		mmap_read_unlock(mm);
		return -EFAULT;
	}
	req->start = max(req->start, vma->vm_start);
	req->end = min(req->end, vma->vm_end);
	ret = gm_clear_way(req, vma, why);
	if (!ret)
		gm_move(req, vma);
	mmap_read_unlock(mm);
	if (ret)
		return ret;

	if (ctx->dev->mmu->map_prepare) {
		ret = ctx->dev->mmu->map_prepare(ctx, req->start,
						 req->end - req->start);
		if (ret)
			return ret;
	}
	ret = gm_map_range(req);
	if (ret == -EOPNOTSUPP)
		gm_doubt_record(req);
	/* Nobody needs to know that a hint met what this device cannot use. */
	if (req->va == GM_NO_VA && (ret == -EREMOTE || ret == -EOPNOTSUPP))
		ret = 0;
	return ret;
}

/**
 * gm_resolve() - make a part of a block usable for a device
 * @req: ctx, start, end, va, access and placement are read; the rest is set
 *
 * Context: process context, may sleep and allocate. The context is in use, the
 * mm's users are held.
 * Return: as gm_dev_fault().
 */
int gm_resolve(struct gm_request *req)
{
	unsigned long start = req->start, end = req->end;
	struct gm_as *as = req->ctx->as;
	struct mutex *lock = gm_block_lock(as, start);
	int ret = 0, tries;

	if (mutex_lock_interruptible(lock))
		return -EINTR;
	req->scratch = gm_scratch_get(as);
	if (!req->scratch) {
		mutex_unlock(lock);
		return -ENOMEM;
	}

	for (tries = 0; tries < GM_RESOLVE_TRIES; tries++) {
		req->start = start;
		req->end = end;
		ret = gm_resolve_once(req, ret);
		if (ret != -EREMOTE && ret != -EMLINK)
			break;
		req->retries++;
	}
	gm_scratch_put(as, req->scratch);
	mutex_unlock(lock);
	return ret == -EREMOTE || ret == -EMLINK ? -EAGAIN : ret;
}

static void gm_fault_count(struct gm_context *ctx, const struct gm_fault *fault)
{
	static const enum gm_stat by_outcome[] = {
		[GM_FAULT_NONE] = GM_STAT_FAULTS_FAILED,
		[GM_FAULT_MIGRATED] = GM_STAT_FAULTS_MIGRATED,
		[GM_FAULT_LOCAL] = GM_STAT_FAULTS_LOCAL,
		[GM_FAULT_INPLACE] = GM_STAT_FAULTS_INPLACE,
	};
	struct gm_hnode *hnode;

	gm_stat_add(&ctx->as->stats, GM_STAT_FAULTS, 1);
	gm_stat_add(&ctx->as->stats, by_outcome[fault->outcome], 1);
	guard(srcu)(&gm_hnode_srcu);
	hnode = READ_ONCE(ctx->dev->hnode);
	if (hnode) {
		gm_stat_add(&hnode->stats, GM_STAT_FAULTS, 1);
		gm_stat_add(&hnode->stats, by_outcome[fault->outcome], 1);
	}
}

static int gm_fault_one(struct gm_context *ctx, struct gm_fault *fault)
{
	struct gm_as *as = ctx->as;
	unsigned long block = ALIGN_DOWN(fault->va, GM_BLOCK_SIZE);
	struct gm_request req = {
		.ctx = ctx,
		.start = max(block, as->start),
		.end = min(block + GM_BLOCK_SIZE, as->end),
		.va = fault->va,
		.access = fault->access,
		.placement = fault->placement,
	};
	int ret;

	fault->outcome = GM_FAULT_NONE;
	fault->start = fault->va & PAGE_MASK;
	fault->end = fault->start;
	if (!fault->access || fault->access & ~(GM_PROT_READ | GM_PROT_WRITE))
		return -EINVAL;
	if (fault->va < as->start || fault->va >= as->end)
		return -EFAULT;

	ret = gm_resolve(&req);
	if (!ret) {
		fault->outcome = req.outcome;
		if (req.moved && req.outcome == GM_FAULT_LOCAL)
			fault->outcome = GM_FAULT_MIGRATED;
		fault->start = req.seg_start;
		fault->end = req.seg_end;
	}
	fault->ret = ret;
	gm_fault_count(ctx, fault);
	if (req.retries)
		gm_stat_add(&as->stats, GM_STAT_RETRIES, req.retries);
	trace_gm_fault(ctx, fault, req.retries);
	return ret;
}

/**
 * gm_dev_fault() - resolve a device fault
 * @ctx: the context that faulted
 * @fault: what is wanted; the out fields are set
 *
 * Moves the data to the device's memory if the placement says so and it can be
 * moved, and installs translations for it and what is around it. A translation
 * may vanish again before this returns: the device simply faults again.
 *
 * Context: process context of any process, may sleep and allocate. The caller
 * must not hold the mmap_lock or a lock that its own operations take.
 * Return: 0, or a negative errno, also in gm_fault.ret:
 *
 * * -EFAULT: no mapping there, or not with this access
 * * -EAGAIN: the range kept changing; try again later
 * * -EINTR: a signal is pending
 * * -ENODEV: the device or the context is going away
 * * -ESRCH: the process is gone
 * * -EOPNOTSUPP: the data cannot move and the device cannot reach it in place
 * * -ENOMEM, -EINVAL, or what &gm_mmu.map_prepare or &gm_mmu.peer_map said
 */
int gm_dev_fault(struct gm_context *ctx, struct gm_fault *fault)
{
	return gm_dev_fault_batch(ctx, fault, 1);
}
EXPORT_SYMBOL_GPL(gm_dev_fault);

/* Whether an earlier fault of the batch did what this one wants. */
static bool gm_fault_covered(const struct gm_fault *done,
			     const struct gm_fault *fault)
{
	return !done->ret && fault->va >= done->start &&
	       fault->va < done->end && !(fault->access & ~done->access) &&
	       fault->placement == done->placement;
}

/**
 * gm_dev_fault_batch() - resolve several device faults of one context
 * @ctx: the context that faulted
 * @faults: what is wanted; the out fields of each are set
 * @nr: how many
 *
 * Sorted by address is best: faults that an earlier one has covered cost
 * nothing.
 *
 * Context: as gm_dev_fault().
 * Return: 0, or the first error; every fault was tried and has its own in
 * gm_fault.ret, except after -EINTR, -ENODEV and -ESRCH, which all the rest get.
 */
int gm_dev_fault_batch(struct gm_context *ctx, struct gm_fault *faults,
		       unsigned int nr)
{
	struct mm_struct *mm = ctx->as->mm;
	int ret = 0, fatal = 0;
	unsigned int i;

	if (!gm_context_tryuse(ctx)) {
		fatal = -ENODEV;
	} else if (!mmget_not_zero(mm)) {
		gm_context_unuse(ctx);
		fatal = -ESRCH;
	}
	for (i = 0; i < nr; i++) {
		struct gm_fault *fault = &faults[i];

		fault->ret = fatal;
		fault->outcome = GM_FAULT_NONE;
		if (!fatal && i && gm_fault_covered(fault - 1, fault)) {
			fault->outcome = fault[-1].outcome;
			fault->start = fault[-1].start;
			fault->end = fault[-1].end;
		} else if (!fatal) {
			fault->ret = gm_fault_one(ctx, fault);
			if (fault->ret == -EINTR || fault->ret == -ENODEV ||
			    fault->ret == -ESRCH) {
				fatal = fault->ret;
				mmput(mm);
				gm_context_unuse(ctx);
			}
		}
		ret = ret ?: fault->ret;
	}
	if (!fatal) {
		mmput(mm);
		gm_context_unuse(ctx);
	}
	return ret;
}
EXPORT_SYMBOL_GPL(gm_dev_fault_batch);

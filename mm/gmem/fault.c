// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device faults: policy.
 *
 * find the VMA -> choose the range -> bring the data where it is wanted ->
 * map what there is. Moving is best effort and its failure is not an error: what
 * does not move is mapped in place. Only the last step can fail the fault.
 *
 * When the CPU itself would fault on the page, the CPU's fault is taken first, on
 * the device's behalf. It may have to wait for a file system or for a program that
 * handles it (userfaultfd), and so for ever: neither a lock nor the context is held
 * meanwhile, and the device can go away. The mmap_lock, too, can be held up by a
 * program for as long as it likes; and so can the lock of a block, by a fault that
 * waits for the mmap_lock; and so can a moment without an invalidation, by threads
 * that keep causing them. All are waited for without the context, or an unprivileged
 * program could keep a device from being unbound.
 *
 * One fault at a time works on a block of GM_BLOCK_SIZE of an address space, so
 * that threads of a device that touch the same memory do not undo each other's
 * migration; the others wait, and find the work done.
 */
#include <linux/export.h>
#include <linux/hash.h>
#include <linux/hmm.h>
#include <linux/hugetlb.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/secretmem.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/userfaultfd_k.h>

#include "internal.h"
#include "trace.h"

/*
 * How often data that is in the way may be moved out of it in one fault: two
 * devices that want the same page take turns, and each gets on.
 */
#define GM_RESOLVE_TRIES	4

/* CPU faults that it takes to come home, to split a huge page and to copy. */
#define GM_CPU_FAULTS		3

/* How often a page may go away again after the CPU's fault brought it. */
#define GM_FAULT_TRIES		16

/*
 * Cuts the range to what is not yet in the device's memory around the needed
 * address. What is there already must not be disturbed by a migration of its
 * neighbours; nor is what lies before mapped again if all of it is.
 *
 * Return: false if nothing is left to move.
 */
static bool gm_range_to_move(struct gm_request *req, u16 res,
			     unsigned long *start, unsigned long *end)
{
	unsigned long first = PHYS_PFN(req->start), last = PHYS_PFN(req->end);
	unsigned long at = first, need = PHYS_PFN(req->va);
	struct gm_lpt *lpt = &req->ctx->as->lpt;
	unsigned long mapped = 0;
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
			if (run.state.mapped & BIT_ULL(req->ctx->id))
				mapped += run.end - run.start;
		} else {
			*end = run.start << PAGE_SHIFT;
			break;
		}
	}
	if (req->va == GM_NO_VA)
		return true;
	if (mapped == PHYS_PFN(*start) - first)
		req->start = *start;
	return gm_exclusive_cut(req->ctx, req->va, start, end);
}

/* Where the data of a range is that is neither here nor on the host. */
enum gm_remote {
	GM_REMOTE_NONE,
	GM_REMOTE_DIRECT,	/* on devices that this one can copy from */
	GM_REMOTE_AWAY,		/* it must come home first */
};

static enum gm_remote gm_range_remote(const struct gm_request *req, u16 res,
				      unsigned long start, unsigned long end)
{
	unsigned long at = PHYS_PFN(start), last = PHYS_PFN(end);
	enum gm_remote remote = GM_REMOTE_NONE;
	struct gm_lpt_run run;

	while (at < last &&
	       gm_lpt_find(&req->ctx->as->lpt, at, last, &run)) {
		struct gm_hnode *peer;

		at = run.end;
		if (run.state.res <= GM_LPT_HOST || run.state.res == res)
			continue;
		peer = gm_hnode_of_res(run.state.res);
		if (!peer || !gm_dev_can_copy_from(req->ctx->dev, peer->dev))
			return GM_REMOTE_AWAY;
		remote = GM_REMOTE_DIRECT;
	}
	return remote;
}

/*
 * Moves a part of the range to the device: what is on another one directly if
 * that is possible, else by way of the host.
 */
static int gm_bring(struct gm_request *req, struct vm_area_struct *vma,
		    const struct gm_hnode *hnode, unsigned long start,
		    unsigned long end, enum gm_remote remote)
{
	bool left = true;
	int ret;

	if (remote == GM_REMOTE_DIRECT) {
		ret = gm_migrate_to_device(req->ctx, vma, start, end, req->va,
					   req->scratch, &left);
		if (!left)
			return ret;
		req->moved += max(ret, 0);
	}
	if (remote != GM_REMOTE_NONE)
		gm_migrate_home(vma, start, end, hnode, req->scratch);
	return gm_migrate_to_device(req->ctx, vma, start, end, req->va,
				    req->scratch, NULL);
}

/*
 * Brings the data to the device if that is wanted and possible.
 *
 * @found: a page was found on another device, whatever the record says
 */
static void gm_move(struct gm_request *req, struct vm_area_struct *vma,
		    bool found)
{
	unsigned long start = req->start, end = req->end;
	enum gm_remote remote = GM_REMOTE_AWAY;
	struct gm_hnode *hnode;
	int ret;

	guard(srcu)(&gm_hnode_srcu);
	/* Pairs with the release in gm_dev_register_physmem(). */
	hnode = smp_load_acquire(&req->ctx->dev->hnode);
	if (!hnode || req->placement == GM_PLACE_HOST || req->uffd_wp) {
		if (found)
			gm_migrate_home(vma, start, end, NULL, req->scratch);
		return;
	}
	if (!found) {
		if (!gm_range_to_move(req, gm_hnode_res(hnode), &start, &end))
			return;
		remote = gm_range_remote(req, gm_hnode_res(hnode), start, end);
	} else if (req->ctx->dev->mmu->can_copy_from) {
		remote = GM_REMOTE_DIRECT;
	}
	ret = gm_bring(req, vma, hnode, start, end, remote);
	if (ret <= 0)
		return;
	req->moved += ret;
	/* A hint moves what nobody may read just now, but maps it for nobody. */
	req->known = ret == PHYS_PFN(req->end - req->start) &&
		     (vma->vm_flags & VM_READ);
	req->whole = req->known &&
		     hmm_pfn_to_map_order(req->scratch->pfns[0]) >= GM_BLOCK_ORDER;
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

/**
 * gm_doubt_record() - mark a record as one to be verified
 * @as: address space
 * @start: first page
 * @end: end, exclusive
 *
 * Context: may sleep and allocate.
 */
void gm_doubt_record(struct gm_as *as, unsigned long start, unsigned long end)
{
	const struct gm_lpt_change inexact = { .flags_set = GM_LPT_INEXACT };
	unsigned long done = start;
	struct gm_lpt_run run;

	if (!gm_lpt_find(&as->lpt, start, end, &run) ||
	    !gm_lpt_modify(&as->lpt, start, end, &inexact, GFP_KERNEL, &done))
		return;
	while (gm_lpt_find(&as->lpt, done, end, &run)) {
		gm_lpt_modify_coarse(&as->lpt, run.start, &inexact, &run);
		done = run.end;
	}
}

static bool gm_vma_allows(const struct vm_area_struct *vma, u32 access)
{
	if ((access & GM_PROT_READ) && !(vma->vm_flags & VM_READ))
		return false;
	return !(access & GM_PROT_WRITE) || (vma->vm_flags & VM_WRITE);
}

/**
 * gm_request_rest() - let the context go, for a request under way
 * @req: the request
 *
 * Before a wait that a program can draw out. The context may end meanwhile.
 */
void gm_request_rest(struct gm_request *req)
{
	if (req->using)
		gm_context_unuse(req->ctx);
	req->using = false;
}

/**
 * gm_request_go_on() - use the context, or use it again
 * @req: the request, which does not use it now
 *
 * Return: 0, or -ENODEV when the context has ended.
 */
int gm_request_go_on(struct gm_request *req)
{
	req->using = gm_context_tryuse(req->ctx);
	return req->using ? 0 : -ENODEV;
}

/**
 * gm_request_sample() - what is read from now on counts, for a request under way
 * @req: the request, with its context in use or not
 *
 * An invalidation under way is over soon, but the next ones may have begun by then:
 * a moment without any in the whole process may never come. So the context is not
 * used meanwhile, as in gm_request_lock().
 *
 * Context: may sleep. Neither the mmap_lock nor gm_hnode_srcu is held.
 * Return: 0, then the context is in use; or -ENODEV, then it is not.
 */
int gm_request_sample(struct gm_request *req)
{
	gm_request_rest(req);
	gm_flight_sample(&req->flight);
	return gm_request_go_on(req);
}

/**
 * gm_request_lock() - take the mmap_lock for reading, for a request under way
 * @req: the request, with its context in use
 *
 * When the lock has to be waited for, the context is not used meanwhile, and may
 * end. What the request has begun stays: what is left of a context that has ended
 * is marked dead, and no operation of its driver is called.
 *
 * Context: may sleep. gm_hnode_srcu is not held.
 * Return: 0; -EINTR or -ENODEV, then neither is the lock held nor the context in
 * use.
 */
int gm_request_lock(struct gm_request *req)
{
	struct mm_struct *mm = req->ctx->as->mm;
	int ret;

	if (mmap_read_trylock(mm))
		return 0;
	gm_request_rest(req);
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	ret = gm_request_go_on(req);
	if (ret)
		mmap_read_unlock(mm);
	return ret;
}

/*
 * Whether the page table may have something in a block. A hint about memory that was
 * never touched must not make the device's page table grow: addresses cost nothing.
 */
static bool gm_block_is_touched(struct vm_area_struct *vma, unsigned long va)
{
	pgd_t *pgd = pgd_offset(vma->vm_mm, va);
	p4d_t *p4d;
	pud_t *pud, entry;

	mmap_assert_locked(vma->vm_mm);
	/* Its tables are shared and have locks of their own. */
	if (is_vm_hugetlb_page(vma))
		return true;
	if (pgd_none(pgdp_get(pgd)))
		return false;
	p4d = p4d_offset(pgd, va);
	if (p4d_none(p4dp_get(p4d)))
		return false;
	pud = pud_offset(p4d, va);
	entry = pudp_get(pud);
	if (pud_none(entry))
		return false;
	/* A huge one is no table, and can go at any moment. */
	return pud_leaf(entry) ||
	       !pmd_none(pmdp_get_lockless(pmd_offset_lockless(pud, entry,
							       va)));
}

/*
 * One round: find the VMA, cut the range to it, move, map.
 *
 * @remote: the page was found on another device, whatever the record says
 */
static int gm_resolve_once(struct gm_request *req, bool remote)
{
	struct gm_context *ctx = req->ctx;
	struct mm_struct *mm = ctx->as->mm;
	unsigned long at = req->va == GM_NO_VA ? req->start : req->va;
	struct vm_area_struct *vma;
	int ret;

	req->known = false;
	req->alone = false;
	ret = gm_request_sample(req) ?: gm_request_lock(req);
	if (ret)
		return ret;
	vma = vma_lookup(mm, at);
	if (!vma || !gm_vma_usable(vma) || !gm_vma_allows(vma, req->access)) {
		mmap_read_unlock(mm);
		return -EFAULT;
	}
	if (req->va == GM_NO_VA && !gm_block_is_touched(vma, req->start)) {
		mmap_read_unlock(mm);
		return 0;
	}
	req->start = max(req->start, vma->vm_start);
	req->end = min(req->end, vma->vm_end);
	if (req->access & GM_PROT_ATOMIC) {
		ret = gm_exclusive_check(req, vma);
		if (ret) {
			mmap_read_unlock(mm);
			return ret;
		}
	}
	req->uffd_wp = userfaultfd_wp(vma);
	gm_move(req, vma, remote);
	if (!req->known)
		ret = gm_map_look(req);
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
	/*
	 * A migration met a change of the same page and left a record that is wrong,
	 * or the page cannot be moved. The next fault looks again.
	 */
	if (ret == -EOPNOTSUPP)
		gm_doubt_record(ctx->as, PHYS_PFN(req->start),
				PHYS_PFN(req->end));
	/* Nobody needs to know that a hint met what this device cannot use. */
	if (req->va == GM_NO_VA && (ret == -EREMOTE || ret == -EOPNOTSUPP))
		ret = 0;
	return ret;
}

/* Tries to make a part of a block usable, whose lock is held. */
static int gm_resolve_locked(struct gm_request *req)
{
	unsigned long start = req->start, end = req->end;
	struct gm_as *as = req->ctx->as;
	int ret, tries;

	ret = gm_exclusive_again(req);
	if (ret != -ENOENT)
		return ret;
	req->scratch = gm_scratch_get(as);
	if (!req->scratch)
		return -ENOMEM;
	ret = gm_flight_begin(&req->flight, req->ctx, start, end);
	if (ret)
		goto out;

	for (tries = 0; tries < GM_RESOLVE_TRIES; tries++) {
		req->start = start;
		req->end = end;
		ret = gm_resolve_once(req, ret == -EREMOTE);
		if (ret != -EREMOTE)
			break;
		req->retries++;
	}
	gm_request_rest(req);
	gm_flight_end(&req->flight);
out:
	gm_scratch_put(as, req->scratch);
	return ret == -EREMOTE ? -EAGAIN : ret;
}

/**
 * gm_resolve() - make a part of a block usable for a device
 * @req: ctx, start, end, va, access and placement are read; the rest is set
 *
 * Uses the context only while nobody has to be waited for.
 *
 * Context: process context, may sleep and allocate. The context is kept as memory
 * but not in use; the mm's users are held.
 * Return: as gm_dev_fault(); or -ENOENT when the CPU must fault first.
 */
int gm_resolve(struct gm_request *req)
{
	struct mutex *lock = &req->ctx->as->block_lock[gm_block_slot(req->start)];
	int ret;

	if (mutex_lock_killable(lock))
		return -EINTR;
	ret = gm_resolve_locked(req);
	gm_request_rest(req);
	mutex_unlock(lock);
	return ret;
}

/* Brings the needed page home, so that the CPU's fault need not. */
static void gm_bring_home_alone(struct gm_request *req,
				struct vm_area_struct *vma)
{
	unsigned long va = req->va & PAGE_MASK;
	struct gm_as *as = req->ctx->as;
	struct gm_scratch *scratch = gm_scratch_get(as);

	if (scratch)
		gm_migrate_home(vma, va, va + PAGE_SIZE, NULL, scratch);
	gm_scratch_put(as, scratch);
	req->alone = false;
}

/*
 * Takes the CPU's fault on the needed address.
 *
 * Return: 0 when somebody did; -EINTR, -EFAULT, -ENOMEM, or -EIO for lost data.
 */
static int gm_cpu_fault_once(struct gm_request *req)
{
	struct mm_struct *mm = req->ctx->as->mm;
	unsigned long va = req->va;
	u32 access = req->access;
	unsigned int flags = FAULT_FLAG_REMOTE | FAULT_FLAG_ALLOW_RETRY |
			     FAULT_FLAG_KILLABLE | FAULT_FLAG_INTERRUPTIBLE;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	if (access & GM_PROT_WRITE)
		flags |= FAULT_FLAG_WRITE;
	do {
		if (signal_pending(current) || mmap_read_lock_killable(mm))
			return -EINTR;
		vma = vma_lookup(mm, va);
		if (!vma || !gm_vma_usable(vma) || !gm_vma_allows(vma, access)) {
			mmap_read_unlock(mm);
			return -EFAULT;
		}
		if (req->alone)
			gm_bring_home_alone(req, vma);
		fault = handle_mm_fault(vma, va, flags, NULL);
		flags |= FAULT_FLAG_TRIED;
	} while (fault & VM_FAULT_RETRY);

	if (!(fault & VM_FAULT_COMPLETED))
		mmap_read_unlock(mm);
	if (fault & (VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE))
		return -EIO;
	return fault & VM_FAULT_ERROR ? vm_fault_to_errno(fault, 0) : 0;
}

static int gm_cpu_fault(struct gm_request *req)
{
	unsigned int i, nr = req->access & GM_PROT_WRITE ? GM_CPU_FAULTS : 1;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++)
		ret = gm_cpu_fault_once(req);
	return ret;
}

/*
 * A page that was copied alone is dealt with alone: what is around it is on the device
 * and translated, or faults by itself. Else a device that writes to a block page by
 * page would have the whole block mapped again for each of them.
 */
static int gm_fault_resolve(struct gm_request *req)
{
	unsigned long start = req->start, end = req->end;
	unsigned int tries;
	int ret;

	for (tries = 0; tries < GM_FAULT_TRIES; tries++) {
		ret = gm_resolve(req);
		if (ret != -ENOENT)
			return ret;
		if (req->alone) {
			start = req->va & PAGE_MASK;
			end = start + PAGE_SIZE;
		}
		ret = gm_cpu_fault(req);
		if (ret)
			return ret;
		req->start = start;
		req->end = end;
	}
	return -EAGAIN;
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

static void gm_fault_count_taken(struct gm_context *ctx, unsigned long nr)
{
	struct gm_hnode *hnode;

	gm_stat_add(&ctx->as->stats, GM_STAT_PAGES_EXCLUSIVE, nr);
	guard(srcu)(&gm_hnode_srcu);
	hnode = READ_ONCE(ctx->dev->hnode);
	if (hnode)
		gm_stat_add(&hnode->stats, GM_STAT_PAGES_EXCLUSIVE, nr);
}

static bool gm_access_valid(u32 access)
{
	const u32 both = GM_PROT_READ | GM_PROT_WRITE;

	if (access & GM_PROT_ATOMIC)
		return access == (both | GM_PROT_ATOMIC);
	return access && !(access & ~both);
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

	if (!gm_access_valid(fault->access))
		return -EINVAL;
	if (fault->va < as->start || fault->va >= as->end)
		return -EFAULT;

	ret = gm_fault_resolve(&req);
	if (!ret) {
		fault->outcome = req.outcome;
		if (req.moved && req.outcome == GM_FAULT_LOCAL)
			fault->outcome = GM_FAULT_MIGRATED;
		fault->start = req.seg_start;
		fault->end = req.seg_end;
	}
	fault->ret = ret;
	gm_fault_count(ctx, fault);
	if (req.taken)
		gm_fault_count_taken(ctx, req.taken);
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
 * Context: process context of any process, may sleep and allocate. May wait for
 * the program that handles a fault of the CPU there, until a signal arrives: the
 * caller must not hold the mmap_lock, a lock that its own operations take, or one
 * that gm_as_detach() or gm_dev_destroy() is called under.
 * Return: 0, or a negative errno, also in gm_fault.ret:
 *
 * * -EFAULT: no mapping there, not with this access, or nothing to map (behind
 *   the end of a file, an error on disk)
 * * -EIO: the data at this address was lost
 * * -EAGAIN: the range kept changing; try again later
 * * -EINTR: a signal is pending, or other work that a task does on its way out of
 *   the kernel
 * * -ENODEV: the device or the context is going away
 * * -ESRCH: the process is gone
 * * -EOPNOTSUPP: the data cannot move and the device cannot reach it in place; or
 *   not with %GM_PROT_ATOMIC, see %GM_DEV_CAP_HOST_ATOMICS: shared and hugetlbfs memory
 * * -ENOMEM, -EINVAL, or what &gm_mmu.map_prepare or &gm_mmu.peer_map said
 */
int gm_dev_fault(struct gm_context *ctx, struct gm_fault *fault)
{
	return gm_dev_fault_batch(ctx, fault, 1);
}
EXPORT_SYMBOL_GPL(gm_dev_fault);

static void gm_fault_reset(struct gm_fault *fault, int ret)
{
	fault->ret = ret;
	fault->outcome = GM_FAULT_NONE;
	fault->start = fault->va & PAGE_MASK;
	fault->end = fault->start;
}

/* Whether an earlier fault of the batch did what this one wants. */
static bool gm_fault_covered(const struct gm_fault *done,
			     const struct gm_fault *fault)
{
	return !done->ret && fault->va >= done->start &&
	       fault->va < done->end && !(fault->access & ~done->access) &&
	       fault->placement == done->placement;
}

/*
 * What the faults of a process allocate is charged to its memory cgroup, also when
 * a thread of the driver resolves them.
 *
 * Return: for set_active_memcg(), to end it; or NULL if nothing has to be done.
 */
static struct mem_cgroup *gm_fault_charge_to(struct mm_struct *mm)
{
	struct mem_cgroup *memcg;

	if (current->mm == mm)
		return NULL;
	memcg = get_mem_cgroup_from_mm(mm);
	set_active_memcg(memcg);
	return memcg;
}

static void gm_fault_charge_end(struct mem_cgroup *memcg)
{
	if (!memcg)
		return;
	set_active_memcg(NULL);
	mem_cgroup_put(memcg);
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
	bool alive = mmget_not_zero(mm);
	int ret = 0, fatal = alive ? 0 : -ESRCH;
	struct mem_cgroup *memcg = NULL;
	unsigned int i;

	kref_get(&ctx->kref);
	if (alive)
		memcg = gm_fault_charge_to(mm);
	for (i = 0; i < nr; i++) {
		struct gm_fault *fault = &faults[i];

		if (!fatal && i && gm_fault_covered(fault - 1, fault)) {
			fault->ret = 0;
			fault->outcome = fault[-1].outcome;
			fault->start = fault[-1].start;
			fault->end = fault[-1].end;
			continue;
		}
		gm_fault_reset(fault, fatal);
		if (!fatal)
			fault->ret = gm_fault_one(ctx, fault);
		if (fault->ret == -EINTR || fault->ret == -ENODEV ||
		    fault->ret == -ESRCH)
			fatal = fault->ret;
		ret = ret ?: fault->ret;
	}
	gm_fault_charge_end(memcg);
	if (alive)
		mmput(mm);
	gm_context_put(ctx);
	return ret;
}
EXPORT_SYMBOL_GPL(gm_dev_fault_batch);

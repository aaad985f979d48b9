// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exclusive access: atomic operations of a device on host memory in place.
 *
 * A device whose atomics the host's memory knows nothing of (no PCIe AtomicOps, no
 * CXL) reads, computes and writes; a CPU that writes in between is overwritten. So
 * the CPUs are held off: core mm puts an entry into the page table that is not
 * present (make_device_exclusive()), for one page, and the translation that is
 * installed then has GM_PROT_ATOMIC. A CPU that touches the page faults: core mm
 * sends an invalidation, by which the device loses its translation, and puts the
 * entry of before back. So does everything else that wants the page.
 *
 * Data in a device's own memory is out of the CPUs' reach anyway: there, the right
 * comes with that to write. And for a device with GM_DEV_CAP_HOST_ATOMICS nothing
 * here is needed.
 *
 * A page table entry does not say for whom it holds the CPUs off. The context
 * remembers it: gm_context.exclusive has the translation of each such page, from
 * when it is installed until it is removed, both under gm_as.map_lock. A fault that
 * finds its page there installs the same again. Without that, threads of one device
 * would take a page from each other, fault by fault, and none might ever use it.
 *
 * What this does not do: hold off those who have a reference to the page, for
 * direct I/O or by GUP. They do not go by the page table.
 */
#include <linux/hugetlb.h>
#include <linux/leafops.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "internal.h"

/**
 * gm_exclusive_check() - whether a device may have atomic access in a VMA
 * @req: ctx and access are read; %GM_PROT_ATOMIC is wanted
 * @vma: the VMA
 *
 * Shared memory and that of hugetlbfs never leaves the host, and core mm takes
 * neither from the CPUs. Told before a CPU's write fault is made for nothing.
 *
 * Return: 0, or -EOPNOTSUPP.
 */
int gm_exclusive_check(const struct gm_request *req,
		       const struct vm_area_struct *vma)
{
	if (req->ctx->dev->mmu->caps & GM_DEV_CAP_HOST_ATOMICS)
		return 0;
	if (vma->vm_flags & VM_SHARED || is_vm_hugetlb_page(vma))
		return -EOPNOTSUPP;
	return 0;
}

/*
 * Whether a context has no page for itself: most never have. Of a page whose block lock
 * is held, and under gm_as.map_lock, that stays so.
 */
static bool gm_exclusive_none(const struct gm_context *ctx)
{
	/* There is a head as long as anything is stored or reserved. */
	return data_race(xa_empty(&ctx->exclusive));
}

/**
 * gm_exclusive_again() - install a translation that the device should have
 * @req: ctx and va are read, the context is not in use; the outcome and segment are
 *	set
 *
 * For one more thread of the device that faulted on a page before another one got
 * it, and for a driver that has dropped the translation by itself.
 *
 * Context: may sleep and allocate; gm_as.block_lock is held. The context may be in use
 * afterwards.
 * Return: -ENOENT if the context does not have the page for itself; 0, -ENODEV, or what
 * the driver said.
 */
int gm_exclusive_again(struct gm_request *req)
{
	struct gm_context *ctx = req->ctx;
	const struct gm_mmu *mmu = ctx->dev->mmu;
	const struct gm_segment *seg;
	unsigned int done = 0;
	int ret;

	if (gm_exclusive_none(ctx) ||
	    !xa_load(&ctx->exclusive, PHYS_PFN(req->va)))
		return -ENOENT;
	ret = gm_request_go_on(req);
	if (ret)
		return ret;
	if (mmu->map_prepare)
		ret = mmu->map_prepare(ctx, req->va & PAGE_MASK, PAGE_SIZE);
	if (ret)
		return ret;

	guard(rwsem_read)(&ctx->as->map_lock);
	/* What is there now has met no invalidation: that would remove it. */
	seg = xa_load(&ctx->exclusive, PHYS_PFN(req->va));
	if (!seg)
		return -ENOENT;
	ret = mmu->peer_map(ctx, seg, 1, &done);
	if (!ret && WARN_ON_ONCE(done != 1))
		ret = -EIO;
	req->outcome = GM_FAULT_INPLACE;
	req->seg_start = seg->va;
	req->seg_end = seg->va + seg->size;
	return ret;
}

/**
 * gm_exclusive_keep() - remember a translation that was installed
 * @req: ctx and exclusive; the latter is the context's afterwards
 * @seg: the translation
 *
 * Context: gm_as.map_lock is held, and was since the installation. Does not
 * allocate.
 */
void gm_exclusive_keep(struct gm_request *req, const struct gm_segment *seg)
{
	struct gm_context *ctx = req->ctx;
	struct gm_segment *old;

	lockdep_assert_held(&ctx->as->map_lock);
	*req->exclusive = *seg;
	/* The slot was reserved. */
	old = xa_store(&ctx->exclusive, PHYS_PFN(seg->va), req->exclusive,
		       GFP_NOWAIT);
	if (WARN_ON_ONCE(xa_is_err(old)))
		return;
	req->exclusive = NULL;
	kfree(old);
}

/**
 * gm_exclusive_forget() - translations were removed
 * @ctx: the context
 * @start: first address
 * @end: end, exclusive
 * @block: may sleep
 *
 * Context: gm_as.map_lock is held exclusively. Does not allocate.
 */
void gm_exclusive_forget(struct gm_context *ctx, unsigned long start,
			 unsigned long end, bool block)
{
	struct gm_segment *seg;
	unsigned long at;

	lockdep_assert_held_write(&ctx->as->map_lock);
	if (gm_exclusive_none(ctx))
		return;
	/* Slots that are reserved are passed over, and stay. */
	xa_for_each_range(&ctx->exclusive, at, seg, PHYS_PFN(start),
			  PHYS_PFN(end - 1)) {
		xa_erase(&ctx->exclusive, at);
		kfree(seg);
		if (block)
			cond_resched();
	}
}

/**
 * gm_exclusive_cut() - leave out of a range what a context has for itself
 * @ctx: the context
 * @va: address that must stay inside; the context does not have it
 * @start: first address, moves up
 * @end: end, moves down
 *
 * Core mm does not migrate such pages, but tells the notifiers that it would, and the
 * device would lose them.
 *
 * Context: gm_as.block_lock is held: there will not be more of them.
 * Return: false if @va is one of them by now.
 */
bool gm_exclusive_cut(struct gm_context *ctx, unsigned long va,
		      unsigned long *start, unsigned long *end)
{
	unsigned long need = PHYS_PFN(va), at;
	struct gm_segment *seg;

	if (gm_exclusive_none(ctx))
		return true;
	xa_for_each_range(&ctx->exclusive, at, seg, PHYS_PFN(*start),
			  PHYS_PFN(*end - 1)) {
		if (at == need)
			return false;
		if (at > need) {
			*end = at << PAGE_SHIFT;
			break;
		}
		*start = (at + 1) << PAGE_SHIFT;
	}
	return true;
}

/*
 * Takes the page from the CPUs. The probe has found it writable; when it is not any
 * more, the CPU's fault comes next, and that tells what is the matter.
 *
 * Should the page vanish just now, core mm faults it in by itself, with the
 * mmap_lock held, and waits for a file system if it must (7.2): the context is not
 * used meanwhile, and may end. A page that only userfaultfd can bring makes it give
 * up, with a line in the log of a kernel with DEBUG_VM.
 */
static struct page *gm_exclusive_take(struct gm_request *req,
				      struct folio **folio)
{
	unsigned long va = req->va & PAGE_MASK;
	struct gm_context *ctx = req->ctx;
	struct page *page;

	gm_request_rest(req);
	gm_flight_quiet_begin(&req->flight);
	gm_split_page(vma_lookup(ctx->as->mm, req->va), va);
	page = make_device_exclusive(ctx->as->mm, va, gm_pgmap_owner(), folio);
	gm_flight_quiet_end(&req->flight);
	if (gm_request_go_on(req)) {
		if (!IS_ERR(page)) {
			folio_unlock(*folio);
			folio_put(*folio);
		}
		return ERR_PTR(-ENODEV);
	}
	switch (IS_ERR(page) ? PTR_ERR(page) : 0) {
	case 0:
	case -EINTR:
	case -ENOMEM:
	case -EOPNOTSUPP:
		return page;
	}
	return ERR_PTR(-ENOENT);
}

static int gm_exclusive_map_locked(struct gm_request *req)
{
	struct gm_segment seg = {
		.va = req->va & PAGE_MASK,
		.size = PAGE_SIZE,
		.pgsize = PAGE_SIZE,
		.prot = GM_PROT_READ | GM_PROT_WRITE | GM_PROT_ATOMIC,
		.kind = GM_MEM_HOST,
	};
	struct folio *folio;
	struct page *page;
	int ret;

	page = gm_exclusive_take(req, &folio);
	if (IS_ERR(page))
		return PTR_ERR(page);
	/* As long as the folio is locked, no CPU gets the page back. */
	seg.phys = page_to_phys(page);
	ret = gm_map_page(req, &seg);
	folio_unlock(folio);
	folio_put(folio);
	return ret;
}

/**
 * gm_exclusive_map() - take the needed page from the CPUs and map it in place
 * @req: ctx and va; the flight was sampled before the page was found on the host
 *	and writable. The outcome and segment are set
 *
 * The page stays out of the CPUs' reach also when this fails, until the next touch.
 *
 * Context: may sleep and allocate; gm_as.block_lock and the mmap_lock are held. The
 * latter so that a fork() does not meet a locked folio: it would fail (7.2).
 * Return: 0; -EAGAIN when the page changed meanwhile; -ENOENT when the CPU must
 * fault first; -EOPNOTSUPP when the device cannot reach host memory, or core mm
 * cannot take such a page from the CPUs; -EINTR, -ENOMEM, -ENODEV, -ESRCH, -EIO, or
 * what the driver said.
 */
int gm_exclusive_map(struct gm_request *req)
{
	struct gm_context *ctx = req->ctx;
	unsigned long index = PHYS_PFN(req->va);
	int ret;

	mmap_assert_locked(ctx->as->mm);
	if (!(ctx->dev->mmu->caps & GM_DEV_CAP_HOST_ACCESS))
		return -EOPNOTSUPP;
	req->exclusive = kmalloc_obj(*req->exclusive, GFP_KERNEL_ACCOUNT);
	if (!req->exclusive)
		return -ENOMEM;
	ret = xa_reserve(&ctx->exclusive, index, GFP_KERNEL_ACCOUNT);
	if (!ret) {
		ret = gm_exclusive_map_locked(req);
		req->taken += !ret;
		/* Unless the translation is there by now. */
		xa_release(&ctx->exclusive, index);
	}
	kfree(req->exclusive);
	req->exclusive = NULL;
	return ret;
}

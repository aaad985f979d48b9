// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping: the one place where translations are installed.
 *
 * What the CPU page table holds now is given to the device: frames of the device's
 * own memory, and host memory in place. Where a migration has just filled the
 * whole range, that is known; otherwise the page table is read. It may change at
 * any moment: the fault's flight tells. See invalidate.c for the order of the two
 * sides. A retry costs a walk, not a migration, and is bounded.
 *
 * The logical page table learns of a translation before the device does, never
 * the other way round. It may know of more than there are.
 */
#include <linux/dma-mapping.h>
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "internal.h"

/* Attempts before a fault gives up against a process that keeps changing. */
#define GM_MAP_TRIES		32

/**
 * struct gm_mapper - state of one attempt to map a range
 * @req:	what is wanted
 * @hnode:	the device's memory, if any; while gm_hnode_srcu is held
 * @nr:		segments in the batch; less than GM_BATCH where one is about to be made
 * @whole:	one huge entry holds the whole range: only the first of
 *		&gm_scratch.pfns was written, what is behind it is somebody else's
 * @exclusive:	the needed page is on the host, and must be taken from the CPUs
 */
struct gm_mapper {
	struct gm_request *req;
	struct gm_hnode *hnode;
	unsigned int nr;
	bool whole;
	bool exclusive;
};

/*
 * What hmm_range_fault() meant to say of an address: for a huge entry of device-private
 * memory it counts from the first page of the huge page, wherever in it the range
 * began (7.2).
 */
static unsigned long gm_hmm_pfn_at(unsigned long hmm_pfn, unsigned long va)
{
	if (hmm_pfn_to_map_order(hmm_pfn) < GM_BLOCK_ORDER)
		return hmm_pfn;
	hmm_pfn &= ~(GM_BLOCK_PAGES - 1);
	return hmm_pfn | ((va & (GM_BLOCK_SIZE - 1)) >> PAGE_SHIFT);
}

/* Records in the logical page table what the batch is about to translate. */
static int gm_map_record(struct gm_mapper *map)
{
	struct gm_context *ctx = map->req->ctx;
	struct gm_segment *segs = map->req->scratch->segs;
	struct gm_lpt_change chg = {
		.map_set = BIT_ULL(ctx->id),
		.set_res = true,
	};
	unsigned int i, first = 0;
	unsigned long done;
	int ret;

	for (i = 0; i < map->nr; i++) {
		const struct gm_segment *seg = &segs[i];
		const struct gm_segment *next = seg + 1;

		if (seg->prot & GM_PROT_WRITE)
			chg.flags_set |= GM_LPT_WRITABLE;
		if (i + 1 < map->nr && seg->va + seg->size == next->va &&
		    seg->kind == next->kind)
			continue;
		chg.res = GM_LPT_HOST;
		if (seg->kind == GM_MEM_DEVICE)
			chg.res = gm_hnode_res(map->hnode);
		chg.flags_clear = GM_LPT_INEXACT;
		ret = gm_lpt_modify(&ctx->as->lpt, PHYS_PFN(segs[first].va),
				    PHYS_PFN(seg->va + seg->size), &chg,
				    GFP_KERNEL, &done);
		if (ret)
			return ret;
		chg.flags_set = 0;
		first = i + 1;
	}
	return 0;
}

/*
 * Whether a file system wants to know of a write to the page beforehand. shmem and
 * hugetlbfs do not.
 */
static bool gm_map_is_watched(const struct folio *folio)
{
	return !folio_test_anon(folio) && !folio_test_swapbacked(folio) &&
	       !folio_test_hugetlb(folio);
}

/*
 * The device writes behind the CPU's back: no dirty bit of a PTE will tell that
 * an anonymous or shmem page in the batch must not be dropped; nor that one that
 * was given up by MADV_FREE is in use again.
 */
static void gm_map_mark_dirty(const struct gm_segment *segs, unsigned int nr)
{
	const struct gm_segment *seg;

	for (seg = segs; seg < segs + nr; seg++) {
		unsigned long pfn = PHYS_PFN(seg->phys);
		unsigned long last = PHYS_PFN(seg->phys + seg->size - 1);

		if (seg->kind != GM_MEM_HOST || !(seg->prot & GM_PROT_WRITE))
			continue;
		while (pfn <= last) {
			struct folio *folio = page_folio(pfn_to_page(pfn));

			if (!gm_map_is_watched(folio) &&
			    !folio_test_dirty(folio))
				folio_mark_dirty(folio);
			/* The folio's size matters only if there is more. */
			if (pfn == last)
				break;
			pfn = folio_pfn(folio) + folio_nr_pages(folio);
		}
	}
}

/* Installs the batch, unless something changed or the context ended. */
static int gm_map_install(struct gm_mapper *map, struct list_head *dma)
{
	struct gm_request *req = map->req;
	struct gm_context *ctx = req->ctx;
	struct gm_segment *segs = req->scratch->segs;
	unsigned int done = 0;
	int ret;

	guard(rwsem_read)(&ctx->as->map_lock);
	if (ctx->as->dead)
		return -ESRCH;
	if (ctx->dead)
		return -ENODEV;
	if (!gm_flight_holds(&req->flight))
		return -EAGAIN;
	gm_map_mark_dirty(segs, map->nr);
	req->flight.installed = true;
	ret = ctx->dev->mmu->peer_map(ctx, segs, map->nr, &done);
	/* Even what failed: too many records do no harm. */
	gm_dma_commit(ctx, dma);
	if (!ret && WARN_ON_ONCE(done != map->nr))
		ret = -EIO;
	if (!ret && req->exclusive)
		gm_exclusive_keep(req, segs);
	return ret;
}

/*
 * What was recorded for a batch that was not installed may be the news of yesterday,
 * and may have replaced what a migration has recorded since.
 */
static void gm_map_doubt(const struct gm_mapper *map)
{
	const struct gm_segment *seg = map->req->scratch->segs;
	unsigned int i;

	for (i = 0; i < map->nr; i++, seg++)
		gm_doubt_record(map->req->ctx->as, PHYS_PFN(seg->va),
				PHYS_PFN(seg->va + seg->size));
}

static int gm_map_flush(struct gm_mapper *map)
{
	struct gm_request *req = map->req;
	struct gm_segment *segs = req->scratch->segs;
	LIST_HEAD(dma);
	int ret;

	ret = gm_dma_map_segments(req->ctx, segs, map->nr, &dma);
	if (!ret)
		ret = gm_map_record(map);
	if (!ret) {
		ret = gm_map_install(map, &dma);
		if (ret)
			gm_map_doubt(map);
	}
	gm_dma_abort(req->ctx, &dma);
	map->nr = 0;
	return ret;
}

/* Whether @seg continues @last in every respect. */
static bool gm_segment_joins(const struct gm_segment *last,
			     const struct gm_segment *seg)
{
	if (last->kind != seg->kind)
		return false;
	if (seg->kind == GM_MEM_DEVICE ? last->dpa + last->size != seg->dpa :
					 last->phys + last->size != seg->phys)
		return false;
	return last->va + last->size == seg->va && last->prot == seg->prot &&
	       last->pgsize == seg->pgsize;
}

/* Takes the segment that was made at the end of the batch into it. */
static int gm_map_add(struct gm_mapper *map)
{
	struct gm_segment *seg = &map->req->scratch->segs[map->nr];

	/* Mappings that must be undone stay small, so that they are found. */
	if (map->nr && gm_segment_joins(seg - 1, seg) &&
	    !(seg->kind == GM_MEM_HOST && gm_dma_needs_unmap(map->req->ctx->dev))) {
		seg[-1].size += seg->size;
		return 0;
	}
	return ++map->nr < GM_BATCH ? 0 : gm_map_flush(map);
}

/* Whether the write that the device asked for goes to this range. */
static bool gm_map_is_written(const struct gm_mapper *map, unsigned long va,
			      unsigned long size)
{
	return (map->req->access & GM_PROT_WRITE) && map->req->va - va < size;
}

/* @hnode: the device memory that the page is in, or NULL */
static u32 gm_map_prot(const struct gm_mapper *map, unsigned long hmm_pfn,
		       unsigned long va, const struct folio *folio,
		       const struct gm_hnode *hnode)
{
	if (!(hmm_pfn & HMM_PFN_WRITE))
		return GM_PROT_READ;
	/* An entry of device memory does not say that userfaultfd protects it. */
	if (map->req->uffd_wp && hnode)
		return GM_PROT_READ;
	if (gm_map_is_watched(folio) && !gm_map_is_written(map, va, PAGE_SIZE))
		return GM_PROT_READ;
	if (hnode ||
	    map->req->ctx->dev->mmu->caps & GM_DEV_CAP_HOST_ATOMICS)
		return GM_PROT_READ | GM_PROT_WRITE | GM_PROT_ATOMIC;
	return GM_PROT_READ | GM_PROT_WRITE;
}

/* Whether the block at @va can be one translation. */
static bool gm_map_fits_huge(const struct gm_mapper *map, unsigned long hmm_pfn,
			     unsigned long va, const struct folio *folio)
{
	if (hmm_pfn_to_map_order(hmm_pfn) < GM_BLOCK_ORDER ||
	    !(map->req->ctx->dev->mmu->pgsize_bitmap & GM_BLOCK_SIZE))
		return false;
	if (!IS_ALIGNED(va, GM_BLOCK_SIZE) ||
	    map->req->end - va < GM_BLOCK_SIZE)
		return false;
	return !gm_map_is_watched(folio) ||
	       !gm_map_is_written(map, va, GM_BLOCK_SIZE);
}

/*
 * Makes a segment of what the CPU page table has at @va.
 *
 * Return: 0; -EREMOTE if it is on another device; -EOPNOTSUPP if this device
 * cannot reach host memory; -EAGAIN if it changed. Of a segment that failed, only the
 * size counts.
 */
static int gm_map_segment(const struct gm_mapper *map, unsigned long hmm_pfn,
			  unsigned long va, struct gm_segment *seg)
{
	struct page *page = hmm_pfn_to_page(hmm_pfn);
	const struct folio *folio = page_folio(page);
	struct gm_hnode *hnode = NULL;
	bool huge;

	/* Of the flags that others set, the zone is none. */
	if (data_race(folio_is_zone_device(folio)))
		hnode = gm_hnode_of_page(page);
	huge = gm_map_fits_huge(map, hmm_pfn, va, folio);

	/* All members, in place: this is done for each page. */
	seg->va = va;
	seg->size = huge ? GM_BLOCK_SIZE : PAGE_SIZE;
	seg->pgsize = seg->size;
	seg->prot = gm_map_prot(map, hmm_pfn, va, folio, hnode);
	seg->kind = hnode ? GM_MEM_DEVICE : GM_MEM_HOST;
	seg->dpa = hnode ? gm_hnode_dpa(hnode, page_to_pfn(page)) : 0;
	seg->phys = hnode ? 0 : hmm_pfn_to_phys(hmm_pfn);
	seg->dma_addr = DMA_MAPPING_ERROR;

	if (map->whole && !huge)
		return -EAGAIN;
	if (hnode && hnode != map->hnode)
		return -EREMOTE;
	if (!hnode && !(map->req->ctx->dev->mmu->caps & GM_DEV_CAP_HOST_ACCESS))
		return -EOPNOTSUPP;
	return 0;
}

/*
 * How many pages from entry @i on, that entry included, are one run of frames of
 * our own with the same rights: @seg, which holds the first, holds them all.
 */
static unsigned long gm_map_run(const struct gm_mapper *map, unsigned long i,
				const struct gm_segment *seg)
{
	const struct gm_hnode *hnode = map->hnode;
	const unsigned long *pfns = map->req->scratch->pfns;
	unsigned long nr = (map->req->end - map->req->start) >> PAGE_SHIFT;
	unsigned long first = i;

	/* The frame after the last one may be another hnode's. */
	nr = min(nr, i + hnode->nr_pages - PHYS_PFN(seg->dpa - hnode->dpa));
	while (++i < nr && pfns[i] == pfns[i - 1] + 1)
		;
	return i - first;
}

static void gm_map_note(struct gm_request *req, const struct gm_segment *seg)
{
	req->outcome = seg->kind == GM_MEM_HOST ? GM_FAULT_INPLACE :
						  GM_FAULT_LOCAL;
	req->seg_start = seg->va;
	req->seg_end = seg->va + seg->size;
}

/*
 * Notes whether a page that the CPU must make writable should come home for that
 * without its neighbours. They would only have to go back; and of a huge page that
 * is shared, the CPU copies no more than the one.
 */
static int gm_map_wants_cpu(struct gm_request *req, unsigned long hmm_pfn)
{
	struct page *page = hmm_pfn_to_page(hmm_pfn);
	struct folio *folio = page_folio(page);

	req->alone = gm_hnode_of_page(page) &&
		     (!folio_test_large(folio) ||
		      folio_maybe_mapped_shared(folio));
	return -ENOENT;
}

/* Whether the flags of its entry say all about a page. */
static bool gm_map_is_plain(unsigned long hmm_pfn)
{
	const struct folio *folio = page_folio(hmm_pfn_to_page(hmm_pfn));

	/* It may be somebody else's by now: then the batch is not installed. */
	return data_race(folio_test_anon(folio) && !folio_is_zone_device(folio));
}

/*
 * Base pages of anonymous host memory come by the hundred, and nothing but where it is
 * tells one from the next. Takes those that follow entry @i, the last one of the batch,
 * up to the needed one or to where there is room for one more.
 *
 * Return: how many.
 */
static unsigned long gm_map_more(struct gm_mapper *map, unsigned long i)
{
	struct gm_request *req = map->req;
	struct gm_segment *segs = req->scratch->segs, *seg = &segs[map->nr - 1];
	const unsigned long *pfns = req->scratch->pfns;
	unsigned long nr = (req->end - req->start) >> PAGE_SHIFT;
	unsigned long needed = (req->va - req->start) >> PAGE_SHIFT;
	unsigned long first = i, flags = pfns[i] & HMM_PFN_FLAGS;
	bool apart;

	if (seg->kind != GM_MEM_HOST || hmm_pfn_to_map_order(flags) ||
	    !gm_map_is_plain(pfns[i]))
		return 0;
	apart = gm_dma_needs_unmap(req->ctx->dev);
	if (needed > i)
		nr = min(nr, needed);
	while (++i < nr && seg < &segs[GM_BATCH - 2]) {
		phys_addr_t phys = hmm_pfn_to_phys(pfns[i]);

		if ((pfns[i] & HMM_PFN_FLAGS) != flags ||
		    !gm_map_is_plain(pfns[i]))
			break;
		if (seg->phys + seg->size == phys && !apart) {
			seg->size += PAGE_SIZE;
			continue;
		}
		seg[1] = (struct gm_segment){
			.va = seg->va + seg->size,
			.size = PAGE_SIZE,
			.pgsize = PAGE_SIZE,
			.prot = seg->prot,
			.kind = GM_MEM_HOST,
			.dma_addr = DMA_MAPPING_ERROR,
			.phys = phys,
		};
		seg++;
	}
	map->nr = seg - segs + 1;
	return i - first - 1;
}

/*
 * Takes what the CPU page table has at @va into the batch, if the device can have it.
 * @size is how much that is.
 */
static int gm_map_at(struct gm_mapper *map, unsigned long va, unsigned long *size)
{
	struct gm_request *req = map->req;
	unsigned long i = (va - req->start) >> PAGE_SHIFT;
	unsigned long hmm_pfn = gm_hmm_pfn_at(req->scratch->pfns[i], va);
	struct gm_segment *seg = &req->scratch->segs[map->nr];
	int ret;

	*size = PAGE_SIZE;
	if (!(hmm_pfn & HMM_PFN_VALID))
		return 0;
	ret = gm_map_segment(map, hmm_pfn, va, seg);
	if (!ret && seg->kind == GM_MEM_DEVICE && seg->pgsize == PAGE_SIZE)
		seg->size = gm_map_run(map, i, seg) * PAGE_SIZE;
	*size = seg->size;
	if (req->va - va < seg->size) {
		if (ret)
			return ret;
		if ((req->access & GM_PROT_WRITE) && (req->access & ~seg->prot))
			return gm_map_wants_cpu(req, hmm_pfn);
		gm_map_note(req, seg);
	}
	if (ret)
		return ret == -EREMOTE || ret == -EOPNOTSUPP ? 0 : ret;
	ret = gm_map_add(map);
	if (!ret && map->nr && va + *size < req->end)
		*size += gm_map_more(map, i) * PAGE_SIZE;
	return ret;
}

/*
 * gm_hnode_srcu keeps the struct pages of an hnode; the sequence tells that they
 * were still in use when it was taken.
 */
static int gm_map_pfns(struct gm_mapper *map)
{
	struct gm_request *req = map->req;
	unsigned long va, size;
	int ret;

	guard(srcu)(&gm_hnode_srcu);
	/* Pairs with the release in gm_dev_register_physmem(). */
	map->hnode = smp_load_acquire(&req->ctx->dev->hnode);
	if (!gm_flight_seems_to_hold(&req->flight))
		return -EAGAIN;

	for (va = req->start; va < req->end; va += size) {
		ret = gm_map_at(map, va, &size);
		if (ret)
			return ret;
	}
	return map->nr ? gm_map_flush(map) : 0;
}

/*
 * Whether one huge entry of the CPU page table holds the whole range, and the
 * device can have it as one too.
 */
static bool gm_map_is_huge(const struct gm_request *req, unsigned long hmm_pfn)
{
	if (req->end - req->start != GM_BLOCK_SIZE ||
	    !IS_ALIGNED(req->start, GM_BLOCK_SIZE))
		return false;
	if (!(hmm_pfn & HMM_PFN_VALID) ||
	    hmm_pfn_to_map_order(hmm_pfn) < GM_BLOCK_ORDER)
		return false;
	if (!(req->ctx->dev->mmu->pgsize_bitmap & GM_BLOCK_SIZE))
		return false;
	return folio_test_anon(page_folio(hmm_pfn_to_page(hmm_pfn)));
}

/* Whether the needed page cannot be had for atomic access as it is. */
static bool gm_map_is_shared_with_cpu(const struct gm_request *req,
				      unsigned long hmm_pfn)
{
	return (req->access & GM_PROT_ATOMIC) &&
	       !(req->ctx->dev->mmu->caps & GM_DEV_CAP_HOST_ATOMICS) &&
	       !gm_hnode_of_page(hmm_pfn_to_page(hmm_pfn));
}

/* Reads the one page that is needed; a hint needs none, but begins with one. */
static int gm_map_probe(struct gm_mapper *map, unsigned long *hmm_pfn)
{
	struct gm_request *req = map->req;
	bool hint = req->va == GM_NO_VA;
	unsigned long page = hint ? req->start : req->va & PAGE_MASK;
	struct hmm_range range = {
		.notifier = &req->flight.notifier,
		.notifier_seq = req->flight.seq,
		.start = page,
		.end = page + PAGE_SIZE,
		.hmm_pfns = hmm_pfn,
		.dev_private_owner = gm_pgmap_owner(),
	};
	int ret;

	*hmm_pfn = 0;
	ret = hmm_range_fault(&range);
	if (ret || hint)
		return ret;
	if (*hmm_pfn & HMM_PFN_ERROR)
		return -EFAULT;
	return *hmm_pfn & HMM_PFN_VALID ? 0 : -ENOENT;
}

/* Reads what the CPU page table holds. */
static int gm_map_snapshot(struct gm_mapper *map)
{
	struct gm_request *req = map->req;
	struct hmm_range around = {
		.notifier = &req->flight.notifier,
		.notifier_seq = req->flight.seq,
		.start = req->start,
		.end = req->end,
		.hmm_pfns = req->scratch->pfns,
		.dev_private_owner = gm_pgmap_owner(),
	};
	unsigned long hmm_pfn;
	int ret;

	ret = gm_map_probe(map, &hmm_pfn);
	if (ret)
		return ret;
	scoped_guard(srcu, &gm_hnode_srcu) {
		if (!gm_flight_seems_to_hold(&req->flight))
			return -EBUSY;
		if (req->access & GM_PROT_WRITE && !(hmm_pfn & HMM_PFN_WRITE))
			return gm_map_wants_cpu(req, hmm_pfn);
		map->exclusive = gm_map_is_shared_with_cpu(req, hmm_pfn);
		if (map->exclusive)
			return 0;
		if (gm_map_is_huge(req, hmm_pfn)) {
			map->whole = true;
			req->scratch->pfns[0] = gm_hmm_pfn_at(hmm_pfn,
							      req->start);
			return 0;
		}
	}
	if (req->end - req->start == PAGE_SIZE) {
		req->scratch->pfns[0] = hmm_pfn;
		return 0;
	}
	memset(around.hmm_pfns, 0, ((req->end - req->start) >> PAGE_SHIFT) *
				   sizeof(*around.hmm_pfns));
	return hmm_range_fault(&around);
}

/**
 * gm_map_page() - install one segment of host memory
 * @req: the flight was sampled before @seg was found; the outcome and segment are
 *	set
 * @seg: its dma_addr is filled in
 *
 * Context: may sleep and allocate.
 * Return: 0; -EAGAIN when something changed meanwhile; -ENOMEM, -ENODEV, -ESRCH, -EIO,
 * or what the driver said.
 */
int gm_map_page(struct gm_request *req, const struct gm_segment *seg)
{
	struct gm_mapper map = { .req = req, .nr = 1 };
	int ret;

	req->scratch->segs[0] = *seg;
	ret = gm_map_flush(&map);
	if (!ret)
		gm_map_note(req, seg);
	return ret;
}

/* The VMA that the fault found may be gone, and another be in its place. */
static int gm_map_check_vma(const struct gm_request *req)
{
	struct vm_area_struct *vma;

	vma = vma_lookup(req->ctx->as->mm, req->start);
	if (!vma || vma->vm_end < req->end)
		return -EBUSY;
	return gm_vma_usable(vma) ? 0 : -EFAULT;
}

static int gm_map_once(struct gm_mapper *map)
{
	struct mm_struct *mm = map->req->ctx->as->mm;
	int ret;

	ret = gm_request_sample(map->req) ?: gm_request_lock(map->req);
	if (ret)
		return ret;
	ret = gm_map_check_vma(map->req) ?: gm_map_snapshot(map);
	if (!ret && map->exclusive) {
		ret = gm_exclusive_map(map->req);
		mmap_read_unlock(mm);
		return ret;
	}
	mmap_read_unlock(mm);
	if (ret == -EBUSY)
		return -EAGAIN;
	if (ret)
		return ret == -ENOMEM || ret == -ENOENT ? ret : -EFAULT;
	return gm_map_pfns(map);
}

/**
 * gm_map_look() - read the CPU page table for gm_map_range(), if nothing has changed
 * @req: the flight was sampled; whether the range is known is set
 *
 * For who has the mmap_lock, and would let it go only for gm_map_range() to take it
 * again. What did not work is left to that, and so is what must be taken from the CPUs.
 *
 * Context: the mmap_lock is held for reading. May sleep.
 * Return: 0; or -ENOENT when the CPU itself would fault on the needed page.
 */
int gm_map_look(struct gm_request *req)
{
	struct gm_mapper map = { .req = req };
	int ret;

	mmap_assert_locked(req->ctx->as->mm);
	if ((req->access & GM_PROT_ATOMIC) && !req->moved &&
	    !(req->ctx->dev->mmu->caps & GM_DEV_CAP_HOST_ATOMICS))
		return 0;
	ret = gm_map_snapshot(&map);
	req->known = !ret && !map.exclusive;
	req->whole = map.whole;
	return ret == -ENOENT ? ret : 0;
}

/* Whether the range needs no reading, and holds what is needed. */
static bool gm_map_is_known(const struct gm_request *req)
{
	unsigned long i = 0;

	if (!req->known || !(req->access & GM_PROT_WRITE))
		return req->known;
	if (!req->whole)
		i = (req->va - req->start) >> PAGE_SHIFT;
	return req->scratch->pfns[i] & HMM_PFN_WRITE;
}

/**
 * gm_map_range() - install translations for what the CPU page table holds
 * @req: range, needed address and access; the outcome and segment are set
 *
 * What is there is mapped; nothing is faulted in.
 *
 * Context: may sleep and allocate; no lock of the core but gm_as.block_lock is
 * held. The mm's users are held.
 * Return: 0; -EAGAIN when the range kept changing; -EREMOTE when the page is on
 * another device; -ENOENT when the CPU itself would fault on it; -EOPNOTSUPP when
 * it is on the host and the device cannot reach it there; -EFAULT, -EINTR,
 * -ENOMEM, -ENODEV, -ESRCH, or what the driver said.
 */
int gm_map_range(struct gm_request *req)
{
	struct gm_mapper map = { .req = req };
	unsigned int tries;
	int ret;

	req->known = gm_map_is_known(req);
	map.whole = req->known && req->whole;
	for (tries = 0; tries < GM_MAP_TRIES; tries++) {
		map.nr = 0;
		map.exclusive = false;
		ret = req->known ? gm_map_pfns(&map) : gm_map_once(&map);
		if (ret != -EAGAIN)
			break;
		req->known = false;
		map.whole = false;
		req->retries++;
		if (task_sigpending(current))
			return -EINTR;
		cond_resched();
	}
	return ret;
}

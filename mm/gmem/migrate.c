// SPDX-License-Identifier: GPL-2.0-only
/*
 * Migration to a device: one block at a time, best effort.
 *
 * A page that cannot move (pinned, file-backed, locked by someone) stays where
 * it is; so does everything when the hnode is full. The caller maps what stays
 * in place.
 *
 * The steps: migrate_vma_setup() freezes what can move, frames are allocated,
 * the residency is recorded, the data is copied, migrate_vma_pages() commits,
 * migrate_vma_finalize() thaws. Recording comes before committing, so that
 * there is never a frame in use which no logical page table knows: if that
 * needs memory which is not there, nothing moves. Pages that fail to commit
 * leave the record an upper bound.
 *
 * Data on another device comes directly from there when the driver can copy so.
 * The notifier that migrate_vma_setup() calls has then ended the other device's
 * access to it, as anybody's. The page that is left behind is locked and referenced
 * to the end, and gm_hnode_srcu is held: until then the other device's memory, its
 * driver and its operations stay, whatever becomes of the device.
 */
#include <linux/hmm.h>
#include <linux/migrate.h>
#include <linux/mm.h>

#include "internal.h"
#include "trace.h"

/*
 * Memory that was never touched has no page to move. A fault populates it on
 * the device in pieces of this size: enough to save faults, little enough not
 * to waste memory on sparse use. Right behind what the device has already, as much
 * as that is: whoever goes through memory takes no more than twice what it needs.
 * Where huge pages are allowed, a whole block.
 */
#define GM_POPULATE_SIZE	SZ_64K

/**
 * struct gm_migration - state of one migration to a device
 * @args:	for migrate_vma
 * @hnode:	destination
 * @ctx:	on whose behalf
 * @origin:	gm_origin() of the first page; those of its block follow
 * @populate:	first page of what may be populated
 * @populate_nr: how many pages of it
 * @all_movable: no page in the range is of a file, KSM's or on a device
 * @all:	each page of the range is to move, and has a frame
 * @scratch:	working memory
 * @peers:	data on other devices moves, too
 * @peer:	where such data was met last
 * @peer_ok:	whether it can be copied from @peer
 * @huge_peer:	what held the huge page that all entries were; or NULL
 * @peer_hnid:	where pages came from directly; NUMA_NO_NODE when from nowhere
 * @direct:	how many did
 * @left:	pages that are still on other devices
 */
struct gm_migration {
	struct migrate_vma args;
	struct gm_hnode *hnode;
	struct gm_context *ctx;
	unsigned long origin;
	unsigned long populate;
	unsigned long populate_nr;
	bool all_movable;
	bool all;
	struct gm_scratch *scratch;
	bool peers;
	const struct gm_hnode *peer;
	bool peer_ok;
	struct gm_hnode *huge_peer;
	int peer_hnid;
	unsigned long direct;
	unsigned long left;
};

static bool gm_is_whole_block(unsigned long start, unsigned long end)
{
	return IS_ALIGNED(start, GM_BLOCK_SIZE) && end - start == GM_BLOCK_SIZE;
}

/*
 * Core mm would refuse a page of a file, but only after it is copied. A page that
 * KSM shares it would move, and ksmd would compare it through an address that
 * device memory does not have. It is locked now, and stays what it is.
 */
static bool gm_is_movable(unsigned long src)
{
	struct page *page = migrate_pfn_to_page(src);
	unsigned long mapping;

	if (src & MIGRATE_PFN_COMPOUND)
		page = &page_folio(page)->page;
	mapping = (unsigned long)READ_ONCE(page->mapping);
	return (mapping & FOLIO_MAPPING_FLAGS) == FOLIO_MAPPING_ANON;
}

/* Whether memory that was never touched is to be populated at entry @i. */
static bool gm_hole_wanted(const struct gm_migration *mig, unsigned long i)
{
	return PHYS_PFN(mig->args.start) + i - mig->populate < mig->populate_nr;
}

/* How many pages right before the range, in its block, the device has already. */
static unsigned long gm_resident_before(const struct gm_migration *mig)
{
	unsigned long at = PHYS_PFN(ALIGN_DOWN(mig->args.start, GM_BLOCK_SIZE));
	unsigned long last = PHYS_PFN(mig->args.start), first = last, end = 0;
	u16 res = gm_hnode_res(mig->hnode);
	struct gm_lpt_run run;

	while (at < last && gm_lpt_find(&mig->ctx->as->lpt, at, last, &run)) {
		gm_lpt_run_clip(&run, at, last);
		at = run.end;
		if (run.state.res != res || run.state.flags & GM_LPT_INEXACT)
			continue;
		if (run.start != end)
			first = run.start;
		end = run.end;
	}
	return end == last ? last - first : 0;
}

/* Decides what to populate for a fault. */
static void gm_choose_holes(struct gm_migration *mig, unsigned long fault_va)
{
	unsigned long start = mig->args.start, size = GM_POPULATE_SIZE;

	if (fault_va == GM_NO_VA)
		return;
	if (fault_va - start < size)
		size = max(size, gm_resident_before(mig) << PAGE_SHIFT);
	else
		start = ALIGN_DOWN(fault_va, size);
	mig->populate = PHYS_PFN(start);
	mig->populate_nr = PHYS_PFN(size);
}

/*
 * The other device's memory that holds the page of an entry, or NULL. The page is
 * locked.
 */
static struct gm_hnode *gm_peer_of(const struct gm_migration *mig,
				   unsigned long src)
{
	struct gm_hnode *hnode = NULL;

	if (mig->peers && src & MIGRATE_PFN_VALID)
		hnode = gm_hnode_of_page(migrate_pfn_to_page(src));
	return hnode == mig->hnode ? NULL : hnode;
}

/* Whether a page can be copied: not if it is where it should be already. */
static bool gm_is_reachable(struct gm_migration *mig, unsigned long src)
{
	struct gm_hnode *peer;

	if (!gm_hnode_of_page(migrate_pfn_to_page(src)))
		return true;
	peer = gm_peer_of(mig, src);
	if (!peer)
		return false;
	if (peer != mig->peer) {
		mig->peer = peer;
		/* One that is being emptied is not read beside that. */
		mig->peer_ok = !READ_ONCE(peer->closing) &&
			       gm_dev_can_copy_from(mig->hnode->dev, peer->dev);
	}
	return mig->peer_ok;
}

/* Whether page @i is to move: it can, and if it is a hole, it is wanted. */
static inline bool gm_wanted(struct gm_migration *mig, unsigned long i)
{
	unsigned long src = mig->args.src[i];

	if (!(src & MIGRATE_PFN_MIGRATE))
		return false;
	if (src & MIGRATE_PFN_VALID)
		return mig->all_movable ||
		       (gm_is_movable(src) && gm_is_reachable(mig, src));
	return gm_hole_wanted(mig, i);
}

/*
 * Makes a folio of a frame, for page @i. Not from page_folio(): what the struct page
 * says was left there by whoever had the frame before, when it may have been a tail.
 */
static void gm_frame_init(const struct gm_migration *mig, unsigned long pfn,
			  unsigned int order, unsigned long i)
{
	struct page *page = pfn_to_page(pfn);

	zone_device_page_init(page, &mig->hnode->pgmap, order);
	page->zone_device_data = (void *)(mig->origin + i);
	if (order)
		folio_set_large_rmappable(page_folio(page));
}

/* One large frame for a huge page, or for a hole where one is allowed. */
static bool gm_frames_for_huge(struct gm_migration *mig)
{
	bool hole = !(mig->args.src[0] & MIGRATE_PFN_VALID);
	unsigned long pfn;

	if (hole && !mig->populate_nr)
		return false;
	if (!gm_frames_alloc_block(mig->hnode, &pfn))
		return false;
	gm_frame_init(mig, pfn, GM_BLOCK_ORDER, 0);
	mig->args.dst[0] = migrate_pfn(pfn) | MIGRATE_PFN_COMPOUND;
	return true;
}

/*
 * Single pages for a huge page when there is no large frame: all or nothing,
 * since a huge page that moves in part is split for no good.
 */
static bool gm_frames_for_split(struct gm_migration *mig)
{
	unsigned long *pfns = mig->scratch->pfns;
	unsigned long i, got;

	if (!gm_splits_for_us(mig->args.src[0]))
		return false;
	got = gm_frames_alloc_pages(mig->hnode, pfns, GM_BLOCK_PAGES);
	for (i = 0; i < got; i++) {
		if (got < GM_BLOCK_PAGES) {
			gm_frames_free(mig->hnode, pfns[i], 0);
			continue;
		}
		gm_frame_init(mig, pfns[i], 0, i);
		mig->args.dst[i] = migrate_pfn(pfns[i]);
	}
	return got == GM_BLOCK_PAGES;
}

static bool gm_frames_for_pages(struct gm_migration *mig)
{
	unsigned long *pfns = mig->scratch->pfns, *dst = mig->args.dst;
	unsigned long i, npages = mig->args.npages;
	unsigned long got, want = 0, at = 0;

	/* Wanted pages are marked by what they cannot have yet. */
	for (i = 0; i < npages; i++) {
		dst[i] = gm_wanted(mig, i) ? MIGRATE_PFN_VALID : 0;
		want += !!dst[i];
	}
	if (!want)
		return false;
	got = gm_frames_alloc_pages(mig->hnode, pfns, want);
	for (i = 0; at < got; i++) {
		unsigned long pfn;

		if (!dst[i])
			continue;
		pfn = pfns[at++];
		gm_frame_init(mig, pfn, 0, i);
		dst[i] = migrate_pfn(pfn);
	}
	memset(dst + i, 0, (npages - i) * sizeof(*dst));
	mig->all = got == npages;
	return got;
}

static bool gm_migration_alloc(struct gm_migration *mig)
{
	unsigned long src = mig->args.src[0];

	if (src & MIGRATE_PFN_COMPOUND) {
		mig->huge_peer = gm_peer_of(mig, src);
		if (src & MIGRATE_PFN_VALID && !gm_wanted(mig, 0))
			return false;
		return gm_frames_for_huge(mig) || gm_frames_for_split(mig);
	}
	return gm_frames_for_pages(mig);
}

/*
 * Pages that an entry of src or dst stands for. Of dst it is the same for all of them:
 * only the first one can be for a whole block, and then there are no others.
 */
static unsigned long gm_entry_pages(unsigned long entry)
{
	return entry & MIGRATE_PFN_COMPOUND ? GM_BLOCK_PAGES : 1;
}

/* Where pages are that were, or are still, on another device. */
struct gm_peer_run {
	const struct gm_as *ours;
	unsigned long first;
	unsigned long last;
	u16 res;
	u8 flags;
};

static void gm_record_peer(struct gm_as *as, const struct gm_peer_run *where)
{
	const struct gm_lpt_change inexact = { .flags_set = GM_LPT_INEXACT };
	const struct gm_lpt_change chg = {
		.flags_clear = GM_LPT_INEXACT,
		.flags_set = where->flags,
		.set_res = true,
		.res = where->res,
	};
	unsigned long first = max(where->first, PHYS_PFN(as->start));
	unsigned long last = min(where->last, PHYS_PFN(as->end));
	struct gm_lpt_run run;
	unsigned long done;

	if (first >= last || !gm_lpt_modify(&as->lpt, first, last, &chg,
					    GFP_KERNEL, &done))
		return;
	while (gm_lpt_find(&as->lpt, done, last, &run)) {
		gm_lpt_modify_coarse(&as->lpt, run.start, &inexact, &run);
		done = run.end;
	}
}

/* Marks the record of some pages as one to be verified. */
static void gm_record_inexact(struct gm_migration *mig, unsigned long i,
			      unsigned long nr)
{
	unsigned long index = PHYS_PFN(mig->args.start) + i;
	struct gm_hnode *peer = gm_peer_of(mig, mig->args.src[i]);

	/* Of a huge page that was broken up on its way, the tail has no entries. */
	if (!peer && !mig->args.src[i])
		peer = mig->huge_peer;
	if (!peer) {
		gm_doubt_record(mig->ctx->as, index, index + nr);
		return;
	}
	/* It is still there. */
	gm_record_peer(mig->ctx->as, &(struct gm_peer_run){
		.first = index,
		.last = index + nr,
		.res = gm_hnode_res(peer),
		.flags = GM_LPT_INEXACT,
	});
}

/* Gives all frames back; the migration then moves nothing. */
static void gm_migration_drop(struct gm_migration *mig)
{
	unsigned long i, nr = mig->args.npages;

	for (i = 0; i < mig->args.npages; i += nr) {
		if (mig->peers)
			nr = gm_entry_pages(mig->args.src[i]);
		gm_record_inexact(mig, i, nr);
	}
	for (i = 0; i < mig->args.npages; i++) {
		struct page *page = migrate_pfn_to_page(mig->args.dst[i]);

		mig->args.dst[i] = 0;
		if (!page)
			continue;
		folio_unlock(page_folio(page));
		folio_put(page_folio(page));
	}
}

/* The page that entry @i copies; the tail of a huge page has no entries. */
static unsigned long gm_source_pfn(const struct gm_migration *mig,
				   unsigned long i)
{
	unsigned long head = mig->args.src[0], src = mig->args.src[i];

	if (src & MIGRATE_PFN_VALID)
		return src >> MIGRATE_PFN_SHIFT;
	if ((head & MIGRATE_PFN_COMPOUND) && (head & MIGRATE_PFN_VALID))
		return (head >> MIGRATE_PFN_SHIFT) + i;
	return 0;
}

/* Whether a device that data came from was lost, if only after the last look at it. */
static bool gm_lost_peer(const struct gm_migration *mig)
{
	unsigned long i;

	for (i = 0; i < mig->args.npages;
	     i += gm_entry_pages(mig->args.src[i])) {
		struct gm_hnode *peer = gm_peer_of(mig, mig->args.src[i]);

		if (peer && gm_dev_lost(peer->dev))
			return true;
	}
	return false;
}

/* Copies what there is, and clears what was a hole. */
static int gm_migration_copy(struct gm_migration *mig)
{
	unsigned long i, npages = mig->args.npages;
	const unsigned long *dst = mig->args.dst;
	unsigned long nr = gm_entry_pages(dst[0]);
	const bool peers = mig->peers;
	struct gm_copy copy;
	int ret;

	gm_copy_init(&copy, mig->hnode, mig->scratch->ext);
	for (i = 0; i < npages; i += nr) {
		struct gm_hnode *peer = NULL;
		unsigned long pfn;
		u64 dpa;

		if (!(dst[i] & MIGRATE_PFN_VALID))
			continue;
		pfn = gm_source_pfn(mig, i);
		dpa = gm_hnode_dpa(mig->hnode, dst[i] >> MIGRATE_PFN_SHIFT);
		if (pfn && peers)
			peer = gm_hnode_of_page(pfn_to_page(pfn));
		if (peer)
			gm_copy_add_peer(&copy, dpa, peer, pfn, nr * PAGE_SIZE);
		else
			gm_copy_add(&copy, pfn ? GM_COPY_TO_DEVICE :
						 GM_COPY_ZERO,
				    dpa, PFN_PHYS(pfn), nr * PAGE_SIZE);
	}
	ret = gm_copy_finish(&copy);
	return !ret && peers && gm_lost_peer(mig) ? -ENODEV : ret;
}

/*
 * Records that [@first, @last) of the pages have frames, and that they are about
 * to be translated: recording too much does no harm, recording twice costs.
 */
static int gm_record_run(struct gm_migration *mig, unsigned long first,
			 unsigned long last)
{
	const struct gm_lpt_change chg = {
		.map_set = BIT_ULL(mig->ctx->id),
		.flags_set = GM_LPT_WRITABLE,
		.set_res = true,
		.res = gm_hnode_res(mig->hnode),
		.flags_clear = GM_LPT_INEXACT,
	};
	unsigned long base = PHYS_PFN(mig->args.start);
	unsigned long done;

	return gm_lpt_modify(&mig->ctx->as->lpt, base + first, base + last,
			     &chg, GFP_KERNEL, &done);
}

static int gm_migration_record(struct gm_migration *mig)
{
	const unsigned long *dst = mig->args.dst;
	unsigned long i = 0, first, nr = mig->args.npages;
	int ret = 0;

	if (mig->all)
		return gm_record_run(mig, 0, nr);
	while (i < nr && !ret) {
		first = i;
		while (i < nr && dst[i] & MIGRATE_PFN_VALID)
			i += gm_entry_pages(dst[i]);
		if (i > first)
			ret = gm_record_run(mig, first, i);
		else
			i++;
	}
	return ret;
}

/*
 * What hmm_range_fault() would say of a page that has moved from @src to @dst: @flags,
 * where it is, and whether it is writable.
 */
static unsigned long gm_moved_pfn(const struct gm_migration *mig, unsigned long flags,
				  unsigned long src, unsigned long dst)
{
	if (src & MIGRATE_PFN_WRITE || (!(src & MIGRATE_PFN_VALID) &&
					mig->args.vma->vm_flags & VM_WRITE))
		flags |= HMM_PFN_WRITE;
	return flags | (dst >> MIGRATE_PFN_SHIFT);
}

/*
 * Counts what moved, and says where it is now; marks the record where something
 * did not.
 */
static unsigned long gm_migration_result(struct gm_migration *mig)
{
	const unsigned long *src = mig->args.src, *dst = mig->args.dst;
	unsigned long i, npages = mig->args.npages;
	unsigned long nr = gm_entry_pages(dst[0]);
	unsigned long *pfns = mig->scratch->pfns;
	unsigned long flags = HMM_PFN_VALID |
			      (unsigned long)ilog2(nr) << HMM_PFN_ORDER_SHIFT;
	unsigned long moved = 0, refused = 0;

	for (i = 0; i < npages; i += nr) {
		if (!(dst[i] & MIGRATE_PFN_VALID))
			continue;
		if (src[i] & MIGRATE_PFN_MIGRATE) {
			pfns[i] = gm_moved_pfn(mig, flags, src[i], dst[i]);
			moved += nr;
			continue;
		}
		refused += nr;
		gm_record_inexact(mig, i, nr);
	}
	gm_stat_add(&mig->hnode->stats, GM_STAT_PAGES_IN, moved);
	gm_stat_add(&mig->ctx->as->stats, GM_STAT_PAGES_IN, moved);
	if (refused)
		gm_stat_add(&mig->hnode->stats, GM_STAT_PAGES_REFUSED, refused);
	return moved;
}

/* Other address spaces of the process may cover the same addresses. */
static void gm_record_peer_as(struct gm_as *as, void *arg)
{
	const struct gm_peer_run *where = arg;

	if (as != where->ours)
		gm_record_peer(as, where);
}

static void gm_record_peer_elsewhere(struct gm_migration *mig,
				     struct gm_peer_run *where)
{
	if (where->first < where->last)
		gm_as_visit_mm(mig->args.vma->vm_mm, gm_record_peer_as, where);
}

/* Counts what was on other devices: what came from there, and what did not. */
static void gm_migration_count_peers(struct gm_migration *mig)
{
	const unsigned long *src = mig->args.src, *dst = mig->args.dst;
	unsigned long base = PHYS_PFN(mig->args.start), i, nr;
	struct gm_peer_run where = {
		.ours = mig->ctx->as,
		.res = gm_hnode_res(mig->hnode),
	};

	for (i = 0; i < mig->args.npages; i += nr) {
		struct gm_hnode *peer = gm_peer_of(mig, src[i]);

		nr = gm_entry_pages(src[i]);
		if (!peer)
			continue;
		if (!(src[i] & MIGRATE_PFN_MIGRATE) ||
		    !(dst[i] & MIGRATE_PFN_VALID)) {
			mig->left += nr;
			continue;
		}
		mig->direct += nr;
		mig->peer_hnid = peer->hnid;
		gm_stat_add(&peer->stats, GM_STAT_PAGES_PEER_OUT, nr);
		if (where.last != base + i) {
			gm_record_peer_elsewhere(mig, &where);
			where.first = base + i;
		}
		where.last = base + i + nr;
	}
	gm_record_peer_elsewhere(mig, &where);
	gm_stat_add(&mig->hnode->stats, GM_STAT_PAGES_PEER_IN, mig->direct);
	gm_stat_add(&mig->ctx->as->stats, GM_STAT_PAGES_PEER_IN, mig->direct);
	gm_stat_add(&mig->ctx->as->stats, GM_STAT_PAGES_PEER_OUT, mig->direct);
}

static unsigned long gm_migration_run(struct gm_migration *mig)
{
	unsigned long moved;

	if (gm_migration_alloc(mig) &&
	    (gm_migration_record(mig) || gm_migration_copy(mig)))
		gm_migration_drop(mig);
	migrate_vma_pages(&mig->args);
	moved = gm_migration_result(mig);
	/* The last chance to look at the pages that are left behind. */
	if (mig->peers)
		gm_migration_count_peers(mig);
	migrate_vma_finalize(&mig->args);
	return moved;
}

/**
 * gm_migrate_to_device() - move a block to a device's memory
 * @ctx: the context of the device; in use
 * @vma: holds the whole range
 * @start: first address
 * @end: end; within the GM_BLOCK_SIZE block of @start
 * @fault_va: address that is wanted, for what was never touched; or GM_NO_VA to
 *	populate nothing
 * @scratch: working memory
 * @peers: whether data on other devices is to come from there directly; set to
 *	whether there may be some still, which must be brought home before it can
 *	move. NULL leaves it alone
 *
 * Context: the mmap_lock is held for reading; gm_hnode_srcu is held. May sleep
 * and allocate.
 * Return: number of pages that moved, or -EINVAL for memory that never can. If
 * all did, @scratch->pfns tells where to, as hmm_range_fault() would.
 */
int gm_migrate_to_device(struct gm_context *ctx, struct vm_area_struct *vma,
			 unsigned long start, unsigned long end,
			 unsigned long fault_va, struct gm_scratch *scratch,
			 bool *peers)
{
	struct gm_migration mig = {
		.args = {
			.vma = vma,
			.src = scratch->src,
			.dst = scratch->dst,
			.start = start,
			.end = end,
			.pgmap_owner = gm_pgmap_owner(),
			.flags = MIGRATE_VMA_SELECT_SYSTEM,
		},
		/* Pairs with the release in gm_dev_register_physmem(). */
		.hnode = smp_load_acquire(&ctx->dev->hnode),
		.ctx = ctx,
		.origin = gm_origin(ctx->as, PHYS_PFN(start)),
		/* KSM has no pages outside of mergeable memory: see below. */
		.all_movable = vma_is_anonymous(vma) && !(peers && *peers),
		.scratch = scratch,
		.peers = peers && *peers,
		.peer_hnid = NUMA_NO_NODE,
	};
	unsigned long moved;

	mmap_assert_locked(vma->vm_mm);
	/*
	 * In memory that is mergeable a page can become KSM's at any moment. What may
	 * be dropped must not be swapped: that is told by a flag of the folio that
	 * gm_folio_needed() would take for MADV_FREE.
	 */
	if (vma->vm_flags & (VM_SHARED | VM_MERGEABLE | VM_DROPPABLE))
		return 0;
	if (!mig.hnode || READ_ONCE(mig.hnode->closing))
		return 0;
	gm_choose_holes(&mig, fault_va);
	if (gm_is_whole_block(start, end) &&
	    (ctx->dev->mmu->pgsize_bitmap & GM_BLOCK_SIZE) &&
	    thp_vma_allowable_order(vma, vma->vm_flags, TVA_PAGEFAULT,
				    GM_BLOCK_ORDER))
		mig.args.flags |= MIGRATE_VMA_SELECT_COMPOUND;

	if (mig.peers)
		mig.args.flags |= MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
	if (!gm_split_range(vma, start, end, false) ||
	    (mig.peers && !gm_split_range(vma, start, end, true)))
		return 0;
	if (migrate_vma_setup(&mig.args))
		return -EINVAL;
	if (!mig.args.cpages)
		return 0;
	moved = gm_migration_run(&mig);
	trace_gm_migrate(mig.hnode->hnid, true, start, end, moved,
			 mig.peer_hnid, mig.direct);
	if (peers)
		*peers = mig.left;
	return moved;
}

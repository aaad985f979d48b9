// SPDX-License-Identifier: GPL-2.0-only
/*
 * Evacuation: emptying an hnode whose device goes away.
 *
 * Works from the frames, not from the processes: migrate_device_pfns() finds
 * the mappings by reverse mapping, whichever process has them. Pages that are
 * busy are tried again. Frames cannot be pinned for long, so this ends; what
 * cannot be carried home because the device fails, or because there is no host
 * memory for a long time, is poisoned and never replaced by something else.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include "../internal.h"
#include "internal.h"
#include "trace.h"

/* How long busy pages and missing host memory are waited for in vain. */
#define GM_EVACUATE_TIMEOUT	(30 * HZ)

/**
 * struct gm_evacuation - state of emptying an hnode
 * @hnode:	which one
 * @poison:	give up on what cannot be carried home
 * @moved:	pages that went home from the current block
 * @poisoned:	pages of it that were lost
 * @nr:		entries of the current block in @scratch
 * @anon_vma:	for each of them the anon_vma that must not go meanwhile, or NULL
 * @scratch:	working memory
 */
struct gm_evacuation {
	struct gm_hnode *hnode;
	bool poison;
	unsigned long moved;
	unsigned long poisoned;
	unsigned long nr;
	struct anon_vma *anon_vma[GM_BLOCK_PAGES];
	struct gm_scratch scratch;
};

/*
 * Adds the folio that begins at @pfn, if it is mapped somewhere: as one entry and
 * room for the rest, which are entries of their own if it is split meanwhile.
 *
 * Return: the number of pages to go on after.
 */
static unsigned long gm_evac_add(struct gm_evacuation *evac, unsigned long pfn)
{
	struct anon_vma *anon_vma = NULL;
	unsigned long i, nr;
	struct folio *folio;

	folio = folio_get_nontail_page(pfn_to_page(pfn));
	if (!folio)
		return 1;
	nr = folio_nr_pages(folio);
	/* Who has it locked may be moving it. */
	if (folio_trylock(folio)) {
		anon_vma = folio_get_anon_vma(folio);
		folio_unlock(folio);
	}
	folio_put(folio);
	if (!anon_vma)
		return nr;
	for (i = 0; i < nr; i++) {
		evac->anon_vma[evac->nr] = i ? NULL : anon_vma;
		evac->scratch.src[evac->nr++] = pfn + i;
	}
	return nr;
}

/*
 * A fault of the CPU that has brought the data home gives its references to the
 * frame back only after the lock. What is found in between is an empty shell; it
 * has no charge any more.
 */
static bool gm_evac_is_shell(struct folio *folio)
{
	return !mem_cgroup_disabled() && !folio_memcg_charged(folio);
}

/*
 * Locks and unmaps what there is in the block that begins at @pfn.
 *
 * migrate_device_pfns() leaves it to its caller that the anon_vma of a page, by
 * which it is mapped again at the end, outlives the process. So each is pinned
 * while the page is still mapped, and pages that are not are left alone.
 */
static void gm_evac_collect(struct gm_evacuation *evac, unsigned long pfn)
{
	unsigned long *src = evac->scratch.src;
	unsigned long end = pfn + GM_BLOCK_PAGES;
	unsigned long i;

	evac->nr = 0;
	while (pfn < end)
		pfn += gm_frames_used(evac->hnode, pfn) ?
		       gm_evac_add(evac, pfn) : 1;
	migrate_device_pfns(src, evac->nr);
	for (i = 0; i < evac->nr; i++) {
		struct page *page = migrate_pfn_to_page(src[i]);

		if (!page || !gm_evac_is_shell(page_folio(page)))
			continue;
		src[i] = 0;
		folio_unlock(page_folio(page));
		folio_put(page_folio(page));
	}
}

static void gm_evac_unpin(struct gm_evacuation *evac)
{
	unsigned long i;

	for (i = 0; i < evac->nr; i++)
		if (evac->anon_vma[i])
			put_anon_vma(evac->anon_vma[i]);
}

static void gm_evac_alloc(struct gm_evacuation *evac)
{
	unsigned long *src = evac->scratch.src, *dst = evac->scratch.dst;
	const gfp_t gfp = GFP_HIGHUSER_MOVABLE | __GFP_NOWARN;
	unsigned long i;

	for (i = 0; i < evac->nr; i++) {
		bool huge = src[i] & MIGRATE_PFN_COMPOUND;
		struct folio *folio;

		dst[i] = 0;
		if (!(src[i] & MIGRATE_PFN_MIGRATE))
			continue;
		folio = folio_alloc(huge ? GFP_TRANSHUGE_LIGHT :
				    gfp | __GFP_RETRY_MAYFAIL,
				    huge ? GM_BLOCK_ORDER : 0);
		if (!folio)
			continue;
		if (huge)
			folio_set_large_rmappable(folio);
		folio_lock(folio);
		dst[i] = migrate_pfn(folio_pfn(folio));
		if (huge)
			dst[i] |= MIGRATE_PFN_COMPOUND;
	}
}

/* Copies entries [@first, @last) home. */
static int gm_evac_copy(struct gm_evacuation *evac, unsigned long first,
			unsigned long last)
{
	unsigned long *src = evac->scratch.src, *dst = evac->scratch.dst;
	struct gm_hnode *hnode = evac->hnode;
	struct gm_copy copy;
	unsigned long i;

	gm_copy_init(&copy, hnode, evac->scratch.ext);
	for (i = first; i < last; i++) {
		unsigned long size = PAGE_SIZE;

		if (!(dst[i] & MIGRATE_PFN_VALID))
			continue;
		if (dst[i] & MIGRATE_PFN_COMPOUND)
			size = GM_BLOCK_SIZE;
		gm_copy_add(&copy, GM_COPY_FROM_DEVICE,
			    gm_hnode_dpa(hnode, src[i] >> MIGRATE_PFN_SHIFT),
			    PFN_PHYS(dst[i] >> MIGRATE_PFN_SHIFT), size);
	}
	return gm_copy_finish(&copy);
}

static void gm_evac_drop(struct gm_evacuation *evac, unsigned long i, int err)
{
	struct page *page = migrate_pfn_to_page(evac->scratch.dst[i]);

	evac->scratch.dst[i] = 0;
	if (!page)
		return;
	folio_unlock(page_folio(page));
	/* An engine that timed out may still write to it: never again ours. */
	if (err != -ETIMEDOUT)
		folio_put(page_folio(page));
}

/* When the batch fails, finds out page by page what can be saved. */
static void gm_evac_carry(struct gm_evacuation *evac)
{
	unsigned long i;
	int all, ret;

	all = gm_evac_copy(evac, 0, evac->nr);
	if (!all)
		return;
	for (i = 0; i < evac->nr; i++) {
		if (!evac->scratch.dst[i])
			continue;
		/* After a time-out none of these pages is ours any more. */
		ret = all == -ETIMEDOUT ? all : gm_evac_copy(evac, i, i + 1);
		if (ret)
			gm_evac_drop(evac, i, ret);
	}
}

static void gm_evac_count(struct gm_evacuation *evac)
{
	unsigned long i;

	for (i = 0; i < evac->nr; i++) {
		unsigned long dst = evac->scratch.dst[i];

		if (!(dst & MIGRATE_PFN_VALID) ||
		    !(evac->scratch.src[i] & MIGRATE_PFN_MIGRATE))
			continue;
		gm_folio_needed(page_folio(migrate_pfn_to_page(dst)));
		evac->moved += dst & MIGRATE_PFN_COMPOUND ? GM_BLOCK_PAGES : 1;
	}
	gm_stat_add(&evac->hnode->stats, GM_STAT_PAGES_OUT, evac->moved);
}

/* Carries home what can be of the block that begins at @pfn. */
static void gm_evac_move(struct gm_evacuation *evac, unsigned long pfn)
{
	struct gm_scratch *scratch = &evac->scratch;

	gm_evac_collect(evac, pfn);
	gm_evac_alloc(evac);
	gm_evac_carry(evac);
	migrate_device_pages(scratch->src, scratch->dst, evac->nr);
	gm_evac_count(evac);
	migrate_device_finalize(scratch->src, scratch->dst, evac->nr);
	gm_evac_unpin(evac);
}

/*
 * Who has the folio locked may be carrying it away: to wait with a reference would
 * make that fail. There is another pass.
 */
static struct folio *gm_evac_lock(unsigned long pfn)
{
	struct folio *folio = page_folio(pfn_to_page(pfn));

	if (!folio_try_get(folio))
		return NULL;
	if (folio_trylock(folio))
		return folio;
	folio_put(folio);
	return NULL;
}

/*
 * Breaks a large frame up, so that it can go home in pieces: there was no large
 * host page.
 */
static void gm_evac_split(unsigned long pfn)
{
	struct folio *folio = gm_evac_lock(pfn);

	if (!folio)
		return;
	if (folio_test_large(folio))
		split_folio(folio);
	folio_unlock(folio);
	folio_put(folio);
}

static void gm_evac_poison(struct gm_evacuation *evac, unsigned long pfn)
{
	unsigned long at;

	for (at = pfn; at < pfn + GM_BLOCK_PAGES; at++) {
		struct folio *folio;
		int nr;

		if (!gm_frames_used(evac->hnode, at))
			continue;
		folio = gm_evac_lock(at);
		if (!folio)
			continue;
		nr = gm_poison_folio(folio);
		folio_unlock(folio);
		folio_put(folio);
		evac->poisoned += nr;
		gm_stat_add(&evac->hnode->stats, GM_STAT_PAGES_POISONED, nr);
	}
}

static void gm_evac_block(struct gm_evacuation *evac, unsigned long pfn)
{
	evac->moved = 0;
	evac->poisoned = 0;
	if (!gm_dev_lost(evac->hnode->dev)) {
		gm_evac_move(evac, pfn);
		if (!evac->moved && gm_frames_used(evac->hnode, pfn))
			gm_evac_split(pfn);
	}
	if (evac->poison || gm_dev_lost(evac->hnode->dev))
		gm_evac_poison(evac, pfn);
	trace_gm_evict(evac->hnode->hnid, pfn, evac->moved, evac->poisoned);
}

static void gm_evac_pass(struct gm_evacuation *evac)
{
	struct gm_hnode *hnode = evac->hnode;
	unsigned long i;

	for (i = 0; i < hnode->nr_pages; i += GM_BLOCK_PAGES) {
		if (READ_ONCE(hnode->chunks[i / GM_BLOCK_PAGES].used))
			gm_evac_block(evac, hnode->base_pfn + i);
		cond_resched();
	}
}

/**
 * gm_hnode_evacuate() - bring all data home from an hnode
 * @hnode: the hnode; closed, and no migration to it is in flight
 *
 * Context: process context, may sleep for long.
 */
void gm_hnode_evacuate(struct gm_hnode *hnode)
{
	unsigned long deadline = jiffies + GM_EVACUATE_TIMEOUT;
	struct gm_evacuation *evac;

	if (!READ_ONCE(hnode->used))
		return;
	evac = kvzalloc_obj(*evac, GFP_KERNEL | __GFP_NOFAIL);
	evac->hnode = hnode;
	for (;;) {
		unsigned long before = READ_ONCE(hnode->used);

		gm_evac_pass(evac);
		if (!READ_ONCE(hnode->used))
			break;
		if (READ_ONCE(hnode->used) < before)
			deadline = jiffies + GM_EVACUATE_TIMEOUT;
		else
			/* Frames that were locked in memory wait there. */
			lru_add_drain_all();
		evac->poison = time_after(jiffies, deadline);
		msleep(20);
	}
	kvfree(evac);
}

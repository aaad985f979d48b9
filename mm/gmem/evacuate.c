// SPDX-License-Identifier: GPL-2.0-only
/*
 * Evacuation: emptying an hnode whose device goes away.
 *
 * Works from the frames, not from the processes: migrate_device_range() finds
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
#include <linux/sched.h>
#include <linux/slab.h>

#include "internal.h"
#include "trace.h"

/* How long busy pages and missing host memory are waited for in vain. */
#define GM_EVACUATE_TIMEOUT	(30 * HZ)

/**
 * struct gm_evacuation - state of emptying an hnode
 * @hnode:	which one
 * @scratch:	working memory
 * @poison:	give up on what cannot be carried home
 * @moved:	pages that went home from the current block
 * @poisoned:	pages of it that were lost
 */
struct gm_evacuation {
	struct gm_hnode *hnode;
	struct gm_scratch *scratch;
	bool poison;
	unsigned long moved;
	unsigned long poisoned;
};

static void gm_evac_alloc(struct gm_evacuation *evac)
{
	unsigned long *src = evac->scratch->src, *dst = evac->scratch->dst;
	const gfp_t gfp = GFP_HIGHUSER_MOVABLE | __GFP_NOWARN;
	unsigned long i;

	for (i = 0; i < GM_BLOCK_PAGES; i++) {
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
	unsigned long *src = evac->scratch->src, *dst = evac->scratch->dst;
	struct gm_hnode *hnode = evac->hnode;
	struct gm_copy copy;
	unsigned long i;

	gm_copy_init(&copy, hnode, evac->scratch->ext);
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
	struct page *page = migrate_pfn_to_page(evac->scratch->dst[i]);

	evac->scratch->dst[i] = 0;
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

	all = gm_evac_copy(evac, 0, GM_BLOCK_PAGES);
	if (!all)
		return;
	for (i = 0; i < GM_BLOCK_PAGES; i++) {
		if (!evac->scratch->dst[i])
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

	for (i = 0; i < GM_BLOCK_PAGES; i++) {
		unsigned long dst = evac->scratch->dst[i];

		if ((dst & MIGRATE_PFN_VALID) &&
		    (evac->scratch->src[i] & MIGRATE_PFN_MIGRATE))
			evac->moved += dst & MIGRATE_PFN_COMPOUND ?
				       GM_BLOCK_PAGES : 1;
	}
	gm_stat_add(&evac->hnode->stats, GM_STAT_PAGES_OUT, evac->moved);
}

/* Carries home what can be of the block that begins at @pfn. */
static void gm_evac_move(struct gm_evacuation *evac, unsigned long pfn)
{
	struct gm_scratch *scratch = evac->scratch;

	migrate_device_range(scratch->src, pfn, GM_BLOCK_PAGES);
	gm_evac_alloc(evac);
	gm_evac_carry(evac);
	migrate_device_pages(scratch->src, scratch->dst, GM_BLOCK_PAGES);
	gm_evac_count(evac);
	migrate_device_finalize(scratch->src, scratch->dst, GM_BLOCK_PAGES);
}

static struct folio *gm_evac_lock(unsigned long pfn)
{
	struct folio *folio = page_folio(pfn_to_page(pfn));

	if (!folio_try_get(folio))
		return NULL;
	folio_lock(folio);
	return folio;
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
	struct gm_evacuation evac = { .hnode = hnode };
	unsigned long deadline = jiffies + GM_EVACUATE_TIMEOUT;

	if (!READ_ONCE(hnode->used))
		return;
	evac.scratch = kvmalloc_obj(*evac.scratch, GFP_KERNEL | __GFP_NOFAIL);
	for (;;) {
		unsigned long before = READ_ONCE(hnode->used);

		gm_evac_pass(&evac);
		if (!READ_ONCE(hnode->used))
			break;
		if (READ_ONCE(hnode->used) < before)
			deadline = jiffies + GM_EVACUATE_TIMEOUT;
		evac.poison = time_after(jiffies, deadline);
		msleep(20);
	}
	kvfree(evac.scratch);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames: which parts of a device's memory are in use.
 *
 * gpu_buddy hands out chunks of GM_BLOCK_SIZE. A chunk serves either one frame
 * of that size or frames of one page, by a bitmap; a large frame that core mm
 * splits becomes the second kind by itself, since its bitmap is full. Chunks
 * that run empty stay with us: taking one again needs no allocation.
 *
 * Frames are freed from wherever the last reference to a page is dropped,
 * spinlocks held. So freeing takes only a spinlock, and never gives back to
 * gpu_buddy, which wants a mutex.
 *
 * This file knows pages in use and nothing of mappings.
 */
#include <linux/bitmap.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "internal.h"

static struct gm_chunk *gm_chunk_of(struct gm_hnode *hnode, unsigned long pfn)
{
	return &hnode->chunks[(pfn - hnode->base_pfn) / GM_BLOCK_PAGES];
}

static unsigned long gm_chunk_pfn(struct gm_hnode *hnode,
				  const struct gm_chunk *chunk)
{
	return hnode->base_pfn + (chunk - hnode->chunks) * GM_BLOCK_PAGES;
}

/**
 * gm_frames_init() - set up the frames of an hnode
 * @hnode: hnode, nr_pages filled in: a multiple of GM_BLOCK_PAGES
 *
 * Return: 0 or -ENOMEM.
 */
int gm_frames_init(struct gm_hnode *hnode)
{
	unsigned long nr = hnode->nr_pages / GM_BLOCK_PAGES;
	unsigned long i;
	int ret;

	mutex_init(&hnode->buddy_lock);
	spin_lock_init(&hnode->lock);
	INIT_LIST_HEAD(&hnode->empty);
	INIT_LIST_HEAD(&hnode->partial);
	hnode->chunks = kvcalloc(nr, sizeof(*hnode->chunks), GFP_KERNEL);
	if (!hnode->chunks)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		INIT_LIST_HEAD(&hnode->chunks[i].link);
	ret = gpu_buddy_init(&hnode->buddy, nr * GM_BLOCK_SIZE, GM_BLOCK_SIZE);
	if (ret) {
		kvfree(hnode->chunks);
		return ret;
	}
	gpu_buddy_driver_set_lock(&hnode->buddy, &hnode->buddy_lock);
	return 0;
}

/**
 * gm_frames_exit() - undo gm_frames_init()
 * @hnode: hnode, closed and without a frame in use
 */
void gm_frames_exit(struct gm_hnode *hnode)
{
	struct gm_chunk *chunk;

	WARN_ON_ONCE(hnode->used);
	mutex_lock(&hnode->buddy_lock);
	list_for_each_entry(chunk, &hnode->empty, link)
		gpu_buddy_free_block(&hnode->buddy, chunk->block);
	gpu_buddy_fini(&hnode->buddy);
	mutex_unlock(&hnode->buddy_lock);
	kvfree(hnode->chunks);
	mutex_destroy(&hnode->buddy_lock);
}

/* Gets a chunk from gpu_buddy and puts it on the empty list. */
static bool gm_frames_refill(struct gm_hnode *hnode)
{
	struct gpu_buddy_block *block;
	struct gm_chunk *chunk;
	LIST_HEAD(blocks);
	int ret;

	mutex_lock(&hnode->buddy_lock);
	ret = gpu_buddy_alloc_blocks(&hnode->buddy, 0, hnode->buddy.size,
				     GM_BLOCK_SIZE, GM_BLOCK_SIZE, &blocks, 0);
	mutex_unlock(&hnode->buddy_lock);
	if (ret)
		return false;
	block = list_first_entry(&blocks, struct gpu_buddy_block, link);
	chunk = &hnode->chunks[gpu_buddy_block_offset(block) / GM_BLOCK_SIZE];

	spin_lock(&hnode->lock);
	chunk->block = block;
	list_add(&chunk->link, &hnode->empty);
	spin_unlock(&hnode->lock);
	return true;
}

/*
 * Counts pages that were taken, or given back if @nr is negative. sysfs and
 * evacuation read both counters without the lock.
 */
static void gm_frames_count(struct gm_hnode *hnode, struct gm_chunk *chunk,
			    long nr)
{
	lockdep_assert_held(&hnode->lock);
	WRITE_ONCE(chunk->used, chunk->used + nr);
	WRITE_ONCE(hnode->used, hnode->used + nr);
}

static struct gm_chunk *gm_frames_empty_chunk(struct gm_hnode *hnode)
{
	lockdep_assert_held(&hnode->lock);
	return list_first_entry_or_null(&hnode->empty, struct gm_chunk, link);
}

static bool gm_frames_take_block(struct gm_hnode *hnode, unsigned long *pfn)
{
	struct gm_chunk *chunk = gm_frames_empty_chunk(hnode);

	if (!chunk)
		return false;
	list_del_init(&chunk->link);
	bitmap_fill(chunk->bitmap, GM_BLOCK_PAGES);
	gm_frames_count(hnode, chunk, GM_BLOCK_PAGES);
	*pfn = gm_chunk_pfn(hnode, chunk);
	return true;
}

/**
 * gm_frames_alloc_block() - allocate one frame of GM_BLOCK_SIZE
 * @hnode: where
 * @pfn: set to the first page frame number
 *
 * Context: may sleep and enter reclaim.
 * Return: true if there was one.
 */
bool gm_frames_alloc_block(struct gm_hnode *hnode, unsigned long *pfn)
{
	bool ok;

	do {
		spin_lock(&hnode->lock);
		ok = !hnode->closing && gm_frames_take_block(hnode, pfn);
		spin_unlock(&hnode->lock);
	} while (!ok && !READ_ONCE(hnode->closing) && gm_frames_refill(hnode));

	if (!ok)
		gm_stat_add(&hnode->stats, GM_STAT_ALLOC_FAILED, 1);
	return ok;
}

static unsigned long gm_chunk_take_pages(struct gm_hnode *hnode,
					 struct gm_chunk *chunk,
					 unsigned long *pfns, unsigned long nr)
{
	unsigned long pfn = gm_chunk_pfn(hnode, chunk);
	unsigned long got = 0, bit = 0, end;

	while (got < nr) {
		bit = find_next_zero_bit(chunk->bitmap, GM_BLOCK_PAGES, bit);
		if (bit == GM_BLOCK_PAGES)
			break;
		end = find_next_bit(chunk->bitmap,
				    min(bit + nr - got, GM_BLOCK_PAGES), bit);
		bitmap_set(chunk->bitmap, bit, end - bit);
		while (bit < end)
			pfns[got++] = pfn + bit++;
	}
	gm_frames_count(hnode, chunk, got);
	return got;
}

static unsigned long gm_frames_take_pages(struct gm_hnode *hnode,
					  unsigned long *pfns, unsigned long nr)
{
	unsigned long got = 0;
	struct gm_chunk *chunk;

	/*
	 * A batch that fills a chunk gets a fresh one: contiguous frames need
	 * fewer extents. Small ones use up what is broken already.
	 */
	while (got < nr) {
		chunk = list_first_entry_or_null(&hnode->partial,
						 struct gm_chunk, link);
		if (!chunk || nr - got == GM_BLOCK_PAGES)
			chunk = gm_frames_empty_chunk(hnode) ?: chunk;
		if (!chunk)
			break;
		got += gm_chunk_take_pages(hnode, chunk, pfns + got, nr - got);
		if (chunk->used == GM_BLOCK_PAGES)
			list_del_init(&chunk->link);
		else
			list_move(&chunk->link, &hnode->partial);
	}
	return got;
}

/**
 * gm_frames_alloc_pages() - allocate frames of one page
 * @hnode: where
 * @pfns: array for the page frame numbers
 * @nr: how many are wanted, at most GM_BLOCK_PAGES
 *
 * Context: may sleep and enter reclaim.
 * Return: how many there were.
 */
unsigned long gm_frames_alloc_pages(struct gm_hnode *hnode,
				    unsigned long *pfns, unsigned long nr)
{
	unsigned long got = 0;

	do {
		/* Before the partial chunks are used up, for contiguity. */
		if (nr - got == GM_BLOCK_PAGES && list_empty(&hnode->empty))
			gm_frames_refill(hnode);
		spin_lock(&hnode->lock);
		if (!hnode->closing)
			got += gm_frames_take_pages(hnode, pfns + got,
						    nr - got);
		spin_unlock(&hnode->lock);
	} while (got < nr && !READ_ONCE(hnode->closing) &&
		 gm_frames_refill(hnode));

	if (got < nr)
		gm_stat_add(&hnode->stats, GM_STAT_ALLOC_FAILED, 1);
	return got;
}

/**
 * gm_frames_free() - give frames back
 * @hnode: where
 * @pfn: first page frame number
 * @order: log2 of the number of pages; a frame may be freed in pieces
 *
 * Context: any but hard interrupts; takes a spinlock.
 */
void gm_frames_free(struct gm_hnode *hnode, unsigned long pfn,
		    unsigned int order)
{
	struct gm_chunk *chunk = gm_chunk_of(hnode, pfn);
	unsigned long first = (pfn - hnode->base_pfn) % GM_BLOCK_PAGES;
	unsigned long nr = 1UL << order;

	spin_lock(&hnode->lock);
	if (IS_ENABLED(CONFIG_GMEM_DEBUG))
		WARN_ON_ONCE(find_next_zero_bit(chunk->bitmap, first + nr,
						first) < first + nr);
	bitmap_clear(chunk->bitmap, first, nr);
	gm_frames_count(hnode, chunk, -nr);
	if (!chunk->used)
		list_move(&chunk->link, &hnode->empty);
	else if (list_empty(&chunk->link))
		list_add(&chunk->link, &hnode->partial);
	spin_unlock(&hnode->lock);
}

/**
 * gm_frames_close() - allow no more allocations
 * @hnode: where
 */
void gm_frames_close(struct gm_hnode *hnode)
{
	spin_lock(&hnode->lock);
	/* Allocations look before they take the lock, too. */
	WRITE_ONCE(hnode->closing, true);
	spin_unlock(&hnode->lock);
}

/**
 * gm_frames_used() - whether a page is in use
 * @hnode: where
 * @pfn: page frame number
 *
 * Return: true if it was allocated and not freed. A snapshot.
 */
bool gm_frames_used(struct gm_hnode *hnode, unsigned long pfn)
{
	struct gm_chunk *chunk = gm_chunk_of(hnode, pfn);

	return test_bit((pfn - hnode->base_pfn) % GM_BLOCK_PAGES,
			chunk->bitmap);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA mappings of host memory that a device uses in place.
 *
 * A device without an IOMMU in front needs no unmapping, and then nothing is
 * kept. Otherwise each segment has a node in an interval tree of its context,
 * by virtual address, until the invalidation that removes the translation.
 *
 * Nodes are allocated and mapped before map_lock is taken (a list in the hands
 * of the fault), and join the tree under it. A fault that maps a segment again
 * finds the mapping in the tree and uses it.
 */
#include <linux/dma-mapping.h>
#include <linux/interval_tree.h>
#include <linux/list.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * struct gm_dma_map - one segment mapped for DMA
 * @itree:	first and last byte, in gm_context.dma
 * @link:	in the list of a fault, before it is in the tree
 * @addr:	bus address
 * @phys:	physical address
 */
struct gm_dma_map {
	struct interval_tree_node itree;
	struct list_head link;
	dma_addr_t addr;
	phys_addr_t phys;
};

/* A device reads and writes in place: bounce buffers cannot work. */
#define GM_DMA_ATTRS	DMA_ATTR_REQUIRE_COHERENT

static size_t gm_dma_size(const struct gm_dma_map *map)
{
	return map->itree.last - map->itree.start + 1;
}

static void gm_dma_free(struct gm_context *ctx, struct gm_dma_map *map)
{
	dma_unmap_phys(ctx->dev->parent, map->addr, gm_dma_size(map),
		       DMA_BIDIRECTIONAL, GM_DMA_ATTRS);
	kfree(map);
}

/*
 * Looks for a mapping that holds the whole segment. It may go at any time; then
 * the fault that uses it meets the invalidation and begins again.
 */
static bool gm_dma_reuse(struct gm_context *ctx, struct gm_segment *seg)
{
	unsigned long last = seg->va + seg->size - 1;
	struct interval_tree_node *node;

	guard(spinlock)(&ctx->dma_lock);
	for (node = interval_tree_iter_first(&ctx->dma, seg->va, last); node;
	     node = interval_tree_iter_next(node, seg->va, last)) {
		struct gm_dma_map *map;
		unsigned long offset;

		if (node->start > seg->va || node->last < last)
			continue;
		map = container_of(node, struct gm_dma_map, itree);
		offset = seg->va - node->start;
		if (map->phys + offset != seg->phys)
			continue;
		seg->dma_addr = map->addr + offset;
		return true;
	}
	return false;
}

/**
 * gm_dma_needs_unmap() - whether what is mapped for a device must be unmapped
 * @dev: the device
 *
 * A bounce buffer makes it so. What is mapped in place is never bounced, and needs no
 * unmapping if it needed none when it was mapped.
 *
 * Context: any.
 * Return: true if so.
 */
bool gm_dma_needs_unmap(const struct gm_dev *dev)
{
	struct device *parent = dev->parent;

	return parent->dma_mask && dma_need_unmap(parent);
}

static dma_addr_t gm_dma_map(struct gm_context *ctx, const struct gm_segment *seg)
{
	return dma_map_phys(ctx->dev->parent, seg->phys, seg->size,
			    DMA_BIDIRECTIONAL, GM_DMA_ATTRS);
}

/* Maps a segment and remembers that, or uses a mapping that there is. */
static int gm_dma_map_kept(struct gm_context *ctx, struct gm_segment *seg,
			   struct list_head *maps)
{
	struct gm_dma_map *map;

	if (gm_dma_reuse(ctx, seg))
		return 0;
	map = kmalloc_obj(*map, GFP_KERNEL_ACCOUNT);
	if (!map)
		return -ENOMEM;
	seg->dma_addr = gm_dma_map(ctx, seg);
	if (dma_mapping_error(ctx->dev->parent, seg->dma_addr)) {
		kfree(map);
		return -EIO;
	}
	map->itree.start = seg->va;
	map->itree.last = seg->va + seg->size - 1;
	map->addr = seg->dma_addr;
	map->phys = seg->phys;
	list_add_tail(&map->link, maps);
	return 0;
}

/**
 * gm_dma_map_segments() - make segments of host memory reachable
 * @ctx: the context
 * @segs: the segments; of those of host memory, phys, va and size are read, dma_addr
 *	is set
 * @nr: how many
 * @maps: list that remembers what must be unmapped
 *
 * Context: may sleep and allocate.
 * Return: 0, -ENOMEM, or -EIO when the DMA API refuses.
 */
int gm_dma_map_segments(struct gm_context *ctx, struct gm_segment *segs,
			unsigned int nr, struct list_head *maps)
{
	struct device *parent = ctx->dev->parent;
	/* A device that does no DMA: only the physical address is of use. */
	bool dma = parent->dma_mask;
	bool keep = gm_dma_needs_unmap(ctx->dev);
	struct gm_segment *seg;

	for (seg = segs; seg < segs + nr; seg++) {
		if (seg->kind != GM_MEM_HOST)
			continue;
		seg->dma_addr = DMA_MAPPING_ERROR;
		if (keep) {
			int ret = gm_dma_map_kept(ctx, seg, maps);

			if (ret)
				return ret;
		} else if (dma) {
			seg->dma_addr = gm_dma_map(ctx, seg);
			if (dma_mapping_error(parent, seg->dma_addr))
				return -EIO;
		}
	}
	return 0;
}

/**
 * gm_dma_commit() - the segments are translated now
 * @ctx: the context; gm_as.map_lock is held
 * @maps: what gm_dma_map_segments() collected; empty afterwards
 */
void gm_dma_commit(struct gm_context *ctx, struct list_head *maps)
{
	struct gm_dma_map *map, *tmp;

	lockdep_assert_held(&ctx->as->map_lock);
	if (list_empty(maps))
		return;
	spin_lock(&ctx->dma_lock);
	list_for_each_entry_safe(map, tmp, maps, link) {
		list_del(&map->link);
		interval_tree_insert(&map->itree, &ctx->dma);
	}
	spin_unlock(&ctx->dma_lock);
}

/**
 * gm_dma_abort() - the segments were not translated after all
 * @ctx: the context
 * @maps: what gm_dma_map_segments() collected; empty afterwards
 */
void gm_dma_abort(struct gm_context *ctx, struct list_head *maps)
{
	struct gm_dma_map *map, *tmp;

	list_for_each_entry_safe(map, tmp, maps, link) {
		list_del(&map->link);
		gm_dma_free(ctx, map);
	}
}

static struct gm_dma_map *gm_dma_first(struct gm_context *ctx,
				       unsigned long start, unsigned long end)
{
	struct interval_tree_node *node;

	node = interval_tree_iter_first(&ctx->dma, start, end - 1);
	return node ? container_of(node, struct gm_dma_map, itree) : NULL;
}

/* To all mappings of an address: a small one, and the large one that came later. */
static void gm_dma_widen_at(struct gm_context *ctx, unsigned long va,
			    unsigned long *start, unsigned long *end)
{
	struct interval_tree_node *node;

	for (node = interval_tree_iter_first(&ctx->dma, va, va); node;
	     node = interval_tree_iter_next(node, va, va)) {
		*start = min(*start, node->start);
		*end = max(*end, node->last + 1);
	}
}

/**
 * gm_dma_widen() - grow a range to the whole mappings that it touches
 * @ctx: the context; gm_as.map_lock is held exclusively
 * @start: first address
 * @end: end, exclusive
 *
 * Return: true if it grew.
 */
bool gm_dma_widen(struct gm_context *ctx, unsigned long *start,
		  unsigned long *end)
{
	bool grew = false;

	lockdep_assert_held_write(&ctx->as->map_lock);
	if (RB_EMPTY_ROOT(&ctx->dma.rb_root))
		return false;
	/* Mappings overlap when a page was mapped again: until it is stable. */
	for (;;) {
		unsigned long lo = *start, hi = *end;

		gm_dma_widen_at(ctx, lo, start, end);
		gm_dma_widen_at(ctx, hi - 1, start, end);
		if (*start == lo && *end == hi)
			return grew;
		grew = true;
	}
}

/**
 * gm_dma_unmap_range() - end the DMA mappings of a range
 * @ctx: the context; gm_as.map_lock is held exclusively
 * @start: first address
 * @end: end, exclusive
 *
 * Context: does not allocate; the translations are gone.
 */
void gm_dma_unmap_range(struct gm_context *ctx, unsigned long start,
			unsigned long end)
{
	struct gm_dma_map *map;

	lockdep_assert_held_write(&ctx->as->map_lock);
	if (RB_EMPTY_ROOT(&ctx->dma.rb_root))
		return;
	for (;;) {
		scoped_guard(spinlock, &ctx->dma_lock) {
			map = gm_dma_first(ctx, start, end);
			if (map)
				interval_tree_remove(&map->itree, &ctx->dma);
		}
		if (!map)
			return;
		gm_dma_free(ctx, map);
	}
}

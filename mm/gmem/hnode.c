// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hnodes: the memory of devices, with an id that applications can name.
 *
 * Host NUMA nodes keep their ids; hnode ids start at MAX_NUMNODES. An id may be
 * reused after its hnode is gone.
 *
 * The struct pages of an hnode are ZONE_DEVICE pages of type device-private, in
 * a physical address range that is free. All hnodes have the same pgmap owner,
 * so that hmm and migrate_vma treat the frames of every GMEM device as ours.
 */
#include <linux/device.h>
#include <linux/export.h>
#include <linux/idr.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/xarray.h>

#include "internal.h"

/*
 * Held by whoever uses gm_dev.hnode or looks into a struct page it found in a
 * page table. An hnode goes through two grace periods: one before its data is
 * brought home, so that no more arrives, and one after, so that nobody looks
 * at its struct pages any more.
 */
DEFINE_SRCU(gm_hnode_srcu);

static DEFINE_IDA(gm_hnode_ids);
static DEFINE_MUTEX(gm_hnodes_lock);
static LIST_HEAD(gm_hnodes);

/* By gm_hnode_res(), for who holds gm_hnode_srcu. */
static DEFINE_XARRAY(gm_hnode_table);

/* Its address is the owner of all our pages. */
static const char gm_owner;

void *gm_pgmap_owner(void)
{
	return (void *)&gm_owner;
}

/**
 * gm_hnode_of_page() - the hnode that a device-private page belongs to
 * @page: the page
 *
 * Return: the hnode, or NULL if the page is not one of ours. It stays as long
 * as the page is in use.
 */
struct gm_hnode *gm_hnode_of_page(const struct page *page)
{
	const struct folio *folio;
	struct dev_pagemap *pgmap;

	/*
	 * While a folio is split, its pages are folios already, one after the other, and
	 * do not know yet of which memory. Whoever does that is not interrupted.
	 */
	for (;;) {
		folio = page_folio(page);
		/* Of the flags that others set, the zone is none. */
		if (!data_race(folio_is_zone_device(folio)))
			return NULL;
		pgmap = READ_ONCE(folio->pgmap);
		if (likely(pgmap))
			break;
		cpu_relax();
	}
	if (pgmap->type != MEMORY_DEVICE_PRIVATE ||
	    pgmap->owner != gm_pgmap_owner())
		return NULL;
	return container_of(pgmap, struct gm_hnode, pgmap);
}

/**
 * gm_hnode_res() - how the logical page table calls an hnode
 * @hnode: the hnode
 *
 * Return: the residency value.
 */
u16 gm_hnode_res(const struct gm_hnode *hnode)
{
	return GM_LPT_HNODE(hnode->hnid - MAX_NUMNODES);
}

/**
 * gm_hnode_of_res() - find an hnode by what the logical page table calls it
 * @res: residency value
 *
 * Context: gm_hnode_srcu is held, as long as the result is used.
 * Return: the hnode; or NULL if there is none, or it is being emptied.
 */
struct gm_hnode *gm_hnode_of_res(u16 res)
{
	return xa_load(&gm_hnode_table, res);
}

/**
 * gm_hnode_dev() - find the device of an hnode
 * @hnid: id
 *
 * Context: may sleep.
 * Return: the device, entered: gm_dev_exit() must follow. NULL if there is no
 * such hnode, or its device is going away.
 */
struct gm_dev *gm_hnode_dev(int hnid)
{
	struct gm_hnode *hnode;

	guard(mutex)(&gm_hnodes_lock);
	list_for_each_entry(hnode, &gm_hnodes, link)
		if (hnode->hnid == hnid)
			return gm_dev_enter(hnode->dev) ? hnode->dev : NULL;
	return NULL;
}

/* The hnode with the next higher id. */
static struct gm_hnode *gm_hnode_next(int hnid)
{
	struct gm_hnode *hnode, *next = NULL;

	guard(mutex)(&gm_hnodes_lock);
	list_for_each_entry(hnode, &gm_hnodes, link)
		if (hnode->hnid > hnid && (!next || hnode->hnid < next->hnid))
			next = hnode;
	return next;
}

/**
 * gm_hnode_visit_all() - call a function for each hnode
 * @fn: the function; stops the loop by returning non-zero
 * @arg: for @fn
 *
 * Context: may sleep; gm_hnode_srcu is held while @fn runs.
 */
void gm_hnode_visit_all(gm_hnode_fn fn, void *arg)
{
	struct gm_hnode *hnode;
	int hnid = -1;

	guard(srcu)(&gm_hnode_srcu);
	while ((hnode = gm_hnode_next(hnid))) {
		hnid = hnode->hnid;
		if (fn(hnode, arg))
			break;
	}
}

/*
 * What memory management noted of a page stays with its frame, for the next one to have:
 * core mm clears the flags of pages that it frees, but of those of devices only the
 * first eight when they are used again (7.2). That one is active and unevictable
 * at once then, or locked in memory by nobody.
 */
static void gm_folio_clean(struct folio *folio)
{
	const unsigned long keep = 0xff | BIT(PG_reserved) | __PG_HWPOISON;

	if (folio_test_clear_mlocked(folio))
		zone_stat_mod_folio(folio, NR_MLOCK, -folio_nr_pages(folio));
	folio->flags.f &= ~(PAGEFLAGS_MASK & ~keep);
}

static void gm_folio_free(struct folio *folio)
{
	struct gm_hnode *hnode = container_of(folio->pgmap, struct gm_hnode,
					      pgmap);

	gm_folio_clean(folio);
	gm_frames_free(hnode, folio_pfn(folio), folio_order(folio));
}

/* @part: what core mm has just cut off @folio; or NULL when all is done. Both are locked. */
static void gm_folio_split(struct folio *folio, struct folio *part)
{
	unsigned long origin = (unsigned long)folio_zone_device_data(folio);

	if (!part)
		return;
	part->page.mapping = folio->page.mapping;
	origin += folio_pfn(part) - folio_pfn(folio);
	/* Not by its function, which asks for the pgmap. */
	part->page.zone_device_data = (void *)origin;
	part->pgmap = folio->pgmap;
}

const struct dev_pagemap_ops gm_pagemap_ops = {
	.folio_free = gm_folio_free,
	.folio_split = gm_folio_split,
	.migrate_to_ram = gm_migrate_to_ram,
};

static int gm_hnode_init_pages(struct gm_hnode *hnode)
{
	struct dev_pagemap *pgmap = &hnode->pgmap;
	u64 size = (u64)hnode->nr_pages << PAGE_SHIFT;
	void *ptr;

	/* What it finds may be larger than asked for. */
	hnode->res = request_free_mem_region(&iomem_resource, size, "gmem");
	if (IS_ERR(hnode->res))
		return PTR_ERR(hnode->res);
	pgmap->type = MEMORY_DEVICE_PRIVATE;
	pgmap->range.start = hnode->res->start;
	pgmap->range.end = hnode->res->start + size - 1;
	pgmap->nr_range = 1;
	pgmap->ops = &gm_pagemap_ops;
	pgmap->owner = gm_pgmap_owner();
	ptr = memremap_pages(pgmap, dev_to_node(hnode->dev->parent));
	if (IS_ERR(ptr)) {
		release_mem_region(hnode->res->start,
				   resource_size(hnode->res));
		return PTR_ERR(ptr);
	}
	hnode->base_pfn = PHYS_PFN(hnode->res->start);
	return 0;
}

static void gm_hnode_exit_pages(struct gm_hnode *hnode)
{
	memunmap_pages(&hnode->pgmap);
	release_mem_region(hnode->res->start, resource_size(hnode->res));
}

static int gm_hnode_init(struct gm_hnode *hnode)
{
	int ret;

	ret = gm_hibernate_hold();
	if (ret)
		return ret;
	ret = ida_alloc_max(&gm_hnode_ids, GM_LPT_MAX_HNODE, GFP_KERNEL);
	if (ret < 0)
		goto err_hold;
	hnode->hnid = MAX_NUMNODES + ret;
	ret = gm_frames_init(hnode);
	if (ret)
		goto err_id;
	ret = gm_hnode_init_pages(hnode);
	if (ret)
		goto err_frames;
	ret = gm_sysfs_add_hnode(hnode);
	if (ret)
		goto err_pages;
	ret = xa_err(xa_store(&gm_hnode_table, gm_hnode_res(hnode), hnode,
			      GFP_KERNEL));
	if (ret)
		goto err_sysfs;
	return 0;

err_sysfs:
	gm_sysfs_remove_hnode(hnode);
err_pages:
	gm_hnode_exit_pages(hnode);
err_frames:
	gm_frames_exit(hnode);
err_id:
	ida_free(&gm_hnode_ids, hnode->hnid - MAX_NUMNODES);
err_hold:
	gm_hibernate_release();
	return ret;
}

/**
 * gm_dev_register_physmem() - give a device's memory to the core
 * @dev: the device
 * @type: kind of memory
 * @dpa: device physical address of its first byte
 * @size: bytes; a multiple of 2 MiB
 *
 * The core owns all of it from now on and uses it as it likes. The machine does not
 * hibernate meanwhile: the data on the device would not be in the image.
 *
 * Context: process context, may sleep.
 * Return: the id of the new hnode, or a negative errno: -EINVAL for a bad size,
 * type or overflow, or when the driver has no &gm_mmu.copy; -EBUSY when the
 * device has an hnode already, or the machine is about to hibernate; -ENOMEM,
 * -ENOSPC, -ERANGE without room for it.
 */
int gm_dev_register_physmem(struct gm_dev *dev, enum gm_mem_type type,
			    u64 dpa, u64 size)
{
	struct gm_hnode *hnode;
	u64 last;
	int ret;

	if (type != GM_MEM_TYPE_PRIVATE || !dev->mmu->copy)
		return -EINVAL;
	if (!size || !IS_ALIGNED(size, GM_BLOCK_SIZE) ||
	    !IS_ALIGNED(dpa, PAGE_SIZE) ||
	    check_add_overflow(dpa, size - 1, &last))
		return -EINVAL;
	if (dev->hnode)
		return -EBUSY;

	hnode = kzalloc_obj(*hnode);
	if (!hnode)
		return -ENOMEM;
	gm_dev_get(dev);
	hnode->dev = dev;
	hnode->dpa = dpa;
	hnode->nr_pages = size >> PAGE_SHIFT;
	ret = gm_hnode_init(hnode);
	if (ret) {
		gm_dev_put(dev);
		kfree(hnode);
		return ret;
	}

	scoped_guard(mutex, &gm_hnodes_lock)
		list_add_tail(&hnode->link, &gm_hnodes);
	/* Pairs with the acquire in the fault path: it needs a whole hnode. */
	smp_store_release(&dev->hnode, hnode);
	return hnode->hnid;
}
EXPORT_SYMBOL_GPL(gm_dev_register_physmem);

/**
 * gm_dev_unregister_physmem() - take a device's memory back
 * @dev: the device
 * @hnid: the id that gm_dev_register_physmem() returned
 *
 * Brings the data home first. Data that cannot be carried home is poisoned: its
 * next access by the CPU gets SIGBUS.
 *
 * Faults go on meanwhile; they use host memory in place. gm_dev_destroy() calls
 * this by itself.
 *
 * Context: process context, may sleep for long.
 * Return: 0, or -EINVAL if the device has no such hnode.
 */
int gm_dev_unregister_physmem(struct gm_dev *dev, int hnid)
{
	struct gm_hnode *hnode = dev->hnode;

	if (!hnode || hnode->hnid != hnid)
		return -EINVAL;

	scoped_guard(mutex, &gm_hnodes_lock)
		list_del(&hnode->link);
	xa_erase(&gm_hnode_table, gm_hnode_res(hnode));
	gm_frames_close(hnode);
	WRITE_ONCE(dev->hnode, NULL);
	synchronize_srcu(&gm_hnode_srcu);
	gm_hnode_evacuate(hnode);
	synchronize_srcu(&gm_hnode_srcu);
	gm_sysfs_remove_hnode(hnode);
	gm_hnode_exit_pages(hnode);
	gm_frames_exit(hnode);
	ida_free(&gm_hnode_ids, hnode->hnid - MAX_NUMNODES);
	gm_hibernate_release();
	gm_dev_put(dev);
	kfree(hnode);
	return 0;
}
EXPORT_SYMBOL_GPL(gm_dev_unregister_physmem);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way home: data goes from device memory to host memory, because the CPU
 * touched it or was said to need it.
 *
 * The notifier that migrate_vma_setup() calls removes the translations of all
 * devices, so that the data is stable when it is copied. The data may come from
 * several devices; the driver of the frame's device copies.
 *
 * A CPU fault must bring the page it wants or fail the access. It brings the
 * neighbours along when that is cheap. When the copy of the group fails the
 * page is tried alone; when that fails the access gets SIGBUS and the data stays
 * where it is: it is never replaced by something else.
 */
#include <linux/mempolicy.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "internal.h"
#include "trace.h"

/* Pages brought home by a fault on one of them, at first. On the stack, twice. */
#define GM_FAULT_AROUND		16
/* Pages that are allocated at once. On the stack, too. */
#define GM_HOME_BULK		GM_FAULT_AROUND

#define GM_HOME_GFP		(GFP_HIGHUSER_MOVABLE | __GFP_NOWARN)
/* For what nobody has asked for yet: not at the cost of others. */
#define GM_HOME_GFP_LIGHT	(GM_HOME_GFP & ~__GFP_DIRECT_RECLAIM)

/**
 * struct gm_home - state of one migration to the host
 * @args:	for migrate_vma
 * @ext:	room for GM_BATCH extents
 * @light:	from this entry on, pages come along if there is memory at hand
 * @stays:	what is there does not go home; or NULL
 * @ret:	0 or the error of a copy
 * @nomem:	there was no host memory for some page
 * @no_huge:	there was none for a huge page that must come home whole
 * @moved:	pages that went home
 * @hnid:	where the last of them came from
 */
struct gm_home {
	struct migrate_vma args;
	struct gm_copy_extent *ext;
	unsigned long light;
	const struct gm_hnode *stays;
	int ret;
	bool nomem;
	bool no_huge;
	unsigned long moved;
	int hnid;
};

static bool gm_home_wanted(const struct gm_home *home, unsigned long i)
{
	const unsigned long both = MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE;
	unsigned long src = home->args.src[i];

	if ((src & both) != both)
		return false;
	return !home->stays ||
	       gm_hnode_of_page(migrate_pfn_to_page(src)) != home->stays;
}

/* The page whose data entry @i holds; the tail of a huge page has no entry. */
static unsigned long gm_home_src_pfn(const struct gm_home *home,
				     unsigned long i)
{
	unsigned long head = home->args.src[0];

	if (i && (head & MIGRATE_PFN_COMPOUND))
		return (head >> MIGRATE_PFN_SHIFT) + i;
	return home->args.src[i] >> MIGRATE_PFN_SHIFT;
}

static bool gm_home_alloc_huge(struct gm_home *home)
{
	struct folio *folio;

	folio = vma_alloc_folio(GFP_TRANSHUGE_LIGHT, GM_BLOCK_ORDER,
				home->args.vma, home->args.start);
	if (!folio)
		return false;
	folio_lock(folio);
	home->args.dst[0] = migrate_pfn(folio_pfn(folio)) |
			    MIGRATE_PFN_COMPOUND;
	return true;
}

static void gm_home_take(struct gm_home *home, unsigned long i,
			 struct folio *folio)
{
	folio_lock(folio);
	home->args.dst[i] = migrate_pfn(folio_pfn(folio));
}

static bool gm_home_alloc_page(struct gm_home *home, unsigned long i, gfp_t gfp)
{
	unsigned long va = home->args.start + i * PAGE_SIZE;
	struct folio *folio;

	folio = vma_alloc_folio(gfp, 0, home->args.vma, va);
	if (folio)
		gm_home_take(home, i, folio);
	return folio;
}

/* Where the task's policy decides, not the VMA's: then pages are all alike. */
static unsigned long gm_home_alloc_bulk(struct vm_area_struct *vma, gfp_t gfp,
					unsigned long nr, struct page **pages)
{
	if (!vma_is_anonymous(vma))
		return 0;
#ifdef CONFIG_NUMA
	if (vma_policy(vma))
		return 0;
	return alloc_pages_bulk_mempolicy(gfp, nr, pages);
#else
	return alloc_pages_bulk(gfp, nr, pages);
#endif
}

/*
 * What can be allocated at once. The allocator hands out first what was freed last,
 * so that pages which left together come back in the opposite order: turned round,
 * they are contiguous again for the device.
 */
static unsigned long gm_home_alloc_some(struct gm_home *home,
					const unsigned long *index,
					unsigned long nr, gfp_t gfp)
{
	struct page *pages[GM_HOME_BULK] = {};
	unsigned long i, got, last;
	bool turn;

	got = gm_home_alloc_bulk(home->args.vma, gfp, nr, pages);
	if (!got)
		return 0;
	last = got - 1;
	turn = page_to_pfn(pages[0]) > page_to_pfn(pages[last]);
	for (i = 0; i < got; i++)
		gm_home_take(home, index[i],
			     page_folio(pages[turn ? last - i : i]));
	return got;
}

/* Return: false if there was no memory for some of them. */
static bool gm_home_alloc_group(struct gm_home *home, const unsigned long *index,
				unsigned long nr, gfp_t gfp)
{
	unsigned long done = nr > 1 ? gm_home_alloc_some(home, index, nr, gfp) : 0;
	bool all = true;

	while (done < nr)
		all &= gm_home_alloc_page(home, index[done++], gfp);
	return all;
}

static void gm_home_alloc_pages(struct gm_home *home, bool all)
{
	unsigned long index[GM_HOME_BULK];
	unsigned long i = 0, nr;

	while (i < home->args.npages) {
		for (nr = 0; nr < GM_HOME_BULK && i < home->args.npages; i++)
			if (all || gm_home_wanted(home, i))
				index[nr++] = i;
		if (nr && index[0] >= home->light) {
			if (!gm_home_alloc_group(home, index, nr, GM_HOME_GFP_LIGHT))
				break;
		} else if (!gm_home_alloc_group(home, index, nr, GM_HOME_GFP)) {
			home->nomem = true;
		}
	}
}

static void gm_home_alloc(struct gm_home *home)
{
	bool huge = home->args.src[0] & MIGRATE_PFN_COMPOUND;

	if (huge && (!gm_home_wanted(home, 0) || gm_home_alloc_huge(home)))
		return;
	/* Core mm does not break up a page that the fault has a reference to. */
	home->no_huge = huge && (home->args.fault_page ||
				 !gm_splits_for_us(home->args.src[0]));
	if (home->no_huge)
		return;
	gm_home_alloc_pages(home, huge);
}

/*
 * Gives the host pages back. Those that an engine may still write to are lost
 * for good, which is better than what it might overwrite.
 */
static void gm_home_drop(struct gm_home *home)
{
	unsigned long i;

	for (i = 0; i < home->args.npages; i++) {
		struct page *page = migrate_pfn_to_page(home->args.dst[i]);

		home->args.dst[i] = 0;
		if (!page)
			continue;
		folio_unlock(page_folio(page));
		if (home->ret != -ETIMEDOUT)
			folio_put(page_folio(page));
	}
}

static int gm_home_copy(struct gm_home *home)
{
	struct gm_hnode *hnode = NULL, *next;
	struct gm_copy copy = {};
	unsigned long i, nr;
	int ret = 0;

	for (i = 0; i < home->args.npages && !ret; i += nr) {
		unsigned long dst = home->args.dst[i];
		unsigned long pfn;

		nr = dst & MIGRATE_PFN_COMPOUND ? GM_BLOCK_PAGES : 1;
		if (!(dst & MIGRATE_PFN_VALID))
			continue;
		pfn = gm_home_src_pfn(home, i);
		next = gm_hnode_of_page(pfn_to_page(pfn));
		if (next != hnode) {
			if (hnode)
				ret = gm_copy_finish(&copy);
			hnode = next;
			gm_copy_init(&copy, hnode, home->ext);
		}
		gm_copy_add(&copy, GM_COPY_FROM_DEVICE,
			    gm_hnode_dpa(hnode, pfn),
			    PFN_PHYS(dst >> MIGRATE_PFN_SHIFT), nr * PAGE_SIZE);
	}
	if (hnode && !ret)
		ret = gm_copy_finish(&copy);
	return ret;
}

/* A range of pages whose data is on the host now. */
struct gm_home_range {
	unsigned long first;
	unsigned long last;
	unsigned long nr;
};

/*
 * What is translated is not what was brought home: MADV_DONTNEED has dropped that from
 * the page table since, and a device has made something new of it. What it has not
 * translated yet, or no longer, is taken for what came home, until its next fault.
 */
static void gm_home_record_as(struct gm_as *as, void *arg)
{
	const struct gm_lpt_change chg = {
		.set_res = true,
		.unless_mapped = true,
		.res = GM_LPT_NONE,
		.flags_clear = GM_LPT_INEXACT,
	};
	const struct gm_lpt_change inexact = { .flags_set = GM_LPT_INEXACT };
	const struct gm_home_range *range = arg;
	struct gm_lpt_run run;
	unsigned long done;

	gm_stat_add(&as->stats, GM_STAT_PAGES_OUT, range->nr);
	if (!gm_lpt_modify(&as->lpt, range->first, range->last, &chg,
			   GFP_KERNEL, &done))
		return;
	while (gm_lpt_find(&as->lpt, done, range->last, &run)) {
		gm_lpt_modify_coarse(&as->lpt, run.start, &inexact, &run);
		done = run.end;
	}
}

static void gm_home_record(struct gm_home *home, unsigned long first,
			   unsigned long last)
{
	unsigned long base = PHYS_PFN(home->args.start);
	struct gm_home_range range = {
		.first = base + first,
		.last = base + last,
		.nr = last - first,
	};

	gm_as_visit_mm(home->args.vma->vm_mm, gm_home_record_as, &range);
}

/**
 * gm_folio_needed() - do not drop a folio that came home
 * @folio: host folio, locked, not mapped yet
 *
 * MADV_FREE may have given it up before it moved, and no dirty bit tells what the
 * device wrote since.
 */
void gm_folio_needed(struct folio *folio)
{
	if (folio_test_swapbacked(folio))
		return;
	folio_set_swapbacked(folio);
	folio_mark_dirty(folio);
}

static struct folio *gm_home_dst(const struct gm_home *home, unsigned long i)
{
	return page_folio(migrate_pfn_to_page(home->args.dst[i]));
}

/* Whether the page of entry @i went home, and how many pages that is. */
static bool gm_home_moved(const struct gm_home *home, unsigned long i,
			  unsigned long *nr)
{
	unsigned long dst = home->args.dst[i];

	*nr = dst & MIGRATE_PFN_COMPOUND ? GM_BLOCK_PAGES : 1;
	return (dst & MIGRATE_PFN_VALID) && gm_home_wanted(home, i);
}

static void gm_home_result(struct gm_home *home)
{
	unsigned long i, nr, first = 0;
	bool in_run = false, moved;

	for (i = 0; i <= home->args.npages; i += nr) {
		nr = 1;
		moved = i < home->args.npages && gm_home_moved(home, i, &nr);
		if (moved) {
			unsigned long pfn = gm_home_src_pfn(home, i);
			struct gm_hnode *hnode;

			gm_folio_needed(gm_home_dst(home, i));
			hnode = gm_hnode_of_page(pfn_to_page(pfn));
			gm_stat_add(&hnode->stats, GM_STAT_PAGES_OUT, nr);
			home->hnid = hnode->hnid;
			home->moved += nr;
			if (!in_run)
				first = i;
		} else if (in_run) {
			gm_home_record(home, first, i);
		}
		in_run = moved;
	}
}

/*
 * Moves what can move. After migrate_vma_setup() with nothing to move there is
 * nothing to finalize.
 */
static int gm_home_run(struct gm_home *home)
{
	if (migrate_vma_setup(&home->args))
		return -EINVAL;
	if (!home->args.cpages)
		return 0;
	gm_home_alloc(home);
	home->ret = gm_home_copy(home);
	if (home->ret)
		gm_home_drop(home);
	migrate_vma_pages(&home->args);
	gm_home_result(home);
	trace_gm_migrate(home->hnid, false, home->args.start, home->args.end,
			 home->moved, NUMA_NO_NODE, 0);
	migrate_vma_finalize(&home->args);
	return home->ret;
}

static void gm_home_init(struct gm_home *home, struct vm_area_struct *vma,
			 unsigned long *src, unsigned long *dst,
			 struct gm_copy_extent *ext)
{
	*home = (struct gm_home){
		.args = {
			.vma = vma,
			.src = src,
			.dst = dst,
			.pgmap_owner = gm_pgmap_owner(),
			.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
		},
		.ext = ext,
		.light = GM_BLOCK_PAGES,
	};
}

/**
 * gm_splits_for_us() - whether a huge page may become small ones while it moves
 * @src: its entry, as migrate_vma_setup() made it
 *
 * Core mm then splits the entry of the process it works for and no other's (7.2),
 * who would be left with a huge entry for a small page. What is writable is nobody
 * else's.
 *
 * Return: true if so.
 */
bool gm_splits_for_us(unsigned long src)
{
	return (src & MIGRATE_PFN_VALID) && (src & MIGRATE_PFN_WRITE);
}

/* Brings the needed page and those in [@start, @end) around it that can come along. */
static vm_fault_t gm_fault_bring(struct vm_fault *vmf, struct gm_home *home,
				 unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma = vmf->vma;
	int ret;

	home->args.start = max(start, vma->vm_start);
	home->args.end = min(end, vma->vm_end);
	home->args.fault_page = vmf->page;
	if (end - start > PAGE_SIZE)
		gm_split_around(vma, vmf->address & PAGE_MASK,
				&home->args.start, &home->args.end);
	ret = gm_home_run(home);
	if (ret)
		return VM_FAULT_SIGBUS;
	/* Otherwise somebody else has the page: the access is tried again. */
	return !home->moved && home->nomem ? VM_FAULT_OOM : 0;
}

/* A CPU fault on a page that a PTE maps. Needs no memory but the pages. */
static vm_fault_t gm_fault_few(struct vm_fault *vmf, unsigned long nr)
{
	unsigned long src[GM_FAULT_AROUND], dst[GM_FAULT_AROUND];
	unsigned long start = ALIGN_DOWN(vmf->address, nr * PAGE_SIZE);
	struct gm_copy_extent ext[GM_FAULT_AROUND];
	struct gm_home home;

	gm_home_init(&home, vmf->vma, src, dst, ext);
	return gm_fault_bring(vmf, &home, start, start + nr * PAGE_SIZE);
}

/* The same for more pages than the stack has room for. */
static vm_fault_t gm_fault_many(struct vm_fault *vmf, struct gm_as *as,
				unsigned long start, unsigned long nr)
{
	struct gm_scratch *scratch = gm_scratch_spare(as);
	struct gm_home home;
	vm_fault_t ret;

	if (!scratch)
		return gm_fault_few(vmf, GM_FAULT_AROUND);
	gm_home_init(&home, vmf->vma, scratch->src, scratch->dst,
		     scratch->ext);
	home.light = GM_FAULT_AROUND;
	ret = gm_fault_bring(vmf, &home, start, start + nr * PAGE_SIZE);
	gm_scratch_put(as, scratch);
	return ret;
}

/*
 * A CPU whose fault is right behind the pages that came home last goes through the
 * block: it gets twice as many. Others get what is around.
 */
static vm_fault_t gm_fault_around(struct vm_fault *vmf, struct gm_as *as)
{
	unsigned long start = ALIGN_DOWN(vmf->address,
					 GM_FAULT_AROUND * PAGE_SIZE);
	unsigned long *sweep = &as->sweep[gm_block_slot(start)];
	unsigned long left = GM_BLOCK_PAGES -
			     PHYS_PFN(start & (GM_BLOCK_SIZE - 1));
	unsigned long last = READ_ONCE(*sweep);
	unsigned long nr = GM_FAULT_AROUND;

	if ((last & PAGE_MASK) == start)
		nr = min(2UL << (last & ~PAGE_MASK), left);
	WRITE_ONCE(*sweep, (start + nr * PAGE_SIZE) | ilog2(nr));
	return nr > GM_FAULT_AROUND ? gm_fault_many(vmf, as, start, nr) :
				      gm_fault_few(vmf, GM_FAULT_AROUND);
}

/*
 * Breaks up the large folio that a CPU fault is about; the page of the fault stays
 * locked and referenced. It may be in use for a moment: the CPU tries again.
 */
static bool gm_fault_split(struct vm_fault *vmf)
{
	if (!folio_test_large(page_folio(vmf->page)))
		return true;
	if (!split_huge_page(vmf->page))
		return true;
	cond_resched();
	return false;
}

/*
 * A CPU fault on a huge page of device memory that a PMD maps. What cannot come home
 * at once is broken up; the access is tried again and finds pages.
 */
static vm_fault_t gm_fault_huge(struct vm_fault *vmf)
{
	struct gm_scratch *scratch;
	struct gm_home home;
	int ret;

	scratch = kvmalloc_obj(*scratch, GFP_KERNEL | __GFP_NOWARN);
	if (!scratch)
		return VM_FAULT_OOM;
	gm_home_init(&home, vmf->vma, scratch->src, scratch->dst,
		     scratch->ext);
	home.args.start = ALIGN_DOWN(vmf->address, GM_BLOCK_SIZE);
	home.args.end = home.args.start + GM_BLOCK_SIZE;
	home.args.fault_page = vmf->page;
	home.args.flags |= MIGRATE_VMA_SELECT_COMPOUND;
	ret = gm_home_run(&home);
	kvfree(scratch);
	if (!ret && !home.no_huge)
		return 0;
	return gm_fault_split(vmf) || !ret ? 0 : VM_FAULT_SIGBUS;
}

/* @as: the process's address space; NULL if it has none, such as a child */
static vm_fault_t gm_fault_base(struct vm_fault *vmf, struct gm_as *as)
{
	vm_fault_t ret;

	ret = as ? gm_fault_around(vmf, as) :
		   gm_fault_few(vmf, GM_FAULT_AROUND);
	return ret ? gm_fault_few(vmf, 1) : 0;
}

/**
 * gm_migrate_to_ram() - the CPU touched data that is on a device
 * @vmf: the fault; its page is locked and referenced
 *
 * Context: the mmap_lock is held for reading.
 * Return: 0 when the access is to be tried again, VM_FAULT_OOM, or
 * VM_FAULT_SIGBUS when the device did not give the data.
 */
vm_fault_t gm_migrate_to_ram(struct vm_fault *vmf)
{
	struct gm_hnode *hnode = gm_hnode_of_page(vmf->page);
	struct gm_as *as;
	vm_fault_t ret = 0;

	gm_stat_add(&hnode->stats, GM_STAT_HOST_FAULTS, 1);
	as = gm_as_find(vmf->vma->vm_mm);
	if (as)
		gm_stat_add(&as->stats, GM_STAT_HOST_FAULTS, 1);

	if (!vmf->pte && folio_test_large(page_folio(vmf->page)))
		ret = gm_fault_huge(vmf);
	else if (gm_fault_split(vmf))
		ret = gm_fault_base(vmf, as);
	if (as)
		gm_as_put_later(as);
	return ret;
}

/**
 * gm_migrate_home() - bring data home from wherever it is
 * @vma: holds the whole range
 * @start: first address
 * @end: end; within the GM_BLOCK_SIZE block of @start
 * @stays: what is on this hnode stays there; or NULL
 * @scratch: working memory
 *
 * Best effort: what is busy stays.
 *
 * Context: the mmap_lock is held for reading. May sleep and allocate.
 * Return: 0, -EINVAL for memory that is never on a device, or the error of a
 * copy, after which nothing has moved.
 */
int gm_migrate_home(struct vm_area_struct *vma, unsigned long start,
		    unsigned long end, const struct gm_hnode *stays,
		    struct gm_scratch *scratch)
{
	struct gm_home home;
	int ret;

	mmap_assert_locked(vma->vm_mm);
	gm_home_init(&home, vma, scratch->src, scratch->dst, scratch->ext);
	home.args.start = start;
	home.args.end = end;
	home.stays = stays;
	if (IS_ALIGNED(start, GM_BLOCK_SIZE) && end - start == GM_BLOCK_SIZE)
		home.args.flags |= MIGRATE_VMA_SELECT_COMPOUND;
	if (!gm_split_range(vma, start, end, true))
		return 0;
	ret = gm_home_run(&home);
	if (ret || !home.no_huge)
		return ret;
	/* In single pages, then: core mm breaks it up before, for all. */
	home.args.flags &= ~MIGRATE_VMA_SELECT_COMPOUND;
	return gm_home_run(&home);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What migrate_vma_setup() and make_device_exclusive() must not meet in a page table
 * (7.2).
 *
 * Large folios that PTEs map, in part or in whole: it breaks them up, but when the
 * folio is the one that faults, it goes on as if the first page were locked. So they
 * are broken up before. One that comes afterwards, because another thread unmaps a part
 * of a huge page, is not the one that faults: that is locked.
 *
 * A folio of which a page is kept from the CPUs should not be large either: reclaim
 * takes what stands in the page table then for an entry that is present (7.2).
 *
 * Pages that KSM shares: it unmaps them, and may not find the way back, since the
 * reverse mapping of such a page is incomplete at times. They stay where they are,
 * and all around them.
 */
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/leafops.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pagewalk.h>
#include <linux/swap.h>

#include "../internal.h"
#include "internal.h"

/* Not folio_test_ksm(): of a tail page this tells nothing, and does no harm. */
static bool gm_page_is_ksm(const struct page *page)
{
	unsigned long mapping = (unsigned long)READ_ONCE(page->mapping);

	return (mapping & FOLIO_MAPPING_FLAGS) == FOLIO_MAPPING_KSM;
}

/* The folio to break up or to avoid that an entry maps, or NULL. */
static __always_inline struct folio *gm_pte_obstacle(pte_t pte, bool device)
{
	struct page *page;

	if (!device) {
		if (!pte_present(pte) || pte_special(pte))
			return NULL;
		page = pfn_to_page(pte_pfn(pte));
	} else {
		softleaf_t entry = softleaf_from_pte(pte);

		if (!softleaf_is_device_private(entry))
			return NULL;
		page = softleaf_to_page(entry);
	}
	if (likely(!PageCompound(page) && !gm_page_is_ksm(page)))
		return NULL;
	return page_folio(page);
}

/* The first obstacle from @p on, referenced; @at is where it is. */
static __always_inline struct folio *
gm_scan_ptes(pte_t *p, unsigned long *at, unsigned long end, bool device)
{
	unsigned long va;
	struct folio *folio;

	for (va = *at; va < end; va += PAGE_SIZE, p++) {
		folio = gm_pte_obstacle(ptep_get(p), device);
		if (unlikely(folio) && folio_try_get(folio)) {
			*at = va;
			return folio;
		}
	}
	return NULL;
}

/*
 * Finds the first obstacle that a PTE maps in the range, within one block.
 *
 * @device: on a device, else on the host
 * @at: set to the address
 *
 * Return: the folio, referenced, or NULL.
 */
static struct folio *gm_find_obstacle(struct vm_area_struct *vma,
				      unsigned long start, unsigned long end,
				      bool device, unsigned long *at)
{
	struct folio *folio;
	pte_t *pte;
	spinlock_t *ptl; /* of the page table */
	pmd_t *pmd;

	/* Nothing of it ever moves, and its tables are not what they seem. */
	if (is_vm_hugetlb_page(vma) || vma_is_dax(vma) ||
	    (vma->vm_flags & VM_SPECIAL))
		return NULL;
	pmd = mm_find_pmd(vma->vm_mm, start);
	if (!pmd)
		return NULL;
	pte = pte_offset_map_lock(vma->vm_mm, pmd, start, &ptl);
	/* One entry for all is met with a reference; so is a hole. */
	if (!pte)
		return NULL;
	*at = start;
	/* One loop each: there are 512 entries, and mostly no obstacle. */
	folio = device ? gm_scan_ptes(pte, at, end, true) :
			 gm_scan_ptes(pte, at, end, false);
	pte_unmap_unlock(pte, ptl);
	return folio;
}

static int gm_split_folio(struct folio *folio)
{
	int ret;

	if (folio_test_ksm(folio) ||
	    (!folio_test_anon(folio) && !folio_is_device_private(folio)))
		return -EINVAL;
	if (folio_lock_killable(folio))
		return -EINTR;
	ret = folio_test_large(folio) ? split_folio(folio) : 0;
	folio_unlock(folio);
	return ret;
}

/**
 * gm_split_range() - make a range fit for migrate_vma_setup()
 * @vma: holds the range
 * @start: first address
 * @end: end; within the GM_BLOCK_SIZE block of @start
 * @device: what is on a device will move; else what is on the host
 *
 * Context: the mmap_lock is held. May sleep and allocate.
 * Return: true if it is now; false if a large folio belongs to a file or is in use,
 * or a page belongs to KSM.
 */
bool gm_split_range(struct vm_area_struct *vma, unsigned long start,
		    unsigned long end, bool device)
{
	bool drained = false;
	struct folio *folio;
	int ret = 0;

	mmap_assert_locked(vma->vm_mm);
	while (!ret) {
		folio = gm_find_obstacle(vma, start, end, device, &start);
		if (!folio)
			break;
		ret = gm_split_folio(folio);
		folio_put(folio);
		/* What was just faulted in waits for its place on a list. */
		if (ret == -EAGAIN && !drained) {
			lru_add_drain();
			drained = true;
			ret = 0;
		}
	}
	return !ret;
}

/**
 * gm_split_page() - break up the large folio of a page on the host
 * @vma: holds the page
 * @va: its address
 *
 * As far as that is possible now: it may be in use.
 *
 * Context: the mmap_lock is held. May sleep and allocate.
 */
void gm_split_page(struct vm_area_struct *vma, unsigned long va)
{
	struct folio_walk fw;
	struct folio *folio;
	int tries = 2;

	mmap_assert_locked(vma->vm_mm);
	while (tries--) {
		folio = folio_walk_start(&fw, vma, va, 0);
		if (!folio)
			return;
		folio_get(folio);
		folio_walk_end(&fw, vma);
		if (!folio_test_large(folio) || gm_split_folio(folio) != -EAGAIN)
			tries = 0;
		folio_put(folio);
		if (tries)
			lru_add_drain();
	}
}

/**
 * gm_split_around() - shrink a range to where no PTE maps a large device folio
 * @vma: holds the range
 * @va: page address that must stay inside, and maps no large folio
 * @start: first address, moves up
 * @end: end, moves down; within the GM_BLOCK_SIZE block of @start
 *
 * Context: the mmap_lock is held.
 */
void gm_split_around(struct vm_area_struct *vma, unsigned long va,
		     unsigned long *start, unsigned long *end)
{
	unsigned long from = *start, at;
	struct folio *folio;

	while ((folio = gm_find_obstacle(vma, from, *end, true, &at))) {
		folio_put(folio);
		from = at + PAGE_SIZE;
		if (at < va)
			*start = from;
		else
			*end = max(at, va + PAGE_SIZE);
	}
}

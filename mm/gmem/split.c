// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large folios that PTEs map, in part or in whole: broken up before a migration.
 *
 * migrate_vma_setup() breaks up those that it meets, but not well (7.2): it takes
 * its reference after it has let go of the page table, and when the folio is the
 * one that faults, it goes on as if the first page were locked. So none is left
 * for it to meet.
 */
#include <linux/hugetlb.h>
#include <linux/leafops.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/swap.h>

#include "../internal.h"
#include "internal.h"

/* The large folio that an entry maps, on a device or on the host, or NULL. */
static struct folio *gm_pte_large_folio(pte_t pte, bool device)
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
	return PageCompound(page) ? page_folio(page) : NULL;
}

/*
 * Finds the first large folio that a PTE maps in the range, within one block.
 *
 * @device: on a device, else on the host
 * @at: set to the address
 *
 * Return: the folio, referenced, or NULL.
 */
static struct folio *gm_find_large(struct vm_area_struct *vma,
				   unsigned long start, unsigned long end,
				   bool device, unsigned long *at)
{
	struct folio *folio = NULL;
	pte_t *pte, *p;
	spinlock_t *ptl; /* of the page table */
	pmd_t *pmd;

	/* Nothing of it ever moves, and its tables are not what they seem. */
	if (is_vm_hugetlb_page(vma))
		return NULL;
	pmd = mm_find_pmd(vma->vm_mm, start);
	if (!pmd)
		return NULL;
	pte = pte_offset_map_lock(vma->vm_mm, pmd, start, &ptl);
	/* One entry for all is met with a reference; so is a hole. */
	if (!pte)
		return NULL;
	for (p = pte; start < end; start += PAGE_SIZE, p++) {
		folio = gm_pte_large_folio(ptep_get(p), device);
		if (folio && folio_try_get(folio))
			break;
		folio = NULL;
	}
	pte_unmap_unlock(pte, ptl);
	*at = start;
	return folio;
}

static int gm_split_folio(struct folio *folio)
{
	int ret;

	if (!folio_test_anon(folio) && !folio_is_device_private(folio))
		return -EINVAL;
	if (folio_lock_killable(folio))
		return -EINTR;
	ret = folio_test_large(folio) ? split_folio(folio) : 0;
	folio_unlock(folio);
	return ret;
}

/**
 * gm_split_range() - leave no large folio to PTEs in a range
 * @vma: holds the range
 * @start: first address
 * @end: end; within the GM_BLOCK_SIZE block of @start
 * @device: none that is on a device; else none that is on the host
 *
 * Context: the mmap_lock is held. May sleep and allocate.
 * Return: true if there is none now; false if one belongs to a file or is in use.
 */
bool gm_split_range(struct vm_area_struct *vma, unsigned long start,
		    unsigned long end, bool device)
{
	bool drained = false;
	struct folio *folio;
	int ret = 0;

	mmap_assert_locked(vma->vm_mm);
	while (!ret) {
		folio = gm_find_large(vma, start, end, device, &start);
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

	while ((folio = gm_find_large(vma, from, *end, true, &at))) {
		folio_put(folio);
		from = at + PAGE_SIZE;
		if (at < va)
			*start = from;
		else
			*end = max(at, va + PAGE_SIZE);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Poison: the data of a frame is lost, and nothing may take its place.
 *
 * Every mapping of the frame, in whichever process, becomes a poison marker, as
 * UFFDIO_POISON makes them: the next access gets SIGBUS, and no host memory is
 * lost to it. Then the frame is free.
 */
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/swap.h>
#include <linux/swapops.h>

#include "internal.h"

static bool gm_poison_one(struct folio *folio, struct vm_area_struct *vma,
			  unsigned long address, void *arg)
{
	DEFINE_FOLIO_VMA_WALK(pvmw, folio, vma, address, 0);
	struct mm_struct *mm = vma->vm_mm;
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, address,
				address + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	while (page_vma_mapped_walk(&pvmw)) {
		/* Not present before nor after: no TLB holds it. */
		set_pte_at(mm, pvmw.address, pvmw.pte,
			   make_pte_marker(PTE_MARKER_POISONED));
		folio_remove_rmap_pte(folio, folio_page(folio, 0), vma);
		dec_mm_counter(mm, MM_ANONPAGES);
		folio_put(folio);
	}
	mmu_notifier_invalidate_range_end(&range);
	return true;
}

/**
 * gm_poison_folio() - replace all mappings of a frame by poison
 * @folio: device-private anonymous folio; locked and referenced
 *
 * Context: process context, may sleep.
 * Return: the number of pages that were poisoned; 0 if the folio was not mapped
 * or is large and could not be split just now.
 */
int gm_poison_folio(struct folio *folio)
{
	struct rmap_walk_control rwc = {
		.rmap_one = gm_poison_one,
		.anon_lock = folio_lock_anon_vma_read,
	};

	/* Splitting leaves the first page in @folio; the caller meets the rest. */
	if (folio_test_large(folio) && split_folio(folio))
		return 0;
	if (!folio_mapped(folio))
		return 0;
	rmap_walk(folio, &rwc);
	return 1;
}

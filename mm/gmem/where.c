// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where pages are: what a page table holds, read in passing.
 *
 * For those who only look. An entry is read under the lock of its table, and while that
 * is held the page stays, and with it the hnode that it may be of. So nothing has to
 * be noticed afterwards, and a process that asks needs no notifier, for which
 * every change of its memory would pay from then on.
 */
#include <linux/hugetlb.h>
#include <linux/leafops.h>
#include <linux/mm.h>
#include <linux/pagewalk.h>

#include "internal.h"

/**
 * struct gm_where - a walk under way
 * @fn:		called for each page
 * @arg:	for @fn
 */
struct gm_where {
	gm_where_fn fn;
	void *arg;
};

/* Reports the pages of a range from @page on; or that they are nobody's, if NULL. */
static void gm_where_report(struct mm_walk *walk, unsigned long va,
			    unsigned long end, struct page *page)
{
	const struct gm_where *where = walk->private;

	for (; va < end; va += PAGE_SIZE)
		where->fn(va, page ? page++ : NULL, where->arg);
}

/* Of an entry that is neither present nor empty. */
static void gm_where_leaf(struct mm_walk *walk, unsigned long va,
			  unsigned long end, softleaf_t entry,
			  unsigned long offset)
{
	if (softleaf_is_hwpoison(entry))
		gm_where_report(walk, va, end, NULL);
	else if (softleaf_has_pfn(entry))
		gm_where_report(walk, va, end,
				softleaf_to_page(entry) + offset);
}

static void gm_where_pte(struct mm_walk *walk, unsigned long va, pte_t pte)
{
	struct page *page;

	if (pte_none(pte))
		return;
	if (!pte_present(pte)) {
		gm_where_leaf(walk, va, va + PAGE_SIZE, softleaf_from_pte(pte),
			      0);
		return;
	}
	page = vm_normal_page(walk->vma, va, pte);
	if (!page && is_zero_pfn(pte_pfn(pte)))
		page = pte_page(pte);
	gm_where_report(walk, va, va + PAGE_SIZE, page);
}

static void gm_where_huge_pmd(struct mm_walk *walk, unsigned long va,
			      unsigned long end, pmd_t pmd)
{
	unsigned long offset = (va & ~PMD_MASK) >> PAGE_SHIFT;

	if (!pmd_present(pmd))
		gm_where_leaf(walk, va, end, softleaf_from_pmd(pmd), offset);
	else if (is_huge_zero_pmd(pmd) ||
		 vm_normal_page_pmd(walk->vma, va, pmd))
		gm_where_report(walk, va, end, pmd_page(pmd) + offset);
	else
		gm_where_report(walk, va, end, NULL);
}

static int gm_where_pmd(pmd_t *pmd, unsigned long va, unsigned long end,
			struct mm_walk *walk)
{
	spinlock_t *ptl; /* of the page table */
	pte_t *pte, *p;

	ptl = pmd_trans_huge_lock(pmd, walk->vma);
	if (ptl) {
		gm_where_huge_pmd(walk, va, end, pmdp_get(pmd));
		spin_unlock(ptl);
		return 0;
	}
	pte = pte_offset_map_lock(walk->mm, pmd, va, &ptl);
	if (!pte) {
		walk->action = ACTION_AGAIN;
		return 0;
	}
	for (p = pte; va < end; va += PAGE_SIZE, p++)
		gm_where_pte(walk, va, ptep_get(p));
	pte_unmap_unlock(pte, ptl);
	return 0;
}

/* A huge one is of a file system on persistent memory. */
static int gm_where_pud(pud_t *pud, unsigned long va, unsigned long end,
			struct mm_walk *walk)
{
	if (pud_leaf(pudp_get(pud))) {
		gm_where_report(walk, va, end, NULL);
		walk->action = ACTION_CONTINUE;
	}
	return 0;
}

#ifdef CONFIG_HUGETLB_PAGE
static int gm_where_hugetlb(pte_t *ptep, unsigned long hmask, unsigned long va,
			    unsigned long end, struct mm_walk *walk)
{
	unsigned long offset = (va & ~hmask) >> PAGE_SHIFT;
	spinlock_t *ptl; /* of the page table */
	pte_t pte;

	ptl = huge_pte_lock(hstate_vma(walk->vma), walk->mm, ptep);
	pte = huge_ptep_get(walk->mm, va, ptep);
	if (pte_present(pte))
		gm_where_report(walk, va, end, pte_page(pte) + offset);
	else if (!huge_pte_none(pte))
		gm_where_leaf(walk, va, end, softleaf_from_pte(pte), offset);
	spin_unlock(ptl);
	return 0;
}
#endif

/* Empty, or not mapped at all: then nobody can say. */
static int gm_where_hole(unsigned long va, unsigned long end, int depth,
			 struct mm_walk *walk)
{
	if (!walk->vma)
		gm_where_report(walk, va, end, NULL);
	return 0;
}

/* What has no struct pages is passed over. */
static int gm_where_test(unsigned long start, unsigned long end,
			 struct mm_walk *walk)
{
	if (!(walk->vma->vm_flags & (VM_IO | VM_PFNMAP)))
		return 0;
	gm_where_report(walk, start, end, NULL);
	return 1;
}

/**
 * gm_where_walk() - visit the pages of a range
 * @mm: whose
 * @start: first address
 * @end: end, exclusive
 * @fn: called for each page that there is, under the lock of its page table; and with
 *	NULL in its place where there is something that is not ordinary memory, or no
 *	mapping
 * @arg: for @fn
 *
 * Pages that are kept from the CPUs or under way count as where they are.
 *
 * Context: may sleep; the mmap_lock is held.
 */
void gm_where_walk(struct mm_struct *mm, unsigned long start, unsigned long end,
		   gm_where_fn fn, void *arg)
{
	static const struct mm_walk_ops ops = {
		.pud_entry = gm_where_pud,
		.pmd_entry = gm_where_pmd,
		.pte_hole = gm_where_hole,
#ifdef CONFIG_HUGETLB_PAGE
		.hugetlb_entry = gm_where_hugetlb,
#endif
		.test_walk = gm_where_test,
		.walk_lock = PGWALK_RDLOCK,
	};
	struct gm_where where = { .fn = fn, .arg = arg };

	walk_page_range(mm, start, end, &ops, &where);
}

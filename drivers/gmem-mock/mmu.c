// SPDX-License-Identifier: GPL-2.0-only
/*
 * GMEM mock accelerator: the device's MMU.
 *
 * A real device walks its page table in hardware; here the driver does, but
 * the rules are those of hardware:
 *
 * - every access goes through gmock_mmu_translate(), and so through the TLB;
 * - the TLB knows nothing of changes to the page table. Whoever removes a
 *   translation invalidates it, or the device goes on using what it has;
 * - an access that is under way is not stopped by an invalidation: it has to
 *   be waited for.
 *
 * The first and the last are what gmock_mmu.lock is for. An access holds it
 * shared from the translation to the last byte, so that who has it exclusively
 * knows that no access is in flight. Accesses are short, which bounds the wait.
 *
 * The page table has two levels: an XArray of 2 MiB blocks, and in each block
 * either one large translation or any number of small ones. All memory is
 * allocated by gmock_mmu_prepare(), before GMEM takes the locks under which
 * gmock_mmu_map() runs.
 */
#include <linux/align.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "mock.h"

/* An address is page aligned, which leaves room for these in its low bits. */
#define GMOCK_PTE_PROT		(GM_PROT_READ | GM_PROT_WRITE | GM_PROT_ATOMIC)
#define GMOCK_PTE_LOCAL		BIT(3)

/**
 * struct gmock_pte - one entry
 * @bits: gmock_place.addr and the bits above
 * @dma: gmock_place.dma
 */
struct gmock_pte {
	u64 bits;
	dma_addr_t dma;
};

/**
 * struct gmock_table - translations of a 2 MiB block
 * @is_large: @large is valid; then @valid is empty
 * @large: the large translation
 * @valid: which of @small are valid; the others were never initialised
 * @small: %GMOCK_PTES entries
 */
struct gmock_table {
	bool is_large;
	struct gmock_pte large;
	DECLARE_BITMAP(valid, GMOCK_PTES);
	struct gmock_pte *small;
};

static unsigned int entry_index(unsigned long va)
{
	return (va >> PAGE_SHIFT) % GMOCK_PTES;
}

/* The entry for @off bytes into a segment. */
static struct gmock_pte pte_pack(const struct gm_segment *seg,
				 unsigned long off)
{
	if (seg->kind == GM_MEM_DEVICE)
		return (struct gmock_pte){
			.bits = (seg->dpa + off) | seg->prot | GMOCK_PTE_LOCAL,
		};
	return (struct gmock_pte){
		.bits = (seg->phys + off) | seg->prot,
		.dma = seg->dma_addr + off,
	};
}

static void pte_unpack(const struct gmock_pte *pte, unsigned long va,
		       unsigned long size, struct gmock_xlat *xlat)
{
	xlat->va = va;
	xlat->size = size;
	xlat->prot = pte->bits & GMOCK_PTE_PROT;
	xlat->place.local = pte->bits & GMOCK_PTE_LOCAL;
	xlat->place.addr = pte->bits & PAGE_MASK;
	xlat->place.dma = pte->dma;
	xlat->place.peer = NULL;
}

/* TLB */

static struct gmock_xlat *tlb_slot(struct gmock_tlb *tlb, unsigned long va,
				   unsigned long size)
{
	if (size == GMOCK_BLOCK_SIZE)
		return &tlb->large[(va >> GMOCK_BLOCK_SHIFT) % GMOCK_TLB_2M];
	return &tlb->small[(va >> PAGE_SHIFT) % GMOCK_TLB_4K];
}

static bool tlb_lookup(struct gmock_mmu *mmu, unsigned long va, u32 access,
		       struct gmock_xlat *xlat)
{
	static const unsigned long sizes[] = { GMOCK_BLOCK_SIZE, PAGE_SIZE };
	unsigned int i;

	guard(spinlock)(&mmu->tlb_lock);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		*xlat = *tlb_slot(&mmu->tlb, va, sizes[i]);
		if (va - xlat->va < xlat->size && !(access & ~xlat->prot)) {
			mmu->tlb.hits++;
			return true;
		}
	}
	mmu->tlb.misses++;
	return false;
}

static void tlb_insert(struct gmock_mmu *mmu, const struct gmock_xlat *xlat)
{
	guard(spinlock)(&mmu->tlb_lock);
	*tlb_slot(&mmu->tlb, xlat->va, xlat->size) = *xlat;
}

static void tlb_drop(struct gmock_xlat *slots, unsigned int nr,
		     unsigned long va, unsigned long last)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (slots[i].size && slots[i].va <= last &&
		    slots[i].va + (slots[i].size - 1) >= va)
			slots[i].size = 0;
}

static void tlb_invalidate(struct gmock_mmu *mmu, unsigned long va,
			   unsigned long size)
{
	unsigned long last = va + (size - 1);

	lockdep_assert_held_write(&mmu->lock);
	guard(spinlock)(&mmu->tlb_lock);
	tlb_drop(mmu->tlb.small, GMOCK_TLB_4K, va, last);
	tlb_drop(mmu->tlb.large, GMOCK_TLB_2M, va, last);
}

/* Page table */

static struct gmock_table *table_of(struct gmock_mmu *mmu, unsigned long va)
{
	return xa_load(&mmu->tables, va >> GMOCK_BLOCK_SHIFT);
}

static void table_free(struct gmock_table *table)
{
	kfree(table->small);
	kfree(table);
}

static int table_add(struct gmock_mmu *mmu, unsigned long va)
{
	struct gmock_table *table;
	int ret;

	if (table_of(mmu, va))
		return 0;

	table = kzalloc_obj(*table, GFP_KERNEL_ACCOUNT);
	if (!table)
		return -ENOMEM;
	table->small = kmalloc_objs(*table->small, GMOCK_PTES,
				    GFP_KERNEL_ACCOUNT);
	if (!table->small) {
		kfree(table);
		return -ENOMEM;
	}

	ret = xa_insert(&mmu->tables, va >> GMOCK_BLOCK_SHIFT, table,
			GFP_KERNEL_ACCOUNT);
	if (ret) {
		table_free(table);
		/* Somebody else was faster: that one is as good. */
		return ret == -EBUSY ? 0 : ret;
	}
	return 0;
}

/* Walk the page table for one address. */
static bool table_walk(struct gmock_mmu *mmu, unsigned long va,
		       struct gmock_xlat *xlat)
{
	struct gmock_table *table = table_of(mmu, va);
	unsigned int i = entry_index(va);

	lockdep_assert_held(&mmu->lock);
	if (!table)
		return false;
	if (table->is_large) {
		pte_unpack(&table->large, va & ~(GMOCK_BLOCK_SIZE - 1),
			   GMOCK_BLOCK_SIZE, xlat);
		return true;
	}
	if (!test_bit(i, table->valid))
		return false;
	pte_unpack(&table->small[i], va & PAGE_MASK, PAGE_SIZE, xlat);
	return true;
}

/*
 * Remove what translates @va up to @end, both in the block of @table. A large
 * translation goes as a whole, and then the range grows to it.
 */
static bool table_clear(struct gmock_table *table, unsigned long *va,
			unsigned long *end)
{
	unsigned int first = entry_index(*va);
	unsigned int nr = (*end - *va) >> PAGE_SHIFT;

	if (table->is_large) {
		table->is_large = false;
		*va &= ~(GMOCK_BLOCK_SIZE - 1);
		*end = *va + GMOCK_BLOCK_SIZE;
		return true;
	}
	if (find_next_bit(table->valid, first + nr, first) >= first + nr)
		return false;
	bitmap_clear(table->valid, first, nr);
	return true;
}

/* Remove the translations of a range from the page table and the TLB. */
static bool mmu_clear(struct gmock_mmu *mmu, unsigned long va,
		      unsigned long size)
{
	unsigned long index = va >> GMOCK_BLOCK_SHIFT;
	unsigned long last = va + (size - 1);
	struct gmock_table *table;
	bool any = false;

	lockdep_assert_held_write(&mmu->lock);
	xa_for_each_range(&mmu->tables, index, table, index,
			  last >> GMOCK_BLOCK_SHIFT) {
		unsigned long block = index << GMOCK_BLOCK_SHIFT;
		unsigned long from = max(va, block);
		unsigned long to = min(last, block + GMOCK_BLOCK_SIZE - 1) + 1;

		if (!table_clear(table, &from, &to))
			continue;
		tlb_invalidate(mmu, from, to - from);
		any = true;
	}
	return any;
}

/*
 * Turn a large translation into small ones, so that one of them can be
 * replaced. The others go on translating what they did.
 */
static void table_split(struct gmock_mmu *mmu, struct gmock_table *table,
			unsigned long va)
{
	unsigned long block = va & ~(GMOCK_BLOCK_SIZE - 1);
	unsigned int i;

	lockdep_assert_held_write(&mmu->lock);
	if (!table->is_large)
		return;
	for (i = 0; i < GMOCK_PTES; i++) {
		table->small[i].bits = table->large.bits + i * PAGE_SIZE;
		table->small[i].dma = table->large.dma + i * PAGE_SIZE;
	}
	bitmap_fill(table->valid, GMOCK_PTES);
	table->is_large = false;
	tlb_invalidate(mmu, block, GMOCK_BLOCK_SIZE);
}

/*
 * Install small translations; what was there has been cleared. @pte is the first,
 * the others follow it.
 */
static void table_set_small(struct gmock_mmu *mmu, struct gmock_table *table,
			    unsigned int first, unsigned int nr,
			    struct gmock_pte pte)
{
	unsigned long step = pte.bits & GMOCK_PTE_LOCAL ? 0 : PAGE_SIZE;
	unsigned int i;

	lockdep_assert_held_write(&mmu->lock);
	for (i = first; i < first + nr; i++) {
		table->small[i] = pte;
		pte.bits += PAGE_SIZE;
		pte.dma += step;
	}
	bitmap_set(table->valid, first, nr);
	mmu->maps_4k += nr;
}

/* Install one large translation; what was there has been cleared. */
static void table_set_large(struct gmock_mmu *mmu, struct gmock_table *table,
			    struct gmock_pte pte)
{
	lockdep_assert_held_write(&mmu->lock);
	table->large = pte;
	table->is_large = true;
	mmu->maps_2m++;
}

/**
 * gmock_mmu_create() - &gm_mmu.ctx_create: make an empty page table
 * @ctx: new context
 *
 * Return: 0 or -ENOMEM.
 */
int gmock_mmu_create(struct gm_context *ctx)
{
	struct gmock_mmu *mmu = kzalloc_obj(*mmu, GFP_KERNEL_ACCOUNT);

	if (!mmu)
		return -ENOMEM;
	init_rwsem(&mmu->lock);
	xa_init_flags(&mmu->tables, XA_FLAGS_ACCOUNT);
	spin_lock_init(&mmu->tlb_lock);

	/* Tell lockdep at once what else only a rare moment would show. */
	fs_reclaim_acquire(GFP_KERNEL);
	might_lock(&mmu->lock);
	fs_reclaim_release(GFP_KERNEL);

	gm_context_set_priv(ctx, mmu);
	return 0;
}

/**
 * gmock_mmu_destroy() - &gm_mmu.ctx_destroy: free the page table
 * @ctx: context; all translations were removed
 */
void gmock_mmu_destroy(struct gm_context *ctx)
{
	struct gmock_mmu *mmu = gm_context_priv(ctx);
	struct gmock_table *table;
	unsigned long index;

	xa_for_each(&mmu->tables, index, table) {
		WARN_ON_ONCE(table->is_large ||
			     !bitmap_empty(table->valid, GMOCK_PTES));
		table_free(table);
	}
	xa_destroy(&mmu->tables);
	kfree(mmu);
}

/**
 * gmock_mmu_prepare() - &gm_mmu.map_prepare: allocate for gmock_mmu_map()
 * @ctx: context
 * @va: start of the range
 * @size: bytes
 *
 * Return: 0 or -ENOMEM; then part of the work may be done, which does no harm.
 */
int gmock_mmu_prepare(struct gm_context *ctx, unsigned long va,
		      unsigned long size)
{
	struct gmock_mmu *mmu = gm_context_priv(ctx);
	unsigned long index = va >> GMOCK_BLOCK_SHIFT;
	unsigned long last = (va + (size - 1)) >> GMOCK_BLOCK_SHIFT;
	int ret;

	if (should_fail(&gmock_fail_prepare, size))
		return -ENOMEM;
	for (; index <= last; index++) {
		ret = table_add(mmu, index << GMOCK_BLOCK_SHIFT);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * Install a part of a segment that lies in the block of @table. Small translations
 * may replace a part of a large one: then the rest of it has to stay.
 */
static void mmu_map_part(struct gmock_mmu *mmu, struct gmock_table *table,
			 const struct gm_segment *seg, unsigned long off,
			 unsigned long len)
{
	struct gmock_pte pte = pte_pack(seg, off);
	unsigned long va = seg->va + off, end = va + len, from = va;

	lockdep_assert_held_write(&mmu->lock);
	if (len < GMOCK_BLOCK_SIZE)
		table_split(mmu, table, va);
	if (table_clear(table, &from, &end))
		tlb_invalidate(mmu, from, end - from);
	if (seg->pgsize == GMOCK_BLOCK_SIZE)
		table_set_large(mmu, table, pte);
	else
		table_set_small(mmu, table, entry_index(va), len >> PAGE_SHIFT,
				pte);
}

/* The block that translations were installed in last: the next ones are often there. */
struct gmock_cursor {
	unsigned long index;
	struct gmock_table *table;
};

static struct gmock_table *cursor_move(struct gmock_mmu *mmu,
				       struct gmock_cursor *cursor,
				       unsigned long va)
{
	if (!cursor->table || cursor->index != va >> GMOCK_BLOCK_SHIFT) {
		cursor->index = va >> GMOCK_BLOCK_SHIFT;
		cursor->table = table_of(mmu, va);
	}
	return cursor->table;
}

static int mmu_map_one(struct gmock_mmu *mmu, struct gmock_cursor *cursor,
		       const struct gm_segment *seg)
{
	unsigned long off, len;

	lockdep_assert_held_write(&mmu->lock);
	if (should_fail(&gmock_fail_map, seg->size))
		return -EIO;
	for (off = 0; off < seg->size; off += len) {
		unsigned long va = seg->va + off;

		len = min(seg->size - off, GMOCK_BLOCK_SIZE -
			  va % GMOCK_BLOCK_SIZE);
		if (WARN_ON_ONCE(!cursor_move(mmu, cursor, va)))
			return -EINVAL;
		mmu_map_part(mmu, cursor->table, seg, off, len);
	}
	return 0;
}

/**
 * gmock_mmu_map() - &gm_mmu.peer_map: install translations
 * @ctx: context
 * @segs: what to map where
 * @nr: number of segments
 * @done: out: how many of them were installed
 *
 * Replaces what is there. Does not allocate.
 *
 * Return: 0 or a negative errno.
 */
int gmock_mmu_map(struct gm_context *ctx, const struct gm_segment *segs,
		  unsigned int nr, unsigned int *done)
{
	struct gmock_mmu *mmu = gm_context_priv(ctx);
	struct gmock_cursor cursor = { };
	int ret;

	guard(rwsem_write)(&mmu->lock);
	for (*done = 0; *done < nr; ++*done) {
		ret = mmu_map_one(mmu, &cursor, &segs[*done]);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * gmock_mmu_unmap() - &gm_mmu.peer_unmap: remove translations, end accesses
 * @ctx: context
 * @va: start of the range
 * @size: bytes
 * @flags: %GM_UNMAP_NONBLOCK or 0
 *
 * Waits for accesses in flight, which is bounded, and for nothing else. A
 * large translation is removed whole.
 *
 * Return: 0, or -EAGAIN if it must not sleep and an access is in flight.
 */
int gmock_mmu_unmap(struct gm_context *ctx, unsigned long va,
		    unsigned long size, unsigned int flags)
{
	struct gmock_mmu *mmu = gm_context_priv(ctx);

	if (!(flags & GM_UNMAP_NONBLOCK)) {
		down_write(&mmu->lock);
	} else if (!down_write_trylock(&mmu->lock)) {
		atomic64_inc(&mmu->unmaps_again);
		return -EAGAIN;
	}
	if (mmu_clear(mmu, va, size))
		mmu->unmaps++;
	up_write(&mmu->lock);
	return 0;
}

/**
 * gmock_mmu_translate() - where is an address?
 * @mmu: MMU state; the caller holds its lock, and goes on holding it for as
 *	long as it uses the answer
 * @va: address
 * @access: GM_PROT_* bits that are needed
 * @xlat: out: the translation
 *
 * Return: 0, or -ENOENT if there is no translation that allows @access: time
 * for a device fault.
 */
int gmock_mmu_translate(struct gmock_mmu *mmu, unsigned long va, u32 access,
			struct gmock_xlat *xlat)
{
	lockdep_assert_held(&mmu->lock);
	if (tlb_lookup(mmu, va, access, xlat))
		return 0;
	if (!table_walk(mmu, va, xlat) || (access & ~xlat->prot))
		return -ENOENT;
	tlb_insert(mmu, xlat);
	return 0;
}

/**
 * gmock_mmu_next() - find the first translation in a range
 * @mmu: MMU state; the caller holds its lock
 * @va: start of the range
 * @last: last address of the range
 * @xlat: out: the translation
 *
 * Reads the page table only.
 *
 * Return: false if there is none.
 */
bool gmock_mmu_next(struct gmock_mmu *mmu, unsigned long va,
		    unsigned long last, struct gmock_xlat *xlat)
{
	unsigned long index = va >> GMOCK_BLOCK_SHIFT;
	struct gmock_table *table;

	lockdep_assert_held(&mmu->lock);
	xa_for_each_range(&mmu->tables, index, table, index,
			  last >> GMOCK_BLOCK_SHIFT) {
		unsigned long block = index << GMOCK_BLOCK_SHIFT;
		unsigned int i = entry_index(max(va, block));

		if (table->is_large) {
			pte_unpack(&table->large, block, GMOCK_BLOCK_SIZE,
				   xlat);
			return true;
		}
		i = find_next_bit(table->valid, GMOCK_PTES, i);
		if (i == GMOCK_PTES)
			continue;
		va = block + i * PAGE_SIZE;
		if (va > last)
			return false;
		pte_unpack(&table->small[i], va, PAGE_SIZE, xlat);
		return true;
	}
	return false;
}

// SPDX-License-Identifier: GPL-2.0-only
#include <kunit/device.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#include "device_fake.h"

/* Faults that an access of the device takes before it gives up. */
#define FAKE_TRIES	100

/**
 * struct fake_pt - page table of a context
 * @lock:	held for reading by accesses
 * @pt:		entries by page number. Large translations have one for each
 *		page, too
 * @gone_va:	what was unmapped last
 * @gone_size:	bytes; 0 when the TLB has been told
 */
struct fake_pt {
	struct rw_semaphore lock;
	struct xarray pt;
	unsigned long gone_va;
	unsigned long gone_size;
};

/* An entry: GM_PROT_*, these two bits, and the page number in its memory. */
#define FAKE_PTE_PROT		(GM_PROT_READ | GM_PROT_WRITE | GM_PROT_ATOMIC)
#define FAKE_PTE_DEVICE		BIT(3)
#define FAKE_PTE_HUGE		BIT(4)
#define FAKE_PTE_SHIFT		5

static struct fake_dev *fake_of(const struct gm_context *ctx)
{
	return gm_dev_priv(gm_context_dev(ctx));
}

void fake_require(struct fake_dev *dev, bool ok)
{
	if (!ok)
		atomic_inc(&dev->bad);
}

static int fake_ctx_create(struct gm_context *ctx)
{
	struct fake_dev *dev = fake_of(ctx);
	struct fake_pt *pt;

	if (dev->create_error)
		return dev->create_error;
	pt = kzalloc_obj(*pt);
	if (!pt)
		return -ENOMEM;
	init_rwsem(&pt->lock);
	xa_init(&pt->pt);
	gm_context_set_priv(ctx, pt);
	atomic_inc(&dev->contexts);
	return 0;
}

static void fake_ctx_destroy(struct gm_context *ctx)
{
	struct fake_dev *dev = fake_of(ctx);
	struct fake_pt *pt = gm_context_priv(ctx);

	if (dev->destroy_ms)
		msleep(dev->destroy_ms);
	gm_context_set_priv(ctx, NULL);
	/* Reserved entries are none. */
	fake_require(dev, !xa_find(&pt->pt, &(unsigned long){ 0 }, ULONG_MAX,
				   XA_PRESENT));
	xa_destroy(&pt->pt);
	kfree(pt);
	atomic_dec(&dev->contexts);
}

static int fake_map_prepare(struct gm_context *ctx, unsigned long va,
			    unsigned long size)
{
	struct fake_dev *dev = fake_of(ctx);
	struct fake_pt *pt = gm_context_priv(ctx);
	unsigned long drops = dev->prepare_drops;
	int ret = dev->prepare_error;
	unsigned long i;

	dev->prepare_drops = 0;
	if (drops && do_madvise(ctx->as->mm, drops, PAGE_SIZE, MADV_DONTNEED))
		return -EIO;
	for (i = 0; i < size && !ret; i += PAGE_SIZE)
		ret = xa_reserve(&pt->pt, PHYS_PFN(va + i), GFP_KERNEL);
	return ret;
}

static bool fake_segment_valid(const struct fake_dev *dev,
			       const struct gm_segment *seg)
{
	u64 addr = seg->kind == GM_MEM_DEVICE ? seg->dpa : seg->phys;

	if (!(seg->pgsize & dev->gm->mmu->pgsize_bitmap) || !seg->size)
		return false;
	if (!IS_ALIGNED(seg->va | seg->size | addr, seg->pgsize))
		return false;
	if (!seg->prot || seg->prot & ~FAKE_PTE_PROT)
		return false;
	if (seg->prot & GM_PROT_ATOMIC && !(seg->prot & GM_PROT_WRITE))
		return false;
	if (seg->kind == GM_MEM_HOST)
		return dev->gm->mmu->caps & GM_DEV_CAP_HOST_ACCESS;
	return seg->dpa >= FAKE_VRAM_DPA &&
	       seg->dpa + seg->size <= FAKE_VRAM_DPA + dev->vram_size;
}

static int fake_map_segment(struct fake_pt *pt, const struct gm_segment *seg)
{
	bool device = seg->kind == GM_MEM_DEVICE;
	u64 addr = device ? seg->dpa - FAKE_VRAM_DPA : seg->phys;
	unsigned long i, bits = seg->prot;
	int ret;

	if (device)
		bits |= FAKE_PTE_DEVICE;
	if (seg->pgsize > PAGE_SIZE)
		bits |= FAKE_PTE_HUGE;
	for (i = 0; i < seg->size; i += PAGE_SIZE) {
		unsigned long pte = PHYS_PFN(addr + i) << FAKE_PTE_SHIFT | bits;

		ret = xa_err(xa_store(&pt->pt, PHYS_PFN(seg->va + i),
				      xa_mk_value(pte), GFP_NOWAIT));
		if (ret)
			return ret;
	}
	return 0;
}

static int fake_peer_map(struct gm_context *ctx, const struct gm_segment *segs,
			 unsigned int nr, unsigned int *done)
{
	struct fake_dev *dev = fake_of(ctx);
	struct fake_pt *pt = gm_context_priv(ctx);
	int ret;

	*done = 0;
	if (dev->map_error)
		return dev->map_error;
	guard(rwsem_write)(&pt->lock);
	for (; *done < nr; ++*done, ++segs) {
		fake_require(dev, fake_segment_valid(dev, segs));
		ret = fake_map_segment(pt, segs);
		if (ret)
			return ret;
	}
	return 0;
}

static void fake_unmap_locked(struct fake_pt *pt, unsigned long va,
			      unsigned long size)
{
	unsigned long first = PHYS_PFN(va), last = PHYS_PFN(va + size) - 1;
	unsigned long at;
	void *pte;

	lockdep_assert_held_write(&pt->lock);
	/* Large translations go as a whole. */
	pte = xa_load(&pt->pt, first);
	if (pte && xa_to_value(pte) & FAKE_PTE_HUGE)
		first = round_down(first, GM_BLOCK_PAGES);
	pte = xa_load(&pt->pt, last);
	if (pte && xa_to_value(pte) & FAKE_PTE_HUGE)
		last |= GM_BLOCK_PAGES - 1;
	/* The slot stays, for a mapping that was prepared. */
	xa_for_each_range(&pt->pt, at, pte, first, last)
		xa_store(&pt->pt, at, XA_ZERO_ENTRY, 0);
}

static int fake_peer_unmap(struct gm_context *ctx, unsigned long va,
			   unsigned long size, unsigned int flags)
{
	struct fake_dev *dev = fake_of(ctx);
	struct fake_pt *pt = gm_context_priv(ctx);

	fake_require(dev, PAGE_ALIGNED(va | size) && size);
	fake_require(dev, !(flags & ~GM_UNMAP_NONBLOCK));
	if (!(flags & GM_UNMAP_NONBLOCK))
		down_write(&pt->lock);
	else if (!down_write_trylock(&pt->lock))
		return -EAGAIN;
	fake_unmap_locked(pt, va, size);
	up_write(&pt->lock);
	pt->gone_va = va;
	pt->gone_size = size;
	atomic_inc(&dev->unmaps);
	return 0;
}

/* Of what was unmapped just now: nobody comes in between. */
static void fake_tlb_invl(struct gm_context *ctx, unsigned long va,
			  unsigned long size)
{
	struct fake_dev *dev = fake_of(ctx);
	struct fake_pt *pt = gm_context_priv(ctx);

	fake_require(dev, size && va == pt->gone_va && size == pt->gone_size);
	pt->gone_size = 0;
	atomic_inc(&dev->tlb_invls);
}

static bool fake_can_copy_from(struct gm_dev *gm, struct gm_dev *peer)
{
	struct fake_dev *dev = gm_dev_priv(gm), *other = gm_dev_priv(peer);

	fake_require(dev, other->vram && other != dev);
	return dev->copies_peers;
}

bool fake_in_vram(const struct fake_dev *dev, u64 dpa, size_t size)
{
	u64 at = dpa - FAKE_VRAM_DPA;

	return at < dev->vram_size && at + size <= dev->vram_size && size &&
	       PAGE_ALIGNED(size | dpa);
}

#define FAKE_OPS					\
	.name = "fake",					\
	.ctx_create = fake_ctx_create,			\
	.ctx_destroy = fake_ctx_destroy,		\
	.map_prepare = fake_map_prepare,		\
	.peer_map = fake_peer_map,			\
	.peer_unmap = fake_peer_unmap,			\
	.tlb_invl = fake_tlb_invl,			\
	.can_copy_from = fake_can_copy_from,		\
	.copy = fake_copy

const struct gm_mmu fake_mmu = {
	FAKE_OPS,
	.pgsize_bitmap = PAGE_SIZE | SZ_2M,
	.caps = GM_DEV_CAP_FAULT | GM_DEV_CAP_HOST_ACCESS,
};

const struct gm_mmu fake_mmu_small = {
	FAKE_OPS,
	.pgsize_bitmap = PAGE_SIZE,
	.caps = GM_DEV_CAP_FAULT | GM_DEV_CAP_HOST_ACCESS,
};

const struct gm_mmu fake_mmu_atomic = {
	FAKE_OPS,
	.pgsize_bitmap = PAGE_SIZE | SZ_2M,
	.caps = GM_DEV_CAP_FAULT | GM_DEV_CAP_HOST_ACCESS |
		GM_DEV_CAP_HOST_ATOMICS,
};

const struct gm_mmu fake_mmu_local = {
	FAKE_OPS,
	.pgsize_bitmap = PAGE_SIZE | SZ_2M,
	.caps = GM_DEV_CAP_FAULT,
};

/* Makes a device, and gives its memory to the core if it has some. */
int fake_dev_start(struct kunit *test, struct fake_dev *dev,
		   const struct gm_mmu *mmu, unsigned long vram_size)
{
	static atomic_t last = ATOMIC_INIT(0);
	char *name = kunit_kzalloc(test, 32, GFP_KERNEL);

	if (!name)
		return -ENOMEM;
	/* A device that is stopped keeps its name until the test ends. */
	snprintf(name, 32, "gmem_fake.%d", atomic_inc_return(&last));
	dev->parent = kunit_device_register(test, name);
	if (IS_ERR(dev->parent))
		return PTR_ERR(dev->parent);
	/* All memory can be reached without bounce buffers. */
	if (dma_set_mask_and_coherent(dev->parent, DMA_BIT_MASK(64)))
		return -EIO;
	dev->vram_size = vram_size;
	dev->vram = vmalloc(vram_size);
	if (!dev->vram)
		return -ENOMEM;
	dev->gm = gm_dev_create(dev->parent, mmu, dev);
	if (IS_ERR(dev->gm)) {
		vfree(dev->vram);
		return PTR_ERR(dev->gm);
	}
	dev->hnid = gm_dev_register_physmem(dev->gm, GM_MEM_TYPE_PRIVATE,
					    FAKE_VRAM_DPA, vram_size);
	return dev->hnid < 0 ? dev->hnid : 0;
}

/* Destroys the device, if the test did not. */
void fake_dev_stop(struct fake_dev *dev)
{
	if (!IS_ERR_OR_NULL(dev->gm)) {
		gm_dev_destroy(dev->gm);
		/* One that is not waited for uses the memory still. */
		while (atomic_read(&dev->jobs_done) != atomic_read(&dev->jobs))
			msleep(FAKE_JOB_MS);
		vfree(dev->vram);
	}
	dev->gm = NULL;
}

unsigned long fake_used(const struct fake_dev *dev)
{
	return dev->gm && dev->gm->hnode ? READ_ONCE(dev->gm->hnode->used) : 0;
}

struct fake_snap fake_snapshot(struct gm_context *ctx, unsigned long va,
			       unsigned long size)
{
	struct fake_pt *pt = gm_context_priv(ctx);
	struct fake_snap snap = {};
	unsigned long at;
	void *pte;

	guard(rwsem_read)(&pt->lock);
	xa_for_each_range(&pt->pt, at, pte, PHYS_PFN(va),
			  PHYS_PFN(va + size) - 1) {
		unsigned long bits = xa_to_value(pte);

		snap.pages++;
		snap.device += !!(bits & FAKE_PTE_DEVICE);
		snap.writable += !!(bits & GM_PROT_WRITE);
		snap.atomic += !!(bits & GM_PROT_ATOMIC);
		snap.huge += !!(bits & FAKE_PTE_HUGE);
	}
	return snap;
}

int fake_fault(struct gm_context *ctx, unsigned long va, u32 access,
	       struct gm_fault *fault)
{
	*fault = (struct gm_fault){ .va = va, .access = access };
	return gm_dev_fault(ctx, fault);
}

/* One access within a page. Return: false if it needs a fault. */
static bool fake_access(struct gm_context *ctx, unsigned long va, void *buf,
			size_t len, u32 access)
{
	struct fake_dev *dev = fake_of(ctx);
	struct fake_pt *pt = gm_context_priv(ctx);
	unsigned long bits, pfn;
	void *pte, *mem;

	guard(rwsem_read)(&pt->lock);
	pte = xa_load(&pt->pt, PHYS_PFN(va));
	if (!pte || access & ~xa_to_value(pte))
		return false;
	bits = xa_to_value(pte);
	pfn = bits >> FAKE_PTE_SHIFT;
	mem = bits & FAKE_PTE_DEVICE ? dev->vram + PFN_PHYS(pfn) :
				       kmap_local_page(pfn_to_page(pfn));
	if (access & GM_PROT_WRITE)
		memcpy(mem + offset_in_page(va), buf, len);
	else
		memcpy(buf, mem + offset_in_page(va), len);
	if (!(bits & FAKE_PTE_DEVICE))
		kunmap_local(mem);
	return true;
}

static int fake_rw(struct gm_context *ctx, unsigned long va, void *buf,
		   size_t len, u32 access)
{
	while (len) {
		size_t part = min(len, PAGE_SIZE - offset_in_page(va));
		struct gm_fault fault;
		int ret, tries = 0;

		while (!fake_access(ctx, va, buf, part, access)) {
			ret = fake_fault(ctx, va, access, &fault);
			if (ret && ret != -EAGAIN)
				return ret;
			if (++tries > FAKE_TRIES)
				return ret ?: -ELOOP;
		}
		va += part;
		buf += part;
		len -= part;
	}
	return 0;
}

/* The device reads memory of the process, and faults as often as it has to. */
int fake_read(struct gm_context *ctx, unsigned long va, void *buf, size_t len)
{
	return fake_rw(ctx, va, buf, len, GM_PROT_READ);
}

int fake_write(struct gm_context *ctx, unsigned long va, const void *buf,
	       size_t len)
{
	return fake_rw(ctx, va, (void *)buf, len, GM_PROT_WRITE);
}

int fake_init(struct kunit *test)
{
	struct fake *fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);

	if (!fake)
		return -ENOMEM;
	test->priv = fake;
	return fake_dev_start(test, &fake->dev, &fake_mmu, FAKE_VRAM_SIZE);
}

/* Waits: pages that are freed in batches need a moment. */
void fake_expect_used(struct kunit *test, unsigned long pages)
{
	struct fake *fake = test->priv;
	int tries;

	for (tries = 0; tries < 200 && fake_used(&fake->dev) != pages; tries++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), pages);
}

/*
 * The memory of the test is gone when this runs, or is about to go: so are all
 * frames then, whatever the test did.
 */
void fake_exit(struct kunit *test)
{
	struct fake *fake = test->priv;

	if (!fake)
		return;
	fake_expect_used(test, 0);
	if (fake->ctx)
		fake_detach(test);
	if (fake->as)
		gm_as_put(fake->as);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->dev.contexts), 0);
	fake_dev_stop(&fake->dev);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->dev.bad), 0);
	/* No translation went without the TLB being told. */
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->dev.tlb_invls),
			atomic_read(&fake->dev.unmaps));
}

void fake_attach(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_context *ctx;
	struct gm_as *as;

	KUNIT_ASSERT_EQ(test, 0, kunit_attach_mm());
	if (!fake->as) {
		as = gm_as_get_mm(current->mm);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, as);
		fake->as = as;
	}
	ctx = gm_as_attach(fake->as, fake->dev.gm, GM_ATTACH_EXCLUSIVE, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx);
	fake->ctx = ctx;
}

void fake_detach(struct kunit *test)
{
	struct fake *fake = test->priv;

	gm_as_detach(fake->ctx);
	fake->ctx = NULL;
}

/* Frames in use are those that are recorded. */
void fake_expect_frames(struct kunit *test)
{
	struct seq_file m = { .size = SZ_1K };

	m.buf = kunit_kzalloc(test, m.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m.buf);
	KUNIT_ASSERT_EQ(test, 0, gm_check_show(&m, NULL));
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(m.buf, "leaked 0\nstale 0\nunrecorded 0\n"),
				  "%s", m.buf);
}

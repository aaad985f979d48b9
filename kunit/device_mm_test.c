// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of what the CPU side does to data and translations of a device:
 * unmapping, protection, fork, other devices, and frames used again.
 */
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "device_fake.h"

#define PAGES(size)	((size) / PAGE_SIZE)

/* What a test does with memory: whether huge, and where. */
struct mm_case {
	const char *name;
	bool huge;
	enum gm_placement placement;
};

static const struct mm_case mm_cases[] = {
	{ "base pages on the device", false, GM_PLACE_AUTO },
	{ "a huge page on the device", true, GM_PLACE_AUTO },
	{ "base pages in place", false, GM_PLACE_HOST },
	{ "a huge page in place", true, GM_PLACE_HOST },
};

KUNIT_ARRAY_PARAM_DESC(mm_cases, mm_cases, name);

/* A block with a pattern, all of which the device translates. */
static unsigned long mm_prepare(struct kunit *test, u32 seed)
{
	const struct mm_case *param = test->param_value;
	struct fake *fake = test->priv;
	struct gm_fault fault = {
		.access = GM_PROT_WRITE,
		.placement = param->placement,
	};
	unsigned long va;

	if (!fake->ctx)
		fake_attach(test);
	va = fake_mmap(test, GM_BLOCK_SIZE, param->huge);
	fake_fill(test, va, GM_BLOCK_SIZE, seed);
	fault.va = va + SZ_64K;
	KUNIT_ASSERT_EQ(test, 0, gm_dev_fault(fake->ctx, &fault));
	KUNIT_ASSERT_EQ(test, fake_snapshot(fake->ctx, va,
					    GM_BLOCK_SIZE).writable,
			GM_BLOCK_PAGES);
	KUNIT_ASSERT_EQ(test, fake_used(&fake->dev),
			param->placement == GM_PLACE_AUTO ? GM_BLOCK_PAGES : 0);
	return va;
}

/* When munmap() returns the device has no translation, and no frame. */
static void mm_test_munmap(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long va = mm_prepare(test, 1);
	int before = atomic_read(&fake->dev.unmaps);
	struct gm_fault fault;

	KUNIT_ASSERT_EQ(test, 0, vm_munmap(va, GM_BLOCK_SIZE));
	KUNIT_EXPECT_EQ(test, 0,
			fake_snapshot(fake->ctx, va, GM_BLOCK_SIZE).pages);
	KUNIT_EXPECT_GT(test, atomic_read(&fake->dev.unmaps), before);
	KUNIT_EXPECT_EQ(test, -EFAULT, fake_fault(fake->ctx, va, GM_PROT_READ,
						  &fault));
	fake_expect_used(test, 0);

	/* What was never translated costs no call. */
	va = fake_mmap(test, SZ_64K, false);
	fake_fill(test, va, SZ_64K, 1);
	before = atomic_read(&fake->dev.unmaps);
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(va, SZ_64K));
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->dev.unmaps), before);
}

/* A hole in the middle takes its pages, and leaves all others. */
static void mm_test_munmap_part(struct kunit *test)
{
	const struct mm_case *param = test->param_value;
	struct fake *fake = test->priv;
	unsigned long va = mm_prepare(test, 2), hole = va + SZ_512K;
	unsigned long rest = hole + SZ_64K;
	struct gm_fault fault;

	KUNIT_ASSERT_EQ(test, 0, vm_munmap(hole, SZ_64K));
	KUNIT_EXPECT_EQ(test, 0, fake_snapshot(fake->ctx, hole, SZ_64K).pages);
	KUNIT_EXPECT_EQ(test, -EFAULT, fake_fault(fake->ctx, hole,
						  GM_PROT_READ, &fault));
	if (param->placement == GM_PLACE_AUTO && !param->huge)
		fake_expect_used(test, GM_BLOCK_PAGES - PAGES(SZ_64K));
	fake_expect_device(test, fake->ctx, va, hole - va, 2);
	fake_expect_device(test, fake->ctx, rest, va + GM_BLOCK_SIZE - rest, 2);
	KUNIT_EXPECT_EQ(test, 0, fake_snapshot(fake->ctx, hole, SZ_64K).pages);
	fake_expect_frames(test);
	fake_expect_cpu(test, va, hole - va, 2);
	fake_expect_cpu(test, rest, va + GM_BLOCK_SIZE - rest, 2);
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(va, GM_BLOCK_SIZE));
	fake_expect_used(test, 0);
}

static void mm_test_dontneed(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long va = mm_prepare(test, 3);
	u64 word = 1;

	KUNIT_ASSERT_EQ(test, 0, do_madvise(current->mm, va, GM_BLOCK_SIZE,
					    MADV_DONTNEED));
	KUNIT_EXPECT_EQ(test, 0,
			fake_snapshot(fake->ctx, va, GM_BLOCK_SIZE).pages);
	fake_expect_used(test, 0);
	KUNIT_EXPECT_EQ(test, 0, fake_read(fake->ctx, va + SZ_64K, &word,
					   sizeof(word)));
	KUNIT_EXPECT_EQ(test, word, 0);
	KUNIT_EXPECT_EQ(test, 0, get_user(word, (u64 __user *)va));
	KUNIT_EXPECT_EQ(test, word, 0);
}

/* Memory that becomes read-only is so for the device at once. */
static void mm_test_mprotect(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long va = mm_prepare(test, 4), end = va + GM_BLOCK_SIZE;
	u8 byte = 0;

	KUNIT_ASSERT_EQ(test, 0, fake_mprotect(va, end, false));
	KUNIT_EXPECT_EQ(test, 0,
			fake_snapshot(fake->ctx, va, GM_BLOCK_SIZE).writable);
	KUNIT_EXPECT_EQ(test, -EFAULT, fake_write(fake->ctx, va, &byte, 1));
	fake_expect_device(test, fake->ctx, va, GM_BLOCK_SIZE, 4);
	KUNIT_EXPECT_EQ(test, -EFAULT, fake_write(fake->ctx, va, &byte, 1));
	KUNIT_EXPECT_EQ(test, 0,
			fake_snapshot(fake->ctx, va, GM_BLOCK_SIZE).writable);

	KUNIT_ASSERT_EQ(test, 0, fake_mprotect(va, end, true));
	KUNIT_EXPECT_EQ(test, 0, fake_write(fake->ctx, va, &byte, 1));
	KUNIT_EXPECT_EQ(test, 0, get_user(byte, (u8 __user *)va));
	KUNIT_EXPECT_EQ(test, byte, 0);
	fake_expect_cpu(test, va + PAGE_SIZE, GM_BLOCK_SIZE - PAGE_SIZE, 4);
}

/* After a fork the device writes to the parent's memory, not to the child's. */
static void mm_test_fork(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long va = mm_prepare(test, 5);
	struct mm_struct *child;
	u64 before, word = 0x1234;

	KUNIT_ASSERT_EQ(test, 0, get_user(before, (u64 __user *)va));
	fake_expect_device(test, fake->ctx, va, GM_BLOCK_SIZE, 5);
	child = fake_fork();
	KUNIT_ASSERT_NOT_NULL(test, child);
	KUNIT_EXPECT_EQ(test, 0,
			fake_snapshot(fake->ctx, va, GM_BLOCK_SIZE).writable);
	fake_expect_device(test, fake->ctx, va, GM_BLOCK_SIZE, 5);
	KUNIT_EXPECT_EQ(test, 0, fake_write(fake->ctx, va, &word,
					    sizeof(word)));
	KUNIT_EXPECT_EQ(test, sizeof(word),
			access_remote_vm(child, va, &word, sizeof(word), 0));
	KUNIT_EXPECT_EQ(test, word, before);
	KUNIT_EXPECT_EQ(test, 0, get_user(word, (u64 __user *)va));
	KUNIT_EXPECT_EQ(test, word, 0x1234);
	/* The child may go with data of its own on the device. */
	fake_expect_device(test, fake->ctx, va + PAGE_SIZE,
			   GM_BLOCK_SIZE - PAGE_SIZE, 5);
	mmput(child);
	fake_expect_cpu(test, va + PAGE_SIZE, GM_BLOCK_SIZE - PAGE_SIZE, 5);
	fake_expect_frames(test);
}

/* Frames are used as a block, then singly, then as a block again. */
static void mm_test_frames_again(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long size = FAKE_VRAM_SIZE, va;
	unsigned int round;

	fake_attach(test);
	for (round = 0; round < 5; round++) {
		bool huge = round % 2 == 0;

		va = fake_mmap(test, size, huge);
		fake_fill(test, va, size, 60 + round);
		fake_expect_device(test, fake->ctx, va, size, 60 + round);
		KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), PAGES(size));
		KUNIT_EXPECT_EQ(test, fake_snapshot(fake->ctx, va, size).huge,
				huge ? PAGES(size) : 0);
		fake_expect_frames(test);
		fake_expect_cpu(test, va, size, 60 + round);
		fake_expect_used(test, 0);
		KUNIT_ASSERT_EQ(test, 0, vm_munmap(va, size));
	}
}

/* The same without coming home: the process drops it instead. */
static void mm_test_frames_dropped(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long size = FAKE_VRAM_SIZE, va;
	unsigned int round;

	fake_attach(test);
	for (round = 0; round < 5; round++) {
		va = fake_mmap(test, size, round % 2 == 0);
		fake_fill(test, va, size, 70 + round);
		fake_expect_device(test, fake->ctx, va, size, 70 + round);
		KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), PAGES(size));
		/* A frame that is broken up before it is dropped. */
		if (round == 2)
			KUNIT_ASSERT_EQ(test, 0, vm_munmap(va + SZ_1M, SZ_4K));
		KUNIT_ASSERT_EQ(test, 0, vm_munmap(va, size));
		fake_expect_used(test, 0);
	}
}

/* Two devices take turns: data is in one place, and one translates it. */
#define MM_STALE	(BIT(PG_active) | BIT(PG_workingset) | \
			 BIT(PG_unevictable) | BIT(PG_mlocked))

static void mm_set_flags(unsigned long va, struct page *page, void *arg)
{
	if (page && gm_hnode_of_page(page)) {
		struct folio *folio = page_folio(page);

		folio->flags.f |= MM_STALE;
		zone_stat_mod_folio(folio, NR_MLOCK, 1);
		(*(unsigned int *)arg)++;
	}
}

static void mm_count_flags(unsigned long va, struct page *page, void *arg)
{
	if (page && page_folio(page)->flags.f & MM_STALE)
		(*(unsigned int *)arg)++;
}

/* A frame that is used again knows nothing of the page that it was. */
static void mm_test_frames_clean(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned int set = 0, left = 0;
	struct gm_fault fault;
	unsigned long va, i;
	int round;

	fake_attach(test);
	for (round = 0; round < 2; round++) {
		va = fake_mmap(test, FAKE_VRAM_SIZE, false);
		fake_fill(test, va, FAKE_VRAM_SIZE, round);
		for (i = 0; i < FAKE_VRAM_SIZE; i += GM_BLOCK_SIZE)
			KUNIT_ASSERT_EQ(test, 0,
					fake_fault(fake->ctx, va + i,
						   GM_PROT_READ, &fault));
		mmap_read_lock(current->mm);
		gm_where_walk(current->mm, va, va + FAKE_VRAM_SIZE,
			      round ? mm_count_flags : mm_set_flags,
			      round ? &left : &set);
		mmap_read_unlock(current->mm);
		KUNIT_ASSERT_EQ(test, 0, vm_munmap(va, FAKE_VRAM_SIZE));
		fake_expect_used(test, 0);
	}
	KUNIT_EXPECT_EQ(test, set, PAGES(FAKE_VRAM_SIZE));
	KUNIT_EXPECT_EQ(test, left, 0);
}

static void mm_test_two_devices(struct kunit *test)
{
	const struct mm_case *param = test->param_value;
	struct fake *fake = test->priv;
	unsigned long va = mm_prepare(test, 8);
	struct fake_dev other = {};
	struct gm_context *ctx;
	u64 word = 0x4321;

	KUNIT_ASSERT_EQ(test, 0, fake_dev_start(test, &other, &fake_mmu_local,
						FAKE_VRAM_SIZE));
	ctx = gm_as_attach(fake->as, other.gm, GM_ATTACH_EXCLUSIVE, NULL);
	if (IS_ERR(ctx)) {
		fake_dev_stop(&other);
		KUNIT_FAIL_AND_ABORT(test, "attach: %pe", ctx);
	}
	fake_expect_device(test, ctx, va, GM_BLOCK_SIZE, 8);
	KUNIT_EXPECT_EQ(test, fake_used(&other), GM_BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), 0);
	KUNIT_EXPECT_EQ(test, 0,
			fake_snapshot(fake->ctx, va, GM_BLOCK_SIZE).pages);
	KUNIT_EXPECT_EQ(test, fake_snapshot(ctx, va, GM_BLOCK_SIZE).huge,
			param->huge ? GM_BLOCK_PAGES : 0);
	KUNIT_EXPECT_EQ(test, 0, fake_write(ctx, va, &word, sizeof(word)));
	fake_expect_frames(test);

	word = 0;
	KUNIT_EXPECT_EQ(test, 0, fake_read(fake->ctx, va, &word, sizeof(word)));
	KUNIT_EXPECT_EQ(test, word, 0x4321);
	KUNIT_EXPECT_EQ(test, fake_used(&other), 0);
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), GM_BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, fake_snapshot(ctx, va, GM_BLOCK_SIZE).pages, 0);

	gm_as_detach(ctx);
	fake_dev_stop(&other);
	KUNIT_EXPECT_EQ(test, atomic_read(&other.bad), 0);
	fake_expect_cpu(test, va + PAGE_SIZE, GM_BLOCK_SIZE - PAGE_SIZE, 8);
}

/* All of a block is on the device, in base pages. */
static void mm_send(struct kunit *test, unsigned long va)
{
	struct fake *fake = test->priv;
	struct gm_fault fault;

	KUNIT_ASSERT_EQ(test, 0, fake_fault(fake->ctx, va, GM_PROT_WRITE,
					    &fault));
	fake_expect_used(test, GM_BLOCK_PAGES);
}

static void mm_expect_home(struct kunit *test, unsigned long va, unsigned long page,
			   unsigned long home, long faults)
{
	struct fake *fake = test->priv;

	KUNIT_EXPECT_EQ(test, 0, fake_touch(va + page * PAGE_SIZE));
	fake_expect_used(test, GM_BLOCK_PAGES - home);
	KUNIT_EXPECT_EQ(test, faults,
			gm_stat_read(&fake->dev.gm->hnode->stats,
				     GM_STAT_HOST_FAULTS));
}

/*
 * A CPU that goes through a block brings twice as much home each time. One that touches
 * it here and there does not, even where one has gone through it before.
 */
static void mm_test_sweep(struct kunit *test)
{
	static const unsigned long steps[] = {
		0, 16, 48, 112, 240, 496, GM_BLOCK_PAGES
	};
	unsigned long va, home = 0, at;
	long faults = 0;
	unsigned int i;

	fake_attach(test);
	va = fake_mmap(test, GM_BLOCK_SIZE, false);
	fake_fill(test, va, GM_BLOCK_SIZE, 1);
	mm_send(test, va);
	for (i = 0; i < ARRAY_SIZE(steps) - 1; i++)
		mm_expect_home(test, va, steps[i], steps[i + 1], ++faults);
	fake_expect_cpu(test, va, GM_BLOCK_SIZE, 1);

	mm_send(test, va);
	for (at = 0; at < GM_BLOCK_PAGES; at += 64)
		mm_expect_home(test, va, at, home += 16, ++faults);
	/* Right behind the last of these, and elsewhere again. */
	mm_expect_home(test, va, GM_BLOCK_PAGES - 48, home += 32, ++faults);
	mm_expect_home(test, va, 16, home += 16, ++faults);
	fake_expect_cpu(test, va, GM_BLOCK_SIZE, 1);
	fake_expect_used(test, 0);
	fake_expect_frames(test);
}

static struct kunit_case mm_test_cases[] = {
	KUNIT_CASE_PARAM(mm_test_munmap, mm_cases_gen_params),
	KUNIT_CASE_PARAM(mm_test_munmap_part, mm_cases_gen_params),
	KUNIT_CASE_PARAM(mm_test_dontneed, mm_cases_gen_params),
	KUNIT_CASE_PARAM(mm_test_mprotect, mm_cases_gen_params),
	KUNIT_CASE_PARAM(mm_test_fork, mm_cases_gen_params),
	KUNIT_CASE(mm_test_sweep),
	KUNIT_CASE(mm_test_frames_again),
	KUNIT_CASE(mm_test_frames_dropped),
	KUNIT_CASE(mm_test_frames_clean),
	KUNIT_CASE_PARAM(mm_test_two_devices, mm_cases_gen_params),
	{ }
};

static struct kunit_suite mm_test_suite = {
	.name = "gmem_device_mm",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = mm_test_cases,
};

kunit_test_suite(mm_test_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of GMEM and changes of the CPU side");

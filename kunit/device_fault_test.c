// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of device faults: what moves, what stays, and what a driver's
 * failure leaves behind. Real memory, a fake device.
 */
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "device_fake.h"

#define SMALL	SZ_64K		/* what one fault populates */
#define PAGES(size)	((size) / PAGE_SIZE)

static long fault_stat(const struct fake *fake, enum gm_stat item)
{
	return gm_stat_read(&fake->dev.gm->hnode->stats, item);
}

/* A fault on one page moves all that is there of the block. */
static void fault_test_base(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_fault fault;
	struct fake_snap snap;
	unsigned long va;

	fake_attach(test);
	va = fake_mmap(test, GM_BLOCK_SIZE, false);
	fake_fill(test, va, SMALL, 1);
	KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, va + SZ_8K + 5,
					    GM_PROT_READ, &fault));
	KUNIT_EXPECT_EQ(test, fault.ret, 0);
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_MIGRATED);
	KUNIT_EXPECT_LE(test, fault.start, va + SZ_8K);
	KUNIT_EXPECT_GE(test, fault.end, va + SZ_8K + PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), PAGES(SMALL));
	snap = fake_snapshot(fake->ctx, va, GM_BLOCK_SIZE);
	KUNIT_EXPECT_EQ(test, snap.pages, PAGES(SMALL));
	KUNIT_EXPECT_EQ(test, snap.device, PAGES(SMALL));
	KUNIT_EXPECT_EQ(test, snap.huge, 0);
	fake_expect_device(test, fake->ctx, va, SMALL, 1);
	fake_expect_frames(test);
	KUNIT_EXPECT_EQ(test, fault_stat(fake, GM_STAT_FAULTS), 1);
	KUNIT_EXPECT_EQ(test, fault_stat(fake, GM_STAT_PAGES_IN), PAGES(SMALL));

	/* A second one finds it there. */
	KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, va, GM_PROT_WRITE,
					    &fault));
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_LOCAL);

	/* The CPU gets it back, and the device has nothing left of it. */
	fake_expect_cpu(test, va, SMALL, 1);
	KUNIT_EXPECT_EQ(test, fake_snapshot(fake->ctx, va, SMALL).pages, 0);
	KUNIT_EXPECT_EQ(test, fault_stat(fake, GM_STAT_PAGES_OUT),
			PAGES(SMALL));
	fake_expect_used(test, 0);
}

/* A huge page goes as one frame and one translation, and comes back as one. */
static void fault_test_huge(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_fault fault;
	struct fake_snap snap;
	unsigned long va;

	fake_attach(test);
	va = fake_mmap(test, GM_BLOCK_SIZE, true);
	fake_fill(test, va, GM_BLOCK_SIZE, 2);
	KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, va + SZ_1M + 7,
					    GM_PROT_READ, &fault));
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_MIGRATED);
	KUNIT_EXPECT_EQ(test, fault.start, va);
	KUNIT_EXPECT_EQ(test, fault.end, va + GM_BLOCK_SIZE);
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), GM_BLOCK_PAGES);
	snap = fake_snapshot(fake->ctx, va, GM_BLOCK_SIZE);
	KUNIT_EXPECT_EQ(test, snap.device, GM_BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, snap.huge, GM_BLOCK_PAGES);
	fake_expect_device(test, fake->ctx, va, GM_BLOCK_SIZE, 2);
	fake_expect_frames(test);

	KUNIT_EXPECT_EQ(test, 0, fake_touch(va + SZ_64K));
	KUNIT_EXPECT_EQ(test, fault_stat(fake, GM_STAT_HOST_FAULTS), 1);
	KUNIT_EXPECT_EQ(test, fault_stat(fake, GM_STAT_PAGES_OUT),
			GM_BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, 0,
			fake_snapshot(fake->ctx, va, GM_BLOCK_SIZE).pages);
	fake_expect_used(test, 0);
	fake_expect_cpu(test, va, GM_BLOCK_SIZE, 2);
	KUNIT_EXPECT_EQ(test, fault_stat(fake, GM_STAT_HOST_FAULTS), 1);
}

/* Memory that nobody has touched begins on the device, as zeros. */
static void fault_test_hole(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long small, huge, at;
	struct gm_fault fault;
	u64 word = 1;

	/* What was there before must not show. */
	memset(fake->dev.vram, 0xa5, fake->dev.vram_size);
	fake_attach(test);
	small = fake_mmap(test, GM_BLOCK_SIZE, false);
	KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, small + SZ_1M,
					    GM_PROT_WRITE, &fault));
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_MIGRATED);
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), PAGES(SMALL));

	huge = fake_mmap(test, GM_BLOCK_SIZE, true);
	KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, huge, GM_PROT_WRITE,
					    &fault));
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev),
			PAGES(SMALL) + GM_BLOCK_PAGES);
	for (at = 0; at < GM_BLOCK_SIZE; at += SZ_4K) {
		KUNIT_ASSERT_EQ(test, 0, fake_read(fake->ctx, huge + at, &word,
						   sizeof(word)));
		KUNIT_ASSERT_EQ(test, word, 0);
	}
	KUNIT_ASSERT_EQ(test, 0, fake_read(fake->ctx, small + SZ_1M + SZ_4K,
					   &word, sizeof(word)));
	KUNIT_EXPECT_EQ(test, word, 0);
	fake_expect_frames(test);
}

/*
 * Who goes through memory gets more with each fault, as much again as is there, and
 * all of it stays mapped. Who touches it here and there does not.
 */
static void fault_test_hole_grows(struct kunit *test)
{
	static const unsigned long faults[] = {
		0, SZ_64K, SZ_128K, SZ_256K, SZ_512K, SZ_1M,
	};
	struct fake *fake = test->priv;
	struct gm_fault fault;
	unsigned long va, used = PAGES(SMALL), i;

	fake_attach(test);
	va = fake_mmap(test, GM_BLOCK_SIZE, false);
	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, va + faults[i],
						    GM_PROT_WRITE, &fault));
		if (i)
			used = 2 * PAGES(faults[i]);
		KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), used);
		KUNIT_EXPECT_EQ(test, used,
				fake_snapshot(fake->ctx, va, GM_BLOCK_SIZE).pages);
	}

	/* A hole before what is there does not count. */
	va = fake_mmap(test, GM_BLOCK_SIZE, false);
	for (i = SZ_1M - SZ_64K; i <= SZ_1M; i += SZ_64K) {
		KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, va + i,
						    GM_PROT_WRITE, &fault));
		used += PAGES(SMALL);
		KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), used);
	}

	va = fake_mmap(test, GM_BLOCK_SIZE, false);
	for (i = SZ_64K; i < GM_BLOCK_SIZE; i += SZ_256K) {
		KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, va + i,
						    GM_PROT_WRITE, &fault));
		used += PAGES(SMALL);
		KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), used);
	}
	fake_expect_frames(test);
}

/* What the device writes, the CPU reads. */
static void fault_test_write(struct kunit *test)
{
	struct fake *fake = test->priv;
	static const char text[] = "written by the device";
	char __user *ptr;
	char buf[32] = {};
	unsigned long va;

	fake_attach(test);
	va = fake_mmap(test, GM_BLOCK_SIZE, false);
	fake_fill(test, va, 4 * SMALL, 3);
	/* Over the end of a page. */
	ptr = (char __user *)va + SZ_64K - 8;
	KUNIT_EXPECT_EQ(test, 0, fake_write(fake->ctx, (unsigned long)ptr, text,
					    sizeof(text)));
	KUNIT_EXPECT_EQ(test, 0, copy_from_user(buf, ptr, sizeof(text)));
	KUNIT_EXPECT_STREQ(test, buf, text);
	fake_expect_cpu(test, va, SMALL - SZ_4K, 3);
	fake_expect_cpu(test, va + SMALL + SZ_4K, 3 * SMALL - SZ_4K, 3);
	fake_expect_used(test, 0);
}

/* Without large translations a huge page moves as well, but is mapped small. */
static void fault_test_small_device(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct fake_snap snap;
	unsigned long va;

	fake_dev_stop(&fake->dev);
	KUNIT_ASSERT_EQ(test, 0, fake_dev_start(test, &fake->dev,
						&fake_mmu_small,
						FAKE_VRAM_SIZE));
	fake_attach(test);
	va = fake_mmap(test, GM_BLOCK_SIZE, true);
	fake_fill(test, va, GM_BLOCK_SIZE, 4);
	fake_expect_device(test, fake->ctx, va, GM_BLOCK_SIZE, 4);
	snap = fake_snapshot(fake->ctx, va, GM_BLOCK_SIZE);
	KUNIT_EXPECT_EQ(test, snap.pages, GM_BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, snap.huge, 0);
	fake_expect_frames(test);
	fake_expect_cpu(test, va, GM_BLOCK_SIZE, 4);
	fake_expect_used(test, 0);
}

/* A full hnode is no error: the rest is used where it is. */
static void fault_test_full(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long va, size = FAKE_VRAM_SIZE + GM_BLOCK_SIZE;
	unsigned int huge;
	struct gm_fault fault;
	struct fake_snap snap;

	fake_attach(test);
	for (huge = 0; huge < 2; huge++) {
		va = fake_mmap(test, size, huge);
		fake_fill(test, va, size, 5);
		fake_expect_device(test, fake->ctx, va, size, 5);
		KUNIT_EXPECT_EQ(test, fake_used(&fake->dev),
				PAGES(FAKE_VRAM_SIZE));
		snap = fake_snapshot(fake->ctx, va, size);
		KUNIT_EXPECT_EQ(test, snap.pages, PAGES(size));
		KUNIT_EXPECT_EQ(test, snap.device, PAGES(FAKE_VRAM_SIZE));
		KUNIT_EXPECT_GT(test, fault_stat(fake, GM_STAT_ALLOC_FAILED),
				0);
		KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx,
						    va + FAKE_VRAM_SIZE,
						    GM_PROT_WRITE, &fault));
		KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_INPLACE);
		fake_expect_frames(test);
		fake_expect_cpu(test, va, size, 5);
		fake_expect_used(test, 0);
		KUNIT_EXPECT_EQ(test, 0, vm_munmap(va, size));
		KUNIT_EXPECT_EQ(test, 0,
				fake_snapshot(fake->ctx, va, size).pages);
	}
}

/* In place is the answer only for a device that can reach host memory. */
static void fault_test_full_local(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_fault fault;
	unsigned long va;

	fake_dev_stop(&fake->dev);
	KUNIT_ASSERT_EQ(test, 0, fake_dev_start(test, &fake->dev,
						&fake_mmu_local,
						GM_BLOCK_SIZE));
	fake_attach(test);
	va = fake_mmap(test, 2 * GM_BLOCK_SIZE, false);
	fake_fill(test, va, 2 * GM_BLOCK_SIZE, 6);
	fake_expect_device(test, fake->ctx, va, GM_BLOCK_SIZE, 6);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			fake_fault(fake->ctx, va + GM_BLOCK_SIZE, GM_PROT_READ,
				   &fault));
	KUNIT_EXPECT_EQ(test, fault.ret, -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_NONE);
	/* Room again. */
	fake_expect_cpu(test, va, GM_BLOCK_SIZE, 6);
	fake_expect_used(test, 0);
	fake_expect_device(test, fake->ctx, va + GM_BLOCK_SIZE, GM_BLOCK_SIZE,
			   6);
}

/* A copy to the device that fails moves nothing and loses nothing. */
static void fault_test_copy_in_fails(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_fault fault;
	unsigned int huge;
	unsigned long va;

	fake_attach(test);
	fake->dev.copy_error_op = BIT(GM_COPY_TO_DEVICE) | BIT(GM_COPY_ZERO);
	for (huge = 0; huge < 2; huge++) {
		va = fake_mmap(test, GM_BLOCK_SIZE, huge);
		fake_fill(test, va, GM_BLOCK_SIZE, 7);
		fake->dev.copy_error = -EIO;
		KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, va, GM_PROT_READ,
						    &fault));
		KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_INPLACE);
		KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), 0);
		KUNIT_EXPECT_EQ(test, fault_stat(fake, GM_STAT_COPY_FAILED),
				huge + 1);
		fake_expect_device(test, fake->ctx, va, GM_BLOCK_SIZE, 7);
		fake_expect_cpu(test, va, GM_BLOCK_SIZE, 7);
		fake_expect_frames(test);

		fake->dev.copy_error = 0;
		KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, va, GM_PROT_READ,
						    &fault));
		KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_MIGRATED);
		fake_expect_device(test, fake->ctx, va, GM_BLOCK_SIZE, 7);
		fake_expect_cpu(test, va, GM_BLOCK_SIZE, 7);
		fake_expect_used(test, 0);
	}
}

/* Without a copy home the access fails, and the data stays where it is. */
static void fault_test_copy_home_fails(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long va, used;
	unsigned int huge;

	fake_attach(test);
	fake->dev.copy_error_op = BIT(GM_COPY_FROM_DEVICE);
	for (huge = 0; huge < 2; huge++) {
		va = fake_mmap(test, GM_BLOCK_SIZE, huge);
		fake_fill(test, va, GM_BLOCK_SIZE, 8);
		fake_expect_device(test, fake->ctx, va, GM_BLOCK_SIZE, 8);
		used = fake_used(&fake->dev);
		KUNIT_EXPECT_EQ(test, used, GM_BLOCK_PAGES);

		fake->dev.copy_error = -EIO;
		KUNIT_EXPECT_EQ(test, -EFAULT, fake_touch(va));
		KUNIT_EXPECT_EQ(test, -EFAULT, fake_touch(va + SZ_1M));
		fake_expect_used(test, used);
		fake_expect_frames(test);

		fake->dev.copy_error = 0;
		fake_expect_device(test, fake->ctx, va, GM_BLOCK_SIZE, 8);
		fake_expect_cpu(test, va, GM_BLOCK_SIZE, 8);
		fake_expect_used(test, 0);
	}
}

/* What the driver says when it cannot map is what the fault says. */
static void fault_test_map_fails(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_fault fault;
	unsigned long va;

	fake_attach(test);
	va = fake_mmap(test, GM_BLOCK_SIZE, false);
	fake_fill(test, va, SMALL, 9);

	fake->dev.prepare_error = -ENOMEM;
	KUNIT_EXPECT_EQ(test, -ENOMEM, fake_fault(fake->ctx, va, GM_PROT_READ,
						  &fault));
	fake->dev.prepare_error = 0;
	fake->dev.map_error = -ENXIO;
	KUNIT_EXPECT_EQ(test, -ENXIO, fake_fault(fake->ctx, va, GM_PROT_READ,
						 &fault));
	KUNIT_EXPECT_EQ(test, fault.ret, -ENXIO);
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, fault_stat(fake, GM_STAT_FAULTS_FAILED), 2);
	KUNIT_EXPECT_EQ(test, fake_snapshot(fake->ctx, va, SMALL).pages, 0);
	fake_expect_frames(test);

	fake->dev.map_error = 0;
	fake_expect_device(test, fake->ctx, va, SMALL, 9);
	fake_expect_cpu(test, va, SMALL, 9);
	fake_expect_used(test, 0);
}

/* A driver that asks for the host's copy gets it, and nothing moves. */
static void fault_test_in_place(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_fault fault = {
		.access = GM_PROT_WRITE,
		.placement = GM_PLACE_HOST,
	};
	struct fake_snap snap;
	unsigned int huge;

	fake_attach(test);
	for (huge = 0; huge < 2; huge++) {
		fault.va = fake_mmap(test, GM_BLOCK_SIZE, huge);
		fake_fill(test, fault.va, GM_BLOCK_SIZE, 10);
		KUNIT_EXPECT_EQ(test, 0, gm_dev_fault(fake->ctx, &fault));
		KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_INPLACE);
		KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), 0);
		snap = fake_snapshot(fake->ctx, fault.va, GM_BLOCK_SIZE);
		KUNIT_EXPECT_EQ(test, snap.pages, GM_BLOCK_PAGES);
		KUNIT_EXPECT_EQ(test, snap.device, 0);
		KUNIT_EXPECT_EQ(test, snap.huge, huge ? GM_BLOCK_PAGES : 0);
		fake_expect_device(test, fake->ctx, fault.va, GM_BLOCK_SIZE,
				   10);
		/* Both sides see one memory. */
		fake_fill(test, fault.va, GM_BLOCK_SIZE, 11);
		fake_expect_device(test, fake->ctx, fault.va, GM_BLOCK_SIZE,
				   11);
	}
}

/*
 * No two pages that are neighbours to the program are so in memory, and there are several
 * full batches of them, wherever the fault was.
 */
static void fault_test_in_place_scattered(struct kunit *test)
{
	static const unsigned int needed[] = { 0, 62, 63, 64, 65, 130, 511 };
	struct fake *fake = test->priv;
	unsigned long va;
	unsigned int i;

	fake_attach(test);
	va = fake_mmap(test, GM_BLOCK_SIZE, false);
	for (i = 0; i < GM_BLOCK_PAGES; i++)
		fake_fill(test, va + i * 37 % GM_BLOCK_PAGES * PAGE_SIZE, PAGE_SIZE, 12);
	for (i = 0; i < ARRAY_SIZE(needed); i++) {
		struct gm_fault fault = {
			.va = va + needed[i] * PAGE_SIZE,
			.access = GM_PROT_WRITE,
			.placement = GM_PLACE_HOST,
		};
		struct fake_snap snap;

		KUNIT_EXPECT_EQ(test, 0, gm_dev_fault(fake->ctx, &fault));
		KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_INPLACE);
		KUNIT_EXPECT_LE(test, fault.start, fault.va);
		KUNIT_EXPECT_GT(test, fault.end, fault.va);
		snap = fake_snapshot(fake->ctx, va, GM_BLOCK_SIZE);
		KUNIT_EXPECT_EQ(test, snap.pages, GM_BLOCK_PAGES);
		KUNIT_EXPECT_EQ(test, snap.writable, GM_BLOCK_PAGES);
		KUNIT_EXPECT_EQ(test, snap.device, 0);
		fake_expect_device(test, fake->ctx, va, GM_BLOCK_SIZE, 12);
		/* Another context begins with nothing. */
		fake_detach(test);
		fake_attach(test);
	}
}

/* What the CPU did to a page before the device came. */
enum fault_page {
	FAULT_PAGE_SHARED,	/* with a child, to be copied when written to */
	FAULT_PAGE_OWN,		/* was copied */
	FAULT_PAGE_NONE,	/* was dropped */
};

static enum fault_page fault_page_at(unsigned int i)
{
	if (i % 11 == 3)
		return FAULT_PAGE_NONE;
	/* Some one by one, the others by the dozen. */
	if (i < 24)
		return i % 2 ? FAULT_PAGE_OWN : FAULT_PAGE_SHARED;
	return i / 12 % 2 ? FAULT_PAGE_OWN : FAULT_PAGE_SHARED;
}

/* Pages of one block that differ are translated each as it is, wherever the fault was. */
static void fault_test_in_place_mixed(struct kunit *test)
{
	static const unsigned int needed[] = { 0, 1, 13, 40, 150, 511 };
	struct fake *fake = test->priv;
	struct mm_struct *child;
	unsigned int i, j;
	unsigned long va;

	fake_attach(test);
	va = fake_mmap(test, GM_BLOCK_SIZE, false);
	fake_fill(test, va, GM_BLOCK_SIZE, 20);
	child = fake_fork();
	KUNIT_ASSERT_NOT_NULL(test, child);
	for (i = 0; i < GM_BLOCK_PAGES; i++) {
		unsigned long at = va + i * PAGE_SIZE;

		if (fault_page_at(i) == FAULT_PAGE_OWN)
			fake_fill(test, at, PAGE_SIZE, 20);
		else if (fault_page_at(i) == FAULT_PAGE_NONE)
			KUNIT_EXPECT_EQ(test, 0, do_madvise(current->mm, at, PAGE_SIZE,
							    MADV_DONTNEED));
	}
	for (j = 0; j < ARRAY_SIZE(needed); j++) {
		struct gm_fault fault = {
			.va = va + needed[j] * PAGE_SIZE,
			.access = GM_PROT_READ,
			.placement = GM_PLACE_HOST,
		};

		KUNIT_EXPECT_EQ(test, 0, gm_dev_fault(fake->ctx, &fault));
		KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_INPLACE);
		for (i = 0; i < GM_BLOCK_PAGES; i++) {
			unsigned long at = va + i * PAGE_SIZE;
			struct fake_snap snap = fake_snapshot(fake->ctx, at, PAGE_SIZE);
			enum fault_page page = fault_page_at(i);

			KUNIT_EXPECT_EQ_MSG(test, snap.pages, page != FAULT_PAGE_NONE,
					    "page %u, fault at %u", i, needed[j]);
			KUNIT_EXPECT_EQ_MSG(test, snap.writable, page == FAULT_PAGE_OWN,
					    "page %u, fault at %u", i, needed[j]);
			if (page != FAULT_PAGE_NONE)
				fake_expect_device(test, fake->ctx, at, PAGE_SIZE, 20);
		}
		/* Another context begins with nothing. */
		fake_detach(test);
		fake_attach(test);
	}
	mmput(child);
}

/* What was read of the page table is of no use when the page is dropped after that. */
static void fault_test_dropped(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_fault fault = {
		.access = GM_PROT_READ,
		.placement = GM_PLACE_HOST,
	};
	u64 word = 1;

	fake_attach(test);
	fault.va = fake_mmap(test, GM_BLOCK_SIZE, false);
	fake_fill(test, fault.va, GM_BLOCK_SIZE, 12);
	fake->dev.prepare_drops = fault.va;
	KUNIT_EXPECT_EQ(test, 0, gm_dev_fault(fake->ctx, &fault));
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_INPLACE);
	KUNIT_EXPECT_EQ(test, 0, fake_read(fake->ctx, fault.va, &word,
					   sizeof(word)));
	KUNIT_EXPECT_EQ(test, word, 0);

	/* A neighbour of the page that is needed is not translated. */
	fault.va = fake_mmap(test, GM_BLOCK_SIZE, false);
	fake_fill(test, fault.va, GM_BLOCK_SIZE, 13);
	fake->dev.prepare_drops = fault.va + SZ_1M;
	KUNIT_EXPECT_EQ(test, 0, gm_dev_fault(fake->ctx, &fault));
	KUNIT_EXPECT_EQ(test, fake_snapshot(fake->ctx, fault.va + SZ_1M,
					    PAGE_SIZE).pages, 0);
	KUNIT_EXPECT_EQ(test, fake_snapshot(fake->ctx, fault.va,
					    GM_BLOCK_SIZE).pages,
			GM_BLOCK_PAGES - 1);
}

static void fault_test_denied(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_fault fault;
	unsigned long va, end, none;

	fake_attach(test);
	va = kunit_vm_mmap(test, NULL, 0, SMALL, PROT_READ,
			   MAP_ANONYMOUS | MAP_PRIVATE, 0);
	none = kunit_vm_mmap(test, NULL, 0, SMALL, PROT_NONE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	end = fake_mmap(test, SMALL, false);
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(end, SMALL));

	KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, va, GM_PROT_READ,
					    &fault));
	KUNIT_EXPECT_EQ(test, -EFAULT, fake_fault(fake->ctx, va, GM_PROT_WRITE,
						  &fault));
	KUNIT_EXPECT_EQ(test, fault.ret, -EFAULT);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			fake_fault(fake->ctx, va, GM_PROT_READ | GM_PROT_WRITE,
				   &fault));
	KUNIT_EXPECT_EQ(test, -EFAULT, fake_fault(fake->ctx, none, GM_PROT_READ,
						  &fault));
	KUNIT_EXPECT_EQ(test, -EFAULT, fake_fault(fake->ctx, end, GM_PROT_READ,
						  &fault));
	KUNIT_EXPECT_EQ(test, -EFAULT, fake_fault(fake->ctx, TASK_SIZE_MAX,
						  GM_PROT_READ, &fault));
	KUNIT_EXPECT_EQ(test, -EFAULT, fake_fault(fake->ctx, ULONG_MAX,
						  GM_PROT_READ, &fault));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			fake_fault(fake->ctx, (unsigned long)fake->dev.vram,
				   GM_PROT_READ, &fault));
	/* Nothing may be written to through what was mapped. */
	KUNIT_EXPECT_EQ(test, 0, fake_snapshot(fake->ctx, 0,
					       TASK_SIZE_MAX).writable);
}

static void fault_test_invalid(struct kunit *test)
{
	struct fake *fake = test->priv;
	static const u32 bad[] = {
		0, BIT(3), GM_PROT_READ | BIT(3), BIT(31), U32_MAX,
		GM_PROT_ATOMIC, GM_PROT_READ | GM_PROT_ATOMIC,
		GM_PROT_WRITE | GM_PROT_ATOMIC,
	};
	struct gm_fault fault;
	unsigned long va;
	unsigned int i;

	fake_attach(test);
	va = fake_mmap(test, SMALL, false);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ(test, -EINVAL, fake_fault(fake->ctx, va, bad[i],
							  &fault));
		KUNIT_EXPECT_EQ(test, fault.ret, -EINVAL);
		KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_NONE);
	}
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), 0);
}

#define ATOMIC	(GM_PROT_READ | GM_PROT_WRITE | GM_PROT_ATOMIC)

/* In the device's own memory, the right comes with that to write. */
static void fault_test_atomic_local(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_fault fault;
	unsigned long va;

	fake_attach(test);
	va = fake_mmap(test, GM_BLOCK_SIZE, true);
	fake_fill(test, va, GM_BLOCK_SIZE, 21);
	KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, va, ATOMIC, &fault));
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_MIGRATED);
	KUNIT_EXPECT_EQ(test, fault.end - fault.start, GM_BLOCK_SIZE);
	KUNIT_EXPECT_EQ(test, fake_snapshot(fake->ctx, va,
					    GM_BLOCK_SIZE).atomic,
			GM_BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, fault_stat(fake, GM_STAT_PAGES_EXCLUSIVE), 0);
	fake_expect_cpu(test, va, GM_BLOCK_SIZE, 21);
}

/* On the host, one page is taken from the CPUs, until they want it back. */
static void fault_test_atomic_in_place(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_fault fault = { .placement = GM_PLACE_HOST };
	struct fake_snap snap;
	unsigned int huge, i;
	unsigned long va;

	fake_attach(test);
	for (huge = 0; huge < 2; huge++) {
		va = fake_mmap(test, GM_BLOCK_SIZE, huge);
		fake_fill(test, va, GM_BLOCK_SIZE, 22);
		/* What may be written to is not good enough. */
		fault.va = va + SZ_64K + 8;
		fault.access = GM_PROT_WRITE;
		KUNIT_EXPECT_EQ(test, 0, gm_dev_fault(fake->ctx, &fault));
		snap = fake_snapshot(fake->ctx, va, GM_BLOCK_SIZE);
		KUNIT_EXPECT_EQ(test, snap.writable, GM_BLOCK_PAGES);
		KUNIT_EXPECT_EQ(test, snap.atomic, 0);
		/* The second one finds it done. */
		for (i = 0; i < 2; i++) {
			fault.access = ATOMIC;
			KUNIT_EXPECT_EQ(test, 0, gm_dev_fault(fake->ctx,
							      &fault));
			KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_INPLACE);
			KUNIT_EXPECT_EQ(test, fault.start, va + SZ_64K);
			KUNIT_EXPECT_EQ(test, fault.end - fault.start,
					PAGE_SIZE);
		}
		KUNIT_EXPECT_EQ(test, fake_snapshot(fake->ctx, va,
						    GM_BLOCK_SIZE).atomic, 1);
		KUNIT_EXPECT_EQ(test,
				fault_stat(fake, GM_STAT_PAGES_EXCLUSIVE),
				1 + huge);
		/* Reading beside it leaves it alone. */
		fault.va = va + SZ_64K + PAGE_SIZE;
		fault.access = GM_PROT_READ;
		KUNIT_EXPECT_EQ(test, 0, gm_dev_fault(fake->ctx, &fault));
		snap = fake_snapshot(fake->ctx, va, GM_BLOCK_SIZE);
		KUNIT_EXPECT_EQ(test, snap.pages, GM_BLOCK_PAGES);
		KUNIT_EXPECT_EQ(test, snap.atomic, 1);

		KUNIT_EXPECT_EQ(test, 0, fake_touch(va + SZ_64K));
		KUNIT_EXPECT_EQ(test, 0, fake_snapshot(fake->ctx, va + SZ_64K,
						       PAGE_SIZE).pages);
		fake_expect_cpu(test, va, GM_BLOCK_SIZE, 22);
	}
}

/* A device whose atomics the host knows of needs nothing of that. */
static void fault_test_atomic_coherent(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_fault fault = {
		.placement = GM_PLACE_HOST,
		.access = ATOMIC,
	};

	fake_dev_stop(&fake->dev);
	KUNIT_ASSERT_EQ(test, 0, fake_dev_start(test, &fake->dev,
						&fake_mmu_atomic,
						FAKE_VRAM_SIZE));
	fake_attach(test);
	fault.va = fake_mmap(test, GM_BLOCK_SIZE, true);
	fake_fill(test, fault.va, GM_BLOCK_SIZE, 23);
	KUNIT_EXPECT_EQ(test, 0, gm_dev_fault(fake->ctx, &fault));
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_INPLACE);
	KUNIT_EXPECT_EQ(test, fake_snapshot(fake->ctx, fault.va,
					    GM_BLOCK_SIZE).atomic,
			GM_BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, fault_stat(fake, GM_STAT_PAGES_EXCLUSIVE), 0);
	KUNIT_EXPECT_EQ(test, 0, fake_touch(fault.va));
	KUNIT_EXPECT_EQ(test, fake_snapshot(fake->ctx, fault.va,
					    GM_BLOCK_SIZE).atomic,
			GM_BLOCK_PAGES);
}

/* Each fault of a batch has its own fate; the first error is told. */
static void fault_test_batch(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_fault faults[5] = {};
	unsigned long va, gone;

	fake_attach(test);
	KUNIT_EXPECT_EQ(test, 0, gm_dev_fault_batch(fake->ctx, faults, 0));
	gone = fake_mmap(test, SMALL, false);
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(gone, SMALL));
	va = fake_mmap(test, GM_BLOCK_SIZE, true);
	fake_fill(test, va, GM_BLOCK_SIZE, 12);

	faults[0] = (struct gm_fault){ .va = va, .access = GM_PROT_READ };
	faults[1] = (struct gm_fault){ .va = va + SZ_1M,
				       .access = GM_PROT_READ };
	faults[2] = (struct gm_fault){ .va = gone, .access = GM_PROT_READ };
	faults[3] = (struct gm_fault){ .va = va, .access = BIT(7) };
	faults[4] = (struct gm_fault){ .va = va + SZ_1M,
				       .access = GM_PROT_WRITE };
	KUNIT_EXPECT_EQ(test, -EFAULT, gm_dev_fault_batch(fake->ctx, faults,
							  5));
	KUNIT_EXPECT_EQ(test, faults[0].ret, 0);
	KUNIT_EXPECT_EQ(test, faults[0].outcome, GM_FAULT_MIGRATED);
	/* Done by the one before it. */
	KUNIT_EXPECT_EQ(test, faults[1].ret, 0);
	KUNIT_EXPECT_EQ(test, faults[1].outcome, GM_FAULT_MIGRATED);
	KUNIT_EXPECT_EQ(test, faults[1].start, va);
	KUNIT_EXPECT_EQ(test, faults[1].end, va + GM_BLOCK_SIZE);
	KUNIT_EXPECT_EQ(test, faults[2].ret, -EFAULT);
	KUNIT_EXPECT_EQ(test, faults[3].ret, -EINVAL);
	KUNIT_EXPECT_EQ(test, faults[4].ret, 0);
	KUNIT_EXPECT_EQ(test, faults[4].outcome, GM_FAULT_LOCAL);
	KUNIT_EXPECT_EQ(test, fault_stat(fake, GM_STAT_FAULTS_MIGRATED), 1);
	fake_expect_device(test, fake->ctx, va, GM_BLOCK_SIZE, 12);
}

static struct kunit_case fault_test_cases[] = {
	KUNIT_CASE(fault_test_base),
	KUNIT_CASE(fault_test_huge),
	KUNIT_CASE(fault_test_hole),
	KUNIT_CASE(fault_test_hole_grows),
	KUNIT_CASE(fault_test_write),
	KUNIT_CASE(fault_test_small_device),
	KUNIT_CASE(fault_test_full),
	KUNIT_CASE(fault_test_full_local),
	KUNIT_CASE(fault_test_copy_in_fails),
	KUNIT_CASE(fault_test_copy_home_fails),
	KUNIT_CASE(fault_test_map_fails),
	KUNIT_CASE(fault_test_in_place),
	KUNIT_CASE(fault_test_in_place_scattered),
	KUNIT_CASE(fault_test_in_place_mixed),
	KUNIT_CASE(fault_test_dropped),
	KUNIT_CASE(fault_test_denied),
	KUNIT_CASE(fault_test_invalid),
	KUNIT_CASE(fault_test_atomic_local),
	KUNIT_CASE(fault_test_atomic_in_place),
	KUNIT_CASE(fault_test_atomic_coherent),
	KUNIT_CASE(fault_test_batch),
	{ }
};

static struct kunit_suite fault_test_suite = {
	.name = "gmem_device_fault",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = fault_test_cases,
};

kunit_test_suite(fault_test_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of GMEM device faults");

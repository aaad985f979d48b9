// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of copies: engines that are done later, that fail, and that time out;
 * and what can be saved when memory of a device goes and not all of it can be read.
 */
#include <linux/delay.h>
#include <linux/hash.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "device_fake.h"

struct copy_case {
	const char *name;
	bool huge;
};

static const struct copy_case copy_cases[] = {
	{ "base", false },
	{ "huge", true },
};

KUNIT_ARRAY_PARAM_DESC(copy_cases, copy_cases, name);

/* A block of memory with a pattern, of one kind of page. */
static unsigned long copy_make(struct kunit *test, u32 seed)
{
	const struct copy_case *which = test->param_value;
	unsigned long va;

	fake_attach(test);
	va = fake_mmap(test, GM_BLOCK_SIZE, !which || which->huge);
	fake_fill(test, va, GM_BLOCK_SIZE, seed);
	return va;
}

/* How many pages the CPU cannot have. */
static unsigned long copy_count_lost(unsigned long va, unsigned long size)
{
	unsigned long at, nr = 0;

	for (at = va; at < va + size; at += PAGE_SIZE)
		nr += fake_touch(at) == -EFAULT;
	return nr;
}

/* Nobody looks at the data before the engine is done with it. */
static void copy_test_later(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long va = copy_make(test, 30);
	int jobs;

	fake->dev.copy_later = true;
	fake_expect_device(test, fake->ctx, va, GM_BLOCK_SIZE, 30);
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), GM_BLOCK_PAGES);
	jobs = atomic_read(&fake->dev.jobs);
	KUNIT_EXPECT_GT(test, jobs, 0);
	fake_expect_cpu(test, va, GM_BLOCK_SIZE, 30);
	KUNIT_EXPECT_GT(test, atomic_read(&fake->dev.jobs), jobs);
	fake_expect_used(test, 0);
}

/* An error of the fence is one of the copy: the data is where it was. */
static void copy_test_later_fails(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long va = copy_make(test, 31);
	struct gm_fault fault;

	fake->dev.copy_later = true;
	fake->dev.copy_error = -EIO;
	fake->dev.copy_error_op = BIT(GM_COPY_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, va, GM_PROT_WRITE, &fault));
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_INPLACE);
	KUNIT_EXPECT_GT(test, atomic_read(&fake->dev.jobs), 0);
	fake_expect_used(test, 0);
	fake_expect_cpu(test, va, GM_BLOCK_SIZE, 31);

	fake->dev.copy_error_op = BIT(GM_COPY_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, va, GM_PROT_WRITE, &fault));
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_MIGRATED);
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), GM_BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, -EFAULT, fake_touch(va));
	fake->dev.copy_error = 0;
	fake_expect_cpu(test, va, GM_BLOCK_SIZE, 31);
	fake_expect_used(test, 0);
}

/* An engine that has not come back is not trusted with anything any more. */
static void copy_test_timed_out(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long va = copy_make(test, 32);
	struct gm_fault fault;

	fake->dev.copy_later = true;
	fake->dev.copy_error = -ETIMEDOUT;
	fake->dev.copy_error_op = BIT(GM_COPY_TO_DEVICE);
	fake_fault(fake->ctx, va, GM_PROT_WRITE, &fault);
	KUNIT_EXPECT_NE(test, fault.outcome, GM_FAULT_MIGRATED);
	KUNIT_EXPECT_TRUE(test, gm_dev_lost(fake->dev.gm));
	fake_expect_cpu(test, va, GM_BLOCK_SIZE, 32);
	KUNIT_EXPECT_EQ(test, fake_snapshot(fake->ctx, va, GM_BLOCK_SIZE).device, 0);
}

/* Nor is one of which nobody can say whether it has. */
static void copy_test_no_wait(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long va = copy_make(test, 35);
	struct gm_fault fault;

	fake->dev.copy_later = true;
	fake->dev.no_wait = true;
	fake_fault(fake->ctx, va, GM_PROT_WRITE, &fault);
	KUNIT_EXPECT_GT(test, atomic_read(&fake->dev.jobs), 0);
	KUNIT_EXPECT_NE(test, fault.outcome, GM_FAULT_MIGRATED);
	KUNIT_EXPECT_TRUE(test, gm_dev_lost(fake->dev.gm));
	fake_expect_cpu(test, va, GM_BLOCK_SIZE, 35);
	/* Its engine reads the page yet. */
	while (atomic_read(&fake->dev.jobs_done) != atomic_read(&fake->dev.jobs))
		msleep(FAKE_JOB_MS);
}

/* The device address of the first frame in use. */
static u64 copy_first_frame(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_hnode *hnode = fake->dev.gm->hnode;
	unsigned long pfn = hnode->base_pfn;

	while (pfn < hnode->base_pfn + hnode->nr_pages && !gm_frames_used(hnode, pfn))
		pfn++;
	KUNIT_ASSERT_LT(test, pfn, hnode->base_pfn + hnode->nr_pages);
	return gm_hnode_dpa(hnode, pfn);
}

/* A huge page of which one frame cannot be read: all others are saved. */
static void copy_test_evacuate(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long va = copy_make(test, 33);
	unsigned long at, wrong = 0;
	u64 word;

	fake_expect_device(test, fake->ctx, va, GM_BLOCK_SIZE, 33);
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), GM_BLOCK_PAGES);
	fake->dev.copy_error_dpa = copy_first_frame(test);
	fake->dev.copy_error = -EIO;
	fake->dev.copy_error_op = BIT(GM_COPY_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, 0, gm_dev_unregister_physmem(fake->dev.gm, fake->dev.hnid));
	KUNIT_EXPECT_EQ(test, copy_count_lost(va, GM_BLOCK_SIZE), 1);
	memset(fake->dev.vram, 0, fake->dev.vram_size);
	for (at = va; at < va + GM_BLOCK_SIZE; at += PAGE_SIZE) {
		if (fake_touch(at))
			continue;
		KUNIT_ASSERT_EQ(test, 0, get_user(word, (u64 __user *)at));
		wrong += word != (at * GOLDEN_RATIO_64 ^ 33);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	/* What was lost can be given up, and its place used again. */
	KUNIT_EXPECT_EQ(test, 0, do_madvise(current->mm, va, GM_BLOCK_SIZE, MADV_DONTNEED));
	KUNIT_EXPECT_EQ(test, 0, copy_count_lost(va, GM_BLOCK_SIZE));
}

/* After a time-out nothing is asked of the engine: the rest is lost, too. */
static void copy_test_evacuate_timed_out(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long va = copy_make(test, 34);

	fake_expect_device(test, fake->ctx, va, GM_BLOCK_SIZE, 34);
	fake->dev.copy_error = -ETIMEDOUT;
	fake->dev.copy_error_op = BIT(GM_COPY_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, 0, gm_dev_unregister_physmem(fake->dev.gm, fake->dev.hnid));
	KUNIT_EXPECT_TRUE(test, gm_dev_lost(fake->dev.gm));
	KUNIT_EXPECT_EQ(test, copy_count_lost(va, GM_BLOCK_SIZE), GM_BLOCK_PAGES);
}

static struct kunit_case copy_test_cases[] = {
	KUNIT_CASE_PARAM(copy_test_later, copy_cases_gen_params),
	KUNIT_CASE_PARAM(copy_test_later_fails, copy_cases_gen_params),
	KUNIT_CASE_PARAM(copy_test_timed_out, copy_cases_gen_params),
	KUNIT_CASE_PARAM(copy_test_no_wait, copy_cases_gen_params),
	KUNIT_CASE_SLOW(copy_test_evacuate),
	KUNIT_CASE_PARAM(copy_test_evacuate_timed_out, copy_cases_gen_params),
	{ }
};

static struct kunit_suite copy_test_suite = {
	.name = "gmem_device_copy",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = copy_test_cases,
};

kunit_test_suite(copy_test_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of GMEM copies that are late or fail");

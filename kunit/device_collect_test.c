// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of a page table that changes while migrate_vma_setup() collects what is in
 * it: another thread gives memory up, at the very moments that need no luck here.
 */
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

/* For mm_find_pmd() */
#include "../../internal.h"
#include "device_fake.h"

#define COLLECT_WORD	0x600dbeefULL

/* What happens while a huge page is split that was collected in part. */
struct collect_case {
	const char *name;
	bool refault;	/* a new huge page is in its place then */
};

static const struct collect_case collect_cases[] = {
	{ "all of it goes", false },
	{ "another huge page comes", true },
};

KUNIT_ARRAY_PARAM_DESC(collect_cases, collect_cases, name);

/**
 * struct collect - another thread, and what makes it work
 * @notifier:	sees what the task does to the block
 * @task:	who collects
 * @va:		the block
 * @step:	how far it is: 0 nothing, 1 the huge page is mapped by PTEs without the
 *		first page, 2 the block was given up
 * @refault:	see &struct collect_case
 * @there:	what was wanted is in the page table after the second step
 * @ret:	first error
 * @mm:		of all of them
 * @go:		for the other thread to do the next step
 * @done:	it has done it
 */
struct collect {
	struct mmu_interval_notifier notifier;
	struct task_struct *task;
	unsigned long va;
	int step;
	bool refault;
	bool there;
	int ret;
	struct mm_struct *mm;
	struct completion go;
	struct completion done;
};

/* Nothing at all, or a huge page. */
static bool collect_is_there(const struct collect *c)
{
	pmd_t *pmd = mm_find_pmd(c->mm, c->va);
	pmd_t entry;

	if (!pmd)
		return false;
	entry = pmdp_get_lockless(pmd);
	if (c->refault)
		return pmd_trans_huge(entry);
	return pmd_none(entry) || !IS_ENABLED(CONFIG_PT_RECLAIM);
}

static int collect_main(void *arg)
{
	struct collect *c = arg;

	kthread_use_mm(c->mm);
	wait_for_completion(&c->go);
	c->ret = do_madvise(c->mm, c->va, PAGE_SIZE, MADV_DONTNEED);
	complete(&c->done);

	wait_for_completion(&c->go);
	if (!c->ret)
		c->ret = do_madvise(c->mm, c->va, GM_BLOCK_SIZE, MADV_DONTNEED);
	if (!c->ret && c->refault)
		c->ret = put_user(COLLECT_WORD, (u64 __user *)c->va);
	c->there = collect_is_there(c);
	kthread_unuse_mm(c->mm);
	complete(&c->done);
	return 0;
}

/* Has the other thread do its next step. */
static void collect_next(struct collect *c)
{
	c->step++;
	complete(&c->go);
	wait_for_completion(&c->done);
}

static bool collect_invalidate(struct mmu_interval_notifier *notifier,
			       const struct mmu_notifier_range *range,
			       unsigned long seq)
{
	struct collect *c = container_of(notifier, struct collect, notifier);
	enum mmu_notifier_event wanted = c->step ? MMU_NOTIFY_CLEAR :
						   MMU_NOTIFY_MIGRATE;

	if (current == c->task && c->step < 2 && range->event == wanted)
		collect_next(c);
	return true;
}

static const struct mmu_interval_notifier_ops collect_ops = {
	.invalidate = collect_invalidate,
};

/* What is behind the block must not be touched, nor what is behind the arrays. */
static void collect_test_split(struct kunit *test)
{
	const struct collect_case *param = test->param_value;
	struct fake *fake = test->priv;
	struct collect c = { .task = current, .refault = param->refault };
	struct gm_fault fault;
	u64 word, sum = 0;
	unsigned long at;
	int ret;

	fake_attach(test);
	c.mm = current->mm;
	c.va = fake_mmap(test, 2 * GM_BLOCK_SIZE, true);
	fake_fill(test, c.va, GM_BLOCK_SIZE, 1);
	init_completion(&c.go);
	init_completion(&c.done);
	KUNIT_ASSERT_FALSE(test, IS_ERR(kthread_run(collect_main, &c, "gmem_collect")));
	ret = mmu_interval_notifier_insert(&c.notifier, c.mm, c.va, GM_BLOCK_SIZE,
					   &collect_ops);
	KUNIT_EXPECT_EQ(test, 0, ret);
	if (!ret) {
		KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, c.va + SZ_64K,
						    GM_PROT_WRITE, &fault));
		mmu_interval_notifier_remove(&c.notifier);
	}
	KUNIT_EXPECT_EQ(test, c.step, 2);
	/* Where nothing was met: it must come to its end. */
	while (c.step < 2)
		collect_next(&c);
	KUNIT_EXPECT_EQ(test, c.ret, 0);
	KUNIT_EXPECT_TRUE(test, c.there);

	KUNIT_EXPECT_LE(test, fake_used(&fake->dev), GM_BLOCK_PAGES);
	for (at = c.va; at < c.va + GM_BLOCK_SIZE; at += PAGE_SIZE) {
		KUNIT_ASSERT_EQ(test, 0, fake_fault(fake->ctx, at, GM_PROT_READ, &fault));
		KUNIT_ASSERT_EQ(test, 0, fake_read(fake->ctx, at, &word, sizeof(word)));
		sum += word;
	}
	KUNIT_EXPECT_EQ(test, sum, c.refault ? COLLECT_WORD : 0);
	for (at = c.va, sum = 0; at < c.va + GM_BLOCK_SIZE; at += sizeof(word)) {
		KUNIT_ASSERT_EQ(test, 0, get_user(word, (u64 __user *)at));
		sum += word;
	}
	KUNIT_EXPECT_EQ(test, sum, c.refault ? COLLECT_WORD : 0);
	fake_expect_used(test, 0);
	fake_expect_frames(test);
}

static struct kunit_case collect_test_cases[] = {
	KUNIT_CASE_PARAM(collect_test_split, collect_cases_gen_params),
	{ }
};

static struct kunit_suite collect_test_suite = {
	.name = "gmem_device_collect",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = collect_test_cases,
};

kunit_test_suite(collect_test_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of page tables that change while GMEM collects pages");

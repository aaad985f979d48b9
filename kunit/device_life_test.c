// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the life of devices, their memory, address spaces and
 * contexts: what is refused, and what becomes of data when one of them ends.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/uaccess.h>

#include "device_fake.h"

#define PAGES(size)	((size) / PAGE_SIZE)

/* A driver that lacks something that is required. */
static void life_test_mmu(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct device *parent = fake->dev.parent;
	struct gm_mmu bad[6];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = fake_mmu;
	bad[0].name = NULL;
	bad[1].peer_map = NULL;
	bad[2].peer_unmap = NULL;
	bad[3].pgsize_bitmap = SZ_2M;
	bad[4].caps = GM_DEV_CAP_HOST_ACCESS;
	bad[5].pgsize_bitmap = 0;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_PTR_EQ(test, gm_dev_create(parent, &bad[i], NULL),
				    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, gm_dev_create(NULL, &fake_mmu, NULL),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, gm_dev_create(parent, NULL, NULL),
			    ERR_PTR(-EINVAL));
}

static void life_test_physmem(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_mmu no_copy = fake_mmu;
	struct gm_dev *gm = fake->dev.gm;
	const enum gm_mem_type type = GM_MEM_TYPE_PRIVATE;
	int hnid = fake->dev.hnid;
	struct gm_dev *other;

	KUNIT_EXPECT_GE(test, hnid, MAX_NUMNODES);
	KUNIT_EXPECT_EQ(test, -EBUSY, gm_dev_register_physmem(gm, type, 0,
							      SZ_2M));
	KUNIT_EXPECT_EQ(test, -EINVAL, gm_dev_unregister_physmem(gm, hnid + 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, gm_dev_unregister_physmem(gm, -1));
	KUNIT_EXPECT_EQ(test, -EINVAL, gm_dev_unregister_physmem(gm, 0));
	KUNIT_EXPECT_EQ(test, 0, gm_dev_unregister_physmem(gm, hnid));
	KUNIT_EXPECT_EQ(test, -EINVAL, gm_dev_unregister_physmem(gm, hnid));

	KUNIT_EXPECT_EQ(test, -EINVAL, gm_dev_register_physmem(gm, type, 0, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, gm_dev_register_physmem(gm, type, 0,
							       SZ_1M));
	KUNIT_EXPECT_EQ(test, -EINVAL, gm_dev_register_physmem(gm, type, 1,
							       SZ_2M));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			gm_dev_register_physmem(gm, type, -SZ_1M, SZ_2M));
	KUNIT_EXPECT_EQ(test, -EINVAL, gm_dev_register_physmem(gm, type + 1, 0,
							       SZ_2M));
	hnid = gm_dev_register_physmem(gm, type, FAKE_VRAM_DPA, SZ_2M);
	KUNIT_EXPECT_GE(test, hnid, MAX_NUMNODES);

	no_copy.copy = NULL;
	other = gm_dev_create(fake->dev.parent, &no_copy, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	KUNIT_EXPECT_EQ(test, -EINVAL, gm_dev_register_physmem(other, type, 0,
							       SZ_2M));
	gm_dev_destroy(other);
}

/* An address space covers a range, and a device reaches nothing beyond. */
static void life_test_as_range(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long va, last = PAGE_ALIGN_DOWN(TASK_SIZE_MAX);
	struct gm_as *inval = ERR_PTR(-EINVAL);
	struct gm_fault fault;
	struct mm_struct *mm;

	KUNIT_ASSERT_EQ(test, 0, kunit_attach_mm());
	mm = current->mm;
	KUNIT_EXPECT_PTR_EQ(test, gm_as_create(mm, SZ_1M, SZ_1M), inval);
	KUNIT_EXPECT_PTR_EQ(test, gm_as_create(mm, SZ_2M, SZ_1M), inval);
	KUNIT_EXPECT_PTR_EQ(test, gm_as_create(mm, SZ_1M + 1, SZ_2M), inval);
	KUNIT_EXPECT_PTR_EQ(test, gm_as_create(mm, SZ_1M, SZ_2M - 1), inval);
	KUNIT_EXPECT_PTR_EQ(test, gm_as_create(mm, 0, last + PAGE_SIZE), inval);
	KUNIT_EXPECT_PTR_EQ(test, gm_as_create(mm, 0, -PAGE_SIZE), inval);

	va = fake_mmap(test, 2 * GM_BLOCK_SIZE, false);
	fake_fill(test, va, 2 * GM_BLOCK_SIZE, 1);
	fake->as = gm_as_create(mm, va + SZ_64K, va + SZ_1M);
	if (IS_ERR(fake->as)) {
		fake->as = NULL;
		KUNIT_FAIL_AND_ABORT(test, "no address space");
	}
	fake_attach(test);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			fake_fault(fake->ctx, va + SZ_64K - 1, GM_PROT_READ,
				   &fault));
	KUNIT_EXPECT_EQ(test, -EFAULT, fake_fault(fake->ctx, va + SZ_1M,
						  GM_PROT_READ, &fault));
	KUNIT_EXPECT_EQ(test, fault.ret, -EFAULT);
	fake_expect_device(test, fake->ctx, va + SZ_64K, SZ_1M - SZ_64K, 1);
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), PAGES(SZ_1M - SZ_64K));
	KUNIT_EXPECT_EQ(test, fake_snapshot(fake->ctx, 0, last).pages,
			PAGES(SZ_1M - SZ_64K));
	fake_expect_frames(test);
	fake_expect_cpu(test, va, 2 * GM_BLOCK_SIZE, 1);
	fake_expect_used(test, 0);

	/* The context keeps what the driver gives up; data needs neither. */
	gm_as_destroy(fake->as);
	fake->as = NULL;
	KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, va + SZ_64K,
					    GM_PROT_READ, &fault));
	fake_detach(test);
	KUNIT_EXPECT_NE(test, fake_used(&fake->dev), 0);
	fake_expect_cpu(test, va, 2 * GM_BLOCK_SIZE, 1);
	fake_expect_used(test, 0);
}

static void life_test_attach_invalid(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_context *ctx;

	fake_attach(test);
	fake_detach(test);
	ctx = gm_as_attach(fake->as, fake->dev.gm, GM_ATTACH_EXCLUSIVE + 1,
			   NULL);
	KUNIT_EXPECT_PTR_EQ(test, ctx, ERR_PTR(-EINVAL));
	ctx = gm_as_attach(fake->as, fake->dev.gm, -1, NULL);
	KUNIT_EXPECT_PTR_EQ(test, ctx, ERR_PTR(-EINVAL));
	fake->dev.create_error = -ENXIO;
	ctx = gm_as_attach(fake->as, fake->dev.gm, GM_ATTACH_EXCLUSIVE, NULL);
	KUNIT_EXPECT_PTR_EQ(test, ctx, ERR_PTR(-ENXIO));
	fake->dev.create_error = 0;
	fake_attach(test);
}

static void life_test_attach_many(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_context *ctx[GM_LPT_MAX_CTX] = {}, *more;
	unsigned int i, nr;

	fake_attach(test);
	for (nr = 1; nr < GM_LPT_MAX_CTX; nr++) {
		ctx[nr] = gm_as_attach(fake->as, fake->dev.gm,
				       GM_ATTACH_EXCLUSIVE, NULL);
		if (IS_ERR(ctx[nr]))
			break;
	}
	KUNIT_EXPECT_EQ(test, nr, GM_LPT_MAX_CTX);
	more = gm_as_attach(fake->as, fake->dev.gm, GM_ATTACH_EXCLUSIVE, NULL);
	KUNIT_EXPECT_PTR_EQ(test, more, ERR_PTR(-ENOSPC));
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->dev.contexts), nr);
	/* A place that gets free can be had. */
	gm_as_detach(ctx[nr / 2]);
	ctx[nr / 2] = gm_as_attach(fake->as, fake->dev.gm, GM_ATTACH_EXCLUSIVE,
				   NULL);
	for (i = 1; i < nr; i++) {
		KUNIT_EXPECT_NOT_ERR_OR_NULL(test, ctx[i]);
		if (!IS_ERR(ctx[i]))
			gm_as_detach(ctx[i]);
	}
}

/* Data stays when its context ends, and the next context finds it. */
static void life_test_reattach(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_fault fault;
	unsigned long va;

	fake_attach(test);
	va = fake_mmap(test, 2 * GM_BLOCK_SIZE, true);
	fake_fill(test, va, 2 * GM_BLOCK_SIZE, 2);
	fake_expect_device(test, fake->ctx, va, 2 * GM_BLOCK_SIZE, 2);
	fake_detach(test);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->dev.contexts), 0);
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), 2 * GM_BLOCK_PAGES);
	fake_expect_cpu(test, va, GM_BLOCK_SIZE, 2);
	fake_expect_used(test, GM_BLOCK_PAGES);

	fake_attach(test);
	KUNIT_EXPECT_EQ(test, 0,
			fake_snapshot(fake->ctx, va, 2 * GM_BLOCK_SIZE).pages);
	KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, va + GM_BLOCK_SIZE,
					    GM_PROT_READ, &fault));
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_LOCAL);
	KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, va, GM_PROT_READ,
					    &fault));
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_MIGRATED);
	fake_expect_device(test, fake->ctx, va, 2 * GM_BLOCK_SIZE, 2);
	fake_expect_frames(test);
}

/* A device that goes brings everything home, and its contexts are dead. */
static void life_test_destroy(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_fault faults[2];
	unsigned long base, huge;

	fake_attach(test);
	base = fake_mmap(test, GM_BLOCK_SIZE, false);
	huge = fake_mmap(test, GM_BLOCK_SIZE, true);
	fake_fill(test, base, GM_BLOCK_SIZE, 3);
	fake_fill(test, huge, GM_BLOCK_SIZE, 4);
	fake_expect_device(test, fake->ctx, base, GM_BLOCK_SIZE, 3);
	fake_expect_device(test, fake->ctx, huge, GM_BLOCK_SIZE, 4);
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), 2 * GM_BLOCK_PAGES);
	fake_dev_stop(&fake->dev);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->dev.contexts), 0);
	fake_expect_cpu(test, base, GM_BLOCK_SIZE, 3);
	fake_expect_cpu(test, huge, GM_BLOCK_SIZE, 4);

	faults[0] = (struct gm_fault){ .va = base, .access = GM_PROT_READ };
	faults[1] = faults[0];
	KUNIT_EXPECT_EQ(test, -ENODEV, gm_dev_fault_batch(fake->ctx, faults,
							  2));
	KUNIT_EXPECT_EQ(test, faults[0].ret, -ENODEV);
	KUNIT_EXPECT_EQ(test, faults[1].ret, -ENODEV);
	KUNIT_EXPECT_EQ(test, faults[1].outcome, GM_FAULT_NONE);
}

/* Memory that is taken back: data comes home, the device goes on without. */
static void life_test_unregister(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_fault fault;
	unsigned long va;
	int hnid;

	fake_attach(test);
	va = fake_mmap(test, 2 * GM_BLOCK_SIZE, true);
	fake_fill(test, va, 2 * GM_BLOCK_SIZE, 5);
	fake_expect_device(test, fake->ctx, va, 2 * GM_BLOCK_SIZE, 5);
	KUNIT_EXPECT_EQ(test, 0, gm_dev_unregister_physmem(fake->dev.gm,
							   fake->dev.hnid));
	KUNIT_EXPECT_EQ(test, 0, fake_snapshot(fake->ctx, va,
					       2 * GM_BLOCK_SIZE).device);
	memset(fake->dev.vram, 0, fake->dev.vram_size);
	fake_expect_cpu(test, va, GM_BLOCK_SIZE, 5);
	KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, va, GM_PROT_WRITE,
					    &fault));
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_INPLACE);
	fake_expect_device(test, fake->ctx, va, 2 * GM_BLOCK_SIZE, 5);

	hnid = gm_dev_register_physmem(fake->dev.gm, GM_MEM_TYPE_PRIVATE,
				       FAKE_VRAM_DPA, FAKE_VRAM_SIZE);
	KUNIT_ASSERT_GE(test, hnid, MAX_NUMNODES);
	KUNIT_EXPECT_EQ(test, 0, fake_fault(fake->ctx, va, GM_PROT_WRITE,
					    &fault));
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_MIGRATED);
	fake_expect_device(test, fake->ctx, va, 2 * GM_BLOCK_SIZE, 5);
	fake_expect_frames(test);
}

/* Data on a device would not be in the image. */
static void life_test_hibernate(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct gm_dev *gm = fake->dev.gm;

	KUNIT_EXPECT_EQ(test, -EBUSY, gm_hibernate_begin());
	KUNIT_EXPECT_EQ(test, 0, gm_dev_unregister_physmem(gm, fake->dev.hnid));
	KUNIT_ASSERT_EQ(test, 0, gm_hibernate_begin());
	KUNIT_EXPECT_EQ(test, -EBUSY,
			gm_dev_register_physmem(gm, GM_MEM_TYPE_PRIVATE,
						FAKE_VRAM_DPA, SZ_2M));
	gm_hibernate_end();

	/* What was refused does not keep the machine from it. */
	KUNIT_ASSERT_EQ(test, 0, gm_hibernate_begin());
	gm_hibernate_end();
	KUNIT_EXPECT_GE(test, gm_dev_register_physmem(gm, GM_MEM_TYPE_PRIVATE,
						      FAKE_VRAM_DPA, SZ_2M), 0);
	KUNIT_EXPECT_EQ(test, -EBUSY, gm_hibernate_begin());
}

static unsigned long life_count_lost(unsigned long va, unsigned long size)
{
	unsigned long at, lost = 0;

	for (at = va; at < va + size; at += PAGE_SIZE)
		lost += fake_touch(at) == -EFAULT;
	return lost;
}

/* Exactly what was on a lost device is lost, and never reads as other data. */
static void life_test_lost(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long va, huge, safe;

	fake_attach(test);
	safe = fake_mmap(test, GM_BLOCK_SIZE, false);
	va = fake_mmap(test, 2 * GM_BLOCK_SIZE, false);
	huge = fake_mmap(test, GM_BLOCK_SIZE, true);
	fake_fill(test, safe, GM_BLOCK_SIZE, 6);
	fake_fill(test, va, 2 * GM_BLOCK_SIZE, 6);
	fake_fill(test, huge, GM_BLOCK_SIZE, 6);
	fake_expect_device(test, fake->ctx, va, 2 * GM_BLOCK_SIZE, 6);
	fake_expect_device(test, fake->ctx, huge, GM_BLOCK_SIZE, 6);
	/* Half of it comes home in time. */
	fake_expect_cpu(test, va + GM_BLOCK_SIZE, GM_BLOCK_SIZE, 6);

	gm_dev_mark_lost(fake->dev.gm);
	fake_dev_stop(&fake->dev);
	KUNIT_EXPECT_EQ(test, life_count_lost(va, GM_BLOCK_SIZE),
			GM_BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, life_count_lost(huge, GM_BLOCK_SIZE),
			GM_BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, -EFAULT, put_user(1, (u8 __user *)va));
	fake_expect_cpu(test, va + GM_BLOCK_SIZE, GM_BLOCK_SIZE, 6);
	fake_expect_cpu(test, safe, GM_BLOCK_SIZE, 6);

	/* Memory that is given up can be used again. */
	KUNIT_ASSERT_EQ(test, 0, do_madvise(current->mm, huge, GM_BLOCK_SIZE,
					    MADV_DONTNEED));
	KUNIT_EXPECT_EQ(test, 0, life_count_lost(huge, GM_BLOCK_SIZE));
}

/* A lost device gives nothing back while it is still there, either. */
static void life_test_lost_access(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long va;

	fake_attach(test);
	va = fake_mmap(test, SZ_64K, false);
	fake_fill(test, va, SZ_64K, 7);
	fake_expect_device(test, fake->ctx, va, SZ_64K, 7);
	gm_dev_mark_lost(fake->dev.gm);
	KUNIT_EXPECT_EQ(test, life_count_lost(va, SZ_64K), PAGES(SZ_64K));
	KUNIT_EXPECT_EQ(test, fake_used(&fake->dev), PAGES(SZ_64K));
	KUNIT_EXPECT_EQ(test, 0, vm_munmap(va, SZ_64K));
	fake_expect_used(test, 0);
}

/* Nothing is resolved for a process that is gone. */
static void life_test_process_gone(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct mm_struct *mm = mm_alloc();
	struct gm_fault fault;

	KUNIT_ASSERT_NOT_NULL(test, mm);
	fake->as = gm_as_get_mm(mm);
	if (IS_ERR(fake->as)) {
		fake->as = NULL;
		mmput(mm);
		KUNIT_FAIL_AND_ABORT(test, "no address space");
	}
	fake_attach(test);
	mmput(mm);
	KUNIT_EXPECT_EQ(test, -ESRCH, fake_fault(fake->ctx, SZ_1M, GM_PROT_READ,
						 &fault));
	KUNIT_EXPECT_EQ(test, fault.ret, -ESRCH);
	KUNIT_EXPECT_EQ(test, fault.outcome, GM_FAULT_NONE);
}

/* How long the end of a context may take that has nothing to wait for. */
#define LIFE_TIMEOUT	(10 * HZ)

/**
 * struct life_task - a thread of a test
 * @fn:		what it does
 * @fake:	to whom
 * @va:		where
 * @done:	it has done it
 * @task:	itself, referenced
 */
struct life_task {
	int (*fn)(struct life_task *task);
	struct fake *fake;
	unsigned long va;
	struct completion done;
	struct task_struct *task;
};

static int life_task_main(void *arg)
{
	struct life_task *task = arg;
	int ret = task->fn(task);

	complete_all(&task->done);
	return ret;
}

static void life_task_start(struct life_task *task)
{
	init_completion(&task->done);
	task->task = kthread_run(life_task_main, task, "gmem_life");
	if (!IS_ERR(task->task))
		get_task_struct(task->task);
}

/* Return: what the thread's function did. */
static int life_task_end(struct life_task *task)
{
	if (IS_ERR(task->task))
		return PTR_ERR(task->task);
	wait_for_completion(&task->done);
	return kthread_stop_put(task->task);
}

static int life_do_fault(struct life_task *task)
{
	struct gm_fault fault;

	return fake_fault(task->fake->ctx, task->va, GM_PROT_READ, &fault);
}

static int life_do_detach(struct life_task *task)
{
	gm_as_detach(task->fake->ctx);
	task->fake->ctx = NULL;
	return 0;
}

static int life_do_stop(struct life_task *task)
{
	fake_dev_stop(&task->fake->dev);
	return 0;
}

/* Waits until a thread waits, and for something that takes long. */
static bool life_task_waits(const struct life_task *task)
{
	int tries, in_row = 0;

	if (IS_ERR(task->task))
		return false;
	for (tries = 0; tries < 500 && in_row < 10; tries++) {
		msleep(20);
		in_row = task_is_running(task->task) ? 0 : in_row + 1;
	}
	return in_row == 10;
}

/* What a program can hold up for as long as it likes. */
enum life_hold {
	LIFE_MMAP_LOCK,
	LIFE_INVALIDATION,
};

/*
 * Ends the context of faults of which one waits for something that a program holds up,
 * and another for the first.
 */
static void life_test_end_with(struct kunit *test, enum life_hold hold,
			       int (*end)(struct life_task *task))
{
	struct fake *fake = test->priv;
	struct life_task fault = { .fn = life_do_fault, .fake = fake };
	struct life_task ender = { .fn = end, .fake = fake };
	struct mmu_notifier_range range;
	struct life_task other;
	struct mm_struct *mm;

	fake_attach(test);
	mm = current->mm;
	fault.va = fake_mmap(test, GM_BLOCK_SIZE, true);
	fake_fill(test, fault.va, GM_BLOCK_SIZE, 8);
	other = fault;

	/* Somewhere else: the fault could go on. */
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm,
				fault.va + GM_BLOCK_SIZE,
				fault.va + 2 * GM_BLOCK_SIZE);
	if (hold == LIFE_MMAP_LOCK)
		mmap_write_lock(mm);
	else
		mmu_notifier_invalidate_range_start(&range);
	life_task_start(&fault);
	KUNIT_EXPECT_TRUE(test, life_task_waits(&fault));
	life_task_start(&other);
	KUNIT_EXPECT_TRUE(test, life_task_waits(&other));
	life_task_start(&ender);
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&ender.done,
							     LIFE_TIMEOUT));
	KUNIT_EXPECT_FALSE(test, completion_done(&fault.done));
	KUNIT_EXPECT_FALSE(test, completion_done(&other.done));
	if (hold == LIFE_MMAP_LOCK)
		mmap_write_unlock(mm);
	else
		mmu_notifier_invalidate_range_end(&range);

	KUNIT_EXPECT_EQ(test, life_task_end(&fault), -ENODEV);
	KUNIT_EXPECT_EQ(test, life_task_end(&other), -ENODEV);
	KUNIT_EXPECT_EQ(test, life_task_end(&ender), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->dev.contexts), 0);
	fake_expect_cpu(test, fault.va, GM_BLOCK_SIZE, 8);
}

static void life_test_detach_mmap_lock(struct kunit *test)
{
	life_test_end_with(test, LIFE_MMAP_LOCK, life_do_detach);
}

static void life_test_destroy_mmap_lock(struct kunit *test)
{
	life_test_end_with(test, LIFE_MMAP_LOCK, life_do_stop);
}

static void life_test_detach_invalidation(struct kunit *test)
{
	life_test_end_with(test, LIFE_INVALIDATION, life_do_detach);
}

static void life_test_destroy_invalidation(struct kunit *test)
{
	life_test_end_with(test, LIFE_INVALIDATION, life_do_stop);
}

static void life_note_as(struct gm_as *as, void *arg)
{
	struct gm_as **wanted = arg;

	if (as == *wanted)
		*wanted = NULL;
}

static bool life_is_listed(struct gm_as *as)
{
	gm_as_visit_all(life_note_as, &as);
	return !as;
}

/* The end of an address space is nothing that anybody else than its process waits for. */
static void life_test_detach_last(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct life_task ender = { .fn = life_do_detach, .fake = fake };
	struct mmu_notifier_range range;
	struct gm_as *as;

	fake_attach(test);
	as = fake->as;
	gm_as_destroy(as);
	fake->as = NULL;
	KUNIT_EXPECT_TRUE(test, life_is_listed(as));
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, current->mm, SZ_1M,
				SZ_2M);
	mmu_notifier_invalidate_range_start(&range);
	life_task_start(&ender);
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&ender.done,
							     LIFE_TIMEOUT));
	KUNIT_EXPECT_FALSE(test, life_is_listed(as));
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_EQ(test, life_task_end(&ender), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->dev.contexts), 0);
}

/* Whether somebody ends the context. */
static bool life_is_taken(struct gm_context *ctx)
{
	guard(mutex)(&ctx->dev->ctx_lock);
	return list_empty(&ctx->dev_link);
}

/* Whoever detaches may free what the operations use: none is under way any more. */
static void life_test_detach_while_destroyed(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct life_task ender = { .fn = life_do_stop, .fake = fake };
	int tries;

	fake_attach(test);
	fake->dev.destroy_ms = 1000;
	life_task_start(&ender);
	for (tries = 0; tries < 50 && !life_is_taken(fake->ctx); tries++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->dev.contexts), 1);
	gm_as_detach(fake->ctx);
	fake->ctx = NULL;
	KUNIT_EXPECT_EQ(test, atomic_read(&fake->dev.contexts), 0);
	KUNIT_EXPECT_EQ(test, life_task_end(&ender), 0);
}

/* The last reference is dropped by somebody else, any other one at once. */
static void life_test_put_later(struct kunit *test)
{
	unsigned int i, refs;
	struct gm_as *as;

	KUNIT_ASSERT_EQ(test, 0, kunit_attach_mm());
	as = gm_as_create(current->mm, SZ_1M, SZ_2M);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, as);
	refcount_inc(&as->refs);
	refs = refcount_read(&as->refs);
	gm_as_put_later(as);
	KUNIT_EXPECT_EQ(test, refcount_read(&as->refs), refs - 1);
	KUNIT_EXPECT_TRUE(test, life_is_listed(as));

	gm_as_put_later(as);
	for (i = 0; i < 1000 && life_is_listed(as); i++)
		msleep(20);
	KUNIT_EXPECT_LT(test, i, 1000);
}

static struct kunit_case life_test_cases[] = {
	KUNIT_CASE(life_test_mmu),
	KUNIT_CASE(life_test_physmem),
	KUNIT_CASE(life_test_as_range),
	KUNIT_CASE(life_test_put_later),
	KUNIT_CASE(life_test_attach_invalid),
	KUNIT_CASE(life_test_attach_many),
	KUNIT_CASE(life_test_reattach),
	KUNIT_CASE(life_test_destroy),
	KUNIT_CASE(life_test_unregister),
	KUNIT_CASE(life_test_hibernate),
	KUNIT_CASE(life_test_lost),
	KUNIT_CASE(life_test_lost_access),
	KUNIT_CASE(life_test_process_gone),
	KUNIT_CASE(life_test_detach_mmap_lock),
	KUNIT_CASE(life_test_destroy_mmap_lock),
	KUNIT_CASE(life_test_detach_invalidation),
	KUNIT_CASE(life_test_destroy_invalidation),
	KUNIT_CASE(life_test_detach_last),
	KUNIT_CASE(life_test_detach_while_destroyed),
	{ }
};

static struct kunit_suite life_test_suite = {
	.name = "gmem_device_life",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = life_test_cases,
};

kunit_test_suite(life_test_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of the life of GMEM devices");

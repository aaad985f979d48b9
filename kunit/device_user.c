// SPDX-License-Identifier: GPL-2.0-only
/*
 * The user memory of a test: KUnit gives the test's thread an address space,
 * and this fills and checks it the way a program would.
 */
#include <linux/highmem.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <asm/tlb.h>

/* For dup_mmap(), which is what fork() does. */
#include "../../internal.h"
#include "device_fake.h"

/* So many wrong pages tell enough: one that cannot be had takes its time. */
#define FAKE_WRONG_MAX	4

/*
 * Maps private anonymous memory that begins with a block. It is a VMA with a
 * block's room before or after it.
 */
unsigned long fake_mmap(struct kunit *test, unsigned long size, bool huge)
{
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, size + GM_BLOCK_SIZE,
			     PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, addr, 0UL);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	addr = ALIGN(addr, GM_BLOCK_SIZE);
	KUNIT_ASSERT_EQ(test, 0, do_madvise(current->mm, addr, size,
					    huge ? MADV_HUGEPAGE :
						   MADV_NOHUGEPAGE));
	return addr;
}

static void fake_pattern(u64 *words, unsigned long va, u32 seed)
{
	unsigned long i;

	for (i = 0; i < PAGE_SIZE / sizeof(*words); i++)
		words[i] = (va + i) * GOLDEN_RATIO_64 ^ seed;
}

static u64 *fake_page(struct kunit *test)
{
	u64 *page = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	return page;
}

/* The CPU writes a pattern. */
void fake_fill(struct kunit *test, unsigned long va, unsigned long size,
	       u32 seed)
{
	u64 *page = fake_page(test);
	unsigned long at;

	for (at = va; at < va + size; at += PAGE_SIZE) {
		fake_pattern(page, at, seed);
		KUNIT_ASSERT_EQ(test, 0, copy_to_user((void __user *)at, page,
						      PAGE_SIZE));
	}
	kunit_kfree(test, page);
}

/* The CPU sees the pattern, in every byte. */
void fake_expect_cpu(struct kunit *test, unsigned long va, unsigned long size,
		     u32 seed)
{
	u64 *want = fake_page(test), *have = fake_page(test);
	unsigned long at, wrong = 0;

	for (at = va; at < va + size; at += PAGE_SIZE) {
		fake_pattern(want, at, seed);
		if (copy_from_user(have, (void __user *)at, PAGE_SIZE) ||
		    memcmp(want, have, PAGE_SIZE))
			wrong++;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	kunit_kfree(test, want);
	kunit_kfree(test, have);
}

/* The device sees the pattern, in every byte. */
void fake_expect_device(struct kunit *test, struct gm_context *ctx,
			unsigned long va, unsigned long size, u32 seed)
{
	u64 *want = fake_page(test), *have = fake_page(test);
	unsigned long at, wrong = 0;

	/* A page that cannot be had takes its time: a few tell enough. */
	for (at = va; at < va + size && wrong < FAKE_WRONG_MAX;
	     at += PAGE_SIZE) {
		fake_pattern(want, at, seed);
		if (fake_read(ctx, at, have, PAGE_SIZE) ||
		    memcmp(want, have, PAGE_SIZE))
			wrong++;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	kunit_kfree(test, want);
	kunit_kfree(test, have);
}

/* The CPU reads a byte. Return: 0 or -EFAULT, for what would be a signal. */
int fake_touch(unsigned long va)
{
	u8 __maybe_unused byte;

	return get_user(byte, (u8 __user *)va);
}

/* What mprotect() does. The range must be within one VMA. */
int fake_mprotect(unsigned long start, unsigned long end, bool write)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma, *prev;
	struct mmu_gather tlb;
	vm_flags_t flags;
	int ret = -ENOMEM;

	mmap_write_lock(mm);
	VMA_ITERATOR(vmi, mm, start);
	vma = vma_find(&vmi, end);
	if (vma) {
		flags = vma->vm_flags & ~VM_WRITE;
		if (write)
			flags |= VM_WRITE;
		prev = start > vma->vm_start ? vma : vma_prev(&vmi);
		vma_iter_set(&vmi, start);
		vma_find(&vmi, end);
		tlb_gather_mmu(&tlb, mm);
		ret = mprotect_fixup(&vmi, &tlb, vma, &prev, start, end, flags);
		tlb_finish_mmu(&tlb);
	}
	mmap_write_unlock(mm);
	return ret;
}

/* What fork() does with the memory. Return: the child's; mmput() it. */
struct mm_struct *fake_fork(void)
{
	struct mm_struct *mm = mm_alloc();

	if (!mm)
		return NULL;
	if (dup_mmap(mm, current->mm)) {
		mmput(mm);
		return NULL;
	}
	return mm;
}

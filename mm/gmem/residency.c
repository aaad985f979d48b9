// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/gmem: a process asks where its own memory is.
 *
 * Reads the page table of the caller, so that it is true for any memory, also
 * of a process without an address space. Nothing is faulted in.
 */
#include <linux/hmm.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/gmem.h>

#include "internal.h"

/* Pages that are looked at in one go. */
#define GM_RES_BATCH		256
#define GM_RES_TRIES		16

struct gm_res_batch {
	unsigned long pfns[GM_RES_BATCH];
	__s32 nodes[GM_RES_BATCH];
};

static bool gm_res_invalidate(struct mmu_interval_notifier *mni,
			      const struct mmu_notifier_range *range,
			      unsigned long seq)
{
	mmu_interval_set_seq(mni, seq);
	return true;
}

static const struct mmu_interval_notifier_ops gm_res_ops = {
	.invalidate = gm_res_invalidate,
};

static __s32 gm_res_node(unsigned long hmm_pfn)
{
	struct gm_hnode *hnode;
	struct page *page;

	if (hmm_pfn & HMM_PFN_ERROR)
		return GMEM_NODE_UNKNOWN;
	if (!(hmm_pfn & HMM_PFN_VALID))
		return GMEM_NODE_NONE;
	page = hmm_pfn_to_page(hmm_pfn);
	hnode = gm_hnode_of_page(page);
	return hnode ? hnode->hnid : page_to_nid(page);
}

/* Looks at @nr pages from @start on. */
static int gm_res_read(struct gm_res_batch *batch, unsigned long start,
		       unsigned long nr)
{
	struct mmu_interval_notifier mni;
	struct hmm_range range = {
		.notifier = &mni,
		.start = start,
		.end = start + nr * PAGE_SIZE,
		.hmm_pfns = batch->pfns,
		.dev_private_owner = gm_pgmap_owner(),
	};
	unsigned long i;
	int ret, tries;

	ret = mmu_interval_notifier_insert(&mni, current->mm, start,
					   nr * PAGE_SIZE, &gm_res_ops);
	if (ret)
		return ret;
	for (tries = 0; tries < GM_RES_TRIES; tries++) {
		memset(batch->pfns, 0, nr * sizeof(*batch->pfns));
		range.notifier_seq = mmu_interval_read_begin(&mni);
		ret = mmap_read_lock_killable(current->mm);
		if (ret)
			break;
		ret = hmm_range_fault(&range);
		if (!ret)
			gm_exclusive_find(current->mm, &range);
		mmap_read_unlock(current->mm);
		if (ret == -EBUSY)
			continue;
		if (ret)
			break;
		guard(srcu)(&gm_hnode_srcu);
		/* The hnode of a page may be gone if the page was moved. */
		ret = mmu_interval_check_retry(&mni, range.notifier_seq) ?
		      -EBUSY : 0;
		for (i = 0; i < nr && !ret; i++)
			batch->nodes[i] = gm_res_node(batch->pfns[i]);
		if (!ret)
			break;
	}
	mmu_interval_notifier_remove(&mni);
	return ret == -EBUSY ? -EAGAIN : ret;
}

static int gm_res_check(const struct gmem_residency *arg)
{
	u64 end;

	if (arg->flags || !PAGE_ALIGNED(arg->addr) || !PAGE_ALIGNED(arg->len))
		return -EINVAL;
	if (check_add_overflow(arg->addr, arg->len, &end) || end > TASK_SIZE)
		return -EINVAL;
	return arg->vec_len < arg->len >> PAGE_SHIFT ? -EINVAL : 0;
}

static int gm_res_fill(struct gmem_residency *arg)
{
	__s32 __user *vec = u64_to_user_ptr(arg->vec);
	u64 nr = arg->len >> PAGE_SHIFT;
	struct gm_res_batch *batch;
	int ret = 0;

	batch = kmalloc_obj(*batch, GFP_KERNEL_ACCOUNT);
	if (!batch)
		return -ENOMEM;
	arg->filled = 0;
	while (arg->filled < nr && !ret) {
		u64 n = min_t(u64, nr - arg->filled, GM_RES_BATCH);

		if (signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		ret = gm_res_read(batch, arg->addr +
				  (arg->filled << PAGE_SHIFT), n);
		if (!ret && copy_to_user(vec + arg->filled, batch->nodes,
					 n * sizeof(*vec)))
			ret = -EFAULT;
		if (!ret)
			arg->filled += n;
		cond_resched();
	}
	kfree(batch);
	return arg->filled ? 0 : ret;
}

static long gm_res_ioctl(struct file *file, unsigned int cmd,
			 unsigned long uarg)
{
	struct gmem_residency arg = {};
	void __user *user = (void __user *)uarg;
	u32 size;
	int ret;

	if (cmd != GMEM_IOC_RESIDENCY)
		return -ENOTTY;
	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < sizeof(arg))
		return -EINVAL;
	ret = copy_struct_from_user(&arg, sizeof(arg), user, size);
	if (ret)
		return ret;
	ret = gm_res_check(&arg) ?: gm_res_fill(&arg);
	if (ret)
		return ret;
	return copy_to_user(user, &arg, sizeof(arg)) ? -EFAULT : 0;
}

static const struct file_operations gm_res_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = gm_res_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice gm_res_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "gmem",
	.mode = 0666,
	.fops = &gm_res_fops,
};

int __init gm_residency_init(void)
{
	return misc_register(&gm_res_device);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/gmem: a process asks where its own memory is.
 *
 * Reads the page table of the caller, so that it is true for any memory, also
 * of a process without an address space. Nothing is faulted in.
 */
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/gmem.h>

#include "internal.h"

/* Pages that are looked at in one go. */
#define GM_RES_BATCH		256

struct gm_res_batch {
	unsigned long start;
	__s32 nodes[GM_RES_BATCH];
};

static void gm_res_note(unsigned long va, struct page *page, void *arg)
{
	struct gm_res_batch *batch = arg;
	struct gm_hnode *hnode = page ? gm_hnode_of_page(page) : NULL;
	unsigned long i = (va - batch->start) >> PAGE_SHIFT;

	if (!page)
		batch->nodes[i] = GMEM_NODE_UNKNOWN;
	else
		batch->nodes[i] = hnode ? hnode->hnid : page_to_nid(page);
}

/* Looks at @nr pages from @start on. */
static int gm_res_read(struct gm_res_batch *batch, unsigned long start,
		       unsigned long nr)
{
	struct mm_struct *mm = current->mm;
	unsigned long i;

	batch->start = start;
	for (i = 0; i < nr; i++)
		batch->nodes[i] = GMEM_NODE_NONE;
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	gm_where_walk(mm, start, start + nr * PAGE_SIZE, gm_res_note, batch);
	mmap_read_unlock(mm);
	return 0;
}

static int gm_res_check(const struct gmem_residency *arg)
{
	u64 addr = untagged_addr(arg->addr), end;

	if (arg->flags || !PAGE_ALIGNED(addr) || !PAGE_ALIGNED(arg->len))
		return -EINVAL;
	if (check_add_overflow(addr, arg->len, &end) || end > TASK_SIZE)
		return -EINVAL;
	return arg->vec_len < arg->len >> PAGE_SHIFT ? -EINVAL : 0;
}

static int gm_res_fill(struct gmem_residency *arg)
{
	__s32 __user *vec = u64_to_user_ptr(arg->vec);
	u64 addr = untagged_addr(arg->addr);
	u64 nr = arg->len >> PAGE_SHIFT;
	struct gm_res_batch *batch;
	int ret = 0;

	batch = kmalloc_obj(*batch, GFP_KERNEL_ACCOUNT);
	if (!batch)
		return -ENOMEM;
	arg->filled = 0;
	while (arg->filled < nr && !ret) {
		u64 n = min_t(u64, nr - arg->filled, GM_RES_BATCH);

		if (task_sigpending(current)) {
			ret = -EINTR;
			break;
		}
		ret = gm_res_read(batch, addr + (arg->filled << PAGE_SHIFT), n);
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
	if (size > PAGE_SIZE)
		return -E2BIG;
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

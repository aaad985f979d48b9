// SPDX-License-Identifier: GPL-2.0-only
/*
 * GMEM mock accelerator: /dev/gmem-mockN.
 *
 * The hardware can vanish while files are open. What they hold on to is memory
 * only: &struct gmock_dev lives as long as the last of them, but after
 * gmock_dev_revoke() every operation says -ENODEV.
 *
 * gmock_dev.registration is held for what needs the hardware or the MMU, and never
 * over an access to user memory or a fault: these may wait for a program.
 */
#include <linux/cleanup.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "mock.h"

#define GMOCK_MAX_DEVICES	256
#define GMOCK_MAX_OPS		4096
#define GMOCK_SNAPSHOT_BATCH	32

static dev_t gmock_devt;
static DEFINE_IDA(gmock_ida);

/**
 * struct gmock_ucmd - an ioctl under way
 * @gf: file
 * @ubuffer: the caller's structure
 * @user_size: its size
 * @cmd: our copy of it
 */
struct gmock_ucmd {
	struct gmock_file *gf;
	void __user *ubuffer;
	u32 user_size;
	void *cmd;
};

static int ucmd_respond(struct gmock_ucmd *ucmd, size_t size)
{
	if (copy_to_user(ucmd->ubuffer, ucmd->cmd,
			 min_t(size_t, ucmd->user_size, size)))
		return -EFAULT;
	return 0;
}

static int cmd_query(struct gmock_ucmd *ucmd)
{
	struct gmock_dev *gd = ucmd->gf->dev;
	struct gmem_mock_query *cmd = ucmd->cmd;

	if (cmd->flags)
		return -EOPNOTSUPP;
	scoped_guard(rwsem_read, &gd->registration) {
		if (!gd->alive)
			return -ENODEV;
		cmd->hnid = gd->hnid;
		cmd->dev_id = gm_dev_id(gd->gm);
	}
	cmd->abi_version = GMEM_MOCK_ABI_VERSION;
	cmd->caps = GMEM_MOCK_CAP_INPLACE;
	if (gd->edu.msi)
		cmd->caps |= GMEM_MOCK_CAP_MSI;
	if (READ_ONCE(gmock_verify))
		cmd->caps |= GMEM_MOCK_CAP_VERIFY;
	if (gd->host_atomics)
		cmd->caps |= GMEM_MOCK_CAP_HOST_ATOMICS;
	cmd->engine = gmock_engine_setting();
	cmd->max_ops = GMOCK_MAX_OPS;
	cmd->mem_bytes = gd->vram.size;
	cmd->pgsize_bitmap = GMOCK_PGSIZES;
	cmd->edu_max = READ_ONCE(gmock_edu_max);
	cmd->max_len = GMOCK_MAX_LEN;
	return ucmd_respond(ucmd, sizeof(*cmd));
}

static void stats_of_file(struct gmock_file *gf, struct gmem_mock_stats *out)
{
	struct gmock_mmu *mmu = gf->mmu;

	out->faults = atomic64_read(&gf->faults);
	out->faults_failed = atomic64_read(&gf->faults_failed);
	out->faults_migrated = atomic64_read(&gf->outcomes[GM_FAULT_MIGRATED]);
	out->faults_local = atomic64_read(&gf->outcomes[GM_FAULT_LOCAL]);
	out->faults_inplace = atomic64_read(&gf->outcomes[GM_FAULT_INPLACE]);
	out->fault_retries = atomic64_read(&gf->fault_retries);

	guard(rwsem_read)(&mmu->lock);
	guard(spinlock)(&mmu->tlb_lock);
	out->tlb_hits = mmu->tlb.hits;
	out->tlb_misses = mmu->tlb.misses;
	out->maps_4k = mmu->maps_4k;
	out->maps_2m = mmu->maps_2m;
	out->unmaps = mmu->unmaps;
	out->unmaps_again = atomic64_read(&mmu->unmaps_again);
}

static void stats_of_dev(struct gmock_dev *gd, struct gmem_mock_stats *out)
{
	struct gmock_counters *count = &gd->count;

	out->edu_dmas = atomic64_read(&count->edu_dmas);
	out->edu_irqs = atomic64_read(&count->edu_irqs);
	out->edu_timeouts = atomic64_read(&count->edu_timeouts);
	out->edu_bytes = atomic64_read(&count->edu_bytes);
	out->cpu_bytes = atomic64_read(&count->cpu_bytes);
	out->to_device_bytes = atomic64_read(&count->to_device_bytes);
	out->from_device_bytes = atomic64_read(&count->from_device_bytes);
	out->zeroed_bytes = atomic64_read(&count->zeroed_bytes);
	out->copy_errors = atomic64_read(&count->copy_errors);
	out->verify_errors = atomic64_read(&count->verify_errors);
	out->copy_ns = atomic64_read(&count->copy_ns);
	out->peer_bytes = atomic64_read(&count->peer_bytes);
}

static int cmd_stats(struct gmock_ucmd *ucmd)
{
	struct gmem_mock_stats *cmd = ucmd->cmd;

	if (cmd->flags)
		return -EOPNOTSUPP;
	scoped_guard(rwsem_read, &ucmd->gf->dev->registration) {
		if (!ucmd->gf->dev->alive)
			return -ENODEV;
		stats_of_file(ucmd->gf, cmd);
		stats_of_dev(ucmd->gf->dev, cmd);
	}
	return ucmd_respond(ucmd, sizeof(*cmd));
}

/* Addresses mean something in one address space only. */
static int check_mm(struct gmock_file *gf)
{
	return gf->mm == current->mm ? 0 : -EPERM;
}

/* One op from and to user space; *@ret is what it says, if it was executed: *@nr. */
static int run_one(struct gmock_file *gf, void __user *uop, u32 op_size,
		   int *ret, u32 *nr)
{
	struct gmem_mock_op op;
	int err;

	err = copy_struct_from_user(&op, sizeof(op), uop, op_size);
	if (err)
		return err;
	*ret = gmock_exec(gf, &op);
	(*nr)++;
	if (copy_to_user(uop, &op, min_t(size_t, op_size, sizeof(op))))
		return -EFAULT;
	return 0;
}

static int cmd_run(struct gmock_ucmd *ucmd)
{
	struct gmem_mock_run *cmd = ucmd->cmd;
	int first = 0, err, ret = 0;

	if (cmd->flags & ~GMEM_MOCK_RUN_CONTINUE)
		return -EOPNOTSUPP;
	if (cmd->__reserved || !cmd->nr_ops || cmd->nr_ops > GMOCK_MAX_OPS ||
	    cmd->op_size < offsetofend(struct gmem_mock_op, __reserved) ||
	    cmd->op_size > PAGE_SIZE)
		return -EINVAL;
	err = check_mm(ucmd->gf);
	if (err)
		return err;

	cmd->nr_done = 0;
	while (cmd->nr_done < cmd->nr_ops) {
		u64 uop = cmd->ops + (u64)cmd->nr_done * cmd->op_size;

		ret = 0;
		err = run_one(ucmd->gf, u64_to_user_ptr(uop), cmd->op_size,
			      &ret, &cmd->nr_done);
		first = first ?: ret;
		if (err || (ret && (!(cmd->flags & GMEM_MOCK_RUN_CONTINUE) ||
				    ret == -EINTR || ret == -ENODEV)))
			break;
	}
	return ucmd_respond(ucmd, sizeof(*cmd)) ?: first ?: err;
}

/* Fill one batch; returns how many or -ENODEV, and moves *@va behind them. */
static int snapshot_batch(struct gmock_file *gf, unsigned long *va,
			  unsigned long last, unsigned int max,
			  struct gmem_mock_xlat *out)
{
	struct gmock_mmu *mmu = gf->mmu;
	struct gmock_xlat xlat;
	unsigned int nr = 0;

	guard(rwsem_read)(&gf->dev->registration);
	if (!gf->dev->alive)
		return -ENODEV;
	guard(rwsem_read)(&mmu->lock);
	while (nr < max && *va <= last &&
	       gmock_mmu_next(mmu, *va, last, &xlat)) {
		out[nr++] = (struct gmem_mock_xlat){
			.va = xlat.va,
			.len = xlat.size,
			.dpa = xlat.place.local ? xlat.place.addr : 0,
			.where = xlat.place.local ? GMEM_MOCK_WHERE_LOCAL :
						    GMEM_MOCK_WHERE_HOST,
			.prot = (xlat.prot & GM_PROT_READ ?
				 GMEM_MOCK_PROT_READ : 0) |
				(xlat.prot & GM_PROT_WRITE ?
				 GMEM_MOCK_PROT_WRITE : 0) |
				(xlat.prot & GM_PROT_ATOMIC ?
				 GMEM_MOCK_PROT_ATOMIC : 0),
		};
		*va = xlat.va + xlat.size;
	}
	return nr;
}

static int snapshot_copy_out(const struct gmem_mock_snapshot *cmd, u32 at,
			     const struct gmem_mock_xlat *xlats,
			     unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		u64 to = cmd->xlats + (u64)(at + i) * cmd->xlat_size;

		if (copy_to_user(u64_to_user_ptr(to), &xlats[i],
				 sizeof(xlats[i])) ||
		    clear_user(u64_to_user_ptr(to + sizeof(xlats[i])),
			       cmd->xlat_size - sizeof(xlats[i])))
			return -EFAULT;
	}
	return 0;
}

static int cmd_snapshot(struct gmock_ucmd *ucmd)
{
	struct gmem_mock_xlat *batch __free(kfree) = NULL;
	struct gmem_mock_snapshot *cmd = ucmd->cmd;
	unsigned long va = cmd->va, last = cmd->va + (cmd->len - 1);
	u32 room = cmd->nr_xlats;
	unsigned int max;
	int nr, ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!cmd->len || last < va || cmd->xlat_size > PAGE_SIZE ||
	    cmd->xlat_size < offsetofend(struct gmem_mock_xlat, prot))
		return -EINVAL;
	ret = check_mm(ucmd->gf);
	if (ret)
		return ret;
	batch = kmalloc_objs(*batch, GMOCK_SNAPSHOT_BATCH);
	if (!batch)
		return -ENOMEM;

	cmd->nr_xlats = 0;
	do {
		if (task_sigpending(current))
			return -EINTR;
		max = min(room - cmd->nr_xlats, GMOCK_SNAPSHOT_BATCH);
		nr = snapshot_batch(ucmd->gf, &va, last, max, batch);
		if (nr < 0)
			return nr;
		ret = snapshot_copy_out(cmd, cmd->nr_xlats, batch, nr);
		if (ret)
			return ret;
		cmd->nr_xlats += nr;
	} while (nr && nr == max);

	/* A batch that is not full: the range ended, not the array. */
	cmd->next = nr < max ? cmd->va + cmd->len : va;
	return ucmd_respond(ucmd, sizeof(*cmd));
}

union gmock_ucmd_buffer {
	struct gmem_mock_query query;
	struct gmem_mock_stats stats;
	struct gmem_mock_run run;
	struct gmem_mock_snapshot snapshot;
};

/**
 * struct gmock_ioctl_op - one ioctl
 * @size: size of its structure
 * @min_size: size that the structure had in the first version
 * @execute: what does it
 */
struct gmock_ioctl_op {
	unsigned int size;
	unsigned int min_size;
	int (*execute)(struct gmock_ucmd *ucmd);
};

#define IOCTL_OP(_ioctl, _fn, _struct, _last)				\
	[_IOC_NR(_ioctl) - GMEM_MOCK_CMD_QUERY] = {			\
		.size = sizeof(_struct) +				\
			BUILD_BUG_ON_ZERO(sizeof(union gmock_ucmd_buffer) < \
					  sizeof(_struct)),		\
		.min_size = offsetofend(_struct, _last),		\
		.execute = _fn,						\
	}

static const struct gmock_ioctl_op gmock_ioctl_ops[] = {
	IOCTL_OP(GMEM_MOCK_QUERY, cmd_query, struct gmem_mock_query, max_len),
	IOCTL_OP(GMEM_MOCK_STATS, cmd_stats, struct gmem_mock_stats,
		 verify_errors),
	IOCTL_OP(GMEM_MOCK_RUN, cmd_run, struct gmem_mock_run, __reserved),
	IOCTL_OP(GMEM_MOCK_SNAPSHOT, cmd_snapshot, struct gmem_mock_snapshot,
		 next),
};

/**
 * gmock_ioctl() - what the device does for programs
 * @filp: file
 * @cmd: GMEM_MOCK_*
 * @arg: address of its structure
 *
 * Return: 0 or a negative errno.
 */
long gmock_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct gmock_ucmd ucmd = {
		.gf = filp->private_data,
		.ubuffer = (void __user *)arg,
	};
	unsigned int nr = _IOC_NR(cmd) - GMEM_MOCK_CMD_QUERY;
	const struct gmock_ioctl_op *op;
	union gmock_ucmd_buffer buf;
	int ret;

	if (nr >= ARRAY_SIZE(gmock_ioctl_ops))
		return -ENOIOCTLCMD;
	op = &gmock_ioctl_ops[nr];
	if (cmd != _IO(GMEM_MOCK_TYPE, _IOC_NR(cmd)))
		return -ENOIOCTLCMD;

	ucmd.cmd = &buf;
	ret = get_user(ucmd.user_size, (u32 __user *)ucmd.ubuffer);
	if (ret)
		return ret;
	if (ucmd.user_size < op->min_size || ucmd.user_size > PAGE_SIZE)
		return -EINVAL;
	ret = copy_struct_from_user(ucmd.cmd, op->size, ucmd.ubuffer,
				    ucmd.user_size);
	if (ret)
		return ret;

	return op->execute(&ucmd);
}

/*
 * The address space first: that waits for the mmap_lock, which a program can hold
 * up.
 */
static int gmock_attach(struct gmock_file *gf)
{
	struct gm_as *as = gm_as_get_mm(gf->mm);
	int ret = -ENODEV;

	if (IS_ERR(as))
		return PTR_ERR(as);
	scoped_guard(rwsem_read, &gf->dev->registration)
		if (gf->dev->alive)
			ret = gmock_glue_attach(gf, as);
	gm_as_put(as);
	return ret;
}

/**
 * gmock_open() - attach the device to the address space of the caller
 * @inode: of the node
 * @filp: file
 *
 * Return: 0 or a negative errno.
 */
int gmock_open(struct inode *inode, struct file *filp)
{
	struct gmock_dev *gd = container_of(inode->i_cdev, struct gmock_dev,
					    cdev);
	int ret;

	if (!current->mm)
		return -ESRCH;

	struct gmock_file *gf __free(kfree) = kzalloc_obj(*gf,
							  GFP_KERNEL_ACCOUNT);
	if (!gf)
		return -ENOMEM;
	gf->dev = gd;
	gf->mm = current->mm;
	ret = gmock_attach(gf);
	if (ret)
		return ret;

	/* Keeps the address from being that of another mm one day. */
	mmgrab(gf->mm);
	get_device(&gd->dev);
	filp->private_data = no_free_ptr(gf);
	return 0;
}

/**
 * gmock_release() - undo gmock_open()
 * @inode: of the node
 * @filp: file
 *
 * Return: 0.
 */
int gmock_release(struct inode *inode, struct file *filp)
{
	struct gmock_file *gf = filp->private_data;
	struct gmock_dev *gd = gf->dev;

	gmock_glue_detach(gf);
	mmdrop(gf->mm);
	kfree(gf);
	put_device(&gd->dev);
	return 0;
}

static const struct file_operations gmock_fops = {
	.owner = THIS_MODULE,
	.open = gmock_open,
	.release = gmock_release,
	.unlocked_ioctl = gmock_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static void gmock_dev_free(struct device *dev)
{
	struct gmock_dev *gd = container_of(dev, struct gmock_dev, dev);

	ida_free(&gmock_ida, MINOR(dev->devt) - MINOR(gmock_devt));
	kfree(gd);
}

static char *gmock_devnode(const struct device *dev, umode_t *mode)
{
	if (mode)
		*mode = GMOCK_MODE;
	return NULL;
}

static const struct class gmock_class = {
	.name = GMOCK_NAME,
	.dev_release = gmock_dev_free,
	.devnode = gmock_devnode,
};

/**
 * gmock_dev_alloc() - make an accelerator that is not alive yet
 * @parent: parent of its class device
 *
 * Return: the accelerator, to be freed by put_device(), or an ERR_PTR.
 */
struct gmock_dev *gmock_dev_alloc(struct device *parent)
{
	struct gmock_dev *gd;
	int id;

	gd = kzalloc_obj(*gd);
	if (!gd)
		return ERR_PTR(-ENOMEM);
	id = ida_alloc_max(&gmock_ida, GMOCK_MAX_DEVICES - 1, GFP_KERNEL);
	if (id < 0) {
		kfree(gd);
		return ERR_PTR(id);
	}
	init_rwsem(&gd->registration);
	spin_lock_init(&gd->atomic_lock);
	/* Those who wait for their turn may do so when the hardware is gone. */
	mutex_init(&gd->edu.turn);
	device_initialize(&gd->dev);
	gd->dev.class = &gmock_class;
	gd->dev.parent = parent;
	gd->dev.devt = MKDEV(MAJOR(gmock_devt), MINOR(gmock_devt) + id);
	if (dev_set_name(&gd->dev, GMOCK_NAME "%d", id)) {
		put_device(&gd->dev);
		return ERR_PTR(-ENOMEM);
	}
	cdev_init(&gd->cdev, &gmock_fops);
	gd->cdev.owner = THIS_MODULE;
	return gd;
}

/* After this nothing uses the hardware or an MMU. */
static void dev_end(struct gmock_dev *gd)
{
	WRITE_ONCE(gd->ending, true);
	guard(rwsem_write)(&gd->registration);
	gd->alive = false;
}

/**
 * gmock_dev_publish() - let programs use an accelerator
 * @gd: accelerator, ready in every respect
 *
 * Return: 0 or a negative errno.
 */
int gmock_dev_publish(struct gmock_dev *gd)
{
	int ret;

	scoped_guard(rwsem_write, &gd->registration)
		gd->alive = true;
	ret = cdev_device_add(&gd->cdev, &gd->dev);
	if (ret)
		dev_end(gd);
	return ret;
}

/**
 * gmock_dev_revoke() - take an accelerator away from programs
 * @gd: accelerator that was published
 *
 * When this returns, no program uses the hardware, and none will. What the files
 * are attached to ends with the GMEM device. Waits for one access of the running
 * programs, not for their end.
 */
void gmock_dev_revoke(struct gmock_dev *gd)
{
	cdev_device_del(&gd->cdev, &gd->dev);
	dev_end(gd);
}

/**
 * gmock_chardev_init() - once, before any gmock_dev_alloc()
 *
 * Return: 0 or a negative errno.
 */
int gmock_chardev_init(void)
{
	int ret;

	ret = alloc_chrdev_region(&gmock_devt, 0, GMOCK_MAX_DEVICES,
				  GMOCK_NAME);
	if (ret)
		return ret;
	ret = class_register(&gmock_class);
	if (ret)
		unregister_chrdev_region(gmock_devt, GMOCK_MAX_DEVICES);
	return ret;
}

/**
 * gmock_chardev_exit() - undo gmock_chardev_init()
 */
void gmock_chardev_exit(void)
{
	class_unregister(&gmock_class);
	unregister_chrdev_region(gmock_devt, GMOCK_MAX_DEVICES);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * GMEM benchmark: the mock accelerator without shared memory.
 *
 * What programs have to do where no memory is shared: they divide the device's
 * memory themselves, keep two pointers to everything, and copy. The glue is what
 * such a driver has: read and write of device memory, which pin the pages of the
 * program, map them for DMA and let the engine copy.
 *
 * The device's MMU maps the device's memory onto itself, 2 MiB at a time when it is
 * first used. So a program runs on device addresses, by the same ioctls as ever.
 */
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <uapi/linux/gmem_bench.h>

#include "gm.h"
#include "../gmem-mock/mock.h"

/* Pages that are pinned at a time. */
#define COPY_PAGES		512

/**
 * struct copy_job - a copy under way
 * @gf: file
 * @dir: direction
 * @uaddr: where to go on in the program's memory
 * @dpa: ... in the device's
 * @pages: room for %COPY_PAGES, those of the program that are pinned
 * @nr_pages: how many
 * @ext: room for %COPY_PAGES, extents to copy
 * @nr: how many
 */
struct copy_job {
	struct gmock_file *gf;
	enum dma_data_direction dir;
	unsigned long uaddr;
	u64 dpa;
	struct page **pages;
	int nr_pages;
	struct gm_copy_extent *ext;
	unsigned int nr;
};

/* The program's pages */

static void copy_unpin(struct copy_job *job)
{
	unpin_user_pages_dirty_lock(job->pages, job->nr_pages,
				    job->dir == DMA_FROM_DEVICE);
}

/* Pin what is left of @len, or as much as there is room for; how many bytes? */
static ssize_t copy_pin(struct copy_job *job, size_t len)
{
	unsigned long off = offset_in_page(job->uaddr);
	int nr = min_t(size_t, DIV_ROUND_UP(off + len, PAGE_SIZE), COPY_PAGES);

	nr = pin_user_pages_fast(job->uaddr - off, nr,
				 job->dir == DMA_FROM_DEVICE ? FOLL_WRITE : 0,
				 job->pages);
	if (nr <= 0)
		return nr ?: -EFAULT;
	job->nr_pages = nr;
	return min(len, nr * PAGE_SIZE - off);
}

static void copy_add(struct copy_job *job, phys_addr_t phys, size_t size)
{
	struct gm_copy_extent *last = job->nr ? &job->ext[job->nr - 1] : NULL;

	if (last && last->phys + last->size == phys)
		last->size += size;
	else
		job->ext[job->nr++] = (struct gm_copy_extent){
			.op = job->dir == DMA_TO_DEVICE ? GM_COPY_TO_DEVICE :
							  GM_COPY_FROM_DEVICE,
			.size = size,
			.dpa = job->dpa,
			.phys = phys,
		};
	job->dpa += size;
	job->uaddr += size;
}

/* Extents for @len bytes of the pages that are pinned. */
static void copy_collect(struct copy_job *job, size_t len)
{
	size_t n;
	int i;

	job->nr = 0;
	for (i = 0; len; i++, len -= n) {
		size_t off = offset_in_page(job->uaddr);

		n = min(len, PAGE_SIZE - off);
		copy_add(job, page_to_phys(job->pages[i]) + off, n);
	}
}

/* The copy */

static void copy_unmap(struct copy_job *job, struct device *dma_dev,
		       unsigned int nr)
{
	while (nr--)
		dma_unmap_phys(dma_dev, job->ext[nr].dma_addr,
			       job->ext[nr].size, job->dir, 0);
}

static int copy_map(struct copy_job *job, struct device *dma_dev)
{
	unsigned int i;

	for (i = 0; i < job->nr; i++) {
		struct gm_copy_extent *ext = &job->ext[i];

		ext->dma_addr = dma_map_phys(dma_dev, ext->phys, ext->size,
					     job->dir, 0);
		if (dma_mapping_error(dma_dev, ext->dma_addr)) {
			copy_unmap(job, dma_dev, i);
			return -EIO;
		}
	}
	return 0;
}

static int copy_run(struct copy_job *job)
{
	struct gmock_dev *gd = job->gf->dev;
	struct device *dma_dev;
	int ret;

	guard(rwsem_read)(&gd->registration);
	if (!gd->alive)
		return -ENODEV;
	dma_dev = &gd->edu.pdev->dev;
	ret = copy_map(job, dma_dev);
	if (ret)
		return ret;
	ret = gmock_migrate(gd, job->ext, job->nr);
	copy_unmap(job, dma_dev, job->nr);
	return ret;
}

/* The bare copy, and how long it took. gmock_copy() goes page by page itself. */
static int copy_run_bare(struct copy_job *job, u64 *ns)
{
	struct gmock_dev *gd = job->gf->dev;
	bool to_device = job->dir == DMA_TO_DEVICE;
	unsigned int i;
	int ret = 0;
	u64 start;

	guard(rwsem_read)(&gd->registration);
	if (!gd->alive)
		return -ENODEV;
	start = sched_clock();
	for (i = 0; i < job->nr && !ret; i++) {
		struct gmock_place host = { false, job->ext[i].phys };
		struct gmock_place vram = { true, job->ext[i].dpa };

		ret = gmock_copy(gd, GMEM_MOCK_ENGINE_CPU,
				 to_device ? &vram : &host,
				 to_device ? &host : &vram, job->ext[i].size);
	}
	*ns += sched_clock() - start;
	return ret;
}

/* All of it, a few pages at a time; @ns is for the bare copy, else NULL. */
static ssize_t copy_all(struct copy_job *job, size_t len, u64 *ns)
{
	size_t done = 0;
	ssize_t n, ret = 0;

	while (done < len && !ret) {
		if (fatal_signal_pending(current))
			ret = -EINTR;
		else
			ret = copy_pin(job, len - done);
		if (ret < 0)
			break;
		n = ret;
		copy_collect(job, n);
		ret = ns ? copy_run_bare(job, ns) : copy_run(job);
		copy_unpin(job);
		if (!ret)
			done += n;
		cond_resched();
	}
	return done ?: ret;
}

static ssize_t copy_user(struct gmock_file *gf, enum dma_data_direction dir,
			 unsigned long uaddr, size_t len, u64 dpa, u64 *ns)
{
	struct copy_job job = {
		.gf = gf,
		.dir = dir,
		.uaddr = untagged_addr(uaddr),
		.dpa = dpa,
	};
	ssize_t ret = -ENOMEM;

	job.pages = kmalloc_objs(*job.pages, COPY_PAGES);
	job.ext = kmalloc_objs(*job.ext, COPY_PAGES);
	if (job.pages && job.ext)
		ret = copy_all(&job, len, ns);
	kfree(job.ext);
	kfree(job.pages);
	return ret;
}

/* Files */

static ssize_t copy_read_write(struct file *filp, enum dma_data_direction dir,
			       unsigned long uaddr, size_t len, loff_t *pos)
{
	struct gmock_file *gf = filp->private_data;
	u64 size = gf->dev->vram.size;
	ssize_t ret;

	if (*pos < 0 || *pos >= size || !len)
		return len && dir == DMA_TO_DEVICE ? -ENOSPC : 0;
	len = min(len, size - *pos);
	ret = copy_user(gf, dir, uaddr, len, *pos, NULL);
	if (ret > 0)
		*pos += ret;
	return ret;
}

static ssize_t copy_read(struct file *filp, char __user *buf, size_t len,
			 loff_t *pos)
{
	return copy_read_write(filp, DMA_FROM_DEVICE, (unsigned long)buf, len,
			       pos);
}

static ssize_t copy_write(struct file *filp, const char __user *buf, size_t len,
			  loff_t *pos)
{
	return copy_read_write(filp, DMA_TO_DEVICE, (unsigned long)buf, len,
			       pos);
}

static int copy_limit_check(struct gmock_file *gf,
			    const struct gmem_bench_limit *cmd)
{
	u64 size = gf->dev->vram.size;

	if (cmd->flags & ~GMEM_BENCH_LIMIT_TO_HOST)
		return -EOPNOTSUPP;
	if (!cmd->len || cmd->len > GMEM_BENCH_LIMIT_MAX ||
	    !PAGE_ALIGNED(cmd->va | cmd->offset | cmd->len))
		return -EINVAL;
	if (cmd->len > size || cmd->offset > size - cmd->len)
		return -EFAULT;
	return 0;
}

static int copy_limit(struct gmock_file *gf, void __user *ubuffer)
{
	struct gmem_bench_limit cmd;
	u32 user_size;
	ssize_t done;
	int ret;

	ret = get_user(user_size, (u32 __user *)ubuffer);
	if (ret)
		return ret;
	if (user_size < sizeof(cmd) || user_size > PAGE_SIZE)
		return -EINVAL;
	ret = copy_struct_from_user(&cmd, sizeof(cmd), ubuffer, user_size);
	if (!ret)
		ret = copy_limit_check(gf, &cmd);
	if (ret)
		return ret;

	cmd.ns = 0;
	done = copy_user(gf, cmd.flags & GMEM_BENCH_LIMIT_TO_HOST ?
			 DMA_FROM_DEVICE : DMA_TO_DEVICE,
			 cmd.va, cmd.len, cmd.offset, &cmd.ns);
	if (done != cmd.len)
		return done < 0 ? done : -EFAULT;
	return copy_to_user(ubuffer, &cmd, sizeof(cmd)) ? -EFAULT : 0;
}

static long copy_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	if (cmd == GMEM_BENCH_LIMIT)
		return copy_limit(filp->private_data, (void __user *)arg);
	return gmock_ioctl(filp, cmd, arg);
}

/* The mock's operations, and those that copy. */
static const struct file_operations copy_fops = {
	.owner = THIS_MODULE,
	.open = gmock_open,
	.release = gmock_release,
	.read = copy_read,
	.write = copy_write,
	.llseek = default_llseek,
	.unlocked_ioctl = copy_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/* The glue */

/**
 * gmock_glue_start() - let programs copy
 * @gd: accelerator, not published yet
 *
 * Return: 0 or -ENOMEM.
 */
int gmock_glue_start(struct gmock_dev *gd)
{
	struct gm_dev *gm = kzalloc_obj(*gm);

	if (!gm)
		return -ENOMEM;
	gm->priv = gd;
	gm->id = MINOR(gd->dev.devt);
	gd->gm = gm;
	gd->hnid = NUMA_NO_NODE;
	gd->host_atomics = true;
	gd->cdev.ops = &copy_fops;
	return 0;
}

/**
 * gmock_glue_lost() - the hardware is gone
 * @gd: accelerator
 */
void gmock_glue_lost(struct gmock_dev *gd)
{
}

/**
 * gmock_glue_stop() - undo gmock_glue_start()
 * @gd: accelerator that was revoked
 */
void gmock_glue_stop(struct gmock_dev *gd)
{
	kfree(gd->gm);
}

/**
 * gmock_glue_attach() - make an empty page table
 * @gf: file that is being opened
 * @as: not used
 *
 * Return: 0 or -ENOMEM.
 */
int gmock_glue_attach(struct gmock_file *gf, struct gm_as *as)
{
	struct gm_context *ctx = kzalloc_obj(*ctx, GFP_KERNEL_ACCOUNT);
	int ret;

	if (!ctx)
		return -ENOMEM;
	ret = gmock_mmu_create(ctx);
	if (ret) {
		kfree(ctx);
		return ret;
	}
	gf->ctx = ctx;
	gf->mmu = gm_context_priv(ctx);
	return 0;
}

/**
 * gmock_glue_detach() - undo gmock_glue_attach()
 * @gf: file; no access is in flight
 */
void gmock_glue_detach(struct gmock_file *gf)
{
	gmock_mmu_unmap(gf->ctx, 0, GMOCK_MAX_LEN, 0);
	gmock_mmu_destroy(gf->ctx);
	kfree(gf->ctx);
}

/**
 * gmock_glue_fault() - map a block of the device's memory onto itself
 * @gf: file
 * @va: device address
 * @access: GM_PROT_* bits wanted; all are given
 * @inplace: not used
 *
 * Return: %GM_FAULT_LOCAL or a negative errno.
 */
int gmock_glue_fault(struct gmock_file *gf, unsigned long va, u32 access,
		     bool inplace)
{
	unsigned long start = ALIGN_DOWN(va, GMOCK_BLOCK_SIZE);
	struct gmock_vram *vram = &gf->dev->vram;
	struct gm_segment seg = {
		.va = start,
		.prot = GM_PROT_READ | GM_PROT_WRITE | GM_PROT_ATOMIC,
		.kind = GM_MEM_DEVICE,
		.dpa = start,
	};
	unsigned int done;
	int ret;

	if (va >= vram->size)
		return -EFAULT;
	seg.size = min(GMOCK_BLOCK_SIZE, vram->size - start);
	seg.pgsize = seg.size == GMOCK_BLOCK_SIZE ? seg.size : PAGE_SIZE;
	ret = gmock_mmu_prepare(gf->ctx, start, seg.size);
	if (!ret)
		ret = gmock_mmu_map(gf->ctx, &seg, 1, &done);
	return ret ?: GM_FAULT_LOCAL;
}

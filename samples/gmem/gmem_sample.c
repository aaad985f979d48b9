// SPDX-License-Identifier: GPL-2.0-only
/*
 * The smallest complete GMEM driver.
 *
 * The device is imaginary: its memory is vmalloc()ed, its page table is an
 * XArray, and its only skill is to load and store bytes. All the rest is what
 * a driver for a real device does, too. drivers/gmem-mock is the same with
 * hardware, with large pages and with devices that can be unplugged.
 *
 * A program opens /dev/gmem-sample and so attaches the device to its address
 * space. From then on
 *
 *	pread(fd, buf, len, (off_t)ptr)
 *
 * makes the device load @len bytes from the program's own address @ptr, and
 * pwrite() makes it store. There is nothing to allocate or to register: @ptr is
 * any pointer. The page moves to the device's memory when the device touches
 * it and comes back when the program does.
 *
 * Read it in this order: struct sample_ctx; the gm_mmu operations, in the order
 * in which they are called; sample_rw(), the life of an access; init and exit.
 */
#include <linux/device/faux.h>
#include <linux/fs.h>
#include <linux/gmem.h>
#include <linux/highmem.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/rwsem.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#define SAMPLE_VRAM_SIZE	SZ_64M
#define SAMPLE_TRIES		100

static struct faux_device *sample_faux;
static struct gm_dev *sample_gm;
static void *sample_vram;

/**
 * struct sample_ctx - the device in one address space
 * @lock: held for reading while the device uses a translation, for writing to
 *	change one. So whoever holds it for writing knows that no access is in
 *	flight. GMEM waits for it where memory reclaim waits for GMEM: nothing
 *	under it allocates or touches user memory
 * @pt: page table: entries of sample_pte(), by page number
 *
 * One of them is made for each open file.
 */
struct sample_ctx {
	struct rw_semaphore lock;
	struct xarray pt;
};

/* A page table entry: page number, which memory, rights. */
#define SAMPLE_PTE_PROT		(GM_PROT_READ | GM_PROT_WRITE)
#define SAMPLE_PTE_DEVICE	BIT(2)
#define SAMPLE_PTE_SHIFT	3

static void *sample_pte(u64 addr, u32 prot, bool device)
{
	/* The device has no atomic operations: that right is of no use to it. */
	prot &= SAMPLE_PTE_PROT;
	return xa_mk_value(PHYS_PFN(addr) << SAMPLE_PTE_SHIFT | prot |
			   (device ? SAMPLE_PTE_DEVICE : 0));
}

/* 1. A program attaches the device: make an empty page table. */
static int sample_ctx_create(struct gm_context *ctx)
{
	struct sample_ctx *sc = kzalloc_obj(*sc, GFP_KERNEL_ACCOUNT);

	if (!sc)
		return -ENOMEM;
	init_rwsem(&sc->lock);
	xa_init_flags(&sc->pt, XA_FLAGS_ACCOUNT);
	gm_context_set_priv(ctx, sc);
	return 0;
}

/*
 * 2. The device faulted, and a range is about to be mapped: allocate page
 * table memory here, because 4. must not. A reserved slot stays until 7.
 */
static int sample_map_prepare(struct gm_context *ctx, unsigned long va,
			      unsigned long size)
{
	struct sample_ctx *sc = gm_context_priv(ctx);
	unsigned long i;
	int ret = 0;

	for (i = 0; i < size && !ret; i += PAGE_SIZE)
		ret = xa_reserve(&sc->pt, PHYS_PFN(va + i), GFP_KERNEL_ACCOUNT);
	return ret;
}

/* 3. Data moves between host memory and the device's memory. */
static int sample_copy(struct gm_dev *dev, const struct gm_copy_extent *ext,
		       unsigned int nr, struct dma_fence **fence)
{
	for (; nr; nr--, ext++) {
		void *vram = sample_vram + ext->dpa;
		size_t off;

		/* A real device would be given ext->dma_addr and ext->dpa. */
		for (off = 0; off < ext->size; off += PAGE_SIZE) {
			struct page *page;

			if (ext->op == GM_COPY_ZERO) {
				memset(vram + off, 0, PAGE_SIZE);
				continue;
			}
			page = pfn_to_page(PHYS_PFN(ext->phys + off));
			if (ext->op == GM_COPY_TO_DEVICE)
				memcpy_from_page(vram + off, page, 0,
						 PAGE_SIZE);
			else
				memcpy_to_page(page, 0, vram + off, PAGE_SIZE);
		}
	}
	return 0;
}

/* 4. Enter the translations. Slots were reserved, so this allocates nothing. */
static int sample_peer_map(struct gm_context *ctx,
			   const struct gm_segment *segs, unsigned int nr,
			   unsigned int *done)
{
	struct sample_ctx *sc = gm_context_priv(ctx);
	unsigned long i;
	int ret;

	guard(rwsem_write)(&sc->lock);
	for (*done = 0; *done < nr; ++*done, ++segs) {
		bool device = segs->kind == GM_MEM_DEVICE;
		u64 addr = device ? segs->dpa : segs->phys;

		for (i = 0; i < segs->size; i += PAGE_SIZE) {
			ret = xa_err(xa_store(&sc->pt, PHYS_PFN(segs->va + i),
					      sample_pte(addr + i, segs->prot,
							 device), 0));
			if (ret)
				return ret;
		}
	}
	return 0;
}

/*
 * 5. Some of it is not true any more: the CPU wants the page back, or the
 * program unmaps it, or memory is short. Getting the lock for writing is the
 * wait for the device's accesses.
 */
static int sample_peer_unmap(struct gm_context *ctx, unsigned long va,
			     unsigned long size, unsigned int flags)
{
	struct sample_ctx *sc = gm_context_priv(ctx);
	unsigned long index;
	void *pte;

	if (!(flags & GM_UNMAP_NONBLOCK))
		down_write(&sc->lock);
	else if (!down_write_trylock(&sc->lock))
		return -EAGAIN;
	/* Not xa_erase(): the slot may have been reserved for the next map. */
	xa_for_each_range(&sc->pt, index, pte, PHYS_PFN(va),
			  PHYS_PFN(va + (size - 1)))
		xa_store(&sc->pt, index, XA_ZERO_ENTRY, 0);
	up_write(&sc->lock);
	return 0;
}

/* 6. is sample_rw(): the device uses what was mapped. */

/* 7. The program is gone, or has closed the file. */
static void sample_ctx_destroy(struct gm_context *ctx)
{
	struct sample_ctx *sc = gm_context_priv(ctx);

	xa_destroy(&sc->pt);
	kfree(sc);
}

static const struct gm_mmu sample_mmu = {
	.name = "gmem-sample",
	.pgsize_bitmap = PAGE_SIZE,
	.caps = GM_DEV_CAP_FAULT | GM_DEV_CAP_HOST_ACCESS,
	.ctx_create = sample_ctx_create,
	.ctx_destroy = sample_ctx_destroy,
	.map_prepare = sample_map_prepare,
	.peer_map = sample_peer_map,
	.peer_unmap = sample_peer_unmap,
	.copy = sample_copy,
};

/*
 * The device loads or stores @len bytes within a page, if its page table lets
 * it. -ENOENT is what makes a real device raise a fault.
 */
static int sample_access(struct sample_ctx *sc, unsigned long va, void *buf,
			 size_t len, u32 access)
{
	unsigned long pte;
	void *entry, *mem;
	u64 addr;

	guard(rwsem_read)(&sc->lock);
	entry = xa_load(&sc->pt, PHYS_PFN(va));
	pte = entry ? xa_to_value(entry) : 0;
	if (access & ~pte)
		return -ENOENT;
	addr = PFN_PHYS(pte >> SAMPLE_PTE_SHIFT);
	if (pte & SAMPLE_PTE_DEVICE)
		mem = sample_vram + addr;
	else
		mem = kmap_local_page(pfn_to_page(PHYS_PFN(addr)));
	if (access & GM_PROT_WRITE)
		memcpy(mem + offset_in_page(va), buf, len);
	else
		memcpy(buf, mem + offset_in_page(va), len);
	if (!(pte & SAMPLE_PTE_DEVICE))
		kunmap_local(mem);
	return 0;
}

/*
 * Access, fault, and access again. The page may be wanted elsewhere and be gone
 * again at once, any number of times: so there is a bound. No lock of the
 * driver is held across the fault, which may call every operation above.
 */
static int sample_rw_page(struct gm_context *ctx, unsigned long va, void *buf,
			  size_t len, u32 access)
{
	struct gm_fault fault = { .va = va, .access = access };
	int ret, tries;

	for (tries = 0; tries < SAMPLE_TRIES; tries++) {
		ret = sample_access(gm_context_priv(ctx), va, buf, len, access);
		if (ret != -ENOENT)
			return ret;
		ret = gm_dev_fault(ctx, &fault);
		if (ret && ret != -EAGAIN)
			return ret;
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return -EAGAIN;
}

/**
 * struct sample_file - an open file
 * @mm: whose addresses the device uses; only compared
 * @ctx: the device in that address space
 */
struct sample_file {
	struct mm_struct *mm;
	struct gm_context *ctx;
};

/* 6. Start work on the device, and wait for it: here a load or a store. */
static ssize_t sample_rw(struct file *filp, char __user *ubuf, size_t len,
			 loff_t va, u32 access)
{
	void *buf __free(kfree) = kmalloc(PAGE_SIZE, GFP_KERNEL);
	struct sample_file *sf = filp->private_data;
	size_t done, n;
	int ret = 0;

	if (!buf)
		return -ENOMEM;
	/* After fork() the file is open in two processes: whose address? */
	if (sf->mm != current->mm)
		return -EPERM;

	for (done = 0; done < len; done += n) {
		n = min(len - done, PAGE_SIZE - offset_in_page(va + done));
		if ((access & GM_PROT_WRITE) &&
		    copy_from_user(buf, ubuf + done, n))
			ret = -EFAULT;
		if (!ret)
			ret = sample_rw_page(sf->ctx, va + done, buf, n,
					     access);
		if (!ret && !(access & GM_PROT_WRITE) &&
		    copy_to_user(ubuf + done, buf, n))
			ret = -EFAULT;
		if (ret)
			break;
	}
	return done ?: ret;
}

static ssize_t sample_read(struct file *filp, char __user *ubuf, size_t len,
			   loff_t *pos)
{
	return sample_rw(filp, ubuf, len, *pos, GM_PROT_READ);
}

static ssize_t sample_write(struct file *filp, const char __user *ubuf,
			    size_t len, loff_t *pos)
{
	return sample_rw(filp, (char __user *)ubuf, len, *pos, GM_PROT_WRITE);
}

static int sample_open(struct inode *inode, struct file *filp)
{
	struct sample_file *sf __free(kfree) = kzalloc_obj(*sf,
							   GFP_KERNEL_ACCOUNT);
	struct gm_as *as;

	if (!sf)
		return -ENOMEM;
	as = gm_as_get_mm(current->mm);
	if (IS_ERR(as))
		return PTR_ERR(as);
	sf->ctx = gm_as_attach(as, sample_gm, GM_ATTACH_EXCLUSIVE, NULL);
	gm_as_put(as);
	if (IS_ERR(sf->ctx))
		return PTR_ERR(sf->ctx);
	sf->mm = current->mm;
	mmgrab(sf->mm);
	filp->private_data = no_free_ptr(sf);
	return 0;
}

static int sample_release(struct inode *inode, struct file *filp)
{
	struct sample_file *sf = filp->private_data;

	gm_as_detach(sf->ctx);
	mmdrop(sf->mm);
	kfree(sf);
	return 0;
}

/* An open file keeps the module, and so the device: nothing can vanish. */
static const struct file_operations sample_fops = {
	.owner = THIS_MODULE,
	.open = sample_open,
	.release = sample_release,
	.read = sample_read,
	.write = sample_write,
	.llseek = noop_llseek,
};

static struct miscdevice sample_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "gmem-sample",
	.fops = &sample_fops,
	.mode = 0666,
};

static int __init sample_init(void)
{
	int ret = -ENOMEM;

	sample_vram = vmalloc(SAMPLE_VRAM_SIZE);
	if (!sample_vram)
		return -ENOMEM;
	sample_faux = faux_device_create("gmem-sample", NULL, NULL);
	if (!sample_faux)
		goto err_vram;
	/*
	 * GMEM maps host memory for DMA by this device, unless it has no
	 * dma_mask, as here: then only the physical addresses are of use.
	 */
	sample_gm = gm_dev_create(&sample_faux->dev, &sample_mmu, NULL);
	if (IS_ERR(sample_gm)) {
		ret = PTR_ERR(sample_gm);
		goto err_faux;
	}
	ret = gm_dev_register_physmem(sample_gm, GM_MEM_TYPE_PRIVATE, 0,
				      SAMPLE_VRAM_SIZE);
	if (ret < 0)
		goto err_gm;
	ret = misc_register(&sample_misc);
	if (ret)
		goto err_gm;
	return 0;

err_gm:
	gm_dev_destroy(sample_gm);
err_faux:
	faux_device_destroy(sample_faux);
err_vram:
	vfree(sample_vram);
	return ret;
}
module_init(sample_init);

static void __exit sample_exit(void)
{
	misc_deregister(&sample_misc);
	/* Brings home what is still in the device's memory. */
	gm_dev_destroy(sample_gm);
	faux_device_destroy(sample_faux);
	vfree(sample_vram);
}
module_exit(sample_exit);

MODULE_DESCRIPTION("The smallest complete GMEM driver");
MODULE_LICENSE("GPL");

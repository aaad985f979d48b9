/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * GMEM driver interface: shared memory management for accelerators.
 *
 * This is the only header that an accelerator driver includes for GMEM. See
 * Documentation/mm/gmem/driver-guide.rst.
 */
#ifndef _LINUX_GMEM_H
#define _LINUX_GMEM_H

#include <linux/bits.h>
#include <linux/types.h>

struct device;
struct dma_fence;
struct gm_as;
struct gm_context;
struct gm_dev;
struct mm_struct;

/*
 * Access rights of a translation, and the access that a device fault wants.
 *
 * GM_PROT_ATOMIC is for operations that read and write in one step: neither a CPU
 * nor another device comes in between. It goes with the other two and never without
 * them. A translation that has GM_PROT_WRITE does not have it by that: a device whose
 * atomic operation meets one without it raises a fault.
 */
#define GM_PROT_READ		BIT(0)
#define GM_PROT_WRITE		BIT(1)
#define GM_PROT_ATOMIC		BIT(2)

/**
 * enum gm_mem_kind - where the memory behind a segment is
 * @GM_MEM_HOST: host DRAM; &gm_segment.dma_addr and &gm_segment.phys are valid
 * @GM_MEM_DEVICE: DRAM of the device that is asked; &gm_segment.dpa is valid
 */
enum gm_mem_kind {
	GM_MEM_HOST,
	GM_MEM_DEVICE,
};

/**
 * struct gm_segment - a run of translations to install
 * @va:		first virtual address; a multiple of @pgsize
 * @size:	bytes; a multiple of @pgsize
 * @pgsize:	translation size to use, one of &gm_mmu.pgsize_bitmap
 * @prot:	GM_PROT_* bits
 * @kind:	where the memory is
 * @dpa:	device physical address, for %GM_MEM_DEVICE
 * @dma_addr:	bus address as the device sees it, for %GM_MEM_HOST
 * @phys:	CPU physical address of the same memory, for %GM_MEM_HOST, for
 *		engines that are run by the CPU
 *
 * The memory behind one segment is contiguous.
 */
struct gm_segment {
	unsigned long va;
	unsigned long size;
	unsigned long pgsize;
	u32 prot;
	enum gm_mem_kind kind;
	u64 dpa;
	dma_addr_t dma_addr;
	phys_addr_t phys;
};

/**
 * enum gm_copy_op - what to do with one extent
 * @GM_COPY_TO_DEVICE: host memory to device memory
 * @GM_COPY_FROM_DEVICE: device memory to host memory
 * @GM_COPY_ZERO: fill device memory with zeros; the host side is unused
 * @GM_COPY_FROM_PEER: memory of another device to device memory; the host side
 *	is unused. Only after &gm_mmu.can_copy_from has agreed
 */
enum gm_copy_op {
	GM_COPY_TO_DEVICE,
	GM_COPY_FROM_DEVICE,
	GM_COPY_ZERO,
	GM_COPY_FROM_PEER,
};

/**
 * struct gm_copy_extent - one contiguous piece of a copy
 * @op:		direction
 * @size:	bytes, a multiple of PAGE_SIZE
 * @dpa:	device physical address
 * @dma_addr:	bus address of the host memory
 * @phys:	CPU physical address of the same host memory. Not for who transfers
 *		to @dma_addr: behind bounce buffers, that is not where the data is, and
 *		what is written here is lost when they are copied back. A driver that
 *		copies with the CPU has a parent that needs none, or one without
 *		dma_mask
 * @peer:	the device that has the data, for %GM_COPY_FROM_PEER
 * @peer_dpa:	device physical address on @peer
 */
struct gm_copy_extent {
	enum gm_copy_op op;
	size_t size;
	u64 dpa;
	dma_addr_t dma_addr;
	phys_addr_t phys;
	struct gm_dev *peer;
	u64 peer_dpa;
};

/* gm_mmu.peer_unmap() flags */
#define GM_UNMAP_NONBLOCK	BIT(0)	/* must not sleep */

/* gm_mmu.caps */
#define GM_DEV_CAP_FAULT	BIT(0)	/* resolves faults: access is retried */
#define GM_DEV_CAP_HOST_ACCESS	BIT(1)	/* can reach host memory in place */
/*
 * The device's atomic operations on host memory in place are atomic for CPUs and other
 * devices, too (PCIe AtomicOps, CXL). Without this, the page is taken from the CPUs for
 * as long as the device has GM_PROT_ATOMIC to it.
 */
#define GM_DEV_CAP_HOST_ATOMICS	BIT(2)

/**
 * struct gm_mmu - a driver's operations
 *
 * A constant table. The core never holds a spinlock when it calls an
 * operation. Calls for overlapping ranges of one context never run at the same
 * time; calls for different contexts, or for disjoint ranges, may.
 */
struct gm_mmu {
	/** @name: short name of the kind of device, for people */
	const char *name;

	/**
	 * @pgsize_bitmap: translation sizes in bytes, one bit each. PAGE_SIZE
	 * must be among them. The core never asks for another.
	 */
	unsigned long pgsize_bitmap;

	/** @caps: GM_DEV_CAP_* bits. %GM_DEV_CAP_FAULT is required. */
	u32 caps;

	/**
	 * @ctx_create: make the device's page table for a new context.
	 *
	 * Optional. May sleep and allocate. The driver may hang its data on
	 * the context with gm_context_set_priv().
	 *
	 * Return: 0 or a negative errno, which gm_as_attach() returns.
	 */
	int (*ctx_create)(struct gm_context *ctx);

	/**
	 * @ctx_destroy: destroy what @ctx_create made.
	 *
	 * Optional. May sleep. All translations were removed by @peer_unmap
	 * before.
	 */
	void (*ctx_destroy)(struct gm_context *ctx);

	/**
	 * @map_prepare: allocate what a later @peer_map of the range needs.
	 *
	 * Optional. May sleep and allocate with GFP_KERNEL. What it allocated
	 * may be kept until @ctx_destroy; it is not undone when the mapping
	 * does not take place.
	 *
	 * Return: 0 or a negative errno, which ends the fault.
	 */
	int (*map_prepare)(struct gm_context *ctx, unsigned long va,
			   unsigned long size);

	/**
	 * @peer_map: install translations for a batch of segments.
	 *
	 * Required. A translation that exists already is replaced. May sleep.
	 * Runs under a lock that memory reclaim waits for: it must not
	 * allocate in a way that enters reclaim (GFP_NOWAIT is allowed), must
	 * not take a lock under which others do, and must end in bounded time.
	 * Allocation belongs into @map_prepare.
	 *
	 * @done is set to the number of segments that are installed entirely,
	 * on success and on failure. A segment that failed is not installed
	 * at all.
	 *
	 * Return: 0 or a negative errno.
	 */
	int (*peer_map)(struct gm_context *ctx, const struct gm_segment *segs,
			unsigned int nr, unsigned int *done);

	/**
	 * @peer_unmap: remove all translations in a range.
	 *
	 * Required. When it returns, no access of the device through these
	 * translations is in flight and none will start, unless the driver
	 * has @tlb_invl. Cannot fail, must not allocate, and ends in bounded
	 * time. May be called for ranges that hold no translation. May sleep
	 * unless %GM_UNMAP_NONBLOCK is in @flags; then locks must be taken
	 * with trylock, and on failure -EAGAIN returned with nothing changed.
	 *
	 * A range that ends inside a large translation removes all of it.
	 *
	 * Return: 0, or -EAGAIN with %GM_UNMAP_NONBLOCK.
	 */
	int (*peer_unmap)(struct gm_context *ctx, unsigned long va,
			  unsigned long size, unsigned int flags);

	/**
	 * @tlb_invl: make the device forget cached translations of a range.
	 *
	 * Optional. A driver that has it may leave stale TLB entries behind in
	 * @peer_unmap; the core calls this once for a batch of those, before
	 * it relies on the translations being gone. The context rules of
	 * @peer_unmap hold. Cannot fail.
	 */
	void (*tlb_invl)(struct gm_context *ctx, unsigned long va,
			 unsigned long size);

	/**
	 * @can_copy_from: whether @copy can read the memory of @peer.
	 *
	 * Optional; without it, or when it says no, data that is on another
	 * device takes the way through host memory. Only asked about a @peer
	 * whose operations have the same function here, so that gm_dev_priv()
	 * of it is the driver's own. May sleep, but takes no longer than a
	 * look at the two devices: pages and the mmap_lock are held.
	 *
	 * @peer may be about to go away: until the copies are done or have timed
	 * out, its driver is kept in gm_dev_destroy(). The answer may change from
	 * call to call, and is no promise: @copy fails when it cannot. Copies both
	 * ways between two devices may be under way at once.
	 */
	bool (*can_copy_from)(struct gm_dev *dev, struct gm_dev *peer);

	/**
	 * @copy: move data to, from and between devices' memories.
	 *
	 * Required for a device that registers memory. May sleep and
	 * allocate, but not fault in user memory: pages and the mmap_lock are
	 * held. Either completes before it returns, or stores a fence in
	 * @fence which signals in bounded time; an error of the fence is an
	 * error of the copy. On error the contents of all destinations are
	 * undefined and those of all sources intact.
	 *
	 * %GM_COPY_FROM_PEER is asked of the device that gets the data. What is
	 * read from a peer that has vanished is an error, too.
	 *
	 * -ETIMEDOUT, from here or from the fence, says that the engine may still
	 * be at it: the device is taken for lost then, with all data that is on
	 * it, as after gm_dev_mark_lost(). One job that merely took too long and
	 * was stopped is another error.
	 *
	 * Return: 0 or a negative errno.
	 */
	int (*copy)(struct gm_dev *dev, const struct gm_copy_extent *ext,
		    unsigned int nr, struct dma_fence **fence);
};

/**
 * enum gm_mem_type - kinds of device memory
 * @GM_MEM_TYPE_PRIVATE: the CPU cannot reach it; a CPU access brings the data
 *	home
 */
enum gm_mem_type {
	GM_MEM_TYPE_PRIVATE,
};

/**
 * enum gm_attach_mode - what a context does with data it touches
 * @GM_ATTACH_EXCLUSIVE: a page is in one place; touching it moves it there
 */
enum gm_attach_mode {
	GM_ATTACH_EXCLUSIVE,
};

/**
 * enum gm_placement - where a device fault wants the data
 * @GM_PLACE_AUTO: the core decides: the device's own memory if it has room,
 *	in place otherwise
 * @GM_PLACE_HOST: do not migrate; use the data where it is
 */
enum gm_placement {
	GM_PLACE_AUTO,
	GM_PLACE_HOST,
};

/**
 * enum gm_fault_outcome - what a device fault did
 * @GM_FAULT_NONE: nothing, see the error
 * @GM_FAULT_MIGRATED: data was moved to the device's memory and mapped
 * @GM_FAULT_LOCAL: data was in the device's memory already and was mapped
 * @GM_FAULT_INPLACE: host memory was mapped in place
 */
enum gm_fault_outcome {
	GM_FAULT_NONE,
	GM_FAULT_MIGRATED,
	GM_FAULT_LOCAL,
	GM_FAULT_INPLACE,
};

/**
 * struct gm_fault - a device fault to resolve
 * @va:		faulting address, need not be aligned
 * @access:	GM_PROT_* bits wanted; %GM_PROT_ATOMIC with both of the others
 * @placement:	hint
 * @ret:	out: 0 or a negative errno, as gm_dev_fault() returns
 * @outcome:	out: what was done for the page of @va
 * @start:	out: first address of the block that was mapped
 * @end:	out: end of that block, exclusive
 */
struct gm_fault {
	unsigned long va;
	u32 access;
	enum gm_placement placement;
	int ret;
	enum gm_fault_outcome outcome;
	unsigned long start;
	unsigned long end;
};

struct gm_dev *gm_dev_create(struct device *parent, const struct gm_mmu *mmu,
			     void *priv);
void gm_dev_destroy(struct gm_dev *dev);
void gm_dev_mark_lost(struct gm_dev *dev);
void *gm_dev_priv(const struct gm_dev *dev);
unsigned int gm_dev_id(const struct gm_dev *dev);

int gm_dev_register_physmem(struct gm_dev *dev, enum gm_mem_type type,
			    u64 dpa, u64 size);
int gm_dev_unregister_physmem(struct gm_dev *dev, int hnid);

struct gm_as *gm_as_create(struct mm_struct *mm, unsigned long start,
			   unsigned long end);
void gm_as_destroy(struct gm_as *as);
struct gm_as *gm_as_get_mm(struct mm_struct *mm);
void gm_as_put(struct gm_as *as);

struct gm_context *gm_as_attach(struct gm_as *as, struct gm_dev *dev,
				enum gm_attach_mode mode, void *priv);
void gm_as_detach(struct gm_context *ctx);
struct gm_dev *gm_context_dev(const struct gm_context *ctx);
void gm_context_set_priv(struct gm_context *ctx, void *priv);
void *gm_context_priv(const struct gm_context *ctx);

int gm_dev_fault(struct gm_context *ctx, struct gm_fault *fault);
int gm_dev_fault_batch(struct gm_context *ctx, struct gm_fault *faults,
		       unsigned int nr);

#endif /* _LINUX_GMEM_H */

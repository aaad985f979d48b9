/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * GMEM mock accelerator: shared declarations.
 *
 * The accelerator is a pair of PCI functions that QEMU provides: "edu" is its
 * engine (DMA, interrupt, factorial unit), "ivshmem-plain" is its DRAM (BAR 2).
 *
 *	pci.c		finds the pairs; brings devices to life and ends them
 *	glue.c		tells GMEM of the device; raises its faults
 *	mmu.c		the device's MMU: page table and TLB
 *	engine.c	moves data, by one of two engines; the device's DRAM
 *	edu.c		the hardware: DMA with interrupts, factorial
 *	chardev.c	/dev/gmem-mockN
 *	exec.c		access programs: what the device does with user memory
 *
 * Vocabulary: a *dpa* is an offset into the device's DRAM. A *place* is a run
 * of contiguous memory, in the device's DRAM or in the host's. An *access* is
 * one bounded (at most a page) step in which the device uses places that its
 * MMU gave it.
 *
 * Lock order, outermost first::
 *
 *	gmock_pair_lock			pci.c
 *	gmock_edu.turn			held by an access that uses edu
 *	gmock_dev.registration		held for reading by every access
 *	    locks of GMEM		inside gm_as_attach()
 *		gmock_mmu.lock		shared by accesses, exclusive to change
 *		    gmock_edu.dma_lock
 *		    gmock_edu.fact_lock
 *		    gmock_dev.atomic_lock	spinlock
 *		    gmock_mmu.tlb_lock	spinlock
 *
 * GMEM takes gmock_mmu.lock, by gm_mmu.peer_unmap(), where memory reclaim
 * waits for it. So nothing that enters reclaim or that faults on user memory
 * is allowed under it, nor under the locks inside it.
 */
#ifndef _GMEM_MOCK_H
#define _GMEM_MOCK_H

#include <linux/bitmap.h>
#include <linux/cdev.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/fault-inject.h>
#include <linux/gmem.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include <uapi/linux/gmem_mock.h>

struct file;
struct inode;
struct mm_struct;
struct pci_dev;

/*
 * What people see: device nodes, their class, the driver, debugfs; what the module
 * says of itself. Another module that is built from these sources, around another
 * glue, has a name of its own.
 */
#ifndef GMOCK_NAME
#define GMOCK_NAME		"gmem-mock"
#endif
#ifndef GMOCK_DESCRIPTION
#define GMOCK_DESCRIPTION	"GMEM mock accelerator on QEMU's edu and ivshmem"
#endif

/* A device that reaches no more than its opener does is for anybody. */
#ifndef GMOCK_MODE
#define GMOCK_MODE		0666
#endif

#define GMOCK_BLOCK_SHIFT	21
#define GMOCK_BLOCK_SIZE	BIT(GMOCK_BLOCK_SHIFT)
#define GMOCK_PTES		(GMOCK_BLOCK_SIZE / PAGE_SIZE)
#define GMOCK_PGSIZES		(PAGE_SIZE | GMOCK_BLOCK_SIZE)

/* Largest gmem_mock_op.len: bounds nothing but the arithmetic. */
#define GMOCK_MAX_LEN		BIT_ULL(40)

/**
 * struct gmock_place - contiguous memory that the device can reach
 * @local: in the device's DRAM, not in the host's
 * @addr: dpa if @local or @peer, else CPU physical address
 * @dma: bus address of host memory or of @peer's; unused if @local
 * @peer: in the DRAM of this other accelerator
 */
struct gmock_place {
	bool local;
	u64 addr;
	dma_addr_t dma;
	struct gmock_dev *peer;
};

/**
 * struct gmock_xlat - one translation
 * @va: first address
 * @size: PAGE_SIZE or %GMOCK_BLOCK_SIZE
 * @prot: GM_PROT_* bits
 * @place: where @va is
 */
struct gmock_xlat {
	unsigned long va;
	unsigned long size;
	u32 prot;
	struct gmock_place place;
};

#define GMOCK_TLB_4K	64
#define GMOCK_TLB_2M	16

/**
 * struct gmock_tlb - translation cache, direct mapped
 * @small: entries of PAGE_SIZE
 * @large: entries of %GMOCK_BLOCK_SIZE
 * @hits: lookups that found an entry with the right asked for
 * @misses: lookups that did not
 *
 * An entry with a size of 0 is empty. Consulted before the page table is: an
 * entry that nobody invalidates keeps translating.
 */
struct gmock_tlb {
	struct gmock_xlat small[GMOCK_TLB_4K];
	struct gmock_xlat large[GMOCK_TLB_2M];
	u64 hits;
	u64 misses;
};

/**
 * struct gmock_mmu - the MMU state of one context
 * @lock: held shared while the device accesses memory through translations,
 *	exclusively to change them. Taken where reclaim waits: see above
 * @tables: 2 MiB blocks, by va >> %GMOCK_BLOCK_SHIFT: struct gmock_table.
 *	Blocks are added at any time and never removed; their contents are
 *	under @lock
 * @tlb_lock: protects @tlb; nests in @lock
 * @tlb: cached translations
 * @maps_4k: small translations that were installed, under @lock
 * @maps_2m: large translations that were installed, under @lock
 * @unmaps: unmap calls that removed something, under @lock
 * @unmaps_again: unmap calls that would have had to sleep
 */
struct gmock_mmu {
	struct rw_semaphore lock;
	struct xarray tables;
	spinlock_t tlb_lock;		/* protects @tlb */
	struct gmock_tlb tlb;
	u64 maps_4k;
	u64 maps_2m;
	u64 unmaps;
	atomic64_t unmaps_again;
};

/**
 * struct gmock_edu - the edu function
 * @pdev: PCI function, the one that does DMA
 * @regs: BAR 0
 * @turn: held by the access of a program that uses edu, so that no more than one holds
 *	up others while it waits for the unit; outermost
 * @dma_lock: owner of the DMA unit and of @page; for a few DMAs at a time
 * @dma_done: completed by the interrupt of the DMA unit
 * @page: a page of host memory that the DMA unit reaches at @page_dma
 * @page_dma: bus address of @page
 * @hung: a DMA did not end; the unit is not used any more, under @dma_lock
 * @fact_lock: owner of the factorial unit
 * @msi: the interrupt is an MSI
 */
struct gmock_edu {
	struct pci_dev *pdev;
	void __iomem *regs;
	struct mutex turn;		/* accesses of programs */
	struct mutex dma_lock;		/* DMA registers and @page */
	struct completion dma_done;
	void *page;
	dma_addr_t page_dma;
	bool hung;
	struct mutex fact_lock;		/* factorial registers */
	bool msi;
};

/**
 * struct gmock_vram - the device's DRAM
 * @pdev: PCI function of ivshmem
 * @cpu: BAR 2 as the CPU sees it
 * @dma: BAR 2 as edu sees it
 * @size: bytes
 */
struct gmock_vram {
	struct pci_dev *pdev;
	void *cpu;
	dma_addr_t dma;
	u64 size;
};

/**
 * struct gmock_counters - what a device did; see &struct gmem_mock_stats
 * @edu_dmas: DMAs that completed
 * @edu_irqs: interrupts
 * @edu_timeouts: DMAs that did not complete
 * @edu_bytes: bytes moved by edu
 * @cpu_bytes: bytes moved by a CPU
 * @to_device_bytes: of these, for GMEM, to the device
 * @from_device_bytes: for GMEM, to the host
 * @zeroed_bytes: for GMEM, cleared
 * @peer_bytes: for GMEM, from another device to this one
 * @copy_errors: failed copies for GMEM
 * @verify_errors: DMAs that moved wrong data
 * @copy_ns: nanoseconds spent in copies for GMEM
 */
struct gmock_counters {
	atomic64_t edu_dmas;
	atomic64_t edu_irqs;
	atomic64_t edu_timeouts;
	atomic64_t edu_bytes;
	atomic64_t cpu_bytes;
	atomic64_t to_device_bytes;
	atomic64_t from_device_bytes;
	atomic64_t zeroed_bytes;
	atomic64_t peer_bytes;
	atomic64_t copy_errors;
	atomic64_t verify_errors;
	atomic64_t copy_ns;
};

/**
 * struct gmock_dev - one accelerator
 * @dev: class device; its reference count is that of the whole structure,
 *	which outlives the hardware while files are open
 * @cdev: /dev/gmem-mockN
 * @registration: held shared by every access, exclusively to end the device;
 *	everything below, and the MMU state of the files, is valid only under it
 * @alive: the hardware is there
 * @ending: it will not be for long; read without the lock, so that programs
 *	under way let go of the lock
 * @gm: the device as GMEM knows it
 * @hnid: node id of the device's memory
 * @edu: engine
 * @vram: memory
 * @host_atomics: atomic ops on host memory are atomic for CPUs, too
 * @atomic_lock: makes an atomic op of the device one step for the device; nests in
 *	gmock_mmu.lock
 * @count: counters
 */
struct gmock_dev {
	struct device dev;
	struct cdev cdev;
	struct rw_semaphore registration;
	bool alive;
	bool ending;
	struct gm_dev *gm;
	int hnid;
	struct gmock_edu edu;
	struct gmock_vram vram;
	bool host_atomics;
	spinlock_t atomic_lock;		/* one atomic op at a time */
	struct gmock_counters count;
};

/**
 * struct gmock_file - an open file: one process on one accelerator
 * @dev: accelerator, with a reference
 * @mm: whose addresses these are; only compared, holds no reference to users
 * @ctx: the device's context in that address space
 * @mmu: the MMU state of @ctx, until the device ends
 * @faults: faults raised
 * @faults_failed: faults that ended in an error
 * @outcomes: successful faults by &enum gm_fault_outcome
 * @fault_retries: faults that had to be repeated
 */
struct gmock_file {
	struct gmock_dev *dev;
	struct mm_struct *mm;
	struct gm_context *ctx;
	struct gmock_mmu *mmu;
	atomic64_t faults;
	atomic64_t faults_failed;
	atomic64_t outcomes[GM_FAULT_INPLACE + 1];
	atomic64_t fault_retries;
};

/* pci.c */
extern struct fault_attr gmock_fail_copy;
extern struct fault_attr gmock_fail_map;
extern struct fault_attr gmock_fail_prepare;

/* glue.c */
int gmock_glue_start(struct gmock_dev *gd);
void gmock_glue_lost(struct gmock_dev *gd);
void gmock_glue_stop(struct gmock_dev *gd);
int gmock_glue_attach(struct gmock_file *gf, struct gm_as *as);
void gmock_glue_detach(struct gmock_file *gf);
int gmock_glue_fault(struct gmock_file *gf, unsigned long va, u32 access,
		     bool inplace);

/* mmu.c */
int gmock_mmu_create(struct gm_context *ctx);
void gmock_mmu_destroy(struct gm_context *ctx);
int gmock_mmu_prepare(struct gm_context *ctx, unsigned long va,
		      unsigned long size);
int gmock_mmu_map(struct gm_context *ctx, const struct gm_segment *segs,
		  unsigned int nr, unsigned int *done);
int gmock_mmu_unmap(struct gm_context *ctx, unsigned long va,
		    unsigned long size, unsigned int flags);
int gmock_mmu_translate(struct gmock_mmu *mmu, unsigned long va, u32 access,
			struct gmock_xlat *xlat);
bool gmock_mmu_next(struct gmock_mmu *mmu, unsigned long va,
		    unsigned long last, struct gmock_xlat *xlat);

/* engine.c */
extern unsigned long gmock_edu_max;
extern bool gmock_verify;
enum gmem_mock_engine gmock_engine_setting(void);
enum gmem_mock_engine gmock_engine_pick(u64 bytes);
int gmock_vram_init(struct gmock_dev *gd);
void gmock_vram_exit(struct gmock_dev *gd);
void *gmock_place_map(struct gmock_dev *gd, const struct gmock_place *place);
void gmock_place_unmap(const struct gmock_place *place, void *cpu);
int gmock_copy(struct gmock_dev *gd, enum gmem_mock_engine engine,
	       const struct gmock_place *dst, const struct gmock_place *src,
	       size_t len);
int gmock_store(struct gmock_dev *gd, enum gmem_mock_engine engine,
		const struct gmock_place *dst, const void *buf, size_t len);
int gmock_load(struct gmock_dev *gd, enum gmem_mock_engine engine,
	       void *buf, const struct gmock_place *src, size_t len);
bool gmock_can_copy_from(struct gmock_dev *gd, struct gmock_dev *peer);
int gmock_migrate(struct gmock_dev *gd, const struct gm_copy_extent *ext,
		  unsigned int nr);

/* edu.c */
int gmock_edu_init(struct gmock_dev *gd);
void gmock_edu_exit(struct gmock_dev *gd);
int gmock_edu_copy(struct gmock_dev *gd, dma_addr_t dst, dma_addr_t src,
		   size_t len);
int gmock_edu_factorial(struct gmock_dev *gd, u32 x, u32 *res);

/* chardev.c; a glue may set gmock_dev.cdev.ops to operations that have these, and more */
long gmock_ioctl(struct file *filp, unsigned int cmd, unsigned long arg);
int gmock_open(struct inode *inode, struct file *filp);
int gmock_release(struct inode *inode, struct file *filp);
int gmock_chardev_init(void);
void gmock_chardev_exit(void);
struct gmock_dev *gmock_dev_alloc(struct device *parent);
int gmock_dev_publish(struct gmock_dev *gd);
void gmock_dev_revoke(struct gmock_dev *gd);

/* exec.c */
int gmock_exec(struct gmock_file *gf, struct gmem_mock_op *op);

#endif /* _GMEM_MOCK_H */

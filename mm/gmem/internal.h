/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the core share: the objects and their locks.
 *
 * Lock order, outermost first. Every lock says on its structure what it
 * protects.
 *
 *	gm_dev.ctx_lock			attach, detach, destroy
 *	  gm_as.block_lock[]		one device fault at a time for a block
 *	    mm->mmap_lock		this and the above: no context is in use
 *					while they are waited for
 *	      folio locks, mm internals, mmu_notifier_invalidate_range_start
 *		gm_as.map_lock		translations change
 *		  locks of the driver, taken in peer_map and peer_unmap
 *		  gm_context.dma_lock	(spin)
 *		  the lock of the logical page table (spin)
 *	gm_hnode.lock			(spin) frames; nests inside everything
 *
 * map_lock is taken in mmu notifiers, which memory reclaim waits for: nothing
 * that may enter reclaim is allowed while it is held.
 */
#ifndef _MM_GMEM_INTERNAL_H
#define _MM_GMEM_INTERNAL_H

#include <linux/completion.h>
#include <linux/device.h>
#include <linux/gmem.h>
#include <linux/gpu_buddy.h>
#include <linux/hash.h>
#include <linux/kobject.h>
#include <linux/kref.h>
#include <linux/log2.h>
#include <linux/memremap.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/percpu-refcount.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/rhashtable.h>
#include <linux/rwsem.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "lpt.h"
#include "stats.h"

struct vm_area_struct;
struct vm_fault;

/* The largest granule of the fault path, the LPT and the frame allocator. */
#define GM_BLOCK_SIZE		SZ_2M
#define GM_BLOCK_SHIFT		21
#define GM_BLOCK_PAGES		(GM_BLOCK_SIZE / PAGE_SIZE)
#define GM_BLOCK_ORDER		(GM_BLOCK_SHIFT - PAGE_SHIFT)

/* No address: nothing is to be populated or faulted in. */
#define GM_NO_VA		(~0UL)

/*
 * What an address space has for the blocks that are in use right now is hashed. Sixteen
 * keep the chance of a false conflict of two threads low.
 */
#define GM_BLOCK_SLOTS		16

/**
 * struct gm_dev - an accelerator
 * @parent:	the driver's device, for DMA
 * @mmu:	the driver's operations
 * @priv:	the driver's data
 * @id:		small number, for people and traces
 * @kref:	keeps the memory; not the device
 * @active:	faults and other users of @mmu in flight; killed by
 *		gm_dev_destroy(), after which no new ones start
 * @drained:	completed when @active is gone
 * @lost:	the device does not answer any more; its memory is unreachable
 * @ctx_lock:	protects @contexts; who takes a context from it ends it
 * @contexts:	all live contexts, by gm_context.dev_link
 * @nr_contexts: how many have not ended
 * @hnode:	the device's memory or NULL; read under gm_hnode_srcu
 */
struct gm_dev {
	struct device *parent;
	const struct gm_mmu *mmu;
	void *priv;
	unsigned int id;
	struct kref kref;
	struct percpu_ref active;
	struct completion drained;
	bool lost;
	struct mutex ctx_lock;		/* contexts */
	struct list_head contexts;
	atomic_t nr_contexts;
	struct gm_hnode *hnode;
};

/**
 * struct gm_chunk - the state of one GM_BLOCK_SIZE piece of device memory
 * @block:	what gpu_buddy calls it, or NULL when gpu_buddy owns it
 * @link:	in gm_hnode.empty or gm_hnode.partial, if on one of them
 * @used:	number of pages in use
 * @bitmap:	which pages are in use
 */
struct gm_chunk {
	struct gpu_buddy_block *block;
	struct list_head link;
	unsigned int used;
	DECLARE_BITMAP(bitmap, GM_BLOCK_PAGES);
};

/**
 * struct gm_hnode - the memory of one device
 * @dev:	its device, referenced
 * @hnid:	its id in hmadvise(); @hnid - MAX_NUMNODES in LPT entries
 * @dpa:	device physical address of the first byte
 * @nr_pages:	size
 * @base_pfn:	first page frame number of the struct pages
 * @pgmap:	ZONE_DEVICE description; pgmap.owner is the same for all hnodes
 * @res:	the physical address range that names the struct pages
 * @buddy:	hands out chunks
 * @buddy_lock:	protects @buddy. May be held over an allocation
 * @lock:	protects everything below
 * @chunks:	one for each GM_BLOCK_SIZE
 * @empty:	chunks that belong to us and have no page in use
 * @partial:	chunks with free and used pages
 * @used:	pages in use
 * @closing:	no more allocations
 * @stats:	counters
 * @kobj:	its folder in sysfs
 * @kobj_gone:	completed when sysfs has forgotten it
 * @link:	in the list of all hnodes
 */
struct gm_hnode {
	struct gm_dev *dev;
	int hnid;
	u64 dpa;
	unsigned long nr_pages;
	unsigned long base_pfn;
	struct dev_pagemap pgmap;
	struct resource *res;
	struct gpu_buddy buddy;
	struct mutex buddy_lock;	/* buddy */
	spinlock_t lock;		/* all below, up to closing */
	struct gm_chunk *chunks;
	struct list_head empty;
	struct list_head partial;
	unsigned long used;
	bool closing;
	struct gm_stats stats;
	struct kobject kobj;
	struct completion kobj_gone;
	struct list_head link;
};

/**
 * gm_hnode_dpa() - device physical address of a frame
 * @hnode: the hnode
 * @pfn: page frame number within it
 *
 * Return: the address.
 */
static inline u64 gm_hnode_dpa(const struct gm_hnode *hnode, unsigned long pfn)
{
	return hnode->dpa + ((u64)(pfn - hnode->base_pfn) << PAGE_SHIFT);
}

/**
 * struct gm_as - a virtual address space shared with devices
 * @mm:		the process's; kept as memory by the notifier
 * @start:	first address covered
 * @end:	end of the addresses covered, exclusive
 * @notifier:	tells of every change of the CPU side
 * @refs:	users. When it drops to zero the notifier goes
 * @id:		for people and traces: address spaces are counted. Wraps
 * @node:	in the table of address spaces by mm
 * @is_default:	the one that gm_as_get_mm() finds
 * @lpt:	where the data is and which contexts translate it
 * @map_lock:	held shared while a translation is installed, exclusively while
 *		translations are removed; protects @ctx and @dead
 * @ctx:	attached contexts, by gm_context.id
 * @dead:	the mm is gone: nothing may be mapped any more
 * @overshoot:	counts invalidations that removed more than they were asked to;
 *		under @map_lock
 * @block_lock:	by gm_block_slot(): serialises faults on a block
 * @sweep:	by gm_block_slot(): where the pages ended that the CPU's last fault there
 *		brought home, and log2 of their number. A guess; no lock
 * @scratch:	a spare struct gm_scratch
 * @stats:	counters
 * @link:	in the list of all address spaces, for debugfs
 * @put:	gm_as_put() by somebody else
 * @rcu:	to free it
 */
struct gm_as {
	struct mm_struct *mm;
	unsigned long start;
	unsigned long end;
	struct mmu_interval_notifier notifier;
	refcount_t refs;
	unsigned int id;
	struct rhlist_head node;
	bool is_default;
	struct gm_lpt lpt;
	struct rw_semaphore map_lock;	/* translations, ctx, dead */
	struct gm_context *ctx[GM_LPT_MAX_CTX];
	bool dead;
	unsigned long overshoot;
	struct mutex block_lock[GM_BLOCK_SLOTS];	/* faults on a block */
	unsigned long sweep[GM_BLOCK_SLOTS];
	struct gm_scratch *scratch;
	struct gm_stats stats;
	struct list_head link;
	struct work_struct put;
	struct rcu_head rcu;
};

/**
 * gm_origin() - for whom and for which page a frame was filled
 * @as: address space whose device asked for it
 * @index: page index
 *
 * Kept in the zone_device_data of each folio, for the check: it tells data whose record
 * was lost from data that has none by rights, because mremap() carried it elsewhere or
 * because it was there before the address space.
 *
 * Return: a number that is as good as unique, both wrap.
 */
static inline unsigned long gm_origin(const struct gm_as *as,
				      unsigned long index)
{
	return (unsigned long)as->id << 32 | lower_32_bits(index);
}

/* Which of the GM_BLOCK_SLOTS the block of an address uses. */
static inline unsigned int gm_block_slot(unsigned long va)
{
	return hash_long(va >> GM_BLOCK_SHIFT, ilog2(GM_BLOCK_SLOTS));
}

/**
 * struct gm_context - one device's view of one address space
 * @as:		the address space, referenced
 * @dev:	the device, referenced
 * @id:		index in gm_as.ctx and bit in LPT entries
 * @mode:	what happens to data that the device touches
 * @priv:	the driver's
 * @kref:	keeps the memory
 * @users:	faults and hints in flight, plus one until the context ends
 * @idle:	completed when @users is zero
 * @ended:	completed when the driver has nothing to do with it any more
 * @dead:	no translation may be installed; under gm_as.map_lock
 * @dev_link:	in gm_dev.contexts; empty when the context was shut down
 * @dma_lock:	protects @dma
 * @dma:	host memory mapped for DMA in place, by virtual address. Empty
 *		when the device needs no unmapping
 * @exclusive:	translations of host memory that is kept from the CPUs: a struct
 *		gm_segment by page number; changes under gm_as.map_lock
 */
struct gm_context {
	struct gm_as *as;
	struct gm_dev *dev;
	unsigned int id;
	enum gm_attach_mode mode;
	void *priv;
	struct kref kref;
	refcount_t users;
	struct completion idle;
	struct completion ended;
	bool dead;
	struct list_head dev_link;
	spinlock_t dma_lock;		/* dma */
	struct rb_root_cached dma;
	struct xarray exclusive;
};

/*
 * Extents and segments are handed to the driver in batches of this many:
 * enough that the call itself does not show, little enough for bounded time.
 */
#define GM_BATCH		64

/**
 * struct gm_scratch - what one fault or migration needs besides the stack
 * @src:	for migrate_vma
 * @dst:	for migrate_vma
 * @pfns:	page frame numbers: of frames, then as from hmm_range_fault()
 * @ext:	a batch of copy extents
 * @segs:	a batch of segments
 */
struct gm_scratch {
	unsigned long src[GM_BLOCK_PAGES];
	unsigned long dst[GM_BLOCK_PAGES];
	unsigned long pfns[GM_BLOCK_PAGES];
	struct gm_copy_extent ext[GM_BATCH];
	struct gm_segment segs[GM_BATCH];
};

/* dev.c */
bool gm_dev_enter(struct gm_dev *dev);
void gm_dev_exit(struct gm_dev *dev);
void gm_dev_get(struct gm_dev *dev);
void gm_dev_put(struct gm_dev *dev);
bool gm_dev_can_copy_from(struct gm_dev *dev, struct gm_dev *peer);
static inline bool gm_dev_lost(const struct gm_dev *dev)
{
	return READ_ONCE(dev->lost);
}

/* hnode.c */
extern struct srcu_struct gm_hnode_srcu;
extern const struct dev_pagemap_ops gm_pagemap_ops;
void *gm_pgmap_owner(void);
struct gm_hnode *gm_hnode_of_page(const struct page *page);
struct gm_dev *gm_hnode_dev(int hnid);
typedef int (*gm_hnode_fn)(struct gm_hnode *hnode, void *arg);
void gm_hnode_visit_all(gm_hnode_fn fn, void *arg);
u16 gm_hnode_res(const struct gm_hnode *hnode);
struct gm_hnode *gm_hnode_of_res(u16 res);

/* frames.c */
int gm_frames_init(struct gm_hnode *hnode);
void gm_frames_exit(struct gm_hnode *hnode);
bool gm_frames_alloc_block(struct gm_hnode *hnode, unsigned long *pfn);
unsigned long gm_frames_alloc_pages(struct gm_hnode *hnode,
				    unsigned long *pfns, unsigned long nr);
void gm_frames_free(struct gm_hnode *hnode, unsigned long pfn,
		    unsigned int order);
void gm_frames_close(struct gm_hnode *hnode);
bool gm_frames_used(struct gm_hnode *hnode, unsigned long pfn);

/* evacuate.c */
void gm_hnode_evacuate(struct gm_hnode *hnode);

/* poison.c */
int gm_poison_folio(struct folio *folio);

/* as.c */
int gm_as_init(void);
bool gm_as_tryget(struct gm_as *as);
struct gm_as *gm_as_find(struct mm_struct *mm);
typedef void (*gm_as_fn)(struct gm_as *as, void *arg);
void gm_as_put_later(struct gm_as *as);
void gm_as_visit_mm(struct mm_struct *mm, gm_as_fn fn, void *arg);
void gm_as_visit_all(gm_as_fn fn, void *arg);
struct gm_scratch *gm_scratch_spare(struct gm_as *as);
struct gm_scratch *gm_scratch_get(struct gm_as *as);
void gm_scratch_put(struct gm_as *as, struct gm_scratch *scratch);

/* context.c */
bool gm_context_tryuse(struct gm_context *ctx);
void gm_context_unuse(struct gm_context *ctx);
void gm_context_put(struct gm_context *ctx);
struct gm_context *gm_context_find(struct gm_as *as, struct gm_dev *dev);
void gm_context_end_all(struct gm_dev *dev);

/* invalidate.c */
extern const struct mmu_interval_notifier_ops gm_notifier_ops;
int gm_unmap_ctx(struct gm_context *ctx, unsigned long start,
		 unsigned long end, unsigned int flags);

/* dma.c */
struct gm_dma_map;
bool gm_dma_needs_unmap(const struct gm_dev *dev);
int gm_dma_map_segments(struct gm_context *ctx, struct gm_segment *segs,
			unsigned int nr, struct list_head *maps);
void gm_dma_commit(struct gm_context *ctx, struct list_head *maps);
void gm_dma_abort(struct gm_context *ctx, struct list_head *maps);
bool gm_dma_widen(struct gm_context *ctx, unsigned long *start,
		  unsigned long *end);
void gm_dma_unmap_range(struct gm_context *ctx, unsigned long start,
			unsigned long end);

/* copy.c */
struct gm_copy {
	struct gm_hnode *hnode;
	struct gm_copy_extent *ext;
	unsigned int nr;
	int ret;
	bool peers;
};

void gm_copy_init(struct gm_copy *copy, struct gm_hnode *hnode,
		  struct gm_copy_extent *ext);
void gm_copy_add(struct gm_copy *copy, enum gm_copy_op op, u64 dpa,
		 phys_addr_t phys, size_t size);
void gm_copy_add_peer(struct gm_copy *copy, u64 dpa,
		      const struct gm_hnode *hnode, unsigned long pfn,
		      size_t size);
int gm_copy_finish(struct gm_copy *copy);

/* migrate.c */
int gm_migrate_to_device(struct gm_context *ctx, struct vm_area_struct *vma,
			 unsigned long start, unsigned long end,
			 unsigned long fault_va, struct gm_scratch *scratch,
			 bool *peers);

/* split.c */
bool gm_split_range(struct vm_area_struct *vma, unsigned long start,
		    unsigned long end, bool device);
void gm_split_page(struct vm_area_struct *vma, unsigned long va);
void gm_split_around(struct vm_area_struct *vma, unsigned long va,
		     unsigned long *start, unsigned long *end);

/* home.c */
void gm_folio_needed(struct folio *folio);
vm_fault_t gm_migrate_to_ram(struct vm_fault *vmf);
bool gm_splits_for_us(unsigned long src);
int gm_migrate_home(struct vm_area_struct *vma, unsigned long start,
		    unsigned long end, const struct gm_hnode *stays,
		    struct gm_scratch *scratch);

/* flight.c */

/**
 * struct gm_flight - a fault's watch over its range
 * @notifier:	tells of invalidations
 * @ctx:	whose translations are about to be installed
 * @start:	first address
 * @end:	end, exclusive
 * @task:	the one that faults, and who alone reads and writes the rest
 * @installed:	translations were installed
 * @quiet:	nothing that @task does to the CPU side is news
 * @seq:	sequence number of the last gm_flight_sample()
 * @overshoot:	gm_as.overshoot at that time
 */
struct gm_flight {
	struct mmu_interval_notifier notifier;
	struct gm_context *ctx;
	unsigned long start;
	unsigned long end;
	struct task_struct *task;
	bool installed;
	bool quiet;
	unsigned long seq;
	unsigned long overshoot;
};

int gm_flight_begin(struct gm_flight *flight, struct gm_context *ctx,
		    unsigned long start, unsigned long end);
void gm_flight_end(struct gm_flight *flight);
void gm_flight_sample(struct gm_flight *flight);
void gm_flight_quiet_begin(struct gm_flight *flight);
void gm_flight_quiet_end(struct gm_flight *flight);
bool gm_flight_seems_to_hold(const struct gm_flight *flight);
bool gm_flight_holds(struct gm_flight *flight);

/* map.c */
struct gm_request;
int gm_map_look(struct gm_request *req);
int gm_map_range(struct gm_request *req);
int gm_map_page(struct gm_request *req, const struct gm_segment *seg);

/* exclusive.c */
int gm_exclusive_check(const struct gm_request *req,
		       const struct vm_area_struct *vma);
int gm_exclusive_again(struct gm_request *req);
int gm_exclusive_map(struct gm_request *req);
void gm_exclusive_keep(struct gm_request *req, const struct gm_segment *seg);
void gm_exclusive_forget(struct gm_context *ctx, unsigned long start,
			 unsigned long end, bool block);
bool gm_exclusive_cut(struct gm_context *ctx, unsigned long va,
		      unsigned long *start, unsigned long *end);

/* fault.c */

/**
 * struct gm_request - make a part of a block usable for a device
 * @ctx:	whose device
 * @start:	first address
 * @end:	end, exclusive; in the GM_BLOCK_SIZE block of @start
 * @va:		the address that is needed, or GM_NO_VA for a hint
 * @access:	GM_PROT_* needed at @va
 * @placement:	where the data is wanted
 * @uffd_wp:	userfaultfd may write-protect the range
 * @flight:	tells of changes since it was last sampled
 * @known:	@scratch->pfns tells what the whole range holds as of then, as
 *		hmm_range_fault() would
 * @whole:	if so, that one huge entry holds all of it: only the first one of
 *		@scratch->pfns counts
 * @alone:	the page at @va is to come home before the CPU faults on it
 * @exclusive:	room for gm_context.exclusive to keep, while a page is kept from
 *		the CPUs; else NULL
 * @moved:	out: pages that were migrated
 * @taken:	out: pages that were taken from the CPUs
 * @outcome:	out: what is at @va
 * @seg_start:	out: first address of the segment that holds @va
 * @seg_end:	out: its end
 * @retries:	out: how often it began again
 * @using:	the context is in use
 * @scratch:	working memory
 */
struct gm_request {
	struct gm_context *ctx;
	unsigned long start;
	unsigned long end;
	unsigned long va;
	u32 access;
	enum gm_placement placement;
	bool uffd_wp;
	struct gm_flight flight;
	bool known;
	bool whole;
	bool alone;
	struct gm_segment *exclusive;
	unsigned long moved;
	unsigned long taken;
	enum gm_fault_outcome outcome;
	unsigned long seg_start;
	unsigned long seg_end;
	unsigned int retries;
	bool using;
	struct gm_scratch *scratch;
};

void gm_request_rest(struct gm_request *req);
int gm_request_go_on(struct gm_request *req);
int gm_request_sample(struct gm_request *req);
int gm_request_lock(struct gm_request *req);
int gm_resolve(struct gm_request *req);
void gm_doubt_record(struct gm_as *as, unsigned long start, unsigned long end);
bool gm_vma_usable(struct vm_area_struct *vma);

/* where.c */
typedef void (*gm_where_fn)(unsigned long va, struct page *page, void *arg);
void gm_where_walk(struct mm_struct *mm, unsigned long start, unsigned long end,
		   gm_where_fn fn, void *arg);

/* hibernate.c */
int gm_hibernate_hold(void);
void gm_hibernate_release(void);
int gm_hibernate_begin(void);
void gm_hibernate_end(void);
int gm_hibernate_init(void);

/* sysfs.c */
int gm_sysfs_init(void);
int gm_sysfs_add_hnode(struct gm_hnode *hnode);
void gm_sysfs_remove_hnode(struct gm_hnode *hnode);

/* check.c, debugfs.c, residency.c */
struct seq_file;
int gm_check_show(struct seq_file *m, void *unused);
void gm_debugfs_init(void);
int gm_residency_init(void);

#endif /* _MM_GMEM_INTERNAL_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device made of host memory, and the user memory that it works on.
 *
 * Its memory is vmalloc()ed, its page table an XArray, its engine memcpy(). It
 * fails on demand, counts what it is asked to do, and notes every call that
 * breaks the contract of struct gm_mmu.
 */
#ifndef _GMEM_KUNIT_DEVICE_FAKE_H
#define _GMEM_KUNIT_DEVICE_FAKE_H

#include <kunit/test.h>
#include <linux/sizes.h>

#include "../internal.h"

/* Four blocks, and not at device address zero. */
#define FAKE_VRAM_SIZE		SZ_8M
#define FAKE_VRAM_DPA		SZ_1G

/* How much later a copy is done: who does not wait sees something else. */
#define FAKE_JOB_MS	20

/**
 * struct fake_dev - a fake device
 * @gm:		what the core knows it by, or NULL
 * @parent:	struct device
 * @vram:	its memory
 * @vram_size:	bytes
 * @hnid:	id of its memory
 * @copy_error:	what &gm_mmu.copy returns
 * @copy_error_op: for which enum gm_copy_op, as a bitmap
 * @copy_error_dpa: for which frame, or 0 for all
 * @copy_later:	&gm_mmu.copy returns a fence, and the data moves later
 * @no_wait:	that fence cannot be waited for
 * @map_error:	what &gm_mmu.peer_map returns
 * @prepare_error: what &gm_mmu.map_prepare returns
 * @prepare_drops: the program drops memory while &gm_mmu.map_prepare runs, once: a
 *	page at this address, or 0
 * @create_error: what &gm_mmu.ctx_create returns
 * @copies_peers: what &gm_mmu.can_copy_from returns
 * @peer_vanishes: a device is lost while its memory is read, which then reads as
 *	something else
 * @peer_ctx:	context of another device that must translate nothing while that
 *		device's memory is read, or NULL
 * @destroy_ms:	how long &gm_mmu.ctx_destroy takes
 * @unmaps:	calls of &gm_mmu.peer_unmap
 * @tlb_invls:	calls of &gm_mmu.tlb_invl
 * @bad:	calls that break the contract
 * @contexts:	contexts that were created and not destroyed
 * @jobs:	copies that were to be done later, ever
 * @jobs_done:	those that were
 */
struct fake_dev {
	struct gm_dev *gm;
	struct device *parent;
	void *vram;
	unsigned long vram_size;
	int hnid;
	int copy_error;
	unsigned int copy_error_op;
	u64 copy_error_dpa;
	bool copy_later;
	bool no_wait;
	int map_error;
	int prepare_error;
	unsigned long prepare_drops;
	int create_error;
	bool copies_peers;
	bool peer_vanishes;
	struct gm_context *peer_ctx;
	unsigned int destroy_ms;
	atomic_t unmaps;
	atomic_t tlb_invls;
	atomic_t bad;
	atomic_t contexts;
	atomic_t jobs;
	atomic_t jobs_done;
};

/**
 * struct fake - what each test has
 * @dev:	a device with FAKE_VRAM_SIZE
 * @as:		address space of the test, or NULL
 * @ctx:	attached to it, or NULL
 */
struct fake {
	struct fake_dev dev;
	struct gm_as *as;
	struct gm_context *ctx;
};

/**
 * struct fake_snap - what a context translates in a range, in pages
 * @pages:	all
 * @device:	to device memory
 * @writable:	that may be written to
 * @atomic:	that atomic operations may be done on
 * @huge:	that are part of a large translation
 */
struct fake_snap {
	unsigned long pages;
	unsigned long device;
	unsigned long writable;
	unsigned long atomic;
	unsigned long huge;
};

extern const struct gm_mmu fake_mmu;		/* both sizes, host access */
extern const struct gm_mmu fake_mmu_small;	/* no large translations */
extern const struct gm_mmu fake_mmu_local;	/* no host access */
extern const struct gm_mmu fake_mmu_atomic;	/* atomics on host memory */

/* The device */
int fake_dev_start(struct kunit *test, struct fake_dev *dev,
		   const struct gm_mmu *mmu, unsigned long vram_size);
void fake_dev_stop(struct fake_dev *dev);
unsigned long fake_used(const struct fake_dev *dev);
struct fake_snap fake_snapshot(struct gm_context *ctx, unsigned long va,
			       unsigned long size);
int fake_read(struct gm_context *ctx, unsigned long va, void *buf, size_t len);
int fake_write(struct gm_context *ctx, unsigned long va, const void *buf,
	       size_t len);
int fake_fault(struct gm_context *ctx, unsigned long va, u32 access,
	       struct gm_fault *fault);

/* What breaks the contract is counted, and fails the test. */
void fake_require(struct fake_dev *dev, bool ok);
bool fake_in_vram(const struct fake_dev *dev, u64 dpa, size_t size);

/* The engine, in device_engine.c */
int fake_copy(struct gm_dev *gm, const struct gm_copy_extent *ext,
	      unsigned int nr, struct dma_fence **fence);

/* The suite */
int fake_init(struct kunit *test);
void fake_exit(struct kunit *test);
void fake_attach(struct kunit *test);
void fake_detach(struct kunit *test);
void fake_expect_frames(struct kunit *test);
void fake_expect_used(struct kunit *test, unsigned long pages);

/* User memory, in device_user.c */
unsigned long fake_mmap(struct kunit *test, unsigned long size, bool huge);
void fake_fill(struct kunit *test, unsigned long va, unsigned long size,
	       u32 seed);
void fake_expect_cpu(struct kunit *test, unsigned long va, unsigned long size,
		     u32 seed);
void fake_expect_device(struct kunit *test, struct gm_context *ctx,
			unsigned long va, unsigned long size, u32 seed);
int fake_touch(unsigned long va);
int fake_mprotect(unsigned long start, unsigned long end, bool write);
struct mm_struct *fake_fork(void);

#endif /* _GMEM_KUNIT_DEVICE_FAKE_H */

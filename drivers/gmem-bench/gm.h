/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * GMEM benchmark: the mock accelerator's sources without GMEM.
 *
 * A contender is the same device with another glue. The sources of its hardware
 * (drivers/gmem-mock: pci.c, mmu.c, engine.c, edu.c, chardev.c, exec.c) are
 * compiled into its module as they are, file by file. They take their vocabulary
 * from <linux/gmem.h>: segments to map, extents to copy, rights, outcomes. Of its
 * functions they call six, and these are here: a contender that is measured
 * against GMEM must not have GMEM in it.
 *
 * To be included before mock.h.
 */
#ifndef _GMEM_BENCH_GM_H
#define _GMEM_BENCH_GM_H

#include <linux/gmem.h>

struct mm_struct;

/**
 * struct gm_context - one process on one device
 * @priv: its MMU state, see gmock_mmu_create()
 */
struct gm_context {
	void *priv;
};

/**
 * struct gm_dev - one device
 * @priv: its &struct gmock_dev
 * @id: its number, for people
 */
struct gm_dev {
	void *priv;
	unsigned int id;
};

static inline void *gbench_context_priv(const struct gm_context *ctx)
{
	return ctx->priv;
}

static inline void gbench_context_set_priv(struct gm_context *ctx, void *priv)
{
	ctx->priv = priv;
}

static inline void *gbench_dev_priv(const struct gm_dev *dev)
{
	return dev->priv;
}

static inline unsigned int gbench_dev_id(const struct gm_dev *dev)
{
	return dev->id;
}

/* The address space is just the mm, which the caller keeps. */
static inline struct gm_as *gbench_as_get_mm(struct mm_struct *mm)
{
	return (struct gm_as *)mm;
}

static inline void gbench_as_put(struct gm_as *as)
{
}

#define gm_context_priv		gbench_context_priv
#define gm_context_set_priv	gbench_context_set_priv
#define gm_dev_priv		gbench_dev_priv
#define gm_dev_id		gbench_dev_id
#define gm_as_get_mm		gbench_as_get_mm
#define gm_as_put		gbench_as_put

#endif /* _GMEM_BENCH_GM_H */

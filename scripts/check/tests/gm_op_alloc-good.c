// SPDX-License-Identifier: GPL-2.0-only
/* Allocation where it belongs, and without waiting where that is allowed. */
#include <linux/gmem.h>

static int create(struct gm_context *ctx)
{
	struct sample *s = kzalloc_obj(*s);

	if (!s)
		return -ENOMEM;
	gm_context_set_priv(ctx, s);
	return 0;
}

static int prepare(struct gm_context *ctx, unsigned long va, unsigned long size)
{
	struct sample *s = gm_context_priv(ctx);

	return reserve(s, va, size, GFP_KERNEL);
}

static int map(struct gm_context *ctx, const struct gm_segment *segs,
	       unsigned int nr, unsigned int *done)
{
	struct sample *s = gm_context_priv(ctx);
	struct entry *e = kzalloc(sizeof(*e), GFP_NOWAIT | __GFP_NOWARN);

	if (!e)
		return -ENOMEM;
	add(s, segs->va, e);
	*done = nr;
	return 0;
}

static int unmap(struct gm_context *ctx, unsigned long va, unsigned long size,
		 unsigned int flags)
{
	forget(gm_context_priv(ctx), va, size);
	return 0;
}

static const struct gm_mmu sample_mmu = {
	.name = "sample",
	.ctx_create = create,
	.map_prepare = prepare,
	.peer_map = map,
	.peer_unmap = unmap,
};

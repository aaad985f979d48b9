// SPDX-License-Identifier: GPL-2.0-only
/* Sleeps, asked or not. */
#include <linux/gmem.h>

static void flush(struct sample *s)
{
	start_flush(s);
	wait_for_completion(&s->flushed);		/* BAD */
}

static int unmap(struct gm_context *ctx, unsigned long va, unsigned long size,
		 unsigned int flags)
{
	struct sample *s = gm_context_priv(ctx);

	mutex_lock(&s->lock);				/* BAD */
	forget(s, va, size);
	flush(s);
	mutex_unlock(&s->lock);
	return 0;
}

static const struct gm_mmu sample_mmu = {
	.peer_map = map,
	.peer_unmap = unmap,
};

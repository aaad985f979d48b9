// SPDX-License-Identifier: GPL-2.0-only
/* Sleeps if it may, and a driver that never has to. */
#include <linux/gmem.h>

static int unmap(struct gm_context *ctx, unsigned long va, unsigned long size,
		 unsigned int flags)
{
	struct sample *s = gm_context_priv(ctx);

	if (!mutex_trylock(&s->lock)) {
		if (flags & GM_UNMAP_NONBLOCK)
			return -EAGAIN;
		mutex_lock(&s->lock);
	}
	forget(s, va, size);
	mutex_unlock(&s->lock);
	return 0;
}

static int unmap_simple(struct gm_context *ctx, unsigned long va,
			unsigned long size, unsigned int flags)
{
	struct sample *s = gm_context_priv(ctx);

	spin_lock(&s->lock);
	forget(s, va, size);
	spin_unlock(&s->lock);
	return 0;
}

static void stop(struct sample *s)
{
	mutex_lock(&s->lock);
	s->running = false;
	mutex_unlock(&s->lock);
}

static const struct gm_mmu sample_mmu = {
	.peer_map = map,
	.peer_unmap = unmap,
};

static const struct gm_mmu simple_mmu = {
	.peer_map = map,
	.peer_unmap = unmap_simple,
};

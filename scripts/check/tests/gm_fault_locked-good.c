// SPDX-License-Identifier: GPL-2.0-only
/* Faults after the locks, and under one that may be held. */
#include <linux/gmem.h>

static int after_spinlock(struct sample *s, struct gm_fault *fault)
{
	struct gm_context *ctx;

	spin_lock_irq(&s->lock);
	ctx = s->ctx;
	spin_unlock_irq(&s->lock);
	return gm_dev_fault(ctx, fault);
}

static int after_rcu(struct sample *s, struct gm_fault *fault)
{
	struct gm_context *ctx;

	rcu_read_lock();
	ctx = rcu_dereference(s->ctx);
	if (!ctx) {
		rcu_read_unlock();
		return -ENODEV;
	}
	rcu_read_unlock();
	return gm_dev_fault(ctx, fault);
}

static int under_mutex(struct sample *s, struct gm_fault *fault)
{
	int ret;

	mutex_lock(&s->queue_lock);
	ret = gm_dev_fault(s->ctx, fault);
	mutex_unlock(&s->queue_lock);
	return ret;
}

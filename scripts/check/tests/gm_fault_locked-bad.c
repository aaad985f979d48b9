// SPDX-License-Identifier: GPL-2.0-only
/* Faults under locks that they must not be under. */
#include <linux/gmem.h>

static int under_spinlock(struct sample *s, struct gm_fault *fault)
{
	int ret;

	spin_lock(&s->lock);
	ret = gm_dev_fault(s->ctx, fault);		/* BAD */
	spin_unlock(&s->lock);
	return ret;
}

static int on_one_path(struct sample *s, struct gm_fault *fault)
{
	unsigned long flags;
	int ret = 0;

	spin_lock_irqsave(&s->lock, flags);
	if (s->irq_off) {
		spin_unlock_irqrestore(&s->lock, flags);
		return -EAGAIN;
	}
	if (s->running)
		ret = gm_dev_fault(s->ctx, fault);	/* BAD */
	spin_unlock_irqrestore(&s->lock, flags);
	return ret;
}

static int under_rcu(struct sample *s, struct gm_fault *faults, unsigned int nr)
{
	int ret;

	rcu_read_lock();
	ret = gm_dev_fault_batch(rcu_dereference(s->ctx), faults, nr);	/* BAD */
	rcu_read_unlock();
	return ret;
}

static int under_mmap_lock(struct sample *s, struct gm_fault *fault)
{
	int ret;

	mmap_read_lock(current->mm);
	ret = gm_dev_fault(s->ctx, fault);		/* BAD */
	mmap_read_unlock(current->mm);
	return ret;
}

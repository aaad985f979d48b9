// SPDX-License-Identifier: GPL-2.0-only
/* Faults whose result is lost. */
#include <linux/gmem.h>

static void fault(struct sample *s, unsigned long va)
{
	struct gm_fault fault = { .va = va, .access = GM_PROT_READ };

	gm_dev_fault(s->ctx, &fault);			/* BAD */
	replay(s, va);
}

static void fault_cast(struct sample *s, unsigned long va)
{
	struct gm_fault fault = { .va = va, .access = GM_PROT_READ };

	(void)gm_dev_fault(s->ctx, &fault);		/* BAD */
	replay(s, va);
}

static void faults(struct sample *s, struct gm_fault *faults, unsigned int nr)
{
	gm_dev_fault_batch(s->ctx, faults, nr);		/* BAD */
	replay_all(s);
}

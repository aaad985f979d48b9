// SPDX-License-Identifier: GPL-2.0-only
/* Faults whose result counts. */
#include <linux/gmem.h>

static int fault(struct sample *s, unsigned long va)
{
	struct gm_fault fault = { .va = va, .access = GM_PROT_READ };

	return gm_dev_fault(s->ctx, &fault) ?: fault.outcome;
}

static void fault_member(struct sample *s, unsigned long va)
{
	struct gm_fault fault = { .va = va, .access = GM_PROT_READ };

	gm_dev_fault(s->ctx, &fault);
	if (!fault.ret)
		replay(s, va);
}

static void faults(struct sample *s, struct gm_fault *faults, unsigned int nr)
{
	unsigned int i;

	gm_dev_fault_batch(s->ctx, faults, nr);
	for (i = 0; i < nr; i++)
		complete_access(s, i, faults[i].ret);
}

static void fault_all(struct sample *s, struct gm_fault *faults, unsigned int nr)
{
	if (gm_dev_fault_batch(s->ctx, faults, nr))
		reset(s);
}

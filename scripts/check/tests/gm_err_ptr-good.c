// SPDX-License-Identifier: GPL-2.0-only
/* The same with IS_ERR(), and pointers that may be NULL for other reasons. */
#include <linux/gmem.h>

static int create(struct sample *s)
{
	s->gm = gm_dev_create(s->parent, &sample_mmu, s);
	return PTR_ERR_OR_ZERO(s->gm);
}

static int open(struct sample *s)
{
	struct gm_as *as = gm_as_get_mm(current->mm);

	if (IS_ERR(as))
		return PTR_ERR(as);
	s->ctx = gm_as_attach(as, s->gm, GM_ATTACH_EXCLUSIVE, NULL);
	if (IS_ERR(s->ctx)) {
		gm_as_put(as);
		s->ctx = NULL;
		return -ENODEV;
	}
	return 0;
}

static void release(struct sample *s)
{
	if (s->ctx)
		gm_as_detach(s->ctx);
	s->ctx = NULL;
}

static int reopen(struct sample *s, struct gm_as *as)
{
	if (!s->ctx)
		s->ctx = gm_as_attach(as, s->gm, GM_ATTACH_EXCLUSIVE, NULL);
	if (IS_ERR(s->ctx))
		s->ctx = NULL;
	if (!s->ctx)
		return -ENODEV;
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Results that are compared with NULL. */
#include <linux/gmem.h>

static int create(struct sample *s)
{
	s->gm = gm_dev_create(s->parent, &sample_mmu, s);
	if (!s->gm)					/* BAD */
		return -ENOMEM;
	return 0;
}

static int open(struct sample *s)
{
	struct gm_as *as = gm_as_get_mm(current->mm);

	if (as == NULL)					/* BAD */
		return -ENOMEM;
	s->ctx = gm_as_attach(as, s->gm, GM_ATTACH_EXCLUSIVE, NULL);
	if (s->ctx)					/* BAD */
		return 0;
	gm_as_put(as);
	return -ENOMEM;
}

static int attach(struct sample *s, struct gm_as *as)
{
	s->ctx = gm_as_attach(as, s->gm, GM_ATTACH_EXCLUSIVE, NULL);
	s->open++;
	if (IS_ERR_OR_NULL(s->ctx))			/* BAD */
		return -ENODEV;
	return 0;
}

static bool probe(struct sample *s)
{
	return gm_as_create(NULL, 0, 4096) != NULL;	/* BAD */
}

// SPDX-License-Identifier: GPL-2.0-only
/* Ids that are ids. */
#include <linux/gmem.h>

static int member(struct sample *s)
{
	s->hnid = gm_dev_register_physmem(s->gm, GM_MEM_TYPE_PRIVATE, 0, s->size);
	if (s->hnid < 0)
		gm_dev_destroy(s->gm);
	return min(s->hnid, 0);
}

static int variable(struct sample *s)
{
	int hnid = gm_dev_register_physmem(s->gm, GM_MEM_TYPE_PRIVATE, 0, s->size);

	if (hnid < 0)
		return hnid;
	s->hnid = hnid;
	return 0;
}

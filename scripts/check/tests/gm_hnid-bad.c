// SPDX-License-Identifier: GPL-2.0-only
/* Ids that are taken for something else. */
#include <linux/gmem.h>

static int as_errno(struct sample *s)
{
	int ret = 0;

	ret = gm_dev_register_physmem(s->gm, GM_MEM_TYPE_PRIVATE, 0, s->size);
	if (ret)						/* BAD */
		gm_dev_destroy(s->gm);
	return ret;
}

static int as_bool(struct sample *s)
{
	s->hnid = gm_dev_register_physmem(s->gm, GM_MEM_TYPE_PRIVATE, 0, s->size);
	if (!s->hnid)						/* BAD */
		return -ENOMEM;
	return 0;
}

static int at_once(struct sample *s)
{
	if (gm_dev_register_physmem(s->gm, GM_MEM_TYPE_PRIVATE, 0, s->size))	/* BAD */
		return -ENOMEM;
	return 0;
}

static void ignored(struct sample *s)
{
	gm_dev_register_physmem(s->gm, GM_MEM_TYPE_PRIVATE, 0, s->size);	/* BAD */
}

static int is_unsigned(struct sample *s)
{
	unsigned int hnid;

	hnid = gm_dev_register_physmem(s->gm, GM_MEM_TYPE_PRIVATE, 0, s->size);	/* BAD */
	return publish(s, hnid);
}

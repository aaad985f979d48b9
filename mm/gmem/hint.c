// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arguments of hmadvise(): everything that can be judged without looking at
 * the process. Knows no mm types, so that it is tested anywhere.
 */
#include <linux/align.h>
#include <linux/errno.h>
#include <linux/overflow.h>
#include <uapi/linux/gmem.h>
#include <vdso/page.h>

#include "hint.h"

#define GM_HINT_FEATURES	(HMADV_FEATURE(HMADV_PREFETCH) | \
				 HMADV_FEATURE(HMADV_DISCARD))

static int gm_hint_check_query(struct gm_hint *hint, int hnid,
			       unsigned long addr, size_t len, int advice,
			       unsigned int flags)
{
	if (hnid != HMADV_NODE_ANY || addr || len || advice)
		return -EINVAL;
	if (flags == HMADV_FLAG_VERSION)
		hint->query = HMADV_ABI_VERSION;
	else if (flags == HMADV_FLAG_FEATURES)
		hint->query = GM_HINT_FEATURES;
	else
		return -EINVAL;
	return 0;
}

static bool gm_hint_node_valid(int hnid, int advice)
{
	switch (advice) {
	case HMADV_PREFETCH:
		return hnid >= HMADV_NODE_ANY;
	case HMADV_DISCARD:
		return hnid == HMADV_NODE_ANY;
	default:
		return false;
	}
}

/**
 * gm_hint_check() - check the arguments of hmadvise()
 * @hint: set
 * @hnid: argument
 * @addr: argument
 * @len: argument
 * @advice: argument
 * @flags: argument
 * @limit: end of the addresses that a process can have
 *
 * A length is rounded up to pages; one of zero is allowed.
 *
 * Return: 0, or -EINVAL.
 */
int gm_hint_check(struct gm_hint *hint, int hnid, unsigned long addr,
		  size_t len, int advice, unsigned int flags,
		  unsigned long limit)
{
	unsigned long end;

	*hint = (struct gm_hint){ .hnid = hnid, .advice = advice, .query = -1 };
	if (flags)
		return gm_hint_check_query(hint, hnid, addr, len, advice,
					   flags);
	if (!gm_hint_node_valid(hnid, advice))
		return -EINVAL;
	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (check_add_overflow(addr, len, &end) || end > limit)
		return -EINVAL;
	hint->start = addr;
	/* Cannot overflow: @limit is a multiple of the page size. */
	hint->end = ALIGN(end, PAGE_SIZE);
	return 0;
}

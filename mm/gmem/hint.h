/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MM_GMEM_HINT_H
#define _MM_GMEM_HINT_H

#include <linux/types.h>

/**
 * struct gm_hint - the arguments of hmadvise(), checked
 * @hnid:	node that is named, or HMADV_NODE_ANY
 * @start:	first address
 * @end:	end, exclusive
 * @advice:	HMADV_*
 * @query:	if not negative, the answer: nothing else is to be done
 */
struct gm_hint {
	int hnid;
	unsigned long start;
	unsigned long end;
	int advice;
	long query;
};

int gm_hint_check(struct gm_hint *hint, int hnid, unsigned long addr,
		  size_t len, int advice, unsigned int flags,
		  unsigned long limit);

#endif /* _MM_GMEM_HINT_H */

// SPDX-License-Identifier: GPL-2.0-only
/* Entry of the hmadvise() system call: checks, and hands over. */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/syscalls.h>

#include "advice.h"
#include "hint.h"

/**
 * sys_hmadvise() - advise where memory should be, for accelerators
 * @hnid: an hnode, a host NUMA node or HMADV_NODE_ANY
 * @addr: start of the range; a multiple of the page size
 * @len: bytes; rounded up to pages
 * @advice: HMADV_*
 * @flags: 0 or a query
 *
 * Return: how many bytes from @addr were processed, or a negative errno if that
 * is none. See hmadvise(2).
 */
SYSCALL_DEFINE5(hmadvise, int, hnid, unsigned long, addr, size_t, len,
		int, advice, unsigned int, flags)
{
	struct gm_hint hint;
	int ret;

	addr = untagged_addr(addr);
	ret = gm_hint_check(&hint, hnid, addr, len, advice, flags,
			    PAGE_ALIGN_DOWN(TASK_SIZE));
	if (ret)
		return ret;
	if (hint.query >= 0)
		return hint.query;
	return gm_advise(&hint);
}

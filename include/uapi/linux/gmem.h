/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * GMEM: placement hints for memory shared with accelerators.
 *
 *	long hmadvise(int hnid, void *addr, size_t len, int advice,
 *		      unsigned int flags);
 *
 * See hmadvise(2).
 */
#ifndef _UAPI_LINUX_GMEM_H
#define _UAPI_LINUX_GMEM_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Version of this interface, as returned for HMADV_FLAG_VERSION. */
#define HMADV_ABI_VERSION	1

/* Any node, the kernel chooses. Only for advice that says it takes it. */
#define HMADV_NODE_ANY		(-1)

/* Advice. Zero is not an advice, so that a forgotten argument is an error. */
#define HMADV_PREFETCH		1	/* move the range to the node */
#define HMADV_DISCARD		2	/* the contents are not needed any more */

/*
 * Flags. The two queries take no range and no advice: hnid must be
 * HMADV_NODE_ANY and the other arguments 0.
 */
#define HMADV_FLAG_VERSION	(1U << 0)	/* return HMADV_ABI_VERSION */
#define HMADV_FLAG_FEATURES	(1U << 1)	/* return HMADV_FEATURE_* */

/* Features: bit N stands for advice N. */
#define HMADV_FEATURE(advice)	(1U << (advice))

/*
 * /dev/gmem: what a process may ask about its own memory. All structures
 * start with their size, so that they can grow; a kernel that does not know
 * the end of a larger structure accepts it if that end is zero.
 */

/**
 * struct gmem_residency - where the pages of a range are
 * @size:	sizeof(struct gmem_residency)
 * @flags:	must be 0
 * @addr:	start of the range; a multiple of the page size
 * @len:	bytes; a multiple of the page size
 * @vec:	user pointer to an array of __s32, one for each page: the node id
 *		where its data is, or GMEM_NODE_NONE or GMEM_NODE_UNKNOWN
 * @vec_len:	in: room in @vec, in elements. Must be at least @len / page size
 * @filled:	out: how many elements were written; fewer than asked when the
 *		call was interrupted
 *
 * A snapshot: pages may move before the call returns.
 */
struct gmem_residency {
	__u32 size;
	__u32 flags;
	__u64 addr;
	__u64 len;
	__u64 vec;
	__u64 vec_len;
	__u64 filled;
};

#define GMEM_NODE_NONE		(-1)	/* no page: never touched, or swapped */
#define GMEM_NODE_UNKNOWN	(-2)	/* not ordinary memory, or not mapped */

#define GMEM_IOC_RESIDENCY	_IO('g', 0x60)

#endif /* _UAPI_LINUX_GMEM_H */

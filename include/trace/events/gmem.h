/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM gmem

#if !defined(_TRACE_GMEM_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_GMEM_H

#include <linux/mmu_notifier.h>
#include <linux/tracepoint.h>
#include <linux/types.h>

struct gm_as;
struct gm_context;

#define GM_OUTCOMES				\
	EM(GM_FAULT_NONE, "none")		\
	EM(GM_FAULT_MIGRATED, "migrated")	\
	EM(GM_FAULT_LOCAL, "local")		\
	EMe(GM_FAULT_INPLACE, "inplace")

#define GM_NOTIFY_EVENTS				\
	EM(MMU_NOTIFY_UNMAP, "unmap")			\
	EM(MMU_NOTIFY_CLEAR, "clear")			\
	EM(MMU_NOTIFY_PROTECTION_VMA, "protection_vma")	\
	EM(MMU_NOTIFY_PROTECTION_PAGE, "protection_page") \
	EM(MMU_NOTIFY_SOFT_DIRTY, "soft_dirty")		\
	EM(MMU_NOTIFY_RELEASE, "release")		\
	EM(MMU_NOTIFY_MIGRATE, "migrate")		\
	EMe(MMU_NOTIFY_EXCLUSIVE, "exclusive")

#undef EM
#undef EMe
#define EM(a, b) TRACE_DEFINE_ENUM(a);
#define EMe(a, b) TRACE_DEFINE_ENUM(a);
GM_OUTCOMES
GM_NOTIFY_EVENTS

#undef EM
#undef EMe
#define EM(a, b) { a, b },
#define EMe(a, b) { a, b }

/*
 * gm_fault - a device fault was resolved, or not
 * @as: address space number
 * @dev: device number
 * @va: faulting address
 * @access: GM_PROT_* bits
 * @outcome: how it was resolved
 * @retries: how often it began again
 * @ret: 0 or a negative errno
 */
TRACE_EVENT(gm_fault,

	TP_PROTO(const struct gm_context *ctx, const struct gm_fault *fault,
		 unsigned int retries),

	TP_ARGS(ctx, fault, retries),

	TP_STRUCT__entry(
		__field(unsigned int, as)
		__field(unsigned int, dev)
		__field(unsigned long, va)
		__field(u32, access)
		__field(int, outcome)
		__field(unsigned int, retries)
		__field(int, ret)
	),

	TP_fast_assign(
		__entry->as = ctx->as->id;
		__entry->dev = ctx->dev->id;
		__entry->va = fault->va;
		__entry->access = fault->access;
		__entry->outcome = fault->outcome;
		__entry->retries = retries;
		__entry->ret = fault->ret;
	),

	TP_printk("as=%u dev=%u va=%#lx access=%s outcome=%s retries=%u ret=%d",
		  __entry->as, __entry->dev, __entry->va,
		  __print_flags(__entry->access, "|", { GM_PROT_READ, "r" },
				{ GM_PROT_WRITE, "w" },
				{ GM_PROT_ATOMIC, "a" }),
		  __print_symbolic(__entry->outcome, GM_OUTCOMES),
		  __entry->retries, __entry->ret)
);

/*
 * gm_migrate - pages were moved to or from device memory
 * @hnid: the device memory's id
 * @to_device: direction
 * @start: first address
 * @end: end, exclusive
 * @moved: pages that moved
 * @peer: id of another device's memory that some came from directly, or -1
 * @direct: how many of @moved came from there or from others like it
 */
TRACE_EVENT(gm_migrate,

	TP_PROTO(int hnid, bool to_device, unsigned long start,
		 unsigned long end, unsigned long moved, int peer,
		 unsigned long direct),

	TP_ARGS(hnid, to_device, start, end, moved, peer, direct),

	TP_STRUCT__entry(
		__field(int, hnid)
		__field(bool, to_device)
		__field(unsigned long, start)
		__field(unsigned long, end)
		__field(unsigned long, moved)
		__field(int, peer)
		__field(unsigned long, direct)
	),

	TP_fast_assign(
		__entry->hnid = hnid;
		__entry->to_device = to_device;
		__entry->start = start;
		__entry->end = end;
		__entry->moved = moved;
		__entry->peer = peer;
		__entry->direct = direct;
	),

	TP_printk("hnid=%d dir=%s start=%#lx end=%#lx moved=%lu peer=%d direct=%lu",
		  __entry->hnid, __entry->to_device ? "to_device" : "to_host",
		  __entry->start, __entry->end, __entry->moved, __entry->peer,
		  __entry->direct)
);

/*
 * gm_invalidate - a change of the CPU side met something recorded
 * @as: address space number
 * @start: first address
 * @end: end, exclusive
 * @event: why
 * @blockable: whether the caller may be kept waiting
 * @ret: 0, or -EAGAIN when it could not be done without waiting
 */
TRACE_EVENT(gm_invalidate,

	TP_PROTO(const struct gm_as *as, unsigned long start,
		 unsigned long end, int event, bool blockable, int ret),

	TP_ARGS(as, start, end, event, blockable, ret),

	TP_STRUCT__entry(
		__field(unsigned int, as)
		__field(unsigned long, start)
		__field(unsigned long, end)
		__field(int, event)
		__field(bool, blockable)
		__field(int, ret)
	),

	TP_fast_assign(
		__entry->as = as->id;
		__entry->start = start;
		__entry->end = end;
		__entry->event = event;
		__entry->blockable = blockable;
		__entry->ret = ret;
	),

	TP_printk("as=%u start=%#lx end=%#lx event=%s blockable=%d ret=%d",
		  __entry->as, __entry->start, __entry->end,
		  __print_symbolic(__entry->event, GM_NOTIFY_EVENTS),
		  __entry->blockable, __entry->ret)
);

/*
 * gm_evict - frames were emptied without a CPU fault
 * @hnid: the device memory's id
 * @pfn: first page frame number
 * @moved: pages that went home
 * @poisoned: pages whose data could not be carried home
 */
TRACE_EVENT(gm_evict,

	TP_PROTO(int hnid, unsigned long pfn, unsigned long moved,
		 unsigned long poisoned),

	TP_ARGS(hnid, pfn, moved, poisoned),

	TP_STRUCT__entry(
		__field(int, hnid)
		__field(unsigned long, pfn)
		__field(unsigned long, moved)
		__field(unsigned long, poisoned)
	),

	TP_fast_assign(
		__entry->hnid = hnid;
		__entry->pfn = pfn;
		__entry->moved = moved;
		__entry->poisoned = poisoned;
	),

	TP_printk("hnid=%d pfn=%#lx moved=%lu poisoned=%lu", __entry->hnid,
		  __entry->pfn, __entry->moved, __entry->poisoned)
);

#undef EM
#undef EMe

#endif /* _TRACE_GMEM_H */

#include <trace/define_trace.h>

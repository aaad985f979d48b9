// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flights: how a fault learns that what it is about to install has changed.
 *
 * A fault watches its range with an interval notifier of its own, from before it
 * moves anything until its translations are installed. The notifier removes what
 * the fault may just have installed, whatever the record says: see invalidate.c.
 * The fault's own migrations are not news to it, as long as it has installed
 * nothing: then there is nothing to remove. Nor is what it does to take a page from
 * the CPUs, such as splitting a huge one: what is mapped is what came of it.
 */
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>

#include "internal.h"

static bool gm_flight_is_own(const struct gm_flight *flight,
			     const struct mmu_notifier_range *range)
{
	if (flight->task != current || flight->installed)
		return false;
	return flight->quiet || (range->event == MMU_NOTIFY_MIGRATE &&
				 range->owner == gm_pgmap_owner());
}

static bool gm_flight_invalidate(struct mmu_interval_notifier *notifier,
				 const struct mmu_notifier_range *range,
				 unsigned long seq)
{
	struct gm_flight *flight = container_of(notifier, struct gm_flight,
						notifier);
	unsigned long start = max(range->start, flight->start);
	unsigned long end = min(range->end, flight->end);
	bool block = mmu_notifier_range_blockable(range);
	struct gm_context *ctx = flight->ctx;
	int ret = 0;

	if (gm_flight_is_own(flight, range))
		return true;
	if (block)
		down_write(&ctx->as->map_lock);
	else if (!down_write_trylock(&ctx->as->map_lock))
		return false;
	mmu_interval_set_seq(notifier, seq);
	if (!ctx->dead)
		ret = gm_unmap_ctx(ctx, start, end,
				   block ? 0 : GM_UNMAP_NONBLOCK);
	up_write(&ctx->as->map_lock);
	return !ret;
}

static const struct mmu_interval_notifier_ops gm_flight_ops = {
	.invalidate = gm_flight_invalidate,
};

/**
 * gm_flight_begin() - watch a range
 * @flight: to be set up
 * @ctx: whose translations; kept as memory
 * @start: first address
 * @end: end, exclusive
 *
 * Context: may sleep and allocate; the mmap_lock is not held. The mm's users are
 * held.
 * Return: 0 or -ENOMEM.
 */
int gm_flight_begin(struct gm_flight *flight, struct gm_context *ctx,
		    unsigned long start, unsigned long end)
{
	flight->ctx = ctx;
	flight->start = start;
	flight->end = end;
	flight->task = current;
	flight->installed = false;
	flight->quiet = false;
	return mmu_interval_notifier_insert(&flight->notifier, ctx->as->mm,
					    start, end - start, &gm_flight_ops);
}

/**
 * gm_flight_end() - stop watching
 * @flight: begun
 *
 * Context: may sleep, waits for an invalidation that is under way.
 */
void gm_flight_end(struct gm_flight *flight)
{
	mmu_interval_notifier_remove(&flight->notifier);
}

/*
 * Not in the middle of an invalidation that has counted what it gives up, and not yet
 * removed it from the record: what is recorded now would go with it.
 */
static void gm_flight_sample_overshoot(struct gm_flight *flight)
{
	struct gm_as *as = flight->ctx->as;

	guard(rwsem_read)(&as->map_lock);
	flight->overshoot = as->overshoot;
}

/**
 * gm_flight_sample() - what is read from now on counts
 * @flight: begun
 *
 * Context: may sleep, waits for an invalidation that is under way.
 */
void gm_flight_sample(struct gm_flight *flight)
{
	flight->seq = mmu_interval_read_begin(&flight->notifier);
	gm_flight_sample_overshoot(flight);
}

/**
 * gm_flight_quiet_begin() - what this task does to the CPU side is no news
 * @flight: begun; nothing was installed since it was sampled
 *
 * For a step whose result is read after all that it changes. Changes that others
 * make are noticed as ever.
 */
void gm_flight_quiet_begin(struct gm_flight *flight)
{
	flight->quiet = true;
}

/**
 * gm_flight_quiet_end() - end what gm_flight_quiet_begin() began
 * @flight: begun; nothing was recorded since it was sampled
 */
void gm_flight_quiet_end(struct gm_flight *flight)
{
	flight->quiet = false;
	/* What was removed too much by that step is no news either. */
	gm_flight_sample_overshoot(flight);
}

/**
 * gm_flight_seems_to_hold() - whether nothing changed since gm_flight_sample()
 * @flight: begun
 *
 * Return: false if something did; true says little.
 */
bool gm_flight_seems_to_hold(const struct gm_flight *flight)
{
	return !mmu_interval_check_retry((struct mmu_interval_notifier *)
					 &flight->notifier, flight->seq);
}

/**
 * gm_flight_holds() - whether nothing changed since gm_flight_sample()
 * @flight: begun
 *
 * Context: gm_as.map_lock is held; the answer is good until it is released.
 * Return: true if so.
 */
bool gm_flight_holds(struct gm_flight *flight)
{
	struct gm_as *as = flight->ctx->as;

	lockdep_assert_held(&as->map_lock);
	return !mmu_interval_read_retry(&flight->notifier, flight->seq) &&
	       as->overshoot == flight->overshoot;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _MM_GMEM_STATS_H
#define _MM_GMEM_STATS_H

#include <linux/atomic.h>
#include <linux/types.h>

/**
 * enum gm_stat - what is counted, for each hnode and for each address space
 * @GM_STAT_FAULTS: device faults that were resolved
 * @GM_STAT_FAULTS_FAILED: device faults that returned an error
 * @GM_STAT_FAULTS_MIGRATED: resolved by moving data to the device
 * @GM_STAT_FAULTS_LOCAL: resolved by mapping data that was on the device
 * @GM_STAT_FAULTS_INPLACE: resolved by mapping host memory in place
 * @GM_STAT_HOST_FAULTS: CPU faults on data on the device
 * @GM_STAT_PAGES_IN: pages moved to the device, zeroed ones included
 * @GM_STAT_PAGES_OUT: pages moved back to the host
 * @GM_STAT_PAGES_REFUSED: pages that were wanted on the device but stayed
 * @GM_STAT_ALLOC_FAILED: requests for frames that found the hnode full
 * @GM_STAT_COPY_FAILED: copies that the device failed
 * @GM_STAT_PAGES_POISONED: pages whose data was lost with the device
 * @GM_STAT_PAGES_EXCLUSIVE: pages in host memory that were taken from the CPUs, for
 *	atomic access by a device
 * @GM_STAT_INVALIDATIONS: changes of the CPU side that removed translations
 * @GM_STAT_RETRIES: device faults that met a concurrent change and began again
 * @GM_STAT_PAGES_PEER_IN: of @GM_STAT_PAGES_IN, those that came directly from
 *	another device
 * @GM_STAT_PAGES_PEER_OUT: pages that another device took directly; not in
 *	@GM_STAT_PAGES_OUT
 * @NR_GM_STATS: how many there are
 */
enum gm_stat {
	GM_STAT_FAULTS,
	GM_STAT_FAULTS_FAILED,
	GM_STAT_FAULTS_MIGRATED,
	GM_STAT_FAULTS_LOCAL,
	GM_STAT_FAULTS_INPLACE,
	GM_STAT_HOST_FAULTS,
	GM_STAT_PAGES_IN,
	GM_STAT_PAGES_OUT,
	GM_STAT_PAGES_REFUSED,
	GM_STAT_ALLOC_FAILED,
	GM_STAT_COPY_FAILED,
	GM_STAT_PAGES_POISONED,
	GM_STAT_PAGES_EXCLUSIVE,
	GM_STAT_INVALIDATIONS,
	GM_STAT_RETRIES,
	GM_STAT_PAGES_PEER_IN,
	GM_STAT_PAGES_PEER_OUT,
	NR_GM_STATS
};

struct gm_stats {
	atomic_long_t count[NR_GM_STATS];
};

extern const char * const gm_stat_names[NR_GM_STATS];

static inline void gm_stat_add(struct gm_stats *stats, enum gm_stat item,
			       long nr)
{
	atomic_long_add(nr, &stats->count[item]);
}

static inline long gm_stat_read(const struct gm_stats *stats,
				enum gm_stat item)
{
	return atomic_long_read(&stats->count[item]);
}

#endif /* _MM_GMEM_STATS_H */

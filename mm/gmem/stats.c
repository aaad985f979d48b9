// SPDX-License-Identifier: GPL-2.0-only
/* The names of the counters, as sysfs and debugfs show them. */
#include <linux/array_size.h>
#include <linux/build_bug.h>

#include "stats.h"

const char * const gm_stat_names[] = {
	[GM_STAT_FAULTS] = "faults",
	[GM_STAT_FAULTS_FAILED] = "faults_failed",
	[GM_STAT_FAULTS_MIGRATED] = "faults_migrated",
	[GM_STAT_FAULTS_LOCAL] = "faults_local",
	[GM_STAT_FAULTS_INPLACE] = "faults_inplace",
	[GM_STAT_HOST_FAULTS] = "host_faults",
	[GM_STAT_PAGES_IN] = "pages_in",
	[GM_STAT_PAGES_OUT] = "pages_out",
	[GM_STAT_PAGES_REFUSED] = "pages_refused",
	[GM_STAT_ALLOC_FAILED] = "alloc_failed",
	[GM_STAT_COPY_FAILED] = "copy_failed",
	[GM_STAT_PAGES_POISONED] = "pages_poisoned",
	[GM_STAT_PAGES_EXCLUSIVE] = "pages_exclusive",
	[GM_STAT_INVALIDATIONS] = "invalidations",
	[GM_STAT_RETRIES] = "retries",
	[GM_STAT_PAGES_PEER_IN] = "pages_peer_in",
	[GM_STAT_PAGES_PEER_OUT] = "pages_peer_out",
};

static_assert(ARRAY_SIZE(gm_stat_names) == NR_GM_STATS);

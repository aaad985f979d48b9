// SPDX-License-Identifier: GPL-2.0-only
/* Start of the subsystem. It is built in, and never ends. */
#include <linux/init.h>
#include <linux/mm.h>

#include "internal.h"

/* The large granule is what migrate_vma calls compound. */
static_assert(PMD_SHIFT == GM_BLOCK_SHIFT);

static int __init gm_init(void)
{
	int ret;

	ret = gm_as_init();
	if (!ret)
		ret = gm_hibernate_init();
	if (!ret)
		ret = gm_sysfs_init();
	if (!ret)
		ret = gm_residency_init();
	if (ret)
		return ret;
	gm_debugfs_init();
	return 0;
}
subsys_initcall(gm_init);

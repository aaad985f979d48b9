// SPDX-License-Identifier: GPL-2.0-only
/*
 * drm_gpusvm and drm_pagemap, as their documentation prescribes: the same device
 * and the same ioctls as for GMEM, another driver behind them. It has no call
 * that moves data beforehand: the device touches what it will need.
 */
#include "bench.h"

const struct contender svm = {
	.key = "svm",
	.name = "drm_gpusvm and drm_pagemap, the same accelerator",
	.module = "gmem_bench_svm.ko",
	.parameters = "engine=cpu",
	.node = "/dev/gmem-svm%u",
	.to_device = mock_touch,
	.again = mock_touch,
	.inplace = mock_touch_inplace,
	.inplace_again = mock_touch_inplace,
	.to_host = cpu_reads,
	.to_host_again = cpu_reads,
	.read = mock_read,
	.write = mock_write,
	.counts = mock_counts,
	.cannot = {
		[CAN_COUNT] = "keeps no count of what its ranges take",
	},
};

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Show what happened since the last time, and check that the story holds
 * together: where pages are, and what the counters say, must agree.
 */
#ifndef DEMO_SHOW_H
#define DEMO_SHOW_H

#include <stdbool.h>
#include <stddef.h>

#include "device.h"

/* A piece of memory to draw. */
struct area {
	const char *name;
	const void *start;
	size_t len;
};

struct show {
	const struct device *dev;
	struct gmem_mock_stats last;
	uint64_t base_in;	/* pages the node took in and gave back */
	uint64_t base_out;	/* before we came */
	uint64_t host_faults;
	unsigned int step;
	uint64_t device_faults;	/* of the last step */
	uint64_t cpu_faults;
};

bool show_begin(struct show *show, const struct device *dev);
void show_title(struct show *show, const char *what);

/* The end of a step: draw, print what was counted, check. False: it is off. */
bool show_result(struct show *show, const struct area *areas, unsigned int nr);

/* What the device counted since the last show_result(). */
bool show_delta(struct show *show, struct gmem_mock_stats *delta);

/* Is all of the area on this node? -1: on any node of the host. */
bool area_is_on(const struct area *area, int node);

#endif /* DEMO_SHOW_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two pointers to everything that a program has to manage if the device does
 * not work on its own: where a buffer is at the host, and where on the device.
 */
#include "bench.h"

#define MAX_PAIRS	8

/* The two pointers. */
static struct pair {
	char *host;
	size_t len;
	uint64_t device;
} pairs[MAX_PAIRS];

static unsigned int nr_pairs;

void pair_add(char *va, size_t len)
{
	struct pair *last = &pairs[nr_pairs];

	must(nr_pairs < MAX_PAIRS, "too many buffers");
	*last = (struct pair){ .host = va, .len = len };
	if (nr_pairs)
		last->device = last[-1].device + last[-1].len;
	nr_pairs++;
}

void pair_remove(char *va, size_t len)
{
	must(nr_pairs && pairs[nr_pairs - 1].host == va &&
	     pairs[nr_pairs - 1].len == len,
	     "buffers go in the order in which they came");
	nr_pairs--;
}

uint64_t device_address(const char *va)
{
	unsigned int i;

	for (i = 0; i < nr_pairs; i++)
		if (va >= pairs[i].host && va < pairs[i].host + pairs[i].len)
			return pairs[i].device + (va - pairs[i].host);
	must(false, "a pointer has no counterpart");
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests can do to, and learn from, the environment of the table. */
#ifndef _LPT_TEST_SHIM_H
#define _LPT_TEST_SHIM_H

#include <stdbool.h>
#include <stddef.h>

/* Allocations that still succeed; negative: all do. */
extern long shim_allocs_left;
/* Whether all allocations fail that may not block. */
extern bool shim_nowait_fails;
/* Counted from the start: requests, failed ones included. */
extern unsigned long shim_requests;
/* Memory that is allocated now, as the slab allocator would round it. */
extern size_t shim_bytes;
/* Called, if set, by every allocation that may block. */
extern void (*shim_block_hook)(void);
/* Called, if set, in between the reads of a reader that holds no lock. */
extern void (*shim_read_hook)(void);

void shim_init(void);

#endif /* _LPT_TEST_SHIM_H */

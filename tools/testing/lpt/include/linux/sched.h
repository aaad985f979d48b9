/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LPT_TEST_SCHED_H
#define _LPT_TEST_SCHED_H

#include <linux/spinlock.h>

#define might_sleep()		assert(!spin_test_held)
#define might_sleep_if(cond)	assert(!(cond) || !spin_test_held)
#define cond_resched()		might_sleep()

#endif /* _LPT_TEST_SCHED_H */

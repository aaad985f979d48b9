/* SPDX-License-Identifier: GPL-2.0-only */
/* A warning ends the test. */
#ifndef _LPT_TEST_BUG_H
#define _LPT_TEST_BUG_H

#include <assert.h>

#define WARN_ON(condition)					\
({								\
	int __warn = !!(condition);				\
								\
	assert(!__warn);					\
	__warn;							\
})
#define WARN_ON_ONCE(condition)		WARN_ON(condition)
#define WARN(condition, ...)		WARN_ON(condition)
#define WARN_ONCE(condition, ...)	WARN_ON(condition)
#define __WARN_printf(...)		assert(0)

#endif /* _LPT_TEST_BUG_H */

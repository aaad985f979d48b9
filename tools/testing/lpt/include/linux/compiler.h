/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LPT_TEST_COMPILER_H
#define _LPT_TEST_COMPILER_H

#include_next <linux/compiler.h>

void rcu_test_read(void);

#undef READ_ONCE
#define READ_ONCE(x)							\
	(rcu_test_read(), __atomic_load_n(&(x), __ATOMIC_RELAXED))

#endif /* _LPT_TEST_COMPILER_H */

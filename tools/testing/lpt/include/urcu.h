/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stands in for liburcu. Everything runs in one thread here, so a grace period
 * is over whenever a test says so: callbacks wait until rcu_test_quiesce().
 */
#ifndef _LPT_TEST_URCU_H
#define _LPT_TEST_URCU_H

#include <assert.h>
#include <stddef.h>

struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
};

extern int rcu_test_nesting;

/* Called whenever a reader without lock reads something that may change. */
void rcu_test_read(void);

void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));
void rcu_test_quiesce(void);

#define rcu_read_lock()			((void)rcu_test_nesting++)
#define rcu_read_unlock()		assert(rcu_test_nesting-- > 0)
#define rcu_dereference(p)						\
	(rcu_test_read(), __atomic_load_n(&(p), __ATOMIC_ACQUIRE))
#define rcu_assign_pointer(p, v)	\
	__atomic_store_n(&(p), (v), __ATOMIC_RELEASE)

#endif /* _LPT_TEST_URCU_H */

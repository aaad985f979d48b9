/* SPDX-License-Identifier: GPL-2.0-only */
/* Spinlocks of a single thread: they only know whether they are held. */
#ifndef _LPT_TEST_SPINLOCK_H
#define _LPT_TEST_SPINLOCK_H

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>

typedef struct {
	bool held;
} spinlock_t;

extern int spin_test_held;

#define __SPIN_LOCK_UNLOCKED(x)		((spinlock_t){})
#define spin_lock_init(x)		((void)((x)->held = false))
#define spin_lock_nested(x, subclass)	spin_lock(x)
#define spin_lock_bh(x)			spin_lock(x)
#define spin_unlock_bh(x)		spin_unlock(x)
#define spin_lock_irq(x)		spin_lock(x)
#define spin_unlock_irq(x)		spin_unlock(x)
#define lockdep_is_held(x)		((x)->held)
#define lockdep_assert_held(x)		assert((x)->held)

static inline void spin_lock(spinlock_t *lock)
{
	assert(!lock->held);
	lock->held = true;
	spin_test_held++;
}

static inline void spin_unlock(spinlock_t *lock)
{
	assert(lock->held);
	lock->held = false;
	spin_test_held--;
}

#endif /* _LPT_TEST_SPINLOCK_H */

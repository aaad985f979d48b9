/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LPT_TEST_LOCKDEP_H
#define _LPT_TEST_LOCKDEP_H

#include <linux/spinlock.h>

struct lock_class_key {
};

#endif /* _LPT_TEST_LOCKDEP_H */

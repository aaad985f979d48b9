/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LPT_TEST_LIMITS_H
#define _LPT_TEST_LIMITS_H

#include_next <linux/limits.h>
#include <limits.h>
#include <stdint.h>

#define U16_MAX		UINT16_MAX

#endif /* _LPT_TEST_LIMITS_H */

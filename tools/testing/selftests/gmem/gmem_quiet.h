/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every test of the harness has: an end, however it goes, and invariant I4 there and
 * when its processes are gone.
 */
#ifndef GMEM_QUIET_H
#define GMEM_QUIET_H

#include "kselftest_harness.h"
#include "gmem_test.h"

/* A test that takes longer hangs: the harness kills it and reports it. */
#define GT_TIMEOUT	300

/* What is in use is recorded, and what is recorded is in use. */
static inline void gt_expect_sound(struct __test_metadata *_metadata)
{
	struct gt_check check = { };

	EXPECT_EQ(0, gt_sound(&check));
	EXPECT_EQ(0, check.leaked);
	EXPECT_EQ(0, check.stale);
	EXPECT_EQ(0, check.unrecorded);
}

/* For the process that forked the test: nothing is left of it. */
static inline void gt_expect_quiet(struct __test_metadata *_metadata)
{
	struct gt_check check = { };

	EXPECT_EQ(0, gt_quiet_after(&check));
	EXPECT_EQ(0, check.frames_used);
	EXPECT_EQ(0, check.leaked);
	EXPECT_EQ(0, check.stale);
	EXPECT_EQ(0, check.unrecorded);
}

#endif /* GMEM_QUIET_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of the GMEM selftests: all devices are open, the engine is the
 * CPU (edu's takes 100 ms a transfer). After the processes of a test are gone,
 * no frame of any device may be in use, none leaked, and no translation stale
 * (invariants I1 and I4): that is checked after every test, whatever it did.
 */
#ifndef GMEM_FIXTURE_H
#define GMEM_FIXTURE_H

#include "kselftest_harness.h"
#include "gmem_test.h"

/* A test that takes longer hangs: the harness kills it and reports it. */
#define GT_TIMEOUT	300
/* For something to happen: only a machine that hangs takes that long. */
#define GT_PATIENCE_MS	200000
/* Of something that races: less than so many rounds show nothing. */
#define GT_ENOUGH	20

#define GT_TEST(name)	TEST_F_TIMEOUT(gmem, name, GT_TIMEOUT)

FIXTURE(gmem)
{
	struct gt_dev dev[GT_MAX_DEVS];
	unsigned int nr;
};

FIXTURE_SETUP(gmem)
{
	unsigned int i;

	self->nr = gt_dev_count();
	ASSERT_GE(self->nr, 1)
		TH_LOG("no /dev/gmem-mock0: is gmem_mock loaded?");
	ASSERT_EQ(0, gt_set_engine("cpu"));
	for (i = 0; i < self->nr; i++)
		ASSERT_EQ(0, gt_open(&self->dev[i], i));
}

FIXTURE_TEARDOWN_PARENT(gmem)
{
	struct gt_check check = { };

	EXPECT_EQ(0, gt_quiet_after(&check));
	EXPECT_EQ(0, check.frames_used);
	EXPECT_EQ(0, check.leaked);
	EXPECT_EQ(0, check.stale);
}

#endif /* GMEM_FIXTURE_H */

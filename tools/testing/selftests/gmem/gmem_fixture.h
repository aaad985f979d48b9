/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of the GMEM selftests: all devices are open, the engine is the
 * CPU (edu's takes 100 ms a transfer). Invariant I4 is checked twice, whatever a test
 * did. At its end, while its devices are open: no frame that is in use has leaked, none
 * that a page table holds is free, and what is on a device is recorded. And when its
 * processes are gone: then no frame of any device is in use.
 */
#ifndef GMEM_FIXTURE_H
#define GMEM_FIXTURE_H

#include "gmem_quiet.h"

/* For something to happen: only a machine that hangs takes that long. */
#define GT_PATIENCE_MS	200000
/* Of something that races: less than so many rounds show nothing. */
#define GT_ENOUGH	20

/* What a helper of a test gets of the fixture. */
#define GT_SELF		FIXTURE_DATA(gmem)
#define GT_VARIANT	FIXTURE_VARIANT(gmem)

#define GT_TEST(name)	GT_TEST_TIMEOUT(name, GT_TIMEOUT)

/*
 * One that fails an assertion jumps over what is behind its body. The structures are
 * what the harness makes of GT_SELF and GT_VARIANT.
 */
#define GT_TEST_TIMEOUT(name, timeout) \
	static void body_##name(struct __test_metadata *_metadata, \
				struct _test_data_gmem *self, \
				const struct _fixture_variant_gmem *variant); \
	TEST_F_TIMEOUT(gmem, name, timeout) \
	{ \
		body_##name(_metadata, self, variant); \
		gt_expect_sound(_metadata); \
	} \
	static void body_##name(struct __test_metadata *_metadata, \
				struct _test_data_gmem *self, \
				const struct _fixture_variant_gmem *variant)

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
	gt_expect_quiet(_metadata);
}

#endif /* GMEM_FIXTURE_H */

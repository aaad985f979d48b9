/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests that run on data in huge and in base pages. */
#ifndef GMEM_SIZES_H
#define GMEM_SIZES_H

#include "gmem_fixture.h"

FIXTURE_VARIANT(gmem)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(gmem, huge)
{
	.huge = true,
};

FIXTURE_VARIANT_ADD(gmem, base)
{
	.huge = false,
};

#endif /* GMEM_SIZES_H */

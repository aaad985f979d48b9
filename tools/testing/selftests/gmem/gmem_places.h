/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests that run on data in huge and in base pages, on a device and in host
 * memory that the device uses in place.
 */
#ifndef GMEM_PLACES_H
#define GMEM_PLACES_H

#include "gmem_exercise.h"

FIXTURE_VARIANT(gmem)
{
	bool huge;
	bool inplace;
};

FIXTURE_VARIANT_ADD(gmem, huge)
{
	.huge = true,
};

FIXTURE_VARIANT_ADD(gmem, base)
{
	.huge = false,
};

FIXTURE_VARIANT_ADD(gmem, huge_inplace)
{
	.huge = true,
	.inplace = true,
};

FIXTURE_VARIANT_ADD(gmem, base_inplace)
{
	.inplace = true,
};

#endif /* GMEM_PLACES_H */

// SPDX-License-Identifier: GPL-2.0-only
/* pci.c of the mock accelerator, in this module: see gm.h. */
#define GMOCK_NAME		"gmem-copy"
#define GMOCK_DESCRIPTION	"GMEM benchmark: the mock accelerator without shared memory"
#include "gm.h"
#include "../gmem-mock/pci.c"

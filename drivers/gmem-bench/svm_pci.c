// SPDX-License-Identifier: GPL-2.0-only
/* pci.c of the mock accelerator, in this module: see gm.h. */
#define GMOCK_NAME		"gmem-svm"
#include "gm.h"
#include "../gmem-mock/pci.c"

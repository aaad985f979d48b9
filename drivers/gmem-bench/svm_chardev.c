// SPDX-License-Identifier: GPL-2.0-only
/* chardev.c of the mock accelerator, in this module: see gm.h. */
#define GMOCK_NAME		"gmem-svm"
/* A child that was left data holds up the end of the module: see svm.h. */
#define GMOCK_MODE		0600
#include "gm.h"
#include "../gmem-mock/chardev.c"

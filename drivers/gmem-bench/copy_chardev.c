// SPDX-License-Identifier: GPL-2.0-only
/* chardev.c of the mock accelerator, in this module: see gm.h. */
#define GMOCK_NAME		"gmem-copy"
#include "gm.h"
#include "../gmem-mock/chardev.c"

// SPDX-License-Identifier: GPL-2.0-only
/* chardev.c of the mock accelerator, in this module: see gm.h. */
#define GMOCK_NAME		"gmem-copy"
/* All files reach all of the device's memory, and what others left there. */
#define GMOCK_MODE		0600
#include "gm.h"
#include "../gmem-mock/chardev.c"

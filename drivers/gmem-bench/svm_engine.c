// SPDX-License-Identifier: GPL-2.0-only
/* engine.c of the mock accelerator, in this module: see gm.h. */
#include "gm.h"
#include "../gmem-mock/engine.c"

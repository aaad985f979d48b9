/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LPT_TEST_SLAB_H
#define _LPT_TEST_SLAB_H

#include_next <linux/slab.h>

#define kmalloc_obj(obj, gfp)		kmalloc(sizeof(obj), gfp)
#define kmalloc_objs(obj, nr, gfp)	kmalloc((nr) * sizeof(obj), gfp)

#endif /* _LPT_TEST_SLAB_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel under test has and the C library's headers may be too old to name.
 */
#ifndef GMEM_ABI_H
#define GMEM_ABI_H

#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef __NR_memfd_secret
#define __NR_memfd_secret	447
#endif
#ifndef __NR_mseal
#define __NR_mseal		462
#endif

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE		0x08
#endif

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_HWPOISON
#define MADV_HWPOISON		100
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif

#endif /* GMEM_ABI_H */

/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * GMEM benchmark: /dev/gmem-copyN.
 *
 * The mock accelerator as a device that shares no memory with programs. It has the
 * ioctls of <linux/gmem_mock.h>, whose addresses are those of the device: offsets
 * into its memory, of which the program disposes. pwrite(2) copies to the device,
 * pread(2) from it; the offset is the device's address.
 */
#ifndef _UAPI_LINUX_GMEM_BENCH_H
#define _UAPI_LINUX_GMEM_BENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

#include <linux/gmem_mock.h>

enum {
	GMEM_BENCH_CMD_LIMIT = 0xc0,
};

/* &gmem_bench_limit.flags */
#define GMEM_BENCH_LIMIT_TO_HOST	(1U << 0)	/* else to the device */

/**
 * struct gmem_bench_limit - ioctl(GMEM_BENCH_LIMIT)
 * @size:	sizeof(struct gmem_bench_limit)
 * @flags:	GMEM_BENCH_LIMIT_* bits
 * @va:		host address, a multiple of the page size
 * @offset:	device address, a multiple of the page size
 * @len:	bytes, a multiple of the page size, at most
 *		%GMEM_BENCH_LIMIT_MAX
 * @ns:		out: time that the copies took
 *
 * What contenders are measured by: copy the range by a CPU, page by page, with the
 * routine that copies for those on this device. @ns is the time for this loop alone.
 * Finding the pages is not in it.
 *
 * The errnos are those of the other ioctls; EFAULT stands for a range that is not
 * mapped, or is outside of the device's memory.
 */
struct gmem_bench_limit {
	__u32 size;
	__u32 flags;
	__aligned_u64 va;
	__aligned_u64 offset;
	__aligned_u64 len;
	__aligned_u64 ns;
};

#define GMEM_BENCH_LIMIT_MAX	(1UL << 30)

#define GMEM_BENCH_LIMIT	_IO(GMEM_MOCK_TYPE, GMEM_BENCH_CMD_LIMIT)

#endif /* _UAPI_LINUX_GMEM_BENCH_H */

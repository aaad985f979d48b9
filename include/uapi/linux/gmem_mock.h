/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * GMEM mock accelerator: /dev/gmem-mockN.
 *
 * Opening the file attaches the accelerator to the address space of the
 * process that opens it. From then on the device computes on the process's own
 * pointers: there is no buffer to allocate and nothing to copy. Closing it
 * detaches.
 */
#ifndef _UAPI_LINUX_GMEM_MOCK_H
#define _UAPI_LINUX_GMEM_MOCK_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Version of this interface, in &gmem_mock_query.abi_version. */
#define GMEM_MOCK_ABI_VERSION	1

#define GMEM_MOCK_TYPE		0xBB

/**
 * DOC: General ioctl format
 *
 * Every ioctl takes a pointer to a structure that starts with its own size, so
 * that it can grow. A driver that does not know the end of a larger structure
 * accepts it if that end is zero; of a smaller one only the fields that
 * existed in the first version are required.
 *
 * These errnos mean the same in every ioctl:
 *
 * ENOTTY
 *	the ioctl is not known
 * E2BIG
 *	the structure has non-zero bytes that the driver does not know
 * EOPNOTSUPP
 *	a flag or an opcode is not known
 * EINVAL
 *	a field has a value that it must not have
 * EFAULT
 *	the structure or a buffer that it points to cannot be accessed
 * ENOMEM
 *	out of memory
 * EPERM
 *	the caller does not live in the address space that the file was opened
 *	in, for instance after fork() or exec(), or because the file was passed
 *	on. QUERY and STATS are allowed
 * ENODEV
 *	the device is gone; the file is good for nothing but close()
 * EINTR
 *	SNAPSHOT only, as RUN says it in its operations: a signal arrived, and
 *	what was found until then is not reported
 */
enum {
	GMEM_MOCK_CMD_QUERY = 0x80,
	GMEM_MOCK_CMD_STATS,
	GMEM_MOCK_CMD_RUN,
	GMEM_MOCK_CMD_SNAPSHOT,
};

/**
 * enum gmem_mock_engine - what moves the data
 * @GMEM_MOCK_ENGINE_EDU: the DMA engine of the edu device, with interrupts
 * @GMEM_MOCK_ENGINE_CPU: memcpy() by a CPU
 * @GMEM_MOCK_ENGINE_AUTO: edu for copies of up to &gmem_mock_query.edu_max
 *	bytes, a CPU for larger ones
 *
 * Chosen by the module parameter "engine" (edu, cpu or auto), which can be
 * changed at any time in /sys/module/gmem_mock/parameters/engine.
 */
enum gmem_mock_engine {
	GMEM_MOCK_ENGINE_EDU,
	GMEM_MOCK_ENGINE_CPU,
	GMEM_MOCK_ENGINE_AUTO,
};

/* &gmem_mock_query.caps */
#define GMEM_MOCK_CAP_MSI	(1U << 0)	/* interrupts by MSI, not INTx */
#define GMEM_MOCK_CAP_INPLACE	(1U << 1)	/* host memory is usable in place */
#define GMEM_MOCK_CAP_VERIFY	(1U << 2)	/* every edu DMA is verified */
#define GMEM_MOCK_CAP_HOST_ATOMICS (1U << 3)	/* ATOMIC_ADD in place is atomic for CPUs */

/**
 * struct gmem_mock_query - ioctl(GMEM_MOCK_QUERY)
 * @size:	sizeof(struct gmem_mock_query)
 * @flags:	must be 0
 * @abi_version: out: %GMEM_MOCK_ABI_VERSION
 * @hnid:	out: node id of the device's memory, for hmadvise(2)
 * @dev_id:	out: GMEM's number of this device
 * @caps:	out: GMEM_MOCK_CAP_* bits
 * @engine:	out: &enum gmem_mock_engine in use now
 * @max_ops:	out: largest &gmem_mock_run.nr_ops
 * @mem_bytes:	out: bytes of device memory
 * @pgsize_bitmap: out: translation sizes, one bit each
 * @edu_max:	out: largest copy that the auto engine gives to edu, in bytes
 * @max_len:	out: largest &gmem_mock_op.len
 *
 * What the device is. Never touches memory.
 */
struct gmem_mock_query {
	__u32 size;
	__u32 flags;
	__u32 abi_version;
	__s32 hnid;
	__u32 dev_id;
	__u32 caps;
	__u32 engine;
	__u32 max_ops;
	__aligned_u64 mem_bytes;
	__aligned_u64 pgsize_bitmap;
	__aligned_u64 edu_max;
	__aligned_u64 max_len;
};

#define GMEM_MOCK_QUERY		_IO(GMEM_MOCK_TYPE, GMEM_MOCK_CMD_QUERY)

/**
 * struct gmem_mock_stats - ioctl(GMEM_MOCK_STATS)
 * @size:	sizeof(struct gmem_mock_stats)
 * @flags:	must be 0
 *
 * Of this file (one context of the device):
 *
 * @faults:	device faults that were raised
 * @faults_failed: ... that ended in an error
 * @faults_migrated: ... that moved data to the device
 * @faults_local: ... whose data was on the device already
 * @faults_inplace: ... that mapped host memory where it is
 * @fault_retries: times that a fault had to be repeated
 * @tlb_hits:	accesses that found their translation in the TLB
 * @tlb_misses:	accesses that walked the page table
 * @maps_4k:	4 KiB translations that were installed
 * @maps_2m:	2 MiB translations that were installed
 * @unmaps:	unmap calls that removed at least one translation
 * @unmaps_again: unmap calls that could not be done without sleeping
 *
 * Of the device, all files together:
 *
 * @edu_dmas:	DMA transfers of edu that completed
 * @edu_irqs:	interrupts of edu, DMA and factorial
 * @edu_timeouts: DMA transfers that did not complete in time
 * @edu_bytes:	bytes that edu's engine moved, in and out counted once
 * @cpu_bytes:	bytes that a CPU moved
 * @to_device_bytes: bytes that GMEM had copied to device memory
 * @from_device_bytes: bytes that GMEM had copied to host memory
 * @zeroed_bytes: bytes of device memory that GMEM had cleared
 * @copy_errors: copies that failed
 * @verify_errors: DMA transfers that brought wrong data
 * @copy_ns:	time spent copying, by any engine; what a benchmark leaves out
 * @peer_bytes:	bytes that GMEM had copied from another device's memory to this
 *		one's, counted in neither of the two above
 *
 * Counters only grow. They are not a consistent snapshot of each other.
 */
struct gmem_mock_stats {
	__u32 size;
	__u32 flags;
	__aligned_u64 faults;
	__aligned_u64 faults_failed;
	__aligned_u64 faults_migrated;
	__aligned_u64 faults_local;
	__aligned_u64 faults_inplace;
	__aligned_u64 fault_retries;
	__aligned_u64 tlb_hits;
	__aligned_u64 tlb_misses;
	__aligned_u64 maps_4k;
	__aligned_u64 maps_2m;
	__aligned_u64 unmaps;
	__aligned_u64 unmaps_again;
	__aligned_u64 edu_dmas;
	__aligned_u64 edu_irqs;
	__aligned_u64 edu_timeouts;
	__aligned_u64 edu_bytes;
	__aligned_u64 cpu_bytes;
	__aligned_u64 to_device_bytes;
	__aligned_u64 from_device_bytes;
	__aligned_u64 zeroed_bytes;
	__aligned_u64 copy_errors;
	__aligned_u64 verify_errors;
	__aligned_u64 copy_ns;
	__aligned_u64 peer_bytes;
};

#define GMEM_MOCK_STATS		_IO(GMEM_MOCK_TYPE, GMEM_MOCK_CMD_STATS)

/**
 * enum gmem_mock_opcode - what the device can do
 * @GMEM_MOCK_OP_TOUCH: make sure that the device can access the range: for
 *	writing with %GMEM_MOCK_OP_WRITABLE, else for reading. Accesses
 *	nothing. @result is the number of translations that were visited
 * @GMEM_MOCK_OP_READ: the device reads the range and hands the bytes to the
 *	driver, which stores them in the caller's buffer @arg
 * @GMEM_MOCK_OP_WRITE: the device writes to the range the bytes that the
 *	driver finds in the caller's buffer @arg
 * @GMEM_MOCK_OP_FILL: store the 64-bit value @arg all over the range. @va and
 *	@len are multiples of 8
 * @GMEM_MOCK_OP_COPY: copy from the address @arg to @va. The two ranges must
 *	not overlap. Any alignment
 * @GMEM_MOCK_OP_CHECKSUM: @result is the checksum of the range. @va and @len
 *	are multiples of 8. See gmem_mock_checksum_step()
 * @GMEM_MOCK_OP_ATOMIC_ADD: add @arg to the 64-bit value at @va in one atomic
 *	step; @result is the value before. @va is a multiple of 8, @len is 8.
 *	Without %GMEM_MOCK_CAP_HOST_ATOMICS no CPU reaches a page of host memory
 *	that this op uses, until it touches it and the device loses it
 * @GMEM_MOCK_OP_FACTORIAL: replace each 32-bit value x of the range by x!
 *	modulo 2^32, computed by edu's factorial unit. @va and @len are
 *	multiples of 4, x is at most %GMEM_MOCK_FACTORIAL_MAX
 */
enum gmem_mock_opcode {
	GMEM_MOCK_OP_TOUCH = 1,
	GMEM_MOCK_OP_READ,
	GMEM_MOCK_OP_WRITE,
	GMEM_MOCK_OP_FILL,
	GMEM_MOCK_OP_COPY,
	GMEM_MOCK_OP_CHECKSUM,
	GMEM_MOCK_OP_ATOMIC_ADD,
	GMEM_MOCK_OP_FACTORIAL,
};

#define GMEM_MOCK_FACTORIAL_MAX	1000000

/* &gmem_mock_op.flags */
#define GMEM_MOCK_OP_INPLACE	(1U << 0)	/* faults leave the data where it is */
#define GMEM_MOCK_OP_WRITABLE	(1U << 1)	/* TOUCH only */

/* &gmem_mock_op.outcomes */
#define GMEM_MOCK_DID_MIGRATE	(1U << 0)	/* moved data to the device */
#define GMEM_MOCK_DID_LOCAL	(1U << 1)	/* found it on the device */
#define GMEM_MOCK_DID_INPLACE	(1U << 2)	/* mapped it where it is */

/**
 * struct gmem_mock_op - one step of an access program
 * @opcode:	&enum gmem_mock_opcode
 * @flags:	GMEM_MOCK_OP_* bits
 * @va:		address that the device accesses
 * @len:	bytes; 0 is an error
 * @arg:	see the opcode; 0 where the opcode does not name it
 * @result:	out: see the opcode
 * @done:	out: bytes of the range that were finished, from its start. Of
 *		an access that was interrupted or failed, the bytes after it
 *		were not touched
 * @error:	out: 0 or a negative errno
 * @faults:	out: device faults that the op took
 * @outcomes:	out: GMEM_MOCK_DID_* bits, what these faults did
 * @__reserved:	must be 0
 *
 * Errors of an op, besides the general ones:
 *
 * -EINVAL
 *	@va, @len or @arg is misaligned for the opcode, @len is 0 or larger
 *	than &gmem_mock_query.max_len, the range wraps around, the ranges of a
 *	COPY overlap, or a field that must be 0 is not
 * -EOPNOTSUPP
 *	unknown opcode or flag; or ATOMIC_ADD without
 *	%GMEM_MOCK_CAP_HOST_ATOMICS on shared or hugetlbfs memory
 * -EFAULT
 *	nothing is mapped at the address, or not with the right that the op
 *	needs; or the buffer @arg of READ and WRITE is not accessible
 * -EDOM
 *	a value of FACTORIAL is too large
 * -EIO
 *	the engine did not complete, or moved wrong data, or the data at the
 *	address was lost
 * -EAGAIN
 *	the translation was taken away again and again, faster than the device
 *	could use it
 * -EINTR
 *	a signal arrived
 * -ESRCH
 *	the address space is gone
 * -ENODEV
 *	the device is gone
 */
struct gmem_mock_op {
	__u32 opcode;
	__u32 flags;
	__aligned_u64 va;
	__aligned_u64 len;
	__aligned_u64 arg;
	__aligned_u64 result;
	__aligned_u64 done;
	__s32 error;
	__u32 faults;
	__u32 outcomes;
	__u32 __reserved;
};

/* &gmem_mock_run.flags */
#define GMEM_MOCK_RUN_CONTINUE	(1U << 0)	/* go on after an op that failed */

/**
 * struct gmem_mock_run - ioctl(GMEM_MOCK_RUN)
 * @size:	sizeof(struct gmem_mock_run)
 * @flags:	GMEM_MOCK_RUN_* bits
 * @ops:	user pointer to an array of &struct gmem_mock_op
 * @op_size:	sizeof(struct gmem_mock_op), the distance of the elements
 * @nr_ops:	elements in the array; 0 is an error
 * @nr_done:	out: how many ops were executed, the failed ones included
 * @__reserved:	must be 0
 *
 * Execute an access program on the device. The ops run one after another; the
 * program ends at the first that fails, unless %GMEM_MOCK_RUN_CONTINUE is set
 * (a signal and a vanished device end it all the same). Several threads can
 * run programs on one file at the same time.
 *
 * The ioctl returns the error of the first op that failed, with @nr_done and
 * the out fields of the executed ops filled in. When none of these has an error, it
 * is that of the call: it could not read element @nr_done, or not write to the one
 * before, which was executed all the same. Set @nr_done to 0 before.
 */
struct gmem_mock_run {
	__u32 size;
	__u32 flags;
	__aligned_u64 ops;
	__u32 op_size;
	__u32 nr_ops;
	__u32 nr_done;
	__u32 __reserved;
};

#define GMEM_MOCK_RUN		_IO(GMEM_MOCK_TYPE, GMEM_MOCK_CMD_RUN)

/**
 * enum gmem_mock_where - where the memory behind a translation is
 * @GMEM_MOCK_WHERE_HOST: host memory, used in place
 * @GMEM_MOCK_WHERE_LOCAL: the device's own memory
 */
enum gmem_mock_where {
	GMEM_MOCK_WHERE_HOST = 1,
	GMEM_MOCK_WHERE_LOCAL,
};

/* &gmem_mock_xlat.prot */
#define GMEM_MOCK_PROT_READ	(1U << 0)
#define GMEM_MOCK_PROT_WRITE	(1U << 1)
#define GMEM_MOCK_PROT_ATOMIC	(1U << 2)

/**
 * struct gmem_mock_xlat - one translation in the device's page table
 * @va:		first address
 * @len:	bytes: the size of this translation
 * @dpa:	device physical address, 0 for host memory
 * @where:	&enum gmem_mock_where
 * @prot:	GMEM_MOCK_PROT_* bits
 */
struct gmem_mock_xlat {
	__aligned_u64 va;
	__aligned_u64 len;
	__aligned_u64 dpa;
	__u32 where;
	__u32 prot;
};

/**
 * struct gmem_mock_snapshot - ioctl(GMEM_MOCK_SNAPSHOT)
 * @size:	sizeof(struct gmem_mock_snapshot)
 * @flags:	must be 0
 * @va:		start of the range, any alignment
 * @len:	bytes; 0 is an error
 * @xlats:	user pointer to an array of &struct gmem_mock_xlat
 * @xlat_size:	sizeof(struct gmem_mock_xlat), the distance of the elements
 * @nr_xlats:	in: room in the array; out: elements that were filled in
 * @next:	out: where to go on when the array was too small, else the end
 *		of the range
 *
 * List the translations that the device has in a range, in the order of their
 * addresses. A translation that the range only touches is listed whole. They
 * may change before the call returns.
 */
struct gmem_mock_snapshot {
	__u32 size;
	__u32 flags;
	__aligned_u64 va;
	__aligned_u64 len;
	__aligned_u64 xlats;
	__u32 xlat_size;
	__u32 nr_xlats;
	__aligned_u64 next;
};

#define GMEM_MOCK_SNAPSHOT	_IO(GMEM_MOCK_TYPE, GMEM_MOCK_CMD_SNAPSHOT)

/**
 * gmem_mock_checksum_step() - one step of %GMEM_MOCK_OP_CHECKSUM
 * @sum:	checksum so far; 0 at the start
 * @index:	number of the 64-bit word, from 0
 * @word:	the word, in the byte order of the host
 *
 * The checksum of a range is the sum of all its words, each multiplied by an
 * odd number that depends on its place, modulo 2^64. It is cheap, it can be
 * computed in any order, and it sees every change of a single word.
 *
 * Return: the checksum with the word included.
 */
static inline __u64 gmem_mock_checksum_step(__u64 sum, __u64 index, __u64 word)
{
	return sum + word * (2 * index + 1);
}

#endif /* _UAPI_LINUX_GMEM_MOCK_H */

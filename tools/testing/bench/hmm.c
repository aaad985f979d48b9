// SPDX-License-Identifier: GPL-2.0-only
/*
 * HMM used directly, by the kernel's own test driver, lib/test_hmm.c.
 *
 * It has no faults that move data: HMM_DMIRROR_MIGRATE_TO_DEV stands for one.
 * That call, having moved the data, also hands it back by way of a buffer, with
 * the very code of HMM_DMIRROR_READ. So HMM_DMIRROR_READ of the same range, all
 * of it on the device, is what is left out of it: the buffer, the copy to it and
 * the one to the program, and the system call. HMM_DMIRROR_WRITE of a page that
 * the device has not mapped maps it where it is; once more, all mapped, it is what
 * is left out of that.
 *
 * It does not get by with a fault on its own memory: it takes struct page for the
 * page then, and crashes. A write to memory that it populated is one, as that is
 * mapped for reading only, and so is any access after fork(). The memory has to come
 * home first.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "bench.h"
#include "test_hmm_uapi.h"

/* Data that is handed back. */
static char *scratch;
static size_t scratch_len;

static struct counts so_far;

static void call(unsigned int dev, unsigned long request, const char *va,
		 size_t len, const void *buf)
{
	struct hmm_dmirror_cmd cmd = {
		.addr = (uintptr_t)va,
		.ptr = (uintptr_t)buf,
		.npages = len / PAGE,
	};

	if (ioctl(device_fd[dev], request, &cmd))
		give_up("test_hmm");
	count(&so_far.faults, cmd.faults);
	must(request == HMM_DMIRROR_MIGRATE_TO_SYS || cmd.cpages == cmd.npages,
	     "test_hmm did not get to all of the pages");
}

static void hmm_adopt(char *va, size_t len)
{
	(void)va;
	if (len <= scratch_len)
		return;
	if (scratch)
		buffer_put(scratch, scratch_len);
	scratch = buffer_get(len);
	scratch_len = len;
}

static void hmm_to_device(const struct contender *c, unsigned int dev,
			  char *va, size_t len)
{
	(void)c;
	call(dev, HMM_DMIRROR_MIGRATE_TO_DEV, va, len, scratch);
	count(&so_far.to_device, len);
}

static void hmm_again(const struct contender *c, unsigned int dev, char *va,
		      size_t len)
{
	(void)c;
	call(dev, HMM_DMIRROR_READ, va, len, scratch);
}

/* It writes what it finds: the memory is as it was. */
static void hmm_inplace(const struct contender *c, unsigned int dev, char *va,
			size_t len)
{
	(void)c;
	call(dev, HMM_DMIRROR_WRITE, va, len, va);
}

static void hmm_to_host(const struct contender *c, unsigned int dev, char *va,
			size_t len)
{
	cpu_reads(c, dev, va, len);
	count(&so_far.to_host, len);
}

static void hmm_prefetch_home(const struct contender *c, unsigned int dev,
			      char *va, size_t len)
{
	(void)c;
	call(dev, HMM_DMIRROR_MIGRATE_TO_SYS, va, len, NULL);
	count(&so_far.to_host, len);
}

/* A device does not take from another: by way of the host. */
static void hmm_hop(const struct contender *c, unsigned int dev, char *va,
		    size_t len)
{
	hmm_prefetch_home(c, !dev, va, len);
	hmm_to_device(c, dev, va, len);
}

static void hmm_read(const struct contender *c, unsigned int dev, char *va,
		     size_t len, char *buf)
{
	(void)c;
	call(dev, HMM_DMIRROR_READ, va, len, buf);
}

static void hmm_write(const struct contender *c, unsigned int dev, char *va,
		      size_t len, const char *buf)
{
	(void)c;
	call(dev, HMM_DMIRROR_WRITE, va, len, buf);
}

static void hmm_counts(const struct contender *c, struct counts *counts)
{
	(void)c;
	*counts = so_far;
}

const struct contender hmm = {
	.key = "hmm",
	.name = "HMM directly, lib/test_hmm.c",
	.module = "test_hmm.ko",
	.node = "/dev/hmm_dmirror%u",
	.adopt = hmm_adopt,
	.to_device = hmm_to_device,
	.again = hmm_again,
	.inplace = hmm_inplace,
	.inplace_again = hmm_inplace,
	.to_host = hmm_to_host,
	.to_host_again = cpu_reads,
	.prefetch_home = hmm_prefetch_home,
	.hop = hmm_hop,
	.settle = hmm_prefetch_home,
	.read = hmm_read,
	.write = hmm_write,
	.counts = hmm_counts,
	.cannot = {
		[CAN_DETACH] = "it searches all memory of the device for data to bring home",
		[CAN_RUN] = "its reads are ioctls",
		[CAN_RECORD] = "records nothing besides the device's page table",
		[CAN_COUNT] = "records nothing besides the device's page table",
	},
};

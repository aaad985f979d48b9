/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Failing one thing after the other. The kernel lets the n-th attempt to allocate, or
 * the n-th call of a mock's operation, of one thread fail (/proc/thread-self/fail-nth).
 * A *path* is run with n = 1, 2, 3, ... until no run reaches its n. The fault
 * attributes count, so that it is known after each run what it was that failed.
 *
 * After every single failure the call has said a clean error or none, every byte is
 * right, nothing is leaked, and the next attempt succeeds.
 */
#ifndef GMEM_SWEEP_H
#define GMEM_SWEEP_H

#include "gmem_test.h"

/* Base pages: enough for two groups of a CPU's fault. */
#define BASE_LEN	(24 * GT_PAGE)
/* The pattern that all data has. */
#define SEED		7

#define DRIVER		"/sys/bus/pci/drivers/gmem-mock/"

enum fail_kind {
	FAIL_NONE = -1,
	FAIL_SLAB,
	FAIL_PAGE,
	FAIL_COPY,
	FAIL_MAP,
	FAIL_PREPARE,
	FAIL_KINDS
};

/* fail-nth of this thread, the current n, and how often each kind has failed. */
struct sweep {
	int fd;
	unsigned int nth;
	unsigned int hits[FAIL_KINDS];
};

int sweep_open(struct sweep *sweep);
bool sweep_arm(struct sweep *sweep);
int sweep_disarm(struct sweep *sweep);
bool sweep_arm_kind(struct sweep *sweep, int kind);
int sweep_disarm_kind(struct sweep *sweep, int kind);
int sweep_calm(int kind);
const char *sweep_name(int kind);
/* The share of copies that fail, in per cent. */
int sweep_copies(const char *probability);

/* What a path works on. */
struct world {
	struct sweep sweep;
	struct gt_dev dev;
	struct gt_dev other;
	unsigned int nr;
	char name[40];		/* of the PCI function that the driver is bound to */
	char *buf;
	size_t len;
	int file;
	pid_t child;
};

/* A page that is on its way is waited for, for a moment. */
bool clean(void);

/* The CPU reads and writes one word: 0, or -EFAULT for a SIGBUS. */
int cpu_access(void *va);
/* The CPU sees the pattern, or zeros, in a part of the data, and no SIGBUS. */
bool cpu_pattern(const struct world *w, size_t from, size_t to, __u64 seed);
bool cpu_zeros(const struct world *w, size_t from, size_t to);

/* A hint for a part of the data. All of it is taken, or there is an error. */
int advise(struct world *w, int hnid, size_t from, size_t to, int advice);
/* Write the name of the device to a file of its driver. */
int driver_act(struct world *w);

/* Data on the host or on a device that was just attached. */
bool on_host(struct world *w);
bool on_device(struct world *w);
/* Device, then CPU, then device again find all of it. Frees it and detaches. */
bool all_right(struct world *w);

#endif /* GMEM_SWEEP_H */

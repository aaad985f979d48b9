/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the GMEM selftests share: driving a mock accelerator, asking where
 * memory is, and the check that every test ends with.
 *
 * Vocabulary: a *device* is an open /dev/gmem-mockN, attached to the address
 * space of the process that opened it. *Home* is any host node. All functions
 * that can fail return 0 (or a count) or a negative errno, so that a test says
 * which error it expects in one line.
 *
 * Environment:
 *
 *   GMEM_TEST_MB     size of the large buffers in MiB; default: 512, or what
 *                    the device and the machine have room for
 *   GMEM_TEST_SCALE  per cent of the default duration of the loops, 100
 */
#ifndef GMEM_TEST_H
#define GMEM_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/gmem.h>
#include <linux/gmem_mock.h>

#define GT_MAX_DEVS	4
#define GT_PAGE		4096UL
#define GT_HUGE		(2UL << 20)
#define GT_MB(n)	((size_t)(n) << 20)

/* Accesses that the compiler neither drops nor repeats; the last is atomic. */
#define gt_load(p)	__atomic_load_n(p, __ATOMIC_RELAXED)
#define gt_store(p, v)	__atomic_store_n(p, v, __ATOMIC_RELAXED)
#define gt_add(p, v)	__atomic_fetch_add(p, v, __ATOMIC_SEQ_CST)

#define GT_ENGINE	"/sys/module/gmem_mock/parameters/engine"
#define GT_PEER_COPY	"/sys/module/gmem_mock/parameters/peer_copy"

struct gt_dev {
	int fd;
	unsigned int index;
	int hnid;
	size_t mem_bytes;
	size_t max_len;
	__u32 caps;
	__u32 edu_max;
};

/* Devices. gt_dev_count() counts the device files that exist now. */
unsigned int gt_dev_count(void);
int gt_open(struct gt_dev *dev, unsigned int index);
int gt_close(struct gt_dev *dev);
int gt_query(int fd, struct gmem_mock_query *query);
int gt_stats(const struct gt_dev *dev, struct gmem_mock_stats *stats);
int gt_set_engine(const char *name);
/* Whether data goes from device to device directly, or by way of the host. */
int gt_set_peer_copy(bool direct);
/* Where the device sits, for instance "0000:01:00", without the function. */
int gt_pci_slot(const struct gt_dev *dev, char *slot, size_t len);

/*
 * One op on the device. The result is the errno of the op or of the call; @op
 * has the details. The short forms split ranges that are longer than the
 * device takes at once.
 */
int gt_run(const struct gt_dev *dev, struct gmem_mock_op *op);
int gt_touch(const struct gt_dev *dev, const void *va, size_t len);
int gt_touch_write(const struct gt_dev *dev, const void *va, size_t len);
int gt_read(const struct gt_dev *dev, const void *va, size_t len, void *buf);
int gt_write(const struct gt_dev *dev, const void *va, size_t len,
	     const void *buf);
int gt_fill(const struct gt_dev *dev, const void *va, size_t len, __u64 value);
int gt_checksum(const struct gt_dev *dev, const void *va, size_t len,
		__u64 *sum);
int gt_atomic_add(const struct gt_dev *dev, const void *va, __u64 value,
		  __u64 *before);

/* Translations of the device in a range: how many, at most @max in @xlats. */
int gt_snapshot(const struct gt_dev *dev, const void *va, size_t len,
		struct gmem_mock_xlat *xlats, unsigned int max);
/* Is there any translation that touches the range? 1, 0 or an error. */
int gt_translated(const struct gt_dev *dev, const void *va, size_t len);

/* The node of each page, through /dev/gmem. */
int gt_residency(const void *va, size_t len, __s32 *vec);
int gt_node(const void *va);
/* Are all pages of the range on @node? GT_HOME stands for any host node. */
#define GT_HOME		(-100)
bool gt_all_on(const void *va, size_t len, int node);

long gt_hmadvise(int hnid, const void *va, size_t len, int advice,
		 unsigned int flags);

/*
 * Memory that is aligned to 2 MiB and made of huge or of base pages; never
 * touched yet. gt_huge_bytes() is how much of the mapping at @va is in huge
 * pages now; gt_referenced_bytes(), how much of it was used since that was last
 * forgotten.
 */
void *gt_alloc(size_t len, bool huge);
void gt_free(void *va, size_t len);
size_t gt_huge_bytes(const void *va);
size_t gt_referenced_bytes(const void *va);

/*
 * Contents that depend on a seed and on the offset of each word, so that lost,
 * swapped and stale pages are all seen. gt_pattern_bad() is the offset of the
 * first wrong word, or -1; gt_pattern_sum() is a device's checksum of @nr words,
 * from the word @index on.
 */
__u64 gt_pattern_word(__u64 seed, size_t index);
void gt_pattern(void *va, size_t len, __u64 seed);
ssize_t gt_pattern_bad(const void *va, size_t len, __u64 seed);
__u64 gt_pattern_sum(__u64 seed, size_t index, size_t nr);
/* What the device sees: 0, -EILSEQ if it is something else, or an error. */
int gt_dev_pattern(const struct gt_dev *dev, const void *va, size_t len,
		   __u64 seed);

/*
 * Invariant I4, from debugfs. gt_sound() waits, but not for ever, until it holds with
 * what is in use now; gt_quiet() until nothing is in use.
 */
struct gt_check {
	unsigned long long frames_used;
	unsigned long long frames_recorded;
	unsigned long long frames_foreign;
	unsigned long long leaked;
	unsigned long long stale;
	unsigned long long unrecorded;
};

int gt_check(struct gt_check *check);
bool gt_is_sound(const struct gt_check *check);
int gt_sound(struct gt_check *check);
int gt_quiet(struct gt_check *check);
/* For the process that forked the test. */
int gt_quiet_after(struct gt_check *check);

/* Knobs and time. */
size_t gt_large_bytes(const struct gt_dev *dev, unsigned int nr_procs);
unsigned int gt_loop_ms(unsigned int ms);
/* As /proc/meminfo says. */
size_t gt_mem_available(void);
unsigned long long gt_now_ms(void);
unsigned long long gt_now_us(void);

int gt_write_file(const char *path, const char *text);
int gt_read_file(const char *path, char *text, size_t len);
/* The only number in a file, and the one that follows the word @name; or -1. */
long gt_number(const char *path);
long gt_field(const char *path, const char *name);
/* What the kernel has counted so far, in /proc/vmstat. */
long gt_vmstat(const char *name);

/* Moves all of the range to the device, in a few attempts. */
int gt_to_device(const struct gt_dev *dev, const void *va, size_t len);
/*
 * What a CPU gets at @va: 0 or -EFAULT. The kernel tries, so that there is no
 * signal to catch; contents do not change.
 */
int gt_cpu_touch(void *va, bool write_too);
/* The entry of /proc/self/pagemap; and the page frame that the CPU uses, or 0. */
__u64 gt_pagemap(const void *va);
__u64 gt_pfn(const void *va);
/* The same entries for many pages at once: how many there are. */
size_t gt_pagemap_all(const void *va, size_t nr, __u64 *entries);

#endif /* GMEM_TEST_H */

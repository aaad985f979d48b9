/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Those who hold references to user memory: each can take them, say what bytes
 * it sees through them, perhaps write through them, and drop them.
 */
#ifndef REFS_HOLDER_H
#define REFS_HOLDER_H

#include <stddef.h>
#include <sys/ioctl.h>
#include <linux/io_uring.h>
#include <linux/types.h>

#define GUP_TEST	"/sys/kernel/debug/gup_test"

/* From mm/gup_test.h, which is not exported. */
struct gup_test {
	__u64 get_delta_usec;
	__u64 put_delta_usec;
	__u64 addr;
	__u64 size;
	__u32 nr_pages_per_call;
	__u32 gup_flags;
	__u32 test_flags;
	__u32 which_pages[8];
};

struct pin_longterm_test {
	__u64 addr;
	__u64 size;
	__u32 flags;
};

#define GUP_FAST_BENCHMARK	_IOWR('g', 1, struct gup_test)
#define PIN_FAST_BENCHMARK	_IOWR('g', 2, struct gup_test)
#define PIN_LONGTERM_BENCHMARK	_IOWR('g', 3, struct gup_test)
#define GUP_BASIC_TEST		_IOWR('g', 4, struct gup_test)
#define PIN_BASIC_TEST		_IOWR('g', 5, struct gup_test)
#define PIN_LONGTERM_TEST_START	_IOW('g', 7, struct pin_longterm_test)
#define PIN_LONGTERM_TEST_STOP	_IO('g', 8)
#define PIN_LONGTERM_TEST_READ	_IOW('g', 9, __u64)
#define PIN_WRITE		1
#define PIN_FAST		2
#define FOLL_WRITE		1

/* Somebody who holds references to a range. */
struct holder {
	char *buf;
	size_t len;
	int pins;		/* GUP_TEST, if it is open already, or 0 */
	int fd;			/* of gup_test, or of a ring */
	int file;		/* what a ring reads and writes */
	int pipe[2];
	int peek[2];
	void *sq;
	void *cq;
	struct io_uring_sqe *sqes;
	struct io_uring_params params;
};

/* Each returns 0 or a negative errno. @put is optional. */
struct holder_ops {
	int (*hold)(struct holder *h);
	int (*see)(struct holder *h, void *to);
	int (*put)(struct holder *h, const void *from);
	void (*drop)(struct holder *h);
};

extern const struct holder_ops pins_to_read;
extern const struct holder_ops pins_to_write;
extern const struct holder_ops pins_fast;
extern const struct holder_ops ring_buffer;
extern const struct holder_ops pipe_pages;

#endif /* REFS_HOLDER_H */

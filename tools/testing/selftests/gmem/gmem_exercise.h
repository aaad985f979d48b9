/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the tests that ask the same of many kinds of memory and of many things
 * that the kernel does to memory: devices and CPU use it as if it were all the
 * same.
 */
#ifndef GMEM_EXERCISE_H
#define GMEM_EXERCISE_H

#include <stdio.h>
#include <stdlib.h>

#include "gmem_fixture.h"

/* Where the device's faults leave the data. */
static inline int touch_at(const struct gt_dev *dev, const void *va,
			   size_t len, bool write, bool inplace)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_TOUCH,
		.flags = (write ? GMEM_MOCK_OP_WRITABLE : 0) |
			 (inplace ? GMEM_MOCK_OP_INPLACE : 0),
		.va = (uintptr_t)va,
		.len = len,
	};

	return gt_run(dev, &op);
}

/* Bring all of it to the device; a busy page may need a second try. */
static inline bool bring(const struct gt_dev *dev, const void *va, size_t len)
{
	int i;

	for (i = 0; i < 50; i++) {
		if (gt_touch_write(dev, va, len))
			return false;
		if (gt_all_on(va, len, dev->hnid))
			return true;
		usleep(10000);
	}
	return false;
}

/* The same by a hint, which also moves what the device uses in place. */
static inline bool pull(const struct gt_dev *dev, const void *va, size_t len)
{
	int i;

	for (i = 0; i < 50; i++) {
		if (gt_hmadvise(dev->hnid, va, len, HMADV_PREFETCH, 0) < 0)
			return false;
		if (gt_all_on(va, len, dev->hnid))
			return true;
		usleep(10000);
	}
	return false;
}

static inline bool bring_home(const void *va, size_t len)
{
	int i;

	for (i = 0; i < 50; i++) {
		if (gt_hmadvise(HMADV_NODE_ANY, va, len, HMADV_PREFETCH,
				0) < 0)
			return false;
		if (gt_all_on(va, len, GT_HOME))
			return true;
		usleep(10000);
	}
	return false;
}

/*
 * CPU and all devices take turns at reading and writing the memory: each sees
 * what the one before it has written. @seed tells the rounds apart.
 */
static inline void exercise(struct __test_metadata *_metadata,
			    GT_SELF *self, char *buf, size_t len,
			    __u64 seed)
{
	char *copy = malloc(len);
	__u64 *last = (__u64 *)(buf + len - 8), before;
	unsigned int i;

	ASSERT_NE(NULL, copy);
	gt_pattern(buf, len, seed);
	for (i = 0; i < self->nr; i++) {
		struct gt_dev *dev = &self->dev[i];

		ASSERT_EQ(0, gt_dev_pattern(dev, buf, len, seed + i));
		gt_pattern(copy, len, seed + i + 1);
		ASSERT_EQ(0, gt_write(dev, buf, len, copy));
		ASSERT_EQ(0, gt_dev_pattern(dev, buf, len, seed + i + 1));
	}
	ASSERT_EQ(-1, gt_pattern_bad(buf, len, seed + i));
	*last = 40;
	for (i = 0; i < self->nr; i++) {
		ASSERT_EQ(0, gt_atomic_add(&self->dev[i], last, 1, &before));
		ASSERT_EQ(40 + i, before);
	}
	ASSERT_EQ(40 + self->nr, *last);
	free(copy);
}

/* A setting of the machine that a test changes and puts back. */
struct setting {
	const char *path;
	char old[128];
};

static inline int setting_set(struct setting *s, const char *path,
			      const char *value)
{
	char text[128], *open, *close;
	int ret;

	s->path = path;
	ret = gt_read_file(path, text, sizeof(text));
	if (ret)
		return ret;
	/* One of "always [madvise] never", or just a value. */
	open = strchr(text, '[');
	close = strchr(text, ']');
	if (open && close)
		snprintf(s->old, sizeof(s->old), "%.*s",
			 (int)(close - open - 1), open + 1);
	else
		snprintf(s->old, sizeof(s->old), "%s", text);
	ret = gt_write_file(path, value);
	return ret < 0 ? ret : 0;
}

static inline void setting_restore(struct setting *s)
{
	gt_write_file(s->path, s->old);
}

#endif /* GMEM_EXERCISE_H */

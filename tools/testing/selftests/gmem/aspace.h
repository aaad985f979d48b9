/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of calls that change an address space share: a buffer on two
 * devices, in huge or in base frames, and what devices and CPU must see of it
 * afterwards, in the same words: intact, fresh, read-only or gone.
 */
#ifndef ASPACE_H
#define ASPACE_H

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "gmem_sizes.h"

/* Two blocks: the first on the first device, the second on the last one. */
#define LEN	(2 * GT_HUGE)
#define RW	(PROT_READ | PROT_WRITE)

/* -------------------------------------------------- what is meant by right */

/* The device sees the pattern of the words from offset @off on. */
static inline int dev_sees(const struct gt_dev *dev, const char *va, size_t len,
			   size_t off)
{
	static __u64 image[LEN / sizeof(__u64)];
	size_t i;
	int ret;

	ret = gt_read(dev, va, len, image);
	for (i = 0; !ret && i < len / sizeof(*image); i++)
		if (image[i] != gt_pattern_word(1, off / sizeof(*image) + i))
			ret = -EILSEQ;
	return ret;
}

static inline int cpu_sees(const char *va, size_t len, size_t off)
{
	const __u64 *word = (const __u64 *)va;
	size_t i;

	for (i = 0; i < len / sizeof(*word); i++)
		if (gt_load(&word[i]) !=
		    gt_pattern_word(1, off / sizeof(*word) + i))
			return -EBADMSG;
	return 0;
}

static inline int all_see(struct _test_data_gmem *self, const char *va,
			  size_t len, size_t off)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < self->nr; i++)
		ret = dev_sees(&self->dev[i], va, len, off);
	return ret ? ret : cpu_sees(va, len, off);
}

/* What one writes all see: each device, then the CPU, in the middle. */
static inline int all_write(struct _test_data_gmem *self, char *va, size_t len)
{
	__u64 *word = (__u64 *)va + len / 16, old = 0, seen;
	unsigned int i;
	int ret;

	for (i = 0; i < self->nr; i++) {
		ret = gt_atomic_add(&self->dev[i], word, 1, &seen);
		if (ret)
			return ret;
		if (i && seen != old + 1)
			return -ESTALE;
		old = seen;
	}
	if (gt_load(word) != old + 1)
		return -ESTALE;
	gt_store(word, old + 1 - self->nr);
	return 0;
}

/* The data of @off is at @va, for all, and can be written. */
static inline int intact(struct _test_data_gmem *self, char *va, size_t len,
			 size_t off)
{
	int ret = all_see(self, va, len, off);

	if (!ret)
		ret = all_write(self, va, len);
	return ret ? ret : all_see(self, va, len, off);
}

/* Nobody can reach the range, and the devices have forgotten it. */
static inline bool gone(struct _test_data_gmem *self, char *va, size_t len)
{
	char *last = va + len - 8;
	unsigned int i;

	for (i = 0; i < self->nr; i++) {
		struct gt_dev *dev = &self->dev[i];

		if (gt_translated(dev, va, len) ||
		    gt_touch(dev, va, 8) != -EFAULT ||
		    gt_touch(dev, last, 8) != -EFAULT ||
		    gt_fill(dev, va, 8, 0) != -EFAULT ||
		    gt_fill(dev, last, 8, 0) != -EFAULT ||
		    gt_translated(dev, va, len))
			return false;
	}
	return gt_cpu_touch(va, false) == -EFAULT &&
	       gt_cpu_touch(last, false) == -EFAULT;
}

/* Fresh memory: zeros for all, and writable. */
static inline int fresh(struct _test_data_gmem *self, char *va, size_t len)
{
	const char *p;
	unsigned int i;
	__u64 sum;
	int ret;

	for (i = 0; i < self->nr; i++) {
		ret = gt_checksum(&self->dev[i], va, len, &sum);
		if (ret)
			return ret;
		if (sum)
			return -EILSEQ;
	}
	for (p = va; p < va + len; p++)
		if (*p)
			return -EBADMSG;
	return all_write(self, va, len);
}

/* All can read the part, nobody can write to it. */
static inline int readonly(struct _test_data_gmem *self, char *va, size_t len,
			   size_t off)
{
	unsigned int i;

	for (i = 0; i < self->nr; i++) {
		struct gt_dev *dev = &self->dev[i];

		if (gt_fill(dev, va, 8, 0) != -EFAULT ||
		    gt_fill(dev, va + len - 8, 8, 0) != -EFAULT ||
		    gt_touch_write(dev, va, len) != -EFAULT ||
		    gt_atomic_add(dev, va, 1, NULL) != -EFAULT)
			return -EACCES;
	}
	if (gt_cpu_touch(va, true) != -EFAULT)
		return -EACCES;
	return all_see(self, va, len, off);
}

/* ------------------------------------------------------------------ setups */

static inline void place(struct __test_metadata *_metadata,
			 struct _test_data_gmem *self, char *buf)
{
	ASSERT_EQ(0, gt_to_device(&self->dev[0], buf, GT_HUGE));
	ASSERT_EQ(0, gt_to_device(&self->dev[self->nr - 1], buf + GT_HUGE,
				  LEN - GT_HUGE));
}

/* The pattern, on the devices, in frames of the wanted size. */
static inline void fill(struct __test_metadata *_metadata,
			struct _test_data_gmem *self, char *buf, bool huge)
{
	struct gmem_mock_xlat xlat;

	gt_pattern(buf, LEN, 1);
	place(_metadata, self, buf);
	ASSERT_EQ(1, gt_snapshot(&self->dev[0], buf, GT_HUGE, &xlat, 1));
	ASSERT_EQ(GMEM_MOCK_WHERE_LOCAL, xlat.where);
	ASSERT_EQ(huge ? GT_HUGE : GT_PAGE, xlat.len);
}

static inline char *make(struct __test_metadata *_metadata,
			 struct _test_data_gmem *self, bool huge)
{
	char *buf = gt_alloc(LEN, huge);

	ASSERT_NE(NULL, buf);
	fill(_metadata, self, buf, huge);
	return buf;
}

/*
 * Races use the pages around the border of the two blocks only: base pages take
 * long to move, and what was never touched does not.
 */
#define SPAN	(128 * GT_PAGE)
#define SPAN_AT	(GT_HUGE - SPAN / 2)

/* Puts the span of a buffer, which has been written to, on the devices. */
static inline void place_span(struct __test_metadata *_metadata,
			      struct _test_data_gmem *self, char *buf,
			      bool huge)
{
	size_t len = huge ? GT_HUGE : SPAN / 2;

	ASSERT_EQ(0, gt_to_device(&self->dev[0], buf + GT_HUGE - len, len));
	ASSERT_EQ(0, gt_to_device(&self->dev[self->nr - 1], buf + GT_HUGE,
				  len));
}

/* Addresses with nothing at them, aligned to 2 MiB. */
static inline char *nowhere(size_t len)
{
	char *va = gt_alloc(len, false);

	if (va)
		munmap(va, len);
	return va;
}

/* How many VMAs the range touches. */
static inline int nr_vmas(const char *va, size_t len)
{
	unsigned long start, end;
	char line[512];
	int nr = 0;
	FILE *f;

	f = fopen("/proc/self/maps", "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		nr += sscanf(line, "%lx-%lx ", &start, &end) == 2 &&
		      start < (uintptr_t)va + len && end > (uintptr_t)va;
	fclose(f);
	return nr;
}

struct part {
	size_t off;
	size_t len;
};

/* Parts of two frames: start, middle, end, half, and what touches both. */
static const struct part parts[] = {
	{ 0, GT_PAGE },
	{ 100 * GT_PAGE, 7 * GT_PAGE },
	{ GT_HUGE - 3 * GT_PAGE, 3 * GT_PAGE },
	{ GT_HUGE / 2, GT_HUGE / 2 },
	{ GT_HUGE - 5 * GT_PAGE, 9 * GT_PAGE },
	{ GT_HUGE, GT_HUGE },
};

#define NR_PARTS	ARRAY_SIZE(parts)

/* All but the part is intact. */
static inline int rest_intact(struct _test_data_gmem *self, char *buf,
			      const struct part *part)
{
	size_t end = part->off + part->len;
	int ret = 0;

	if (part->off)
		ret = intact(self, buf, part->off, 0);
	if (!ret && end < LEN)
		ret = intact(self, buf + end, LEN - end, end);
	return ret;
}

#endif /* ASPACE_H */

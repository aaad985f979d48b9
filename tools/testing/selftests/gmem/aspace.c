// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that change an address space whose data is on a device: munmap, mmap
 * over it, mremap, mprotect, and what splits and merges VMAs. After each,
 * devices and CPU agree on what is there, and on where there is nothing. See
 * aspace_race.c for the same while devices are at work.
 */
#include "aspace.h"
#include "gmem_abi.h"

/* ------------------------------------------------------------------ munmap */

/* What the tests judge by says no when it should. */
GT_TEST(judges)
{
	char *buf = make(_metadata, self, variant->huge);
	__u64 *word = (__u64 *)(buf + GT_HUGE + 5 * GT_PAGE);

	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	EXPECT_FALSE(gone(self, buf, LEN));
	EXPECT_NE(0, fresh(self, buf, LEN));
	EXPECT_NE(0, intact(self, buf, LEN, GT_PAGE));
	/* One word, written by a CPU, by a device. */
	gt_store(word, gt_load(word) + 1);
	EXPECT_EQ(-EILSEQ, intact(self, buf, LEN, 0));
	ASSERT_EQ(0, gt_atomic_add(&self->dev[0], word, -1ULL, NULL));
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	ASSERT_EQ(0, gt_atomic_add(&self->dev[0], word, 1, NULL));
	EXPECT_EQ(-EBADMSG, cpu_sees(buf, LEN, 0));
	EXPECT_EQ(-EACCES, readonly(self, buf, LEN, 0));
	memset(buf, 0, LEN);
	EXPECT_EQ(0, fresh(self, buf, LEN));
	gt_store(word, 1);
	EXPECT_NE(0, fresh(self, buf, LEN));
	munmap(buf, LEN);
}

GT_TEST(munmap_whole)
{
	char *buf = make(_metadata, self, variant->huge);
	struct gt_check check;

	ASSERT_EQ(0, munmap(buf, LEN));
	EXPECT_TRUE(gone(self, buf, LEN));
	/* The frames are free now, not when the process ends. */
	EXPECT_EQ(0, gt_quiet(&check));
	ASSERT_EQ(buf, mmap(buf, LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS |
			    MAP_FIXED_NOREPLACE, -1, 0));
	EXPECT_EQ(0, fresh(self, buf, LEN));
	munmap(buf, LEN);
}

GT_TEST(munmap_part)
{
	struct gt_check check;
	unsigned int i;

	for (i = 0; i < NR_PARTS; i++) {
		const struct part *part = &parts[i];
		char *buf = make(_metadata, self, variant->huge);

		ASSERT_EQ(0, munmap(buf + part->off, part->len));
		EXPECT_TRUE(gone(self, buf + part->off, part->len));
		EXPECT_EQ(0, rest_intact(self, buf, part))
			TH_LOG("part %u", i);
		munmap(buf, LEN);
		EXPECT_EQ(0, gt_quiet(&check));
	}
}

/* --------------------------------------------------------------- MAP_FIXED */

GT_TEST(map_fixed)
{
	unsigned int i;

	for (i = 0; i < NR_PARTS; i++) {
		const struct part *part = &parts[i];
		char *buf = make(_metadata, self, variant->huge);
		char *hole = buf + part->off;

		ASSERT_EQ(hole, mmap(hole, part->len, RW, MAP_PRIVATE |
				     MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		EXPECT_EQ(0, gt_translated(&self->dev[0], hole, part->len));
		EXPECT_EQ(0, fresh(self, hole, part->len));
		EXPECT_EQ(0, rest_intact(self, buf, part))
			TH_LOG("part %u", i);
		munmap(buf, LEN);
	}
}

/* Memory of another kind in the middle: what is written there is shared. */
GT_TEST(map_fixed_shared)
{
	const struct part *part = &parts[1];
	char *buf = make(_metadata, self, variant->huge);
	char *hole = buf + part->off, *alias;
	int fd;

	fd = memfd_create("aspace", 0);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ftruncate(fd, part->len));
	alias = mmap(NULL, part->len, RW, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, alias);
	ASSERT_EQ(hole, mmap(hole, part->len, RW, MAP_SHARED | MAP_FIXED,
			     fd, 0));
	EXPECT_EQ(0, fresh(self, hole, part->len));
	ASSERT_EQ(0, gt_fill(&self->dev[0], hole, part->len, 5));
	EXPECT_EQ(5, *(__u64 *)alias);
	EXPECT_EQ(5, *(__u64 *)(alias + part->len - 8));
	EXPECT_EQ(0, rest_intact(self, buf, part));
	munmap(alias, part->len);
	munmap(buf, LEN);
	close(fd);
}

/* ------------------------------------------------------------------ mremap */

static void move(struct __test_metadata *_metadata,
		 struct _test_data_gmem *self, bool huge,
		 size_t shift)
{
	char *buf = make(_metadata, self, huge);
	char *room = nowhere(LEN + GT_HUGE);
	char *to = room + shift;

	ASSERT_NE(NULL, room);
	ASSERT_EQ(to, mremap(buf, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_TRUE(gone(self, buf, LEN));
	EXPECT_EQ(0, intact(self, to, LEN, 0));
	/* And it can go to the device from there. */
	place(_metadata, self, to);
	EXPECT_EQ(0, intact(self, to, LEN, 0));
	munmap(to, LEN);
}

GT_TEST(mremap_move)
{
	move(_metadata, self, variant->huge, 0);
}

/* To an address at which a huge page cannot stay one. */
GT_TEST(mremap_move_unaligned)
{
	move(_metadata, self, variant->huge, 3 * GT_PAGE);
}

GT_TEST(mremap_move_part)
{
	char *to = nowhere(LEN);
	unsigned int i;

	ASSERT_NE(NULL, to);
	for (i = 0; i < NR_PARTS; i++) {
		const struct part *part = &parts[i];
		char *buf, *from;

		/* Keeps make() from using the place. */
		ASSERT_EQ(to, mmap(to, LEN, PROT_NONE, MAP_PRIVATE |
				   MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		buf = make(_metadata, self, variant->huge);
		from = buf + part->off;
		ASSERT_EQ(to, mremap(from, part->len, part->len,
				     MREMAP_MAYMOVE | MREMAP_FIXED, to));
		EXPECT_TRUE(gone(self, from, part->len));
		EXPECT_EQ(0, intact(self, to, part->len, part->off));
		EXPECT_EQ(0, rest_intact(self, buf, part))
			TH_LOG("part %u", i);
		munmap(buf, LEN);
	}
	munmap(to, LEN);
}

GT_TEST(mremap_grow)
{
	char *buf = gt_alloc(2 * LEN, variant->huge);

	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, munmap(buf + LEN, LEN));
	fill(_metadata, self, buf, variant->huge);
	/* In place. */
	ASSERT_EQ(buf, mremap(buf, LEN, 2 * LEN, 0));
	EXPECT_EQ(0, fresh(self, buf + LEN, LEN));
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	munmap(buf, 2 * LEN);
}

/* There is something behind: it must go elsewhere to grow. */
GT_TEST(mremap_grow_and_move)
{
	char *buf = gt_alloc(2 * LEN, variant->huge), *to;

	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, mprotect(buf + LEN, LEN, PROT_NONE));
	fill(_metadata, self, buf, variant->huge);
	to = mremap(buf, LEN, 2 * LEN, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, to);
	ASSERT_NE(buf, to);
	EXPECT_TRUE(gone(self, buf, LEN));
	EXPECT_EQ(0, intact(self, to, LEN, 0));
	EXPECT_EQ(0, fresh(self, to + LEN, LEN));
	munmap(buf + LEN, LEN);
	munmap(to, 2 * LEN);
}

GT_TEST(mremap_shrink)
{
	char *buf = make(_metadata, self, variant->huge);
	size_t left = GT_HUGE + 5 * GT_PAGE;

	ASSERT_EQ(buf, mremap(buf, LEN, left, 0));
	EXPECT_TRUE(gone(self, buf + left, LEN - left));
	EXPECT_EQ(0, intact(self, buf, left, 0));
	left = 7 * GT_PAGE;
	ASSERT_EQ(buf, mremap(buf, GT_HUGE, left, 0));
	EXPECT_TRUE(gone(self, buf + left, GT_HUGE - left));
	EXPECT_EQ(0, intact(self, buf, left, 0));
	EXPECT_EQ(0, intact(self, buf + GT_HUGE, 5 * GT_PAGE, GT_HUGE));
	munmap(buf, LEN);
}

/* The old mapping stays, without its pages. */
GT_TEST(mremap_dontunmap)
{
	char *buf = make(_metadata, self, variant->huge), *to;

	to = mremap(buf, LEN, LEN, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	ASSERT_NE(MAP_FAILED, to);
	EXPECT_EQ(0, gt_translated(&self->dev[0], buf, LEN));
	EXPECT_EQ(0, intact(self, to, LEN, 0));
	EXPECT_EQ(0, fresh(self, buf, LEN));
	/* From now on they are two. */
	gt_pattern(buf, LEN, 1);
	ASSERT_EQ(0, gt_fill(&self->dev[0], to, LEN, 1));
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	munmap(buf, LEN);
	munmap(to, LEN);
}

/* The data that was at the new address is lost, and not mixed up with it. */
GT_TEST(mremap_over)
{
	char *buf = make(_metadata, self, variant->huge);
	char *to = gt_alloc(LEN, variant->huge);
	struct gt_check check;

	ASSERT_NE(NULL, to);
	gt_pattern(to, LEN, 2);
	/* The other way round: what goes was not where what comes is. */
	ASSERT_EQ(0, gt_to_device(&self->dev[self->nr - 1], to, LEN));
	ASSERT_EQ(to, mremap(buf, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_TRUE(gone(self, buf, LEN));
	EXPECT_EQ(0, intact(self, to, LEN, 0));
	munmap(to, LEN);
	EXPECT_EQ(0, gt_quiet(&check));
}

/* ---------------------------------------------------------------- mprotect */

GT_TEST(mprotect_read)
{
	unsigned int i;

	for (i = 0; i < NR_PARTS; i++) {
		const struct part *part = &parts[i];
		char *buf = make(_metadata, self, variant->huge);
		char *va = buf + part->off;

		ASSERT_EQ(0, mprotect(va, part->len, PROT_READ));
		EXPECT_EQ(0, readonly(self, va, part->len, part->off))
			TH_LOG("part %u", i);
		EXPECT_EQ(0, rest_intact(self, buf, part));
		ASSERT_EQ(0, mprotect(va, part->len, RW));
		EXPECT_EQ(0, intact(self, buf, LEN, 0));
		munmap(buf, LEN);
	}
}

GT_TEST(mprotect_none)
{
	unsigned int i;

	for (i = 0; i < NR_PARTS; i++) {
		const struct part *part = &parts[i];
		char *buf = make(_metadata, self, variant->huge);
		char *va = buf + part->off;

		ASSERT_EQ(0, mprotect(va, part->len, PROT_NONE));
		EXPECT_TRUE(gone(self, va, part->len));
		EXPECT_EQ(0, rest_intact(self, buf, part))
			TH_LOG("part %u", i);
		ASSERT_EQ(0, mprotect(va, part->len, RW));
		EXPECT_EQ(0, intact(self, buf, LEN, 0));
		munmap(buf, LEN);
	}
}

/* Down and up with nobody looking in between, step by step. */
GT_TEST(mprotect_steps)
{
	static const int prot[] = {
		PROT_READ, PROT_NONE, PROT_READ, RW, PROT_NONE, RW,
	};
	char *buf = make(_metadata, self, variant->huge);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(prot); i++)
		ASSERT_EQ(0, mprotect(buf, LEN, prot[i]));
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	munmap(buf, LEN);
}

/* A device that writes reads, too: memory that cannot be read is not for it. */
GT_TEST(mprotect_write_only)
{
	char *buf = make(_metadata, self, variant->huge);

	ASSERT_EQ(0, mprotect(buf, LEN, PROT_WRITE));
	EXPECT_EQ(-EFAULT, gt_touch(&self->dev[0], buf, 8));
	EXPECT_EQ(-EFAULT, gt_fill(&self->dev[0], buf, 8, 0));
	EXPECT_EQ(0, gt_translated(&self->dev[0], buf, LEN));
	ASSERT_EQ(0, mprotect(buf, LEN, RW));
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	munmap(buf, LEN);
}

/* --------------------------------------------------------- split and merge */

/* However the VMA is cut, the data is one piece. */
GT_TEST(vma_split_and_merge)
{
	char *buf = make(_metadata, self, variant->huge);
	unsigned int i;

	for (i = 0; i < NR_PARTS; i++) {
		char *va = buf + parts[i].off;

		place(_metadata, self, buf);
		ASSERT_EQ(1, nr_vmas(buf, LEN));
		ASSERT_EQ(0, madvise(va, parts[i].len, MADV_DONTDUMP));
		EXPECT_LE(2, nr_vmas(buf, LEN));
		EXPECT_EQ(0, intact(self, buf, LEN, 0));
		place(_metadata, self, buf);
		ASSERT_EQ(0, madvise(va, parts[i].len, MADV_DODUMP));
		EXPECT_EQ(1, nr_vmas(buf, LEN));
		EXPECT_EQ(0, intact(self, buf, LEN, 0));
	}
	munmap(buf, LEN);
}

/* The hole in a mapping is filled; the new part and the old one are one VMA. */
GT_TEST(vma_merge_with_new)
{
	char *buf = make(_metadata, self, variant->huge);
	struct part part = { GT_HUGE / 2, GT_HUGE };

	ASSERT_EQ(0, munmap(buf + part.off, part.len));
	ASSERT_EQ(2, nr_vmas(buf, LEN));
	EXPECT_TRUE(gone(self, buf + part.off, part.len));
	ASSERT_EQ(buf + part.off,
		  mmap(buf + part.off, part.len, RW, MAP_PRIVATE |
		       MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE,
		       -1, 0));
	ASSERT_EQ(0, madvise(buf, LEN, variant->huge ? MADV_HUGEPAGE :
						       MADV_NOHUGEPAGE));
	EXPECT_EQ(0, fresh(self, buf + part.off, part.len));
	EXPECT_EQ(0, rest_intact(self, buf, &part));
	munmap(buf, LEN);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where memory ends, and where it must not be touched: the break, stacks, guard
 * regions and sealed mappings, with their data on a device.
 */
#include <malloc.h>
#include <sys/syscall.h>

#include "aspace.h"
#include "gmem_abi.h"

/* --------------------------------------------------------------------- brk */

static char *set_brk(const char *to)
{
	return (char *)syscall(SYS_brk, to);
}

/*
 * Nothing of the C library may move the break meanwhile: it takes its memory
 * from mmap().
 */
GT_TEST(brk_up_and_down)
{
	char *old, *buf, *end;

	ASSERT_EQ(1, mallopt(M_MMAP_THRESHOLD, 0));
	old = set_brk(NULL);
	buf = (char *)(((uintptr_t)old + GT_HUGE) & ~(GT_HUGE - 1));
	end = buf + LEN;
	ASSERT_EQ(end, set_brk(end));
	ASSERT_EQ(0, madvise(buf, LEN, variant->huge ? MADV_HUGEPAGE :
						       MADV_NOHUGEPAGE));
	fill(_metadata, self, buf, variant->huge);
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	place(_metadata, self, buf);
	/* Into the middle of the second block, of the first; and up again. */
	ASSERT_EQ(end - GT_HUGE / 2, set_brk(end - GT_HUGE / 2));
	EXPECT_TRUE(gone(self, end - GT_HUGE / 2, GT_HUGE / 2));
	EXPECT_EQ(0, intact(self, buf, LEN - GT_HUGE / 2, 0));
	ASSERT_EQ(buf + GT_PAGE, set_brk(buf + GT_PAGE));
	EXPECT_TRUE(gone(self, buf + GT_PAGE, LEN - GT_PAGE));
	EXPECT_EQ(0, intact(self, buf, GT_PAGE, 0));
	ASSERT_EQ(end, set_brk(end));
	EXPECT_EQ(0, fresh(self, buf + GT_PAGE, LEN - GT_PAGE));
	EXPECT_EQ(0, intact(self, buf, GT_PAGE, 0));
	ASSERT_EQ(old, set_brk(old));
	EXPECT_TRUE(gone(self, buf, LEN));
}

/* ------------------------------------------------------------------- stack */

/*
 * What a stack has grown to is memory like any other, below the stack pointer,
 * too. Below the VMA there is nothing: only the fault of a CPU makes a stack
 * grow. A device gets -EFAULT and grows nothing, as with shared virtual
 * addressing, other drivers' and O_DIRECT.
 */
static void stack(struct __test_metadata *_metadata,
		  struct _test_data_gmem *self, char *low)
{
	struct gt_dev *dev = &self->dev[0];
	char *below = low - 2 * GT_PAGE;
	char c;

	ASSERT_EQ(1, nr_vmas(low, 8));
	ASSERT_EQ(0, nr_vmas(below, 8));
	EXPECT_EQ(-EFAULT, gt_touch(dev, below, 8));
	EXPECT_EQ(-EFAULT, gt_fill(dev, below, 8, 1));
	EXPECT_EQ(-EFAULT, gt_read(dev, below, 8, &(__u64){ 0 }));
	EXPECT_EQ(-ENOMEM, gt_hmadvise(dev->hnid, below, GT_PAGE,
				       HMADV_PREFETCH, 0));
	EXPECT_EQ(0, nr_vmas(below, 8));
	/* The CPU makes it grow, and the device may use it. */
	c = gt_load(below);
	EXPECT_EQ(0, c);
	EXPECT_EQ(1, nr_vmas(below, 8));
	EXPECT_EQ(0, fresh(self, below, GT_PAGE));
	ASSERT_EQ(0, gt_to_device(dev, below, GT_PAGE));
	EXPECT_EQ(0, gt_fill(dev, below, GT_PAGE, 7));
	EXPECT_EQ(-EFAULT, gt_fill(dev, below - GT_PAGE, 8, 0));
	/* It grows on while what it had is on the device. */
	gt_store(below - 8 * GT_PAGE, 1);
	EXPECT_EQ(7, *(__u64 *)below);
	EXPECT_EQ(7, *(__u64 *)(below + GT_PAGE - 8));
}

/* The lowest address of the stack that is in use now. */
static char *stack_low(void)
{
	unsigned long start, low = 0;
	char line[512];
	FILE *f;

	f = fopen("/proc/self/maps", "re");
	if (!f)
		return NULL;
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "[stack]") &&
		    sscanf(line, "%lx-", &start) == 1)
			low = start;
	fclose(f);
	return (char *)low;
}

GT_TEST(stack_of_process)
{
	char *low = stack_low();

	ASSERT_NE(NULL, low);
	stack(_metadata, self, low);
}

GT_TEST(stack_of_mapping)
{
	char *room = nowhere(2 * LEN), *buf;

	ASSERT_NE(NULL, room);
	buf = room + LEN;
	ASSERT_EQ(buf, mmap(buf, LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS |
			    MAP_FIXED_NOREPLACE | MAP_GROWSDOWN, -1, 0));
	ASSERT_EQ(0, madvise(buf, LEN, variant->huge ? MADV_HUGEPAGE :
						       MADV_NOHUGEPAGE));
	fill(_metadata, self, buf, variant->huge);
	stack(_metadata, self, buf);
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	munmap(room, 2 * LEN);
}

/* The stack that this function runs on, with its own variables. */
GT_TEST(stack_in_use)
{
	char buf[16 * GT_PAGE] __attribute__((aligned(GT_PAGE)));
	struct gt_dev *dev = &self->dev[0];
	__u64 seen;

	gt_pattern(buf, sizeof(buf), 1);
	EXPECT_EQ(0, gt_to_device(dev, buf, sizeof(buf) - 2 * GT_PAGE));
	EXPECT_EQ(0, intact(self, buf, sizeof(buf), 0));
	ASSERT_EQ(0, gt_atomic_add(dev, buf + 8 * GT_PAGE, 3, &seen));
	EXPECT_EQ(seen + 3, gt_load((__u64 *)(buf + 8 * GT_PAGE)));
}

/* ------------------------------------------------------------------ guards */

GT_TEST(guard_install_and_remove)
{
	unsigned int i;

	for (i = 0; i < NR_PARTS; i++) {
		const struct part *part = &parts[i];
		char *buf = make(_metadata, self, variant->huge);
		char *va = buf + part->off;

		ASSERT_EQ(0, madvise(va, part->len, MADV_GUARD_INSTALL));
		EXPECT_TRUE(gone(self, va, part->len))
			TH_LOG("part %u", i);
		EXPECT_EQ(0, rest_intact(self, buf, part));
		/* A hint does not lift them, and goes on behind them. */
		EXPECT_EQ(LEN, gt_hmadvise(self->dev[0].hnid, buf, LEN,
					   HMADV_PREFETCH, 0));
		EXPECT_TRUE(gone(self, va, part->len));
		ASSERT_EQ(0, madvise(va, part->len, MADV_GUARD_REMOVE));
		EXPECT_EQ(0, fresh(self, va, part->len));
		EXPECT_EQ(0, rest_intact(self, buf, part));
		munmap(buf, LEN);
	}
}

/* What the device populates around a guard leaves the guard where it is. */
GT_TEST(guard_in_fresh_memory)
{
	char *buf = gt_alloc(LEN, variant->huge);
	char *guard = buf + 4 * GT_PAGE;

	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, madvise(guard, GT_PAGE, MADV_GUARD_INSTALL));
	EXPECT_EQ(0, gt_fill(&self->dev[0], buf, 4 * GT_PAGE, 3));
	EXPECT_EQ(0, gt_fill(&self->dev[0], guard + GT_PAGE,
			     GT_HUGE - 5 * GT_PAGE, 3));
	EXPECT_TRUE(gone(self, guard, GT_PAGE));
	EXPECT_EQ(3, *(__u64 *)(guard - 8));
	EXPECT_EQ(3, *(__u64 *)(guard + GT_PAGE));
	munmap(buf, LEN);
}

/* ------------------------------------------------------------------- mseal */

static int seal(void *va, size_t len)
{
	return syscall(__NR_mseal, va, len, 0UL) ? -errno : 0;
}

static int refused(long ret)
{
	return ret == -1 && errno == EPERM;
}

GT_TEST(mseal_writable)
{
	char *buf = make(_metadata, self, variant->huge);
	char *to = nowhere(LEN);

	ASSERT_EQ(0, seal(buf, LEN));
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	place(_metadata, self, buf);
	EXPECT_TRUE(refused(munmap(buf, LEN)));
	EXPECT_TRUE(refused(munmap(buf + GT_PAGE, GT_PAGE)));
	EXPECT_TRUE(refused(mprotect(buf, LEN, PROT_READ)));
	EXPECT_EQ(MAP_FAILED, mremap(buf, LEN, LEN, MREMAP_MAYMOVE |
				     MREMAP_FIXED, to));
	EXPECT_EQ(MAP_FAILED, mmap(buf, LEN, RW, MAP_PRIVATE | MAP_ANONYMOUS |
				   MAP_FIXED, -1, 0));
	EXPECT_EQ(0, intact(self, buf, LEN, 0));
	/* What the program may overwrite it may discard. */
	place(_metadata, self, buf);
	EXPECT_EQ(LEN, gt_hmadvise(HMADV_NODE_ANY, buf, LEN, HMADV_DISCARD, 0));
	EXPECT_EQ(0, fresh(self, buf, LEN));
}

GT_TEST(mseal_readonly)
{
	char *buf = make(_metadata, self, variant->huge);

	ASSERT_EQ(0, mprotect(buf, LEN, PROT_READ));
	ASSERT_EQ(0, seal(buf, LEN));
	place(_metadata, self, buf);
	EXPECT_EQ(-EPERM, gt_hmadvise(HMADV_NODE_ANY, buf, LEN,
				      HMADV_DISCARD, 0));
	EXPECT_EQ(-EPERM, gt_hmadvise(HMADV_NODE_ANY, buf + GT_PAGE, GT_PAGE,
				      HMADV_DISCARD, 0));
	EXPECT_TRUE(refused(madvise(buf, LEN, MADV_DONTNEED)));
	EXPECT_TRUE(refused(mprotect(buf, LEN, RW)));
	EXPECT_TRUE(gt_all_on(buf, GT_HUGE, self->dev[0].hnid));
	EXPECT_EQ(0, readonly(self, buf, LEN, 0));
}

TEST_HARNESS_MAIN

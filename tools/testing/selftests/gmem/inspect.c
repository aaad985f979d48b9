// SPDX-License-Identifier: GPL-2.0-only
/*
 * What GMEM shows of itself to whoever runs the machine: the folder of a device's memory
 * in sysfs, and the logical page tables in debugfs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "gmem_fixture.h"

#define LEN		GT_MB(4)
#define LPT		"/sys/kernel/debug/gmem/lpt"

/* ------------------------------------------------------------------- sysfs */

static int hnode_read(const struct gt_dev *dev, const char *name, char *text, size_t len)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/mm/gmem/hnode%d/%s", dev->hnid, name);
	return gt_read_file(path, text, len);
}

static long long hnode_number(const struct gt_dev *dev, const char *name)
{
	char text[64], *end;
	long long number;
	int ret;

	ret = hnode_read(dev, name, text, sizeof(text));
	if (ret)
		return ret;
	number = strtoll(text, &end, 10);
	return *end == '\n' ? number : -EINVAL;
}

GT_TEST(sysfs_says_how_much_is_used)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = gt_alloc(LEN, true);
	struct gt_check check;
	long long size;

	ASSERT_NE(NULL, buf);
	size = hnode_number(dev, "size");
	EXPECT_EQ(dev->mem_bytes, size);
	EXPECT_EQ(0, hnode_number(dev, "used"));
	EXPECT_EQ(size, hnode_number(dev, "free"));

	gt_pattern(buf, LEN, 1);
	ASSERT_EQ(0, gt_to_device(dev, buf, LEN));
	EXPECT_EQ(LEN, hnode_number(dev, "used"));
	EXPECT_EQ(size - LEN, hnode_number(dev, "free"));
	EXPECT_EQ(size, hnode_number(dev, "size"));
	EXPECT_LE(LEN / GT_PAGE, hnode_number(dev, "stats/pages_in"));

	gt_free(buf, LEN);
	EXPECT_EQ(0, gt_quiet(&check));
	EXPECT_EQ(0, hnode_number(dev, "used"));
	EXPECT_EQ(size, hnode_number(dev, "free"));
}

GT_TEST(sysfs_says_what_it_is)
{
	struct gt_dev *dev = &self->dev[0], again;
	char text[64], slot[32];

	ASSERT_EQ(0, hnode_read(dev, "type", text, sizeof(text)));
	EXPECT_STREQ("private\n", text);
	ASSERT_EQ(0, hnode_read(dev, "device", text, sizeof(text)));
	ASSERT_EQ(0, gt_pci_slot(dev, slot, sizeof(slot)));
	EXPECT_EQ(0, strncmp(slot, text, strlen(slot))) TH_LOG("%s", text);

	EXPECT_EQ(1, hnode_number(dev, "attached"));
	ASSERT_EQ(0, gt_open(&again, dev->index));
	EXPECT_EQ(2, hnode_number(dev, "attached"));
	gt_close(&again);
	EXPECT_EQ(1, hnode_number(dev, "attached"));
}

/* ----------------------------------------------------------------- debugfs */

/* Finds a line of the logical page tables that has all the words. */
static bool lpt_line(char *line, size_t size, const char *first, const char *second,
		     const char *third)
{
	FILE *f = fopen(LPT, "re");
	bool found = false;

	if (!f)
		return false;
	while (!found && fgets(line, size, f))
		found = strstr(line, first) && strstr(line, second) && strstr(line, third);
	fclose(f);
	return found;
}

static bool lpt_has(const char *first, const char *second, const char *third)
{
	char line[1024];

	return lpt_line(line, sizeof(line), first, second, third);
}

static void run_name(char *range, size_t size, const void *va, size_t len)
{
	snprintf(range, size, "%012lx-%012lx", (unsigned long)va, (unsigned long)va + len);
}

static bool lpt_has_run(const void *va, size_t len, const char *where, const char *flags)
{
	char range[64];

	run_name(range, sizeof(range), va, len);
	return lpt_has(range, where, flags);
}

/* The contexts that may translate a run; 0 if there is no such run. */
static unsigned long lpt_contexts(const void *va, size_t len)
{
	static const char word[] = " contexts=";
	char range[64], line[1024];

	run_name(range, sizeof(range), va, len);
	if (!lpt_line(line, sizeof(line), range, word, ""))
		return 0;
	return strtoul(strstr(line, word) + strlen(word), NULL, 0);
}

GT_TEST(debugfs_lists_runs)
{
	struct gt_dev *dev = &self->dev[0];
	char *buf = gt_alloc(LEN, true), *shared, node[32], slot[32];

	ASSERT_NE(NULL, buf);
	shared = mmap(NULL, GT_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	gt_pattern(buf, LEN, 2);
	*shared = 1;
	ASSERT_EQ(0, gt_to_device(dev, buf, LEN));
	ASSERT_EQ(0, gt_touch_write(dev, buf, LEN));
	ASSERT_EQ(0, gt_touch_write(dev, shared, GT_PAGE));

	snprintf(node, sizeof(node), " hnode%d ", dev->hnid);
	EXPECT_TRUE(lpt_has_run(buf, LEN, node, " writable"));
	EXPECT_TRUE(lpt_has_run(shared, GT_PAGE, " host ", " writable"));
	EXPECT_TRUE(lpt_has("as ", "-0x", " default"));
	ASSERT_EQ(0, gt_pci_slot(dev, slot, sizeof(slot)));
	EXPECT_TRUE(lpt_has("  context ", " device ", slot));
	EXPECT_TRUE(lpt_has("  stats ", " faults=", " pages_in="));
	EXPECT_TRUE(lpt_has("  runs ", " bytes ", ""));

	/* Nobody has changed it, but the CPU wants it back. */
	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 2));
	EXPECT_FALSE(lpt_has_run(buf, LEN, "", ""));
	gt_free(buf, LEN);
	munmap(shared, GT_PAGE);
	EXPECT_FALSE(lpt_has_run(shared, GT_PAGE, "", ""));
}

/* What moves is translated for nobody any more but the device that it moves to. */
static void contexts_follow(struct __test_metadata *_metadata, struct _test_data_gmem *self,
			    bool huge)
{
	char *buf = gt_alloc(LEN, huge);
	unsigned long first, second;

	ASSERT_GE(self->nr, 2) TH_LOG("needs two accelerators");
	ASSERT_NE(NULL, buf);
	gt_pattern(buf, LEN, 3);
	ASSERT_EQ(0, gt_to_device(&self->dev[0], buf, LEN));
	ASSERT_EQ(0, gt_touch_write(&self->dev[0], buf, LEN));
	first = lpt_contexts(buf, LEN);
	EXPECT_EQ(1, __builtin_popcountl(first));

	ASSERT_EQ(0, gt_to_device(&self->dev[1], buf, LEN));
	ASSERT_EQ(0, gt_touch_write(&self->dev[1], buf, LEN));
	second = lpt_contexts(buf, LEN);
	EXPECT_EQ(1, __builtin_popcountl(second));
	EXPECT_EQ(0, first & second);

	EXPECT_EQ(-1, gt_pattern_bad(buf, LEN, 3));
	EXPECT_FALSE(lpt_has_run(buf, LEN, "", ""));
	gt_free(buf, LEN);
}

GT_TEST(debugfs_lists_contexts_of_huge_pages)
{
	contexts_follow(_metadata, self, true);
}

GT_TEST(debugfs_lists_contexts_of_base_pages)
{
	contexts_follow(_metadata, self, false);
}

TEST_HARNESS_MAIN

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

/* Whether a line of the logical page tables has all the words. */
static bool lpt_has(const char *first, const char *second, const char *third)
{
	FILE *f = fopen(LPT, "re");
	bool found = false;
	char line[1024];

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, first) && strstr(line, second) && strstr(line, third);
	fclose(f);
	return found;
}

static bool lpt_has_run(const void *va, size_t len, const char *where, const char *flags)
{
	char range[64];

	snprintf(range, sizeof(range), "%012lx-%012lx", (unsigned long)va,
		 (unsigned long)va + len);
	return lpt_has(range, where, flags);
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
	EXPECT_FALSE(lpt_has_run(buf, LEN, node, ""));
	gt_free(buf, LEN);
	munmap(shared, GT_PAGE);
	EXPECT_FALSE(lpt_has_run(shared, GT_PAGE, "", ""));
}

TEST_HARNESS_MAIN

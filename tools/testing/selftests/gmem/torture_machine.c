// SPDX-License-Identifier: GPL-2.0-only
/*
 * The torture test: what it wants of the machine. What the kernel does in the
 * background is done often; there are swap and huge pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/swap.h>

#include "refs_holder.h"
#include "torture.h"

#define TT_THP		"/sys/kernel/mm/transparent_hugepage/"
#define TT_KSM		"/sys/kernel/mm/ksm/"
#define TT_SWAP		"/dev/zram0"
#define TT_HUGETLB_NR	"/proc/sys/vm/nr_hugepages"

struct knob {
	const char *path;
	const char *value;
	char before[128];
};

/* What is done in the background is done often. */
static struct knob knobs[] = {
	{ TT_THP "enabled", "always", "" },
	{ TT_THP "khugepaged/scan_sleep_millisecs", "50", "" },
	{ TT_THP "khugepaged/alloc_sleep_millisecs", "50", "" },
	{ TT_KSM "pages_to_scan", "500", "" },
	{ TT_KSM "sleep_millisecs", "20", "" },
	{ TT_KSM "run", "1", "" },
};

#define NR_KNOBS	ARRAY_SIZE(knobs)

/* Of a choice, the word in brackets. */
static void chosen(char *text)
{
	char *open = strchr(text, '['), *close = strchr(text, ']');

	if (!open || !close)
		return;
	*close = '\0';
	memmove(text, open + 1, close - open);
}

static char hugetlb_before[32];

static void knobs_set(void)
{
	unsigned int i;

	for (i = 0; i < NR_KNOBS; i++) {
		struct knob *knob = &knobs[i];

		if (gt_read_file(knob->path, knob->before,
				 sizeof(knob->before)))
			continue;
		chosen(knob->before);
		if (gt_write_file(knob->path, knob->value))
			ksft_print_msg("cannot set %s\n", knob->path);
	}
}

static void knobs_restore(void)
{
	unsigned int i;

	for (i = 0; i < NR_KNOBS; i++)
		if (knobs[i].before[0])
			gt_write_file(knobs[i].path, knobs[i].before);
}

/* Writes the header that swapon() wants: version 1, the last page. */
static int swap_on(void)
{
	char page[GT_PAGE] = "";
	__u32 info[2] = { 1, GT_MB(256) / GT_PAGE - 1 };
	FILE *f;
	int ok;

	gt_write_file("/sys/block/zram0/disksize", "256M");
	memcpy(page + 1024, info, sizeof(info));
	memcpy(page + GT_PAGE - 10, "SWAPSPACE2", 10);
	f = fopen(TT_SWAP, "r+e");
	if (!f)
		return -errno;
	ok = fwrite(page, GT_PAGE, 1, f) == 1;
	ok &= !fclose(f);
	return ok && !swapon(TT_SWAP, 0) ? 0 : -errno;
}

/* A huge page for each worker. */
static bool hugetlb_pages(unsigned long nr)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", nr);
	return !gt_write_file(TT_HUGETLB_NR, text) &&
	       !gt_read_file(TT_HUGETLB_NR, text, sizeof(text)) &&
	       strtoul(text, NULL, 10) >= nr;
}

int tt_machine_set(unsigned long nr_workers)
{
	int pins;

	if (!gt_dev_count() || gt_set_engine("cpu"))
		ksft_exit_fail_msg("no /dev/gmem-mock0: is gmem_mock loaded?\n");
	if (swap_on())
		ksft_exit_fail_msg("no swap on " TT_SWAP ": %s\n",
				   strerror(errno));
	pins = open(GUP_TEST, O_RDWR | O_CLOEXEC);
	if (pins < 0)
		ksft_exit_fail_msg("no " GUP_TEST ": %s\n", strerror(errno));
	gt_read_file(TT_HUGETLB_NR, hugetlb_before, sizeof(hugetlb_before));
	if (!hugetlb_pages(nr_workers))
		ksft_exit_fail_msg("no %lu huge pages\n", nr_workers);
	knobs_set();
	return pins;
}

void tt_machine_reset(void)
{
	gt_write_file(TT_THP "enabled", "always");
}

void tt_machine_restore(void)
{
	knobs_restore();
	gt_write_file(TT_HUGETLB_NR, hugetlb_before);
	swapoff(TT_SWAP);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Failing one thing after the other. See sweep.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sweep.h"

/* The attributes are given this many times, and count down from there. */
#define SWEEP_TIMES	1000000

static const char * const fail_name[FAIL_KINDS] = {
	[FAIL_SLAB] = "failslab",
	[FAIL_PAGE] = "fail_page_alloc",
	[FAIL_COPY] = "gmem-mock/fail_copy",
	[FAIL_MAP] = "gmem-mock/fail_map",
	[FAIL_PREPARE] = "gmem-mock/fail_prepare",
};

static sigjmp_buf bus_env;

static void on_bus(int sig)
{
	siglongjmp(bus_env, 1);
}

const char *sweep_name(int kind)
{
	return kind < 0 ? "nothing" : fail_name[kind];
}

static int attr_write(int kind, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s",
		 fail_name[kind], file);
	return gt_write_file(path, text);
}

/* How often a kind has failed since sweep_open(), or a negative errno. */
static long attr_failed(int kind)
{
	char path[128], text[32];
	int ret;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/times",
		 fail_name[kind]);
	ret = gt_read_file(path, text, sizeof(text));
	return ret ? ret : SWEEP_TIMES - atol(text);
}

int sweep_copies(const char *probability)
{
	return attr_write(FAIL_COPY, "probability", probability);
}

/*
 * ACPICA is where the kernel stops at the next use of an object for which there was no
 * memory (7.2). PCI calls it when a driver is bound or unbound; nothing of it is ours.
 * Its code is in one piece, ordered by the first part of the names.
 */
static int spare_acpi(void)
{
	unsigned long long at, start = ~0ULL, end = 0;
	char name[256], text[32];
	FILE *f = fopen("/proc/kallsyms", "re");
	int ret = 0, i;

	if (!f)
		return -errno;
	while (fscanf(f, "%llx %*c %255s%*[^\n]", &at, name) == 2) {
		if (!strncmp(name, "acpi_ds_", 8) && at < start)
			start = at;
		/* What is only used to boot is elsewhere. */
		if (!strncmp(name, "acpi_ut_", 8) && at > end &&
		    at < start + GT_MB(1))
			end = at;
	}
	fclose(f);
	for (i = FAIL_SLAB; i <= FAIL_PAGE && start < end && !ret; i++) {
		snprintf(text, sizeof(text), "0x%llx", start);
		ret = attr_write(i, "reject-start", text);
		snprintf(text, sizeof(text), "0x%llx", end);
		ret = ret ?: attr_write(i, "reject-end", text);
	}
	return ret;
}

/* Every allocation counts, whatever it may do to get memory. The log is silent. */
int sweep_open(struct sweep *sweep)
{
	static const struct {
		enum fail_kind kind;
		const char *file;
	} spared[] = {
		{ FAIL_SLAB, "ignore-gfp-wait" },
		{ FAIL_PAGE, "ignore-gfp-wait" },
		{ FAIL_PAGE, "ignore-gfp-highmem" },
		{ FAIL_PAGE, "min-order" },
	};
	char times[32];
	unsigned int i;
	int ret = 0;

	snprintf(times, sizeof(times), "%d", SWEEP_TIMES);
	for (i = 0; i < FAIL_KINDS && !ret; i++)
		ret = attr_write(i, "probability", "0") ?:
		      attr_write(i, "verbose", "0") ?:
		      attr_write(i, "times", times);
	for (i = 0; i < sizeof(spared) / sizeof(*spared) && !ret; i++)
		ret = attr_write(spared[i].kind, spared[i].file, "0");
	ret = ret ?: spare_acpi();
	if (ret)
		return ret;
	signal(SIGBUS, on_bus);
	*sweep = (struct sweep){ };
	sweep->fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	return sweep->fd < 0 ? -errno : 0;
}

static bool fail_nth(struct sweep *sweep, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	return pwrite(sweep->fd, text, len, 0) == len;
}

/* From here on, what is met as the n-th fails. */
bool sweep_arm(struct sweep *sweep)
{
	return fail_nth(sweep, sweep->nth);
}

/*
 * Nothing fails any more.
 *
 * Return: what failed, FAIL_NONE if nothing did, or less than that if the kernel
 * contradicts itself.
 */
int sweep_disarm(struct sweep *sweep)
{
	int i, kind = FAIL_NONE, nr = 0, tries = 2;
	char text[16] = "";
	ssize_t len;

	/* After fork() the answer needs a page of its own, which can fail as well. */
	do {
		len = pread(sweep->fd, text, sizeof(text) - 1, 0);
	} while (len < 0 && errno == EFAULT && --tries);
	if (len <= 0 || !fail_nth(sweep, 0))
		return -EPROTO;
	for (i = 0; i < FAIL_KINDS; i++) {
		long failed = attr_failed(i);

		if (failed == sweep->hits[i])
			continue;
		kind = i;
		nr += failed - sweep->hits[i];
		sweep->hits[i] = failed;
	}
	/* The last may have failed after it was asked for, for a page of the stack. */
	return nr > 1 || (!nr && !atol(text)) ? -EPROTO : kind;
}

/*
 * From here on, the first call of an operation of the driver fails.
 *
 * Steps of one cannot promise to meet the one call of its kind: what a run allocates
 * depends on what the runs before it left in the caches, so the n-th moves while n
 * does.
 */
bool sweep_arm_kind(struct sweep *sweep, int kind)
{
	return !attr_write(kind, "times", "1") &&
	       !attr_write(kind, "probability", "100");
}

int sweep_calm(int kind)
{
	return attr_write(kind, "probability", "0");
}

/* Return: @kind if it failed, FAIL_NONE if it was not called. */
int sweep_disarm_kind(struct sweep *sweep, int kind)
{
	bool failed = attr_failed(kind) == SWEEP_TIMES;
	char times[32];

	sweep->hits[kind] += failed;
	snprintf(times, sizeof(times), "%u", SWEEP_TIMES - sweep->hits[kind]);
	if (sweep_calm(kind) || attr_write(kind, "times", times))
		return -EPROTO;
	return failed ? kind : FAIL_NONE;
}

bool clean(void)
{
	unsigned long long end = gt_now_ms() + 2000;
	struct gt_check check;

	while (!gt_check(&check)) {
		if (gt_is_sound(&check))
			return true;
		if (gt_now_ms() > end)
			break;
		usleep(1000);
	}
	return false;
}

int cpu_access(void *va)
{
	if (sigsetjmp(bus_env, 1))
		return -EFAULT;
	gt_add((__u64 *)va, 0);
	return 0;
}

/* Not in those that jump: a jump forgets what a loop is at. */
static bool is_pattern(const char *va, size_t from, size_t to, __u64 seed)
{
	const __u64 *word = (const __u64 *)va;
	size_t i;

	for (i = from / sizeof(*word); i < to / sizeof(*word); i++)
		if (gt_load(&word[i]) != gt_pattern_word(seed, i))
			return false;
	return true;
}

static bool is_zero(const char *va, size_t len)
{
	const __u64 *word = (const __u64 *)va;
	size_t i;

	for (i = 0; i < len / sizeof(*word); i++)
		if (gt_load(&word[i]))
			return false;
	return true;
}

bool cpu_pattern(const struct world *w, size_t from, size_t to, __u64 seed)
{
	return !sigsetjmp(bus_env, 1) && is_pattern(w->buf, from, to, seed);
}

bool cpu_zeros(const struct world *w, size_t from, size_t to)
{
	return !sigsetjmp(bus_env, 1) && is_zero(w->buf + from, to - from);
}

int advise(struct world *w, int hnid, size_t from, size_t to, int advice)
{
	long ret = gt_hmadvise(hnid, w->buf + from, to - from, advice, 0);

	return ret < 0 ? ret : ret == to - from ? 0 : -EPROTO;
}

int driver_act(struct world *w)
{
	size_t len = strlen(w->name);

	return write(w->file, w->name, len) == len ? 0 : -errno;
}

bool on_host(struct world *w)
{
	bool huge = w->len == GT_HUGE;

	if (gt_open(&w->dev, 0))
		return false;
	w->buf = gt_alloc(w->len, huge);
	if (!w->buf)
		return false;
	gt_pattern(w->buf, w->len, SEED);
	return gt_huge_bytes(w->buf) == (huge ? GT_HUGE : 0);
}

bool on_device(struct world *w)
{
	return on_host(w) && !gt_to_device(&w->dev, w->buf, w->len);
}

bool all_right(struct world *w)
{
	bool ok;

	ok = !gt_dev_pattern(&w->dev, w->buf, w->len, SEED) &&
	     !gt_to_device(&w->dev, w->buf, w->len) &&
	     cpu_pattern(w, 0, w->len, SEED) &&
	     !gt_dev_pattern(&w->dev, w->buf, w->len, SEED);
	gt_free(w->buf, w->len);
	return !gt_close(&w->dev) && ok;
}

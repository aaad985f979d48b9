// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the GMEM selftests share. See gmem_test.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "gmem_test.h"
#include "kselftest.h"

#ifndef __NR_hmadvise
#define __NR_hmadvise 472
#endif

#define GT_CHECK	"/sys/kernel/debug/gmem/check"
/* Left free on a device, for the core's own use and for fragments. */
#define GT_DEV_MARGIN	GT_MB(16)
#define GT_QUIET_MS	20000

/* ------------------------------------------------------------------ files */

int gt_write_file(const char *path, const char *text)
{
	ssize_t ret;
	int fd;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text));
	if (ret < 0)
		ret = -errno;
	close(fd);
	return ret < 0 ? ret : 0;
}

int gt_read_file(const char *path, char *text, size_t len)
{
	size_t have = 0;
	ssize_t ret;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	do {
		ret = read(fd, text + have, len - 1 - have);
		if (ret > 0)
			have += ret;
	} while (ret > 0);
	if (ret < 0)
		ret = -errno;
	close(fd);
	text[have] = '\0';
	return ret;
}

long gt_number(const char *path)
{
	char text[64];

	return gt_read_file(path, text, sizeof(text)) ? -1 :
	       strtol(text, NULL, 0);
}

long gt_field(const char *path, const char *name)
{
	char line[256], word[64];
	long value, found = -1;
	FILE *f;

	f = fopen(path, "re");
	if (!f)
		return -1;
	while (found < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %ld", word, &value) == 2 &&
		    !strcmp(word, name))
			found = value;
	fclose(f);
	return found;
}

long gt_vmstat(const char *name)
{
	return gt_field("/proc/vmstat", name);
}

/* ---------------------------------------------------------------- devices */

/* The number of the device file that is the @index-th of those that exist. */
static int gt_dev_number(unsigned int index)
{
	char path[32];
	int n;

	for (n = 0; n < 64; n++) {
		snprintf(path, sizeof(path), "/dev/gmem-mock%d", n);
		if (!access(path, F_OK) && !index--)
			return n;
	}
	return -ENOENT;
}

unsigned int gt_dev_count(void)
{
	unsigned int nr = 0;

	while (nr < GT_MAX_DEVS && gt_dev_number(nr) >= 0)
		nr++;
	return nr;
}

int gt_query(int fd, struct gmem_mock_query *query)
{
	*query = (struct gmem_mock_query){ .size = sizeof(*query) };
	return ioctl(fd, GMEM_MOCK_QUERY, query) ? -errno : 0;
}

int gt_open(struct gt_dev *dev, unsigned int index)
{
	struct gmem_mock_query query;
	char path[32];
	int ret;

	snprintf(path, sizeof(path), "/dev/gmem-mock%d", gt_dev_number(index));
	dev->index = index;
	dev->fd = open(path, O_RDWR | O_CLOEXEC);
	if (dev->fd < 0)
		return -errno;
	ret = gt_query(dev->fd, &query);
	if (ret) {
		gt_close(dev);
		return ret;
	}
	dev->hnid = query.hnid;
	dev->mem_bytes = query.mem_bytes;
	dev->max_len = query.max_len;
	dev->caps = query.caps;
	dev->edu_max = query.edu_max;
	return 0;
}

int gt_pci_slot(const struct gt_dev *dev, char *slot, size_t len)
{
	char link[80], path[256];
	struct stat st;
	ssize_t n;

	if (fstat(dev->fd, &st))
		return -errno;
	snprintf(link, sizeof(link), "/sys/dev/char/%u:%u/device",
		 major(st.st_rdev), minor(st.st_rdev));
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	snprintf(slot, len, "%s", strrchr(path, '/') + 1);
	/* Without the function: the two functions are one device. */
	slot[strcspn(slot, ".")] = '\0';
	return 0;
}

int gt_close(struct gt_dev *dev)
{
	int ret = close(dev->fd) ? -errno : 0;

	dev->fd = -1;
	return ret;
}

int gt_stats(const struct gt_dev *dev, struct gmem_mock_stats *stats)
{
	*stats = (struct gmem_mock_stats){ .size = sizeof(*stats) };
	return ioctl(dev->fd, GMEM_MOCK_STATS, stats) ? -errno : 0;
}

int gt_set_engine(const char *name)
{
	return gt_write_file(GT_ENGINE, name);
}

int gt_set_peer_copy(bool direct)
{
	return gt_write_file(GT_PEER_COPY, direct ? "1" : "0");
}

/* -------------------------------------------------------------------- ops */

int gt_run(const struct gt_dev *dev, struct gmem_mock_op *op)
{
	struct gmem_mock_run run = {
		.size = sizeof(run),
		.ops = (uintptr_t)op,
		.op_size = sizeof(*op),
		.nr_ops = 1,
	};
	int ret = ioctl(dev->fd, GMEM_MOCK_RUN, &run) ? -errno : 0;

	/* The call and the op must tell the same story. */
	if (run.nr_done && ret != op->error)
		return -EPROTO;
	return ret;
}

static int gt_run_split(const struct gt_dev *dev, struct gmem_mock_op op)
{
	size_t left = op.len;
	bool arg_moves = op.opcode == GMEM_MOCK_OP_READ ||
			 op.opcode == GMEM_MOCK_OP_WRITE;
	int ret = 0;

	while (left && !ret) {
		op.len = left < dev->max_len ? left : dev->max_len;
		ret = gt_run(dev, &op);
		op.va += op.len;
		if (arg_moves)
			op.arg += op.len;
		left -= op.len;
	}
	return ret;
}

int gt_touch(const struct gt_dev *dev, const void *va, size_t len)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_TOUCH,
		.va = (uintptr_t)va,
		.len = len,
	};

	return gt_run_split(dev, op);
}

int gt_touch_write(const struct gt_dev *dev, const void *va, size_t len)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_TOUCH,
		.flags = GMEM_MOCK_OP_WRITABLE,
		.va = (uintptr_t)va,
		.len = len,
	};

	return gt_run_split(dev, op);
}

int gt_read(const struct gt_dev *dev, const void *va, size_t len, void *buf)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_READ,
		.va = (uintptr_t)va,
		.len = len,
		.arg = (uintptr_t)buf,
	};

	return gt_run_split(dev, op);
}

int gt_write(const struct gt_dev *dev, const void *va, size_t len,
	     const void *buf)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_WRITE,
		.va = (uintptr_t)va,
		.len = len,
		.arg = (uintptr_t)buf,
	};

	return gt_run_split(dev, op);
}

int gt_fill(const struct gt_dev *dev, const void *va, size_t len, __u64 value)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_FILL,
		.va = (uintptr_t)va,
		.len = len,
		.arg = value,
	};

	return gt_run_split(dev, op);
}

int gt_checksum(const struct gt_dev *dev, const void *va, size_t len,
		__u64 *sum)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_CHECKSUM,
		.va = (uintptr_t)va,
		.len = len,
	};
	int ret = gt_run(dev, &op);

	*sum = op.result;
	return ret;
}

int gt_atomic_add(const struct gt_dev *dev, const void *va, __u64 value,
		  __u64 *before)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_ATOMIC_ADD,
		.va = (uintptr_t)va,
		.len = sizeof(__u64),
		.arg = value,
	};
	int ret = gt_run(dev, &op);

	if (before)
		*before = op.result;
	return ret;
}

/* -------------------------------------------------------- where memory is */

int gt_snapshot(const struct gt_dev *dev, const void *va, size_t len,
		struct gmem_mock_xlat *xlats, unsigned int max)
{
	struct gmem_mock_snapshot snap = {
		.size = sizeof(snap),
		.va = (uintptr_t)va,
		.len = len,
		.xlats = (uintptr_t)xlats,
		.xlat_size = sizeof(*xlats),
		.nr_xlats = max,
	};

	if (ioctl(dev->fd, GMEM_MOCK_SNAPSHOT, &snap))
		return -errno;
	return snap.nr_xlats;
}

int gt_translated(const struct gt_dev *dev, const void *va, size_t len)
{
	struct gmem_mock_xlat xlat;

	return gt_snapshot(dev, va, len, &xlat, 1);
}

int gt_residency(const void *va, size_t len, __s32 *vec)
{
	struct gmem_residency res = {
		.size = sizeof(res),
		.addr = (uintptr_t)va,
		.len = len,
		.vec = (uintptr_t)vec,
		.vec_len = len / GT_PAGE,
	};
	int ret = 0;
	int fd;

	fd = open("/dev/gmem", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, GMEM_IOC_RESIDENCY, &res))
		ret = -errno;
	else if (res.filled != len / GT_PAGE)
		ret = -EINTR;
	close(fd);
	return ret;
}

int gt_node(const void *va)
{
	void *page = (void *)((uintptr_t)va & ~(GT_PAGE - 1));
	__s32 node = -1000;
	int ret = gt_residency(page, GT_PAGE, &node);

	return ret ? -1000 + ret : node;
}

bool gt_all_on(const void *va, size_t len, int node)
{
	size_t nr = len / GT_PAGE, i;
	__s32 *vec = malloc(nr * sizeof(*vec));
	int numa_max = 1024;
	bool same = vec && !gt_residency(va, len, vec);
	char text[64];

	/* Host nodes are those that the kernel lists as possible. */
	if (!gt_read_file("/sys/devices/system/node/possible", text,
			  sizeof(text))) {
		char *dash = strrchr(text, '-');

		numa_max = atoi(dash ? dash + 1 : text) + 1;
	}
	for (i = 0; same && i < nr; i++)
		same = node == GT_HOME ? vec[i] >= 0 && vec[i] < numa_max :
					 vec[i] == node;
	free(vec);
	return same;
}

long gt_hmadvise(int hnid, const void *va, size_t len, int advice,
		 unsigned int flags)
{
	long ret = syscall(__NR_hmadvise, hnid, va, len, advice, flags);

	return ret < 0 ? -errno : ret;
}

/* ----------------------------------------------------------------- memory */

void *gt_alloc(size_t len, bool huge)
{
	size_t room = len + GT_HUGE;
	char *raw, *va;

	raw = mmap(NULL, room, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (raw == MAP_FAILED)
		return NULL;
	va = (char *)(((uintptr_t)raw + GT_HUGE - 1) & ~(GT_HUGE - 1));
	if (va > raw)
		munmap(raw, va - raw);
	if (raw + room > va + len)
		munmap(va + len, raw + room - (va + len));
	if (madvise(va, len, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE)) {
		munmap(va, len);
		return NULL;
	}
	return va;
}

void gt_free(void *va, size_t len)
{
	munmap(va, len);
}

/* The line @name of the mapping at @va, in bytes. */
static size_t smaps_bytes(const void *va, const char *name)
{
	unsigned long start, end, kb;
	bool inside = false;
	size_t bytes = 0;
	char line[512], word[64];
	FILE *f;

	f = fopen("/proc/self/smaps", "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (uintptr_t)va >= start && (uintptr_t)va < end;
		else if (inside && sscanf(line, "%63s %lu", word, &kb) == 2 &&
			 !strcmp(word, name))
			bytes = kb << 10;
	}
	fclose(f);
	return bytes;
}

size_t gt_huge_bytes(const void *va)
{
	return smaps_bytes(va, "AnonHugePages:");
}

size_t gt_referenced_bytes(const void *va)
{
	return smaps_bytes(va, "Referenced:");
}

__u64 gt_pattern_word(__u64 seed, size_t index)
{
	return (seed * 0x100000001b3ULL + index) * 0x9e3779b97f4a7c15ULL;
}

void gt_pattern(void *va, size_t len, __u64 seed)
{
	__u64 *word = va;
	size_t i;

	for (i = 0; i < len / sizeof(*word); i++)
		word[i] = gt_pattern_word(seed, i);
}

ssize_t gt_pattern_bad(const void *va, size_t len, __u64 seed)
{
	const __u64 *word = va;
	size_t i;

	for (i = 0; i < len / sizeof(*word); i++)
		if (gt_load(&word[i]) != gt_pattern_word(seed, i))
			return i * sizeof(*word);
	return -1;
}

__u64 gt_pattern_sum(__u64 seed, size_t index, size_t nr)
{
	__u64 sum = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		sum = gmem_mock_checksum_step(sum, i,
					      gt_pattern_word(seed, index + i));
	return sum;
}

int gt_dev_pattern(const struct gt_dev *dev, const void *va, size_t len,
		   __u64 seed)
{
	size_t off, nr;
	__u64 sum;
	int ret;

	for (off = 0; off < len; off += GT_HUGE) {
		nr = (len - off < GT_HUGE ? len - off : GT_HUGE) / sizeof(sum);
		ret = gt_checksum(dev, (const char *)va + off,
				  nr * sizeof(sum), &sum);
		if (ret)
			return ret;
		if (sum != gt_pattern_sum(seed, off / sizeof(sum), nr))
			return -EILSEQ;
	}
	return 0;
}

/* ------------------------------------------------------------------ check */

int gt_check(struct gt_check *check)
{
	static const char * const name[] = {
		"frames_used", "frames_recorded", "frames_foreign",
		"leaked", "stale", "unrecorded",
	};
	unsigned long long *value[] = {
		&check->frames_used, &check->frames_recorded,
		&check->frames_foreign, &check->leaked, &check->stale,
		&check->unrecorded,
	};
	char text[4096], key[32];
	unsigned long long n;
	unsigned int i, seen = 0;
	char *line, *save;
	int ret;

	ret = gt_read_file(GT_CHECK, text, sizeof(text));
	if (ret)
		return ret;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%31s %llu", key, &n) != 2)
			continue;
		for (i = 0; i < ARRAY_SIZE(name); i++) {
			if (strcmp(key, name[i]))
				continue;
			*value[i] = n;
			seen |= 1U << i;
		}
	}
	return seen == (1U << ARRAY_SIZE(name)) - 1 ? 0 : -ENODATA;
}

bool gt_is_sound(const struct gt_check *check)
{
	return !check->leaked && !check->stale && !check->unrecorded;
}

int gt_sound(struct gt_check *check)
{
	unsigned long long end = gt_now_ms() + GT_QUIET_MS;
	int ret;

	for (;;) {
		ret = gt_check(check);
		if (ret != -EBUSY && (ret || gt_is_sound(check)))
			return ret;
		if (gt_now_ms() > end)
			return ret;
		usleep(20000);
	}
}

int gt_quiet(struct gt_check *check)
{
	unsigned long long end = gt_now_ms() + GT_QUIET_MS;
	int ret;

	for (;;) {
		ret = gt_check(check);
		if (ret != -EBUSY &&
		    (ret || (!check->frames_used && gt_is_sound(check))))
			return ret;
		if (gt_now_ms() > end)
			return -ETIMEDOUT;
		usleep(20000);
	}
}

/* Reads a byte of each page that is private to this process, or was before it forked. */
static int touch_all(void)
{
	unsigned long start, end;
	char line[512], perms[5];
	FILE *f;

	f = fopen("/proc/self/maps", "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %4s", &start, &end, perms) != 3 ||
		    strcmp(perms, "rw-p"))
			continue;
		for (; start < end; start += GT_PAGE)
			gt_load((char *)start);
	}
	fclose(f);
	return 0;
}

/*
 * Of what a test shares with the process that forked it, a device of the test may have
 * taken pages, for both: there is no other copy. They are home when somebody wants them,
 * and after the test that can only be us.
 */
int gt_quiet_after(struct gt_check *check)
{
	return touch_all() ?: gt_quiet(check);
}

/* ------------------------------------------------------------------ knobs */

size_t gt_mem_available(void)
{
	long kb = gt_field("/proc/meminfo", "MemAvailable:");

	return kb < 0 ? 0 : (size_t)kb << 10;
}

size_t gt_large_bytes(const struct gt_dev *dev, unsigned int nr_procs)
{
	const char *env = getenv("GMEM_TEST_MB");
	size_t room = gt_mem_available() / 4 * 3 / nr_procs;
	size_t len = GT_MB(env ? strtoul(env, NULL, 0) : 512);

	if (len > dev->mem_bytes - GT_DEV_MARGIN)
		len = dev->mem_bytes - GT_DEV_MARGIN;
	if (len > room)
		len = room;
	return len & ~(GT_HUGE - 1);
}

unsigned int gt_loop_ms(unsigned int ms)
{
	const char *env = getenv("GMEM_TEST_SCALE");

	return ms * (env ? strtoul(env, NULL, 0) : 100) / 100;
}

unsigned long long gt_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

unsigned long long gt_now_ms(void)
{
	return gt_now_us() / 1000;
}

/* -------------------------------------------------------------- accesses */

int gt_to_device(const struct gt_dev *dev, const void *va, size_t len)
{
	unsigned int tries;
	long ret;

	for (tries = 0; tries < 20; tries++) {
		ret = gt_hmadvise(dev->hnid, va, len, HMADV_PREFETCH, 0);
		if (ret < 0 && ret != -EAGAIN)
			return ret;
		if (gt_all_on(va, len, dev->hnid))
			return 0;
		usleep(1000);
	}
	return -EBUSY;
}

int gt_cpu_touch(void *va, bool write_too)
{
	int fds[2], ret = 0;

	if (pipe(fds))
		return -errno;
	if (write(fds[1], va, 1) != 1 ||
	    (write_too && read(fds[0], va, 1) != 1))
		ret = -errno;
	close(fds[0]);
	close(fds[1]);
	return ret;
}

size_t gt_pagemap_all(const void *va, size_t nr, __u64 *entries)
{
	ssize_t len;
	int fd;

	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	len = pread(fd, entries, nr * 8, (uintptr_t)va / GT_PAGE * 8);
	close(fd);
	return len < 0 ? 0 : len / 8;
}

__u64 gt_pagemap(const void *va)
{
	__u64 entry;

	return gt_pagemap_all(va, 1, &entry) ? entry : 0;
}

__u64 gt_pfn(const void *va)
{
	__u64 entry = gt_pagemap(va);

	/* Bit 63: present; bits 0 to 54: the page frame number. */
	return entry >> 63 ? entry & ((1ULL << 55) - 1) : 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory to measure with, and the bytes in it.
 *
 * Each workload asks for pages of a certain size, and is given them or ends: a
 * figure for huge pages must not be one for base pages.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define THP_SETTING	"/sys/kernel/mm/transparent_hugepage/hugepages-%zukB/enabled"
#define MTHP		(64 * KIB)

/* Base pages: one of so many may lie beside its neighbour. */
#define APART		64
#define LAYOUT_TRIES	100

#define PAGEMAP		"/proc/self/pagemap"
#define PAGEMAP_PRESENT	(1ULL << 63)
#define PAGEMAP_PFN	((1ULL << 55) - 1)
#define KPF_HEAD	(1ULL << 15)
#define KPF_TAIL	(1ULL << 16)

static void thp_setting(size_t size, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), THP_SETTING, size / KIB);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		give_up(path);
	close(fd);
}

static uint64_t word_of(const char *path, uint64_t index)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t word;

	if (fd < 0 || pread(fd, &word, sizeof(word), index * sizeof(word)) !=
	    sizeof(word))
		give_up(path);
	close(fd);
	return word;
}

static uint64_t flags_of(const char *va)
{
	uint64_t entry = word_of(PAGEMAP, (uintptr_t)va / PAGE);

	must(entry & PAGEMAP_PRESENT, "memory is not there");
	return word_of("/proc/kpageflags", entry & PAGEMAP_PFN);
}

/* The first and the last folio must be of the size that was asked for. */
static void check_folios(const char *va, size_t len, size_t folio)
{
	const char *last = va + len - folio;

	if (folio == PAGE) {
		must(!(flags_of(va) & (KPF_HEAD | KPF_TAIL)) &&
		     !(flags_of(last) & (KPF_HEAD | KPF_TAIL)),
		     "wanted base pages and got others");
		return;
	}
	must((flags_of(va) & KPF_HEAD) && (flags_of(last) & KPF_HEAD) &&
	     (flags_of(va + folio - PAGE) & KPF_TAIL) &&
	     (flags_of(last + folio - PAGE) & KPF_TAIL),
	     "wanted large folios and got others");
}

/* Chance, the same in each run. */
static uint64_t next_random(void)
{
	static uint64_t x = 0x9e3779b97f4a7c15ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void touch_in_any_order(char *va, size_t nr)
{
	uint32_t *order = malloc(nr * sizeof(*order));
	size_t i, other;

	if (!order)
		give_up("malloc");
	for (i = 0; i < nr; i++) {
		other = next_random() % (i + 1);
		order[i] = order[other];
		order[other] = i;
	}
	for (i = 0; i < nr; i++)
		va[order[i] * PAGE] = 1;
	free(order);
}

/* Pages that lie beside the one before them in memory, too. */
static size_t neighbours(const char *va, size_t nr)
{
	uint64_t *frames = malloc(nr * sizeof(*frames));
	ssize_t size = nr * sizeof(*frames);
	size_t i, found = 0;
	int fd = open(PAGEMAP, O_RDONLY | O_CLOEXEC);

	if (!frames || fd < 0 ||
	    pread(fd, frames, size, (uintptr_t)va / PAGE * sizeof(*frames)) != size)
		give_up(PAGEMAP);
	close(fd);
	for (i = 0; i < nr; i++)
		frames[i] &= PAGEMAP_PFN;
	for (i = 1; i < nr; i++)
		if (frames[i] == frames[i - 1] + 1 ||
		    frames[i] + 1 == frames[i - 1])
			found++;
	free(frames);
	return found;
}

/*
 * The allocator hands out base pages in runs, up or down or in leaps, by what was freed
 * before. Where two lie side by side they are one extent, and who copies or maps
 * extents has less to do: a figure would tell how often that happened to be so. So no
 * pages lie side by side, for anybody. Touched in an order of chance, whatever run they
 * come from, two of them do on average, however many there are.
 */
static void populate_base(char *va, size_t len)
{
	size_t nr = len / PAGE;
	unsigned int tries;

	for (tries = 0; tries < LAYOUT_TRIES; tries++) {
		touch_in_any_order(va, nr);
		if (neighbours(va, nr) <= nr / APART)
			return;
		if (madvise(va, len, MADV_DONTNEED))
			give_up("madvise");
	}
	must(false, "base pages lie side by side in memory");
}

static size_t room_for(size_t len)
{
	return (len + HUGE - 1) & ~(HUGE - 1);
}

/*
 * Aligned to 2 MiB, with as much before and behind it that nobody can use:
 * test_hmm's device forgets, too, the page after a range that is unmapped.
 */
static char *reserve(size_t len)
{
	size_t all = room_for(len) + 3 * HUGE;
	char *raw = mmap(NULL, all, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *va, *end;

	if (raw == MAP_FAILED)
		give_up("mmap");
	va = (char *)(((uintptr_t)raw + 2 * HUGE - 1) & ~(HUGE - 1));
	end = va + room_for(len) + HUGE;
	if ((va - HUGE > raw && munmap(raw, va - HUGE - raw)) ||
	    (end < raw + all && munmap(end, raw + all - end)))
		give_up("munmap");
	return va;
}

static void map_at(char *va, size_t len, int flags)
{
	if (mmap(va, len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0) !=
	    va)
		give_up("mmap");
}

/* At a place of the caller's choice, too little for a large folio; not there yet. */
char *memory_get_at(void *where, size_t len)
{
	map_at(where, len, MAP_FIXED);
	return where;
}

char *memory_get(enum memory kind, size_t len)
{
	bool base = kind == MEM_BASE || kind == MEM_NONE;
	char *va = reserve(len);

	map_at(va, len, MAP_FIXED);
	if (madvise(va, len, base ? MADV_NOHUGEPAGE : MADV_HUGEPAGE))
		give_up("madvise");
	if (kind == MEM_NONE || kind == MEM_NONE_THP)
		return va;
	if (kind == MEM_MTHP) {
		thp_setting(HUGE, "never");
		thp_setting(MTHP, "always");
	}
	if (kind == MEM_BASE)
		populate_base(va, len);
	else
		memset(va, 1, len);
	if (kind == MEM_MTHP) {
		thp_setting(HUGE, "inherit");
		thp_setting(MTHP, "never");
	}
	check_folios(va, len, kind == MEM_THP ? HUGE :
		     kind == MEM_MTHP ? MTHP : PAGE);
	return va;
}

void memory_put(char *va, size_t len)
{
	if (munmap(va, len) || munmap(va - HUGE, room_for(len) + 2 * HUGE))
		give_up("munmap");
}

/* For bytes on their way to or from a device: never shared with it. */
char *buffer_get(size_t len)
{
	char *buf = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (buf == MAP_FAILED)
		give_up("mmap");
	return buf;
}

void buffer_put(char *buf, size_t len)
{
	munmap(buf, len);
}

static uint64_t word_at(uint64_t seed, size_t i)
{
	return seed * 0x9e3779b97f4a7c15ULL + i * 0xd1342543de82ef95ULL;
}

void bytes_write(char *va, size_t len, uint64_t seed)
{
	uint64_t *words = (uint64_t *)va;
	size_t i;

	for (i = 0; i < len / sizeof(*words); i++)
		words[i] = word_at(seed, i);
}

bool bytes_are(const char *va, size_t len, uint64_t seed)
{
	const uint64_t *words = (const uint64_t *)va;
	size_t i;

	for (i = 0; i < len / sizeof(*words); i++)
		if (words[i] != word_at(seed, i))
			return false;
	return true;
}

/* Wrong data is the end: no figure is worth anything then. */
void bytes_check(const char *va, size_t len, uint64_t seed,
		 const struct contender *c, const char *who)
{
	if (bytes_are(va, len, seed))
		return;
	fprintf(stderr, "gmem-bench: %s: %s found wrong bytes\n", c->name, who);
	exit(2);
}

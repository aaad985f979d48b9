// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of libhmadvise that any kernel passes: with GMEM, without, and inside a
 * container that filters system calls. Prints TAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hmadvise.h>

#include "../util.h"

static int test_nr, failed;

#define CHECK(condition)						\
	do {								\
		int ok_ = !!(condition);				\
									\
		printf("%sok %d - %s:%d %s\n", ok_ ? "" : "not ",	\
		       ++test_nr, __func__, __LINE__, #condition);	\
		failed += !ok_;						\
	} while (0)

static void test_strerror(void)
{
	static const int own[] = {
		EAGAIN, EFAULT, EINTR, EINVAL, ENODEV, ENOMEM, ENOSPC, ENOSYS,
		EIO, EPERM, EACCES, ESRCH,
	};
	size_t i, j;

	CHECK(!strcmp(hmadvise_strerror(0), "success"));
	for (i = 0; i < ARRAY_SIZE(own); i++) {
		const char *text = hmadvise_strerror(own[i]);

		/* Ours, one line, and like no other. */
		CHECK(strcmp(text, strerror(own[i])));
		CHECK(*text && !strchr(text, '\n'));
		for (j = 0; j < i; j++) {
			if (!strcmp(text, hmadvise_strerror(own[j])))
				break;
		}
		CHECK(j == i);
	}
	CHECK(!strcmp(hmadvise_strerror(EXDEV), strerror(EXDEV)));
	CHECK(*hmadvise_strerror(-1));
	CHECK(*hmadvise_strerror(123456));
}

static void test_call(void)
{
	long version = hmadvise_version();
	void *page = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int32_t node;

	if (version < 0) {
		printf("# no GMEM here: %s\n", hmadvise_strerror(errno));
		CHECK(errno == ENOSYS || errno == EPERM);
		CHECK(hmadvise_features() == -1);
		errno = 0;
		CHECK(hmadvise(HMADV_NODE_ANY, page, 1, HMADV_PREFETCH, 0) == -1);
		CHECK(errno == ENOSYS || errno == EPERM);
		errno = 0;
		CHECK(hmadvise_all(0, page, 1, HMADV_PREFETCH, 0) == -1);
		CHECK(errno == ENOSYS || errno == EPERM);
		errno = 0;
		CHECK(hmadvise_residency(page, 4096, &node, 1) == -1);
		CHECK(errno == ENOSYS);
		CHECK(!hmadvise_nodes_open(NULL));
		CHECK(errno == ENOSYS);
		return;
	}
	CHECK(version >= HMADV_ABI_VERSION);
	CHECK(hmadvise_features() & HMADV_FEATURE(HMADV_PREFETCH));
	CHECK(hmadvise_features() & HMADV_FEATURE(HMADV_DISCARD));
	CHECK(hmadvise(HMADV_NODE_ANY, page, 1, 0, 0) == -1 && errno == EINVAL);
	CHECK(hmadvise_all(HMADV_NODE_ANY, page, 1, HMADV_PREFETCH, 0) == 1);
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[300];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file)) {
		printf("Bail out! %s: %s\n", path, strerror(errno));
		exit(1);
	}
}

/* Node 9 tells everything, 10 nothing, 7 nonsense; the others are no nodes. */
static void make_sysfs(const char *top)
{
	char dir[200];

	snprintf(dir, sizeof(dir), "%s/hnode10", top);
	mkdir(dir, 0700);
	snprintf(dir, sizeof(dir), "%s/hnode7", top);
	mkdir(dir, 0700);
	put(dir, "size", "12cats\n");
	put(dir, "used", "-5\n");
	put(dir, "free", "99999999999999999999999\n");
	put(dir, "attached", "");
	put(dir, "pages_in", "41\n");
	snprintf(dir, sizeof(dir), "%s/hnodeX", top);
	mkdir(dir, 0700);
	snprintf(dir, sizeof(dir), "%s/hnode99999999999", top);
	mkdir(dir, 0700);
	put(top, "hnode8", "not a folder\n");
	put(top, "version", "1\n");
	snprintf(dir, sizeof(dir), "%s/hnode9", top);
	mkdir(dir, 0700);
	put(dir, "size", "18446744073709551615\n");
	put(dir, "used", "4096\n");
	put(dir, "free", "8192\n");
	put(dir, "device", "0000:00:04.0\n");
	put(dir, "type", "private\n");
	put(dir, "attached", "2\n");
	snprintf(dir, sizeof(dir), "%s/hnode9/stats", top);
	mkdir(dir, 0700);
	put(dir, "faults_migrated", "11\n");
	put(dir, "faults_inplace", "12\n");
	put(dir, "pages_in", "13\n");
	put(dir, "pages_out", "14\n");
	put(dir, "alloc_failed", "15\n");
	put(dir, "pages_poisoned", "16\n");
	put(dir, "faults", "17\n");
	put(dir, "faults_failed", "18\n");
	put(dir, "faults_local", "19\n");
	put(dir, "host_faults", "20\n");
	put(dir, "pages_refused", "21\n");
	put(dir, "copy_failed", "22\n");
	put(dir, "invalidations", "23\n");
	put(dir, "retries", "24\n");
	put(dir, "pages_peer_in", "25\n");
	put(dir, "pages_peer_out", "26\n");
	put(dir, "pages_exclusive", "27\n");
}

static void test_full_node(const struct hmadvise_node *node)
{
	CHECK(node && node->hnid == 9);
	CHECK(node->known == (HMADVISE_NODE_PAGES_EXCLUSIVE << 1) - 1);
	CHECK(node->size == UINT64_MAX);
	CHECK(node->used == 4096 && node->free == 8192);
	CHECK(node->attached == 2);
	CHECK(!strcmp(node->device, "0000:00:04.0"));
	CHECK(!strcmp(node->type, "private"));
	CHECK(node->faults_migrated == 11 && node->faults_inplace == 12);
	CHECK(node->pages_in == 13 && node->pages_out == 14);
	CHECK(node->alloc_failed == 15 && node->pages_poisoned == 16);
	CHECK(node->faults == 17 && node->faults_failed == 18);
	CHECK(node->faults_local == 19 && node->host_faults == 20);
	CHECK(node->pages_refused == 21 && node->copy_failed == 22);
	CHECK(node->invalidations == 23 && node->retries == 24);
	CHECK(node->pages_peer_in == 25 && node->pages_peer_out == 26);
	CHECK(node->pages_exclusive == 27);
}

/* A folder can be opened, but nothing in it: that is not an empty list. */
static void test_no_files(const char *dir)
{
	int free = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct rlimit old, limit;

	CHECK(free >= 0 && !close(free));
	CHECK(!getrlimit(RLIMIT_NOFILE, &old));
	limit = old;
	limit.rlim_cur = free + 1;
	CHECK(!setrlimit(RLIMIT_NOFILE, &limit));
	CHECK(!hmadvise_nodes_open(dir) && errno == EMFILE);
	CHECK(!setrlimit(RLIMIT_NOFILE, &old));
}

static void test_nodes(const char *dir)
{
	struct hmadvise_nodes *nodes = hmadvise_nodes_open(dir);
	const struct hmadvise_node *node;

	CHECK(nodes);
	CHECK(hmadvise_nodes_count(nodes) == 3);

	node = hmadvise_nodes_next(nodes);
	CHECK(node && node->hnid == 7);
	CHECK(node->known == HMADVISE_NODE_PAGES_IN && node->pages_in == 41);
	CHECK(!node->size && !node->used && !node->free && !node->attached);
	test_full_node(hmadvise_nodes_next(nodes));
	node = hmadvise_nodes_next(nodes);
	CHECK(node && node->hnid == 10 && !node->known);
	CHECK(!*node->device && !*node->type);
	CHECK(!hmadvise_nodes_next(nodes));
	CHECK(!hmadvise_nodes_next(nodes));

	CHECK(hmadvise_nodes_get(nodes, 0)->hnid == 7);
	CHECK(!hmadvise_nodes_get(nodes, 3));
	CHECK(hmadvise_nodes_find(nodes, 10)->hnid == 10);
	CHECK(!hmadvise_nodes_find(nodes, 8));
	hmadvise_nodes_close(nodes);
	hmadvise_nodes_close(NULL);

	CHECK(!hmadvise_nodes_open("/nonexistent") && errno == ENOSYS);
	CHECK(!hmadvise_nodes_open("/dev/null") && errno == ENOTDIR);
	test_no_files(dir);
}

static void test_draw(const char *dir)
{
	static const int32_t vec[] = { GMEM_NODE_NONE, 0, 1, 7, 9, 10, 9,
				       GMEM_NODE_UNKNOWN, -77 };
	struct hmadvise_nodes *nodes = hmadvise_nodes_open(dir);
	char map[16];

	CHECK(hmadvise_draw_residency(map, 16, vec, 9, 15, nodes) == 1);
	CHECK(!strcmp(map, ".hh0121??"));
	CHECK(hmadvise_draw_residency(map, 16, vec, 9, 9, NULL) == 1);
	CHECK(!strcmp(map, ".hhhhhh??"));
	/* 9 pages in 4 letters: 3 each, and none is left for the fourth. */
	CHECK(hmadvise_draw_residency(map, 16, vec, 9, 4, nodes) == 3);
	CHECK(!strcmp(map, "***"));
	CHECK(hmadvise_draw_residency(map, 16, vec + 1, 8, 4, nodes) == 2);
	CHECK(!strcmp(map, "h**?"));
	/* The buffer is the limit when it is shorter. */
	CHECK(hmadvise_draw_residency(map, 3, vec, 9, 15, nodes) == 5);
	CHECK(strlen(map) == 2);
	CHECK(hmadvise_draw_residency(map, 1, vec, 9, 15, nodes) == 0);
	CHECK(!*map);
	CHECK(hmadvise_draw_residency(map, 16, vec, 0, 15, nodes) == 0);
	CHECK(!*map);
	CHECK(hmadvise_draw_residency(map, 0, vec, 9, 15, nodes) == 0);
	CHECK(hmadvise_draw_residency(map, 16, vec, 9, 0, nodes) == 0);
	hmadvise_nodes_close(nodes);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s EMPTY_FOLDER\n", argv[0]);
		return 2;
	}
	make_sysfs(argv[1]);
	test_strerror();
	test_call();
	test_nodes(argv[1]);
	test_draw(argv[1]);
	printf("1..%d\n", test_nr);
	return failed ? 1 : 0;
}

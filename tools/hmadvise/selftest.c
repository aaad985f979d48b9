// SPDX-License-Identifier: GPL-2.0-only
/*
 * hmadvise selftest: move memory of this process to an hnode and back.
 *
 * A page that does not move is not an error of the kernel: it may be busy. What
 * is an error: wrong contents at any time, an answer that hmadvise(2) does not
 * describe, and not a single page on an hnode that has room.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli.h"

#define MAP_COLUMNS	32
#define ALIGNMENT	(2UL << 20)	/* so that huge pages are possible */

struct selftest {
	const struct options *opts;
	struct hmadvise_nodes *nodes;
	int hnid;
	int attached_fd;

	size_t page_size;
	uint64_t *mem;
	size_t len;
	void *mapping;
	size_t mapping_len;

	int32_t *vec;		/* NULL when residency cannot be had */
	size_t pages;
};

/* Different in every word, never 0. */
static uint64_t pattern(size_t i)
{
	return (i + 1) * 0x9e3779b97f4a7c15ULL | 1;
}

static void fill(struct selftest *t)
{
	size_t i;

	for (i = 0; i < t->len / sizeof(*t->mem); i++)
		t->mem[i] = pattern(i);
}

static enum status verify(struct selftest *t, const char *when)
{
	size_t i;

	for (i = 0; i < t->len / sizeof(*t->mem); i++) {
		if (t->mem[i] != pattern(i))
			return complain(STATUS_FAILED,
					"wrong contents at offset %#zx %s",
					i * sizeof(*t->mem), when);
	}
	return STATUS_OK;
}

static enum status allocate(struct selftest *t)
{
	uintptr_t start;

	t->page_size = sysconf(_SC_PAGESIZE);
	t->len = (t->opts->size + t->page_size - 1) & ~(t->page_size - 1);
	t->pages = t->len / t->page_size;
	t->mapping_len = t->len + ALIGNMENT;
	t->mapping = mmap(NULL, t->mapping_len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->mapping == MAP_FAILED) {
		t->mapping = NULL;
		return complain(STATUS_FAILED, "cannot map %zu bytes: %s",
				t->mapping_len, strerror(errno));
	}
	start = ((uintptr_t)t->mapping + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	t->mem = (uint64_t *)start;

	t->vec = malloc(t->pages * sizeof(*t->vec));
	if (!t->vec)
		return complain(STATUS_FAILED, "out of memory");
	if (hmadvise_residency(t->mem, t->len, t->vec, t->pages) < 0) {
		printf("no residency maps: %s\n", hmadvise_strerror(errno));
		free(t->vec);
		t->vec = NULL;
	}
	return STATUS_OK;
}

/*
 * Print a line with a map of where the pages are. The number of those that are
 * on the hnode goes to @on_hnode, of those at home to @at_home; both 0 when
 * residency cannot be had.
 */
static enum status show(struct selftest *t, const char *what, size_t *on_hnode,
			size_t *at_home)
{
	char map[MAP_COLUMNS + 1];
	long filled;
	size_t i;

	*on_hnode = 0;
	*at_home = 0;
	if (!t->vec) {
		printf("  %-22s\n", what);
		return STATUS_OK;
	}
	filled = hmadvise_residency(t->mem, t->len, t->vec, t->pages);
	if (filled < 0)
		return complain(STATUS_FAILED, "residency: %s",
				hmadvise_strerror(errno));
	for (i = 0; i < (size_t)filled; i++) {
		if (t->vec[i] == t->hnid)
			++*on_hnode;
		else if (t->vec[i] >= 0 &&
			 !hmadvise_nodes_find(t->nodes, t->vec[i]))
			++*at_home;
	}
	hmadvise_draw_residency(map, sizeof(map), t->vec, filled, MAP_COLUMNS,
				t->nodes);
	printf("  %-22s |%-*s| %zu on the hnode, %zu at home\n", what,
	       MAP_COLUMNS, map, *on_hnode, *at_home);
	return STATUS_OK;
}

/* One advice for the whole memory. */
static enum status advise(struct selftest *t, int hnid, int advice,
			  const char *what)
{
	long ret = hmadvise_all(hnid, t->mem, t->len, advice, 0);

	if (ret < 0)
		return complain(status_of(errno), "%s: %s", what,
				hmadvise_strerror(errno));
	if ((size_t)ret < t->len)
		printf("  %s stopped after %ld of %zu bytes\n", what, ret,
		       t->len);
	return STATUS_OK;
}

static const struct refusal {
	const char *what;
	int hnid;
	size_t offset;
	size_t len;
	int advice;
	unsigned int flags;
	int err;		/* 0: the answer is 0 */
} refusals[] = {
	{ "no advice", HMADV_NODE_ANY, 0, 4096, 0, 0, EINVAL },
	{ "unknown advice", HMADV_NODE_ANY, 0, 4096, 0x7fff, 0, EINVAL },
	{ "unknown flag", HMADV_NODE_ANY, 0, 4096, HMADV_PREFETCH, 1U << 31,
	  EINVAL },
	{ "address not aligned", HMADV_NODE_ANY, 1, 4096, HMADV_PREFETCH, 0,
	  EINVAL },
	{ "range too long", HMADV_NODE_ANY, 0, SIZE_MAX, HMADV_PREFETCH, 0,
	  EINVAL },
	{ "discard on a node", 0, 0, 4096, HMADV_DISCARD, 0, EINVAL },
	{ "negative node", -2, 0, 4096, HMADV_PREFETCH, 0, EINVAL },
	{ "unknown node", 0x7fffffff, 0, 4096, HMADV_PREFETCH, 0, ENODEV },
	{ "query with advice", HMADV_NODE_ANY, 0, 0, HMADV_PREFETCH,
	  HMADV_FLAG_VERSION, EINVAL },
	{ "empty range", HMADV_NODE_ANY, 0, 0, HMADV_PREFETCH, 0, 0 },
};

static enum status check_refusals(struct selftest *t)
{
	const struct refusal *r;
	size_t i;
	long ret;

	for (i = 0; i < ARRAY_SIZE(refusals); i++) {
		r = &refusals[i];
		errno = 0;
		ret = hmadvise(r->hnid, (char *)t->mem + r->offset, r->len,
			       r->advice, r->flags);
		if (r->err ? ret != -1 || errno != r->err : ret != 0)
			return complain(STATUS_FAILED,
					"%s: expected %s, got %ld (%s)",
					r->what, strerror(r->err), ret,
					strerror(errno));
	}
	printf("  %-22s %zu of %zu as documented\n", "wrong arguments", i, i);
	return STATUS_OK;
}

/*
 * Take the node that was asked for, or the first one that this process can
 * use. Moves the first page, if the kernel likes to.
 */
static enum status choose_node(struct selftest *t)
{
	const struct hmadvise_node *node;
	int err = ENODEV;

	t->hnid = t->opts->node;
	if (t->hnid >= 0) {
		if (hmadvise_nodes_find(t->nodes, t->hnid))
			return STATUS_OK;
		return complain(STATUS_NO_NODE, "node %d is not an hnode",
				t->hnid);
	}
	while ((node = hmadvise_nodes_next(t->nodes))) {
		if (hmadvise_all(node->hnid, t->mem, t->page_size,
				 HMADV_PREFETCH, 0) >= 0) {
			t->hnid = node->hnid;
			return STATUS_OK;
		}
		err = errno;
	}
	if (!hmadvise_nodes_count(t->nodes))
		return complain(STATUS_NO_NODE,
				"no hnodes: no driver has registered device memory");
	if (err == ESRCH)
		return complain(STATUS_NO_NODE,
				"not attached to a device with an hnode; use --attach with its device file");
	return complain(status_of(err), "no usable hnode: %s",
			hmadvise_strerror(err));
}

static enum status to_hnode(struct selftest *t, const char *what)
{
	size_t on_hnode, at_home;
	enum status status;

	status = advise(t, t->hnid, HMADV_PREFETCH, what);
	if (!status)
		status = show(t, what, &on_hnode, &at_home);
	if (!status && t->vec && !on_hnode)
		status = complain(STATUS_FAILED, "%s: not a single page moved",
				  what);
	return status;
}

static enum status bring_home(struct selftest *t)
{
	size_t on_hnode, at_home;
	enum status status;

	status = advise(t, HMADV_NODE_ANY, HMADV_PREFETCH, "prefetch home");
	if (!status)
		status = show(t, "prefetch home", &on_hnode, &at_home);
	if (!status && on_hnode)
		printf("  (%zu pages did not move: busy)\n", on_hnode);
	if (!status)
		status = verify(t, "after the prefetch home");
	return status;
}

static enum status home_by_touch(struct selftest *t)
{
	size_t on_hnode, at_home;
	enum status status;

	status = to_hnode(t, "prefetch once more");
	if (!status)
		status = verify(t, "when the CPU read it back");
	if (!status)
		status = show(t, "read by the CPU", &on_hnode, &at_home);
	if (!status && on_hnode)
		status = complain(STATUS_FAILED,
				  "%zu pages are on the hnode although the CPU read them",
				  on_hnode);
	return status;
}

static enum status discard_all(struct selftest *t)
{
	size_t on_hnode, at_home, i;
	enum status status;

	status = to_hnode(t, "a last prefetch");
	if (!status)
		status = advise(t, HMADV_NODE_ANY, HMADV_DISCARD, "discard");
	if (!status)
		status = show(t, "discard", &on_hnode, &at_home);
	if (status)
		return status;
	if (on_hnode || at_home)
		return complain(STATUS_FAILED,
				"discard left %zu pages where they were",
				on_hnode + at_home);
	for (i = 0; i < t->len / sizeof(*t->mem); i++) {
		if (t->mem[i])
			return complain(STATUS_FAILED,
					"contents at offset %#zx after discard",
					i * sizeof(*t->mem));
	}
	return STATUS_OK;
}

static enum status run(struct selftest *t)
{
	const struct hmadvise_node *node;
	size_t on_hnode, at_home;
	char text[SIZE_TEXT];
	enum status status;

	status = allocate(t);
	if (!status)
		status = choose_node(t);
	if (status)
		return status;
	fill(t);

	node = hmadvise_nodes_find(t->nodes, t->hnid);
	printf("hnode %d%s%s, %s in %zu pages\n", t->hnid,
	       *node->device ? " of " : "", node->device,
	       size_text(text, t->len), t->pages);
	status = check_refusals(t);
	if (!status)
		status = show(t, "filled by the CPU", &on_hnode, &at_home);
	if (!status)
		status = to_hnode(t, "prefetch");
	if (!status)
		status = bring_home(t);
	if (!status)
		status = home_by_touch(t);
	if (!status)
		status = discard_all(t);
	return status;
}

enum status cmd_selftest(const struct options *opts)
{
	struct selftest t = { .opts = opts, .attached_fd = -1 };
	enum status status;

	if (hmadvise_version() < 0)
		return complain(status_of(errno), "version: %s",
				hmadvise_strerror(errno));
	if (opts->attach) {
		t.attached_fd = open(opts->attach, O_RDWR | O_CLOEXEC);
		if (t.attached_fd < 0)
			return complain(STATUS_FAILED, "%s: %s", opts->attach,
					strerror(errno));
	}
	t.nodes = open_nodes(opts, &status);
	if (t.nodes)
		status = run(&t);
	if (!status)
		puts("selftest: ok");

	free(t.vec);
	if (t.mapping)
		munmap(t.mapping, t.mapping_len);
	hmadvise_nodes_close(t.nodes);
	if (t.attached_fd >= 0)
		close(t.attached_fd);
	return status;
}

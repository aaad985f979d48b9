// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libhmadvise: hnodes as the kernel describes them in sysfs.
 *
 * A folder hnodeN for each, with one fact in each file. Any file may be
 * missing: an older kernel does not know the fact, a node may vanish while it
 * is read.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "hmadvise.h"
#include "util.h"

struct node {
	struct hmadvise_node pub;
	char device[128];
	char type[32];
};

struct hmadvise_nodes {
	size_t nr;
	size_t next;
	struct node *nodes;
};

static const struct {
	const char *name;
	const char *subdir_name;	/* where counters are */
	unsigned int bit;
	size_t offset;
} numbers[] = {
#define NUMBER(member, bit)						\
	{ #member, NULL, bit, offsetof(struct hmadvise_node, member) }
#define COUNTER(member, bit)						\
	{ #member, "stats/" #member, bit,				\
	  offsetof(struct hmadvise_node, member) }
	NUMBER(size, HMADVISE_NODE_SIZE),
	NUMBER(used, HMADVISE_NODE_USED),
	NUMBER(free, HMADVISE_NODE_FREE),
	NUMBER(attached, HMADVISE_NODE_ATTACHED),
	COUNTER(faults_migrated, HMADVISE_NODE_FAULTS_MIGRATED),
	COUNTER(faults_inplace, HMADVISE_NODE_FAULTS_INPLACE),
	COUNTER(pages_in, HMADVISE_NODE_PAGES_IN),
	COUNTER(pages_out, HMADVISE_NODE_PAGES_OUT),
	COUNTER(alloc_failed, HMADVISE_NODE_ALLOC_FAILED),
	COUNTER(pages_poisoned, HMADVISE_NODE_PAGES_POISONED),
	COUNTER(faults, HMADVISE_NODE_FAULTS),
	COUNTER(faults_failed, HMADVISE_NODE_FAULTS_FAILED),
	COUNTER(faults_local, HMADVISE_NODE_FAULTS_LOCAL),
	COUNTER(host_faults, HMADVISE_NODE_HOST_FAULTS),
	COUNTER(pages_refused, HMADVISE_NODE_PAGES_REFUSED),
	COUNTER(copy_failed, HMADVISE_NODE_COPY_FAILED),
	COUNTER(invalidations, HMADVISE_NODE_INVALIDATIONS),
	COUNTER(retries, HMADVISE_NODE_RETRIES),
	COUNTER(pages_peer_in, HMADVISE_NODE_PAGES_PEER_IN),
	COUNTER(pages_peer_out, HMADVISE_NODE_PAGES_PEER_OUT),
	COUNTER(pages_exclusive, HMADVISE_NODE_PAGES_EXCLUSIVE),
#undef NUMBER
#undef COUNTER
};

/* The contents of a small file without the newline; "" when there is none. */
static int read_text(int dir, const char *name, char *buf, size_t size)
{
	ssize_t n;
	int fd;

	buf[0] = '\0';
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return -1;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

static int read_number(int dir, const char *name, uint64_t *value)
{
	char buf[32], *end;
	unsigned long long v;

	if (read_text(dir, name, buf, sizeof(buf)))
		return -1;
	if (buf[0] < '0' || buf[0] > '9')
		return -1;
	errno = 0;
	v = strtoull(buf, &end, 10);
	if (errno || *end)
		return -1;
	*value = v;
	return 0;
}

static void read_node(int dir, struct node *node)
{
	uint64_t value;
	size_t i;

	read_text(dir, "device", node->device, sizeof(node->device));
	read_text(dir, "type", node->type, sizeof(node->type));

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		const char *sub = numbers[i].subdir_name;

		if ((!sub || read_number(dir, sub, &value)) &&
		    read_number(dir, numbers[i].name, &value))
			continue;
		memcpy((char *)&node->pub + numbers[i].offset, &value,
		       sizeof(value));
		node->pub.known |= numbers[i].bit;
	}
}

/* The id in "hnodeN", or -1 for other names. */
static int parse_hnid(const char *name)
{
	char *end;
	long id;

	if (strncmp(name, "hnode", 5) || name[5] < '0' || name[5] > '9')
		return -1;
	errno = 0;
	id = strtol(name + 5, &end, 10);
	if (errno || *end || id > INT_MAX)
		return -1;
	return id;
}

static int add_node(struct hmadvise_nodes *list, int sysfs, const char *name,
		    int hnid)
{
	struct node *nodes;
	int dir;

	dir = openat(sysfs, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Gone already, or no hnode. */
	if (dir < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	nodes = realloc(list->nodes, (list->nr + 1) * sizeof(*nodes));
	if (!nodes) {
		close(dir);
		return -1;
	}
	list->nodes = nodes;
	memset(&nodes[list->nr], 0, sizeof(*nodes));
	nodes[list->nr].pub.hnid = hnid;
	read_node(dir, &nodes[list->nr]);
	list->nr++;
	close(dir);
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	return (x->pub.hnid > y->pub.hnid) - (x->pub.hnid < y->pub.hnid);
}

static int read_nodes(struct hmadvise_nodes *list, DIR *dir)
{
	struct dirent *entry;
	int hnid;

	while (errno = 0, (entry = readdir(dir))) {
		hnid = parse_hnid(entry->d_name);
		if (hnid < 0)
			continue;
		if (add_node(list, dirfd(dir), entry->d_name, hnid))
			return -1;
	}
	return errno ? -1 : 0;
}

struct hmadvise_nodes *hmadvise_nodes_open(const char *sysfs)
{
	struct hmadvise_nodes *list;
	size_t i;
	DIR *dir;
	int err;

	dir = opendir(sysfs ? sysfs : HMADVISE_SYSFS);
	if (!dir) {
		if (errno == ENOENT)
			errno = ENOSYS;
		return NULL;
	}
	list = calloc(1, sizeof(*list));
	if (!list || read_nodes(list, dir)) {
		err = errno;
		hmadvise_nodes_close(list);
		closedir(dir);
		errno = err;
		return NULL;
	}
	closedir(dir);

	if (list->nr)
		qsort(list->nodes, list->nr, sizeof(*list->nodes), compare);
	/* Only now do the texts stay where they are. */
	for (i = 0; i < list->nr; i++) {
		list->nodes[i].pub.device = list->nodes[i].device;
		list->nodes[i].pub.type = list->nodes[i].type;
	}
	return list;
}

size_t hmadvise_nodes_count(const struct hmadvise_nodes *nodes)
{
	return nodes->nr;
}

const struct hmadvise_node *
hmadvise_nodes_get(const struct hmadvise_nodes *nodes, size_t index)
{
	return index < nodes->nr ? &nodes->nodes[index].pub : NULL;
}

const struct hmadvise_node *
hmadvise_nodes_find(const struct hmadvise_nodes *nodes, int hnid)
{
	size_t i;

	for (i = 0; i < nodes->nr; i++) {
		if (nodes->nodes[i].pub.hnid == hnid)
			return &nodes->nodes[i].pub;
	}
	return NULL;
}

const struct hmadvise_node *hmadvise_nodes_next(struct hmadvise_nodes *nodes)
{
	return hmadvise_nodes_get(nodes, nodes->next < nodes->nr ?
				  nodes->next++ : nodes->nr);
}

void hmadvise_nodes_close(struct hmadvise_nodes *nodes)
{
	if (!nodes)
		return;
	free(nodes->nodes);
	free(nodes);
}

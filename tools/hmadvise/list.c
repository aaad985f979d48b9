// SPDX-License-Identifier: GPL-2.0-only
/*
 * hmadvise list, hmadvise devices: what the kernel tells about hnodes.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define COUNTER(member, bit)						\
	{ #member, HMADVISE_NODE_##bit,					\
	  offsetof(struct hmadvise_node, member) }

/* Numbers that are shown as they are. */
static const struct number {
	const char *name;
	unsigned int bit;
	size_t offset;
} sizes[] = {
	COUNTER(size, SIZE),
	COUNTER(used, USED),
	COUNTER(free, FREE),
	COUNTER(attached, ATTACHED),
}, counters[] = {
	COUNTER(faults, FAULTS),
	COUNTER(faults_migrated, FAULTS_MIGRATED),
	COUNTER(faults_local, FAULTS_LOCAL),
	COUNTER(faults_inplace, FAULTS_INPLACE),
	COUNTER(faults_failed, FAULTS_FAILED),
	COUNTER(retries, RETRIES),
	COUNTER(host_faults, HOST_FAULTS),
	COUNTER(pages_in, PAGES_IN),
	COUNTER(pages_out, PAGES_OUT),
	COUNTER(pages_peer_in, PAGES_PEER_IN),
	COUNTER(pages_peer_out, PAGES_PEER_OUT),
	COUNTER(pages_refused, PAGES_REFUSED),
	COUNTER(pages_poisoned, PAGES_POISONED),
	COUNTER(pages_exclusive, PAGES_EXCLUSIVE),
	COUNTER(alloc_failed, ALLOC_FAILED),
	COUNTER(copy_failed, COPY_FAILED),
	COUNTER(invalidations, INVALIDATIONS),
};

/* A fact that the kernel did not tell is "-" for people and null in JSON. */
static const char *size_or_dash(char buf[SIZE_TEXT],
				const struct hmadvise_node *node,
				unsigned int bit, uint64_t value)
{
	return node->known & bit ? size_text(buf, value) : "-";
}

static const char *number_or(const char *instead, char buf[SIZE_TEXT],
			     const struct hmadvise_node *node,
			     unsigned int bit, uint64_t value)
{
	if (!(node->known & bit))
		return instead;
	snprintf(buf, SIZE_TEXT, "%llu", (unsigned long long)value);
	return buf;
}

static const char *text_of(const char *instead, char buf[SIZE_TEXT],
			   const struct hmadvise_node *node,
			   const struct number *number)
{
	uint64_t value;

	memcpy(&value, (const char *)node + number->offset, sizeof(value));
	return number_or(instead, buf, node, number->bit, value);
}

static const char *text_or_dash(const char *text)
{
	return *text ? text : "-";
}

static void json_text(const char *key, const char *text)
{
	printf("\"%s\": ", key);
	if (!*text) {
		fputs("null", stdout);
		return;
	}
	putchar('"');
	for (; *text; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void json_numbers(const struct hmadvise_node *node,
			 const struct number *numbers, size_t n)
{
	char buf[SIZE_TEXT];
	size_t i;

	for (i = 0; i < n; i++)
		printf("%s\"%s\": %s", i ? ", " : "", numbers[i].name,
		       text_of("null", buf, node, &numbers[i]));
}

static void json_node(const struct hmadvise_node *node)
{
	printf("{ \"hnid\": %d, ", node->hnid);
	json_text("type", node->type);
	fputs(", ", stdout);
	json_text("device", node->device);
	fputs(", ", stdout);
	json_numbers(node, sizes, ARRAY_SIZE(sizes));
	fputs(",\n      \"stats\": { ", stdout);
	json_numbers(node, counters, ARRAY_SIZE(counters));
	fputs(" } }", stdout);
}

static void json_nodes(struct hmadvise_nodes *nodes)
{
	const struct hmadvise_node *node;
	const char *comma = "";

	fputs("{\n  \"nodes\": [", stdout);
	while ((node = hmadvise_nodes_next(nodes))) {
		printf("%s\n    ", comma);
		json_node(node);
		comma = ",";
	}
	fputs("\n  ]\n}\n", stdout);
}

static void print_node(const struct hmadvise_node *node)
{
	char size[SIZE_TEXT], used[SIZE_TEXT], free[SIZE_TEXT];
	char attached[SIZE_TEXT];

	printf("%-6d %-8s %10s %10s %10s %8s  %s\n", node->hnid,
	       text_or_dash(node->type),
	       size_or_dash(size, node, HMADVISE_NODE_SIZE, node->size),
	       size_or_dash(used, node, HMADVISE_NODE_USED, node->used),
	       size_or_dash(free, node, HMADVISE_NODE_FREE, node->free),
	       number_or("-", attached, node, HMADVISE_NODE_ATTACHED,
			 node->attached),
	       text_or_dash(node->device));
}

static void print_stats(const struct hmadvise_node *node)
{
	char buf[SIZE_TEXT];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counters); i++)
		printf("       %-16s %s\n", counters[i].name,
		       text_of("-", buf, node, &counters[i]));
}

enum status cmd_list(const struct options *opts)
{
	const struct hmadvise_node *node;
	struct hmadvise_nodes *nodes;
	enum status status;

	nodes = open_nodes(opts, &status);
	if (!nodes)
		return status;
	if (opts->json) {
		json_nodes(nodes);
	} else if (!hmadvise_nodes_count(nodes)) {
		puts("no hnodes: no driver has registered device memory");
	} else {
		printf("%-6s %-8s %10s %10s %10s %8s  %s\n", "hnode", "type",
		       "size", "used", "free", "attached", "device");
		while ((node = hmadvise_nodes_next(nodes))) {
			print_node(node);
			if (opts->stats)
				print_stats(node);
		}
	}
	hmadvise_nodes_close(nodes);
	return STATUS_OK;
}

static int same_device(const struct hmadvise_node *a,
		       const struct hmadvise_node *b)
{
	/* Nodes whose device is not known do not belong together. */
	return a == b || (*a->device && !strcmp(a->device, b->device));
}

/* The sum of the nodes of a device; a fact is known if all nodes tell it. */
static struct hmadvise_node sum_up(const struct hmadvise_nodes *nodes,
				   size_t first)
{
	struct hmadvise_node sum = *hmadvise_nodes_get(nodes, first);
	const struct hmadvise_node *one = hmadvise_nodes_get(nodes, first);
	const struct hmadvise_node *node;
	size_t i;

	for (i = first + 1; (node = hmadvise_nodes_get(nodes, i)); i++) {
		if (!same_device(one, node))
			continue;
		sum.known &= node->known;
		sum.size += node->size;
		sum.used += node->used;
		sum.free += node->free;
		/* Attachment is to the device: each node tells the same. */
	}
	return sum;
}

static int seen_before(const struct hmadvise_nodes *nodes, size_t index)
{
	const struct hmadvise_node *node = hmadvise_nodes_get(nodes, index);
	size_t i;

	for (i = 0; i < index; i++) {
		if (same_device(hmadvise_nodes_get(nodes, i), node))
			return 1;
	}
	return 0;
}

static void print_hnids(const struct hmadvise_nodes *nodes, size_t first,
			const char *separator)
{
	const struct hmadvise_node *one = hmadvise_nodes_get(nodes, first);
	const struct hmadvise_node *node;
	const char *before = "";
	size_t i;

	for (i = first; (node = hmadvise_nodes_get(nodes, i)); i++) {
		if (!same_device(one, node))
			continue;
		printf("%s%d", before, node->hnid);
		before = separator;
	}
}

static void print_device(const struct hmadvise_nodes *nodes, size_t first)
{
	char size[SIZE_TEXT], used[SIZE_TEXT], free[SIZE_TEXT];
	struct hmadvise_node sum = sum_up(nodes, first);
	char attached[SIZE_TEXT];

	printf("%-24s %10s %10s %10s %8s  ", text_or_dash(sum.device),
	       size_or_dash(size, &sum, HMADVISE_NODE_SIZE, sum.size),
	       size_or_dash(used, &sum, HMADVISE_NODE_USED, sum.used),
	       size_or_dash(free, &sum, HMADVISE_NODE_FREE, sum.free),
	       number_or("-", attached, &sum, HMADVISE_NODE_ATTACHED,
			 sum.attached));
	print_hnids(nodes, first, ",");
	putchar('\n');
}

static void json_device(const struct hmadvise_nodes *nodes, size_t first)
{
	struct hmadvise_node sum = sum_up(nodes, first);

	fputs("{ ", stdout);
	json_text("device", sum.device);
	fputs(", ", stdout);
	json_numbers(&sum, sizes, ARRAY_SIZE(sizes));
	fputs(", \"hnids\": [", stdout);
	print_hnids(nodes, first, ", ");
	fputs("] }", stdout);
}

enum status cmd_devices(const struct options *opts)
{
	struct hmadvise_nodes *nodes;
	const char *comma = "";
	enum status status;
	size_t i, n;

	nodes = open_nodes(opts, &status);
	if (!nodes)
		return status;
	n = hmadvise_nodes_count(nodes);

	if (opts->json)
		fputs("{\n  \"devices\": [", stdout);
	else if (!n)
		puts("no devices: no driver has registered device memory");
	else
		printf("%-24s %10s %10s %10s %8s  %s\n", "device", "size",
		       "used", "free", "attached", "hnodes");
	for (i = 0; i < n; i++) {
		if (seen_before(nodes, i))
			continue;
		if (opts->json) {
			printf("%s\n    ", comma);
			json_device(nodes, i);
			comma = ",";
		} else {
			print_device(nodes, i);
		}
	}
	if (opts->json)
		fputs("\n  ]\n}\n", stdout);
	hmadvise_nodes_close(nodes);
	return STATUS_OK;
}

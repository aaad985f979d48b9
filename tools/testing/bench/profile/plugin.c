// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU: counts each instruction between two marks of the benchmark, by
 * address, and each call, with all that happened inside it.
 *
 *	-plugin plugin.so,begin=ADDRESS,end=ADDRESS,next=ADDRESS,out=FILE
 *
 * What was counted between the last pair of marks is written at the third mark, "next",
 * to FILE.0, FILE.1 and so on:
 *
 *	total N				instructions between the marks
 *	insn ADDRESS N			how often one was executed
 *	call FROM TO CALLS N		function FROM called TO, and N instructions were
 *					executed until it returned; FROM 0 is unknown
 *
 * CPUs take turns when instructions are counted.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu-plugin.h"

#define EXPORT	__attribute__((visibility("default")))

EXPORT int qemu_plugin_version = 1;

#define MAX_CPUS	64
#define MAX_DEPTH	512
#define MAX_EDGES	65536
/* How far up the stack a return may go at once: tail calls and exceptions skip. */
#define MAX_SKIP	16

struct insn {
	struct insn *next;
	uint64_t addr;
	uint64_t after;		/* the address behind it */
	uint64_t count;
	unsigned int round;	/* that @count is of */
	bool is_call;
};

struct frame {
	uint64_t function;
	uint64_t ret;
	uint64_t start;
};

/* @called_from: the last instruction was a call, which returns there */
struct cpu {
	struct frame stack[MAX_DEPTH];
	unsigned int depth;
	uint64_t called_from;
	uint64_t total;
};

struct edge {
	uint64_t from, to, calls, inside;
};

static uint64_t begin, end, next;
static const char *out;

static struct insn *insns;
static struct cpu cpus[MAX_CPUS];
static struct edge edges[MAX_EDGES];

static bool counting;
static unsigned int counted;	/* rounds so far */
static unsigned int written;	/* of these, the last one that was written */
static unsigned int nr_files;
static uint64_t total;

/* Push, pop and call with a register or memory operand are told by the opcode. */
static bool insn_is_call(const uint8_t *code, size_t size)
{
	size_t i = 0;

	/* Prefixes */
	while (i < size && (code[i] == 0x2e || code[i] == 0x3e ||
			    code[i] == 0x66 || (code[i] & 0xf0) == 0x40))
		i++;
	if (i >= size)
		return false;
	if (code[i] == 0xe8)
		return true;
	return code[i] == 0xff && i + 1 < size && ((code[i + 1] >> 3) & 7) == 2;
}

static struct edge *edge_of(uint64_t from, uint64_t to)
{
	uint64_t at = (from * 31 + to) * 0x9e3779b97f4a7c15ULL >> 48;
	unsigned int tries;

	for (tries = 0; tries < MAX_EDGES; tries++) {
		struct edge *edge = &edges[(at + tries) % MAX_EDGES];

		if (edge->from == from && edge->to == to && edge->calls)
			return edge;
		if (!edge->calls) {
			edge->from = from;
			edge->to = to;
			return edge;
		}
	}
	abort();
}

static void leave(struct cpu *cpu)
{
	const struct frame *frame = &cpu->stack[--cpu->depth];
	struct edge *edge = edge_of(cpu->depth ? frame[-1].function : 0,
				    frame->function);

	edge->calls++;
	edge->inside += cpu->total - frame->start;
}

static void follow(struct cpu *cpu, const struct insn *insn)
{
	unsigned int skip;

	if (cpu->called_from && cpu->depth < MAX_DEPTH) {
		cpu->stack[cpu->depth++] = (struct frame){
			.function = insn->addr,
			.ret = cpu->called_from,
			.start = cpu->total,
		};
	} else {
		for (skip = 1; skip <= MAX_SKIP && skip <= cpu->depth; skip++)
			if (cpu->stack[cpu->depth - skip].ret == insn->addr)
				break;
		if (skip <= MAX_SKIP && skip <= cpu->depth)
			while (skip--)
				leave(cpu);
	}
	cpu->called_from = insn->is_call ? insn->after : 0;
	cpu->total++;
}

static void begin_round(void)
{
	counting = true;
	counted++;
	total = 0;
	memset(cpus, 0, sizeof(cpus));
	memset(edges, 0, sizeof(edges));
}

static void end_round(void)
{
	unsigned int i;

	for (i = 0; i < MAX_CPUS; i++)
		while (cpus[i].depth)
			leave(&cpus[i]);
	counting = false;
}

static void write_edges(FILE *f)
{
	unsigned int i;

	for (i = 0; i < MAX_EDGES; i++)
		if (edges[i].calls)
			fprintf(f, "call %" PRIx64 " %" PRIx64 " %" PRIu64
				" %" PRIu64 "\n", edges[i].from, edges[i].to,
				edges[i].calls, edges[i].inside);
}

/* The last round, if there was one since. A file for each mark, or none fits. */
static void write_round(void)
{
	const struct insn *insn;
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s.%u", out, nr_files++);
	if (written == counted)
		return;
	written = counted;
	f = fopen(path, "w");
	if (!f)
		return;
	fprintf(f, "total %" PRIu64 "\n", total);
	for (insn = insns; insn; insn = insn->next)
		if (insn->round == counted && insn->count)
			fprintf(f, "insn %" PRIx64 " %" PRIu64 "\n", insn->addr,
				insn->count);
	write_edges(f);
	fclose(f);
}

static void executed(unsigned int index, void *data)
{
	struct insn *insn = data;

	if (insn->addr == next)
		write_round();
	if (insn->addr == begin)
		begin_round();
	if (!counting)
		return;
	if (insn->addr == end) {
		end_round();
		return;
	}
	follow(&cpus[index % MAX_CPUS], insn);
	if (insn->round != counted) {
		insn->round = counted;
		insn->count = 0;
	}
	insn->count++;
	total++;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	size_t i, nr = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (i = 0; i < nr; i++) {
		struct qemu_plugin_insn *found = qemu_plugin_tb_get_insn(tb, i);
		struct insn *insn = calloc(1, sizeof(*insn));
		size_t size = qemu_plugin_insn_size(found);

		if (!insn)
			abort();
		insn->addr = qemu_plugin_insn_vaddr(found);
		insn->after = insn->addr + size;
		insn->is_call = insn_is_call(qemu_plugin_insn_data(found), size);
		insn->next = insns;
		insns = insn;
		qemu_plugin_register_vcpu_insn_exec_cb(found, executed,
						       QEMU_PLUGIN_CB_NO_REGS,
						       insn);
	}
}

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc,
			       char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "begin=", 6))
			begin = strtoull(argv[i] + 6, NULL, 16);
		else if (!strncmp(argv[i], "end=", 4))
			end = strtoull(argv[i] + 4, NULL, 16);
		else if (!strncmp(argv[i], "next=", 5))
			next = strtoull(argv[i] + 5, NULL, 16);
		else if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
	}
	if (!begin || !end || !next || !out) {
		fprintf(stderr, "plugin: begin=, end=, next= and out= are needed\n");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}

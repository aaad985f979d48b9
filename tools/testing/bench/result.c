// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables for people, and the JSON:
 *
 *	{ the keys of budget.c (single CPU only),
 *	  "schema": 1,
 *	  "contenders": [ { "key", "name" }, ... ],
 *	  "workloads": [ { "key", "group", "what", "unit", "bytes", "x", "x_name",
 *		"results": { CONTENDER: { "total", "copy", "net", "verified",
 *					  "verified_bytes", "faults",
 *					  "moved_bytes", "raw", "lock_waits",
 *					  "lock_wait" },
 *			     CONTENDER: { "absent": WHY }, ... } }, ... ],
 *	  "machine": { "kernel", "kernel_version", "cpus" } }
 *
 * "total", "copy" and "net" are medians, "net" that of the differences. "copy" is
 * what the limit needs for the bytes that moved. "faults" are those of the device in
 * the last round, and "moved_bytes" what was copied to a device or from it, or cleared
 * there. "lock_waits" and "lock_wait" (in ticks) are there if waits were counted; they
 * are of all threads in one round.
 */
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"

#define RESULT		"/dev/gmem-result"
#define WIDTH		11

static double result_total(const struct result *r)
{
	return median(r->total, r->nr);
}

static double result_net(const struct result *r)
{
	double net[MAX_RAW];
	unsigned int i;

	for (i = 0; i < r->nr; i++)
		net[i] = r->total[i] - r->copy[i];
	return median(net, r->nr);
}

static void print_cell(const struct result *r, double (*value)(const struct result *))
{
	if (r->absent || !r->nr)
		printf(" %*s", WIDTH, "-");
	else
		printf(" %*.0f", WIDTH, value(r));
}

static void print_table(const char *title,
			double (*value)(const struct result *))
{
	unsigned int row, i;

	printf("\n%-58s", title);
	for (i = 0; i < nr_contenders; i++)
		if (took_part[i])
			printf(" %*s", WIDTH, contenders[i]->key);
	printf("\n");
	for (row = 0; row < nr_workloads; row++) {
		if (!was_run[row])
			continue;
		printf("%-58s", workloads[row].what);
		for (i = 0; i < nr_contenders; i++)
			if (took_part[i])
				print_cell(&results[row][i], value);
		printf("\n");
	}
}

void print_results(void)
{
	print_table("instructions, all in all", result_total);
	print_table("instructions, copy left out", result_net);
}

/* -------------------------------------------------------------------- JSON */

static void json_contenders(FILE *f)
{
	const char *comma = "";
	unsigned int i;

	fprintf(f, "  \"contenders\": [");
	for (i = 0; i < nr_contenders; i++) {
		if (!took_part[i])
			continue;
		fprintf(f, "%s\n    {\"key\": \"%s\", \"name\": \"%s\"}", comma,
			contenders[i]->key, contenders[i]->name);
		comma = ",";
	}
	fprintf(f, "\n  ],\n");
}

static void json_result(FILE *f, const struct result *r)
{
	unsigned int i;

	if (r->absent) {
		fprintf(f, "{\"absent\": \"%s\"}", r->absent);
		return;
	}
	fprintf(f, "{\"total\": %.1f, \"copy\": %.1f, \"net\": %.1f",
		result_total(r), median(r->copy, r->nr), result_net(r));
	fprintf(f, ", \"verified\": %s, \"verified_bytes\": %llu",
		r->checked ? "true" : "false",
		(unsigned long long)r->checked);
	fprintf(f, ", \"faults\": %llu, \"moved_bytes\": %llu",
		(unsigned long long)r->faults, (unsigned long long)r->moved);
	if (r->has_waits)
		fprintf(f, ", \"lock_waits\": %llu, \"lock_wait\": %llu",
			(unsigned long long)r->waits,
			(unsigned long long)r->wait);
	fprintf(f, ", \"raw\": [");
	for (i = 0; i < r->nr; i++)
		fprintf(f, "%s%.1f", i ? ", " : "", r->total[i]);
	fprintf(f, "]}");
}

static void json_workload(FILE *f, unsigned int row)
{
	const struct workload *w = &workloads[row];
	const char *comma = "";
	unsigned int i;

	fprintf(f, "{\"key\": \"%s\", \"group\": \"%s\", \"what\": \"%s\",\n",
		w->key, w->group, w->what);
	fprintf(f, "     \"unit\": \"%s\", \"bytes\": %zu, ", w->unit, w->bytes);
	if (w->x_name)
		fprintf(f, "\"x\": %.0f, \"x_name\": \"%s\",\n", w->x,
			w->x_name);
	else
		fprintf(f, "\"x\": null, \"x_name\": null,\n");
	fprintf(f, "     \"results\": {");
	for (i = 0; i < nr_contenders; i++) {
		if (!took_part[i])
			continue;
		fprintf(f, "%s\n      \"%s\": ", comma, contenders[i]->key);
		json_result(f, &results[row][i]);
		comma = ",";
	}
	fprintf(f, "\n     }}");
}

static void json_machine(FILE *f)
{
	struct utsname name;

	if (uname(&name))
		give_up("uname");
	fprintf(f, "  \"machine\": {\"kernel\": \"%s\", \"kernel_version\": \"%s\",\n",
		name.release, name.version);
	fprintf(f, "    \"cpus\": %ld}\n", sysconf(_SC_NPROCESSORS_ONLN));
}

static void json_all(FILE *f, bool has_budget, bool met)
{
	const char *comma = "";
	unsigned int row;

	fprintf(f, "{\n");
	if (has_budget)
		json_budget(f, met);
	fprintf(f, "  \"schema\": 1,\n");
	json_contenders(f);
	fprintf(f, "  \"workloads\": [");
	for (row = 0; row < nr_workloads; row++) {
		if (!was_run[row])
			continue;
		fprintf(f, "%s\n    ", comma);
		json_workload(f, row);
		comma = ",";
	}
	fprintf(f, "\n  ],\n");
	json_machine(f);
	fprintf(f, "}\n");
}

void write_json(const char *path, bool has_budget, bool met)
{
	FILE *f = NULL;

	if (path || !access(RESULT, F_OK)) {
		f = fopen(path ? path : RESULT, "we");
		if (!f)
			give_up(path ? path : RESULT);
		json_all(f, has_budget, met);
		if (fclose(f))
			give_up(path ? path : RESULT);
		return;
	}
	printf("-----BEGIN JSON-----\n");
	json_all(stdout, has_budget, met);
	printf("-----END JSON-----\n");
}

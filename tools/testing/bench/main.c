// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs to share memory with a device, in instructions of the guest:
 * GMEM and its peers side by side, over the same device memory, in one boot.
 *
 * To be run under QEMU with -icount shift=0,sleep=off: then one instruction is
 * one nanosecond, and the time stamp counter counts instructions. The figures
 * are the same in every run, whatever else the machine does.
 *
 *	gmem-bench [--json FILE] [--repeat N] [--smp] [--only PREFIX]
 *		   [--profile KEY]... [--symbols FILE] [--contender KEY]...
 *
 * --smp	run the workloads for 8 CPUs, and none of the others
 * --only	run only the workloads whose key begins with PREFIX, and leave
 *		the budget alone
 * --profile	run these workloads only, and mark what is measured of them, for
 *		scripts/bench-profile
 * --symbols	write to this file which were marked, in their order, and where
 *		the functions of the modules are
 * --contender	only with these, and the limit, unless it is for a profile
 * --repeat	how often a figure of the budget is measured
 *
 * The status is 0 when all budgets are met, 1 when one is missed, 2 when
 * something could not be measured, or data was wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define MAX_MAP_COUNT	"/proc/sys/vm/max_map_count"
#define PERIOD_S	10

struct arguments {
	const char *json;
	struct selection which;
	bool chosen[MAX_CONTENDERS];
	bool any_chosen;
	unsigned int repeat;
};

void give_up(const char *what)
{
	fprintf(stderr, "gmem-bench: %s: %s\n", what, strerror(errno));
	exit(2);
}

void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "gmem-bench: %s\n", what);
	exit(2);
}

static void choose(struct arguments *args, const char *key)
{
	unsigned int i;

	for (i = 0; i < nr_contenders; i++)
		if (!strcmp(contenders[i]->key, key))
			break;
	must(i < nr_contenders, "--contender: there is none of this name");
	args->chosen[i] = true;
	args->any_chosen = true;
}

static void add_profile(struct selection *which, const char *key)
{
	unsigned int i;

	for (i = 0; i < nr_workloads; i++)
		if (!strcmp(workloads[i].key, key))
			break;
	must(i < nr_workloads, "--profile: there is no workload of this name");
	must(which->nr_profile < ARRAY_SIZE(which->profile),
	     "--profile: too many");
	which->profile[which->nr_profile++] = key;
}

static void parse_arguments(struct arguments *args, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", required_argument, NULL, 'j' },
		{ "repeat", required_argument, NULL, 'r' },
		{ "smp", no_argument, NULL, 's' },
		{ "only", required_argument, NULL, 'o' },
		{ "profile", required_argument, NULL, 'p' },
		{ "symbols", required_argument, NULL, 'y' },
		{ "contender", required_argument, NULL, 'c' },
		{ }
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'j')
			args->json = optarg;
		else if (opt == 'r')
			args->repeat = atoi(optarg);
		else if (opt == 's')
			args->which.smp = true;
		else if (opt == 'o')
			args->which.only = optarg;
		else if (opt == 'p')
			add_profile(&args->which, optarg);
		else if (opt == 'y')
			args->which.symbols = optarg;
		else if (opt == 'c')
			choose(args, optarg);
		else
			exit(2);
	}
	must(args->repeat >= 1 && args->repeat <= MAX_RAW,
	     "--repeat takes 1 to 101");
}

/* A hundred thousand extents are as many mappings. */
static void allow_many_mappings(void)
{
	static const char value[] = "500000";
	int fd = open(MAX_MAP_COUNT, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		give_up(MAX_MAP_COUNT);
	close(fd);
}

static bool budget(unsigned int repeat)
{
	module_load(gmem.module, gmem.parameters);
	measure_budget(repeat);
	module_unload(gmem.module);
	return print_budget();
}

static bool takes_part(const struct arguments *args, unsigned int i)
{
	return !args->any_chosen || args->chosen[i];
}

/*
 * The host reads a console when it has time, and says so with an interrupt: what is
 * printed waits for the end, or else runs would differ by when that was.
 */
static void print_at_the_end(void)
{
	static char buffer[1 << 20];

	must(!setvbuf(stdout, buffer, _IOFBF, sizeof(buffer)), "setvbuf");
}

/* Runs begin at one time of the guest's, however long it took to boot. */
static void begin_on_time(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec = (at.tv_sec / PERIOD_S + 1) * PERIOD_S;
	at.tv_nsec = 0;
	errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	if (errno)
		give_up("clock_nanosleep");
}

/* To the kernel's log, which takes what it is given at once. */
static void say(const char *what)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	char line[100];
	int len;

	len = snprintf(line, sizeof(line), "gmem-bench: %s\n", what);
	must(len < (int)sizeof(line), "a name is too long");
	if (fd < 0 || write(fd, line, len) != len)
		give_up("/dev/kmsg");
	close(fd);
}

int main(int argc, char **argv)
{
	struct arguments args = { .repeat = 21 };
	bool has_budget, met = true;
	unsigned int i;

	parse_arguments(&args, argc, argv);
	print_at_the_end();
	begin_on_time();
	calibrate();
	allow_many_mappings();
	has_budget = !args.which.smp && !args.which.only &&
		     !args.which.nr_profile && takes_part(&args, 0);
	if (has_budget)
		met = budget(args.repeat);
	/* The limit is the last in the table, and the first to be measured. */
	for (i = nr_contenders; i--; ) {
		bool is_limit = contenders[i] == &limit;
		bool part = takes_part(&args, i) ||
			    (is_limit && !args.which.nr_profile);

		if (!part && !is_limit)
			continue;
		say(contenders[i]->name);
		run_contender(i, &args.which, part);
	}
	print_results();
	write_json(args.json, has_budget, met);
	return !met;
}

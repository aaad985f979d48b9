// SPDX-License-Identifier: GPL-2.0-only
/*
 * hmadvise(1): look at hnodes, and try the system call.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define DEFAULT_SIZE	(4UL << 20)

enum {
	OPT_ATTACH = 256,
	OPT_JSON,
	OPT_NODE,
	OPT_SIZE,
	OPT_STATS,
	OPT_SYSFS,
};

#define TAKES(opt)	(1U << ((opt) - OPT_ATTACH))

static const struct option long_options[] = {
	{ "attach",	required_argument,	NULL, OPT_ATTACH },
	{ "help",	no_argument,		NULL, 'h' },
	{ "json",	no_argument,		NULL, OPT_JSON },
	{ "node",	required_argument,	NULL, OPT_NODE },
	{ "size",	required_argument,	NULL, OPT_SIZE },
	{ "stats",	no_argument,		NULL, OPT_STATS },
	{ "sysfs",	required_argument,	NULL, OPT_SYSFS },
	{ "version",	no_argument,		NULL, 'V' },
	{ }
};

static enum status cmd_version(const struct options *opts)
{
	long version, features;

	(void)opts;
	printf("libhmadvise %s\n", HMADVISE_VERSION);
	version = hmadvise_version();
	if (version < 0)
		return complain(status_of(errno), "version: %s",
				hmadvise_strerror(errno));
	features = hmadvise_features();
	if (features < 0)
		return complain(status_of(errno), "features: %s",
				hmadvise_strerror(errno));
	printf("kernel interface %ld, features 0x%lx:%s%s\n", version, features,
	       features & HMADV_FEATURE(HMADV_PREFETCH) ? " prefetch" : "",
	       features & HMADV_FEATURE(HMADV_DISCARD) ? " discard" : "");
	return STATUS_OK;
}

static const struct command {
	const char *name;
	const char *args;
	const char *what;
	enum status (*run)(const struct options *opts);
	unsigned int takes;
} commands[] = {
	{ "list", "[--json] [--stats]",
	  "the hnodes: size, use, attachment, device",
	  cmd_list,
	  TAKES(OPT_JSON) | TAKES(OPT_STATS) | TAKES(OPT_SYSFS) },
	{ "devices", "[--json]",
	  "the same, summed up by device",
	  cmd_devices,
	  TAKES(OPT_JSON) | TAKES(OPT_SYSFS) },
	{ "selftest", "[--node N] [--size SIZE] [--attach FILE]",
	  "move memory of its own to an hnode and back, and check it",
	  cmd_selftest,
	  TAKES(OPT_NODE) | TAKES(OPT_SIZE) | TAKES(OPT_ATTACH) |
	  TAKES(OPT_SYSFS) },
	{ "version", "",
	  "versions of the library and of the kernel's interface",
	  cmd_version, 0 },
};

enum status complain(enum status status, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("hmadvise: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

enum status status_of(int err)
{
	switch (err) {
	case ENOSYS:
		return STATUS_NO_GMEM;
	case ENODEV:
	case ESRCH:
	case ENOSPC:
		return STATUS_NO_NODE;
	default:
		return STATUS_FAILED;
	}
}

struct hmadvise_nodes *open_nodes(const struct options *opts,
				  enum status *status)
{
	struct hmadvise_nodes *nodes = hmadvise_nodes_open(opts->sysfs);

	if (!nodes)
		*status = complain(status_of(errno), "%s: %s",
				   opts->sysfs ? opts->sysfs : HMADVISE_SYSFS,
				   hmadvise_strerror(errno));
	return nodes;
}

const char *size_text(char buf[SIZE_TEXT], uint64_t bytes)
{
	static const char * const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB" };
	double value = bytes;
	int unit = -1;

	while (value >= 1024 && unit < 4) {
		value /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(buf, SIZE_TEXT, "%u B", (unsigned int)bytes);
	else
		snprintf(buf, SIZE_TEXT, "%.1f %s", value, units[unit]);
	return buf;
}

static void print_help(FILE *out)
{
	size_t i;

	fputs("usage: hmadvise COMMAND [OPTION...]\n\n", out);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %s%s%s\n        %s\n", commands[i].name,
			*commands[i].args ? " " : "",
			commands[i].args, commands[i].what);
	fputs("\nSIZE takes a suffix K, M or G. --help and --version do what they say.\n"
	      "Exit status: 0 fine, 1 failed, 2 usage, 3 kernel without GMEM,\n"
	      "4 no hnode that could be used. See hmadvise(1).\n", out);
}

/* A number with a suffix K, M or G; 0 is not one. */
static int parse_size(const char *text, uint64_t *size)
{
	unsigned long long value;
	unsigned int shift = 0;
	char *end;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	value = strtoull(text, &end, 10);
	switch (*end) {
	case 'K': case 'k':
		shift = 10;
		break;
	case 'M': case 'm':
		shift = 20;
		break;
	case 'G': case 'g':
		shift = 30;
		break;
	}
	if (errno || end[!!shift] || !value || value > SIZE_MAX >> 1 >> shift)
		return -1;
	*size = value << shift;
	return 0;
}

static int parse_node(const char *text, int *node)
{
	char *end;
	long id;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	id = strtol(text, &end, 10);
	if (errno || *end || id > INT_MAX)
		return -1;
	*node = id;
	return 0;
}

static enum status parse_option(int opt, struct options *opts,
				const struct command *command)
{
	if (!(command->takes & TAKES(opt)))
		return complain(STATUS_USAGE,
				"%s takes no such option, see --help",
				command->name);
	switch (opt) {
	case OPT_ATTACH:
		opts->attach = optarg;
		break;
	case OPT_JSON:
		opts->json = 1;
		break;
	case OPT_NODE:
		if (parse_node(optarg, &opts->node))
			return complain(STATUS_USAGE, "not a node id: %s",
					optarg);
		break;
	case OPT_SIZE:
		if (parse_size(optarg, &opts->size))
			return complain(STATUS_USAGE, "not a size: %s", optarg);
		break;
	case OPT_STATS:
		opts->stats = 1;
		break;
	case OPT_SYSFS:
		opts->sysfs = optarg;
		break;
	}
	return STATUS_OK;
}

static enum status run(const struct command *command, int argc, char **argv)
{
	struct options opts = { .node = -1, .size = DEFAULT_SIZE };
	enum status status;
	int opt;

	while ((opt = getopt_long(argc, argv, "hV", long_options, NULL)) != -1) {
		switch (opt) {
		case 'h':
			print_help(stdout);
			return STATUS_OK;
		case 'V':
			printf("hmadvise %s\n", HMADVISE_VERSION);
			return STATUS_OK;
		case '?':
			return STATUS_USAGE;	/* getopt has complained */
		}
		status = parse_option(opt, &opts, command);
		if (status)
			return status;
	}
	if (optind < argc)
		return complain(STATUS_USAGE, "%s: unexpected argument: %s",
				command->name, argv[optind]);
	return command->run(&opts);
}

static enum status dispatch(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	size_t i;

	if (!name) {
		print_help(stderr);
		return STATUS_USAGE;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
		print_help(stdout);
		return STATUS_OK;
	}
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		printf("hmadvise %s\n", HMADVISE_VERSION);
		return STATUS_OK;
	}
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(name, commands[i].name))
			continue;
		/* getopt starts its messages with what it finds here. */
		argv[1] = argv[0];
		return run(&commands[i], argc - 1, argv + 1);
	}
	return complain(STATUS_USAGE, "no such command: %s, see --help", name);
}

int main(int argc, char **argv)
{
	enum status status = dispatch(argc, argv);

	if (fflush(stdout) || ferror(stdout))
		return complain(STATUS_FAILED, "cannot write the output: %s",
				strerror(errno));
	return status;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hmadvise(1): what its parts share.
 */
#ifndef _HMADVISE_CLI_H
#define _HMADVISE_CLI_H

#include <stdint.h>

#include "hmadvise.h"
#include "util.h"

/* Exit statuses, documented in hmadvise(1). */
enum status {
	STATUS_OK	= 0,
	STATUS_FAILED	= 1,	/* something did not work */
	STATUS_USAGE	= 2,	/* wrong command line */
	STATUS_NO_GMEM	= 3,	/* kernel without GMEM */
	STATUS_NO_NODE	= 4,	/* no hnode that could be used */
};

/* Options of all commands; each takes those that mean something to it. */
struct options {
	const char *sysfs;	/* NULL for the kernel's */
	const char *attach;	/* NULL for nothing */
	int json;
	int stats;
	int node;		/* -1 for any */
	uint64_t size;
};

/* Print one line on stderr, and return @status. */
enum status complain(enum status status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The status that fits an errno value of the library. */
enum status status_of(int err);

/* The nodes, or NULL with the complaint made and its status in @status. */
struct hmadvise_nodes *open_nodes(const struct options *opts,
				  enum status *status);

/* "512 B", "4.0 MiB"; @buf is returned. */
#define SIZE_TEXT	24
const char *size_text(char buf[SIZE_TEXT], uint64_t bytes);

enum status cmd_list(const struct options *opts);
enum status cmd_devices(const struct options *opts);
enum status cmd_selftest(const struct options *opts);

#endif /* _HMADVISE_CLI_H */

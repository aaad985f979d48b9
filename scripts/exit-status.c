// SPDX-License-Identifier: GPL-2.0
/*
 * GNU make ends with status 2 when a command fails, whatever that command's
 * status was.  `make vm RUN=program` is to end with the program's.  So make loads
 * this object, which looks, when make ends, for a status that the recipe has left
 * in $(build)/status.PID.  Without it (no compiler yet) make ends as it always does.
 */
#include <gnumake.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int plugin_is_GPL_compatible;

static char path[4096];

static void leave(void)
{
	FILE *file = fopen(path, "r");
	int status;

	if (!file || fscanf(file, "%d", &status) != 1)
		return;
	unlink(path);
	fflush(NULL);
	_exit(status);
}

int exit_status_gmk_setup(void);
int exit_status_gmk_setup(void)
{
	char *build = gmk_expand("$(build)");

	snprintf(path, sizeof(path), "%s/status.%d", build, (int)getpid());
	gmk_free(build);
	return !atexit(leave);
}

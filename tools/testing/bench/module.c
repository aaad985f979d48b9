// SPDX-License-Identifier: GPL-2.0-only
/*
 * The contenders' modules. Several want the same hardware, so that each is
 * there only as long as its contender is measured.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define UNLOAD_TRIES	200

static void module_path(char *path, size_t size, const char *file)
{
	snprintf(path, size, "/lib/modules/%s", file);
}

void module_load(const char *file, const char *parameters)
{
	char path[256];
	int fd;

	module_path(path, sizeof(path), file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, parameters ?: "", 0))
		give_up(path);
	close(fd);
}

/*
 * Where its functions are, as long as it is loaded. The kernel's own need no telling.
 */
void module_symbols(FILE *to)
{
	FILE *from = fopen("/proc/kallsyms", "re");
	char line[512];

	if (!from)
		give_up("/proc/kallsyms");
	while (fgets(line, sizeof(line), from))
		if (strchr(line, '['))
			fputs(line, to);
	fclose(from);
}

/* The kernel's name of file.ko: without suffix, '-' as '_'. */
void module_unload(const char *file)
{
	unsigned int tries;
	char name[128], *c;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(file, "."), file);
	for (c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	for (tries = 0; syscall(SYS_delete_module, name, O_NONBLOCK); tries++) {
		if (errno != EAGAIN && errno != EBUSY && errno != EWOULDBLOCK)
			give_up(name);
		must(tries < UNLOAD_TRIES, "a module cannot be unloaded");
		usleep(10000);
	}
}

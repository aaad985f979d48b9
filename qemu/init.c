// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's first process.
 *
 * It mounts the usual file systems, loads the modules that /etc/gmem/modules lists
 * ("file.ko parameters" a line), and then either runs the one program that
 * /etc/gmem/argv holds (arguments ended by NULs), or a shell on the console.
 *
 * Three channels lead to the host, all virtio, none shared with the kernel's log:
 *
 *   /dev/hvc0         the program's (or the shell's) terminal, raw for a program
 *   /dev/gmem-status  written here only: "exit N" or "signal N"
 *   /dev/gmem-result  free for the program: the host saves what is written
 *
 * and a fourth, /dev/gmem-coverage, if the host asks for what gcov counted.
 *
 * After the program, everything left is killed and the modules are unloaded, last
 * one first; one that cannot be unloaded has leaked something, and the kernel's log
 * says so. gcov remembers what was counted in them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MAX_MODULES	16
#define MAX_ARGS	256
#define UNLOAD_SECONDS	10
#define MAX_COVERAGE	1048576	/* bytes */

static char *modules[MAX_MODULES];
static int nr_modules;
static int status_fd = -1;
static FILE *coverage;

static void report(const char *word, int value)
{
	if (status_fd >= 0)
		dprintf(status_fd, "%s %d\n", word, value);
}

/*
 * A line in the kernel's log, in one write so that it stays in one piece. dprintf() would
 * seek first, which fails on this file.
 */
static void klog(const char *format, ...)
{
	char line[256] = "<4>gmem-init: ";
	size_t len = strlen(line);
	va_list args;
	int fd;

	va_start(args, format);
	vsnprintf(line + len, sizeof(line) - len, format, args);
	va_end(args);
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, line, strlen(line)) < 0)
		perror("/dev/kmsg");	/* that is the console, which is the log */
	close(fd);
}

static void mount_all(void)
{
	static const struct { const char *type, *where; } mounts[] = {
		{ "devtmpfs", "/dev" }, { "proc", "/proc" }, { "sysfs", "/sys" },
		{ "tmpfs", "/tmp" }, { "debugfs", "/sys/kernel/debug" },
		{ "tracefs", "/sys/kernel/tracing" }, { "devpts", "/dev/pts" },
		{ "tmpfs", "/dev/shm" }, { "cgroup2", "/sys/fs/cgroup" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		mkdir(mounts[i].where, 0755);
		if (mount(mounts[i].type, mounts[i].where, mounts[i].type, 0, NULL))
			klog("cannot mount %s: %s", mounts[i].where, strerror(errno));
	}
	symlink("/proc/self/fd", "/dev/fd");
}

/* Virtio ports have a name in sysfs; give each a device node under that name. */
static void link_ports(void)
{
	DIR *dir = opendir("/sys/class/virtio-ports");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[300], name[64] = "", node[300], target[80];
		FILE *file;

		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%63s", name) == 1) {
			snprintf(node, sizeof(node), "/dev/%s", entry->d_name);
			snprintf(target, sizeof(target), "/dev/%s", name);
			symlink(node, target);
		}
		fclose(file);
	}
	if (dir)
		closedir(dir);
}

static int load_module(const char *file, const char *parameters)
{
	char path[600];
	int fd, ret;

	snprintf(path, sizeof(path), "/lib/modules/%s", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		klog("cannot open module %s: %s", path, strerror(errno));
		return -1;
	}
	ret = syscall(SYS_finit_module, fd, parameters, 0);
	if (ret)
		klog("cannot load module %s %s: %s", path, parameters, strerror(errno));
	close(fd);
	return ret;
}

/* The name that the kernel gives to file.ko: without suffix, '-' as '_'. */
static char *module_name(const char *file)
{
	char *name = strndup(file, strcspn(file, "."));

	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	return name;
}

static int load_modules(void)
{
	FILE *list = fopen("/etc/gmem/modules", "re");
	char line[512];
	int ret = 0;

	while (list && nr_modules < MAX_MODULES && fgets(line, sizeof(line), list)) {
		char *parameters;

		line[strcspn(line, "\n")] = 0;
		if (!line[0])
			continue;
		parameters = line + strcspn(line, " ");
		if (*parameters)
			*parameters++ = 0;
		if (load_module(line, parameters))
			ret = -1;
		else
			modules[nr_modules++] = module_name(line);
	}
	if (list)
		fclose(list);
	return ret;
}

static void unload_modules(void)
{
	while (nr_modules--) {
		const char *name = modules[nr_modules];
		int tries = UNLOAD_SECONDS * 20;

		while (syscall(SYS_delete_module, name, O_NONBLOCK)) {
			/* Its user may have unloaded it */
			if (errno == ENOENT)
				break;
			if (!--tries) {
				klog("module %s cannot be unloaded (%s): a reference is leaked",
				     name, strerror(errno));
				break;
			}
			usleep(50000);
		}
	}
}

static void open_terminal(int raw)
{
	struct termios mode;
	int fd = open("/dev/hvc0", O_RDWR | O_NOCTTY);

	if (fd < 0) {
		klog("cannot open /dev/hvc0: %s", strerror(errno));
		return;
	}
	if (raw && !tcgetattr(fd, &mode)) {
		cfmakeraw(&mode);
		tcsetattr(fd, TCSANOW, &mode);
	}
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	if (fd > 2)
		close(fd);
}

static pid_t start(char **argv, int raw)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	setsid();
	open_terminal(raw);
	if (!raw)
		ioctl(0, TIOCSCTTY, 0);
	execv(argv[0], argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Split the NUL-ended arguments in place; 0 if there is no program to run. */
static int read_argv(char **argv)
{
	static char buffer[65536];
	int fd = open("/etc/gmem/argv", O_RDONLY | O_CLOEXEC);
	ssize_t size, at = 0;
	int argc = 0;

	if (fd < 0)
		return 0;
	size = read(fd, buffer, sizeof(buffer) - 1);
	close(fd);
	while (at < size && argc < MAX_ARGS - 1) {
		argv[argc++] = buffer + at;
		at += strlen(buffer + at) + 1;
	}
	argv[argc] = NULL;
	return argc;
}

/* Wait for the program, and reap what others leave to process 1. */
static void wait_for(pid_t program)
{
	int status;
	pid_t pid;

	do {
		pid = wait(&status);
	} while (pid != program && (pid > 0 || errno == EINTR));
	if (pid != program)
		report("lost", 0);
	else if (WIFSIGNALED(status))
		report("signal", WTERMSIG(status));
	else
		report("exit", WEXITSTATUS(status));
}

static void kill_everything(void)
{
	kill(-1, SIGKILL);
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

/*
 * One file of gcov's: a line "SIZE PATH", then the data. debugfs does not know the
 * size before it is read.
 */
static int send_coverage_file(const char *path, const struct stat *info, int type,
			      struct FTW *where)
{
	static char data[MAX_COVERAGE];
	const char *suffix = strrchr(path, '.');
	size_t size;
	FILE *file;

	(void)info;
	(void)where;
	if (type != FTW_F || !suffix || strcmp(suffix, ".gcda"))
		return 0;
	file = fopen(path, "re");
	if (!file) {
		klog("cannot open %s: %s", path, strerror(errno));
		return 0;
	}
	size = fread(data, 1, sizeof(data), file);
	if (ferror(file) || size == sizeof(data)) {
		klog("cannot read %s", path);
	} else {
		fprintf(coverage, "%zu %s\n", size, path);
		fwrite(data, 1, size, coverage);
	}
	fclose(file);
	return 0;
}

#define GCOV		"/sys/kernel/debug/gcov"
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
#define LOG_RATE	"/proc/sys/kernel/printk_devkmsg"

/* What kmemleak has found goes to the kernel's log, where it is looked for. */
static void report_leaks(void)
{
	char line[200];
	FILE *file = fopen(LOG_RATE, "we");

	/* More than ten lines */
	if (file) {
		fputs("on", file);
		fclose(file);
	}
	file = fopen(KMEMLEAK, "re");
	if (!file) {
		klog("cannot read %s: %s", KMEMLEAK, strerror(errno));
		return;
	}
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		klog("kmemleak: %s", line);
	}
	fclose(file);
}

/*
 * A kernel with kmemleak looks for what nobody points to any more. The first look only notes
 * the contents: what changes does not count, nor what is younger than 5 seconds.
 */
static void find_leaks(void)
{
	int fd = open(KMEMLEAK, O_WRONLY | O_CLOEXEC), i;

	if (fd < 0) {
		if (errno != ENOENT)
			klog("cannot open %s: %s", KMEMLEAK, strerror(errno));
		return;
	}
	/* The host has patience from here on */
	report("leaks", 0);
	for (i = 0; i < 2; i++) {
		if (i)
			sleep(6);
		if (write(fd, "scan", 4) == 4)
			continue;
		/* Switched off on the command line; later on, its own line says so. */
		if (errno != EPERM)
			klog("cannot scan for leaks: %s", strerror(errno));
		break;
	}
	close(fd);
	report_leaks();
}

static void send_coverage(void)
{
	coverage = fopen("/dev/gmem-coverage", "we");
	if (!coverage)
		return;
	/* There is none in other kernels; the host knows which it wants */
	if (nftw(GCOV, send_coverage_file, 16, FTW_PHYS) && errno != ENOENT)
		klog("cannot read %s: %s", GCOV, strerror(errno));
	/* The host knows by this line that nothing is missing */
	fprintf(coverage, "0 end\n");
	if (fclose(coverage))
		klog("cannot send the coverage: %s", strerror(errno));
}

int main(void)
{
	static char *shell[] = { "/bin/sh", "-l", NULL };
	char *argv[MAX_ARGS];
	int run;

	mount_all();
	link_ports();
	status_fd = open("/dev/gmem-status", O_WRONLY | O_CLOEXEC);
	setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin", 1);
	setenv("HOME", "/", 1);
	setenv("TERM", "linux", 1);

	run = read_argv(argv);
	if (load_modules() && run)
		report("modules", 1);
	else
		wait_for(start(run ? argv : shell, run));
	kill_everything();
	unload_modules();
	find_leaks();
	send_coverage();
	sync();
	reboot(RB_POWER_OFF);
	return 0;
}

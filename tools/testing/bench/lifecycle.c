// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workloads: attach, detach, fork().
 */
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define WARM_UP		2
#define FORK_WARM_UP	1
#define TRIAL		HUGE

/* An attachment is worth something if data goes to the device and back by it. */
static void try_out(const struct contender *c, struct result *r)
{
	char *va = memory_get(MEM_THP, TRIAL), *buf = buffer_get(TRIAL);

	if (c->adopt)
		c->adopt(va, TRIAL);
	bytes_write(va, TRIAL, 1);
	cost_to_device(c, 0, va, TRIAL);
	c->read(c, 0, va, TRIAL, buf);
	bytes_check(buf, TRIAL, 1, c, "the device");
	bytes_write(buf, TRIAL, 2);
	c->write(c, 0, va, TRIAL, buf);
	cost_to_host(c, 0, va, TRIAL);
	bytes_check(va, TRIAL, 2, c, "the CPU");
	r->checked += 2 * TRIAL;
	if (c->forget)
		c->forget(va, TRIAL);
	buffer_put(buf, TRIAL);
	memory_put(va, TRIAL);
}

void run_attach(const struct contender *c, const struct workload *w,
		struct result *r)
{
	struct cost cost = { 0 };
	uint64_t start, took[2];
	unsigned int i;

	for (i = 0; i < WARM_UP + w->rounds; i++) {
		part_begins(ATTACH);
		took[ATTACH] = time_of_attach(c, 0);
		part_begins(PART_NONE);
		try_out(c, r);
		part_begins(DETACH);
		start = measure_begin();
		detach(0);
		took[DETACH] = measure_end(start);
		cost.total = took[w->part];
		if (i >= WARM_UP)
			result_add(r, &cost);
	}
}

/*
 * With a policy that lets no child run before its parent has fork() behind it.
 * The call itself: what libc does besides is not of interest.
 */
static pid_t fork_now(uint64_t *took)
{
	struct sched_param fifo = { .sched_priority = 1 }, none = { 0 };
	uint64_t start;
	pid_t pid;

	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &fifo))
		give_up("sched_setscheduler");
	start = measure_begin();
	pid = syscall(SYS_fork);
	*took = measure_end(start);
	if (pid < 0)
		give_up("fork");
	if (pid && sched_setscheduler(0, SCHED_OTHER, &none))
		give_up("sched_setscheduler");
	return pid;
}

static void child_succeeded(pid_t pid, const struct contender *c)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		give_up("waitpid");
	if (!status)
		return;
	fprintf(stderr, "gmem-bench: %s: a child found wrong bytes\n", c->name);
	must(false, "data was lost by fork()");
}

/* The child goes away, or it looks at everything first. */
static double fork_once(const struct contender *c, const char *va, size_t len,
			bool look)
{
	uint64_t took;
	pid_t pid = fork_now(&took);

	if (!pid)
		_exit(look ? !bytes_are(va, len, 1) : 0);
	child_succeeded(pid, c);
	return took;
}

static void device_looks(const struct contender *c, char *va, size_t len,
			 char *buf, struct result *r)
{
	if (c->settle)
		c->settle(c, 0, va, len);
	c->read(c, 0, va, len, buf);
	bytes_check(buf, len, 1, c, "the device");
	r->checked += len;
}

/* Its data is on the device, which has mapped all of it. */
static char *resident_memory(const struct contender *c, const struct workload *w)
{
	char *va = memory_get(w->memory, w->bytes);
	struct cost cost;

	if (c->adopt)
		c->adopt(va, w->bytes);
	bytes_write(va, w->bytes, 1);
	cost_prefetch(c, 0, va, w->bytes);
	if (c->again) {
		/* Who moves data beforehand may not have mapped it. */
		cost = cost_of(c, c->again, c->again, 0, va, w->bytes);
		must(!bytes_moved(&cost.did), "what was there moved again");
	}
	return va;
}

static void resident_memory_put(const struct contender *c,
				const struct workload *w, char *va)
{
	if (c->forget)
		c->forget(va, w->bytes);
	memory_put(va, w->bytes);
}

/* What fork() ends, such as the device's mappings, is there for each of them. */
static void fork_round(const struct contender *c, const struct workload *w,
		       char *buf, bool measured, struct result *r)
{
	char *va = resident_memory(c, w);
	struct cost cost = { 0 };

	cost.total = fork_once(c, va, w->bytes, false);
	if (measured)
		result_add(r, &cost);
	device_looks(c, va, w->bytes, buf, r);
	resident_memory_put(c, w, va);
}

void run_fork(const struct contender *c, const struct workload *w,
	      struct result *r)
{
	char *buf = buffer_get(w->bytes), *va;
	unsigned int i;

	attach(c, 0);
	for (i = 0; i < FORK_WARM_UP + w->rounds; i++)
		fork_round(c, w, buf, i >= FORK_WARM_UP, r);
	va = resident_memory(c, w);
	fork_once(c, va, w->bytes, true);
	r->checked += w->bytes;
	device_looks(c, va, w->bytes, buf, r);
	resident_memory_put(c, w, va);
	detach(0);
	buffer_put(buf, w->bytes);
}

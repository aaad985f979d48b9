// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workloads: threads whose faults have nothing to do with one another.
 *
 * The virtual CPUs take turns, and the clock counts the instructions of all of
 * them: with no lock between the threads, a fault costs the same however many
 * there are. What it costs more is spent on waiting, in one way or another.
 *
 * A CPU's turn would be as long as the time to the next timer, some milliseconds:
 * so long that hardly ever two are in the middle of something. The real-time
 * clock, set to its highest rate, makes turns of 122 microseconds; nobody takes
 * its interrupt.
 *
 * A sleeping or spinning wait for a lock of the kernel is also counted, by its
 * tracepoints, in a run of its own.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <unistd.h>

#include "bench.h"

#define WARM_UP		1
#define MAX_THREADS	8
#define FAULTS		8	/* of each thread */
#define TRACING		"/sys/kernel/tracing/"
#define MAX_WAITS	(4 * MAX_THREADS)

#define RTC_INDEX	0x70
#define RTC_DATA	0x71
#define RTC_A		0x0a
#define RTC_A_8192_HZ	0x23
#define RTC_A_DEFAULT	0x26
#define RTC_B		0x0b
#define RTC_B_PERIODIC	0x40

static void rtc_write(uint8_t reg, uint8_t value)
{
	outb(reg, RTC_INDEX);
	outb(value, RTC_DATA);
}

static uint8_t rtc_read(uint8_t reg)
{
	outb(reg, RTC_INDEX);
	return inb(RTC_DATA);
}

static void short_turns(bool on)
{
	uint8_t b;

	if (ioperm(RTC_INDEX, 2, 1))
		give_up("ioperm");
	b = rtc_read(RTC_B);
	rtc_write(RTC_A, on ? RTC_A_8192_HZ : RTC_A_DEFAULT);
	rtc_write(RTC_B, on ? b | RTC_B_PERIODIC : b & ~RTC_B_PERIODIC);
}

/* -------------------------------------------------------------- the threads */

struct crew {
	const struct contender *c;
	const struct workload *w;
	unsigned int threads;
	double bare;		/* a bare copy, while nobody else runs */
	char *va;
	access_fn *fn;
	pthread_barrier_t start;
	pthread_barrier_t end;
};

struct worker {
	struct crew *crew;
	unsigned int nr;
	pthread_t thread;
};

static void stay_on(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		give_up("sched_setaffinity");
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct crew *crew = worker->crew;
	size_t len = crew->w->bytes;
	char *va = crew->va + worker->nr * FAULTS * len;
	unsigned int i;

	stay_on(worker->nr);
	pthread_barrier_wait(&crew->start);
	for (i = 0; i < FAULTS; i++)
		crew->fn(crew->c, 0, va + i * len, len);
	pthread_barrier_wait(&crew->end);
	return NULL;
}

static void nothing(const struct contender *c, unsigned int dev, char *va,
		    size_t len)
{
	(void)c;
	(void)dev;
	(void)va;
	(void)len;
}

/* Ticks from when all are told to start until the last one is through. */
static double time_of_crew(struct crew *crew, access_fn *fn)
{
	struct worker workers[MAX_THREADS];
	unsigned int i;
	uint64_t start, took;

	crew->fn = fn;
	pthread_barrier_init(&crew->start, NULL, crew->threads + 1);
	pthread_barrier_init(&crew->end, NULL, crew->threads + 1);
	for (i = 0; i < crew->threads; i++) {
		workers[i] = (struct worker){ .crew = crew, .nr = i };
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			give_up("thread");
	}
	/* They are all in their places by then. */
	usleep(20000);
	start = measure_begin();
	pthread_barrier_wait(&crew->start);
	pthread_barrier_wait(&crew->end);
	took = measure_end(start);
	for (i = 0; i < crew->threads; i++)
		pthread_join(workers[i].thread, NULL);
	return took;
}

/* ------------------------------------------------------------ waits for locks */

static void trace_set(const char *file, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TRACING "%s", file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		give_up(path);
	close(fd);
}

/* Of the threads that we are going to start. */
static void trace_begin(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	trace_set("trace_clock", "mono");
	trace_set("options/event-fork", "1");
	trace_set("set_event_pid", pid);
	trace_set("trace", "\n");
	trace_set("events/lock/contention_begin/enable", "1");
	trace_set("events/lock/contention_end/enable", "1");
}

/* A wait that goes on. A thread that waits may be interrupted by another wait. */
struct wait {
	unsigned long pid;
	unsigned long long lock;
	double begun;
};

static struct wait waits[MAX_WAITS];

static struct wait *wait_of(unsigned long pid, unsigned long long lock)
{
	struct wait *unused = NULL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(waits); i++) {
		if (!waits[i].begun)
			unused = &waits[i];
		else if (waits[i].pid == pid && waits[i].lock == lock)
			return &waits[i];
	}
	must(unused, "more waits for locks than there are threads");
	unused->pid = pid;
	unused->lock = lock;
	return unused;
}

/*
 * "comm-pid [cpu] flags seconds.micro: contention_begin: lock (flags=...)". Who spins
 * first, and then sleeps, begins more than once, and ends once.
 */
static void trace_line(const char *line, struct result *r)
{
	const char *pid = strstr(line, " ["), *event, *when;
	struct wait *wait;
	double now;

	event = strstr(line, ": contention_");
	if (line[0] == '#' || !pid || !event)
		return;
	while (pid > line && pid[-1] != '-')
		pid--;
	for (when = event; when > line && when[-1] != ' '; )
		when--;
	now = strtod(when, NULL) * 1e9;
	event += strlen(": contention_");
	wait = wait_of(strtoul(pid, NULL, 10),
		       strtoull(strchr(event, ':') + 1, NULL, 16));
	if (!strncmp(event, "begin", strlen("begin"))) {
		if (!wait->begun) {
			wait->begun = now;
			r->waits++;
		}
	} else if (wait->begun) {
		r->wait += now - wait->begun;
		wait->begun = 0;
	}
}

static void trace_end(struct result *r)
{
	char *line = NULL;
	size_t size = 0;
	FILE *f;

	trace_set("events/lock/contention_begin/enable", "0");
	trace_set("events/lock/contention_end/enable", "0");
	trace_set("set_event_pid", "");
	trace_set("options/event-fork", "0");
	f = fopen(TRACING "trace", "re");
	if (!f)
		give_up(TRACING "trace");
	r->has_waits = true;
	memset(waits, 0, sizeof(waits));
	while (getline(&line, &size, f) > 0)
		trace_line(line, r);
	free(line);
	fclose(f);
}

/* --------------------------------------------------------------- the workload */

static struct cost crew_faults(struct crew *crew, bool traced, struct result *r)
{
	const struct contender *c = crew->c;
	struct counts before = { 0 }, after = { 0 }, last = { 0 };
	unsigned int faults = crew->threads * FAULTS;
	struct cost cost;

	c->counts(c, &before);
	if (traced) {
		part_begins(PART_NONE);
		trace_begin();
	}
	cost.total = time_of_crew(crew, c->to_device);
	if (traced)
		trace_end(r);
	c->counts(c, &after);
	must(after.to_device - before.to_device == faults * crew->w->bytes,
	     "not all of the data went to the device");
	cost.did = (struct counts){
		.to_device = after.to_device - before.to_device,
		.faults = after.faults - before.faults,
	};
	cost.copy = copy_cost(crew->w->bytes);
	/* The threads themselves are nobody's cost. */
	part_begins(PART_NONE);
	cost.total -= time_of_crew(crew, c->again ?: nothing);
	part_begins(crew->w->part);
	c->counts(c, &last);
	must(!memcmp(&last, &after, sizeof(last)),
	     "what was there already had to be fetched again");
	cost.total /= faults;
	if (c->bare) {
		cost.total = crew->bare;
		cost.copy = cost.total;
	}
	return cost;
}

static void one_round(struct crew *crew, bool measured, bool traced, char *buf,
		      struct result *r)
{
	size_t len = crew->threads * FAULTS * crew->w->bytes;
	const struct contender *c = crew->c;
	struct cost cost;

	crew->va = memory_get(crew->w->memory, len);
	if (c->adopt)
		c->adopt(crew->va, len);
	bytes_write(crew->va, len, 1);
	cost = crew_faults(crew, traced, r);
	if (measured)
		result_add(r, &cost);
	c->read(c, 0, crew->va, len, buf);
	bytes_check(buf, len, 1, c, "the device");
	r->checked += len;
	if (c->forget)
		c->forget(crew->va, len);
	memory_put(crew->va, len);
}

/*
 * What the bare copy takes is measured while nobody else runs: a clock read before it
 * and after it has counted the others' instructions, too.
 */
static double bare_copy_alone(const struct contender *c, const struct workload *w)
{
	double totals[5];
	unsigned int i;
	char *va;

	for (i = 0; i < ARRAY_SIZE(totals); i++) {
		va = memory_get(w->memory, w->bytes);
		c->adopt(va, w->bytes);
		totals[i] = cost_to_device(c, 0, va, w->bytes).total;
		c->forget(va, w->bytes);
		memory_put(va, w->bytes);
	}
	return median(totals, ARRAY_SIZE(totals));
}

void run_threads(const struct contender *c, const struct workload *w,
		 struct result *r)
{
	struct crew crew = {
		.c = c,
		.w = w,
		.threads = w->x,
	};
	size_t len = crew.threads * FAULTS * w->bytes;
	char *buf = buffer_get(len);
	unsigned int i;

	must(sysconf(_SC_NPROCESSORS_ONLN) >= MAX_THREADS,
	     "this workload wants 8 CPUs");
	attach(c, 0);
	if (c->bare)
		crew.bare = bare_copy_alone(c, w);
	short_turns(true);
	for (i = 0; i < WARM_UP + w->rounds; i++)
		one_round(&crew, i >= WARM_UP, false, buf, r);
	one_round(&crew, false, true, buf, r);
	short_turns(false);
	detach(0);
	buffer_put(buf, len);
}

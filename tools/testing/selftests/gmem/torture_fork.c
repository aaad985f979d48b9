// SPDX-License-Identifier: GPL-2.0-only
/*
 * The torture test: children, and what a process and its devices are to each
 * other. Exec and a violent end take a child's devices from it in the middle.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gmem_abi.h"
#include "torture.h"

#define TT_HEAP		(48 * GT_PAGE)
#define TT_STACK	(20 * GT_PAGE)

/* What a child is about. */
enum child {
	CHILD_PLAIN,
	CHILD_DONTFORK,		/* it has not got the slot */
	CHILD_WIPED,		/* it has got an empty one */
	CHILD_EXEC,
	CHILD_KILLED,
	NR_CHILDREN,
};

static const char * const child_names[] = {
	"fork", "MADV_DONTFORK", "MADV_WIPEONFORK", "fork and exec",
	"fork and kill",
};

/* ----------------------------------------------------------- in the child */

static int attach(struct tt_worker *w)
{
	unsigned int nr = w->proc->nr_devs, i, n = tt_below(&w->rng, nr);
	int ret = 0;

	for (i = 0; i < nr && !ret; i++)
		ret = gt_open(&w->dev[i], (i + n) % nr);
	return ret;
}

static void write_some(struct tt_worker *w, struct tt_slot *s, bool devices)
{
	struct tt_part part = tt_bytes(w, s, 1);

	tt_renew(w, s, part.off, part.len);
	if (devices)
		tt_write_any(w, s, part.off, part.len);
	else
		memcpy(s->va + part.off, s->shadow + part.off, part.len);
}

/* A device writes to memory that is not of a slot. */
static int use_memory(struct tt_worker *w, char *va, size_t len)
{
	struct tt_slot s = { .va = va, .len = len, .prot = TT_RW };

	s.shadow = calloc(1, len);
	if (!s.shadow)
		return 10;
	memset(va, 0, len);
	write_some(w, &s, true);
	write_some(w, &s, true);
	tt_read_any(w, &s, 0, len, w->buf);
	if (!tt_compare(w, &s, w->buf, 0, len, "memory of a child"))
		return 11;
	free(s.shadow);
	return 0;
}

static int use_heap(struct tt_worker *w)
{
	char *heap = sbrk(TT_HEAP);
	int ret;

	if (heap == (void *)-1)
		return 12;
	ret = use_memory(w, heap, TT_HEAP);
	if (ret)
		return ret;
	if (sbrk(0) == heap + TT_HEAP) {
		sbrk(-TT_HEAP);
		heap += TT_HEAP - GT_PAGE;
		if (tt_touch(w, &w->dev[0], heap, false) != -EFAULT)
			return 13;
	}
	return 0;
}

static int use_stack(struct tt_worker *w)
{
	char stack[TT_STACK];

	return use_memory(w, stack, sizeof(stack));
}

/* Sealed memory stays where it is; it is used like any other. */
static int seal(struct tt_worker *w, struct tt_slot *s)
{
	if (s->kind != TT_OWN)
		return 0;
	if (syscall(__NR_mseal, s->va, s->len, 0))
		return 14;
	if (!munmap(s->va, s->len) || errno != EPERM)
		return 15;
	write_some(w, s, true);
	return 0;
}

static int special_memory(struct tt_worker *w, struct tt_slot *s)
{
	switch (tt_below(&w->rng, 4)) {
	case 0:
		return use_heap(w);
	case 1:
		return use_stack(w);
	case 2:
		return seal(w, s);
	}
	return 0;
}

/*
 * The child sees what was there when it was made, whatever the parent does
 * meanwhile; it writes, with a device of its own too, and sees only that.
 */
static int check_copy(struct tt_worker *w, struct tt_slot *s)
{
	bool devices = tt_below(&w->rng, 2);
	unsigned int i;
	int ret;

	if (s->prot != TT_RW)
		tt_protect(w, s, TT_RW);
	if (!tt_compare(w, s, s->va, 0, s->len, "child"))
		return 1;
	if (devices) {
		if (attach(w))
			return 2;
		ret = special_memory(w, s);
		if (ret)
			return ret;
	}
	for (i = 0; i < 4; i++)
		write_some(w, s, devices);
	if (devices)
		tt_read_any(w, s, 0, s->len, w->buf);
	else
		memcpy(w->buf, s->va, s->len);
	return !tt_compare(w, s, w->buf, 0, s->len, "child that has written");
}

static int check_absent(struct tt_worker *w, const struct tt_slot *s)
{
	if (gt_cpu_touch(s->va, false) != -EFAULT)
		return 3;
	if (attach(w))
		return 4;
	return tt_touch(w, &w->dev[0], s->va, false) != -EFAULT ? 5 : 0;
}

/* As a program that does nothing. */
static void exec(void)
{
	execl("/proc/self/exe", "torture", "--nothing", NULL);
	_exit(6);
}

/* The devices that it has inherited are the parent's, and end when all have closed them. */
static void close_devices(struct tt_worker *w)
{
	struct tt_proc *proc = w->proc;
	unsigned int t, i;

	for (t = 0; t < proc->nr_threads; t++)
		for (i = 0; i < proc->nr_devs; i++)
			close(proc->workers[t].dev[i].fd);
}

static int child_main(struct tt_worker *w, struct tt_slot *s, enum child child)
{
	/* Nobody else would end one that goes on until it is killed. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_devices(w);
	switch (child) {
	case CHILD_PLAIN:
		break;
	case CHILD_DONTFORK:
		return check_absent(w, s);
	case CHILD_WIPED:
		memset(s->shadow, 0, s->len);
		break;
	case CHILD_EXEC:
	case CHILD_KILLED:
		if (s->prot != TT_RW)
			tt_protect(w, s, TT_RW);
		if (attach(w))
			return 2;
		do {
			write_some(w, s, true);
		} while (child == CHILD_KILLED && !gt_load(&w->proc->board->failed));
		exec();
		break;
	case NR_CHILDREN:
		break;
	}
	return check_copy(w, s);
}

/* ---------------------------------------------------------- in the parent */

void tt_reap(struct tt_worker *w)
{
	int status, want = w->child_killed ? SIGKILL : 0;
	pid_t pid = w->child;

	if (!pid)
		return;
	w->child = 0;
	if (w->child_killed)
		kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		tt_fail(w, "waitpid: %s", strerror(errno));
	else if (status != want)
		tt_fail(w, "child ended with status 0x%x", status);
}

/* Which advice makes such a child, and which takes it back. */
static void advise(struct tt_worker *w, struct tt_slot *s, enum child child,
		   bool begin)
{
	int advice;

	if (child == CHILD_DONTFORK)
		advice = begin ? MADV_DONTFORK : MADV_DOFORK;
	else if (child == CHILD_WIPED)
		advice = begin ? MADV_WIPEONFORK : MADV_KEEPONFORK;
	else
		return;
	tt_must(w, child_names[child], s, 0, s->len,
		madvise(s->va, s->len, advice));
}

static void op_fork(struct tt_worker *w, struct tt_slot *s)
{
	enum child child = tt_below(&w->rng, 2) ? CHILD_PLAIN :
			   tt_below(&w->rng, NR_CHILDREN);
	pid_t pid;

	/* The neighbours' are in the same page. */
	if (s->kind != TT_OWN &&
	    (child == CHILD_DONTFORK || child == CHILD_WIPED))
		child = CHILD_PLAIN;
	tt_reap(w);
	advise(w, s, child, true);
	pid = fork();
	if (!pid)
		_exit(child_main(w, s, child));
	tt_note(w, child_names[child], s, 0, s->len, pid);
	if (pid < 0) {
		tt_fail(w, "fork: %s", strerror(errno));
		return;
	}
	advise(w, s, child, false);
	gt_add(&w->proc->board->children, 1);
	w->child = pid;
	w->child_killed = child == CHILD_KILLED;
}

/* Shares this very memory until it is another program. */
static void op_vfork(struct tt_worker *w, struct tt_slot *s)
{
	int status = -1;
	pid_t pid;

	pid = vfork();
	if (!pid)
		exec();
	tt_must(w, "vfork", s, 0, 0, pid < 0 || waitpid(pid, &status, 0) != pid);
	if (status)
		tt_fail(w, "vfork and exec: status 0x%x", status);
	gt_add(&w->proc->board->children, 1);
}

/* Without the device's file the data is still there, and comes home. */
static void op_reopen(struct tt_worker *w, struct tt_slot *s)
{
	struct gt_dev *dev = tt_random_dev(w);
	struct tt_part part = tt_bytes(w, s, 1);
	unsigned int index = dev->index;
	int ret;

	gt_close(dev);
	tt_compare(w, s, s->va + part.off, part.off, part.len,
		   "after closing a device");
	ret = gt_open(dev, index);
	tt_note(w, "reopen", s, part.off, part.len, ret);
	if (ret)
		tt_fail(w, "open of device %u: %s", index, strerror(-ret));
}

static struct tt_op ops[] = {
	{ "fork", op_fork, 5, PROT_READ, TT_ANON | TT_PRIVATE, false },
	{ "vfork", op_vfork, 1, PROT_NONE, TT_ANY, false },
	{ "reopen", op_reopen, 2, PROT_READ, TT_ANY, false },
};

const struct tt_ops tt_fork_ops = { ops, ARRAY_SIZE(ops) };

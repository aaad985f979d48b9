// SPDX-License-Identifier: GPL-2.0-only
/*
 * GMEM mock accelerator: access programs.
 *
 * An op is cut into accesses that stay within a page. For each the device does
 * what any device with a replayable fault does:
 *
 *	take the MMU lock shared
 *	translate; use the memory
 *	drop the lock
 *	if there was no translation: raise a fault, and start over
 *
 * A translation that a fault installed may be gone before it is used: another
 * device or the CPU may want the page just as much. So the loop has a bound.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "mock.h"

/* How often an access is started over. */
#define GMOCK_ACCESS_TRIES	256

/* How long a value is under way in an atomic op without host_atomics. */
#define GMOCK_ATOMIC_US		2

/* Values in one access of FACTORIAL, which bounds it to about 16 ms. */
#define GMOCK_FACTORIAL_BATCH	16

/**
 * struct gmock_window - memory that an access uses
 * @va: address
 * @access: GM_PROT_* bits needed
 * @place: where @va is, while the MMU lock is held
 * @left: bytes from @va to the end of the translation
 */
struct gmock_window {
	unsigned long va;
	u32 access;
	struct gmock_place place;
	unsigned long left;
};

/**
 * struct gmock_run - an op under way
 * @gf: file that it runs on
 * @op: the op
 * @code: what kind of op it is
 * @engine: what moves data
 * @buf: a page for data on its way, READ, WRITE and FILL only
 * @win: the range of @op at the current position; for COPY, second, its source
 */
struct gmock_run {
	struct gmock_file *gf;
	struct gmem_mock_op *op;
	const struct gmock_opcode *code;
	enum gmem_mock_engine engine;
	void *buf;
	struct gmock_window win[2];
};

/**
 * struct gmock_opcode - what there is to know about one opcode
 * @flags: GMEM_MOCK_OP_* bits allowed
 * @access: GM_PROT_* bits needed for the range
 * @align: alignment of its address and length
 * @max: bytes in one access
 * @no_arg: gmem_mock_op.arg must be 0
 * @buf: the op needs gmock_run.buf
 * @before: optional; called before the access, without locks; may fault
 * @access_fn: the access, @n bytes; under the MMU lock; returns how many bytes
 *	it dealt with or a negative errno
 * @after: optional; called after the access, without locks; may fault
 */
struct gmock_opcode {
	u32 flags;
	u32 access;
	u32 align;
	u32 max;
	bool no_arg;
	bool buf;
	int (*before)(struct gmock_run *run, size_t n);
	ssize_t (*access_fn)(struct gmock_run *run, size_t n);
	int (*after)(struct gmock_run *run, size_t n);
};

/* The accesses: window 0 is @n bytes within a page. */

static ssize_t touch_access(struct gmock_run *run, size_t n)
{
	run->op->result++;
	return min(run->win[0].left, run->op->len - run->op->done);
}

static ssize_t read_access(struct gmock_run *run, size_t n)
{
	return gmock_load(run->gf->dev, run->engine, run->buf,
			  &run->win[0].place, n) ?: n;
}

static int read_after(struct gmock_run *run, size_t n)
{
	void __user *to = u64_to_user_ptr(run->op->arg + run->op->done);

	return copy_to_user(to, run->buf, n) ? -EFAULT : 0;
}

static int write_before(struct gmock_run *run, size_t n)
{
	void __user *from = u64_to_user_ptr(run->op->arg + run->op->done);

	return copy_from_user(run->buf, from, n) ? -EFAULT : 0;
}

static ssize_t write_access(struct gmock_run *run, size_t n)
{
	return gmock_store(run->gf->dev, run->engine, &run->win[0].place,
			   run->buf, n) ?: n;
}

static int fill_before(struct gmock_run *run, size_t n)
{
	memset64(run->buf, run->op->arg, n / sizeof(u64));
	return 0;
}

static ssize_t copy_access(struct gmock_run *run, size_t n)
{
	return gmock_copy(run->gf->dev, run->engine, &run->win[0].place,
			  &run->win[1].place, n) ?: n;
}

static ssize_t checksum_access(struct gmock_run *run, size_t n)
{
	const struct gmock_place *place = &run->win[0].place;
	u64 index = run->op->done / sizeof(u64);
	u64 *cpu = gmock_place_map(run->gf->dev, place);
	u64 sum = run->op->result;
	size_t i;

	for (i = 0; i < n / sizeof(u64); i++)
		sum = gmem_mock_checksum_step(sum, index + i,
					      READ_ONCE(cpu[i]));
	gmock_place_unmap(place, cpu);
	run->op->result = sum;
	return n;
}

/* Atomic for the device, but for nobody else: whoever writes meanwhile is lost. */
static u64 fetch_add_alone(struct gmock_dev *gd, u64 *cpu, u64 value)
{
	u64 before;

	guard(spinlock)(&gd->atomic_lock);
	before = READ_ONCE(*cpu);
	udelay(GMOCK_ATOMIC_US);
	WRITE_ONCE(*cpu, before + value);
	return before;
}

static ssize_t atomic_access(struct gmock_run *run, size_t n)
{
	const struct gmock_place *place = &run->win[0].place;
	struct gmock_dev *gd = run->gf->dev;
	void *cpu = gmock_place_map(gd, place);

	run->op->result = gd->host_atomics ?
			  atomic64_fetch_add(run->op->arg, (atomic64_t *)cpu) :
			  fetch_add_alone(gd, cpu, run->op->arg);
	gmock_place_unmap(place, cpu);
	return n;
}

static ssize_t factorial_access(struct gmock_run *run, size_t n)
{
	const struct gmock_place *place = &run->win[0].place;
	u32 *cpu = gmock_place_map(run->gf->dev, place);
	size_t i;
	u32 x, res;
	int ret = 0;

	for (i = 0; i < n / sizeof(u32); i++) {
		x = READ_ONCE(cpu[i]);
		ret = x > GMEM_MOCK_FACTORIAL_MAX ? -EDOM :
		      gmock_edu_factorial(run->gf->dev, x, &res);
		if (ret)
			break;
		WRITE_ONCE(cpu[i], res);
	}
	gmock_place_unmap(place, cpu);
	/* What was done was done; the error comes back at the next value. */
	return i ? i * sizeof(u32) : ret;
}

static const struct gmock_opcode gmock_opcodes[] = {
	[GMEM_MOCK_OP_TOUCH] = {
		.flags = GMEM_MOCK_OP_INPLACE | GMEM_MOCK_OP_WRITABLE,
		.access = GM_PROT_READ,
		.align = 1,
		.max = PAGE_SIZE,
		.no_arg = true,
		.access_fn = touch_access,
	},
	[GMEM_MOCK_OP_READ] = {
		.flags = GMEM_MOCK_OP_INPLACE,
		.access = GM_PROT_READ,
		.align = 1,
		.max = PAGE_SIZE,
		.buf = true,
		.access_fn = read_access,
		.after = read_after,
	},
	[GMEM_MOCK_OP_WRITE] = {
		.flags = GMEM_MOCK_OP_INPLACE,
		.access = GM_PROT_READ | GM_PROT_WRITE,
		.align = 1,
		.max = PAGE_SIZE,
		.buf = true,
		.before = write_before,
		.access_fn = write_access,
	},
	[GMEM_MOCK_OP_FILL] = {
		.flags = GMEM_MOCK_OP_INPLACE,
		.access = GM_PROT_READ | GM_PROT_WRITE,
		.align = sizeof(u64),
		.max = PAGE_SIZE,
		.buf = true,
		.before = fill_before,
		.access_fn = write_access,
	},
	[GMEM_MOCK_OP_COPY] = {
		.flags = GMEM_MOCK_OP_INPLACE,
		.access = GM_PROT_READ | GM_PROT_WRITE,
		.align = 1,
		.max = PAGE_SIZE,
		.access_fn = copy_access,
	},
	[GMEM_MOCK_OP_CHECKSUM] = {
		.flags = GMEM_MOCK_OP_INPLACE,
		.access = GM_PROT_READ,
		.align = sizeof(u64),
		.max = PAGE_SIZE,
		.no_arg = true,
		.access_fn = checksum_access,
	},
	[GMEM_MOCK_OP_ATOMIC_ADD] = {
		.flags = GMEM_MOCK_OP_INPLACE,
		.access = GM_PROT_READ | GM_PROT_WRITE | GM_PROT_ATOMIC,
		.align = sizeof(u64),
		.max = sizeof(u64),
		.access_fn = atomic_access,
	},
	[GMEM_MOCK_OP_FACTORIAL] = {
		.flags = GMEM_MOCK_OP_INPLACE,
		.access = GM_PROT_READ | GM_PROT_WRITE,
		.align = sizeof(u32),
		.max = GMOCK_FACTORIAL_BATCH * sizeof(u32),
		.no_arg = true,
		.access_fn = factorial_access,
	},
};

static bool is_copy(const struct gmock_run *run)
{
	return run->op->opcode == GMEM_MOCK_OP_COPY;
}

static bool range_wraps(u64 va, u64 len)
{
	return va + (len - 1) < va || va + (len - 1) > ULONG_MAX;
}

static int op_check(const struct gmock_opcode *code,
		    const struct gmem_mock_op *op)
{
	if (op->flags & ~code->flags)
		return -EOPNOTSUPP;
	if (op->__reserved || (code->no_arg && op->arg))
		return -EINVAL;
	if (!op->len || op->len > GMOCK_MAX_LEN ||
	    !IS_ALIGNED(op->va | op->len, code->align) ||
	    range_wraps(op->va, op->len))
		return -EINVAL;
	if (op->opcode == GMEM_MOCK_OP_ATOMIC_ADD && op->len != sizeof(u64))
		return -EINVAL;
	if (op->opcode == GMEM_MOCK_OP_COPY &&
	    (range_wraps(op->arg, op->len) ||
	     (op->arg < op->va + op->len && op->va < op->arg + op->len)))
		return -EINVAL;
	return 0;
}

static int run_fault(struct gmock_run *run, struct gmock_window *win)
{
	static const u32 did[] = {
		[GM_FAULT_MIGRATED] = GMEM_MOCK_DID_MIGRATE,
		[GM_FAULT_LOCAL] = GMEM_MOCK_DID_LOCAL,
		[GM_FAULT_INPLACE] = GMEM_MOCK_DID_INPLACE,
	};
	struct gmock_file *gf = run->gf;
	int ret;

	run->op->faults++;
	atomic64_inc(&gf->faults);
	ret = gmock_glue_fault(gf, win->va, win->access,
			       run->op->flags & GMEM_MOCK_OP_INPLACE);
	if (ret < 0) {
		atomic64_inc(&gf->faults_failed);
		return ret;
	}
	atomic64_inc(&gf->outcomes[ret]);
	run->op->outcomes |= did[ret];
	return 0;
}

/* Fill in the windows, or say which one has no translation. */
static struct gmock_window *run_translate(struct gmock_run *run)
{
	unsigned int i, nr = is_copy(run) ? 2 : 1;

	for (i = 0; i < nr; i++) {
		struct gmock_window *win = &run->win[i];
		struct gmock_xlat xlat;
		unsigned long off;

		if (gmock_mmu_translate(run->gf->mmu, win->va, win->access,
					&xlat))
			return win;
		off = win->va - xlat.va;
		win->left = xlat.size - off;
		win->place = xlat.place;
		win->place.addr += off;
		win->place.dma += off;
	}
	return NULL;
}

/* Should the op stop here? */
static int run_interrupted(struct gmock_run *run)
{
	if (READ_ONCE(run->gf->dev->ending))
		return -ENODEV;
	return task_sigpending(current) ? -EINTR : 0;
}

/* Use the memory; or name in *@missing what has no translation. */
static ssize_t run_try(struct gmock_run *run, size_t n,
		       struct gmock_window **missing)
{
	struct gmock_dev *gd = run->gf->dev;

	*missing = NULL;
	guard(rwsem_read)(&gd->registration);
	if (!gd->alive)
		return -ENODEV;
	guard(rwsem_read)(&run->gf->mmu->lock);
	*missing = run_translate(run);
	return *missing ? 0 : run->code->access_fn(run, n);
}

static bool run_uses_edu(const struct gmock_run *run)
{
	if (run->op->opcode == GMEM_MOCK_OP_FACTORIAL)
		return true;
	return run->engine == GMEM_MOCK_ENGINE_EDU &&
	       run->op->opcode != GMEM_MOCK_OP_TOUCH;
}

/*
 * Those who use edu take turns before they take a lock: behind the locks waits one of
 * them at most, and not all the threads that a program has.
 */
static ssize_t run_try_in_turn(struct gmock_run *run, size_t n,
			       struct gmock_window **missing)
{
	struct gmock_edu *edu = &run->gf->dev->edu;
	ssize_t ret;

	if (!run_uses_edu(run))
		return run_try(run, n, missing);
	*missing = NULL;
	if (mutex_lock_interruptible(&edu->turn))
		return -EINTR;
	ret = run_try(run, n, missing);
	mutex_unlock(&edu->turn);
	return ret;
}

/* One access, with all the faults that it takes. */
static ssize_t run_access(struct gmock_run *run, size_t n)
{
	struct gmock_window *missing;
	unsigned int tries;
	ssize_t ret;

	for (tries = 0; tries < GMOCK_ACCESS_TRIES; tries++) {
		ret = run_try_in_turn(run, n, &missing);
		if (!missing)
			return ret;
		if (tries)
			atomic64_inc(&run->gf->fault_retries);
		ret = run_fault(run, missing);
		if (ret && ret != -EAGAIN)
			return ret;
		ret = run_interrupted(run);
		if (ret)
			return ret;
		cond_resched();
	}
	return -EAGAIN;
}

/* Aim the windows at the current position; how many bytes can be accessed? */
static size_t run_aim(struct gmock_run *run)
{
	struct gmem_mock_op *op = run->op;
	unsigned long va = op->va + op->done;
	size_t n = min_t(u64, op->len - op->done, run->code->max);

	n = min(n, PAGE_SIZE - offset_in_page(va));
	run->win[0].va = va;
	run->win[0].access = run->code->access;
	if (op->flags & GMEM_MOCK_OP_WRITABLE)
		run->win[0].access |= GM_PROT_WRITE;
	if (is_copy(run)) {
		run->win[1].va = op->arg + op->done;
		run->win[1].access = GM_PROT_READ;
		n = min(n, PAGE_SIZE - offset_in_page(run->win[1].va));
	}
	return n;
}

static int run_op(struct gmock_run *run)
{
	struct gmem_mock_op *op = run->op;
	ssize_t done;
	size_t n;
	int ret;

	while (op->done < op->len) {
		ret = run_interrupted(run);
		if (ret)
			return ret;
		n = run_aim(run);
		if (run->code->before) {
			ret = run->code->before(run, n);
			if (ret)
				return ret;
		}
		done = run_access(run, n);
		if (done < 0)
			return done;
		if (run->code->after) {
			ret = run->code->after(run, n);
			if (ret)
				return ret;
		}
		op->done += done;
		cond_resched();
	}
	return 0;
}

/**
 * gmock_exec() - execute one op of an access program
 * @gf: file
 * @op: the op; its out fields are set on success and on failure
 *
 * Return: 0 or a negative errno, the same as in @op. See &struct gmem_mock_op.
 */
int gmock_exec(struct gmock_file *gf, struct gmem_mock_op *op)
{
	struct gmock_run run = { .gf = gf, .op = op };

	op->result = 0;
	op->done = 0;
	op->error = -EOPNOTSUPP;
	op->faults = 0;
	op->outcomes = 0;

	if (op->opcode >= ARRAY_SIZE(gmock_opcodes) ||
	    !gmock_opcodes[op->opcode].access_fn)
		return op->error;
	run.code = &gmock_opcodes[op->opcode];
	op->error = op_check(run.code, op);
	if (op->error)
		return op->error;

	run.engine = gmock_engine_pick(op->len);
	if (run.code->buf) {
		run.buf = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
		if (!run.buf) {
			op->error = -ENOMEM;
			return op->error;
		}
	}
	op->error = run_op(&run);
	free_page((unsigned long)run.buf);
	return op->error;
}

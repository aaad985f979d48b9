// SPDX-License-Identifier: GPL-2.0-only
/*
 * The torture test: accesses to memory, by devices and by CPUs.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "torture.h"

/* A device that says so many times running that it does not get on, hangs. */
#define TT_TRIES	200

struct gt_dev *tt_random_dev(struct tt_worker *w)
{
	return &w->dev[tt_below(&w->rng, w->proc->nr_devs)];
}

/*
 * Whether to repeat an operation of a device that ended with @ret. A ring of io_uring
 * that goes away interrupts the thread that had it, which no signal tells it.
 */
static bool again(struct tt_worker *w, int ret, unsigned int *tries)
{
	if (ret != -EAGAIN && ret != -EINTR)
		return false;
	gt_add(&w->proc->board->again, 1);
	sched_yield();
	return ++*tries < TT_TRIES;
}

int tt_touch(struct tt_worker *w, const struct gt_dev *dev, const void *va,
	     bool write)
{
	unsigned int tries = 0;
	int ret;

	do {
		ret = write ? gt_touch_write(dev, va, 8) : gt_touch(dev, va, 8);
	} while (again(w, ret, &tries));
	return ret;
}

static void dev_result(struct tt_worker *w, const char *what,
		       const struct tt_slot *s, size_t off, size_t len,
		       int ret)
{
	tt_note(w, what, s, off, len, ret);
	if (ret)
		tt_fail(w, "%s: slot %u +0x%zx 0x%zx: %s", what,
			tt_number(w, s), off, len, strerror(-ret));
}

static void dev_read(struct tt_worker *w, const struct tt_slot *s, size_t off,
		     size_t len, char *buf)
{
	struct gt_dev *dev = tt_random_dev(w);
	unsigned int tries = 0;
	int ret;

	do {
		ret = gt_read(dev, s->va + off, len, buf);
	} while (again(w, ret, &tries));
	dev_result(w, dev->index ? "read by device 1.." : "read by device 0",
		   s, off, len, ret);
}

static void dev_write(struct tt_worker *w, const struct tt_slot *s, size_t off,
		      size_t len)
{
	struct gt_dev *dev = tt_random_dev(w);
	unsigned int tries = 0;
	int ret;

	do {
		ret = gt_write(dev, s->va + off, len, s->shadow + off);
	} while (again(w, ret, &tries));
	dev_result(w, dev->index ? "write by device 1.." : "write by device 0",
		   s, off, len, ret);
}

void tt_read_any(struct tt_worker *w, const struct tt_slot *s, size_t off,
		 size_t len, char *buf)
{
	if (tt_below(&w->rng, 2)) {
		dev_read(w, s, off, len, buf);
		return;
	}
	memcpy(buf, s->va + off, len);
	tt_note(w, "read by CPU", s, off, len, 0);
}

void tt_write_any(struct tt_worker *w, const struct tt_slot *s, size_t off,
		  size_t len)
{
	if (tt_below(&w->rng, 2)) {
		dev_write(w, s, off, len);
		return;
	}
	memcpy(s->va + off, s->shadow + off, len);
	tt_note(w, "write by CPU", s, off, len, 0);
}

/* All bytes differ from what they were; or there is something to merge. */
void tt_renew(struct tt_worker *w, struct tt_slot *s, size_t off, size_t len)
{
	__u64 generation = ++w->generation << 8 | w->index;
	char *to = s->shadow + off;
	__u64 word;
	size_t i;

	if (!tt_below(&w->rng, 8)) {
		memset(to, tt_below(&w->rng, 2), len);
		return;
	}
	for (i = 0; i < len; i += sizeof(word)) {
		word = gt_pattern_word(generation, i / sizeof(word));
		memcpy(to + i, &word, len - i < 8 ? len - i : 8);
	}
}

bool tt_on_device(struct tt_worker *w, const void *va)
{
	int node = gt_node(va);
	unsigned int i;

	for (i = 0; i < w->proc->nr_devs; i++)
		if (node == w->dev[i].hnid)
			return true;
	return false;
}

static void op_dev_read(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_bytes(w, s, 1);

	memset(w->buf, 0x5a, part.len);
	dev_read(w, s, part.off, part.len, w->buf);
	tt_compare(w, s, w->buf, part.off, part.len, "read by device");
}

static void op_dev_write(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_bytes(w, s, 1);

	tt_renew(w, s, part.off, part.len);
	dev_write(w, s, part.off, part.len);
}

static void op_cpu_read(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_bytes(w, s, 1);

	tt_compare(w, s, s->va + part.off, part.off, part.len, "read by CPU");
	tt_note(w, "read by CPU", s, part.off, part.len, 0);
}

static void op_cpu_write(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_bytes(w, s, 1);

	tt_renew(w, s, part.off, part.len);
	memcpy(s->va + part.off, s->shadow + part.off, part.len);
	tt_note(w, "write by CPU", s, part.off, part.len, 0);
}

static void op_dev_fill(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_bytes(w, s, sizeof(__u64));
	__u64 value = tt_below(&w->rng, 4) ? tt_random(&w->rng) : 0;
	struct gt_dev *dev = tt_random_dev(w);
	unsigned int tries = 0;
	size_t i;
	int ret;

	for (i = 0; i < part.len; i += sizeof(value))
		memcpy(s->shadow + part.off + i, &value, sizeof(value));
	do {
		ret = gt_fill(dev, s->va + part.off, part.len, value);
	} while (again(w, ret, &tries));
	dev_result(w, "fill", s, part.off, part.len, ret);
}

/* From one half of the slot to the other, any alignment. */
static void op_dev_copy(struct tt_worker *w, struct tt_slot *s)
{
	size_t half = s->len / 2, len = tt_len(w, half, 1);
	size_t from = tt_below(&w->rng, half - len + 1);
	size_t to = half + tt_below(&w->rng, half - len + 1);
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_COPY,
		.len = len,
	};
	struct gt_dev *dev = tt_random_dev(w);
	unsigned int tries = 0;
	size_t swap;
	int ret;

	if (tt_below(&w->rng, 2)) {
		swap = from;
		from = to;
		to = swap;
	}
	op.va = (uintptr_t)s->va + to;
	op.arg = (uintptr_t)s->va + from;
	memcpy(s->shadow + to, s->shadow + from, len);
	do {
		ret = gt_run(dev, &op);
	} while (again(w, ret, &tries));
	dev_result(w, "copy", s, to, len, ret);
}

static void op_dev_checksum(struct tt_worker *w, struct tt_slot *s)
{
	struct tt_part part = tt_bytes(w, s, sizeof(__u64));
	__u64 sum = 0, want = 0, word;
	struct gt_dev *dev = tt_random_dev(w);
	unsigned int tries = 0;
	size_t i;
	int ret;

	for (i = 0; i < part.len; i += sizeof(word)) {
		memcpy(&word, s->shadow + part.off + i, sizeof(word));
		want = gmem_mock_checksum_step(want, i / sizeof(word), word);
	}
	do {
		ret = gt_checksum(dev, s->va + part.off, part.len, &sum);
	} while (again(w, ret, &tries));
	dev_result(w, "checksum", s, part.off, part.len, ret);
	if (ret || sum == want)
		return;
	/* Say where. */
	memcpy(w->buf, s->va + part.off, part.len);
	if (tt_compare(w, s, w->buf, part.off, part.len, "CPU after checksum"))
		tt_fail(w, "checksum by device %u: slot %u +0x%zx 0x%zx; the CPU sees right data",
			dev->index, tt_number(w, s), part.off,
			part.len);
}

static void op_dev_atomic(struct tt_worker *w, struct tt_slot *s)
{
	size_t off = tt_below(&w->rng, s->len / 8) * 8;
	__u64 value = tt_random(&w->rng), before = 0, want;
	struct gt_dev *dev = tt_random_dev(w);
	unsigned int tries = 0;
	int ret;

	/* Nobody takes shared memory from the CPUs. */
	if (s->kind & TT_SHARED && !(dev->caps & GMEM_MOCK_CAP_HOST_ATOMICS)) {
		do {
			ret = gt_atomic_add(dev, s->va + off, value, &before);
		} while (again(w, ret, &tries));
		if (ret != -EOPNOTSUPP)
			tt_fail(w, "atomic add to a file by device %u: %d",
				dev->index, ret);
		return;
	}
	memcpy(&want, s->shadow + off, sizeof(want));
	do {
		ret = gt_atomic_add(dev, s->va + off, value, &before);
	} while (again(w, ret, &tries));
	dev_result(w, "atomic add", s, off, 8, ret);
	if (!ret && before != want)
		tt_fail(w, "atomic add by device %u: slot %u +0x%zx was %#llx and not %#llx",
			dev->index, tt_number(w, s), off, before,
			want);
	want += value;
	memcpy(s->shadow + off, &want, sizeof(want));
}

/* Words that everybody adds to. Nobody knows what they are until the end. */
static void op_common(struct tt_worker *w, struct tt_slot *s)
{
	unsigned int n = 1 + tt_below(&w->rng, 8), i, tries;
	struct tt_proc *proc = w->proc;
	struct gt_dev *dev = tt_random_dev(w);
	bool shared = tt_below(&w->rng, 2);
	/* Nobody takes shared memory from the CPUs. */
	bool cpu = shared && !(dev->caps & GMEM_MOCK_CAP_HOST_ATOMICS);
	int ret = 0;

	while (n--) {
		__u64 value = 1 + tt_below(&w->rng, 1000);
		__u64 *word, *sum;

		i = tt_below(&w->rng, TT_WORDS);
		word = (shared ? proc->board->shared : proc->common) +
		       i * GT_PAGE / sizeof(*word);
		sum = shared ? proc->board->shared_sum : proc->common_sum;
		tries = 0;
		if (tt_below(&w->rng, 3) && !cpu) {
			do {
				ret = gt_atomic_add(dev, word, value, NULL);
			} while (again(w, ret, &tries));
		} else {
			gt_add(word, value);
		}
		if (ret) {
			tt_fail(w, "atomic add by device %u to common word %u: %s",
				dev->index, i, strerror(-ret));
			return;
		}
		gt_add(&sum[i], value);
	}
	tt_note(w, "common words", NULL, 0, 0, 0);
}

static struct tt_op ops[] = {
	{ "read by device", op_dev_read, 14, PROT_READ, TT_ANY, true },
	{ "write by device", op_dev_write, 14, TT_RW, TT_ANY, true },
	{ "read by CPU", op_cpu_read, 10, PROT_READ, TT_ANY, false },
	{ "write by CPU", op_cpu_write, 10, TT_RW, TT_ANY, false },
	{ "fill", op_dev_fill, 5, TT_RW, TT_ANY, true },
	{ "copy", op_dev_copy, 5, TT_RW, TT_ANY, true },
	{ "checksum", op_dev_checksum, 8, PROT_READ, TT_ANY, true },
	{ "atomic add", op_dev_atomic, 6, TT_RW, TT_ANY, true },
	{ "common words", op_common, 10, PROT_NONE, TT_ANY, false },
};

const struct tt_ops tt_access_ops = { ops, ARRAY_SIZE(ops) };

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The torture test: one step of a worker, accesses, and the comparison of
 * memory with its shadow.
 */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "torture.h"

/* A device that says so many times running that it does not get on, hangs. */
#define TT_TRIES	200
#define TT_SMALL	256

/* ----------------------------------------------------------------- chance */

__u64 tt_random(struct tt_rng *rng)
{
	__u64 z = rng->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* Small ones are the most frequent; one of @rarity is all there is. */
static size_t random_len(struct tt_worker *w, size_t max, size_t unit)
{
	size_t top = max;

	switch (tt_below(&w->rng, w->proc->rarity)) {
	case 0:
		return max;
	case 1:
		break;
	case 2:
	case 3:
		top = 64 * GT_PAGE;
		break;
	default:
		top = unit == GT_PAGE ? 8 * GT_PAGE : 3 * GT_PAGE;
	}
	if (top > max)
		top = max;
	return (1 + tt_below(&w->rng, top / unit)) * unit;
}

static struct tt_part random_part(struct tt_worker *w, const struct tt_slot *s,
				  size_t unit)
{
	struct tt_part part;
	size_t room;

	part.len = random_len(w, s->len & ~(unit - 1), unit);
	room = (s->len - part.len) / unit;
	part.off = tt_below(&w->rng, room + 1) * unit;
	return part;
}

struct tt_part tt_bytes(struct tt_worker *w, const struct tt_slot *s,
			size_t align)
{
	return random_part(w, s, align);
}

struct tt_part tt_pages(struct tt_worker *w, const struct tt_slot *s)
{
	return random_part(w, s, GT_PAGE);
}

static struct gt_dev *random_dev(struct tt_worker *w)
{
	return &w->dev[tt_below(&w->rng, w->proc->nr_devs)];
}

/* ---------------------------------------------------------------- reports */

void tt_note(struct tt_worker *w, const char *what, const struct tt_slot *s,
	     size_t off, size_t len, long ret)
{
	w->past[w->nr_past++ % TT_HISTORY] = (struct tt_past){
		.what = what,
		.slot = tt_number(w, s),
		.off = off,
		.len = len,
		.ret = ret,
	};
}

static void print_past(const struct tt_worker *w)
{
	unsigned long i = w->nr_past < TT_HISTORY ? 0 : w->nr_past - TT_HISTORY;

	for (; i < w->nr_past; i++) {
		const struct tt_past *past = &w->past[i % TT_HISTORY];

		fprintf(stderr, "# worker %u: %s slot %u +0x%zx 0x%zx = %ld\n",
			w->index, past->what, past->slot, past->off, past->len,
			past->ret);
	}
}

void tt_fail(struct tt_worker *w, const char *format, ...)
{
	struct tt_board *board = w->proc->board;
	int none = 0;
	va_list args;
	size_t n;

	if (!__atomic_compare_exchange_n(&board->failed, &none, 1, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	n = snprintf(board->message, TT_MESSAGE,
		     "process %u worker %u operation %lu: ", w->proc->index,
		     w->index, gt_load(&board->done[w->index]));
	va_start(args, format);
	vsnprintf(board->message + n, TT_MESSAGE - n, format, args);
	va_end(args);
	print_past(w);
}

static struct tt_count *count_of(struct tt_count *count, const char *name)
{
	const char *none;
	unsigned int i;

	for (i = 0; i < TT_COUNTS; i++) {
		none = NULL;
		if (__atomic_compare_exchange_n(&count[i].name, &none, name,
						false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST) ||
		    !strcmp(none, name))
			return &count[i];
	}
	abort();
}

void tt_count(struct tt_worker *w, const char *what, bool worked)
{
	struct tt_count *count = count_of(w->proc->board->count, what);

	gt_add(&count->tried, 1);
	if (worked)
		gt_add(&count->worked, 1);
}

bool tt_all_worked(const struct tt_count *count)
{
	bool all = true;
	unsigned int i;

	for (i = 0; i < TT_COUNTS && count[i].name; i++) {
		ksft_print_msg("%-28s %8lu of %8lu\n", count[i].name,
			       count[i].worked, count[i].tried);
		if (count[i].worked || count[i].tried < TT_ENOUGH)
			continue;
		ksft_print_msg("%s: never worked\n", count[i].name);
		all = false;
	}
	return all;
}

static ssize_t first_difference(const char *a, const char *b, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (a[i] != b[i])
			return i;
	return -1;
}

static const char *kind_name(const struct tt_slot *s)
{
	switch (s->kind) {
	case TT_OWN:
		break;
	case TT_NARROW:
		return ", narrow";
	case TT_FILE:
		return ", file";
	case TT_HUGETLB:
		return ", hugetlb";
	case TT_PRIVATE:
		return ", private file";
	}
	return "";
}

/* How many bytes differ, and from where to where: a page, a block, a word? */
bool tt_compare(struct tt_worker *w, const struct tt_slot *s, const char *buf,
		size_t off, size_t len, const char *who)
{
	const char *want = s->shadow + off;
	ssize_t first, last = 0;
	size_t i, nr = 0;
	__u64 got, must;
	char *va;

	if (!memcmp(buf, want, len))
		return true;
	first = first_difference(buf, want, len);
	if (first < 0) {
		tt_fail(w, "%s: memory changed while it was compared", who);
		return false;
	}
	for (i = first; i < len; i++) {
		if (buf[i] == want[i])
			continue;
		nr++;
		last = i;
	}
	va = s->va + off + first;
	i = first & ~7UL;
	if (i + 8 > len)
		i = len < 8 ? 0 : len - 8;
	got = 0;
	must = 0;
	memcpy(&got, buf + i, len < 8 ? len : 8);
	memcpy(&must, want + i, len < 8 ? len : 8);
	tt_note(w, who, s, off, len, nr);
	tt_fail(w, "%s: slot %u (%p, 0x%zx%s): %zu bytes of 0x%zx-0x%zx: %#llx, not %#llx; node %d",
		who, tt_number(w, s), s->va, s->len,
		kind_name(s), nr, off + first, off + last, got,
		must, gt_node(va));
	return false;
}

/* ---------------------------------------------------------------- accesses */

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
	struct gt_dev *dev = random_dev(w);
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
	struct gt_dev *dev = random_dev(w);
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
	struct gt_dev *dev = random_dev(w);
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
	size_t half = s->len / 2, len = random_len(w, half, 1);
	size_t from = tt_below(&w->rng, half - len + 1);
	size_t to = half + tt_below(&w->rng, half - len + 1);
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_COPY,
		.len = len,
	};
	struct gt_dev *dev = random_dev(w);
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
	struct gt_dev *dev = random_dev(w);
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
	struct gt_dev *dev = random_dev(w);
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
	struct gt_dev *dev = random_dev(w);
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

static const struct tt_ops access_ops = { ops, ARRAY_SIZE(ops) };

/* -------------------------------------------------------------------- step */

static const struct tt_ops * const all_ops[] = {
	&access_ops, &tt_mm_ops, &tt_map_ops, &tt_ref_ops, &tt_file_ops,
	&tt_fork_ops,
};

static unsigned int nr_ops(void)
{
	unsigned int i, nr = 0;

	for (i = 0; i < ARRAY_SIZE(all_ops); i++)
		nr += all_ops[i]->nr;
	if (nr > TT_OPS)
		abort();
	return nr;
}

static struct tt_op *op_of(unsigned int n)
{
	unsigned int i;

	for (i = 0; n >= all_ops[i]->nr; i++)
		n -= all_ops[i]->nr;
	return &all_ops[i]->op[n];
}

static unsigned int random_op(struct tt_worker *w)
{
	unsigned int sum = 0, n, at;

	for (n = 0; n < nr_ops(); n++)
		sum += op_of(n)->weight;
	at = tt_below(&w->rng, sum);
	for (n = 0; at >= op_of(n)->weight; n++)
		at -= op_of(n)->weight;
	return n;
}

bool tt_without(const char *name)
{
	bool found = false;
	unsigned int n;

	for (n = 0; n < nr_ops(); n++)
		if (!strcmp(op_of(n)->name, name)) {
			op_of(n)->weight = 0;
			found = true;
		}
	return found;
}

void tt_without_moves(void)
{
	tt_without("mremap");
	tt_without("mremap over something");
	tt_without("MREMAP_DONTUNMAP");
}

void tt_print_times(const struct tt_board *board)
{
	bool printed[TT_OPS] = { };
	unsigned int i, n, most;

	for (i = 0; i < nr_ops(); i++) {
		most = TT_OPS;
		for (n = 0; n < nr_ops(); n++)
			if (!printed[n] && (most == TT_OPS ||
					    board->op_us[n] > board->op_us[most]))
				most = n;
		printed[most] = true;
		if (board->op_nr[most])
			ksft_print_msg("%-20s %8lu times %10lu ms %8lu us each\n",
				       op_of(most)->name, board->op_nr[most],
				       board->op_us[most] / 1000,
				       board->op_us[most] / board->op_nr[most]);
	}
}

/* What the CPU may not do, the device may not do either. */
static void expect_fault(struct tt_worker *w, struct tt_slot *s, int need)
{
	char *va = s->va + tt_below(&w->rng, s->len / GT_PAGE) * GT_PAGE;
	struct gt_dev *dev = random_dev(w);
	int ret = tt_touch(w, dev, va, need & PROT_WRITE);

	tt_note(w, "access that is not allowed", s, va - s->va, 8, ret);
	if (ret != -EFAULT)
		tt_fail(w, "device %u: access %d with protection %d returns %d",
			dev->index, need, s->prot, ret);
}

/* Where the data of a slot is when something happens to it. */
static void look(struct tt_worker *w, const struct tt_slot *s)
{
	if (s->kind == TT_OWN && s->prot & PROT_READ && !tt_below(&w->rng, 8))
		tt_count(w, "slot is on a device", tt_on_device(w, s->va));
}

static void account(struct tt_board *board, unsigned int n, __u64 start)
{
	gt_add(&board->op_nr[n], 1);
	gt_add(&board->op_us[n], gt_now_us() - start);
}

void tt_step(struct tt_worker *w)
{
	struct tt_slot *s = &w->slot[tt_below(&w->rng, w->nr_slots)];
	unsigned int n = random_op(w);
	const struct tt_op *op = op_of(n);
	__u64 start = gt_now_us();

	while (!(op->kinds & s->kind))
		s = &w->slot[tt_below(&w->rng, w->nr_slots)];
	gt_store(&w->proc->board->now[w->index], op->name);
	if ((s->prot & op->prot) != op->prot) {
		if (op->device && tt_below(&w->rng, 2))
			expect_fault(w, s, op->prot);
		tt_protect(w, s, TT_RW);
	}
	look(w, s);
	op->fn(w, s);
	account(w->proc->board, n, start);
}

void tt_verify(struct tt_worker *w)
{
	struct tt_slot *s;

	for (s = w->slot; s < w->slot + w->nr_slots; s++) {
		if (!(s->prot & PROT_READ))
			tt_protect(w, s, TT_RW);
		gt_add(&w->proc->board->verified, 1);
		memset(w->buf, 0x5a, s->len);
		tt_read_any(w, s, 0, s->len, w->buf);
		if (!tt_compare(w, s, w->buf, 0, s->len, "last verification"))
			return;
	}
}

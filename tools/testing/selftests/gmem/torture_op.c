// SPDX-License-Identifier: GPL-2.0-only
/*
 * The torture test: chooses operations, and what of a slot they are for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "torture.h"

/* ----------------------------------------------------------------- chance */

__u64 tt_random(struct tt_rng *rng)
{
	__u64 z = rng->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* Small ones are the most frequent; one of @rarity is all there is. */
size_t tt_len(struct tt_worker *w, size_t max, size_t unit)
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

	part.len = tt_len(w, s->len & ~(unit - 1), unit);
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

/* -------------------------------------------------------------------- step */

static const struct tt_ops * const all_ops[] = {
	&tt_access_ops, &tt_mm_ops, &tt_map_ops, &tt_ref_ops, &tt_file_ops,
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
	struct gt_dev *dev = tt_random_dev(w);
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

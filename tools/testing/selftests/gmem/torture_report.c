// SPDX-License-Identifier: GPL-2.0-only
/*
 * The torture test: what it says. What was done lately, what differs from what it
 * must be, and how often something had an effect.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "torture.h"

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

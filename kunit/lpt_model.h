/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A naive model of the logical page table: one state per page. Random
 * operations are done to the model and to a real table, and the two compared.
 * The KUnit suite and the userspace tests share it.
 */
#ifndef _GMEM_LPT_MODEL_H
#define _GMEM_LPT_MODEL_H

#define LPT_MODEL_PAGES		4096UL

/**
 * struct lpt_model - a model and the table it is compared with
 * @lpt:	the table
 * @base:	index of the first page
 * @rng:	state of the generator that lpt_model_u32() uses without @data
 * @data:	if not NULL, where random numbers are taken from
 * @size:	bytes left at @data
 * @may_fail:	whether -ENOMEM is tolerated
 * @exact:	no coarse update and no failure has happened: runs are merged
 * @fails:	how many updates have failed
 * @page:	state of each page
 */
struct lpt_model {
	struct gm_lpt *lpt;
	unsigned long base;
	u64 rng;
	const u8 *data;
	size_t size;
	bool may_fail;
	bool exact;
	unsigned long fails;
	struct gm_lpt_state page[LPT_MODEL_PAGES];
};

static inline u32 lpt_model_u32(struct lpt_model *m)
{
	if (m->data) {
		if (!m->size)
			return 0;
		m->size--;
		return *m->data++;
	}
	m->rng ^= m->rng << 13;
	m->rng ^= m->rng >> 7;
	m->rng ^= m->rng << 17;
	return m->rng >> 16;
}

/* A number below @limit, which is at most 64k. */
static inline u32 lpt_model_below(struct lpt_model *m, u32 limit)
{
	u32 r = lpt_model_u32(m);

	if (m->data && limit > 256)
		r = r << 8 | lpt_model_u32(m);
	return r % limit;
}

static inline void lpt_model_init(struct lpt_model *m, struct gm_lpt *lpt,
				  unsigned long base, u64 seed)
{
	memset(m, 0, sizeof(*m));
	m->lpt = lpt;
	m->base = base;
	m->rng = seed * 0x9e3779b97f4a7c15ULL + 1;
	m->exact = true;
}

static inline void lpt_model_range(struct lpt_model *m, unsigned long *start,
				   unsigned long *end)
{
	unsigned long first = lpt_model_below(m, LPT_MODEL_PAGES);
	unsigned long nr;

	switch (lpt_model_below(m, 8)) {
	case 0:
		nr = 1 + lpt_model_below(m, LPT_MODEL_PAGES);
		break;
	case 1:		/* what huge pages do */
		first &= ~511UL;
		nr = 512 * (1 + lpt_model_below(m, 3));
		break;
	case 2:
		nr = 1 + lpt_model_below(m, 256);
		break;
	case 3:
		first = first % 600;
		nr = 1 + lpt_model_below(m, 3);
		break;
	default:
		nr = 1 + lpt_model_below(m, 8);
	}
	*start = m->base + first;
	*end = m->base + min(first + nr, LPT_MODEL_PAGES);
}

static inline u64 lpt_model_ctxs(struct lpt_model *m)
{
	static const u8 ids[] = { 0, 1, 17, GM_LPT_MAX_CTX - 1 };
	u32 pick = lpt_model_below(m, 16);
	u64 set = 0;
	int i;

	for (i = 0; i < 4; i++)
		if (pick & 1U << i)
			set |= 1ULL << ids[i];
	return set;
}

static inline struct gm_lpt_change lpt_model_change(struct lpt_model *m)
{
	static const u16 res[] = { GM_LPT_NONE, GM_LPT_HOST, GM_LPT_HNODE(0),
				   GM_LPT_HNODE(GM_LPT_MAX_HNODE) };
	struct gm_lpt_change chg = { };

	switch (lpt_model_below(m, 4)) {
	case 0:		/* a fault */
		chg.map_set = 1;
		chg.set_res = true;
		chg.res = GM_LPT_HNODE(0);
		break;
	case 1:		/* an invalidation */
		chg.map_clear = GM_LPT_CTX_MASK;
		break;
	case 2:
		chg.map_set = lpt_model_ctxs(m);
		chg.flags_set = GM_LPT_WRITABLE;
		break;
	default:
		chg.map_clear = lpt_model_ctxs(m);
		chg.map_set = lpt_model_ctxs(m);
		chg.flags_clear = lpt_model_u32(m) & GM_LPT_FLAGS_MASK;
		chg.flags_set = lpt_model_u32(m) & GM_LPT_FLAGS_MASK;
		chg.flags_set &= lpt_model_u32(m);
		chg.set_res = lpt_model_below(m, 2);
		chg.unless_mapped = !lpt_model_below(m, 4);
		chg.res = res[lpt_model_below(m, 4)];
	}
	return chg;
}

static inline void lpt_model_apply(struct lpt_model *m, unsigned long start,
				   unsigned long end,
				   const struct gm_lpt_change *chg)
{
	unsigned long i;

	for (i = start - m->base; i < end - m->base; i++) {
		struct gm_lpt_state *s = &m->page[i];

		if (chg->unless_mapped && s->mapped)
			continue;
		s->mapped &= ~chg->map_clear;
		s->mapped |= chg->map_set;
		s->flags &= ~chg->flags_clear;
		s->flags |= chg->flags_set;
		if (chg->set_res)
			s->res = chg->res;
		if (!s->mapped)
			s->flags &= ~GM_LPT_WRITABLE;
	}
}

static inline bool lpt_model_zero(const struct gm_lpt_state *s)
{
	return !s->mapped && !s->res && !s->flags;
}

/* Return: NULL if table and model agree on everything, or what differs. */
static inline const char *lpt_model_check(struct lpt_model *m)
{
	unsigned long index = m->base, end = m->base + LPT_MODEL_PAGES;
	struct gm_lpt_run run, prev = { };

	while (gm_lpt_find(m->lpt, index, GM_LPT_END, &run)) {
		if (run.start >= run.end || run.end <= index || run.end > end)
			return "run with wrong limits";
		if (run.start < index)
			return "run begins inside of the one before";
		if (lpt_model_zero(&run.state))
			return "run of nothing";
		/* Neighbours may be equal at the limit of a block only. */
		if (m->exact && prev.end == run.start &&
		    run.start % 512 && run.start > m->base &&
		    gm_lpt_state_equal(prev.state, run.state))
			return "runs that are not merged";
		for (; index < run.start; index++)
			if (!lpt_model_zero(&m->page[index - m->base]))
				return "page is missing in the table";
		for (; index < run.end; index++)
			if (!gm_lpt_state_equal(m->page[index - m->base],
						run.state))
				return "page has the wrong state";
		prev = run;
	}
	for (; index < end; index++)
		if (!lpt_model_zero(&m->page[index - m->base]))
			return "page is missing at the end of the table";
	return NULL;
}

static inline const char *lpt_model_modify(struct lpt_model *m,
					   unsigned long start,
					   unsigned long end,
					   const struct gm_lpt_change *chg,
					   gfp_t gfp)
{
	unsigned long done = 0, updates = gm_lpt_updates(m->lpt);
	int ret;

	ret = gm_lpt_modify(m->lpt, start, end, chg, gfp, &done);
	if (done < start || done > end || (ret ? done == end : done < end))
		return "gm_lpt_modify() reports wrong progress";
	if (ret && (ret != -ENOMEM || !m->may_fail))
		return "gm_lpt_modify() failed";
	if (gm_lpt_updates(m->lpt) == updates)
		return "gm_lpt_modify() was not counted";
	if (ret) {
		m->fails++;
		m->exact = false;
	}
	lpt_model_apply(m, start, done, chg);
	return NULL;
}

static inline const char *lpt_model_erase(struct lpt_model *m,
					  unsigned long start,
					  unsigned long end, gfp_t gfp)
{
	unsigned long done = 0, updates = gm_lpt_updates(m->lpt);
	int ret;

	ret = gm_lpt_erase(m->lpt, start, end, gfp, &done);
	if (done < start || done > end || (ret ? done == end : done < end))
		return "gm_lpt_erase() reports wrong progress";
	if (ret && (ret != -ENOMEM || !m->may_fail))
		return "gm_lpt_erase() failed";
	if (gm_lpt_updates(m->lpt) == updates)
		return "gm_lpt_erase() was not counted";
	if (ret) {
		m->fails++;
		m->exact = false;
	} else if (start == m->base && end == m->base + LPT_MODEL_PAGES) {
		m->exact = true;
	}
	memset(&m->page[start - m->base], 0,
	       (done - start) * sizeof(m->page[0]));
	return NULL;
}

static inline const char *lpt_model_coarse(struct lpt_model *m,
					   unsigned long index)
{
	struct gm_lpt_change chg = {
		.map_clear = lpt_model_ctxs(m),
		.flags_clear = lpt_model_u32(m) & GM_LPT_FLAGS_MASK,
		.flags_set = lpt_model_below(m, 2) ? GM_LPT_INEXACT : 0,
		.set_res = lpt_model_below(m, 2),
	};
	unsigned long updates = gm_lpt_updates(m->lpt);
	unsigned long end = m->base + LPT_MODEL_PAGES;
	struct gm_lpt_run run;
	unsigned long i;

	if (!gm_lpt_modify_coarse(m->lpt, index, &chg, &run)) {
		if (!lpt_model_zero(&m->page[index - m->base]))
			return "coarse update found nothing";
		if (run.start > index || run.end <= index)
			return "coarse update returned another gap";
		return NULL;
	}
	if (gm_lpt_updates(m->lpt) == updates)
		return "coarse update was not counted";
	m->exact = false;
	if (run.start > index || run.end <= index || run.start < m->base ||
	    run.end > end)
		return "coarse update returned another run";
	for (i = run.start; i < run.end; i++)
		if (!gm_lpt_state_equal(m->page[i - m->base],
					m->page[index - m->base]))
			return "coarse update went beyond a run";
	lpt_model_apply(m, run.start, run.end, &chg);
	if (!gm_lpt_state_equal(m->page[index - m->base], run.state))
		return "coarse update returned a wrong state";
	return NULL;
}

static inline const char *lpt_model_find(struct lpt_model *m,
					 unsigned long start,
					 unsigned long end, bool mapped)
{
	struct gm_lpt_state *page = m->page;
	unsigned long i = start - m->base;
	struct gm_lpt_run run;
	bool found;

	while (i < end - m->base &&
	       (mapped ? !page[i].mapped : lpt_model_zero(&page[i])))
		i++;
	if (mapped)
		found = gm_lpt_find_mapped(m->lpt, start, end, &run);
	else
		found = gm_lpt_find(m->lpt, start, end, &run);
	if (found != (i < end - m->base))
		return "found something that is not there, or did not";
	if (!found)
		return NULL;
	if (!gm_lpt_state_equal(run.state, page[i]))
		return "found a wrong state";
	gm_lpt_run_clip(&run, start, end);
	if (run.start != m->base + i)
		return "did not find the first run";
	for (; i < run.end - m->base; i++)
		if (!gm_lpt_state_equal(run.state, page[i]))
			return "found a run with a wrong end";
	return NULL;
}

/* Every other page of a block: the worst that can happen to a table. */
static inline const char *lpt_model_shred(struct lpt_model *m, gfp_t gfp)
{
	struct gm_lpt_change chg = lpt_model_change(m);
	unsigned long first = m->base + 512 * lpt_model_below(m, 8);
	unsigned long step = 2 + lpt_model_below(m, 3);
	unsigned long i;
	const char *err;

	for (i = first; i < first + 512; i += step) {
		err = lpt_model_modify(m, i, i + 1, &chg, gfp);
		if (err)
			return err;
	}
	return NULL;
}

/* Do one random operation to both. Return: NULL, or what went wrong. */
static inline const char *lpt_model_step(struct lpt_model *m, gfp_t gfp)
{
	struct gm_lpt_change chg;
	unsigned long start, end;

	lpt_model_range(m, &start, &end);
	switch (lpt_model_below(m, 32)) {
	case 0 ... 3:
		return lpt_model_erase(m, start, end, gfp);
	case 4 ... 6:
		return lpt_model_coarse(m, start);
	case 7 ... 9:
		return lpt_model_find(m, start, end, false);
	case 10 ... 12:
		return lpt_model_find(m, start, end, true);
	case 13:
		return lpt_model_shred(m, gfp);
	case 14:
		if (lpt_model_below(m, 8))
			return NULL;
		return lpt_model_erase(m, m->base, m->base + LPT_MODEL_PAGES,
				       gfp);
	default:
		chg = lpt_model_change(m);
		return lpt_model_modify(m, start, end, &chg, gfp);
	}
}

#endif /* _GMEM_LPT_MODEL_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests with userfaultfd: a pager of LEN bytes of memory.
 */
#ifndef GMEM_PAGER_H
#define GMEM_PAGER_H

#include "gmem_exercise.h"
#include "gmem_uffd.h"

#define LEN		GT_HUGE
#define NR_PAGES	(LEN / GT_PAGE)

/* LEN bytes at @dst are paged from @src from now on. */
static inline void pager_start(struct __test_metadata *_metadata,
			       struct pager *p, __u64 mode, __u64 features)
{
	p->unit = p->unit ?: GT_PAGE;
	p->len = LEN;
	p->fd = uffd_open(features);
	ASSERT_GE(p->fd, 0);
	ASSERT_EQ(0, uffd_register(p->fd, p->dst, LEN, mode));
	ASSERT_EQ(0, pthread_create(&p->thread, NULL, pager_run, p));
}

static inline void pager_stop(struct __test_metadata *_metadata,
			      struct pager *p)
{
	gt_store(&p->stop, true);
	pthread_join(p->thread, NULL);
	close(p->fd);
	EXPECT_EQ(0, p->error);
}

static inline char *make_source(struct __test_metadata *_metadata, __u64 seed)
{
	char *src = gt_alloc(LEN, false);

	ASSERT_NE(NULL, src);
	gt_pattern(src, LEN, seed);
	return src;
}

#endif /* GMEM_PAGER_H */

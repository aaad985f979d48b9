// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address spaces: what the CPU and any number of devices share.
 *
 * A gm_as covers a range of one mm. A process can hold several; one of them,
 * the default, covers everything and is what gm_as_get_mm() and hmadvise() use.
 * They are found by mm in a table of our own: mm_struct knows nothing of us.
 *
 * A gm_as lives while someone holds a reference: contexts, mostly. When the
 * last is dropped it leaves the table and is freed. It does not keep the process
 * alive: when the mm is torn down, the notifier removes all translations and
 * nothing can be mapped any more, but the structure stays until its users are
 * gone.
 */
#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "internal.h"

static atomic_t gm_as_last_id = ATOMIC_INIT(-1);
static struct rhltable gm_as_table;
static struct workqueue_struct *gm_as_wq;
static DEFINE_MUTEX(gm_as_lock);	/* changes of the table and the list */
static LIST_HEAD(gm_as_list);

static const struct rhashtable_params gm_as_params = {
	.key_len = sizeof(struct mm_struct *),
	.key_offset = offsetof(struct gm_as, mm),
	.head_offset = offsetof(struct gm_as, node),
	.automatic_shrinking = true,
};

int __init gm_as_init(void)
{
	/* Its own: what is done there may take as long as a program likes. */
	gm_as_wq = alloc_workqueue("gmem_as", WQ_UNBOUND, 0);
	if (!gm_as_wq)
		return -ENOMEM;
	return rhltable_init(&gm_as_table, &gm_as_params);
}

/**
 * gm_as_tryget() - take a reference if there is one left
 * @as: address space, kept as memory by RCU or a lock
 *
 * Return: true if the reference was taken.
 */
bool gm_as_tryget(struct gm_as *as)
{
	return refcount_inc_not_zero(&as->refs);
}

/**
 * gm_as_find() - find the default address space of an mm
 * @mm: the mm
 *
 * Context: any.
 * Return: the address space with a reference for the caller, or NULL.
 */
struct gm_as *gm_as_find(struct mm_struct *mm)
{
	struct rhlist_head *head, *tmp;
	struct gm_as *as;

	guard(rcu)();
	head = rhltable_lookup(&gm_as_table, &mm, gm_as_params);
	rhl_for_each_entry_rcu(as, tmp, head, node)
		if (as->is_default && gm_as_tryget(as))
			return as;
	return NULL;
}

/**
 * gm_as_put_later() - drop a reference while pages are on the move
 * @as: the address space
 *
 * Its end waits for invalidations, one of which may wait for these pages.
 *
 * Context: any that may be interrupted; folios may be locked and unmapped.
 */
void gm_as_put_later(struct gm_as *as)
{
	if (!refcount_dec_not_one(&as->refs))
		queue_work(gm_as_wq, &as->put);
}

/* Drops a reference. Return: true if it was the last: then nobody finds it. */
static bool gm_as_drop(struct gm_as *as)
{
	if (refcount_dec_not_one(&as->refs))
		return false;
	guard(mutex)(&gm_as_lock);
	if (!refcount_dec_and_test(&as->refs))
		return false;
	list_del(&as->link);
	rhltable_remove(&gm_as_table, &as->node, gm_as_params);
	return true;
}

static void gm_as_free(struct gm_as *as)
{
	int i;

	for (i = 0; i < GM_BLOCK_SLOTS; i++)
		mutex_destroy(&as->block_lock[i]);
	gm_lpt_destroy(&as->lpt);
	kvfree(as->scratch);
	/* gm_as_find() may still look at it. */
	kfree_rcu(as, rcu);
}

/* No context is left, so there is no translation to remove. */
static void gm_as_end(struct gm_as *as)
{
	mmu_interval_notifier_remove(&as->notifier);
	gm_as_free(as);
}

static void gm_as_put_work(struct work_struct *work)
{
	struct gm_as *as = container_of(work, struct gm_as, put);

	/* None is left where gm_as_put() has dropped the last one. */
	if (!refcount_read(&as->refs) || gm_as_drop(as))
		gm_as_end(as);
}

/**
 * gm_as_visit_mm() - call a function for each address space of an mm
 * @mm: the mm
 * @fn: the function. May sleep
 * @arg: for @fn
 *
 * Address spaces that come or go meanwhile may be missed.
 *
 * Context: may sleep; folios may be locked and unmapped.
 */
void gm_as_visit_mm(struct mm_struct *mm, gm_as_fn fn, void *arg)
{
	struct rhlist_head *head, *tmp;
	struct gm_as *as, *prev = NULL;

	rcu_read_lock();
	head = rhltable_lookup(&gm_as_table, &mm, gm_as_params);
	rhl_for_each_entry_rcu(as, tmp, head, node) {
		if (!gm_as_tryget(as))
			continue;
		rcu_read_unlock();
		if (prev)
			gm_as_put_later(prev);
		fn(as, arg);
		prev = as;
		rcu_read_lock();
	}
	rcu_read_unlock();
	if (prev)
		gm_as_put_later(prev);
}

/* The next address space after @prev that lives, with a reference. */
static struct gm_as *gm_as_next(struct gm_as *prev)
{
	struct gm_as *as;

	guard(mutex)(&gm_as_lock);
	as = list_prepare_entry(prev, &gm_as_list, link);
	list_for_each_entry_continue(as, &gm_as_list, link)
		if (gm_as_tryget(as))
			return as;
	return NULL;
}

/**
 * gm_as_visit_all() - call a function for each address space
 * @fn: the function. May sleep
 * @arg: for @fn
 */
void gm_as_visit_all(gm_as_fn fn, void *arg)
{
	struct gm_as *as = NULL, *next;

	/* A reference to @as keeps its place in the list. */
	while ((next = gm_as_next(as))) {
		if (as)
			gm_as_put(as);
		as = next;
		fn(as, arg);
	}
	if (as)
		gm_as_put(as);
}

static struct gm_as *gm_as_alloc(struct mm_struct *mm, unsigned long start,
				 unsigned long end)
{
	struct gm_as *as;
	int i;

	as = kzalloc_obj(*as, GFP_KERNEL_ACCOUNT);
	if (!as)
		return NULL;
	as->id = atomic_inc_return(&gm_as_last_id);
	as->mm = mm;
	as->start = start;
	as->end = end;
	refcount_set(&as->refs, 1);
	gm_lpt_init(&as->lpt);
	init_rwsem(&as->map_lock);
	for (i = 0; i < GM_BLOCK_SLOTS; i++)
		mutex_init(&as->block_lock[i]);
	INIT_LIST_HEAD(&as->link);
	INIT_WORK(&as->put, gm_as_put_work);
	return as;
}

/* Makes an address space that listens to the mm but is not in the table. */
static struct gm_as *gm_as_new(struct mm_struct *mm, unsigned long start,
			       unsigned long end, bool is_default)
{
	struct gm_as *as;
	int ret;

	as = gm_as_alloc(mm, start, end);
	if (!as)
		return ERR_PTR(-ENOMEM);
	as->is_default = is_default;
	ret = mmu_interval_notifier_insert(&as->notifier, mm, start,
					   end - start, &gm_notifier_ops);
	if (ret) {
		gm_as_free(as);
		return ERR_PTR(ret);
	}
	return as;
}

/*
 * Publishes a new address space, or drops it if there is a default one already:
 * gm_as_lock must not be held while the mmap_lock is waited for, or one process
 * could stop all others.
 */
static struct gm_as *gm_as_publish(struct gm_as *new)
{
	struct gm_as *as;
	int ret;

	mutex_lock(&gm_as_lock);
	as = new->is_default ? gm_as_find(new->mm) : NULL;
	if (!as) {
		ret = rhltable_insert(&gm_as_table, &new->node, gm_as_params);
		if (!ret)
			list_add_tail(&new->link, &gm_as_list);
		as = ret ? ERR_PTR(ret) : new;
	}
	mutex_unlock(&gm_as_lock);
	if (as != new)
		gm_as_end(new);
	return as;
}

/**
 * gm_as_create() - create an address space for a part of an mm
 * @mm: the mm; its users must be held (current->mm, or mmget())
 * @start: first address covered; a multiple of PAGE_SIZE
 * @end: end, exclusive; a multiple of PAGE_SIZE
 *
 * Devices that attach to it reach only [@start, @end). Most drivers want
 * gm_as_get_mm() instead.
 *
 * Context: process context, may sleep; takes the mmap_lock for writing.
 * Return: the address space with a reference for the caller, or an ERR_PTR():
 * -EINVAL for a bad range, -ENOMEM, -EINTR.
 */
struct gm_as *gm_as_create(struct mm_struct *mm, unsigned long start,
			   unsigned long end)
{
	struct gm_as *as;

	if (start >= end || !PAGE_ALIGNED(start) || !PAGE_ALIGNED(end) ||
	    end > TASK_SIZE_MAX)
		return ERR_PTR(-EINVAL);
	as = gm_as_new(mm, start, end, false);
	return IS_ERR(as) ? as : gm_as_publish(as);
}
EXPORT_SYMBOL_GPL(gm_as_create);

/**
 * gm_as_destroy() - give up an address space made with gm_as_create()
 * @as: the address space
 *
 * The same as gm_as_put(): contexts that are still attached keep it.
 *
 * Context: process context, may sleep.
 */
void gm_as_destroy(struct gm_as *as)
{
	gm_as_put(as);
}
EXPORT_SYMBOL_GPL(gm_as_destroy);

/**
 * gm_as_get_mm() - get the address space of an mm, which is made if needed
 * @mm: the mm; its users must be held (current->mm, or mmget())
 *
 * Context: process context, may sleep; takes the mmap_lock for writing.
 * Return: the address space with a reference for the caller, who must call
 * gm_as_put(); or an ERR_PTR(): -ENOMEM, -EINTR.
 */
struct gm_as *gm_as_get_mm(struct mm_struct *mm)
{
	struct gm_as *as;

	as = gm_as_find(mm);
	if (as)
		return as;
	as = gm_as_new(mm, 0, PAGE_ALIGN_DOWN(TASK_SIZE_MAX), true);
	return IS_ERR(as) ? as : gm_as_publish(as);
}
EXPORT_SYMBOL_GPL(gm_as_get_mm);

/**
 * gm_as_put() - drop a reference to an address space
 * @as: the address space
 *
 * Its end waits for a moment without an invalidation in the whole process, which may
 * never come as long as its threads keep causing them. Only the process itself waits,
 * or who comes when it has no memory any more; for anybody else, such as a driver that
 * lets its device go, it is done later.
 *
 * Context: process context, may sleep.
 */
void gm_as_put(struct gm_as *as)
{
	if (!gm_as_drop(as))
		return;
	if (as->mm == current->mm || !atomic_read(&as->mm->mm_users))
		gm_as_end(as);
	else
		queue_work(gm_as_wq, &as->put);
}
EXPORT_SYMBOL_GPL(gm_as_put);

/**
 * gm_scratch_spare() - take the working memory that an address space keeps
 * @as: address space
 *
 * For who can do without.
 *
 * Return: the memory, not cleared, for gm_scratch_put(); or NULL if there is none.
 */
struct gm_scratch *gm_scratch_spare(struct gm_as *as)
{
	return xchg(&as->scratch, NULL);
}

/**
 * gm_scratch_get() - get working memory for a fault or migration
 * @as: address space, which keeps one for the next time
 *
 * Context: may sleep.
 * Return: the memory, not cleared, or NULL.
 */
struct gm_scratch *gm_scratch_get(struct gm_as *as)
{
	struct gm_scratch *scratch = gm_scratch_spare(as);

	return scratch ?: kvmalloc_obj(*scratch, GFP_KERNEL_ACCOUNT);
}

/**
 * gm_scratch_put() - give back what gm_scratch_get() returned
 * @as: address space
 * @scratch: the memory
 *
 * Context: may sleep.
 */
void gm_scratch_put(struct gm_as *as, struct gm_scratch *scratch)
{
	kvfree(xchg(&as->scratch, scratch));
}

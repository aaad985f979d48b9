// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts: one device's view of one address space.
 *
 * A context ends in one of two ways, which may race: the driver detaches it, or
 * the device is destroyed. Either shuts it down: from then on nothing is mapped,
 * the driver's page table is gone and faults return -ENODEV. gm_as_detach()
 * then also drops the driver's reference.
 *
 * Shutting down waits for the users of the context (faults, hints), which are
 * bounded: what waits for something that a program can hold up, such as the
 * mmap_lock, does not use the context meanwhile. The order matters: no user, then no
 * translation, then no page table, and last the id, so that no bit in the logical
 * page table is taken for a later context's.
 */
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "internal.h"

static void gm_context_release(struct kref *kref)
{
	struct gm_context *ctx = container_of(kref, struct gm_context, kref);
	unsigned long first = 0;

	WARN_ON_ONCE(!RB_EMPTY_ROOT(&ctx->dma.rb_root));
	WARN_ON_ONCE(xa_find(&ctx->exclusive, &first, ULONG_MAX, XA_PRESENT));
	/* Where memory ran out while a slot was reserved, empty nodes are left (7.2). */
	xa_destroy(&ctx->exclusive);
	gm_as_put(ctx->as);
	gm_dev_put(ctx->dev);
	kfree(ctx);
}

/**
 * gm_context_put() - drop a reference to the memory of a context
 * @ctx: the context
 */
void gm_context_put(struct gm_context *ctx)
{
	kref_put(&ctx->kref, gm_context_release);
}

/**
 * gm_context_tryuse() - begin to use a context
 * @ctx: the context, kept as memory
 *
 * Return: true if it lives and its device is there; then gm_context_unuse()
 * must follow.
 */
bool gm_context_tryuse(struct gm_context *ctx)
{
	if (!gm_dev_enter(ctx->dev))
		return false;
	if (!refcount_inc_not_zero(&ctx->users)) {
		gm_dev_exit(ctx->dev);
		return false;
	}
	return true;
}

/**
 * gm_context_unuse() - end what gm_context_tryuse() began
 * @ctx: the context
 */
void gm_context_unuse(struct gm_context *ctx)
{
	struct gm_dev *dev = ctx->dev;

	/* The context may be freed as soon as nobody uses it: @dev is held. */
	if (refcount_dec_and_test(&ctx->users))
		complete(&ctx->idle);
	gm_dev_exit(dev);
}

/**
 * gm_context_find() - find some context of a device in an address space
 * @as: the address space
 * @dev: the device
 *
 * Return: a context that lived just now; gm_context_put() must follow. Or NULL.
 */
struct gm_context *gm_context_find(struct gm_as *as, struct gm_dev *dev)
{
	unsigned int i;

	guard(rwsem_read)(&as->map_lock);
	for (i = 0; i < GM_LPT_MAX_CTX; i++) {
		struct gm_context *ctx = as->ctx[i];

		if (!ctx || ctx->dev != dev || !gm_context_tryuse(ctx))
			continue;
		kref_get(&ctx->kref);
		gm_context_unuse(ctx);
		return ctx;
	}
	return NULL;
}

static int gm_context_assign_id(struct gm_context *ctx)
{
	struct gm_as *as = ctx->as;
	unsigned int i;

	guard(rwsem_write)(&as->map_lock);
	for (i = 0; i < GM_LPT_MAX_CTX; i++) {
		if (as->ctx[i])
			continue;
		ctx->id = i;
		as->ctx[i] = ctx;
		return 0;
	}
	return -ENOSPC;
}

static void gm_context_drop_id(struct gm_context *ctx)
{
	guard(rwsem_write)(&ctx->as->map_lock);
	ctx->as->ctx[ctx->id] = NULL;
}

static struct gm_context *gm_context_alloc(struct gm_as *as,
					   struct gm_dev *dev,
					   enum gm_attach_mode mode, void *priv)
{
	struct gm_context *ctx;

	ctx = kzalloc_obj(*ctx, GFP_KERNEL_ACCOUNT);
	if (!ctx)
		return NULL;
	refcount_inc(&as->refs);
	gm_dev_get(dev);
	ctx->as = as;
	ctx->dev = dev;
	ctx->mode = mode;
	ctx->priv = priv;
	kref_init(&ctx->kref);
	refcount_set(&ctx->users, 1);
	init_completion(&ctx->idle);
	init_completion(&ctx->ended);
	INIT_LIST_HEAD(&ctx->dev_link);
	spin_lock_init(&ctx->dma_lock);
	ctx->dma = RB_ROOT_CACHED;
	xa_init_flags(&ctx->exclusive, XA_FLAGS_ACCOUNT);
	return ctx;
}

/**
 * gm_as_attach() - give a device access to an address space
 * @as: the address space; the caller holds a reference
 * @dev: the device
 * @mode: what happens to data that the device touches
 * @priv: the driver's data of the context, for gm_context_priv()
 *
 * A device may be attached several times to the same address space; each
 * context has a page table of its own.
 *
 * Context: process context, may sleep. The caller must not hold locks that the
 * driver's &gm_mmu.ctx_create takes.
 * Return: the context, for gm_as_detach(); or an ERR_PTR(): -EINVAL for an
 * unknown mode, -ENODEV when the device is going away, -ENOSPC when the address
 * space has 40 contexts already, -ENOMEM, or what &gm_mmu.ctx_create said.
 */
struct gm_context *gm_as_attach(struct gm_as *as, struct gm_dev *dev,
				enum gm_attach_mode mode, void *priv)
{
	struct gm_context *ctx;
	int ret;

	if (mode != GM_ATTACH_EXCLUSIVE)
		return ERR_PTR(-EINVAL);
	if (!gm_dev_enter(dev))
		return ERR_PTR(-ENODEV);

	ctx = gm_context_alloc(as, dev, mode, priv);
	if (!ctx) {
		ret = -ENOMEM;
		goto err_exit;
	}
	if (dev->mmu->ctx_create) {
		ret = dev->mmu->ctx_create(ctx);
		if (ret)
			goto err_put;
	}
	ret = gm_context_assign_id(ctx);
	if (ret)
		goto err_destroy;

	/* gm_dev_destroy() waits for us before it looks at the list. */
	mutex_lock(&dev->ctx_lock);
	list_add_tail(&ctx->dev_link, &dev->contexts);
	atomic_inc(&dev->nr_contexts);
	mutex_unlock(&dev->ctx_lock);
	gm_dev_exit(dev);
	return ctx;

err_destroy:
	if (dev->mmu->ctx_destroy)
		dev->mmu->ctx_destroy(ctx);
err_put:
	kref_put(&ctx->kref, gm_context_release);
err_exit:
	gm_dev_exit(dev);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(gm_as_attach);

/* No translation from here on; what the logical page table says follows. */
static void gm_context_unmap_all(struct gm_context *ctx)
{
	const struct gm_mmu *mmu = ctx->dev->mmu;
	struct gm_as *as = ctx->as;

	guard(rwsem_write)(&as->map_lock);
	ctx->dead = true;
	mmu->peer_unmap(ctx, as->start, as->end - as->start, 0);
	if (mmu->tlb_invl)
		mmu->tlb_invl(ctx, as->start, as->end - as->start);
	gm_dma_unmap_range(ctx, as->start, as->end);
	gm_exclusive_forget(ctx, as->start, as->end, true);
}

static void gm_context_forget(struct gm_context *ctx)
{
	const struct gm_lpt_change chg = { .map_clear = BIT_ULL(ctx->id) };
	struct gm_lpt *lpt = &ctx->as->lpt;
	unsigned long at = PHYS_PFN(ctx->as->start);
	unsigned long end = PHYS_PFN(ctx->as->end);
	struct gm_lpt_run run;

	while (gm_lpt_find_mapped(lpt, at, end, &run)) {
		unsigned long done;

		at = run.end;
		if (!(run.state.mapped & chg.map_clear))
			continue;
		if (gm_lpt_modify(lpt, run.start, run.end, &chg, GFP_KERNEL,
				  &done))
			gm_lpt_modify_coarse(lpt, run.start, &chg, &run);
		cond_resched();
	}
}

/*
 * gm_context_shutdown() - end a context, but not its memory
 * @ctx: the context; the caller has just taken it from the list of its device
 *
 * Waits for the users of the context, who may be waiting for something else
 * themselves: so no lock is held.
 *
 * Context: process context, may sleep.
 */
static void gm_context_shutdown(struct gm_context *ctx)
{
	struct gm_dev *dev = ctx->dev;

	if (!refcount_dec_and_test(&ctx->users))
		wait_for_completion(&ctx->idle);

	gm_context_unmap_all(ctx);
	gm_context_forget(ctx);
	if (dev->mmu->ctx_destroy)
		dev->mmu->ctx_destroy(ctx);
	gm_context_drop_id(ctx);
	if (atomic_dec_and_test(&dev->nr_contexts))
		wake_up_var(&dev->nr_contexts);
	complete_all(&ctx->ended);
}

/*
 * gm_context_take() - make the end of a context one's own business
 * @ctx: the context
 *
 * Return: true if gm_context_shutdown() is to be called; false if somebody else
 * does or did that.
 */
static bool gm_context_take(struct gm_context *ctx)
{
	guard(mutex)(&ctx->dev->ctx_lock);
	if (list_empty(&ctx->dev_link))
		return false;
	list_del_init(&ctx->dev_link);
	return true;
}

/**
 * gm_context_end_all() - end all contexts of a device
 * @dev: the device; no new ones come
 *
 * Context: process context, may sleep.
 */
void gm_context_end_all(struct gm_dev *dev)
{
	struct gm_context *ctx;

	for (;;) {
		scoped_guard(mutex, &dev->ctx_lock) {
			ctx = list_first_entry_or_null(&dev->contexts,
						       struct gm_context,
						       dev_link);
			if (ctx) {
				list_del_init(&ctx->dev_link);
				kref_get(&ctx->kref);
			}
		}
		if (!ctx)
			break;
		gm_context_shutdown(ctx);
		kref_put(&ctx->kref, gm_context_release);
	}
	/* Those that are being detached right now. */
	wait_var_event(&dev->nr_contexts, !atomic_read(&dev->nr_contexts));
}

/**
 * gm_as_detach() - end a context
 * @ctx: the context; the pointer is dead afterwards
 *
 * Data in the device's memory stays there until the CPU touches it, another
 * device wants it or the device goes away.
 *
 * The driver must not call gm_dev_fault() on @ctx any more. No operation is called
 * for it after this returns, even if gm_dev_destroy() is ending it at the same time.
 *
 * Context: process context, may sleep. The caller must not hold locks that the
 * driver's operations take.
 */
void gm_as_detach(struct gm_context *ctx)
{
	if (gm_context_take(ctx))
		gm_context_shutdown(ctx);
	else
		wait_for_completion(&ctx->ended);
	/* gm_context_release() drops the reference to the device. */
	kref_put(&ctx->kref, gm_context_release);
}
EXPORT_SYMBOL_GPL(gm_as_detach);

/**
 * gm_context_dev() - the device of a context
 * @ctx: the context
 *
 * Return: the device; it stays at least as long as the context.
 */
struct gm_dev *gm_context_dev(const struct gm_context *ctx)
{
	return ctx->dev;
}
EXPORT_SYMBOL_GPL(gm_context_dev);

/**
 * gm_context_set_priv() - hang the driver's data on a context
 * @ctx: the context
 * @priv: the data
 *
 * For &gm_mmu.ctx_create; afterwards the driver must do its own locking.
 */
void gm_context_set_priv(struct gm_context *ctx, void *priv)
{
	ctx->priv = priv;
}
EXPORT_SYMBOL_GPL(gm_context_set_priv);

/**
 * gm_context_priv() - the driver's data of a context
 * @ctx: the context
 *
 * Return: what gm_as_attach() or gm_context_set_priv() was given.
 */
void *gm_context_priv(const struct gm_context *ctx)
{
	return ctx->priv;
}
EXPORT_SYMBOL_GPL(gm_context_priv);

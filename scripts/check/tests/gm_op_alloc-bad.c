// SPDX-License-Identifier: GPL-2.0-only
/* Allocations where none may be. */
#include <linux/gmem.h>

static struct entry *new_entry(void)
{
	return kzalloc(sizeof(struct entry), GFP_KERNEL);		/* BAD */
}

static int add(struct sample *s, unsigned long va)
{
	struct entry *e = new_entry();

	return xa_err(xa_store(&s->entries, va, e, GFP_NOWAIT));
}

static int map(struct gm_context *ctx, const struct gm_segment *segs,
	       unsigned int nr, unsigned int *done)
{
	struct sample *s = gm_context_priv(ctx);
	void *table = (void *)__get_free_page(GFP_NOIO | __GFP_ZERO);	/* BAD */
	void *log = vmalloc(PAGE_SIZE);					/* BAD */

	s->log = log;
	s->table = table;
	return add(s, segs->va);
}

static int unmap(struct gm_context *ctx, unsigned long va, unsigned long size,
		 unsigned int flags)
{
	struct job *job = kmalloc(sizeof(*job), GFP_ATOMIC);		/* BAD */

	submit(job, va, size);
	return 0;
}

static void invl(struct gm_context *ctx, unsigned long va, unsigned long size)
{
	struct message *msg = kzalloc_obj(*msg);			/* BAD */

	send(ctx, msg);
}

static const struct gm_mmu sample_mmu = {
	.name = "sample",
	.peer_map = map,
	.peer_unmap = unmap,
	.tlb_invl = invl,
};

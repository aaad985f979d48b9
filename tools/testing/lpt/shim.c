// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the maple tree and the logical page table need of the kernel: memory,
 * RCU, locks. Allocations can be made to fail, are checked against the context
 * they are made in, and are counted.
 */
#define CONFIG_MAPLE_SEARCH
#define MAPLE_32BIT 0

#include <stdio.h>
#include <stdlib.h>

#include <linux/bug.h>
#include <linux/init.h>
#include <linux/types.h>
#include <linux/kernel.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "shim.h"

/* The maple tree frees nothing but nodes this way. */
#define kfree_rcu(node, member)	shim_kfree_rcu(node)
struct maple_node;
static void shim_kfree_rcu(struct maple_node *node);

#include "maple_tree.c"

int rcu_test_nesting;
int spin_test_held;
long shim_allocs_left = -1;
bool shim_nowait_fails;
unsigned long shim_requests;
size_t shim_bytes;
void (*shim_block_hook)(void);
void (*shim_read_hook)(void);

static struct rcu_head *rcu_pending;
static struct rcu_head **rcu_pending_tail = &rcu_pending;

void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	head->func = func;
	head->next = NULL;
	*rcu_pending_tail = head;
	rcu_pending_tail = &head->next;
}

void rcu_test_quiesce(void)
{
	struct rcu_head *head = rcu_pending;

	assert(!rcu_test_nesting);
	rcu_pending = NULL;
	rcu_pending_tail = &rcu_pending;
	while (head) {
		struct rcu_head *next = head->next;

		head->func(head);
		head = next;
	}
}

void rcu_test_read(void)
{
	void (*hook)(void) = shim_read_hook;

	if (!hook || !rcu_test_nesting || spin_test_held)
		return;
	shim_read_hook = NULL;
	hook();
	shim_read_hook = hook;
}

/* Return: true if this allocation is to fail. */
static bool shim_request(gfp_t gfp)
{
	shim_requests++;
	if (gfpflags_allow_blocking(gfp)) {
		might_sleep();
		if (shim_block_hook)
			shim_block_hook();
	}
	if (!shim_allocs_left ||
	    (shim_nowait_fails && !gfpflags_allow_blocking(gfp)))
		return true;
	if (shim_allocs_left > 0)
		shim_allocs_left--;
	return false;
}

/* The slab allocator's sizes are powers of two for what is used here. */
static size_t shim_round(size_t size)
{
	size_t rounded = 8;

	while (rounded < size)
		rounded <<= 1;
	return rounded;
}

/* In front of every object; keeps the alignment that maple nodes need. */
union shim_header {
	size_t size;
	char align[256];
};

static void *shim_alloc(size_t size, gfp_t gfp)
{
	union shim_header *head;

	if (posix_memalign((void **)&head, 256, sizeof(*head) + size))
		abort();
	head->size = shim_round(size);
	shim_bytes += head->size;
	memset(head + 1, gfp & __GFP_ZERO ? 0 : 0x5a, size);
	return head + 1;
}

void *kmalloc(size_t size, gfp_t gfp)
{
	return shim_request(gfp) ? NULL : shim_alloc(size, gfp);
}

void kfree(void *ptr)
{
	union shim_header *head = ptr;

	if (!ptr)
		return;
	head--;
	shim_bytes -= head->size;
	free(head);
}

static void shim_free_node(struct rcu_head *head)
{
	kfree(container_of(head, struct maple_node, rcu));
}

static void shim_kfree_rcu(struct maple_node *node)
{
	call_rcu(&node->rcu, shim_free_node);
}

struct kmem_cache *
__kmem_cache_create_args(const char *name, unsigned int size,
			 struct kmem_cache_args *args, unsigned int flags)
{
	static struct kmem_cache cache;

	cache.size = size;
	return &cache;
}

void *kmem_cache_alloc_lru(struct kmem_cache *s, struct list_lru *lru, int gfp)
{
	return kmalloc(s->size, gfp);
}

void kmem_cache_free(struct kmem_cache *s, void *ptr)
{
	kfree(ptr);
}

void kmem_cache_free_bulk(struct kmem_cache *s, size_t size, void **list)
{
	while (size--)
		kfree(list[size]);
}

bool kmem_cache_alloc_bulk(struct kmem_cache *s, gfp_t gfp, size_t size,
			   void **list)
{
	size_t i;

	for (i = 0; i < size; i++) {
		list[i] = kmalloc(s->size, gfp);
		if (!list[i]) {
			kmem_cache_free_bulk(s, i, list);
			return false;
		}
	}
	return true;
}

struct slab_sheaf *kmem_cache_prefill_sheaf(struct kmem_cache *s, gfp_t gfp,
					    unsigned int size)
{
	struct slab_sheaf *sheaf;

	if (shim_request(gfp))
		return NULL;
	sheaf = calloc(1, sizeof(*sheaf) + size * sizeof(void *));
	sheaf->cache = s;
	sheaf->capacity = size;
	sheaf->size = size;
	if (kmem_cache_alloc_bulk(s, gfp, size, sheaf->objects))
		return sheaf;
	free(sheaf);
	return NULL;
}

void kmem_cache_return_sheaf(struct kmem_cache *s, gfp_t gfp,
			     struct slab_sheaf *sheaf)
{
	kmem_cache_free_bulk(s, sheaf->size, sheaf->objects);
	free(sheaf);
}

int kmem_cache_refill_sheaf(struct kmem_cache *s, gfp_t gfp,
			    struct slab_sheaf **sheafp, unsigned int size)
{
	struct slab_sheaf *sheaf;

	if ((*sheafp)->size >= size)
		return 0;
	sheaf = kmem_cache_prefill_sheaf(s, gfp, size);
	if (!sheaf)
		return -ENOMEM;
	kmem_cache_return_sheaf(s, gfp, *sheafp);
	*sheafp = sheaf;
	return 0;
}

void *kmem_cache_alloc_from_sheaf(struct kmem_cache *s, gfp_t gfp,
				  struct slab_sheaf *sheaf)
{
	assert(sheaf->size);
	return sheaf->objects[--sheaf->size];
}

void shim_init(void)
{
	maple_tree_init();
}

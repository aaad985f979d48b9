/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libhmadvise: placement hints for memory that is shared with accelerators.
 *
 * See hmadvise(2) for the system call and libhmadvise(3) for the rest.
 *
 * Functions that return long or int return -1 and set errno on failure. All of
 * them may be called from any thread; an iterator belongs to one thread at a
 * time.
 */
#ifndef _HMADVISE_H
#define _HMADVISE_H

#include <stddef.h>
#include <stdint.h>

#include <hmadvise/gmem.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library, as in its pkg-config file. */
#define HMADVISE_VERSION	"0.1.0"

/* Where the kernel tells about hnodes, and about the caller's pages. */
#define HMADVISE_SYSFS		"/sys/kernel/mm/gmem"
#define HMADVISE_DEVICE		"/dev/gmem"

/*
 * The system call. Returns how many bytes of the range, from its start, were
 * processed; see hmadvise(2).
 */
long hmadvise(int hnid, void *addr, size_t len, int advice, unsigned int flags);

/* The same, again and again after a short count, until @len or an error. */
long hmadvise_all(int hnid, void *addr, size_t len, int advice,
		  unsigned int flags);

/* HMADV_ABI_VERSION of the running kernel. */
long hmadvise_version(void);

/* HMADV_FEATURE() bits of the running kernel. */
long hmadvise_features(void);

/*
 * What an errno value means when it comes from one of these functions. Never
 * NULL, never to be freed, valid for ever.
 */
const char *hmadvise_strerror(int err);

/*
 * Where the pages of [@addr, @addr + @len) are: one node id for each page, or
 * GMEM_NODE_NONE or GMEM_NODE_UNKNOWN. @n is the room in @vec. Returns how many
 * elements were filled in.
 */
long hmadvise_residency(const void *addr, size_t len, int32_t *vec, size_t n);

/* Which members of struct hmadvise_node the kernel told. */
#define HMADVISE_NODE_SIZE		(1U << 0)
#define HMADVISE_NODE_USED		(1U << 1)
#define HMADVISE_NODE_FREE		(1U << 2)
#define HMADVISE_NODE_ATTACHED		(1U << 3)
#define HMADVISE_NODE_FAULTS_MIGRATED	(1U << 4)
#define HMADVISE_NODE_FAULTS_INPLACE	(1U << 5)
#define HMADVISE_NODE_PAGES_IN		(1U << 6)
#define HMADVISE_NODE_PAGES_OUT		(1U << 7)
#define HMADVISE_NODE_ALLOC_FAILED	(1U << 8)
#define HMADVISE_NODE_PAGES_POISONED	(1U << 9)
#define HMADVISE_NODE_FAULTS		(1U << 10)
#define HMADVISE_NODE_FAULTS_FAILED	(1U << 11)
#define HMADVISE_NODE_FAULTS_LOCAL	(1U << 12)
#define HMADVISE_NODE_HOST_FAULTS	(1U << 13)
#define HMADVISE_NODE_PAGES_REFUSED	(1U << 14)
#define HMADVISE_NODE_COPY_FAILED	(1U << 15)
#define HMADVISE_NODE_INVALIDATIONS	(1U << 16)
#define HMADVISE_NODE_RETRIES		(1U << 17)
#define HMADVISE_NODE_PAGES_PEER_IN	(1U << 18)
#define HMADVISE_NODE_PAGES_PEER_OUT	(1U << 19)
#define HMADVISE_NODE_PAGES_EXCLUSIVE	(1U << 20)

/*
 * One hnode. Made by the library only: members may be added at its end in
 * later versions, so do not embed it or make arrays of it.
 */
struct hmadvise_node {
	int hnid;
	unsigned int known;		/* HMADVISE_NODE_* bits */
	const char *device;		/* "" when not known */
	const char *type;		/* "" when not known */
	uint64_t size;			/* bytes */
	uint64_t used;			/* bytes */
	uint64_t free;			/* bytes */
	uint64_t attached;		/* contexts attached to its device */
	/* Counters, since the hnode exists */
	uint64_t faults_migrated;	/* device faults that moved data in */
	uint64_t faults_inplace;	/* ... that mapped host memory */
	uint64_t pages_in;		/* moved to the device */
	uint64_t pages_out;		/* moved home */
	uint64_t alloc_failed;		/* found the hnode full */
	uint64_t pages_poisoned;	/* lost with the device */
	uint64_t faults;		/* device faults resolved in any way */
	uint64_t faults_failed;		/* ... that were not */
	uint64_t faults_local;		/* ... whose data was there already */
	uint64_t host_faults;		/* CPU faults on data of the device */
	uint64_t pages_refused;		/* stayed although wanted here */
	uint64_t copy_failed;		/* copies that the device failed */
	uint64_t invalidations;		/* translations taken away */
	uint64_t retries;		/* faults that began again */
	uint64_t pages_peer_in;		/* of pages_in, from other devices */
	uint64_t pages_peer_out;	/* taken by other devices */
	uint64_t pages_exclusive;	/* taken from the CPUs for atomics */
};

struct hmadvise_nodes;

/*
 * The hnodes of the system, in the order of their ids, as they are at this
 * moment. @sysfs is NULL for HMADVISE_SYSFS. NULL and ENOSYS when the kernel
 * has no GMEM.
 */
struct hmadvise_nodes *hmadvise_nodes_open(const char *sysfs);

/* How many there are. */
size_t hmadvise_nodes_count(const struct hmadvise_nodes *nodes);

/* The one at @index, or NULL. Valid until hmadvise_nodes_close(). */
const struct hmadvise_node *
hmadvise_nodes_get(const struct hmadvise_nodes *nodes, size_t index);

/* The one with this id, or NULL. */
const struct hmadvise_node *
hmadvise_nodes_find(const struct hmadvise_nodes *nodes, int hnid);

/* The next one, or NULL at the end. The iterator is part of @nodes. */
const struct hmadvise_node *hmadvise_nodes_next(struct hmadvise_nodes *nodes);

/* @nodes may be NULL. */
void hmadvise_nodes_close(struct hmadvise_nodes *nodes);

/*
 * Draw what hmadvise_residency() told as a line of at most @columns letters,
 * each of which stands for the same number of pages (the last one for fewer):
 *
 *	.	no page		h	host		?	unknown
 *	0-9 A-Z	on an hnode: its index in @nodes, # from the 37th on
 *	*	not all the same
 *
 * @nodes may be NULL: every node is then a host node. Writes at most @size
 * bytes with the final '\0'. Returns how many pages one letter stands for, 0
 * when there is nothing to draw.
 */
size_t hmadvise_draw_residency(char *buf, size_t size, const int32_t *vec,
			       size_t n, unsigned int columns,
			       const struct hmadvise_nodes *nodes);

#ifdef __cplusplus
}
#endif

#endif /* _HMADVISE_H */

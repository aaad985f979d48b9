/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The torture test: random operations of many threads on memory whose every
 * byte has one writer at a time, so that it is known what it must be.
 *
 * A *slot* is a range of an *arena*, the memory of one process that devices
 * work on, or a mapping of a file. A slot belongs to one *worker*, a thread;
 * nobody else changes its contents or its mapping. Slots of different workers
 * share blocks of 2 MiB, and narrow slots share pages. Everybody may give advice
 * about everything, and everybody adds to the words of the common region.
 *
 * The *shadow* of a slot is what its bytes must be.
 */
#ifndef TORTURE_H
#define TORTURE_H

#include <pthread.h>

#include "kselftest.h"
#include "gmem_test.h"

#define TT_MAX_PROCS	8
#define TT_MAX_THREADS	8
#define TT_MAX_WORKERS	(TT_MAX_PROCS * TT_MAX_THREADS)
#define TT_SLOTS	15
#define TT_HISTORY	24
#define TT_WORDS	16	/* of each common region */
#define TT_MESSAGE	1024
#define TT_OPS		64	/* kinds of operations, at most */
#define TT_COUNTS	64	/* things that may go without an effect, at most */
#define TT_ENOUGH	50	/* attempts of which one must have an effect */

#define TT_RW		(PROT_READ | PROT_WRITE)

struct tt_rng {
	__u64 state;
};

/* What memory a slot is; bits, for operations that are for several. */
enum tt_kind {
	TT_OWN = 1,		/* anonymous, and nobody else is in its pages */
	TT_NARROW = 2,		/* shares its pages: its mapping is not ours */
	TT_FILE = 4,		/* a shared mapping of a memfd */
	TT_HUGETLB = 8,		/* the same, of one huge page */
	TT_PRIVATE = 16,	/* a private mapping of a memfd full of zeros */
};

#define TT_ANON		(TT_OWN | TT_NARROW)
#define TT_SHARED	(TT_FILE | TT_HUGETLB)
#define TT_ANY		(TT_ANON | TT_SHARED | TT_PRIVATE)

struct tt_slot {
	char *va;		/* where it is now */
	char *place[2];		/* where TT_OWN may be */
	size_t len;
	char *shadow;
	int prot;
	bool locked;
	enum tt_kind kind;
	int fd;			/* of the file */
};

/* Something that may go without an effect at any time, but not every time. */
struct tt_count {
	const char *name;
	unsigned long tried;
	unsigned long worked;
};

/* One operation that was done, for the report of a failure. */
struct tt_past {
	const char *what;
	unsigned int slot;
	size_t off;
	size_t len;
	long ret;
};

/* What all processes see. */
struct tt_board {
	int failed;
	char message[TT_MESSAGE];
	unsigned long done[TT_MAX_WORKERS];	/* operations */
	const char *now[TT_MAX_WORKERS];	/* what it does */
	unsigned long again;			/* times a device was disturbed */
	unsigned long children;
	unsigned long looks;			/* at the check, with a result */
	unsigned long verified;			/* slots, at the end */
	bool pin_busy;
	unsigned long op_nr[TT_OPS];		/* what was done how often */
	unsigned long op_us[TT_OPS];		/* and how long it took */
	struct tt_count *count;			/* TT_COUNTS, of all seeds */
	__u64 shared_sum[TT_WORDS];		/* what was added to @shared */
	__u64 *shared;				/* TT_WORDS, a page apart */
};

/* One process. */
struct tt_proc {
	struct tt_board *board;
	unsigned int index;
	unsigned int nr_threads;
	unsigned int nr_devs;
	unsigned int nr_nodes;
	unsigned int rarity;	/* of operations on large ranges */
	int pins;		/* GUP_TEST */
	struct tt_worker *workers;
	pthread_barrier_t ready;
	char *arena;
	size_t arena_len;
	char *away;
	size_t away_len;
	__u64 *common;		/* in the arena; as @shared, but private */
	__u64 common_sum[TT_WORDS];
};

struct tt_worker {
	struct tt_proc *proc;
	unsigned int index;	/* on the board */
	unsigned long nr_ops;
	struct tt_rng rng;
	struct gt_dev dev[GT_MAX_DEVS];
	struct tt_slot slot[TT_SLOTS];
	unsigned int nr_slots;
	char *buf;		/* as large as the largest slot */
	char *zeros;		/* the same */
	__u64 generation;	/* makes all contents differ */
	pid_t child;
	bool child_killed;	/* it does not end by itself */
	int pipe[2];
	struct tt_past past[TT_HISTORY];
	unsigned long nr_past;
};

/*
 * Sets up the machine, or ends the program. Returns GUP_TEST, opened: its end drops the
 * pins of all, wherever it was opened, so that it is opened once.
 */
int tt_machine_set(unsigned long nr_workers);
/* For the next seed: what operations change. */
void tt_machine_reset(void);
void tt_machine_restore(void);

/* Random numbers: the same for the same seed. */
__u64 tt_random(struct tt_rng *rng);
static inline __u64 tt_below(struct tt_rng *rng, __u64 n)
{
	return tt_random(rng) % n;
}

/* Ends the run of all; the first caller's message is what is reported. */
void tt_fail(struct tt_worker *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Notes what was done, if it failed with something that may happen. */
void tt_note(struct tt_worker *w, const char *what, const struct tt_slot *s,
	     size_t off, size_t len, long ret);

/* One random operation. */
void tt_step(struct tt_worker *w);
/* Leaves an operation out, by its name, to find the one that makes trouble. */
bool tt_without(const char *name);
/* Prints what the operations took, the most expensive first. */
void tt_print_times(const struct tt_board *board);
/* The number of a slot of the worker; %TT_SLOTS for what is none. */
static inline unsigned int tt_number(const struct tt_worker *w,
				     const struct tt_slot *s)
{
	return s >= w->slot && s < w->slot + TT_SLOTS ? s - w->slot : TT_SLOTS;
}

/* All bytes of all slots are what they must be. */
void tt_verify(struct tt_worker *w);
/* What mremap() carries away and back is all that the check cannot judge at any time. */
void tt_without_moves(void);
/* Waits for the child, if there is one. */
void tt_reap(struct tt_worker *w);
/* Compares @buf with the shadow of the slot. @who has read it. */
bool tt_compare(struct tt_worker *w, const struct tt_slot *s, const char *buf,
		size_t off, size_t len, const char *who);

/* A part of a slot, for an operation with bytes or with pages. */
struct tt_part {
	size_t off;
	size_t len;
};

/* At most @max, of units; most are small. */
size_t tt_len(struct tt_worker *w, size_t max, size_t unit);
struct tt_part tt_bytes(struct tt_worker *w, const struct tt_slot *s,
			size_t align);
struct tt_part tt_pages(struct tt_worker *w, const struct tt_slot *s);

/* One kind of operation. */
struct tt_op {
	const char *name;
	void (*fn)(struct tt_worker *w, struct tt_slot *s);
	unsigned int weight;
	int prot;		/* needed on the slot */
	unsigned int kinds;	/* of slots that it is for */
	bool device;		/* accesses through a device */
};

struct tt_ops {
	struct tt_op *op;
	unsigned int nr;
};

extern const struct tt_ops tt_access_ops;	/* torture_access.c */
extern const struct tt_ops tt_mm_ops;	/* torture_mm.c: advice and mappings */
extern const struct tt_ops tt_map_ops;	/* torture_map.c: memory is replaced */
extern const struct tt_ops tt_ref_ops;	/* torture_ref.c: seen from outside */
extern const struct tt_ops tt_file_ops;	/* torture_file.c */
extern const struct tt_ops tt_fork_ops;	/* torture_fork.c */

/* Notes the result of a system call that must not fail: @ret is 0, or see errno. */
void tt_must(struct tt_worker *w, const char *what, const struct tt_slot *s,
	     size_t off, size_t len, int ret);
/* Counts something that may go without an effect. */
void tt_count(struct tt_worker *w, const char *what, bool worked);
bool tt_on_device(struct tt_worker *w, const void *va);
/* Is there something that never had an effect? Says so. */
bool tt_all_worked(const struct tt_count *count);
/* The slots of a worker that are files: 0 or a negative errno. */
int tt_add_files(struct tt_worker *w);
/* To a device or home. */
void tt_prefetch(struct tt_worker *w, struct tt_slot *s);
void tt_unlock(struct tt_worker *w, struct tt_slot *s);
/* From now on the slot is not merged by KSM. */
void tt_unmerge(struct tt_worker *w, struct tt_slot *s);

struct gt_dev *tt_random_dev(struct tt_worker *w);
/* Tries again what a device may be disturbed in. */
int tt_touch(struct tt_worker *w, const struct gt_dev *dev, const void *va,
	     bool write);
/* A device reads, or the CPU; a device writes, or the CPU. By chance. */
void tt_read_any(struct tt_worker *w, const struct tt_slot *s, size_t off,
		 size_t len, char *buf);
void tt_write_any(struct tt_worker *w, const struct tt_slot *s, size_t off,
		  size_t len);
/* New contents for the shadow. */
void tt_renew(struct tt_worker *w, struct tt_slot *s, size_t off, size_t len);
void tt_protect(struct tt_worker *w, struct tt_slot *s, int prot);

#endif /* TORTURE_H */

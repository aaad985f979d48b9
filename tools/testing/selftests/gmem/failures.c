// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that can fail does, once: on the paths to the device. See sweep.h for
 * what must hold, failures_home.c for the other paths.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "sweep_path.h"

/* ----------------------------------------------------------------- attach */

static bool attach_setup(struct world *w)
{
	return true;
}

static int attach_act(struct world *w)
{
	w->dev.fd = open("/dev/gmem-mock0", O_RDWR | O_CLOEXEC);
	return w->dev.fd < 0 ? -errno : 0;
}

static bool attach_after(struct world *w, int ret)
{
	if (!ret)
		gt_close(&w->dev);
	return on_host(w) && all_right(w);
}

FIXTURE_VARIANT_ADD(sweep, attach)
{
	.setup = attach_setup,
	.act = attach_act,
	.after = attach_after,
	.nomem = true,
	.must = HITS(SLAB),
};

/* ---------------------------------------------------------- device faults */

/* A failed copy is none for a fault: the data is used where it is. */
#define FAULT_ERRORS \
	.nomem = true, \
	.error = { [FAIL_MAP] = -EIO, [FAIL_PREPARE] = -ENOMEM }

static int fault_act(struct world *w)
{
	return gt_touch_write(&w->dev, w->buf, w->len);
}

static bool fault_after(struct world *w, int ret)
{
	return !fault_act(w) && all_right(w);
}

FIXTURE_VARIANT_ADD(sweep, fault_huge)
{
	.setup = on_host,
	.act = fault_act,
	.after = fault_after,
	.huge = true,
	FAULT_ERRORS,
	.must = HITS(SLAB) | HITS(COPY) | HITS(MAP) | HITS(PREPARE),
};

FIXTURE_VARIANT_ADD(sweep, fault_base)
{
	.setup = on_host,
	.act = fault_act,
	.after = fault_after,
	FAULT_ERRORS,
	.must = HITS(SLAB) | HITS(COPY) | HITS(MAP) | HITS(PREPARE),
};

/* Memory that was never touched is made on the device, and is zero. */
static bool hole_setup(struct world *w)
{
	if (gt_open(&w->dev, 0))
		return false;
	w->buf = gt_alloc(w->len, w->len == GT_HUGE);
	return w->buf;
}

static bool hole_after(struct world *w, int ret)
{
	if (fault_act(w) || gt_to_device(&w->dev, w->buf, w->len) ||
	    !cpu_zeros(w, 0, w->len))
		return false;
	gt_pattern(w->buf, w->len, SEED);
	return all_right(w);
}

FIXTURE_VARIANT_ADD(sweep, fault_hole_huge)
{
	.setup = hole_setup,
	.act = fault_act,
	.after = hole_after,
	.huge = true,
	FAULT_ERRORS,
	.must = HITS(SLAB) | HITS(COPY) | HITS(MAP) | HITS(PREPARE),
};

FIXTURE_VARIANT_ADD(sweep, fault_hole_base)
{
	.setup = hole_setup,
	.act = fault_act,
	.after = hole_after,
	FAULT_ERRORS,
	.must = HITS(SLAB) | HITS(COPY) | HITS(MAP) | HITS(PREPARE),
};

static int inplace_act(struct world *w)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_TOUCH,
		.flags = GMEM_MOCK_OP_WRITABLE | GMEM_MOCK_OP_INPLACE,
		.va = (uintptr_t)w->buf,
		.len = w->len,
	};

	return gt_run(&w->dev, &op);
}

static bool inplace_after(struct world *w, int ret)
{
	return !inplace_act(w) &&
	       !gt_dev_pattern(&w->dev, w->buf, w->len, SEED) &&
	       gt_all_on(w->buf, w->len, GT_HOME) && all_right(w);
}

FIXTURE_VARIANT_ADD(sweep, fault_inplace_huge)
{
	.setup = on_host,
	.act = inplace_act,
	.after = inplace_after,
	.huge = true,
	FAULT_ERRORS,
	.must = HITS(SLAB) | HITS(MAP) | HITS(PREPARE),
};

FIXTURE_VARIANT_ADD(sweep, fault_inplace_base)
{
	.setup = on_host,
	.act = inplace_act,
	.after = inplace_after,
	FAULT_ERRORS,
	.must = HITS(SLAB) | HITS(MAP) | HITS(PREPARE),
};

/* Data that is on another device goes home first, */
static bool on_other(struct world *w, bool direct)
{
	return w->nr >= 2 && !gt_set_peer_copy(direct) &&
	       !gt_open(&w->other, 1) && on_host(w) &&
	       !gt_to_device(&w->other, w->buf, w->len);
}

static bool remote_setup(struct world *w)
{
	return on_other(w, false);
}

/* or is copied from there; when that fails, it goes home after all. */
static bool peer_setup(struct world *w)
{
	return on_other(w, true);
}

static bool remote_after(struct world *w, int ret)
{
	return fault_after(w, ret) && !gt_close(&w->other) &&
	       !gt_set_peer_copy(true);
}

FIXTURE_VARIANT_ADD(sweep, fault_remote_huge)
{
	.setup = remote_setup,
	.act = fault_act,
	.after = remote_after,
	.huge = true,
	FAULT_ERRORS,
	.must = HITS(SLAB) | HITS(PAGE) | HITS(COPY) | HITS(MAP) |
		HITS(PREPARE),
};

FIXTURE_VARIANT_ADD(sweep, fault_remote_base)
{
	.setup = remote_setup,
	.act = fault_act,
	.after = remote_after,
	FAULT_ERRORS,
	.must = HITS(SLAB) | HITS(PAGE) | HITS(COPY) | HITS(MAP) |
		HITS(PREPARE),
};

FIXTURE_VARIANT_ADD(sweep, fault_peer_huge)
{
	.setup = peer_setup,
	.act = fault_act,
	.after = remote_after,
	.huge = true,
	FAULT_ERRORS,
	.must = HITS(SLAB) | HITS(COPY) | HITS(MAP) | HITS(PREPARE),
};

FIXTURE_VARIANT_ADD(sweep, fault_peer_base)
{
	.setup = peer_setup,
	.act = fault_act,
	.after = remote_after,
	FAULT_ERRORS,
	.must = HITS(SLAB) | HITS(COPY) | HITS(MAP) | HITS(PREPARE),
};

/*
 * An atomic operation on host memory that the CPU is kept from: of 0, so that
 * the pattern stays.
 */
static int atomic_act(struct world *w)
{
	struct gmem_mock_op op = {
		.opcode = GMEM_MOCK_OP_ATOMIC_ADD,
		.flags = GMEM_MOCK_OP_INPLACE,
		.va = (uintptr_t)w->buf + 5 * GT_PAGE,
		.len = sizeof(__u64),
	};

	return gt_run(&w->dev, &op);
}

static bool atomic_after(struct world *w, int ret)
{
	/* A page that is kept from the CPUs would not move. */
	return !atomic_act(w) && gt_all_on(w->buf, w->len, GT_HOME) &&
	       !cpu_access(w->buf + 5 * GT_PAGE) && all_right(w);
}

FIXTURE_VARIANT_ADD(sweep, fault_atomic_huge)
{
	.setup = on_host,
	.act = atomic_act,
	.after = atomic_after,
	.huge = true,
	FAULT_ERRORS,
	.must = HITS(SLAB) | HITS(MAP) | HITS(PREPARE),
};

FIXTURE_VARIANT_ADD(sweep, fault_atomic_base)
{
	.setup = on_host,
	.act = atomic_act,
	.after = atomic_after,
	FAULT_ERRORS,
	.must = HITS(SLAB) | HITS(MAP) | HITS(PREPARE),
};

/* A file: its first pages are there, the others the fault must make. */
static bool file_setup(struct world *w)
{
	if (gt_open(&w->dev, 0))
		return false;
	w->file = memfd_create("sweep", MFD_CLOEXEC);
	if (w->file < 0 || ftruncate(w->file, w->len))
		return false;
	w->buf = mmap(NULL, w->len, PROT_READ | PROT_WRITE, MAP_SHARED,
		      w->file, 0);
	if (w->buf == MAP_FAILED)
		return false;
	gt_pattern(w->buf, w->len / 2, SEED);
	return true;
}

/* What the device writes is in the file. */
static bool file_after(struct world *w, int ret)
{
	char *copy = malloc(w->len);
	bool ok;

	gt_pattern(copy, w->len, SEED);
	ok = !fault_act(w) &&
	     !gt_dev_pattern(&w->dev, w->buf, w->len / 2, SEED) &&
	     !gt_write(&w->dev, w->buf, w->len, copy) &&
	     cpu_pattern(w, 0, w->len, SEED) &&
	     pread(w->file, copy, w->len, 0) == w->len &&
	     gt_pattern_bad(copy, w->len, SEED) == -1;
	free(copy);
	gt_free(w->buf, w->len);
	close(w->file);
	return !gt_close(&w->dev) && ok;
}

FIXTURE_VARIANT_ADD(sweep, fault_file)
{
	.setup = file_setup,
	.act = fault_act,
	.after = file_after,
	FAULT_ERRORS,
	.must = HITS(SLAB) | HITS(PAGE) | HITS(MAP) | HITS(PREPARE),
};

/* ---------------------------------------------------------------- hmadvise */

static int prefetch_act(struct world *w)
{
	return advise(w, w->dev.hnid, 0, w->len, HMADV_PREFETCH);
}

static bool prefetch_after(struct world *w, int ret)
{
	return !prefetch_act(w) &&
	       gt_all_on(w->buf, w->len, w->dev.hnid) &&
	       all_right(w);
}

FIXTURE_VARIANT_ADD(sweep, prefetch_huge)
{
	.setup = on_host,
	.act = prefetch_act,
	.after = prefetch_after,
	.huge = true,
	FAULT_ERRORS,
	.must = HITS(SLAB) | HITS(COPY) | HITS(MAP) | HITS(PREPARE),
};

FIXTURE_VARIANT_ADD(sweep, prefetch_base)
{
	.setup = on_host,
	.act = prefetch_act,
	.after = prefetch_after,
	FAULT_ERRORS,
	.must = HITS(SLAB) | HITS(COPY) | HITS(MAP) | HITS(PREPARE),
};

TEST_HARNESS_MAIN

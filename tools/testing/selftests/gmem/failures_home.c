// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that can fail does, once: where data comes home, and where memory,
 * process, context or device end. See sweep.h for what must hold, failures.c for the
 * way to the device.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sweep_path.h"
#include "gmem_worker.h"

/* -------------------------------------------------------------- CPU faults */

/* A single failure is no reason for a SIGBUS: the fault finds another way. */
static int host_act(struct world *w)
{
	return cpu_access(w->buf + GT_PAGE);
}

static bool host_after(struct world *w, int ret)
{
	return !host_act(w) &&
	       gt_all_on(w->buf + GT_PAGE, GT_PAGE, GT_HOME) &&
	       cpu_pattern(w, 0, w->len, SEED) && all_right(w);
}

FIXTURE_VARIANT_ADD(sweep, host_fault_huge)
{
	.setup = on_device,
	.act = host_act,
	.after = host_after,
	.huge = true,
	.must = HITS(PAGE) | HITS(COPY),
};

FIXTURE_VARIANT_ADD(sweep, host_fault_base)
{
	.setup = on_device,
	.act = host_act,
	.after = host_after,
	.must = HITS(PAGE) | HITS(COPY),
};

/* The pages of a first fault; one right behind them brings twice as many. */
#define AROUND		(16 * GT_PAGE)

/* Under a policy of the mapping, pages are allocated one by one. */
static bool window_setup(struct world *w)
{
	unsigned long node = 1;

	w->len = 4 * AROUND;
	return on_device(w) && !syscall(SYS_mbind, w->buf, w->len, MPOL_BIND,
					&node, 8 * sizeof(node), 0);
}

static int window_act(struct world *w)
{
	return cpu_access(w->buf) ?: cpu_access(w->buf + AROUND);
}

/* What was wanted came home, what was not asked for stayed; between them, either. */
static bool window_after(struct world *w, int ret)
{
	return gt_all_on(w->buf + AROUND, GT_PAGE, GT_HOME) &&
	       gt_all_on(w->buf + 3 * AROUND, AROUND, w->dev.hnid) &&
	       cpu_pattern(w, 0, w->len, SEED) && all_right(w);
}

FIXTURE_VARIANT_ADD(sweep, host_fault_window)
{
	.setup = window_setup,
	.act = window_act,
	.after = window_after,
	.must = HITS(PAGE) | HITS(COPY),
};

static int home_act(struct world *w)
{
	return advise(w, HMADV_NODE_ANY, 0, w->len, HMADV_PREFETCH);
}

/* After EIO all of it is still there. */
static bool home_after(struct world *w, int ret)
{
	if (ret == -EIO && !gt_all_on(w->buf, w->len, w->dev.hnid))
		return false;
	return !home_act(w) && gt_all_on(w->buf, w->len, GT_HOME) &&
	       cpu_pattern(w, 0, w->len, SEED) && all_right(w);
}

FIXTURE_VARIANT_ADD(sweep, prefetch_home_huge)
{
	.setup = on_device,
	.act = home_act,
	.after = home_after,
	.huge = true,
	.nomem = true,
	.error = { [FAIL_COPY] = -EIO },
	.must = HITS(PAGE) | HITS(COPY),
};

FIXTURE_VARIANT_ADD(sweep, prefetch_home_base)
{
	.setup = on_device,
	.act = home_act,
	.after = home_after,
	.nomem = true,
	.error = { [FAIL_COPY] = -EIO },
	.must = HITS(PAGE) | HITS(COPY),
};

/*
 * A child shares the huge page. Where there is no huge page for it on the host, it comes
 * home in single pages, for the child too.
 */
static bool on_device_with_child(struct world *w)
{
	int go[2];
	pid_t pid;

	if (!on_device(w) || pipe(go))
		return false;
	pid = fork();
	if (!pid) {
		close(go[1]);
		_exit(read(go[0], go, 1) || !cpu_pattern(w, 0, w->len, SEED));
	}
	w->file = go[1];
	w->child = pid;
	return !close(go[0]) && pid > 0;
}

static bool home_shared_after(struct world *w, int ret)
{
	bool ok = ret || gt_all_on(w->buf, w->len, GT_HOME);

	close(w->file);
	return ok && wait_gone(w->child) == 0 && home_after(w, 0);
}

FIXTURE_VARIANT_ADD(sweep, prefetch_home_shared)
{
	.setup = on_device_with_child,
	.act = home_act,
	.after = home_shared_after,
	.huge = true,
	.nomem = true,
	.error = { [FAIL_COPY] = -EIO },
	.must = HITS(PAGE) | HITS(COPY),
};

/* The middle of a range: what is around it stays, and must be cut off. */
#define PART_FROM	(5 * GT_PAGE)
#define PART_TO		(11 * GT_PAGE)

/* What is around the part; then it is made whole again. */
static bool rest_right(struct world *w)
{
	__u64 *word = (__u64 *)w->buf;
	size_t i;

	if (!cpu_pattern(w, 0, PART_FROM, SEED) ||
	    !cpu_pattern(w, PART_TO, w->len, SEED))
		return false;
	for (i = PART_FROM / 8; i < PART_TO / 8; i++)
		word[i] = gt_pattern_word(SEED, i);
	return all_right(w);
}

static int discard_act(struct world *w)
{
	return advise(w, HMADV_NODE_ANY, PART_FROM, PART_TO, HMADV_DISCARD);
}

static bool discard_after(struct world *w, int ret)
{
	if (ret && discard_act(w))
		return false;
	return cpu_zeros(w, PART_FROM, PART_TO) && rest_right(w);
}

FIXTURE_VARIANT_ADD(sweep, discard_huge)
{
	.setup = on_device,
	.act = discard_act,
	.after = discard_after,
	.huge = true,
	.nomem = true,
	.must = HITS(SLAB),
};

FIXTURE_VARIANT_ADD(sweep, discard_base)
{
	.setup = on_device,
	.act = discard_act,
	.after = discard_after,
	.nomem = true,
	.must = HITS(SLAB),
};

/* ------------------------------------------------------------ munmap, fork */

static int munmap_act(struct world *w)
{
	return munmap(w->buf + PART_FROM, PART_TO - PART_FROM) ? -errno : 0;
}

/* All of it is gone or, after an error, none. */
static bool munmap_after(struct world *w, int ret)
{
	char *part = w->buf + PART_FROM;
	size_t len = PART_TO - PART_FROM;

	if (ret && (gt_dev_pattern(&w->dev, w->buf, w->len, SEED) ||
		    munmap_act(w)))
		return false;
	if (gt_cpu_touch(part, false) != -EFAULT ||
	    gt_touch(&w->dev, part, len) != -EFAULT)
		return false;
	if (mmap(part, len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != part)
		return false;
	return rest_right(w);
}

FIXTURE_VARIANT_ADD(sweep, munmap_huge)
{
	.setup = on_device,
	.act = munmap_act,
	.after = munmap_after,
	.huge = true,
	.nomem = true,
	.must = HITS(SLAB),
};

FIXTURE_VARIANT_ADD(sweep, munmap_base)
{
	.setup = on_device,
	.act = munmap_act,
	.after = munmap_after,
	.nomem = true,
	.must = HITS(SLAB),
};

/* The child finds its data and writes to it. */
static void child_main(struct world *w)
{
	if (!cpu_pattern(w, 0, w->len, SEED))
		_exit(1);
	gt_pattern(w->buf, w->len, SEED + 1);
	_exit(cpu_pattern(w, 0, w->len, SEED + 1) ? 0 : 2);
}

static int fork_act(struct world *w)
{
	pid_t pid = fork();

	if (!pid)
		child_main(w);
	/* Shared with the child, as the harness has it: only for the parent to set. */
	w->child = pid;
	return pid < 0 ? -errno : 0;
}

static bool fork_after(struct world *w, int ret)
{
	if (ret && fork_act(w))
		return false;
	return wait_gone(w->child) == 0 && all_right(w);
}

FIXTURE_VARIANT_ADD(sweep, fork_huge)
{
	.setup = on_device,
	.act = fork_act,
	.after = fork_after,
	.huge = true,
	.nomem = true,
	.must = HITS(SLAB) | HITS(PAGE),
};

FIXTURE_VARIANT_ADD(sweep, fork_base)
{
	.setup = on_device,
	.act = fork_act,
	.after = fork_after,
	.nomem = true,
	.must = HITS(SLAB) | HITS(PAGE),
};

/* --------------------------------------------------------- detach, destroy */

static int detach_act(struct world *w)
{
	return gt_close(&w->dev);
}

/* The data stays on the device, and is there for CPU and device. */
static bool detach_after(struct world *w, int ret)
{
	return clean() && cpu_pattern(w, 0, w->len, SEED) &&
	       !gt_open(&w->dev, 0) && all_right(w);
}

/* Nothing of it allocates: a sweep that finds that it does is the news. */
FIXTURE_VARIANT_ADD(sweep, detach_huge)
{
	.setup = on_device,
	.act = detach_act,
	.after = detach_after,
	.huge = true,
};

FIXTURE_VARIANT_ADD(sweep, detach_base)
{
	.setup = on_device,
	.act = detach_act,
	.after = detach_after,
};

static bool destroy_setup(struct world *w)
{
	w->file = open(DRIVER "unbind", O_WRONLY | O_CLOEXEC);
	return w->file >= 0 && on_device(w);
}

/* All of the data is at home: the device could copy, and the host had memory. */
static bool destroy_after(struct world *w, int ret)
{
	if (ret && driver_act(w))
		return false;
	close(w->file);
	if (gt_touch(&w->dev, w->buf, 8) != -ENODEV ||
	    !gt_all_on(w->buf, w->len, GT_HOME) ||
	    !cpu_pattern(w, 0, w->len, SEED))
		return false;
	gt_close(&w->dev);
	return !gt_write_file(DRIVER "bind", w->name) &&
	       !gt_open(&w->dev, 0) && all_right(w);
}

FIXTURE_VARIANT_ADD(sweep, destroy_huge)
{
	.setup = destroy_setup,
	.act = driver_act,
	.after = destroy_after,
	.huge = true,
	.nomem = true,
	.must = HITS(SLAB) | HITS(PAGE) | HITS(COPY),
};

FIXTURE_VARIANT_ADD(sweep, destroy_base)
{
	.setup = destroy_setup,
	.act = driver_act,
	.after = destroy_after,
	.nomem = true,
	.must = HITS(SLAB) | HITS(PAGE) | HITS(COPY),
};

/* ----------------------------------------------------- what fails for good */

FIXTURE(no_copy)
{
	struct world w;
};

FIXTURE_VARIANT(no_copy)
{
	size_t len;
};

FIXTURE_VARIANT_ADD(no_copy, huge)
{
	.len = GT_HUGE,
};

FIXTURE_VARIANT_ADD(no_copy, base)
{
	.len = BASE_LEN,
};

FIXTURE_SETUP(no_copy)
{
	self->w.len = variant->len;
	world_init(_metadata, &self->w);
}

FIXTURE_TEARDOWN_PARENT(no_copy)
{
	sweep_copies("0");
	world_check(_metadata, &self->w);
}

/* SIGBUS as long as the device does not give the data; then it is all there. */
TEST_F_TIMEOUT(no_copy, for_now, SWEEP_TIMEOUT)
{
	struct world *w = &self->w;

	ASSERT_TRUE(on_device(w));
	ASSERT_EQ(0, sweep_copies("100"));
	EXPECT_EQ(-EFAULT, cpu_access(w->buf + GT_PAGE));
	EXPECT_EQ(-EFAULT, cpu_access(w->buf + GT_PAGE));
	EXPECT_EQ(-EFAULT, gt_cpu_touch(w->buf, true));
	EXPECT_EQ(-EIO, home_act(w));
	EXPECT_TRUE(gt_all_on(w->buf, w->len, w->dev.hnid));
	EXPECT_EQ(0, gt_dev_pattern(&w->dev, w->buf, w->len, SEED));
	ASSERT_EQ(0, sweep_copies("0"));
	EXPECT_EQ(0, cpu_access(w->buf + GT_PAGE));
	EXPECT_TRUE(cpu_pattern(w, 0, w->len, SEED));
	EXPECT_TRUE(all_right(w));
	EXPECT_TRUE(clean());
}

TEST_HARNESS_MAIN

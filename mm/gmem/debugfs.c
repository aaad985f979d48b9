// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/gmem: for people who look for a mistake. Only reads.
 *
 *	check	counts frames in use against what is recorded, see check.c
 *	lpt	every address space: its contexts, counters and runs
 */
#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>

#include "internal.h"

DEFINE_SHOW_ATTRIBUTE(gm_check);

static void gm_show_stats(struct seq_file *m, const struct gm_stats *stats)
{
	enum gm_stat item;

	for (item = 0; item < NR_GM_STATS; item++)
		if (gm_stat_read(stats, item))
			seq_printf(m, " %s=%ld", gm_stat_names[item],
				   gm_stat_read(stats, item));
	seq_putc(m, '\n');
}

static void gm_show_run(struct seq_file *m, const struct gm_lpt_run *run)
{
	const struct gm_lpt_state *state = &run->state;

	seq_printf(m, "    %012lx-%012lx", run->start << PAGE_SHIFT,
		   run->end << PAGE_SHIFT);
	if (state->res == GM_LPT_NONE)
		seq_puts(m, " none");
	else if (state->res == GM_LPT_HOST)
		seq_puts(m, " host");
	else
		seq_printf(m, " hnode%u", state->res - GM_LPT_HNODE(0) +
			   MAX_NUMNODES);
	seq_printf(m, " contexts=%#llx%s%s\n", state->mapped,
		   state->flags & GM_LPT_WRITABLE ? " writable" : "",
		   state->flags & GM_LPT_INEXACT ? " inexact" : "");
}

static void gm_show_as(struct gm_as *as, void *arg)
{
	unsigned long at = PHYS_PFN(as->start), end = PHYS_PFN(as->end);
	struct seq_file *m = arg;
	struct gm_lpt_run run;
	unsigned int i;

	seq_printf(m, "as %u %#lx-%#lx%s%s\n", as->id, as->start, as->end,
		   as->is_default ? " default" : "",
		   READ_ONCE(as->dead) ? " dead" : "");
	seq_puts(m, "  stats");
	gm_show_stats(m, &as->stats);

	down_read(&as->map_lock);
	for (i = 0; i < GM_LPT_MAX_CTX; i++)
		if (as->ctx[i])
			seq_printf(m, "  context %u device %s\n", i,
				   dev_name(as->ctx[i]->dev->parent));
	up_read(&as->map_lock);

	seq_printf(m, "  runs %lu bytes %zu\n", gm_lpt_count_runs(&as->lpt),
		   gm_lpt_metadata_bytes(&as->lpt));
	while (at < end && gm_lpt_find(&as->lpt, at, end, &run)) {
		gm_show_run(m, &run);
		at = run.end;
		cond_resched();
	}
}

static int gm_lpt_show(struct seq_file *m, void *unused)
{
	gm_as_visit_all(gm_show_as, m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(gm_lpt);

void __init gm_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("gmem", NULL);

	debugfs_create_file("check", 0400, dir, NULL, &gm_check_fops);
	debugfs_create_file("lpt", 0400, dir, NULL, &gm_lpt_fops);
}

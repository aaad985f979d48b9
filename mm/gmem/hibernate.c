// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hibernation: the image holds host memory only. What was on a device when it was made
 * would be gone when it is resumed, and nobody would notice: the page tables in it say
 * that the data is there. So there is no hibernation while a device's memory is ours.
 *
 * A driver whose machine is to hibernate takes the memory back before, in a PM notifier
 * of its own, and hands it over again afterwards; hence the priorities.
 */
#include <linux/init.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/suspend.h>

#include "internal.h"

static DEFINE_MUTEX(gm_hibernate_lock);
static unsigned int gm_memories;	/* of devices, from first to last use */
static bool gm_hibernating;

/**
 * gm_hibernate_hold() - keep the machine from hibernating
 *
 * Context: may sleep.
 * Return: 0, or -EBUSY if it is about to.
 */
int gm_hibernate_hold(void)
{
	guard(mutex)(&gm_hibernate_lock);
	if (gm_hibernating)
		return -EBUSY;
	gm_memories++;
	return 0;
}

/**
 * gm_hibernate_release() - end what gm_hibernate_hold() began
 *
 * Context: may sleep.
 */
void gm_hibernate_release(void)
{
	guard(mutex)(&gm_hibernate_lock);
	gm_memories--;
}

/**
 * gm_hibernate_begin() - the machine is about to hibernate
 *
 * Context: may sleep.
 * Return: 0, then no memory is taken until gm_hibernate_end(); or -EBUSY.
 */
int gm_hibernate_begin(void)
{
	guard(mutex)(&gm_hibernate_lock);
	if (gm_memories)
		return -EBUSY;
	gm_hibernating = true;
	return 0;
}

/**
 * gm_hibernate_end() - the machine is back, or did not hibernate after all
 *
 * Context: may sleep.
 */
void gm_hibernate_end(void)
{
	guard(mutex)(&gm_hibernate_lock);
	gm_hibernating = false;
}

static int gm_hibernate_prepare(struct notifier_block *nb, unsigned long event,
				void *unused)
{
	if (event != PM_HIBERNATION_PREPARE)
		return NOTIFY_DONE;
	return notifier_from_errno(gm_hibernate_begin());
}

static int gm_hibernate_post(struct notifier_block *nb, unsigned long event,
			     void *unused)
{
	if (event == PM_POST_HIBERNATION)
		gm_hibernate_end();
	return NOTIFY_DONE;
}

/* Behind all drivers, which may yet take their memory back. */
static struct notifier_block gm_hibernate_last = {
	.notifier_call = gm_hibernate_prepare,
	.priority = INT_MIN,
};

/* Before all drivers, which may hand it over again. */
static struct notifier_block gm_hibernate_first = {
	.notifier_call = gm_hibernate_post,
	.priority = INT_MAX,
};

int __init gm_hibernate_init(void)
{
	int ret;

	ret = register_pm_notifier(&gm_hibernate_first);
	if (ret)
		return ret;
	return register_pm_notifier(&gm_hibernate_last);
}

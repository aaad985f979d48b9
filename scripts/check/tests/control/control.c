// SPDX-License-Identifier: GPL-2.0
/*
 * The positive control of the checks: each of them must find what is wrong
 * here, or it has not run.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

int gmem_control(int __user *user, void *memory);

/* sparse: user space is read as if it were the kernel's. */
int gmem_control(int __user *user, void *memory)
{
	int unused;

	/* The compiler, with W=1: set and not used. */
	unused = *user;
	/* Coccinelle: kfree() takes NULL. */
	if (memory)
		kfree(memory);
	return 0;
}

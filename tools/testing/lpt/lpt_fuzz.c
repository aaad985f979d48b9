// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: the input is a sequence of operations, done to a logical
 * page table and to the naive model, which must agree after each of them.
 */
#include <stdio.h>
#include <stdlib.h>

#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/rcupdate.h>

#include "lpt.h"
#include "lpt_model.h"
#include "shim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *err)
{
	if (!err)
		return;
	fprintf(stderr, "%s\n", err);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lpt_model model;
	static bool initialised;
	struct gm_lpt lpt;

	if (!initialised)
		shim_init();
	initialised = true;

	gm_lpt_init(&lpt);
	lpt_model_init(&model, &lpt, 0, 0);
	model.data = data;
	model.size = size;
	model.may_fail = lpt_model_below(&model, 2);
	while (model.size) {
		u32 how = lpt_model_u32(&model);

		if (model.may_fail && how & 1)
			shim_allocs_left = how >> 4;
		check(lpt_model_step(&model, how & 2 ? GFP_KERNEL :
						       GFP_NOWAIT));
		shim_allocs_left = -1;
		check(lpt_model_check(&model));
		if (how & 4)
			rcu_test_quiesce();
	}
	gm_lpt_destroy(&lpt);
	rcu_test_quiesce();
	check(shim_bytes ? "memory leaked" : NULL);
	return 0;
}

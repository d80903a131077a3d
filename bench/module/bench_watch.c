// SPDX-License-Identifier: GPL-2.0
/*
 * What "gaps" and "wakes" have in common: for some time, the task that asks is one that the scheduler
 * treats in its own way, and watches what the others do.
 */

#include <linux/kstrtox.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <uapi/linux/sched/types.h>

#include "nfo_bench.h"

#define BENCH_WATCH_MAX	(10 * 60 * 1000)	/* ms */

static int bench_watch_as(const struct bench_watch *watch, void *found, u64 duration, u32 ns)
{
	struct sched_attr during = {
		.size		= sizeof(during),
		.sched_policy	= watch->policy,
		.sched_priority	= watch->priority,
	};
	struct sched_attr before = {
		.size		= sizeof(before),
		.sched_policy	= current->policy,
		.sched_nice	= task_nice(current),
		.sched_priority	= current->rt_priority,
	};
	int err;

	err = sched_setattr_nocheck(current, &during);
	if (err)
		return err;
	err = watch->look(found, duration, ns);
	sched_setattr_nocheck(current, &before);
	return err;
}

/* NAME MILLISECONDS [NS] */
int bench_watch_run(const struct bench_watch *watch, int argc, char **argv)
{
	unsigned int ms, ns = watch->ns;
	void *found;
	int err;

	err = kstrtouint(argv[1], 0, &ms);
	if (!err && argc > 2)
		err = kstrtouint(argv[2], 0, &ns);
	if (err)
		return err;
	if (ms > BENCH_WATCH_MAX)
		return -EINVAL;

	found = kzalloc(watch->size, GFP_KERNEL);
	if (!found)
		return -ENOMEM;
	err = bench_watch_as(watch, found, (u64)ms * NSEC_PER_MSEC, ns);
	if (!err)
		watch->tell(found);
	kfree(found);
	return err;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * gaps: what is taken from everyone else. A task to which everything else is preferred looks at the
 * clock again and again; whenever it was away, something else has run.
 */

#include <linux/kstrtox.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <uapi/linux/sched/types.h>

#include "nfo_bench.h"

#define BENCH_GAP_NS	2000
#define BENCH_GAPS_MAX	(10 * 60 * 1000)	/* ms */

struct bench_gaps {
	u64 looks;		/* at the clock */
	u64 number;
	u64 sum;
	u64 longest;
	u64 shortest;		/* between two looks: what the clock can tell apart */
	struct bench_hist hist;
};

static int bench_gaps_look(struct bench_gaps *gaps, u64 duration, u64 least)
{
	u64 last = ktime_get_ns(), end = last + duration;

	gaps->shortest = U64_MAX;
	do {
		u64 now, took;

		/* To an idle task others are preferred at once, so there is no need to yield. */
		cond_resched();
		now = ktime_get_ns();
		took = now - last;
		last = now;
		gaps->looks++;
		gaps->shortest = min(gaps->shortest, took);
		if (took <= least)
			continue;
		gaps->number++;
		gaps->sum += took;
		gaps->longest = max(gaps->longest, took);
		bench_hist_add(&gaps->hist, took);
		if (fatal_signal_pending(current))
			return -EINTR;
	} while (last < end);
	return 0;
}

static int bench_gaps_policy(struct sched_attr *attr)
{
	attr->size = sizeof(*attr);
	return sched_setattr_nocheck(current, attr);
}

/* gaps MILLISECONDS [NS]: gaps of more than NS are counted */
int bench_do_gaps(int argc, char **argv)
{
	struct sched_attr idle = { .sched_policy = SCHED_IDLE };
	struct sched_attr before = {
		.sched_policy	= current->policy,
		.sched_nice	= task_nice(current),
		.sched_priority	= current->rt_priority,
	};
	unsigned int ms, least = BENCH_GAP_NS;
	struct bench_gaps *gaps;
	int err;

	err = kstrtouint(argv[1], 0, &ms);
	if (!err && argc > 2)
		err = kstrtouint(argv[2], 0, &least);
	if (err)
		return err;
	if (ms > BENCH_GAPS_MAX)
		return -EINVAL;

	gaps = kzalloc_obj(*gaps);
	if (!gaps)
		return -ENOMEM;
	err = bench_gaps_policy(&idle);
	if (!err) {
		err = bench_gaps_look(gaps, (u64)ms * NSEC_PER_MSEC, least);
		bench_gaps_policy(&before);
	}
	if (!err) {
		bench_result_add("looks", gaps->looks);
		bench_result_add("shortest_ns", gaps->shortest);
		bench_result_add("gaps", gaps->number);
		bench_result_add("ns", gaps->sum);
		bench_result_add("longest_ns", gaps->longest);
		bench_result_add_hist(&gaps->hist);
	}
	kfree(gaps);
	return err;
}

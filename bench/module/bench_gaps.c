// SPDX-License-Identifier: GPL-2.0
/*
 * gaps: what is taken from everyone else. A task to which everything else is preferred looks at the
 * clock again and again; whenever it was away, something else has run.
 */

#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "nfo_bench.h"

struct bench_gaps {
	u64 looks;		/* at the clock */
	u64 number;
	u64 sum;
	u64 longest;
	u64 shortest;		/* between two looks: what the clock can tell apart */
	struct bench_hist hist;
};

static int bench_gaps_look(void *found, u64 duration, u32 least)
{
	u64 last = ktime_get_ns(), end = last + duration;
	struct bench_gaps *gaps = found;

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

static void bench_gaps_tell(const void *found)
{
	const struct bench_gaps *gaps = found;

	bench_result_add("looks", gaps->looks);
	bench_result_add("shortest_ns", gaps->shortest);
	bench_result_add("gaps", gaps->number);
	bench_result_add("ns", gaps->sum);
	bench_result_add("longest_ns", gaps->longest);
	bench_result_add_hist(&gaps->hist);
}

/* gaps MILLISECONDS [NS]: gaps of more than NS are counted */
int bench_do_gaps(int argc, char **argv)
{
	static const struct bench_watch watch = {
		.policy	= SCHED_IDLE,
		.ns	= 2000,
		.size	= sizeof(struct bench_gaps),
		.look	= bench_gaps_look,
		.tell	= bench_gaps_tell,
	};

	return bench_watch_run(&watch, argc, argv);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * wakes: how long the CPU is not to be had. A task that is more urgent than every other sleeps for a
 * moment again and again; when it wakes up late, what ran until then had not let go of the CPU: an
 * uninterrupted section, of which at least that much was left.
 */

#include <linux/hrtimer.h>
#include <linux/kstrtox.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <uapi/linux/sched/types.h>

#include "nfo_bench.h"

#define BENCH_WAKES_NS	20000
#define BENCH_WAKES_MAX	(10 * 60 * 1000)	/* ms */

struct bench_wakes {
	u64 number;
	u64 longest;
	u64 sum;
	struct bench_hist hist;
};

static int bench_wakes_sleep(struct bench_wakes *wakes, u64 duration, u64 period)
{
	ktime_t end = ktime_add_ns(ktime_get(), duration), wanted;
	u64 late;

	do {
		/* From now on: who has waited for long does not make up for it. */
		wanted = ktime_add_ns(ktime_get(), period);
		set_current_state(TASK_KILLABLE);
		schedule_hrtimeout(&wanted, HRTIMER_MODE_ABS);
		if (fatal_signal_pending(current))
			return -EINTR;
		late = max_t(s64, ktime_to_ns(ktime_sub(ktime_get(), wanted)), 0);
		wakes->number++;
		wakes->sum += late;
		wakes->longest = max(wakes->longest, late);
		bench_hist_add(&wakes->hist, late);
	} while (ktime_before(ktime_get(), end));
	return 0;
}

/* wakes MILLISECONDS [NS] */
int bench_do_wakes(int argc, char **argv)
{
	struct sched_attr urgent = {
		.size		= sizeof(urgent),
		.sched_policy	= SCHED_FIFO,
		.sched_priority	= MAX_RT_PRIO - 2,
	};
	struct sched_attr before = {
		.size		= sizeof(before),
		.sched_policy	= current->policy,
		.sched_nice	= task_nice(current),
		.sched_priority	= current->rt_priority,
	};
	unsigned int ms, period = BENCH_WAKES_NS;
	struct bench_wakes *wakes;
	int err;

	err = kstrtouint(argv[1], 0, &ms);
	if (!err && argc > 2)
		err = kstrtouint(argv[2], 0, &period);
	if (err)
		return err;
	if (ms > BENCH_WAKES_MAX)
		return -EINVAL;

	wakes = kzalloc_obj(*wakes);
	if (!wakes)
		return -ENOMEM;
	err = sched_setattr_nocheck(current, &urgent);
	if (!err) {
		err = bench_wakes_sleep(wakes, (u64)ms * NSEC_PER_MSEC, period);
		sched_setattr_nocheck(current, &before);
	}
	if (!err) {
		bench_result_add("wakes", wakes->number);
		bench_result_add("ns", wakes->sum);
		bench_result_add("longest_ns", wakes->longest);
		bench_result_add_hist(&wakes->hist);
	}
	kfree(wakes);
	return err;
}

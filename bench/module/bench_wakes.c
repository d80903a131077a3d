// SPDX-License-Identifier: GPL-2.0
/*
 * wakes: how long the CPU is not to be had. A task that is more urgent than every other sleeps for a
 * moment again and again; when it wakes up late, what ran until then had not let go of the CPU: an
 * uninterrupted section, of which at least that much was left.
 */

#include <linux/hrtimer.h>
#include <linux/sched.h>
#include <linux/sched/prio.h>
#include <linux/sched/signal.h>

#include "nfo_bench.h"

struct bench_wakes {
	u64 number;
	u64 longest;
	u64 sum;
	struct bench_hist hist;
};

static int bench_wakes_sleep(void *found, u64 duration, u32 period)
{
	ktime_t end = ktime_add_ns(ktime_get(), duration), wanted;
	struct bench_wakes *wakes = found;
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

static void bench_wakes_tell(const void *found)
{
	const struct bench_wakes *wakes = found;

	bench_result_add("wakes", wakes->number);
	bench_result_add("ns", wakes->sum);
	bench_result_add("longest_ns", wakes->longest);
	bench_result_add_hist(&wakes->hist);
}

/* wakes MILLISECONDS [NS]: asleep for NS at a time */
int bench_do_wakes(int argc, char **argv)
{
	static const struct bench_watch watch = {
		.policy		= SCHED_FIFO,
		.priority	= MAX_RT_PRIO - 2,
		.ns		= 20000,
		.size		= sizeof(struct bench_wakes),
		.look		= bench_wakes_sleep,
		.tell		= bench_wakes_tell,
	};

	return bench_watch_run(&watch, argc, argv);
}

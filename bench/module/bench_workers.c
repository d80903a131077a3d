// SPDX-License-Identifier: GPL-2.0
/*
 * workers: the CPU time that the kernel's workers have had until now. What is done in the background
 * is done by them, so the difference of two is what it took, whatever else went on meanwhile.
 */

#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "nfo_bench.h"

/* workers */
int bench_do_workers(int argc, char **argv)
{
	struct task_struct *task;
	u64 ns = 0, number = 0;

	rcu_read_lock();
	for_each_process(task) {
		if (!(task->flags & PF_WQ_WORKER))
			continue;
		ns += READ_ONCE(task->se.sum_exec_runtime);
		number++;
	}
	rcu_read_unlock();
	bench_result_add("workers", number);
	bench_result_add("ns", ns);
	return 0;
}

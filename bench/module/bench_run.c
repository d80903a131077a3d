// SPDX-License-Identifier: GPL-2.0
/*
 * The commands that measure packets: run, and run2 on two CPUs at once.
 */

#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/kstrtox.h>
#include <linux/kthread.h>
#include <linux/moduleparam.h>
#include <linux/nsproxy.h>
#include <linux/slab.h>

#include "nfo_bench.h"

bool bench_markers;
module_param_named(markers, bench_markers, bool, 0644);
MODULE_PARM_DESC(markers, "mark the beginning and the end of each hook for an emulator");

static const char *const bench_modes[] = {
	[BENCH_BUILD]		= "build",
	[BENCH_HOOK]		= "hook",
	[BENCH_XMIT]		= "xmit",
	[BENCH_DIGEST]		= "digest",
	[BENCH_RECEIVE]		= "receive",
	[BENCH_ALLOC]		= "alloc",
	[BENCH_WRITE]		= "write",
	[BENCH_FEED]		= "feed",
	[BENCH_FEED_DIGEST]	= "feed-digest",
	[BENCH_FEED_NOTHING]	= "feed-nothing",
};

/* What a loop is about: MODE ID[,ID...] COUNT. The shots are to be freed. */
static struct bench_shot *bench_run_parse(char **argv, struct bench_loop *loop, u64 *count)
{
	u8 ids[BENCH_TEMPLATES];
	struct bench_shot *shots;
	int mode, num, err;

	mode = match_string(bench_modes, ARRAY_SIZE(bench_modes), argv[1]);
	if (mode < 0)
		return ERR_PTR(-EINVAL);
	num = bench_template_ids(argv[2], ids);
	if (num < 0)
		return ERR_PTR(num);
	err = kstrtou64(argv[3], 0, count);
	if (err)
		return ERR_PTR(err);

	shots = bench_shots_alloc(current->nsproxy->net_ns, ids, num, !bench_mode_is_raw(mode));
	if (IS_ERR(shots))
		return shots;
	loop->shots = shots;
	loop->num_shots = num;
	loop->order = bench_order(&loop->order_len);
	loop->mode = mode;
	loop->marked = bench_markers;
	return shots;
}

/* For "xmit", each loop needs shots to begin with. They are the same for two loops. */
static int bench_run_learn(struct bench_loop *loop, struct bench_shot *shots)
{
	if (loop->mode != BENCH_XMIT)
		return 0;
	return bench_learn(current->nsproxy->net_ns, loop, shots);
}

static void bench_run_result(const struct bench_loop *loop)
{
	bench_result_add("packets", loop->packets);
	bench_result_add_clock(&loop->took);
	bench_result_add("sent", loop->sent);
	bench_result_add("stolen", loop->stolen);
	bench_result_add("accepted", loop->accepted);
	bench_result_add("dropped", loop->dropped);
	bench_result_add("lost", loop->lost);
	bench_result_add("replaced", loop->replaced);
}

/* run MODE ID[,ID...] COUNT [START] */
int bench_do_run(int argc, char **argv)
{
	struct bench_shot *shots;
	struct bench_loop *loop;
	u32 start = 0;
	u64 count;
	int err;

	loop = kzalloc_obj(*loop);
	if (!loop)
		return -ENOMEM;
	shots = bench_run_parse(argv, loop, &count);
	if (IS_ERR(shots)) {
		err = PTR_ERR(shots);
		goto free;
	}
	err = argc > 4 ? kstrtou32(argv[4], 0, &start) : 0;
	if (!err)
		err = bench_loop_start(loop, start);
	if (!err)
		err = bench_run_learn(loop, shots);
	if (!err)
		err = bench_loop_run(loop, count);
	if (!err) {
		bench_run_result(loop);
		if (loop->digests)
			bench_result_add_hex("digest", loop->digest);
	}
	bench_loop_end(loop);
	bench_shots_free(shots, loop->num_shots);
free:
	kfree(loop);
	return err;
}

/*
 * Two at once.
 */

struct bench_pair;

struct bench_thread {
	struct bench_loop loop;
	struct bench_pair *pair;
	struct task_struct *task;
	struct completion done;
} ____cacheline_aligned_in_smp;

struct bench_pair {
	struct bench_thread threads[BENCH_CPUS];
	u64 count;
	atomic_t missing;		/* that have not come to the starting line */
};

static int bench_thread(void *data)
{
	struct bench_thread *thread = data;
	struct bench_pair *pair = thread->pair;

	atomic_dec(&pair->missing);
	while (atomic_read(&pair->missing))
		cond_resched();
	bench_loop_run(&thread->loop, pair->count);
	complete(&thread->done);
	return 0;
}

static int bench_pair_start(struct bench_pair *pair)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < BENCH_CPUS && !err; i++) {
		struct bench_thread *thread = &pair->threads[i];
		struct task_struct *task;

		task = kthread_create(bench_thread, thread, "nfo_bench/%u", i);
		if (IS_ERR(task)) {
			err = PTR_ERR(task);
			break;
		}
		kthread_bind(task, i);
		thread->task = get_task_struct(task);
	}
	/* Those that never ran end without a word. */
	for (i = 0; i < BENCH_CPUS && err; i++) {
		if (pair->threads[i].task)
			kthread_stop_put(pair->threads[i].task);
	}
	if (err)
		return err;

	atomic_set(&pair->missing, BENCH_CPUS);
	for (i = 0; i < BENCH_CPUS; i++)
		wake_up_process(pair->threads[i].task);
	return 0;
}

static int bench_pair_wait(struct bench_pair *pair)
{
	unsigned int i, j;
	int err = 0;

	for (i = 0; i < BENCH_CPUS; i++) {
		struct bench_thread *thread = &pair->threads[i];

		if (wait_for_completion_killable(&thread->done)) {
			for (j = 0; j < BENCH_CPUS; j++)
				WRITE_ONCE(pair->threads[j].loop.stop, true);
			wait_for_completion(&thread->done);
		}
		/* Until it has left the module's code. */
		kthread_stop_put(thread->task);
		err = err ?: thread->loop.err;
	}
	return err;
}

static void bench_pair_result(const struct bench_pair *pair)
{
	struct bench_loop sum = {};
	unsigned int i;
	char key[16];

	for (i = 0; i < BENCH_CPUS; i++) {
		const struct bench_loop *loop = &pair->threads[i].loop;

		if (loop->took.ns > sum.took.ns)
			sum.took = loop->took;
		sum.packets += loop->packets;
		sum.sent += loop->sent;
		sum.stolen += loop->stolen;
		sum.accepted += loop->accepted;
		sum.dropped += loop->dropped;
		sum.lost += loop->lost;
		sum.replaced += loop->replaced;
	}
	bench_run_result(&sum);
	for (i = 0; i < BENCH_CPUS; i++) {
		const struct bench_loop *loop = &pair->threads[i].loop;

		snprintf(key, sizeof(key), "ns_%u", i);
		bench_result_add(key, loop->took.ns);
		snprintf(key, sizeof(key), "digest_%u", i);
		if (loop->digests)
			bench_result_add_hex(key, loop->digest);
	}
}

/* run2 MODE ID[,ID...] COUNT START1 START2 */
int bench_do_run2(int argc, char **argv)
{
	struct bench_shot *shots;
	struct bench_pair *pair;
	u32 start[BENCH_CPUS];
	unsigned int i;
	int err = 0;

	for (i = 0; i < BENCH_CPUS && !err; i++) {
		if (i >= nr_cpu_ids || !cpu_online(i))
			err = -ENODEV;
		else
			err = kstrtou32(argv[4 + i], 0, &start[i]);
	}
	if (err)
		return err;

	pair = kvzalloc_obj(*pair);
	if (!pair)
		return -ENOMEM;
	shots = bench_run_parse(argv, &pair->threads[0].loop, &pair->count);
	if (IS_ERR(shots)) {
		err = PTR_ERR(shots);
		goto free;
	}
	for (i = 0; i < BENCH_CPUS; i++) {
		pair->threads[i].loop = pair->threads[0].loop;
		pair->threads[i].pair = pair;
		init_completion(&pair->threads[i].done);
	}
	for (i = 0; i < BENCH_CPUS && !err; i++)
		err = bench_loop_start(&pair->threads[i].loop, start[i]);
	if (!err)
		err = bench_run_learn(&pair->threads[0].loop, shots);
	if (!err)
		err = bench_pair_start(pair);
	if (!err)
		err = bench_pair_wait(pair);
	if (!err)
		bench_pair_result(pair);
	for (i = 0; i < BENCH_CPUS; i++)
		bench_loop_end(&pair->threads[i].loop);
	bench_shots_free(shots, pair->threads[0].loop.num_shots);
free:
	kvfree(pair);
	return err;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * make: connections and flows, by what makes them in life: packets that come in and take the
 * classic path.
 */

#include <linux/kstrtox.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "nfo_bench.h"

struct bench_making {
	struct bench_loop loop;		/* says that what is sent here is ours */
	u64 longest;
	/* Of each flow's last packet, the one that is looked at: */
	struct bench_clock last;
	u64 last_longest;
	struct bench_hist hist;
};

static int bench_make_packet(struct bench_making *making, const struct bench_shot *shot, u32 n,
			     bool last)
{
	struct bench_clock began, *took = last ? &making->last : &making->loop.took;
	struct sk_buff *skb;
	u64 ns;

	skb = bench_shot_packet(shot, n);
	if (!skb)
		return -ENOMEM;

	local_bh_disable();
	this_cpu_write(bench_current, &making->loop);
	bench_clock_start(&began);
	if (last && making->loop.marked)
		bench_mark_begin();
	netif_receive_skb(skb);
	if (last && making->loop.marked)
		bench_mark_end();
	ns = bench_clock_stop(&began, took);
	this_cpu_write(bench_current, NULL);
	local_bh_enable();

	making->loop.packets++;
	making->longest = max(making->longest, ns);
	if (last) {
		making->last_longest = max(making->last_longest, ns);
		bench_hist_add(&making->hist, ns);
	}
	return 0;
}

static int bench_make_flows(struct bench_making *making, u32 from, u32 to)
{
	const struct bench_loop *loop = &making->loop;
	unsigned int i;
	int err = 0;
	u32 n;

	for (n = from; n < to && !err; n++) {
		for (i = 0; i < loop->num_shots && !err; i++)
			err = bench_make_packet(making, &loop->shots[i], n,
						i == loop->num_shots - 1);
		if (fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	return err;
}

/* make FROM TO ID[,ID...] */
int bench_do_make(int argc, char **argv)
{
	u8 ids[BENCH_TEMPLATES];
	struct bench_making *making;
	struct bench_shot *shots;
	u32 from, to;
	int num, err;

	err = kstrtou32(argv[1], 0, &from) ?: kstrtou32(argv[2], 0, &to);
	if (err)
		return err;
	num = bench_template_ids(argv[3], ids);
	if (num < 0)
		return num;

	making = kzalloc_obj(*making);
	if (!making)
		return -ENOMEM;
	shots = bench_shots_alloc(current->nsproxy->net_ns, ids, num, false);
	if (IS_ERR(shots)) {
		kfree(making);
		return PTR_ERR(shots);
	}
	making->loop.shots = shots;
	making->loop.num_shots = num;
	making->loop.mode = BENCH_MAKE;
	making->loop.marked = bench_markers;
	err = bench_make_flows(making, from, to);
	if (!err) {
		making->loop.took.ns += making->last.ns;
		making->loop.took.tsc += making->last.tsc;
		bench_result_add("packets", making->loop.packets);
		bench_result_add_clock(&making->loop.took);
		bench_result_add("last_ns", making->last.ns);
		bench_result_add("last_tsc", making->last.tsc);
		bench_result_add("last_longest_ns", making->last_longest);
		bench_result_add("sent", making->loop.sent);
		bench_result_add("longest_ns", making->longest);
		bench_result_add_hist(&making->hist);
	}
	bench_shots_free(shots, num);
	kfree(making);
	return err;
}

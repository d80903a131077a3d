// SPDX-License-Identifier: GPL-2.0
/*
 * Packets of their own, by the dozen as a driver's poll makes them, where the one packet of
 * bench_loop.c does not do: whoever has one in the end frees it, and it may leave after the hook or
 * netif_receive_skb() has returned. The time is over when softirqs have run, and all have left.
 */

#include <linux/moduleparam.h>
#include <linux/netdevice.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "nfo_bench.h"

unsigned int bench_dozen_size = BENCH_BATCH;
module_param_named(dozen, bench_dozen_size, uint, 0644);
MODULE_PARM_DESC(dozen, "packets that are fed to hooks before softirqs run, 64 at most");

/* How often softirqs that were put off are let run again, before a packet is given up. */
#define BENCH_SETTLES	16

/* Packets that are made and freed at once, or received. */
static __always_inline void bench_dozen_pass(struct bench_loop *loop, unsigned int num,
					     const bool receive)
{
	const struct bench_shot *shot;
	struct sk_buff *skb;
	unsigned int turn;
	u32 n;

	while (num--) {
		shot = bench_loop_next(loop, &turn, &n);
		skb = bench_shot_packet(shot, n);
		if (unlikely(!skb)) {
			loop->err = -ENOMEM;
			return;
		}
		if (receive)
			netif_receive_skb(skb);
		else
			dev_consume_skb_any(skb);
		loop->packets++;
	}
}

/* Only the bytes of packets, as a NIC writes them: into the one that there is. */
static __always_inline void bench_dozen_write(struct bench_loop *loop, unsigned int num, u8 *to)
{
	const struct bench_shot *shot;
	unsigned int turn;
	u32 n;

	while (num--) {
		shot = bench_loop_next(loop, &turn, &n);
		bench_frame_write(to, &shot->frame, n);
		/* Somebody might read them. */
		barrier_data(to);
		loop->packets++;
	}
}

/*
 * Feeding: packets are made before the time begins, and freed after it has ended.
 */

struct bench_dozen {
	struct sk_buff *skbs[BENCH_BATCH];
	unsigned int num;
	unsigned int turn;		/* of the first */
	u8 *bytes;			/* of a packet that is only written */
};

/* What no hook has got. */
static void bench_dozen_drop(struct bench_dozen *dozen)
{
	while (dozen->num)
		consume_skb(dozen->skbs[--dozen->num]);
}

static void bench_dozen_make(struct bench_loop *loop, struct bench_dozen *dozen, unsigned int num)
{
	const struct bench_shot *shot;
	struct sk_buff *skb;
	unsigned int turn;
	u32 n;

	dozen->turn = loop->turn;
	while (dozen->num < num) {
		shot = bench_loop_next(loop, &turn, &n);
		skb = bench_shot_packet(shot, n);
		if (skb)
			skb = bench_packet_arrive(skb);
		if (!skb) {
			loop->err = -ENOMEM;
			bench_dozen_drop(dozen);
			return;
		}
		dozen->skbs[dozen->num++] = skb;
	}
}

/* As nf_hook_ingress() does it, but what hooks leave alone goes nowhere. */
static __always_inline void bench_dozen_feed(struct bench_loop *loop,
					     const struct bench_dozen *dozen, const bool hooked)
{
	unsigned int i, turn = dozen->turn;

	for (i = 0; i < dozen->num; i++) {
		const struct nf_hook_entry *hook = &loop->hooks[turn];
		const struct bench_shot *shot = &loop->shots[turn];
		struct sk_buff *skb = dozen->skbs[i];
		unsigned int verdict = NF_ACCEPT;

		if (hooked)
			verdict = hook->hook(hook->priv, skb, &shot->state);
		if (++turn == loop->num_shots)
			turn = 0;
		loop->packets++;
		if (likely(verdict == NF_STOLEN)) {
			loop->stolen++;
			continue;
		}
		if (verdict == NF_ACCEPT)
			loop->accepted++;
		else
			loop->dropped++;
		__skb_queue_tail(&loop->back, skb);
	}
}

static void bench_dozen_mode(struct bench_loop *loop, const struct bench_dozen *dozen,
			     unsigned int num)
{
	switch (loop->mode) {
	case BENCH_RECEIVE:
		return bench_dozen_pass(loop, num, true);
	case BENCH_ALLOC:
		return bench_dozen_pass(loop, num, false);
	case BENCH_WRITE:
		return bench_dozen_write(loop, num, dozen->bytes);
	case BENCH_FEED:
	case BENCH_FEED_DIGEST:
		return bench_dozen_feed(loop, dozen, true);
	case BENCH_FEED_NOTHING:
		return bench_dozen_feed(loop, dozen, false);
	default:
		loop->err = -EINVAL;
	}
}

/* Whether a packet is still somewhere. Some that were received may never leave. */
static bool bench_dozen_waits(const struct bench_loop *loop, const struct bench_dozen *dozen)
{
	if (loop->collects)
		return skb_queue_len_lockless(&loop->back) < dozen->num;
	return loop->mode == BENCH_RECEIVE && READ_ONCE(loop->sent) < loop->packets;
}

static void bench_dozen_run(struct bench_loop *loop, struct bench_dozen *dozen, unsigned int num)
{
	unsigned int i;

	local_bh_disable();
	rcu_read_lock();
	if (bench_mode_has_hook(loop->mode) && !bench_loop_find_hooks(loop)) {
		loop->err = -ENOENT;
		bench_dozen_drop(dozen);
	} else {
		bench_dozen_mode(loop, dozen, num);
	}
	rcu_read_unlock();
	local_bh_enable();

	/* When it is somebody else's turn, softirqs are left to a thread. */
	for (i = 0; i < BENCH_SETTLES && unlikely(bench_dozen_waits(loop, dozen)); i++) {
		local_bh_disable();
		local_bh_enable();
	}
}

/* What is still somewhere then is freed when it leaves. */
static void bench_dozen_free(struct bench_loop *loop, const struct bench_dozen *dozen)
{
	local_bh_disable();
	loop->lost += dozen->num - skb_queue_len(&loop->back);
	__skb_queue_purge(&loop->back);
	local_bh_enable();
}

/* All of it on one CPU, on which nobody but the task's own softirqs sends by the devices. */
void bench_dozen(struct bench_loop *loop, unsigned int num)
{
	struct bench_dozen dozen = {};
	struct bench_clock began;

	if (loop->mode == BENCH_WRITE) {
		dozen.bytes = kmalloc(BENCH_FRAME_MAX, GFP_KERNEL);
		if (!dozen.bytes)
			loop->err = -ENOMEM;
	}
	if (loop->collects)
		bench_dozen_make(loop, &dozen, num);
	if (loop->err)
		return;

	migrate_disable();
	this_cpu_write(bench_current, loop);
	bench_clock_start(&began);
	bench_dozen_run(loop, &dozen, num);
	bench_clock_stop(&began, &loop->took);
	this_cpu_write(bench_current, NULL);
	migrate_enable();
	if (loop->collects)
		bench_dozen_free(loop, &dozen);
	kfree(dozen.bytes);
}

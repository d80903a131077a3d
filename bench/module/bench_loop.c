// SPDX-License-Identifier: GPL-2.0
/*
 * The loop that measures, by one packet again and again. It must cost little, and the same whoever
 * is measured: what differs from mode to mode is decided when it is compiled.
 */

#include <linux/netdevice.h>
#include <linux/netfilter_netdev.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <net/dst.h>

#include "nfo_bench.h"

/*
 * The one packet.
 */

static void bench_loop_alloc(struct bench_loop *loop)
{
	loop->skb = bench_skb_alloc();
	if (loop->skb)
		loop->head = loop->skb->head;
	else
		loop->err = -ENOMEM;
}

/*
 * Somebody holds its bytes, or has given it other ones: those would be as good as any, but a buffer
 * that is too short would grow with each packet.
 */
static noinline bool bench_loop_replace(struct bench_loop *loop)
{
	loop->replaced++;
	consume_skb(loop->skb);
	bench_loop_alloc(loop);
	return loop->skb;
}

/*
 * Makes the packet of flow n, as if it had just come in. The fields that hold something are let go,
 * and then all are as they were when the shot was made.
 */
static __always_inline bool bench_loop_build(struct bench_loop *loop, const struct bench_shot *shot,
					     u32 n)
{
	struct sk_buff *skb = loop->skb;

	if (unlikely(skb->head != loop->head || skb_cloned(skb) || skb_shared(skb))) {
		if (!bench_loop_replace(loop))
			return false;
		skb = loop->skb;
	}
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	skb_ext_reset(skb);
	skb_orphan(skb);

	memcpy(skb, &shot->image, offsetof(struct sk_buff, tail));
	skb->data = skb->head + shot->data;
	skb_set_tail_pointer(skb, skb->len);
	bench_frame_write(skb->head + shot->at, &shot->frame, n);
	return true;
}

/* Not what a hook usually does: it did not send the packet, or another one. */
static noinline void bench_loop_unusual(struct bench_loop *loop, unsigned int verdict)
{
	struct sk_buff *skb = loop->skb, *kept = loop->kept;

	switch (verdict & NF_VERDICT_MASK) {
	case NF_STOLEN:
		loop->stolen++;
		if (kept == skb)
			return;
		if (kept)
			loop->replaced++;
		else
			loop->lost++;
		consume_skb(kept);
		bench_loop_alloc(loop);
		return;
	case NF_ACCEPT:
		loop->accepted++;
		break;
	case NF_DROP:
		/* Netfilter would free it now. */
		loop->dropped++;
		break;
	default:
		loop->err = -EPROTO;
		break;
	}
	if (kept != skb)
		consume_skb(kept);
}

/*
 * The modes.
 */

static __always_inline void bench_loop_hook(struct bench_loop *loop, const struct bench_shot *shot,
					    unsigned int turn, bool digests, bool marked)
{
	/* Found before the packet begins. */
	nf_hookfn *hook = loop->hooks[turn].hook;
	void *priv = loop->hooks[turn].priv;
	struct sk_buff *skb = loop->skb;
	unsigned int verdict;

	loop->kept = NULL;
	if (marked)
		bench_mark_begin();
	verdict = hook(priv, skb, &shot->state);
	if (marked)
		bench_mark_end();
	if (likely(verdict == NF_STOLEN && loop->kept == skb))
		loop->stolen++;
	else
		bench_loop_unusual(loop, verdict);
	if (digests)
		bench_digest_verdict(loop, verdict);
}

static __always_inline void bench_loop_xmit(struct bench_loop *loop, const struct bench_shot *shot)
{
	struct sk_buff *skb = loop->skb;

	if (shot->dst)
		skb_dst_set_noref(skb, shot->dst);
	loop->kept = NULL;
	dev_queue_xmit(skb);
	if (likely(loop->kept == skb))
		loop->stolen++;
	else
		bench_loop_unusual(loop, NF_STOLEN);
}

static __always_inline void bench_loop_many(struct bench_loop *loop, unsigned int num,
					    const enum bench_mode mode, const bool marked)
{
	const struct bench_shot *shot;
	unsigned int turn;
	u32 n;

	while (num--) {
		shot = bench_loop_next(loop, &turn, &n);
		if (!bench_loop_build(loop, shot, n))
			return;
		if (mode == BENCH_HOOK || mode == BENCH_DIGEST)
			bench_loop_hook(loop, shot, turn, mode == BENCH_DIGEST, marked);
		if (mode == BENCH_XMIT)
			bench_loop_xmit(loop, shot);
		if (unlikely(loop->err))
			return;
		loop->packets++;
	}
}

static void bench_loop_mode(struct bench_loop *loop, unsigned int num)
{
	switch (loop->mode) {
	case BENCH_BUILD:
		return bench_loop_many(loop, num, BENCH_BUILD, false);
	case BENCH_HOOK:
		if (loop->marked)
			return bench_loop_many(loop, num, BENCH_HOOK, true);
		return bench_loop_many(loop, num, BENCH_HOOK, false);
	case BENCH_DIGEST:
		if (loop->marked)
			return bench_loop_many(loop, num, BENCH_DIGEST, true);
		return bench_loop_many(loop, num, BENCH_DIGEST, false);
	case BENCH_XMIT:
		return bench_loop_many(loop, num, BENCH_XMIT, false);
	default:
		loop->err = -EINVAL;
	}
}

/*
 * Batches.
 */

/* Hooks may go at any time, but not while RCU is held. */
bool bench_loop_find_hooks(struct bench_loop *loop)
{
	unsigned int i;

	for (i = 0; i < loop->num_shots; i++) {
		const struct nf_hook_entries *entries;

		entries = rcu_dereference(loop->shots[i].dev->nf_hooks_ingress);
		if (!entries || !entries->num_hook_entries)
			return false;
		loop->hooks[i] = entries->hooks[0];
	}
	return true;
}

static void bench_loop_batch(struct bench_loop *loop, unsigned int num)
{
	struct bench_clock began;

	local_bh_disable();
	rcu_read_lock();
	if (bench_mode_has_hook(loop->mode) && !bench_loop_find_hooks(loop)) {
		loop->err = -ENOENT;
	} else {
		this_cpu_write(bench_current, loop);
		bench_clock_start(&began);
		bench_loop_mode(loop, num);
		bench_clock_stop(&began, &loop->took);
		this_cpu_write(bench_current, NULL);
	}
	rcu_read_unlock();
	local_bh_enable();
}

/* Process context, as all here; `start` is a place in the order. */
int bench_loop_start(struct bench_loop *loop, u32 start)
{
	loop->keeps = !bench_mode_is_raw(loop->mode);
	loop->digests = loop->mode == BENCH_DIGEST || loop->mode == BENCH_FEED_DIGEST;
	loop->collects = bench_mode_feeds(loop->mode);
	__skb_queue_head_init(&loop->back);
	loop->batch = BENCH_BATCH;
	if (loop->collects)
		loop->batch = clamp(READ_ONCE(bench_dozen_size), 1U, BENCH_BATCH);
	if (!loop->order_len)
		return -ENODATA;
	loop->next = start % loop->order_len;
	if (loop->keeps)
		bench_loop_alloc(loop);
	return loop->err;
}

int bench_loop_run(struct bench_loop *loop, u64 count)
{
	while (count && !loop->err) {
		unsigned int num = min_t(u64, count, loop->batch);

		if (bench_mode_is_raw(loop->mode))
			bench_dozen(loop, num);
		else
			bench_loop_batch(loop, num);
		count -= num;
		if (fatal_signal_pending(current) || READ_ONCE(loop->stop))
			loop->err = -EINTR;
		cond_resched();
	}
	return loop->err;
}

void bench_loop_end(struct bench_loop *loop)
{
	consume_skb(loop->skb);
	loop->skb = NULL;
}

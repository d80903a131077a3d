// SPDX-License-Identifier: GPL-2.0
/*
 * What a hook hands over to a device: the packet as dev_queue_xmit() gets it, before the device's
 * features and its route are looked at. An egress hook sees exactly that. It is there while one
 * packet for each shot goes through the ingress hook, and never when something is measured.
 */

#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/dst.h>

#include "nfo_bench.h"

struct bench_learned {
	bool done;
	unsigned int at;
	unsigned int len;
	struct net_device *out;
	struct dst_entry *dst;
	struct sk_buff image;
	u8 bytes[BENCH_FRAME_MAX];
};

/* Only the first one is what the hook itself has sent: a device may stand on another. */
static unsigned int bench_learn_egress(void *priv, struct sk_buff *skb,
				       const struct nf_hook_state *state)
{
	struct bench_loop *loop = this_cpu_read(bench_current);
	struct bench_learned *learned;
	struct dst_entry *dst;

	if (!loop || !loop->learned || loop->learned->done)
		return NF_ACCEPT;
	learned = loop->learned;
	learned->done = true;

	learned->at = skb_headroom(skb);
	learned->len = skb->len;
	if (skb->len > BENCH_FRAME_MAX || learned->at + BENCH_FRAME_MAX > BENCH_ROOM ||
	    skb_is_nonlinear(skb) || skb_cloned(skb)) {
		loop->err = -EMSGSIZE;
		return NF_ACCEPT;
	}
	memcpy(learned->bytes, skb->data, skb->len);
	memcpy(&learned->image, skb, offsetof(struct sk_buff, tail));
	/* What else it holds is let go before a packet gets these fields, or is not there. */
	learned->image._skb_refdst = 0;
	learned->image._nfct = 0;
	learned->image.active_extensions = 0;
	learned->image.sk = NULL;
	learned->image.destructor = NULL;
	dst = skb_dst(skb);
	if (dst && dst_hold_safe(dst))
		learned->dst = dst;
	dev_hold(skb->dev);
	learned->out = skb->dev;
	return NF_ACCEPT;
}

/*
 * The hooks, on all devices of the namespace: any may be the one.
 */

struct bench_learn_hooks {
	unsigned int num;
	struct nf_hook_ops ops[];
};

static void bench_learn_unhook(struct net *net, struct bench_learn_hooks *hooks)
{
	unsigned int i;

	rtnl_lock();
	for (i = 0; i < hooks->num; i++) {
		nf_unregister_net_hook(net, &hooks->ops[i]);
		dev_put(hooks->ops[i].dev);
	}
	rtnl_unlock();
	/* Whoever lists hooks may still look at them. */
	synchronize_rcu();
	kvfree(hooks);
}

static struct bench_learn_hooks *bench_learn_hook(struct net *net)
{
	struct bench_learn_hooks *hooks;
	struct net_device *dev;
	unsigned int num = 0;
	int err = 0;

	rtnl_lock();
	for_each_netdev(net, dev)
		num++;
	hooks = kvzalloc_flex(*hooks, ops, num);
	if (!hooks) {
		rtnl_unlock();
		return ERR_PTR(-ENOMEM);
	}
	for_each_netdev(net, dev) {
		struct nf_hook_ops *ops = &hooks->ops[hooks->num];

		ops->hook = bench_learn_egress;
		ops->dev = dev;
		ops->pf = NFPROTO_NETDEV;
		ops->hooknum = NF_NETDEV_EGRESS;
		ops->priority = INT_MAX;
		err = nf_register_net_hook(net, ops);
		if (err)
			break;
		dev_hold(dev);
		hooks->num++;
	}
	rtnl_unlock();
	if (err) {
		bench_learn_unhook(net, hooks);
		return ERR_PTR(err);
	}
	return hooks;
}

/*
 * The fields stay where they are, although the frame may be another: "xmit" is to have the same to
 * write as "build", and nobody who sends a frame cares about the flow it is of.
 */
static void bench_learn_apply(struct bench_shot *shot, struct bench_learned *learned)
{
	shot->at = learned->at;
	shot->data = learned->at;
	shot->frame.len = learned->len;
	memcpy(shot->frame.bytes, learned->bytes, learned->len);
	shot->image = learned->image;
	shot->out = learned->out;
	shot->dst = learned->dst;
}

static int bench_learn_shot(struct bench_loop *loop, struct bench_shot *shot)
{
	struct bench_learned *learned;
	int err;

	learned = kvzalloc_obj(*learned);
	if (!learned)
		return -ENOMEM;
	loop->learned = learned;
	err = bench_loop_run(loop, 1);
	loop->learned = NULL;
	if (learned->out) {
		bench_learn_apply(shot, learned);
	} else if (!err) {
		/* A flow that is not there cannot be sent over. */
		err = -ENOENT;
	}
	kvfree(learned);
	return err;
}

/* Turns the shots of a loop into what is sent. It begins where the loop will. */
int bench_learn(struct net *net, struct bench_loop *loop, struct bench_shot *shots)
{
	struct bench_learn_hooks *hooks;
	struct bench_loop learner = {
		.shots		= shots,
		.num_shots	= loop->num_shots,
		.order		= loop->order,
		.order_len	= loop->order_len,
		.mode		= BENCH_HOOK,
	};
	unsigned int i;
	int err;

	hooks = bench_learn_hook(net);
	if (IS_ERR(hooks))
		return PTR_ERR(hooks);
	err = bench_loop_start(&learner, loop->next);
	for (i = 0; i < loop->num_shots && !err; i++)
		err = bench_learn_shot(&learner, &shots[i]);
	bench_loop_end(&learner);
	bench_learn_unhook(net, hooks);
	return err;
}

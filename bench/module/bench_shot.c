// SPDX-License-Identifier: GPL-2.0
/*
 * A template made ready for the loop: the device is found, and the packet's fields are what the
 * stack makes of them before it asks a hook, so that the loop has to copy them only.
 */

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <net/dst.h>

#include "nfo_bench.h"

struct sk_buff *bench_skb_alloc(void)
{
	return alloc_skb(BENCH_ROOM, GFP_ATOMIC | __GFP_NOWARN);
}

/* Where a byte of the frame is once its tag is out of line, from the new beginning; or an error. */
static int bench_untagged(unsigned int offset, unsigned int width)
{
	if (offset + width <= 2 * ETH_ALEN)
		return offset;
	if (offset >= 2 * ETH_ALEN + VLAN_HLEN)
		return offset - VLAN_HLEN;
	return -EINVAL;
}

static int bench_shot_untag(struct bench_frame *frame)
{
	unsigned int i, j;
	int offset;

	for (i = 0; i < frame->num_fields; i++) {
		struct bench_field *field = &frame->fields[i];

		offset = bench_untagged(field->offset, field->width);
		if (offset < 0)
			return offset;
		field->offset = offset;
		for (j = 0; j < field->num_sums; j++) {
			offset = bench_untagged(field->sums[j], sizeof(__sum16));
			if (offset < 0)
				return offset;
			field->sums[j] = offset;
		}
	}
	return 0;
}

/*
 * What __netif_receive_skb_core() does to a driver's packet before it asks a hook. NULL if the frame
 * is broken: it is freed then.
 */
struct sk_buff *bench_packet_arrive(struct sk_buff *skb)
{
	skb_reset_network_header(skb);
	skb_reset_transport_header(skb);
	skb_reset_mac_len(skb);
	skb->skb_iif = skb->dev->ifindex;
	if (eth_type_vlan(skb->protocol))
		skb = skb_vlan_untag(skb);
	return skb;
}

/* As a driver does, with room for all that may be written later. */
static struct sk_buff *bench_shot_receive(struct bench_shot *shot, struct sk_buff *skb)
{
	skb_reserve(skb, BENCH_RESERVE);
	skb_put_data(skb, shot->frame.bytes, shot->frame.len);
	skb->protocol = eth_type_trans(skb, shot->dev);
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	return bench_packet_arrive(skb);
}

static int bench_shot_fill(struct bench_shot *shot)
{
	struct sk_buff *skb = bench_skb_alloc();
	int err = 0;

	if (!skb)
		return -ENOMEM;
	skb = bench_shot_receive(shot, skb);
	if (!skb)
		return -EINVAL;

	if (skb_vlan_tag_present(skb))
		err = bench_shot_untag(&shot->frame);
	shot->at = skb_mac_header(skb) - skb->head;
	shot->data = skb->data - skb->head;
	shot->frame.len = skb_tail_pointer(skb) - skb_mac_header(skb);
	memcpy(shot->frame.bytes, skb_mac_header(skb), shot->frame.len);
	memcpy(&shot->image, skb, offsetof(struct sk_buff, tail));
	consume_skb(skb);
	return err;
}

/*
 * One for each number, even the same twice. `hooked` ones are for the one packet of a loop; others
 * are for packets of their own, and have a frame and a device only.
 */
struct bench_shot *bench_shots_alloc(struct net *net, const u8 *ids, unsigned int num, bool hooked)
{
	struct bench_shot *shots;
	unsigned int i;
	int err = 0;

	shots = kvcalloc(num, sizeof(*shots), GFP_KERNEL);
	if (!shots)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < num && !err; i++) {
		const struct bench_template *template = bench_template(ids[i]);

		shots[i].frame = template->frame;
		shots[i].dev = dev_get_by_name(net, template->dev);
		if (!shots[i].dev)
			err = -ENODEV;
		else if (!(shots[i].dev->flags & IFF_UP))
			err = -ENETDOWN;
		else if (hooked)
			err = bench_shot_fill(&shots[i]);
		nf_hook_state_init(&shots[i].state, NF_NETDEV_INGRESS, NFPROTO_NETDEV, shots[i].dev,
				   NULL, NULL, net, NULL);
	}
	if (err) {
		bench_shots_free(shots, num);
		return ERR_PTR(err);
	}
	return shots;
}

void bench_shots_free(struct bench_shot *shots, unsigned int num)
{
	unsigned int i;

	for (i = 0; i < num; i++) {
		dst_release(shots[i].dst);
		dev_put(shots[i].out);
		dev_put(shots[i].dev);
	}
	kvfree(shots);
}

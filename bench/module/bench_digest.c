// SPDX-License-Identifier: GPL-2.0
/*
 * All that left, and what hooks said, as one number: two runs with equal numbers did the same.
 */

#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/netdevice.h>
#include <linux/siphash.h>

#include "nfo_bench.h"

/* Any key is good, but always the same. */
static const siphash_key_t bench_key = { { 0x6e666f5f62656e63, 0x685f646967657374 } };

/* Hashed as a whole: nothing in it may be padding. */
struct bench_sight {
	u64 before;
	u64 bytes;
	char dev[IFNAMSIZ];
	u32 len;
	u16 csum_start, csum_offset;
	u16 vlan_proto, vlan_tci;
	u8 summed;
	u8 tunnel;		/* of IPv4: 1, or 2 with a wrong checksum */
	u8 zero[6];
};

static_assert(sizeof(struct bench_sight) == 3 * 8 + IFNAMSIZ + 16);

/*
 * Whoever wraps a packet in IPv4 draws a number for it, differently in each namespace. It is no
 * difference between hooks, but it must be in a checksum that is right.
 */
static u8 bench_digest_tunnel(struct sk_buff *skb)
{
	struct iphdr *ip = (struct iphdr *)(skb->data + ETH_HLEN);
	u8 tunnel;

	if (skb->len < ETH_HLEN + sizeof(*ip) ||
	    ((struct ethhdr *)skb->data)->h_proto != htons(ETH_P_IP) ||
	    ip->version != 4 || ip->ihl != 5 ||
	    (ip->protocol != IPPROTO_IPIP && ip->protocol != IPPROTO_IPV6))
		return 0;

	tunnel = ip_fast_csum(ip, ip->ihl) ? 2 : 1;
	ip->id = 0;
	ip->check = 0;
	return tunnel;
}

/* The frame is written anew before it is used again, so it may be changed. */
void bench_digest_frame(struct bench_loop *loop, struct sk_buff *skb, const struct net_device *dev)
{
	struct bench_sight sight = { .before = loop->digest };

	if (skb_linearize(skb)) {
		loop->err = -ENOMEM;
		return;
	}

	sight.len = skb->len;
	sight.summed = skb->ip_summed;
	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		sight.csum_start = skb_checksum_start_offset(skb);
		sight.csum_offset = skb->csum_offset;
	}
	if (skb_vlan_tag_present(skb)) {
		sight.vlan_proto = ntohs(skb->vlan_proto);
		sight.vlan_tci = skb_vlan_tag_get(skb);
	}
	strscpy_pad(sight.dev, dev->name, sizeof(sight.dev));
	sight.tunnel = bench_digest_tunnel(skb);
	sight.bytes = siphash(skb->data, skb->len, &bench_key);
	loop->digest = siphash(&sight, sizeof(sight), &bench_key);
}

void bench_digest_verdict(struct bench_loop *loop, unsigned int verdict)
{
	loop->digest = siphash_2u64(loop->digest, verdict, &bench_key);
}

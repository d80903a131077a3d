// SPDX-License-Identifier: GPL-2.0
/*
 * What the hardware of the simulated NIC does to a frame that arrives: it finds the rule, changes
 * the frame as the rule says, and says where it leaves.
 */

#include <linux/etherdevice.h>
#include <linux/if_pppox.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/ppp_defs.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/unaligned.h>
#include <net/checksum.h>
#include <net/ip.h>

#include "simnic.h"

/* The longest header in front of IP. */
#define SIMNIC_L2_MAX	(ETH_HLEN + SIMNIC_TAGS * VLAN_HLEN + PPPOE_SES_HLEN)

/* What was found in a frame. Offsets are from the Ethernet header. */
struct simnic_frame {
	struct simnic_tuple tuple;
	__be16 tcp_flags;
	u16 tci[SIMNIC_TAGS];
	unsigned int l3, l4;
	unsigned int ip_len;
	unsigned int content;		/* bytes from the network header on, padding too */
};

/*
 * The parser. Each part takes the frame at an offset and returns false if there is something the
 * hardware does not handle: that is the software's, then.
 */

static bool simnic_parse_l4(struct sk_buff *skb, struct simnic_frame *frame)
{
	unsigned int left = frame->ip_len - (frame->l4 - frame->l3);
	struct simnic_tuple *tuple = &frame->tuple;
	const struct tcphdr *tcp;
	const struct udphdr *udp;

	switch (tuple->ip_proto) {
	case IPPROTO_TCP:
		if (left < sizeof(*tcp) || !pskb_may_pull(skb, frame->l4 + sizeof(*tcp)))
			return false;
		tcp = (const struct tcphdr *)(skb->data + frame->l4);
		tuple->sport = tcp->source;
		tuple->dport = tcp->dest;
		/* As the flow dissector: without the length of the header. */
		frame->tcp_flags = (__force __be16)
			(get_unaligned((const u16 *)tcp + 6) & (__force u16)htons(0x0fff));
		return true;
	case IPPROTO_UDP:
		if (left < sizeof(*udp) || !pskb_may_pull(skb, frame->l4 + sizeof(*udp)))
			return false;
		udp = (const struct udphdr *)(skb->data + frame->l4);
		tuple->sport = udp->source;
		tuple->dport = udp->dest;
		return true;
	default:
		return true;
	}
}

static bool simnic_parse_ipv4(struct sk_buff *skb, struct simnic_frame *frame)
{
	const struct iphdr *ip;

	if (!pskb_may_pull(skb, frame->l3 + sizeof(*ip)))
		return false;
	ip = (const struct iphdr *)(skb->data + frame->l3);
	if (ip->version != 4 || ip->ihl != 5 || ip_is_fragment(ip) || ip->ttl <= 1 ||
	    ip_fast_csum(ip, ip->ihl))
		return false;

	frame->tuple.src.s6_addr32[0] = ip->saddr;
	frame->tuple.dst.s6_addr32[0] = ip->daddr;
	frame->tuple.ip_proto = ip->protocol;
	frame->l4 = frame->l3 + sizeof(*ip);
	frame->ip_len = ntohs(ip->tot_len);
	return frame->ip_len >= sizeof(*ip);
}

static bool simnic_parse_ipv6(struct sk_buff *skb, struct simnic_frame *frame)
{
	const struct ipv6hdr *ip;

	if (!pskb_may_pull(skb, frame->l3 + sizeof(*ip)))
		return false;
	ip = (const struct ipv6hdr *)(skb->data + frame->l3);
	if (ip->version != 6 || ip->hop_limit <= 1)
		return false;

	/* An extension header is no protocol any rule is for. */
	frame->tuple.src = ip->saddr;
	frame->tuple.dst = ip->daddr;
	frame->tuple.ip_proto = ip->nexthdr;
	frame->l4 = frame->l3 + sizeof(*ip);
	frame->ip_len = sizeof(*ip) + ntohs(ip->payload_len);
	return true;
}

/* Leaves the protocol of what is inside in *proto, and the room it has there in *room. */
static bool simnic_parse_pppoe(struct sk_buff *skb, struct simnic_frame *frame, __be16 *proto,
			       unsigned int *room)
{
	const struct pppoe_hdr *pppoe;

	if (!pskb_may_pull(skb, frame->l3 + PPPOE_SES_HLEN))
		return false;
	pppoe = (const struct pppoe_hdr *)(skb->data + frame->l3);
	if (pppoe->ver != 1 || pppoe->type != 1 || pppoe->code)
		return false;
	/* The length counts the protocol of PPP, which follows the header. */
	if (ntohs(pppoe->length) < sizeof(__be16))
		return false;
	*room = ntohs(pppoe->length) - sizeof(__be16);

	switch (get_unaligned_be16(pppoe + 1)) {
	case PPP_IP:
		*proto = htons(ETH_P_IP);
		break;
	case PPP_IPV6:
		*proto = htons(ETH_P_IPV6);
		break;
	default:
		return false;
	}
	frame->l3 += PPPOE_SES_HLEN;
	return true;
}

static bool simnic_parse(struct sk_buff *skb, const struct net_device *port,
			 struct simnic_frame *frame)
{
	struct simnic_tuple *tuple = &frame->tuple;
	unsigned int room = UINT_MAX;
	const struct ethhdr *eth;
	__be16 proto;

	eth = (const struct ethhdr *)skb->data;
	/* What is for other stations is for others, or for a bridge in software. */
	if (!ether_addr_equal(eth->h_dest, port->dev_addr))
		return false;
	proto = eth->h_proto;
	frame->l3 = ETH_HLEN;

	while (proto == htons(ETH_P_8021Q) && tuple->tags < SIMNIC_TAGS) {
		const struct vlan_hdr *tag;

		if (!pskb_may_pull(skb, frame->l3 + VLAN_HLEN))
			return false;
		tag = (const struct vlan_hdr *)(skb->data + frame->l3);
		frame->tci[tuple->tags] = ntohs(tag->h_vlan_TCI);
		tuple->vid[tuple->tags] = frame->tci[tuple->tags] & VLAN_VID_MASK;
		tuple->tags++;
		proto = tag->h_vlan_encapsulated_proto;
		frame->l3 += VLAN_HLEN;
	}
	if (proto == htons(ETH_P_PPP_SES) && !simnic_parse_pppoe(skb, frame, &proto, &room))
		return false;

	tuple->n_proto = proto;
	switch (proto) {
	case htons(ETH_P_IP):
		if (!simnic_parse_ipv4(skb, frame))
			return false;
		break;
	case htons(ETH_P_IPV6):
		if (!simnic_parse_ipv6(skb, frame))
			return false;
		break;
	default:
		return false;
	}

	/* A frame may be longer than its packet, never shorter. */
	frame->content = skb->len - frame->l3;
	if (frame->ip_len > min(room, frame->content))
		return false;
	return simnic_parse_l4(skb, frame);
}

/*
 * The changes.
 */

/* Replaces words of what a checksum was made from. It need not be touched if nothing changed. */
static void simnic_sum_replace(__sum16 *sum, const void *old, const void *new, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < len; i += sizeof(__be32)) {
		__be32 from = get_unaligned((const __be32 *)(old + i));
		__be32 to = get_unaligned((const __be32 *)(new + i));

		if (from != to)
			csum_replace4(sum, from, to);
	}
}

/* The checksum of the transport header, NULL if there is none to keep right. */
static __sum16 *simnic_l4_sum(const struct simnic_frame *frame, void *l4)
{
	struct udphdr *udp = l4;
	struct tcphdr *tcp = l4;

	switch (frame->tuple.ip_proto) {
	case IPPROTO_TCP:
		return &tcp->check;
	case IPPROTO_UDP:
		return udp->check ? &udp->check : NULL;
	default:
		return NULL;
	}
}

static void simnic_mangle(const struct simnic_mangle *mangle, u8 *eth,
			  const struct simnic_frame *frame)
{
	u32 *word;

	switch (mangle->htype) {
	case FLOW_ACT_MANGLE_HDR_TYPE_IP4:
	case FLOW_ACT_MANGLE_HDR_TYPE_IP6:
		word = (u32 *)(eth + frame->l3 + mangle->offset);
		break;
	case FLOW_ACT_MANGLE_HDR_TYPE_TCP:
	case FLOW_ACT_MANGLE_HDR_TYPE_UDP:
		word = (u32 *)(eth + frame->l4 + mangle->offset);
		break;
	default:
		word = (u32 *)(eth + mangle->offset);
		break;
	}
	/* As tc's pedit does it. */
	put_unaligned((get_unaligned(word) & mangle->mask) ^ mangle->val, word);
}

static void simnic_rewrite(const struct simnic_rule *rule, struct sk_buff *skb,
			   const struct simnic_frame *frame)
{
	const struct simnic_tuple *old = &frame->tuple;
	u8 *l3 = skb->data + frame->l3, *l4 = skb->data + frame->l4;
	__sum16 *sum = simnic_l4_sum(frame, l4);
	struct ipv6hdr *ipv6 = (struct ipv6hdr *)l3;
	struct iphdr *ipv4 = (struct iphdr *)l3;
	const void *src, *dst;
	unsigned int i, len;

	for (i = 0; i < rule->num_mangles; i++)
		simnic_mangle(&rule->mangles[i], skb->data, frame);

	if (old->n_proto == htons(ETH_P_IP)) {
		src = &ipv4->saddr;
		dst = &ipv4->daddr;
		len = sizeof(ipv4->saddr);
		simnic_sum_replace(&ipv4->check, &old->src, src, len);
		simnic_sum_replace(&ipv4->check, &old->dst, dst, len);
		ip_decrease_ttl(ipv4);
	} else {
		src = &ipv6->saddr;
		dst = &ipv6->daddr;
		len = sizeof(ipv6->saddr);
		ipv6->hop_limit--;
	}

	if (!sum)
		return;
	simnic_sum_replace(sum, &old->src, src, len);
	simnic_sum_replace(sum, &old->dst, dst, len);
	/* Both ports, which are neighbours here and there. */
	simnic_sum_replace(sum, &old->sport, l4, sizeof(old->sport) + sizeof(old->dport));
	/* For UDP, zero says that there is none. */
	if (old->ip_proto == IPPROTO_UDP && !*sum)
		*sum = CSUM_MANGLED_0;
}

/* Writes what goes in front of IP, and returns how long it is. */
static unsigned int simnic_make_l2(const struct simnic_rule *rule, const u8 *eth,
				   const struct simnic_frame *frame, u8 *l2)
{
	unsigned int len = 2 * ETH_ALEN, i;
	u16 proto = ntohs(frame->tuple.n_proto);

	memcpy(l2, eth, len);
	for (i = 0; i < rule->pushes; i++) {
		put_unaligned_be16(ETH_P_8021Q, l2 + len);
		put_unaligned_be16(rule->push[i], l2 + len + 2);
		len += VLAN_HLEN;
	}
	for (i = rule->pops; i < frame->tuple.tags; i++) {
		put_unaligned_be16(ETH_P_8021Q, l2 + len);
		put_unaligned_be16(frame->tci[i], l2 + len + 2);
		len += VLAN_HLEN;
	}
	if (!rule->pppoe) {
		put_unaligned_be16(proto, l2 + len);
		return len + 2;
	}

	put_unaligned_be16(ETH_P_PPP_SES, l2 + len);
	l2[len + 2] = 0x11;	/* version and type */
	l2[len + 3] = 0;	/* code: of a session */
	put_unaligned_be16(rule->sid, l2 + len + 4);
	/* As the software does: it does not look for padding. */
	put_unaligned_be16(frame->content + 2, l2 + len + 6);
	put_unaligned_be16(proto == ETH_P_IP ? PPP_IP : PPP_IPV6, l2 + len + 8);
	return len + 2 + PPPOE_SES_HLEN;
}

/* Does to the frame what the rule says. If it cannot, the frame is as it was. */
static bool simnic_apply(const struct simnic_rule *rule, struct sk_buff *skb,
			 const struct simnic_frame *frame)
{
	const struct net_device *to = simnic_ports[rule->egress].dev;
	unsigned int packet = frame->content, len;
	u8 l2[SIMNIC_L2_MAX];

	/* Hardware does not fragment, and has nobody to tell: that is for the software. */
	if (rule->pppoe)
		packet += PPPOE_SES_HLEN;
	if (packet > READ_ONCE(to->mtu))
		return false;

	/* Not to write into what a tap, or a socket that may send it again, has of it. */
	if (skb_cow(skb, frame->l3 < SIMNIC_L2_MAX ? SIMNIC_L2_MAX - frame->l3 : 0))
		return false;

	simnic_rewrite(rule, skb, frame);
	len = simnic_make_l2(rule, skb->data, frame, l2);
	__skb_pull(skb, frame->l3);
	memcpy(__skb_push(skb, len), l2, len);
	return true;
}

/*
 * Forwards the frame if there is a rule for it: returns the wire that it has to leave by. NULL if
 * it has to go up to the software, unchanged.
 */
struct net_device *simnic_forward(struct simnic_port *port, struct sk_buff *skb)
{
	struct simnic_frame frame = { .tuple.ingress = port->index };
	struct net_device *wire = NULL;
	struct simnic_rule *rule;

	if (READ_ONCE(simnic_behaviour.carry) && simnic_parse(skb, port->dev, &frame)) {
		/* Held to the end, so that no frame follows a rule that is known to be gone. */
		spin_lock_bh(&simnic_table_lock);
		rule = simnic_table_find(&frame.tuple, frame.tcp_flags);
		if (rule && simnic_apply(rule, skb, &frame)) {
			rule->packets++;
			rule->bytes += frame.ip_len;
			rule->used = jiffies;
			wire = simnic_ports[rule->egress].wire;
		}
		spin_unlock_bh(&simnic_table_lock);
	}

	simnic_count(wire ? SIMNIC_HITS : SIMNIC_MISSES);
	return wire;
}

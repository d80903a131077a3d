// SPDX-License-Identifier: GPL-2.0
/* What the kernel itself makes of a packet, for the suites to compare with: see oracle.rs. */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/ip.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_nat.h>

/* The same in oracle.rs. */
struct nfo_oracle {
	u8 packet[128];
	/* The other direction's ends, as its packets come in. */
	u8 source[16];
	u8 destination[16];
	__be16 source_port;
	__be16 destination_port;
	/* SKB_GSO_*, or 0. */
	u32 gso;
	u16 len;
	/* Of a partial sum, from the network header on. */
	u16 start;
	u16 offset;
	/* CHECKSUM_* */
	u8 summed;
	/* Which ends are translated. */
	u8 translates_source;
	u8 translates_destination;
};

int nfo_oracle_translate(struct nfo_oracle *oracle);
int nfo_oracle_complete(struct nfo_oracle *oracle);

static bool is_ipv6(const struct nfo_oracle *oracle)
{
	return oracle->packet[0] >> 4 == 6;
}

static unsigned int header_len(const struct nfo_oracle *oracle)
{
	return is_ipv6(oracle) ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

static struct sk_buff *make_skb(const struct nfo_oracle *oracle)
{
	struct sk_buff *skb = alloc_skb(256, GFP_KERNEL);

	if (!skb)
		return NULL;
	skb_reserve(skb, 64);
	skb_put_data(skb, oracle->packet, oracle->len);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, header_len(oracle));
	skb->protocol = is_ipv6(oracle) ? htons(ETH_P_IPV6) : htons(ETH_P_IP);
	skb->ip_summed = oracle->summed;
	if (oracle->summed == CHECKSUM_PARTIAL) {
		skb->csum_start = skb_headroom(skb) + oracle->start;
		skb->csum_offset = oracle->offset;
	} else if (oracle->summed == CHECKSUM_COMPLETE) {
		skb->csum = skb_checksum(skb, 0, skb->len, 0);
	}
	if (oracle->gso) {
		skb_shinfo(skb)->gso_type = oracle->gso;
		skb_shinfo(skb)->gso_size = 16;
		skb_shinfo(skb)->gso_segs = 2;
	}
	return skb;
}

#if IS_REACHABLE(CONFIG_NF_NAT)
/* Forwards the packet as the classic path does: translated, one hop less. */
int nfo_oracle_translate(struct nfo_oracle *oracle)
{
	struct nf_conntrack_tuple *reply;
	struct nf_conn *ct;
	struct sk_buff *skb;
	int error = -ENOMEM;

	ct = kzalloc(sizeof(*ct), GFP_KERNEL);
	skb = make_skb(oracle);
	if (!ct || !skb)
		goto out;
	reply = &ct->tuplehash[IP_CT_DIR_REPLY].tuple;
	memcpy(&reply->src.u3, oracle->source, sizeof(reply->src.u3));
	memcpy(&reply->dst.u3, oracle->destination, sizeof(reply->dst.u3));
	reply->src.u.all = oracle->source_port;
	reply->dst.u.all = oracle->destination_port;
	reply->src.l3num = is_ipv6(oracle) ? NFPROTO_IPV6 : NFPROTO_IPV4;
	reply->dst.protonum = oracle->packet[is_ipv6(oracle) ? 6 : 9];
	reply->dst.dir = IP_CT_DIR_REPLY;
	if (oracle->translates_source)
		ct->status |= IPS_SRC_NAT;
	if (oracle->translates_destination)
		ct->status |= IPS_DST_NAT;

	error = -EINVAL;
	if (nf_nat_packet(ct, IP_CT_ESTABLISHED, NF_INET_PRE_ROUTING, skb) != NF_ACCEPT)
		goto out;
	if (is_ipv6(oracle))
		ipv6_hdr(skb)->hop_limit--;
	else
		ip_decrease_ttl(ip_hdr(skb));
	if (nf_nat_packet(ct, IP_CT_ESTABLISHED, NF_INET_POST_ROUTING, skb) != NF_ACCEPT)
		goto out;
	error = skb_copy_bits(skb, 0, oracle->packet, oracle->len);
out:
	kfree_skb(skb);
	kfree(ct);
	return error;
}
#else
int nfo_oracle_translate(struct nfo_oracle *oracle)
{
	return -ENOTSUPP;
}
#endif

/* Completes the sum as for a device that cannot. */
int nfo_oracle_complete(struct nfo_oracle *oracle)
{
	struct sk_buff *skb = make_skb(oracle);
	int error;

	if (!skb)
		return -ENOMEM;
	error = oracle->summed == CHECKSUM_PARTIAL ? skb_checksum_help(skb) : 0;
	if (!error)
		error = skb_copy_bits(skb, 0, oracle->packet, oracle->len);
	kfree_skb(skb);
	return error;
}

// SPDX-License-Identifier: GPL-2.0

/*
 * Hooks run with bottom halves disabled, and so nobody else counts on this CPU, unless another
 * softirq may come in between.
 */
#ifdef CONFIG_PREEMPT_RT
#define nfo_count(packets) this_cpu_inc(*(packets))
#else
#define nfo_count(packets) __this_cpu_inc(*(packets))
#endif

bool nfo_pskb_may_pull(struct sk_buff *skb, unsigned int len)
{
	return pskb_may_pull(skb, len);
}

bool nfo_skb_shared(const struct sk_buff *skb)
{
	return skb_shared(skb);
}

int nfo_skb_cow_head(struct sk_buff *skb, unsigned int headroom)
{
	return skb_cow_head(skb, headroom);
}

bool nfo_skb_is_gso(const struct sk_buff *skb)
{
	return skb_is_gso(skb);
}

bool nfo_skb_is_fraglist(const struct sk_buff *skb)
{
	return skb_shinfo(skb)->gso_type & SKB_GSO_FRAGLIST;
}

bool nfo_skb_has_tunnel_csum(const struct sk_buff *skb)
{
	return skb_shinfo(skb)->gso_type & SKB_GSO_UDP_TUNNEL_CSUM;
}

bool nfo_skb_sec_path(const struct sk_buff *skb)
{
	return skb_sec_path(skb);
}

unsigned int nfo_ip_options_len(const struct sk_buff *skb)
{
	return IPCB(skb)->opt.optlen;
}

const void *nfo_skb_header_pointer(const struct sk_buff *skb, int offset, int len, void *buffer)
{
	return skb_header_pointer(skb, offset, len, buffer);
}

/* Of where it came from nothing is left that means something else where it goes. */
static void leave(struct sk_buff *skb)
{
#ifdef CONFIG_NET_SWITCHDEV
	skb->offload_fwd_mark = 0;
#endif
	skb_clear_tstamp(skb);
	skb_dst_drop(skb);
}

/* The one call into C for every packet sent: coarse, since a call costs more than its body. */
int nfo_dev_queue_xmit(struct sk_buff *skb, struct net_device *dev, struct dst_entry *dst,
		       u64 __percpu *packets)
{
	nfo_count(packets);
	leave(skb);
	skb_dst_set_noref(skb, dst);
	skb->dev = dev;
	return dev_queue_xmit(skb);
}

/* Nothing has to be done for it on its way to the driver, by a queue or by dev_queue_xmit(). */
bool nfo_skb_is_bare(const struct sk_buff *skb, const struct net_device *dev)
{
	return (!skb_is_nonlinear(skb) ||
		(!skb_has_frag_list(skb) && dev->features & NETIF_F_SG &&
		 dev->features & NETIF_F_HIGHDMA)) &&
	       !skb_is_gso(skb) && skb->ip_summed != CHECKSUM_PARTIAL &&
	       !skb_vlan_tag_present(skb) && !skb_sec_path(skb) && !skb_shinfo(skb)->tx_flags &&
#ifdef CONFIG_SOCK_VALIDATE_XMIT
	       !(skb->sk && sk_fullsock(skb->sk) && skb->sk->sk_validate_xmit_skb) &&
#endif
	       true;
}

/* Off to the driver; false if that has not taken it. */
bool nfo_dev_start_xmit(struct sk_buff *skb, struct net_device *dev, u64 __percpu *packets)
{
	int rc;

	leave(skb);
	skb->dev = dev;
	skb_reset_mac_header(skb);
	skb_set_queue_mapping(skb, 0);
	dev_xmit_recursion_inc();
	rc = netdev_start_xmit(skb, dev, netdev_get_tx_queue(dev, 0), false);
	dev_xmit_recursion_dec();
	nfo_count(packets);
	return dev_xmit_complete(rc);
}

int nfo_dev_hard_header(struct sk_buff *skb, struct net_device *dev, const void *daddr)
{
	return dev_hard_header(skb, dev, ntohs(skb->protocol), daddr, NULL, skb->len);
}

u32 nfo_skb_mark(const struct sk_buff *skb)
{
	return skb->mark;
}

bool nfo_skb_mac_header_was_set(const struct sk_buff *skb)
{
	return skb_mac_header_was_set(skb);
}

int nfo_iptunnel_pull_offloads(struct sk_buff *skb)
{
	return iptunnel_pull_offloads(skb);
}

/* What belongs to this side of a tunnel is forgotten, and the packet is the inner one from now on. */
void nfo_skb_enter_tunnel(struct sk_buff *skb, u8 protocol)
{
	skb_set_inner_ipproto(skb, protocol);
	skb_scrub_packet(skb, true);
	skb_clear_hash_if_not_l4(skb);
}

struct sk_buff *nfo_skb_gso_segment(struct sk_buff *skb)
{
	return skb_gso_segment(skb, 0);
}

/* As IP leaves a packet that it has forwarded, for those who read its control block. */
void nfo_dst_output_ipv4(struct net *net, struct sk_buff *skb, struct dst_entry *dst,
			 u64 __percpu *packets)
{
	nfo_count(packets);
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	IPCB(skb)->iif = skb->dev->ifindex;
	IPCB(skb)->flags = IPSKB_FORWARDED;
	leave(skb);
	skb_orphan(skb);
	skb_dst_set_noref(skb, dst);
	dst_output(net, NULL, skb);
}

void nfo_dst_output_ipv6(struct net *net, struct sk_buff *skb, struct dst_entry *dst,
			 u64 __percpu *packets)
{
	nfo_count(packets);
	memset(IP6CB(skb), 0, sizeof(*IP6CB(skb)));
	IP6CB(skb)->iif = skb->dev->ifindex;
	IP6CB(skb)->flags = IP6SKB_FORWARDED;
	leave(skb);
	skb_orphan(skb);
	skb_dst_set_noref(skb, dst);
	dst_output(net, NULL, skb);
}

__be16 nfo_ip_select_ident(struct net *net, const struct sk_buff *skb, __be32 source,
			   __be32 destination, u8 protocol)
{
	struct iphdr header = { .saddr = source, .daddr = destination, .protocol = protocol };

	__ip_select_ident(net, &header, skb_shinfo(skb)->gso_segs ?: 1);
	return header.id;
}

__be32 nfo_ip6_make_flowlabel(struct net *net, struct sk_buff *skb,
			      const struct in6_addr *source, const struct in6_addr *destination)
{
	struct flowi6 fl6 = {
		.saddr = *source,
		.daddr = *destination,
		.flowi6_proto = IPPROTO_IPV6,
	};

	return ip6_make_flowlabel(net, skb, 0, true, &fl6);
}

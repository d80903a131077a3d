// SPDX-License-Identifier: GPL-2.0

bool nfo_pskb_may_pull(struct sk_buff *skb, unsigned int len)
{
	return pskb_may_pull(skb, len);
}

int nfo_skb_cow_head(struct sk_buff *skb, unsigned int headroom)
{
	return skb_cow_head(skb, headroom);
}

bool nfo_skb_is_gso(const struct sk_buff *skb)
{
	return skb_is_gso(skb);
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

/* The one call into C for every packet sent: coarse, since a call costs more than its body. */
int nfo_dev_queue_xmit(struct sk_buff *skb, struct net_device *dev, struct dst_entry *dst,
		       u64 __percpu *packets)
{
	this_cpu_inc(*packets);
	skb_clear_tstamp(skb);
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, dst);
	skb->dev = dev;
	return dev_queue_xmit(skb);
}

int nfo_dev_hard_header(struct sk_buff *skb, struct net_device *dev, const void *daddr)
{
	return dev_hard_header(skb, dev, ntohs(skb->protocol), daddr, NULL, skb->len);
}

u32 nfo_skb_mark(const struct sk_buff *skb)
{
	return skb->mark;
}

// SPDX-License-Identifier: GPL-2.0

bool nfo_dst_hold_safe(struct dst_entry *dst)
{
	return dst_hold_safe(dst);
}

struct dst_entry *nfo_skb_dst(const struct sk_buff *skb)
{
	return skb_dst(skb);
}

struct dst_entry *nfo_dst_check(struct dst_entry *dst, u32 cookie)
{
	return dst_check(dst, cookie);
}

/* For routes that nothing transforms. */
const int *nfo_rt_genid_ipv4(const struct net *net)
{
	return &net->ipv4.rt_genid.counter;
}

int nfo_rt_genid(const struct dst_entry *dst)
{
	return dst_rtable(dst)->rt_genid;
}

bool nfo_dst_is_rtable(const struct dst_entry *dst)
{
	return !dst_xfrm(dst) && !(dst->flags & DST_XFRM_QUEUE) && dst->ops->family == AF_INET;
}

bool nfo_dst_is_rt6(const struct dst_entry *dst)
{
	return !dst_xfrm(dst) && !(dst->flags & DST_XFRM_QUEUE) && dst->ops->family == AF_INET6;
}

bool nfo_dst_has_xfrm(const struct dst_entry *dst)
{
	return dst_xfrm(dst);
}

unsigned int nfo_ip_dst_mtu_forward(const struct dst_entry *dst)
{
	return ip_dst_mtu_maybe_forward(dst, true);
}

unsigned int nfo_ip6_dst_mtu_forward(const struct dst_entry *dst)
{
	return ip6_dst_mtu_maybe_forward(dst, true);
}

bool nfo_ip_mtu_locked(const struct dst_entry *dst)
{
	return ip_mtu_locked(dst);
}

u32 nfo_rt6_get_cookie(const struct dst_entry *dst)
{
	return rt6_get_cookie(dst_rt6_info(dst));
}

struct neighbour *nfo_dst_neigh_lookup(const struct dst_entry *dst, const void *daddr)
{
	return dst_neigh_lookup(dst, daddr);
}

void nfo_neigh_release(struct neighbour *n)
{
	neigh_release(n);
}

int nfo_neigh_event_send(struct neighbour *n)
{
	return neigh_event_send(n, NULL);
}

void nfo_flowi4_set_dscp(struct flowi4 *fl4, const struct sk_buff *skb)
{
	fl4->flowi4_dscp = ip4h_dscp(ip_hdr(skb));
}

__be32 nfo_ip6_flowinfo(const struct sk_buff *skb)
{
	return ip6_flowinfo(ipv6_hdr(skb));
}

struct net_device *nfo_dst_dev(const struct dst_entry *dst)
{
	return dst_dev_rcu(dst);
}

void nfo_neigh_hold(struct neighbour *n)
{
	neigh_hold(n);
}

void nfo_neigh_ha_snapshot(u8 *address, const struct neighbour *n)
{
	neigh_ha_snapshot(address, n, n->dev);
}

void nfo_ip_route_input(struct sk_buff *skb, __be32 daddr, __be32 saddr, struct net_device *dev)
{
	ip_route_input_noref(skb, daddr, saddr, ip4h_dscp(ip_hdr(skb)), dev);
}

struct dst_entry *nfo_ip6_route_input(struct net *net, struct net_device *dev,
				      struct flowi6 *fl6, const struct sk_buff *skb)
{
	return ip6_route_input_lookup(net, dev, fl6, skb, RT6_LOOKUP_F_HAS_SADDR);
}

struct dst_entry *nfo_xfrm_lookup(struct net *net, struct dst_entry *dst, const struct flowi *fl)
{
	return xfrm_lookup(net, dst, fl, NULL, 0);
}

unsigned long nfo_skb_set_refdst(struct sk_buff *skb, unsigned long refdst)
{
	unsigned long old = skb->_skb_refdst;

	skb->_skb_refdst = refdst;
	return old;
}

/* Always with a reference, and none is left with the packet. */
struct dst_entry *nfo_skb_dst_take(struct sk_buff *skb)
{
	struct dst_entry *dst = skb_dst_force(skb) ? skb_dst(skb) : NULL;

	skb->_skb_refdst = 0;
	return dst;
}

void nfo_skb_set_mark(struct sk_buff *skb, u32 mark)
{
	skb->mark = mark;
}

int nfo_dst_error(const struct dst_entry *dst)
{
	return dst->error;
}

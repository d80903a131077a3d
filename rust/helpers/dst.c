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

/*
 * By itself, when packets come in by it or are sent by it, as dst_input(), dst_output() and the
 * neighbour's output have it; or keeps them until there is a state of IPsec that will.
 */
bool nfo_dst_encapsulates(const struct dst_entry *dst)
{
	return lwtunnel_input_redirect(dst->lwtstate) || lwtunnel_output_redirect(dst->lwtstate) ||
	       lwtunnel_xmit_redirect(dst->lwtstate) || dst->flags & DST_XFRM_QUEUE;
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
#ifdef NFO_HAVE_FLOWI4_DSCP
	fl4->flowi4_dscp = ip4h_dscp(ip_hdr(skb));
#else
	fl4->flowi4_tos = inet_dscp_to_dsfield(ip4h_dscp(ip_hdr(skb)));
#endif
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

/*
 * As for a packet with these addresses and this mark: skb is lent for that, and is afterwards as it
 * was before. With a reference, if there is a route. In flags is what the lookup has said of it.
 */
struct dst_entry *nfo_ip_route_input(struct sk_buff *skb, __be32 daddr, __be32 saddr,
				     struct net_device *dev, u32 mark, u16 *flags)
{
	unsigned long own_refdst = skb->_skb_refdst;
	u16 own_flags = IPCB(skb)->flags;
	u32 own_mark = skb->mark;
	struct dst_entry *dst;

	skb->_skb_refdst = 0;
	IPCB(skb)->flags = 0;
	skb->mark = mark;
	/* Where it takes the type of service, a dscp_t is the same number. */
	ip_route_input_noref(skb, daddr, saddr, ip4h_dscp(ip_hdr(skb)), dev);
	dst = skb_dst_force(skb) ? skb_dst(skb) : NULL;
	*flags = IPCB(skb)->flags;
	skb->mark = own_mark;
	IPCB(skb)->flags = own_flags;
	skb->_skb_refdst = own_refdst;
	return dst;
}

struct dst_entry *nfo_ip6_route_input(struct net *net, struct net_device *dev, struct flowi6 *fl6,
				      struct sk_buff *skb, u16 *flags)
{
	u16 own_flags = IP6CB(skb)->flags;
	struct dst_entry *dst;

	IP6CB(skb)->flags = 0;
	dst = ip6_route_input_lookup(net, dev, fl6, skb, RT6_LOOKUP_F_HAS_SADDR);
	*flags = IP6CB(skb)->flags;
	IP6CB(skb)->flags = own_flags;
	return dst;
}

/* Whether policies of IPsec may have a say in what goes in a direction. */
static bool has_policies(const struct net *net, int direction)
{
#ifdef CONFIG_XFRM
	return READ_ONCE(net->xfrm.policy_count[direction]) ||
	       READ_ONCE(net->xfrm.policy_default[direction]) == XFRM_USERPOLICY_BLOCK;
#else
	return false;
#endif
}

/* Whether none of them has a say in where packets are sent. */
bool nfo_without_policies(const struct net *net)
{
	return !has_policies(net, XFRM_POLICY_OUT);
}

/* Whether one of them may have a say in what comes in for this host, as tunnels' packets. */
bool nfo_has_input_policies(const struct net *net)
{
	return has_policies(net, XFRM_POLICY_IN);
}

/* Whether one of them may have a say in what is forwarded. */
bool nfo_has_forward_policies(const struct net *net)
{
	return has_policies(net, XFRM_POLICY_FWD);
}

static bool ipv6_is_exempt(const struct net_device *input)
{
	const struct inet6_dev *idev = __in6_dev_get(input);

	return READ_ONCE(dev_net(input)->ipv6.devconf_all->disable_policy) ||
	       (idev && READ_ONCE(idev->cnf.disable_policy));
}

/*
 * As ip_forward() and ip6_forward() ask; the route is lent. A packet of IPv4 knows whether the device that
 * IP got it by is exempt.
 */
bool nfo_xfrm_forward_check(struct sk_buff *skb, struct dst_entry *dst,
			    const struct net_device *input, u16 family)
{
	const struct in_device *in_dev = __in_dev_get_rcu(input);

	memset(skb->cb, 0, sizeof(skb->cb));
	IPCB(skb)->flags = in_dev && IN_DEV_ORCONF(in_dev, NOPOLICY) ? IPSKB_NOPOLICY : 0;
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, dst);
	return (family == AF_INET6 && ipv6_is_exempt(input)) ||
	       xfrm_policy_check(NULL, XFRM_POLICY_FWD, skb, family);
}

/* Whether rules of routing ask for ports; IPv4 looks for those in the packet then. */
bool nfo_ip_routes_by_ports(const struct net *net)
{
#ifdef CONFIG_IP_MULTIPLE_TABLES
	return READ_ONCE(net->ipv4.fib_rules_require_fldissect);
#else
	return false;
#endif
}

bool nfo_ip_routes_by_destination(const struct net *net)
{
	return !fib4_has_custom_rules(net) && !fib_num_tclassid_users((struct net *)net) &&
	       nfo_without_policies(net) && !nfo_has_forward_policies(net);
}

bool nfo_ip6_routes_by_destination(const struct net *net)
{
	return !fib6_has_custom_rules(net) && !fib6_routes_require_src(net) &&
	       nfo_without_policies(net) && !nfo_has_forward_policies(net);
}

bool nfo_rt_is_unicast(const struct dst_entry *dst)
{
	return dst_rtable(dst)->rt_type == RTN_UNICAST;
}

bool nfo_rt_has_gateway(const struct dst_entry *dst)
{
	return dst_rtable(dst)->rt_gw_family;
}

bool nfo_rt6_has_gateway(const struct dst_entry *dst)
{
	return dst_rt6_info(dst)->rt6i_flags & RTF_GATEWAY;
}

u8 nfo_ip_traffic_class(const struct sk_buff *skb)
{
	return inet_dscp_to_dsfield(ip4h_dscp(ip_hdr(skb)));
}

struct dst_entry *nfo_xfrm_lookup(struct net *net, struct dst_entry *dst, const struct flowi *fl)
{
	return xfrm_lookup(net, dst, fl, NULL, 0);
}

int nfo_dst_error(const struct dst_entry *dst)
{
	return dst->error;
}

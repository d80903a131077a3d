// SPDX-License-Identifier: GPL-2.0

#include <linux/if_bridge.h>
#include <linux/if_macvlan.h>
#include <linux/inetdevice.h>
#include <net/addrconf.h>
#include <net/ip6_tunnel.h>
#include <net/ip_tunnels.h>
#include <net/sch_generic.h>

void nfo_dev_hold(struct net_device *dev)
{
	dev_hold(dev);
}

void nfo_dev_put(struct net_device *dev)
{
	dev_put(dev);
}

struct net_device *nfo_netdev_notifier_info_to_dev(void *info)
{
	return netdev_notifier_info_to_dev(info);
}

u32 nfo_dev_ifindex(const struct net_device *dev)
{
	return READ_ONCE(dev->ifindex);
}

unsigned int nfo_dev_flags(const struct net_device *dev)
{
	return READ_ONCE(dev->flags);
}

/* One transmit queue without a discipline, no lock, no use for routes: packets can be sent now. */
bool nfo_dev_is_queueless(const struct net_device *dev)
{
	const struct netdev_queue *txq = netdev_get_tx_queue(dev, 0);

	return dev->lltx && dev->priv_flags & IFF_XMIT_DST_RELEASE && dev->flags & IFF_UP &&
	       dev->real_num_tx_queues == 1 && !rcu_dereference_bh(txq->qdisc)->enqueue &&
	       !netif_xmit_stopped(txq) && !dev_xmit_recursion();
}

/* Somebody looks at what leaves: a packet socket, nf_tables' egress hook, or tc. */
bool nfo_dev_is_observed(const struct net_device *dev)
{
	return
#ifdef NFO_HAVE_NIT_ACTIVE_RCU
	       dev_nit_active_rcu(dev) ||
#else
	       dev_nit_active((struct net_device *)dev) ||
#endif
#ifdef CONFIG_NETFILTER_EGRESS
	       rcu_access_pointer(dev->nf_hooks_egress) ||
#endif
#ifdef CONFIG_NET_XGRESS
	       rcu_access_pointer(dev->tcx_egress) ||
#endif
	       false;
}

unsigned int nfo_dev_type(const struct net_device *dev)
{
	return dev->type;
}

unsigned int nfo_dev_addr_len(const struct net_device *dev)
{
	return dev->addr_len;
}

unsigned int nfo_dev_reserved_headroom(const struct net_device *dev)
{
	return LL_RESERVED_SPACE(dev);
}

void nfo_dev_ethernet_address(const struct net_device *dev, u8 *address)
{
	ether_addr_copy(address, dev->dev_addr);
}

struct net *nfo_dev_net(const struct net_device *dev)
{
	return dev_net(dev);
}

struct net *nfo_read_pnet(const possible_net_t *pnet)
{
	return read_pnet(pnet);
}

struct proc_dir_entry *nfo_proc_net(const struct net *net)
{
	return net->proc_net;
}

bool nfo_dev_has_forward_path(const struct net_device *dev)
{
	return dev->netdev_ops->ndo_fill_forward_path;
}

int nfo_dev_fill_forward_path(struct net_device_path_ctx *ctx, u16 protocol,
			      struct net_device_path *path)
{
#ifdef NFO_HAVE_PATH_CTX_ETHER_TYPE
	ctx->ether_type = htons(protocol);
#endif
	return ctx->dev->netdev_ops->ndo_fill_forward_path(ctx, path);
}

bool nfo_path_is_tunnel(const struct net_device_path *path)
{
#ifdef NFO_HAVE_PATH_TUN
	return path->type == DEV_PATH_TUN;
#else
	return false;
#endif
}

/* Addresses have 16 bytes each, of which IPv4 uses the first four. */
void nfo_path_tunnel(const struct net_device_path *path, u8 *source, u8 *destination)
{
#ifdef NFO_HAVE_PATH_TUN
	memcpy(source, &path->tun.src_v6, 16);
	memcpy(destination, &path->tun.dst_v6, 16);
	/* Some versions give the route of the tunnel too, with a reference. */
	dst_release(path->tun.dst);
#endif
}

/* Puts a header around and nothing else, and sends as anybody does, in the namespace where it is. */
bool nfo_ip_tunnel_is_plain(const struct net_device *dev)
{
	const struct ip_tunnel *t = netdev_priv(dev);

	return t->encap.type == TUNNEL_ENCAP_NONE && !t->collect_md && !t->fwmark && !t->parms.link &&
	       t->parms.iph.protocol != IPPROTO_MPLS && net_eq(t->net, dev_net(dev));
}

/* The same, of IPv6 in IPv6. */
bool nfo_ip6_tnl_is_plain(const struct net_device *dev)
{
	const struct ip6_tnl *t = netdev_priv(dev);

	return t->encap.type == TUNNEL_ENCAP_NONE && !t->parms.collect_md && !t->parms.fwmark &&
	       !(t->parms.flags & IP6_TNL_F_USE_ORIG_FWMARK) && !t->parms.link &&
	       t->parms.proto != IPPROTO_IPIP && net_eq(t->net, dev_net(dev));
}

bool nfo_dev_has_header(const struct net_device *dev)
{
	return dev->header_ops && dev->header_ops->create;
}

void *nfo_net_generic(const struct net *net, unsigned int id)
{
	return net_generic(net, id);
}

struct net *nfo_seq_file_single_net(struct seq_file *seq)
{
	return seq_file_single_net(seq);
}

/* Built in, this comes up before any module, and is no member of the set of modules. */
struct kobject *nfo_find_module(const struct module *any, const char *name)
{
#ifdef MODULE
	return kset_find_obj(any->mkobj.kobj.kset, name);
#else
	return NULL;
#endif
}

bool nfo_this_module_get(void)
{
	return try_module_get(THIS_MODULE);
}

int nfo_register_switchdev_notifier(struct notifier_block *nb)
{
	return register_switchdev_notifier(nb);
}

int nfo_unregister_switchdev_notifier(struct notifier_block *nb)
{
	return unregister_switchdev_notifier(nb);
}

void nfo_dev_name(const struct net_device *dev, char *name)
{
	strscpy(name, dev->name, IFNAMSIZ);
}

struct net *nfo_seq_file_net(struct seq_file *seq)
{
	return seq_file_net(seq);
}

int nfo_register_switchdev_blocking_notifier(struct notifier_block *nb)
{
	return register_switchdev_blocking_notifier(nb);
}

int nfo_unregister_switchdev_blocking_notifier(struct notifier_block *nb)
{
	return unregister_switchdev_blocking_notifier(nb);
}

struct net_device *nfo_switchdev_dev(const void *info)
{
	return switchdev_notifier_info_to_dev(info);
}

static const struct switchdev_attr *attr_of(const void *info)
{
	return ((const struct switchdev_notifier_port_attr_info *)info)->attr;
}

/* Of an attribute of a port that is set: what it is about, and what it says then. */
u32 nfo_switchdev_attr(const void *info)
{
	return attr_of(info)->id;
}

u8 nfo_switchdev_stp_state(const void *info)
{
	return attr_of(info)->u.stp_state;
}

u16 nfo_switchdev_mst_instance(const void *info)
{
	return attr_of(info)->u.mst_state.msti;
}

u8 nfo_switchdev_mst_state(const void *info)
{
	return attr_of(info)->u.mst_state.state;
}

static bool takes_all(const struct net_device *upper)
{
	return netif_is_macvlan(upper) &&
	       ((const struct macvlan_dev *)netdev_priv(upper))->mode == MACVLAN_MODE_PASSTHRU;
}

/* A bridge, a bond, a VRF or a macvlan that takes all gets a device, or loses it. */
bool nfo_changeupper_takes(const void *info)
{
	const struct netdev_notifier_changeupper_info *change = info;

	return change->master || takes_all(change->upper_dev);
}

/* What comes in by it, as ip6_rcv_core() and ip6_forward() ask. */
bool nfo_dev_forwards_ipv6(const struct net_device *dev)
{
	const struct inet6_dev *idev = __in6_dev_get(dev);

	return idev && !READ_ONCE(idev->cnf.disable_ipv6) &&
	       (READ_ONCE(dev_net(dev)->ipv6.devconf_all->forwarding)
#ifdef NFO_HAVE_FORCE_FORWARDING
		|| READ_ONCE(idev->cnf.force_forwarding)
#endif
	       );
}

/* What comes in by it is for another device, whose part it is. */
bool nfo_dev_is_taken(const struct net_device *dev)
{
	struct list_head *iter = (struct list_head *)&dev->adj_list.upper;
	const struct net_device *upper;
	bool taken = netif_is_bridge_port(dev) || netif_is_ovs_port(dev) ||
		     netif_is_bond_slave(dev) || netif_is_team_port(dev);

	for (upper = netdev_upper_get_next_dev_rcu((struct net_device *)dev, &iter); upper;
	     upper = netdev_upper_get_next_dev_rcu((struct net_device *)dev, &iter))
		taken |= takes_all(upper);
	return taken;
}

/* What is set for packets of IPv4 that come in by it, of which nobody is told, as a number. */
u32 nfo_dev_input_settings(const struct net_device *dev)
{
	const struct in_device *in_dev = __in_dev_get_rcu(dev);

	return in_dev ? IN_DEV_RPFILTER(in_dev) << 4 | !!IN_DEV_SRC_VMARK(in_dev) << 3 |
				!!IN_DEV_ACCEPT_LOCAL(in_dev) << 2 |
				!!IN_DEV_ROUTE_LOCALNET(in_dev) << 1 | !!IN_DEV_FORWARD(in_dev) :
			0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * What is different between kernels. Each part is compiled by itself, with the kernel's own flags, and
 * where that works NFO_HAVE_... is defined for helpers/, which make one shim of it for Rust. None asks
 * for a version: stable kernels get changes, too.
 */
#include <linux/netdevice.h>
#include <net/flow.h>
#include <net/if_inet6.h>
#include <linux/ipv6.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_tables.h>

/* What is the same in all kernels compiles, or the kernel's flags do not let any of these pass. */
bool any(const struct net_device *dev)
{
	return dev->ifindex;
}

#ifdef NFO_PROBE_PATH_TUN
void probe(struct net_device_path *path)
{
	path->type = DEV_PATH_TUN;
}
#endif

#ifdef NFO_PROBE_PATH_CTX_ETHER_TYPE
void probe(struct net_device_path_ctx *ctx)
{
	ctx->ether_type = 0;
}
#endif

#ifdef NFO_PROBE_NIT_ACTIVE_RCU
bool probe(const struct net_device *dev)
{
	return dev_nit_active_rcu(dev);
}
#endif

#ifdef NFO_PROBE_FLOWI4_DSCP
void probe(struct flowi4 *fl4, dscp_t dscp)
{
	fl4->flowi4_dscp = dscp;
}
#endif

#ifdef NFO_PROBE_CT_REFRESH_WITHOUT_SKB
void probe(struct nf_conn *ct)
{
	nf_ct_refresh(ct, 0);
}
#endif

#ifdef NFO_PROBE_NFT_HOOK_FIND_OPS
void *probe(const struct nft_hook *hook, const struct net_device *dev)
{
	return nft_hook_find_ops_rcu(hook, dev);
}
#endif

#ifdef NFO_PROBE_NFT_FLOWTABLE_LOOKUP_IN_NET
void *probe(const struct net *net, const struct nft_table *table, const struct nlattr *name)
{
	return nft_flowtable_lookup(net, table, name, 0);
}
#endif

#ifdef NFO_PROBE_FORCE_FORWARDING
bool probe(const struct inet6_dev *idev)
{
	return idev->cnf.force_forwarding;
}
#endif

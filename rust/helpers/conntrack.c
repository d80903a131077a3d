// SPDX-License-Identifier: GPL-2.0

#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/netfilter/nf_conntrack_timeout.h>

struct nf_conn *nfo_ct_get(const struct sk_buff *skb, enum ip_conntrack_info *ctinfo)
{
	return nf_ct_get(skb, ctinfo);
}

void nfo_ct_hold(struct nf_conn *ct)
{
	refcount_inc(&ct->ct_general.use);
}

void nfo_ct_put(struct nf_conn *ct)
{
	nf_ct_put(ct);
}

struct net *nfo_ct_net(const struct nf_conn *ct)
{
	return nf_ct_net(ct);
}

bool nfo_ct_has_helper(const struct nf_conn *ct)
{
	return nf_ct_ext_exist(ct, NF_CT_EXT_HELPER);
}

bool nfo_ct_tcp_established(const struct nf_conn *ct)
{
	return nf_conntrack_tcp_established(ct);
}

void nfo_ct_refresh(struct nf_conn *ct, u32 timeout)
{
#ifdef NFO_HAVE_CT_REFRESH_WITHOUT_SKB
	nf_ct_refresh(ct, timeout);
#else
	/* It does not look at the packet, only for whether it should count it: not so. */
	nf_ct_refresh(ct, NULL, timeout);
#endif
}

bool nfo_ct_test_and_set_status(struct nf_conn *ct, unsigned int bit)
{
	return test_and_set_bit(bit, &ct->status);
}

void nfo_ct_clear_status(struct nf_conn *ct, unsigned int bit)
{
	clear_bit_unlock(bit, &ct->status);
}

u32 nfo_ct_tcp_timeout(const struct net *net, unsigned int state)
{
	return READ_ONCE(nf_tcp_pernet((struct net *)net)->timeouts[state]);
}

u32 nfo_ct_udp_timeout(const struct net *net, unsigned int state)
{
	return READ_ONCE(nf_udp_pernet((struct net *)net)->timeouts[state]);
}

/* Without the tracker for GRE there is no GRE connection that could be asked for. */
u32 nfo_ct_gre_timeout(const struct nf_conn *ct, bool replied)
{
#ifdef CONFIG_NF_CT_PROTO_GRE
	return replied ? READ_ONCE(ct->proto.gre.stream_timeout) : READ_ONCE(ct->proto.gre.timeout);
#else
	return HZ;
#endif
}

/* Of the connection's own policy, or NULL. */
unsigned int *nfo_ct_timeouts(const struct nf_conn *ct)
{
	return nf_ct_timeout_lookup(ct);
}

void nfo_ct_event(struct nf_conn *ct, unsigned int event)
{
	nf_conntrack_event_cache(event, ct);
	nf_ct_deliver_cached_events(ct);
}

/* Kernels without C's flow tables have no sysctls for these, but the same default. */
u32 nfo_flowtable_tcp_timeout(const struct net *net)
{
#if IS_ENABLED(CONFIG_NF_FLOW_TABLE)
	return READ_ONCE(nf_tcp_pernet((struct net *)net)->offload_timeout);
#else
	return NF_FLOW_TIMEOUT;
#endif
}

u32 nfo_flowtable_udp_timeout(const struct net *net)
{
#if IS_ENABLED(CONFIG_NF_FLOW_TABLE)
	return READ_ONCE(nf_udp_pernet((struct net *)net)->offload_timeout);
#else
	return NF_FLOW_TIMEOUT;
#endif
}

u32 nfo_ct_mark(const struct nf_conn *ct)
{
#ifdef CONFIG_NF_CONNTRACK_MARK
	return READ_ONCE(ct->mark);
#else
	return 0;
#endif
}

/* Of the original and of the reply direction, or NULL: they are at the start of the extension. */
void *nfo_ct_counters(const struct nf_conn *ct)
{
	BUILD_BUG_ON(offsetof(struct nf_conn_acct, counter) != 0);
	return nf_conn_acct_find(ct);
}

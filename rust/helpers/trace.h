/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints of group nft_offload_rs: what happens to flows, and why. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM nft_offload_rs

#if !defined(NFT_OFFLOAD_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define NFT_OFFLOAD_TRACE_H

#include <linux/tracepoint.h>
#include <net/netfilter/nf_conntrack.h>

/* A connection, by what packets of its original direction have, and why something was done. */
DECLARE_EVENT_CLASS(nft_offload_connection,
	TP_PROTO(const struct nf_conn *ct, const char *why),
	TP_ARGS(ct, why),
	TP_STRUCT__entry(
		__field(u16, family)
		__field(u8, protocol)
		__field(__be16, sport)
		__field(__be16, dport)
		__array(u8, source, 16)
		__array(u8, destination, 16)
		__field(unsigned int, netns)
		__string(why, why)
	),
	TP_fast_assign(
		const struct nf_conntrack_tuple *tuple = &ct->tuplehash[0].tuple;

		__entry->family = tuple->src.l3num;
		__entry->protocol = tuple->dst.protonum;
		__entry->sport = tuple->src.u.all;
		__entry->dport = tuple->dst.u.all;
		memcpy(__entry->source, &tuple->src.u3, 16);
		memcpy(__entry->destination, &tuple->dst.u3, 16);
		__entry->netns = nf_ct_net(ct)->ns.inum;
		__assign_str(why);
	),
	TP_printk("netns=%u family=%u protocol=%u saddr=%pI4 daddr=%pI4 saddrv6=%pI6c daddrv6=%pI6c sport=%u dport=%u why=%s",
		  __entry->netns, __entry->family, __entry->protocol, __entry->source,
		  __entry->destination, __entry->source, __entry->destination,
		  ntohs(__entry->sport), ntohs(__entry->dport), __get_str(why))
);

DEFINE_EVENT(nft_offload_connection, nft_offload_flow_added,
	TP_PROTO(const struct nf_conn *ct, const char *why), TP_ARGS(ct, why));
DEFINE_EVENT(nft_offload_connection, nft_offload_flow_refused,
	TP_PROTO(const struct nf_conn *ct, const char *why), TP_ARGS(ct, why));
DEFINE_EVENT(nft_offload_connection, nft_offload_flow_rerouted,
	TP_PROTO(const struct nf_conn *ct, const char *why), TP_ARGS(ct, why));
DEFINE_EVENT(nft_offload_connection, nft_offload_flow_ended,
	TP_PROTO(const struct nf_conn *ct, const char *why), TP_ARGS(ct, why));

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH helpers
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

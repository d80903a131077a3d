// SPDX-License-Identifier: GPL-2.0
#define CREATE_TRACE_POINTS
#include "trace.h"

void nfo_trace_flow_added(const struct nf_conn *ct, const char *why)
{
	trace_nft_offload_flow_added(ct, why);
}

void nfo_trace_flow_refused(const struct nf_conn *ct, const char *why)
{
	trace_nft_offload_flow_refused(ct, why);
}

void nfo_trace_flow_rerouted(const struct nf_conn *ct, const char *why)
{
	trace_nft_offload_flow_rerouted(ct, why);
}

void nfo_trace_flow_ended(const struct nf_conn *ct, const char *why)
{
	trace_nft_offload_flow_ended(ct, why);
}

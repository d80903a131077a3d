// SPDX-License-Identifier: GPL-2.0

//! Software flow offload for nf_tables, in place of the C modules nf_flow_table,
//! nf_flow_table_inet and nft_flow_offload.
//!
//! See `docs/theory-of-operation.md`. Layers, from below:
//!
//! - [`bindings`]: generated, and shims in C over static inlines.
//! - [`kernel_net`]: safe abstractions, one file for each C subsystem. All `unsafe` code is here.
//! - everything else: the logic, in safe Rust. `flow/` and `fast/parse` have pure parts without
//!   kernel types.

#[cfg_attr(nft_offload_own_crate, path = "own/all_bindings.rs")]
mod bindings;
mod compat;
mod events;
mod expr;
mod fast;
mod flow;
mod hardware;
mod kernel_net;
mod listing;
mod next_hop;
mod path;
mod reason;
mod stats;
mod table;

use crate::compat::prelude::*;
use kernel_net::netfilter::Family;
use kernel_net::work::Worker;
use kernel_net::{
    bridge,
    device,
    flowtable,
    module,
    namespace,
    nft,
    rcu, //
};

module! {
    type: NftOffload,
    name: "nft_offload_rs",
    authors: ["The nft_offload_rs authors"],
    description: "Software flow offload for nf_tables",
    license: "GPL",
    alias: [
        "nf-flowtable-2",
        "nf-flowtable-10",
        "nf-flowtable-1",
        "nft-expr-2-flow_offload",
        "nft-expr-10-flow_offload",
        "nft-expr-1-flow_offload",
    ],
}

/// The registrations, in the order in which they end.
#[pin_data]
struct NftOffload {
    #[pin]
    expr_ipv4: nft::Registration<expr::FlowAdd>,
    #[pin]
    expr_ipv6: nft::Registration<expr::FlowAdd>,
    #[pin]
    expr_inet: nft::Registration<expr::FlowAdd>,
    #[pin]
    type_ipv4: flowtable::Registration<Worker<table::FlowTable>>,
    #[pin]
    type_ipv6: flowtable::Registration<Worker<table::FlowTable>>,
    #[pin]
    type_inet: flowtable::Registration<Worker<table::FlowTable>>,
    #[pin]
    devices: device::Notifier<events::Devices>,
    #[pin]
    stations: bridge::Notifier<events::Stations>,
    #[pin]
    ports: bridge::PortsNotifier<events::Ports>,
    #[pin]
    namespaces: namespace::Subsystem<stats::NamespaceState>,
    callbacks: Callbacks,
}

/// Waits, at the very end, for RCU callbacks into this module.
struct Callbacks;

impl Drop for Callbacks {
    fn drop(&mut self) {
        rcu::rcu_barrier();
    }
}

impl crate::compat::InPlaceModule for NftOffload {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        if module::is_loaded(module, c"nf_flow_table_inet") {
            pr_warn!(
                "nf_flow_table_inet was loaded first and keeps all new flowtables; \
                 unload it, or load this module before\n"
            );
        }
        try_pin_init!(Self {
            callbacks: Callbacks,
            namespaces <- namespace::Subsystem::register(),
            ports <- bridge::ports_notifier(events::Ports),
            stations <- bridge::notifier(events::Stations),
            devices <- device::notifier(events::Devices),
            type_ipv4 <- flowtable::Registration::register(Family::Ipv4, module),
            type_ipv6 <- flowtable::Registration::register(Family::Ipv6, module),
            type_inet <- flowtable::Registration::register(Family::Inet, module),
            expr_ipv4 <- nft::Registration::register(Family::Ipv4, module),
            expr_ipv6 <- nft::Registration::register(Family::Ipv6, module),
            expr_inet <- nft::Registration::register(Family::Inet, module),
        })
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The fast path: parse → lookup → check → rewrite → transmit.
//!
//! Everything that can turn a packet away comes before the first byte is changed, so that a packet
//! that is turned away goes on to the classic path untouched.

pub(crate) mod parse;
mod wrapped;

use crate::flow::encap;
use crate::flow::ip::{
    Ip,
    V4,
    V6, //
};
use crate::flow::key::Port;
use crate::flow::nat::Transport;
use crate::flow::state::State;
use crate::kernel_net::flowtable::Options;
use crate::kernel_net::netfilter::{
    Family,
    Verdict, //
};
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::skb::{
    Addressee,
    Skb,
    Summed, //
};
use crate::kernel_net::time::jiffies;
use crate::kernel_net::work::Worker;
use crate::next_hop::Check;
use crate::reason::{
    Bypass,
    Teardown, //
};
use crate::table::{
    FlowTable,
    Stored, //
};
use parse::{
    Headers,
    Reject, //
};

/// Forwards a packet, if it is of a version of IP that the flowtable is for.
#[inline(always)]
pub(crate) fn forward_family<'a>(
    table: &'a Worker<FlowTable>,
    family: Family,
    options: Options,
    skb: Skb<'a>,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    if skb.addressee() == Addressee::Many {
        return Verdict::Accept(skb);
    }
    if skb.has_vlan_tag() {
        return wrapped::forward_family(table, family, options, skb, rcu);
    }
    match (skb.protocol(), family) {
        (V4::ETHERTYPE, Family::Ipv4 | Family::Inet) => plain::<V4>(table, options, skb, rcu),
        (V6::ETHERTYPE, Family::Ipv6 | Family::Inet) => plain::<V6>(table, options, skb, rcu),
        (encap::PPPOE | encap::VLAN | encap::SERVICE_VLAN, _) => {
            wrapped::forward_family(table, family, options, skb, rcu)
        }
        _ => Verdict::Accept(skb),
    }
}

/// Forwards a packet that is not wrapped in anything, unless it came through a tunnel.
#[inline(always)]
fn plain<'a, F: Stored>(
    table: &'a Worker<FlowTable>,
    options: Options,
    mut skb: Skb<'a>,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    let port = Port::plain(skb.ingress_ifindex());
    // The network header may be in pieces, and after it the transport header.
    for _ in 0..3 {
        match F::parse(skb.linear(), port) {
            Ok(headers) => {
                let inside = Inside {
                    headers,
                    at: 0,
                    tunnel: false,
                };
                return forward::<F, false>(table, options, skb, inside, rcu);
            }
            Err(Reject::Short(len)) if skb.pull(len) => {}
            Err(_) if !F::flows(table).tunnels.is_empty() => {
                return wrapped::forward_version::<F>(table, options, skb, rcu);
            }
            Err(_) => break,
        }
    }
    Verdict::Accept(skb)
}

/// A packet within what it is wrapped in.
struct Inside<K> {
    headers: Headers<K>,
    /// Bytes before its network header.
    at: u32,
    /// Whether they end with the header of a tunnel.
    tunnel: bool,
}

/// Forwards a packet of a known flow. `WRAPPED` says whether anything may be around it.
#[inline(always)]
fn forward<'a, F: Stored, const WRAPPED: bool>(
    table: &'a Worker<FlowTable>,
    options: Options,
    mut skb: Skb<'a>,
    inside: Inside<F::Key>,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    let Inside {
        headers,
        at,
        tunnel,
    } = inside;
    let Some(found) = F::flows(table).lookup(&headers.key, rcu) else {
        return Verdict::Accept(skb);
    };
    let direction = found.object.direction(found.side);
    let next_hop = direction.next_hop.get(rcu);
    let now = jiffies();

    let bypass = |skb, why| {
        table.state.bypassed(why);
        table.visit_soon(&found, rcu);
        Verdict::Accept(skb)
    };
    let end = |skb, why| {
        FlowTable::end(table, &found, why, now, rcu);
        Verdict::Accept(skb)
    };

    if !direction.state.forwards() {
        return bypass(skb, Bypass::FlowOver);
    }
    if direction.conn.status().is_dying() {
        return end(skb, Teardown::ConnectionGone);
    }
    if skb.addressee() == Addressee::Other {
        // A bridge or VLAN device above may have an address of its own; nobody else's frames are
        // for us, although a promiscuous device shows them.
        let back = found.object.direction(found.side.other());
        let own = back.next_hop.get(rcu).own_address();
        if own.is_none() || own != skb.ethernet_destination() {
            return bypass(skb, Bypass::OtherHost);
        }
    }
    if skb.len().wrapping_sub(at) > next_hop.mtu
        && !(skb.is_gso() && skb.segments_fit(next_hop.mtu.saturating_add(at)))
    {
        return bypass(skb, Bypass::Mtu);
    }
    if headers.tcp.opens() && direction.state.get() == State::Closing {
        return end(skb, Teardown::TcpReopen);
    }
    if headers.tcp.closes() {
        found.object.close();
        FlowTable::withdraw(table, found.index, found.object, rcu);
    }
    match next_hop.check(now, rcu) {
        Check::Good => {}
        Check::PathChanged => {
            FlowTable::mark_stale(table, &found, now, rcu);
            return bypass(skb, Bypass::PathChanged);
        }
        Check::NeighbourUnknown => return bypass(skb, Bypass::Neighbour),
    }
    let headroom = next_hop.headroom.saturating_sub(at);
    if !skb.make_writable(headers.len.wrapping_add(at), headroom) {
        let why = if skb.is_shared() {
            Bypass::Shared
        } else {
            Bypass::NoMemory
        };
        return bypass(skb, why);
    }
    if WRAPPED && tunnel && !skb.leave_tunnel() {
        return bypass(skb, Bypass::NoMemory);
    }

    // From here on the packet is ours.
    direction.refresh(table.deadline(headers.protocol, now));
    let how = match skb.summed() {
        Summed::Partial => Transport::Pseudo,
        Summed::Complete => {
            skb.forget_sum();
            Transport::Whole
        }
        Summed::None | Summed::Unnecessary => Transport::Whole,
    };
    if WRAPPED {
        skb.set_vlan_tag(None);
        skb.pull_header(at, F::ETHERTYPE);
    }
    F::apply(&direction.rewrite, skb.linear_mut(), headers.protocol, how);
    if options.hardware() {
        FlowTable::seen_in_software(table, &found, options, now, rcu);
    }
    if options.counter() {
        direction.conn.account(found.side, 1, skb.len());
    }
    next_hop.transmit(skb, F::ETHERTYPE, table.state.forwarded(), rcu);
    Verdict::Stolen
}

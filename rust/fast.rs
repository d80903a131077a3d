// SPDX-License-Identifier: GPL-2.0

//! The fast path: parse → lookup → check → rewrite → transmit.
//!
//! Everything that can turn a packet away comes before the first byte is changed, so that a packet
//! that is turned away goes on to the classic path untouched.

pub(crate) mod parse;

use crate::flow::ip::{
    Ip,
    V4,
    V6, //
};
use crate::flow::nat::Transport;
use crate::flow::state::State;
use crate::kernel_net::flowtable::Options;
use crate::kernel_net::netfilter::{
    Family,
    Verdict, //
};
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::skb::{
    Skb,
    Summed, //
};
use crate::kernel_net::time::jiffies;
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
    table: &'a FlowTable,
    family: Family,
    options: Options,
    skb: Skb<'a>,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    // Frames for others and tagged ones are not for plain flows.
    if !skb.is_for_us() || skb.has_vlan_tag() {
        return Verdict::Accept(skb);
    }
    match (skb.protocol(), family) {
        (V4::ETHERTYPE, Family::Ipv4 | Family::Inet) => forward::<V4>(table, options, skb, rcu),
        (V6::ETHERTYPE, Family::Ipv6 | Family::Inet) => forward::<V6>(table, options, skb, rcu),
        _ => Verdict::Accept(skb),
    }
}

/// The headers of a packet, in one piece.
#[inline(always)]
fn headers<F: Ip>(skb: &mut Skb<'_>) -> Option<Headers<F::Key>> {
    let ingress = skb.ingress_ifindex();
    // The network header may be in pieces, and after it the transport header.
    for _ in 0..3 {
        match F::parse(skb.linear(), ingress) {
            Ok(headers) => return Some(headers),
            Err(Reject::Short(len)) if skb.pull(len) => {}
            Err(_) => return None,
        }
    }
    None
}

#[inline(always)]
fn forward<'a, F: Stored>(
    table: &'a FlowTable,
    options: Options,
    mut skb: Skb<'a>,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    let Some(headers) = headers::<F>(&mut skb) else {
        return Verdict::Accept(skb);
    };
    let Some(found) = F::flows(table).lookup(&headers.key, rcu) else {
        return Verdict::Accept(skb);
    };
    let direction = found.object.direction(found.side);
    let next_hop = &*direction.next_hop;
    let now = jiffies();

    let bypass = |skb, why| {
        table.state.bypassed(why);
        table.visit_soon(&found, rcu);
        Verdict::Accept(skb)
    };
    let end = |skb, why| {
        table.end(&found, why, now, rcu);
        Verdict::Accept(skb)
    };

    if !direction.state.forwards() {
        return bypass(skb, Bypass::FlowOver);
    }
    if direction.conn.status().is_dying() {
        return end(skb, Teardown::ConnectionGone);
    }
    if skb.len() > next_hop.mtu && !(skb.is_gso() && skb.segments_fit(next_hop.mtu)) {
        return bypass(skb, Bypass::Mtu);
    }
    if headers.tcp.opens() && direction.state.get() == State::Closing {
        return end(skb, Teardown::TcpReopen);
    }
    if headers.tcp.closes() {
        found.object.close();
    }
    match next_hop.check(now, rcu) {
        Check::Good => {}
        Check::RouteChanged => return end(skb, Teardown::RouteChanged),
        Check::NeighbourGone => return end(skb, Teardown::NeighbourGone),
        Check::NeighbourUnknown => return bypass(skb, Bypass::Neighbour),
    }
    if !skb.make_writable(headers.len, next_hop.headroom) {
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
    F::apply(&direction.rewrite, skb.linear_mut(), headers.protocol, how);
    if options.counter() {
        direction.conn.account(found.side, skb.len());
    }
    next_hop.transmit(skb, F::ETHERTYPE, table.state.forwarded(), rcu);
    Verdict::Stolen
}

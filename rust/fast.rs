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
use crate::flow::nat::{
    Protocol,
    Transport, //
};
use crate::flow::state::State;
use crate::flow::Flow;
use crate::kernel_net::flowtable::Options;
use crate::kernel_net::netfilter::{
    Family,
    Verdict, //
};
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::rcu_table::{
    First,
    Found, //
};
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

/// What may be around packets that [`forward`] is compiled for, or [`ANYTHING`]: nothing, one VLAN tag
/// beside the packet, or a PPPoE session and perhaps such a tag. The frame is for this station.
const NOTHING: u8 = 0;
const TAG: u8 = 1;
const SESSION: u8 = 2;
/// Whatever can be, and the frame may be for somebody else.
const ANYTHING: u8 = 3;

/// Forwards a packet, if it is of a version of IP that the flowtable is for.
#[inline(always)]
pub(crate) fn forward_family<'a>(
    table: &'a Worker<FlowTable>,
    family: Family,
    options: Options,
    skb: Skb<'a>,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    // Frames for others are looked at more closely there.
    if skb.addressee() != Addressee::Device {
        return wrapped::forward_family(table, family, options, skb, rcu);
    }
    if skb.has_vlan_tag() {
        return wrapped::forward_tagged(table, family, options, skb, rcu);
    }
    let port = Port::plain(skb.ingress_ifindex());
    if family != Family::Ipv6 && skb.has_protocol(V4::ETHERTYPE) {
        return enter::<V4, NOTHING>(table, family, options, skb, port, rcu);
    }
    if family != Family::Ipv4 && skb.has_protocol(V6::ETHERTYPE) {
        return enter::<V6, NOTHING>(table, family, options, skb, port, rcu);
    }
    match skb.protocol() {
        encap::PPPOE => wrapped::forward_session(table, family, options, skb, rcu),
        encap::VLAN | encap::SERVICE_VLAN => {
            wrapped::forward_family(table, family, options, skb, rcu)
        }
        _ => Verdict::Accept(skb),
    }
}

/// Bytes before the network header, where they are always as many.
const fn shift(around: u8) -> usize {
    if around == SESSION {
        encap::PPPOE_LEN
    } else {
        0
    }
}

/// Forwards a packet around which there is no more than `AROUND` says, unless it came through a tunnel.
#[inline(always)]
fn enter<'a, F: Stored, const AROUND: u8>(
    table: &'a Worker<FlowTable>,
    family: Family,
    options: Options,
    mut skb: Skb<'a>,
    port: Port,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    let at = shift(AROUND);
    // The network header may be in pieces, and after it the transport header.
    for _ in 0..3 {
        match F::parse(skb.linear().get(at..).unwrap_or(&[]), port) {
            Ok(headers) => {
                let inside = Inside {
                    headers,
                    port,
                    // CAST: The length of a header.
                    at: at as u32,
                    tunnel: false,
                };
                // Compiled for each of those that packets are of.
                return match headers.protocol {
                    Protocol::Tcp => {
                        forward::<F, AROUND, TCP>(table, options, skb, inside, rcu)
                    }
                    Protocol::Udp => {
                        forward::<F, AROUND, UDP>(table, options, skb, inside, rcu)
                    }
                    Protocol::Gre => wrapped::forward_family(table, family, options, skb, rcu),
                };
            }
            // CAST: As above.
            Err(Reject::Short(len)) if skb.pull(len.saturating_add(at as u32)) => {}
            Err(_) if !F::flows(table).tunnels.is_empty() => {
                return wrapped::forward_family(table, family, options, skb, rcu);
            }
            Err(_) => break,
        }
    }
    Verdict::Accept(skb)
}

/// A packet within what it is wrapped in.
struct Inside<K> {
    headers: Headers<K>,
    /// Where it came in.
    port: Port,
    /// Bytes before its network header.
    at: u32,
    /// Whether they end with the header of a tunnel.
    tunnel: bool,
}

/// Looks a packet up that was not found at once. It reads the key anew, which need not be kept for this.
#[cold]
#[inline(never)]
fn look_again<'rcu, F: Stored>(
    table: &'rcu FlowTable,
    skb: &Skb<'_>,
    at: u32,
    port: Port,
    rcu: ReadSide<'rcu>,
) -> Option<Found<'rcu, Flow<F>>> {
    let packet = skb.linear().get(at as usize..)?;
    let headers = F::parse(packet, port).ok()?;
    F::flows(table).lookup(&headers.key, rcu)
}

/// Protocols that [`forward`] is compiled for; or for all of them.
const TCP: u8 = 6;
const UDP: u8 = 17;
const ANY: u8 = 0;

/// Leaves a packet of a known flow to the classic path.
#[cold]
#[inline(never)]
fn bypass<F: Stored>(
    table: &Worker<FlowTable>,
    found: Found<'_, Flow<F>>,
    why: Bypass,
    rcu: ReadSide<'_>,
) {
    table.state.bypassed(why);
    table.visit_soon(found, rcu);
}

/// A FIN or RST of a flow went by.
#[cold]
#[inline(never)]
fn close<F: Stored>(table: &Worker<FlowTable>, found: Found<'_, Flow<F>>, rcu: ReadSide<'_>) {
    found.object.close();
    FlowTable::withdraw(table, found.index, found.object, rcu);
}

/// What to do about a transport checksum that is not all in the packet.
#[inline(never)]
fn sum_of(skb: &mut Skb<'_>) -> Transport {
    match skb.summed() {
        Summed::Partial => Transport::Pseudo,
        Summed::Complete => {
            skb.forget_sum();
            Transport::Whole
        }
        Summed::None | Summed::Unnecessary => Transport::Whole,
    }
}

/// Forwards a packet of a known flow. `AROUND` says what may be around it, `PROTOCOL` of which
/// protocol it is.
#[inline(always)]
fn forward<'a, F: Stored, const AROUND: u8, const PROTOCOL: u8>(
    table: &'a Worker<FlowTable>,
    options: Options,
    mut skb: Skb<'a>,
    inside: Inside<F::Key>,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    let Inside {
        headers,
        port,
        at,
        tunnel,
    } = inside;
    let protocol = match PROTOCOL {
        TCP => Protocol::Tcp,
        UDP => Protocol::Udp,
        _ => headers.protocol,
    };
    let flows = F::flows(table);
    let found = if AROUND == ANYTHING {
        match flows.lookup(&headers.key, rcu) {
            Some(found) => found,
            None => return Verdict::Accept(skb),
        }
    } else {
        match flows.lookup_first(&headers.key, rcu) {
            First::Found(found) => found,
            First::Missing => return Verdict::Accept(skb),
            First::Elsewhere => match look_again::<F>(table, &skb, at, port, rcu) {
                Some(found) => found,
                None => return Verdict::Accept(skb),
            },
        }
    };
    let direction = found.object.direction(found.side);
    let next_hop = direction.next_hop.get(rcu);
    let now = jiffies();

    let bypass = |skb, why| {
        bypass(table, found, why, rcu);
        Verdict::Accept(skb)
    };
    let end = |skb, why| {
        FlowTable::end(table, found, why, now, rcu);
        Verdict::Accept(skb)
    };

    if !direction.state.forwards() {
        return bypass(skb, Bypass::FlowOver);
    }
    if direction.conn.status().is_dying() {
        return end(skb, Teardown::ConnectionGone);
    }
    if AROUND == ANYTHING && skb.addressee() == Addressee::Other {
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
    if headers.tcp.opens_or_closes() {
        if headers.tcp.opens() && direction.state.get() == State::Closing {
            return end(skb, Teardown::TcpReopen);
        }
        if headers.tcp.closes() {
            close(table, found, rcu);
        }
    }
    match next_hop.check(now, rcu) {
        Check::Good => {}
        Check::PathChanged => {
            FlowTable::mark_stale(table, found, now, rcu);
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
    if AROUND == ANYTHING && tunnel && !skb.leave_tunnel() {
        return bypass(skb, Bypass::NoMemory);
    }

    // From here on the packet is ours.
    direction.refresh(table.deadline(protocol, now));
    let how = if skb.is_simply_summed() {
        Transport::Whole
    } else {
        sum_of(&mut skb)
    };
    if AROUND != NOTHING {
        skb.set_vlan_tag(None);
    }
    if AROUND == SESSION || AROUND == ANYTHING {
        skb.pull_header(at, F::ETHERTYPE);
    }
    F::apply(&direction.rewrite, skb.linear_mut(), protocol, how);
    if options.hardware() {
        FlowTable::seen_in_software(table, found, options, now, rcu);
    }
    if options.counter() {
        direction.conn.account(found.side, 1, skb.len());
    }
    next_hop.transmit(skb, table.state.forwarded(), rcu);
    Verdict::Stolen
}

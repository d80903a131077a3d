// SPDX-License-Identifier: GPL-2.0

//! Packets that come in wrapped: with VLAN tags, in a PPPoE session, through a tunnel; and all others
//! that take more than a look: frames for other stations, headers in pieces, GRE, flows whose entry
//! is not in its own bucket.

use super::parse::{
    unwrap,
    Reject,
    Unwrapped, //
};
use super::{
    enter,
    forward_found,
    Inside,
    ANY,
    ANYTHING,
    SESSION,
    TAG, //
};
use crate::flow::encap::{
    self,
    Encap,
    Tag, //
};
use crate::flow::ip::{
    Ip,
    V4,
    V6, //
};
use crate::flow::key::Port;
use crate::kernel_net::flowtable::Options;
use crate::kernel_net::netfilter::{
    Family,
    Verdict, //
};
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::skb::{
    Addressee,
    Skb, //
};
use crate::kernel_net::work::Worker;
use crate::table::{
    FlowTable,
    Stored, //
};

/// The most pieces that the headers of a packet may be in: each time, one more is made whole.
const PIECES: usize = 6;

/// Forwards a packet for this station that has a VLAN tag beside it.
#[inline(never)]
pub(super) fn forward_tagged<'a>(
    table: &'a Worker<FlowTable>,
    family: Family,
    options: Options,
    skb: Skb<'a>,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    let Some(tag) = tag_of(&skb) else {
        return forward_family(table, family, options, skb, rcu);
    };
    let port = Port::new(skb.ingress_ifindex(), Encap::of(tag), 0);
    if family != Family::Ipv6 && skb.has_protocol(V4::ETHERTYPE) {
        enter::<V4, TAG>(table, family, options, skb, port, rcu)
    } else if family != Family::Ipv4 && skb.has_protocol(V6::ETHERTYPE) {
        enter::<V6, TAG>(table, family, options, skb, port, rcu)
    } else if skb.has_protocol(encap::PPPOE) {
        forward_session(table, family, options, skb, rcu)
    } else {
        forward_family(table, family, options, skb, rcu)
    }
}

/// Forwards a packet for this station that is in a PPPoE session, perhaps with a VLAN tag beside it.
#[inline(never)]
pub(super) fn forward_session<'a>(
    table: &'a Worker<FlowTable>,
    family: Family,
    options: Options,
    skb: Skb<'a>,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    let Ok(inside) = encap::read_session(skb.linear()) else {
        return forward_family(table, family, options, skb, rcu);
    };
    let ifindex = skb.ingress_ifindex();
    let port = if !skb.has_vlan_tag() {
        Port::new(ifindex, Encap::of(inside.tag), 0)
    } else if let Some(tag) = tag_of(&skb) {
        Port::new(ifindex, Encap::of_two(tag, inside.tag), 0)
    } else {
        return forward_family(table, family, options, skb, rcu);
    };
    match inside.ethertype {
        V4::ETHERTYPE if family != Family::Ipv6 => {
            enter::<V4, SESSION>(table, family, options, skb, port, rcu)
        }
        V6::ETHERTYPE if family != Family::Ipv4 => {
            enter::<V6, SESSION>(table, family, options, skb, port, rcu)
        }
        _ => Verdict::accept(skb),
    }
}

/// The VLAN tag beside a packet.
#[inline(always)]
pub(super) fn tag_of(skb: &Skb<'_>) -> Option<Tag> {
    skb.vlan_tag()
        .and_then(|(ethertype, control)| Tag::vlan(ethertype, control))
}

/// Forwards any packet: whatever may be around it, and whomever it may be for.
#[inline(never)]
pub(super) fn forward_family<'a>(
    table: &'a Worker<FlowTable>,
    family: Family,
    options: Options,
    mut skb: Skb<'a>,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    if skb.addressee() == Addressee::Many {
        return Verdict::accept(skb);
    }
    let tag = tag_of(&skb);
    for _ in 0..PIECES {
        match unwrap(skb.linear(), tag, skb.protocol()) {
            Ok(around) => {
                return match (around.ethertype, family) {
                    (V4::ETHERTYPE, Family::Ipv4 | Family::Inet) => {
                        forward_inside::<V4>(table, options, skb, around, rcu)
                    }
                    (V6::ETHERTYPE, Family::Ipv6 | Family::Inet) => {
                        forward_inside::<V6>(table, options, skb, around, rcu)
                    }
                    _ => Verdict::accept(skb),
                };
            }
            Err(Reject::Short(len)) if skb.pull(len) => {}
            Err(_) => break,
        }
    }
    Verdict::accept(skb)
}

fn forward_inside<'a, F: Stored>(
    table: &'a Worker<FlowTable>,
    options: Options,
    mut skb: Skb<'a>,
    around: Unwrapped,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    let ifindex = skb.ingress_ifindex();
    for _ in 0..PIECES {
        match look_inside::<F>(table, skb.linear(), ifindex, around, rcu) {
            Ok(inside) => {
                return match F::flows(table).lookup_often(&inside.key, rcu) {
                    Some(found) => {
                        let shape = inside.shape;
                        forward_found::<F, ANYTHING, ANY>(table, options, skb, found, shape, rcu)
                    }
                    None => Verdict::accept(skb),
                };
            }
            Err(Reject::Short(len)) if skb.pull(len) => {}
            Err(_) => break,
        }
    }
    Verdict::accept(skb)
}

/// The headers of the packet inside.
fn look_inside<F: Stored>(
    table: &FlowTable,
    packet: &[u8],
    ifindex: u32,
    around: Unwrapped,
    rcu: ReadSide<'_>,
) -> Result<Inside<F::Key>, Reject> {
    let from = |at: usize| packet.get(at..).unwrap_or(&[]);
    // CAST: The length of headers.
    let shift = |at: usize| {
        move |reject| match reject {
            Reject::Short(len) => Reject::Short(len.saturating_add(at as u32)),
            Reject::Other => Reject::Other,
        }
    };
    let tunnels = &F::flows(table).tunnels;
    let mut at = around.at;
    let mut number = 0;
    if !tunnels.is_empty() {
        match F::parse_tunnel(from(at)) {
            Ok(endpoints) => {
                number = tunnels.number(&endpoints, rcu).ok_or(Reject::Other)?;
                at = at.saturating_add(F::HEADER_LEN as usize);
            }
            Err(Reject::Other) => {}
            Err(short) => return Err(shift(at)(short)),
        }
    }
    let port = Port::new(ifindex, around.encap, number);
    let headers = F::parse(from(at), port).map_err(shift(at))?;
    Ok(Inside::new(headers, at, number != 0))
}

// SPDX-License-Identifier: GPL-2.0

//! Packets that come in wrapped: with VLAN tags, in a PPPoE session, through a tunnel.

use super::parse::{
    unwrap,
    Reject,
    Unwrapped, //
};
use super::{
    forward,
    Inside,
    ANY, //
};
use crate::flow::encap::{
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

/// Forwards a packet that has a VLAN tag, or an EtherType that stands for an encapsulation, or that
/// may be for somebody else.
#[inline(never)]
pub(super) fn forward_family<'a>(
    table: &'a Worker<FlowTable>,
    family: Family,
    options: Options,
    mut skb: Skb<'a>,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    if skb.addressee() == Addressee::Many {
        return Verdict::Accept(skb);
    }
    let tag = skb
        .vlan_tag()
        .and_then(|(ethertype, control)| Tag::vlan(ethertype, control));
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
                    _ => Verdict::Accept(skb),
                };
            }
            Err(Reject::Short(len)) if skb.pull(len) => {}
            Err(_) => break,
        }
    }
    Verdict::Accept(skb)
}

/// Forwards a packet that may have come through a tunnel, and is not wrapped otherwise.
#[inline(never)]
pub(super) fn forward_version<'a, F: Stored>(
    table: &'a Worker<FlowTable>,
    options: Options,
    skb: Skb<'a>,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    let around = Unwrapped {
        encap: Encap::NONE,
        ethertype: F::ETHERTYPE,
        at: 0,
    };
    forward_inside::<F>(table, options, skb, around, rcu)
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
            Ok(inside) => return forward::<F, true, ANY>(table, options, skb, inside, rcu),
            Err(Reject::Short(len)) if skb.pull(len) => {}
            Err(_) => break,
        }
    }
    Verdict::Accept(skb)
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
                at = at.saturating_add(F::TUNNEL_LEN as usize);
            }
            Err(Reject::Other) => {}
            Err(short) => return Err(shift(at)(short)),
        }
    }
    let port = Port::new(ifindex, around.encap, number);
    Ok(Inside {
        headers: F::parse(from(at), port).map_err(shift(at))?,
        // CAST: The length of headers.
        at: at as u32,
        tunnel: number != 0,
    })
}

// SPDX-License-Identifier: GPL-2.0

//! Ways out that do more than put the same headers in front: tunnels, more tags than one, packets
//! that have to be segmented for a session, routes that transform packets, devices that are not
//! Ethernet.
//!
//! Headers go in front from the inside out: tunnel, encapsulations, Ethernet. The outermost VLAN
//! tag is left to the device.

use super::{
    Check,
    Link,
    NextHop, //
};
use crate::flow::encap::{
    self,
    Encap,
    Tag, //
};
use crate::flow::tunnel::{
    self,
    Endpoints, //
};
use crate::kernel_net::dst::Dst;
use crate::kernel_net::namespace::Namespace;
use crate::kernel_net::percpu::Counter;
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::skb::Skb;
use crate::table::tunnels::TunnelRef;

/// The addresses of a tunnel, as sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    V4(Endpoints<4>),
    V6(Endpoints<16>),
}

impl Ends {
    /// The number of what is inside, as in the outer header.
    pub(crate) fn protocol(&self) -> u8 {
        match self {
            Self::V4(_) => tunnel::IPIP,
            Self::V6(_) => tunnel::IPV6,
        }
    }

    /// Source and destination; of IPv4 the first four bytes.
    pub(crate) fn addresses(&self) -> ([u8; 16], [u8; 16]) {
        let (mut source, mut destination) = ([0; 16], [0; 16]);
        match self {
            Self::V4(ends) => {
                source[..4].copy_from_slice(&ends.source);
                destination[..4].copy_from_slice(&ends.destination);
            }
            Self::V6(ends) => (source, destination) = (ends.source, ends.destination),
        }
        (source, destination)
    }
}

/// A tunnel that packets go into.
pub(crate) struct Tunnel {
    pub(crate) ends: Ends,
    /// The way to its far end.
    pub(crate) dst: Dst,
    /// What packets that come out of it are recognised by.
    pub(crate) number: TunnelRef,
}

impl Tunnel {
    /// What makes two tunnels interchangeable.
    pub(super) fn id(&self) -> (u32, (usize, u32)) {
        (self.number.number(), self.dst.id())
    }

    /// Puts the outer header around a packet. False if that failed, which costs the packet.
    fn wrap(&self, skb: &mut Skb<'_>, namespace: &Namespace) -> bool {
        match &self.ends {
            Ends::V4(ends) => {
                let Some(inner) = skb.linear().first_chunk::<20>().copied() else {
                    return false;
                };
                if !skb.enter_tunnel(tunnel::IPIP) {
                    return false;
                }
                let header = tunnel::ipv4(&inner, ends, skb.len(), self.dst.is_mtu_locked(), |h| {
                    skb.identify(h, namespace)
                });
                skb.push_header(header, 0x0800)
            }
            Ends::V6(ends) => {
                let Some(inner) = skb.linear().first_chunk::<40>().copied() else {
                    return false;
                };
                if !skb.enter_tunnel(tunnel::IPV6) {
                    return false;
                }
                let label = skb.flow_label(&ends.source, &ends.destination, namespace);
                let header = tunnel::ipv6(&inner, ends, skb.len(), label);
                skb.push_header(header, 0x86dd)
            }
        }
    }
}

/// Puts one encapsulation in front of a packet.
fn wrap_inline(skb: &mut Skb<'_>, tag: Tag) -> bool {
    match tag {
        Tag::Vlan(id) | Tag::ServiceVlan(id) => {
            skb.push_header(encap::vlan_header(id, skb.protocol()), tag.ethertype())
        }
        Tag::Pppoe(session) => match encap::pppoe_header(session, skb.protocol(), skb.len()) {
            Some(header) => skb.push_header(header, tag.ethertype()),
            None => false,
        },
    }
}

/// Puts all encapsulations around a packet, the outermost VLAN tag beside it.
fn wrap(skb: &mut Skb<'_>, encap: Encap) -> bool {
    let (outer, inner) = encap.outer_and_inner();
    if !inner.is_none_or(|tag| wrap_inline(skb, tag)) {
        return false;
    }
    match outer {
        Some(tag @ (Tag::Vlan(id) | Tag::ServiceVlan(id))) => {
            skb.set_vlan_tag(Some((tag.ethertype(), id)));
            true
        }
        Some(tag) => wrap_inline(skb, tag),
        None => true,
    }
}

impl NextHop {
    /// What [`Self::check`] is for these ways.
    pub(super) fn check_wrapped(&self, now: u32, rcu: ReadSide<'_>) -> Check {
        if let Some(tunnel) = &self.tunnel {
            if !tunnel.dst.is_current(rcu) {
                return Check::PathChanged;
            }
        }
        let neighbour = match &self.link {
            Link::Ethernet { station, .. } if !station.is_where_it_was() => {
                return Check::PathChanged;
            }
            Link::Ethernet { station, .. } => station.neighbour(),
            Link::Other { neighbour } => Some(&**neighbour),
            Link::None | Link::Transform => None,
        };
        neighbour.map_or(Check::Good, |neighbour| Check::of(neighbour, now))
    }

    /// What [`Self::transmit`] is for these ways.
    #[inline(never)]
    pub(super) fn transmit_wrapped(
        &self,
        mut skb: Skb<'_>,
        counter: Counter<'_>,
        rcu: ReadSide<'_>,
    ) {
        let namespace = self.device.namespace();
        if let Link::Transform = self.link {
            skb.output(&self.dst, namespace, counter, rcu);
            return;
        }
        let dst = match &self.tunnel {
            Some(tunnel) if !tunnel.wrap(&mut skb, namespace) => return,
            Some(tunnel) => &tunnel.dst,
            None => &self.dst,
        };
        // PPPoE says the length of each packet, so that nobody can segment what is behind it.
        if self.encap.has_session() && skb.is_gso() {
            for segment in skb.segment().into_iter().flatten() {
                self.wrap_and_send(segment, dst, counter, rcu);
            }
        } else {
            self.wrap_and_send(skb, dst, counter, rcu);
        }
    }

    fn wrap_and_send(&self, mut skb: Skb<'_>, dst: &Dst, counter: Counter<'_>, rcu: ReadSide<'_>) {
        let ready = wrap(&mut skb, self.encap)
            && match &self.link {
                Link::Ethernet { source, station } => {
                    let [a, b, c, d, e, f] = *source;
                    let [g, h] = skb.protocol().to_be_bytes();
                    skb.push_ethernet(station.word(), [a, b, c, d, e, f, g, h])
                }
                Link::Other { neighbour } => skb.push_link_header(&self.device, Some(neighbour)),
                Link::None | Link::Transform => true,
            };
        if ready {
            skb.transmit(&self.device, dst, counter, rcu);
        }
    }
}

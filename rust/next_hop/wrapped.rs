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
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::skb::{
    Decrypted,
    Writable, //
};
use crate::reason::Loss;
use crate::stats::Forwarded;
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

    /// Bytes of the outer header.
    pub(crate) fn header_len(&self) -> u32 {
        let len = match &self.ends {
            Ends::V4(_) => tunnel::header_len::<4>(),
            Ends::V6(_) => tunnel::header_len::<16>(),
        };
        // CAST: 20 or 40.
        len as u32
    }

    /// The largest packet that fits into it.
    pub(super) fn mtu(&self) -> u32 {
        self.dst.mtu().saturating_sub(self.header_len())
    }

    /// Puts the outer header around a packet. An error costs the packet.
    #[inline(always)]
    fn wrap(&self, skb: &mut Writable<'_>, namespace: &Namespace) -> Result<(), Loss> {
        let pushed = match &self.ends {
            Ends::V4(ends) => {
                let inner = *skb.linear().first_chunk::<20>().ok_or(Loss::Tunnel)?;
                if !skb.enter_tunnel(tunnel::IPIP) {
                    return Err(Loss::Tunnel);
                }
                let (source, destination) = (ends.source, ends.destination);
                let id = || skb.identification(source, destination, tunnel::IPIP, namespace);
                let header = tunnel::ipv4(&inner, ends, skb.len(), self.dst.is_mtu_locked(), id);
                skb.push_header(header, 0x0800)
            }
            Ends::V6(ends) => {
                let inner = *skb.linear().first_chunk::<40>().ok_or(Loss::Tunnel)?;
                if !skb.enter_tunnel(tunnel::IPV6) {
                    return Err(Loss::Tunnel);
                }
                let label = skb.flow_label(&ends.source, &ends.destination, namespace);
                let header = tunnel::ipv6(&inner, ends, skb.len(), label);
                skb.push_header(header, 0x86dd)
            }
        };
        needed(pushed)
    }
}

/// What a header that was not put in front costs.
fn needed(pushed: bool) -> Result<(), Loss> {
    pushed.then_some(()).ok_or(Loss::Header)
}

/// Puts one encapsulation in front of a packet.
fn wrap_inline(skb: &mut Writable<'_>, tag: Tag) -> Result<(), Loss> {
    let (protocol, ethertype) = (skb.protocol(), tag.ethertype());
    needed(match tag {
        Tag::Vlan(id) | Tag::ServiceVlan(id) => {
            skb.push_header(encap::vlan_header(id, protocol), ethertype)
        }
        Tag::Pppoe(session) => {
            let header = encap::pppoe_header(session, protocol, skb.len()).ok_or(Loss::Length)?;
            skb.push_header(header, ethertype)
        }
    })
}

/// Puts all encapsulations around a packet, the outermost VLAN tag beside it.
fn wrap(skb: &mut Writable<'_>, encap: Encap) -> Result<(), Loss> {
    let (outer, inner) = encap.outer_and_inner();
    if let Some(tag) = inner {
        wrap_inline(skb, tag)?;
    }
    match outer {
        Some(tag @ (Tag::Vlan(id) | Tag::ServiceVlan(id))) => {
            skb.set_vlan_tag(Some((tag.ethertype(), id)));
            Ok(())
        }
        Some(tag) => wrap_inline(skb, tag),
        None => Ok(()),
    }
}

impl NextHop {
    /// What [`Self::check`] is for these ways.
    #[inline(never)]
    pub(super) fn check_wrapped(&self, now: u32, rcu: ReadSide<'_>) -> Check {
        match self.check_station(now, rcu) {
            Check::Good if self.policed => Check::Policed,
            check => check,
        }
    }

    /// The same, policies apart.
    #[inline(always)]
    fn check_station(&self, now: u32, rcu: ReadSide<'_>) -> Check {
        if let Some(tunnel) = &self.tunnel {
            if !tunnel.dst.is_current(rcu) {
                return Check::PathChanged;
            }
        }
        match &self.link {
            Link::Ethernet { station, .. } => station.check_bridged(&self.bridged, now),
            Link::Other { neighbour } => Check::of(neighbour, now),
            Link::None => Check::Good,
            // Nobody looks at these once a second.
            Link::Transform if !self.is_as_set(rcu) => Check::PathChanged,
            Link::Transform => Check::Good,
        }
    }

    /// What [`Self::transmit`] is for these ways.
    #[inline(never)]
    pub(super) fn transmit_wrapped(&self, skb: Writable<'_>, count: &Forwarded, rcu: ReadSide<'_>) {
        let namespace = self.device.namespace(rcu);
        if let Link::Transform = self.link {
            skb.output(&self.dst, namespace, count.packets(), rcu);
            return;
        }
        if skb.is_list() {
            self.send_list(skb, count, rcu);
        } else {
            self.enter_tunnel_and_send(skb, namespace, count, rcu);
        }
    }

    /// Sends the packets of an aggregate of whole packets, each by itself.
    #[cold]
    #[inline(never)]
    fn send_list(&self, skb: Writable<'_>, count: &Forwarded, rcu: ReadSide<'_>) {
        self.for_each_segment(skb, count, |segment| {
            self.transmit_wrapped(segment, count, rcu);
        });
    }

    /// Sends a packet that has room for all headers.
    #[inline(always)]
    fn enter_tunnel_and_send(
        &self,
        mut skb: Writable<'_>,
        namespace: &Namespace,
        count: &Forwarded,
        rcu: ReadSide<'_>,
    ) {
        let dst = match &self.tunnel {
            Some(tunnel) => match tunnel.wrap(&mut skb, namespace) {
                Ok(()) => &tunnel.dst,
                Err(why) => return count.lost(why),
            },
            None => &self.dst,
        };
        // PPPoE says the length of each packet, so that nobody can segment what is behind it.
        if self.encap.has_session() && skb.is_gso() {
            self.for_each_segment(skb, count, |segment| {
                self.wrap_and_send(segment, dst, count, rcu);
            });
        } else {
            self.wrap_and_send(skb, dst, count, rcu);
        }
    }

    /// Segments a packet, and makes room for all headers before each segment: of an aggregate of whole
    /// packets each has what it has come in with, and perhaps clones.
    fn for_each_segment<'a>(
        &self,
        skb: Writable<'a>,
        count: &Forwarded,
        mut f: impl FnMut(Writable<'a>),
    ) {
        let Some(segments) = skb.segment() else {
            return count.lost(Loss::Segmentation);
        };
        for segment in segments {
            match segment.make_writable(0, u32::from(self.headroom), Decrypted::Take) {
                Ok(segment) => f(segment),
                Err(_) => count.lost(Loss::NoMemory),
            }
        }
    }

    fn wrap_and_send(
        &self,
        mut skb: Writable<'_>,
        dst: &Dst,
        count: &Forwarded,
        rcu: ReadSide<'_>,
    ) {
        let wrapped = wrap(&mut skb, self.encap).and_then(|()| match &self.link {
            Link::Ethernet { source, station } => {
                let [a, b, c, d, e, f] = *source;
                let [g, h] = skb.protocol().to_be_bytes();
                needed(skb.push_ethernet(station.word(), [a, b, c, d, e, f, g, h]))
            }
            Link::Other { neighbour } => {
                needed(skb.push_link_header(&self.device, Some(neighbour)))
            }
            Link::None | Link::Transform => Ok(()),
        });
        match wrapped {
            Ok(()) => skb.transmit(&self.device, dst, count.packets(), rcu),
            Err(why) => count.lost(why),
        }
    }
}

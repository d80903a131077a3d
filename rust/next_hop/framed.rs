// SPDX-License-Identifier: GPL-2.0

//! Ways out where the same headers go in front of all packets: an Ethernet header, behind it
//! perhaps that of a PPPoE session, and beside the packet perhaps a VLAN tag. That is what a router
//! has on its ways to a switch, a bridge or a provider, so its packets need not look at each part.

use super::learned::Learned;
use super::{
    Check,
    Link,
    Station, //
};
use crate::flow::encap::{
    self,
    Encap,
    Tag, //
};
use crate::kernel_net::neighbour::Neighbour;
use crate::kernel_net::skb::{
    Skb,
    Writable, //
};
use crate::reason::Loss;

/// The headers of such a way.
pub(crate) struct Framed {
    station: Station,
    /// The Ethernet header after the destination: the source and the EtherType.
    tail: [u8; 8],
    /// The session's header, but for the length.
    session: Option<[u8; encap::PPPOE_LEN]>,
    /// EtherType in host order, and VLAN id.
    tag: Option<(u16, u16)>,
}

impl Framed {
    /// What packets of this EtherType get on a way with this link and these encapsulations; [`None`]
    /// if that is something else.
    pub(crate) fn new(link: &Link, encap: Encap, ethertype: u16) -> Option<Self> {
        let Link::Ethernet { source, station } = link else {
            return None;
        };
        let (tag, session) = match encap.outer_and_inner() {
            (None, _) => (None, None),
            (Some(tag @ (Tag::Vlan(id) | Tag::ServiceVlan(id))), None) => {
                (Some((tag.ethertype(), id)), None)
            }
            (Some(Tag::Pppoe(id)), None) => (None, Some(id)),
            (Some(tag @ (Tag::Vlan(id) | Tag::ServiceVlan(id))), Some(Tag::Pppoe(session))) => {
                (Some((tag.ethertype(), id)), Some(session))
            }
            _ => return None,
        };
        let inside = match session {
            Some(_) => encap::PPPOE,
            None => ethertype,
        };
        let [a, b, c, d, e, f] = *source;
        let [g, h] = inside.to_be_bytes();
        Some(Self {
            station: station.clone(),
            tail: [a, b, c, d, e, f, g, h],
            session: match session {
                Some(id) => Some(encap::pppoe_header(id, ethertype, 0)?),
                None => None,
            },
            tag,
        })
    }

    /// As [`NextHop::check`](super::NextHop::check), of what is special to these ways.
    #[inline(always)]
    pub(super) fn check(&self, learned: &Option<Learned>, now: u32) -> Check {
        match &self.station {
            Station::Neighbour(neighbour) => Check::of(neighbour, now),
            Station::Fixed(_) => Check::Good,
            Station::Bridged(..) | Station::Behind(_)
                if learned.as_ref().is_some_and(Learned::is_outdated) =>
            {
                Check::Unsure
            }
            Station::Bridged(neighbour, address) if address.is_of(neighbour) => {
                Check::of(neighbour, now)
            }
            Station::Bridged(..) => Check::PathChanged,
            Station::Behind(_) => Check::Good,
        }
    }

    /// Puts the headers in front of a packet. False if that failed, which costs the packet: see
    /// [`Self::why_not`].
    ///
    /// Not for what is to be segmented, where there is a session: see [`Self::takes`].
    #[inline(always)]
    pub(super) fn wrap(&self, skb: &mut Writable<'_>) -> bool {
        if let Some(header) = self.session {
            let Some(header) = encap::with_length(header, skb.len()) else {
                return false;
            };
            if !skb.push_header(header, encap::PPPOE) {
                return false;
            }
        }
        if self.tag.is_some() {
            skb.set_vlan_tag(self.tag);
        }
        skb.push_ethernet(self.station.word(), self.tail)
    }

    /// Why a packet could not be wrapped.
    #[cold]
    pub(super) fn why_not(&self, skb: &Skb<'_>) -> Loss {
        let length = self
            .session
            .and_then(|header| encap::with_length(header, skb.len()));
        match self.session.is_some() && length.is_none() {
            true => Loss::Length,
            false => Loss::Header,
        }
    }

    /// Whether a packet can be wrapped as it is: a session's header says the length of each packet,
    /// so that nobody could segment what is behind it; and what is a list has no room for more.
    #[inline(always)]
    pub(super) fn takes(&self, skb: &Skb<'_>) -> bool {
        match self.session {
            Some(_) => !skb.is_gso(),
            None => !skb.is_list(),
        }
    }
}

impl Check {
    /// Asks a neighbour; says to it that a packet is about to be sent.
    #[inline(always)]
    pub(super) fn of(neighbour: &Neighbour, now: u32) -> Self {
        if neighbour.touch(now) {
            Check::Good
        } else if neighbour.is_dead() {
            // Its place was taken by another, or will be.
            Check::PathChanged
        } else {
            Check::NeighbourUnknown
        }
    }
}

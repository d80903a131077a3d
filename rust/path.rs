// SPDX-License-Identifier: GPL-2.0

//! Where the packets of a connection go, in both directions.
//!
//! The packet at hand has its route already; the way back is looked up as for a packet of the other
//! direction. From the device of each route the way leads down, through bridges, VLANs, sessions
//! and tunnels, to a device that must be one of the flowtable's (C: `nft_flow_route`).

use crate::flow::encap::{
    Encap,
    Tag,
    TooDeep, //
};
use crate::flow::ip::{
    Ip,
    V4,
    V6, //
};
use crate::flow::key::Port;
use crate::flow::tunnel;
use crate::kernel_net::conntrack::Conn;
use crate::kernel_net::device::Device;
use crate::kernel_net::dst::Dst;
use crate::kernel_net::forward_path::{
    BridgeVlan,
    Step,
    Walk, //
};
use crate::kernel_net::neighbour::{
    Mac,
    Neighbour, //
};
use crate::kernel_net::nft::{
    Packet,
    Reference, //
};
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::rcu_table::Side;
use crate::kernel_net::work::Worker;
use crate::next_hop::{
    Ends,
    Link,
    NextHop,
    NextHopRef,
    Station,
    Tunnel,
    MAX_DEVICES, //
};
use crate::reason::Refusal;
use crate::table::{
    FlowTable,
    Stored, //
};
use core::sync::atomic::AtomicU32;
use kernel::sync::aref::ARef;

/// The next hops of the original and of the reply direction.
pub(crate) fn discover(
    table: &Reference<'_, Worker<FlowTable>>,
    packet: &Packet<'_>,
    conn: &Conn,
    side: Side,
    rcu: ReadSide<'_>,
) -> Result<(NextHopRef, NextHopRef), Refusal> {
    // Packets of either direction end at the source of the other.
    let here = conn.tuple(side).source;
    let there = conn.tuple(side.other()).source;

    let forward = packet.route().ok_or(Refusal::NoRoute)?;
    let back = packet
        .reverse_route(&forward, &there, &here, rcu)
        .ok_or(Refusal::NoRoute)?;
    let forward = next_hop(table, packet, forward, &there, rcu)?;
    let back = next_hop(table, packet, back, &here, rcu)?;
    Ok(match side {
        Side::Original => (forward, back),
        Side::Reply => (back, forward),
    })
}

fn next_hop(
    table: &Reference<'_, Worker<FlowTable>>,
    packet: &Packet<'_>,
    dst: Dst,
    destination: &[u8; 16],
    rcu: ReadSide<'_>,
) -> Result<NextHopRef, Refusal> {
    let hop = if dst.has_xfrm() {
        transformed(dst, rcu)
    } else {
        let hop = Way::find(table.content(), packet, &dst, destination, rcu)?.into_hop(dst, rcu)?;
        if !table.has_device(&hop.device, rcu) {
            return Err(Refusal::DeviceNotInTable);
        }
        hop
    };
    table.content().next_hops.share(hop)
}

/// The next hop of a route that transforms packets: it knows the way, and nobody else does.
fn transformed(dst: Dst, rcu: ReadSide<'_>) -> NextHop {
    let device = dst.device(rcu);
    let mut devices = [0; MAX_DEVICES];
    devices[0] = device.ifindex();
    NextHop {
        mtu: dst.mtu(),
        headroom: device.reserved_headroom(),
        port: Port::plain(device.ifindex()),
        link: Link::Transform,
        encap: Encap::NONE,
        tunnel: None,
        is_plain: false,
        devices,
        device: ARef::from(device),
        dst,
        users: AtomicU32::new(0),
    }
}

/// The neighbour that packets of a route go to, if its address is known.
fn neighbour(dst: &Dst, destination: &[u8; 16]) -> Result<ARef<Neighbour>, Refusal> {
    dst.neighbour(destination)
        .filter(|neighbour| neighbour.is_valid())
        .ok_or(Refusal::NeighbourUnknown)
}

/// What is found on the way from a route's device down to the one that packets leave through.
struct Way<'rcu> {
    device: &'rcu Device,
    devices: [u32; MAX_DEVICES],
    encap: Encap,
    /// The address of the uppermost Ethernet device.
    source: Option<Mac>,
    /// Of the route, or of the tunnel's.
    neighbour: Option<ARef<Neighbour>>,
    /// The far end of a session.
    session: Option<Mac>,
    bridged: bool,
    tunnel: Option<Tunnel>,
}

impl<'rcu> Way<'rcu> {
    fn find(
        table: &FlowTable,
        packet: &Packet<'_>,
        dst: &Dst,
        destination: &[u8; 16],
        rcu: ReadSide<'rcu>,
    ) -> Result<Self, Refusal> {
        let device = dst.device(rcu);
        let neighbour = match device.is_ethernet() || device.has_header() {
            true => Some(neighbour(dst, destination)?),
            false => None,
        };
        let station = |neighbour: &Option<ARef<Neighbour>>| {
            neighbour
                .as_ref()
                .map_or([0; 6], |neighbour| neighbour.ethernet_address())
        };
        let mut walk = Walk::new(device, station(&neighbour), rcu);
        let mut way = Self {
            device,
            devices: [0; MAX_DEVICES],
            encap: Encap::NONE,
            source: None,
            neighbour,
            session: None,
            bridged: false,
            tunnel: None,
        };
        for place in 0..MAX_DEVICES {
            way.enter(place, walk.device());
            match walk.step() {
                None => return Ok(way),
                Some(Err(_)) => return Err(Refusal::PathUnknown),
                Some(Ok(Step::SwitchPort | Step::Wireless)) => return Ok(way),
                Some(Ok(Step::Tunnel {
                    protocol,
                    source,
                    destination,
                })) => {
                    let tunnel = way.through(table, packet, protocol, source, destination, rcu)?;
                    let below = tunnel.dst.device(rcu);
                    way.neighbour = match below.is_ethernet() || below.has_header() {
                        true => Some(self::neighbour(&tunnel.dst, &destination)?),
                        false => None,
                    };
                    walk = walk.go_on(below, station(&way.neighbour));
                    way.tunnel = Some(tunnel);
                }
                Some(Ok(step)) => way.take(step).map_err(|_| Refusal::EncapsulatedTooDeep)?,
            }
        }
        Err(Refusal::EncapsulatedTooDeep)
    }

    /// Notes a device of the way.
    fn enter(&mut self, place: usize, device: &'rcu Device) {
        self.device = device;
        if let Some(slot) = self.devices.get_mut(place) {
            *slot = device.ifindex();
        }
        if self.source.is_none() && device.is_ethernet() {
            self.source = Some(device.ethernet_address());
        }
    }

    fn take(&mut self, step: Step) -> Result<(), TooDeep> {
        let vlan = |ethertype, id| Tag::vlan(ethertype, id).ok_or(TooDeep);
        match step {
            Step::Vlan { ethertype, id } => {
                self.encap = self.encap.with_outer(vlan(ethertype, id)?)?;
            }
            Step::Pppoe { session, station } => {
                self.encap = self.encap.with_outer(Tag::Pppoe(session))?;
                self.session = Some(station);
            }
            Step::Bridge(mode) => {
                self.bridged = true;
                self.encap = match mode {
                    BridgeVlan::Keep => self.encap,
                    // The tag stays where software sees it.
                    BridgeVlan::UntagInHardware if !self.encap.is_none() => self.encap,
                    BridgeVlan::UntagInHardware => return Err(TooDeep),
                    BridgeVlan::Tag { ethertype, id } => {
                        self.encap.with_outer(vlan(ethertype, id)?)?
                    }
                    BridgeVlan::Untag => self.encap.without_outer()?,
                };
            }
            Step::SwitchPort | Step::Wireless | Step::Tunnel { .. } => {}
        }
        Ok(())
    }

    /// A tunnel on the way. Only one, and only with all encapsulations around it.
    fn through(
        &self,
        table: &FlowTable,
        packet: &Packet<'_>,
        protocol: u8,
        source: [u8; 16],
        destination: [u8; 16],
        rcu: ReadSide<'_>,
    ) -> Result<Tunnel, Refusal> {
        if self.tunnel.is_some() || !self.encap.is_none() {
            return Err(Refusal::EncapsulatedTooDeep);
        }
        let dst = packet
            .tunnel_route(&source, &destination, rcu)
            .ok_or(Refusal::NoRoute)?;
        if dst.has_xfrm() {
            return Err(Refusal::TunnelTransformed);
        }
        // Found by their addresses as received.
        let (ends, number) = match protocol {
            tunnel::IPIP => (
                Ends::V4(V4::endpoints(source, destination)),
                V4::flows(table)
                    .tunnels
                    .get(&V4::endpoints(destination, source), rcu)?,
            ),
            tunnel::IPV6 => (
                Ends::V6(V6::endpoints(source, destination)),
                V6::flows(table)
                    .tunnels
                    .get(&V6::endpoints(destination, source), rcu)?,
            ),
            _ => return Err(Refusal::TunnelKind),
        };
        Ok(Tunnel { ends, dst, number })
    }

    /// The next hop that this way is.
    fn into_hop(self, dst: Dst, rcu: ReadSide<'_>) -> Result<NextHop, Refusal> {
        let device = self.device;
        let tunnel_len = match self.tunnel.as_ref().map(|tunnel| &tunnel.ends) {
            Some(Ends::V4(_)) => V4::TUNNEL_LEN,
            Some(Ends::V6(_)) => V6::TUNNEL_LEN,
            None => 0,
        };
        let mtu = match &self.tunnel {
            Some(tunnel) => dst.mtu().min(tunnel.dst.mtu().saturating_sub(tunnel_len)),
            None => dst.mtu(),
        };
        let link = if device.is_ethernet() {
            let station = match (self.session, self.neighbour) {
                (Some(station), _) => Station::Fixed(station),
                (None, Some(neighbour)) if self.bridged => {
                    let address = neighbour.ethernet_address();
                    Station::Bridged(neighbour, address)
                }
                (None, Some(neighbour)) => Station::Neighbour(neighbour),
                (None, None) => return Err(Refusal::NeighbourUnknown),
            };
            Link::Ethernet {
                source: self.source.unwrap_or(device.ethernet_address()),
                station,
            }
        } else if !self.encap.is_none() {
            return Err(Refusal::PathUnknown);
        } else {
            match self.neighbour {
                Some(neighbour) if device.has_header() => Link::Other { neighbour },
                _ => Link::None,
            }
        };
        let _ = rcu;
        let number = self.tunnel.as_ref().map_or(0, |t| t.number.number());
        // CAST: A few bytes.
        let encap_len = self.encap.len() as u32;
        Ok(NextHop {
            mtu,
            headroom: device
                .reserved_headroom()
                .saturating_add(tunnel_len + encap_len),
            port: Port::new(device.ifindex(), self.encap, number),
            is_plain: self.encap.is_none()
                && self.tunnel.is_none()
                && matches!(
                    link,
                    Link::Ethernet {
                        station: Station::Neighbour(_),
                        ..
                    }
                ),
            encap: self.encap,
            tunnel: self.tunnel,
            devices: self.devices,
            device: ARef::from(device),
            link,
            dst,
            users: AtomicU32::new(0),
        })
    }
}

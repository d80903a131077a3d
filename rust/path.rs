// SPDX-License-Identifier: GPL-2.0

//! Where the packets of a connection go, in both directions.
//!
//! The packet at hand has its route already; the way back is looked up as for a packet of the other
//! direction. From the device of each route the way leads down, through bridges, VLANs, sessions
//! and tunnels, to the lowest device that is one of the flowtable's (C: `nft_flow_route`, where it
//! must be the lowest of all).

use crate::compat::prelude::*;
use crate::compat::sync::aref::ARef;
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
use crate::flow::nat::Protocol;
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
    Forwarded,
    Packet,
    Reference,
    Reverse, //
};
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::rcu_arc::RcuArc;
use crate::kernel_net::rcu_table::Side;
use crate::kernel_net::work::Worker;
use crate::next_hop::learned::Learned;
use crate::next_hop::recent::{
    Arrival,
    Question, //
};
use crate::next_hop::{
    may_come_in,
    Ends,
    Framed,
    InHardware,
    Link,
    NextHop,
    Plain,
    Station,
    Tunnel,
    MAX_DEVICES, //
};
use crate::reason::Refusal;
use crate::table::{
    FlowTable,
    Stored, //
};
use core::sync::atomic::AtomicBool;

/// The next hops of both directions.
pub(crate) struct Ways {
    pub(crate) original: RcuArc<NextHop>,
    pub(crate) reply: RcuArc<NextHop>,
}

/// Finds the next hops of a connection, from one of its packets.
///
/// Both are mostly those of a flow that was made a moment ago: see [`crate::next_hop::recent`].
pub(crate) fn discover(
    table: &Reference<'_, Worker<FlowTable>>,
    packet: &Packet<'_>,
    conn: &Conn,
    side: Side,
    rcu: ReadSide<'_>,
) -> Result<Ways, Refusal> {
    // Packets of either direction end at the source of the other.
    let (here, there) = (conn.source(side), conn.source(side.other()));
    let route = packet.route_seen(rcu).ok_or(Refusal::NoRoute)?;
    // Packets of the other direction come in by the device of this route. Where they go from there is
    // the same for others, if the destination is all that is asked for.
    let arrival = (route.is_unicast && packet.routes_by_destination())
        .then(|| Arrival::of_class(packet.family(), packet.traffic_class()));
    let question = Question::of_route(route.address, (!route.has_gateway).then_some(there));
    let of_back = |forward: &NextHop| Some(arrival?.question(forward.route_device(), here));
    let next_hops = &table.content().next_hops;
    let (forward, back) = next_hops.recall_both(&question, of_back, rcu);
    // What goes to all has no neighbour.
    if !route.is_unicast {
        return Err(Refusal::Multicast);
    }
    let (forward, back) = match (forward, back) {
        (Some(forward), Some(back)) => {
            (in_table(table, forward, rcu)?, in_table(table, back, rcu)?)
        }
        (forward, _) => search(table, packet, conn, side, forward, arrival, rcu)?,
    };
    Ok(match side {
        Side::Original => Ways {
            original: forward,
            reply: back,
        },
        Side::Reply => Ways {
            original: back,
            reply: forward,
        },
    })
}

/// Finds the next hops by routing tables and devices: that of the packet, if it is not known, and the
/// way back. `arrival` says that others may go that way, too.
#[inline(never)]
fn search(
    table: &Reference<'_, Worker<FlowTable>>,
    packet: &Packet<'_>,
    conn: &Conn,
    side: Side,
    known: Option<RcuArc<NextHop>>,
    arrival: Option<Arrival>,
    rcu: ReadSide<'_>,
) -> Result<(RcuArc<NextHop>, RcuArc<NextHop>), Refusal> {
    table.content().hear_events();
    let (here, there) = (conn.source(side), conn.source(side.other()));
    let reverse = Forwarded {
        source: there,
        destination: here,
        protocol: conn.protocol(),
        has_ports: conn.protocol() != Protocol::Gre.number(),
        source_port: conn.source_port(side.other()),
        destination_port: conn.source_port(side),
    };
    let route = match known {
        Some(_) => None,
        None => Some(packet.route().ok_or(Refusal::NoRoute)?),
    };
    let device = match (&known, &route) {
        (Some(hop), _) => hop.dst.device(rcu),
        (None, Some(route)) => route.device(rcu),
        (None, None) => return Err(Refusal::NoRoute),
    };
    let back = way_back(packet, conn, device, &reverse, rcu).ok_or(Refusal::NoRoute)?;
    let question = arrival
        .filter(|_| !back.is_one_of_several && !back.dst.has_xfrm())
        .map(|arrival| arrival.question(device.ifindex(), here));
    let forward = match (known, route) {
        (Some(hop), _) => in_table(table, hop, rcu)?,
        (None, Some(route)) => next_hop(table, packet, route, there, None, rcu)?,
        (None, None) => return Err(Refusal::NoRoute),
    };
    let back = next_hop(table, packet, back.dst, here, question, rcu)?;
    Ok((forward, back))
}

/// The route of packets of the other direction, which come in by `device`.
///
/// What marks the packets of one direction need not mark those of the other, or mark them in the
/// same way. Theirs may be the connection's mark, that of this packet, or none: it is taken to be
/// the first of these by which they leave where this packet came in, or else the first by which they
/// leave at all. Where that is no more than a guess, they leave where this packet came in, as C has it in
/// any case.
fn way_back(
    packet: &Packet<'_>,
    conn: &Conn,
    device: &Device,
    reverse: &Forwarded<'_>,
    rcu: ReadSide<'_>,
) -> Option<Reverse> {
    let marks = [conn.mark(), packet.mark(), 0];
    let mut first = None;
    for (number, mark) in marks.into_iter().enumerate() {
        if marks.iter().take(number).any(|&tried| tried == mark) {
            continue;
        }
        let Some(back) = packet.reverse_route(device, reverse, mark, rcu) else {
            continue;
        };
        if back.dst.device(rcu).ifindex() == packet.input() {
            return Some(back);
        }
        first = first.or(Some((back, mark)));
    }
    match first? {
        (back, mark) if back.is_guess => packet.route_to_input(device, reverse, mark, rcu),
        (back, _) => Some(back),
    }
}

/// The next hop of a route, which is the answer to a question, too, if there is one.
fn next_hop(
    table: &Reference<'_, Worker<FlowTable>>,
    packet: &Packet<'_>,
    dst: Dst,
    destination: &[u8; 16],
    asked: Option<Question>,
    rcu: ReadSide<'_>,
) -> Result<RcuArc<NextHop>, Refusal> {
    let next_hops = &table.content().next_hops;
    // The other direction's packets come in by its device.
    if !may_come_in(&dst, rcu) {
        return Err(Refusal::NotForwarded);
    }
    let policed = packet.has_forward_policies();
    if dst.has_xfrm() {
        return next_hops.alone(transformed(dst, policed, rcu));
    }
    let question = Question::of_route(dst.id().0, (!dst.has_gateway()).then_some(destination));
    if let Some(hop) = next_hops.recall(&question, asked, rcu) {
        return in_table(table, hop, rcu);
    }
    if dst.encapsulates() {
        return Err(Refusal::RouteEncapsulates);
    }
    let neighbour = neighbour_of(&dst, destination, rcu)?;
    // As good as always another flow goes the same way, and there is nothing to be found out.
    let known = neighbour
        .as_ref()
        .filter(|_| !policed)
        .and_then(|neighbour| next_hops.plain(&dst, neighbour));
    let hop = match known {
        Some(hop) => in_table(table, hop, rcu)?,
        None => {
            let way = Way::find(table, packet, &dst, neighbour, rcu)?;
            let (bridged, indices) = (way.bridged, way.indices());
            let is_blocked = || bridged && table.content().state.blocked.has_any(&indices);
            if is_blocked() {
                return Err(Refusal::NotForwarded);
            }
            let hop = next_hops.share(way.into_hop(dst, policed, rcu)?)?;
            // Who is told of a port notes it and looks for next hops then: this one was not among them.
            if is_blocked() {
                hop.outdate();
                return Err(Refusal::NotForwarded);
            }
            hop
        }
    };
    next_hops.remember(question, &hop);
    if let Some(asked) = asked {
        next_hops.remember(asked, &hop);
    }
    Ok(hop)
}

/// A next hop, if its device is one of the flowtable's.
fn in_table(
    table: &Reference<'_, Worker<FlowTable>>,
    hop: RcuArc<NextHop>,
    rcu: ReadSide<'_>,
) -> Result<RcuArc<NextHop>, Refusal> {
    if table.has_device(&hop.device, rcu) {
        Ok(hop)
    } else {
        Err(Refusal::DeviceNotInTable)
    }
}

/// The next hop of a route that transforms packets: it knows the way, and nobody else does.
fn transformed(dst: Dst, policed: bool, rcu: ReadSide<'_>) -> NextHop {
    let device = dst.device(rcu);
    let mut devices = [0; MAX_DEVICES];
    devices[0] = device.ifindex();
    NextHop {
        mtu: dst.mtu(),
        headroom: room(device.reserved_headroom()),
        port: Port::plain(device.ifindex()),
        link: Link::Transform,
        encap: Encap::NONE,
        tunnel: None,
        bridged: None,
        told: AtomicBool::new(false),
        input_settings: device.input_settings(rcu),
        policed,
        plain: None,
        framed: None,
        devices,
        device: ARef::from(device),
        dst,
        outdated: AtomicBool::new(false),
        direct: false,
        untagged: [false; 2],
        in_hardware: InHardware::new(),
    }
}

/// Room for headers, which never is as much as would not fit.
fn room(bytes: u32) -> u16 {
    bytes.try_into().unwrap_or(u16::MAX)
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
    /// The EtherType of the packets that go there.
    protocol: u16,
    /// All of them so far, that one too.
    devices: [Option<&'rcu Device>; MAX_DEVICES],
    encap: Encap,
    /// Which of its tags, the outer and the inner, hardware takes care of.
    untagged: [bool; 2],
    /// The address of the uppermost Ethernet device.
    source: Option<Mac>,
    /// Of the route, or of the tunnel's.
    neighbour: Option<ARef<Neighbour>>,
    /// The far end of a session.
    session: Option<Mac>,
    /// What bridges have said of the station, before it was looked where they lead.
    learned: Option<Learned>,
    bridged: bool,
    tunnelled: bool,
    tunnel: Option<Tunnel>,
}

/// The address that a bridge on the way looks for.
fn station(neighbour: &Option<ARef<Neighbour>>) -> Mac {
    let address = |neighbour: &ARef<Neighbour>| neighbour.ethernet_address();
    neighbour.as_ref().map_or([0; 6], address)
}

/// The neighbour that packets of a route go to, where devices have neighbours.
fn neighbour_of(
    dst: &Dst,
    destination: &[u8; 16],
    rcu: ReadSide<'_>,
) -> Result<Option<ARef<Neighbour>>, Refusal> {
    let device = dst.device(rcu);
    if device.is_ethernet() || device.has_header() {
        neighbour(dst, destination).map(Some)
    } else {
        Ok(None)
    }
}

/// Whether the way of a next hop is still the same, and packets of the other direction may come in by it.
///
/// For ways that are not plain, whose devices do not tell when they lead elsewhere; a plain one ends at the
/// device of its route.
pub(crate) fn still_leads(hop: &NextHop, rcu: ReadSide<'_>) -> bool {
    if !hop.is_as_set(rcu) {
        return false;
    }
    if hop.plain.is_some() || matches!(hop.link, Link::Transform) {
        return true;
    }
    let station = match &hop.link {
        Link::Ethernet { station, .. } => station.address(),
        _ => [0; 6],
    };
    let mut now = Way::new(&hop.dst, None, rcu);
    let last = hop.devices.iter().rposition(|&index| index != 0);
    let walked = now.walk(station, last, rcu, |way, ends| match &hop.tunnel {
        Some(tunnel) if !way.tunnelled && tunnel.ends == ends => {
            Ok((tunnel.dst.device(rcu), station))
        }
        _ => Err(Refusal::PathUnknown),
    });
    let session = match &hop.link {
        Link::Ethernet {
            station: Station::Fixed(address) | Station::Behind(address),
            ..
        } => Some((*address).into()),
        _ => None,
    };
    walked.is_ok()
        && now.indices() == hop.devices
        && now.encap == hop.encap
        && now.session == session
        && now.tunnelled == hop.tunnel.is_some()
}

impl<'rcu> Way<'rcu> {
    fn new(dst: &Dst, neighbour: Option<ARef<Neighbour>>, rcu: ReadSide<'rcu>) -> Self {
        Self {
            device: dst.device(rcu),
            protocol: dst.ethertype(),
            devices: [None; MAX_DEVICES],
            encap: Encap::NONE,
            untagged: [false; 2],
            source: None,
            neighbour,
            session: None,
            learned: None,
            bridged: false,
            tunnelled: false,
            tunnel: None,
        }
    }

    /// The indices of all devices, the rest 0.
    fn indices(&self) -> [u32; MAX_DEVICES] {
        self.devices
            .map(|device| device.map_or(0, |device| device.ifindex()))
    }

    /// The way to the lowest device that is one of the flowtable's.
    ///
    /// That is where packets of the other direction can be caught first. What is below it, as the
    /// ports of a bridge or the device under a VLAN, is left to it, as for all other packets.
    fn find(
        table: &Reference<'_, Worker<FlowTable>>,
        packet: &Packet<'_>,
        dst: &Dst,
        neighbour: Option<ARef<Neighbour>>,
        rcu: ReadSide<'rcu>,
    ) -> Result<Self, Refusal> {
        let mut way = Self::new(dst, neighbour.clone(), rcu);
        let whole = way.descend(table, packet, None, rcu);
        if whole.is_ok() && table.has_device(way.device, rcu) {
            return Ok(way);
        }
        let is_ours = |device: &Option<&Device>| device.is_some_and(|d| table.has_device(d, rcu));
        let Some(place) = way.devices.iter().rposition(is_ours) else {
            return Err(whole.err().unwrap_or(Refusal::DeviceNotInTable));
        };
        let mut way = Self::new(dst, neighbour, rcu);
        way.descend(table, packet, Some(place), rcu)?;
        Ok(way)
    }

    /// Walks down, as [`Self::walk`], through tunnels as routes lead.
    fn descend(
        &mut self,
        table: &Reference<'_, Worker<FlowTable>>,
        packet: &Packet<'_>,
        last: Option<usize>,
        rcu: ReadSide<'rcu>,
    ) -> Result<(), Refusal> {
        let first = station(&self.neighbour);
        let stations = &table.content().stations;
        self.learned = Some(Learned::new(stations.clone(), first));
        self.walk(first, last, rcu, |way, ends| {
            let tunnel = way.through(table.content(), packet, ends, rcu)?;
            let below = tunnel.dst.device(rcu);
            way.neighbour = neighbour_of(&tunnel.dst, &ends.addresses().1, rcu)?;
            way.tunnel = Some(tunnel);
            let first = station(&way.neighbour);
            way.learned = Some(Learned::new(stations.clone(), first));
            Ok((below, first))
        })
    }

    /// Walks down from the device that is there, to the one at place `last` if that is some, or else
    /// to the lowest. `through` says where the way goes on behind a tunnel between these ends.
    fn walk(
        &mut self,
        station: Mac,
        last: Option<usize>,
        rcu: ReadSide<'rcu>,
        mut through: impl FnMut(&mut Self, Ends) -> Result<(&'rcu Device, Mac), Refusal>,
    ) -> Result<(), Refusal> {
        let mut walk = Walk::new(self.device, self.protocol, station, rcu);
        for place in 0..MAX_DEVICES {
            self.enter(place, walk.device());
            if last == Some(place) {
                return Ok(());
            }
            match walk.step() {
                None | Some(Ok(Step::SwitchPort | Step::Wireless)) => return Ok(()),
                // So say devices whose tag would be one too many.
                Some(Err(ENOSPC)) => return Err(Refusal::EncapsulatedTooDeep),
                Some(Err(_)) => return Err(Refusal::PathUnknown),
                Some(Ok(Step::OtherTunnel)) => return Err(Refusal::TunnelKind),
                Some(Ok(Step::Tunnel {
                    source,
                    destination,
                })) => {
                    let ends = if self.protocol == V6::ETHERTYPE {
                        Ends::V6(V6::endpoints(source, destination))
                    } else {
                        Ends::V4(V4::endpoints(source, destination))
                    };
                    let (below, station) = through(self, ends)?;
                    self.tunnelled = true;
                    walk = walk.go_on(below, station);
                }
                Some(Ok(step)) => self.take(step).map_err(|_| Refusal::EncapsulatedTooDeep)?,
            }
        }
        Err(Refusal::EncapsulatedTooDeep)
    }

    /// Notes a device of the way.
    fn enter(&mut self, place: usize, device: &'rcu Device) {
        self.device = device;
        if let Some(slot) = self.devices.get_mut(place) {
            *slot = Some(device);
        }
        if self.source.is_none() && device.is_ethernet() {
            self.source = Some(device.ethernet_address());
        }
    }

    fn take(&mut self, step: Step) -> Result<(), TooDeep> {
        let vlan = |ethertype, id| Tag::vlan(ethertype, id).ok_or(TooDeep);
        match step {
            Step::Vlan { ethertype, id } => self.wrap(vlan(ethertype, id)?)?,
            Step::Pppoe { session, station } => {
                self.wrap(Tag::Pppoe(session))?;
                self.session = Some(station);
                self.learned = self.learned.take().map(|learned| learned.of(station));
            }
            Step::Bridge(mode) => {
                self.bridged = true;
                match mode {
                    BridgeVlan::Keep => {}
                    // The tag stays where software sees it.
                    BridgeVlan::UntagInHardware if !self.encap.is_none() => {
                        self.untagged[0] = true;
                    }
                    BridgeVlan::UntagInHardware => return Err(TooDeep),
                    BridgeVlan::Tag { ethertype, id } => self.wrap(vlan(ethertype, id)?)?,
                    BridgeVlan::Untag => {
                        self.encap = self.encap.without_outer()?;
                        self.untagged = [self.untagged[1], false];
                    }
                }
            }
            Step::SwitchPort | Step::Wireless | Step::Tunnel { .. } | Step::OtherTunnel => {}
        }
        Ok(())
    }

    /// One more around all others.
    fn wrap(&mut self, tag: Tag) -> Result<(), TooDeep> {
        self.encap = self.encap.with_outer(tag)?;
        self.untagged = [false, self.untagged[0]];
        Ok(())
    }

    /// A tunnel on the way. Only one, and only with all encapsulations around it.
    fn through(
        &self,
        table: &FlowTable,
        packet: &Packet<'_>,
        ends: Ends,
        rcu: ReadSide<'_>,
    ) -> Result<Tunnel, Refusal> {
        if self.tunnelled || !self.encap.is_none() {
            return Err(Refusal::EncapsulatedTooDeep);
        }
        // What comes out of it is this host's own before.
        if packet.has_input_policies() {
            return Err(Refusal::TunnelTransformed);
        }
        let (source, destination) = ends.addresses();
        let dst = packet
            .tunnel_route(ends.protocol(), &source, &destination, rcu)
            .ok_or(Refusal::NoRoute)?;
        if dst.has_xfrm() {
            return Err(Refusal::TunnelTransformed);
        }
        if dst.encapsulates() {
            return Err(Refusal::RouteEncapsulates);
        }
        // A tunnel whose far end is behind itself sends nothing.
        let below = dst.device(rcu).ifindex();
        if self.indices().contains(&below) {
            return Err(Refusal::PathUnknown);
        }
        // Found by their addresses as received.
        let number = match ends {
            Ends::V4(ends) => V4::flows(table).tunnels.get(&ends.swapped(), rcu)?,
            Ends::V6(ends) => V6::flows(table).tunnels.get(&ends.swapped(), rcu)?,
        };
        Ok(Tunnel {
            ends,
            dst: dst.kept(),
            number,
        })
    }

    /// The next hop that this way is.
    fn into_hop(self, dst: Dst, policed: bool, rcu: ReadSide<'_>) -> Result<NextHop, Refusal> {
        let (device, devices) = (self.device, self.indices());
        let tunnel_len = self.tunnel.as_ref().map_or(0, Tunnel::header_len);
        let mtu = NextHop::mtu_of(&dst, &self.tunnel);
        let link = if device.is_ethernet() {
            let station = match (self.session, self.neighbour) {
                (Some(station), _) if self.bridged => Station::Behind(station.into()),
                (Some(station), _) => Station::Fixed(station.into()),
                (None, Some(neighbour)) if self.bridged => {
                    let address = neighbour.ethernet_address();
                    Station::Bridged(neighbour, address.into())
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
        let number = self.tunnel.as_ref().map_or(0, |t| t.number.number());
        // CAST: A few bytes.
        let encap_len = self.encap.len() as u32;
        let plain = match &link {
            Link::Ethernet {
                source,
                station: Station::Neighbour(neighbour),
            } if self.encap.is_none() && self.tunnel.is_none() && !policed => {
                Some(Plain::new(neighbour.clone(), *source, dst.ethertype()))
            }
            _ => None,
        };
        let framed = match (&plain, &self.tunnel) {
            (None, None) if !policed => Framed::new(&link, self.encap, dst.ethertype()),
            _ => None,
        };
        Ok(NextHop {
            mtu,
            headroom: room(device.reserved_headroom() + tunnel_len + encap_len),
            port: Port::new(device.ifindex(), self.encap, number),
            bridged: self.learned.filter(|_| self.bridged),
            told: AtomicBool::new(false),
            input_settings: dst.device(rcu).input_settings(rcu),
            policed,
            plain,
            framed,
            encap: self.encap,
            tunnel: self.tunnel,
            devices,
            device: ARef::from(device),
            link,
            dst: dst.kept(),
            outdated: AtomicBool::new(false),
            direct: false,
            untagged: self.untagged,
            in_hardware: InHardware::new(),
        })
    }
}

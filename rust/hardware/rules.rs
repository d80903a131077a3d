// SPDX-License-Identifier: GPL-2.0

//! What a flow is in the words of hardware: the rule of one direction.
//!
//! Drivers decode these exactly, so that keys, masks and the order of actions are those of C
//! (C: `nf_flow_rule_match`, `nf_flow_rule_route_ipv4`, `nf_flow_rule_route_ipv6`). Packets lose
//! their outer addresses and tags first, get those of the way out, are translated, and sent.

use crate::flow::encap::{
    Tag,
    VLAN, //
};
use crate::flow::ip::{
    Ip,
    V4, //
};
use crate::flow::nat::Protocol;
use crate::flow::Flow;
use crate::kernel_net::conntrack::Tuple;
use crate::kernel_net::flow_rule::{
    Checksums,
    Header,
    Rule,
    TooLong,
    VlanTag, //
};
use crate::kernel_net::neighbour::Mac;
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::rcu_table::Side;
use crate::next_hop::{
    Link,
    NextHop, //
};
use crate::reason::Unfit;

impl From<TooLong> for Unfit {
    fn from(_: TooLong) -> Self {
        Unfit::TooLong
    }
}

/// Describes one direction of a flow.
pub(super) fn describe<F: Ip>(
    flow: &Flow<F>,
    side: Side,
    rule: &mut Rule,
    rcu: ReadSide<'_>,
) -> Result<(), Unfit> {
    let out = flow.direction(side).next_hop.get(rcu);
    let back = flow.direction(side.other()).next_hop.get(rcu);
    if out.tunnel.is_some() || back.tunnel.is_some() {
        return Err(Unfit::Tunnel);
    }
    let conn = flow.conn();
    let (this, other) = (conn.tuple(side), conn.tuple(side.other()));
    rule.clear();
    rule.match_packets(back.device.ifindex(), F::ETHERTYPE, conn.protocol());
    arriving_tags(back, rule)?;
    if F::ETHERTYPE == V4::ETHERTYPE {
        rule.match_addresses(v4(&this.source), v4(&this.destination));
    } else {
        rule.match_addresses(this.source, this.destination);
    }
    if flow.protocol == Protocol::Tcp {
        rule.match_tcp_data();
    }
    if flow.protocol != Protocol::Gre {
        rule.match_ports(this.source_port, this.destination_port);
    }
    addresses(out, rule)?;
    tags(back, out, rule)?;
    translate::<F>(flow, side, &other, rule)?;
    rule.redirect(out.device.clone())?;
    Ok(())
}

/// The first four bytes.
fn v4(address: &[u8; 16]) -> [u8; 4] {
    let [a, b, c, d, ..] = *address;
    [a, b, c, d]
}

/// The tags of a way, outermost first, that the switch in the port does not take off by itself.
fn visible(hop: &NextHop) -> impl Iterator<Item = Tag> {
    let (outer, inner) = hop.encap.outer_and_inner();
    let [no_outer, no_inner] = hop.untagged;
    let outer = outer.filter(|_| !no_outer);
    let inner = inner.filter(|_| !no_inner);
    [outer, inner].into_iter().flatten()
}

/// The VLAN tags that packets come in with. There is no key for sessions: hardware takes their
/// headers off by itself.
fn arriving_tags(back: &NextHop, rule: &mut Rule) -> Result<(), Unfit> {
    let mut places = [VlanTag::Outer, VlanTag::Inner].into_iter();
    for tag in visible(back) {
        match tag {
            Tag::Vlan(id) => {
                let place = places.next().ok_or(Unfit::Encapsulation)?;
                rule.match_vlan(place, VLAN, id);
            }
            // C leaves the tag out of the rule, which then does something else.
            Tag::ServiceVlan(_) => return Err(Unfit::Encapsulation),
            Tag::Pppoe(_) => {}
        }
    }
    Ok(())
}

/// Gives packets the Ethernet addresses of the way out: the source's and the destination's.
fn addresses(out: &NextHop, rule: &mut Rule) -> Result<(), Unfit> {
    let Link::Ethernet { source, station } = &out.link else {
        return Err(match out.link {
            Link::Transform => Unfit::Transformed,
            _ => Unfit::NotEthernet,
        });
    };
    // Nobody asks policies there.
    if out.policed {
        return Err(Unfit::Transformed);
    }
    if !station.is_valid() {
        return Err(Unfit::NeighbourUnknown);
    }
    let destination = station.address();
    out.note_installed(destination);
    ethernet(*source, destination, rule)
}

fn ethernet(source: Mac, destination: Mac, rule: &mut Rule) -> Result<(), Unfit> {
    const ALL: [u8; 4] = [0; 4];
    let [s0, s1, s2, s3, s4, s5] = source;
    let [d0, d1, d2, d3, d4, d5] = destination;
    // Words of the header: four bytes of the destination, two and two, four of the source.
    for (offset, keep, value) in [
        (4, [0xff, 0xff, 0, 0], [0, 0, s0, s1]),
        (8, ALL, [s2, s3, s4, s5]),
        (0, ALL, [d0, d1, d2, d3]),
        (4, [0, 0, 0xff, 0xff], [d4, d5, 0, 0]),
    ] {
        rule.mangle(Header::Ethernet, offset, keep, value)?;
    }
    Ok(())
}

/// Takes the tags of the way in off, and puts those of the way out on.
fn tags(back: &NextHop, out: &NextHop, rule: &mut Rule) -> Result<(), Unfit> {
    for tag in visible(back) {
        if matches!(tag, Tag::Vlan(_)) {
            rule.vlan_pop()?;
        }
    }
    for tag in visible(out) {
        match tag {
            Tag::Vlan(id) => rule.vlan_push(VLAN, id)?,
            Tag::Pppoe(session) => rule.pppoe_push(session)?,
            Tag::ServiceVlan(_) => return Err(Unfit::Encapsulation),
        }
    }
    Ok(())
}

/// Which end of a packet is translated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Source,
    Destination,
}

/// Translates addresses and ports: those of the source first where the connection's source is
/// translated, in both directions.
fn translate<F: Ip>(
    flow: &Flow<F>,
    side: Side,
    other: &Tuple,
    rule: &mut Rule,
) -> Result<(), Unfit> {
    let status = flow.conn().status();
    // In the reply direction it is the other end of the packet.
    let (snat, dnat) = match side {
        Side::Original => (End::Source, End::Destination),
        Side::Reply => (End::Destination, End::Source),
    };
    for (is_on, end) in [
        (status.has_source_nat(), snat),
        (status.has_destination_nat(), dnat),
    ] {
        if is_on {
            end_of::<F>(flow.protocol, end, other, rule)?;
        }
    }
    if status.has_nat() && F::ETHERTYPE == V4::ETHERTYPE {
        rule.checksum(match flow.protocol {
            Protocol::Tcp => Checksums::Ipv4AndTcp,
            Protocol::Udp => Checksums::Ipv4AndUdp,
            Protocol::Gre => Checksums::Ipv4,
        })?;
    }
    Ok(())
}

/// Translates one end of a packet, to what packets of the other direction have at their opposite
/// end.
fn end_of<F: Ip>(
    protocol: Protocol,
    end: End,
    other: &Tuple,
    rule: &mut Rule,
) -> Result<(), Unfit> {
    let (address, [p, q]) = match end {
        End::Source => (&other.destination, other.destination_port),
        End::Destination => (&other.source, other.source_port),
    };
    if F::ETHERTYPE == V4::ETHERTYPE {
        let offset = if end == End::Source { 12 } else { 16 };
        rule.mangle(Header::Ipv4, offset, [0; 4], v4(address))?;
    } else {
        let mut offset = if end == End::Source { 8 } else { 24 };
        for word in address.chunks_exact(4) {
            if let &[a, b, c, d] = word {
                rule.mangle(Header::Ipv6, offset, [0; 4], [a, b, c, d])?;
            }
            offset += 4;
        }
    }
    let header = match protocol {
        Protocol::Tcp => Header::Tcp,
        Protocol::Udp => Header::Udp,
        // Not translated.
        Protocol::Gre => return Ok(()),
    };
    let (keep, value) = match end {
        End::Source => ([0, 0, 0xff, 0xff], [p, q, 0, 0]),
        End::Destination => ([0xff, 0xff, 0, 0], [0, 0, p, q]),
    };
    rule.mangle(header, 0, keep, value)?;
    Ok(())
}

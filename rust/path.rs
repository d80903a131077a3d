// SPDX-License-Identifier: GPL-2.0

//! Where the packets of a connection go, in both directions.
//!
//! The packet at hand has its route already; the way back is looked up as for a packet of the other
//! direction. Both must lead out by devices of the flowtable itself.

use crate::kernel_net::conntrack::Conn;
use crate::kernel_net::dst::Dst;
use crate::kernel_net::nft::{
    Packet,
    Reference, //
};
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::rcu_table::Side;
use crate::kernel_net::work::Worker;
use crate::next_hop::NextHopRef;
use crate::reason::Refusal;
use crate::table::FlowTable;

/// The next hops of the original and of the reply direction (C: `nft_flow_route`).
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
    let forward = next_hop(table, forward, &there, rcu)?;
    let back = next_hop(table, back, &here, rcu)?;
    Ok(match side {
        Side::Original => (forward, back),
        Side::Reply => (back, forward),
    })
}

fn next_hop(
    table: &Reference<'_, Worker<FlowTable>>,
    dst: Dst,
    destination: &[u8; 16],
    rcu: ReadSide<'_>,
) -> Result<NextHopRef, Refusal> {
    if dst.has_xfrm() {
        return Err(Refusal::Xfrm);
    }
    let device = dst.device(rcu);
    if device.is_upper() {
        return Err(Refusal::Encapsulated);
    }
    if !table.has_device(device, rcu) {
        return Err(Refusal::DeviceNotInTable);
    }
    table.content().next_hops.get(dst, destination, rcu)
}

// SPDX-License-Identifier: GPL-2.0

//! The expression `flow add @table`: decides whether a connection is offloaded, and does it.

use crate::compat::prelude::*;
use crate::fast::parse;
use crate::flow::ip::{
    Ip,
    V4,
    V6, //
};
use crate::flow::nat::Protocol;
use crate::flow::{
    extend_connection,
    Flow,
    Half, //
};
use crate::kernel_net::conntrack::{
    Conn,
    Tuple, //
};
use crate::kernel_net::netfilter::Family;
use crate::kernel_net::nft::{
    Expression,
    Outcome,
    Packet,
    Reference, //
};
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::rcu_table::{
    InsertError,
    Object,
    Side, //
};
use crate::kernel_net::time::{
    jiffies,
    DAY,
    HZ, //
};
use crate::kernel_net::trace;
use crate::kernel_net::work::Worker;
use crate::path::{
    self,
    Ways, //
};
use crate::reason::{
    Refusal,
    Teardown, //
};
use crate::table::{
    FlowTable,
    Stored,
    GARBAGE, //
};
use core::ptr;

/// The expression.
pub(crate) enum FlowAdd {}

impl Expression for FlowAdd {
    type Table = Worker<FlowTable>;

    const NAME: &'static CStr = c"flow_offload";

    fn eval(table: &Reference<'_, Self::Table>, packet: &Packet<'_>, rcu: ReadSide<'_>) -> Outcome {
        let connection = packet.connection();
        let conn = connection.map(|(conn, _)| conn);
        match offload(table, packet, connection, rcu) {
            Ok(Done::Added) => {
                table.content().state.added();
                if let Some(conn) = conn {
                    trace::flow_added(conn);
                }
                Outcome::Continue
            }
            Ok(Done::Rerouted) => {
                if let Some(conn) = conn {
                    trace::flow_rerouted(conn);
                }
                Outcome::Continue
            }
            Err(why) => {
                table.content().state.refused(why);
                if let Some(conn) = conn {
                    trace::flow_refused(conn, why.c_name());
                }
                Outcome::Break
            }
        }
    }
}

/// What was done about a connection.
enum Done {
    /// It has a new flow.
    Added,
    /// Its flow goes on by another path.
    Rerouted,
}

/// The rules of C 7.2, in its order, and some more.
fn eligible<'a>(
    packet: &Packet<'_>,
    connection: Option<(&'a Conn, Side)>,
) -> Result<(&'a Conn, Side, Protocol), Refusal> {
    if packet.is_decrypted() {
        return Err(Refusal::Decrypted);
    }
    if packet.has_ip_options() {
        return Err(Refusal::IpOptions);
    }
    let (conn, side) = connection.ok_or(Refusal::Untracked)?;
    // What goes to a group has no neighbour, and may leave by several devices.
    if conn.is_multicast() {
        return Err(Refusal::Multicast);
    }
    let protocol = Protocol::from_number(conn.protocol()).ok_or(Refusal::Protocol)?;
    if protocol == Protocol::Tcp {
        let ends = packet
            .tcp_header()
            .is_none_or(|header| parse::flags(&header).closes());
        if ends || !(conn.is_tcp_established() || conn.is_tcp_half_closed()) {
            return Err(Refusal::TcpState);
        }
    }
    let status = conn.status();
    if protocol == Protocol::Gre && !is_plain_gre(conn) {
        return Err(Refusal::Protocol);
    }
    if conn.has_helper() {
        return Err(Refusal::Helper);
    }
    if status.has_sequence_adjustment() {
        return Err(Refusal::SequenceAdjusted);
    }
    if status.has_nat_clash() {
        return Err(Refusal::NatClash);
    }
    if !status.is_confirmed() {
        return Err(Refusal::Unconfirmed);
    }
    Ok((conn, side, protocol))
}

/// Whether a GRE connection has nothing that would have to be told apart or translated: version 0,
/// where conntrack looks at addresses only, without NAT.
fn is_plain_gre(conn: &Conn) -> bool {
    let keys = conn.tuple(Side::Original);
    Conn::tracks_gre()
        && !conn.status().has_nat()
        && keys.source_port == [0; 2]
        && keys.destination_port == [0; 2]
}

fn offload(
    table: &Reference<'_, Worker<FlowTable>>,
    packet: &Packet<'_>,
    connection: Option<(&Conn, Side)>,
    rcu: ReadSide<'_>,
) -> Result<Done, Refusal> {
    let (conn, side, protocol) = eligible(packet, connection)?;
    let content = table.content();
    let Some(before) = conn.claim_offload() else {
        // Mostly a packet that had to take the classic path, of a flow that is fine: conntrack has just given
        // the entry the time until the next such packet, and there may be none.
        extend_connection(conn, protocol, jiffies());
        if !content.has_stale() {
            return Err(Refusal::Claimed);
        }
        let ways = path::discover(table, packet, conn, side, rcu)?;
        return match conn.family() {
            Some(Family::Ipv4) => renew::<V4>(content, packet, conn, side, protocol, ways, rcu),
            Some(Family::Ipv6) => renew::<V6>(content, packet, conn, side, protocol, ways, rcu),
            _ => Err(Refusal::Protocol),
        };
    };
    // The claim is given back on every failure from here on, and the collector is asked to look for
    // next hops that were made and are of no use.
    claimed(table, packet, conn, side, protocol, rcu).inspect_err(|_| {
        give_back(conn, before);
        content.kick(GARBAGE, HZ);
    })
}

/// Gives a claim back of which nothing has come: the connection has the time to live that it had `before`,
/// whoever has extended it meanwhile.
fn give_back(conn: &Conn, before: u32) {
    let now = jiffies();
    // CAST: The difference of two times; not negative.
    let timeout = (before.wrapping_sub(now) as i32).max(0) as u32;
    conn.release_offload(timeout, now);
}

fn claimed(
    table: &Reference<'_, Worker<FlowTable>>,
    packet: &Packet<'_>,
    conn: &Conn,
    side: Side,
    protocol: Protocol,
    rcu: ReadSide<'_>,
) -> Result<Done, Refusal> {
    let ways = path::discover(table, packet, conn, side, rcu)?;
    if conn.status().is_dying() {
        return Err(Refusal::Dying);
    }
    match conn.family() {
        Some(Family::Ipv4) => {
            insert::<V4>(table.content(), packet, conn, side, protocol, ways, rcu)
        }
        Some(Family::Ipv6) => {
            insert::<V6>(table.content(), packet, conn, side, protocol, ways, rcu)
        }
        _ => Err(Refusal::Protocol),
    }
}

/// Addresses and ports that packets of both directions have when they come in, original and reply.
#[inline(always)]
fn ends<F: Ip>(conn: &Conn) -> [F::Ends; 2] {
    [conn.tuple(Side::Original), conn.tuple(Side::Reply)].map(|tuple: Tuple| {
        F::ends(
            tuple.source,
            tuple.destination,
            [tuple.source_port, tuple.destination_port],
        )
    })
}

/// What they are recognised by. Packets of one direction come in where those of the other leave.
#[inline(always)]
fn keys<F: Ip>([original, reply]: &[F::Ends; 2], ways: &Ways, protocol: Protocol) -> [F::Key; 2] {
    [
        F::key(original, ways.reply.port, protocol.number()),
        F::key(reply, ways.original.port, protocol.number()),
    ]
}

/// Makes the flow of a connection that was claimed, from a packet of the direction `side`.
fn insert<F: Stored>(
    table: &Worker<FlowTable>,
    packet: &Packet<'_>,
    conn: &Conn,
    side: Side,
    protocol: Protocol,
    ways: Ways,
    rcu: ReadSide<'_>,
) -> Result<Done, Refusal> {
    let ends = ends::<F>(conn);
    let keys = keys::<F>(&ends, &ways, protocol);
    let [first, second] = &ends;
    let rewrites = F::rewrites(first, second);
    // Somebody who translates without NAT follows each packet by himself.
    if F::translates(&rewrites) && !conn.status().has_nat() {
        return Err(Refusal::ForeignNat);
    }
    table.refresh_settings(conn.namespace());
    let now = jiffies();
    let deadline = table.deadline(protocol, now);
    let segment = match protocol {
        Protocol::Tcp => packet
            .tcp_header()
            .and_then(|header| parse::segment(&header, packet.tcp_len())),
        _ => None,
    };
    // Before anybody can find the flow and end it: who does gives the entry its own time back.
    conn.refresh(DAY);
    let ([original, reply], [first, second]) = (&keys, &rewrites);
    let make = || {
        let flow = Flow::<F>::new(
            conn,
            protocol,
            now,
            deadline,
            Half {
                key: original,
                rewrite: first,
                next_hop: ways.original,
            },
            Half {
                key: reply,
                rewrite: second,
                next_hop: ways.reply,
            },
        );
        if let Some(segment) = segment {
            flow.note_segment(side, segment, now);
        }
        flow
    };
    let inserted = FlowTable::insert(table, [original, reply], make, rcu);
    let index = inserted.map_err(|error| match error {
        InsertError::Exists(_) => Refusal::Duplicate,
        InsertError::NoMemory => Refusal::NoMemory,
        InsertError::Full => Refusal::TableFull,
    })?;
    // Only of what is offloaded.
    if protocol == Protocol::Tcp {
        conn.tcp_be_liberal();
    }
    FlowTable::end_if_misled::<F>(table, index, now, rcu);
    FlowTable::offer::<F>(table, index, rcu);
    Ok(Done::Added)
}

/// Gives a flow whose path has changed its new one. Its packets come this way because they found
/// the old path outdated, and this one has its route by the rules of just now.
///
/// Where packets come in in another way, too, it is another flow.
fn renew<F: Stored>(
    table: &Worker<FlowTable>,
    packet: &Packet<'_>,
    conn: &Conn,
    side: Side,
    protocol: Protocol,
    ways: Ways,
    rcu: ReadSide<'_>,
) -> Result<Done, Refusal> {
    let keys = keys::<F>(&ends::<F>(conn), &ways, protocol);
    let [original, reply] = &keys;
    let (this, other) = match side {
        Side::Original => (original, reply),
        Side::Reply => (reply, original),
    };
    let flows = F::flows(table);
    let found = flows
        .lookup(this, rcu)
        .or_else(|| flows.lookup(other, rcu))
        .filter(|found| ptr::eq(found.object.conn(), conn))
        .ok_or(Refusal::Claimed)?;
    let flow = found.object;
    if !flow.is_stale() || flow.is_over() {
        return Err(Refusal::Claimed);
    }
    if flow.key(Side::Original) == original && flow.key(Side::Reply) == reply {
        FlowTable::reroute(table, found, ways.original, ways.reply, rcu);
        return Ok(Done::Rerouted);
    }
    FlowTable::end(table, found, Teardown::PathChanged, jiffies(), rcu);
    let before = conn.claim_offload().ok_or(Refusal::Claimed)?;
    insert::<F>(table, packet, conn, side, protocol, ways, rcu)
        .inspect_err(|_| give_back(conn, before))
}

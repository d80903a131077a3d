// SPDX-License-Identifier: GPL-2.0

//! The expression `flow add @table`: decides whether a connection is offloaded, and does it.

use crate::flow::ip::{
    V4,
    V6, //
};
use crate::flow::nat::Protocol;
use crate::flow::{
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
    Side, //
};
use crate::kernel_net::time::{
    jiffies,
    DAY,
    HZ, //
};
use crate::kernel_net::work::Worker;
use crate::next_hop::NextHopRef;
use crate::path;
use crate::reason::Refusal;
use crate::table::{
    FlowTable,
    Stored, //
};
use kernel::prelude::*;

/// The expression.
pub(crate) enum FlowAdd {}

impl Expression for FlowAdd {
    type Table = Worker<FlowTable>;

    const NAME: &'static CStr = c"flow_offload";

    fn eval(table: &Reference<'_, Self::Table>, packet: &Packet<'_>, rcu: ReadSide<'_>) -> Outcome {
        match offload(table, packet, rcu) {
            Ok(()) => {
                table.content().state.added();
                Outcome::Continue
            }
            Err(why) => {
                table.content().state.refused(why);
                Outcome::Break
            }
        }
    }
}

/// The rules of C 7.2, in its order.
fn eligible<'a>(packet: &Packet<'a>) -> Result<(&'a Conn, Side, Protocol), Refusal> {
    if packet.is_decrypted() {
        return Err(Refusal::Decrypted);
    }
    if packet.has_ip_options() {
        return Err(Refusal::IpOptions);
    }
    let (conn, side) = packet.connection().ok_or(Refusal::Untracked)?;
    let protocol = Protocol::from_number(conn.protocol()).ok_or(Refusal::Protocol)?;
    if protocol == Protocol::Tcp {
        let ends = packet.tcp_flags().is_none_or(|flags| flags.closes());
        if ends || !conn.is_tcp_established() {
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
    rcu: ReadSide<'_>,
) -> Result<(), Refusal> {
    let (conn, side, protocol) = eligible(packet)?;
    if !conn.claim_offload() {
        return Err(Refusal::Claimed);
    }
    // The claim is given back on every failure from here on, and the collector is asked to look for
    // next hops that were made and are of no use.
    claimed(table, packet, conn, side, protocol, rcu).inspect_err(|_| {
        conn.release_offload();
        table.content().kick(HZ);
    })
}

fn claimed(
    table: &Reference<'_, Worker<FlowTable>>,
    packet: &Packet<'_>,
    conn: &Conn,
    side: Side,
    protocol: Protocol,
    rcu: ReadSide<'_>,
) -> Result<(), Refusal> {
    let (original, reply) = path::discover(table, packet, conn, side, rcu)?;
    if conn.status().is_dying() {
        return Err(Refusal::Dying);
    }
    match conn.family() {
        Some(Family::Ipv4) => insert::<V4>(table, conn, protocol, original, reply, rcu),
        Some(Family::Ipv6) => insert::<V6>(table, conn, protocol, original, reply, rcu),
        _ => Err(Refusal::Protocol),
    }
}

fn insert<F: Stored>(
    table: &Reference<'_, Worker<FlowTable>>,
    conn: &Conn,
    protocol: Protocol,
    original: NextHopRef,
    reply: NextHopRef,
    rcu: ReadSide<'_>,
) -> Result<(), Refusal> {
    let ends = |tuple: Tuple| {
        F::ends(
            tuple.source,
            tuple.destination,
            [tuple.source_port, tuple.destination_port],
        )
    };
    // Packets of one direction come in where those of the other leave.
    let (in_original, in_reply) = (reply.port, original.port);
    let content = table.content();
    content.refresh_settings(conn.namespace());
    let flow = Flow::<F>::new(
        conn,
        protocol,
        content.deadline(protocol, jiffies()),
        Half {
            ends: ends(conn.tuple(Side::Original)),
            ingress: in_original,
            next_hop: original,
        },
        Half {
            ends: ends(conn.tuple(Side::Reply)),
            ingress: in_reply,
            next_hop: reply,
        },
    );
    if protocol == Protocol::Tcp {
        conn.tcp_be_liberal();
    }
    FlowTable::insert(content, flow, rcu).map_err(|error| match error {
        InsertError::Exists => Refusal::Duplicate,
        InsertError::NoMemory => Refusal::NoMemory,
        InsertError::Full => Refusal::TableFull,
    })?;
    conn.refresh(DAY);
    Ok(())
}

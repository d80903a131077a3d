// SPDX-License-Identifier: GPL-2.0

//! The list of flows, a line for each: `/proc/net/nft_offload_rs_flows`.
//!
//! ```text
//! ipv4 tcp active age=12 timeout=30
//!   in=r1/vlan:10 src=10.0.1.2 dst=192.0.2.7 sport=40000 dport=443 packets=7 bytes=812 out=ppp0
//!   in=… (the reply direction)
//! ```
//!
//! in one line. Addresses are those that packets come in with, so that translation shows as in
//! conntrack's list, and numbers of packets and bytes are conntrack's, if it counts. Devices are the
//! real ones. With `flags offload` the line says what hardware does: `hardware=yes`, `pending`,
//! `refused`, or nothing while it was not asked. The reader goes from flow to flow without holding anything up: each is found by its
//! index, anew.

use crate::compat::fmt;
use crate::compat::seq_file::SeqFile;
use crate::compat::seq_print;
use crate::compat::sync::rcu;
use crate::flow::encap::Tag;
use crate::flow::ip::{
    Ip,
    V4,
    V6, //
};
use crate::flow::nat::Protocol;
use crate::flow::Flow;
use crate::hardware::state::Standing;
use crate::kernel_net::conntrack::Tuple;
use crate::kernel_net::netfilter::Family;
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::rcu_table::Side;
use crate::kernel_net::time::{
    jiffies,
    HZ, //
};
use crate::next_hop::{
    Ends,
    NextHop, //
};
use crate::table::{
    FlowTable,
    Stored, //
};
use core::net::{
    Ipv4Addr,
    Ipv6Addr, //
};

/// Where in the list of a flowtable a flow is: below 2^32 those of IPv4, above those of IPv6.
const V6_BEGINS: u64 = 1 << 32;
/// The end of a flowtable's part of the list.
pub(crate) const END: u64 = 1 << 33;

/// The first flow of a flowtable at or after a place.
pub(crate) fn next(table: &FlowTable, from: u64) -> Option<u64> {
    let guard = rcu::read_lock();
    let rcu = ReadSide::of(&guard);
    if from < V6_BEGINS {
        // CAST: Less than 2^32.
        if let Some(index) = V4::flows(table).next(from as u32, rcu) {
            return Some(u64::from(index));
        }
    }
    // CAST: The low half, which is the index.
    let from = from.saturating_sub(V6_BEGINS).min(u64::from(u32::MAX)) as u32;
    V6::flows(table)
        .next(from, rcu)
        .map(|index| u64::from(index) | V6_BEGINS)
}

/// Writes the line of the flow at a place; nothing if it has gone meanwhile.
pub(crate) fn show(table: &FlowTable, place: u64, file: &SeqFile) {
    let guard = rcu::read_lock();
    let rcu = ReadSide::of(&guard);
    // CAST: The low half, which is the index.
    let index = place as u32;
    if place < V6_BEGINS {
        show_flow(V4::flows(table).get(index, rcu), file, rcu);
    } else {
        show_flow(V6::flows(table).get(index, rcu), file, rcu);
    }
}

fn show_flow<F: Stored>(flow: Option<&Flow<F>>, file: &SeqFile, rcu: ReadSide<'_>) {
    let Some(flow) = flow else {
        return;
    };
    let now = jiffies();
    let version = if F::ETHERTYPE == V4::ETHERTYPE {
        "ipv4"
    } else {
        "ipv6"
    };
    let protocol = match flow.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Gre => "gre",
    };
    let stale = if flow.is_stale() { ",path_changed" } else { "" };
    seq_print!(
        file,
        "{} {} {}{} age={} timeout={}",
        version,
        protocol,
        flow.state().name(),
        stale,
        flow.age(now) / HZ,
        flow.remaining(now).max(0).unsigned_abs() / HZ
    );
    match flow.hardware.standing() {
        Standing::Software => {}
        Standing::Pending => seq_print!(file, " hardware=pending"),
        Standing::Installed => seq_print!(file, " hardware=yes"),
        Standing::Refused => seq_print!(file, " hardware=refused"),
    }
    for side in [Side::Original, Side::Reply] {
        let out = flow.direction(side).next_hop.get(rcu);
        let back = flow.direction(side.other()).next_hop.get(rcu);
        seq_print!(file, " in=");
        show_way(back, file);
        show_tuple(flow, &flow.conn().tuple(side), file);
        if let Some((packets, bytes)) = flow.conn().accounted(side) {
            seq_print!(file, " packets={} bytes={}", packets, bytes);
        }
        seq_print!(file, " out=");
        show_way(out, file);
    }
    seq_print!(file, "\n");
}

/// A device, and what is around packets there, from the outside in.
fn show_way(hop: &NextHop, file: &SeqFile) {
    seq_print!(file, "{}", hop.device.name());
    let (outer, inner) = hop.encap.outer_and_inner();
    for tag in [outer, inner].into_iter().flatten() {
        match tag {
            Tag::Vlan(id) => seq_print!(file, "/vlan:{}", id),
            Tag::ServiceVlan(id) => seq_print!(file, "/802.1ad:{}", id),
            Tag::Pppoe(session) => seq_print!(file, "/pppoe:{}", session),
        }
    }
    match hop.tunnel.as_ref().map(|tunnel| &tunnel.ends) {
        Some(Ends::V4(ends)) => {
            seq_print!(file, "/ipip:{}", Shown(Ipv4Addr::from(ends.destination)))
        }
        Some(Ends::V6(ends)) => {
            seq_print!(file, "/ip6ip6:{}", Shown(Ipv6Addr::from(ends.destination)))
        }
        None => {}
    }
}

/// An address, for printing: the kernel has a trait of its own for that.
struct Shown<A>(A);

impl<A: core::fmt::Display> fmt::Display for Shown<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn show_tuple<F: Stored>(flow: &Flow<F>, tuple: &Tuple, file: &SeqFile) {
    if flow.conn().family() == Some(Family::Ipv4) {
        let v4 = |address: &[u8; 16]| {
            let [a, b, c, d, ..] = *address;
            Shown(Ipv4Addr::new(a, b, c, d))
        };
        let (source, destination) = (v4(&tuple.source), v4(&tuple.destination));
        seq_print!(file, " src={} dst={}", source, destination);
    } else {
        let v6 = |address: &[u8; 16]| Shown(Ipv6Addr::from(*address));
        let (source, destination) = (v6(&tuple.source), v6(&tuple.destination));
        seq_print!(file, " src={} dst={}", source, destination);
    }
    if flow.protocol != Protocol::Gre {
        seq_print!(
            file,
            " sport={} dport={}",
            u16::from_be_bytes(tuple.source_port),
            u16::from_be_bytes(tuple.destination_port)
        );
    }
}

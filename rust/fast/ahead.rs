// SPDX-License-Identifier: GPL-2.0

//! What packets that wait in a batch will need of memory: each of three things says where the next one
//! is, the bucket, the flow, and the connection.
//!
//! Only hints: what is done with the packet is found out anew when its turn comes.

use super::wrapped::tag_of;
use crate::flow::encap::Encap;
use crate::flow::ip::{
    Ip,
    V4,
    V6, //
};
use crate::flow::key::Port;
use crate::flow::nat::Protocol;
use crate::kernel_net::flowtable::LEN;
use crate::kernel_net::netfilter::Family;
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::skb::{
    Addressee,
    Skb, //
};
use crate::table::{
    FlowTable,
    Stored, //
};

/// What is known of a packet that waits: the hash of its key, and which flows it is for.
#[derive(Clone, Copy)]
pub(crate) enum Hint {
    V4(u32),
    V6(u32),
}

/// Has the bucket fetched of a packet that is one of the ordinary kinds; [`None`] of others, whose
/// bucket would not be known without more ado.
pub(crate) fn bucket(
    table: &FlowTable,
    family: Family,
    skb: &Skb<'_>,
    rcu: ReadSide<'_>,
) -> Option<Hint> {
    if skb.addressee() != Addressee::Device {
        return None;
    }
    let ifindex = skb.ingress_ifindex();
    let port = if skb.has_vlan_tag() {
        Port::new(ifindex, Encap::of(tag_of(skb)?), 0)
    } else {
        Port::plain(ifindex)
    };
    match skb.protocol() {
        V4::ETHERTYPE if family != Family::Ipv6 => {
            bucket_of::<V4>(table, skb, port, rcu).map(Hint::V4)
        }
        V6::ETHERTYPE if family != Family::Ipv4 => {
            bucket_of::<V6>(table, skb, port, rcu).map(Hint::V6)
        }
        _ => None,
    }
}

#[inline(always)]
fn bucket_of<F: Stored>(
    table: &FlowTable,
    skb: &Skb<'_>,
    port: Port,
    rcu: ReadSide<'_>,
) -> Option<u32> {
    let headers = F::parse(skb.linear(), port).ok()?;
    (headers.protocol != Protocol::Gre).then(|| F::flows(table).fetch_bucket(&headers.key, rcu))
}

/// Has the flows of packets fetched, and what those refer to.
pub(crate) fn flows(
    table: &FlowTable,
    hints: impl Iterator<Item = Hint> + Clone,
    rcu: ReadSide<'_>,
) {
    let v4 = hints.clone().filter_map(|hint| match hint {
        Hint::V4(hash) => Some(hash),
        Hint::V6(_) => None,
    });
    flows_of::<V4>(table, v4, rcu);
    let v6 = hints.filter_map(|hint| match hint {
        Hint::V6(hash) => Some(hash),
        Hint::V4(_) => None,
    });
    flows_of::<V6>(table, v6, rcu);
}

#[inline(always)]
fn flows_of<F: Stored>(table: &FlowTable, hashes: impl Iterator<Item = u32>, rcu: ReadSide<'_>) {
    let mut directions = [const { None }; LEN];
    for (place, hash) in directions.iter_mut().zip(hashes) {
        if let Some(found) = F::flows(table).likely(hash, rcu) {
            let direction = found.object.direction(found.side());
            direction.prefetch();
            *place = Some(direction);
        }
    }
    let directions = || directions.iter().flatten();
    directions().for_each(|direction| direction.conn.prefetch_status());
    directions().for_each(|direction| direction.conn.prefetch_counters());
}

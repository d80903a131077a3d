// SPDX-License-Identifier: GPL-2.0

//! The fast path: parse → lookup → check → rewrite → transmit.
//!
//! Everything that can turn a packet away comes before the first byte is changed, so that a packet
//! that is turned away goes on to the classic path untouched.

pub(crate) mod ahead;
pub(crate) mod parse;
mod wrapped;

use crate::flow::encap;
use crate::flow::ip::{
    Ip,
    V4,
    V6, //
};
use crate::flow::key::Port;
use crate::flow::nat::{
    Protocol,
    Sums,
    Transport, //
};
use crate::flow::tcp::Segment;
use crate::flow::Flow;
use crate::kernel_net::flowtable::Options;
use crate::kernel_net::netfilter::{
    Family,
    Verdict, //
};
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::rcu_table::{
    First,
    Found, //
};
use crate::kernel_net::skb::{
    Addressee,
    Decrypted,
    Skb,
    Summed,
    Unwritable,
    Writable, //
};
use crate::kernel_net::time::jiffies;
use crate::kernel_net::work::Worker;
use crate::next_hop::{
    Check,
    NextHop, //
};
use crate::path;
use crate::reason::{
    Bypass,
    Loss,
    Teardown, //
};
use crate::table::{
    FlowTable,
    Stored, //
};
use parse::{
    Headers,
    Reject,
    TcpFlags, //
};

/// What may be around packets that [`forward`] is compiled for, or [`ANYTHING`]: nothing, one VLAN tag
/// beside the packet, or a PPPoE session and perhaps such a tag. The frame is for this station.
const NOTHING: u8 = 0;
const TAG: u8 = 1;
const SESSION: u8 = 2;
/// Whatever can be, and the frame may be for somebody else.
const ANYTHING: u8 = 3;
/// The same, and policies of IPsec are asked whether the packet may be forwarded.
const POLICED: u8 = 4;

/// Whether packets are looked at in every respect.
const fn is_any(around: u8) -> bool {
    matches!(around, ANYTHING | POLICED)
}

/// Forwards a packet, if it is of a version of IP that the flowtable is for.
#[inline(always)]
pub(crate) fn forward_family<'a>(
    table: &'a Worker<FlowTable>,
    family: Family,
    options: Options,
    skb: Skb<'a>,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    // Frames for others are looked at more closely there.
    if skb.addressee() != Addressee::Device {
        return wrapped::forward_family(table, family, options, skb, rcu);
    }
    if skb.has_vlan_tag() {
        return wrapped::forward_tagged(table, family, options, skb, rcu);
    }
    let port = Port::plain(skb.ingress_ifindex());
    if family != Family::Ipv6 && skb.has_protocol(V4::ETHERTYPE) {
        return enter::<V4, NOTHING>(table, family, options, skb, port, rcu);
    }
    if family != Family::Ipv4 && skb.has_protocol(V6::ETHERTYPE) {
        return plain_ipv6(table, family, options, skb, port, rcu);
    }
    match skb.protocol() {
        encap::PPPOE => wrapped::forward_session(table, family, options, skb, rcu),
        encap::VLAN | encap::SERVICE_VLAN => {
            wrapped::forward_family(table, family, options, skb, rcu)
        }
        _ => Verdict::accept(skb),
    }
}

/// Forwards a plain IPv6 packet: apart, so that IPv4 need not wait for the registers that this takes.
#[inline(never)]
fn plain_ipv6<'a>(
    table: &'a Worker<FlowTable>,
    family: Family,
    options: Options,
    skb: Skb<'a>,
    port: Port,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    enter::<V6, NOTHING>(table, family, options, skb, port, rcu)
}

/// Bytes before the network header, where they are always as many.
const fn shift(around: u8) -> usize {
    if around == SESSION {
        encap::PPPOE_LEN
    } else {
        0
    }
}

/// Forwards a packet around which there is no more than `AROUND` says, unless it came through a tunnel.
///
/// Whatever takes more than a look, headers in pieces for one, is left to those who have more time.
#[inline(always)]
fn enter<'a, F: Stored, const AROUND: u8>(
    table: &'a Worker<FlowTable>,
    family: Family,
    options: Options,
    skb: Skb<'a>,
    port: Port,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    // Compiled for each of those that packets are of.
    let rejected = match F::inside(headers_of::<AROUND>(&skb)) {
        Ok(Protocol::Tcp) => {
            return forward::<F, AROUND, TCP>(table, family, options, skb, port, rcu)
        }
        Ok(Protocol::Udp) => {
            return forward::<F, AROUND, UDP>(table, family, options, skb, port, rcu)
        }
        Ok(Protocol::Gre) => None,
        Err(why) => Some(why),
    };
    if rejected == Some(Reject::Other) && F::flows(table).tunnels.is_empty() {
        return Verdict::accept(skb);
    }
    wrapped::forward_family(table, family, options, skb, rcu)
}

/// A packet from its network header on.
#[inline(always)]
fn headers_of<'a, const AROUND: u8>(skb: &'a Skb<'_>) -> &'a [u8] {
    skb.linear().get(shift(AROUND)..).unwrap_or(&[])
}

/// A packet within what it is wrapped in.
struct Inside<K> {
    key: K,
    shape: Shape,
}

/// What else a packet's headers say, and where they are.
#[derive(Clone, Copy)]
struct Shape {
    /// Bytes before the network header.
    at: u8,
    /// Whether they end with the header of a tunnel.
    tunnel: bool,
    /// Bytes of the network and transport headers.
    len: u8,
    protocol: Protocol,
    tcp: TcpFlags,
}

impl<K> Inside<K> {
    /// Headers behind `at` bytes.
    #[inline(always)]
    fn new(headers: Headers<K>, at: usize, tunnel: bool) -> Self {
        Self {
            key: headers.key,
            shape: Shape {
                // CAST: At most two encapsulations and a tunnel.
                at: at as u8,
                tunnel,
                // CAST: At most 60.
                len: headers.len as u8,
                protocol: headers.protocol,
                tcp: headers.tcp,
            },
        }
    }
}

/// Protocols that [`forward`] is compiled for; or for all of them.
const TCP: u8 = 6;
const UDP: u8 = 17;
const ANY: u8 = 0;

/// Leaves a packet of a known flow to the classic path.
#[cold]
#[inline(never)]
fn bypass<F: Stored>(
    table: &Worker<FlowTable>,
    found: Found<'_, Flow<F>>,
    why: Bypass,
    rcu: ReadSide<'_>,
) {
    table.state.bypassed(why);
    table.visit_soon(found, rcu);
}

/// The TCP segment in a packet of `len` bytes, whose network header is `at` bytes from the beginning.
fn segment_of<F: Stored>(linear: &[u8], len: u32, at: u32) -> Option<Segment> {
    let packet = linear.get(at as usize..)?;
    let said = parse::length(packet);
    // What is too long for that field says nothing there.
    let len = if said > F::HEADER_LEN {
        said
    } else {
        len.wrapping_sub(at)
    };
    let header = packet.get(F::HEADER_LEN as usize..)?;
    parse::segment(header, len.saturating_sub(F::HEADER_LEN))
}

/// What a packet with FIN, RST or PSH means for its flow. True if it takes the classic path.
///
/// A connection that ends is conntrack's to follow: the packet takes the classic path, as do all that
/// come after it. What somebody sends who does not know the connection is for the hosts to ignore.
#[cold]
#[inline(never)]
fn closes<F: Stored>(
    table: &Worker<FlowTable>,
    found: Found<'_, Flow<F>>,
    (linear, len, at): (&[u8], u32, u32),
    tcp: TcpFlags,
    now: u32,
    rcu: ReadSide<'_>,
) -> bool {
    let segment = segment_of::<F>(linear, len, at);
    if !tcp.closes() {
        if let Some(segment) = segment {
            found.object.note_segment(found.side(), segment, now);
        }
        return false;
    }
    let ends = segment.is_none_or(|segment| found.object.is_closed_by(found.side(), segment, now));
    if ends {
        FlowTable::end(table, found, Teardown::TcpClosing, now, rcu);
    }
    ends
}

/// Once a second in each direction: moves the deadline, and sees that conntrack knows as much of the
/// connection as it has to.
#[cold]
#[inline(never)]
fn refresh<F: Stored>(
    found: Found<'_, Flow<F>>,
    (linear, len, at): (&[u8], u32, u32),
    deadline: u32,
    now: u32,
) {
    let segment = || segment_of::<F>(linear, len, at);
    found.object.refresh(found.side(), segment, deadline, now);
}

/// Looks again whether a bridge on the way still leads where it did, if it has heard something that
/// may concern it; then what else there is to check.
#[cold]
#[inline(never)]
fn look_again(next_hop: &NextHop, check: Check, now: u32, rcu: ReadSide<'_>) -> Check {
    if check != Check::Unsure {
        return check;
    }
    let heard = next_hop.heard();
    if !path::still_leads(next_hop, rcu) {
        next_hop.outdate();
        return Check::PathChanged;
    }
    next_hop.note_heard(heard);
    match next_hop.check(now, rcu) {
        // Something more was heard; the next packet looks.
        Check::Unsure => Check::Good,
        check => check,
    }
}

/// What to do about a transport checksum that is not all in the packet. Its header is `len` bytes from the
/// beginning.
#[cold]
#[inline(never)]
fn sum_of(mut skb: Writable<'_>, len: u32) -> (Writable<'_>, Transport) {
    let how = match skb.summed() {
        Summed::Partial => Transport::of(Sums {
            partial: true,
            starts_here: skb.sum_start() == len as usize,
            tunnel_sum: skb.is_gso() && skb.has_tunnel_sum(),
        }),
        Summed::Complete => {
            skb.forget_sum();
            Transport::Whole
        }
        Summed::None | Summed::Unnecessary => Transport::Whole,
    };
    (skb, how)
}

/// A shape of which all is to be read. What TCP has to say was heard.
#[inline(always)]
fn whole<const AROUND: u8>(shape: Shape, at: u32, len: u32, protocol: Protocol) -> Shape {
    Shape {
        // CAST: Lengths of headers.
        at: at as u8,
        tunnel: is_any(AROUND) && shape.tunnel,
        len: len as u8,
        protocol,
        tcp: TcpFlags::NONE,
    }
}

/// Forwards a packet, if it is of a known flow. `AROUND` says what may be around it, `PROTOCOL` of
/// which protocol it is.
#[inline(always)]
fn forward<'a, F: Stored, const AROUND: u8, const PROTOCOL: u8>(
    table: &'a Worker<FlowTable>,
    family: Family,
    options: Options,
    skb: Skb<'a>,
    port: Port,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    let protocol = if PROTOCOL == TCP {
        Protocol::Tcp
    } else {
        Protocol::Udp
    };
    let Ok(headers) = F::headers(headers_of::<AROUND>(&skb), port, protocol) else {
        return wrapped::forward_family(table, family, options, skb, rcu);
    };
    let Inside { key, shape } = Inside::new(headers, shift(AROUND), false);
    match F::flows(table).lookup_first(&key, rcu) {
        First::Found(found) if AROUND == NOTHING && F::ETHERTYPE == V4::ETHERTYPE => {
            forward_apart::<F, AROUND, PROTOCOL>(table, options, skb, found, shape, rcu)
        }
        First::Found(found) => {
            forward_found::<F, AROUND, PROTOCOL>(table, options, skb, found, shape, rcu)
        }
        First::Missing => Verdict::accept(skb),
        First::Elsewhere => wrapped::forward_family(table, family, options, skb, rcu),
    }
}

/// [`forward_found`] as a function of its own: takes over where looking up ends, with what is left in
/// registers, so that packets of no flow do not pay for more; or where policies have to be asked, for
/// packets that mostly go without.
#[inline(never)]
fn forward_apart<'a, F: Stored, const AROUND: u8, const PROTOCOL: u8>(
    table: &'a Worker<FlowTable>,
    options: Options,
    skb: Skb<'a>,
    found: Found<'a, Flow<F>>,
    shape: Shape,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    forward_found::<F, AROUND, PROTOCOL>(table, options, skb, found, shape, rcu)
}

/// Forwards a packet of a known flow, if nothing speaks against it.
///
/// What `AROUND` and `PROTOCOL` say of the shape is not read.
#[inline(always)]
fn forward_found<'a, F: Stored, const AROUND: u8, const PROTOCOL: u8>(
    table: &'a Worker<FlowTable>,
    options: Options,
    skb: Skb<'a>,
    found: Found<'a, Flow<F>>,
    shape: Shape,
    rcu: ReadSide<'a>,
) -> Verdict<'a> {
    let protocol = match PROTOCOL {
        TCP => Protocol::Tcp,
        UDP => Protocol::Udp,
        _ => shape.protocol,
    };
    // CAST: Lengths of headers.
    let (at, len) = if is_any(AROUND) {
        (u32::from(shape.at), u32::from(shape.len))
    } else {
        (
            shift(AROUND) as u32,
            F::HEADER_LEN + protocol.header_len() as u32,
        )
    };
    let tcp = match PROTOCOL {
        UDP => TcpFlags::NONE,
        _ => shape.tcp,
    };
    let direction = found.object.direction(found.side());
    let next_hop = direction.next_hop.get(rcu);
    let now = jiffies();

    let bypass = |skb, why| {
        bypass(table, found, why, rcu);
        Verdict::accept(skb)
    };

    if !direction.state.is_active() && !found.object.note_packet(found.side()) {
        return bypass(skb, Bypass::FlowOver);
    }
    if direction.conn.status().is_dying() {
        FlowTable::end(table, found, Teardown::ConnectionGone, now, rcu);
        return Verdict::accept(skb);
    }
    if is_any(AROUND) && skb.addressee() == Addressee::Other {
        // A bridge or VLAN device above may have an address of its own; nobody else's frames are
        // for us, although a promiscuous device shows them.
        let back = found.object.direction(found.side().other());
        let own = back.next_hop.get(rcu).own_address();
        if own.is_none() || own != skb.ethernet_destination() {
            return bypass(skb, Bypass::OtherHost);
        }
    }
    if skb.len().wrapping_sub(at) > next_hop.mtu
        && !(skb.is_gso() && skb.segments_fit(next_hop.mtu.saturating_add(at)))
    {
        return bypass(skb, Bypass::Mtu);
    }
    // By its parts, so that it need not be in memory.
    if tcp.says_more() && closes(table, found, (skb.linear(), skb.len(), at), tcp, now, rcu) {
        return Verdict::accept(skb);
    }
    let check = next_hop.check(now, rcu);
    if check != Check::Good {
        match look_again(next_hop, check, now, rcu) {
            Check::Good => {}
            Check::Policed if AROUND == POLICED => {}
            Check::Policed => {
                let shape = whole::<AROUND>(shape, at, len, protocol);
                return forward_apart::<F, POLICED, ANY>(table, options, skb, found, shape, rcu);
            }
            Check::Unsure | Check::PathChanged => {
                FlowTable::mark_stale(table, found, now, rcu);
                return bypass(skb, Bypass::PathChanged);
            }
            Check::NeighbourUnknown => return bypass(skb, Bypass::Neighbour),
        }
    }
    let headroom = u32::from(next_hop.headroom).saturating_sub(at);
    let decrypted = match AROUND {
        POLICED => Decrypted::Take,
        _ => Decrypted::Refuse,
    };
    let mut skb = match skb.make_writable(at.wrapping_add(len), headroom, decrypted) {
        Ok(skb) => skb,
        Err((skb, Unwritable::Decrypted)) => {
            let shape = whole::<AROUND>(shape, at, len, protocol);
            return forward_apart::<F, POLICED, ANY>(table, options, skb, found, shape, rcu);
        }
        Err((skb, Unwritable::Shared)) => return bypass(skb, Bypass::Shared),
        Err((skb, Unwritable::NoMemory)) => return bypass(skb, Bypass::NoMemory),
    };
    if is_any(AROUND) && shape.tunnel && !skb.leave_tunnel() {
        return bypass(skb.into_inner(), Bypass::NoMemory);
    }

    // From here on the packet is ours.
    let deadline = table.deadline(protocol, now);
    if direction.is_worth_refreshing(deadline) {
        refresh(found, (skb.linear(), skb.len(), at), deadline, now);
    }
    let mut how = Transport::Whole;
    if !skb.is_simply_summed() {
        (skb, how) = sum_of(skb, at.wrapping_add(F::HEADER_LEN));
    }
    if AROUND != NOTHING {
        skb.set_vlan_tag(None);
    }
    if AROUND == SESSION || is_any(AROUND) {
        skb.pull_header(at, F::ETHERTYPE);
    }
    if AROUND == POLICED {
        let back = found.object.direction(found.side().other());
        let input = back.next_hop.get(rcu).dst.device(rcu);
        if !skb.is_let_through(&next_hop.dst, input, rcu) {
            table.state.forwarded.lost(Loss::Policy);
            return Verdict::stolen();
        }
    }
    F::apply(&direction.rewrite, skb.linear_mut(), protocol, how);
    if options.hardware() {
        FlowTable::seen_in_software(table, found, options, now, rcu);
    }
    if options.counter() {
        direction.conn.account(found.side(), 1, skb.len());
    }
    next_hop.transmit(skb, &table.state.forwarded, rcu);
    Verdict::stolen()
}

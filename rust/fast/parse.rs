// SPDX-License-Identifier: GPL-2.0

//! Headers of a packet, from bytes. Pure: no kernel types, and no way to panic.
//!
//! Whatever is not a plain packet of a flow is for the classic path: fragments, options, extension
//! headers, packets that may not be forwarded any further. Lengths inside the headers are not
//! compared with the packet's, as in C: the fast path neither follows nor changes them.

use crate::flow::encap::{
    self,
    Encap,
    Tag,
    Unreadable, //
};
use crate::flow::key::{
    KeyV4,
    KeyV6,
    Port, //
};
use crate::flow::nat::Protocol;
use crate::flow::tcp::Segment;
use crate::flow::tunnel::{
    self,
    Endpoints, //
};

/// What the fast path needs to know of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Headers<K> {
    pub(crate) key: K,
    pub(crate) protocol: Protocol,
    /// Bytes of all headers that will be read or written.
    pub(crate) len: u32,
    pub(crate) tcp: TcpFlags,
}

/// Flags of a TCP header; none for UDP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TcpFlags(u8);

impl TcpFlags {
    /// Those of a packet of another protocol.
    pub(crate) const NONE: Self = Self(0);

    /// FIN, RST or PSH: the segment says something about the connection.
    #[inline(always)]
    pub(crate) fn says_more(self) -> bool {
        self.0 & 0x0d != 0
    }

    /// FIN or RST: the connection ends.
    #[inline(always)]
    pub(crate) fn closes(self) -> bool {
        self.0 & 0x05 != 0
    }
}

/// The flags of a TCP header.
pub(crate) fn flags(header: &[u8; 20]) -> TcpFlags {
    TcpFlags(header[13])
}

/// The numbers of the TCP segment whose header is at the beginning of `packet`, and which has `len` bytes,
/// with the header.
pub(crate) fn segment(packet: &[u8], len: u32) -> Option<Segment> {
    let [_, _, _, _, a, b, c, d, e, f, g, h, offset, flags] = *packet.first_chunk::<14>()?;
    let sequence = u32::from_be_bytes([a, b, c, d]);
    let data = len.saturating_sub(u32::from(offset >> 4) * 4);
    Some(Segment {
        sequence,
        end: sequence.wrapping_add(data),
        acknowledged: (flags & 0x10 != 0).then_some(u32::from_be_bytes([e, f, g, h])),
    })
}

/// The length of an IP packet as its header says, with the header; padding comes behind it.
pub(crate) fn length(packet: &[u8]) -> u32 {
    match *packet {
        [first, _, a, b, ..] if first >> 4 == 4 => u32::from(u16::from_be_bytes([a, b])),
        [_, _, _, _, a, b, ..] => 40 + u32::from(u16::from_be_bytes([a, b])),
        _ => 0,
    }
}

/// Why there are no headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reject {
    /// That many bytes are needed to tell, in one piece.
    Short(u32),
    /// Not a packet for the fast path.
    Other,
}

/// What the transport header says.
struct Transport {
    /// Both ports, as they are in memory; zero for GRE.
    ports: u32,
    tcp: TcpFlags,
    /// Bytes of all headers.
    len: u32,
}

/// The transport header behind `at` bytes of network header.
#[inline(always)]
fn transport(packet: &[u8], at: usize, protocol: Protocol) -> Result<Transport, Reject> {
    // CAST: At most 60.
    let len = (at + protocol.header_len()) as u32;
    let short = Reject::Short(len);
    let header = packet.get(at..at + protocol.header_len()).ok_or(short)?;
    let first = *header.first_chunk::<4>().ok_or(short)?;
    let (ports, flags) = match protocol {
        Protocol::Tcp => (u32::from_ne_bytes(first), *header.get(13).ok_or(short)?),
        Protocol::Udp => (u32::from_ne_bytes(first), 0),
        // Version 0: conntrack knows nothing of a key in it.
        Protocol::Gre if first[1] & 0x07 == 0 => (0, 0),
        Protocol::Gre => return Err(Reject::Other),
    };
    Ok(Transport {
        ports,
        tcp: TcpFlags(flags),
        len,
    })
}

/// Where in a frame the IP packet is, and what is around it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unwrapped {
    pub(crate) encap: Encap,
    /// Its EtherType, in host order: that of IPv4, IPv6, or something else.
    pub(crate) ethertype: u16,
    /// Bytes before it.
    pub(crate) at: usize,
}

/// Reads the encapsulations of a frame: the one that the device has taken off, and those that the
/// packet begins with, as `ethertype` says.
pub(crate) fn unwrap(
    packet: &[u8],
    taken_off: Option<Tag>,
    ethertype: u16,
) -> Result<Unwrapped, Reject> {
    let mut found = Unwrapped {
        encap: Encap::NONE,
        ethertype,
        at: 0,
    };
    if let Some(tag) = taken_off {
        found.encap = found.encap.with_inner(tag).map_err(|_| Reject::Other)?;
    }
    while matches!(
        found.ethertype,
        encap::VLAN | encap::SERVICE_VLAN | encap::PPPOE
    ) {
        let rest = packet.get(found.at..).unwrap_or(&[]);
        let inside = encap::read(found.ethertype, rest).map_err(|e| match e {
            // CAST: A few bytes.
            Unreadable::Short(len) => Reject::Short((found.at + len) as u32),
            Unreadable::Other => Reject::Other,
        })?;
        found = Unwrapped {
            // At most two, which ends the loop.
            encap: found
                .encap
                .with_inner(inside.tag)
                .map_err(|_| Reject::Other)?,
            ethertype: inside.ethertype,
            at: found.at + inside.len,
        };
    }
    Ok(found)
}

/// The addresses of an outer IPv4 header around IPv4.
pub(crate) fn tunnel_ipv4(packet: &[u8]) -> Result<Endpoints<4>, Reject> {
    let ip = packet.first_chunk::<20>().ok_or(Reject::Short(20))?;
    let fragment = u16::from_be_bytes([ip[6], ip[7]]) & 0x3fff != 0;
    if ip[0] != 0x45 || fragment || ip[8] <= 1 || ip[9] != tunnel::IPIP {
        return Err(Reject::Other);
    }
    Ok(Endpoints {
        source: [ip[12], ip[13], ip[14], ip[15]],
        destination: [ip[16], ip[17], ip[18], ip[19]],
    })
}

/// The addresses of an outer IPv6 header around IPv6.
pub(crate) fn tunnel_ipv6(packet: &[u8]) -> Result<Endpoints<16>, Reject> {
    let ip = packet.first_chunk::<40>().ok_or(Reject::Short(40))?;
    if ip[0] >> 4 != 6 || ip[7] <= 1 || ip[6] != tunnel::IPV6 {
        return Err(Reject::Other);
    }
    let (Some(source), Some(destination)) =
        (ip[8..].first_chunk::<16>(), ip[24..].first_chunk::<16>())
    else {
        return Err(Reject::Other);
    };
    Ok(Endpoints {
        source: *source,
        destination: *destination,
    })
}

/// Which protocol is inside an IPv4 packet, if it is for the fast path.
#[inline(always)]
pub(crate) fn inside_ipv4(packet: &[u8]) -> Result<Protocol, Reject> {
    let Some(ip) = packet.first_chunk::<20>() else {
        return Err(Reject::Short(20));
    };
    // Version 4, and no options.
    if ip[0] != 0x45 {
        return Err(Reject::Other);
    }
    // More fragments, or an offset.
    if u16::from_be_bytes([ip[6], ip[7]]) & 0x3fff != 0 || ip[8] <= 1 {
        return Err(Reject::Other);
    }
    Protocol::from_number(ip[9]).ok_or(Reject::Other)
}

/// The headers of an IPv4 packet in which that protocol is, and that came in at `port`.
#[inline(always)]
pub(crate) fn headers_ipv4(
    packet: &[u8],
    port: Port,
    protocol: Protocol,
) -> Result<Headers<KeyV4>, Reject> {
    let transport = transport(packet, 20, protocol)?;
    let Some(addresses) = packet.get(12..).and_then(|rest| rest.first_chunk::<8>()) else {
        return Err(Reject::Short(20));
    };
    let ports = transport.ports.to_ne_bytes();
    Ok(Headers {
        key: KeyV4::of_packet(*addresses, ports, port, protocol.number()),
        protocol,
        len: transport.len,
        tcp: transport.tcp,
    })
}

/// Which protocol is inside an IPv6 packet, if it is for the fast path.
#[inline(always)]
pub(crate) fn inside_ipv6(packet: &[u8]) -> Result<Protocol, Reject> {
    let Some(ip) = packet.first_chunk::<40>() else {
        return Err(Reject::Short(40));
    };
    if ip[0] >> 4 != 6 || ip[7] <= 1 {
        return Err(Reject::Other);
    }
    Protocol::from_number(ip[6]).ok_or(Reject::Other)
}

/// The headers of an IPv6 packet in which that protocol is, and that came in at `port`.
#[inline(always)]
pub(crate) fn headers_ipv6(
    packet: &[u8],
    port: Port,
    protocol: Protocol,
) -> Result<Headers<KeyV6>, Reject> {
    let transport = transport(packet, 40, protocol)?;
    let Some(addresses) = packet.get(8..).and_then(|rest| rest.first_chunk::<32>()) else {
        return Err(Reject::Short(40));
    };
    let ports = transport.ports.to_ne_bytes();
    Ok(Headers {
        key: KeyV6::of_packet(*addresses, ports, port, protocol.number()),
        protocol,
        len: transport.len,
        tcp: transport.tcp,
    })
}

/// Parses an IPv4 packet that came in at `port`.
pub(crate) fn ipv4(packet: &[u8], port: Port) -> Result<Headers<KeyV4>, Reject> {
    headers_ipv4(packet, port, inside_ipv4(packet)?)
}

/// Parses an IPv6 packet that came in at `port`.
pub(crate) fn ipv6(packet: &[u8], port: Port) -> Result<Headers<KeyV6>, Reject> {
    headers_ipv6(packet, port, inside_ipv6(packet)?)
}

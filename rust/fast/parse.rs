// SPDX-License-Identifier: GPL-2.0

//! Headers of a packet, from bytes. Pure: no kernel types, and no way to panic.
//!
//! Whatever is not a plain packet of a flow is for the classic path: fragments, options, extension
//! headers, packets that may not be forwarded any further. Lengths inside the headers are not
//! compared with the packet's, as in C: the fast path neither follows nor changes them.

use crate::flow::key::{
    KeyV4,
    KeyV6, //
};
use crate::flow::nat::Protocol;

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
    /// FIN or RST: the connection ends.
    #[inline(always)]
    pub(crate) fn closes(self) -> bool {
        self.0 & 0x05 != 0
    }

    /// SYN: a connection begins.
    #[inline(always)]
    pub(crate) fn opens(self) -> bool {
        self.0 & 0x02 != 0
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

/// The transport header behind `at` bytes of network header.
#[inline(always)]
fn transport(
    packet: &[u8],
    at: usize,
    number: u8,
) -> Result<(Protocol, [u8; 4], TcpFlags, u32), Reject> {
    let protocol = Protocol::from_number(number).ok_or(Reject::Other)?;
    // CAST: At most 60.
    let len = (at + protocol.header_len()) as u32;
    let short = Reject::Short(len);
    let header = packet.get(at..at + protocol.header_len()).ok_or(short)?;
    let ports = *header.first_chunk::<4>().ok_or(short)?;
    let flags = match protocol {
        Protocol::Tcp => *header.get(13).ok_or(short)?,
        Protocol::Udp => 0,
    };
    Ok((protocol, ports, TcpFlags(flags), len))
}

/// Parses an IPv4 packet that came in by device `ingress`.
#[inline(always)]
pub(crate) fn ipv4(packet: &[u8], ingress: u32) -> Result<Headers<KeyV4>, Reject> {
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
    let (protocol, ports, tcp, len) = transport(packet, 20, ip[9])?;
    Ok(Headers {
        key: KeyV4::new(
            [ip[12], ip[13], ip[14], ip[15]],
            [ip[16], ip[17], ip[18], ip[19]],
            ports,
            ingress,
            ip[9],
        ),
        protocol,
        len,
        tcp,
    })
}

/// Parses an IPv6 packet that came in by device `ingress`.
#[inline(always)]
pub(crate) fn ipv6(packet: &[u8], ingress: u32) -> Result<Headers<KeyV6>, Reject> {
    let Some(ip) = packet.first_chunk::<40>() else {
        return Err(Reject::Short(40));
    };
    if ip[0] >> 4 != 6 || ip[7] <= 1 {
        return Err(Reject::Other);
    }
    let (protocol, ports, tcp, len) = transport(packet, 40, ip[6])?;
    let (Some(source), Some(destination)) =
        (ip[8..].first_chunk::<16>(), ip[24..].first_chunk::<16>())
    else {
        return Err(Reject::Other);
    };
    Ok(Headers {
        key: KeyV6::new(*source, *destination, ports, ingress, ip[6]),
        protocol,
        len,
        tcp,
    })
}

// SPDX-License-Identifier: GPL-2.0

//! IP in IP of the same version: the endpoints of a tunnel, and the header that is put around a
//! packet (RFC 2003, RFC 2473). Pure: no kernel types.
//!
//! The outer header follows the inner one, as C has it: same TTL or hop limit, same traffic class,
//! same don't-fragment bit.

use crate::flow::key::Key;

/// The number of IPv4 as the content of an IP packet.
pub(crate) const IPIP: u8 = 4;
/// The number of IPv6 as the content of an IP packet.
pub(crate) const IPV6: u8 = 41;

/// Bytes of the outer header, by the length of its addresses.
pub(crate) const fn header_len<const A: usize>() -> usize {
    if A == 4 {
        20
    } else {
        40
    }
}

/// The addresses of an outer header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Endpoints<const A: usize> {
    pub(crate) source: [u8; A],
    pub(crate) destination: [u8; A],
}

impl<const A: usize> Endpoints<A> {
    /// Those of packets in the other direction.
    pub(crate) fn swapped(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
        }
    }
}

impl Endpoints<4> {
    /// As a key: both addresses in a word.
    pub(crate) fn key(&self) -> Key<1> {
        let source = u64::from(u32::from_ne_bytes(self.source));
        let destination = u64::from(u32::from_ne_bytes(self.destination));
        Key::from_words([source | destination << 32])
    }
}

impl Endpoints<16> {
    /// As a key: two words for each address.
    pub(crate) fn key(&self) -> Key<4> {
        let source = u128::from_ne_bytes(self.source);
        let destination = u128::from_ne_bytes(self.destination);
        // CAST: The halves of an address.
        Key::from_words([
            source as u64,
            (source >> 64) as u64,
            destination as u64,
            (destination >> 64) as u64,
        ])
    }
}

/// The checksum of an IPv4 header whose checksum field is zero (RFC 1071).
///
/// In the order of the host, in which the sum of words of 32 bits is as good as any.
fn checksum(header: &[u8; 20]) -> [u8; 2] {
    let mut sum = 0u64;
    for word in header.chunks_exact(4) {
        // Five such words cannot overflow 64 bits.
        sum = sum.wrapping_add(u64::from(u32::from_ne_bytes([
            word[0], word[1], word[2], word[3],
        ])));
    }
    let fold = |sum: u64| (sum & 0xffff) + (sum >> 16);
    // CAST: The complement of what 16 bits hold: the first fold leaves 19 bits, and the second at most
    // 0x10004.
    (!(fold(fold(fold(sum))) as u16)).to_ne_bytes()
}

/// The header around an IPv4 packet of `len` bytes that begins with `inner`.
///
/// `id` gives its identification.
/// `fragment` says that the path's MTU is fixed: what does not fit may be fragmented.
pub(crate) fn ipv4(
    inner: &[u8; 20],
    ends: &Endpoints<4>,
    len: u32,
    fragment: bool,
    id: impl FnOnce() -> [u8; 2],
) -> [u8; 20] {
    let mut header = [0; 20];
    header[0] = 0x45;
    header[1] = inner[1];
    // CAST: The length of a packet that is to be segmented does not fit, and is not looked at.
    header[2..4].copy_from_slice(&(len.wrapping_add(20) as u16).to_be_bytes());
    if !fragment {
        header[6..8].copy_from_slice(&inner[6..8]);
    }
    header[8] = inner[8];
    header[9] = IPIP;
    header[12..16].copy_from_slice(&ends.source);
    header[16..20].copy_from_slice(&ends.destination);
    header[4..6].copy_from_slice(&id());
    let checksum = checksum(&header);
    header[10..12].copy_from_slice(&checksum);
    header
}

/// The header around an IPv6 packet of `len` bytes that begins with `inner`; `label` is the flow
/// label, 20 bits in the order of the wire.
pub(crate) fn ipv6(inner: &[u8; 40], ends: &Endpoints<16>, len: u32, label: [u8; 4]) -> [u8; 40] {
    let mut header = [0; 40];
    header[..4].copy_from_slice(&label);
    // Version, and the traffic class, which straddles two bytes.
    header[0] = 0x60 | inner[0] & 0x0f;
    header[1] = inner[1] & 0xf0 | label[1] & 0x0f;
    // CAST: As for IPv4.
    header[4..6].copy_from_slice(&(len as u16).to_be_bytes());
    header[6] = IPV6;
    header[7] = inner[7];
    header[8..24].copy_from_slice(&ends.source);
    header[24..40].copy_from_slice(&ends.destination);
    header
}

// SPDX-License-Identifier: GPL-2.0

//! Address and port translation as a precomputed rewrite. Pure: no kernel types.
//!
//! Source and destination translation of either direction are one thing: the packet leaves with
//! the addresses and ports that the other direction's packets come in with, swapped. What that does
//! to the checksums does not depend on the packet, so it is computed once, as a difference in ones'
//! complement arithmetic (RFC 1624): new checksum = not (not old + difference).
//!
//! Results are equal, bit for bit, to those of the kernel's `csum_replace` functions: where ones'
//! complement has two zeros, a field that was updated never holds 0xffff, except where a UDP
//! checksum of 0 must not be sent.

/// A difference in ones' complement arithmetic, in memory order: 0 is none, so that a real
/// difference of zero is 0xffff.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Delta(u16);

/// Folds a sum of 16-bit words; zero only if all of them were.
#[inline(always)]
fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    // CAST: After the second fold the sum has 16 bits.
    ((sum & 0xffff) + (sum >> 16)) as u16
}

impl Delta {
    /// No difference.
    pub(crate) const NONE: Self = Self(0);

    /// The difference between two byte strings of the same even length.
    pub(crate) fn between(old: &[u8], new: &[u8]) -> Self {
        let mut delta = Self::NONE;
        for (old, new) in old.chunks_exact(2).zip(new.chunks_exact(2)) {
            let old = u16::from_ne_bytes([old[0], old[1]]);
            let new = u16::from_ne_bytes([new[0], new[1]]);
            if old != new {
                delta = delta.plus(Self(fold(u32::from(!old) + u32::from(new))));
            }
        }
        delta
    }

    /// Both differences together.
    #[inline(always)]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(fold(u32::from(self.0) + u32::from(other.0)))
    }

    /// What one hop takes off the word that starts with the TTL.
    pub(crate) const TTL: Self = Self(!u16::from_ne_bytes([1, 0]));

    /// Updates a checksum field.
    #[inline(always)]
    pub(crate) fn update(self, field: &mut [u8; 2]) {
        if self != Self::NONE {
            let old = u16::from_ne_bytes(*field);
            *field = (!fold(u32::from(!old) + u32::from(self.0))).to_ne_bytes();
        }
    }

    /// Updates a field that holds a sum itself, not its complement.
    #[inline(always)]
    pub(crate) fn update_sum(self, field: &mut [u8; 2]) {
        if self != Self::NONE {
            let old = u16::from_ne_bytes(*field);
            *field = fold(u32::from(old) + u32::from(self.0)).to_ne_bytes();
        }
    }
}

/// How to treat a packet's transport checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transport {
    /// The field is a checksum of everything.
    Whole,
    /// The field is the sum of the pseudo header, to be completed on the way out.
    Pseudo,
}

/// What is written over the addresses and ports of each packet of one direction.
///
/// `A` is the length of an address: 4 or 16.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub(crate) struct Rewrite<const A: usize> {
    source: [u8; A],
    destination: [u8; A],
    ports: [u8; 4],
    /// Of the IPv4 header, with the TTL.
    header: Delta,
    /// Of the transport checksum: addresses and ports.
    whole: Delta,
    /// Of the pseudo header: addresses only.
    pseudo: Delta,
}

/// Addresses and ports of one direction, as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ends<const A: usize> {
    pub(crate) source: [u8; A],
    pub(crate) destination: [u8; A],
    pub(crate) source_port: [u8; 2],
    pub(crate) destination_port: [u8; 2],
}

impl<const A: usize> Ends<A> {
    /// Both ports as they stand in the packet.
    pub(crate) fn ports(&self) -> [u8; 4] {
        let ([a, b], [c, d]) = (self.source_port, self.destination_port);
        [a, b, c, d]
    }

    /// The same, seen from the other side.
    pub(crate) fn swapped(&self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            source_port: self.destination_port,
            destination_port: self.source_port,
        }
    }
}

impl<const A: usize> Rewrite<A> {
    /// The rewrite of packets that come in with `these`, when those of the other direction come in
    /// with `others`.
    pub(crate) fn new(these: &Ends<A>, others: &Ends<A>) -> Self {
        let new = others.swapped();
        let pseudo = Delta::between(&these.source, &new.source)
            .plus(Delta::between(&these.destination, &new.destination));
        Self {
            source: new.source,
            destination: new.destination,
            ports: new.ports(),
            header: pseudo.plus(Delta::TTL),
            whole: pseudo.plus(Delta::between(&these.ports(), &new.ports())),
            pseudo,
        }
    }

    /// Updates the checksum of the transport header at `offset` of the packet.
    #[inline(always)]
    fn transport(&self, packet: &mut [u8], offset: usize, protocol: Protocol, how: Transport) {
        let Some(field) = protocol
            .checksum_at()
            .and_then(|at| packet.get_mut(offset + at..))
            .and_then(<[u8]>::first_chunk_mut::<2>)
        else {
            return;
        };
        let udp = protocol == Protocol::Udp;
        match how {
            // A UDP packet without a checksum stays without.
            Transport::Whole if udp && *field == [0; 2] => return,
            Transport::Whole => self.whole.update(field),
            Transport::Pseudo => self.pseudo.update_sum(field),
        }
        if udp && *field == [0; 2] {
            *field = [0xff; 2];
        }
    }

    /// Whether anything but the TTL changes.
    #[inline(always)]
    fn translates(&self) -> bool {
        self.whole != Delta::NONE
    }
}

/// The transport protocols that can be rewritten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
    /// Version 0, never translated.
    Gre,
}

impl Protocol {
    /// By its number.
    #[inline(always)]
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        match number {
            6 => Some(Self::Tcp),
            17 => Some(Self::Udp),
            47 => Some(Self::Gre),
            _ => None,
        }
    }

    /// Its number.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Gre => 47,
        }
    }

    /// Bytes of its header that must be there, without options.
    #[inline(always)]
    pub(crate) fn header_len(self) -> usize {
        match self {
            Self::Tcp => 20,
            Self::Udp => 8,
            Self::Gre => 4,
        }
    }

    /// Where in its header the checksum is, if addresses are part of it.
    #[inline(always)]
    fn checksum_at(self) -> Option<usize> {
        match self {
            Self::Tcp => Some(16),
            Self::Udp => Some(6),
            Self::Gre => None,
        }
    }
}

impl Rewrite<4> {
    /// Rewrites an IPv4 packet without options whose headers are in `packet`, and takes one hop
    /// off. A packet that is too short stays as it is.
    #[inline(always)]
    pub(crate) fn apply(&self, packet: &mut [u8], protocol: Protocol, how: Transport) {
        let Some(header) = packet.first_chunk_mut::<24>() else {
            return;
        };
        let (ip, ports) = header.split_at_mut(20);
        ip[8] = ip[8].wrapping_sub(1);
        if let Some(check) = ip[10..].first_chunk_mut::<2>() {
            self.header.update(check);
        }
        if self.translates() {
            ip[12..16].copy_from_slice(&self.source);
            ip[16..20].copy_from_slice(&self.destination);
            ports.copy_from_slice(&self.ports);
            self.transport(packet, 20, protocol, how);
        }
    }
}

impl Rewrite<16> {
    /// Rewrites an IPv6 packet without extension headers; as for IPv4.
    #[inline(always)]
    pub(crate) fn apply(&self, packet: &mut [u8], protocol: Protocol, how: Transport) {
        let Some(header) = packet.first_chunk_mut::<44>() else {
            return;
        };
        let (ip, ports) = header.split_at_mut(40);
        ip[7] = ip[7].wrapping_sub(1);
        if self.translates() {
            ip[8..24].copy_from_slice(&self.source);
            ip[24..40].copy_from_slice(&self.destination);
            ports.copy_from_slice(&self.ports);
            self.transport(packet, 40, protocol, how);
        }
    }
}

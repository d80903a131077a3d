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

/// The sum of two words, the carry added again; zero only if both were.
#[inline(always)]
fn add(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    // A sum that has carried is less than 0xffff.
    sum.wrapping_add(u16::from(carry))
}

impl Delta {
    /// No difference.
    pub(crate) const NONE: Self = Self(0);

    /// The difference between two pieces of a packet, of the same length, a multiple of four.
    ///
    /// Words that are equal add 0xffff to the sum, which is zero, too: so the sum is taken four bytes
    /// at a time, and of all of them. It is 0xffff where the difference is zero.
    #[inline(always)]
    pub(crate) fn between<const N: usize>(old: &[u8; N], new: &[u8; N]) -> Self {
        const { assert!(N % 4 == 0 && N <= 64) };
        if old == new {
            return Self::NONE;
        }
        let mut sum = 0u64;
        for (old, new) in old.chunks_exact(4).zip(new.chunks_exact(4)) {
            if let (Ok(old), Ok(new)) = (old.try_into(), new.try_into()) {
                let (old, new) = (u32::from_ne_bytes(old), u32::from_ne_bytes(new));
                // Less than 2^38 in all.
                sum = sum.wrapping_add(u64::from(!old).wrapping_add(u64::from(new)));
            }
        }
        // CAST: Each time one half and the other, until there is one half left.
        let sum = (sum & u64::from(u32::MAX)).wrapping_add(sum >> 32);
        let sum = (sum as u32).wrapping_add((sum >> 32) as u32);
        Self(add(sum as u16, (sum >> 16) as u16))
    }

    /// Both differences together.
    #[inline(always)]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(add(self.0, other.0))
    }

    /// The difference back.
    #[inline(always)]
    fn back(self) -> Self {
        match self.0 {
            0 | 0xffff => self,
            other => Self(!other),
        }
    }

    /// What one hop takes off the word that starts with the TTL.
    pub(crate) const TTL: Self = Self(!u16::from_ne_bytes([1, 0]));

    /// Updates a checksum field; no difference leaves it as it is.
    #[inline(always)]
    pub(crate) fn update(self, field: &mut [u8; 2]) {
        let old = u16::from_ne_bytes(*field);
        *field = (!add(!old, self.0)).to_ne_bytes();
    }

    /// Updates a field that holds a sum itself, not its complement.
    #[inline(always)]
    pub(crate) fn update_sum(self, field: &mut [u8; 2]) {
        let old = u16::from_ne_bytes(*field);
        *field = add(old, self.0).to_ne_bytes();
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

/// What is known of a packet's sums that depends on where they are to be completed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sums {
    /// Some sum is to be completed on the way out.
    pub(crate) partial: bool,
    /// It is that of this transport header, and not of one further inside.
    pub(crate) starts_here: bool,
    /// What will be segmented is in a tunnel of UDP, whose sum is to be completed for each segment.
    pub(crate) tunnel_sum: bool,
}

impl Transport {
    /// What the field of a packet holds.
    ///
    /// Where only the sum further inside is to be completed, as for VXLAN or FOU, the outer field holds
    /// a whole checksum, which the completion of the inner one does not change, or the zero of UDP
    /// without one (C: local checksum offload).
    pub(crate) fn of(sums: Sums) -> Self {
        if sums.tunnel_sum || sums.partial && sums.starts_here {
            Self::Pseudo
        } else {
            Self::Whole
        }
    }
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
    #[inline(always)]
    pub(crate) fn ports(&self) -> [u8; 4] {
        // Two halves of a word, not four bytes.
        let source = u32::from(u16::from_le_bytes(self.source_port));
        let destination = u32::from(u16::from_le_bytes(self.destination_port));
        (source | destination << 16).to_le_bytes()
    }

    /// The same, seen from the other side.
    #[inline(always)]
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
    #[inline(always)]
    pub(crate) fn new(these: &Ends<A>, others: &Ends<A>) -> Self {
        let new = others.swapped();
        let pseudo = Delta::between(&these.source, &new.source)
            .plus(Delta::between(&these.destination, &new.destination));
        let ports = Delta::between(&these.ports(), &new.ports());
        Self::to(&new, pseudo, ports)
    }

    /// That of packets of either direction, when they come in with these. What one does to the
    /// checksums the other takes back.
    #[inline(always)]
    pub(crate) fn both(these: &Ends<A>, others: &Ends<A>) -> [Self; 2] {
        let there = Self::new(these, others);
        let ports = Delta::between(&these.ports(), &others.swapped().ports());
        let back = Self::to(&these.swapped(), there.pseudo.back(), ports.back());
        [there, back]
    }

    /// To these ends, which differ so much in their addresses, and in their ports.
    #[inline(always)]
    fn to(new: &Ends<A>, pseudo: Delta, ports: Delta) -> Self {
        Self {
            source: new.source,
            destination: new.destination,
            ports: new.ports(),
            header: pseudo.plus(Delta::TTL),
            whole: pseudo.plus(ports),
            pseudo,
        }
    }

    /// Updates the checksum of a transport header.
    #[inline(always)]
    fn checksum(&self, field: &mut [u8; 2], protocol: Protocol, how: Transport) {
        let udp = protocol == Protocol::Udp;
        match how {
            // A UDP packet without a checksum stays without. The sum of a pseudo header is never zero.
            _ if udp && *field == [0; 2] => return,
            Transport::Whole => self.whole.update(field),
            Transport::Pseudo => self.pseudo.update_sum(field),
        }
        if udp && *field == [0; 2] {
            *field = [0xff; 2];
        }
    }

    /// Whether anything but the TTL changes.
    #[inline(always)]
    pub(crate) fn translates(&self) -> bool {
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
    #[inline(always)]
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
}

/// Rewrites the headers of a packet, of a known length, which all have to be there.
macro_rules! apply {
    ($address:literal, $ip:literal, $hop:literal, $source:literal) => {
        /// Rewrites a packet whose headers are the first thing in `packet`, without options or
        /// extension headers, and takes one hop off. A packet that is too short stays as it is.
        #[inline(always)]
        pub(crate) fn apply(&self, packet: &mut [u8], protocol: Protocol, how: Transport) {
            match protocol {
                Protocol::Tcp => {
                    if let Some(headers) = packet.first_chunk_mut::<{ $ip + 20 }>() {
                        self.headers(headers, Some($ip + 16), protocol, how);
                    }
                }
                Protocol::Udp => {
                    if let Some(headers) = packet.first_chunk_mut::<{ $ip + 8 }>() {
                        self.headers(headers, Some($ip + 6), protocol, how);
                    }
                }
                Protocol::Gre => {
                    if let Some(headers) = packet.first_chunk_mut::<{ $ip + 4 }>() {
                        self.headers(headers, None, protocol, how);
                    }
                }
            }
        }

        /// `at` is where the checksum is that addresses are part of, if there is one. All lengths
        /// are known when this is compiled, so that nothing is left of their checks.
        #[inline(always)]
        fn headers<const N: usize>(
            &self,
            headers: &mut [u8; N],
            at: Option<usize>,
            protocol: Protocol,
            how: Transport,
        ) {
            headers[$hop] = headers[$hop].wrapping_sub(1);
            if $address == 4 {
                if let Some(field) = headers[10..].first_chunk_mut::<2>() {
                    self.header.update(field);
                }
            }
            if !self.translates() {
                return;
            }
            headers[$source..$source + $address].copy_from_slice(&self.source);
            headers[$source + $address..$ip].copy_from_slice(&self.destination);
            headers[$ip..$ip + 4].copy_from_slice(&self.ports);
            if let Some(field) = at.and_then(|at| headers[at..].first_chunk_mut::<2>()) {
                self.checksum(field, protocol, how);
            }
        }
    };
}

impl Rewrite<4> {
    apply!(4, 20, 8, 12);
}

impl Rewrite<16> {
    apply!(16, 40, 7, 8);
}

// SPDX-License-Identifier: GPL-2.0

//! What a packet is recognised by, and its hash. Pure: no kernel types.
//!
//! A key class for each kind of packet instead of one key that fits all: plain IPv4 needs 24 bytes
//! where C hashes and compares 88.
//!
//! # The hash
//!
//! Multilinear hashing: the sum of the key's 32-bit words, each multiplied by a secret random
//! 64-bit factor, modulo 2^64; the upper half is the result. It is strongly universal (Lemire and
//! Kaser, "Strongly universal string hashing is fast"): whatever two keys somebody chooses, their
//! chance of the same 32 bits is 2^-32 over the choice of secrets, which are drawn anew for each
//! table. Multiplications are independent, so they overlap in the pipeline.
//!
//! That bounds what somebody can do who chooses keys without knowing what became of earlier ones. It is no
//! cipher. The secret is never seen outside, but collisions may be, by the time that packets take, or
//! by connections that are refused: whoever can tell keys that collide from others can collect them, and
//! learn what others do, since the sum is linear. What that gains them ends when it shows: as soon as
//! a key finds no room in a table that has plenty, all keys are hashed anew with another secret, see
//! [`rcu_table`](crate::kernel_net::rcu_table). Until then a lookup costs a bounded number of buckets.
//!
//! That is said of each pair of keys, and of no more than pairs. The sum is linear: keys one after
//! the other, as the addresses of a network or the ports of a host are, get sums at equal
//! distances, and with one secret in ten these fall together in few buckets. So the result goes
//! through a permutation of the 32-bit numbers that is not linear. Being a permutation it leaves
//! what is said of pairs as it is. h (2h + 1), known from the cipher RC6, is one, modulo any power
//! of two; its upper bits depend on all of h, and are swapped to where the bucket is selected.

use crate::flow::encap::Encap;

/// A key of `N` 64-bit words; unused bits are zero.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Key<const N: usize>([u64; N]);

impl<const N: usize> PartialEq for Key<N> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        let mut difference = 0;
        for (a, b) in self.0.iter().zip(&other.0) {
            difference |= a ^ b;
        }
        difference == 0
    }
}

impl<const N: usize> Eq for Key<N> {}

/// Key of a plain IPv4 packet.
pub(crate) type KeyV4 = Key<3>;
/// Key of a plain IPv6 packet.
pub(crate) type KeyV6 = Key<6>;

/// Where packets come in: a device, and what they are wrapped in there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Port {
    ifindex: u32,
    /// 36 bits for the encapsulations, and 20 for the tunnel.
    wrapped: u64,
}

/// The largest number of a tunnel.
pub(crate) const MAX_TUNNEL: u32 = (1 << 20) - 1;

impl Port {
    /// Packets that are not wrapped, by the index of their device.
    #[inline(always)]
    pub(crate) const fn plain(ifindex: u32) -> Self {
        Self {
            ifindex,
            wrapped: 0,
        }
    }

    /// Packets that are wrapped; `tunnel` is the number of the innermost wrap, an IP tunnel, or 0.
    #[inline(always)]
    pub(crate) fn new(ifindex: u32, encap: Encap, tunnel: u32) -> Self {
        Self {
            ifindex,
            wrapped: encap.code() | u64::from(tunnel & MAX_TUNNEL) << 36,
        }
    }
}

/// The part that all classes share: ports as on the wire, where packets come in, transport protocol.
#[inline(always)]
fn common(ports: [u8; 4], port: Port, protocol: u8) -> (u64, u64) {
    let ports = u64::from(u32::from_ne_bytes(ports));
    (
        ports | u64::from(port.ifindex) << 32,
        u64::from(protocol) | port.wrapped << 8,
    )
}

impl KeyV4 {
    /// Addresses and ports are as on the wire.
    #[inline(always)]
    pub(crate) fn new(
        source: [u8; 4],
        destination: [u8; 4],
        ports: [u8; 4],
        port: Port,
        protocol: u8,
    ) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (source, destination);
        Self::of_packet([a, b, c, d, e, f, g, h], ports, port, protocol)
    }

    /// The same, with the addresses in one piece, as they are in a packet.
    #[inline(always)]
    pub(crate) fn of_packet(addresses: [u8; 8], ports: [u8; 4], port: Port, protocol: u8) -> Self {
        let (low, high) = common(ports, port, protocol);
        Key([u64::from_ne_bytes(addresses), low, high])
    }
}

impl KeyV6 {
    /// As [`KeyV4::new`].
    #[inline(always)]
    pub(crate) fn new(
        source: [u8; 16],
        destination: [u8; 16],
        ports: [u8; 4],
        port: Port,
        protocol: u8,
    ) -> Self {
        let mut addresses = [0; 32];
        addresses[..16].copy_from_slice(&source);
        addresses[16..].copy_from_slice(&destination);
        Self::of_packet(addresses, ports, port, protocol)
    }

    /// The same, with the addresses in one piece, as they are in a packet.
    #[inline(always)]
    pub(crate) fn of_packet(addresses: [u8; 32], ports: [u8; 4], port: Port, protocol: u8) -> Self {
        let (low, high) = common(ports, port, protocol);
        let mut words = [0, 0, 0, 0, low, high];
        for (word, bytes) in words.iter_mut().zip(addresses.chunks_exact(8)) {
            if let Ok(bytes) = bytes.try_into() {
                *word = u64::from_ne_bytes(bytes);
            }
        }
        Key(words)
    }
}

impl<const N: usize> Key<N> {
    /// A key of something else than a packet.
    pub(crate) fn from_words(words: [u64; N]) -> Self {
        Key(words)
    }
}

/// The secret of a table: a term, and a factor for each word of a key.
#[derive(Clone, Copy)]
pub(crate) struct Secret<const N: usize> {
    term: u64,
    factors: [[u64; 2]; N],
}

impl<const N: usize> Secret<N> {
    /// Draws a secret from a source of random words.
    pub(crate) fn draw(mut word: impl FnMut() -> u64) -> Self {
        let mut secret = Self {
            term: word(),
            factors: [[0; 2]; N],
        };
        for pair in &mut secret.factors {
            *pair = [word(), word()];
        }
        secret
    }

    /// The hash of a key.
    #[inline(always)]
    pub(crate) fn hash(&self, key: &Key<N>) -> u32 {
        let mut sum = self.term;
        for (word, [low, high]) in key.0.iter().zip(&self.factors) {
            sum = sum
                .wrapping_add((word & 0xffff_ffff).wrapping_mul(*low))
                .wrapping_add((word >> 32).wrapping_mul(*high));
        }
        // CAST: The upper half.
        scatter((sum >> 32) as u32)
    }
}

/// A permutation: numbers at equal distances become numbers at none.
#[inline(always)]
fn scatter(hash: u32) -> u32 {
    hash.wrapping_mul(hash.wrapping_mul(2).wrapping_add(1))
        .swap_bytes()
}

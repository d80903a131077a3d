// SPDX-License-Identifier: GPL-2.0

//! What differs between IPv4 and IPv6, so that everything else is written once. Pure: no kernel
//! types.

use crate::fast::parse::{
    self,
    Headers,
    Reject, //
};
use crate::flow::key::{
    Key,
    KeyV4,
    KeyV6,
    Port,
    Secret, //
};
use crate::flow::nat::{
    Ends,
    Protocol,
    Rewrite,
    Transport, //
};
use crate::flow::tunnel::{
    self,
    Endpoints, //
};

/// A version of IP.
pub(crate) trait Ip: Send + Sync + Sized + 'static {
    /// In the Ethernet header, in host order.
    const ETHERTYPE: u16;
    /// What packets are recognised by.
    type Key: Copy + Eq + Send + Sync;
    /// What keys are hashed with.
    type Secret: Clone + Send + Sync;
    /// Addresses and ports of one direction.
    type Ends;
    /// What is done to packets of one direction.
    type Rewrite: Copy + Send + Sync;

    /// Addresses of a tunnel for packets of this version.
    type Endpoints: Copy + Eq + Send + Sync;
    /// What tunnels are recognised by.
    type TunnelKey: Copy + Eq + Send + Sync;
    /// What those keys are hashed with.
    type TunnelSecret: Clone + Send + Sync;

    /// Bytes of a header without options or extensions; a tunnel adds as many.
    const HEADER_LEN: u32;

    /// Which protocol is inside a packet, if it is for the fast path.
    fn inside(packet: &[u8]) -> Result<Protocol, Reject>;

    /// The headers of a packet in which that protocol is, and that came in at `port`.
    fn headers(packet: &[u8], port: Port, protocol: Protocol)
        -> Result<Headers<Self::Key>, Reject>;

    /// Parses a packet that came in at `port`: both of these.
    fn parse(packet: &[u8], port: Port) -> Result<Headers<Self::Key>, Reject>;

    /// The addresses of the tunnel that a packet has come through; an error if it is none.
    fn parse_tunnel(packet: &[u8]) -> Result<Self::Endpoints, Reject>;

    /// The key of packets with these ends.
    fn key(ends: &Self::Ends, port: Port, protocol: u8) -> Self::Key;

    /// The key of a tunnel.
    fn tunnel_key(endpoints: &Self::Endpoints) -> Self::TunnelKey;

    /// The hash of a tunnel's key.
    fn tunnel_hash(secret: &Self::TunnelSecret, key: &Self::TunnelKey) -> u32;

    /// Draws a secret for tunnels.
    fn tunnel_secret(word: impl FnMut() -> u64) -> Self::TunnelSecret;

    /// Addresses of a tunnel from 16 bytes for each.
    fn endpoints(source: [u8; 16], destination: [u8; 16]) -> Self::Endpoints;

    /// The same tunnel, for packets of the other direction.
    fn swapped(endpoints: &Self::Endpoints) -> Self::Endpoints;

    /// The hash of a key.
    fn hash(secret: &Self::Secret, key: &Self::Key) -> u32;

    /// Draws a secret.
    fn secret(word: impl FnMut() -> u64) -> Self::Secret;

    /// Ends from 16 bytes for an address, of which IPv4 uses the first four.
    fn ends(source: [u8; 16], destination: [u8; 16], ports: [[u8; 2]; 2]) -> Self::Ends;

    /// What to do to packets with these ends, and to those of the other direction, with those.
    fn rewrites(these: &Self::Ends, others: &Self::Ends) -> [Self::Rewrite; 2];

    /// Whether that changes addresses or ports.
    fn translates(rewrites: &[Self::Rewrite; 2]) -> bool;

    /// Does it.
    fn apply(rewrite: &Self::Rewrite, packet: &mut [u8], protocol: Protocol, how: Transport);
}

/// IPv4.
pub(crate) enum V4 {}

/// IPv6.
pub(crate) enum V6 {}

/// Implements [`Ip`]: the two differ in types and names only.
macro_rules! version {
    (
        $name:ident, $ethertype:literal, $key:ty, $words:literal, $address:literal,
        $tunnel:literal, $inside:path, $headers:path, $parse:path, $parse_tunnel:path
    ) => {
        impl Ip for $name {
            const ETHERTYPE: u16 = $ethertype;
            type Key = Key<$words>;
            type Secret = Secret<$words>;
            type Ends = Ends<$address>;
            type Rewrite = Rewrite<$address>;
            type Endpoints = Endpoints<$address>;
            type TunnelKey = Key<$tunnel>;
            type TunnelSecret = Secret<$tunnel>;

            // CAST: 20 or 40.
            const HEADER_LEN: u32 = tunnel::header_len::<$address>() as u32;

            #[inline(always)]
            fn inside(packet: &[u8]) -> Result<Protocol, Reject> {
                $inside(packet)
            }

            #[inline(always)]
            fn headers(
                packet: &[u8],
                port: Port,
                protocol: Protocol,
            ) -> Result<Headers<Self::Key>, Reject> {
                $headers(packet, port, protocol)
            }

            fn parse(packet: &[u8], port: Port) -> Result<Headers<Self::Key>, Reject> {
                $parse(packet, port)
            }

            fn parse_tunnel(packet: &[u8]) -> Result<Self::Endpoints, Reject> {
                $parse_tunnel(packet)
            }

            #[inline(always)]
            fn key(ends: &Self::Ends, port: Port, protocol: u8) -> Self::Key {
                <$key>::new(ends.source, ends.destination, ends.ports(), port, protocol)
            }

            fn tunnel_key(endpoints: &Self::Endpoints) -> Self::TunnelKey {
                endpoints.key()
            }

            fn tunnel_hash(secret: &Self::TunnelSecret, key: &Self::TunnelKey) -> u32 {
                secret.hash(key)
            }

            fn tunnel_secret(word: impl FnMut() -> u64) -> Self::TunnelSecret {
                Secret::draw(word)
            }

            fn endpoints(source: [u8; 16], destination: [u8; 16]) -> Self::Endpoints {
                let mut endpoints = Endpoints {
                    source: [0; $address],
                    destination: [0; $address],
                };
                endpoints.source.copy_from_slice(&source[..$address]);
                endpoints
                    .destination
                    .copy_from_slice(&destination[..$address]);
                endpoints
            }

            fn swapped(endpoints: &Self::Endpoints) -> Self::Endpoints {
                endpoints.swapped()
            }

            #[inline(always)]
            fn hash(secret: &Self::Secret, key: &Self::Key) -> u32 {
                secret.hash(key)
            }

            fn secret(word: impl FnMut() -> u64) -> Self::Secret {
                Secret::draw(word)
            }

            #[inline(always)]
            fn ends(source: [u8; 16], destination: [u8; 16], ports: [[u8; 2]; 2]) -> Self::Ends {
                let mut ends = Ends {
                    source: [0; $address],
                    destination: [0; $address],
                    source_port: ports[0],
                    destination_port: ports[1],
                };
                ends.source.copy_from_slice(&source[..$address]);
                ends.destination.copy_from_slice(&destination[..$address]);
                ends
            }

            #[inline(always)]
            fn rewrites(these: &Self::Ends, others: &Self::Ends) -> [Self::Rewrite; 2] {
                Rewrite::<$address>::both(these, others)
            }

            #[inline(always)]
            fn translates([there, _]: &[Self::Rewrite; 2]) -> bool {
                there.translates()
            }

            #[inline(always)]
            fn apply(
                rewrite: &Self::Rewrite,
                packet: &mut [u8],
                protocol: Protocol,
                how: Transport,
            ) {
                rewrite.apply(packet, protocol, how)
            }
        }
    };
}

version!(
    V4,
    0x0800,
    KeyV4,
    3,
    4,
    1,
    parse::inside_ipv4,
    parse::headers_ipv4,
    parse::ipv4,
    parse::tunnel_ipv4
);
version!(
    V6,
    0x86dd,
    KeyV6,
    6,
    16,
    4,
    parse::inside_ipv6,
    parse::headers_ipv6,
    parse::ipv6,
    parse::tunnel_ipv6
);

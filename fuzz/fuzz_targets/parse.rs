// SPDX-License-Identifier: GPL-2.0

//! The parser and the rewrite over any bytes, as the fast path calls them: the device's tag, the
//! EtherType, and a packet that comes in pieces.
#![no_main]
#![allow(dead_code, unreachable_pub)]

#[path = "../../kunit/fast.rs"]
mod fast;
#[path = "../../kunit/flow.rs"]
mod flow;
#[path = "../../rust/reason.rs"]
mod reason;

use fast::parse::{self, Reject, Unwrapped};
use flow::encap::{self, Tag};
use flow::key::Port;
use flow::nat::{Ends, Rewrite, Transport};
use libfuzzer_sys::fuzz_target;

/// Reads with ever more of the packet in one piece, as `pull` makes it; what is asked for must be
/// more than there was, and there must be an end to it.
fn pulled<T>(
    packet: &[u8],
    first: usize,
    mut read: impl FnMut(&[u8]) -> Result<T, Reject>,
) -> Option<T> {
    let mut len = first.min(packet.len());
    for _ in 0..6 {
        match read(&packet[..len]) {
            Ok(found) => return Some(found),
            Err(Reject::Other) => return None,
            Err(Reject::Short(wanted)) => {
                assert!(wanted as usize > len, "asks for what there is");
                if wanted as usize > packet.len() {
                    return None;
                }
                len = wanted as usize;
            }
        }
    }
    panic!("never has enough");
}

fn shifted(at: usize) -> impl Fn(Reject) -> Reject {
    move |reject| match reject {
        Reject::Short(len) => Reject::Short(len + at as u32),
        other => other,
    }
}

fuzz_target!(|data: &[u8]| {
    let [a, b, c, d, first, nat @ ..] = data else {
        return;
    };
    let Some((nat, packet)) = nat.split_at_checked(24) else {
        return;
    };
    let tag = Tag::vlan(encap::VLAN, u16::from_be_bytes([*a, *b]));
    let ethertype = u16::from_be_bytes([*c, *d]);
    let first = usize::from(*first);
    let Some(Unwrapped { at, ethertype, encap }) =
        pulled(packet, first, |bytes| parse::unwrap(bytes, tag, ethertype))
    else {
        return;
    };
    assert!(at <= packet.len() && at <= 16);
    let port = Port::new(7, encap, 3);
    let how = [Transport::Whole, Transport::Pseudo][usize::from(nat[0] & 1)];
    let inside = |bytes: &[u8]| bytes.get(at..).unwrap_or(&[]).to_vec();
    match ethertype {
        0x0800 => {
            pulled(packet, first, |bytes| {
                parse::tunnel_ipv4(&inside(bytes)).map_err(shifted(at))
            });
            let Some(headers) = pulled(packet, first, |bytes| {
                parse::ipv4(&inside(bytes), port).map_err(shifted(at))
            }) else {
                return;
            };
            let mut bytes = inside(packet);
            assert!(headers.len as usize <= bytes.len());
            let ends = |at: usize| Ends::<4> {
                source: nat[at..at + 4].try_into().unwrap(),
                destination: nat[at + 4..at + 8].try_into().unwrap(),
                source_port: [nat[at + 8], nat[at + 9]],
                destination_port: [nat[at + 10], nat[at + 11]],
            };
            // Only what is read may be written.
            let (len, before) = (headers.len as usize, bytes.clone());
            Rewrite::new(&ends(0), &ends(12)).apply(&mut bytes[..len], headers.protocol, how);
            assert_eq!(bytes[8], before[8] - 1);
            assert_eq!(bytes[..8], before[..8]);
        }
        0x86dd => {
            pulled(packet, first, |bytes| {
                parse::tunnel_ipv6(&inside(bytes)).map_err(shifted(at))
            });
            let Some(headers) = pulled(packet, first, |bytes| {
                parse::ipv6(&inside(bytes), port).map_err(shifted(at))
            }) else {
                return;
            };
            let mut bytes = inside(packet);
            assert!(headers.len as usize <= bytes.len());
            let address = |at: usize| -> [u8; 16] { core::array::from_fn(|i| nat[(at + i) % 24]) };
            let ends = |at: usize| Ends::<16> {
                source: address(at),
                destination: address(at + 5),
                source_port: [nat[at], nat[at + 1]],
                destination_port: [nat[at + 2], nat[at + 3]],
            };
            let (len, before) = (headers.len as usize, bytes.clone());
            Rewrite::new(&ends(0), &ends(12)).apply(&mut bytes[..len], headers.protocol, how);
            assert_eq!(bytes[7], before[7] - 1);
            assert_eq!(bytes[..7], before[..7]);
        }
        _ => {}
    }
});

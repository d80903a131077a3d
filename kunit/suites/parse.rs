// SPDX-License-Identifier: GPL-2.0

//! Headers.

use kernel::prelude::*;

#[kunit_tests(nft_offload_parse)]
mod tests {
    use crate::fast::parse::*;
    use crate::flow::encap::*;
    use crate::flow::key::*;
    use crate::flow::nat::Protocol;
    use crate::random::Random;

    fn udp() -> [u8; 28] {
        let mut packet = [0; 28];
        packet[0] = 0x45;
        packet[8] = 64;
        packet[9] = 17;
        packet[12..16].copy_from_slice(&[10, 0, 0, 1]);
        packet[16..20].copy_from_slice(&[10, 0, 0, 2]);
        packet[20..24].copy_from_slice(&[0, 7, 0, 9]);
        packet
    }

    #[test]
    fn ipv4_udp() {
        let headers = ipv4(&udp(), Port::plain(5)).ok();
        assert!(headers.is_some_and(|h| {
            h.key
                == KeyV4::new(
                    [10, 0, 0, 1],
                    [10, 0, 0, 2],
                    [0, 7, 0, 9],
                    Port::plain(5),
                    17,
                )
                && h.protocol == Protocol::Udp
                && h.len == 28
                && !h.tcp.closes()
        }));
    }

    #[test]
    fn ipv4_tcp_flags() {
        let mut packet = [0; 40];
        packet[..28].copy_from_slice(&udp());
        packet[9] = 6;
        for flags in 0..=255u8 {
            packet[33] = flags;
            let headers = ipv4(&packet, Port::plain(5)).ok();
            assert!(
                headers.is_some_and(|h| { h.len == 40 && h.tcp.closes() == (flags & 0x05 != 0) })
            );
        }
    }

    #[test]
    fn the_numbers_of_a_segment() {
        let mut header = [0; 20];
        header[4..12].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        header[12] = 0x80;
        for flags in 0..=255u8 {
            header[13] = flags;
            let found = segment(&header, 132);
            assert!(found.is_some_and(|s| {
                s.sequence == 0x0102_0304
                    && s.end == 0x0102_0304 + 100
                    && s.acknowledged == (flags & 0x10 != 0).then_some(0x0506_0708)
            }));
        }
        // A header that is longer than the segment says of itself.
        assert!(segment(&header, 20).is_some_and(|s| s.end == s.sequence));
        for len in 0..14 {
            assert_eq!(segment(&header[..len], 132), None);
        }
    }

    #[test]
    fn the_length_of_a_packet() {
        assert_eq!(length(&[0x45, 0, 1, 2]), 0x0102);
        assert_eq!(length(&[0x60, 0, 0, 0, 1, 2]), 0x0102 + 40);
        assert_eq!(length(&[0x45, 0, 1]), 0);
        assert_eq!(length(&[]), 0);
    }

    #[test]
    fn every_length_is_safe_and_asks_for_what_is_missing() {
        let packet = udp();
        for len in 0..20 {
            assert_eq!(
                ipv4(&packet[..len], Port::plain(1)).err(),
                Some(Reject::Short(20))
            );
        }
        for len in 20..28 {
            assert_eq!(
                ipv4(&packet[..len], Port::plain(1)).err(),
                Some(Reject::Short(28))
            );
        }
        let mut tcp = packet;
        tcp[9] = 6;
        assert_eq!(ipv4(&tcp, Port::plain(1)).err(), Some(Reject::Short(40)));
        let mut six = [0u8; 48];
        six[0] = 0x60;
        six[6] = 17;
        six[7] = 64;
        for len in 0..40 {
            assert_eq!(
                ipv6(&six[..len], Port::plain(1)).err(),
                Some(Reject::Short(40))
            );
        }
        for len in 40..48 {
            assert_eq!(
                ipv6(&six[..len], Port::plain(1)).err(),
                Some(Reject::Short(48))
            );
        }
        assert!(ipv6(&six, Port::plain(1)).is_ok());
    }

    #[test]
    fn what_is_for_the_classic_path() {
        let change = |at: usize, value: u8| {
            let mut packet = udp();
            packet[at] = value;
            ipv4(&packet, Port::plain(1)).err()
        };
        // Options, another version, nonsense lengths.
        for first in [0x46, 0x4f, 0x44, 0x65, 0x00] {
            assert_eq!(change(0, first), Some(Reject::Other));
        }
        // More fragments; offsets high and low. Don't fragment is no fragment.
        assert_eq!(change(6, 0x20), Some(Reject::Other));
        assert_eq!(change(6, 0x10), Some(Reject::Other));
        assert_eq!(change(7, 0x01), Some(Reject::Other));
        assert_eq!(change(6, 0x40), None);
        // Lifetimes that end here.
        assert_eq!(change(8, 0), Some(Reject::Other));
        assert_eq!(change(8, 1), Some(Reject::Other));
        assert_eq!(change(8, 2), None);
        // Other protocols.
        for protocol in [1, 2, 4, 41, 50, 58, 132, 255] {
            assert_eq!(change(9, protocol), Some(Reject::Other));
        }
    }

    #[test]
    fn ipv6_extension_headers_are_for_the_classic_path() {
        let mut packet = [0u8; 60];
        packet[0] = 0x6f;
        packet[7] = 64;
        for next in 0..=255u8 {
            packet[6] = next;
            let wanted = [6, 17, 47].contains(&next);
            assert_eq!(ipv6(&packet, Port::plain(1)).is_ok(), wanted);
        }
        packet[6] = 6;
        packet[7] = 1;
        assert_eq!(ipv6(&packet, Port::plain(1)).err(), Some(Reject::Other));
        packet[7] = 64;
        packet[0] = 0x45;
        assert_eq!(ipv6(&packet, Port::plain(1)).err(), Some(Reject::Other));
    }

    #[test]
    fn gre_of_version_0_has_no_ports() {
        let mut packet = udp();
        packet[9] = 47;
        for version in 0..=7u8 {
            packet[21] = version;
            let headers = ipv4(&packet, Port::plain(5)).ok();
            assert_eq!(headers.is_some(), version == 0);
            if let Some(h) = headers {
                let port = Port::plain(5);
                assert!(h.key == KeyV4::new([10, 0, 0, 1], [10, 0, 0, 2], [0; 4], port, 47));
                assert!(h.protocol == Protocol::Gre && h.len == 24);
            }
        }
        for len in 20..24 {
            let short = ipv4(&packet[..len], Port::plain(5)).err();
            assert_eq!(short, Some(Reject::Short(24)));
        }
    }

    fn encap(tags: &[Tag]) -> Encap {
        let add = |encap: Encap, tag: &Tag| encap.with_inner(*tag).unwrap_or(Encap::NONE);
        tags.iter().fold(Encap::NONE, add)
    }

    #[test]
    fn encapsulations() {
        // A VLAN tag with priority 5 inside of one that was taken off.
        let inline = [0xa0, 0x07, 0x08, 0x00, 0x45];
        assert_eq!(
            unwrap(&inline, Some(Tag::Vlan(3)), 0x8100),
            Ok(Unwrapped {
                encap: encap(&[Tag::Vlan(3), Tag::Vlan(7)]),
                ethertype: 0x0800,
                at: 4,
            })
        );
        // A session, alone and in a VLAN.
        let session = [0x11, 0, 0x12, 0x34, 0, 22, 0x00, 0x57, 0x60];
        for (taken_off, tags) in [
            (None, &[Tag::Pppoe(0x1234)][..]),
            (Some(Tag::Vlan(3)), &[Tag::Vlan(3), Tag::Pppoe(0x1234)][..]),
        ] {
            assert_eq!(
                unwrap(&session, taken_off, 0x8864),
                Ok(Unwrapped {
                    encap: encap(tags),
                    ethertype: 0x86dd,
                    at: 8,
                })
            );
        }
        // Nothing, and something else.
        for ethertype in [0x0800, 0x0806, 0x88cc] {
            let found = unwrap(&[], None, ethertype);
            assert_eq!(found.map(|f| (f.at, f.ethertype)), Ok((0, ethertype)));
        }
    }

    #[test]
    fn encapsulations_that_are_not_for_us() {
        let taken_off = Some(Tag::Vlan(3));
        // Too many; VLAN 0 inside; another PPP protocol, code, version.
        let two = [0, 7, 0x81, 0, 0, 8, 0x08, 0x00];
        assert_eq!(unwrap(&two, taken_off, 0x8100), Err(Reject::Other));
        assert_eq!(unwrap(&[0xa0, 0, 8, 0], None, 0x8100), Err(Reject::Other));
        for change in [(0, 0x12), (1, 0xa7), (6, 0xc0), (7, 0x22)] {
            let mut session = [0x11, 0, 0x12, 0x34, 0, 22, 0x00, 0x21, 0x45];
            session[change.0] = change.1;
            assert_eq!(unwrap(&session, None, 0x8864), Err(Reject::Other));
        }
        // Cut off, at every length.
        for len in 0..4 {
            assert_eq!(unwrap(&two[..len], None, 0x8100), Err(Reject::Short(4)));
        }
        for len in 4..8 {
            assert_eq!(unwrap(&two[..len], None, 0x8100), Err(Reject::Short(8)));
        }
        for len in 0..8 {
            assert_eq!(unwrap(&two[..len], None, 0x8864), Err(Reject::Short(8)));
        }
    }

    #[test]
    fn tunnels() {
        let mut packet = udp();
        packet[9] = 4;
        let ends = tunnel_ipv4(&packet).ok();
        assert!(ends.is_some_and(|e| e.source == [10, 0, 0, 1] && e.destination == [10, 0, 0, 2]));
        for (at, value) in [(0, 0x46), (6, 0x20), (7, 1), (8, 1), (9, 41), (9, 17)] {
            let mut other = packet;
            other[at] = value;
            assert_eq!(tunnel_ipv4(&other).err(), Some(Reject::Other));
        }
        assert_eq!(tunnel_ipv4(&packet[..19]).err(), Some(Reject::Short(20)));
        let mut six = [7u8; 40];
        six[0] = 0x6f;
        six[6] = 41;
        let ends = tunnel_ipv6(&six).ok();
        assert!(ends.is_some_and(|e| e.source == [7; 16] && e.destination == [7; 16]));
        for (at, value) in [(0, 0x45), (6, 4), (6, 0), (7, 1)] {
            let mut other = six;
            other[at] = value;
            assert_eq!(tunnel_ipv6(&other).err(), Some(Reject::Other));
        }
        assert_eq!(tunnel_ipv6(&six[..39]).err(), Some(Reject::Short(40)));
    }

    #[test]
    fn anything_is_safe() {
        let mut random = Random::new(20);
        for _ in 0..50000 {
            let mut packet: [u8; 64] = random.bytes();
            if random.below(2) == 0 {
                packet[0] = [0x45, 0x60][random.below(2) as usize];
            }
            let len = random.below(65) as usize;
            let ethertype = [0x8100, 0x88a8, 0x8864][random.below(3) as usize];
            if random.below(2) == 0 {
                packet[..2].copy_from_slice(&[0x11, 0]);
            }
            match unwrap(&packet[..len], None, ethertype) {
                Ok(found) => assert!(found.at <= len && found.at <= 16),
                Err(Reject::Short(needed)) => assert!(needed as usize > len),
                Err(Reject::Other) => {}
            }
            for result in [
                ipv4(&packet[..len], Port::plain(1)).map(|h| h.len),
                ipv6(&packet[..len], Port::plain(1)).map(|h| h.len),
            ] {
                if let Ok(needed) = result {
                    assert!(needed as usize <= len);
                } else if let Err(Reject::Short(needed)) = result {
                    assert!(needed as usize > len);
                }
            }
        }
    }
}

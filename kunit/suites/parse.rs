// SPDX-License-Identifier: GPL-2.0

//! Headers.

use kernel::prelude::*;

#[kunit_tests(nft_offload_parse)]
mod tests {
    use crate::fast::parse::*;
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
        let headers = ipv4(&udp(), 5).ok();
        assert!(headers.is_some_and(|h| {
            h.key == KeyV4::new([10, 0, 0, 1], [10, 0, 0, 2], [0, 7, 0, 9], 5, 17)
                && h.protocol == Protocol::Udp
                && h.len == 28
                && !h.tcp.opens()
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
            let headers = ipv4(&packet, 5).ok();
            assert!(headers.is_some_and(|h| {
                h.len == 40
                    && h.tcp.opens() == (flags & 0x02 != 0)
                    && h.tcp.closes() == (flags & 0x05 != 0)
            }));
        }
    }

    #[test]
    fn every_length_is_safe_and_asks_for_what_is_missing() {
        let packet = udp();
        for len in 0..20 {
            assert_eq!(ipv4(&packet[..len], 1).err(), Some(Reject::Short(20)));
        }
        for len in 20..28 {
            assert_eq!(ipv4(&packet[..len], 1).err(), Some(Reject::Short(28)));
        }
        let mut tcp = packet;
        tcp[9] = 6;
        assert_eq!(ipv4(&tcp, 1).err(), Some(Reject::Short(40)));
        let mut six = [0u8; 48];
        six[0] = 0x60;
        six[6] = 17;
        six[7] = 64;
        for len in 0..40 {
            assert_eq!(ipv6(&six[..len], 1).err(), Some(Reject::Short(40)));
        }
        for len in 40..48 {
            assert_eq!(ipv6(&six[..len], 1).err(), Some(Reject::Short(48)));
        }
        assert!(ipv6(&six, 1).is_ok());
    }

    #[test]
    fn what_is_for_the_classic_path() {
        let change = |at: usize, value: u8| {
            let mut packet = udp();
            packet[at] = value;
            ipv4(&packet, 1).err()
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
        for protocol in [1, 2, 4, 41, 47, 50, 58, 132, 255] {
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
            assert_eq!(ipv6(&packet, 1).is_ok(), next == 6 || next == 17);
        }
        packet[6] = 6;
        packet[7] = 1;
        assert_eq!(ipv6(&packet, 1).err(), Some(Reject::Other));
        packet[7] = 64;
        packet[0] = 0x45;
        assert_eq!(ipv6(&packet, 1).err(), Some(Reject::Other));
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
            for result in [
                ipv4(&packet[..len], 1).map(|h| h.len),
                ipv6(&packet[..len], 1).map(|h| h.len),
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

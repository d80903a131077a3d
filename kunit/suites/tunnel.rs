// SPDX-License-Identifier: GPL-2.0

//! The headers of tunnels.

use kernel::prelude::*;

#[kunit_tests(nft_offload_tunnel)]
mod tests {
    use crate::fast::parse::{
        tunnel_ipv4,
        tunnel_ipv6, //
    };
    use crate::flow::tunnel::*;
    use crate::random::Random;

    /// The sum of a header with its checksum is all ones (RFC 1071).
    fn sum(header: &[u8]) -> u32 {
        let mut sum = 0u32;
        for word in header.chunks_exact(2) {
            sum += u32::from(u16::from_be_bytes([word[0], word[1]]));
        }
        while sum >> 16 != 0 {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum
    }

    #[test]
    fn ipv4_follows_the_inner_header() {
        let mut random = Random::new(30);
        for _ in 0..2000 {
            let mut inner: [u8; 20] = random.bytes();
            inner[0] = 0x45;
            inner[8] |= 2;
            inner[6] &= 0x40;
            inner[7] = 0;
            let ends = Endpoints {
                source: random.bytes(),
                destination: random.bytes(),
            };
            let id: [u8; 2] = random.bytes();
            let fragment = random.below(2) == 0;
            let header = ipv4(&inner, &ends, 1000, fragment, || id);
            assert_eq!(sum(&header), 0xffff);
            assert_eq!(header[1], inner[1]);
            assert_eq!(header[2..4], 1020u16.to_be_bytes());
            assert_eq!(header[4..6], id);
            assert_eq!(header[6], if fragment { 0 } else { inner[6] });
            assert_eq!(header[8], inner[8]);
            assert_eq!(tunnel_ipv4(&header), Ok(ends));
        }
    }

    #[test]
    fn the_checksum_is_right_whatever_is_carried() {
        let mut random = Random::new(32);
        let inner = [0x45; 20];
        for high in [0, 0x7f, 0xff] {
            let ends = Endpoints {
                source: [high, 0xff, high, 0xff],
                destination: random.bytes(),
            };
            for id in 0..=u16::MAX {
                let header = ipv4(&inner, &ends, 1000, false, || id.to_be_bytes());
                assert_eq!(sum(&header), 0xffff);
            }
        }
    }

    #[test]
    fn ipv6_follows_the_inner_header() {
        let mut random = Random::new(31);
        for _ in 0..2000 {
            let mut inner: [u8; 40] = random.bytes();
            inner[0] = 0x60 | inner[0] & 0x0f;
            inner[7] |= 2;
            let ends = Endpoints {
                source: random.bytes(),
                destination: random.bytes(),
            };
            let label = random.below(1 << 20).to_be_bytes();
            let header = ipv6(&inner, &ends, 1000, label);
            assert_eq!(header[0], inner[0]);
            assert_eq!(header[1], inner[1] & 0xf0 | label[1]);
            assert_eq!(header[2..4], label[2..4]);
            assert_eq!(header[4..6], 1000u16.to_be_bytes());
            assert_eq!(header[7], inner[7]);
            assert_eq!(tunnel_ipv6(&header), Ok(ends));
        }
    }

    #[test]
    fn the_other_direction() {
        let ends = Endpoints {
            source: [1, 2, 3, 4],
            destination: [5, 6, 7, 8],
        };
        assert!(ends.key() != ends.swapped().key());
        assert!(ends.swapped().swapped() == ends);
    }
}

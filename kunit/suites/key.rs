// SPDX-License-Identifier: GPL-2.0

//! Keys and their hash.

use kernel::prelude::*;

#[kunit_tests(nft_offload_key)]
mod tests {
    use crate::flow::encap::*;
    use crate::flow::key::*;
    use crate::random::Random;
    use kernel::prelude::*;

    const PORTS: [u8; 4] = [0x12, 0x34, 0x00, 0x50];

    #[test]
    fn every_field_counts() {
        let key = KeyV4::new([10, 0, 0, 1], [10, 0, 0, 2], PORTS, Port::plain(3), 6);
        assert!(key == KeyV4::new([10, 0, 0, 1], [10, 0, 0, 2], PORTS, Port::plain(3), 6));
        assert!(key != KeyV4::new([10, 0, 0, 2], [10, 0, 0, 2], PORTS, Port::plain(3), 6));
        assert!(key != KeyV4::new([10, 0, 0, 1], [10, 0, 0, 1], PORTS, Port::plain(3), 6));
        assert!(key != KeyV4::new([10, 0, 0, 2], [10, 0, 0, 1], PORTS, Port::plain(3), 6));
        assert!(
            key != KeyV4::new(
                [10, 0, 0, 1],
                [10, 0, 0, 2],
                [0x00, 0x50, 0x12, 0x34],
                Port::plain(3),
                6
            )
        );
        assert!(key != KeyV4::new([10, 0, 0, 1], [10, 0, 0, 2], PORTS, Port::plain(4), 6));
        assert!(key != KeyV4::new([10, 0, 0, 1], [10, 0, 0, 2], PORTS, Port::plain(3), 17));
    }

    #[test]
    fn every_bit_of_an_ipv6_address_counts() {
        let base = KeyV6::new([0; 16], [0; 16], PORTS, Port::plain(7), 17);
        for bit in 0..128 {
            let mut address = [0u8; 16];
            address[bit / 8] = 1 << (bit % 8);
            assert!(base != KeyV6::new(address, [0; 16], PORTS, Port::plain(7), 17));
            assert!(base != KeyV6::new([0; 16], address, PORTS, Port::plain(7), 17));
        }
    }

    #[test]
    fn whole_ifindex_counts() {
        let a = KeyV4::new([1; 4], [2; 4], PORTS, Port::plain(1), 6);
        let b = KeyV4::new([1; 4], [2; 4], PORTS, Port::plain(0x4000_0001), 6);
        assert!(a != b);
    }

    #[test]
    fn every_encapsulation_counts() {
        let tags = [
            None,
            Some(Tag::Vlan(5)),
            Some(Tag::Vlan(6)),
            Some(Tag::ServiceVlan(5)),
            Some(Tag::Pppoe(5)),
            Some(Tag::Pppoe(0xffff)),
            Some(Tag::Pppoe(0)),
        ];
        let mut keys = KVec::new();
        for outer in tags {
            for inner in tags {
                for tunnel in [0, 1, MAX_TUNNEL] {
                    let Some(outer) = outer else { continue };
                    let mut encap = Encap::NONE.with_inner(outer);
                    if let Some(inner) = inner {
                        encap = encap.and_then(|encap| encap.with_inner(inner));
                    }
                    let Ok(encap) = encap else {
                        assert!(false);
                        continue;
                    };
                    let port = Port::new(3, encap, tunnel);
                    let key = KeyV4::new([1; 4], [2; 4], PORTS, port, 6);
                    assert!(keys.iter().all(|other| *other != key));
                    assert!(keys.push(key, GFP_KERNEL).is_ok());
                }
            }
        }
        assert_eq!(keys.len(), 6 * 7 * 3);
        let plain = Port::new(3, Encap::NONE, 0);
        assert!(plain == Port::plain(3));
    }

    #[test]
    fn hash_depends_on_the_secret() {
        let mut random = Random::new(1);
        let key = KeyV4::new([1; 4], [2; 4], PORTS, Port::plain(1), 6);
        let first = Secret::<3>::draw(|| random.word()).hash(&key);
        let second = Secret::<3>::draw(|| random.word()).hash(&key);
        assert!(first != second);
    }

    /// Neighbouring keys, as a scan makes them, must spread over the buckets.
    #[test]
    fn hash_spreads_similar_keys() {
        let mut random = Random::new(2);
        for _ in 0..8 {
            let secret = Secret::<3>::draw(|| random.word());
            let mut buckets = [0u16; 256];
            for i in 0..16384u32 {
                let [_, _, c, d] = i.to_be_bytes();
                let key = KeyV4::new([10, 0, 0, 1], [10, 1, c, d], PORTS, Port::plain(3), 17);
                let bucket = &mut buckets[(secret.hash(&key) / 32 % 256) as usize];
                *bucket += 1;
            }
            // 64 on average; ten standard deviations.
            for count in buckets {
                assert!(count < 64 + 80);
            }
        }
    }

    #[test]
    fn hashes_of_different_keys_rarely_collide() {
        let mut random = Random::new(3);
        let secret = Secret::<6>::draw(|| random.word());
        let mut collisions = 0;
        for _ in 0..20000 {
            let address = random.bytes();
            let mut other: [u8; 16] = address;
            other[random.below(16) as usize] ^= 1 << random.below(8);
            let a = KeyV6::new(address, [9; 16], PORTS, Port::plain(1), 6);
            let b = KeyV6::new(other, [9; 16], PORTS, Port::plain(1), 6);
            if secret.hash(&a) == secret.hash(&b) {
                collisions += 1;
            }
        }
        assert!(collisions <= 1);
    }
}

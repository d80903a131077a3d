// SPDX-License-Identifier: GPL-2.0

//! Keys and their hash.

use kernel::prelude::*;

#[kunit_tests(nft_offload_key)]
mod tests {
    use crate::flow::key::*;
    use crate::random::Random;

    const PORTS: [u8; 4] = [0x12, 0x34, 0x00, 0x50];

    #[test]
    fn every_field_counts() {
        let key = KeyV4::new([10, 0, 0, 1], [10, 0, 0, 2], PORTS, 3, 6);
        assert!(key == KeyV4::new([10, 0, 0, 1], [10, 0, 0, 2], PORTS, 3, 6));
        assert!(key != KeyV4::new([10, 0, 0, 2], [10, 0, 0, 2], PORTS, 3, 6));
        assert!(key != KeyV4::new([10, 0, 0, 1], [10, 0, 0, 1], PORTS, 3, 6));
        assert!(key != KeyV4::new([10, 0, 0, 2], [10, 0, 0, 1], PORTS, 3, 6));
        assert!(key != KeyV4::new([10, 0, 0, 1], [10, 0, 0, 2], [0x00, 0x50, 0x12, 0x34], 3, 6));
        assert!(key != KeyV4::new([10, 0, 0, 1], [10, 0, 0, 2], PORTS, 4, 6));
        assert!(key != KeyV4::new([10, 0, 0, 1], [10, 0, 0, 2], PORTS, 3, 17));
        assert_eq!(key.ingress(), 3);
    }

    #[test]
    fn every_bit_of_an_ipv6_address_counts() {
        let base = KeyV6::new([0; 16], [0; 16], PORTS, 7, 17);
        for bit in 0..128 {
            let mut address = [0u8; 16];
            address[bit / 8] = 1 << (bit % 8);
            assert!(base != KeyV6::new(address, [0; 16], PORTS, 7, 17));
            assert!(base != KeyV6::new([0; 16], address, PORTS, 7, 17));
        }
        assert_eq!(base.ingress(), 7);
    }

    #[test]
    fn whole_ifindex_counts() {
        let a = KeyV4::new([1; 4], [2; 4], PORTS, 1, 6);
        let b = KeyV4::new([1; 4], [2; 4], PORTS, 0x4000_0001, 6);
        assert!(a != b);
        assert_eq!(b.ingress(), 0x4000_0001);
    }

    #[test]
    fn hash_depends_on_the_secret() {
        let mut random = Random::new(1);
        let key = KeyV4::new([1; 4], [2; 4], PORTS, 1, 6);
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
                let key = KeyV4::new([10, 0, 0, 1], [10, 1, c, d], PORTS, 3, 17);
                let bucket = &mut buckets[(secret.hash(&key) & 255) as usize];
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
            let a = KeyV6::new(address, [9; 16], PORTS, 1, 6);
            let b = KeyV6::new(other, [9; 16], PORTS, 1, 6);
            if secret.hash(&a) == secret.hash(&b) {
                collisions += 1;
            }
        }
        assert!(collisions <= 1);
    }
}

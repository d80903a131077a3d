// SPDX-License-Identifier: GPL-2.0

//! Keys that somebody has chosen who knows the hash, but not the secret: they may not meet in the
//! table more often than random ones.

use kernel::prelude::*;

#[kunit_tests(nft_offload_crafted)]
mod tests {
    use crate::flow::key::*;
    use crate::random::Random;
    use kernel::prelude::*;

    /// Keys of a family, and for how many of them there is a bucket: more than it has room for, as
    /// what is to be seen is where they crowd.
    const KEYS: u32 = 65536;
    const KEYS_PER_BUCKET: u32 = 8;

    /// How keys lie in the table.
    struct Spread {
        /// Pairs of keys with the same 32 bits.
        equal: u32,
        /// Pairs of keys in the same bucket.
        together: u32,
        /// Keys in the fullest bucket.
        fullest: u32,
    }

    /// Pairs of random keys in the same bucket, on average: with a standard deviation of 512.
    const TOGETHER: u32 = 262_140;
    /// Pairs of equal hashes, which should be half a pair on average over secrets: of random keys
    /// there are more than eight once in 10^9 times.
    const EQUAL: u32 = 8;
    /// More keys than that are not in the fullest bucket: of random keys there are 19 to 28.
    const FULLEST: u32 = 40;

    /// The bucket of a hash: its low five bits do not select it.
    fn bucket_of(hash: u32, buckets: u32) -> usize {
        (hash / 32 % buckets) as usize
    }

    fn spread(secret: &Secret<3>, keys: u32, mut key: impl FnMut(u32) -> KeyV4) -> Result<Spread> {
        let count = keys / KEYS_PER_BUCKET;
        let mut buckets = KVec::from_elem(0u32, count as usize, GFP_KERNEL)?;
        // Those seen before, in chains of few, to find the ones that are equal.
        let mut heads = KVec::from_elem(u32::MAX, 1 << 16, GFP_KERNEL)?;
        let mut seen: KVec<(u32, u32)> = KVec::with_capacity(keys as usize, GFP_KERNEL)?;
        let mut equal = 0;
        for i in 0..keys {
            let hash = secret.hash(&key(i));
            buckets[bucket_of(hash, count)] += 1;
            let head = &mut heads[(hash.wrapping_mul(0x9e37_79b1) >> 16) as usize];
            let mut at = *head;
            // A chain is not long, unless the test has failed already.
            for _ in 0..256 {
                let Some(&(other, next)) = seen.get(at as usize) else {
                    break;
                };
                equal += u32::from(other == hash);
                at = next;
            }
            seen.push((hash, *head), GFP_KERNEL)?;
            *head = i;
        }
        Ok(Spread {
            equal,
            together: buckets.iter().map(|n| n * n.saturating_sub(1) / 2).sum(),
            fullest: buckets.iter().copied().max().unwrap_or(0),
        })
    }

    /// A key of IPv4 by the numbers that somebody far away may choose.
    fn chosen(source: u32, destination: u32, from: u16, to: u16) -> KeyV4 {
        let ([a, b], [c, d]) = (from.to_be_bytes(), to.to_be_bytes());
        KeyV4::new(
            source.to_be_bytes(),
            destination.to_be_bytes(),
            [a, b, c, d],
            Port::plain(3),
            17,
        )
    }

    const NET: u32 = 0x0a01_0000;

    /// Families of keys with a structure: the last one is [`FewBits`].
    const FAMILIES: u32 = 21;

    /// Keys with a structure, by number of family and of key.
    fn structured(family: u32, i: u32) -> Option<KeyV4> {
        // CAST: There are 65536 keys.
        let low = i as u16;
        Some(match family {
            // A scan of ports, of either end, and of addresses.
            0 => chosen(NET, NET + 1, low, 53),
            1 => chosen(NET, NET + 1, 1024, low),
            2 => chosen(NET + i, NET + 1, 1024, 53),
            3 => chosen(NET, NET.wrapping_add(i << 16), 1024, 53),
            // Both at once, by eight bits each.
            4 => chosen(NET + (i >> 8), NET, 1024 + (low & 255), 53),
            // What one field has more, another has less; and the same without carries.
            5 => chosen(NET + i, NET, 0xffff - low, 53),
            6 => chosen(NET + i, NET + 0xffff - i, 1024, 53),
            7 => chosen(NET, NET, low, 0xffff - low),
            8 => chosen(NET + i, NET, low ^ 0x5a5a, 53),
            9 => chosen(NET + i, NET + (i ^ 0x5a5a), 1024, 53),
            10 => chosen(NET, NET, low, low ^ 0x5a5a),
            11 => chosen(NET + i, NET + i, low, low),
            // The same as they are in memory.
            12 => chosen(i.swap_bytes(), (0xffff - i).swap_bytes(), 1024, 53),
            13 => chosen(i.swap_bytes(), (0xffff - i).swap_bytes(), low, 0xffff - low),
            // Multiples of powers of two, as words.
            14 => KeyV4::from_words([u64::from(i) << 16, 0, 0]),
            15 => KeyV4::from_words([u64::from(i) << 32, 0, 0]),
            16 => KeyV4::from_words([u64::from(i) << 48, 0, 0]),
            17 => KeyV4::from_words([u64::from(i) << 16, u64::from(i) << 16, 0]),
            18 => KeyV4::from_words([u64::from(i) << 48, u64::from(i) << 48, 0]),
            19 => KeyV4::from_words([u64::from(i) << 16 | u64::from(i) << 48, 0, 0]),
            _ => return None,
        })
    }

    /// All keys that differ from one in three bits of their first 96, of which there are 142880.
    struct FewBits([u32; 3]);

    impl FewBits {
        fn next(&mut self) -> KeyV4 {
            let [a, b, c] = &mut self.0;
            let bits = 1u128 << *a | 1u128 << *b | 1u128 << *c;
            (*a, *b, *c) = match (*a + 1 < *b, *b + 1 < *c) {
                (true, _) => (*a + 1, *b, *c),
                (false, true) => (0, *b + 1, *c),
                (false, false) => (0, 1, *c + 1),
            };
            // CAST: Halves.
            KeyV4::from_words([bits as u64, (bits >> 64) as u64, 0])
        }
    }

    #[test]
    fn random_keys_are_within_the_bounds() -> Result {
        let mut random = Random::new(4);
        for _ in 0..4 {
            let secret = Secret::<3>::draw(|| random.word());
            let found = spread(&secret, KEYS, |_| {
                KeyV4::from_words([random.word(), random.word(), random.word()])
            })?;
            assert!(found.equal <= EQUAL);
            assert!(found.together.abs_diff(TOGETHER) < 10 * 512);
            assert!(found.fullest > 16 && found.fullest < FULLEST);
        }
        Ok(())
    }

    /// Keys with a structure are spread over buckets as random ones are, whatever the structure is,
    /// in each table; and have equal hashes no more often, on average over tables.
    #[test]
    fn structured_keys_collide_no_more_than_random_ones() -> Result {
        const SECRETS: u32 = 6;
        let mut random = Random::new(5);
        let mut equal = 0;
        for family in 0..FAMILIES {
            for _ in 0..SECRETS {
                let secret = Secret::<3>::draw(|| random.word());
                let mut bits = FewBits([0, 1, 2]);
                let found = spread(&secret, KEYS, |i| {
                    structured(family, i).unwrap_or_else(|| bits.next())
                })?;
                assert!(found.fullest < FULLEST);
                assert!(found.together <= TOGETHER + TOGETHER / 8);
                equal += found.equal;
            }
        }
        assert!(equal <= EQUAL * FAMILIES * SECRETS);
        Ok(())
    }

    /// Who knows one table's secret can have any number of keys in one of its buckets: they are as
    /// good as random in another table.
    #[test]
    fn keys_against_one_secret_are_harmless_under_another() -> Result {
        const FEW: u32 = 2048;
        const COUNT: u32 = FEW / KEYS_PER_BUCKET;
        let mut random = Random::new(6);
        let known = Secret::<3>::draw(|| random.word());
        let mut crafted = KVec::with_capacity(FEW as usize, GFP_KERNEL)?;
        for i in 0..FEW * COUNT * 2 {
            let key = chosen(NET + (i >> 16), NET, i as u16, 53);
            if crafted.len() < FEW as usize && bucket_of(known.hash(&key), COUNT) == 0 {
                crafted.push(key, GFP_KERNEL)?;
            }
        }
        let of_crafted = |secret: &Secret<3>| spread(secret, FEW, |i| crafted[i as usize]);
        assert!(of_crafted(&known)?.fullest == FEW);
        for _ in 0..32 {
            let found = of_crafted(&Secret::<3>::draw(|| random.word()))?;
            assert!(found.equal <= EQUAL);
            assert!(found.fullest < FULLEST);
        }
        Ok(())
    }
}

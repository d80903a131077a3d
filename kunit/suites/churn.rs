// SPDX-License-Identifier: GPL-2.0

//! The hash array after many entries have come and gone, against a new one with the same entries.

use kernel::prelude::*;

#[kunit_tests(nft_offload_churn)]
mod tests {
    use crate::random::Random;
    use crate::table::buckets::*;
    use kernel::prelude::*;

    /// From the number of a bucket to a hash that selects it.
    const STEP: u32 = 32;

    /// An array, and what is in it: the number of an entry is its place, plus one.
    struct Model {
        array: Buckets,
        hashes: KVec<u32>,
    }

    /// A hash of no entry; the model's are even.
    fn missing(random: &mut Random) -> u32 {
        (random.word() >> 32) as u32 | 1
    }

    fn present(random: &mut Random) -> u32 {
        (random.word() >> 32) as u32 & !1
    }

    /// What an entry stands for.
    fn what(place: usize) -> u32 {
        place as u32 + 1
    }

    /// Whether lookups go on from a bucket.
    fn is_marked(array: &Buckets, number: u32) -> bool {
        array.find(number.wrapping_mul(STEP) | 1) == Look::Further
    }

    /// How many buckets are marked.
    fn marks(array: &Buckets) -> u32 {
        (0..array.count())
            .map(|n| u32::from(is_marked(array, n)))
            .sum()
    }

    /// How many buckets the lookups of so many missing keys read.
    fn lines(array: &Buckets, lookups: u32) -> u32 {
        let mut random = Random::new(11);
        let mut lines = 0;
        for _ in 0..lookups {
            let number = missing(&mut random) / STEP;
            lines += 1
                + (0..15)
                    .take_while(|further| is_marked(array, number.wrapping_add(*further)))
                    .count() as u32;
        }
        lines
    }

    impl Model {
        fn new(buckets: u32, objects: usize, random: &mut Random) -> Result<Self> {
            let mut model = Self {
                array: Buckets::new(buckets, GFP_KERNEL)?,
                hashes: KVec::new(),
            };
            for place in 0..2 * objects {
                let hash = present(random);
                model.hashes.push(hash, GFP_KERNEL)?;
                model.array.insert(hash, what(place))?;
            }
            Ok(model)
        }

        /// Puts another entry in the place of one.
        fn replace(&mut self, place: usize, hash: u32) -> Result {
            if !self.array.remove(self.hashes[place], what(place), false) {
                return Err(ENOENT);
            }
            self.hashes[place] = hash;
            self.array.insert(hash, what(place))
        }

        /// A new array with the same entries, in another order.
        fn fresh(&self) -> Result<Buckets> {
            let fresh = Buckets::new(self.array.count(), GFP_KERNEL)?;
            for (place, &hash) in self.hashes.iter().enumerate().rev() {
                fresh.insert(hash, what(place))?;
            }
            Ok(fresh)
        }

        /// Whether all entries are found, and the marks are those of a new array.
        fn is_sound(&self) -> Result<bool> {
            let fresh = self.fresh()?;
            let found = self.hashes.iter().enumerate().all(|(place, &hash)| {
                let is_it = |found| (found == what(place)).then_some(());
                self.array.find_all(hash, is_it).is_some()
            });
            let marked = (0..fresh.count())
                .all(|number| is_marked(&fresh, number) == is_marked(&self.array, number));
            Ok(found && marked)
        }

        /// Takes all out; true if nothing is left of them.
        fn empties(self) -> bool {
            let all = self.hashes.iter().enumerate();
            all.clone()
                .all(|(place, &hash)| self.array.remove(hash, what(place), false))
                && marks(&self.array) == 0
                && all.clone().all(|(_, &hash)| !self.array.may_have(hash))
        }
    }

    /// No more than a tenth above.
    fn within_a_tenth(value: u32, of: u32) -> bool {
        value * 10 <= of * 11
    }

    /// So many objects, of two entries each, and lifetimes in which each goes once and another comes:
    /// whether that costs as much as in a new array.
    fn lives(buckets: u32, objects: usize, lifetimes: usize) -> Result<bool> {
        let mut random = Random::new(5);
        let mut model = Model::new(buckets, objects, &mut random)?;
        let mut sound = true;
        for turn in 0..lifetimes * 2 * objects {
            let place = random.below(2 * objects as u32) as usize;
            let hash = present(&mut random);
            model.replace(place, hash)?;
            if turn % (10 * objects) == 0 {
                sound &= model.is_sound()?;
            }
        }
        let fresh = model.fresh()?;
        let (old, new) = (marks(&model.array), marks(&fresh));
        let (read, least) = (lines(&model.array, 100_000), lines(&fresh, 100_000));
        pr_info!(
            "{objects} objects in {buckets} buckets, {lifetimes} lifetimes: {old} marks, new {new}; \
             lines per 100000 misses {read}, new {least}\n"
        );
        Ok(sound
            && within_a_tenth(old, new)
            && within_a_tenth(read, least)
            && model.is_sound()?
            && model.empties())
    }

    #[test]
    fn marks_and_lines_stay_those_of_a_new_array() {
        assert!(matches!(lives(2048, 4000, 50), Ok(true)));
    }

    #[test]
    fn also_when_it_is_nearly_full() {
        // 62 per cent, and 73.
        assert!(matches!(lives(2048, 4440, 10), Ok(true)));
        assert!(matches!(lives(512, 1300, 10), Ok(true)));
    }

    #[test]
    fn one_that_comes_back_again_and_again_leaves_no_trace() {
        let mut random = Random::new(9);
        let Ok(mut model) = Model::new(2048, 4000, &mut random) else {
            assert!(false);
            return;
        };
        // One that a full bucket is on the way of.
        let full = (0..2048).find(|&number| is_marked(&model.array, number));
        let hash = full.unwrap_or(0) * STEP;
        let before = marks(&model.array);
        assert!(before != 0);
        // Another one each time, or the same.
        for turn in 0..100_000 {
            let other = if turn & 1 == 0 {
                hash
            } else {
                present(&mut random)
            };
            assert!(model.replace(7, other).is_ok());
            assert!(model.replace(7, hash).is_ok());
        }
        assert!(marks(&model.array) <= before + 2);
        assert!(matches!(model.is_sound(), Ok(true)));
        assert!(model.empties());
    }

    #[test]
    fn one_that_has_no_room_leaves_no_trace() {
        let Ok(array) = Buckets::new(32, GFP_KERNEL) else {
            assert!(false);
            return;
        };
        // Sixteen buckets of seven, and as many that are behind the last one and before the first.
        let hash = 24 * STEP;
        for number in 0..112 {
            assert!(array.insert(hash, number + 1).is_ok());
        }
        let before = marks(&array);
        assert_eq!(before, 15);
        for _ in 0..10 {
            assert!(array.insert(hash, 1000).is_err());
        }
        assert_eq!(marks(&array), before);
        // They move up, one after the other.
        for number in 0..112 {
            assert!(array.remove(hash, number + 1, false));
            assert_eq!(marks(&array), 110u32.saturating_sub(number) / 7);
        }
    }

    #[test]
    fn what_goes_from_an_array_while_it_moves_out_is_gone_from_both() {
        let mut random = Random::new(13);
        let Ok(mut model) = Model::new(512, 1100, &mut random) else {
            assert!(false);
            return;
        };
        let Ok(to) = Buckets::new(2048, GFP_KERNEL) else {
            assert!(false);
            return;
        };
        for number in 0..512 {
            assert!(model.array.migrate(number, &to).is_ok());
            for _ in 0..2 {
                let place = random.below(model.hashes.len() as u32) as usize;
                let (hash, what) = (model.hashes[place], what(place));
                let was_old = model.array.remove(hash, what, true);
                let was_new = to.remove(hash, what, false);
                assert!(was_old != was_new);
                let hash = present(&mut random);
                model.hashes[place] = hash;
                assert!(to.insert(hash, what).is_ok());
                let place = random.below(model.hashes.len() as u32) as usize;
                let is_it = |found| (found == place as u32 + 1).then_some(());
                let hash = model.hashes[place];
                let found = model.array.find_all(hash, is_it);
                assert!(found.or_else(|| to.find_all(hash, is_it)).is_some());
            }
        }
        assert_eq!(marks(&model.array), 0);
        model.array = to;
        assert!(matches!(model.is_sound(), Ok(true)));
        assert!(model.empties());
    }
}

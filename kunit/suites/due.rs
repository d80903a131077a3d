// SPDX-License-Identifier: GPL-2.0

//! When objects are due, against a model that remembers it.

use kernel::prelude::*;

#[kunit_tests(nft_offload_due)]
mod tests {
    use crate::random::Random;
    use crate::table::due::*;

    /// The bitmap of one.
    fn only(slot: u32) -> u64 {
        1 << slot
    }

    /// A second, and now.
    fn second(second: u32) -> Times {
        Times::up_to(second, 1)
    }

    /// Only what is due now.
    fn now() -> Times {
        Times::up_to(0, 0)
    }

    #[test]
    fn due_in_time_and_not_before() {
        let due = Due::new();
        for at in [0, 100, 253, 254, u32::MAX - 20] {
            assert!(due.set_first(3, When::at(at)));
            assert!(due.set_first(60, When::at(at.wrapping_add(5))));
            assert_eq!(due.take(second(at.wrapping_add(4))), 0);
            assert_eq!(due.take(second(at)), only(3));
            assert_eq!(due.take(second(at)), 0);
            assert_eq!(due.take(second(at.wrapping_add(5))), only(60));
        }
    }

    #[test]
    fn seconds_less_than_63_apart_are_told_apart() {
        for apart in 1..63 {
            assert!(When::at(1000) != When::at(1000 + apart));
            assert!(When::at(1000 + apart) != When::NEVER);
            assert!(When::at(1000 + apart) != When::NOW);
        }
    }

    #[test]
    fn who_comes_late_takes_all_seconds_that_have_passed() {
        let due = Due::new();
        for back in 0..10 {
            due.set(back, When::at(500 - back));
        }
        due.set(40, When::NOW);
        due.set(41, When::at(501));
        assert_eq!(due.take(Times::up_to(500, 4)), 0b1111 | only(40));
        assert_eq!(due.take(Times::up_to(500, 10)), 0b11_1111_0000);
        assert_eq!(Times::up_to(500, 10).count(), 11);
        // More than there are: each once.
        assert_eq!(Times::up_to(500, 1000).count(), 64);
        assert_eq!(due.take(Times::up_to(500, u32::MAX)), only(41));
    }

    #[test]
    fn a_digest_gives_what_was_noted_once() {
        let digest = Digest::default();
        assert!(digest.take(Times::up_to(7, 1000)).is_empty());
        for when in [
            When::at(7),
            When::at(8),
            When::NOW,
            When::at(7),
            When::NEVER,
        ] {
            digest.note(when);
        }
        assert!(digest.take(second(6)).eq([When::NOW]));
        assert!(digest.take(second(7)).eq([When::at(7)]));
        assert!(digest.take(second(7)).is_empty());
        digest.note(When::at(9));
        assert!(digest
            .take(Times::up_to(9, 2))
            .eq([When::at(8), When::at(9)]));
    }

    #[test]
    fn now_is_found_by_everybody_and_stands() {
        let due = Due::new();
        due.set(7, When::NOW);
        // Who visits it meanwhile comes second.
        assert!(!due.set_first(7, When::at(30)));
        assert!(due.get(7) == When::NOW);
        assert_eq!(due.take(second(12)), only(7));
        assert!(due.get(7) == When::NEVER);
        // And may be overtaken.
        assert!(due.set_first(7, When::at(30)));
        due.set(7, When::NOW);
        assert_eq!(due.take(now()), only(7));
        assert_eq!(due.take(second(30)), 0);
    }

    #[test]
    fn random_operations_agree_with_a_model() {
        let mut random = Random::new(3);
        let due = Due::new();
        let mut model = [When::NEVER; 64];
        for _ in 0..50_000 {
            let (slot, at) = (random.below(64), random.below(63));
            let when = When::at(at);
            let place = &mut model[slot as usize];
            match random.below(9) {
                0..4 => {
                    assert_eq!(due.set_first(slot, when), *place == When::NEVER);
                    if *place == When::NEVER {
                        *place = when;
                    }
                }
                4 => {
                    due.set(slot, When::NOW);
                    *place = When::NOW;
                }
                5 => {
                    due.set(slot, When::NEVER);
                    *place = When::NEVER;
                }
                6 => {
                    let mut wishes = Wishes::new();
                    for slot in 0..64 {
                        if random.below(3) == 0 {
                            let when = When::at(random.below(63));
                            wishes.add(slot, when);
                            assert!(wishes.times().any(|noted| noted == when));
                            let place = &mut model[slot as usize];
                            if *place == When::NEVER {
                                *place = when;
                            }
                        }
                    }
                    due.set_first_all(&wishes);
                }
                _ => {
                    let mut taken = 0;
                    for (slot, place) in model.iter_mut().enumerate() {
                        if *place == when || *place == When::NOW {
                            taken |= 1u64 << slot;
                            *place = When::NEVER;
                        }
                    }
                    assert_eq!(due.take(second(at)), taken);
                }
            }
            assert!(due.get(slot) == model[slot as usize]);
        }
    }
}

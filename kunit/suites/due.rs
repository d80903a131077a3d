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

    #[test]
    fn due_in_time_and_not_before() {
        let due = Due::new();
        for second in [0, 100, 253, 254, u32::MAX] {
            assert!(due.set_first(3, When::at(second)));
            assert!(due.set_first(60, When::at(second.wrapping_add(5))));
            assert_eq!(due.take(When::at(second.wrapping_add(4))), 0);
            assert_eq!(due.take(When::at(second)), only(3));
            assert_eq!(due.take(When::at(second)), 0);
            assert_eq!(due.take(When::at(second.wrapping_add(5))), only(60));
        }
    }

    #[test]
    fn seconds_less_than_254_apart_are_told_apart() {
        for apart in 1..254 {
            assert!(When::at(1000) != When::at(1000 + apart));
            assert!(When::at(1000 + apart) != When::NEVER);
            assert!(When::at(1000 + apart) != When::NOW);
        }
    }

    #[test]
    fn now_is_found_by_everybody_and_stands() {
        let due = Due::new();
        due.set(7, When::NOW);
        // Who visits it meanwhile comes second.
        assert!(!due.set_first(7, When::at(30)));
        assert!(due.get(7) == When::NOW);
        assert_eq!(due.take(When::at(12)), only(7));
        assert!(due.get(7) == When::NEVER);
        // And may be overtaken.
        assert!(due.set_first(7, When::at(30)));
        due.set(7, When::NOW);
        assert_eq!(due.take(When::NOW), only(7));
        assert_eq!(due.take(When::at(30)), 0);
    }

    #[test]
    fn random_operations_agree_with_a_model() {
        let mut random = Random::new(3);
        let due = Due::new();
        let mut model = [When::NEVER; 64];
        for _ in 0..50_000 {
            let (slot, second) = (random.below(64), random.below(254));
            let when = When::at(second);
            let place = &mut model[slot as usize];
            match random.below(8) {
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
                _ => {
                    let mut taken = 0;
                    for (slot, place) in model.iter_mut().enumerate() {
                        if *place == when || *place == When::NOW {
                            taken |= 1u64 << slot;
                            *place = When::NEVER;
                        }
                    }
                    assert_eq!(due.take(when), taken);
                }
            }
            assert!(due.get(slot) == model[slot as usize]);
        }
    }
}

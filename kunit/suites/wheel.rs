// SPDX-License-Identifier: GPL-2.0

//! The timing wheel, against a model that remembers when each object is due.

use kernel::prelude::*;

#[kunit_tests(nft_offload_wheel)]
mod tests {
    use crate::random::Random;
    use crate::table::wheel::*;

    const COUNT: usize = 32;

    struct Array([Links; COUNT]);

    impl Objects for Array {
        fn links<R>(&self, index: u32, f: impl FnOnce(&Links) -> R) -> Option<R> {
            self.0.get(index as usize).map(f)
        }
    }

    fn array() -> Array {
        Array([const { Links::new() }; COUNT])
    }

    #[test]
    fn due_in_time_and_not_before() {
        for start in [0, 100, u32::MAX - 2] {
            let objects = array();
            let mut wheel = Wheel::new(start);
            wheel.add(&objects, 1, 1);
            wheel.add(&objects, 2, 5);
            wheel.add(&objects, 3, 5);
            assert_eq!(wheel.pop(&objects, start), None);
            assert_eq!(wheel.pop(&objects, start.wrapping_add(1)), Some(1));
            assert_eq!(wheel.pop(&objects, start.wrapping_add(1)), None);
            assert_eq!(wheel.pop(&objects, start.wrapping_add(4)), None);
            let five = start.wrapping_add(5);
            let (a, b) = (wheel.pop(&objects, five), wheel.pop(&objects, five));
            assert!((a, b) == (Some(2), Some(3)) || (a, b) == (Some(3), Some(2)));
            assert_eq!(wheel.pop(&objects, five), None);
        }
    }

    #[test]
    fn expedited_is_due_now() {
        let objects = array();
        let mut wheel = Wheel::new(7);
        wheel.add(&objects, 4, 30);
        wheel.expedite(&objects, 4);
        wheel.expedite(&objects, 4);
        // One that is not in the wheel stays out.
        wheel.expedite(&objects, 5);
        assert_eq!(wheel.pop(&objects, 7), Some(4));
        assert_eq!(wheel.pop(&objects, 7), None);
        assert_eq!(wheel.pop(&objects, 80), None);
    }

    #[test]
    fn removed_is_never_due() {
        let objects = array();
        let mut wheel = Wheel::new(0);
        for index in 0..5 {
            wheel.add(&objects, index, 3);
        }
        // First, last, and one in the middle of the list.
        for index in [4, 0, 2] {
            assert!(wheel.remove(&objects, index));
            assert!(!wheel.remove(&objects, index));
        }
        let mut due = [wheel.pop(&objects, 3), wheel.pop(&objects, 3)];
        due.sort_unstable();
        assert_eq!(due, [Some(1), Some(3)]);
        assert_eq!(wheel.pop(&objects, 3), None);
    }

    #[test]
    fn a_long_sleep_loses_nothing() {
        let objects = array();
        let mut wheel = Wheel::new(10);
        for index in 0..COUNT as u32 {
            wheel.add(&objects, index, index + 1);
        }
        let mut seen = 0u32;
        while let Some(index) = wheel.pop(&objects, 10_000) {
            seen |= 1 << index;
        }
        assert_eq!(seen, u32::MAX);
    }

    #[test]
    fn delays_are_kept_within_the_wheel() {
        let objects = array();
        let mut wheel = Wheel::new(0);
        wheel.add(&objects, 0, 0);
        wheel.add(&objects, 1, 1_000_000);
        assert_eq!(wheel.pop(&objects, 0), None);
        assert_eq!(wheel.pop(&objects, 1), Some(0));
        assert_eq!(wheel.pop(&objects, SECONDS - 2), None);
        assert_eq!(wheel.pop(&objects, SECONDS - 1), Some(1));
    }

    #[test]
    fn random_operations_agree_with_the_model() {
        let mut random = Random::new(30);
        let objects = array();
        let mut now = u32::MAX - 500;
        let mut wheel = Wheel::new(now);
        // When each object is due, by the clock of the test.
        let mut due = [None; COUNT];
        for _ in 0..50000 {
            let index = random.below(COUNT as u32);
            let model = &mut due[index as usize];
            match random.below(4) {
                0 | 1 if model.is_none() => {
                    let delay = 1 + random.below(60);
                    wheel.add(&objects, index, delay);
                    *model = Some(now.wrapping_add(delay));
                }
                0 => {
                    assert!(wheel.remove(&objects, index));
                    *model = None;
                }
                1 => {
                    wheel.expedite(&objects, index);
                    *model = Some(now);
                }
                _ => {
                    now = now.wrapping_add(random.below(3));
                    while let Some(popped) = wheel.pop(&objects, now) {
                        let when = due[popped as usize].take();
                        assert!(when.is_some_and(|w| now.wrapping_sub(w) < 100));
                    }
                    for when in due.into_iter().flatten() {
                        assert!((when.wrapping_sub(now) as i32) > 0);
                    }
                }
            }
        }
    }
}

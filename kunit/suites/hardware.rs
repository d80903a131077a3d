// SPDX-License-Identifier: GPL-2.0

//! What hardware knows of a flow, the queue of flows that it has to hear of, and its patience.

use kernel::prelude::*;

#[kunit_tests(nft_offload_hardware)]
mod tests {
    use crate::hardware::backoff::Backoff;
    use crate::hardware::queue::*;
    use crate::hardware::state::*;
    use crate::random::Random;
    use core::sync::atomic::AtomicU32;

    const COUNT: usize = 64;

    struct Array([AtomicU32; COUNT]);

    impl Links for Array {
        fn link<R>(&self, index: u32, f: impl FnOnce(&AtomicU32) -> R) -> Option<R> {
            self.0.get(index as usize).map(f)
        }
    }

    #[test]
    fn one_of_those_who_ask_queues() {
        let cell = Cell::new();
        assert!(cell.ask(Wish::Install));
        assert!(!cell.ask(Wish::Stats));
        assert!(cell.is_known() && cell.is_pending() && !cell.is_installed());
        let wishes = cell.begin();
        assert!(wishes.has(Wish::Install) && wishes.has(Wish::Stats) && !wishes.has(Wish::Remove));
        assert!(cell.finish());
        assert!(!cell.is_known());
    }

    #[test]
    fn what_is_asked_for_meanwhile_is_not_lost() {
        let cell = Cell::new();
        cell.ask(Wish::Install);
        cell.begin();
        // In hand: asking does not queue it again.
        assert!(!cell.ask(Wish::Remove));
        cell.set_installed(true);
        assert!(!cell.finish());
        assert!(cell.begin().has(Wish::Remove));
        cell.set_installed(false);
        assert!(cell.finish());
        assert_eq!(cell.standing(), Standing::Software);
    }

    #[test]
    fn what_is_removed_already_is_not_queued_again() {
        let cell = Cell::new();
        cell.ask(Wish::Install);
        cell.begin();
        cell.set_installed(true);
        assert!(cell.finish());
        assert!(cell.ask(Wish::Remove));
        cell.begin();
        assert!(!cell.ask(Wish::Remove) && !cell.ask(Wish::Stats));
        cell.set_installed(false);
        assert!(cell.finish());
        assert!(cell.ask(Wish::Install));
        assert!(!cell.begin().has(Wish::Remove));
        assert!(!cell.ask(Wish::Install));
        assert!(!cell.finish());
    }

    #[test]
    fn known_flows_stay_and_retired_ones_are_left_alone() {
        let cell = Cell::new();
        cell.ask(Wish::Install);
        assert!(!cell.retire());
        cell.begin();
        cell.set_installed(true);
        assert!(cell.finish());
        assert!(!cell.retire());
        assert!(cell.ask(Wish::Remove));
        cell.begin();
        cell.set_installed(false);
        assert!(!cell.retire());
        assert!(cell.finish());
        assert!(cell.retire());
        assert!(!cell.ask(Wish::Install));
        assert!(cell.is_settled());
    }

    #[test]
    fn refusals_last_until_forgotten() {
        let cell = Cell::new();
        cell.set_refused(true);
        assert!(cell.is_settled());
        assert_eq!(cell.standing(), Standing::Refused);
        cell.set_refused(false);
        assert!(!cell.is_settled());
    }

    #[test]
    fn first_in_first_out_and_removals_before_all() {
        let flows = Array([const { AtomicU32::new(0) }; COUNT]);
        let mut queue = Queue::new();
        assert_eq!(queue.pop(&flows), None);
        for index in [5, 9, 2] {
            queue.push(&flows, index, false);
        }
        for index in [7, 1] {
            queue.push(&flows, index, true);
        }
        for expected in [7, 1, 5, 9, 2] {
            assert_eq!(queue.pop(&flows), Some(expected));
        }
        assert_eq!(queue.pop(&flows), None);
        // No flow of that number.
        queue.push(&flows, 1000, false);
        assert_eq!(queue.pop(&flows), None);
    }

    #[test]
    fn as_a_model_says() {
        let flows = Array([const { AtomicU32::new(0) }; COUNT]);
        let mut random = Random::new(11);
        let mut queue = Queue::new();
        // At most 64 at a time, so that rings of that size hold them.
        let (mut urgent, mut ordinary) = (Ring::new(), Ring::new());
        let mut inside = [false; COUNT];
        for _ in 0..2000 {
            let index = random.below(COUNT as u32);
            if random.below(2) == 0 && !inside[index as usize] {
                let is_urgent = random.below(3) == 0;
                queue.push(&flows, index, is_urgent);
                inside[index as usize] = true;
                if is_urgent {
                    urgent.push(index);
                } else {
                    ordinary.push(index);
                }
            } else {
                let expected = urgent.pop().or_else(|| ordinary.pop());
                assert_eq!(queue.pop(&flows), expected);
                if let Some(index) = expected {
                    inside[index as usize] = false;
                }
            }
        }
    }

    struct Ring {
        places: [u32; COUNT],
        first: usize,
        count: usize,
    }

    impl Ring {
        fn new() -> Self {
            Self {
                places: [0; COUNT],
                first: 0,
                count: 0,
            }
        }

        fn push(&mut self, index: u32) {
            self.places[(self.first + self.count) % COUNT] = index;
            self.count += 1;
        }

        fn pop(&mut self) -> Option<u32> {
            self.count = self.count.checked_sub(1)?;
            let index = self.places[self.first];
            self.first = (self.first + 1) % COUNT;
            Some(index)
        }
    }

    #[test]
    fn patience_doubles_and_ends_with_success() {
        for start in [0, 1000, u32::MAX - 150] {
            let backoff = Backoff::new();
            let mut now: u32 = start;
            assert_eq!(backoff.wait(now, 100), 0);
            let mut expected = 100;
            for step in 0..10 {
                backoff.full(now, 100);
                assert_eq!(backoff.wait(now, 100), expected);
                // Flows that were under way do not make it longer.
                backoff.full(now, 100);
                assert_eq!(backoff.wait(now.wrapping_add(1), 100), expected - 1);
                now = now.wrapping_add(expected);
                assert_eq!(backoff.wait(now, 100), 0);
                if step < 6 {
                    expected *= 2;
                }
            }
            backoff.taken();
            backoff.full(now, 100);
            assert_eq!(backoff.wait(now, 100), 100);
        }
    }
}

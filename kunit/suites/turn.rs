// SPDX-License-Identifier: GPL-2.0

//! When flows come back to the collector.

use kernel::prelude::*;

#[kunit_tests(nft_offload_turn)]
mod tests {
    use crate::table::turn::*;

    /// Seconds in which flows are due, by how many: all that can be told apart.
    type Seconds = [u32; LONGEST as usize];

    /// One second of the collector's: those that are due now come back when they are told to.
    fn pass(due: &mut Seconds, now: u32) -> u32 {
        let mut turn = Turn::new(due.iter().sum());
        let place = |second: u32| (second % LONGEST) as usize;
        let visits = core::mem::take(&mut due[place(now)]);
        for _ in 0..visits {
            due[place(now + turn.delay(LONGEST))] += 1;
        }
        visits
    }

    #[test]
    fn never_later_than_wanted() {
        for flows in [0, 1, 100_000, u32::MAX] {
            let mut turn = Turn::new(flows);
            for wanted in (0..70).cycle().take(300_000) {
                let delay = turn.delay(wanted);
                assert!(delay <= wanted && delay <= LONGEST);
                assert!(delay == wanted || wanted >= LONGEST && delay != 0);
            }
        }
    }

    #[test]
    fn few_come_back_together() {
        let mut turn = Turn::new(4096);
        assert!((0..4096).all(|_| turn.delay(1000) == LONGEST));
    }

    #[test]
    fn a_burst_spreads_in_one_turn_and_stays_spread() {
        let mut due: Seconds = [0; LONGEST as usize];
        due[0] = 300_000;
        assert_eq!(pass(&mut due, 0), 300_000);
        let most = due.iter().copied().max();
        assert_eq!(most, Some(12_500));
        let visits =
            |due: &mut Seconds, from| (from..from + LONGEST).map(|now| pass(due, now)).sum();
        // No more visits than there are flows, in each of the times that follow.
        for round in 1..5 {
            let sum: u32 = visits(&mut due, round * LONGEST);
            assert_eq!(sum, 300_000);
            assert_eq!(due.iter().copied().max(), most);
        }
    }
}

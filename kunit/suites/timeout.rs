// SPDX-License-Identifier: GPL-2.0

//! Deadlines.

use kernel::prelude::*;

#[kunit_tests(nft_offload_timeout)]
mod tests {
    use crate::flow::timeout::*;

    const HZ: u32 = 250;
    /// Times around every edge of the clock.
    const NOWS: [u32; 6] = [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX - 10, u32::MAX];

    #[test]
    fn remaining_over_the_wrap() {
        for now in NOWS {
            assert_eq!(remaining(now.wrapping_add(30), now), 30);
            assert_eq!(remaining(now, now), 0);
            assert_eq!(remaining(now.wrapping_sub(30), now), -30);
        }
    }

    #[test]
    fn the_later_over_the_wrap() {
        for now in NOWS {
            let soon = now.wrapping_add(100);
            assert_eq!(later(now, soon), soon);
            assert_eq!(later(soon, now), soon);
            assert_eq!(later(now, now), now);
        }
    }

    #[test]
    fn deadlines_move_once_a_second() {
        for now in NOWS {
            assert!(!worth_moving(now, now, HZ));
            assert!(!worth_moving(now, now.wrapping_add(HZ), HZ));
            assert!(worth_moving(now, now.wrapping_add(HZ + 1), HZ));
            // A timeout that was made shorter takes effect at once.
            assert!(worth_moving(now, now.wrapping_sub(1), HZ));
        }
    }

    #[test]
    fn handing_back() {
        assert_eq!(handed_back(120, 30, 30), 120);
        // Somebody has made the flow's own timeout shorter meanwhile.
        assert_eq!(handed_back(120, 50, 30), 120);
        assert_eq!(handed_back(120, 20, 30), 110);
        assert_eq!(handed_back(120, 0, 30), 90);
        assert_eq!(handed_back(120, -5, 30), 90);
        assert_eq!(handed_back(30, 0, 30), 0);
        assert_eq!(handed_back(20, -1, 30), 0);
        assert_eq!(handed_back(0, i32::MIN, u32::MAX), 0);
    }

    #[test]
    fn connections_are_extended_below_five_minutes() {
        let five = EXTEND_BELOW_SECONDS * HZ;
        for now in NOWS {
            assert!(wants_extension(now.wrapping_add(1), now, HZ));
            assert!(wants_extension(now.wrapping_add(five - 1), now, HZ));
            assert!(!wants_extension(now.wrapping_add(five), now, HZ));
            // One that has expired is conntrack's to remove.
            assert!(!wants_extension(now, now, HZ));
            assert!(!wants_extension(now.wrapping_sub(1), now, HZ));
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The state machine.

use kernel::prelude::*;

#[kunit_tests(nft_offload_state)]
mod tests {
    use crate::flow::state::*;
    use crate::reason::Teardown;

    #[test]
    fn a_flow_is_born_active() {
        let cell = Cell::new(true);
        assert_eq!(cell.get(), State::Active);
        assert!(cell.forwards());
    }

    #[test]
    fn a_reply_is_noted_once() {
        let cell = Cell::new(false);
        assert_eq!(cell.get(), State::Unreplied);
        assert!(cell.forwards() && !cell.is_active());
        assert!(cell.reply());
        assert!(!cell.reply());
        assert_eq!(cell.get(), State::Active);
        assert!(cell.is_active());
    }

    #[test]
    fn every_reason_survives() {
        for &why in Teardown::ALL {
            for replied in [false, true] {
                let cell = Cell::new(replied);
                assert!(cell.end(why));
                assert_eq!(cell.get(), State::Over(why));
                assert!(!cell.forwards() && !cell.is_active());
                assert!(!cell.reply());
            }
        }
    }

    #[test]
    fn the_end_happens_once_and_stays() {
        let cell = Cell::new(true);
        assert!(cell.end(Teardown::Expired));
        assert!(!cell.end(Teardown::DeviceDown));
        assert_eq!(cell.get(), State::Over(Teardown::Expired));
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The state machine.

use kernel::prelude::*;

#[kunit_tests(nft_offload_state)]
mod tests {
    use crate::flow::state::*;
    use crate::reason::Teardown;

    #[test]
    fn a_flow_is_born_active() {
        let cell = Cell::new();
        assert_eq!(cell.get(), State::Active);
        assert!(cell.forwards());
    }

    #[test]
    fn closing_forwards_and_happens_once() {
        let cell = Cell::new();
        assert!(cell.close());
        assert!(!cell.close());
        assert_eq!(cell.get(), State::Closing);
        assert!(cell.forwards());
    }

    #[test]
    fn every_reason_survives() {
        for &why in Teardown::ALL {
            let cell = Cell::new();
            assert_eq!(cell.end(why), Some(State::Active));
            assert_eq!(cell.get(), State::Over(why));
            assert!(!cell.forwards());
        }
    }

    #[test]
    fn the_end_says_what_was_before_and_happens_once() {
        let cell = Cell::new();
        cell.close();
        assert_eq!(cell.end(Teardown::Expired), Some(State::Closing));
        assert_eq!(cell.end(Teardown::DeviceDown), None);
        assert_eq!(cell.get(), State::Over(Teardown::Expired));
    }

    #[test]
    fn nothing_comes_back() {
        let cell = Cell::new();
        cell.end(Teardown::TcpReopen);
        assert!(!cell.close());
        assert_eq!(cell.get(), State::Over(Teardown::TcpReopen));
    }
}

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
    fn every_reason_survives() {
        for &why in Teardown::ALL {
            let cell = Cell::new();
            assert!(cell.end(why));
            assert_eq!(cell.get(), State::Over(why));
            assert!(!cell.forwards());
        }
    }

    #[test]
    fn the_end_happens_once_and_stays() {
        let cell = Cell::new();
        assert!(cell.end(Teardown::Expired));
        assert!(!cell.end(Teardown::DeviceDown));
        assert_eq!(cell.get(), State::Over(Teardown::Expired));
    }
}

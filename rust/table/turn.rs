// SPDX-License-Identifier: GPL-2.0

//! When flows come back to the collector, of which nothing says when. Pure: no kernel types.
//!
//! Flows that are not near their end are visited after the longest delay. Those that were made in one
//! second would so come back in one second for ever, and a million of them are a burst of some tens of
//! milliseconds. So each second has a share, a little more than if all were spread evenly. Flows beyond
//! it come back a second earlier, those beyond twice the share two seconds, and so on: after one such
//! turn they are spread. With flows that are spread already nothing changes, and no visit is later than
//! it was wanted.

/// The longest time between two visits, in seconds: how long the memory of an idle flow stays whose
/// connection was deleted. Its packets notice at once.
pub(crate) const LONGEST: u32 = 30;

/// How many flows may come back in one second, however few there are in all.
const CROWD: u32 = 4096;

/// What the flows have in common that are visited in one turn.
pub(crate) struct Turn {
    /// How many may come back in one second.
    share: u32,
    /// The longest delay that is left, in seconds.
    longest: u32,
    /// How many more may come back after that.
    room: u32,
}

impl Turn {
    /// Of a table with so many flows.
    pub(crate) fn new(flows: u32) -> Self {
        let even = flows / LONGEST;
        let share = even.saturating_add(even / 4).max(CROWD);
        Self {
            share,
            longest: LONGEST,
            room: share,
        }
    }

    /// The delay in seconds for a flow that has to be visited after `wanted` at the latest.
    #[inline(always)]
    pub(crate) fn delay(&mut self, wanted: u32) -> u32 {
        if wanted < LONGEST {
            return wanted;
        }
        if self.room == 0 {
            self.room = self.share;
            self.longest = self.longest.saturating_sub(1).max(1);
        }
        self.room = self.room.saturating_sub(1);
        self.longest
    }
}

// SPDX-License-Identifier: GPL-2.0

//! When to offer flows again to hardware that is full. Pure: no kernel types.
//!
//! Hardware that has no room for one flow has none for the next either. So all flows of a table wait
//! together, for a second at first and twice as long each time, until one is taken.

use core::sync::atomic::{
    AtomicU32,
    Ordering::Relaxed, //
};

/// The longest wait is the shortest one doubled as many times.
const MOST: u32 = 6;

/// A table's patience with its hardware.
#[derive(Debug)]
pub(crate) struct Backoff {
    /// When to go on, in ticks; any time, if `steps` is zero.
    until: AtomicU32,
    /// How often it was full in a row.
    steps: AtomicU32,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self {
            until: AtomicU32::new(0),
            steps: AtomicU32::new(0),
        }
    }

    /// Ticks to wait, zero for none. `second` is one in ticks.
    pub(crate) fn wait(&self, now: u32, second: u32) -> u32 {
        if self.steps.load(Relaxed) == 0 {
            return 0;
        }
        // A time of long ago may look like one to come, but nobody waits for longer than this.
        let left = self.until.load(Relaxed).wrapping_sub(now);
        if left <= second << MOST {
            left
        } else {
            0
        }
    }

    /// There was no room. `second` is one in ticks.
    pub(crate) fn full(&self, now: u32, second: u32) {
        // Flows that were under way when it was found full do not count again.
        if self.wait(now, second) != 0 {
            return;
        }
        let steps = self.steps.load(Relaxed).min(MOST);
        self.until
            .store(now.wrapping_add(second.saturating_mul(1 << steps)), Relaxed);
        self.steps.store(steps + 1, Relaxed);
    }

    /// There was room.
    pub(crate) fn taken(&self) {
        if self.steps.load(Relaxed) != 0 {
            self.steps.store(0, Relaxed);
        }
    }
}

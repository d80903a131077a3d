// SPDX-License-Identifier: GPL-2.0

//! Garbage collection: visits the flows that are due, once a second.
//!
//! A visit ends a flow that was idle for too long or whose connection is gone, takes a flow that
//! has ended out of the table, or keeps the connection of a living one from expiring and sends the
//! flow on in the wheel.

use super::{
    FlowTable,
    Flows,
    Linked,
    Stored, //
};
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::time::{
    jiffies,
    seconds,
    HZ, //
};
use crate::kernel_net::work::{
    cond_resched,
    Job, //
};
use crate::path;
use crate::reason::Teardown;
use kernel::prelude::*;
use kernel::sync::rcu;

/// The longest time between two visits, in seconds: how long the memory of an idle flow stays whose
/// connection was deleted. Its packets notice at once.
const LONGEST: u32 = 30;

/// Visits between two chances for others to run.
const BATCH: u32 = 64;

impl<F: Stored> Flows<F> {
    /// Visits all flows that are due.
    fn visit_due(&self, table: &FlowTable) {
        let now = seconds();
        loop {
            let guard = rcu::read_lock();
            let rcu = ReadSide::of(&guard);
            let linked = Linked(&self.table, rcu);
            for _ in 0..BATCH {
                let due = self.wheel.lock().pop(&linked, now);
                match due {
                    Some(index) => self.visit(table, index, rcu),
                    None => return,
                }
            }
            drop(guard);
            cond_resched();
        }
    }

    /// Fits what there is room for to what there is.
    fn tidy(&self) -> Result {
        self.table.resize().and(self.tunnels.tidy())
    }

    fn visit(&self, table: &FlowTable, index: u32, rcu: ReadSide<'_>) {
        let Some(flow) = self.table.get(index, rcu) else {
            return;
        };
        let now = jiffies();
        table.refresh_settings(flow.conn().namespace());
        let remaining = flow.remaining(now);
        let why = if flow.conn().status().is_dying() {
            Some(Teardown::ConnectionGone)
        } else if remaining <= 0 {
            Some(Teardown::Expired)
        } else {
            None
        };
        if let Some(why) = why {
            table.end_flow(flow, why, now);
        }
        if flow.is_over() {
            self.table.remove(index);
            return;
        }
        flow.extend_connection(now);
        // CAST: Positive, or the flow would be over.
        let delay = (remaining as u32 / HZ + 1).min(LONGEST);
        self.visit_later(index, delay, rcu);
    }
}

impl FlowTable {
    /// Looks at the ways that packets cannot check by themselves.
    fn outdate_changed(&self) {
        let guard = rcu::read_lock();
        let rcu = ReadSide::of(&guard);
        self.next_hops.outdate(|hop| !path::still_leads(hop, rcu));
    }
}

impl Job for FlowTable {
    fn run(&self) -> Option<u32> {
        self.v4.visit_due(self);
        self.v6.visit_due(self);
        self.outdate_changed();
        let hops = self.next_hops.forget_unused();
        // Out of memory the old size stays; the next run tries again.
        let resized = self.v4.tidy().and(self.v6.tidy());
        (self.len() != 0 || hops != 0 || resized.is_err()).then_some(HZ)
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Garbage collection: visits the flows that are due, once a second.
//!
//! A visit ends a flow that was idle for too long or whose connection is gone, takes a flow that
//! has ended out of the table, or keeps the connection of a living one from expiring and sends the
//! flow on.

use super::{
    FlowTable,
    Flows,
    Stored,
    GARBAGE, //
};
use crate::flow::state::State;
use crate::flow::Flow;
use crate::hardware;
use crate::hardware::state::Wish;
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::rcu_table::{
    Taken,
    When, //
};
use crate::kernel_net::time::{
    jiffies,
    seconds,
    HZ, //
};
use crate::kernel_net::work::{
    cond_resched,
    Job,
    Worker, //
};
use crate::path;
use crate::reason::Teardown;
use core::sync::atomic::Ordering::{
    Acquire,
    Relaxed, //
};
use kernel::prelude::*;
use kernel::sync::rcu;

/// The longest time between two visits, in seconds: how long the memory of an idle flow stays whose
/// connection was deleted. Its packets notice at once.
const LONGEST: u32 = 30;

/// How many times 64 flows are looked at between two chances for others to run, if none is due.
const GROUPS: u32 = 64;
/// How many seconds a collector that comes late makes up for: more than flows ever wait.
const LATEST: u32 = 128;

impl<F: Stored> Flows<F> {
    /// Visits all flows that are due.
    fn visit_due(&self, table: &Worker<FlowTable>) {
        let now = seconds();
        let mut behind = now
            .wrapping_sub(self.visited.swap(now, Relaxed))
            .min(LATEST);
        // Pairs with `collect`: who sees this sees which flow it is.
        if self.hurry.swap(false, Acquire) && behind == 0 {
            self.visit_all(table, When::NOW);
        }
        while behind > 0 {
            behind -= 1;
            self.visit_all(table, When::at(now.wrapping_sub(behind)));
        }
    }

    /// Visits all flows that are due then, or now.
    fn visit_all(&self, table: &Worker<FlowTable>, when: When) {
        let mut group = 0;
        loop {
            let guard = rcu::read_lock();
            let rcu = ReadSide::of(&guard);
            for _ in 0..GROUPS {
                let Some(due) = self.table.take_due(group, when, rcu) else {
                    return;
                };
                group += 1;
                if !due.is_empty() {
                    self.visit_group(table, due, rcu);
                    break;
                }
            }
            drop(guard);
            cond_resched();
        }
    }

    /// Visits some flows. Nobody has looked at most of them for half a minute: memory is told of all
    /// before the first is needed.
    fn visit_group(&self, table: &Worker<FlowTable>, due: Taken, rcu: ReadSide<'_>) {
        let flows = || due.filter_map(|index| self.table.get(index, rcu));
        flows().for_each(Flow::prefetch);
        flows().for_each(|flow| flow.conn().prefetch());
        for index in due {
            self.visit(table, index, rcu);
        }
    }

    /// Fits what there is room for to what there is.
    fn tidy(&self) -> Result {
        self.table.resize().and(self.tunnels.tidy())
    }

    fn visit(&self, table: &Worker<FlowTable>, index: u32, rcu: ReadSide<'_>) {
        let Some(flow) = self.table.get(index, rcu) else {
            return;
        };
        let now = jiffies();
        table.refresh_settings(flow.conn().namespace());
        let remaining = flow.remaining(now);
        let why = if flow.conn().status().is_dying() {
            Some(Teardown::ConnectionGone)
        } else if remaining <= 0 && !flow.is_awaited(now) {
            Some(Teardown::Expired)
        } else {
            None
        };
        if let Some(why) = why {
            FlowTable::end_flow(table, index, flow, why, now, rcu);
        }
        if flow.state() != State::Active {
            // Who ended it has asked for that; this is for good measure.
            FlowTable::withdraw(table, index, flow, rcu);
        }
        if flow.is_over() {
            // Taken out now, or when hardware has forgotten it.
            self.visit_later(index, 1, rcu);
            return;
        }
        flow.extend_connection(now);
        // CAST: Not negative.
        let remaining = remaining.max(0) as u32;
        let mut delay = remaining / HZ + 1;
        if flow.hardware.is_installed() {
            // What hardware forwards is not seen here: it is asked in time, and again soon.
            let timeout = table.timeout(flow.protocol);
            if remaining < timeout / 10 * 9 {
                FlowTable::ask(table, index, flow, Wish::Stats, rcu);
            }
            delay = delay.min(timeout / 10 / HZ).max(1);
        }
        self.visit_later(index, delay.min(LONGEST), rcu);
    }
}

impl FlowTable {
    /// Does what is to be done once a second; says when to be called again.
    fn collect_garbage(this: &Worker<Self>) -> Option<u32> {
        this.v4.visit_due(this);
        this.v6.visit_due(this);
        this.outdate_changed();
        Self::follow_paths(this);
        Self::admit_late_drivers(this);
        let hops = this.next_hops.forget_unused();
        // Out of memory the old size stays; the next run tries again.
        let resized = this.v4.tidy().and(this.v6.tidy());
        (this.len() != 0 || hops != 0 || resized.is_err() || this.hardware.has_late_drivers())
            .then_some(HZ)
    }

    /// Looks at the ways that packets cannot check by themselves.
    fn outdate_changed(&self) {
        let guard = rcu::read_lock();
        let rcu = ReadSide::of(&guard);
        self.next_hops.outdate(|hop| !path::still_leads(hop, rcu));
    }
}

impl Job for FlowTable {
    fn run(this: &Worker<Self>, task: usize) -> Option<u32> {
        match task {
            GARBAGE => Self::collect_garbage(this),
            _ => hardware::work(this),
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Garbage collection: visits the flows that are due, once a second.
//!
//! A visit ends a flow that was idle for too long or whose connection is gone, takes a flow that
//! has ended out of the table, or keeps the connection of a living one from expiring and sends the
//! flow on.

use super::turn::{
    Turn,
    LONGEST, //
};
use super::{
    FlowTable,
    Flows,
    Stored,
    GARBAGE, //
};
use crate::compat::prelude::*;
use crate::compat::sync::rcu;
use crate::flow::{
    extend_connection,
    Flow, //
};
use crate::hardware;
use crate::hardware::state::Wish;
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::rcu_table::{
    Taken,
    Times,
    When,
    Wishes, //
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

/// How many times 64 flows are looked at between two chances for others to run, if none is due.
const GROUPS: u32 = 512;

impl<F: Stored> Flows<F> {
    /// Visits all flows that are due.
    fn visit_due(&self, table: &Worker<FlowTable>) {
        let now = seconds();
        let behind = now.wrapping_sub(self.visited.swap(now, Relaxed));
        // Pairs with `collect`: who sees this sees which flow it is.
        if self.hurry.swap(false, Acquire) || behind != 0 {
            // One second more than have passed: somebody may have asked for a visit in a second when
            // that had just begun.
            self.visit_all(table, Times::up_to(now, behind.saturating_add(1)));
        }
    }

    /// Visits all flows that are due at one of these times.
    fn visit_all(&self, table: &Worker<FlowTable>, times: Times) {
        let mut turn = Turn::new(self.table.len());
        let mut group = 0;
        loop {
            let guard = rcu::read_lock();
            let rcu = ReadSide::of(&guard);
            for _ in 0..GROUPS {
                let Some(due) = self.table.take_due(group, times, rcu) else {
                    return;
                };
                group += 1;
                if !due.is_empty() {
                    self.visit_group(table, &mut turn, due, rcu);
                    break;
                }
            }
            drop(guard);
            cond_resched();
        }
    }

    /// Visits some flows. Nobody has looked at most of them for half a minute: memory is told of all
    /// before the first is needed.
    fn visit_group(
        &self,
        table: &Worker<FlowTable>,
        turn: &mut Turn,
        due: Taken,
        rcu: ReadSide<'_>,
    ) {
        let (now, second) = (jiffies(), seconds());
        let enough = enough(table);
        let flows = self.table.taken(due, rcu);
        flows.clone().for_each(|(_, flow)| flow.prefetch());
        flows
            .clone()
            .for_each(|(_, flow)| flow.prefetch_rest(enough, now));
        if let Some((_, flow)) = flows.clone().next() {
            table.refresh_settings(flow.conn().namespace());
        }
        let mut wishes = Wishes::new();
        for (place, flow) in flows {
            let index = due.index(place);
            let delay = self.visit(table, turn, index, flow, now, rcu);
            if !self.take_out(index, flow) {
                wishes.add(place, When::at(second.wrapping_add(delay)));
            }
        }
        self.table.visit_all_at(due, &wishes, rcu);
    }

    /// Fits what there is room for to what there is.
    fn tidy(&self) -> Result {
        self.table.resize().and(self.tunnels.tidy())
    }

    /// Visits a flow; returns in how many seconds to come again.
    fn visit(
        &self,
        table: &Worker<FlowTable>,
        turn: &mut Turn,
        index: u32,
        flow: &Flow<F>,
        now: u32,
        rcu: ReadSide<'_>,
    ) -> u32 {
        let remaining = flow.remaining_or(enough(table), now);
        let why = if flow.conn().status().is_dying() {
            Some(Teardown::ConnectionGone)
        } else if remaining <= 0 && !flow.is_awaited(now) && flow.remaining(now) <= 0 {
            // Looked at once more, since hardware may have answered in between.
            Some(Teardown::Expired)
        } else {
            None
        };
        if let Some(why) = why {
            FlowTable::end_flow(table, index, flow, why, now, rcu);
        }
        if flow.is_over() {
            // Who ended it has asked for that; this is for good measure.
            FlowTable::withdraw(table, index, flow, rcu);
        }
        if flow.is_over() {
            // Taken out now, or when hardware has forgotten it.
            return 1;
        }
        extend_connection(flow.conn(), flow.protocol, now);
        // CAST: Not negative.
        let remaining = remaining.max(0) as u32;
        let wanted = remaining / HZ + 1;
        if !table.hardware.is_enabled() || !flow.hardware.is_installed() {
            return turn.delay(wanted);
        }
        // What hardware forwards is not seen here: it is asked in time, and again soon.
        let timeout = table.timeout(flow.protocol);
        if remaining < timeout / 10 * 9 {
            FlowTable::ask(table, index, flow, Wish::Stats, rcu);
        }
        turn.delay(wanted.min(timeout / 10 / HZ).max(1))
    }
}

/// How long a flow has to live, in ticks, for a visit not to look at both of its directions: so long
/// that the next visit is not put off by more. When hardware is to be asked is known by both only.
#[inline(always)]
fn enough(table: &FlowTable) -> i32 {
    match table.hardware.is_enabled() {
        true => i32::MAX,
        // CAST: A small constant.
        false => (LONGEST * HZ) as i32,
    }
}

impl FlowTable {
    /// Does what is to be done once a second; says when to be called again.
    fn collect_garbage(this: &Worker<Self>) -> Option<u32> {
        this.v4.visit_due(this);
        this.v6.visit_due(this);
        this.outdate_changed();
        Self::end_misled(this);
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

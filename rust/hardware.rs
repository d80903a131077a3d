// SPDX-License-Identifier: GPL-2.0

//! Flows in hardware: what a flowtable with `flags offload` does besides.
//!
//! ```text
//!   flow add, packets ──► ask(install) ─┐                    ┌─► REPLACE ─┐
//!   the flow ends     ──► ask(remove)  ─┼─► queue ─► workers ┼─► DESTROY ─┼─► every callback
//!   garbage collection ─► ask(stats)   ─┘   (state, queue)   └─► STATS ───┘   of the block
//! ```
//!
//! Workers take one flow at a time: they look at it under RCU, write down what drivers are to be
//! told, and let go of RCU to tell them, for drivers sleep. What came of it is noted when the flow
//! has been found again by its index, which it keeps: a flow that is in a worker's hands, or in
//! hardware, does not leave the table. See [`state`].
//!
//! # Full hardware, and hardware that forgets
//!
//! A flow is offered at once, or after as many packets as the module was told. If there is no room,
//! all flows of the table wait, longer each time; see [`backoff`]. If no driver can take it, it is
//! not offered again until its path changes; after other errors, some seconds later. When packets of
//! a flow that is in hardware keep coming in software, hardware may have lost it: it is offered
//! again, and a driver that has it says so.
//!
//! # When a device leaves
//!
//! Before callbacks go, every flow that crosses the device has to be out of hardware.
//! [`FlowTable::drain`] forbids new ones, ends the flows, and waits until the queue is empty; while
//! somebody waits, removals are all that workers do. A driver that hangs for ten seconds, or takes a
//! minute for all, is not waited for any longer: then what is left stays in hardware, and is counted.

pub(crate) mod backoff;
mod job;
pub(crate) mod queue;
mod rules;
pub(crate) mod state;

use crate::compat::prelude::*;
use crate::compat::sync::{
    new_mutex,
    rcu,
    Arc,
    Mutex, //
};
use crate::flow::ip::{
    V4,
    V6, //
};
use crate::flow::timeout;
use crate::flow::Flow;
use crate::kernel_net::device::Device;
use crate::kernel_net::flow_block::{
    Block,
    Bound,
    Owner, //
};
use crate::kernel_net::flowtable::Options;
use crate::kernel_net::lock::SpinLockBh;
use crate::kernel_net::rcu::{
    synchronize_rcu,
    ReadSide, //
};
use crate::kernel_net::rcu_table::Found;
use crate::kernel_net::time::{
    jiffies,
    sleep_a_tick,
    HZ, //
};
use crate::kernel_net::work::{
    Worker,
    TASKS, //
};
use crate::new_spinlock_bh;
use crate::next_hop::NextHop;
use crate::reason::{
    HardwareEvent,
    Teardown, //
};
use crate::table::{
    FlowTable,
    Stored,
    GARBAGE, //
};
use backoff::Backoff;
use core::sync::atomic::{
    AtomicBool,
    AtomicI32,
    AtomicU32,
    AtomicU64,
    Ordering::{
        AcqRel,
        Acquire,
        Relaxed, //
    }, //
};
use state::Wish;

/// How long the removal of one flow may take, and of all of them, in seconds.
const HUNG_AFTER: u32 = 10;
const LONGEST_DRAIN: u32 = 60;
/// How long a flow may wait before it is offered again, in seconds.
const LONGEST_WAIT: u32 = 64;
/// How many flows in the queue are worth one more worker.
const CROWD: u32 = 32;

/// A device of the flowtable.
struct Port {
    ifindex: u32,
    bound: Bound<Worker<FlowTable>>,
}

/// What a flowtable has to do with hardware.
#[pin_data]
pub(crate) struct Hardware {
    /// `flags offload`. Noted with the first device; never changes after.
    enabled: AtomicBool,
    /// Of the flowtable, for drivers.
    priority: AtomicI32,
    /// Packets before a flow is offered.
    after: u32,
    #[pin]
    block: Block,
    /// The devices that are bound.
    #[pin]
    ports: Mutex<KVec<Port>>,
    /// Those of them that flows may be installed for.
    #[pin]
    open: SpinLockBh<KVec<u32>>,
    backoff: Backoff,
    /// Flows in the queue, or in a worker's hands.
    pending: AtomicU32,
    /// How many wait for the queue to be empty: until then, only removals are made.
    draining: AtomicU32,
    /// A driver hangs: what waits for it is left behind, until nothing is pending.
    giving_up: AtomicBool,
    /// The flowtable has `counter`.
    counts: AtomicBool,
}

/// The next name for a flow's rules. Names come in pairs, and are never used again.
fn new_cookie() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(2, Relaxed).wrapping_add(2)
}

impl Hardware {
    /// Nothing is bound. Flows are offered after `after` packets.
    pub(crate) fn new(after: u32) -> impl PinInit<Self> {
        pin_init!(Self {
            enabled: AtomicBool::new(false),
            priority: AtomicI32::new(0),
            after,
            block <- Block::new(),
            ports <- new_mutex!(KVec::new(), "nft_offload_rs_ports"),
            open <- new_spinlock_bh!(KVec::new(), "nft_offload_rs_open"),
            backoff: Backoff::new(),
            pending: AtomicU32::new(0),
            draining: AtomicU32::new(0),
            giving_up: AtomicBool::new(false),
            counts: AtomicBool::new(false),
        })
    }

    /// Whether flows go to hardware.
    #[inline(always)]
    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.load(Relaxed)
    }

    /// Whether packets that hardware has seen go to conntrack's accounting.
    fn counts(&self) -> bool {
        self.counts.load(Relaxed)
    }

    /// Notes whether they do. It may be changed on a living flowtable, of which nobody tells.
    fn note_options(&self, options: Options) {
        if self.counts() != options.counter() {
            self.counts.store(options.counter(), Relaxed);
        }
    }

    /// Whether drivers may come late for some device.
    pub(crate) fn has_late_drivers(&self) -> bool {
        self.ports.try_lock().is_none_or(|ports| {
            ports
                .iter()
                .any(|port| matches!(port.bound, Bound::Indirect(_)))
        })
    }

    /// Flows in the queue.
    pub(crate) fn pending(&self) -> u32 {
        self.pending.load(Relaxed)
    }

    /// Whether flows may be installed that cross these devices.
    fn is_open(&self, devices: [u32; 2]) -> bool {
        let open = self.open.lock();
        devices.iter().all(|device| open.contains(device))
    }

    fn close(&self, ifindex: u32) {
        let mut open = self.open.lock();
        // It may be there twice for a moment, when a transaction takes it out and in again.
        if let Some(place) = open.iter().position(|open| *open == ifindex) {
            let _ = open.remove(place);
        }
    }

    /// One less is pending.
    fn note_done(&self) {
        if self.pending.fetch_sub(1, AcqRel) == 1 && self.giving_up.load(Relaxed) {
            self.giving_up.store(false, Relaxed);
        }
    }

    /// Waits until everything asked for has been done: for as long as there is progress, but not for
    /// ever. True if it has.
    fn wait_idle(&self) -> bool {
        let last = jiffies().wrapping_add(LONGEST_DRAIN * HZ);
        let (mut least, mut deadline) = (u32::MAX, last);
        loop {
            let (pending, now) = (self.pending.load(Acquire), jiffies());
            if pending == 0 {
                return true;
            }
            if pending < least {
                (least, deadline) = (pending, now.wrapping_add(HUNG_AFTER * HZ));
            }
            if timeout::remaining(deadline, now).min(timeout::remaining(last, now)) <= 0 {
                return false;
            }
            sleep_a_tick();
        }
    }
}

impl FlowTable {
    /// A device begins to belong to a flowtable with `flags offload`. Process context.
    pub(crate) fn hardware_bind(
        this: &Arc<Worker<Self>>,
        device: &Device,
        options: Options,
        priority: i32,
    ) -> Result {
        let hardware = &this.hardware;
        hardware.enabled.store(true, Relaxed);
        hardware.note_options(options);
        hardware.priority.store(priority, Relaxed);
        let mut ports = hardware.ports.lock();
        let ifindex = device.ifindex();
        // Room first: what is bound has to be noted.
        ports.reserve(1, GFP_KERNEL)?;
        hardware.open.lock().reserve(1, GFP_ATOMIC)?;
        let bound = hardware.block.bind(device, this)?;
        ports.push(Port { ifindex, bound }, GFP_KERNEL)?;
        hardware.open.lock().push(ifindex, GFP_ATOMIC)?;
        Ok(())
    }

    /// A device ceases to belong to it: nothing is left in hardware that crosses it.
    pub(crate) fn hardware_unbind(this: &Worker<Self>, device: &Device) {
        let hardware = &this.hardware;
        let ifindex = device.ifindex();
        hardware.close(ifindex);
        Self::drain(this, ifindex, Teardown::DeviceUnbound, || {
            let mut ports = hardware.ports.lock();
            let place = ports.iter().position(|port| port.ifindex == ifindex);
            if let Some(Ok(port)) = place.map(|place| ports.remove(place)) {
                hardware.block.unbind(device, port.bound);
            }
        });
    }

    /// Ends the flows that cross a device, waits until hardware has forgotten them, and runs `f`
    /// before any flow goes there again.
    fn drain(this: &Worker<Self>, ifindex: u32, why: Teardown, f: impl FnOnce()) {
        let hardware = &this.hardware;
        hardware.draining.fetch_add(1, AcqRel);
        Self::end_crossing(this, ifindex, why);
        // Whoever was about to install or reroute one of them has done so now; and what crosses the
        // device since is ended once more.
        synchronize_rcu();
        Self::end_crossing(this, ifindex, why);
        kick_workers(this);
        if !hardware.wait_idle() {
            if !hardware.giving_up.swap(true, Relaxed) {
                this.state.in_hardware(HardwareEvent::DriverHung);
                pr_warn!("a driver takes too long to remove flows; some may be left in hardware\n");
            }
            if hardware.wait_idle() {
                hardware.giving_up.store(false, Relaxed);
            }
        }
        f();
        hardware.draining.fetch_sub(1, AcqRel);
        // What has ended holds devices until it is collected.
        this.kick_now(GARBAGE);
    }

    /// Asks for something to be done about a flow. Any context but hard interrupts.
    pub(crate) fn ask<F: Stored>(
        this: &Worker<Self>,
        index: u32,
        flow: &Flow<F>,
        wish: Wish,
        rcu: ReadSide<'_>,
    ) {
        // One that is still being put into the table cannot be in the queue: who puts it there asks
        // when it is done.
        if F::flows(this).get(index, rcu).is_none() {
            return;
        }
        // Counted first: who sees none pending may take it that nobody is about to queue a flow.
        this.hardware.pending.fetch_add(1, AcqRel);
        if !flow.hardware.ask(wish) {
            this.hardware.note_done();
            return;
        }
        F::flows(this).enqueue(index, wish == Wish::Remove, rcu);
        kick_workers(this);
    }

    /// A flow is new, or has another path: offers it, if that is to be at once.
    pub(crate) fn offer<F: Stored>(this: &Worker<Self>, index: u32, rcu: ReadSide<'_>) {
        if !this.hardware.is_enabled() || this.hardware.after != 0 {
            return;
        }
        if let Some(flow) = F::flows(this).get(index, rcu) {
            Self::try_install(this, index, flow, jiffies(), rcu);
        }
    }

    /// A packet of a flow has come to software. Softirq.
    #[inline(never)]
    pub(crate) fn seen_in_software<F: Stored>(
        this: &Worker<Self>,
        found: Found<'_, Flow<F>>,
        options: Options,
        now: u32,
        rcu: ReadSide<'_>,
    ) {
        let flow = found.object;
        let cell = &flow.hardware;
        this.hardware.note_options(options);
        if cell.is_settled() || flow.is_over() {
            return;
        }
        if !cell.is_admitted() {
            let seen = cell.patience().fetch_add(1, Relaxed).saturating_add(1);
            if seen < this.hardware.after {
                return;
            }
        } else {
            // Nobody waits for longer than this; a time of long ago may look like one to come.
            let left = cell.patience().load(Relaxed).wrapping_sub(now);
            if left != 0 && left <= LONGEST_WAIT * HZ {
                return;
            }
        }
        Self::try_install(this, found.index(), flow, now, rcu);
    }

    fn try_install<F: Stored>(
        this: &Worker<Self>,
        index: u32,
        flow: &Flow<F>,
        now: u32,
        rcu: ReadSide<'_>,
    ) {
        let hardware = &this.hardware;
        let wait = match hardware.draining.load(Relaxed) {
            0 => hardware.backoff.wait(now, HZ),
            _ => HZ,
        };
        flow.hardware.admit();
        flow.hardware
            .patience()
            .store(now.wrapping_add(wait.max(HZ)), Relaxed);
        if wait == 0 {
            Self::ask(this, index, flow, Wish::Install, rcu);
        }
    }

    /// Hardware need not know of a flow any more: it is ending, or its path has changed.
    pub(crate) fn withdraw<F: Stored>(
        this: &Worker<Self>,
        index: u32,
        flow: &Flow<F>,
        rcu: ReadSide<'_>,
    ) {
        if flow.hardware.is_known() {
            Self::ask(this, index, flow, Wish::Remove, rcu);
        }
    }

    /// Takes flows out of hardware whose path is not what it was when they were put there. Software
    /// then goes by what is true now. Process context, once a second.
    pub(crate) fn follow_paths(this: &Worker<Self>) {
        /// Flows to be looked at anew in a second after a route has changed somewhere, which is
        /// most often none of theirs.
        const BUDGET: u32 = 4096;
        if !this.hardware.is_enabled() {
            return;
        }
        let guard = rcu::read_lock();
        let any = this.next_hops.judge(ReadSide::of(&guard));
        drop(guard);
        if !any {
            return;
        }
        follow::<V4>(this, BUDGET);
        follow::<V6>(this, BUDGET);
    }

    /// Takes in drivers that have come late. Process context, once a second.
    pub(crate) fn admit_late_drivers(this: &Worker<Self>) {
        // While removals are waited for, nothing is offered.
        if !this.hardware.is_enabled() || this.hardware.draining.load(Relaxed) != 0 {
            return;
        }
        // Whoever holds it is binding or unbinding, and may wait for us.
        let Some(ports) = this.hardware.ports.try_lock() else {
            return;
        };
        let mut any = false;
        for port in ports.iter() {
            if let Bound::Indirect(binding) = &port.bound {
                any |= this.hardware.block.admit_late(binding);
            }
        }
        drop(ports);
        if any {
            offer_again::<V4>(this);
            offer_again::<V6>(this);
        }
    }
}

/// Offers the flows that hardware has to all drivers, of which one is new. Those that were refused
/// are offered with their next packet.
fn offer_again<F: Stored>(this: &Worker<FlowTable>) {
    F::flows(this).for_each(|index, flow, rcu| {
        flow.hardware.set_refused(false);
        if flow.hardware.is_known() {
            FlowTable::ask(this, index, flow, Wish::Install, rcu);
        }
    });
}

impl Owner for Worker<FlowTable> {
    fn block(&self) -> &Block {
        &self.hardware.block
    }

    fn driver_leaves(&self, ifindex: u32, f: impl FnOnce()) {
        FlowTable::drain(self, ifindex, Teardown::DriverGone, f);
    }
}

/// Has workers look at the queue.
fn kick_workers(this: &Worker<FlowTable>) {
    let crowd = this.hardware.pending() / CROWD;
    // CAST: A handful.
    for task in 1..TASKS.min(2 + crowd as usize) {
        this.kick(task, 0);
    }
}

/// Takes the flows of one version of IP out of hardware that it is wrong about, and of those that it
/// may be wrong about no more than `budget`: the search for them goes on a second later.
fn follow<F: Stored>(this: &Worker<FlowTable>, budget: u32) {
    let flows = F::flows(this);
    let from = flows.cursor.load(Relaxed);
    let (mut left, mut stopped) = (budget, None);
    flows.for_each(|index, flow, rcu| {
        if !flow.hardware.is_known() {
            return;
        }
        if flow.any_next_hop(rcu, NextHop::is_gone) {
            FlowTable::withdraw(this, index, flow, rcu);
        } else if index >= from && flow.any_next_hop(rcu, NextHop::is_rerouted) {
            match left.checked_sub(1) {
                Some(rest) => {
                    left = rest;
                    FlowTable::withdraw(this, index, flow, rcu);
                }
                None => stopped = stopped.or(Some(index)),
            }
        }
    });
    flows.cursor.store(stopped.unwrap_or(0), Relaxed);
}

/// A worker's round. Process context, sleeps.
pub(crate) fn work(this: &Worker<FlowTable>) -> Option<u32> {
    job::run(this)
}

// SPDX-License-Identifier: GPL-2.0

//! The content of a flowtable: its flows by version of IP, and their next hops.
//!
//! Locking: each [`Flows`] has a lock for its hash table, the next hops have
//! one. None is ever held while another is taken. Packets take none of them unless they end a flow.

mod gc;
pub(crate) mod tunnels;
mod turn;

use crate::compat::prelude::*;
use crate::compat::sync::rcu;
use crate::compat::sync::Arc;
use crate::fast::ahead;
use crate::flow::ip::{
    Ip,
    V4,
    V6, //
};
use crate::flow::nat::Protocol;
use crate::flow::timeout::GRE_SECONDS;
use crate::flow::Flow;
use crate::hardware::queue::{
    Links as QueueLinks,
    Queue, //
};
use crate::hardware::Hardware;
use crate::kernel_net::conntrack::{
    offload_tcp_timeout,
    offload_udp_timeout, //
};
use crate::kernel_net::device::Device;
use crate::kernel_net::flowtable::{
    self,
    Batches,
    Options, //
};
use crate::kernel_net::lock::SpinLockBh;
use crate::kernel_net::memory::Account;
use crate::kernel_net::namespace::{
    Namespace,
    Subsystem, //
};
use crate::kernel_net::netfilter::{
    Family,
    Verdict, //
};
use crate::kernel_net::random::secret;
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::rcu_arc::RcuArc;
use crate::kernel_net::rcu_table::{
    First,
    Found,
    InsertError,
    RcuTable,
    Side,
    When, //
};
use crate::kernel_net::skb::Skb;
use crate::kernel_net::switches;
use crate::kernel_net::time::{
    jiffies,
    seconds,
    HZ, //
};
use crate::kernel_net::trace;
use crate::kernel_net::work::{
    cond_resched,
    Worker, //
};
use crate::new_spinlock_bh;
use crate::next_hop::learned::Stations;
use crate::next_hop::{
    Check,
    NextHop,
    NextHops, //
};
use crate::reason::Teardown;
use crate::stats::NamespaceState;
use core::sync::atomic::{
    fence,
    AtomicBool,
    AtomicU32,
    Ordering::{
        Relaxed,
        Release,
        SeqCst, //
    }, //
};
use tunnels::Tunnels;

/// The task that collects garbage; the others are hardware's.
pub(crate) const GARBAGE: usize = 0;

/// The flows of one version of IP.
#[pin_data]
pub(crate) struct Flows<F: Ip> {
    #[pin]
    table: RcuTable<Flow<F>>,
    #[pin]
    pub(crate) tunnels: Tunnels<F>,
    /// The second up to which flows that were due have been visited.
    visited: AtomicU32,
    /// Some flow is due now.
    hurry: AtomicBool,
    /// Those that hardware has to hear of.
    #[pin]
    queue: SpinLockBh<Queue>,
    /// Where the search for flows in hardware whose route is outdated goes on.
    pub(crate) cursor: AtomicU32,
}

/// The flows as the queue sees them.
struct Linked<'a, F: Ip>(&'a RcuTable<Flow<F>>, ReadSide<'a>);

impl<F: Ip> QueueLinks for Linked<'_, F> {
    fn link<R>(&self, index: u32, f: impl FnOnce(&AtomicU32) -> R) -> Option<R> {
        self.0
            .get(index, self.1)
            .map(|flow| f(flow.hardware.next()))
    }
}

impl<F: Stored> Flows<F> {
    fn new(account: &Account) -> impl PinInit<Self, Error> {
        let (mine, theirs) = (account.clone(), account.clone());
        try_pin_init!(Self {
            table <- RcuTable::new(|| F::secret(secret), mine),
            tunnels <- Tunnels::new(theirs),
            visited: AtomicU32::new(seconds()),
            hurry: AtomicBool::new(false),
            queue <- new_spinlock_bh!(Queue::new(), "nft_offload_rs_queue"),
            cursor: AtomicU32::new(0),
        }? Error)
    }

    /// Puts a flow into the queue of those that hardware has to hear of.
    pub(crate) fn enqueue(&self, index: u32, urgent: bool, rcu: ReadSide<'_>) {
        self.queue
            .lock()
            .push(&Linked(&self.table, rcu), index, urgent);
    }

    /// Takes the first one out.
    pub(crate) fn dequeue(&self, rcu: ReadSide<'_>) -> Option<u32> {
        self.queue.lock().pop(&Linked(&self.table, rcu))
    }

    /// Finds the flow of a packet, if it is found at once.
    #[inline(always)]
    pub(crate) fn lookup_first<'rcu>(
        &'rcu self,
        key: &F::Key,
        rcu: ReadSide<'rcu>,
    ) -> First<'rcu, Flow<F>> {
        self.table.lookup_first(key, rcu)
    }

    /// Has memory fetch the bucket of a key; returns its hash.
    #[inline(always)]
    pub(crate) fn fetch_bucket(&self, key: &F::Key, rcu: ReadSide<'_>) -> u32 {
        self.table.fetch_bucket(key, rcu)
    }

    /// The flow that probably has a key with this hash.
    #[inline(always)]
    pub(crate) fn likely<'rcu>(
        &'rcu self,
        hash: u32,
        rcu: ReadSide<'rcu>,
    ) -> Option<Found<'rcu, Flow<F>>> {
        self.table.likely(hash, rcu)
    }

    /// Finds the flow of a packet; see [`RcuTable::lookup_often`].
    #[inline(always)]
    pub(crate) fn lookup_often<'rcu>(
        &'rcu self,
        key: &F::Key,
        rcu: ReadSide<'rcu>,
    ) -> Option<Found<'rcu, Flow<F>>> {
        self.table.lookup_often(key, rcu)
    }

    /// Finds a flow.
    pub(crate) fn lookup<'rcu>(
        &'rcu self,
        key: &F::Key,
        rcu: ReadSide<'rcu>,
    ) -> Option<Found<'rcu, Flow<F>>> {
        self.table.lookup(key, rcu)
    }

    /// The flow at an index, if there is one.
    pub(crate) fn get<'rcu>(&'rcu self, index: u32, rcu: ReadSide<'rcu>) -> Option<&'rcu Flow<F>> {
        self.table.get(index, rcu)
    }

    /// The index of the first flow at or after `from`.
    pub(crate) fn next(&self, from: u32, rcu: ReadSide<'_>) -> Option<u32> {
        self.table.next(from, rcu).map(|(index, _)| index)
    }

    /// Puts in a new flow with these keys, the original direction's first. Softirq or process context.
    #[inline(always)]
    fn insert<M: FnOnce() -> Flow<F>>(
        &self,
        keys: [&F::Key; 2],
        make: M,
        rcu: ReadSide<'_>,
    ) -> Result<u32, InsertError<M>> {
        // The first visit is early: the connection may have been deleted meanwhile.
        let when = When::at(seconds().wrapping_add(1));
        match self.table.insert(keys, when, make) {
            Err(InsertError::Exists(make)) => {
                self.clear_away(keys, rcu);
                self.table.insert(keys, when, make)
            }
            result => result,
        }
    }

    /// Takes out what is in the way of a new flow, if that is over.
    #[cold]
    fn clear_away(&self, keys: [&F::Key; 2], rcu: ReadSide<'_>) {
        // A flow that has ended may still be there, waiting to be collected: it is in the way of a
        // connection that begins anew with the same addresses and ports.
        for key in keys {
            if let Some(found) = self.lookup(key, rcu) {
                // One that hardware still has is in the way until that has forgotten it.
                if !found.object.direction(found.side()).state.forwards()
                    && found.object.hardware.retire()
                {
                    self.table.remove(found.index());
                }
            }
        }
    }

    /// Takes a flow out that has ended, if hardware has forgotten it. False if it stays.
    #[inline(always)]
    fn take_out(&self, index: u32, flow: &Flow<F>) -> bool {
        let is_gone = flow.is_over() && flow.hardware.retire();
        if is_gone {
            self.table.remove(index);
        }
        is_gone
    }

    /// Has a flow visited within the next second; one that ended is collected then.
    pub(crate) fn collect(&self, index: u32, rcu: ReadSide<'_>) {
        self.table.visit_now(index, rcu);
        // Pairs with that of the collector, who looks afterwards.
        self.hurry.store(true, Release);
    }

    /// Calls `f` for each flow. Process context; bounded steps.
    pub(crate) fn for_each(&self, mut f: impl FnMut(u32, &Flow<F>, ReadSide<'_>)) {
        let mut from = 0;
        loop {
            let guard = rcu::read_lock();
            let rcu = ReadSide::of(&guard);
            for _ in 0..64 {
                let Some((index, flow)) = self.table.next(from, rcu) else {
                    return;
                };
                f(index, flow, rcu);
                from = index + 1;
            }
            drop(guard);
            cond_resched();
        }
    }

    /// Ends the flows that `f` selects, and has hardware forget them. Process context; bounded
    /// steps.
    fn end_if(
        &self,
        why: Teardown,
        table: &Worker<FlowTable>,
        f: impl Fn(&Flow<F>, ReadSide<'_>) -> bool,
    ) {
        self.for_each(|index, flow, rcu| {
            if !f(flow, rcu) {
                return;
            }
            if FlowTable::end_flow(table, index, flow, why, jiffies(), rcu) {
                self.collect(index, rcu);
            } else {
                FlowTable::withdraw(table, index, flow, rcu);
            }
        });
    }
}

/// Which flows a version of IP has in a flowtable.
pub(crate) trait Stored: Ip {
    fn flows(table: &FlowTable) -> &Flows<Self>;
}

impl Stored for V4 {
    #[inline(always)]
    fn flows(table: &FlowTable) -> &Flows<V4> {
        &table.v4
    }
}

impl Stored for V6 {
    #[inline(always)]
    fn flows(table: &FlowTable) -> &Flows<V6> {
        &table.v6
    }
}

/// The content of a flowtable.
#[pin_data]
pub(crate) struct FlowTable {
    pub(crate) state: Arc<NamespaceState>,
    /// The namespace's settings, for packets to read; at most a visit of the GC old.
    tcp_timeout: AtomicU32,
    udp_timeout: AtomicU32,
    /// The namespace's queues, if packets of any flowtable there may wait.
    batches: Option<Arc<Batches<Worker<FlowTable>>>>,
    /// With how many flows packets of this one do.
    batch_from: u32,
    #[pin]
    v4: Flows<V4>,
    #[pin]
    v6: Flows<V6>,
    pub(crate) next_hops: NextHops,
    /// What bridges of the namespace have said.
    pub(crate) stations: Arc<Stations>,
    /// Its number among the namespace's flowtables.
    number: AtomicU32,
    /// Events may concern it: it has or has had next hops.
    is_marked: AtomicBool,
    /// The flows that have found a next hop outdated, and not been given another.
    stale: AtomicU32,
    #[pin]
    pub(crate) hardware: Hardware,
}

impl FlowTable {
    /// Flows in the table.
    pub(crate) fn len(&self) -> u32 {
        self.v4.table.len().saturating_add(self.v6.table.len())
    }

    /// How long flows may be idle, in ticks.
    #[inline(always)]
    pub(crate) fn timeout(&self, protocol: Protocol) -> u32 {
        match protocol {
            Protocol::Tcp => self.tcp_timeout.load(Relaxed),
            Protocol::Udp => self.udp_timeout.load(Relaxed),
            Protocol::Gre => GRE_SECONDS * HZ,
        }
    }

    /// When a flow that sees a packet now will have been idle for too long.
    #[inline(always)]
    pub(crate) fn deadline(&self, protocol: Protocol, now: u32) -> u32 {
        now.wrapping_add(self.timeout(protocol))
    }

    /// Reads the namespace's settings again. Writes only what has changed: packets on other CPUs
    /// read these lines.
    pub(crate) fn refresh_settings(&self, namespace: &Namespace) {
        for (mine, theirs) in [
            (&self.tcp_timeout, offload_tcp_timeout(namespace)),
            (&self.udp_timeout, offload_udp_timeout(namespace)),
        ] {
            if mine.load(Relaxed) != theirs {
                mine.store(theirs, Relaxed);
            }
        }
    }

    /// Puts in a new flow with these keys, the original direction's first. Softirq.
    #[inline(always)]
    pub(crate) fn insert<F: Stored, M: FnOnce() -> Flow<F>>(
        this: &Worker<Self>,
        keys: [&F::Key; 2],
        make: M,
        rcu: ReadSide<'_>,
    ) -> Result<u32, InsertError<M>> {
        let flows = F::flows(this);
        let result = flows.insert(keys, make, rcu);
        if flows.table.needs_resize(rcu) {
            this.kick_now(GARBAGE);
        } else {
            this.kick(GARBAGE, HZ);
        }
        result
    }

    /// Ends a new flow at once, if it is one that [`Self::end_misled`] was looking for when nobody could find
    /// it yet. Softirq.
    pub(crate) fn end_if_misled<F: Stored>(
        this: &Worker<Self>,
        index: u32,
        now: u32,
        rcu: ReadSide<'_>,
    ) {
        // Pairs with that of `end_misled`: either it has seen the flow, or this sees what it looks for.
        fence(SeqCst);
        let misled = |flow: &&Flow<F>| flow.any_next_hop(rcu, NextHop::is_outdated);
        if let Some(flow) = F::flows(this).get(index, rcu).filter(misled) {
            Self::end_flow(this, index, flow, Teardown::PathChanged, now, rcu);
        }
    }

    /// Ends a flow, tells of it, and has hardware forget it. True for the one caller who did.
    fn end_flow<F: Stored>(
        this: &Worker<Self>,
        index: u32,
        flow: &Flow<F>,
        why: Teardown,
        now: u32,
        rcu: ReadSide<'_>,
    ) -> bool {
        if !flow.end(why, now) {
            return false;
        }
        // Pairs with `mark_stale`.
        fence(SeqCst);
        this.clear_stale(flow);
        this.state.ended(why);
        trace::flow_ended(flow.conn(), why.c_name());
        Self::withdraw(this, index, flow, rcu);
        true
    }

    /// Ends a flow on behalf of a packet. Softirq.
    #[cold]
    #[inline(never)]
    pub(crate) fn end<F: Stored>(
        this: &Worker<Self>,
        found: Found<'_, Flow<F>>,
        why: Teardown,
        now: u32,
        rcu: ReadSide<'_>,
    ) {
        if Self::end_flow(this, found.index(), found.object, why, now, rcu) {
            F::flows(this).collect(found.index(), rcu);
        }
    }

    /// Whether some flow may wait for new next hops.
    pub(crate) fn has_stale(&self) -> bool {
        self.stale.load(Relaxed) != 0
    }

    /// Notes that packets of a flow find their next hop outdated. Softirq.
    ///
    /// A flow that gets no other one within a second ends. While it goes on in one direction, a
    /// bridge does not hear from the station that it has forgotten in the other.
    #[cold]
    #[inline(never)]
    pub(crate) fn mark_stale<F: Stored>(
        this: &Worker<Self>,
        found: Found<'_, Flow<F>>,
        now: u32,
        rcu: ReadSide<'_>,
    ) {
        match found.object.mark_stale(now) {
            Some(left) if left < 0 => Self::end(this, found, Teardown::PathChanged, now, rcu),
            Some(_) => {}
            None => {
                this.stale.fetch_add(1, Relaxed);
                // It may have got another one since this packet looked: then either `reroute` sees
                // the note, or this the new next hop. Pairs with its fence.
                fence(SeqCst);
                let next_hop = found.object.direction(found.side()).next_hop.get(rcu);
                // And nobody waits for what ends a flow that has ended already.
                if next_hop.check(now, rcu) != Check::PathChanged || found.object.is_over() {
                    this.clear_stale(found.object);
                }
            }
        }
    }

    /// Notes that a flow waits for no new next hop, or not any more.
    fn clear_stale<F: Stored>(&self, flow: &Flow<F>) {
        if flow.clear_stale() {
            self.stale.fetch_sub(1, Relaxed);
        }
    }

    /// Gives a flow new next hops for both directions. Softirq.
    pub(crate) fn reroute<F: Stored>(
        this: &Worker<Self>,
        found: Found<'_, Flow<F>>,
        original: RcuArc<NextHop>,
        reply: RcuArc<NextHop>,
        rcu: ReadSide<'_>,
    ) {
        let flow = found.object;
        flow.reroute(original, reply);
        // Pairs with `mark_stale`.
        fence(SeqCst);
        this.clear_stale(flow);
        this.state.rerouted();
        // What hardware has said of the old path says nothing of the new one.
        flow.hardware.set_refused(false);
        Self::withdraw(this, found.index(), flow, rcu);
        Self::offer::<F>(this, found.index(), rcu);
    }

    /// Has a flow visited within the next second: one of its packets takes the classic path, where
    /// conntrack may give the connection a shorter time to live than the flow needs. Softirq.
    pub(crate) fn visit_soon<F: Stored>(&self, found: Found<'_, Flow<F>>, rcu: ReadSide<'_>) {
        if !F::flows(self).table.is_due_now(found.index(), rcu) {
            F::flows(self).collect(found.index(), rcu);
        }
    }

    /// From now on the flowtable hears of events: before next hops are looked for. Softirq.
    pub(crate) fn hear_events(&self) {
        if !self.is_marked.load(Relaxed) {
            self.state.mark_table(self.number.load(Relaxed));
            // Not before: somebody else may be about to make a next hop, too.
            self.is_marked.store(true, Release);
        }
    }

    /// Ends the flows of which one next hop is wrong: their packets may go the other way only, and not
    /// find out. Process context; bounded steps.
    fn end_misled(this: &Worker<Self>) {
        let guard = rcu::read_lock();
        let has_news = this.next_hops.has_news(ReadSide::of(&guard));
        drop(guard);
        if !has_news {
            return;
        }
        // Pairs with that of `end_if_misled`.
        fence(SeqCst);
        this.v4.end_if(Teardown::PathChanged, this, |flow, rcu| {
            flow.any_next_hop(rcu, NextHop::is_outdated)
        });
        this.v6.end_if(Teardown::PathChanged, this, |flow, rcu| {
            // Packets of either direction find out by themselves where no route holds.
            let is_wrong = |side| flow.direction(side).next_hop.get(rcu).is_wrong(rcu);
            flow.any_next_hop(rcu, NextHop::is_outdated)
                || is_wrong(Side::Original) != is_wrong(Side::Reply)
        });
    }

    /// Ends all flows whose packets leave or come in by a device. Process context.
    pub(crate) fn device_event(this: &Worker<Self>, device: &Device, why: Teardown) {
        let ifindex = device.ifindex();
        let concerned = |hop: &NextHop| hop.crosses(ifindex);
        // Most devices that anything happens to have nothing to do with any flow.
        if !this.next_hops.any(concerned) && !this.next_hops.has_unlisted() {
            return;
        }
        Self::end_crossing(this, ifindex, why);
        // What ended holds the device until it is collected, and its removal waits for that.
        this.kick_now(GARBAGE);
    }

    /// Ends all flows that cross the device with this index. Process context.
    pub(crate) fn end_crossing(this: &Worker<Self>, ifindex: u32, why: Teardown) {
        let concerned = |hop: &NextHop| hop.crosses(ifindex);
        this.next_hops.outdate(concerned);
        this.v4
            .end_if(why, this, |flow, rcu| flow.any_next_hop(rcu, concerned));
        this.v6
            .end_if(why, this, |flow, rcu| flow.any_next_hop(rcu, concerned));
    }
}

impl flowtable::Type for Worker<FlowTable> {
    fn init(namespace: &Namespace) -> Result<Arc<Self>> {
        let state = Subsystem::<NamespaceState>::of(namespace).ok_or(ENOENT)?;
        let (copy, stations) = (state.clone(), state.stations.clone());
        let account = Account::of_current();
        let (batch_from, batches) = match switches::batch() {
            0 => (u32::MAX, state.batches(false)?),
            flows => (flows, state.batches(true)?),
        };
        let table = Arc::pin_init(
            Worker::new(try_pin_init!(FlowTable {
                tcp_timeout: AtomicU32::new(offload_tcp_timeout(namespace)),
                udp_timeout: AtomicU32::new(offload_udp_timeout(namespace)),
                batches,
                batch_from,
                v4 <- Flows::new(&account),
                v6 <- Flows::new(&account),
                next_hops: NextHops::new(switches::direct_transmit(), account.clone()),
                stations,
                number: AtomicU32::new(0),
                is_marked: AtomicBool::new(false),
                stale: AtomicU32::new(0),
                hardware <- Hardware::new(switches::hardware_after()),
                state: copy,
            }? Error)),
            GFP_KERNEL_ACCOUNT,
        )?;
        // Nobody marks it before it is bound to a device.
        table.number.store(state.add_table(table.clone())?, Relaxed);
        Ok(table)
    }

    fn bind(this: &Arc<Self>, device: &Device, options: Options, priority: i32) -> Result {
        if options.hardware() {
            FlowTable::hardware_bind(this, device, options, priority)?;
        }
        Ok(())
    }

    fn unbind(this: &Arc<Self>, device: &Device, options: Options) {
        if options.hardware() {
            FlowTable::hardware_unbind(this, device);
        }
        FlowTable::device_event(this, device, Teardown::DeviceUnbound);
    }

    fn free(this: Arc<Self>) {
        this.state.remove_table(this.number.load(Relaxed));
        this.v4.end_if(Teardown::TableGone, &this, |_, _| true);
        this.v6.end_if(Teardown::TableGone, &this, |_, _| true);
    }

    #[inline(always)]
    fn hook<'a>(
        &'a self,
        family: Family,
        options: Options,
        skb: Skb<'a>,
        rcu: ReadSide<'a>,
    ) -> Verdict<'a> {
        crate::fast::forward_family(self, family, options, skb, rcu)
    }

    #[inline(always)]
    fn batches(&self) -> Option<&Batches<Self>> {
        self.batches.as_deref()
    }

    type Hint = ahead::Hint;

    fn foresee(&self, family: Family, skb: &Skb<'_>, rcu: ReadSide<'_>) -> Option<ahead::Hint> {
        if self.len() < self.batch_from {
            return None;
        }
        let hint = ahead::bucket(self, family, skb, rcu)?;
        self.state.forwarded.waited().inc();
        Some(hint)
    }

    #[inline(always)]
    fn approach(&self, hints: impl Iterator<Item = ahead::Hint> + Clone, rcu: ReadSide<'_>) {
        ahead::flows(self, hints, rcu);
    }
}

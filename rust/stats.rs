// SPDX-License-Identifier: GPL-2.0

//! What is counted, for each namespace, and the file that shows it: `/proc/net/nft_offload_rs`.
//!
//! Every line is a name and a number. Readers have to expect more names than they know, and fewer.

use crate::compat::prelude::*;
use crate::compat::seq_file::SeqFile;
use crate::compat::seq_print;
use crate::compat::sync::Arc;
use crate::kernel_net::flowtable::Batches;
use crate::kernel_net::lock::SpinLockBh;
use crate::kernel_net::namespace::PerNamespace;
use crate::kernel_net::percpu::{
    Counter,
    Counters, //
};
use crate::kernel_net::registry::{
    Registry,
    Which, //
};
use crate::kernel_net::work::Worker;
use crate::listing;
use crate::new_spinlock_bh;
use crate::next_hop::blocked::Blocked;
use crate::next_hop::learned::Stations;
use crate::reason::{
    Answer,
    Bypass,
    HardwareEvent,
    Loss,
    Refusal,
    Teardown,
    Unfit, //
};
use crate::table::FlowTable;
use core::sync::atomic::AtomicU32;

const ADDED: usize = 0;
const REROUTED: usize = 1;
const REFUSALS: usize = 2;
const TEARDOWNS: usize = REFUSALS + Refusal::ALL.len();
const BYPASSES: usize = TEARDOWNS + Teardown::ALL.len();
const UNFIT: usize = BYPASSES + Bypass::ALL.len();
const ANSWERS: usize = UNFIT + Unfit::ALL.len();
const HARDWARE: usize = ANSWERS + Answer::ALL.len();
const COUNT: usize = HARDWARE + HardwareEvent::ALL.len();

const PACKETS: usize = 0;
const DIRECT: usize = 1;
const WAITED: usize = 2;
const LOST: usize = 3;

/// Counts packets that the fast path took over, and forwarded or dropped.
pub(crate) struct Forwarded(Counters<{ LOST + Loss::ALL.len() }>);

impl Forwarded {
    /// Those that left as all packets do.
    #[inline(always)]
    pub(crate) fn packets(&self) -> Counter<'_> {
        self.0.at(PACKETS)
    }

    /// Those that went to a device's driver at once.
    #[inline(always)]
    pub(crate) fn direct_packets(&self) -> Counter<'_> {
        self.0.at(DIRECT)
    }

    /// Counts one that was dropped.
    #[cold]
    pub(crate) fn lost(&self, why: Loss) {
        self.0.at(LOST + why as usize).inc();
    }

    /// Those of either kind, and others, that had to wait for others before.
    #[inline(always)]
    pub(crate) fn waited(&self) -> Counter<'_> {
        self.0.at(WAITED)
    }
}

/// A namespace's flowtables and counters.
#[pin_data]
pub(crate) struct NamespaceState {
    pub(crate) forwarded: Forwarded,
    counters: Counters<COUNT>,
    /// The queues in which packets wait, if a flowtable has ever wanted that.
    #[pin]
    batches: SpinLockBh<Option<Arc<Batches<Worker<FlowTable>>>>>,
    /// What bridges have said.
    pub(crate) stations: Arc<Stations>,
    #[pin]
    pub(crate) blocked: Blocked,
    /// The flowtables; marked, those that events may concern.
    #[pin]
    tables: Registry<Worker<FlowTable>>,
}

impl NamespaceState {
    /// Counts a new flow.
    pub(crate) fn added(&self) {
        self.counters.at(ADDED).inc();
    }

    /// Counts a flow that goes on with a new path.
    pub(crate) fn rerouted(&self) {
        self.counters.at(REROUTED).inc();
    }

    /// Counts a connection that was not offloaded.
    pub(crate) fn refused(&self, why: Refusal) {
        self.counters.at(REFUSALS + why as usize).inc();
    }

    /// Counts the end of a flow.
    pub(crate) fn ended(&self, why: Teardown) {
        self.counters.at(TEARDOWNS + why as usize).inc();
    }

    /// Counts a packet of a flow that took the classic path.
    pub(crate) fn bypassed(&self, why: Bypass) {
        self.counters.at(BYPASSES + why as usize).inc();
    }

    /// Counts what happens to a flow in hardware.
    pub(crate) fn in_hardware(&self, event: HardwareEvent) {
        self.counters.at(HARDWARE + event as usize).inc();
    }

    /// Counts what a driver has said to a rule.
    pub(crate) fn answered(&self, answer: Answer) {
        self.counters.at(ANSWERS + answer as usize).inc();
    }

    /// Counts a flow that cannot go to hardware.
    pub(crate) fn unfit(&self, why: Unfit) {
        self.counters.at(UNFIT + why as usize).inc();
    }

    /// The queues in which packets wait; made if `wanted` and not there yet. Process context; may
    /// sleep. Fails as [`Batches::new`].
    pub(crate) fn batches(&self, wanted: bool) -> Result<Option<Arc<Batches<Worker<FlowTable>>>>> {
        let there = self.batches.lock().clone();
        if there.is_some() || !wanted {
            return Ok(there);
        }
        // Flowtables of a namespace are made one at a time.
        let new = Batches::new()?;
        *self.batches.lock() = Some(new.clone());
        Ok(Some(new))
    }

    /// Adds a flowtable; gives its number. Process context, may sleep.
    pub(crate) fn add_table(&self, table: Arc<Worker<FlowTable>>) -> Result<u32> {
        self.tables.add(table)
    }

    /// Forgets the flowtable with this number. Any context but hard interrupts.
    pub(crate) fn remove_table(&self, number: u32) {
        self.tables.remove(number);
    }

    /// Events may concern a flowtable from now on. Any context but hard interrupts.
    pub(crate) fn mark_table(&self, number: u32) {
        self.tables.mark(number);
    }

    /// Runs `f` on each flowtable that events may concern: that has or has had flows. Process context,
    /// may sleep.
    pub(crate) fn for_each_table(&self, f: impl FnMut(&Worker<FlowTable>)) {
        self.tables.for_each(Which::Marked, f);
    }
}

impl PerNamespace for NamespaceState {
    const FILE: &'static CStr = c"nft_offload_rs";

    fn id() -> &'static AtomicU32 {
        static ID: AtomicU32 = AtomicU32::new(0);
        &ID
    }

    const LIST: &'static CStr = c"nft_offload_rs_flows";

    fn next_entry(&self, from: u64) -> Option<u64> {
        // Flowtables one after the other, each with as many places as it can have flows.
        // CAST: Numbers of flowtables have 32 bits.
        let (mut number, mut from) = ((from / listing::END) as u32, from % listing::END);
        loop {
            let (found, table) = self.tables.next(number, Which::Marked)?;
            if found != number {
                from = 0;
            }
            if let Some(place) = listing::next(&table, from) {
                return Some(u64::from(found) * listing::END + place);
            }
            number = found.checked_add(1)?;
            from = 0;
        }
    }

    fn show_entry(&self, place: u64, file: &SeqFile) {
        // CAST: From `next_entry`.
        let number = (place / listing::END) as u32;
        match self.tables.next(number, Which::Marked) {
            Some((found, table)) if found == number => {
                listing::show(&table, place % listing::END, file);
            }
            _ => {}
        }
    }

    fn new() -> Result<Arc<Self>> {
        let forwarded = Forwarded(Counters::new()?);
        let counters = Counters::new()?;
        let stations = Stations::new()?;
        Arc::pin_init(
            pin_init!(Self {
                forwarded,
                counters,
                batches <- new_spinlock_bh!(None, "nft_offload_rs_batches"),
                stations,
                blocked <- Blocked::new(),
                tables <- Registry::new(),
            }),
            GFP_KERNEL,
        )
    }

    fn show(&self, file: &SeqFile) {
        let (mut tables, mut flows, mut pending) = (0u32, 0u32, 0u32);
        self.tables.for_each(Which::All, |table| {
            tables = tables.saturating_add(1);
            flows = flows.saturating_add(table.len());
            pending = pending.saturating_add(table.hardware.pending());
        });
        seq_print!(file, "flowtables {}\n", tables);
        seq_print!(file, "flows {}\n", flows);
        seq_print!(file, "flows_added {}\n", self.counters.sum(ADDED));
        seq_print!(file, "flows_rerouted {}\n", self.counters.sum(REROUTED));
        let direct = self.forwarded.0.sum(DIRECT);
        let packets = self.forwarded.0.sum(PACKETS).wrapping_add(direct);
        seq_print!(file, "packets_forwarded {}\n", packets);
        seq_print!(file, "packets_forwarded_directly {}\n", direct);
        seq_print!(file, "packets_batched {}\n", self.forwarded.0.sum(WAITED));
        let batches = self.batches.lock().clone();
        let served = batches.map_or(0, |batches| batches.served());
        seq_print!(file, "batches {}\n", served);
        for &why in Loss::ALL {
            let count = self.forwarded.0.sum(LOST + why as usize);
            seq_print!(file, "dropped_{} {}\n", why.name(), count);
        }
        for &why in Bypass::ALL {
            let count = self.counters.sum(BYPASSES + why as usize);
            seq_print!(file, "bypass_{} {}\n", why.name(), count);
        }
        for &why in Refusal::ALL {
            let count = self.counters.sum(REFUSALS + why as usize);
            seq_print!(file, "refused_{} {}\n", why.name(), count);
        }
        for &why in Teardown::ALL {
            let count = self.counters.sum(TEARDOWNS + why as usize);
            seq_print!(file, "ended_{} {}\n", why.name(), count);
        }
        seq_print!(file, "hardware_pending {}\n", pending);
        for &event in HardwareEvent::ALL {
            let count = self.counters.sum(HARDWARE + event as usize);
            seq_print!(file, "hardware_{} {}\n", event.name(), count);
        }
        for &why in Unfit::ALL {
            let count = self.counters.sum(UNFIT + why as usize);
            seq_print!(file, "hardware_unfit_{} {}\n", why.name(), count);
        }
        for &answer in Answer::ALL {
            let count = self.counters.sum(ANSWERS + answer as usize);
            seq_print!(file, "hardware_rules_{} {}\n", answer.name(), count);
        }
    }
}

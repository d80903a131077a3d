// SPDX-License-Identifier: GPL-2.0

//! What workers do: take a flow out of the queue, tell drivers, and note what they said.

use super::rules::describe;
use super::state::{
    Cell,
    Wish, //
};
use super::{
    new_cookie,
    Hardware, //
};
use crate::compat::prelude::*;
use crate::compat::sync::aref::ARef;
use crate::compat::sync::rcu;
use crate::flow::ip::{
    V4,
    V6, //
};
use crate::flow::Flow;
use crate::kernel_net::conntrack::Conn;
use crate::kernel_net::flow_block::{
    Command,
    Stats, //
};
use crate::kernel_net::flow_rule::Rule;
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::rcu_table::Side;
use crate::kernel_net::time::{
    jiffies,
    HZ, //
};
use crate::kernel_net::work::{
    cond_resched,
    Worker, //
};
use crate::reason::{
    Answer,
    HardwareEvent,
    Unfit, //
};
use crate::stats::NamespaceState;
use crate::table::{
    FlowTable,
    Stored, //
};
use core::sync::atomic::Ordering::Relaxed;

/// Both directions, in the order in which drivers hear of them.
const SIDES: [Side; 2] = [Side::Original, Side::Reply];

/// How long a driver that says it has a flow, or cannot have it for a reason that may pass, is not
/// asked again, in seconds.
const BELIEF: u32 = 8;

/// What drivers are to be told about a flow.
struct Plan {
    /// Who is meant, should the flow's place have been taken by another.
    index: u32,
    conn: ARef<Conn>,
    cookie: u64,
    stats: bool,
    remove: bool,
    install: Install,
}

/// Whether rules are to be put in.
enum Install {
    No,
    /// The rules at hand, by this name.
    Rules(u64),
    /// They would be, but hardware is not fit for them.
    Unfit(Unfit),
}

/// What came of it.
#[derive(Default)]
struct Outcome {
    stats: Option<[Stats; 2]>,
    /// Rules that drivers took just now.
    taken: u32,
    /// Rules that they had.
    had: u32,
    /// Rules that they had no room for.
    full: u32,
    /// Rules that they could not take for a reason that may pass.
    failed: u32,
}

/// The rules of both directions.
pub(super) type Rules = [Rule; 2];

impl Hardware {
    /// The rules to work with; memory that is used again for each flow.
    fn rules() -> Result<Rules> {
        Ok([Rule::new()?, Rule::new()?])
    }

    fn tell(
        &self,
        cookie: u64,
        side: Side,
        command: &Command<'_>,
        outcome: impl FnMut(Result),
    ) -> Stats {
        // CAST: Sides are 0 and 1, and cookies even.
        let cookie = cookie | side as u64;
        self.block
            .ask(cookie, self.priority.load(Relaxed), command, outcome)
    }

    fn stats(&self, cookie: u64) -> [Stats; 2] {
        SIDES.map(|side| self.tell(cookie, side, &Command::Stats, |_| {}))
    }

    /// Tells drivers what the plan says. Process context, sleeps.
    fn carry_out(&self, plan: &Plan, rules: &Rules, state: &NamespaceState) -> Outcome {
        let mut outcome = Outcome::default();
        if plan.stats {
            outcome.stats = Some(self.stats(plan.cookie));
        }
        if plan.remove {
            let is_gone = SIDES.into_iter().all(|side| {
                // Looked at again for each rule: a call may take long.
                let is_waited_for = !self.giving_up.load(Relaxed);
                if is_waited_for {
                    self.tell(plan.cookie, side, &Command::Destroy, |_| {});
                }
                is_waited_for
            });
            state.in_hardware(if is_gone {
                HardwareEvent::Removed
            } else {
                HardwareEvent::LeftBehind
            });
        }
        if let Install::Rules(cookie) = plan.install {
            for (side, rule) in SIDES.into_iter().zip(rules) {
                self.tell(cookie, side, &Command::Replace(rule), |result| {
                    let answer = Answer::from_result(result.map_err(Error::to_errno));
                    state.answered(answer);
                    match answer {
                        Answer::Ok => outcome.taken += 1,
                        Answer::Exists => outcome.had += 1,
                        Answer::Busy | Answer::NoSpace | Answer::NoMemory => outcome.full += 1,
                        Answer::Unsupported | Answer::Invalid => {}
                        Answer::NoDevice | Answer::NotFound | Answer::Other => outcome.failed += 1,
                    }
                });
            }
        }
        outcome
    }
}

/// Decides what to tell drivers.
fn plan<F: Stored>(
    this: &FlowTable,
    index: u32,
    flow: &Flow<F>,
    rules: &mut Rules,
    rcu: ReadSide<'_>,
) -> Plan {
    let hardware = &this.hardware;
    let wishes = flow.hardware.begin();
    let goes_on = !flow.is_over();
    let draining = hardware.draining.load(Relaxed) != 0;
    let installed = flow.hardware.is_installed();
    let remove = installed && (!goes_on || wishes.has(Wish::Remove));
    let cookie = flow.hardware.cookie();
    let install = if !wishes.has(Wish::Install) || !goes_on || draining {
        Install::No
    } else {
        let devices = SIDES.map(|side| flow.direction(side).next_hop.get(rcu).device.ifindex());
        if !hardware.is_open(devices) {
            Install::Unfit(Unfit::NotBound)
        } else {
            let [original, reply] = rules;
            match describe(flow, Side::Original, original, rcu)
                .and_then(|()| describe(flow, Side::Reply, reply, rcu))
            {
                Ok(()) if installed && !remove => Install::Rules(cookie),
                Ok(()) => Install::Rules(new_cookie()),
                Err(why) => Install::Unfit(why),
            }
        }
    };
    Plan {
        index,
        conn: ARef::from(flow.conn()),
        cookie,
        // Once more before the end, so that no packet goes uncounted; but nobody waits for that.
        stats: installed && !draining && (remove || wishes.has(Wish::Stats)),
        remove,
        install,
    }
}

/// Notes what drivers said. `flow` is still in hand.
fn note<F: Stored>(
    this: &Worker<FlowTable>,
    flow: &Flow<F>,
    plan: &Plan,
    outcome: &Outcome,
    rcu: ReadSide<'_>,
) {
    let (cell, hardware) = (&flow.hardware, &this.hardware);
    let now = jiffies();
    if let Some(stats) = &outcome.stats {
        for (side, stats) in SIDES.into_iter().zip(stats) {
            note_stats(this, flow, side, stats, now, rcu);
        }
    }
    if plan.remove {
        forget(cell, &plan.conn);
    }
    match plan.install {
        Install::No => {}
        Install::Unfit(why) => {
            this.state.unfit(why);
            // Devices come and neighbours are found; everything else stays as it is.
            cell.set_refused(!matches!(why, Unfit::NotBound | Unfit::NeighbourUnknown));
        }
        Install::Rules(cookie) => {
            let wait = if outcome.taken + outcome.had != 0 {
                if !cell.is_installed() {
                    this.state.in_hardware(HardwareEvent::Added);
                    // What software sees of it ends here: it is to be asked about soon.
                    F::flows(this).collect(plan.index, rcu);
                } else if outcome.taken != 0 {
                    this.state.in_hardware(HardwareEvent::Restored);
                }
                cell.set_cookie(cookie);
                cell.set_installed(true);
                cell.set_refused(false);
                plan.conn.set_in_hardware(true);
                if outcome.taken != 0 {
                    hardware.backoff.taken();
                    1
                } else {
                    BELIEF
                }
            } else {
                if cell.is_installed() {
                    // Whoever says no to a rule may have it all the same: it is still to be taken
                    // out in the end.
                    plan.conn.set_in_hardware(false);
                }
                if outcome.full != 0 {
                    hardware.backoff.full(now, HZ);
                } else if outcome.failed == 0 && !cell.is_installed() {
                    cell.set_refused(true);
                }
                if outcome.failed != 0 {
                    BELIEF
                } else {
                    1
                }
            };
            let wait = (wait * HZ).max(hardware.backoff.wait(now, HZ));
            cell.patience().store(now.wrapping_add(wait), Relaxed);
        }
    }
}

fn forget(cell: &Cell, conn: &Conn) {
    cell.set_installed(false);
    conn.set_in_hardware(false);
}

/// Packets that hardware has forwarded keep a flow alive, as others do.
fn note_stats<F: Stored>(
    this: &Worker<FlowTable>,
    flow: &Flow<F>,
    side: Side,
    stats: &Stats,
    now: u32,
    rcu: ReadSide<'_>,
) {
    let used = stats.last_used.is_some_and(|last_used| {
        flow.direction(side)
            .refresh_if_later(this.deadline(flow.protocol, last_used))
    });
    if stats.packets == 0 && !used {
        return;
    }
    // The connection's last flow may have left hardware after this one came, and the mark with it.
    flow.conn().set_in_hardware(true);
    if this.hardware.counts() {
        flow.conn().account_many(side, stats.packets, stats.bytes);
    }
    // The neighbour is in use, though nobody sends to it here.
    flow.direction(side).next_hop.get(rcu).check(now, rcu);
}

/// Takes one flow. False if there is none.
fn take_one<F: Stored>(this: &Worker<FlowTable>, rules: &mut Rules) -> bool {
    let flows = F::flows(this);
    let plan = {
        let guard = rcu::read_lock();
        let rcu = ReadSide::of(&guard);
        let Some(index) = flows.dequeue(rcu) else {
            return false;
        };
        let Some(flow) = flows.get(index, rcu) else {
            return true;
        };
        plan(this, index, flow, rules, rcu)
    };
    let outcome = this.hardware.carry_out(&plan, rules, &this.state);
    rules.iter_mut().for_each(Rule::release);
    let guard = rcu::read_lock();
    let rcu = ReadSide::of(&guard);
    if let Some(flow) = flows.get(plan.index, rcu) {
        note(this, flow, &plan, &outcome, rcu);
        if !flow.hardware.finish() {
            // Something was asked for meanwhile.
            flows.enqueue(plan.index, true, rcu);
            return true;
        }
        if flow.is_over() {
            flows.collect(plan.index, rcu);
        }
    }
    this.hardware.note_done();
    true
}

/// A worker's round: until the queue is empty.
pub(super) fn run(this: &Worker<FlowTable>) -> Option<u32> {
    let Ok(mut rules) = Hardware::rules() else {
        // Out of memory; there will be some later.
        return Some(HZ / 10 + 1);
    };
    loop {
        let four = take_one::<V4>(this, &mut rules);
        let six = take_one::<V6>(this, &mut rules);
        if !four && !six {
            return None;
        }
        cond_resched();
    }
}

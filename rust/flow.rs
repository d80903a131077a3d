// SPDX-License-Identifier: GPL-2.0

//! A flow: one connection that is forwarded by the fast path.
//!
//! It owns everything its packets need: the connection, and for each direction the next hop with
//! its route, device and neighbour. All of it is given back when the flow is dropped, a grace
//! period after it left the table; the connection's reference is the last to go, since a namespace
//! waits for its connections.

pub(crate) mod encap;
pub(crate) mod ip;
pub(crate) mod key;
pub(crate) mod nat;
pub(crate) mod state;
pub(crate) mod tcp;
pub(crate) mod timeout;
pub(crate) mod tunnel;

use crate::compat::sync::aref::ARef;
use crate::hardware::state as hardware;
use crate::kernel_net::conntrack::{
    offload_tcp_timeout,
    offload_udp_timeout,
    Conn,
    TcpState, //
};
use crate::kernel_net::memory::prefetch;
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::rcu_arc::{
    RcuArc,
    RcuSlot, //
};
use crate::kernel_net::rcu_table::{
    Object,
    Side, //
};
use crate::kernel_net::time::{
    DAY,
    HZ, //
};
use crate::next_hop::NextHop;
use crate::reason::Teardown;
use core::sync::atomic::{
    AtomicU32,
    Ordering::Relaxed, //
};
use ip::Ip;
use nat::Protocol;
use state::State;
use tcp::{
    Judgement,
    Progress,
    Segment, //
};

/// All that a packet of one direction needs: for IPv4, one cache line.
#[repr(C, align(64))]
pub(crate) struct Direction<F: Ip> {
    key: F::Key,
    pub(crate) rewrite: F::Rewrite,
    /// The flow's state as this direction knows it. The original direction's is the one that
    /// decides; the other follows, so that packets read their own line only.
    pub(crate) state: state::Cell,
    /// When this direction has been idle for too long, in ticks.
    deadline: AtomicU32,
    /// Replaced when the path changes and the flow goes on.
    pub(crate) next_hop: RcuSlot<NextHop>,
    pub(crate) conn: ARef<Conn>,
}

impl<F: Ip> Direction<F> {
    /// Whether moving the deadline to `new` is worth a write: see [`Flow::refresh`].
    #[inline(always)]
    pub(crate) fn is_worth_refreshing(&self, new: u32) -> bool {
        // The lowest bit is not of the time, and of no matter here.
        timeout::worth_moving(self.deadline.load(Relaxed), new, HZ)
    }

    /// Has memory fetch what a packet reads.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        let mut line: *const Self = self;
        // One line, or two.
        prefetch(line);
        if size_of::<Self>() > 64 {
            line = line.wrapping_byte_add(64);
            prefetch(line);
        }
    }

    /// Ticks until this direction has been idle for too long.
    #[inline(always)]
    fn remaining(&self, now: u32) -> i32 {
        timeout::remaining(self.deadline.load(Relaxed), now)
    }

    /// Moves the deadline to `new`, if that is later. True if it is.
    pub(crate) fn refresh_if_later(&self, new: u32) -> bool {
        let old = self.deadline.load(Relaxed);
        let is_later = timeout::later(old, new) != old;
        if is_later {
            self.deadline.store(new, Relaxed);
        }
        is_later
    }
}

/// A flow.
#[repr(C)]
pub(crate) struct Flow<F: Ip> {
    directions: [Direction<F>; 2],
    pub(crate) protocol: Protocol,
    /// Conntrack has not checked windows of the connection before, either.
    liberal: bool,
    /// When the flow ends for want of a new next hop, in ticks; zero if packets find none outdated.
    stale: AtomicU32,
    /// When it was made, in ticks.
    born: u32,
    pub(crate) hardware: hardware::Cell,
    /// What TCP has said, for each direction.
    progress: [Progress; 2],
}

// The packet path is laid out for it: two lines for both directions, and one for the rest.
const _: () =
    assert!(size_of::<Direction<ip::V4>>() == 64 || cfg!(not(target_pointer_width = "64")));
const _: () = assert!(size_of::<Flow<ip::V4>>() <= 192);
const _: () = assert!(size_of::<Flow<ip::V6>>() <= 320);

/// What a flow is made from, for one direction.
pub(crate) struct Half<'a, F: Ip> {
    /// What its packets are recognised by.
    pub(crate) key: &'a F::Key,
    pub(crate) rewrite: &'a F::Rewrite,
    pub(crate) next_hop: RcuArc<NextHop>,
}

impl<F: Ip> Flow<F> {
    /// A flow of a connection, from its original and its reply half.
    ///
    /// Written so that it is made where it is to be, field by field.
    #[inline(always)]
    pub(crate) fn new(
        conn: &Conn,
        protocol: Protocol,
        now: u32,
        deadline: u32,
        original: Half<'_, F>,
        reply: Half<'_, F>,
    ) -> Self {
        let (first, second) = (ARef::from(conn), ARef::from(conn));
        let replied = conn.status().has_seen_reply();
        // The first that moves it is noted: see `refresh`.
        let deadline = deadline & !1;
        Self {
            directions: [
                Direction {
                    key: *original.key,
                    rewrite: *original.rewrite,
                    state: state::Cell::new(replied),
                    deadline: AtomicU32::new(deadline),
                    next_hop: RcuSlot::new(original.next_hop),
                    conn: first,
                },
                Direction {
                    key: *reply.key,
                    rewrite: *reply.rewrite,
                    state: state::Cell::new(replied),
                    deadline: AtomicU32::new(deadline),
                    next_hop: RcuSlot::new(reply.next_hop),
                    conn: second,
                },
            ],
            protocol,
            liberal: protocol == Protocol::Tcp && conn.is_tcp_liberal(),
            stale: AtomicU32::new(0),
            born: now,
            hardware: hardware::Cell::new(),
            progress: [const { Progress::new() }; 2],
        }
    }

    /// What TCP has said in one direction.
    fn progress(&self, side: Side) -> &Progress {
        let [original, reply] = &self.progress;
        match side {
            Side::Original => original,
            Side::Reply => reply,
        }
    }

    /// Notes numbers of the connection: those of a segment of one direction.
    pub(crate) fn note_segment(&self, side: Side, segment: Segment, now: u32) {
        self.progress(side).note(segment, now);
    }

    /// Whether a segment with FIN or RST is one that conntrack has to see: one of the connection's, or one
    /// of which nobody knows, as hardware has forwarded packets of which nothing was noted.
    pub(crate) fn is_closed_by(&self, side: Side, segment: Segment, now: u32) -> bool {
        let (this, other) = (self.progress(side), self.progress(side.other()));
        match tcp::judge(segment, this.noted(), other.noted(), now, HZ) {
            Judgement::Genuine => true,
            Judgement::Foreign => {
                this.note_closing();
                self.hardware.cookie() != 0
            }
        }
    }

    /// Whether there was a FIN or RST of which nobody knows that it is the connection's.
    fn is_closing(&self) -> bool {
        self.progress.iter().any(Progress::is_closing)
    }

    /// A packet moves the deadline of its direction: conntrack's own does not come sooner, and is told what
    /// it would have made of the packet. Softirq.
    ///
    /// Of TCP that is done every other time, as the lowest bit of the deadline says, since it takes two
    /// more lines of memory: the shortest timeouts are those of UDP.
    pub(crate) fn refresh(
        &self,
        side: Side,
        segment: impl FnOnce() -> Option<Segment>,
        deadline: u32,
        now: u32,
    ) {
        let cell = &self.direction(side).deadline;
        let skip = cell.load(Relaxed) & 1;
        // Not later than it is, or the next packet would move it again.
        cell.store(deadline.wrapping_sub(1) & !1 | skip ^ 1, Relaxed);
        if self.protocol == Protocol::Tcp {
            if skip != 0 {
                return;
            }
            if let Some(segment) = segment() {
                self.note_segment(side, segment, now);
            }
        } else {
            self.conn().note_stream(now);
        }
        extend_connection(self.conn(), self.protocol, now);
    }

    /// One direction.
    #[inline(always)]
    pub(crate) fn direction(&self, side: Side) -> &Direction<F> {
        let [original, reply] = &self.directions;
        match side {
            Side::Original => original,
            Side::Reply => reply,
        }
    }

    /// The connection.
    pub(crate) fn conn(&self) -> &Conn {
        &self.direction(Side::Original).conn
    }

    /// Has memory fetch what a visit of the collector reads first.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        prefetch(&raw const self.direction(Side::Original).deadline);
    }

    /// Has memory fetch what it reads next, if that is for [`Self::remaining_or`]. Waits for the
    /// former.
    #[inline(always)]
    pub(crate) fn prefetch_rest(&self, enough: i32, now: u32) {
        self.conn().prefetch();
        if self.direction(Side::Original).remaining(now) < enough {
            prefetch(&raw const self.direction(Side::Reply).deadline);
        }
    }

    /// Whether one of its next hops satisfies `f`.
    pub(crate) fn any_next_hop(&self, rcu: ReadSide<'_>, f: impl Fn(&NextHop) -> bool) -> bool {
        self.directions.iter().any(|d| f(d.next_hop.get(rcu)))
    }

    /// Notes that packets find a next hop outdated. For the one caller to whom that is new, nothing;
    /// for others, the ticks that are left of the second in which it has to get another.
    pub(crate) fn mark_stale(&self, now: u32) -> Option<i32> {
        let deadline = match self.stale.load(Relaxed) {
            0 => {
                let deadline = now.wrapping_add(HZ) | 1;
                self.stale
                    .compare_exchange(0, deadline, Relaxed, Relaxed)
                    .err()?
            }
            deadline => deadline,
        };
        Some(timeout::remaining(deadline, now))
    }

    /// Whether packets have found a next hop outdated.
    pub(crate) fn is_stale(&self) -> bool {
        self.stale.load(Relaxed) != 0
    }

    /// Forgets that. True for the one caller who did.
    pub(crate) fn clear_stale(&self) -> bool {
        self.stale.swap(0, Relaxed) != 0
    }

    /// Gives both directions new next hops. Packets come in as before, or it is another flow.
    pub(crate) fn reroute(&self, original: RcuArc<NextHop>, reply: RcuArc<NextHop>) {
        for (direction, next_hop) in self.directions.iter().zip([original, reply]) {
            direction.next_hop.set(next_hop);
        }
    }

    /// A packet went by of a flow that is not simply active: notes what there is to note. False if the flow
    /// has ended. Softirq.
    #[cold]
    pub(crate) fn note_packet(&self, side: Side) -> bool {
        if side == Side::Reply && self.direction(Side::Original).state.reply() {
            self.conn().note_reply();
        }
        let decides = &self.direction(Side::Original).state;
        if decides.is_active() {
            self.direction(Side::Reply).state.reply();
        }
        decides.forwards()
    }

    /// The state that decides.
    pub(crate) fn state(&self) -> State {
        self.direction(Side::Original).state.get()
    }

    /// Ticks since it was made.
    pub(crate) fn age(&self, now: u32) -> u32 {
        now.wrapping_sub(self.born)
    }

    /// Whether the flow has ended, and only waits to be collected.
    pub(crate) fn is_over(&self) -> bool {
        !self.direction(Side::Original).state.forwards()
    }

    /// Whether hardware may have seen packets of which nobody has heard yet: it is asked, and given
    /// as long as a flow may be idle by default.
    pub(crate) fn is_awaited(&self, now: u32) -> bool {
        // CAST: A small constant.
        const LONGEST: i32 = 30 * HZ as i32;
        self.hardware.is_pending() && self.remaining(now) > -LONGEST
    }

    /// Ticks until the flow has been idle for too long in both directions.
    pub(crate) fn remaining(&self, now: u32) -> i32 {
        self.remaining_or(i32::MAX, now)
    }

    /// The same, or, if that many are `enough`, perhaps only those of the original direction: then the
    /// reply's memory is not touched.
    #[inline(always)]
    pub(crate) fn remaining_or(&self, enough: i32, now: u32) -> i32 {
        let remaining = self.direction(Side::Original).remaining(now);
        if remaining >= enough {
            return remaining;
        }
        remaining.max(self.direction(Side::Reply).remaining(now))
    }

    /// Ends the flow: its packets take the classic path from now on, and conntrack gets its
    /// connection back. True for the one caller who did. Softirq or process context, under RCU.
    pub(crate) fn end(&self, why: Teardown, now: u32) -> bool {
        if !self.direction(Side::Original).state.end(why) {
            return false;
        }
        self.direction(Side::Reply).state.end(why);
        let timeout = self.hand_back(why, now);
        // Last, and only by who has ended the flow: from here on the connection may have another.
        self.conn().release_offload(timeout, now);
        true
    }

    /// Makes conntrack's entry right again, which has not seen the flow's packets
    /// (C: `flow_offload_fixup_ct`). Returns how long it has to live: what it would have, had conntrack
    /// seen the last packet.
    fn hand_back(&self, why: Teardown, now: u32) -> u32 {
        let conn = self.conn();
        let usual = match self.protocol {
            Protocol::Tcp => {
                let is_closing = self.is_closing();
                let noted = self.progress.each_ref().map(Progress::noted);
                // Of what hardware has forwarded nothing was noted.
                let rest = match self.hardware.cookie() {
                    0 if why == Teardown::Expired && !is_closing => tcp::at_rest(noted, now, HZ),
                    _ => None,
                };
                // The packet that ends a connection was judged already.
                let is_judged = why == Teardown::TcpClosing && !is_closing;
                match rest {
                    Some(ends) => conn.tcp_resume_at_rest(ends, tcp::SLACK, self.liberal),
                    None if is_judged => conn.tcp_resume([None; 2]),
                    None => conn.tcp_resume(noted.map(|noted| Some(noted?.acknowledged))),
                }
                // It may have ended unseen: as conntrack has it for such (C: `nf_tcp_handle_invalid`).
                match is_closing {
                    true => conn.tcp_timeout().min(conn.tcp_unacknowledged_timeout()),
                    false => conn.tcp_timeout(),
                }
            }
            Protocol::Udp => conn.udp_timeout(),
            Protocol::Gre => conn.gre_timeout(),
        };
        let offloaded = idle_timeout(conn, self.protocol);
        let timeout = timeout::handed_back(usual, self.remaining(now), offloaded);
        conn.refresh(timeout);
        timeout
    }
}

/// Keeps conntrack from dropping the entry of a living flow, whose packets it does not see
/// (C: `nf_flow_table_extend_ct_timeout`). Any context.
pub(crate) fn extend_connection(conn: &Conn, protocol: Protocol, now: u32) {
    let deadline = conn.deadline();
    if !timeout::wants_extension(deadline, now, HZ) {
        return;
    }
    let extension = match protocol {
        Protocol::Udp | Protocol::Gre => DAY,
        Protocol::Tcp => match conn.tcp_state() {
            TcpState::Established => DAY,
            TcpState::HalfClosed | TcpState::Closing => timeout::EXTEND_BELOW_SECONDS * HZ,
            TcpState::Opening | TcpState::Close | TcpState::Other => return,
        },
    };
    conn.extend_deadline(deadline, now.wrapping_add(extension));
}

/// How long a flow of this connection may be idle, in ticks, by the namespace's settings.
pub(crate) fn idle_timeout(conn: &Conn, protocol: Protocol) -> u32 {
    match protocol {
        Protocol::Tcp => offload_tcp_timeout(conn.namespace()),
        Protocol::Udp => offload_udp_timeout(conn.namespace()),
        Protocol::Gre => timeout::GRE_SECONDS * HZ,
    }
}

impl<F: Ip> Object for Flow<F> {
    type Key = F::Key;
    type Secret = F::Secret;

    #[inline(always)]
    fn key(&self, side: Side) -> &F::Key {
        &self.direction(side).key
    }

    #[inline(always)]
    fn hash(secret: &F::Secret, key: &F::Key) -> u32 {
        F::hash(secret, key)
    }
}

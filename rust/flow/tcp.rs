// SPDX-License-Identifier: GPL-2.0

//! Whether a TCP segment that ends a connection is one of that connection's. Pure: no kernel types.
//!
//! # Problem
//!
//! A FIN or RST ends a connection for conntrack, which then keeps the entry for some seconds only. So
//! somebody who knows no more than addresses and ports must not be able to send one. Conntrack compares
//! sequence numbers with those of the packets before (RFC 5961 has it for hosts), but it has not seen
//! those of an offloaded connection; and to note those of each packet would be a write per packet.
//!
//! # Algorithm
//!
//! Each direction notes where a segment ends and what it acknowledges: of the one that made the flow, of
//! each with PSH, which is the last of what a host has to say for now, and of one in some seconds. So the
//! numbers of a connection that has come to rest are known, and those of one in use have gone on from there
//! by no more than is sent in between; a number that somebody guesses has not:
//!
//! ```text
//!                noted             noted + ahead
//!   ──┬───────────┬─────────────────────┬──────────────────────── 2^32
//!     └─ BEHIND ──┘◄──── plausible ────►│
//! ```
//!
//! A segment with an acknowledgement has to fit with both numbers: by chance one in a hundred thousand does,
//! and one in some thousand while the connection is in use. An RST without one has to continue exactly where
//! its direction ended, or what the other one has acknowledged, as it does when it answers a packet.
//!
//! What is not believed goes to the hosts, who know. Conntrack gives a connection of which it has seen such
//! a segment five minutes (`nf_conntrack_tcp_timeout_unacknowledged`), and so does the end of the flow.

use core::sync::atomic::{
    AtomicU32,
    Ordering::Relaxed, //
};

/// How far numbers may have gone on since they were noted, in bytes; and when the connection is in use.
const AHEAD: u32 = 1 << 22;
const AHEAD_IN_USE: u32 = 1 << 26;
/// For how many seconds a connection counts as in use after something was noted: longer than it takes until
/// something is noted again.
const IN_USE_SECONDS: u32 = 5;
/// How far it may have gone back, as packets overtake each other.
const BEHIND: u32 = 1 << 16;

/// The numbers of a segment: in the order of the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    pub(crate) sequence: u32,
    /// The sequence number behind its data.
    pub(crate) end: u32,
    /// Only with the flag ACK.
    pub(crate) acknowledged: Option<u32>,
}

/// What a direction has noted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Noted {
    pub(crate) sequence: u32,
    pub(crate) acknowledged: u32,
    /// In ticks; the lowest bit is not of the time.
    when: u32,
}

/// A FIN or RST was seen, in place of the lowest bit of a time.
const CLOSING: u32 = 1;

impl Noted {
    /// What is to be expected of the other direction.
    fn answer(self) -> Self {
        Self {
            sequence: self.acknowledged,
            acknowledged: self.sequence,
            when: self.when,
        }
    }

    /// Whether the connection counts as in use.
    fn is_recent(self, now: u32, hz: u32) -> bool {
        now.wrapping_sub(self.when) <= hz.wrapping_mul(IN_USE_SECONDS)
    }
}

/// The notes of one direction. Its words are written one by one: who reads meanwhile sees numbers of two
/// packets, which are close to each other.
#[derive(Debug)]
pub(crate) struct Progress {
    sequence: AtomicU32,
    acknowledged: AtomicU32,
    /// The time, and [`CLOSING`]; the former is zero if there is nothing yet.
    when: AtomicU32,
}

impl Progress {
    pub(crate) const fn new() -> Self {
        Self {
            sequence: AtomicU32::new(0),
            acknowledged: AtomicU32::new(0),
            when: AtomicU32::new(0),
        }
    }

    /// Notes a segment. One without an acknowledgement says too little.
    pub(crate) fn note(&self, segment: Segment, now: u32) {
        if let Some(acknowledged) = segment.acknowledged {
            self.sequence.store(segment.end, Relaxed);
            self.acknowledged.store(acknowledged, Relaxed);
            let closing = self.when.load(Relaxed) & CLOSING;
            self.when.store((now & !CLOSING).max(2) | closing, Relaxed);
        }
    }

    /// What was noted last.
    pub(crate) fn noted(&self) -> Option<Noted> {
        let when = self.when.load(Relaxed) & !CLOSING;
        (when != 0).then(|| Noted {
            sequence: self.sequence.load(Relaxed),
            acknowledged: self.acknowledged.load(Relaxed),
            when,
        })
    }

    /// Notes a FIN or RST that was not believed by itself.
    pub(crate) fn note_closing(&self) {
        self.when.fetch_or(CLOSING, Relaxed);
    }

    /// Whether there was such a one.
    pub(crate) fn is_closing(&self) -> bool {
        self.when.load(Relaxed) & CLOSING != 0
    }
}

/// What a segment with FIN or RST is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Judgement {
    /// One of the connection's: conntrack sees it.
    Genuine,
    /// Perhaps somebody's who does not know the connection: the hosts see it.
    Foreign,
}

/// Whether `number` has come from `noted`.
fn is_plausible(number: u32, noted: u32, ahead: u32) -> bool {
    number.wrapping_sub(noted.wrapping_sub(BEHIND)) <= BEHIND.wrapping_add(ahead)
}

/// By how much the numbers of [`at_rest`] may be wrong, in bytes.
pub(crate) const SLACK: u32 = AHEAD;

/// The later one of two numbers.
fn later(a: u32, b: u32) -> u32 {
    // CAST: The difference of two numbers of a connection.
    match a.wrapping_sub(b) as i32 > 0 {
        true => a,
        false => b,
    }
}

/// Where each direction of a connection has ended that has come to rest, give or take [`SLACK`]: the sequence
/// number behind all that was sent, of which the other side has got everything by now. [`None`] if that
/// is not so, or if notes say too little.
pub(crate) fn at_rest(noted: [Option<Noted>; 2], now: u32, hz: u32) -> Option<[u32; 2]> {
    let [original, reply] = noted;
    let original = original.or(reply.map(Noted::answer))?;
    let reply = reply.unwrap_or(original.answer());
    let is_old = |noted: Noted| !noted.is_recent(now, hz);
    let agree = |sent, got| is_plausible(sent, got, AHEAD) || is_plausible(got, sent, AHEAD);
    let is_known = is_old(original)
        && is_old(reply)
        && agree(original.sequence, reply.acknowledged)
        && agree(reply.sequence, original.acknowledged);
    is_known.then(|| {
        [
            later(original.sequence, reply.acknowledged),
            later(reply.sequence, original.acknowledged),
        ]
    })
}

/// Judges a segment with FIN or RST by itself. `this` was noted of its direction, `other` of the other one;
/// `hz` is the number of ticks in a second.
pub(crate) fn judge(
    segment: Segment,
    this: Option<Noted>,
    other: Option<Noted>,
    now: u32,
    hz: u32,
) -> Judgement {
    // Of either direction the other tells something, too.
    let (Some(this), Some(other)) = (
        this.or(other.map(Noted::answer)),
        other.or(this.map(Noted::answer)),
    ) else {
        // Nothing was said so far.
        return Judgement::Genuine;
    };
    let ahead = if this.is_recent(now, hz) || other.is_recent(now, hz) {
        AHEAD_IN_USE
    } else {
        AHEAD
    };
    let fits = match segment.acknowledged {
        Some(acknowledged) => {
            let follows = |number, one, another| {
                is_plausible(number, one, ahead) || is_plausible(number, another, ahead)
            };
            follows(segment.sequence, this.sequence, other.acknowledged)
                && follows(acknowledged, this.acknowledged, other.sequence)
        }
        None => segment.sequence == this.sequence || segment.sequence == other.acknowledged,
    };
    if fits {
        Judgement::Genuine
    } else {
        Judgement::Foreign
    }
}

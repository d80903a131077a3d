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
//! Each direction notes the sequence and acknowledgement numbers of a packet that moves its deadline: of
//! the first, and then of one in a second at most. What a packet said later has gone on from there, by what
//! has been sent in a second at most; a number that somebody guesses has not:
//!
//! ```text
//!                noted             noted + AHEAD
//!   ──┬───────────┬─────────────────────┬──────────────────────── 2^32
//!     └─ BEHIND ──┘◄──── plausible ────►│
//! ```
//!
//! A segment with an acknowledgement has to fit with both numbers: by chance one in 2^16 does. An RST
//! without one answers a packet of the other direction, and has that packet's acknowledgement number for
//! its own sequence number, exactly: the packet is the last that was noted, as the one it answers has
//! nothing to say any more.
//!
//! | segment | the connection is | judgement |
//! |---|---|---|
//! | fits | | [`Genuine`](Judgement::Genuine): conntrack sees it |
//! | does not fit | idle | [`Foreign`](Judgement::Foreign): the hosts see it, and ignore it |
//! | does not fit | in use | [`Doubtful`](Judgement::Doubtful): the hosts see it; conntrack sees what comes next |

use core::sync::atomic::{
    AtomicU32,
    Ordering::Relaxed, //
};

/// How far a number may have gone on since it was noted, in bytes, and when the connection is in use:
/// the sequence number then by what the fastest links carry in two seconds.
const AHEAD: u32 = 1 << 24;
const AHEAD_IN_USE: u32 = 1 << 28;
/// How far it may have gone back, as packets overtake each other.
const BEHIND: u32 = 1 << 16;

/// The numbers of a segment: in the order of the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    pub(crate) sequence: u32,
    /// Only with the flag ACK.
    pub(crate) acknowledged: Option<u32>,
}

/// What a direction has noted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Noted {
    pub(crate) sequence: u32,
    pub(crate) acknowledged: u32,
    /// In ticks, never zero.
    when: u32,
}

impl Noted {
    /// What is to be expected of the other direction.
    fn answer(self) -> Self {
        Self {
            sequence: self.acknowledged,
            acknowledged: self.sequence,
            when: self.when,
        }
    }
}

/// The notes of one direction. Its words are written one by one: who reads meanwhile sees numbers of two
/// packets, which are close to each other.
#[derive(Debug)]
pub(crate) struct Progress {
    sequence: AtomicU32,
    acknowledged: AtomicU32,
    /// Zero if there is nothing yet.
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
            self.sequence.store(segment.sequence, Relaxed);
            self.acknowledged.store(acknowledged, Relaxed);
            self.when.store(now.max(1), Relaxed);
        }
    }

    /// What was noted last.
    pub(crate) fn noted(&self) -> Option<Noted> {
        let when = self.when.load(Relaxed);
        (when != 0).then(|| Noted {
            sequence: self.sequence.load(Relaxed),
            acknowledged: self.acknowledged.load(Relaxed),
            when,
        })
    }
}

/// What a segment with FIN or RST is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Judgement {
    /// One of the connection's.
    Genuine,
    /// It may be: the connection is in use, and has gone on further than expected.
    Doubtful,
    /// Somebody's who does not know the connection.
    Foreign,
}

/// Whether `number` has come from `noted`.
fn is_plausible(number: u32, noted: u32, ahead: u32) -> bool {
    number.wrapping_sub(noted.wrapping_sub(BEHIND)) <= BEHIND.wrapping_add(ahead)
}

/// Judges a segment with FIN or RST. `this` was noted of its direction, `other` of the other one; `hz` is
/// the number of ticks in a second.
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
    // A packet in the last second may not have been noted; the one before it was.
    let recent = |noted: Noted| now.wrapping_sub(noted.when) <= hz.wrapping_mul(2);
    let in_use = recent(this) || recent(other);
    let fits = match segment.acknowledged {
        Some(acknowledged) => {
            let ahead = if in_use { AHEAD_IN_USE } else { AHEAD };
            is_plausible(segment.sequence, this.sequence, ahead)
                && is_plausible(acknowledged, this.acknowledged, AHEAD)
        }
        None => segment.sequence == other.acknowledged,
    };
    match (fits, in_use) {
        (true, _) => Judgement::Genuine,
        (false, true) => Judgement::Doubtful,
        (false, false) => Judgement::Foreign,
    }
}

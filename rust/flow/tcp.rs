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
//! Each direction notes the sequence and acknowledgement numbers of a packet now and then: of the one that
//! made the flow, and of one in some seconds. What is said later has gone on from there, by what has been
//! sent in some seconds at most; a number that somebody guesses has not:
//!
//! ```text
//!                noted             noted + ahead
//!   ──┬───────────┬─────────────────────┬──────────────────────── 2^32
//!     └─ BEHIND ──┘◄──── plausible ────►│
//! ```
//!
//! A segment with an acknowledgement has to fit with both numbers: by chance one in some thousand does. An
//! RST without one answers a packet of the other direction, and has that packet's acknowledgement number for
//! its own sequence number, exactly.
//!
//! A FIN that does not fit is believed when the other direction has one, too: who is not on the way can send
//! only one of them, since packets of a flow come in by one device in each direction.
//!
//! | segment | the connection is | judgement |
//! |---|---|---|
//! | fits, or is the second FIN | | [`Genuine`](Judgement::Genuine): conntrack sees it |
//! | does not fit | idle, or it is a FIN | [`Foreign`](Judgement::Foreign): the hosts see it, and know |
//! | does not fit | in use | [`Doubtful`](Judgement::Doubtful): the hosts see it; conntrack sees what comes next |

use core::sync::atomic::{
    AtomicU32,
    Ordering::Relaxed, //
};

/// How far numbers may have gone on since they were noted, in bytes; and the sequence number when the
/// connection is in use: by what fast links carry in two seconds.
const AHEAD: u32 = 1 << 26;
const AHEAD_IN_USE: u32 = 1 << 28;
/// For how many seconds a connection counts as in use after something was noted: longer than it takes until
/// something is noted again.
const IN_USE_SECONDS: u32 = 5;
/// How far it may have gone back, as packets overtake each other.
const BEHIND: u32 = 1 << 16;

/// The numbers of a segment: in the order of the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    pub(crate) sequence: u32,
    /// Only with the flag ACK.
    pub(crate) acknowledged: Option<u32>,
    /// The flag FIN.
    pub(crate) is_fin: bool,
}

/// What a direction has noted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Noted {
    pub(crate) sequence: u32,
    pub(crate) acknowledged: u32,
    /// In ticks; the lowest bit is not of the time.
    when: u32,
}

/// A FIN was seen, in place of the lowest bit of a time.
const FIN: u32 = 1;

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
    /// The time, and [`FIN`]; the former is zero if there is nothing yet.
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
            let fin = self.when.load(Relaxed) & FIN;
            self.when.store((now & !FIN).max(2) | fin, Relaxed);
        }
    }

    /// What was noted last.
    pub(crate) fn noted(&self) -> Option<Noted> {
        let when = self.when.load(Relaxed) & !FIN;
        (when != 0).then(|| Noted {
            sequence: self.sequence.load(Relaxed),
            acknowledged: self.acknowledged.load(Relaxed),
            when,
        })
    }

    /// Notes a FIN.
    pub(crate) fn note_fin(&self) {
        self.when.fetch_or(FIN, Relaxed);
    }

    /// Whether a FIN was seen.
    pub(crate) fn has_fin(&self) -> bool {
        self.when.load(Relaxed) & FIN != 0
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

/// Judges a segment with FIN or RST by itself. `this` was noted of its direction, `other` of the other one; `hz` is
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
    let recent = |noted: Noted| now.wrapping_sub(noted.when) <= hz.wrapping_mul(IN_USE_SECONDS);
    let in_use = recent(this) || recent(other);
    let fits = match segment.acknowledged {
        Some(acknowledged) => {
            let ahead = if in_use { AHEAD_IN_USE } else { AHEAD };
            is_plausible(segment.sequence, this.sequence, ahead)
                && is_plausible(acknowledged, this.acknowledged, AHEAD)
        }
        None => segment.sequence == other.acknowledged,
    };
    if fits {
        Judgement::Genuine
    } else if in_use && !segment.is_fin {
        Judgement::Doubtful
    } else {
        Judgement::Foreign
    }
}

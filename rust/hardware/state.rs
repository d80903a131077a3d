// SPDX-License-Identifier: GPL-2.0

//! What hardware knows of a flow, and what is to be done about it, as one word. Pure: no kernel
//! types.
//!
//! ```text
//!             ask(INSTALL)            begin()             finish()
//!   idle ───────────────────► queued ────────► in hand ───────────► idle
//!                               ▲                  │ asked meanwhile
//!                               └──────────────────┘
//! ```
//!
//! Anybody may ask for something at any time. The first who does puts the flow into the queue; a
//! worker takes it out, and has it in hand until it is finished. So a flow is in one worker's hands
//! at most, and what is asked for meanwhile is not lost.
//!
//! Independently of that a flow is *installed*, or not: some driver has its rules. A flow that is
//! neither installed nor queued can be retired, once, and is out of reach for hardware then. So
//! nobody can be about to use a flow that has left the table.

use core::sync::atomic::{
    AtomicU32,
    AtomicU64,
    Ordering::{
        AcqRel,
        Acquire,
        Relaxed, //
    }, //
};

/// In the queue, or in a worker's hands.
const QUEUED: u32 = 1;
/// Some driver has the rules.
const INSTALLED: u32 = 1 << 1;
/// No driver will ever take them, as things are.
const REFUSED: u32 = 1 << 2;
/// Out of reach.
const RETIRED: u32 = 1 << 3;
/// What is asked for.
const INSTALL: u32 = 1 << 4;
const REMOVE: u32 = 1 << 5;
const STATS: u32 = 1 << 6;
/// It has been offered; from then on patience is a time.
const ADMITTED: u32 = 1 << 7;
const WISHES: u32 = INSTALL | REMOVE | STATS;

/// What may be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wish {
    /// That drivers have the rules; also if they are thought to have them.
    Install,
    /// That they do not.
    Remove,
    /// What packets the rules have seen.
    Stats,
}

impl Wish {
    fn bit(self) -> u32 {
        match self {
            Wish::Install => INSTALL,
            Wish::Remove => REMOVE,
            Wish::Stats => STATS,
        }
    }
}

/// All that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wishes(u32);

impl Wishes {
    pub(crate) fn has(self, wish: Wish) -> bool {
        self.0 & wish.bit() != 0
    }
}

/// How things are, for showing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// In software only, so far.
    Software,
    /// On its way.
    Pending,
    /// Hardware has it.
    Installed,
    /// Hardware does not take it.
    Refused,
}

/// The part of a flow that hardware is concerned with.
#[derive(Debug)]
pub(crate) struct Cell {
    /// What drivers know the rules by: this for those of the original direction, and one more for
    /// those of the reply direction. Zero if they never heard of the flow.
    cookie: AtomicU64,
    word: AtomicU32,
    /// The next in the queue.
    next: AtomicU32,
    /// Packets that software has seen, until there were enough; from then on, when to ask again, in
    /// ticks.
    patience: AtomicU32,
}

impl Cell {
    pub(crate) const fn new() -> Self {
        Self {
            cookie: AtomicU64::new(0),
            word: AtomicU32::new(0),
            next: AtomicU32::new(u32::MAX),
            patience: AtomicU32::new(0),
        }
    }

    /// Asks for something. True for the caller who has to put the flow into the queue.
    pub(crate) fn ask(&self, wish: Wish) -> bool {
        self.word
            .fetch_update(AcqRel, Acquire, |word| {
                (word & RETIRED == 0).then_some(word | wish.bit() | QUEUED)
            })
            .is_ok_and(|before| before & QUEUED == 0)
    }

    /// Takes a flow that came out of the queue in hand.
    pub(crate) fn begin(&self) -> Wishes {
        Wishes(self.word.fetch_and(!WISHES, AcqRel) & WISHES)
    }

    /// Lets go of it. False if something was asked for meanwhile: then it goes into the queue again.
    ///
    /// What drivers do not have needs no removal, whoever asked for it while it was removed; nor is
    /// there anything to count.
    pub(crate) fn finish(&self) -> bool {
        self.word
            .fetch_update(AcqRel, Acquire, |word| {
                let moot = match word & INSTALLED {
                    0 => REMOVE | STATS,
                    _ => 0,
                };
                (word & WISHES & !moot == 0).then_some(word & !(QUEUED | moot))
            })
            .is_ok()
    }

    /// Puts it out of reach, if hardware has nothing to do with it. True if it is.
    pub(crate) fn retire(&self) -> bool {
        self.word
            .fetch_update(AcqRel, Acquire, |word| {
                (word & (QUEUED | INSTALLED) == 0).then_some(word | RETIRED)
            })
            .is_ok()
    }

    /// Notes that drivers have the rules, or not. Only for who has the flow in hand.
    pub(crate) fn set_installed(&self, installed: bool) {
        if installed {
            self.word.fetch_or(INSTALLED, AcqRel);
        } else {
            self.word.fetch_and(!INSTALLED, AcqRel);
        }
    }

    /// Notes that no driver will take the rules; or forgets that.
    pub(crate) fn set_refused(&self, refused: bool) {
        if refused {
            self.word.fetch_or(REFUSED, Relaxed);
        } else {
            self.word.fetch_and(!REFUSED, Relaxed);
        }
    }

    #[inline(always)]
    pub(crate) fn is_installed(&self) -> bool {
        self.word.load(Acquire) & INSTALLED != 0
    }

    /// Whether drivers may know of it, now or very soon.
    pub(crate) fn is_known(&self) -> bool {
        self.word.load(Acquire) & (INSTALLED | QUEUED) != 0
    }

    /// Whether something is being done about it.
    pub(crate) fn is_pending(&self) -> bool {
        self.word.load(Acquire) & QUEUED != 0
    }

    /// Notes that it is offered to hardware from now on.
    pub(crate) fn admit(&self) {
        self.word.fetch_or(ADMITTED, Relaxed);
    }

    /// Whether it was ever offered.
    #[inline(always)]
    pub(crate) fn is_admitted(&self) -> bool {
        self.word.load(Relaxed) & ADMITTED != 0
    }

    /// Whether asking for an installation is of no use just now: one is coming, or never will.
    #[inline(always)]
    pub(crate) fn is_settled(&self) -> bool {
        self.word.load(Relaxed) & (QUEUED | REFUSED | RETIRED) != 0
    }

    pub(crate) fn standing(&self) -> Standing {
        match self.word.load(Relaxed) {
            word if word & INSTALLED != 0 => Standing::Installed,
            word if word & QUEUED != 0 => Standing::Pending,
            word if word & REFUSED != 0 => Standing::Refused,
            _ => Standing::Software,
        }
    }

    /// What drivers know it by.
    pub(crate) fn cookie(&self) -> u64 {
        self.cookie.load(Relaxed)
    }

    /// Gives it another name. Only for who has the flow in hand.
    pub(crate) fn set_cookie(&self, cookie: u64) {
        self.cookie.store(cookie, Relaxed);
    }

    /// A place for the queue, which changes it under its lock.
    pub(crate) fn next(&self) -> &AtomicU32 {
        &self.next
    }

    /// Packets seen, or a time.
    pub(crate) fn patience(&self) -> &AtomicU32 {
        &self.patience
    }
}

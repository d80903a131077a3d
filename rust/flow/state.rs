// SPDX-License-Identifier: GPL-2.0

//! The life of a flow, as one word. Pure: no kernel types.
//!
//! ```text
//! Unreplied ──a packet of the reply direction──► Active
//!     │                                            │
//!     └────────────────► Over(why) ◄───────────────┘
//! ```
//!
//! Transitions are made by compare-exchange, so that each has one winner: who ends a flow also
//! hands its connection back to conntrack, once.

use crate::reason::Teardown;
use core::sync::atomic::{
    AtomicU8,
    Ordering::{
        AcqRel,
        Acquire,
        Relaxed, //
    }, //
};

/// Where a flow is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Packets are forwarded, and have gone one way only so far.
    Unreplied,
    /// Packets are forwarded.
    Active,
    /// Packets take the classic path; the flow is about to go.
    Over(Teardown),
}

const ACTIVE: u8 = 0;
const UNREPLIED: u8 = 1;
const OVER: u8 = 2;

impl State {
    /// Its name, as shown to people: for one that is over, why.
    #[cfg_attr(test, allow(dead_code))]
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Unreplied => "unreplied",
            State::Active => "active",
            State::Over(why) => why.name(),
        }
    }

    #[inline(always)]
    fn encode(self) -> u8 {
        match self {
            State::Unreplied => UNREPLIED,
            State::Active => ACTIVE,
            // CAST: Reasons are few.
            State::Over(why) => OVER + why as u8,
        }
    }

    #[inline(always)]
    fn decode(raw: u8) -> Self {
        match raw {
            ACTIVE => State::Active,
            UNREPLIED => State::Unreplied,
            over => State::Over(Teardown::from_number(usize::from(over - OVER))),
        }
    }
}

/// The state of a flow, shared by all CPUs.
#[derive(Debug)]
pub(crate) struct Cell(AtomicU8);

impl Cell {
    /// Of a flow whose connection has seen packets both ways, or not.
    pub(crate) const fn new(replied: bool) -> Self {
        Self(AtomicU8::new(if replied { ACTIVE } else { UNREPLIED }))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> State {
        State::decode(self.0.load(Acquire))
    }

    /// Whether packets are forwarded, and there is nothing to note of them: [`State::Active`].
    #[inline(always)]
    pub(crate) fn is_active(&self) -> bool {
        self.0.load(Acquire) == ACTIVE
    }

    /// Notes that a packet of the reply direction went by. True for the one caller who did.
    pub(crate) fn reply(&self) -> bool {
        self.0
            .compare_exchange(UNREPLIED, ACTIVE, AcqRel, Relaxed)
            .is_ok()
    }

    /// Whether packets are forwarded, without asking why not.
    #[inline(always)]
    pub(crate) fn forwards(&self) -> bool {
        self.0.load(Acquire) < OVER
    }

    /// Ends the flow. True for the one caller who did.
    pub(crate) fn end(&self, why: Teardown) -> bool {
        let over = State::Over(why).encode();
        // Between the two attempts it may have become active, and that one is made second; it cannot go
        // back.
        [UNREPLIED, ACTIVE]
            .into_iter()
            .any(|from| self.0.compare_exchange(from, over, AcqRel, Relaxed).is_ok())
    }
}

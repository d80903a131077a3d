// SPDX-License-Identifier: GPL-2.0

//! A queue of flows that hardware has to hear of: two lists, first in, first out. Pure: no kernel
//! types.
//!
//! A flow is found by its index, and linked by a word in itself, so that the queue never allocates.
//! What is urgent, the removal of rules, does not wait behind what is not. All of it is changed
//! under the owner's lock.

use core::sync::atomic::{
    AtomicU32,
    Ordering::Relaxed, //
};

/// No flow.
const NONE: u32 = u32::MAX;

/// Where the flows are.
pub(crate) trait Links {
    /// Runs `f` on the link of a flow; [`None`] if there is none.
    fn link<R>(&self, index: u32, f: impl FnOnce(&AtomicU32) -> R) -> Option<R>;
}

/// A list.
#[derive(Debug)]
struct List {
    head: u32,
    tail: u32,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Queue {
    urgent: List,
    ordinary: List,
}

impl List {
    const EMPTY: Self = Self {
        head: NONE,
        tail: NONE,
    };

    fn push(&mut self, flows: &impl Links, index: u32) {
        if flows
            .link(index, |link| link.store(NONE, Relaxed))
            .is_none()
        {
            return;
        }
        if self.head == NONE {
            self.head = index;
        } else {
            flows.link(self.tail, |link| link.store(index, Relaxed));
        }
        self.tail = index;
    }

    fn pop(&mut self, flows: &impl Links) -> Option<u32> {
        let index = self.head;
        if index == NONE {
            return None;
        }
        self.head = flows.link(index, |link| link.load(Relaxed)).unwrap_or(NONE);
        Some(index)
    }
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self {
            urgent: List::EMPTY,
            ordinary: List::EMPTY,
        }
    }

    /// Puts a flow at the end, that is in no list.
    pub(crate) fn push(&mut self, flows: &impl Links, index: u32, urgent: bool) {
        let list = if urgent {
            &mut self.urgent
        } else {
            &mut self.ordinary
        };
        list.push(flows, index);
    }

    /// Takes the first.
    pub(crate) fn pop(&mut self, flows: &impl Links) -> Option<u32> {
        self.urgent.pop(flows).or_else(|| self.ordinary.pop(flows))
    }
}

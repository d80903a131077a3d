// SPDX-License-Identifier: GPL-2.0

//! A timing wheel: which objects are due for a visit. Pure: no kernel types.
//!
//! One list for each of the coming 64 seconds. An object is in one list; its links are two indices
//! within the object, and it is found by index, so that adding and removing touch only neighbours
//! and never allocate. Deadlines move with every packet, but the wheel does not follow: an object is
//! visited when it was to end, and sent on from there if it lives. So the cost is that of visits,
//! about one per object and timeout, instead of one per object and second.
//!
//! All of it is changed under the owner's lock; the links are atomic only so that objects can be
//! shared.

use core::sync::atomic::{
    AtomicU32,
    AtomicU8,
    Ordering::Relaxed, //
};

/// Seconds that the wheel covers; a later visit is made early.
pub(crate) const SECONDS: u32 = 64;
/// The list of those that are due now.
const DUE: u8 = SECONDS as u8;
/// In no list.
const NOWHERE: u8 = u8::MAX;
/// No object.
const NONE: u32 = u32::MAX;

/// An object's place in the wheel.
#[derive(Debug)]
pub(crate) struct Links {
    next: AtomicU32,
    prev: AtomicU32,
    list: AtomicU8,
}

impl Links {
    pub(crate) const fn new() -> Self {
        Self {
            next: AtomicU32::new(NONE),
            prev: AtomicU32::new(NONE),
            list: AtomicU8::new(NOWHERE),
        }
    }

    /// Whether the object is due already. Needs no lock, and may be outdated.
    pub(crate) fn is_due(&self) -> bool {
        self.list.load(Relaxed) == DUE
    }
}

/// Where the objects are.
pub(crate) trait Objects {
    /// Runs `f` on the links of an object; [`None`] if there is none.
    fn links<R>(&self, index: u32, f: impl FnOnce(&Links) -> R) -> Option<R>;
}

/// The wheel.
#[derive(Debug)]
pub(crate) struct Wheel {
    heads: [u32; SECONDS as usize + 1],
    /// The second up to which all lists have been made due.
    now: u32,
}

impl Wheel {
    /// An empty wheel; `now` is a clock of seconds that may wrap.
    pub(crate) fn new(now: u32) -> Self {
        Self {
            heads: [NONE; SECONDS as usize + 1],
            now,
        }
    }

    fn head(&mut self, list: u8) -> &mut u32 {
        let last = self.heads.len() - 1;
        &mut self.heads[usize::from(list).min(last)]
    }

    fn link(&mut self, objects: &impl Objects, index: u32, list: u8) {
        let first = *self.head(list);
        let linked = objects.links(index, |links| {
            links.next.store(first, Relaxed);
            links.prev.store(NONE, Relaxed);
            links.list.store(list, Relaxed);
        });
        if linked.is_some() {
            objects.links(first, |links| links.prev.store(index, Relaxed));
            *self.head(list) = index;
        }
    }

    /// Takes an object out of the wheel; false if it is in no list.
    pub(crate) fn remove(&mut self, objects: &impl Objects, index: u32) -> bool {
        let Some((list, prev, next)) = objects.links(index, |links| {
            (
                links.list.swap(NOWHERE, Relaxed),
                links.prev.load(Relaxed),
                links.next.load(Relaxed),
            )
        }) else {
            return false;
        };
        if list == NOWHERE {
            return false;
        }
        objects.links(next, |links| links.prev.store(prev, Relaxed));
        if objects
            .links(prev, |links| links.next.store(next, Relaxed))
            .is_none()
        {
            *self.head(list) = next;
        }
        true
    }

    /// Puts an object that is in no list where it will be due in `seconds`, at least one.
    pub(crate) fn add(&mut self, objects: &impl Objects, index: u32, seconds: u32) {
        let seconds = seconds.clamp(1, SECONDS - 1);
        // CAST: Less than 64.
        let list = (self.now.wrapping_add(seconds) % SECONDS) as u8;
        self.link(objects, index, list);
    }

    /// Makes an object due now, if it is in the wheel.
    pub(crate) fn expedite(&mut self, objects: &impl Objects, index: u32) {
        if self.remove(objects, index) {
            self.link(objects, index, DUE);
        }
    }

    /// Takes one object that is due at second `now`; it is in no list then.
    pub(crate) fn pop(&mut self, objects: &impl Objects, now: u32) -> Option<u32> {
        loop {
            // CAST: Less than 64. New objects go to lists ahead of this one, so it runs empty.
            for list in [DUE, (self.now % SECONDS) as u8] {
                let first = *self.head(list);
                if first != NONE {
                    if self.remove(objects, first) {
                        return Some(first);
                    }
                    // An object that vanished without being removed from here: let go of what
                    // followed rather than turn in circles.
                    *self.head(list) = NONE;
                }
            }
            let behind = now.wrapping_sub(self.now);
            if behind == 0 || behind > u32::MAX / 2 {
                return None;
            }
            // After a long sleep once around is enough.
            if behind > SECONDS {
                self.now = now.wrapping_sub(SECONDS);
            }
            self.now = self.now.wrapping_add(1);
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Ways that were found a moment ago, by what they depend on.
//!
//! A flow needs two next hops, and finding them is most of what making it costs: a lookup in the
//! routing tables, one in those of neighbours for each direction, and one among the next hops. But
//! the next connection mostly goes where one has just gone. So the answers are kept for a moment.
//!
//! Two kinds of questions have answers that can be kept:
//!
//! - Where do packets with this route go? To the neighbour that is the route's gateway, or else the
//!   destination itself.
//! - Where do packets go that come in by this device, to this destination? That is for the routing
//!   tables to say, and they may look at all of the packet. They look at nothing but these, and the
//!   traffic class, where there are no rules, no policies, no realms, and one path: who asks and who
//!   answers has to see to that, see [`crate::path`].
//!
//! # How long
//!
//! An answer is good as long as the next hop is: its route is asked each time whether it still
//! holds, as a packet would ask it, and each change of the tables, of rules, or of addresses ends
//! that; its neighbour whether it has an address. Events that change the way declare it outdated.
//! What nobody tells of, as settings, is looked at when the answers are forgotten: all of them once
//! a second, by the collector, before it looks for next hops that nobody uses. So none is kept
//! longer, with its device and its neighbour, than if there were no answers.
//!
//! # Bounds
//!
//! One place for an answer, which the question selects, and the last one has it. Whoever makes
//! questions that are in each other's way has them looked up, as all were without this.

use super::learned::Learned;
use super::{
    Link,
    NextHop, //
};
use crate::compat::prelude::*;
use crate::kernel_net::lock::SpinLockBh;
use crate::kernel_net::netfilter::Family;
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::rcu_arc::RcuArc;

/// Places for answers: two to the power of this.
const BITS: u32 = 7;
const PLACES: usize = 1 << BITS;

/// What a way depends on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question {
    /// The address of a route, which is even, or the rest of what a lookup depends on, and one.
    from: u64,
    destination: [u64; 2],
}

/// An address as two words.
fn words(address: &[u8; 16]) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *address;
    [
        u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
        u64::from_ne_bytes(rest),
    ]
}

impl Question {
    /// The way of packets that have this route. `destination` matters where the route leads to hosts
    /// themselves, and is none where it leads to a gateway.
    pub(crate) fn of_route(route: usize, destination: Option<&[u8; 16]>) -> Self {
        Self {
            // CAST: As wide as an address, or wider.
            from: route as u64,
            destination: destination.map_or([0; 2], words),
        }
    }

    fn place(&self) -> usize {
        let [a, b] = self.destination;
        // Any odd number without a pattern: the uppermost bits of the product depend on all others.
        let mixed =
            (self.from ^ a.rotate_left(23) ^ b.rotate_left(47)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // CAST: Less than the number of places.
        (mixed >> (u64::BITS - BITS)) as usize
    }
}

/// Which packets that come in are asked about: those of a version of IP and of a traffic class.
#[derive(Clone, Copy)]
pub(crate) struct Arrival(u64);

impl Arrival {
    /// Packets of this version, if it is known, and class.
    pub(crate) fn of_class(family: Option<Family>, class: u8) -> Self {
        let family = family.map_or(0, Family::as_raw);
        Self(u64::from(class) << 16 | u64::from(family) << 8 | 1)
    }

    /// The way of those that come in by the device with this index.
    pub(crate) fn question(self, ifindex: u32, destination: &[u8; 16]) -> Question {
        Question {
            from: u64::from(ifindex) << 32 | self.0,
            destination: words(destination),
        }
    }
}

/// A question, and the way that was the answer.
type Answered = Option<(Question, RcuArc<NextHop>)>;

/// The answers.
pub(crate) struct Recent(KVec<Answered>);

impl Recent {
    /// No answers. Fails with `ENOMEM`.
    pub(super) fn new(flags: kernel::alloc::Flags) -> Result<Self> {
        let mut places = KVec::with_capacity(PLACES, flags)?;
        for _ in 0..PLACES {
            places.push(None, flags)?;
        }
        Ok(Self(places))
    }

    /// The answer to a question, if it is still good. Under RCU.
    fn get(&self, question: &Question, rcu: ReadSide<'_>) -> Option<&RcuArc<NextHop>> {
        let (asked, hop) = self.0.get(question.place())?.as_ref()?;
        (asked == question && hop.is_good(rcu)).then_some(hop)
    }

    /// Notes an answer, and gives back what has to be dropped when the lock is released.
    #[must_use]
    fn put(&mut self, question: Question, hop: RcuArc<NextHop>) -> Answered {
        self.0.get_mut(question.place())?.replace((question, hop))
    }

    /// Forgets all answers.
    pub(super) fn clear(&mut self) {
        self.0.iter_mut().for_each(|place| *place = None);
    }
}

impl NextHop {
    /// Whether packets could go this way now, as far as can be seen without sending one. Only for
    /// ways of which that can be seen: see [`Self::is_simple`].
    fn is_good(&self, rcu: ReadSide<'_>) -> bool {
        let Link::Ethernet { station, .. } = &self.link else {
            return false;
        };
        !self.is_outdated()
            && !self.policed
            && !self.bridged.as_ref().is_some_and(Learned::is_outdated)
            && self.dst.is_current(rcu)
            && station.is_valid()
            && station.is_where_it_was()
    }

    /// Whether the way is nothing but devices down to an Ethernet device, so that what has to be
    /// looked at is one route and one neighbour.
    fn is_simple(&self) -> bool {
        self.tunnel.is_none() && matches!(self.link, Link::Ethernet { .. })
    }
}

impl super::NextHops {
    /// The answers, if any were ever kept.
    fn recent(&self) -> Option<&SpinLockBh<Recent>> {
        self.places.get().map(|places| &places.recent)
    }

    /// The good answers to a question, and to the one that depends on the first answer. Softirq.
    pub(crate) fn recall_both(
        &self,
        first: &Question,
        second: impl FnOnce(&NextHop) -> Option<Question>,
        rcu: ReadSide<'_>,
    ) -> (Option<RcuArc<NextHop>>, Option<RcuArc<NextHop>>) {
        let Some(recent) = self.recent() else {
            return (None, None);
        };
        let recent = recent.lock();
        let first = recent.get(first, rcu);
        let second = first
            .and_then(|hop| second(hop))
            .and_then(|question| recent.get(&question, rcu));
        (first.cloned(), second.cloned())
    }

    /// Keeps an answer for a moment. Softirq.
    pub(crate) fn remember(&self, question: Question, hop: &RcuArc<NextHop>) {
        if let Some(recent) = self.recent().filter(|_| hop.is_simple()) {
            let old = recent.lock().put(question, hop.clone());
            drop(old);
        }
    }

    /// The answer to a question, if there is a good one; then it is kept as that to another, too.
    /// Softirq.
    pub(crate) fn recall(
        &self,
        question: &Question,
        another: Option<Question>,
        rcu: ReadSide<'_>,
    ) -> Option<RcuArc<NextHop>> {
        let mut recent = self.recent()?.lock();
        let hop = recent.get(question, rcu)?.clone();
        let old = another.and_then(|another| recent.put(another, hop.clone()));
        drop(recent);
        drop(old);
        Some(hop)
    }
}

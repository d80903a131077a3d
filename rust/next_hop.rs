// SPDX-License-Identifier: GPL-2.0

//! Next hops: how packets leave, shared by all flows that go the same way.
//!
//! A packet checks its next hop's route and neighbour, a few loads from lines that are hot because
//! everybody uses them. What cannot be seen there comes as an event, which ends the flows.

use crate::kernel_net::device::Device;
use crate::kernel_net::dst::Dst;
use crate::kernel_net::lock::SpinLockBh;
use crate::kernel_net::neighbour::{
    Mac,
    Neighbour, //
};
use crate::kernel_net::percpu::Counter;
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::skb::Skb;
use crate::new_spinlock_bh;
use crate::reason::Refusal;
use core::ops::Deref;
use core::ptr;
use core::sync::atomic::{
    AtomicU32,
    Ordering::Relaxed, //
};
use kernel::prelude::*;
use kernel::sync::aref::ARef;
use kernel::sync::Arc;

/// How the link-layer header is made.
enum Link {
    /// Ethernet, from this address.
    Ethernet {
        source: Mac,
        neighbour: ARef<Neighbour>,
    },
    /// By the device's own function.
    Other { neighbour: ARef<Neighbour> },
    /// There is none.
    None,
}

/// A way out.
pub(crate) struct NextHop {
    dst: Dst,
    device: ARef<Device>,
    link: Link,
    /// The largest packet, from the network header on.
    pub(crate) mtu: u32,
    /// Room that packets need before them.
    pub(crate) headroom: u32,
    /// The device's index.
    pub(crate) ifindex: u32,
    /// Flows that go this way.
    users: AtomicU32,
}

/// What a packet finds when it looks at its next hop.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    Good,
    /// The route is not the one any more that the packet would take.
    RouteChanged,
    /// The neighbour's entry was deleted.
    NeighbourGone,
    /// The neighbour's address is not known just now; that may change.
    NeighbourUnknown,
}

impl NextHop {
    /// The way that `dst` leads to `destination`.
    fn new(dst: Dst, destination: &[u8; 16], rcu: ReadSide<'_>) -> Result<Self, Refusal> {
        let device = dst.device(rcu);
        let neighbour = || match dst.neighbour(destination) {
            Some(neighbour) if neighbour.is_valid() => Ok(neighbour),
            _ => Err(Refusal::NeighbourUnknown),
        };
        let link = if device.is_ethernet() {
            Link::Ethernet {
                source: device.ethernet_address(),
                neighbour: neighbour()?,
            }
        } else if device.has_header() {
            Link::Other {
                neighbour: neighbour()?,
            }
        } else {
            Link::None
        };
        Ok(Self {
            mtu: dst.mtu(),
            headroom: device.reserved_headroom(),
            ifindex: device.ifindex(),
            users: AtomicU32::new(0),
            device: ARef::from(device),
            link,
            dst,
        })
    }

    fn neighbour(&self) -> Option<&Neighbour> {
        match &self.link {
            Link::Ethernet { neighbour, .. } | Link::Other { neighbour } => Some(neighbour),
            Link::None => None,
        }
    }

    /// Whether two next hops are interchangeable.
    fn is_same(&self, other: &Self) -> bool {
        let identity = |n: Option<&Neighbour>| n.map_or(ptr::null(), ptr::from_ref);
        self.dst.id() == other.dst.id()
            && self.mtu == other.mtu
            && ptr::eq(identity(self.neighbour()), identity(other.neighbour()))
    }

    /// Whether packets may go this way now; says to the neighbour that one does.
    #[inline(always)]
    pub(crate) fn check(&self, now: u32, rcu: ReadSide<'_>) -> Check {
        if !self.dst.is_current(rcu) {
            return Check::RouteChanged;
        }
        match &self.link {
            Link::Ethernet { neighbour, .. } | Link::Other { neighbour } => {
                if neighbour.touch(now) {
                    Check::Good
                } else if neighbour.is_dead() {
                    Check::NeighbourGone
                } else {
                    Check::NeighbourUnknown
                }
            }
            Link::None => Check::Good,
        }
    }

    /// Sends a packet this way. It must have [`Self::headroom`].
    #[inline(always)]
    pub(crate) fn transmit(
        &self,
        mut skb: Skb<'_>,
        ethertype: u16,
        counter: Counter<'_>,
        rcu: ReadSide<'_>,
    ) {
        let ready = match &self.link {
            Link::Ethernet { source, neighbour } => {
                let [a, b, c, d, e, f] = neighbour.ethernet_address();
                let [g, h, i, j, k, l] = *source;
                let [m, n] = ethertype.to_be_bytes();
                skb.push_ethernet([a, b, c, d, e, f, g, h, i, j, k, l, m, n])
            }
            Link::Other { neighbour } => skb.push_header(&self.device, Some(neighbour)),
            Link::None => true,
        };
        if ready {
            skb.transmit(&self.device, &self.dst, counter, rcu);
        }
    }
}

/// A flow's share of a next hop.
pub(crate) struct NextHopRef(Arc<NextHop>);

impl NextHopRef {
    fn new(hop: Arc<NextHop>) -> Self {
        hop.users.fetch_add(1, Relaxed);
        Self(hop)
    }
}

impl Deref for NextHopRef {
    type Target = NextHop;

    #[inline(always)]
    fn deref(&self) -> &NextHop {
        &self.0
    }
}

impl Drop for NextHopRef {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Relaxed);
    }
}

const SLOTS: usize = 64;

/// The next hops of a flowtable.
#[pin_data]
pub(crate) struct NextHops {
    #[pin]
    slots: SpinLockBh<[KVec<Arc<NextHop>>; SLOTS]>,
}

impl NextHops {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            slots <- new_spinlock_bh!([const { KVec::new() }; SLOTS], "nft_offload_rs_next_hops"),
        })
    }

    /// The way that `dst` leads to `destination`, shared if there is one like it. Softirq.
    pub(crate) fn get(
        &self,
        dst: Dst,
        destination: &[u8; 16],
        rcu: ReadSide<'_>,
    ) -> Result<NextHopRef, Refusal> {
        let new = NextHop::new(dst, destination, rcu)?;
        let place = slot_of(&new);
        let mut slots = self.slots.lock();
        if let Some(slot) = slots.get_mut(place) {
            if let Some(hop) = slot.iter().find(|hop| hop.is_same(&new)) {
                let hop = NextHopRef::new(hop.clone());
                drop(slots);
                return Ok(hop);
            }
            let new = Arc::new(new, GFP_ATOMIC).map_err(|_| Refusal::NoMemory)?;
            // One that cannot be remembered is still good for its flow.
            let _ = slot.push(new.clone(), GFP_ATOMIC);
            return Ok(NextHopRef::new(new));
        }
        Err(Refusal::NoMemory)
    }

    /// Forgets those that `f` selects, and those no flow uses. Returns how many are left.
    pub(crate) fn forget(&self, f: impl Fn(&NextHop) -> bool) -> usize {
        let mut left = 0;
        for number in 0..SLOTS {
            let mut slots = self.slots.lock();
            if let Some(slot) = slots.get_mut(number) {
                slot.retain(|hop| hop.users.load(Relaxed) != 0 && !f(hop));
                left += slot.len();
            }
        }
        left
    }
}

/// Where to look for a next hop.
fn slot_of(hop: &NextHop) -> usize {
    let neighbour = hop.neighbour().map_or(0, |n| ptr::from_ref(n).addr());
    let mixed = (hop.dst.id().0 ^ neighbour.rotate_left(17)) >> 6;
    (mixed ^ mixed >> 6 ^ mixed >> 12) % SLOTS
}

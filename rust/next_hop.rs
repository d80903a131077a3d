// SPDX-License-Identifier: GPL-2.0

//! Next hops: how packets leave, shared by all flows that go the same way.
//!
//! A packet checks its next hop's route and neighbour, a few loads from lines that are hot because
//! everybody uses them. What cannot be seen there is looked at once a second, or comes as an event:
//! then the next hop is outdated. Packets of its flows take the classic path until a rule offloads
//! one of them again, which gives the flow its new next hop; see [`crate::expr`].
//!
//! Most next hops are plain: an Ethernet header, and out. Those that put some more in front, the same
//! for all packets, are in [`framed`], and the rest is in [`wrapped`].

pub(crate) mod blocked;
mod framed;
pub(crate) mod learned;
pub(crate) mod recent;
mod wrapped;

use crate::compat::pin_init_array_from_fn;
use crate::compat::prelude::*;
use crate::compat::sync::aref::ARef;
use crate::flow::encap::Encap;
use crate::flow::key::Port;
use crate::kernel_net::device::Device;
use crate::kernel_net::dst::Dst;
use crate::kernel_net::lazy::Lazy;
use crate::kernel_net::lock::SpinLockBh;
use crate::kernel_net::memory::Account;
use crate::kernel_net::neighbour::{
    Mac,
    Neighbour, //
};
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::rcu_arc::RcuArc;
use crate::kernel_net::skb::Writable;
use crate::new_spinlock_bh;
use crate::reason::{
    Loss,
    Refusal, //
};
use crate::stats::Forwarded;
use core::ptr;
use core::sync::atomic::{
    AtomicBool,
    AtomicU64,
    AtomicU8,
    Ordering::Relaxed, //
};
pub(crate) use framed::Framed;
use learned::Learned;
use recent::Recent;
pub(crate) use wrapped::{
    Ends,
    Tunnel, //
};

/// Whom frames are for.
#[derive(Clone)]
pub(crate) enum Station {
    /// The neighbour, whatever its address is just now.
    Neighbour(ARef<Neighbour>),
    /// The neighbour, as long as it has this address: a bridge has chosen a port for it.
    Bridged(ARef<Neighbour>, Address),
    /// The far end of a session.
    Fixed(Address),
    /// The far end of a session, behind a bridge.
    Behind(Address),
}

/// An Ethernet address as a word in memory, with two zero bytes behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address(u64);

impl Address {
    /// Whether it is the neighbour's.
    #[inline(always)]
    fn is_of(self, neighbour: &Neighbour) -> bool {
        const MASK: u64 = u64::from_ne_bytes([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]);
        (self.0 ^ neighbour.ethernet_word()) & MASK == 0
    }
}

impl From<Mac> for Address {
    fn from([a, b, c, d, e, f]: Mac) -> Self {
        Self(u64::from_ne_bytes([a, b, c, d, e, f, 0, 0]))
    }
}

impl From<Address> for Mac {
    fn from(address: Address) -> Self {
        let [a, b, c, d, e, f, _, _] = address.0.to_ne_bytes();
        [a, b, c, d, e, f]
    }
}

impl Station {
    fn neighbour(&self) -> Option<&Neighbour> {
        match self {
            Station::Neighbour(neighbour) | Station::Bridged(neighbour, _) => Some(neighbour),
            Station::Fixed(_) | Station::Behind(_) => None,
        }
    }

    /// Whether its address is known.
    pub(crate) fn is_valid(&self) -> bool {
        self.neighbour().is_none_or(Neighbour::is_valid)
    }

    /// Whether the neighbour still has the address that a bridge has chosen a port for.
    #[inline(always)]
    fn is_where_it_was(&self) -> bool {
        match self {
            Station::Bridged(neighbour, address) => address.is_of(neighbour),
            Station::Neighbour(_) | Station::Fixed(_) | Station::Behind(_) => true,
        }
    }

    /// What there is to check of one that is behind a bridge.
    #[inline(always)]
    fn check_bridged(&self, learned: &Option<Learned>, now: u32) -> Check {
        if learned.as_ref().is_some_and(Learned::is_outdated) {
            Check::Unsure
        } else if !self.is_where_it_was() {
            Check::PathChanged
        } else {
            self.neighbour().map_or(Check::Good, |n| Check::of(n, now))
        }
    }

    /// The address of its frames as a word in memory, with two bytes of no meaning behind it.
    #[inline(always)]
    fn word(&self) -> u64 {
        match self {
            Station::Neighbour(neighbour) => neighbour.ethernet_word(),
            Station::Bridged(_, address) | Station::Fixed(address) | Station::Behind(address) => {
                address.0
            }
        }
    }

    /// The address of its frames.
    #[inline(always)]
    pub(crate) fn address(&self) -> Mac {
        match self {
            Station::Neighbour(neighbour) => neighbour.ethernet_address(),
            Station::Bridged(_, address) | Station::Fixed(address) | Station::Behind(address) => {
                (*address).into()
            }
        }
    }
}

/// How the link-layer header is made.
pub(crate) enum Link {
    /// Ethernet, from this address.
    Ethernet { source: Mac, station: Station },
    /// By the device's own function.
    Other { neighbour: ARef<Neighbour> },
    /// There is none.
    None,
    /// By the route, which transforms packets.
    Transform,
}

/// How many devices a path may cross.
pub(crate) const MAX_DEVICES: usize = 8;

/// A way that is nothing but an Ethernet header to a neighbour.
pub(crate) struct Plain {
    neighbour: ARef<Neighbour>,
    /// The header after the destination: the source and the EtherType.
    tail: [u8; 8],
}

impl Plain {
    /// From `source`, for packets of this EtherType.
    pub(crate) fn new(neighbour: ARef<Neighbour>, source: Mac, ethertype: u16) -> Self {
        let [a, b, c, d, e, f] = source;
        let [g, h] = ethertype.to_be_bytes();
        Self {
            neighbour,
            tail: [a, b, c, d, e, f, g, h],
        }
    }
}

/// A way out. What plain packets need comes first, and is one cache line.
#[repr(C, align(64))]
pub(crate) struct NextHop {
    pub(crate) dst: Dst,
    /// The device packets leave through.
    pub(crate) device: ARef<Device>,
    /// Where nothing but an Ethernet header is put in front: that.
    pub(crate) plain: Option<Plain>,
    /// The largest packet, from the network header on: see [`NextHop::mtu_of`].
    pub(crate) mtu: u32,
    /// Room that packets need before them.
    pub(crate) headroom: u16,
    /// The way is not known to be the right one any more.
    pub(crate) outdated: AtomicBool,
    /// Packets may go to the device's driver at once.
    pub(crate) direct: bool,
    /// Policies of IPsec have a say in which packets may go this way.
    pub(crate) policed: bool,
    /// Where all packets get the same headers in front.
    pub(crate) framed: Option<Framed>,
    pub(crate) link: Link,
    /// What packets are wrapped in.
    pub(crate) encap: Encap,
    pub(crate) tunnel: Option<Tunnel>,
    /// A bridge is on the way, which may have learned since that it leads elsewhere.
    pub(crate) bridged: Option<Learned>,
    /// What was set for packets that come in by its route's device.
    pub(crate) input_settings: u32,
    /// The collector has ended the flows that go this way, which is wrong.
    pub(crate) told: AtomicBool,
    /// Where packets come in that take the opposite way.
    pub(crate) port: Port,
    /// The indices of all devices on the way, the rest 0.
    pub(crate) devices: [u32; MAX_DEVICES],
    /// Whether the switch in the port takes off, or puts on, the outer and the inner tag by itself.
    pub(crate) untagged: [bool; 2],
    pub(crate) in_hardware: InHardware,
}

// What each packet reads.
const _: () =
    assert!(core::mem::offset_of!(NextHop, direct) < 64 || cfg!(not(target_pointer_width = "64")));

/// What rules in hardware say of a next hop.
pub(crate) struct InHardware {
    /// The station's address, with a bit that says that there is one; or zero.
    station: AtomicU64,
    /// Rules with another address may be there, too.
    changed: AtomicBool,
    verdict: AtomicU8,
}

/// There is a station's address.
const KNOWN: u64 = 1 << 48;
/// What rules in hardware say is right; is wrong; may be wrong, as a route has changed somewhere.
const RIGHT: u8 = 0;
const GONE: u8 = 1;
const REROUTED: u8 = 2;

impl InHardware {
    pub(crate) const fn new() -> Self {
        Self {
            station: AtomicU64::new(0),
            changed: AtomicBool::new(false),
            verdict: AtomicU8::new(RIGHT),
        }
    }
}

fn packed(address: Mac) -> u64 {
    let [a, b, c, d, e, f] = address;
    u64::from_be_bytes([0, 0, a, b, c, d, e, f]) | KNOWN
}

/// Whether packets that come in by a route's device would be forwarded at all.
pub(crate) fn may_come_in(dst: &Dst, rcu: ReadSide<'_>) -> bool {
    let device = dst.device(rcu);
    !device.is_taken(rcu) && (dst.is_ipv4() || device.forwards_ipv6(rcu))
}

/// What a packet finds when it looks at its next hop.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    Good,
    /// Policies of IPsec have to be asked; else all is good.
    Policed,
    /// A bridge has learned something: see [`NextHop::heard`].
    Unsure,
    /// It is not the way any more that the packet would take.
    PathChanged,
    /// The neighbour's address is not known just now; that may change.
    NeighbourUnknown,
}

impl NextHop {
    fn neighbour(&self) -> Option<&Neighbour> {
        match &self.link {
            Link::Ethernet { station, .. } => station.neighbour(),
            Link::Other { neighbour } => Some(neighbour),
            Link::None | Link::Transform => None,
        }
    }

    /// The largest packet by this route, and through this tunnel.
    pub(crate) fn mtu_of(dst: &Dst, tunnel: &Option<Tunnel>) -> u32 {
        let mtu = dst.mtu();
        tunnel.as_ref().map_or(mtu, |tunnel| mtu.min(tunnel.mtu()))
    }

    /// Whether packets of the opposite direction, which come in by the route's device, would be forwarded
    /// by the classic path as when the way was found, and what is as large as then.
    pub(crate) fn is_as_set(&self, rcu: ReadSide<'_>) -> bool {
        let device = self.dst.device(rcu);
        may_come_in(&self.dst, rcu)
            && device.input_settings(rcu) == self.input_settings
            && Self::mtu_of(&self.dst, &self.tunnel) == self.mtu
    }

    /// The address that packets which take the opposite way are sent to, where that is Ethernet.
    pub(crate) fn own_address(&self) -> Option<Mac> {
        match &self.link {
            Link::Ethernet { source, .. } => Some(*source),
            _ => None,
        }
    }

    /// What bridges have said so far of the station: to be read before looking where they lead, and given
    /// to [`Self::note_heard`] then.
    pub(crate) fn heard(&self) -> u32 {
        self.bridged.as_ref().map_or(0, Learned::now)
    }

    /// Notes that the way is right as of then.
    pub(crate) fn note_heard(&self, heard: u32) {
        if let Some(bridged) = &self.bridged {
            bridged.note(heard);
        }
    }

    /// Declares the way outdated.
    pub(crate) fn outdate(&self) {
        self.outdated.store(true, Relaxed);
    }

    /// Whether it was.
    #[inline(always)]
    pub(crate) fn is_outdated(&self) -> bool {
        self.outdated.load(Relaxed)
    }

    /// Whether the way leads by the device with this index.
    pub(crate) fn crosses(&self, ifindex: u32) -> bool {
        self.devices.contains(&ifindex)
    }

    /// The index of its route's device, where its packets begin the way down.
    pub(crate) fn route_device(&self) -> u32 {
        let [first, ..] = self.devices;
        first
    }

    /// Notes that rules with this station's address are going to hardware.
    pub(crate) fn note_installed(&self, station: Mac) {
        let new = packed(station);
        let old = self.in_hardware.station.swap(new, Relaxed);
        if old != 0 && old != new {
            self.in_hardware.changed.store(true, Relaxed);
        }
    }

    /// Finds out whether what rules in hardware say is still right. Packets that hardware forwards
    /// do not come by to look.
    fn judge(&self, rcu: ReadSide<'_>) -> u8 {
        let installed = self.in_hardware.station.load(Relaxed);
        let verdict = if installed == 0 {
            RIGHT
        } else if self.in_hardware.changed.swap(false, Relaxed)
            || self.is_outdated()
            || self.neighbour().is_some_and(|n| !n.is_valid())
            || !matches!(&self.link, Link::Ethernet { station, .. }
                if packed(station.address()) == installed && station.is_where_it_was())
        {
            GONE
        } else if !self.dst.is_current(rcu) {
            REROUTED
        } else {
            RIGHT
        };
        self.in_hardware.verdict.store(verdict, Relaxed);
        verdict
    }

    /// Whether rules in hardware were wrong when last looked at.
    pub(crate) fn is_gone(&self) -> bool {
        self.in_hardware.verdict.load(Relaxed) == GONE
    }

    /// Whether they might have been.
    pub(crate) fn is_rerouted(&self) -> bool {
        self.in_hardware.verdict.load(Relaxed) == REROUTED
    }

    /// Whether no packet can go this way any more, as far as is known without one: it is outdated, or the
    /// route is one of IPv6 that does not hold. Of those of IPv4 none holds after any change of the tables.
    pub(crate) fn is_wrong(&self, rcu: ReadSide<'_>) -> bool {
        self.is_outdated() || !self.dst.is_ipv4() && !self.dst.is_current(rcu)
    }

    /// Whether two next hops are interchangeable.
    fn is_same(&self, other: &Self) -> bool {
        let identity = |n: Option<&Neighbour>| n.map_or(ptr::null(), ptr::from_ref);
        let station = |hop: &Self| match &hop.link {
            Link::Ethernet {
                station:
                    Station::Bridged(_, address) | Station::Fixed(address) | Station::Behind(address),
                ..
            } => Some(*address),
            _ => None,
        };
        let outer = |hop: &Self| hop.tunnel.as_ref().map(Tunnel::id);
        !self.is_outdated()
            && self.dst.id() == other.dst.id()
            && self.mtu == other.mtu
            && self.policed == other.policed
            && self.port == other.port
            && self.devices == other.devices
            && self.untagged == other.untagged
            && self.own_address() == other.own_address()
            && station(self) == station(other)
            && outer(self) == outer(other)
            && ptr::eq(identity(self.neighbour()), identity(other.neighbour()))
    }

    /// Whether packets may go this way now; says to the neighbour that one does.
    #[inline(always)]
    pub(crate) fn check(&self, now: u32, rcu: ReadSide<'_>) -> Check {
        if !self.dst.is_current(rcu) || self.is_outdated() {
            return Check::PathChanged;
        }
        match &self.plain {
            Some(plain) => Check::of(&plain.neighbour, now),
            None => self.check_more(now, rcu),
        }
    }

    /// What is left to check of ways that are not plain.
    #[inline(never)]
    fn check_more(&self, now: u32, rcu: ReadSide<'_>) -> Check {
        match &self.framed {
            Some(framed) => framed.check(&self.bridged, now),
            None => self.check_wrapped(now, rcu),
        }
    }

    /// Sends a packet this way. It must have [`Self::headroom`].
    #[inline(always)]
    pub(crate) fn transmit(&self, mut skb: Writable<'_>, count: &Forwarded, rcu: ReadSide<'_>) {
        match &self.plain {
            Some(plain) => {
                if skb.push_ethernet(plain.neighbour.ethernet_word(), plain.tail) {
                    skb.transmit(&self.device, &self.dst, count.packets(), rcu);
                } else {
                    count.lost(Loss::Header);
                }
            }
            None => self.transmit_more(skb, count, rcu),
        }
    }

    /// Lets packets go to the device's driver at once. The way is not a plain one any more, so that
    /// packets of those need not ask.
    fn make_direct(&mut self) {
        self.direct = true;
        if self.plain.take().is_some() && !self.policed {
            self.framed = Framed::new(&self.link, self.encap, self.dst.ethertype());
        }
    }

    /// Gives a packet with all its headers to the device.
    #[inline(always)]
    fn send(&self, skb: Writable<'_>, count: &Forwarded, rcu: ReadSide<'_>) {
        if self.direct {
            self.send_directly(skb, count, rcu);
        } else {
            skb.transmit(&self.device, &self.dst, count.packets(), rcu);
        }
    }

    /// The same, past queueing disciplines if there is none, and past all others if nobody looks.
    #[inline(never)]
    fn send_directly(&self, skb: Writable<'_>, count: &Forwarded, rcu: ReadSide<'_>) {
        let rest = if self.device.is_direct(rcu) {
            skb.transmit_directly(&self.device, count.direct_packets(), rcu)
        } else {
            Err(skb)
        };
        if let Err(skb) = rest {
            skb.transmit(&self.device, &self.dst, count.packets(), rcu);
        }
    }

    /// The same for ways that are not plain.
    #[inline(never)]
    fn transmit_more(&self, mut skb: Writable<'_>, count: &Forwarded, rcu: ReadSide<'_>) {
        match &self.framed {
            Some(framed) if framed.takes(&skb) => {
                if framed.wrap(&mut skb) {
                    self.send(skb, count, rcu);
                } else {
                    count.lost(framed.why_not(&skb));
                }
            }
            _ => self.transmit_wrapped(skb, count, rcu),
        }
    }
}

const SLOTS: usize = 64;

/// Where next hops are.
#[pin_data]
struct Places {
    /// Each with a lock of its own.
    #[pin]
    slots: [SpinLockBh<KVec<RcuArc<NextHop>>>; SLOTS],
    /// Some of those in the slots, by what they were found for.
    #[pin]
    recent: SpinLockBh<Recent>,
}

impl Places {
    /// None. Fails with `ENOMEM`.
    fn new(flags: kernel::alloc::Flags) -> Result<Pin<KBox<Self>>> {
        KBox::try_pin_init(
            try_pin_init!(Self {
                slots <- pin_init_array_from_fn(|_| {
                    new_spinlock_bh!(KVec::new(), "nft_offload_rs_next_hops")
                }),
                recent <- new_spinlock_bh!(Recent::new(flags)?, "nft_offload_rs_recent"),
            }? Error),
            flags,
        )
    }
}

/// The next hops of a flowtable. There is memory for them as soon as there is one.
pub(crate) struct NextHops {
    /// Packets may go to devices' drivers at once, where that changes nothing.
    direct: bool,
    /// There are or were some that only their flows know.
    unlisted: AtomicBool,
    places: Lazy<Places>,
    /// Pays for them.
    account: Account,
}

impl NextHops {
    /// None.
    pub(crate) fn new(direct: bool, account: Account) -> Self {
        Self {
            direct,
            unlisted: AtomicBool::new(false),
            places: Lazy::new(),
            account,
        }
    }

    /// The plain one with this route and neighbour, if there is one that is good. Softirq.
    pub(crate) fn plain(&self, dst: &Dst, neighbour: &Neighbour) -> Option<RcuArc<NextHop>> {
        let mtu = dst.mtu();
        let fits = |hop: &&RcuArc<NextHop>| {
            hop.plain
                .as_ref()
                .is_some_and(|plain| ptr::eq(&raw const *plain.neighbour, neighbour))
                && hop.dst.id() == dst.id()
                && hop.mtu == mtu
                && hop.own_address() == Some(hop.device.ethernet_address())
                && !hop.is_outdated()
        };
        let slot = self
            .places
            .get()?
            .slots
            .get(slot_of(dst, Some(neighbour)))?;
        let found = slot.lock().iter().find(fits).cloned();
        found
    }

    /// `new`, or one like it if there is one. Softirq.
    pub(crate) fn share(&self, mut new: NextHop) -> Result<RcuArc<NextHop>, Refusal> {
        if self.direct {
            new.make_direct();
        }
        let charge = self.account.charge();
        let flags = charge.atomic();
        let places = self.places.get_or_make(|| Places::new(flags));
        let places = places.map_err(|_| Refusal::NoMemory)?;
        let slot = places.slots.get(slot_of(&new.dst, new.neighbour()));
        let mut slot = slot.ok_or(Refusal::NoMemory)?.lock();
        if let Some(hop) = slot.iter().find(|hop| hop.is_same(&new)) {
            let hop = hop.clone();
            drop(slot);
            return Ok(hop);
        }
        let new = RcuArc::new(new, flags).map_err(|_| Refusal::NoMemory)?;
        // One that is not remembered would not hear of events.
        slot.push(new.clone(), flags)
            .map_err(|_| Refusal::NoMemory)?;
        Ok(new)
    }

    /// `new`, which no other flow can have, as IPsec has a route for each: nobody looks for it, and it goes
    /// with its flow. Softirq.
    pub(crate) fn alone(&self, new: NextHop) -> Result<RcuArc<NextHop>, Refusal> {
        self.unlisted.store(true, Relaxed);
        let charge = self.account.charge();
        RcuArc::new(new, charge.atomic()).map_err(|_| Refusal::NoMemory)
    }

    /// Whether there may be some that only their flows know.
    pub(crate) fn has_unlisted(&self) -> bool {
        self.unlisted.load(Relaxed)
    }

    /// Declares those that `f` selects outdated. Any context but hard interrupts.
    pub(crate) fn outdate(&self, f: impl Fn(&NextHop) -> bool) {
        self.for_each(|hop| {
            if !hop.is_outdated() && f(hop) {
                hop.outdate();
            }
        });
    }

    /// Whether there are ways that are wrong, and were not when this was asked last.
    pub(crate) fn has_news(&self, rcu: ReadSide<'_>) -> bool {
        let mut any = false;
        self.for_each(|hop| any |= hop.is_wrong(rcu) && !hop.told.swap(true, Relaxed));
        any
    }

    /// Whether there is one that `f` selects. Any context but hard interrupts.
    pub(crate) fn any(&self, f: impl Fn(&NextHop) -> bool) -> bool {
        let mut found = false;
        self.for_each(|hop| found |= f(hop));
        found
    }

    /// Finds out which of them hardware is wrong about, or may be; whether there are any.
    pub(crate) fn judge(&self, rcu: ReadSide<'_>) -> bool {
        let mut any = false;
        self.for_each(|hop| any |= hop.judge(rcu) != RIGHT);
        any
    }

    /// Calls `f` for each, under its slot's lock.
    fn for_each(&self, mut f: impl FnMut(&NextHop)) {
        for slot in self
            .places
            .get()
            .into_iter()
            .flat_map(|places| &places.slots)
        {
            slot.lock().iter().for_each(|hop| f(hop));
        }
    }

    /// Forgets those that no flow uses. Returns how many are left.
    pub(crate) fn forget_unused(&self) -> usize {
        let Some(places) = self.places.get() else {
            return 0;
        };
        places.recent.lock().clear();
        let mut left = 0;
        for slot in &places.slots {
            let mut slot = slot.lock();
            // New references are only made under the lock.
            slot.retain(|hop| !hop.is_unique());
            left += slot.len();
        }
        left
    }
}

/// Where to look for a next hop.
fn slot_of(dst: &Dst, neighbour: Option<&Neighbour>) -> usize {
    let neighbour = neighbour.map_or(0, |n| ptr::from_ref(n).addr());
    let mixed = (dst.id().0 ^ neighbour.rotate_left(17)) >> 6;
    (mixed ^ mixed >> 6 ^ mixed >> 12) % SLOTS
}

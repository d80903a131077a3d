// SPDX-License-Identifier: GPL-2.0

//! Routes that packets can be sent by.
//!
//! A route is what a lookup in the routing tables gave: a device, a gateway or none, an MTU. It may
//! be kept and used for other packets to the same destination, as long as it is checked: routes are
//! not told when the tables change, but can tell when they are asked. [`Dst::is_current`] is that
//! question, and for IPv6 it takes a cookie, a number of the state of the tables in which the route
//! was good. So the two are kept together.
//!
//! Context: the checks are for packets, in softirq under RCU. References are counted, and dropped
//! in any context.
//!
//! C header: [`include/net/dst.h`](srctree/include/net/dst.h)

use crate::bindings;
use crate::compat::prelude::*;
use crate::compat::sync::aref::ARef;
use crate::kernel_net::device::Device;
use crate::kernel_net::neighbour::Neighbour;
use crate::kernel_net::netfilter::Family;
use crate::kernel_net::rcu::ReadSide;
use core::ptr::{
    self,
    NonNull, //
};

/// A structure of C that is read under RCU, by where its fields are: each once, since it may change at any
/// time.
#[derive(Clone, Copy)]
struct Fields<'rcu>(*const u8, ReadSide<'rcu>);

impl<'rcu> Fields<'rcu> {
    /// A field.
    ///
    /// # Safety
    ///
    /// The structure is valid, and has such a field there.
    #[inline(always)]
    unsafe fn get<T: Copy>(self, offset: usize) -> T {
        // SAFETY: By the contract.
        unsafe { ptr::read_volatile(self.0.add(offset).cast()) }
    }

    /// The structure that a field points to.
    ///
    /// # Safety
    ///
    /// As of [`Self::get`]; what it points to, if anything, is freed a grace period later at the earliest.
    #[inline(always)]
    unsafe fn at(self, offset: usize) -> Self {
        // SAFETY: By the contract.
        Self(unsafe { self.get(offset) }, self.1)
    }
}

/// An owned reference to a route (C: `struct dst_entry`), with what tells whether it still holds.
///
/// A route that is out of date stays valid memory for as long as the reference is held, and does
/// not become current again; it does not keep its device from being unregistered, since it is given
/// another one then.
///
/// # Invariants
///
/// `raw` is a counted reference, to a route of `family`, which is IPv4 or IPv6; `rule` fits it.
pub(crate) struct Dst {
    /// The route. The pointer is the reference.
    raw: NonNull<bindings::dst_entry>,
    /// Which kind of route it is, for functions that differ.
    family: Family,
    /// Zero for IPv4, whose routes know by themselves.
    cookie: u32,
    rule: Rule,
}

/// What a route is checked by, as C would, but without a call.
#[derive(Clone, Copy)]
enum Rule {
    /// An IPv4 route, by a number that every change of its namespace's routes increases: what that was
    /// when the route was made.
    Ipv4(c_int),
    /// An IPv6 route: it refers to where in the tables it comes from.
    Ipv6,
    /// Another, or one that is part of others: by the call.
    Asked,
}

// SAFETY: References are counted atomically, and the last one may be given up anywhere.
unsafe impl Send for Dst {}
// SAFETY: Routes are made to be checked and read by the packet path on any CPU; nothing here writes
// to them but by C functions that expect that.
unsafe impl Sync for Dst {}

impl Dst {
    /// Takes over a counted reference, and notes the cookie of now.
    ///
    /// # Safety
    ///
    /// `raw` is a counted reference to a route of `family`, which is IPv4 or IPv6. The caller gives
    /// it up.
    pub(super) unsafe fn from_raw(raw: NonNull<bindings::dst_entry>, family: Family) -> Self {
        let cookie = match family {
            // SAFETY: By the contract it is an IPv6 route.
            Family::Ipv6 => unsafe { bindings::nfo_rt6_get_cookie(raw.as_ptr()) },
            _ => 0,
        };
        // INVARIANT: By the contract.
        Self {
            raw,
            family,
            cookie,
            rule: Rule::Asked,
        }
    }

    /// The same, with what it takes to check it without a call: for a route that is kept.
    pub(crate) fn kept(mut self) -> Self {
        self.rule = self.rule();
        self
    }

    /// How a route can be checked.
    fn rule(&self) -> Rule {
        let raw = self.as_raw();
        // SAFETY: The route is valid, by the type invariant.
        let (is_rt6, is_rtable) = unsafe {
            (
                bindings::nfo_dst_is_rt6(raw),
                bindings::nfo_dst_is_rtable(raw),
            )
        };
        if is_rt6 {
            Rule::Ipv6
        } else if is_rtable && bindings::NFO_HAS_NET_NS {
            // SAFETY: As above, and it is one of IPv4.
            Rule::Ipv4(unsafe { bindings::nfo_rt_genid(raw) })
        } else {
            Rule::Asked
        }
    }

    /// The C structure.
    #[inline(always)]
    pub(super) fn as_raw(&self) -> *mut bindings::dst_entry {
        self.raw.as_ptr()
    }

    /// An identity for comparing, never to be followed: the route, and what tells whether it still
    /// holds.
    ///
    /// Two routes with the same identity are interchangeable while both are held. An IPv6 route
    /// survives changes around it, and is then good by a new cookie: so the pointer alone would not
    /// do.
    pub(crate) fn id(&self) -> (usize, u32) {
        (self.raw.as_ptr().addr(), self.cookie)
    }

    /// Whether the route still holds: no route change or PMTU exception has replaced it
    /// (C: `dst_check`).
    ///
    /// A route that does not hold any more never will again by this cookie: look it up anew. May be
    /// outdated the next moment, which costs a packet at most that goes the old way. Under RCU.
    ///
    /// Of plain routes this finds out what C would, without the call (C: `ipv4_dst_check`,
    /// `ip6_dst_check`).
    #[inline(always)]
    pub(crate) fn is_current(&self, rcu: ReadSide<'_>) -> bool {
        match self.rule {
            Rule::Ipv4(of_route) => !self.is_obsolete() && self.generation(rcu) == of_route,
            Rule::Ipv6 if self.is_where_it_was(rcu) => true,
            // SAFETY: The route is valid, by the type invariant, and RCU is held, which what it refers to
            // needs.
            _ => !unsafe { bindings::nfo_dst_check(self.as_raw(), self.cookie) }.is_null(),
        }
    }

    /// The route, of whatever family.
    #[inline(always)]
    fn fields<'rcu>(&self, rcu: ReadSide<'rcu>) -> Fields<'rcu> {
        Fields(self.as_raw().cast_const().cast(), rcu)
    }

    /// Whether the route was taken back by itself, whatever the tables say (C: `dst->obsolete`).
    #[inline(always)]
    fn is_obsolete(&self) -> bool {
        let raw: *const u8 = self.as_raw().cast_const().cast();
        // SAFETY: The route is valid, by the type invariant, and the constant is where the field
        // is, which may change at any time.
        let obsolete =
            unsafe { ptr::read_volatile(raw.add(bindings::NFO_DST_OBSOLETE).cast::<c_short>()) };
        obsolete != bindings::NFO_DST_FORCE_CHK
    }

    /// What the number is now that changes of IPv4 routes increase, in the namespace of the route's device
    /// (C: `rt_genid_ipv4`). A route whose device has gone is obsolete, and has another one.
    #[inline(always)]
    fn generation(&self, rcu: ReadSide<'_>) -> c_int {
        // SAFETY: A route has a device, a device a namespace, and that the number; the constants are where
        // the fields are. Either is freed a grace period after it could be found here.
        unsafe {
            let device = self.fields(rcu).at(bindings::NFO_DST_DEV);
            let namespace = device.at(bindings::NFO_DEV_NET);
            namespace.get(bindings::NFO_NET_RT_GENID)
        }
    }

    /// Whether an IPv6 route still comes from where it came from in the tables, and that has not
    /// changed. What expires, or is of a nexthop object, is for C to judge.
    ///
    /// Only for [`Rule::Ipv6`].
    #[inline(always)]
    fn is_where_it_was(&self, rcu: ReadSide<'_>) -> bool {
        let route = self.fields(rcu);
        // SAFETY: By its rule this is a `struct rt6_info`, and the constants are where its fields are. It
        // refers to a `struct fib6_info` and that to a `struct fib6_node`, or to nothing any more; both
        // are freed a grace period after they were taken away.
        unsafe {
            let from = route.at(bindings::NFO_RT6_FROM);
            if self.is_obsolete()
                || route.get::<u32>(bindings::NFO_RT6_SERNUM) != 0
                || route.get::<u32>(bindings::NFO_RT6_FLAGS) & bindings::NFO_RTF_EXPIRES != 0
                || from.0.is_null()
                || from.get::<u32>(bindings::NFO_FIB6_FLAGS) & bindings::NFO_RTF_EXPIRES != 0
            {
                return false;
            }
            let node = from.at(bindings::NFO_FIB6_NODE);
            !node.0.is_null() && node.get::<u32>(bindings::NFO_FIB6_NODE_SERNUM) == self.cookie
        }
    }

    /// Whether it is one of IPv4.
    pub(crate) fn is_ipv4(&self) -> bool {
        self.family == Family::Ipv4
    }

    /// Whether it leads nowhere: unreachable, prohibited, a black hole (C: `dst->error`).
    pub(super) fn is_error(&self) -> bool {
        // SAFETY: The route is valid, by the type invariant.
        unsafe { bindings::nfo_dst_error(self.as_raw()) != 0 }
    }

    /// Gives the counted reference away.
    pub(super) fn into_raw(self) -> *mut bindings::dst_entry {
        let raw = self.as_raw();
        core::mem::forget(self);
        raw
    }

    /// The EtherType of its packets, in host order.
    pub(crate) fn ethertype(&self) -> u16 {
        match self.family {
            Family::Ipv6 => 0x86dd,
            _ => 0x0800,
        }
    }

    /// Of which version of IP.
    pub(super) fn family(&self) -> Family {
        self.family
    }

    /// Whether it leads to a gateway, so that all its packets go to one neighbour.
    pub(crate) fn has_gateway(&self) -> bool {
        // SAFETY: The route is valid and of this family, by the type invariant.
        unsafe {
            match self.family {
                Family::Ipv6 => bindings::nfo_rt6_has_gateway(self.as_raw()),
                _ => bindings::nfo_rt_has_gateway(self.as_raw()),
            }
        }
    }

    /// Whether the MTU is fixed: packets may be fragmented on the way, whatever they say.
    pub(crate) fn is_mtu_locked(&self) -> bool {
        // SAFETY: The route is valid.
        unsafe { bindings::nfo_ip_mtu_locked(self.as_raw()) }
    }

    /// Whether it puts packets into something else when they come in or are sent by it, and not before
    /// (MPLS, segment routing, BPF; C: `lwtunnel_state`), or would if it had what that needs: packets
    /// that a policy of IPsec keeps until there is a state wait in such a route (C: `DST_XFRM_QUEUE`).
    pub(crate) fn encapsulates(&self) -> bool {
        // SAFETY: The route is valid, by the type invariant.
        unsafe { bindings::nfo_dst_encapsulates(self.as_raw()) }
    }

    /// Whether packets are transformed on the way (IPsec; C: `dst_xfrm`).
    pub(crate) fn has_xfrm(&self) -> bool {
        // SAFETY: The route is valid, by the type invariant.
        unsafe { bindings::nfo_dst_has_xfrm(self.as_raw()) }
    }

    /// The largest packet to be forwarded, in bytes, from the network header on
    /// (C: `ip_dst_mtu_maybe_forward`, `ip6_dst_mtu_maybe_forward`).
    ///
    /// What it depends on may change: the device's MTU, of which there are events, and the
    /// namespace's settings, of which there are none.
    pub(crate) fn mtu(&self) -> u32 {
        // SAFETY: The route is valid and of this family, by the type invariant. The functions hold
        // RCU themselves.
        unsafe {
            match self.family {
                Family::Ipv6 => bindings::nfo_ip6_dst_mtu_forward(self.as_raw()),
                _ => bindings::nfo_ip_dst_mtu_forward(self.as_raw()),
            }
        }
    }

    /// The device that packets leave through (C: `dst_dev_rcu`).
    ///
    /// When that is unregistered, routes by it get the blackhole device in its place, and are no
    /// longer current.
    pub(crate) fn device<'rcu>(&self, _rcu: ReadSide<'rcu>) -> &'rcu Device {
        // SAFETY: The route is valid, by the type invariant, and RCU is held. A device is freed a
        // grace period after the last route has let go of it, so that it lives for `'rcu`.
        unsafe { Device::from_raw(bindings::nfo_dst_dev(self.as_raw())) }
    }

    /// The neighbour that packets to `destination` go to: the gateway, or the host itself
    /// (C: `dst_neigh_lookup`).
    ///
    /// `destination` is as on the wire, an IPv4 address in the first four bytes. Makes the entry if
    /// there is none, without resolving it: see [`Neighbour::is_valid`]. [`None`] when there is no
    /// memory, or no room in the neighbour table. Softirq or process context.
    pub(crate) fn neighbour(&self, destination: &[u8; 16]) -> Option<ARef<Neighbour>> {
        // SAFETY: The route is valid, by the type invariant, and the address as long as the longest
        // there is.
        let raw =
            unsafe { bindings::nfo_dst_neigh_lookup(self.as_raw(), destination.as_ptr().cast()) };
        // SAFETY: A counted reference, which is given up to the `ARef`, or null.
        NonNull::new(raw).map(|raw| unsafe { ARef::from_raw(raw.cast()) })
    }
}

impl Drop for Dst {
    fn drop(&mut self) {
        // SAFETY: We own a reference, by the type invariant, and it is not used any more.
        unsafe { bindings::dst_release(self.as_raw()) }
    }
}

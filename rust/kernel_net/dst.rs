// SPDX-License-Identifier: GPL-2.0

//! Routes that packets can be sent by.
//!
//! C header: [`include/net/dst.h`](srctree/include/net/dst.h)

use crate::bindings;
use crate::kernel_net::device::Device;
use crate::kernel_net::neighbour::Neighbour;
use crate::kernel_net::netfilter::Family;
use crate::kernel_net::rcu::ReadSide;
use core::ptr::NonNull;
use kernel::sync::aref::ARef;

/// An owned reference to a route (C: `struct dst_entry`), with what tells whether it still holds.
///
/// # Invariants
///
/// `raw` is a counted reference, to a route of `family`.
pub(crate) struct Dst {
    raw: NonNull<bindings::dst_entry>,
    family: Family,
    cookie: u32,
}

// SAFETY: References are counted atomically.
unsafe impl Send for Dst {}
// SAFETY: Routes are checked and read by the packet path on any CPU.
unsafe impl Sync for Dst {}

impl Dst {
    /// Takes over a counted reference.
    ///
    /// # Safety
    ///
    /// `raw` is a counted reference to a route of `family`, which is IPv4 or IPv6.
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
        }
    }

    #[inline(always)]
    pub(super) fn as_raw(&self) -> *mut bindings::dst_entry {
        self.raw.as_ptr()
    }

    /// An identity for comparing, never to be followed: the route, and what tells whether it
    /// still holds. An IPv6 route survives changes around it, and is then good by a new cookie.
    pub(crate) fn id(&self) -> (usize, u32) {
        (self.raw.as_ptr().addr(), self.cookie)
    }

    /// Whether the route still holds: no route change or PMTU exception has replaced it.
    #[inline(always)]
    pub(crate) fn is_current(&self, _rcu: ReadSide<'_>) -> bool {
        // SAFETY: The route is valid, and RCU is held.
        unsafe { !bindings::nfo_dst_check(self.as_raw(), self.cookie).is_null() }
    }

    /// Of which version of IP.
    pub(super) fn family(&self) -> Family {
        self.family
    }

    /// Whether the MTU is fixed: packets may be fragmented on the way, whatever they say.
    pub(crate) fn is_mtu_locked(&self) -> bool {
        // SAFETY: The route is valid.
        unsafe { bindings::nfo_ip_mtu_locked(self.as_raw()) }
    }

    /// Whether packets are transformed on the way (IPsec).
    pub(crate) fn has_xfrm(&self) -> bool {
        // SAFETY: The route is valid.
        unsafe { bindings::nfo_dst_has_xfrm(self.as_raw()) }
    }

    /// The largest packet to be forwarded, in bytes, from the network header on.
    pub(crate) fn mtu(&self) -> u32 {
        // SAFETY: The route is valid, and of this family.
        unsafe {
            match self.family {
                Family::Ipv6 => bindings::nfo_ip6_dst_mtu_forward(self.as_raw()),
                _ => bindings::nfo_ip_dst_mtu_forward(self.as_raw()),
            }
        }
    }

    /// The device that packets leave through.
    pub(crate) fn device<'rcu>(&self, _rcu: ReadSide<'rcu>) -> &'rcu Device {
        // SAFETY: The route is valid; its device lives as long as RCU is held.
        unsafe { Device::from_raw(bindings::nfo_dst_dev(self.as_raw())) }
    }

    /// The neighbour that packets to `destination` go to: the gateway, or the host itself.
    /// Makes the entry if there is none, without resolving it.
    pub(crate) fn neighbour(&self, destination: &[u8; 16]) -> Option<ARef<Neighbour>> {
        // SAFETY: The route is valid, and the address as long as the longest there is.
        let raw =
            unsafe { bindings::nfo_dst_neigh_lookup(self.as_raw(), destination.as_ptr().cast()) };
        // SAFETY: A counted reference, or null.
        NonNull::new(raw).map(|raw| unsafe { ARef::from_raw(raw.cast()) })
    }
}

impl Drop for Dst {
    fn drop(&mut self) {
        // SAFETY: We own a reference, by the type invariant.
        unsafe { bindings::dst_release(self.as_raw()) }
    }
}

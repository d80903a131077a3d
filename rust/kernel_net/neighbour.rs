// SPDX-License-Identifier: GPL-2.0

//! Neighbours: the link-layer address behind a next hop, and whether it is known to be good.
//!
//! C header: [`include/net/neighbour.h`](srctree/include/net/neighbour.h)

use crate::bindings;
use core::ptr::{
    self,
    NonNull, //
};
use core::sync::atomic::{
    fence,
    Ordering::Acquire, //
};
use kernel::sync::aref::AlwaysRefCounted;
use kernel::types::Opaque;

/// An Ethernet address.
pub(crate) type Mac = [u8; 6];

/// A neighbour entry (C: `struct neighbour`).
///
/// Holding a reference keeps its device from being unregistered: give it up on device events.
#[repr(transparent)]
pub(crate) struct Neighbour(Opaque<bindings::neighbour>);

// SAFETY: References are counted atomically.
unsafe impl Send for Neighbour {}
// SAFETY: What is read here is read with single loads, or under the sequence lock.
unsafe impl Sync for Neighbour {}

// SAFETY: `refcnt` counts references.
unsafe impl AlwaysRefCounted for Neighbour {
    fn inc_ref(&self) {
        // SAFETY: The reference makes the neighbour valid.
        unsafe { bindings::nfo_neigh_hold(self.0.get()) }
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: By the contract, the caller gives up a reference it owns.
        unsafe { bindings::nfo_neigh_release(obj.cast().as_ptr()) }
    }
}

impl Neighbour {
    /// Whether the entry is still in its table; one that is not never becomes valid again.
    #[inline(always)]
    pub(crate) fn is_dead(&self) -> bool {
        // SAFETY: The entry is valid; a byte that may change at any time.
        unsafe { ptr::read_volatile(&raw const (*self.0.get()).dead) != 0 }
    }

    #[inline(always)]
    fn state(&self) -> u32 {
        // SAFETY: The entry is valid; a byte that may change at any time.
        u32::from(unsafe { ptr::read_volatile(&raw const (*self.0.get()).nud_state) })
    }

    /// Whether the address is known (C: `NUD_VALID`).
    #[inline(always)]
    pub(crate) fn is_valid(&self) -> bool {
        self.state() & bindings::NFO_NUD_VALID != 0 && !self.is_dead()
    }

    /// Says that the address is about to be used, as every sender must: a stale entry then gets
    /// probed, a failed one resolved again, and a used one is not collected.
    ///
    /// Returns whether the address may be used now. Softirq or process context.
    #[inline(always)]
    pub(crate) fn touch(&self, now: u32) -> bool {
        if !self.is_valid() {
            return false;
        }
        let entry = self.0.get();
        // SAFETY: The entry is valid; a word that may change at any time.
        let used = unsafe { ptr::read_volatile(&raw const (*entry).used) };
        // CAST: Only whether it is this tick; the low half is enough.
        if self.state() & bindings::NFO_NUD_LIVE != 0 && used as u32 == now {
            return true;
        }
        // SAFETY: The entry is valid. Without a packet nothing is queued.
        unsafe { bindings::nfo_neigh_event_send(entry) == 0 }
    }

    /// The Ethernet address, consistent also while it changes.
    #[inline(always)]
    pub(crate) fn ethernet_address(&self) -> Mac {
        let entry = self.0.get();
        loop {
            // SAFETY: The entry is valid. This is the reader of a sequence lock: an odd or changed
            // number means that a writer was about.
            unsafe {
                let sequence = &raw const (*entry).ha_lock.seqcount.seqcount.sequence;
                let before = ptr::read_volatile(sequence);
                fence(Acquire);
                let address = ptr::read_volatile((&raw const (*entry).ha).cast::<Mac>());
                fence(Acquire);
                if before & 1 == 0 && ptr::read_volatile(sequence) == before {
                    return address;
                }
            }
            core::hint::spin_loop();
        }
    }

    #[inline(always)]
    pub(super) fn address_ptr(&self) -> *const u8 {
        // SAFETY: The entry is valid; only the address of a field is taken.
        unsafe { (&raw const (*self.0.get()).ha).cast() }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Neighbours: the link-layer address behind a next hop, and whether it is known to be good.
//!
//! The neighbour code (ARP, neighbour discovery) keeps an entry for each address of the network
//! layer that packets are sent to on a link. A sender that keeps an entry, as the fast path does,
//! has three duties that the classic path sees to by itself: to send only while the address is
//! known, to say that it is in use, so that it is probed in time and not collected, and to notice
//! when the entry was deleted. [`Neighbour::touch`] does the first two for each packet, and
//! [`Neighbour::is_dead`] tells about the third.
//!
//! ```text
//!   state              known   touch()
//!   NONE, INCOMPLETE   no      false; the classic path queues the packet and has it resolved
//!   REACHABLE          yes     true
//!   STALE              yes     true, and starts the delay after which it is probed
//!   DELAY, PROBE       yes     true
//!   FAILED             no      false; the classic path has it resolved again
//!   PERMANENT, NOARP   yes     true
//! ```
//!
//! Context and locking: everything is read without the entry's lock, by single loads, or under its
//! sequence lock, so that packets on all CPUs can do it at once. Any answer may be outdated the
//! next moment. Softirq or process context, unless something else is said.
//!
//! C header: [`include/net/neighbour.h`](srctree/include/net/neighbour.h)

use crate::bindings;
use crate::compat::sync::aref::AlwaysRefCounted;
use core::ptr::{
    self,
    NonNull, //
};
use core::sync::atomic::{
    fence,
    Ordering::Acquire, //
};
use kernel::types::Opaque;

/// Room for the longest link-layer address (C: `MAX_ADDR_LEN`), as entries have it.
pub(super) const ADDRESS_ROOM: usize = 32;

/// How often to read an address that keeps changing before asking C to do it.
const ATTEMPTS: usize = 16;

/// An Ethernet address, as on the wire.
pub(crate) type Mac = [u8; 6];

/// A neighbour entry (C: `struct neighbour`).
///
/// Counted by itself: [`ARef`](crate::compat::sync::aref::ARef) holds a reference. Such a reference keeps
/// the entry in memory, not in its table; and it keeps the entry's device from being unregistered,
/// so that it is to be given up on device events.
///
/// # Invariants
///
/// The entry's reference count is not zero while there is a reference to this.
#[repr(transparent)]
pub(crate) struct Neighbour(Opaque<bindings::neighbour>);

// SAFETY: References are counted atomically, and the last one may be given up anywhere.
unsafe impl Send for Neighbour {}
// SAFETY: What is read here is read with single loads, or under the sequence lock; C functions that
// are called take the entry's lock themselves.
unsafe impl Sync for Neighbour {}

// SAFETY: `refcnt` counts references, and the entry is freed, after a grace period, only when it is
// zero.
unsafe impl AlwaysRefCounted for Neighbour {
    fn inc_ref(&self) {
        // SAFETY: The entry is valid, by the type invariant, and its count not zero, which is what
        // taking one more needs.
        unsafe { bindings::nfo_neigh_hold(self.0.get()) }
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: By the contract, the caller gives up a reference it owns.
        unsafe { bindings::nfo_neigh_release(obj.cast().as_ptr()) }
    }
}

impl Neighbour {
    /// Whether the entry was taken out of its table; one that was never becomes valid again.
    ///
    /// Whoever wants the address then looks the neighbour up anew. Any context.
    #[inline(always)]
    pub(crate) fn is_dead(&self) -> bool {
        // SAFETY: The entry is valid, by the type invariant; a byte that may change at any time.
        unsafe { ptr::read_volatile(&raw const (*self.0.get()).dead) != 0 }
    }

    /// The state now: one of the bits `NUD_*`.
    #[inline(always)]
    fn state(&self) -> u32 {
        // SAFETY: The entry is valid, by the type invariant; a byte that may change at any time.
        u32::from(unsafe { ptr::read_volatile(&raw const (*self.0.get()).nud_state) })
    }

    /// Whether the address is known (C: `NUD_VALID`), and the entry in its table. Any context.
    #[inline(always)]
    pub(crate) fn is_valid(&self) -> bool {
        self.state() & bindings::NFO_NUD_VALID != 0 && !self.is_dead()
    }

    /// Says that the address is about to be used, as every sender must, and returns whether it may
    /// be used now (C: `neigh_event_send`).
    ///
    /// A stale entry gets probed after a while, unless the neighbour is heard of by then, and one
    /// that is used is not collected. An entry without an address is left as it is: false sends the
    /// packet to the classic path, which has it resolved, and which has a packet to queue
    /// meanwhile.
    ///
    /// `now` is in ticks. The entry notes the tick of its last use, in a line that all CPUs share;
    /// if that is `now` already, and nothing else is to be done, there is no write and no call.
    /// Softirq or process context, since the entry's lock may be taken.
    #[inline(always)]
    pub(crate) fn touch(&self, now: u32) -> bool {
        if !self.is_valid() {
            return false;
        }
        let entry = self.0.get();
        // SAFETY: The entry is valid, by the type invariant; a word that may change at any time.
        let used = unsafe { ptr::read_volatile(&raw const (*entry).used) };
        // CAST: Only whether it is this tick; the low half is enough.
        if self.state() & bindings::NFO_NUD_LIVE != 0 && used as u32 == now {
            return true;
        }
        // SAFETY: The entry is valid, by the type invariant. Without a packet nothing is queued or
        // freed.
        unsafe { bindings::nfo_neigh_event_send(entry) == 0 }
    }

    /// The Ethernet address, consistent also while it changes (C: `neigh_ha_snapshot`).
    ///
    /// For entries of Ethernet devices; others have other addresses in the same place. Whether it
    /// is known at all is [`Self::touch`]'s to say, which comes first: of an entry without an
    /// address this is what was there last, or zero. Waits, if it has to, for a writer who copies a
    /// few bytes; in the end as C does, which also works for a writer that has been preempted.
    #[inline(always)]
    pub(crate) fn ethernet_address(&self) -> Mac {
        let [a, b, c, d, e, f, ..] = self.ethernet_word().to_ne_bytes();
        [a, b, c, d, e, f]
    }

    /// The same as a word in memory, with two bytes of no meaning behind it: to be copied at once.
    #[inline(always)]
    pub(crate) fn ethernet_word(&self) -> u64 {
        self.try_word().unwrap_or_else(|| self.word_patiently())
    }

    /// The same, unless somebody is just about to write it.
    ///
    /// This is the reader of a sequence lock (C: `read_seqbegin`, `read_seqretry`): an odd or changed
    /// number means that a writer was about, and then what was read is not used. The fences keep the
    /// reads of the address between those of the number.
    #[inline(always)]
    fn try_word(&self) -> Option<u64> {
        let entry = self.0.get();
        // SAFETY: The entry is valid, by the type invariant; a word that may change at any time.
        let sequence =
            || unsafe { (&raw const (*entry).ha_lock.seqcount.seqcount.sequence).read_volatile() };
        let before = sequence();
        fence(Acquire);
        // SAFETY: As above. The area for addresses is aligned to words, and longer than one.
        let address = unsafe { ptr::read_volatile((&raw const (*entry).ha).cast::<u64>()) };
        fence(Acquire);
        (before & 1 == 0 && sequence() == before).then_some(address)
    }

    /// The same, after some attempts, or as C does it.
    #[cold]
    #[inline(never)]
    fn word_patiently(&self) -> u64 {
        for _ in 0..ATTEMPTS {
            core::hint::spin_loop();
            if let Some(address) = self.try_word() {
                return address;
            }
        }
        let [a, b, c, d, e, f, g, h, ..] = self.any_address();
        u64::from_ne_bytes([a, b, c, d, e, f, g, h])
    }

    /// The address of any kind of device, consistent also while it changes
    /// (C: `neigh_ha_snapshot`). Bytes beyond its length are of no meaning.
    #[cold]
    pub(super) fn any_address(&self) -> [u8; ADDRESS_ROOM] {
        let mut address = [0; ADDRESS_ROOM];
        // SAFETY: The entry is valid, by the type invariant, and there is room for the longest
        // address.
        unsafe { bindings::nfo_neigh_ha_snapshot(address.as_mut_ptr(), self.0.get()) };
        address
    }
}

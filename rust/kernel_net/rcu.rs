// SPDX-License-Identifier: GPL-2.0

//! RCU: evidence of being in a read-side section, and waiting for others to leave theirs.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use crate::bindings;
use core::marker::PhantomData;
use kernel::sync::rcu::Guard;
use kernel::types::NotThreadSafe;

/// Evidence that the caller is in an RCU read-side critical section for `'rcu`.
///
/// It has no size and costs nothing. The packet path gets one from the hook adapter, since
/// netfilter hooks already run under RCU: taking the lock again would be two calls per packet.
///
/// # Invariants
///
/// RCU is held on this CPU for all of `'rcu`.
#[derive(Clone, Copy)]
pub(crate) struct ReadSide<'rcu>(PhantomData<&'rcu ()>, NotThreadSafe);

impl<'rcu> ReadSide<'rcu> {
    /// Makes evidence out of nothing.
    ///
    /// # Safety
    ///
    /// RCU must be held by the caller for all of `'rcu`.
    #[inline(always)]
    pub(crate) unsafe fn new() -> Self {
        // INVARIANT: By the safety requirement.
        Self(PhantomData, NotThreadSafe)
    }

    /// Borrows the evidence of a guard of the kernel crate.
    #[inline(always)]
    pub(crate) fn of(_guard: &'rcu Guard) -> Self {
        // INVARIANT: The guard holds RCU, and lives at least as long as `'rcu`.
        Self(PhantomData, NotThreadSafe)
    }
}

/// Waits until every callback queued with `call_rcu` so far has run. May sleep.
pub(crate) fn rcu_barrier() {
    // SAFETY: Waits only; the callers are in process context.
    unsafe { bindings::rcu_barrier() }
}

/// Waits for a grace period. May sleep.
pub(crate) fn synchronize_rcu() {
    // SAFETY: Waits only; the callers are in process context.
    unsafe { bindings::synchronize_rcu() }
}

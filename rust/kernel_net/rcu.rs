// SPDX-License-Identifier: GPL-2.0

//! RCU: evidence of being in a read-side section, and waiting for others to leave theirs.
//!
//! The `kernel` crate has a guard that opens a read-side section. That is the wrong tool on the
//! packet path, which is called with RCU held already, by netfilter; and a guard of somebody else's
//! section cannot be had. [`ReadSide`] is what both cases have in common: a value of no size whose
//! lifetime is that of the section. Functions that follow RCU-protected pointers take one, and give
//! back references that cannot outlive it.
//!
//! ```ignore
//! let guard = crate::compat::sync::rcu::read_lock();
//! let rcu = ReadSide::of(&guard);
//! let flow = table.get(index, rcu)?;
//! drop(guard); // Does not compile if `flow` is used below.
//! ```
//!
//! Context: evidence can be made and used anywhere. The functions that wait sleep, and wait forever
//! if the caller is in a read-side section itself.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use crate::bindings;
use crate::compat::sync::rcu::Guard;
use crate::compat::types::NotThreadSafe;
use core::marker::PhantomData;

/// Evidence that the caller is in an RCU read-side critical section for `'rcu`.
///
/// It has no size and costs nothing. The packet path gets one from the hook adapter, since
/// netfilter hooks already run under RCU: taking the lock again would be two calls per packet.
///
/// It may be copied, which does not make the section longer, and it cannot be sent to another
/// thread, since sections belong to the task or CPU that opened them. A region with bottom halves
/// disabled is a read-side section too, as far as grace periods go: they have waited for such
/// regions since the flavours of RCU were merged, also with `PREEMPT_RT`.
///
/// # Invariants
///
/// A read-side critical section of the current task or CPU is open for all of `'rcu`.
#[derive(Clone, Copy)]
pub(crate) struct ReadSide<'rcu>(PhantomData<&'rcu ()>, NotThreadSafe);

impl<'rcu> ReadSide<'rcu> {
    /// Makes evidence out of nothing.
    ///
    /// For callbacks from C whose contract says that RCU is held, and under locks that disable
    /// bottom halves. The lifetime is the caller's to choose: it is bounded by the signature of
    /// what the evidence is handed to, or by care.
    ///
    /// # Safety
    ///
    /// The caller is in a read-side critical section, or has bottom halves disabled, for all of
    /// `'rcu`.
    #[inline(always)]
    pub(crate) unsafe fn new() -> Self {
        // INVARIANT: By the safety requirement.
        Self(PhantomData, NotThreadSafe)
    }

    /// Borrows the evidence of a guard of the kernel crate.
    ///
    /// The guard cannot be dropped while the evidence, or a reference that was got by it, is in
    /// use.
    #[inline(always)]
    pub(crate) fn of(_guard: &'rcu Guard) -> Self {
        // INVARIANT: The guard holds RCU, and lives at least as long as `'rcu`.
        Self(PhantomData, NotThreadSafe)
    }
}

/// Waits until every callback queued with `call_rcu` so far, on any CPU, has returned
/// (C: `rcu_barrier`).
///
/// That is more than a grace period: callbacks run some time after theirs, in the order in which
/// each CPU queued them. Whoever owns the code of a callback, or memory that it uses, waits with
/// this before giving it up. Callbacks that are queued later, also by callbacks, are not waited
/// for.
///
/// Process context; sleeps, for some tens of milliseconds as a rule.
pub(crate) fn rcu_barrier() {
    // SAFETY: Touches no memory of the caller's; it may only not be called where sleeping is
    // forbidden, and by the documentation callers are in process context.
    unsafe { bindings::rcu_barrier() }
}

/// Waits until every read-side section that is open now has been left (C: `synchronize_rcu`).
///
/// What was made unreachable before the call can be freed after it. Process context; sleeps, for
/// some tens of milliseconds as a rule.
pub(crate) fn synchronize_rcu() {
    // SAFETY: Touches no memory of the caller's; it may only not be called where sleeping is
    // forbidden, and by the documentation callers are in process context.
    unsafe { bindings::synchronize_rcu() }
}

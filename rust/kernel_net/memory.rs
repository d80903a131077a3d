// SPDX-License-Identifier: GPL-2.0

//! Who pays for memory, and hints to that of the machine.
//!
//! # Who pays
//!
//! Memory that a user's packets and rules make the kernel allocate is charged to the user's cgroup, so that
//! it counts among the user's own and ends where that ends. The kernel charges an allocation with
//! `__GFP_ACCOUNT` to the cgroup of the current task. In softirq, and in a worker, that is anybody. So
//! whoever makes a flowtable leaves an [`Account`], and what is allocated for it later is allocated
//! under a [`Charge`] of this account, on whatever CPU and in whatever context.
//!
//! ```ignore
//! let account = Account::of_current(); // In the system call.
//! // In softirq, or in a worker:
//! let charge = account.charge();
//! let object = KBox::new(object, charge.atomic())?;
//! drop(charge);
//! ```
//!
//! The page allocator lets what is asked for with `GFP_ATOMIC` go beyond the limit of a cgroup, since as a
//! rule it is given back soon. What is allocated here stays as long as its flow does. So
//! [`Charge::atomic`] asks for that only where the account is the whole machine's, which has no limit;
//! elsewhere `GFP_NOWAIT`, which fails at the limit.
//!
//! C headers: [`include/linux/memcontrol.h`](srctree/include/linux/memcontrol.h),
//! [`include/linux/prefetch.h`](srctree/include/linux/prefetch.h),
//! [`include/linux/sched/mm.h`](srctree/include/linux/sched/mm.h)

use crate::bindings;
use crate::compat::prelude::*;
use crate::compat::types::NotThreadSafe;
use core::ptr;
use kernel::alloc::flags::GFP_NOWAIT;
use kernel::alloc::Flags;

/// A share of a cgroup that pays for memory.
///
/// It keeps the cgroup's bookkeeping, also after the cgroup has been removed: the parent pays then. In a
/// kernel without such cgroups it is nothing.
///
/// # Invariants
///
/// `memcg` is null, or a reference to a cgroup that this owns.
pub(crate) struct Account {
    memcg: *mut bindings::mem_cgroup,
}

// SAFETY: References to cgroups are counted atomically, and belong to no task.
unsafe impl Send for Account {}
// SAFETY: As above; nothing is changed by way of a shared one.
unsafe impl Sync for Account {}

impl Account {
    /// That of the current task. Process context.
    pub(crate) fn of_current() -> Self {
        // INVARIANT: C gives a reference, or null.
        Self {
            // SAFETY: May be called from any task.
            memcg: unsafe { bindings::nfo_memcg_of_current() },
        }
    }

    /// Has it pay for what is allocated with the flags of the charge, as long as that is kept.
    ///
    /// Any context but hard interrupts. Charges nest: the last one counts.
    pub(crate) fn charge(&self) -> Charge<'_> {
        Charge {
            account: self,
            // SAFETY: The account's reference lives as long as the charge, which borrows it, and which puts
            // back what was there before.
            before: unsafe { bindings::nfo_memcg_activate(self.memcg) },
            _here: NotThreadSafe,
        }
    }

    /// Whether it is one that may have a limit.
    fn is_limited(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::nfo_memcg_has_parent(self.memcg) }
    }
}

impl Clone for Account {
    fn clone(&self) -> Self {
        // SAFETY: By the type invariant.
        let taken = unsafe { bindings::nfo_memcg_tryget(self.memcg) };
        // INVARIANT: Just taken. It always is, since there is a reference already.
        Self {
            memcg: if taken { self.memcg } else { ptr::null_mut() },
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // SAFETY: The reference is this one's, by the type invariant, and not used any more.
        unsafe { bindings::nfo_memcg_put(self.memcg) }
    }
}

/// Evidence that an account pays for what is allocated.
///
/// C keeps which one it is with the task, or, in softirq, with the CPU, where softirqs stay until they are
/// done. So it may not be kept from one of them to the other: nobody can send it, and what is made in a
/// function is dropped there.
#[must_use = "nobody pays any more when nobody keeps this"]
pub(crate) struct Charge<'a> {
    account: &'a Account,
    before: *mut bindings::mem_cgroup,
    _here: NotThreadSafe,
}

impl Charge<'_> {
    /// For who may sleep.
    pub(crate) fn kernel(&self) -> Flags {
        GFP_KERNEL_ACCOUNT | __GFP_NOWARN
    }

    /// For any context.
    pub(crate) fn atomic(&self) -> Flags {
        let flags = match self.account.is_limited() {
            true => GFP_NOWAIT,
            false => GFP_ATOMIC,
        };
        flags | (GFP_KERNEL_ACCOUNT & !GFP_KERNEL) | __GFP_NOWARN
    }

    /// The same as C has it.
    pub(super) fn atomic_raw(&self) -> u32 {
        let flags = match self.account.is_limited() {
            true => bindings::NFO_GFP_NOWAIT,
            false => bindings::NFO_GFP_ATOMIC,
        };
        flags | bindings::NFO_GFP_ACCOUNT
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        // SAFETY: What was there when the charge was made has not gone since: whoever has put it there
        // is not back before this.
        unsafe { bindings::nfo_memcg_activate(self.before) };
    }
}

/// Has the cache fetch the line at `at`, which will be read soon. Nothing waits for it, and nothing
/// happens if there is no memory. Any context.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T) {
    // A call takes several times as long.
    #[cfg(target_arch = "x86_64")]
    // SAFETY: A hint may be about any address.
    unsafe {
        core::arch::asm!("prefetcht0 [{}]", in(reg) at,
            options(nostack, readonly, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: As above.
    unsafe {
        core::arch::asm!("prfm pldl1keep, [{}]", in(reg) at,
            options(nostack, readonly, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    // SAFETY: As above.
    unsafe {
        bindings::nfo_prefetch(at.cast());
    }
}

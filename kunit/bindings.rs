// SPDX-License-Identifier: GPL-2.0

//! What the table needs of the module's bindings.

pub(crate) use kernel::bindings::*;

/// C: `GFP_ATOMIC | __GFP_NOWARN`.
pub(crate) const NFO_GFP_ATOMIC: u32 = GFP_ATOMIC | __GFP_NOWARN;
/// C: `__GFP_ZERO`.
pub(crate) const NFO_GFP_ZERO: u32 = __GFP_ZERO;

extern "C" {
    pub(crate) fn nfo_spin_lock_bh(lock: *mut spinlock_t);
    pub(crate) fn nfo_spin_unlock_bh(lock: *mut spinlock_t);
    pub(crate) fn nfo_spin_trylock_bh(lock: *mut spinlock_t) -> bool;
    pub(crate) fn nfo_spin_assert_is_held(lock: *mut spinlock_t);
    pub(crate) fn nfo_cond_resched();
}

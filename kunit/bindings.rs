// SPDX-License-Identifier: GPL-2.0

//! What the table needs of the module's bindings.

pub(crate) use kernel::bindings::*;

/// C: `GFP_ATOMIC | __GFP_NOWARN`.
pub(crate) const NFO_GFP_ATOMIC: u32 = GFP_ATOMIC | __GFP_NOWARN;
/// C: `GFP_NOWAIT | __GFP_NOWARN`.
pub(crate) const NFO_GFP_NOWAIT: u32 = GFP_NOWAIT | __GFP_NOWARN;
/// C: `__GFP_ACCOUNT`.
pub(crate) const NFO_GFP_ACCOUNT: u32 = GFP_KERNEL_ACCOUNT & !GFP_KERNEL;

#[allow(
    improper_ctypes,
    reason = "a class of locks is nothing where nobody checks them"
)]
extern "C" {
    pub(crate) fn nfo_spin_lock_init(
        lock: *mut spinlock_t,
        name: *const kernel::ffi::c_char,
        key: *mut lock_class_key,
    );
    pub(crate) fn nfo_spin_lock_bh(lock: *mut spinlock_t);
    pub(crate) fn nfo_spin_unlock_bh(lock: *mut spinlock_t);
    pub(crate) fn nfo_spin_trylock_bh(lock: *mut spinlock_t) -> bool;
    pub(crate) fn nfo_spin_assert_is_held(lock: *mut spinlock_t);
    pub(crate) fn nfo_cond_resched();
    pub(crate) fn nfo_memcg_of_current() -> *mut mem_cgroup;
    pub(crate) fn nfo_memcg_tryget(memcg: *mut mem_cgroup) -> bool;
    pub(crate) fn nfo_memcg_put(memcg: *mut mem_cgroup);
    pub(crate) fn nfo_memcg_has_parent(memcg: *mut mem_cgroup) -> bool;
    pub(crate) fn nfo_memcg_activate(memcg: *mut mem_cgroup) -> *mut mem_cgroup;
}

// SPDX-License-Identifier: GPL-2.0

//! Spin locks that keep bottom halves out.
//!
//! Same shape as `kernel::sync::SpinLock`, for data shared between process context and softirq. A
//! plain spin lock would not do: if a softirq interrupted the holder on the same CPU and wanted the
//! lock, it would spin forever. Disabling bottom halves for as long as the lock is held closes
//! that.
//!
//! ```ignore
//! let list = new_spinlock_bh!(List::new(), "my_list");
//! list.lock().push(item); // Unlocks at the end of the statement.
//! ```
//!
//! Context: process context and softirq, with interrupts enabled; never hard interrupts, which
//! bottom halves do not keep out. Nothing may sleep while the lock is held, and no other lock of
//! this module is taken. A region in which it is held is an RCU read-side section as well, see
//! [`ReadSide`](super::rcu::ReadSide).
//!
//! C header: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h)

use crate::bindings;
use crate::compat::prelude::*;
use crate::compat::sync::lock::{
    Backend,
    Lock, //
};

/// A lock around a `T` that is held with bottom halves disabled.
///
/// Made with [`new_spinlock_bh!`](crate::new_spinlock_bh) in place, and pinned: lockdep and waiters
/// know it by its address.
pub(crate) type SpinLockBh<T> = Lock<T, SpinLockBhBackend>;

/// The backend: `spin_lock_bh` and `spin_unlock_bh` of a C `spinlock_t`.
///
/// Also used directly, for locks that are part of C structures.
pub(crate) struct SpinLockBhBackend;

// SAFETY: `spinlock_t` ensures mutual exclusion between CPUs, and disabling bottom halves between
// process context and softirq of one CPU; hard interrupts never take these locks. `relock` is the
// trait's own, which calls `lock`, so it locks in the same way.
unsafe impl Backend for SpinLockBhBackend {
    type State = bindings::spinlock_t;
    type GuardState = ();

    unsafe fn init(ptr: *mut Self::State, name: *const c_char, key: *mut bindings::lock_class_key) {
        // SAFETY: By the contract of the trait, the pointer is valid for writes, and the name and
        // the key stay forever.
        unsafe { bindings::nfo_spin_lock_init(ptr, name, key) }
    }

    #[inline]
    unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState {
        // SAFETY: The lock is initialised, by the contract of the trait.
        unsafe { bindings::nfo_spin_lock_bh(ptr) }
    }

    #[inline]
    unsafe fn unlock(ptr: *mut Self::State, _guard_state: &Self::GuardState) {
        // SAFETY: The caller owns the lock, by the contract of the trait.
        unsafe { bindings::nfo_spin_unlock_bh(ptr) }
    }

    #[inline]
    unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState> {
        // SAFETY: The lock is initialised, by the contract of the trait.
        unsafe { bindings::nfo_spin_trylock_bh(ptr) }.then_some(())
    }

    #[inline]
    unsafe fn assert_is_held(ptr: *mut Self::State) {
        // SAFETY: The lock is initialised, by the contract of the trait.
        unsafe { bindings::nfo_spin_assert_is_held(ptr) }
    }
}

/// Makes a [`SpinLockBh`](crate::kernel_net::lock::SpinLockBh) with a lock class of its own.
///
/// Each place in the source that uses it is one class: lockdep takes all locks made there for one,
/// and reports them under the name, a string literal.
#[macro_export]
macro_rules! new_spinlock_bh {
    ($inner:expr, $name:literal) => {
        $crate::kernel_net::lock::SpinLockBh::new(
            $inner,
            $crate::compat::c_str!($name),
            kernel::static_lock_class!(),
        )
    };
}

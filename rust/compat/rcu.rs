// SPDX-License-Identifier: GPL-2.0

//! Read-side sections of RCU (`kernel::sync::rcu`, `kernel::types::NotThreadSafe`).
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use crate::bindings;
use core::marker::PhantomData;

/// What belongs to the task that made it.
pub(crate) type NotThreadSafe = PhantomData<*mut ()>;

/// A value of that type, which has the same name.
#[allow(non_upper_case_globals)]
pub(crate) const NotThreadSafe: NotThreadSafe = PhantomData;

/// A section, which ends when this is dropped.
#[must_use = "the section ends at once when nobody keeps this"]
pub(crate) struct Guard(#[allow(dead_code, reason = "it is there for its type")] NotThreadSafe);

/// Opens a section (C: `rcu_read_lock`).
#[inline]
pub(crate) fn read_lock() -> Guard {
    // SAFETY: May be called anywhere; the guard closes it.
    unsafe { bindings::nfo_rcu_read_lock() };
    Guard(NotThreadSafe)
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: The guard's maker has opened it, in this task.
        unsafe { bindings::nfo_rcu_read_unlock() };
    }
}

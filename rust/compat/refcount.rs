// SPDX-License-Identifier: GPL-2.0

//! Counters of references (`kernel::sync::Refcount`).
//!
//! C header: [`include/linux/refcount.h`](srctree/include/linux/refcount.h)

use crate::bindings;
use kernel::types::Opaque;

/// A number of references, which neither overflows nor comes back from zero.
#[repr(transparent)]
pub(crate) struct Refcount(Opaque<bindings::refcount_t>);

// SAFETY: C's functions on it are atomic.
unsafe impl Send for Refcount {}
// SAFETY: As above.
unsafe impl Sync for Refcount {}

impl Refcount {
    /// One that says `value`.
    pub(crate) fn new(value: i32) -> Self {
        Self(Opaque::new(bindings::refcount_t {
            refs: bindings::atomic_t { counter: value },
        }))
    }

    /// One more.
    pub(crate) fn inc(&self) {
        // SAFETY: It is valid.
        unsafe { bindings::nfo_refcount_inc(self.0.get()) }
    }

    /// One less; whether that was the last.
    #[must_use]
    pub(crate) fn dec_and_test(&self) -> bool {
        // SAFETY: It is valid.
        unsafe { bindings::nfo_refcount_dec_and_test(self.0.get()) }
    }

    /// The number, to be read as an atomic.
    pub(crate) fn as_atomic(&self) -> &core::sync::atomic::AtomicI32 {
        // SAFETY: C's counter is a plain number of that size, and only changed by atomic operations.
        unsafe { &*self.0.get().cast() }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Synchronisation: what the module has not itself.

mod arc;
pub mod aref;

use crate::types::Opaque;
pub use arc::Arc;

/// A class of locks, for lockdep (C: `struct lock_class_key`).
#[repr(transparent)]
pub struct LockClassKey(Opaque<bindings::lock_class_key>);

// SAFETY: It is no more than an address, and what C does to it.
unsafe impl Sync for LockClassKey {}

impl LockClassKey {
    /// One that is static; see [`static_lock_class`](crate::static_lock_class).
    #[doc(hidden)]
    pub const fn new_static() -> Self {
        // SAFETY: As C has such, all zero.
        Self(Opaque::new(unsafe { core::mem::zeroed() }))
    }

    /// For C.
    pub const fn as_ptr(&self) -> *mut bindings::lock_class_key {
        self.0.get()
    }
}

/// A class of its own for each place where this is.
#[macro_export]
macro_rules! static_lock_class {
    () => {{
        static CLASS: $crate::sync::LockClassKey = $crate::sync::LockClassKey::new_static();
        &CLASS
    }};
}

// SPDX-License-Identifier: GPL-2.0

//! Initialising what is C's, where that may fail (`kernel::types::Opaque::try_ffi_init`).

use crate::compat::pin_init_from_closure;
use kernel::prelude::*;
use kernel::types::Opaque;

pub(crate) trait OpaqueExt<T>: Sized {
    /// Initialised by a function of C, which may fail.
    fn try_ffi_init<E>(
        init: impl FnOnce(*mut T) -> core::result::Result<(), E>,
    ) -> impl PinInit<Self, E>;
}

impl<T> OpaqueExt<T> for Opaque<T> {
    fn try_ffi_init<E>(
        init: impl FnOnce(*mut T) -> core::result::Result<(), E>,
    ) -> impl PinInit<Self, E> {
        // SAFETY: What is opaque counts as initialised, whatever the function does to it.
        unsafe { pin_init_from_closure::<_, E>(move |slot: *mut Self| init(Opaque::raw_get(slot))) }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Sequential files (`kernel::seq_file`).
//!
//! C header: [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)

use crate::bindings;
use crate::compat::prelude::*;
use crate::compat::types::NotThreadSafe;
use core::fmt;
use kernel::types::Opaque;

/// A file that is being read.
#[repr(transparent)]
pub(crate) struct SeqFile(Opaque<bindings::seq_file>, NotThreadSafe);

impl SeqFile {
    /// One of C.
    ///
    /// # Safety
    ///
    /// `raw` is valid for `'a`, for this task.
    pub(crate) unsafe fn from_raw<'a>(raw: *mut bindings::seq_file) -> &'a Self {
        // SAFETY: By the contract, and it is transparent.
        unsafe { &*raw.cast() }
    }

    /// What [`seq_print`] does.
    pub(crate) fn print(&self, what: fmt::Arguments<'_>) {
        // SAFETY: The file is valid, and `%pA` is for a pointer to what this is.
        unsafe {
            bindings::seq_printf(
                self.0.get(),
                c"%pA".as_char_ptr(),
                core::ptr::from_ref(&what).cast::<c_void>(),
            );
        }
    }
}

macro_rules! seq_print {
    ($file:expr, $($what:tt)+) => { $file.print(::core::format_args!($($what)+)) };
}
pub(crate) use seq_print;

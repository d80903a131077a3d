// SPDX-License-Identifier: GPL-2.0

//! Sequential files (`kernel::seq_file`).
//!
//! C header: [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)

use crate::bindings;
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

    /// What [`seq_print`] does. C formats what Rust has only in kernels that have Rust.
    pub(crate) fn print(&self, what: fmt::Arguments<'_>) {
        let _ = fmt::Write::write_fmt(&mut Writer(self), what);
    }
}

struct Writer<'a>(&'a SeqFile);

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: Both are valid. What does not fit is written again, into a larger buffer, by whoever reads
        // the file.
        unsafe { bindings::seq_write(self.0 .0.get(), text.as_ptr().cast(), text.len()) };
        Ok(())
    }
}

macro_rules! seq_print {
    ($file:expr, $($what:tt)+) => { $file.print(::core::format_args!($($what)+)) };
}
pub(crate) use seq_print;

// SPDX-License-Identifier: GPL-2.0

//! C strings as those of the language (`kernel::str::CStrExt`): the crate has a type of its own.

use core::ffi::CStr;
use kernel::ffi::c_char;

pub(crate) trait CStrExt {
    /// For C.
    fn as_char_ptr(&self) -> *const c_char;

    /// From C.
    ///
    /// # Safety
    ///
    /// `from` is a string of C that is valid for `'a`, and does not change.
    unsafe fn from_char_ptr<'a>(from: *const c_char) -> &'a Self;
}

impl CStrExt for CStr {
    #[inline]
    fn as_char_ptr(&self) -> *const c_char {
        self.as_ptr().cast()
    }

    #[inline]
    unsafe fn from_char_ptr<'a>(from: *const c_char) -> &'a Self {
        // SAFETY: By the contract.
        unsafe { CStr::from_ptr(from.cast()) }
    }
}

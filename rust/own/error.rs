// SPDX-License-Identifier: GPL-2.0

//! Errors, as C has them: negative numbers, and pointers that are none.

use crate::alloc::AllocError;
use crate::ffi::c_int;
use core::convert::Infallible;
use core::num::{
    NonZeroI32,
    TryFromIntError, //
};

/// The largest error number (C: `MAX_ERRNO`).
const MAX: i32 = 4095;

/// An error: a number from -4095 to -1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Error(NonZeroI32);

/// A result that may be an error.
pub type Result<T = (), E = Error> = core::result::Result<T, E>;

impl Error {
    const fn of(number: u32) -> Self {
        // CAST: Small numbers, which are not zero.
        match NonZeroI32::new(-(number as i32)) {
            Some(number) => Self(number),
            None => panic!("no error"),
        }
    }

    /// The error with this number, which is negative; `EINVAL` for what is none.
    pub fn from_errno(number: c_int) -> Self {
        match NonZeroI32::new(number) {
            Some(some) if (-MAX..0).contains(&number) => Self(some),
            _ => code::EINVAL,
        }
    }

    /// Its number, which is negative.
    pub fn to_errno(self) -> c_int {
        self.0.get()
    }
}

impl From<AllocError> for Error {
    fn from(_: AllocError) -> Self {
        code::ENOMEM
    }
}

impl From<TryFromIntError> for Error {
    fn from(_: TryFromIntError) -> Self {
        code::EINVAL
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// What a function of C has returned.
pub fn to_result(number: c_int) -> Result {
    match number < 0 {
        true => Err(Error::from_errno(number)),
        false => Ok(()),
    }
}

/// What a function of C is to return.
pub fn from_result<T: From<i16>>(f: impl FnOnce() -> Result<T>) -> T {
    // CAST: Errors fit.
    f().unwrap_or_else(|error| T::from(error.to_errno() as i16))
}

/// A pointer, or an error in its place (C: `IS_ERR`).
pub fn from_err_ptr<T>(pointer: *mut T) -> Result<*mut T> {
    // CAST: An error is the last page of addresses.
    let number = pointer.addr() as isize;
    match (-(MAX as isize)..0).contains(&number) {
        true => Err(Error::from_errno(number as c_int)),
        false => Ok(pointer),
    }
}

/// Error numbers.
pub mod code {
    use super::Error;

    macro_rules! codes {
        ($($name:ident),* $(,)?) => {
            $(
                #[doc = concat!("C: `", stringify!($name), "`.")]
                pub const $name: Error = Error::of(bindings::$name);
            )*
        };
    }
    codes! {
        EAGAIN, EBUSY, EEXIST, EINVAL, EIO, EMFILE, ENODEV, ENOENT, ENOMEM, ENOSPC, EOVERFLOW, EPERM,
    }
}

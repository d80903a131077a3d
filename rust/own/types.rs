// SPDX-License-Identifier: GPL-2.0

//! What is C's.

use crate::init::{
    pin_init_from_closure,
    PinInit, //
};
use core::cell::UnsafeCell;
use core::marker::PhantomPinned;
use core::mem::MaybeUninit;

/// A value of C: nobody knows whether it is initialised, or who writes to it.
#[repr(transparent)]
pub struct Opaque<T> {
    value: UnsafeCell<MaybeUninit<T>>,
    _pin: PhantomPinned,
}

impl<T> Opaque<T> {
    /// With a value.
    pub const fn new(value: T) -> Self {
        Self {
            value: UnsafeCell::new(MaybeUninit::new(value)),
            _pin: PhantomPinned,
        }
    }

    /// Initialised by a function of C.
    pub fn ffi_init(init: impl FnOnce(*mut T)) -> impl PinInit<Self> {
        // SAFETY: What is opaque counts as initialised, whatever the function does to it.
        unsafe {
            pin_init_from_closure(move |slot: *mut Self| {
                init(slot.cast());
                Ok(())
            })
        }
    }

    /// The same by one that may fail.
    pub fn try_ffi_init<E>(init: impl FnOnce(*mut T) -> Result<(), E>) -> impl PinInit<Self, E> {
        // SAFETY: As above.
        unsafe { pin_init_from_closure(move |slot: *mut Self| init(slot.cast())) }
    }

    /// For C.
    #[inline(always)]
    pub const fn get(&self) -> *mut T {
        UnsafeCell::get(&self.value).cast()
    }

    /// The same of what is only pointed to.
    #[inline(always)]
    pub const fn raw_get(this: *const Self) -> *mut T {
        this.cast_mut().cast()
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Counted references.

use crate::alloc::{
    AllocError,
    Flags,
    KBox, //
};
use crate::error::Error;
use crate::init::{
    pin_init_from_closure,
    PinInit, //
};
use crate::types::Opaque;
use core::marker::PhantomData;
use core::mem::{
    offset_of,
    ManuallyDrop, //
};
use core::ops::Deref;
use core::pin::Pin;
use core::ptr::NonNull;

#[repr(C)]
struct Inner<T> {
    references: Opaque<bindings::refcount_t>,
    data: T,
}

/// A counted reference to a value, which does not move.
///
/// # Invariants
///
/// One of the references that the value counts.
#[repr(transparent)]
pub struct Arc<T>(NonNull<Inner<T>>, PhantomData<Inner<T>>);

// SAFETY: Whoever has it may have the value, and be the last one.
unsafe impl<T: Send + Sync> Send for Arc<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for Arc<T> {}

fn one() -> Opaque<bindings::refcount_t> {
    Opaque::new(bindings::refcount_t {
        refs: bindings::atomic_t { counter: 1 },
    })
}

impl<T> Arc<T> {
    /// The first reference to a value.
    pub fn new(value: T, flags: Flags) -> Result<Self, AllocError> {
        let inner = KBox::new(
            Inner {
                references: one(),
                data: value,
            },
            flags,
        )?;
        Ok(Self(NonNull::from(KBox::leak(inner)), PhantomData))
    }

    /// The same to one that is initialised there.
    pub fn pin_init<E>(init: impl PinInit<T, E>, flags: Flags) -> Result<Self, Error>
    where
        Error: From<E>,
    {
        let init = move |slot: *mut Inner<T>| -> Result<(), Error> {
            // SAFETY: Fields of the slot, which is valid and stays where it is.
            unsafe {
                (&raw mut (*slot).references).write(one());
                init.__pinned_init(&raw mut (*slot).data)?;
            }
            Ok(())
        };
        // SAFETY: Both are initialised, or nothing that has to be dropped.
        let inner = KBox::try_pin_init(unsafe { pin_init_from_closure(init) }, flags)?;
        // SAFETY: It is not moved.
        let inner = unsafe { Pin::into_inner_unchecked(inner) };
        Ok(Self(NonNull::from(KBox::leak(inner)), PhantomData))
    }

    /// The value's place, with the reference.
    pub fn into_raw(this: Self) -> *const T {
        // SAFETY: The value is there, by the type invariant.
        unsafe { &raw const (*ManuallyDrop::new(this).0.as_ptr()).data }
    }

    /// The reference again.
    ///
    /// # Safety
    ///
    /// It is from [`Self::into_raw`], once.
    pub unsafe fn from_raw(raw: *const T) -> Self {
        let inner = raw
            .wrapping_byte_sub(offset_of!(Inner<T>, data))
            .cast::<Inner<T>>()
            .cast_mut();
        // SAFETY: By the contract.
        Self(unsafe { NonNull::new_unchecked(inner) }, PhantomData)
    }

    /// Whether two are of the same value.
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        this.0 == other.0
    }
}

impl<T> Clone for Arc<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        // SAFETY: The value is there, by the type invariant.
        unsafe { bindings::nfo_refcount_inc((*self.0.as_ptr()).references.get()) };
        Self(self.0, PhantomData)
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: The value is there, by the type invariant.
        unsafe { &self.0.as_ref().data }
    }
}

impl<T> Drop for Arc<T> {
    fn drop(&mut self) {
        // SAFETY: The value is there, by the type invariant; from here on this is no reference.
        if unsafe { bindings::nfo_refcount_dec_and_test((*self.0.as_ptr()).references.get()) } {
            // SAFETY: It was the last one.
            drop(unsafe { KBox::from_raw(self.0.as_ptr()) });
        }
    }
}

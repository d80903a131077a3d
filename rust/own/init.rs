// SPDX-License-Identifier: GPL-2.0

//! Initialising values where they stay.
//!
//! That fields which are initialised in place are pinned, and only those, is looked at by the kernel's own
//! crate, which the same sources are compiled against.

use core::convert::Infallible;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::ptr;

/// Initialises a `T` that does not move any more.
///
/// # Safety
///
/// See [`Self::__pinned_init`].
pub unsafe trait PinInit<T: ?Sized, E = Infallible>: Sized {
    /// Initialises what is in the slot. If that fails, nothing is in there.
    ///
    /// # Safety
    ///
    /// The slot is valid for writes, and what is in there afterwards is not moved.
    unsafe fn __pinned_init(self, slot: *mut T) -> Result<(), E>;
}

/// Initialises a `T` that may be moved.
///
/// # Safety
///
/// [`PinInit::__pinned_init`] does not care whether it is.
pub unsafe trait Init<T: ?Sized, E = Infallible>: PinInit<T, E> {}

// SAFETY: It is moved into the slot.
unsafe impl<T> PinInit<T> for T {
    #[inline(always)]
    unsafe fn __pinned_init(self, slot: *mut T) -> Result<(), Infallible> {
        // SAFETY: By the contract.
        unsafe { slot.write(self) };
        Ok(())
    }
}

// SAFETY: As above.
unsafe impl<T> Init<T> for T {}

struct Closure<F, T: ?Sized, E>(F, PhantomData<(fn(*mut T), E)>);

// SAFETY: By the contract of `pin_init_from_closure`.
unsafe impl<T: ?Sized, F: FnOnce(*mut T) -> Result<(), E>, E> PinInit<T, E> for Closure<F, T, E> {
    #[inline(always)]
    unsafe fn __pinned_init(self, slot: *mut T) -> Result<(), E> {
        (self.0)(slot)
    }
}

/// Initialises by a function.
///
/// # Safety
///
/// It does what [`PinInit::__pinned_init`] says.
pub const unsafe fn pin_init_from_closure<T: ?Sized, E>(
    f: impl FnOnce(*mut T) -> Result<(), E>,
) -> impl PinInit<T, E> {
    Closure(f, PhantomData)
}

/// Initialises an array, one by one.
pub fn pin_init_array_from_fn<I: PinInit<T, E>, const N: usize, T, E>(
    mut make: impl FnMut(usize) -> I,
) -> impl PinInit<[T; N], E> {
    let init = move |slot: *mut [T; N]| {
        let first: *mut T = slot.cast();
        let mut done = Elements { first, len: 0 };
        while done.len < N {
            let element = make(done.len);
            // SAFETY: Within the array, which is valid by the contract.
            unsafe { element.__pinned_init(first.add(done.len))? };
            done.len += 1;
        }
        core::mem::forget(done);
        Ok(())
    };
    // SAFETY: All elements are initialised, or those that are are dropped.
    unsafe { pin_init_from_closure(init) }
}

/// Elements that are dropped when the next one fails.
struct Elements<T> {
    first: *mut T,
    len: usize,
}

impl<T> Drop for Elements<T> {
    fn drop(&mut self) {
        // SAFETY: So many were initialised.
        unsafe { ptr::drop_in_place(ptr::slice_from_raw_parts_mut(self.first, self.len)) };
    }
}

/// Never called.
#[doc(hidden)]
pub fn nothing<T>() -> T {
    unreachable!()
}

/// A field that is dropped when a later one fails.
#[doc(hidden)]
pub struct Field<T>(*mut T);

impl<T> Field<T> {
    /// # Safety
    ///
    /// It was initialised, and is dropped by nobody else unless this is kept.
    pub const unsafe fn new(field: *mut T) -> Self {
        Self(field)
    }

    /// Keeps the field if those after it are initialised, too.
    pub fn keep_if<E>(self, rest: Result<(), E>) -> Result<(), E> {
        if rest.is_ok() {
            let _ = ManuallyDrop::new(self);
        }
        rest
    }
}

impl<T> Drop for Field<T> {
    fn drop(&mut self) {
        // SAFETY: By the contract of `new`.
        unsafe { ptr::drop_in_place(self.0) };
    }
}

/// What is done before the fields of a pinned type are dropped: by `#[pinned_drop]`.
pub trait PinnedDrop {
    /// Called once.
    fn drop(self: Pin<&mut Self>);
}

/// Initialises a structure, field by field: `name: value`, or `name <- initialiser`.
#[macro_export]
macro_rules! pin_init {
    ($type:ident { $($fields:tt)* }) => {
        $crate::__pin_init!(::core::convert::Infallible, $type, $($fields)*)
    };
}

/// The same where that may fail: `Type { … }? Error`.
#[macro_export]
macro_rules! try_pin_init {
    ($type:ident { $($fields:tt)* }? $Error:ty) => {
        $crate::__pin_init!($Error, $type, $($fields)*)
    };
    ($type:ident { $($fields:tt)* }) => {
        $crate::__pin_init!($crate::error::Error, $type, $($fields)*)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __pin_init {
    ($Error:ty, $type:ident, $($fields:tt)*) => {{
        let init = move |slot: *mut $type| -> ::core::result::Result<(), $Error> {
            $crate::__pin_fields!($type, slot, [], $($fields)*)
        };
        // SAFETY: All fields are initialised, or those that are are dropped.
        unsafe { $crate::init::pin_init_from_closure::<_, $Error>(init) }
    }};
}

/// One field after the other; a later one that fails drops those before it.
#[doc(hidden)]
#[macro_export]
macro_rules! __pin_fields {
    ($type:ident, $slot:ident, [$($done:ident)*], $(,)?) => {{
        // Never called: it says that no field is left out, nor named twice.
        let _ = || {
            let _: $type = $type { $($done: $crate::init::nothing()),* };
        };
        ::core::result::Result::Ok(())
    }};
    ($type:ident, $slot:ident, [$($done:ident)*], $field:ident <- $init:expr $(, $($rest:tt)*)?) => {{
        let init = $init;
        // SAFETY: A field of the slot, which is valid.
        unsafe { $crate::init::PinInit::__pinned_init(init, &raw mut (*$slot).$field)? };
        // SAFETY: It was initialised just now.
        let field = unsafe { $crate::init::Field::new(&raw mut (*$slot).$field) };
        let rest: ::core::result::Result<(), _> =
            $crate::__pin_fields!($type, $slot, [$($done)* $field], $($($rest)*)?);
        field.keep_if(rest)
    }};
    ($type:ident, $slot:ident, [$($done:ident)*], $field:ident : $value:expr $(, $($rest:tt)*)?) => {{
        let value = $value;
        // SAFETY: A field of the slot, which is valid.
        unsafe { (&raw mut (*$slot).$field).write(value) };
        // SAFETY: It was initialised just now.
        let field = unsafe { $crate::init::Field::new(&raw mut (*$slot).$field) };
        let rest: ::core::result::Result<(), _> =
            $crate::__pin_fields!($type, $slot, [$($done)* $field], $($($rest)*)?);
        field.keep_if(rest)
    }};
    ($type:ident, $slot:ident, [$($done:ident)*], $field:ident $(, $($rest:tt)*)?) => {
        $crate::__pin_fields!($type, $slot, [$($done)*], $field: $field $(, $($rest)*)?)
    };
}

// SPDX-License-Identifier: GPL-2.0

//! Objects that C counts references to.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr::NonNull;

/// Objects that count references to themselves.
///
/// # Safety
///
/// An object stays as long as one more was taken than given up.
pub unsafe trait AlwaysRefCounted {
    /// Takes one more.
    fn inc_ref(&self);

    /// Gives one up.
    ///
    /// # Safety
    ///
    /// The caller has one, and no longer.
    unsafe fn dec_ref(obj: NonNull<Self>);
}

/// A reference to such an object.
///
/// # Invariants
///
/// It is one of those that are counted.
#[repr(transparent)]
pub struct ARef<T: AlwaysRefCounted>(NonNull<T>, PhantomData<T>);

// SAFETY: Whoever has it may have the object, and be the last one.
unsafe impl<T: AlwaysRefCounted + Send + Sync> Send for ARef<T> {}
// SAFETY: As above.
unsafe impl<T: AlwaysRefCounted + Send + Sync> Sync for ARef<T> {}

impl<T: AlwaysRefCounted> ARef<T> {
    /// # Safety
    ///
    /// The caller gives up a reference.
    pub const unsafe fn from_raw(raw: NonNull<T>) -> Self {
        Self(raw, PhantomData)
    }

    /// The object, with the reference.
    pub fn into_raw(this: Self) -> NonNull<T> {
        ManuallyDrop::new(this).0
    }
}

impl<T: AlwaysRefCounted> From<&T> for ARef<T> {
    #[inline(always)]
    fn from(object: &T) -> Self {
        object.inc_ref();
        Self(NonNull::from(object), PhantomData)
    }
}

impl<T: AlwaysRefCounted> Clone for ARef<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        Self::from(&**self)
    }
}

impl<T: AlwaysRefCounted> Deref for ARef<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: It stays, by the type invariant.
        unsafe { self.0.as_ref() }
    }
}

impl<T: AlwaysRefCounted> Drop for ARef<T> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { T::dec_ref(self.0) };
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Memory that is allocated when it is needed for the first time, in whatever context that is.
//!
//! [`Lazy`] is a place for an object that may be missing; who needs it makes it, and if several do so at
//! the same time one of theirs is taken. It then stays until the place goes.

use crate::compat::prelude::*;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{
    AtomicPtr,
    Ordering::{
        AcqRel,
        Acquire, //
    }, //
};

/// A place for an object that is made when it is needed.
///
/// # Invariants
///
/// The pointer is null, or comes from a pinned `KBox<T>`, and does not change any more then.
pub(crate) struct Lazy<T: Send + Sync> {
    object: AtomicPtr<T>,
    _owns: PhantomData<T>,
}

impl<T: Send + Sync> Lazy<T> {
    /// An empty place.
    pub(crate) const fn new() -> Self {
        Self {
            object: AtomicPtr::new(ptr::null_mut()),
            _owns: PhantomData,
        }
    }

    /// The object, if it was needed before. Any context.
    pub(crate) fn get(&self) -> Option<&T> {
        // SAFETY: Null or an object that stays as long as `self`, by the type invariant.
        unsafe { self.object.load(Acquire).as_ref() }
    }

    /// The object, which `make` makes if there is none. Fails as that does.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> Result<Pin<KBox<T>>>) -> Result<&T> {
        if let Some(object) = self.get() {
            return Ok(object);
        }
        // SAFETY: The object stays where it is: it goes as it is dropped in its box again.
        let new = KBox::into_raw(unsafe { Pin::into_inner_unchecked(make()?) });
        // INVARIANT: From a pinned box, and the place was empty.
        match self
            .object
            .compare_exchange(ptr::null_mut(), new, AcqRel, Acquire)
        {
            // SAFETY: As in `get`.
            Ok(_) => Ok(unsafe { &*new }),
            Err(other) => {
                // SAFETY: From a box, and nobody else has seen it.
                drop(unsafe { KBox::from_raw(new) });
                // SAFETY: As in `get`; it is not null, or the exchange would not have failed.
                Ok(unsafe { &*other })
            }
        }
    }
}

impl<T: Send + Sync> Drop for Lazy<T> {
    fn drop(&mut self) {
        let object = *self.object.get_mut();
        if !object.is_null() {
            // SAFETY: From a box, by the type invariant, and this is the last use.
            drop(unsafe { KBox::from_raw(object) });
        }
    }
}

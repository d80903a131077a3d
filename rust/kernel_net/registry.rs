// SPDX-License-Identifier: GPL-2.0

//! Shared objects by number: a list that is walked while others change it, and of which some can be marked.
//!
//! An XArray of `Arc`s. Adding, removing and going on to the next take a time in proportion to the
//! logarithm of how many there are. Who walks has a reference of his own to the object at hand and holds
//! nothing else, so that he may sleep, and objects may go meanwhile.
//!
//! Context: numbers are given in process context, the rest is for any context but hard interrupts.
//!
//! C header: [`include/linux/xarray.h`](srctree/include/linux/xarray.h)

use crate::bindings;
use crate::compat::prelude::*;
use crate::compat::sync::Arc;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use kernel::types::Opaque;

/// Which objects a walk visits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    /// Those that [`Registry::mark`] was called for.
    Marked,
}

/// The objects.
///
/// # Invariants
///
/// Each entry is an `Arc<T>` as a raw pointer, whose reference is the array's.
#[pin_data(PinnedDrop)]
pub(crate) struct Registry<T: Send + Sync + 'static> {
    #[pin]
    array: Opaque<bindings::xarray>,
    _objects: PhantomData<Arc<T>>,
}

// SAFETY: The array has a lock of its own, and objects may be shared and dropped anywhere.
unsafe impl<T: Send + Sync> Send for Registry<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for Registry<T> {}

impl<T: Send + Sync + 'static> Registry<T> {
    /// An empty one.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            array <- Opaque::ffi_init(|slot: *mut bindings::xarray| {
                // SAFETY: The slot is valid for writes, and pinned.
                unsafe { bindings::nfo_xa_init(slot) }
            }),
            _objects: PhantomData,
        })
    }

    /// Adds an object, and gives the number that it has from now on. Process context; may sleep. Fails
    /// with `ENOMEM`, or `EBUSY` when there are a billion.
    pub(crate) fn add(&self, object: Arc<T>) -> Result<u32> {
        let mut number = 0;
        let raw = Arc::into_raw(object);
        // SAFETY: The array is initialised. Objects are aligned as entries have to be.
        let result = kernel::error::to_result(unsafe {
            bindings::nfo_xa_alloc(self.array.get(), &mut number, raw.cast_mut().cast())
        });
        if let Err(error) = result {
            // SAFETY: From `into_raw`, and not taken.
            drop(unsafe { Arc::from_raw(raw) });
            return Err(error);
        }
        Ok(number)
    }

    /// Takes the object with this number out, if there is one.
    pub(crate) fn remove(&self, number: u32) -> Option<Arc<T>> {
        // SAFETY: The array is initialised.
        // CAST: At least as wide.
        let raw = unsafe { bindings::nfo_xa_erase(self.array.get(), number as usize) };
        // SAFETY: The reference was the array's, by the type invariant.
        (!raw.is_null()).then(|| unsafe { Arc::from_raw(raw.cast_const().cast()) })
    }

    /// Marks the object with this number.
    pub(crate) fn mark(&self, number: u32) {
        // SAFETY: The array is initialised.
        // CAST: At least as wide.
        unsafe { bindings::nfo_xa_mark(self.array.get(), number as usize) };
    }

    /// The first object at or behind a number, and its number.
    pub(crate) fn next(&self, from: u32, which: Which) -> Option<(u32, Arc<T>)> {
        // CAST: At least as wide.
        let mut number = from as usize;
        let array = self.array.get();
        // SAFETY: The array is initialised; unlocked below.
        unsafe { bindings::nfo_xa_lock(array) };
        // SAFETY: As above.
        let raw = unsafe { bindings::nfo_xa_find(array, &mut number, which == Which::Marked) };
        let found = (!raw.is_null()).then(|| {
            // SAFETY: An entry is an `Arc` whose reference the array keeps, by the type invariant, and
            // nobody takes it out while it is locked.
            let object: ManuallyDrop<Arc<T>> =
                ManuallyDrop::new(unsafe { Arc::from_raw(raw.cast_const().cast()) });
            // CAST: Numbers of this array have 32 bits.
            (number as u32, (*object).clone())
        });
        // SAFETY: Locked above.
        unsafe { bindings::nfo_xa_unlock(array) };
        found
    }

    /// Runs `f` on each object that is there all the time, and on some of those that come and go.
    pub(crate) fn for_each(&self, which: Which, mut f: impl FnMut(&T)) {
        let mut from = Some(0);
        while let Some((number, object)) = from.and_then(|from| self.next(from, which)) {
            f(&object);
            from = number.checked_add(1);
        }
    }
}

#[pinned_drop]
impl<T: Send + Sync> PinnedDrop for Registry<T> {
    fn drop(self: Pin<&mut Self>) {
        while let Some((number, _)) = self.next(0, Which::All) {
            self.remove(number);
        }
        // SAFETY: Initialised, and this is the last use.
        unsafe { bindings::xa_destroy(self.array.get()) };
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Locks that can be tried (`kernel::sync::lock`): the crate has them without.
//!
//! C header: [`include/linux/mutex.h`](srctree/include/linux/mutex.h)

use crate::bindings;
use crate::compat::prelude::*;
use crate::compat::types::NotThreadSafe;
use core::cell::UnsafeCell;
use core::marker::PhantomPinned;
use core::ops::{
    Deref,
    DerefMut, //
};
use kernel::sync::LockClassKey;
use kernel::types::Opaque;

/// A kind of lock.
///
/// # Safety
///
/// From [`Backend::lock`], or [`Backend::try_lock`] that succeeded, to [`Backend::unlock`] no other
/// one succeeds.
pub(crate) unsafe trait Backend {
    /// C's lock.
    type State;

    /// What is kept while it is held.
    type GuardState;

    /// Initialises the lock.
    ///
    /// # Safety
    ///
    /// `ptr` is valid for writes; `name` and `key` stay for ever.
    unsafe fn init(ptr: *mut Self::State, name: *const c_char, key: *mut bindings::lock_class_key);

    /// Takes the lock.
    ///
    /// # Safety
    ///
    /// It has been initialised.
    #[must_use]
    unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState;

    /// Takes the lock if nobody has it.
    ///
    /// # Safety
    ///
    /// It has been initialised.
    unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState>;

    /// Gives the lock back.
    ///
    /// # Safety
    ///
    /// The caller holds it.
    unsafe fn unlock(ptr: *mut Self::State, guard_state: &Self::GuardState);

    /// Complains, in debug kernels, if the lock is not held.
    ///
    /// # Safety
    ///
    /// It has been initialised.
    #[allow(dead_code, reason = "the crate's own locks are who asks")]
    unsafe fn assert_is_held(ptr: *mut Self::State);
}

/// A value under a lock.
#[pin_data]
pub(crate) struct Lock<T, B: Backend> {
    #[pin]
    state: Opaque<B::State>,
    #[pin]
    _pin: PhantomPinned,
    data: UnsafeCell<T>,
}

// SAFETY: Whoever has the lock may have the value.
unsafe impl<T: Send, B: Backend> Send for Lock<T, B> {}
// SAFETY: One at a time has access.
unsafe impl<T: Send, B: Backend> Sync for Lock<T, B> {}

impl<T, B: Backend> Lock<T, B> {
    /// A lock that nobody holds.
    pub(crate) fn new(
        value: T,
        name: &'static CStr,
        key: &'static LockClassKey,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            data: UnsafeCell::new(value),
            _pin: PhantomPinned,
            state <- Opaque::ffi_init(|slot| {
                // SAFETY: The slot is valid for writes, the rest is static. The key is no more
                // than C's, whose address is all that matters.
                unsafe { B::init(slot, name.as_char_ptr(), core::ptr::from_ref(key).cast_mut().cast()) }
            }),
        })
    }

    /// Takes it.
    pub(crate) fn lock(&self) -> Guard<'_, T, B> {
        Guard {
            // SAFETY: Initialised, as all there are.
            state: unsafe { B::lock(self.state.get()) },
            lock: self,
            _here: NotThreadSafe,
        }
    }

    /// Takes it, if nobody has it.
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T, B>> {
        Some(Guard {
            // SAFETY: Initialised, as all there are.
            state: unsafe { B::try_lock(self.state.get()) }?,
            lock: self,
            _here: NotThreadSafe,
        })
    }
}

/// Evidence of holding a lock.
///
/// # Invariants
///
/// The lock is held by whoever has this.
#[must_use = "the lock is given back at once when nobody keeps this"]
pub(crate) struct Guard<'a, T, B: Backend> {
    lock: &'a Lock<T, B>,
    state: B::GuardState,
    _here: NotThreadSafe,
}

impl<T, B: Backend> Deref for Guard<'_, T, B> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: The lock is held, by the type invariant.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T, B: Backend> DerefMut for Guard<'_, T, B> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: The lock is held, by the type invariant.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T, B: Backend> Drop for Guard<'_, T, B> {
    fn drop(&mut self) {
        // SAFETY: The lock is held, by the type invariant, and nobody uses this any more.
        unsafe { B::unlock(self.lock.state.get(), &self.state) };
    }
}

/// A lock that is slept for.
pub(crate) type Mutex<T> = Lock<T, MutexBackend>;

/// C's `struct mutex`.
pub(crate) struct MutexBackend;

// SAFETY: A mutex is held by one task at a time.
unsafe impl Backend for MutexBackend {
    type State = bindings::mutex;
    type GuardState = ();

    unsafe fn init(ptr: *mut Self::State, name: *const c_char, key: *mut bindings::lock_class_key) {
        // SAFETY: By the contract.
        unsafe { bindings::nfo_mutex_init(ptr, name, key) }
    }

    unsafe fn lock(ptr: *mut Self::State) {
        // SAFETY: By the contract.
        unsafe { bindings::nfo_mutex_lock(ptr) }
    }

    unsafe fn try_lock(ptr: *mut Self::State) -> Option<()> {
        // SAFETY: By the contract.
        unsafe { bindings::nfo_mutex_trylock(ptr) }.then_some(())
    }

    unsafe fn unlock(ptr: *mut Self::State, _guard_state: &()) {
        // SAFETY: By the contract.
        unsafe { bindings::mutex_unlock(ptr) }
    }

    unsafe fn assert_is_held(_ptr: *mut Self::State) {}
}

macro_rules! new_mutex {
    ($value:expr, $name:literal) => {
        $crate::compat::sync::Mutex::new(
            $value,
            $crate::compat::c_str!($name),
            ::kernel::static_lock_class!(),
        )
    };
}
pub(crate) use new_mutex;

/// The name of a lock. The crate's own locks take the crate's own type, where it has one.
macro_rules! c_str {
    ($text:expr) => {{
        const TEXT: &::core::ffi::CStr =
            match ::core::ffi::CStr::from_bytes_with_nul(concat!($text, "\0").as_bytes()) {
                Ok(text) => text,
                Err(_) => panic!("a zero in the text"),
            };
        TEXT
    }};
}
pub(crate) use c_str;

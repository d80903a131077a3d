// SPDX-License-Identifier: GPL-2.0

//! Shared objects that readers follow without taking a reference, and that can be replaced.
//!
//! [`RcuArc`] counts references, as `Arc` does; the object goes a grace period after the last of
//! them. [`RcuSlot`] is a place that holds one reference and can be given another at any time:
//! whoever reads it under RCU may use what was there until it leaves its read-side section, also
//! when the place has been given something else meanwhile, and nobody else had a reference.
//!
//! The kernel crate's `Arc` cannot do this: its object goes at once with the last reference, and
//! deferring the drop of a reference would need memory for each.
//!
//! # Context
//!
//! References may be made, dropped and put into slots in any context but hard interrupts. Objects
//! are dropped in softirq.
//!
//! C headers: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h),
//! [`include/linux/refcount.h`](srctree/include/linux/refcount.h)

use crate::bindings;
use crate::compat::prelude::*;
use crate::compat::sync::Refcount;
use crate::kernel_net::rcu::ReadSide;
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::{
    self,
    NonNull, //
};
use core::sync::atomic::{
    AtomicPtr,
    Ordering::{
        AcqRel,
        Acquire, //
    }, //
};
use kernel::alloc::AllocError;

/// An object, its number of references, and what is queued when that is zero.
struct Node<T> {
    references: Refcount,
    rcu: UnsafeCell<bindings::callback_head>,
    value: T,
}

/// A counted reference to an object that goes a grace period after the last one.
///
/// # Invariants
///
/// `node` comes from [`KBox::into_raw`], and this is one of the references it counts.
pub(crate) struct RcuArc<T: Send + Sync + 'static> {
    node: NonNull<Node<T>>,
    _owns: PhantomData<T>,
}

// SAFETY: As for `Arc`: references are counted atomically, and the object may be used and dropped
// by anybody, being `Send` and `Sync`.
unsafe impl<T: Send + Sync> Send for RcuArc<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for RcuArc<T> {}

impl<T: Send + Sync> RcuArc<T> {
    /// A first reference to a new object. Without memory the object is dropped.
    pub(crate) fn new(value: T, flags: kernel::alloc::Flags) -> Result<Self, AllocError> {
        let node = KBox::new(
            Node {
                references: Refcount::new(1),
                rcu: UnsafeCell::new(bindings::callback_head::default()),
                value,
            },
            flags,
        )?;
        // INVARIANT: From `into_raw`, with the one reference that this is.
        Ok(Self {
            node: NonNull::from(KBox::leak(node)),
            _owns: PhantomData,
        })
    }

    /// Whether there is no other reference just now. Only who can make new ones, and keeps others
    /// from it, can rely on a true.
    pub(crate) fn is_unique(&self) -> bool {
        // SAFETY: The reference makes the node valid, by the type invariant.
        let node = unsafe { self.node.as_ref() };
        node.references
            .as_atomic()
            .load(crate::compat::sync::atomic::Acquire)
            == 1
    }

    /// Drops the object and frees its memory.
    ///
    /// # Safety
    ///
    /// Only for RCU, with the head of a node that has no references and that nobody can find.
    unsafe extern "C" fn free(head: *mut bindings::callback_head) {
        let head: *mut UnsafeCell<bindings::callback_head> = head.cast();
        let node = crate::compat::container_of!(head, Node<T>, rcu);
        // SAFETY: By the contract, the head is the `rcu` field of a node from `KBox::into_raw`, and
        // nobody uses it any more.
        drop(unsafe { KBox::from_raw(node) });
    }
}

impl<T: Send + Sync> Clone for RcuArc<T> {
    fn clone(&self) -> Self {
        // SAFETY: The reference makes the node valid, by the type invariant.
        unsafe { self.node.as_ref() }.references.inc();
        // INVARIANT: Just counted.
        Self {
            node: self.node,
            _owns: PhantomData,
        }
    }
}

impl<T: Send + Sync> Deref for RcuArc<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: The reference makes the node valid, by the type invariant.
        &unsafe { self.node.as_ref() }.value
    }
}

impl<T: Send + Sync> Drop for RcuArc<T> {
    fn drop(&mut self) {
        // SAFETY: The reference makes the node valid until it is given up here.
        if unsafe { self.node.as_ref() }.references.dec_and_test() {
            // SAFETY: That was the last reference, so nobody can make another one. The head is
            // embedded in the node, which stays until the callback.
            unsafe { bindings::call_rcu((*self.node.as_ptr()).rcu.get(), Some(Self::free)) };
        }
    }
}

/// A place for a reference, to be read under RCU.
///
/// # Invariants
///
/// `node` is that of an [`RcuArc`] whose reference this place owns.
pub(crate) struct RcuSlot<T: Send + Sync + 'static> {
    node: AtomicPtr<Node<T>>,
    _owns: PhantomData<T>,
}

impl<T: Send + Sync> RcuSlot<T> {
    /// A place with something in it.
    pub(crate) fn new(value: RcuArc<T>) -> Self {
        let node = value.node.as_ptr();
        core::mem::forget(value);
        // INVARIANT: The reference was given up above.
        Self {
            node: AtomicPtr::new(node),
            _owns: PhantomData,
        }
    }

    /// What is there now. One load.
    #[inline(always)]
    pub(crate) fn get<'rcu>(&'rcu self, _rcu: ReadSide<'rcu>) -> &'rcu T {
        // SAFETY: The place owns a reference to the node, by the type invariant. When it is given
        // another, the node stays for a grace period, which ends after `'rcu`.
        &unsafe { &*self.node.load(Acquire) }.value
    }

    /// Puts something else there.
    pub(crate) fn set(&self, value: RcuArc<T>) {
        let node = value.node.as_ptr();
        core::mem::forget(value);
        // INVARIANT: The reference was given up above. Pairs with the load in `get`: readers see
        // an initialised object.
        let old = self.node.swap(node, AcqRel);
        // INVARIANT: The reference that the place had is taken over, by the type invariant.
        drop(RcuArc {
            // SAFETY: Never null, by the type invariant.
            node: unsafe { NonNull::new_unchecked(old) },
            _owns: PhantomData::<T>,
        });
    }
}

impl<T: Send + Sync> Drop for RcuSlot<T> {
    fn drop(&mut self) {
        let node = core::mem::replace(self.node.get_mut(), ptr::null_mut());
        // INVARIANT: The reference that the place had is taken over; nobody reads it any more.
        drop(RcuArc {
            // SAFETY: Never null before, by the type invariant.
            node: unsafe { NonNull::new_unchecked(node) },
            _owns: PhantomData::<T>,
        });
    }
}

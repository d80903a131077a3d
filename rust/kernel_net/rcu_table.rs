// SPDX-License-Identifier: GPL-2.0

//! A hash table of objects that are found by either of two keys.
//!
//! Made for flows: few writers, readers in softirq on every CPU who must not write to shared
//! memory, objects that stay where they are, and sizes from nothing to millions.
//!
//! - [`arena`] holds the objects, each at an index that never changes.
//! - [`buckets`] holds hashes and indices. While it is resized there are two arrays, and a lookup
//!   tries the old one first; entries appear in the new one before they vanish from the old.
//! - Removing makes an object invisible at once; it is dropped after a grace period, in softirq.
//!
//! One lock orders the writers. The reader's price is the lines of one bucket and of the object.

mod arena;
mod buckets;

use crate::bindings;
use crate::kernel_net::lock::SpinLockBh;
use crate::kernel_net::rcu::{
    rcu_barrier,
    synchronize_rcu,
    ReadSide, //
};
use crate::kernel_net::work::cond_resched;
use crate::new_spinlock_bh;
use arena::{
    Arena,
    Slot, //
};
use buckets::Buckets;
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{
    AtomicPtr,
    AtomicU32,
    Ordering::{
        Acquire,
        Relaxed,
        Release, //
    }, //
};
use kernel::prelude::*;

/// Which of an object's two keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// The first: for a flow, the original direction.
    Original,
    /// The second: for a flow, the reply direction.
    Reply,
}

impl Side {
    /// The other one.
    #[inline(always)]
    pub(crate) fn other(self) -> Self {
        match self {
            Side::Original => Side::Reply,
            Side::Reply => Side::Original,
        }
    }
}

/// What a table can hold.
pub(crate) trait Object: Send + Sync + Sized {
    /// What an object is found by.
    type Key: Copy + Eq;
    /// What makes the hash unpredictable.
    type Secret: Send + Sync;

    /// The key of one side; constant while the object is in a table.
    fn key(&self, side: Side) -> &Self::Key;

    /// The hash of a key.
    fn hash(secret: &Self::Secret, key: &Self::Key) -> u32;
}

/// What a lookup found.
pub(crate) struct Found<'rcu, T> {
    pub(crate) object: &'rcu T,
    pub(crate) side: Side,
    pub(crate) index: u32,
}

/// Why an object was not taken; it has been dropped, or will be after a grace period.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum InsertError {
    /// One of the keys is in the table already.
    Exists,
    /// No memory for the object.
    NoMemory,
    /// No room in the hash array, which is about to grow: try again with a later packet.
    Full,
}

/// The table.
#[pin_data(PinnedDrop)]
pub(crate) struct RcuTable<T: Object> {
    /// Where lookups go first.
    current: AtomicPtr<Buckets>,
    /// The array that is being filled, while there is one.
    future: AtomicPtr<Buckets>,
    secret: T::Secret,
    len: AtomicU32,
    /// Slots in use, of which `len` are published.
    in_use: AtomicU32,
    arena: UnsafeCell<Arena<T>>,
    /// Orders all writers of the arena and the arrays.
    #[pin]
    lock: SpinLockBh<()>,
}

// SAFETY: Objects are `Send` and `Sync`; everything else is atomic, or changed under the lock.
unsafe impl<T: Object> Send for RcuTable<T> {}
// SAFETY: As above.
unsafe impl<T: Object> Sync for RcuTable<T> {}

impl<T: Object> RcuTable<T> {
    /// An empty table, of about 4 KiB. May sleep.
    pub(crate) fn new(secret: T::Secret) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            current: AtomicPtr::new(KBox::into_raw(KBox::new(
                Buckets::smallest(GFP_KERNEL)?,
                GFP_KERNEL
            )?)),
            future: AtomicPtr::new(ptr::null_mut()),
            secret,
            len: AtomicU32::new(0),
            in_use: AtomicU32::new(0),
            arena: UnsafeCell::new(Arena::new()),
            lock <- new_spinlock_bh!((), "nft_offload_rs_table"),
        }? Error)
    }

    #[inline(always)]
    fn arena(&self) -> &Arena<T> {
        // SAFETY: Only shared references to the arena are ever made; it has its own cells.
        unsafe { &*self.arena.get() }
    }

    /// The arrays to look into, in order.
    #[inline(always)]
    fn arrays(&self) -> [Option<&Buckets>; 2] {
        // SAFETY: Arrays are freed a grace period after they were replaced; callers are under RCU
        // or hold the lock and the arrays are only replaced by the one who resizes.
        unsafe {
            [
                self.current.load(Acquire).as_ref(),
                self.future.load(Acquire).as_ref(),
            ]
        }
    }

    /// Objects in the table.
    pub(crate) fn len(&self) -> u32 {
        self.len.load(Relaxed)
    }

    /// The hash of a key in this table.
    #[inline(always)]
    fn hash(&self, key: &T::Key) -> u32 {
        T::hash(&self.secret, key)
    }

    /// Finds the object with this key. Softirq or anywhere else under RCU; writes nothing.
    #[inline(always)]
    pub(crate) fn lookup<'rcu>(
        &'rcu self,
        key: &T::Key,
        rcu: ReadSide<'rcu>,
    ) -> Option<Found<'rcu, T>> {
        let hash = self.hash(key);
        // SAFETY: Arrays are freed a grace period after they were replaced, and RCU is held.
        let current = unsafe { &*self.current.load(Acquire) };
        let found = current.find(hash, |what| self.matching(what, key, rcu));
        if found.is_some() {
            return found;
        }
        // SAFETY: As above.
        let future = unsafe { self.future.load(Acquire).as_ref() }?;
        future.find(hash, |what| self.matching(what, key, rcu))
    }

    #[inline(always)]
    fn matching<'rcu>(
        &'rcu self,
        what: u32,
        key: &T::Key,
        _rcu: ReadSide<'rcu>,
    ) -> Option<Found<'rcu, T>> {
        let index = what >> 1;
        let side = if what & 1 == 0 {
            Side::Original
        } else {
            Side::Reply
        };
        let slot = self.arena().slot(index)?;
        // SAFETY: An entry is removed from the arrays before the grace period that ends with the
        // object's drop; it was seen under RCU, so the object lives for `'rcu`.
        let object = unsafe { &*slot.value() };
        (object.key(side) == key).then_some(Found {
            object,
            side,
            index,
        })
    }

    /// The object at `index`, if there still is one.
    #[inline(always)]
    pub(crate) fn get<'rcu>(&'rcu self, index: u32, rcu: ReadSide<'rcu>) -> Option<&'rcu T> {
        self.arena().get(index, rcu)
    }

    /// The first object at or after index `from`: to walk the table in bounded steps.
    pub(crate) fn next<'rcu>(&'rcu self, from: u32, rcu: ReadSide<'rcu>) -> Option<(u32, &'rcu T)> {
        self.arena().next(from, rcu)
    }

    /// Puts an object in, visible when complete: the reply side first, the original last.
    ///
    /// Returns its index. Any context but hard interrupts.
    pub(crate) fn insert(&self, object: T) -> Result<u32, InsertError> {
        let hashes = [
            self.hash(object.key(Side::Original)),
            self.hash(object.key(Side::Reply)),
        ];
        let guard = self.lock.lock();
        // SAFETY: The lock disables bottom halves, and grace periods wait for such regions too.
        let rcu = unsafe { ReadSide::new() };
        if self.lookup(object.key(Side::Original), rcu).is_some()
            || self.lookup(object.key(Side::Reply), rcu).is_some()
        {
            drop(guard);
            return Err(InsertError::Exists);
        }
        let home = ptr::from_ref(self).cast();
        // SAFETY: The lock is held.
        let index = match unsafe { self.arena().reserve(object, home) } {
            Ok(index) => index,
            Err(object) => {
                drop(guard);
                drop(object);
                return Err(InsertError::NoMemory);
            }
        };
        self.in_use.fetch_add(1, Relaxed);
        // While a resize is on, only the new array takes entries.
        let [current, future] = self.arrays();
        let Some(array) = future.or(current) else {
            self.retire(index);
            return Err(InsertError::Full);
        };
        let (original, reply) = (index << 1, index << 1 | 1);
        if array.insert(hashes[1], reply).is_err() {
            self.retire(index);
            return Err(InsertError::Full);
        }
        if array.insert(hashes[0], original).is_err() {
            // A reader may have found the reply side, so the object goes like every other.
            array.remove(hashes[1], reply);
            self.retire(index);
            return Err(InsertError::Full);
        }
        self.arena().publish(index);
        self.len.fetch_add(1, Relaxed);
        Ok(index)
    }

    /// Takes an object out; true for the one caller who did.
    ///
    /// It is dropped after a grace period. Any context but hard interrupts.
    pub(crate) fn remove(&self, index: u32) -> bool {
        let _guard = self.lock.lock();
        if !self.arena().unpublish(index) {
            return false;
        }
        let Some(slot) = self.arena().slot(index) else {
            return false;
        };
        // SAFETY: We took it out, so it is alive until the callback that is queued below.
        let object = unsafe { &*slot.value() };
        for (side, bit) in [(Side::Original, 0), (Side::Reply, 1)] {
            let hash = self.hash(object.key(side));
            for array in self.arrays().into_iter().flatten() {
                array.remove(hash, index << 1 | bit);
            }
        }
        self.len.fetch_sub(1, Relaxed);
        self.retire(index);
        true
    }

    /// Queues the drop of an object that nobody can find any more.
    fn retire(&self, index: u32) {
        if let Some(slot) = self.arena().slot(index) {
            // SAFETY: The head is embedded in the slot, which stays reserved until the callback.
            unsafe { bindings::call_rcu(slot.rcu.get(), Some(Self::reclaim)) };
        }
    }

    /// The RCU callback: drops the object and gives its slot back.
    ///
    /// # Safety
    ///
    /// Only for RCU, with the head of a retired slot of a live table.
    unsafe extern "C" fn reclaim(head: *mut bindings::callback_head) {
        let head: *mut UnsafeCell<bindings::callback_head> = head.cast();
        // SAFETY: By the contract the head is within a slot.
        let slot = unsafe { &*kernel::container_of!(head, Slot<T>, rcu) };
        let (home, index) = (slot.home.cast::<Self>(), slot.index);
        // SAFETY: A grace period has passed since nobody can find the object.
        unsafe { slot.value().drop_in_place() };
        // SAFETY: The table waits for its callbacks before it goes.
        let this = unsafe { &*home };
        let _guard = this.lock.lock();
        // SAFETY: The lock is held, and the object is dropped.
        unsafe { this.arena().release(index) };
        this.in_use.fetch_sub(1, Relaxed);
    }

    /// Whether the hash array should be larger soon.
    pub(crate) fn is_crowded(&self, _rcu: ReadSide<'_>) -> bool {
        // SAFETY: Arrays are freed a grace period after they were replaced, and RCU is held.
        let current = unsafe { &*self.current.load(Acquire) };
        let entries = self.len().saturating_mul(2);
        current
            .better_size(entries)
            .is_some_and(|size| size > current.count())
    }

    /// The size the hash array should have, if it is not the one it has.
    fn wants_resize(&self) -> Option<u32> {
        let _guard = self.lock.lock();
        let [current, future] = self.arrays();
        match future {
            Some(_) => None,
            None => current?.better_size(self.len().saturating_mul(2)),
        }
    }

    /// Resizes the hash array to what its content asks for. Process context, one caller at a time;
    /// sleeps, and holds the lock only for a few buckets at a time.
    pub(crate) fn resize(&self) -> Result {
        let Some(size) = self.wants_resize() else {
            return Ok(());
        };
        let new = KBox::into_raw(KBox::new(Buckets::new(size, GFP_KERNEL)?, GFP_KERNEL)?);
        let old = self.current.load(Acquire);
        {
            let _guard = self.lock.lock();
            self.future.store(new, Release);
        }
        // SAFETY: Only this function replaces arrays, and it has one caller at a time.
        let (from, to) = unsafe { (&*old, &*new) };
        let mut number = 0;
        let mut failed = false;
        while number < from.count() {
            let guard = self.lock.lock();
            for _ in 0..16 {
                if number < from.count() {
                    // No room in reach, in an array of the right size: a hash that somebody has
                    // broken. The entry stays in the old array, and the object is not found from
                    // now on: its packets take the classic path until it times out.
                    failed |= from.migrate(number, to).is_err();
                    number += 1;
                }
            }
            drop(guard);
            cond_resched();
        }
        if failed {
            kernel::pr_warn_once!("flow table: too many entries with one hash\n");
        }
        {
            let _guard = self.lock.lock();
            self.current.store(new, Release);
        }
        // A reader who still has the old array finds what has moved in the future one, which must
        // stay until all such readers are gone. One who has the new array looks into it twice.
        synchronize_rcu();
        {
            let _guard = self.lock.lock();
            self.future.store(ptr::null_mut(), Release);
        }
        // SAFETY: Made by `KBox::into_raw`, replaced, and no reader is left.
        drop(unsafe { KBox::from_raw(old) });
        Ok(())
    }
}

#[pinned_drop]
impl<T: Object> PinnedDrop for RcuTable<T> {
    fn drop(self: Pin<&mut Self>) {
        let mut from = 0;
        loop {
            let guard = kernel::sync::rcu::read_lock();
            let Some((index, _)) = self.next(from, ReadSide::of(&guard)) else {
                break;
            };
            drop(guard);
            self.remove(index);
            from = index + 1;
        }
        // Callbacks refer to this table.
        while self.in_use.load(Relaxed) != 0 {
            rcu_barrier();
        }
        for array in [&self.current, &self.future] {
            let array = array.load(Relaxed);
            if !array.is_null() {
                // SAFETY: Made by `KBox::into_raw`, and this is the last use.
                drop(unsafe { KBox::from_raw(array) });
            }
        }
    }
}

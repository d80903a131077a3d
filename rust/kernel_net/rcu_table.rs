// SPDX-License-Identifier: GPL-2.0

//! A hash table of objects that are found by either of two keys.
//!
//! # Problem
//!
//! A flow is looked up for every packet, by the addresses and ports that packets of one of its two
//! directions have. There are from no to some millions of flows; packets arrive in softirq on every
//! CPU, millions a second, while flows come and go by the thousand. So this is wanted:
//!
//! - Readers take no lock and write no shared memory, not even a reference count.
//! - A lookup touches few cache lines: when there are many flows each of them is a miss.
//! - The table grows and shrinks while it is in use, and no step of that keeps packets waiting.
//! - Objects stay where they are, so that they can refer to each other, and be kept track of, by an
//!   index that is shorter than a pointer and can be checked.
//!
//! C uses an rhashtable: each object is in two chains, linked by pointers within it. A lookup
//! visits the objects of a chain until one fits, a miss each, and a resize visits and changes all
//! of them.
//!
//! # Algorithm
//!
//! Finding and storing are apart:
//!
//! ```text
//!                  buckets                            arena
//!   key --hash-->  7 entries to a cache line:         index --> slot:
//!                  (hash, index, side)  --index-->    object { key, key, ... }
//! ```
//!
//! - [`arena`] holds the objects, each in a slot with an index that never changes.
//! - [`buckets`] holds entries, two for each object: 32 bits of hash, and `index << 1 | side`.
//!
//! A lookup reads the one line of buckets that the hash selects, and goes on to an object only for
//! an entry whose 32 bits of hash are those of the key. Then it compares the key itself. So it
//! reads two lines that are its own, of the bucket and of the object; what else it reads, the
//! array's address and two pointers to the object's chunk, is shared by many and mostly in the
//! cache.
//!
//! Example: the object at index 130 has keys with the hashes 51d200e7 and 9e370165, in a table of
//! 32 buckets. Its entries are (51d200e7, 260) in bucket 7 and (9e370165, 261) in bucket 11. A
//! packet of the reply direction hashes to 9e370165; the fifth entry of bucket 11, say, has this
//! hash; 261 is index 130 and the reply side. The object's reply key is the packet's: found.
//!
//! # Life of an object
//!
//! ```text
//!             insert                              remove             grace period
//!   free ---> reserved ---> findable ---> published ---> retired ---------------> free
//!        slot         entries       live bit       bit and entries        object dropped,
//!        taken        stored        set            cleared                slot given back
//! ```
//!
//! [`RcuTable::insert`] stores the entry of the reply side first and that of the original side
//! last, as C does: whoever finds an object by its original key can count on its being found by the
//! other, too. Then it sets the slot's live bit, from when on the object is found by its index.
//!
//! [`RcuTable::remove`] clears the live bit first: of all callers, the one who cleared it has
//! removed the object. Entries go next. Nobody can find the object any more who does not hold it
//! already, and those who do are in a read-side section. So it is dropped by an RCU callback, a
//! grace period later, or two, if a callback of its chunk is queued already.
//!
//! # Visits
//!
//! Objects have to be looked after. [`RcuTable::visit_all_at`] notes when, in a byte beside the bitmaps of
//! the chunk, and [`RcuTable::take_due`] finds those whose time has come, in the order of memory:
//! see [`due`]. It finds out by a digest beside the pointers to the chunk whether there are any.
//!
//! # Resize
//!
//! [`RcuTable::resize`] copies entries from the old array to a new one, and no object is touched:
//!
//! 1. A new array is allocated, which may sleep, and stored as `future`. From now on new entries go
//!    there, entries are removed from both arrays, and lookups try `current` and then `future`.
//! 2. The old array's buckets are emptied, 16 at a time under the lock. An entry is stored in the
//!    new array before it is cleared in the old one.
//! 3. The new array becomes `current`, and stays `future` for a grace period.
//! 4. Then `future` becomes null, and the old array is freed.
//!
//! A lookup misses nothing: if it finds an entry cleared in the old array, where it looks first,
//! then the entry was in the new one already, where it looks next, because whoever has the old
//! array also finds the new one as `future`. It may look into the same array twice.
//!
//! # Rebuild
//!
//! Each array has a secret of its own, with which keys are hashed that are looked for in it. An array that
//! takes the place of another one takes over its secret, too, so that entries stay good when they are copied.
//! Nobody sees it. But who can tell by the time that an answer takes whether keys are in each other's way
//! may collect keys that are, and fill all buckets in reach of each other.
//!
//! So when a key finds no room, though there is plenty, [`RcuTable::resize`] makes an array of the same
//! size with a new secret, by which such keys are spread like any others. It does so once in ten seconds at
//! most, so that the work is not what somebody is after. It goes through the objects instead of the
//! entries: both keys of each get an entry in the new array, `future`, if they have none there. Those of
//! the old array stay as they are, so lookups find there what they found before. With that come back
//! entries that had found no room in a resize.
//!
//! # Memory
//!
//! An empty table has none but its own: `current` is one in place of an array then, with a bucket that all
//! of them share, in which nothing is found. So lookups need not ask. The first insertion makes the smallest
//! array, and the first chunk. When the table has run empty, [`RcuTable::resize`] gives the array back,
//! whatever its size.
//!
//! All of it is paid for by the [`Account`] of whoever made the table, whoever's packets it is that make it
//! grow.
//!
//! # Memory ordering
//!
//! All writers hold the lock; what follows is between a writer and the readers.
//!
//! | Release | Acquire | so that the reader sees |
//! |---|---|---|
//! | page and head pointers, in `Arena::grow` | `Arena::head` | an initialised head |
//! | what an entry stands for, in `Bucket::put` | `Buckets::find` | the object in the slot, and the pointers to it |
//! | the live bit, in `Arena::publish` | `Arena::get`, `Arena::next` | the object in the slot |
//! | `future` and `current`, in `resize` and `insert` | `lookup` | an initialised array |
//! | zero or another over an entry, or in the summary, in `Buckets::migrate` | `Buckets::find` | `future`, and the entry in it |
//! | the same, where an entry moves within its array | `Buckets::find_all` | the entry where it has gone |
//!
//! Two that look at what the other writes need more: `Arena::publish` sets the live bit and then looks
//! whether the object is due already, `Arena::take_due` takes what is due and then the live bits are
//! read. With a full fence in both, one of them sees the other, so that no object is published that
//! nobody comes to visit.
//!
//! What takes something away needs no order: that readers may have seen it before is what the grace
//! period is for. Neither does setting the marks of buckets that entries have passed: one that is not
//! seen belongs to an entry that is not there yet, or, in a resize, comes with the zero.
//!
//! # Context and locking
//!
//! Lookups are for softirq and everywhere else under RCU. One lock, `RcuTable::lock`, with bottom
//! halves disabled, orders all writers of the arena and of the arrays; it is held for one insertion
//! or removal, or 16 buckets of a resize, or an object of a rebuild. Nothing of the owner's is called under it
//! but what makes an object, what draws a secret, and `key` and `hash` of [`Object`]; none of this module's
//! other locks is taken. Resizing and dropping the table sleep.

// By their paths, which do not depend on how this file is included: KUnit suites have it, too.
#[path = "rcu_table/arena.rs"]
mod arena;
#[path = "rcu_table/buckets.rs"]
pub(crate) mod buckets;
#[path = "rcu_table/due.rs"]
pub(crate) mod due;

use crate::bindings;
use crate::compat::prelude::*;
use crate::kernel_net::lock::SpinLockBh;
use crate::kernel_net::memory::Account;
use crate::kernel_net::rcu::{
    rcu_barrier,
    synchronize_rcu,
    ReadSide, //
};
use crate::kernel_net::time::seconds;
use crate::kernel_net::work::cond_resched;
use crate::new_spinlock_bh;
use arena::{
    Arena,
    Head,
    SLOTS, //
};
use buckets::{
    Buckets,
    Look, //
};
use core::cell::UnsafeCell;
use core::ops::Deref;
use core::ptr;
use core::sync::atomic::{
    AtomicBool,
    AtomicPtr,
    AtomicU32,
    Ordering::{
        AcqRel,
        Acquire,
        Relaxed,
        Release, //
    }, //
};
pub(crate) use due::{
    Times,
    When,
    Wishes, //
};

/// Which of an object's two keys.
///
/// The numbers of the variants are those of conntrack's directions (C: `enum ip_conntrack_dir`),
/// and the lowest bit of an entry.
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
///
/// The methods are called for every packet, also under the table's lock: they may not sleep, panic,
/// or use the table. They depend on nothing but their arguments.
///
/// Objects are dropped in softirq, by an RCU callback without the table's lock, or by whoever
/// called [`RcuTable::insert`] in vain. So their destructors may not sleep either, and what they
/// give up is given up a grace period after the object was last seen in the table.
pub(crate) trait Object: Send + Sync + Sized {
    /// What an object is found by. Comparing two of them decides; the hash only says where to look.
    type Key: Copy + Eq;
    /// What makes the hash unpredictable. Each table has one of its own, which nobody else ever
    /// sees, and another one when it is rebuilt.
    type Secret: Clone + Send + Sync;

    /// The key of one side; constant while the object is in a table.
    fn key(&self, side: Side) -> &Self::Key;

    /// The hash of a key.
    ///
    /// All 32 bits count: some select the bucket, and all of them tell entries in it apart.
    /// Whoever chooses keys but does not know the secret should not be able to have many with the
    /// same hash, or most of it the same: such entries are in each other's way.
    fn hash(secret: &Self::Secret, key: &Self::Key) -> u32;
}

/// What a lookup found.
///
/// The object may have been removed meanwhile, and be on its way out; it stays as it is for `'rcu`.
pub(crate) struct Found<'rcu, T> {
    /// The object whose key it was.
    pub(crate) object: &'rcu T,
    /// What its entry says: the index, and the side.
    what: u32,
}

impl<T> Found<'_, T> {
    /// Which of the object's keys it was.
    #[inline(always)]
    pub(crate) fn side(&self) -> Side {
        if self.what & 1 == 0 {
            Side::Original
        } else {
            Side::Reply
        }
    }

    /// The object's index, for [`RcuTable::get`] and [`RcuTable::remove`]. It names this object for
    /// `'rcu`; later it may name another.
    #[inline(always)]
    pub(crate) fn index(&self) -> u32 {
        self.what >> 1
    }
}

/// Places of objects that were due: some of 64.
#[derive(Clone, Copy)]
pub(crate) struct Taken {
    group: u32,
    places: u64,
}

impl Taken {
    /// Whether there is none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.places == 0
    }

    /// The index of the object at one of the places.
    #[inline]
    pub(crate) fn index(&self, place: u32) -> u32 {
        self.group * SLOTS + place % SLOTS
    }
}

/// What the first look into the table says.
pub(crate) enum First<'rcu, T> {
    Found(Found<'rcu, T>),
    /// There is none with this key.
    Missing,
    /// There may be one, but not at the first place.
    Elsewhere,
}

impl<T> Clone for Found<'_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Found<'_, T> {}

/// Why an object was not taken.
///
/// Where what makes it does not come back that has been dropped, or the object will be after a grace
/// period, since a reader may have found one of its sides for a moment.
pub(crate) enum InsertError<F> {
    /// One of the keys is in the table already. An object is in the way until it is removed, also
    /// one that its owner regards as over.
    Exists(F),
    /// No memory for the object. It is allocated atomically, so that a later attempt may succeed.
    NoMemory,
    /// No room in the hash array, which is about to grow, or to be rebuilt: the caller asks
    /// [`RcuTable::needs_resize`], and tries again with a later packet.
    Full,
}

/// Seconds between two rebuilds, at least.
const REBUILD_AFTER: u32 = 10;
/// In place of a second: none.
const NEVER: u32 = u32::MAX;

/// A hash array, and what keys are hashed with that are in it.
struct Array<S> {
    buckets: Buckets,
    /// Constant as long as anybody can find the array.
    secret: S,
}

impl<S> Deref for Array<S> {
    type Target = Buckets;

    #[inline(always)]
    fn deref(&self) -> &Buckets {
        &self.buckets
    }
}

impl<S> Array<S> {
    /// The hash of a key in this array.
    #[inline(always)]
    fn hash<T: Object<Secret = S>>(&self, key: &T::Key) -> u32 {
        T::hash(&self.secret, key)
    }

    /// Whether it has this entry. Table lock held.
    fn has(&self, hash: u32, what: u32) -> bool {
        let is_it = |found| (found == what).then_some(());
        self.find_all(hash, is_it).is_some()
    }
}

/// The table.
///
/// Dropping it removes and drops all objects, and waits for that; process context. Nobody may be
/// using it then, which the borrow checker sees to, apart from callbacks that are already queued.
///
/// # Invariants
///
/// - `current` is an array from [`KBox::into_raw`], and so are `future` and `none` unless they are null.
///   Each is freed only a grace period after it was replaced.
/// - One of `current` and `none`, and no other, is in place of an array. While there is an object, it
///   is not `current`, or `future` is not null.
/// - The number in an entry of these arrays is the index of a reserved slot of `arena`, shifted,
///   and a side. The entries of a slot are gone before it is retired.
/// - `in_use` counts the slots that are reserved, up to the end of their RCU callback.
#[pin_data(PinnedDrop)]
pub(crate) struct RcuTable<T: Object> {
    /// Where lookups go first.
    current: AtomicPtr<Array<T::Secret>>,
    /// The array that is being filled, while a resize is on; else null.
    future: AtomicPtr<Array<T::Secret>>,
    /// What is in place of an array, when there is one.
    none: AtomicPtr<Array<T::Secret>>,
    /// Draws a secret.
    draw: fn() -> T::Secret,
    /// Some key has found no room where there should have been.
    is_unlucky: AtomicBool,
    /// The second of the last rebuild, or [`NEVER`]. For [`Self::resize`] only.
    rebuilt: AtomicU32,
    /// The second in which somebody was told that there is something to do, since that was begun last, or
    /// [`NEVER`].
    told: AtomicU32,
    /// Published objects. Written under the lock, read anywhere.
    len: AtomicU32,
    /// Slots in use, of which `len` are published.
    in_use: AtomicU32,
    /// Pays.
    account: Account,
    /// The objects. The cell is for what the arena changes under the lock.
    arena: UnsafeCell<Arena<T>>,
    /// Orders all writers of the arena and the arrays.
    #[pin]
    lock: SpinLockBh<()>,
}

// SAFETY: Objects are `Send`, and so is the secret. The pointers in chunks' heads are
// to this table, which is pinned, and may be followed by RCU callbacks on any CPU.
unsafe impl<T: Object> Send for RcuTable<T> {}
// SAFETY: Readers share objects, which are `Sync`, and RCU callbacks drop them on whatever CPU, for
// which they are `Send`. Everything else is atomic, or changed under the lock.
unsafe impl<T: Object> Sync for RcuTable<T> {}

impl<T: Object> RcuTable<T> {
    /// An empty table, of less than half a KiB. Process context; may sleep.
    ///
    /// It gets its first array and chunk of objects with the first of them, for which `account` pays, and
    /// grows by [`Self::resize`] only. `draw` draws secrets, in any context. Fails with `ENOMEM`.
    pub(crate) fn new(draw: fn() -> T::Secret, account: Account) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            current: AtomicPtr::new(KBox::into_raw(KBox::new(
                Array {
                    buckets: Buckets::none(),
                    secret: draw(),
                },
                account.charge().kernel(),
            )?)),
            future: AtomicPtr::new(ptr::null_mut()),
            none: AtomicPtr::new(ptr::null_mut()),
            draw,
            is_unlucky: AtomicBool::new(false),
            rebuilt: AtomicU32::new(NEVER),
            told: AtomicU32::new(NEVER),
            account,
            len: AtomicU32::new(0),
            in_use: AtomicU32::new(0),
            arena: UnsafeCell::new(Arena::new()),
            lock <- new_spinlock_bh!((), "nft_offload_rs_table"),
        }? Error)
    }

    /// The arena, shared.
    #[inline(always)]
    fn arena(&self) -> &Arena<T> {
        // SAFETY: Only shared references to the arena are ever made; it has its own cells.
        unsafe { &*self.arena.get() }
    }

    /// The arrays to look into, in order: the one in use, and the one that is being filled.
    ///
    /// For writers, who hold the lock, and whoever else is under RCU.
    #[inline(always)]
    fn arrays(&self) -> [Option<&Array<T::Secret>>; 2] {
        // SAFETY: Arrays are freed a grace period after they were replaced, by the type invariant.
        // Callers are under RCU, or hold the lock, which disables bottom halves and so holds grace
        // periods up, too.
        unsafe {
            [
                self.current.load(Acquire).as_ref(),
                self.future.load(Acquire).as_ref(),
            ]
        }
    }

    /// Objects in the table. May be outdated the next moment; any context.
    pub(crate) fn len(&self) -> u32 {
        self.len.load(Relaxed)
    }

    /// Finds the object with this key, and says which of its two keys it is, where it is found at once;
    /// as good as always that is all there is to it.
    ///
    /// As [`Self::lookup`], which is for when the answer is [`First::Elsewhere`], and takes longer.
    #[inline(always)]
    pub(crate) fn lookup_first<'rcu>(
        &'rcu self,
        key: &T::Key,
        rcu: ReadSide<'rcu>,
    ) -> First<'rcu, T> {
        // SAFETY: Arrays are freed a grace period after they were replaced, by the type invariant,
        // and RCU is held.
        let current = unsafe { &*self.current.load(Acquire) };
        let hash = current.hash::<T>(key);
        match current.find(hash) {
            Look::Entry(what) => match self.matching(what, key, rcu) {
                Some(found) => First::Found(found),
                None => First::Elsewhere,
            },
            Look::Nothing if self.future.load(Acquire).is_null() => First::Missing,
            Look::Nothing | Look::Further => First::Elsewhere,
        }
    }

    /// Has memory fetch what the first look for a key reads; returns its hash, for [`Self::likely`].
    #[inline(always)]
    pub(crate) fn fetch_bucket(&self, key: &T::Key, _rcu: ReadSide<'_>) -> u32 {
        // SAFETY: As in `lookup_first`.
        let current = unsafe { &*self.current.load(Acquire) };
        let hash = current.hash::<T>(key);
        current.fetch(hash);
        hash
    }

    /// The object that a look for a key with this hash would most likely find. Its keys are not looked
    /// at, so that it need not be in the cache. If the table was rebuilt since, it is just any or none.
    #[inline(always)]
    pub(crate) fn likely<'rcu>(
        &'rcu self,
        hash: u32,
        _rcu: ReadSide<'rcu>,
    ) -> Option<Found<'rcu, T>> {
        // SAFETY: As in `lookup_first`.
        let current = unsafe { &*self.current.load(Acquire) };
        let Look::Entry(what) = current.find(hash) else {
            return None;
        };
        // SAFETY: As in `matching`.
        let object = unsafe { &*self.arena().at(what >> 1) };
        Some(Found { object, what })
    }

    /// What [`Self::lookup`] finds, for who looks often: without a call where a key is in its own bucket,
    /// or nowhere.
    #[inline(always)]
    pub(crate) fn lookup_often<'rcu>(
        &'rcu self,
        key: &T::Key,
        rcu: ReadSide<'rcu>,
    ) -> Option<Found<'rcu, T>> {
        match self.lookup_first(key, rcu) {
            First::Found(found) => Some(found),
            First::Missing => None,
            First::Elsewhere => self.lookup(key, rcu),
        }
    }

    /// Finds the object with this key, and says which of its two keys it is.
    ///
    /// Softirq or anywhere else under RCU; takes no lock and writes nothing. An object that is
    /// being inserted may be missed, and one that is being removed may be found. One that stays in
    /// the table is found, also while a resize is on.
    #[cold]
    #[inline(never)]
    pub(crate) fn lookup<'rcu>(
        &'rcu self,
        key: &T::Key,
        rcu: ReadSide<'rcu>,
    ) -> Option<Found<'rcu, T>> {
        // SAFETY: As in `lookup_first`.
        let current = unsafe { &*self.current.load(Acquire) };
        let hash = current.hash::<T>(key);
        let found = current.find_all(hash, |what| self.matching(what, key, rcu));
        if found.is_some() {
            return found;
        }
        // SAFETY: As above. The load comes after those of the entries, which acquire.
        let future = unsafe { self.future.load(Acquire).as_ref() }?;
        let hash = future.hash::<T>(key);
        future.find_all(hash, |what| self.matching(what, key, rcu))
    }

    /// The object that an entry stands for, if it has this key. `what` is from an array, under RCU.
    #[inline(always)]
    fn matching<'rcu>(
        &'rcu self,
        what: u32,
        key: &T::Key,
        _rcu: ReadSide<'rcu>,
    ) -> Option<Found<'rcu, T>> {
        // SAFETY: An entry stands for a reserved slot, whose object is initialised, and is removed
        // from the arrays before the grace period that ends with the object's drop. It was seen
        // under RCU, so that grace period cannot end before `'rcu` does, and the object lives for
        // `'rcu`.
        let object = unsafe { &*self.arena().at(what >> 1) };
        let found = Found { object, what };
        (object.key(found.side()) == key).then_some(found)
    }

    /// The object at `index`, if there is one.
    ///
    /// For indices that somebody has kept. They stay safe to ask for when the object is gone, but
    /// the slot may have another object by then: who keeps an index forgets it when the object is
    /// removed. Softirq or anywhere else under RCU.
    #[inline(always)]
    pub(crate) fn get<'rcu>(&'rcu self, index: u32, rcu: ReadSide<'rcu>) -> Option<&'rcu T> {
        self.arena().get(index, rcu)
    }

    /// The first object at or after index `from`: to walk the table in bounded steps.
    ///
    /// A walk from 0, always on from the index after the last one, visits every object once that is
    /// in the table all the time; of those that come and go meanwhile it visits some. RCU may be
    /// released between two steps.
    pub(crate) fn next<'rcu>(&'rcu self, from: u32, rcu: ReadSide<'rcu>) -> Option<(u32, &'rcu T)> {
        self.arena().next(from, rcu)
    }

    /// Has the object at `index` found by [`Self::take_due`] as soon as somebody looks. Softirq or
    /// anywhere else under RCU.
    pub(crate) fn visit_now(&self, index: u32, _rcu: ReadSide<'_>) {
        self.arena().set_due(index, When::NOW);
    }

    /// Whether it is going to be found as soon as somebody looks. May be outdated.
    pub(crate) fn is_due_now(&self, index: u32, _rcu: ReadSide<'_>) -> bool {
        self.arena().due(index) == Some(When::NOW)
    }

    /// Takes 64 places of objects, of which `group` is the number, and gives those whose objects are
    /// due at one of these times: each to one caller, who visits it and may say when to come again.
    ///
    /// [`None`] behind the last place. Some may be those of objects that have been removed. Anywhere
    /// under RCU.
    #[inline]
    pub(crate) fn take_due(&self, group: u32, times: Times, _rcu: ReadSide<'_>) -> Option<Taken> {
        let places = self.arena().take_due(group, times)?;
        Some(Taken { group, places })
    }

    /// The objects that were due and are there, and their places. They may be removed meanwhile.
    #[inline]
    pub(crate) fn taken<'rcu>(
        &'rcu self,
        taken: Taken,
        rcu: ReadSide<'rcu>,
    ) -> impl Iterator<Item = (u32, &'rcu T)> + Clone {
        self.arena().some(taken.group, taken.places, rcu)
    }

    /// Has those of them found again for which there is a wish, unless somebody has asked for that already.
    pub(crate) fn visit_all_at(&self, taken: Taken, wishes: &Wishes, _rcu: ReadSide<'_>) {
        self.arena().set_due_first_all(taken.group, wishes);
    }

    /// Puts an object in, visible when complete: the reply side first, the original last; and has it
    /// found by [`Self::take_due`] then.
    ///
    /// `keys` are those of the object that `make` makes, the original first. It is made in its place,
    /// under the lock: `make` may take no other lock, nor use the table.
    ///
    /// Returns its index. Any context but hard interrupts, since it takes the lock; memory is
    /// allocated with `GFP_ATOMIC`. If two callers insert objects with a key in common, one of them
    /// succeeds.
    ///
    /// Fails with [`InsertError`]. The table does not grow by itself:
    /// see [`Self::needs_resize`].
    #[inline(always)]
    pub(crate) fn insert<F: FnOnce() -> T>(
        &self,
        keys: [&T::Key; 2],
        when: When,
        make: F,
    ) -> Result<u32, InsertError<F>> {
        let guard = self.lock.lock();
        let Some((array, is_only)) = self.ensure_array() else {
            drop(guard);
            drop(make);
            return Err(InsertError::NoMemory);
        };
        let hashes = keys.map(|key| array.hash::<T>(key));
        let is_missing = |hash| !array.may_have(hash);
        if !(is_only && hashes.into_iter().all(is_missing)) && self.has_any(keys) {
            drop(guard);
            return Err(InsertError::Exists(make));
        }
        let home = ptr::from_ref(self).cast();
        // SAFETY: The lock is held, to the end of this function. The table is pinned, so it is where
        // `home` says when callbacks run.
        let Some(slot) = (unsafe { self.arena().reserve(home, &self.account) }) else {
            drop(guard);
            drop(make);
            return Err(InsertError::NoMemory);
        };
        // SAFETY: Just reserved, and no entry stands for it yet.
        unsafe { slot.fill(make) };
        // Counted before anything can go wrong: from here on the slot goes by way of its callback.
        self.in_use.fetch_add(1, Relaxed);
        let index = slot.index();
        if !Self::enter(array, index, hashes) {
            if array.is_sparse(self.len().saturating_mul(2)) {
                self.is_unlucky.store(true, Relaxed);
            }
            self.retire(index);
            return Err(InsertError::Full);
        }
        slot.publish(when);
        // Written under the lock only.
        let len = self.len.load(Relaxed).wrapping_add(1);
        self.len.store(len, Relaxed);
        Ok(index)
    }

    /// Whether one of two keys is in the table. The lock is held.
    fn has_any(&self, keys: [&T::Key; 2]) -> bool {
        // SAFETY: The lock disables bottom halves, and grace periods wait for such regions too. The
        // evidence is not used after the lock is released.
        let rcu = unsafe { ReadSide::new() };
        keys.into_iter().any(|key| self.lookup(key, rcu).is_some())
    }

    /// The array for new entries, and whether there is no other. Makes the first one, if there is none;
    /// [`None`] if there is no memory for it. The lock is held.
    #[inline(always)]
    fn ensure_array(&self) -> Option<(&Array<T::Secret>, bool)> {
        if let [Some(current), None] = self.arrays() {
            if current.is_none() {
                self.first_array().ok()?;
            }
        }
        // While a resize is on, only the new array takes entries.
        let [current, future] = self.arrays();
        Some((future.or(current)?, future.is_none()))
    }

    /// Makes it.
    #[cold]
    fn first_array(&self) -> Result {
        let charge = self.account.charge();
        let array = Array {
            buckets: Buckets::smallest(charge.atomic())?,
            secret: (self.draw)(),
        };
        let array = KBox::new(array, charge.atomic())?;
        // INVARIANT: It is an array, and what was in its place is kept.
        let none = self.current.load(Relaxed);
        self.current.store(KBox::into_raw(array), Release);
        self.none.store(none, Relaxed);
        Ok(())
    }

    /// Stores the entries of a new object; false if there is no room, and then there are none. The
    /// lock is held.
    #[inline(always)]
    fn enter(array: &Buckets, index: u32, [original, reply]: [u32; 2]) -> bool {
        if array.insert(reply, index << 1 | 1).is_err() {
            return false;
        }
        if array.insert(original, index << 1).is_err() {
            // A reader may have found the reply side, so the object goes like every other.
            array.remove(reply, index << 1 | 1, false);
            return false;
        }
        true
    }

    /// Takes an object out; true for the one caller who did.
    ///
    /// False if there is none at `index`, or it is not published yet. The object is not found from
    /// now on, by those who do not hold it already, and dropped after a grace period. Any context
    /// but hard interrupts.
    ///
    /// The caller knows by a lookup or walk in the same read-side section, or by its own
    /// bookkeeping, that `index` names the object that is meant.
    pub(crate) fn remove(&self, index: u32) -> bool {
        let _guard = self.lock.lock();
        if !self.arena().unpublish(index) {
            return false;
        }
        // SAFETY: We took it out, so it is alive until the callback that is queued below. Nobody
        // changes an object in the table but by way of its own cells.
        let object = unsafe { &*self.arena().at(index) };
        // During a resize an entry is in one of the two, or, when they have different secrets, in both.
        let [current, future] = self.arrays();
        let is_resizing = match (current, future) {
            (Some(current), Some(future)) => !ptr::eq(current, future),
            _ => false,
        };
        for (array, is_moving_out) in [(current, is_resizing), (future, false)] {
            let Some(array) = array else {
                continue;
            };
            for (side, what) in Self::entries(index) {
                let hash = array.hash::<T>(object.key(side));
                array.remove(hash, what, is_moving_out);
            }
        }
        // Written under the lock only.
        let len = self.len.load(Relaxed).wrapping_sub(1);
        self.len.store(len, Relaxed);
        self.retire(index);
        true
    }

    /// What entries of an object are for, and say.
    #[inline(always)]
    fn entries(index: u32) -> [(Side, u32); 2] {
        [(Side::Original, index << 1), (Side::Reply, index << 1 | 1)]
    }

    /// Queues the drop of an object that nobody can find any more. The lock is held.
    ///
    /// Only once for each reservation.
    fn retire(&self, index: u32) {
        // SAFETY: The lock is held. The slot is reserved, and this is called once, by whoever made
        // the object unfindable.
        unsafe { self.arena().retire(index, Self::reclaim) };
    }

    /// The RCU callback: drops objects of a chunk and gives their slots back.
    ///
    /// In softirq, or in a thread of RCU's with bottom halves disabled.
    ///
    /// # Safety
    ///
    /// Only for RCU, with the head of a chunk of a live table, in which objects are retired.
    unsafe extern "C" fn reclaim(head: *mut bindings::callback_head) {
        // SAFETY: By the contract; the chunk stays as long as one of its slots is reserved.
        let head = unsafe { &*Head::<T>::of(head) };
        // SAFETY: The table waits for its callbacks before it goes, and is pinned until then.
        let this = unsafe { &*head.home.cast::<Self>() };
        // SAFETY: This is the callback, and the lock is not held.
        unsafe { head.drop_dying() };
        let guard = this.lock.lock();
        // SAFETY: The lock is held, and the objects were dropped above.
        let released = unsafe { this.arena().release_dying(head, Self::reclaim) };
        drop(guard);
        // The last use of the table, which may be gone the next moment: pairs with the load in
        // `drop`.
        this.in_use.fetch_sub(released, Release);
    }

    /// Whether the caller, who has called [`Self::insert`], is to see to it that [`Self::resize`] is called
    /// at once: the hash array should be larger, or be rebuilt.
    ///
    /// Tells one caller, and another one when a second has passed and nothing has been done, for want of
    /// memory, say. So packets of connections that are refused do not make work each. Takes no lock.
    #[inline(always)]
    pub(crate) fn needs_resize(&self, rcu: ReadSide<'_>) -> bool {
        (self.is_crowded(rcu) || self.is_unlucky.load(Relaxed)) && self.is_first_to_tell()
    }

    /// Whether nobody else was told in this second.
    #[cold]
    fn is_first_to_tell(&self) -> bool {
        let now = seconds();
        self.told.load(Relaxed) != now && self.told.swap(now, Relaxed) != now
    }

    /// Whether the hash array should be larger soon. May be outdated the next moment. False while a resize
    /// is on.
    fn is_crowded(&self, _rcu: ReadSide<'_>) -> bool {
        if !self.future.load(Relaxed).is_null() {
            return false;
        }
        // SAFETY: Arrays are freed a grace period after they were replaced, by the type invariant,
        // and RCU is held.
        let current = unsafe { &*self.current.load(Acquire) };
        current.is_crowded(self.len().saturating_mul(2))
    }

    /// The size in buckets that the hash array should have, if it is not the one it has, and no
    /// resize is on.
    fn wants_resize(&self) -> Option<u32> {
        let _guard = self.lock.lock();
        let [current, future] = self.arrays();
        match future {
            Some(_) => None,
            None => current?.better_size(self.len().saturating_mul(2)),
        }
    }

    /// Whether the array has to be rebuilt, and may be by now; notes that it is.
    fn wants_rebuild(&self) -> bool {
        let (now, last) = (seconds(), self.rebuilt.load(Relaxed));
        let may = last == NEVER || now.wrapping_sub(last) >= REBUILD_AFTER;
        let does = may && self.is_unlucky.swap(false, Relaxed);
        if does {
            self.rebuilt.store(now, Relaxed);
        }
        does
    }

    /// Resizes the hash array to what its content asks for, if that is another size than it has, in
    /// as many steps as that takes; and rebuilds it, if some key has found no room for no good reason.
    ///
    /// Process context. Sleeps, and holds the lock only for a few buckets at a time; see the module
    /// documentation for the protocol. Insertions and removals go on meanwhile. Nothing is done
    /// when another caller is at it.
    ///
    /// Fails with `ENOMEM`; then everything is as it was, and the next call tries again.
    pub(crate) fn resize(&self) -> Result {
        self.give_back();
        while let Some(size) = self.wants_resize() {
            self.resize_to(Some(size))?;
        }
        if self.wants_rebuild() {
            self.resize_to(None).inspect_err(|_| {
                self.is_unlucky.store(true, Relaxed);
            })?;
        }
        Ok(())
    }

    /// The number of buckets there are.
    fn size(&self) -> u32 {
        let _guard = self.lock.lock();
        let [current, _] = self.arrays();
        current.map_or(0, |array| array.count())
    }

    /// Gives the array back, if there is nothing in the table.
    fn give_back(&self) {
        let old = {
            let _guard = self.lock.lock();
            let none = self.none.load(Relaxed);
            if self.len() != 0 || none.is_null() || !self.future.load(Relaxed).is_null() {
                return;
            }
            // INVARIANT: Without objects there are no entries.
            self.none.store(ptr::null_mut(), Relaxed);
            self.current.swap(none, AcqRel)
        };
        synchronize_rcu();
        // SAFETY: Made by `KBox::into_raw`, by the type invariant, and replaced above. Readers who
        // have seen it were in read-side sections that have ended.
        drop(unsafe { KBox::from_raw(old) });
    }

    /// One step of that: to another size, or with another secret.
    fn resize_to(&self, size: Option<u32>) -> Result {
        let charge = self.account.charge();
        let buckets = Buckets::new(size.unwrap_or_else(|| self.size()), charge.kernel())?;
        let array = Array {
            buckets,
            secret: (self.draw)(),
        };
        let mut new = KBox::new(array, charge.kernel())?;
        drop(charge);
        let (old, new) = {
            let _guard = self.lock.lock();
            if !self.future.load(Relaxed).is_null() {
                return Ok(());
            }
            let [Some(current), _] = self.arrays() else {
                return Ok(());
            };
            if size.is_some() {
                new.secret = current.secret.clone();
            }
            let new = KBox::into_raw(new);
            self.future.store(new, Release);
            self.told.store(NEVER, Relaxed);
            (self.current.load(Acquire), new)
        };
        // SAFETY: Only this function replaces and frees arrays, and only the one caller who has
        // set `future`, which was null: both stay until its end.
        let (from, to) = unsafe { (&*old, &*new) };
        let done = match size {
            Some(_) => self.migrate(from, to),
            None => self.enter_all(to),
        };
        if done.is_err() {
            // No room in reach, in an array of the right size: many entries with one hash, or many more
            // new ones than the size was chosen for. An object is not found by this key from now on: its
            // packets take the classic path until it times out, or the table has been rebuilt. It is
            // still there by index, and removed like all others.
            self.is_unlucky.store(true, Relaxed);
            crate::compat::pr_warn_once!(
                "flow table: no room for some entries, while it was resized\n"
            );
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
            if from.is_none() {
                // INVARIANT: As in `first_array`.
                self.none.store(old, Relaxed);
                return Ok(());
            }
        }
        // SAFETY: Made by `KBox::into_raw`, by the type invariant, and replaced above. Readers who
        // have seen it were in read-side sections that have ended.
        drop(unsafe { KBox::from_raw(old) });
        Ok(())
    }
}

impl<T: Object> RcuTable<T> {
    /// Moves all entries from the old array to the new one. Fails with `ENOSPC` if there was no room for
    /// some, which stay.
    fn migrate(&self, from: &Buckets, to: &Buckets) -> Result {
        let mut result = Ok(());
        let mut number = 0;
        while number < from.count() {
            let guard = self.lock.lock();
            for _ in 0..16 {
                if number < from.count() {
                    result = result.and(from.migrate(number, to));
                    number += 1;
                }
            }
            drop(guard);
            cond_resched();
        }
        result
    }

    /// Makes entries for all objects in the new array, where they have none. Fails with `ENOSPC` if there
    /// was no room for some.
    ///
    /// Objects that come meanwhile are entered there already, those that go are taken out.
    fn enter_all(&self, to: &Array<T::Secret>) -> Result {
        let mut result = Ok(());
        let mut from = 0;
        loop {
            let guard = crate::compat::sync::rcu::read_lock();
            let rcu = ReadSide::of(&guard);
            for _ in 0..16 {
                let Some((index, _)) = self.next(from, rcu) else {
                    return result;
                };
                from = index.wrapping_add(1);
                let _guard = self.lock.lock();
                // It may have gone.
                let Some(object) = self.get(index, rcu) else {
                    continue;
                };
                for (side, what) in Self::entries(index) {
                    let hash = to.hash::<T>(object.key(side));
                    if !to.has(hash, what) {
                        result = result.and(to.insert(hash, what));
                    }
                }
            }
            drop(guard);
            cond_resched();
        }
    }
}

#[pinned_drop]
impl<T: Object> PinnedDrop for RcuTable<T> {
    fn drop(self: Pin<&mut Self>) {
        let mut from = 0;
        loop {
            // Objects that are retired already are not found here, and need not be: `in_use` counts
            // them.
            let guard = crate::compat::sync::rcu::read_lock();
            let Some((index, _)) = self.next(from, ReadSide::of(&guard)) else {
                break;
            };
            drop(guard);
            self.remove(index);
            if index & 63 == 0 {
                cond_resched();
            }
            from = index + 1;
        }
        // Callbacks refer to this table, by the `home` of their chunks.
        while self.in_use.load(Acquire) != 0 {
            rcu_barrier();
        }
        for array in [&self.current, &self.future, &self.none] {
            let array = array.load(Relaxed);
            if !array.is_null() {
                // SAFETY: Made by `KBox::into_raw`, by the type invariant, and this is the last
                // use: `&mut self` means that no reader and no resize is left.
                drop(unsafe { KBox::from_raw(array) });
            }
        }
    }
}

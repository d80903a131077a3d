// SPDX-License-Identifier: GPL-2.0

//! The hash array of a table: buckets of one cache line, seven entries each.
//!
//! # Problem
//!
//! A chain of objects costs a cache miss for each object on the way to the right one. An array of
//! buckets that each hold several entries, and of each entry enough to tell whether it is the right
//! one, costs one miss and then, as good as always, leads to the right object.
//!
//! # Layout
//!
//! An entry is 32 bits of hash and 32 bits of what it stands for, which is never zero.
//! The hashes are together, so that a lookup compares one after the other, and then reads the one
//! thing that it needs:
//!
//! ```text
//!   bucket, 64 bytes:   | hash  | hash  | hash  | hash  | hash  | hash  | hash  | summary |
//!                       | what  | what  | what  | what  | what  | what  | what  |         |
//! ```
//!
//! The summary has a bit for each entry, which one the low five bits of the hash say. Most lookups of
//! what is not there, those of all packets that are of no flow, end with it.
//!
//! The two halves of an entry are not read at once. A reader may find the hash of one and what
//! another one stands for that has taken its place, or nothing; then the key, which is compared in
//! any case, is not the right one. An entry that stays is always read as it is.
//!
//! The bits of the hash above these five select the bucket. Resizing copies entries without touching any object,
//! since the hash is in them.
//!
//! # Overflow
//!
//! The surplus of a full bucket goes to the following buckets, of which [`REACH`] are tried; behind the
//! last one comes the first. Each bucket counts the entries that have passed it, which are further on
//! now. One that some have passed is marked by all bits of its summary. A lookup goes on to the next
//! bucket only where it finds the mark.
//!
//! When an entry goes, those that it has passed count one less, and where none is left the mark goes,
//! too. If others have passed the bucket in which there is a gap now, the nearest of them moves back
//! into it; and so on with the gap that it leaves. So a bucket that was passed is full, always. From that
//! follows by which way the entries have come: how many go on from a bucket is what comes to it, less
//! than what it holds, whatever the order in which they came. Marks are those of a new array with the same
//! entries, and lookups cost what they cost there, however many entries have come and gone.
//!
//! Example, with 32 buckets: seven keys whose hashes end in 220 to 23f (hexadecimal) fill bucket 17.
//! The eighth passes it, by which it is marked, and goes to bucket 18. A lookup for it reads both. If one
//! of the seven is removed the eighth moves to its place, and the mark goes. Lookups for hashes that end
//! in 240 begin at bucket 18, which is not marked, and end there.
//!
//! At the fill at which the array grows, 62 per cent, about 7 in 100 buckets are over-full if
//! hashes are spread evenly; at 30 per cent 1 in 700.
//!
//! While entries move to another array, by [`Buckets::migrate`], none moves within the old one: that goes
//! by the buckets' numbers, and would miss what moves behind its back. Then there are gaps in buckets that
//! were passed. They cost no more than the mark does.
//!
//! # Order
//!
//! What entries stand for is stored with release, after the hash, and read with acquire: who sees it
//! sees the object. Clearing an entry needs no order, except where it has gone elsewhere. Setting a mark
//! needs none: a reader who does not see it does not see an entry that is just being stored.
//!
//! A reader misses no entry that stays:
//!
//! - Within the array entries move towards where their lookups begin, and never away from it. An entry is
//!   stored in its new place before it is cleared in the old one, or a mark goes on account of that.
//! - [`Buckets::find_all`] follows the marks to the first bucket without one. When it reads that there is no
//!   mark, which it acquires, the entry is in this bucket or in one before it: had it been further on,
//!   it would be counted here. Then the reader looks into these buckets in the opposite order, the last
//!   one first. Where it finds that the entry has left a bucket, by the zero, another hash, or another
//!   entry, all of which are stored with release, it sees the entry further back, where it looks next.
//! - [`Buckets::find`] reads the summary once, before the entries. If it says that there is no mark, the entry
//!   is in this bucket already. If it says that there is one, it is for `find_all` to say that there is
//!   none.
//! - What has moved to another array is there, and `find_all` ends before the reader looks there, in the
//!   same way.
//!
//! # Context and locking
//!
//! Readers need no lock, but RCU, which the table sees to. Whoever changes an array holds the
//! table's lock. Nothing here sleeps, but [`Buckets::new`] may.

use crate::compat::prelude::*;
use crate::kernel_net::memory::prefetch;
use crate::kernel_net::work::cond_resched;
use core::ptr::NonNull;
use core::sync::atomic::{
    fence,
    AtomicU32,
    Ordering::{
        Acquire,
        Relaxed,
        Release, //
    }, //
};
use kernel::alloc::allocator::KVmalloc;

/// Entries in a bucket: with the summary, 64 bytes.
const WIDTH: usize = 7;
/// Bits in a summary; and from the number of one bucket to that of the next.
const STEP: u32 = 32;
/// The summary of a bucket that was full. No other has more bits than there are entries.
const MARK: u32 = u32::MAX;
/// How many buckets are tried for an entry, its own included: a bound of what a lookup may cost
/// when somebody has found a way to make hashes collide.
const REACH: u32 = 16;
/// How many entries move back into the gaps that one leaves, at most.
const MOVES: u32 = 64;
/// Fill in percent above which the array grows.
const GROW_AT: u32 = 62;
/// Fill in percent below which the array shrinks. Far from what growing leaves, a quarter of
/// [`GROW_AT`], so that a table between two sizes does not go to and fro.
const SHRINK_AT: u32 = 6;
/// The smallest array: 2 KiB, for up to 70 objects.
const MIN_BUCKETS: u32 = 32;
/// The largest array: 1 GiB, for more objects than an arena has slots.
const MAX_BUCKETS: u32 = 1 << 24;

/// A bucket, of one cache line: all zero is empty.
#[repr(C, align(64))]
#[derive(Default)]
struct Bucket {
    /// In no order; of no meaning where there is no entry.
    hashes: [AtomicU32; WIDTH],
    /// A bit for each entry, or the mark: entries have passed.
    summary: AtomicU32,
    /// What the entries stand for; zero where there is none.
    whats: [AtomicU32; WIDTH],
    /// Entries that are in a later bucket, for want of room in this one. For writers only.
    passed: AtomicU32,
}

/// The bit that stands for a hash in a summary.
#[inline(always)]
fn bit(hash: u32) -> u32 {
    1 << (hash % STEP)
}

impl Bucket {
    /// Whether entries have passed it.
    #[inline(always)]
    fn is_marked(&self) -> bool {
        self.summary.load(Acquire) == MARK
    }

    /// Makes the summary that of the entries that are there, unless others have passed. Table lock held.
    fn sum_up(&self) {
        if self.passed.load(Relaxed) != 0 {
            return;
        }
        let mut summary = 0;
        for (hash, what) in self.entries() {
            if what.load(Relaxed) != 0 {
                summary |= bit(hash.load(Relaxed));
            }
        }
        // Pairs with `find` and `is_marked`: who misses a bit or the mark that was here finds the entry
        // where it has gone.
        self.summary.store(summary, Release);
    }

    /// Notes that an entry passes, which is not stored yet. Table lock held.
    fn count(&self) {
        let passed = self.passed.load(Relaxed);
        self.passed.store(passed.wrapping_add(1), Relaxed);
        self.summary.store(MARK, Relaxed);
    }

    /// Notes that an entry that had passed has gone, or moved back. Table lock held.
    fn count_down(&self) {
        let passed = self.passed.load(Relaxed);
        self.passed.store(passed.wrapping_sub(1), Relaxed);
        self.sum_up();
    }

    /// A place without an entry. Table lock held.
    #[inline(always)]
    fn gap(&self) -> Option<Place<'_>> {
        self.entries().find(|(_, what)| what.load(Relaxed) == 0)
    }

    /// Stores an entry in a gap. Table lock held.
    #[inline(always)]
    fn put(&self, (slot, place): Place<'_>, hash: u32, what: u32) {
        // Pairs with `find_all`: what was here before is where it has gone.
        slot.store(hash, Release);
        let summary = self.summary.load(Relaxed);
        // As `sum_up`: this may be the first that a reader sees after a mark has gone.
        self.summary.store(summary | bit(hash), Release);
        // Pairs with `find`: the object is in its slot.
        place.store(what, Release);
    }

    /// Its entries.
    #[inline(always)]
    fn entries(&self) -> impl Iterator<Item = Place<'_>> {
        self.hashes.iter().zip(&self.whats)
    }
}

/// Where an entry is: its hash, and what it stands for.
type Place<'a> = (&'a AtomicU32, &'a AtomicU32);

/// Clears an entry, which readers find elsewhere from now on, or not at all. Table lock held.
#[inline(always)]
fn clear((slot, place): Place<'_>) {
    place.store(0, Release);
    // Nobody looks for this one here.
    slot.store(!slot.load(Relaxed), Release);
}

/// What a look into one bucket says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    /// What an entry with this hash stands for.
    Entry(u32),
    /// There is none.
    Nothing,
    /// There is none in this bucket, but may be one further on.
    Further,
}

/// One array.
///
/// Readers need no lock; whoever changes it holds the table's.
///
/// # Invariants
///
/// At `at` are `mask + 1` buckets, a power of two, which is not less than [`REACH`]: no bucket
/// is tried twice on the way of an entry. Or it is [`EMPTY`].
pub(crate) struct Buckets {
    at: NonNull<Bucket>,
    /// What the upper bits of a hash are reduced with to the number of its bucket.
    mask: u32,
    /// Where they are, unless that is static. Never grows or moves.
    _owned: KVec2,
}

/// The one bucket of all arrays that are not there yet. Nothing is ever stored in it, so that lookups find
/// nothing, and need not be told.
static EMPTY: Bucket = Bucket {
    hashes: [const { AtomicU32::new(0) }; WIDTH],
    summary: AtomicU32::new(0),
    whats: [const { AtomicU32::new(0) }; WIDTH],
    passed: AtomicU32::new(0),
};

/// A vector for large arrays: one piece of the direct map where there is one of that size, and else
/// from `vmalloc`, which maps huge pages where it can. Random buckets do not cost a TLB miss each
/// either way.
type KVec2 = Vec<Bucket, KVmalloc>;

impl Buckets {
    /// An empty array of `count` buckets.
    ///
    /// Rounded up to a power of two, and kept within the smallest and the largest size. May sleep,
    /// and takes a while for large ones, since all of it is written. Fails with `ENOMEM`.
    pub(crate) fn new(count: u32, flags: kernel::alloc::Flags) -> Result<Self> {
        let count = count.clamp(MIN_BUCKETS, MAX_BUCKETS).next_power_of_two();
        let mut buckets = KVec2::with_capacity(count as usize, flags)?;
        for number in 0..count {
            buckets.push(Bucket::default(), flags)?;
            if number % 1024 == 1023 {
                cond_resched();
            }
        }
        // INVARIANT: That many were pushed, and the smallest array has more than `REACH`.
        Ok(Self {
            at: NonNull::from(buckets.as_slice()).cast(),
            mask: count - 1,
            _owned: buckets,
        })
    }

    /// One in place of an array, without memory of its own: nothing is in it, and nothing may be put there.
    pub(crate) fn none() -> Self {
        Self {
            // INVARIANT: It is this one.
            at: NonNull::from(&EMPTY),
            mask: 0,
            _owned: KVec2::new(),
        }
    }

    /// Whether it is one in place of an array.
    #[inline(always)]
    pub(crate) fn is_none(&self) -> bool {
        self.mask == 0
    }

    /// The smallest array there is.
    pub(crate) fn smallest(flags: kernel::alloc::Flags) -> Result<Self> {
        Self::new(MIN_BUCKETS, flags)
    }

    /// The number of buckets.
    pub(crate) fn count(&self) -> u32 {
        self.mask + 1
    }

    /// The number of buckets that suits `entries`, if it is another than now.
    ///
    /// Growing makes the array four times as large. Shrinking leaves it filled to about 7 to 14 per
    /// cent, if the smallest array is not reached before, and makes it a sixteenth at most: only the
    /// new array takes new entries, and there may be many while what was in the old one moves.
    pub(crate) fn better_size(&self, entries: u32) -> Option<u32> {
        let fill = u64::from(entries) * 100 / (u64::from(self.count()) * WIDTH as u64);
        if fill > u64::from(GROW_AT) && self.count() < MAX_BUCKETS {
            // By four: new flows come in bursts, and an array that is full refuses them.
            Some(self.count().saturating_mul(4).min(MAX_BUCKETS))
        } else if fill < u64::from(SHRINK_AT) && self.count() > MIN_BUCKETS {
            let least = MIN_BUCKETS.max(self.count() / 16);
            Some(entries.next_power_of_two().max(least)).filter(|&n| n < self.count())
        } else {
            None
        }
    }

    /// Whether [`Self::better_size`] would be a larger one.
    #[inline(always)]
    pub(crate) fn is_crowded(&self, entries: u32) -> bool {
        let full = u64::from(self.count()).wrapping_mul(WIDTH as u64);
        let more = u64::from(GROW_AT).wrapping_add(1).wrapping_mul(full);
        u64::from(entries).wrapping_mul(100) >= more && self.count() < MAX_BUCKETS
    }

    /// Whether so many entries leave it as much room as an array has that need not grow.
    pub(crate) fn is_sparse(&self, entries: u32) -> bool {
        let full = u64::from(self.count()).wrapping_mul(WIDTH as u64);
        u64::from(entries).wrapping_mul(100) <= u64::from(GROW_AT).wrapping_mul(full)
    }

    /// The bucket for `number`, which is a hash, or one with some times [`STEP`] added.
    #[inline(always)]
    fn bucket(&self, number: u32) -> &Bucket {
        let number = ((number / STEP) & self.mask) as usize;
        // SAFETY: The array has `mask + 1` buckets, by the type invariant, and the number is
        // masked.
        unsafe { self.at.add(number).as_ref() }
    }

    /// Has memory fetch the bucket of `hash`.
    #[inline(always)]
    pub(crate) fn fetch(&self, hash: u32) {
        prefetch(self.bucket(hash));
    }

    /// What an entry of `hash` stands for, where that is in its own bucket: as good as always the one
    /// that is looked for. [`Look::Nothing`] also if it has just gone or is not quite there. Under RCU.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u32) -> Look {
        let bucket = self.bucket(hash);
        // Pairs with `sum_up`.
        let summary = bucket.summary.load(Acquire);
        if summary & bit(hash) == 0 {
            return Look::Nothing;
        }
        // All of them, without a branch for each: which one it is nobody could predict. Slots that
        // were never used have the hash 0: the one key in 2^32 that has it, too, may not be found
        // here, and takes the classic path.
        let mut found = 0;
        for (slot, what) in bucket.entries() {
            let what = what.load(Relaxed);
            found = if slot.load(Relaxed) == hash {
                what
            } else {
                found
            };
        }
        // Pairs with `put` and `clear`. A hash and a number that do not belong together are of two
        // entries that were there one after the other: keys are compared.
        fence(Acquire);
        if found != 0 {
            Look::Entry(found)
        } else if summary == MARK {
            Look::Further
        } else {
            Look::Nothing
        }
    }

    /// False if there is no entry of this hash. Under RCU, or with the table's lock held.
    #[inline(always)]
    pub(crate) fn may_have(&self, hash: u32) -> bool {
        // Pairs with `sum_up`.
        self.bucket(hash).summary.load(Acquire) & bit(hash) != 0
    }

    /// Calls `accept` for what the entries of `hash` stand for, until it gives something.
    ///
    /// `accept` tells whether it is the one that is looked for: different keys may have the same
    /// hash, and an entry that is being moved may be seen twice. Under RCU.
    pub(crate) fn find_all<R>(
        &self,
        hash: u32,
        mut accept: impl FnMut(u32) -> Option<R>,
    ) -> Option<R> {
        let mut last = 0;
        while last + 1 < REACH && self.after(hash, last).is_marked() {
            last += 1;
        }
        // Against the direction in which entries move.
        for distance in (0..=last).rev() {
            let bucket = self.after(hash, distance);
            // Pairs with `sum_up`.
            if bucket.summary.load(Acquire) & bit(hash) == 0 {
                continue;
            }
            for (slot, what) in bucket.entries() {
                // Both pair with `put` and `clear`.
                if slot.load(Acquire) != hash {
                    continue;
                }
                let what = what.load(Acquire);
                if what != 0 {
                    if let Some(result) = accept(what) {
                        return Some(result);
                    }
                }
            }
        }
        None
    }

    /// The bucket that is tried for a hash after so many others.
    #[inline(always)]
    fn after(&self, hash: u32, distance: u32) -> &Bucket {
        self.bucket(hash.wrapping_add(distance.wrapping_mul(STEP)))
    }

    /// Adds an entry for `what`, which is not zero. Table lock held.
    ///
    /// Does not look whether it is there already. Fails with `ENOSPC` when every bucket in reach is
    /// full; then nothing has changed.
    #[inline]
    pub(crate) fn insert(&self, hash: u32, what: u32) -> Result {
        if self.is_none() {
            return Err(ENOSPC);
        }
        for distance in 0..REACH {
            let bucket = self.after(hash, distance);
            if let Some(gap) = bucket.gap() {
                // The marks that lead to it, before it is there.
                for passed in 0..distance {
                    self.after(hash, passed).count();
                }
                bucket.put(gap, hash, what);
                return Ok(());
            }
        }
        Err(ENOSPC)
    }

    /// Removes an entry, if it is there: true if it was. Table lock held.
    ///
    /// `what` has to be the same, too, since other keys may have the hash. Readers who have seen
    /// the entry before go on with what it stands for. Others move into the gap, unless entries are just
    /// moving out of this array.
    pub(crate) fn remove(&self, hash: u32, what: u32, is_moving_out: bool) -> bool {
        for distance in 0..REACH {
            let bucket = self.after(hash, distance);
            let is_it = |(slot, place): &Place<'_>| {
                slot.load(Relaxed) == hash && place.load(Relaxed) == what
            };
            if let Some(place) = bucket.entries().find(is_it) {
                clear(place);
                bucket.sum_up();
                self.count_down(hash, distance);
                if !is_moving_out {
                    self.close(hash.wrapping_add(distance.wrapping_mul(STEP)));
                }
                return true;
            }
            if !bucket.is_marked() {
                return false;
            }
        }
        false
    }

    /// An entry that had passed so many buckets from that of `hash` on has passed them no more. Table
    /// lock held.
    fn count_down(&self, hash: u32, distance: u32) {
        for passed in 0..distance {
            self.after(hash, passed).count_down();
        }
    }

    /// Closes a gap in the bucket of `hash`: as long as entries have passed it, one of them moves there,
    /// and leaves another. Table lock held.
    ///
    /// In an array that is about to grow there may be many after each other. Some gaps remain then: the
    /// next entries that come by take them.
    fn close(&self, hash: u32) {
        let mut gap = hash;
        for _ in 0..MOVES {
            match self.move_back(gap) {
                Some(distance) => gap = gap.wrapping_add(distance.wrapping_mul(STEP)),
                None => return,
            }
        }
    }

    /// Moves an entry that has passed the bucket of `hash` to a gap there, and says from how far it has
    /// come.
    #[inline]
    fn move_back(&self, hash: u32) -> Option<u32> {
        let to = self.bucket(hash);
        if to.passed.load(Relaxed) == 0 {
            return None;
        }
        let gap = to.gap()?;
        for distance in 1..REACH {
            let from = self.after(hash, distance);
            let has_passed = |(slot, place): &Place<'_>| {
                let behind = (hash / STEP).wrapping_sub(slot.load(Relaxed) / STEP) & self.mask;
                place.load(Relaxed) != 0 && behind < REACH - distance
            };
            if let Some(place) = from.entries().find(has_passed) {
                // Readers find it here before they miss it there: see the module documentation.
                to.put(gap, place.0.load(Relaxed), place.1.load(Relaxed));
                clear(place);
                from.sum_up();
                self.count_down(hash, distance);
                return Some(distance);
            }
        }
        None
    }

    /// Moves the entries of bucket `number` to `to`. Table lock held.
    ///
    /// Each is stored there before it is cleared here, so that a reader who looks here first and
    /// there second misses none: if it sees the zero, which it acquires, it sees the entry in `to`,
    /// and the mark that leads to it.
    ///
    /// Fails with `ENOSPC` if there are entries that have no room in `to`; those stay here.
    pub(crate) fn migrate(&self, number: u32, to: &Buckets) -> Result {
        if self.is_none() {
            return Ok(());
        }
        let mut result = Ok(());
        let bucket = self.bucket(number.wrapping_mul(STEP));
        for (slot, place) in bucket.entries() {
            let (hash, what) = (slot.load(Relaxed), place.load(Relaxed));
            if what == 0 {
                continue;
            }
            match to.insert(hash, what) {
                Ok(()) => {
                    clear((slot, place));
                    let distance = number.wrapping_sub(hash / STEP) & self.mask;
                    self.count_down(hash, distance);
                }
                error => result = error,
            }
        }
        bucket.sum_up();
        result
    }
}

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
//! A full bucket is marked by all bits of its summary, and its surplus goes to the following buckets,
//! of which [`REACH`] are tried; behind the last one comes the first. A lookup goes on to the next
//! bucket only where it finds the mark. The mark stays until the next resize: to know whether it may
//! go one would have to know that no entry went on from here.
//!
//! Example, with 32 buckets: seven keys whose hashes end in 220 to 23f (hexadecimal) fill bucket 17.
//! The eighth marks it and goes to bucket 18. A lookup for it reads both. If one of the seven is
//! removed there is a gap, which the next entry takes that comes this way; the eighth stays where
//! it is, and so does the mark. Lookups for hashes that end in 240 begin at bucket 18, which is not
//! marked, and end there.
//!
//! At the fill at which the array grows, 62 per cent, about 7 in 100 buckets are over-full if
//! hashes are spread evenly; at 30 per cent 1 in 700.
//!
//! # Order
//!
//! What entries stand for is stored with release, after the hash, and read with acquire: who sees it
//! sees the object. Clearing an entry needs no order, except in [`Buckets::migrate`], where a reader
//! may learn of it from the summary, or from the entry. Setting bits of the summary needs none: a
//! reader who does not see them does not see an entry that is just being stored.
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
    /// A bit for each entry, or the mark: an entry once went on to the next bucket.
    summary: AtomicU32,
    /// What the entries stand for; zero where there is none.
    whats: [AtomicU32; WIDTH],
}

/// The bit that stands for a hash in a summary.
#[inline(always)]
fn bit(hash: u32) -> u32 {
    1 << (hash % STEP)
}

impl Bucket {
    /// Whether an entry ever went on to the next one.
    #[inline(always)]
    fn is_marked(&self) -> bool {
        self.summary.load(Relaxed) == MARK
    }

    /// Takes those bits out of the summary that stand for no entry any more. Table lock held.
    fn sum_up(&self) {
        if self.is_marked() {
            return;
        }
        let mut summary = 0;
        for (hash, what) in self.entries() {
            if what.load(Relaxed) != 0 {
                summary |= bit(hash.load(Relaxed));
            }
        }
        // Pairs with `find`: who misses a bit that was here finds the entry where it has gone.
        self.summary.store(summary, Release);
    }

    /// Its entries.
    #[inline(always)]
    fn entries(&self) -> impl Iterator<Item = (&AtomicU32, &AtomicU32)> {
        self.hashes.iter().zip(&self.whats)
    }
}

/// One array.
///
/// Readers need no lock; whoever changes it holds the table's.
///
/// # Invariants
///
/// `buckets` has `mask + 1` elements, a power of two, which is not less than [`REACH`]: no bucket
/// is tried twice on the way of an entry.
pub(super) struct Buckets {
    /// Never grows or moves.
    buckets: KVec2,
    /// What the upper bits of a hash are reduced with to the number of its bucket.
    mask: u32,
}

/// A vector for large arrays: one piece of the direct map where there is one of that size, and else
/// from `vmalloc`, which maps huge pages where it can. Random buckets do not cost a TLB miss each
/// either way.
type KVec2 = Vec<Bucket, KVmalloc>;

impl Buckets {
    /// An empty array of `count` buckets.
    ///
    /// Rounded up to a power of two, and kept within the smallest and the largest size. May sleep,
    /// and takes a while for large ones, since all of it is written. Fails with `ENOMEM`.
    pub(super) fn new(count: u32, flags: kernel::alloc::Flags) -> Result<Self> {
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
            buckets,
            mask: count - 1,
        })
    }

    /// The smallest array there is.
    pub(super) fn smallest(flags: kernel::alloc::Flags) -> Result<Self> {
        Self::new(MIN_BUCKETS, flags)
    }

    /// The number of buckets.
    pub(super) fn count(&self) -> u32 {
        self.mask + 1
    }

    /// The number of buckets that suits `entries`, if it is another than now.
    ///
    /// Growing makes the array four times as large. Shrinking leaves it filled to about 7 to 14 per
    /// cent, if the smallest array is not reached before, and makes it a sixteenth at most: only the
    /// new array takes new entries, and there may be many while what was in the old one moves.
    pub(super) fn better_size(&self, entries: u32) -> Option<u32> {
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
    pub(super) fn is_crowded(&self, entries: u32) -> bool {
        let full = u64::from(self.count()).wrapping_mul(WIDTH as u64);
        let more = u64::from(GROW_AT).wrapping_add(1).wrapping_mul(full);
        u64::from(entries).wrapping_mul(100) >= more && self.count() < MAX_BUCKETS
    }

    /// The bucket for `number`, which is a hash, or one with some times [`STEP`] added.
    #[inline(always)]
    fn bucket(&self, number: u32) -> &Bucket {
        let at: NonNull<Bucket> = NonNull::from(self.buckets.as_slice()).cast();
        // SAFETY: The array has `mask + 1` buckets, by the type invariant, and the number is
        // masked.
        unsafe { at.add(((number / STEP) & self.mask) as usize).as_ref() }
    }

    /// Has memory fetch the bucket of `hash`.
    #[inline(always)]
    pub(super) fn fetch(&self, hash: u32) {
        prefetch(self.bucket(hash));
    }

    /// What an entry of `hash` stands for, where that is in its own bucket: as good as always the one
    /// that is looked for. [`None`] if there is none, or it has just gone or is not quite there. Under
    /// RCU.
    #[inline(always)]
    pub(super) fn find(&self, hash: u32) -> Option<u32> {
        let bucket = self.bucket(hash);
        // Pairs with `sum_up`.
        if bucket.summary.load(Acquire) & bit(hash) == 0 {
            return None;
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
        // Pairs with `insert`, and with both stores of `migrate`. A hash and a number that do not
        // belong together are of two entries that were there one after the other: keys are compared.
        fence(Acquire);
        (found != 0).then_some(found)
    }

    /// Whether entries of `hash` may be somewhere else than [`Self::find`] looks.
    #[inline(always)]
    pub(super) fn goes_on(&self, hash: u32) -> bool {
        self.bucket(hash).is_marked()
    }

    /// False if there is no entry of this hash. Under RCU, or with the table's lock held.
    #[inline(always)]
    pub(super) fn may_have(&self, hash: u32) -> bool {
        // Pairs with `sum_up`.
        self.bucket(hash).summary.load(Acquire) & bit(hash) != 0
    }

    /// Calls `accept` for what the entries of `hash` stand for, until it gives something.
    ///
    /// `accept` tells whether it is the one that is looked for: different keys may have the same
    /// hash, and an entry that is being moved may be seen twice. Under RCU.
    pub(super) fn find_all<R>(
        &self,
        hash: u32,
        mut accept: impl FnMut(u32) -> Option<R>,
    ) -> Option<R> {
        let mut number = hash;
        for _ in 0..REACH {
            let bucket = self.bucket(number);
            // Pairs with `sum_up`.
            if bucket.summary.load(Acquire) & bit(hash) == 0 {
                return None;
            }
            for (slot, what) in bucket.entries() {
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
            if !bucket.is_marked() {
                return None;
            }
            number = number.wrapping_add(STEP);
        }
        None
    }

    /// Adds an entry for `what`, which is not zero. Table lock held.
    ///
    /// Does not look whether it is there already. Fails with `ENOSPC` when every bucket in reach is
    /// full; the marks that were set on the way stay, and cost later lookups some lines.
    pub(super) fn insert(&self, hash: u32, what: u32) -> Result {
        let mut number = hash;
        for _ in 0..REACH {
            let bucket = self.bucket(number);
            for (slot, place) in bucket.entries() {
                if place.load(Relaxed) == 0 {
                    slot.store(hash, Relaxed);
                    let summary = bucket.summary.load(Relaxed);
                    bucket.summary.store(summary | bit(hash), Relaxed);
                    // Pairs with `find`: the object is in its slot.
                    place.store(what, Release);
                    return Ok(());
                }
            }
            bucket.summary.store(MARK, Relaxed);
            number = number.wrapping_add(STEP);
        }
        Err(ENOSPC)
    }

    /// Removes an entry, if it is there: true if it was. Table lock held.
    ///
    /// `what` has to be the same, too, since other keys may have the hash. Readers who have seen
    /// the entry before go on with what it stands for.
    pub(super) fn remove(&self, hash: u32, what: u32) -> bool {
        let mut number = hash;
        for _ in 0..REACH {
            let bucket = self.bucket(number);
            for (slot, place) in bucket.entries() {
                if slot.load(Relaxed) == hash && place.load(Relaxed) == what {
                    place.store(0, Relaxed);
                    // Nobody looks for this one here.
                    slot.store(!hash, Relaxed);
                    bucket.sum_up();
                    return true;
                }
            }
            if !bucket.is_marked() {
                return false;
            }
            number = number.wrapping_add(STEP);
        }
        false
    }

    /// Moves the entries of bucket `number` to `to`. Table lock held.
    ///
    /// Each is stored there before it is cleared here, so that a reader who looks here first and
    /// there second misses none: if it sees the zero, which it acquires, it sees the entry in `to`,
    /// and the mark that leads to it.
    ///
    /// Fails with `ENOSPC` if there are entries that have no room in `to`; those stay here.
    pub(super) fn migrate(&self, number: u32, to: &Buckets) -> Result {
        let mut result = Ok(());
        let bucket = self.bucket(number.wrapping_mul(STEP));
        for (slot, place) in bucket.entries() {
            let what = place.load(Relaxed);
            if what == 0 {
                continue;
            }
            match to.insert(slot.load(Relaxed), what) {
                Ok(()) => {
                    place.store(0, Release);
                    slot.store(!slot.load(Relaxed), Release);
                }
                error => result = error,
            }
        }
        bucket.sum_up();
        result
    }
}

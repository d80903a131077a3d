// SPDX-License-Identifier: GPL-2.0

//! The hash array of a table: buckets of one cache line, seven entries each.
//!
//! An entry is 32 bits of hash and 32 bits of what it stands for, so that a lookup compares hashes
//! within one line and touches the object only on a match, and a resize copies entries without
//! touching any object. A full bucket sets a mark, and its surplus goes to the following buckets;
//! lookups follow only where the mark is set. It stays until the next resize.

use core::ptr::NonNull;
use core::sync::atomic::{
    AtomicU32,
    AtomicU64,
    Ordering::{
        Acquire,
        Relaxed,
        Release, //
    }, //
};
use kernel::alloc::allocator::KVmalloc;
use kernel::prelude::*;

const WIDTH: usize = 7;
/// How many buckets an entry may be away from its own.
const REACH: u32 = 16;
/// Fill above which the array doubles, and below which it halves, in percent.
const GROW_AT: u32 = 62;
const SHRINK_AT: u32 = 12;
const MIN_BUCKETS: u32 = 32;
const MAX_BUCKETS: u32 = 1 << 24;

/// A bucket: all zero is empty.
#[repr(C, align(64))]
#[derive(Default)]
struct Bucket {
    entries: [AtomicU64; WIDTH],
    overflowed: AtomicU32,
}

/// One array. Readers need no lock; whoever changes it holds the table's.
pub(super) struct Buckets {
    buckets: KVec2,
    mask: u32,
}

type KVec2 = Vec<Bucket, KVmalloc>;

/// An entry: never zero.
#[inline(always)]
fn entry(hash: u32, what: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(what.wrapping_add(1))
}

impl Buckets {
    /// An empty array of `count` buckets, a power of two. May sleep if `flags` say so.
    pub(super) fn new(count: u32, flags: kernel::alloc::Flags) -> Result<Self> {
        let count = count.clamp(MIN_BUCKETS, MAX_BUCKETS).next_power_of_two();
        let mut buckets = KVec2::with_capacity(count as usize, flags)?;
        for _ in 0..count {
            buckets.push(Bucket::default(), flags)?;
        }
        Ok(Self {
            buckets,
            mask: count - 1,
        })
    }

    /// The smallest array there is.
    pub(super) fn smallest(flags: kernel::alloc::Flags) -> Result<Self> {
        Self::new(MIN_BUCKETS, flags)
    }

    pub(super) fn count(&self) -> u32 {
        self.mask + 1
    }

    /// The size that suits `entries`, if it is another than now.
    pub(super) fn better_size(&self, entries: u32) -> Option<u32> {
        let fill = u64::from(entries) * 100 / (u64::from(self.count()) * WIDTH as u64);
        if fill > u64::from(GROW_AT) && self.count() < MAX_BUCKETS {
            // By four: new flows come in bursts, and an array that is full refuses them.
            Some(self.count().saturating_mul(4).min(MAX_BUCKETS))
        } else if fill < u64::from(SHRINK_AT) && self.count() > MIN_BUCKETS {
            Some(
                (entries / (WIDTH as u32 / 3))
                    .next_power_of_two()
                    .max(MIN_BUCKETS),
            )
            .filter(|&n| n < self.count())
        } else {
            None
        }
    }

    #[inline(always)]
    fn bucket(&self, number: u32) -> &Bucket {
        let at: NonNull<Bucket> = NonNull::from(self.buckets.as_slice()).cast();
        // SAFETY: The array has `mask + 1` buckets, by `new`, and the number is masked.
        unsafe { at.add((number & self.mask) as usize).as_ref() }
    }

    /// Calls `accept` for what the entries of `hash` stand for, until it gives something.
    #[inline(always)]
    pub(super) fn find<R>(&self, hash: u32, mut accept: impl FnMut(u32) -> Option<R>) -> Option<R> {
        let mut number = hash;
        for _ in 0..REACH {
            let bucket = self.bucket(number);
            for slot in &bucket.entries {
                let found = slot.load(Acquire);
                // CAST: The halves of an entry.
                if (found >> 32) as u32 == hash && found as u32 != 0 {
                    if let Some(result) = accept((found as u32).wrapping_sub(1)) {
                        return Some(result);
                    }
                }
            }
            if bucket.overflowed.load(Relaxed) == 0 {
                return None;
            }
            number = number.wrapping_add(1);
        }
        None
    }

    /// Adds an entry. Fails when every bucket in reach is full. Table lock held.
    pub(super) fn insert(&self, hash: u32, what: u32) -> Result {
        let mut number = hash;
        for _ in 0..REACH {
            let bucket = self.bucket(number);
            for slot in &bucket.entries {
                if slot.load(Relaxed) == 0 {
                    slot.store(entry(hash, what), Release);
                    return Ok(());
                }
            }
            bucket.overflowed.store(1, Relaxed);
            number = number.wrapping_add(1);
        }
        Err(ENOSPC)
    }

    /// Removes an entry, if it is there. Table lock held.
    pub(super) fn remove(&self, hash: u32, what: u32) -> bool {
        let wanted = entry(hash, what);
        let mut number = hash;
        for _ in 0..REACH {
            let bucket = self.bucket(number);
            for slot in &bucket.entries {
                if slot.load(Relaxed) == wanted {
                    slot.store(0, Relaxed);
                    return true;
                }
            }
            if bucket.overflowed.load(Relaxed) == 0 {
                return false;
            }
            number = number.wrapping_add(1);
        }
        false
    }

    /// Moves the entries of bucket `number` to `to`, so that a reader who looks here first and
    /// there second misses none. Table lock held.
    pub(super) fn migrate(&self, number: u32, to: &Buckets) -> Result {
        for slot in &self.bucket(number).entries {
            let found = slot.load(Relaxed);
            if found != 0 {
                // CAST: The halves of an entry.
                to.insert((found >> 32) as u32, (found as u32).wrapping_sub(1))?;
                slot.store(0, Release);
            }
        }
        Ok(())
    }
}

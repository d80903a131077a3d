// SPDX-License-Identifier: GPL-2.0

//! When the objects of a chunk are due for a visit. Pure: no kernel types.
//!
//! # Problem
//!
//! A collector has to visit each object at some second, of its own or when somebody asks for it.
//! There are up to millions of objects, each visited twice a minute or so, and whoever asks does so
//! for a packet, on any CPU.
//!
//! A timing wheel has a list for each second. Its links are in the objects, so that each step along
//! a list waits for memory, which cannot be fetched ahead, and so do changes of the neighbours; and
//! it has a lock.
//!
//! # Layout
//!
//! One byte for each object, 64 of them side by side: the second in which it is due, modulo 254, plus
//! one. A search for those that are due reads them eight at a time, one cache line for 64 objects,
//! one line after the other, which memory is good at: a million objects are 1 MiB. What it finds is
//! in the order of memory, and known before the first object is touched.
//!
//! ```text
//!   0      not due: somebody is just visiting it, or it is not there
//!   1..254 due in that second
//!   255    due now
//! ```
//!
//! Whoever takes an object to visit it leaves 0. Meanwhile others may make it due now, and then that
//! stands: the visitor's own wish comes second.
//!
//! # Order
//!
//! None: a byte is a wish, not a fact. Each word is changed by compare-exchange, so that no wish for
//! a neighbour is lost.

use core::sync::atomic::{
    AtomicU64,
    Ordering::Relaxed, //
};

/// Numbers of seconds that can be told apart.
const SECONDS: u32 = 254;
/// The byte eight times.
const ONES: u64 = u64::from_ne_bytes([1; 8]);
const LOW: u64 = u64::from_ne_bytes([0x7f; 8]);

/// When an object is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct When(u8);

impl When {
    /// At nobody's wish.
    pub(crate) const NEVER: Self = Self(0);
    /// As soon as somebody looks.
    pub(crate) const NOW: Self = Self(255);

    /// In a second, which is told from others as long as it is less than 254 seconds away.
    pub(crate) fn at(second: u32) -> Self {
        // CAST: Less than 255.
        Self((second % SECONDS) as u8 + 1)
    }
}

/// When each of 64 objects is due.
#[derive(Debug)]
pub(crate) struct Due([AtomicU64; 8]);

/// The uppermost bit of each byte of a word that is equal to `byte`.
fn equal(word: u64, byte: u8) -> u64 {
    let difference = word ^ ONES.wrapping_mul(u64::from(byte));
    // Without carries from one byte to another.
    !((difference & LOW).wrapping_add(LOW) | difference | LOW)
}

/// Bits that are the uppermost of bytes, as a byte: the lowest byte's first.
fn gathered(bits: u64) -> u64 {
    (bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

impl Due {
    /// None is due.
    pub(crate) const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; 8])
    }

    /// The word with the byte of an object, and how far up that is.
    fn place(&self, slot: u32) -> (&AtomicU64, u32) {
        (&self.0[(slot / 8 % 8) as usize], slot % 8 * 8)
    }

    /// When an object is due.
    pub(crate) fn get(&self, slot: u32) -> When {
        let (word, shift) = self.place(slot);
        // CAST: One byte.
        When((word.load(Relaxed) >> shift) as u8)
    }

    /// Makes an object due, whatever it was before.
    pub(crate) fn set(&self, slot: u32, when: When) {
        let (word, shift) = self.place(slot);
        let set = |old: u64| Some(old & !(0xff << shift) | u64::from(when.0) << shift);
        let _ = word.fetch_update(Relaxed, Relaxed, set);
    }

    /// Makes an object due that is not; false if it is.
    pub(crate) fn set_first(&self, slot: u32, when: When) -> bool {
        let (word, shift) = self.place(slot);
        let set = |old: u64| (old >> shift & 0xff == 0).then_some(old | u64::from(when.0) << shift);
        word.fetch_update(Relaxed, Relaxed, set).is_ok()
    }

    /// Takes those that are due then, or now: a bitmap of them, for the one caller who gets it. They
    /// are not due any more.
    pub(crate) fn take(&self, when: When) -> u64 {
        let mut taken = 0;
        for (number, word) in self.0.iter().enumerate() {
            let found = |old: u64| equal(old, when.0) | equal(old, When::NOW.0);
            if found(word.load(Relaxed)) == 0 {
                continue;
            }
            // The bits of a byte that is found, from its uppermost.
            let rest = |old: u64| Some(old & !((found(old) >> 7).wrapping_mul(0xff)));
            if let Ok(old) = word.fetch_update(Relaxed, Relaxed, rest) {
                taken |= gathered(found(old)) << (8 * number);
            }
        }
        taken
    }
}

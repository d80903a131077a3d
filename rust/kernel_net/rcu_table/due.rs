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
//! One byte for each object, 64 of them side by side: the second in which it is due, modulo 63, plus
//! one. What is found is in the order of memory, and known before the first object is touched.
//!
//! ```text
//!   0     not due: somebody is just visiting it, or it is not there
//!   1..63 due in that second
//!   64    due now
//! ```
//!
//! Whoever takes an object to visit it leaves 0. Meanwhile others may make it due now, and then that
//! stands: the visitor's own wish comes second.
//!
//! Beside it, for 64 objects, a [`Digest`]: a bit for each value that some of their bytes have, or
//! have had. A search for those that are due in some seconds reads these, 8 bytes for 64 objects and
//! one after the other, and goes on to the bytes only where there is something: for a million objects
//! it reads 128 KiB.
//!
//! # Order
//!
//! A byte is a wish, not a fact. Each word is changed by compare-exchange, so that no wish for a
//! neighbour is lost. Who makes a wish changes the byte first, and the digest with release; who
//! searches takes the bit of the digest with acquire, and reads bytes afterwards. Of the two changes
//! of the digest one comes first: either the search sees the byte, or the bit is there for the next
//! one. A search may see a byte earlier than that, for the bit of a neighbour. What else there is to see
//! of its object, bytes do not order: that takes fences, which their users have.

use core::sync::atomic::{
    AtomicU64,
    Ordering::{
        Acquire,
        Relaxed,
        Release, //
    }, //
};

/// Numbers of seconds that can be told apart.
const SECONDS: u32 = 63;
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
    pub(crate) const NOW: Self = Self(64);

    /// In a second, which is told from others as long as it is less than 63 seconds away.
    pub(crate) fn at(second: u32) -> Self {
        // CAST: Less than 64.
        Self((second % SECONDS) as u8 + 1)
    }

    /// Its bit among [`Times`]; none for [`Self::NEVER`].
    fn bit(self) -> u64 {
        match self {
            Self::NEVER => 0,
            Self(number) => 1 << ((number - 1) % 64),
        }
    }
}

/// Some times at which objects may be due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Times(u64);

impl Times {
    /// What is due now, and what was due in so many seconds up to `last`; in all, if these are more
    /// than can be told apart.
    pub(crate) fn up_to(last: u32, seconds: u32) -> Self {
        (0..seconds.min(SECONDS)).fold(Self(When::NOW.bit()), |times, back| {
            Self(times.0 | When::at(last.wrapping_sub(back)).bit())
        })
    }

    /// Whether there is none.
    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Iterator for Times {
    type Item = When;

    fn next(&mut self) -> Option<When> {
        // CAST: At most 64.
        let number = self.0.trailing_zeros() as u8;
        // Takes the lowest bit away, if there is one.
        self.0 &= self.0.wrapping_sub(1);
        (number < 64).then_some(When(number + 1))
    }
}

/// The times at which some of 64 objects may be due.
///
/// All zero is one without any.
#[derive(Debug, Default)]
pub(crate) struct Digest(AtomicU64);

impl Digest {
    /// That of none.
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Notes that one of them is due then. Its byte says so already.
    pub(crate) fn note(&self, when: When) {
        self.note_all(Times(when.bit()));
    }

    /// The same for several.
    pub(crate) fn note_all(&self, times: Times) {
        self.0.fetch_or(times.0, Release);
    }

    /// Takes those of `times` that are noted. The caller goes on to look for the objects.
    #[inline]
    pub(crate) fn take(&self, times: Times) -> Times {
        if self.0.load(Relaxed) & times.0 == 0 {
            return Times(0);
        }
        Times(self.0.fetch_and(!times.0, Acquire) & times.0)
    }
}

/// What is wished for some of 64 objects, to be noted at once.
#[derive(Debug)]
pub(crate) struct Wishes {
    words: [u64; 8],
    times: Times,
}

impl Wishes {
    /// None.
    pub(crate) const fn new() -> Self {
        Self {
            words: [0; 8],
            times: Times(0),
        }
    }

    /// Wishes that an object be due, of which nothing was said before.
    #[inline(always)]
    pub(crate) fn add(&mut self, slot: u32, when: When) {
        self.words[(slot / 8 % 8) as usize] |= u64::from(when.0) << (slot % 8 * 8);
        self.times.0 |= when.bit();
    }

    /// The times at which some are due.
    pub(crate) fn times(&self) -> Times {
        self.times
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

    /// Makes objects due that are not: a change of memory for eight of them.
    pub(crate) fn set_first_all(&self, wishes: &Wishes) {
        for (word, wished) in self.0.iter().zip(wishes.words) {
            if wished == 0 {
                continue;
            }
            // Only where the byte is zero.
            let set = |old: u64| Some(old | wished & (equal(old, 0) >> 7).wrapping_mul(0xff));
            let _ = word.fetch_update(Relaxed, Relaxed, set);
        }
    }

    /// Takes those that are due at one of these times: a bitmap of them, for the one caller who gets
    /// it. They are not due any more.
    pub(crate) fn take(&self, times: Times) -> u64 {
        times.fold(0, |taken, when| taken | self.take_one(when))
    }

    /// Takes those that are due then.
    fn take_one(&self, when: When) -> u64 {
        let mut taken = 0;
        for (number, word) in self.0.iter().enumerate() {
            let found = |old: u64| equal(old, when.0);
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

// SPDX-License-Identifier: GPL-2.0

//! Where the objects of a table live: chunks of slots, found by a 32-bit index.
//!
//! # Problem
//!
//! Objects must stay where they are, be found by a short index that is safe to follow even when it
//! is outdated, and be walked without a list. There may be millions, and none: memory is to follow.
//!
//! The allocator of the kernel for such a thing, a `kmem_cache`, gives pointers, which cannot be
//! checked. An array that grows moves its content, or comes from `vmalloc`, whose small pages cost
//! a TLB miss for each object that is looked at.
//!
//! # Layout
//!
//! A chunk has 64 slots, and bitmaps of them in one word each. Chunks come from the page allocator,
//! so that objects are in the direct map, which the kernel maps with huge pages. They are found
//! through two levels of pointers, which never move:
//!
//! ```text
//!   index 70000 = chunk 1093, slot 48;  chunk 1093 = page 1, entry 69
//!
//!   top              page 1              chunk 1093
//!   +-----+          +------+            +--------------------------+
//!   |   0 |--> ...   |    0 |            | slots[0..64]             |
//!   |   1 |--------->|  ... |            |   48: value, rcu, ...    |
//!   | ... |          |   69 |----------->| live: published slots    |
//!   | 255 |          |  ... |            | free: slots not in use   |
//!   +-----+          | 1023 |            | next, prev: see below    |
//!                    +------+            +--------------------------+
//! ```
//!
//! That is 256 pages of 1024 chunks of 64 slots, 16 million in all. Pages are made when needed and
//! stay; chunks go when their last slot is given back, all but the last chunk.
//!
//! # States of a slot
//!
//! | `free` | `live` | |
//! |---|---|---|
//! | 1 | 0 | Free; the value is not initialised. |
//! | 0 | 0 | Reserved: the value is initialised, and not published yet, or not any more. |
//! | 0 | 1 | Published: found by index. |
//!
//! Chunks that have a free slot are in a list, doubly linked by their numbers; its head serves the
//! next reservation. A chunk that becomes full leaves it, and one that gets its first free slot
//! back becomes the head. New objects go to the chunk at the head until it is full, so that those
//! further down have time to run empty. Reserving and releasing take the same short time whatever
//! the size, but for one thing: when a chunk is made and numbers of freed ones are to be had, the
//! first such is searched for.
//!
//! # Why an index is safe
//!
//! A reader that sees a slot's live bit set under RCU may use the object until it leaves the read
//! side: the bit is cleared before the grace period that ends with the object's drop. What is in
//! the slot afterwards is another object, which is just as valid. A chunk is freed only after one
//! more grace period, since somebody may be reading its bitmap. So an index is safe to keep and to
//! follow, also one whose object went long ago; what it names by then is for its owner to know.
//!
//! # Context and locking
//!
//! [`Arena::get`], [`Arena::next`] and [`Arena::slot`] are for anywhere under RCU, and take no
//! lock. Everything that changes the arena is called under the table's lock, in softirq or process
//! context, and allocates atomically. The pairs of loads and stores between the two are listed in
//! the module documentation of [`rcu_table`](super).

use crate::bindings;
use crate::kernel_net::rcu::ReadSide;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{
    AtomicPtr,
    AtomicU32,
    AtomicU64,
    Ordering::{
        Acquire,
        Relaxed,
        Release, //
    }, //
};
use kernel::prelude::*;

/// Objects in a chunk: the width of its bitmaps.
const SLOTS: u32 = 64;
/// Chunk pointers in a page of the directory, 8 KiB of them.
const PAGE: u32 = 1024;
/// Pages in the directory: 16 M objects in all, and indices of 24 bits.
const TOP: u32 = 256;
/// No chunk: the end of a list. Out of the directory's range, so that it is not found either.
const NONE: u32 = u32::MAX;

/// A slot: an object, and what it takes to get rid of it.
///
/// # Invariants
///
/// - `value` is initialised from [`Arena::reserve`] until the RCU callback has dropped it.
/// - `home` and `index` are set when the chunk is made, and never change.
#[repr(C)]
pub(super) struct Slot<T> {
    /// First, so that an object that is aligned to cache lines begins the slot.
    value: UnsafeCell<MaybeUninit<T>>,
    /// Queued when the object is retired.
    pub(super) rcu: UnsafeCell<bindings::callback_head>,
    /// The table, for the RCU callback, which gets nothing but the address of `rcu`.
    pub(super) home: *const (),
    /// The slot's own index, for the same purpose.
    pub(super) index: u32,
}

impl<T> Slot<T> {
    /// The object. Whether it is initialised, and for how long, is the caller's to know.
    pub(super) fn value(&self) -> *mut T {
        self.value.get().cast()
    }
}

/// 64 slots. All zero is a chunk without objects, of which no slot is free.
#[repr(C)]
struct Chunk<T> {
    /// The slots, of which each is found by six bits of its index.
    slots: [Slot<T>; SLOTS as usize],
    /// Published objects: written under the lock, read by everybody.
    live: AtomicU64,
    /// Queued when the chunk is freed.
    rcu: UnsafeCell<bindings::callback_head>,
    // Below: under the table's lock.
    /// Slots that are not in use.
    // Below: under the table's lock.
    /// Slots that are not in use.
    // Below: under the table's lock.
    /// Slots that are not in use.
    free: UnsafeCell<u64>,
    /// Neighbours in the list of chunks with free slots; meaningless for a full chunk.
    next: UnsafeCell<u32>,
    prev: UnsafeCell<u32>,
}

/// One page of chunk pointers. All zero is a page without chunks.
struct Page<T>([AtomicPtr<Chunk<T>>; PAGE as usize]);

/// The slots of a table.
///
/// Everything that changes it is called under the table's lock. Dropping it frees the memory of all
/// chunks, and drops no object: the table has seen to that.
///
/// # Invariants
///
/// - A pointer in `top` is null, or a page from [`alloc_zeroed`] that stays until the arena is
///   dropped.
/// - A pointer in a page is null, or an initialised chunk, which is freed a grace period after the
///   pointer was cleared.
/// - A chunk is in the list that begins at `state.head` if and only if one of its slots is free.
pub(super) struct Arena<T> {
    /// The directory.
    top: [AtomicPtr<Page<T>>; TOP as usize],
    /// Every chunk below has been allocated, apart from holes. Never gets smaller; the bound of
    /// walks. Written under the table's lock.
    high: AtomicU32,
    /// Under the table's lock.
    state: UnsafeCell<State>,
}

/// The bookkeeping of an arena.
struct State {
    /// First chunk with a free slot.
    head: u32,
    /// Chunks that were freed below `high`. Their numbers are used again first, so that walks stay
    /// short.
    holes: u32,
    /// No hole is below this number: where to look for one.
    hole: u32,
}

/// Zeroed pages for a `U`, or null. From any context, without a warning when there is no memory.
///
/// Not rounded up to a power of two (C: `alloc_pages_exact`).
fn alloc_zeroed<U>() -> *mut U {
    let flags = bindings::NFO_GFP_ATOMIC | bindings::NFO_GFP_ZERO;
    // SAFETY: Any size may be asked for; one that is too large gives null. What comes is aligned to
    // pages, which is enough for every type here.
    unsafe { bindings::alloc_pages_exact_noprof(size_of::<U>(), flags).cast() }
}

/// Frees what [`alloc_zeroed`] gave (C: `free_pages_exact`).
///
/// # Safety
///
/// `at` comes from `alloc_zeroed` for the same type, and nobody uses it any more.
unsafe fn free_pages<U>(at: *mut U) {
    // SAFETY: By the contract of this function.
    unsafe { bindings::free_pages_exact(at.cast(), size_of::<U>()) }
}

impl<T> Arena<T> {
    /// An arena without chunks.
    pub(super) const fn new() -> Self {
        Self {
            top: [const { AtomicPtr::new(ptr::null_mut()) }; TOP as usize],
            high: AtomicU32::new(0),
            state: UnsafeCell::new(State {
                head: NONE,
                holes: 0,
                hole: 0,
            }),
        }
    }

    /// Chunk `number`, if it exists. For callers under RCU, or who hold the table's lock.
    #[inline(always)]
    fn chunk(&self, number: u32) -> Option<&Chunk<T>> {
        let page = self.top.get((number / PAGE) as usize)?.load(Acquire);
        // SAFETY: A page that was published stays until the arena is dropped, by the type
        // invariant.
        let page = unsafe { page.as_ref() }?;
        let chunk = page.0[(number % PAGE) as usize].load(Acquire);
        // SAFETY: A published chunk is freed a grace period after it was taken back, by the type
        // invariant. Callers are under RCU, or hold the lock that taking back needs, and so keep
        // that from being over.
        unsafe { chunk.as_ref() }
    }

    /// The slot of `index`, if its chunk exists, in whatever state it is.
    #[inline(always)]
    pub(super) fn slot(&self, index: u32) -> Option<&Slot<T>> {
        Some(&self.chunk(index / SLOTS)?.slots[(index % SLOTS) as usize])
    }

    /// The published object at `index`.
    #[inline(always)]
    pub(super) fn get<'rcu>(&'rcu self, index: u32, _rcu: ReadSide<'rcu>) -> Option<&'rcu T> {
        let chunk = self.chunk(index / SLOTS)?;
        if chunk.live.load(Acquire) & (1 << (index % SLOTS)) == 0 {
            return None;
        }
        // SAFETY: The object was published when RCU was held already, so the grace period that its
        // drop waits for cannot end before `'rcu` does. The load acquires, so that all of the
        // object is there.
        Some(unsafe { &*chunk.slots[(index % SLOTS) as usize].value() })
    }

    /// The first published object at or after `from`, and its index.
    ///
    /// Empty and missing chunks cost a load or two each, so that a walk over a table that was much
    /// larger once is still cheap.
    pub(super) fn next<'rcu>(&'rcu self, from: u32, rcu: ReadSide<'rcu>) -> Option<(u32, &'rcu T)> {
        let mut number = from / SLOTS;
        let mut mask = u64::MAX << (from % SLOTS);
        // An old bound misses objects that are just being added.
        let high = self.high.load(Relaxed);
        while number < high {
            if let Some(chunk) = self.chunk(number) {
                let live = chunk.live.load(Acquire) & mask;
                if live != 0 {
                    let index = number * SLOTS + live.trailing_zeros();
                    if let Some(object) = self.get(index, rcu) {
                        return Some((index, object));
                    }
                    // Taken back between the two loads: on to the next one.
                    mask &= !(1 << live.trailing_zeros());
                    continue;
                }
            }
            number += 1;
            mask = u64::MAX;
        }
        None
    }

    /// Takes a free slot and moves `value` into it, unpublished.
    ///
    /// Returns the slot's index. Fails when there is no memory, or there are 16 million objects,
    /// and gives `value` back, for the caller to drop when the lock is released. `home` is the
    /// table, the same at each call.
    ///
    /// # Safety
    ///
    /// The table's lock is held.
    pub(super) unsafe fn reserve(&self, value: T, home: *const ()) -> Result<u32, T> {
        // SAFETY: The lock is held, by which alone the state is accessed.
        let state = unsafe { &mut *self.state.get() };
        if state.head == NONE {
            // SAFETY: The lock is held, by the contract of this function.
            match unsafe { self.grow(state, home) } {
                Some(number) => state.head = number,
                None => return Err(value),
            }
        }
        let number = state.head;
        let Some(chunk) = self.chunk(number) else {
            return Err(value);
        };
        // SAFETY: The lock is held, by which alone `free` is accessed.
        let free = unsafe { &mut *chunk.free.get() };
        let bit = free.trailing_zeros();
        // Clears the lowest bit, that of the slot that is taken. There is one: the chunk is in the
        // list.
        *free &= free.wrapping_sub(1);
        if *free == 0 {
            // SAFETY: The lock is held, and the chunk is the head of the list.
            unsafe { self.unlink(state, number, chunk) };
        }
        // SAFETY: The slot was free, so its value is not initialised, and nobody else refers to it:
        // neither bit was set and no entry stands for it.
        unsafe { chunk.slots[bit as usize].value().write(value) };
        Ok(number * SLOTS + bit)
    }

    /// Publishes the object at `index` to [`Self::get`] and [`Self::next`]. The table's lock is
    /// held, and the slot is reserved.
    pub(super) fn publish(&self, index: u32) {
        if let Some(chunk) = self.chunk(index / SLOTS) {
            chunk.live.fetch_or(1 << (index % SLOTS), Release);
        }
    }

    /// Takes the object at `index` back; true for the one caller who did.
    ///
    /// The slot stays reserved: readers may have the object. The table's lock is held.
    pub(super) fn unpublish(&self, index: u32) -> bool {
        let bit = 1 << (index % SLOTS);
        match self.chunk(index / SLOTS) {
            Some(chunk) => chunk.live.fetch_and(!bit, Release) & bit != 0,
            None => false,
        }
    }

    /// Gives a slot back whose value has been dropped or moved out.
    ///
    /// Frees the chunk if this was its last slot in use, unless it is the only one with free slots.
    ///
    /// # Safety
    ///
    /// The table's lock is held; the slot is reserved, its value was dropped or moved out, and
    /// nobody refers to it any more.
    pub(super) unsafe fn release(&self, index: u32) {
        let number = index / SLOTS;
        let Some(chunk) = self.chunk(number) else {
            return;
        };
        // SAFETY: The lock is held, by which alone both are accessed.
        let (state, free) = unsafe { (&mut *self.state.get(), &mut *chunk.free.get()) };
        if *free == 0 {
            // SAFETY: The lock is held, and a full chunk is not in the list.
            unsafe { self.link(state, number, chunk) };
        }
        *free |= 1 << (index % SLOTS);
        // An empty chunk stays as long as it is the only one with free slots, so that a flow that
        // comes and goes costs no allocation.
        // SAFETY: The lock is held, by which alone both are accessed.
        let is_only = unsafe { *chunk.next.get() == NONE && *chunk.prev.get() == NONE };
        if *free == u64::MAX && !is_only {
            // SAFETY: The lock is held. A chunk with free slots is in the list, and not any more
            // when it is freed. Nothing is left in it.
            unsafe {
                self.unlink(state, number, chunk);
                self.shrink(state, number);
            }
        }
    }

    /// Makes a chunk with all slots free, and its page if that is missing; returns its number.
    ///
    /// [`None`] when there is no memory, or no number left. The caller puts it into the list, which
    /// is empty.
    ///
    /// # Safety
    ///
    /// The table's lock is held.
    unsafe fn grow(&self, state: &mut State, home: *const ()) -> Option<u32> {
        let high = self.high.load(Relaxed);
        let number = match state.holes {
            0 => high,
            _ => (state.hole..high).find(|&n| self.chunk(n).is_none())?,
        };
        let top = self.top.get((number / PAGE) as usize)?;
        let mut page = top.load(Relaxed);
        if page.is_null() {
            page = alloc_zeroed();
            if page.is_null() {
                return None;
            }
            top.store(page, Release);
        }
        let chunk: *mut Chunk<T> = alloc_zeroed();
        if chunk.is_null() {
            return None;
        }
        // SAFETY: Just allocated and zeroed, which is a valid chunk without objects: integers,
        // pointers and values that are not initialised. Nobody else sees it yet.
        let new = unsafe { &mut *chunk };
        *new.free.get_mut() = u64::MAX;
        *new.next.get_mut() = NONE;
        *new.prev.get_mut() = NONE;
        for (i, slot) in (number * SLOTS..).zip(new.slots.iter_mut()) {
            slot.home = home;
            slot.index = i;
        }
        // SAFETY: Not null by now, and pages stay until the arena is dropped. The store releases
        // what was written above.
        unsafe { &*page }.0[(number % PAGE) as usize].store(chunk, Release);
        if number == high {
            // Readers may see it before the chunk, which is missing for them then.
            self.high.store(number + 1, Relaxed);
        } else {
            state.holes -= 1;
            state.hole = number + 1;
        }
        Some(number)
    }

    /// Frees an empty chunk after a grace period: somebody may be reading its bitmap.
    ///
    /// # Safety
    ///
    /// The table's lock is held, and the chunk is empty and in no list.
    unsafe fn shrink(&self, state: &mut State, number: u32) {
        let Some(page) = self.top.get((number / PAGE) as usize) else {
            return;
        };
        // SAFETY: Pages stay until the arena is dropped; this one exists, since its chunk does.
        // Taking the pointer away needs no order, since readers who have it are waited for.
        let chunk = unsafe { &*page.load(Relaxed) }.0[(number % PAGE) as usize]
            .swap(ptr::null_mut(), Relaxed);
        state.holes += 1;
        state.hole = state.hole.min(number);
        // SAFETY: The chunk existed, and was ours to take away, by the contract. Its head is
        // embedded in it, and queued once, since nobody can find the chunk any more.
        unsafe { bindings::call_rcu((*chunk).rcu.get(), Some(Self::free_chunk)) };
    }

    /// The RCU callback: frees a chunk. Does not refer to the arena, which may be gone by now.
    ///
    /// # Safety
    ///
    /// Only for RCU, with the head of a chunk that was taken away by [`Self::shrink`].
    unsafe extern "C" fn free_chunk(head: *mut bindings::callback_head) {
        let head: *mut UnsafeCell<bindings::callback_head> = head.cast();
        // SAFETY: By the contract, the head is the `rcu` field of a chunk, from `grow`. A grace
        // period has passed since it could be found, and its slots are free, so nobody uses it.
        unsafe { free_pages(kernel::container_of!(head, Chunk<T>, rcu)) }
    }

    /// Puts a chunk at the head of the list.
    ///
    /// # Safety
    ///
    /// The table's lock is held, and the chunk is not in the list.
    unsafe fn link(&self, state: &mut State, number: u32, chunk: &Chunk<T>) {
        // SAFETY: The lock is held, by which alone the links of all chunks are accessed.
        unsafe {
            *chunk.prev.get() = NONE;
            *chunk.next.get() = state.head;
            if let Some(old) = self.chunk(state.head) {
                *old.prev.get() = number;
            }
        }
        state.head = number;
    }

    /// Takes a chunk out of the list. Its own links keep what they were.
    ///
    /// # Safety
    ///
    /// The table's lock is held, and the chunk is in the list.
    unsafe fn unlink(&self, state: &mut State, number: u32, chunk: &Chunk<T>) {
        // SAFETY: The lock is held, by which alone the links of all chunks are accessed.
        unsafe {
            let (prev, next) = (*chunk.prev.get(), *chunk.next.get());
            if let Some(next) = self.chunk(next) {
                *next.prev.get() = prev;
            }
            match self.chunk(prev) {
                Some(prev) => *prev.next.get() = next,
                None if state.head == number => state.head = next,
                None => {}
            }
        }
    }
}

impl<T> Drop for Arena<T> {
    fn drop(&mut self) {
        for top in &mut self.top {
            // SAFETY: Null, or a page that `grow` has made, by the type invariant, and this is the
            // last use.
            let Some(page) = (unsafe { top.get_mut().as_mut() }) else {
                continue;
            };
            for chunk in &mut page.0 {
                let chunk = *chunk.get_mut();
                if !chunk.is_null() {
                    // SAFETY: Made by `grow`, by the type invariant, and `&mut self` means that
                    // nobody else finds it. The table made sure that every object is gone; chunks
                    // that were taken away before are not here.
                    unsafe { free_pages(chunk) };
                }
            }
            // SAFETY: As above; its chunks were all freed.
            unsafe { free_pages(*top.get_mut()) };
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Where the objects of a table live: chunks of slots, found by a 32-bit index.
//!
//! A chunk has 64 slots and a bitmap of those that are published. A reader that sees a slot's bit
//! set under RCU may use the object until it leaves the read side: the bit is cleared before the
//! grace period that ends with the object's drop. So an index is safe to keep and to follow, also
//! one whose object went long ago.
//!
//! Chunks come from the page allocator, so that objects are in the direct map and a table of any
//! size causes no TLB misses of its own. They are found through two levels of pointers, which
//! never move, and go when they are empty.

use crate::bindings;
use crate::kernel_net::rcu::ReadSide;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{
    AtomicPtr,
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
/// Chunk pointers in a page of the directory.
const PAGE: u32 = 1024;
/// Pages in the directory: 16 M objects in all.
const TOP: u32 = 256;
/// No chunk.
const NONE: u32 = u32::MAX;

/// A slot. `value` is initialised from `reserve` until the RCU callback has dropped it.
#[repr(C)]
pub(super) struct Slot<T> {
    value: UnsafeCell<MaybeUninit<T>>,
    /// Queued when the object is retired.
    pub(super) rcu: UnsafeCell<bindings::callback_head>,
    /// The table, for the RCU callback.
    pub(super) home: *const (),
    pub(super) index: u32,
}

impl<T> Slot<T> {
    /// The object.
    pub(super) fn value(&self) -> *mut T {
        self.value.get().cast()
    }
}

#[repr(C)]
struct Chunk<T> {
    slots: [Slot<T>; SLOTS as usize],
    /// Published objects.
    live: AtomicU64,
    rcu: UnsafeCell<bindings::callback_head>,
    // Below: under the table's lock.
    free: UnsafeCell<u64>,
    /// Neighbours in the list of chunks with free slots.
    next: UnsafeCell<u32>,
    prev: UnsafeCell<u32>,
}

/// One page of chunk pointers.
struct Page<T>([AtomicPtr<Chunk<T>>; PAGE as usize]);

/// The slots of a table. Everything that changes it is called under the table's lock.
pub(super) struct Arena<T> {
    top: [AtomicPtr<Page<T>>; TOP as usize],
    state: UnsafeCell<State>,
}

struct State {
    /// First chunk with a free slot.
    head: u32,
    /// Every chunk below has been allocated, apart from holes.
    high: u32,
    /// Chunks that were freed below `high`.
    holes: u32,
    chunks: u32,
}

/// Zeroed pages, from any context.
fn alloc_zeroed<U>() -> *mut U {
    let flags = bindings::NFO_GFP_ATOMIC | bindings::NFO_GFP_ZERO;
    // SAFETY: Plain allocation; page alignment is enough for every type here.
    unsafe { bindings::alloc_pages_exact_noprof(size_of::<U>(), flags).cast() }
}

/// Frees what `alloc_zeroed` gave.
///
/// # Safety
///
/// `at` comes from `alloc_zeroed` for the same type, and nobody uses it any more.
unsafe fn free_pages<U>(at: *mut U) {
    // SAFETY: By the contract of this function.
    unsafe { bindings::free_pages_exact(at.cast(), size_of::<U>()) }
}

impl<T> Arena<T> {
    pub(super) const fn new() -> Self {
        Self {
            top: [const { AtomicPtr::new(ptr::null_mut()) }; TOP as usize],
            state: UnsafeCell::new(State {
                head: NONE,
                high: 0,
                holes: 0,
                chunks: 0,
            }),
        }
    }

    #[inline(always)]
    fn chunk(&self, number: u32) -> Option<&Chunk<T>> {
        let page = self.top.get((number / PAGE) as usize)?.load(Acquire);
        // SAFETY: A page that was published stays until the arena is dropped.
        let page = unsafe { page.as_ref() }?;
        let chunk = page.0[(number % PAGE) as usize].load(Acquire);
        // SAFETY: A published chunk is freed after a grace period, and callers are under RCU or
        // hold the lock that unpublishing needs.
        unsafe { chunk.as_ref() }
    }

    /// The slot of `index`, if its chunk exists.
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
        // SAFETY: The object was published when RCU was held already, so it is dropped only after
        // `'rcu`; see the module documentation.
        Some(unsafe { &*chunk.slots[(index % SLOTS) as usize].value() })
    }

    /// The first published object at or after `from`.
    pub(super) fn next<'rcu>(&'rcu self, from: u32, rcu: ReadSide<'rcu>) -> Option<(u32, &'rcu T)> {
        let mut number = from / SLOTS;
        let mut mask = u64::MAX << (from % SLOTS);
        // A racing reader may see an old bound: it then misses objects that are just being added.
        // SAFETY: The bound is a word, only ever read here.
        let high = unsafe { ptr::read_volatile(&raw const (*self.state.get()).high) };
        while number < high {
            if let Some(chunk) = self.chunk(number) {
                let live = chunk.live.load(Acquire) & mask;
                if live != 0 {
                    let index = number * SLOTS + live.trailing_zeros();
                    if let Some(object) = self.get(index, rcu) {
                        return Some((index, object));
                    }
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
    /// # Safety
    ///
    /// The table's lock is held.
    pub(super) unsafe fn reserve(&self, value: T, home: *const ()) -> Result<u32, T> {
        // SAFETY: The lock is held, so the state is ours.
        let state = unsafe { &mut *self.state.get() };
        if state.head == NONE {
            // SAFETY: The lock is held.
            match unsafe { self.grow(state, home) } {
                Some(number) => state.head = number,
                None => return Err(value),
            }
        }
        let number = state.head;
        let Some(chunk) = self.chunk(number) else {
            return Err(value);
        };
        // SAFETY: The lock is held, so the chunk's bookkeeping is ours.
        let free = unsafe { &mut *chunk.free.get() };
        let bit = free.trailing_zeros();
        *free &= free.wrapping_sub(1);
        if *free == 0 {
            // SAFETY: The lock is held, and the chunk is the head of the list.
            unsafe { self.unlink(state, number, chunk) };
        }
        // SAFETY: The slot was free, so nobody else refers to its value.
        unsafe { chunk.slots[bit as usize].value().write(value) };
        Ok(number * SLOTS + bit)
    }

    /// Publishes the object at `index` to `get` and `next`.
    pub(super) fn publish(&self, index: u32) {
        if let Some(chunk) = self.chunk(index / SLOTS) {
            chunk.live.fetch_or(1 << (index % SLOTS), Release);
        }
    }

    /// Takes the object at `index` back; true for the one caller who did.
    pub(super) fn unpublish(&self, index: u32) -> bool {
        let bit = 1 << (index % SLOTS);
        match self.chunk(index / SLOTS) {
            Some(chunk) => chunk.live.fetch_and(!bit, Release) & bit != 0,
            None => false,
        }
    }

    /// Gives a slot back whose value has been dropped or moved out.
    ///
    /// # Safety
    ///
    /// The table's lock is held, and the slot was reserved and is not in use.
    pub(super) unsafe fn release(&self, index: u32) {
        let number = index / SLOTS;
        let Some(chunk) = self.chunk(number) else {
            return;
        };
        // SAFETY: The lock is held.
        let (state, free) = unsafe { (&mut *self.state.get(), &mut *chunk.free.get()) };
        if *free == 0 {
            // SAFETY: The lock is held, and a full chunk is not in the list.
            unsafe { self.link(state, number, chunk) };
        }
        *free |= 1 << (index % SLOTS);
        // Keep the last chunk, so that one flow that comes and goes costs no allocation.
        if *free == u64::MAX && state.chunks > 1 {
            // SAFETY: The lock is held, and nothing is left in the chunk.
            unsafe {
                self.unlink(state, number, chunk);
                self.shrink(state, number);
            }
        }
    }

    /// # Safety
    ///
    /// The table's lock is held.
    unsafe fn grow(&self, state: &mut State, home: *const ()) -> Option<u32> {
        let number = match state.holes {
            0 => state.high,
            _ => (0..state.high).find(|&n| self.chunk(n).is_none())?,
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
        // SAFETY: Just allocated and zeroed, which is a valid empty chunk; nobody else sees it.
        let new = unsafe { &mut *chunk };
        *new.free.get_mut() = u64::MAX;
        *new.next.get_mut() = NONE;
        *new.prev.get_mut() = NONE;
        for (i, slot) in (number * SLOTS..).zip(new.slots.iter_mut()) {
            slot.home = home;
            slot.index = i;
        }
        // SAFETY: Pages stay until the arena is dropped.
        unsafe { &*page }.0[(number % PAGE) as usize].store(chunk, Release);
        if number == state.high {
            // SAFETY: A word that racing readers read with volatile.
            unsafe { ptr::write_volatile(&raw mut state.high, number + 1) };
        } else {
            state.holes -= 1;
        }
        state.chunks += 1;
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
        // SAFETY: Pages stay until the arena is dropped; this one exists, its chunk did.
        let chunk = unsafe { &*page.load(Relaxed) }.0[(number % PAGE) as usize]
            .swap(ptr::null_mut(), Relaxed);
        state.chunks -= 1;
        state.holes += 1;
        // SAFETY: The head is embedded in the chunk, which nobody can find any more.
        unsafe { bindings::call_rcu((*chunk).rcu.get(), Some(Self::free_chunk)) };
    }

    /// # Safety
    ///
    /// Only for RCU, with the head of an unpublished chunk.
    unsafe extern "C" fn free_chunk(head: *mut bindings::callback_head) {
        let head: *mut UnsafeCell<bindings::callback_head> = head.cast();
        // SAFETY: By the contract, the head is within a chunk that is out of use.
        unsafe { free_pages(kernel::container_of!(head, Chunk<T>, rcu)) }
    }

    /// # Safety
    ///
    /// The table's lock is held, and the chunk is not in the list.
    unsafe fn link(&self, state: &mut State, number: u32, chunk: &Chunk<T>) {
        // SAFETY: The lock is held, so all list fields are ours.
        unsafe {
            *chunk.prev.get() = NONE;
            *chunk.next.get() = state.head;
            if let Some(old) = self.chunk(state.head) {
                *old.prev.get() = number;
            }
        }
        state.head = number;
    }

    /// # Safety
    ///
    /// The table's lock is held, and the chunk is in the list.
    unsafe fn unlink(&self, state: &mut State, number: u32, chunk: &Chunk<T>) {
        // SAFETY: The lock is held, so all list fields are ours.
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
            // SAFETY: Pages are only made by `grow`, and this is the last use.
            let Some(page) = (unsafe { top.get_mut().as_mut() }) else {
                continue;
            };
            for chunk in &mut page.0 {
                let chunk = *chunk.get_mut();
                if !chunk.is_null() {
                    // SAFETY: The table made sure that every object is gone.
                    unsafe { free_pages(chunk) };
                }
            }
            // SAFETY: As above.
            unsafe { free_pages(*top.get_mut()) };
        }
    }
}

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
//! A chunk is 64 slots and nothing else, so that objects of whole cache lines fill whole pages. What
//! there is to know of them is in the chunk's head: bitmaps of the slots, a word each. Chunks come
//! from the page allocator, so that objects are in the direct map, which x86 maps with huge pages, and
//! arm64 where it may (`rodata_full` has small ones there). Both are found through two levels of
//! pointers:
//!
//! ```text
//!   index 70000 = chunk 1093, slot 48;  chunk 1093 = page 17, entry 5
//!
//!   top              page 17                   chunk 1093
//!   +-----+          +---------------+         +------------------------+
//!   |   0 |--> ...   |    0: chunk   |         | slots[0..64]: objects  |
//!   | ... |          |  ...          |   +---->|                        |
//!   |  17 |--------->|    5: chunk --|---+     +------------------------+
//!   | ... |          |  ...          |         head 1093
//!   | 255 |          |    0: head    |         +------------------------+
//!   +-----+          |  ...          |   +---->| live: published slots  |
//!                    |    5: head  --|---+     | free: slots not in use |
//!                    |  ...          |         | next, prev: see below  |
//!                    +---------------+         +------------------------+
//! ```
//!
//! That is up to 4096 pages of 64 chunks of 64 slots, 16 million in all. Pages are made when needed and
//! stay. The array on top has 16 places at first, for 65536 objects, then 256, then 4096. A larger one takes the
//! pointers of that before, all of whose places are in use by then. The smaller ones stay, 2 KiB in all:
//! whoever still reads one finds there all that there was. An arena without objects has none of these.
//!
//! Chunks go when their last slot is given back, all but the last one with free slots, and the
//! first: the slot with index 0 is never used, so that 0 can stand for none.
//!
//! # States of a slot
//!
//! | `free` | `live` | `retired`, `dying` | |
//! |---|---|---|---|
//! | 1 | 0 | 0 | Free; the value is not initialised. |
//! | 0 | 0 | 0 | Reserved: the value is initialised, and not published yet. |
//! | 0 | 1 | 0 | Published: found by index. |
//! | 0 | 0 | one is 1 | Retired: the value is dropped after a grace period. |
//!
//! Slots have no room for a callback each; a chunk has one for all of them. It takes those that are
//! `dying`. Slots that are retired while it is queued already wait as `retired` until it has run,
//! and then for another grace period.
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
//! [`Arena::get`], [`Arena::next`] and [`Arena::at`] are for anywhere under RCU, and take no
//! lock. Everything that changes the arena is called under the table's lock, in softirq or process
//! context, and allocates atomically. The pairs of loads and stores between the two are listed in
//! the module documentation of [`rcu_table`](super).

use super::due::{
    Digest,
    Due,
    Times,
    When,
    Wishes, //
};
use crate::bindings;
use crate::compat::prelude::*;
use crate::kernel_net::memory::{
    Account,
    Charge, //
};
use crate::kernel_net::rcu::ReadSide;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::{
    self,
    NonNull, //
};
use core::slice;
use core::sync::atomic::{
    fence,
    AtomicPtr,
    AtomicU32,
    AtomicU64,
    Ordering::{
        Acquire,
        Relaxed,
        Release,
        SeqCst, //
    }, //
};

/// Objects in a chunk: the width of its bitmaps.
pub(super) const SLOTS: u32 = 64;
/// Chunks of a page of the directory, which has 1.5 KiB.
const PAGE: u32 = 64;
/// Pages in the directory, as it grows: 16 M objects in all, and indices of 24 bits.
const TOPS: [u32; 3] = [16, 256, 4096];
/// No chunk: the end of a list. Out of the directory's range, so that it is not found either.
const NONE: u32 = u32::MAX;

/// The numbers of the bits of a bitmap that are set.
#[derive(Clone, Copy)]
struct Slots(u64);

impl Iterator for Slots {
    type Item = u32;

    #[inline(always)]
    fn next(&mut self) -> Option<u32> {
        let slot = self.0.trailing_zeros();
        // Takes the lowest bit away, if there is one.
        self.0 &= self.0.wrapping_sub(1);
        (slot < SLOTS).then_some(slot)
    }
}

/// The objects of a chunk. Which of them are initialised says the head: those of slots that are
/// reserved, until the callback has dropped them.
#[repr(transparent)]
struct Chunk<T>([UnsafeCell<MaybeUninit<T>>; SLOTS as usize]);

/// What there is to know of a chunk.
pub(super) struct Head<T> {
    /// Published objects: written under the lock, read by everybody.
    live: AtomicU64,
    /// When objects are to be visited: written by everybody.
    due: Due,
    /// Goes with this.
    chunk: NonNull<Chunk<T>>,
    /// Queued when objects are retired, and, when there are none, to free the chunk.
    rcu: UnsafeCell<bindings::callback_head>,
    /// For the callback, which gets nothing but the address of `rcu`: the table, and which this is.
    pub(super) home: *const (),
    number: u32,
    // Below: under the table's lock.
    /// Slots that are not in use.
    free: UnsafeCell<u64>,
    /// Slots whose objects wait until the callback can be queued again.
    retired: UnsafeCell<u64>,
    /// Slots whose objects the callback will drop; it is queued if there are any.
    dying: UnsafeCell<u64>,
    /// Neighbours in the list of chunks with free slots; meaningless for a full chunk.
    next: UnsafeCell<u32>,
    prev: UnsafeCell<u32>,
}

/// One page of pointers.
struct Page<T> {
    /// For lookups, which need nothing else.
    chunks: [AtomicPtr<Chunk<T>>; PAGE as usize],
    heads: [AtomicPtr<Head<T>>; PAGE as usize],
    /// For who searches for objects that are due. What is left of a chunk that is gone is noise.
    due: [Digest; PAGE as usize],
}

/// The slots of a table.
///
/// Everything that changes it is called under the table's lock. Dropping it frees the memory of all
/// chunks, and drops no object: the table has seen to that.
///
/// # Invariants
///
/// - At `top` are `size` pointers, or more, of one of the vectors in `state.tops`, which stay as they
///   are until the arena is dropped. `size` gets its value after `top`.
/// - Each is null, or a page from [`KBox::into_raw`] that stays until the arena is dropped.
/// - A pointer in a page is null, or a chunk, or a head from [`KBox::into_raw`]. Both are there or
///   neither is, and are freed a grace period after the pointers were cleared.
/// - A chunk is in the list that begins at `state.head` if and only if one of its slots is free.
pub(super) struct Arena<T> {
    /// The directory.
    top: AtomicPtr<AtomicPtr<Page<T>>>,
    size: AtomicU32,
    /// Every chunk below has been allocated, apart from holes. Never gets smaller; the bound of
    /// walks. Written under the table's lock.
    high: AtomicU32,
    /// Under the table's lock.
    state: UnsafeCell<State<T>>,
}

/// The bookkeeping of an arena.
struct State<T> {
    /// The directory's memory; what is not needed yet is empty.
    tops: [KVec<AtomicPtr<Page<T>>>; TOPS.len()],
    /// First chunk with a free slot.
    head: u32,
    /// Chunks that were freed below `high`. Their numbers are used again first, so that walks stay
    /// short.
    holes: u32,
    /// No hole is below this number: where to look for one.
    hole: u32,
}

/// Pages for a `U`, or null. From any context, without a warning when there is no memory.
///
/// Not rounded up to a power of two (C: `alloc_pages_exact`).
fn alloc<U>(charge: &Charge<'_>) -> *mut U {
    let flags = charge.atomic_raw();
    // SAFETY: Any size may be asked for; one that is too large gives null. What comes is aligned to
    // pages, which is enough for every type here.
    unsafe { bindings::alloc_pages_exact_noprof(size_of::<U>(), flags).cast() }
}

/// Frees what [`alloc`] gave (C: `free_pages_exact`).
///
/// # Safety
///
/// `at` comes from `alloc` for the same type, and nobody uses it any more.
unsafe fn free_pages<U>(at: *mut U) {
    // SAFETY: By the contract of this function.
    unsafe { bindings::free_pages_exact(at.cast(), size_of::<U>()) }
}

impl<T> Arena<T> {
    /// An arena without chunks.
    pub(super) const fn new() -> Self {
        Self {
            // INVARIANT: None at all, wherever that is.
            top: AtomicPtr::new(ptr::dangling_mut()),
            size: AtomicU32::new(0),
            high: AtomicU32::new(0),
            state: UnsafeCell::new(State {
                tops: [const { KVec::new() }; TOPS.len()],
                head: NONE,
                holes: 0,
                hole: 0,
            }),
        }
    }

    /// The directory. There may be a larger one the next moment.
    #[inline]
    fn directory(&self) -> &[AtomicPtr<Page<T>>] {
        // Pairs with `widen`.
        let size = self.size.load(Acquire) as usize;
        let top = self.top.load(Acquire);
        // SAFETY: So many are there, by the type invariant: `top` was read after `size`.
        unsafe { slice::from_raw_parts(top, size) }
    }

    /// The page of chunk `number`, if it exists.
    #[inline]
    fn page(&self, number: u32) -> Option<&Page<T>> {
        let page = self
            .directory()
            .get((number / PAGE) as usize)?
            .load(Acquire);
        // SAFETY: A page that was published stays until the arena is dropped, by the type
        // invariant.
        unsafe { page.as_ref() }
    }

    /// The head of chunk `number`, if it exists. For callers under RCU, or who hold the table's
    /// lock.
    #[inline]
    fn head(&self, number: u32) -> Option<&Head<T>> {
        let head = self.page(number)?.heads[(number % PAGE) as usize].load(Acquire);
        // SAFETY: A published head is freed a grace period after it was taken back, by the type
        // invariant. Callers are under RCU, or hold the lock that taking back needs, and so keep
        // that from being over.
        unsafe { head.as_ref() }
    }

    /// Where the object of a reserved slot is, without looking whether it is one.
    ///
    /// # Safety
    ///
    /// The slot at `index` is reserved, or was when RCU was held already, and the caller has
    /// acquired what says so.
    #[inline(always)]
    pub(super) unsafe fn at(&self, index: u32) -> *mut T {
        let number = index / SLOTS;
        let top = self.top.load(Relaxed);
        // SAFETY: The chunk of a reserved slot exists, and stays a grace period longer, by the
        // contract and the type invariant. So its number is one of the directory that there was then,
        // and of any since.
        unsafe {
            let page = (*top.add((number / PAGE) as usize)).load(Relaxed);
            let chunk = (&(*page).chunks)[(number % PAGE) as usize].load(Relaxed);
            (&(*chunk).0)[(index % SLOTS) as usize].get().cast()
        }
    }

    /// The published object at `index`.
    #[inline]
    pub(super) fn get<'rcu>(&'rcu self, index: u32, _rcu: ReadSide<'rcu>) -> Option<&'rcu T> {
        let head = self.head(index / SLOTS)?;
        if head.live.load(Acquire) & (1 << (index % SLOTS)) == 0 {
            return None;
        }
        // SAFETY: The object was published when RCU was held already, so the grace period that its
        // drop waits for cannot end before `'rcu` does. The load acquires, so that all of the
        // object is there.
        Some(unsafe { &*head.at(index % SLOTS) })
    }

    /// The published objects among those of a chunk whose bits are set, and their slots.
    #[inline]
    pub(super) fn some<'rcu>(
        &'rcu self,
        chunk: u32,
        slots: u64,
        _rcu: ReadSide<'rcu>,
    ) -> impl Iterator<Item = (u32, &'rcu T)> + Clone {
        let head = self.head(chunk);
        let live = head.map_or(0, |head| head.live.load(Acquire));
        Slots(live & slots).filter_map(move |slot| {
            // SAFETY: As in `get`.
            Some((slot, unsafe { &*head?.at(slot) }))
        })
    }

    /// When the object at `index` is due, if its chunk exists. Under RCU, as those that follow.
    pub(super) fn due(&self, index: u32) -> Option<When> {
        Some(self.head(index / SLOTS)?.due.get(index % SLOTS))
    }

    /// Makes objects of a chunk due, unless they are.
    pub(super) fn set_due_first_all(&self, number: u32, wishes: &Wishes) {
        if let (Some(page), Some(head)) = (self.page(number), self.head(number)) {
            head.due.set_first_all(wishes);
            page.due[(number % PAGE) as usize].note_all(wishes.times());
        }
    }

    /// Makes the object at `index` due, whatever it was before.
    pub(super) fn set_due(&self, index: u32, when: When) {
        let number = index / SLOTS;
        if let (Some(page), Some(head)) = (self.page(number), self.head(number)) {
            head.due.set(index % SLOTS, when);
            page.due[(number % PAGE) as usize].note(when);
        }
    }

    /// Takes the objects of a chunk that are due at one of these times: a bitmap. [`None`] if there is
    /// no such chunk, nor any behind it.
    #[inline]
    pub(super) fn take_due(&self, chunk: u32, times: Times) -> Option<u64> {
        if chunk >= self.high.load(Relaxed) {
            return None;
        }
        let digest = &self.page(chunk)?.due[(chunk % PAGE) as usize];
        let noted = digest.take(times);
        let due = match noted.is_empty() {
            true => 0,
            false => self.head(chunk).map_or(0, |head| head.due.take(noted)),
        };
        if due != 0 {
            // The live bits are read after the bytes were taken: pairs with `publish`.
            fence(SeqCst);
        }
        Some(due)
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
            if let Some(head) = self.head(number) {
                let live = head.live.load(Acquire) & mask;
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

    /// Takes a free slot, for the caller to fill and to publish.
    ///
    /// [`None`] when there is no memory, or there are 16 million objects. `home` is the table, the
    /// same at each call; `account` pays.
    ///
    /// # Safety
    ///
    /// The table's lock is held, also for what is done with the slot.
    pub(super) unsafe fn reserve(
        &self,
        home: *const (),
        account: &Account,
    ) -> Option<Reserved<'_, T>> {
        // SAFETY: The lock is held, by which alone the state is accessed.
        let state = unsafe { &mut *self.state.get() };
        if state.head == NONE {
            // SAFETY: The lock is held, by the contract of this function.
            state.head = unsafe { self.grow(state, home, account) }?;
        }
        let number = state.head;
        let head = self.head(number)?;
        let digest = &self.page(number)?.due[(number % PAGE) as usize];
        // SAFETY: The lock is held, by which alone `free` is accessed.
        let free = unsafe { &mut *head.free.get() };
        let slot = free.trailing_zeros();
        // Clears the lowest bit, that of the slot that is taken. There is one: the chunk is in the
        // list.
        *free &= free.wrapping_sub(1);
        if *free == 0 {
            // SAFETY: The lock is held, and the chunk is the head of the list.
            unsafe { self.unlink(state, head) };
        }
        // What somebody wished for the object that was there before.
        if head.due.get(slot) != When::NEVER {
            head.due.set(slot, When::NEVER);
        }
        // INVARIANT: Just taken.
        Some(Reserved { head, digest, slot })
    }

    /// Takes the object at `index` back; true for the one caller who did.
    ///
    /// The slot stays reserved: readers may have the object. The table's lock is held.
    pub(super) fn unpublish(&self, index: u32) -> bool {
        let bit = 1 << (index % SLOTS);
        match self.head(index / SLOTS) {
            Some(head) => head.live.fetch_and(!bit, Release) & bit != 0,
            None => false,
        }
    }

    /// Has `callback` called for the head of a chunk when a grace period has passed for the object
    /// at `index`: it calls [`Head::drop_dying`] and [`Self::release_dying`].
    ///
    /// # Safety
    ///
    /// The table's lock is held. The slot is reserved, nobody can find its object any more, and it
    /// is retired once.
    pub(super) unsafe fn retire(
        &self,
        index: u32,
        callback: unsafe extern "C" fn(*mut bindings::callback_head),
    ) {
        let Some(head) = self.head(index / SLOTS) else {
            return;
        };
        // SAFETY: The lock is held, by which alone the bitmap is accessed.
        unsafe { *head.retired.get() |= 1 << (index % SLOTS) };
        // SAFETY: As above.
        unsafe { head.queue(callback) };
    }

    /// Gives the slots back whose objects were dropped, and has `callback` called once more if
    /// others were retired meanwhile. Returns how many were given back.
    ///
    /// Frees the chunk if these were its last slots in use, unless it is the only one with free
    /// slots.
    ///
    /// # Safety
    ///
    /// The table's lock is held, and [`Head::drop_dying`] was called before.
    pub(super) unsafe fn release_dying(
        &self,
        head: &Head<T>,
        callback: unsafe extern "C" fn(*mut bindings::callback_head),
    ) -> u32 {
        // SAFETY: The lock is held, by which alone these are accessed.
        let (state, free) = unsafe { (&mut *self.state.get(), &mut *head.free.get()) };
        // SAFETY: As above.
        let dropped = unsafe { head.dying.get().replace(0) };
        if *free == 0 {
            // SAFETY: The lock is held, and a full chunk is not in the list.
            unsafe { self.link(state, head) };
        }
        *free |= dropped;
        // SAFETY: The lock is held, and the callback is not queued any more.
        unsafe { head.queue(callback) };
        // An empty chunk stays as long as it is the only one with free slots, so that a flow that
        // comes and goes costs no allocation.
        // SAFETY: The lock is held, by which alone both are accessed.
        let is_only = unsafe { *head.next.get() == NONE && *head.prev.get() == NONE };
        if *free == u64::MAX && !is_only {
            // SAFETY: The lock is held. A chunk with free slots is in the list, and not any more
            // when it is freed. Nothing is left in it, so that no callback is queued.
            unsafe {
                self.unlink(state, head);
                self.shrink(state, head);
            }
        }
        dropped.count_ones()
    }

    /// Makes a chunk with all slots free, and its page if that is missing; returns its number.
    ///
    /// [`None`] when there is no memory, or no number left. The caller puts it into the list, which
    /// is empty.
    ///
    /// # Safety
    ///
    /// The table's lock is held.
    #[cold]
    unsafe fn grow(&self, state: &mut State<T>, home: *const (), account: &Account) -> Option<u32> {
        let charge = account.charge();
        let high = self.high.load(Relaxed);
        let number = match state.holes {
            0 => high,
            _ => (state.hole..high).find(|&n| self.head(n).is_none())?,
        };
        self.ensure_page(state, (number / PAGE) as usize, &charge)?;
        let page = self.page(number)?;
        let chunk = NonNull::new(alloc::<Chunk<T>>(&charge))?;
        let head = KBox::new(
            Head {
                live: AtomicU64::new(0),
                due: Due::new(),
                chunk,
                rcu: UnsafeCell::new(bindings::callback_head::default()),
                home,
                number,
                // All but the one with index 0.
                free: UnsafeCell::new(if number == 0 { !1 } else { !0 }),
                retired: UnsafeCell::new(0),
                dying: UnsafeCell::new(0),
                next: UnsafeCell::new(NONE),
                prev: UnsafeCell::new(NONE),
            },
            charge.atomic(),
        );
        let Ok(head) = head else {
            // SAFETY: Just allocated, and nobody has seen it.
            unsafe { free_pages(chunk.as_ptr()) };
            return None;
        };
        let place = (number % PAGE) as usize;
        // Before anything in it can be found.
        page.chunks[place].store(chunk.as_ptr(), Relaxed);
        // Releases what was written above.
        page.heads[place].store(KBox::into_raw(head), Release);
        if number == high {
            // Readers may see it before the chunk, which is missing for them then.
            self.high.store(number + 1, Relaxed);
        } else {
            state.holes -= 1;
            state.hole = number + 1;
        }
        Some(number)
    }

    /// Makes a page, if it is missing, and room for it in the directory. [`None`] when there is no
    /// memory, or it would be one too many. The table's lock is held.
    fn ensure_page(&self, state: &mut State<T>, place: usize, charge: &Charge<'_>) -> Option<()> {
        if place >= self.directory().len() {
            self.widen(state, charge)?;
        }
        let top = self.directory().get(place)?;
        if top.load(Relaxed).is_null() {
            let page = Page {
                chunks: [const { AtomicPtr::new(ptr::null_mut()) }; PAGE as usize],
                heads: [const { AtomicPtr::new(ptr::null_mut()) }; PAGE as usize],
                due: [const { Digest::new() }; PAGE as usize],
            };
            let page = KBox::new(page, charge.atomic()).ok()?;
            top.store(KBox::into_raw(page), Release);
        }
        Some(())
    }

    /// Makes a larger directory. [`None`] when there is no memory, or none that is larger. The table's
    /// lock is held.
    fn widen(&self, state: &mut State<T>, charge: &Charge<'_>) -> Option<()> {
        let old = self.directory();
        let mut sizes = state.tops.iter_mut().zip(TOPS);
        let (vec, size) = sizes.find(|(vec, _)| vec.is_empty())?;
        let mut new = KVec::with_capacity(size as usize, charge.atomic()).ok()?;
        for place in 0..size as usize {
            let page = old.get(place).map(|page| page.load(Relaxed));
            let page = AtomicPtr::new(page.unwrap_or(ptr::null_mut()));
            new.push(page, charge.atomic()).ok()?;
        }
        *vec = new;
        // INVARIANT: So many are there. Readers who see the size see the array.
        self.top.store(vec.as_mut_ptr(), Release);
        self.size.store(size, Release);
        Some(())
    }

    /// Frees an empty chunk after a grace period: somebody may be reading its bitmap.
    ///
    /// # Safety
    ///
    /// The table's lock is held, and the chunk is empty and in no list; no callback is queued.
    unsafe fn shrink(&self, state: &mut State<T>, head: &Head<T>) {
        let Some(page) = self.page(head.number) else {
            return;
        };
        // Taking the pointers away needs no order, since readers who have them are waited for.
        let place = (head.number % PAGE) as usize;
        page.chunks[place].store(ptr::null_mut(), Relaxed);
        page.heads[place].store(ptr::null_mut(), Relaxed);
        state.holes += 1;
        state.hole = state.hole.min(head.number);
        // SAFETY: The callback's head is embedded in that of the chunk, and not queued, by the
        // contract; nobody can find it any more, to queue it again.
        unsafe { bindings::call_rcu(head.rcu.get(), Some(Self::free_chunk)) };
    }

    /// The RCU callback: frees a chunk. Does not refer to the arena, which may be gone by now.
    ///
    /// # Safety
    ///
    /// Only for RCU, with the head of a chunk that was taken away by [`Self::shrink`].
    unsafe extern "C" fn free_chunk(head: *mut bindings::callback_head) {
        // SAFETY: By the contract, this is the head of a chunk, from `grow`. A grace period has
        // passed since it could be found, and its slots are free, so nobody uses it.
        unsafe { Head::<T>::free(Head::<T>::of(head).cast_mut()) }
    }

    /// Puts a chunk at the head of the list.
    ///
    /// # Safety
    ///
    /// The table's lock is held, and the chunk is not in the list.
    unsafe fn link(&self, state: &mut State<T>, head: &Head<T>) {
        // SAFETY: The lock is held, by which alone the links of all chunks are accessed.
        unsafe {
            *head.prev.get() = NONE;
            *head.next.get() = state.head;
            if let Some(old) = self.head(state.head) {
                *old.prev.get() = head.number;
            }
        }
        state.head = head.number;
    }

    /// Takes a chunk out of the list. Its own links keep what they were.
    ///
    /// # Safety
    ///
    /// The table's lock is held, and the chunk is in the list.
    unsafe fn unlink(&self, state: &mut State<T>, head: &Head<T>) {
        // SAFETY: The lock is held, by which alone the links of all chunks are accessed.
        unsafe {
            let (prev, next) = (*head.prev.get(), *head.next.get());
            if let Some(next) = self.head(next) {
                *next.prev.get() = prev;
            }
            match self.head(prev) {
                Some(prev) => *prev.next.get() = next,
                None if state.head == head.number => state.head = next,
                None => {}
            }
        }
    }
}

/// A slot that was just taken.
///
/// # Invariants
///
/// It is reserved, and the table's lock is held.
pub(super) struct Reserved<'a, T> {
    head: &'a Head<T>,
    /// That of the chunk.
    digest: &'a Digest,
    slot: u32,
}

impl<T> Reserved<'_, T> {
    /// The index of its object.
    #[inline(always)]
    pub(super) fn index(&self) -> u32 {
        self.head.number.wrapping_mul(SLOTS).wrapping_add(self.slot)
    }

    /// Puts the object in.
    ///
    /// # Safety
    ///
    /// It is empty: this is called once, and before anybody can find it.
    #[inline(always)]
    pub(super) unsafe fn fill(&self, make: impl FnOnce() -> T) {
        // SAFETY: By the contract the value is not initialised, and nobody else refers to it: no bit
        // was set and no entry stands for it.
        unsafe { self.head.at(self.slot).write(make()) };
    }

    /// Publishes the object to [`Arena::get`] and [`Arena::next`], and has it visited then unless
    /// somebody has asked for that already. Not before it can be found: whoever comes to visit it
    /// earlier would miss it, and nobody would come again.
    #[inline(always)]
    pub(super) fn publish(&self, when: When) {
        self.head.live.fetch_or(1 << self.slot, Release);
        // The bit is set before the byte is looked at: pairs with `take_due`. A digest's bit that lets a
        // visitor in may be a neighbour's, and so orders nothing for this byte.
        fence(SeqCst);
        if self.head.due.set_first(self.slot, when) {
            self.digest.note(when);
        }
    }
}

impl<T> Head<T> {
    /// The one with this callback head.
    ///
    /// # Safety
    ///
    /// `rcu` is embedded in one.
    pub(super) unsafe fn of(rcu: *mut bindings::callback_head) -> *const Self {
        let rcu: *mut UnsafeCell<bindings::callback_head> = rcu.cast();
        crate::compat::container_of!(rcu, Self, rcu)
    }

    /// Where the object of a slot is.
    #[inline(always)]
    fn at(&self, slot: u32) -> *mut T {
        // SAFETY: The chunk goes with its head.
        unsafe { self.chunk.as_ref() }.0[(slot % SLOTS) as usize]
            .get()
            .cast()
    }

    /// Queues the callback for the objects that are retired, if there are any, unless it is queued.
    ///
    /// # Safety
    ///
    /// The table's lock is held.
    unsafe fn queue(&self, callback: unsafe extern "C" fn(*mut bindings::callback_head)) {
        // SAFETY: The lock is held, by which alone both are accessed. The callback is queued if and
        // only if `dying` is not zero. The head stays as long as one of its slots is reserved.
        unsafe {
            if *self.dying.get() == 0 && *self.retired.get() != 0 {
                *self.dying.get() = self.retired.get().replace(0);
                bindings::call_rcu(self.rcu.get(), Some(callback));
            }
        }
    }

    /// Drops the objects that the callback is for.
    ///
    /// # Safety
    ///
    /// Only in the callback that [`Arena::retire`] has queued, and once. The table's lock is not
    /// held: destructors may take locks of their own.
    pub(super) unsafe fn drop_dying(&self) {
        // SAFETY: Nobody changes it from when the callback is queued until it has released them.
        let mut dying = unsafe { *self.dying.get() };
        while dying != 0 {
            // SAFETY: A grace period has passed since nobody can find the object, so those who had
            // found it are done, and it is dropped only here.
            unsafe { self.at(dying.trailing_zeros()).drop_in_place() };
            dying &= dying.wrapping_sub(1);
        }
    }

    /// Frees a chunk and its head.
    ///
    /// # Safety
    ///
    /// It comes from [`Arena::grow`], no object is in it, and nobody uses it any more.
    unsafe fn free(this: *mut Self) {
        // SAFETY: By the contract; `grow` has made both.
        unsafe {
            free_pages((*this).chunk.as_ptr());
            drop(KBox::from_raw(this));
        }
    }
}

impl<T> Drop for Arena<T> {
    fn drop(&mut self) {
        for top in self.directory() {
            let page = top.load(Relaxed);
            if page.is_null() {
                continue;
            }
            // SAFETY: A page that `ensure_page` has made, by the type invariant, and this is the last use.
            let page = unsafe { KBox::from_raw(page) };
            for head in &page.heads {
                let head = head.load(Relaxed);
                if !head.is_null() {
                    // SAFETY: Made by `grow`, by the type invariant, and `&mut self` means that
                    // nobody else finds it. The table made sure that every object is gone; chunks
                    // that were taken away before are not here.
                    unsafe { Head::free(head) };
                }
            }
        }
    }
}

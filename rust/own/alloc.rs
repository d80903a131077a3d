// SPDX-License-Identifier: GPL-2.0

//! Memory, boxes and vectors.
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h)

use crate::error::{
    code::EINVAL,
    Error, //
};
use crate::ffi::c_void;
use crate::init::PinInit;
use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::{
    self,
    ManuallyDrop,
    MaybeUninit, //
};
use core::ops::{
    BitAnd,
    BitOr,
    Deref,
    DerefMut,
    Not, //
};
use core::pin::Pin;
use core::ptr::{
    self,
    NonNull, //
};

/// There is no memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AllocError;

/// How memory is asked for (C: `gfp_t`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// For C.
    pub const fn as_raw(self) -> u32 {
        self.0
    }
}

impl BitOr for Flags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Flags {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Flags {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}

/// Ways to ask for memory.
pub mod flags {
    use super::Flags;

    /// May sleep.
    pub const GFP_KERNEL: Flags = Flags(bindings::NFO_GFP_KERNEL);
    /// The same, and is charged.
    pub const GFP_KERNEL_ACCOUNT: Flags = Flags(bindings::NFO_GFP_KERNEL_ACCOUNT);
    /// May not sleep, and may take of what is kept for that.
    pub const GFP_ATOMIC: Flags = Flags(bindings::NFO_GFP_ATOMIC);
    /// May not sleep.
    pub const GFP_NOWAIT: Flags = Flags(bindings::NFO_GFP_NOWAIT);
    /// Does not complain.
    pub const __GFP_NOWARN: Flags = Flags(bindings::NFO_GFP_NOWARN);
}

/// Where memory comes from.
///
/// # Safety
///
/// [`Self::allocate`] gives memory of that layout, or null.
pub unsafe trait Allocator {
    /// Memory of that layout, which is not of size zero, or null.
    fn allocate(layout: Layout, flags: Flags) -> *mut u8;

    /// Gives it back.
    ///
    /// # Safety
    ///
    /// It is from there, and nobody uses it any more.
    unsafe fn free(memory: *mut u8);
}

/// Allocators.
pub mod allocator {
    /// One piece of the direct map (C: `kmalloc`).
    pub struct Kmalloc;
    /// The same, or mapped pages (C: `kvmalloc`).
    pub struct KVmalloc;
}

use allocator::{
    KVmalloc,
    Kmalloc, //
};

// SAFETY: C aligns memory by the largest power of two that its size is a multiple of
// (Documentation/core-api/memory-allocation.rst); as the size of a padded layout is of its alignment.
unsafe impl Allocator for Kmalloc {
    fn allocate(layout: Layout, flags: Flags) -> *mut u8 {
        // SAFETY: It may be called with any size.
        unsafe { bindings::nfo_kmalloc(layout.pad_to_align().size(), flags.0) }.cast()
    }

    unsafe fn free(memory: *mut u8) {
        // SAFETY: By the contract.
        unsafe { bindings::kfree(memory.cast()) }
    }
}

// SAFETY: As above, or it is of whole pages.
unsafe impl Allocator for KVmalloc {
    fn allocate(layout: Layout, flags: Flags) -> *mut u8 {
        // SAFETY: As above.
        unsafe { bindings::nfo_kvmalloc(layout.pad_to_align().size(), flags.0) }.cast()
    }

    unsafe fn free(memory: *mut u8) {
        // SAFETY: By the contract.
        unsafe { bindings::kvfree(memory.cast::<c_void>()) }
    }
}

/// Memory for a `T`, from `A`; dangling where it takes none.
fn memory_for<T, A: Allocator>(layout: Layout, flags: Flags) -> Result<NonNull<T>, AllocError> {
    match layout.size() {
        0 => Ok(NonNull::dangling()),
        _ => NonNull::new(A::allocate(layout, flags).cast()).ok_or(AllocError),
    }
}

/// A value in memory of its own.
///
/// # Invariants
///
/// It is from [`Kmalloc`], or dangling where a `T` takes none; the `T` is there.
#[repr(transparent)]
pub struct KBox<T>(NonNull<T>, PhantomData<T>);

// SAFETY: It is as if it were the value.
unsafe impl<T: Send> Send for KBox<T> {}
// SAFETY: As above.
unsafe impl<T: Sync> Sync for KBox<T> {}

/// Memory that goes again if nobody fills it.
struct Empty<T>(NonNull<T>);

impl<T> Empty<T> {
    fn new(flags: Flags) -> Result<Self, AllocError> {
        memory_for::<T, Kmalloc>(Layout::new::<T>(), flags).map(Self)
    }

    fn filled(self) -> KBox<T> {
        KBox(ManuallyDrop::new(self).0, PhantomData)
    }
}

impl<T> Drop for Empty<T> {
    fn drop(&mut self) {
        if size_of::<T>() != 0 {
            // SAFETY: It is from there.
            unsafe { Kmalloc::free(self.0.as_ptr().cast()) };
        }
    }
}

impl<T> KBox<T> {
    /// A box with a value.
    #[inline(always)]
    pub fn new(value: T, flags: Flags) -> Result<Self, AllocError> {
        let memory = Empty::new(flags)?;
        // SAFETY: It is for that.
        unsafe { memory.0.write(value) };
        Ok(memory.filled())
    }

    /// The same, pinned.
    pub fn pin(value: T, flags: Flags) -> Result<Pin<Self>, AllocError> {
        Ok(Self::new(value, flags)?.into())
    }

    /// A box with a value that is initialised in there.
    pub fn try_pin_init<E>(init: impl PinInit<T, E>, flags: Flags) -> Result<Pin<Self>, E>
    where
        E: From<AllocError>,
    {
        let memory = Empty::new(flags)?;
        // SAFETY: It is for that, and stays.
        unsafe { init.__pinned_init(memory.0.as_ptr())? };
        Ok(memory.filled().into())
    }

    /// The value's place, which somebody else has to give back.
    pub fn into_raw(this: Self) -> *mut T {
        ManuallyDrop::new(this).0.as_ptr()
    }

    /// A box from there again.
    ///
    /// # Safety
    ///
    /// It is from [`Self::into_raw`], and nobody else has it.
    pub unsafe fn from_raw(raw: *mut T) -> Self {
        // SAFETY: By the contract.
        Self(unsafe { NonNull::new_unchecked(raw) }, PhantomData)
    }

    /// The value, for ever.
    pub fn leak<'a>(this: Self) -> &'a mut T {
        // SAFETY: Nobody gives it back.
        unsafe { &mut *Self::into_raw(this) }
    }
}

impl<T> From<KBox<T>> for Pin<KBox<T>> {
    fn from(this: KBox<T>) -> Self {
        // SAFETY: What is in a box does not move with it.
        unsafe { Pin::new_unchecked(this) }
    }
}

impl<T> Deref for KBox<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: The value is there, by the type invariant.
        unsafe { self.0.as_ref() }
    }
}

impl<T> DerefMut for KBox<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: As above.
        unsafe { self.0.as_mut() }
    }
}

impl<T> Drop for KBox<T> {
    fn drop(&mut self) {
        // SAFETY: The value is there, by the type invariant, and goes before its memory.
        unsafe { ptr::drop_in_place(self.0.as_ptr()) };
        drop(Empty(self.0));
    }
}

/// A vector.
///
/// # Invariants
///
/// At `first` is memory from `A` for `room` elements, or it is dangling; the first `len` are there.
pub struct Vec<T, A: Allocator> {
    first: NonNull<T>,
    len: usize,
    room: usize,
    _from: PhantomData<(A, T)>,
}

/// One in the direct map.
pub type KVec<T> = Vec<T, Kmalloc>;

// SAFETY: It is as if it were its elements.
unsafe impl<T: Send, A: Allocator> Send for Vec<T, A> {}
// SAFETY: As above.
unsafe impl<T: Sync, A: Allocator> Sync for Vec<T, A> {}

impl<T, A: Allocator> Vec<T, A> {
    /// An empty one, without memory.
    pub const fn new() -> Self {
        Self {
            first: NonNull::dangling(),
            len: 0,
            room: if size_of::<T>() == 0 { usize::MAX } else { 0 },
            _from: PhantomData,
        }
    }

    /// An empty one with room for so many.
    pub fn with_capacity(room: usize, flags: Flags) -> Result<Self, AllocError> {
        let mut this = Self::new();
        this.reserve(room, flags)?;
        Ok(this)
    }

    /// Makes room for so many more.
    pub fn reserve(&mut self, more: usize, flags: Flags) -> Result<(), AllocError> {
        let needed = self.len.checked_add(more).ok_or(AllocError)?;
        if needed <= self.room {
            return Ok(());
        }
        let room = needed.max(self.room.saturating_mul(2));
        let layout = Layout::array::<T>(room).map_err(|_| AllocError)?;
        let first = memory_for::<T, A>(layout, flags)?;
        // SAFETY: There is room for them, and they are in one place only from then on.
        unsafe { ptr::copy_nonoverlapping(self.first.as_ptr(), first.as_ptr(), self.len) };
        self.give_back();
        self.first = first;
        self.room = room;
        Ok(())
    }

    /// One more.
    pub fn push(&mut self, value: T, flags: Flags) -> Result<(), AllocError> {
        self.reserve(1, flags)?;
        // SAFETY: There is room for it.
        unsafe { self.first.add(self.len).write(value) };
        self.len += 1;
        Ok(())
    }

    /// Takes the last one.
    pub fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        // SAFETY: It is there, and nobody's from now on but the caller's.
        Some(unsafe { self.first.add(self.len).read() })
    }

    /// Keeps the elements for which `keep` says so, in their order.
    pub fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        let mut kept = 0;
        for place in 0..self.len {
            if self.get_mut(place).is_some_and(&mut keep) {
                self.swap(kept, place);
                kept += 1;
            }
        }
        while self.len > kept {
            drop(self.pop());
        }
    }

    /// Takes an element out; those behind it move up.
    pub fn remove(&mut self, place: usize) -> Result<T, Error> {
        self.get_mut(place..).ok_or(EINVAL)?.rotate_left(1);
        self.pop().ok_or(EINVAL)
    }

    /// Drops all.
    pub fn clear(&mut self) {
        let all: *mut [T] = &raw mut **self;
        self.len = 0;
        // SAFETY: They are there, and nobody's from now on.
        unsafe { ptr::drop_in_place(all) };
    }

    /// How many there is room for.
    pub const fn capacity(&self) -> usize {
        self.room
    }

    /// All.
    pub fn as_slice(&self) -> &[T] {
        self
    }

    /// Where memory is that nobody has filled.
    pub fn spare_capacity_mut(&mut self) -> &mut [MaybeUninit<T>] {
        let spare = self.room - self.len;
        // SAFETY: There is room, by the type invariant.
        unsafe { core::slice::from_raw_parts_mut(self.first.add(self.len).cast().as_ptr(), spare) }
    }

    fn give_back(&mut self) {
        if self.room != 0 && size_of::<T>() != 0 {
            // SAFETY: It is from there, by the type invariant.
            unsafe { A::free(self.first.as_ptr().cast()) };
        }
    }
}

impl<T, A: Allocator> Default for Vec<T, A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, A: Allocator> Deref for Vec<T, A> {
    type Target = [T];
    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: They are there, by the type invariant.
        unsafe { core::slice::from_raw_parts(self.first.as_ptr(), self.len) }
    }
}

impl<T, A: Allocator> DerefMut for Vec<T, A> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: As above.
        unsafe { core::slice::from_raw_parts_mut(self.first.as_ptr(), self.len) }
    }
}

impl<'a, T, A: Allocator> IntoIterator for &'a Vec<T, A> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The elements, one after the other.
pub struct IntoIter<T, A: Allocator> {
    vec: Vec<T, A>,
    next: usize,
}

impl<T, A: Allocator> IntoIterator for Vec<T, A> {
    type Item = T;
    type IntoIter = IntoIter<T, A>;
    fn into_iter(self) -> Self::IntoIter {
        IntoIter { vec: self, next: 0 }
    }
}

impl<T, A: Allocator> Iterator for IntoIter<T, A> {
    type Item = T;
    fn next(&mut self) -> Option<T> {
        let at = self.vec.get(self.next).map(ptr::from_ref)?;
        self.next += 1;
        // SAFETY: It is there, and nobody's from now on but the caller's.
        Some(unsafe { at.read() })
    }
}

impl<T, A: Allocator> Drop for IntoIter<T, A> {
    fn drop(&mut self) {
        self.by_ref().for_each(drop);
        self.vec.len = 0;
    }
}

impl<T, A: Allocator> Drop for Vec<T, A> {
    fn drop(&mut self) {
        self.clear();
        self.give_back();
    }
}

const _: () = assert!(mem::size_of::<KBox<u8>>() == mem::size_of::<*mut u8>());

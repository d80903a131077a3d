// SPDX-License-Identifier: GPL-2.0

//! Per-CPU event counters.
//!
//! Every packet is counted, on every CPU. A shared counter would move its cache line from CPU to
//! CPU with each of them; so each CPU has a copy of its own, in memory that no other CPU writes,
//! and whoever wants to know adds the copies up.
//!
//! ```text
//!               CPU 0   CPU 1   CPU 2
//!   counter 0      7       0       5     sum 12
//!   counter 1      0       1       0     sum  1
//! ```
//!
//! Context: any context counts, without a lock, also with preemption enabled: an increment is one
//! operation on the CPU's own copy, or is made to look like one. Shims that count packets need
//! bottom halves disabled, as they are for packets. Sums are taken anywhere, too. They
//! are no snapshot: while packets go on, a sum is between what it was at the start of the summing
//! and at its end, and sums of two counters need not fit together.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use crate::bindings;
use crate::compat::prelude::*;
use core::ptr::NonNull;

/// `N` counters of 64 bits for each CPU.
///
/// They start at zero and only grow. Dropping them frees the memory of all CPUs; the borrow in
/// [`Counter`] sees to it that nobody counts by then.
///
/// # Invariants
///
/// `base` is a live per-CPU allocation of `N` counters.
pub(crate) struct Counters<const N: usize> {
    base: NonNull<u64>,
}

/// One counter, ready to be counted from where the number of calls matters.
///
/// Taking the address apart from the counting lets the packet path hand a counter to a shim that is
/// called anyway, and that counts on the way: see [`Skb::transmit`](super::skb::Skb::transmit).
///
/// # Invariants
///
/// Points to one counter within a per-CPU allocation that lives as long as the borrow. The pointer
/// is a per-CPU one: an offset from each CPU's area, never to be followed as it is.
#[derive(Clone, Copy)]
pub(crate) struct Counter<'a>(*mut u64, core::marker::PhantomData<&'a ()>);

impl Counter<'_> {
    /// The per-CPU pointer, for shims that count as part of something else.
    #[inline(always)]
    pub(super) fn as_raw(self) -> *mut u64 {
        self.0
    }

    /// Adds one on this CPU (C: `this_cpu_inc`). Any context.
    #[inline(always)]
    pub(crate) fn inc(self) {
        // SAFETY: Points into a live per-CPU allocation, by the type invariant.
        unsafe { bindings::nfo_this_cpu_inc(self.0) }
    }
}

impl<const N: usize> Counters<N> {
    /// Allocates the counters, all zero. Process context; may sleep.
    ///
    /// Fails with `ENOMEM`, also when `N` counters are more than one per-CPU allocation can give,
    /// some thousand.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: Any size and alignment may be asked for; what per-CPU memory cannot give is
        // refused with null.
        let base =
            unsafe { bindings::pcpu_alloc_noprof(N * 8, 8, false, bindings::NFO_GFP_KERNEL) };
        // INVARIANT: Just allocated, for `N` counters; per-CPU memory comes zeroed.
        Ok(Self {
            base: NonNull::new(base.cast()).ok_or(ENOMEM)?,
        })
    }

    /// Counter `index`.
    ///
    /// One that is out of range is taken for counter 0: counting must not be able to panic in the
    /// middle of a packet. Callers use constants and the numbers of enum variants, which are in
    /// range.
    #[inline(always)]
    pub(crate) fn at(&self, index: usize) -> Counter<'_> {
        let index = if index < N { index } else { 0 };
        // SAFETY: In bounds of the allocation, by the type invariant and the line above.
        // INVARIANT: As said, and the allocation lives as long as the borrow of `self`.
        Counter(
            unsafe { self.base.as_ptr().add(index) },
            core::marker::PhantomData,
        )
    }

    /// The sum over all possible CPUs of counter `index`.
    ///
    /// Takes time in proportion to the CPUs and touches the lines of all of them: not for packets.
    /// On 32-bit machines a copy may be read while its halves are being changed.
    pub(crate) fn sum(&self, index: usize) -> u64 {
        // SAFETY: `at` gives a counter in a live per-CPU allocation.
        unsafe { bindings::nfo_per_cpu_sum(self.at(index).0) }
    }
}

impl<const N: usize> Drop for Counters<N> {
    fn drop(&mut self) {
        // SAFETY: Allocated by `new`, by the type invariant; whoever could count borrows `self`,
        // and we have it mutably.
        unsafe { bindings::free_percpu(self.base.as_ptr().cast()) }
    }
}

// SAFETY: The memory belongs to no CPU or task in particular, and may be freed anywhere.
unsafe impl<const N: usize> Send for Counters<N> {}
// SAFETY: Each CPU writes its own copy, with operations that interrupts on the same CPU cannot
// tear, and readers of other copies make single loads.
unsafe impl<const N: usize> Sync for Counters<N> {}

// SPDX-License-Identifier: GPL-2.0

//! Per-CPU event counters.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use crate::bindings;
use core::ptr::NonNull;
use kernel::prelude::*;

/// `N` counters of 64 bits for each CPU. Any context may count; reading sums over the CPUs.
///
/// # Invariants
///
/// `base` is a live per-CPU allocation of `N` counters.
pub(crate) struct Counters<const N: usize> {
    base: NonNull<u64>,
}

/// One counter, ready to be counted from where the number of calls matters.
#[derive(Clone, Copy)]
pub(crate) struct Counter<'a>(*mut u64, core::marker::PhantomData<&'a ()>);

impl Counter<'_> {
    /// The per-CPU pointer, for shims that count as part of something else.
    #[inline(always)]
    pub(super) fn as_raw(self) -> *mut u64 {
        self.0
    }

    /// Adds one.
    #[inline(always)]
    pub(crate) fn inc(self) {
        // SAFETY: Points into a live per-CPU allocation, by how the value is made.
        unsafe { bindings::nfo_this_cpu_inc(self.0) }
    }
}

impl<const N: usize> Counters<N> {
    /// Allocates the counters, all zero. May sleep.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: Plain allocation, with a size and alignment that per-CPU memory can give.
        let base =
            unsafe { bindings::pcpu_alloc_noprof(N * 8, 8, false, bindings::NFO_GFP_KERNEL) };
        // INVARIANT: Just allocated, for `N` counters; per-CPU memory comes zeroed.
        Ok(Self {
            base: NonNull::new(base.cast()).ok_or(ENOMEM)?,
        })
    }

    /// Counter `index`.
    #[inline(always)]
    pub(crate) fn at(&self, index: usize) -> Counter<'_> {
        let index = if index < N { index } else { 0 };
        // SAFETY: In bounds of the allocation, by the type invariant and the line above.
        Counter(
            unsafe { self.base.as_ptr().add(index) },
            core::marker::PhantomData,
        )
    }

    /// The sum over all CPUs of counter `index`.
    pub(crate) fn sum(&self, index: usize) -> u64 {
        // SAFETY: `at` gives a counter in a live per-CPU allocation.
        unsafe { bindings::nfo_per_cpu_sum(self.at(index).0) }
    }
}

impl<const N: usize> Drop for Counters<N> {
    fn drop(&mut self) {
        // SAFETY: Allocated by `new`, and nobody can count any more.
        unsafe { bindings::free_percpu(self.base.as_ptr().cast()) }
    }
}

// SAFETY: Counting and reading are safe from any context and any CPU.
unsafe impl<const N: usize> Send for Counters<N> {}
// SAFETY: As above: each CPU writes its own copy, with this_cpu operations.
unsafe impl<const N: usize> Sync for Counters<N> {}

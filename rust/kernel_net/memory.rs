// SPDX-License-Identifier: GPL-2.0

//! Hints to the memory of the machine.
//!
//! C header: [`include/linux/prefetch.h`](srctree/include/linux/prefetch.h)

use crate::bindings;

/// Has the cache fetch the line at `at`, which will be read soon. Nothing waits for it, and nothing
/// happens if there is no memory. Any context.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T) {
    // SAFETY: A hint may be about any address.
    unsafe { bindings::nfo_prefetch(at.cast()) }
}

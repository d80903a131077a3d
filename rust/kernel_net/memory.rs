// SPDX-License-Identifier: GPL-2.0

//! Hints to the memory of the machine.
//!
//! C header: [`include/linux/prefetch.h`](srctree/include/linux/prefetch.h)

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use crate::bindings;

/// Has the cache fetch the line at `at`, which will be read soon. Nothing waits for it, and nothing
/// happens if there is no memory. Any context.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T) {
    // A call takes several times as long.
    #[cfg(target_arch = "x86_64")]
    // SAFETY: A hint may be about any address.
    unsafe {
        core::arch::asm!("prefetcht0 [{}]", in(reg) at,
            options(nostack, readonly, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: As above.
    unsafe {
        core::arch::asm!("prfm pldl1keep, [{}]", in(reg) at,
            options(nostack, readonly, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    // SAFETY: As above.
    unsafe {
        bindings::nfo_prefetch(at.cast());
    }
}

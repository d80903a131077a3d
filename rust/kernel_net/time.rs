// SPDX-License-Identifier: GPL-2.0

//! The kernel's clock tick, as conntrack and flowtables use it: 32 bits, wrapping.
//!
//! C header: [`include/linux/jiffies.h`](srctree/include/linux/jiffies.h)

use crate::bindings;

/// Ticks per second.
pub(crate) const HZ: u32 = bindings::NFO_HZ as u32;

/// One day in ticks: what conntrack gives an offloaded entry (C: `NF_CT_DAY`).
pub(crate) const DAY: u32 = bindings::NFO_NF_CT_DAY as u32;

/// Seconds since about the boot. Wraps after more than a century: it is taken from the 64-bit clock,
/// since the one of 32 bits wraps five minutes after every boot.
pub(crate) fn seconds() -> u32 {
    // SAFETY: Reads a clock.
    unsafe { bindings::nfo_seconds() }
}

/// Now, in ticks. Wraps; compare by signed difference only.
#[inline(always)]
pub(crate) fn jiffies() -> u32 {
    // SAFETY: `jiffies` is always mapped; it is written by the timekeeping code, which is what a
    // volatile read is for.
    let now = unsafe { core::ptr::read_volatile(&raw const bindings::jiffies) };
    // CAST: Truncation is meant: the clock is the low half, as C's `nfct_time_stamp`.
    now as u32
}

// SPDX-License-Identifier: GPL-2.0

//! The kernel's clock tick, as conntrack and flowtables use it: 32 bits, wrapping.
//!
//! Conntrack keeps deadlines as the low half of `jiffies`, and so does everything here: a word of
//! 32 bits can be read and written at once on every architecture. The price is that times are only
//! known modulo 2^32 ticks, which are 49 days at 1000 ticks a second. So a time is never compared
//! by size: `a` is after `b` if `a.wrapping_sub(b) as i32 > 0`, which holds while the two are less
//! than half the range apart. The longest timeouts there are by default, those of conntrack, are
//! five days.
//!
//! Context: any; these are plain loads.
//!
//! C header: [`include/linux/jiffies.h`](srctree/include/linux/jiffies.h)

use crate::bindings;

/// Ticks per second, as the kernel was configured.
pub(crate) const HZ: u32 = bindings::NFO_HZ as u32;

/// One day in ticks: what conntrack gives an offloaded entry (C: `NF_CT_DAY`).
pub(crate) const DAY: u32 = bindings::NFO_NF_CT_DAY as u32;

/// Now, in seconds from an arbitrary origin that stays the same until the next boot.
///
/// Wraps after more than a century, which is to say never: it is taken from the 64-bit clock, since
/// the one of 32 bits starts so that it wraps five minutes after every boot. Any context.
pub(crate) fn seconds() -> u32 {
    // SAFETY: Reads a clock that is always there; where it takes two loads, C retries until they
    // fit.
    unsafe { bindings::nfo_seconds() }
}

/// Now, in ticks (C: `nfct_time_stamp`).
///
/// Wraps; compare by signed difference only. A tick is too coarse to order events, and two calls
/// may give the same. Any context.
#[inline(always)]
pub(crate) fn jiffies() -> u32 {
    // SAFETY: `jiffies` is always mapped; it is written by the timekeeping code, which is what a
    // volatile read is for.
    let now = unsafe { core::ptr::read_volatile(&raw const bindings::jiffies) };
    // CAST: Truncation is meant: the clock is the low half, as C's `nfct_time_stamp`.
    now as u32
}

/// Lets others run for about a millisecond: for loops that wait for somebody. Process context.
pub(crate) fn sleep_a_tick() {
    // SAFETY: By the documentation the caller may sleep.
    unsafe { bindings::nfo_fsleep(1000) };
}

// SPDX-License-Identifier: GPL-2.0

//! Linked lists of C.
//!
//! Context: whatever keeps the list as it is, or, under RCU, its entries.
//!
//! C header: [`include/linux/list.h`](srctree/include/linux/list.h)

use crate::bindings;
use core::ptr;

/// The entries of a list, one after the other (C: `list_for_each_entry`, `list_for_each_entry_rcu`). The
/// entry that was given last may be taken out only after the next one was asked for.
///
/// # Safety
///
/// `head` is that of a list which leads back to it. While the iterator is used nobody changes the list;
/// or RCU is held, and who takes an entry out lets it lead on for a grace period.
pub(super) unsafe fn entries(
    head: *const bindings::list_head,
) -> impl Iterator<Item = *mut bindings::list_head> {
    let next = move |at: *const bindings::list_head| {
        // SAFETY: By the contract this is the head or an entry. One load, as it may be changed meanwhile.
        let next = unsafe { ptr::read_volatile(&raw const (*at).next) };
        (!ptr::eq(next, head)).then_some(next)
    };
    core::iter::successors(next(head), move |at| next(*at))
}

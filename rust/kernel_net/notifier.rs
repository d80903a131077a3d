// SPDX-License-Identifier: GPL-2.0

//! Notifier chains: the one way in which C tells many about events of a kind.
//!
//! What the chains have in common is here: a block that is linked for as long as a registration
//! lives, and the way from the block to who is told. What differs is a [`Chain`], each next to what
//! its events are about.
//!
//! C header: [`include/linux/notifier.h`](srctree/include/linux/notifier.h)

use crate::bindings;
use crate::compat::prelude::*;
use kernel::types::Opaque;

/// A notifier chain, and who listens to it.
///
/// # Safety
///
/// `register` links a block into a chain, unless it fails, and `unregister` takes it out and waits
/// for callbacks that are running.
pub(crate) unsafe trait Chain: Send + Sync {
    /// # Safety
    ///
    /// The block is initialised, and stays in its place until it is unregistered.
    unsafe fn register(block: *mut bindings::notifier_block) -> c_int;

    /// # Safety
    ///
    /// The block is registered.
    unsafe fn unregister(block: *mut bindings::notifier_block);

    /// Translates an event, and tells of it. In the chain's context.
    ///
    /// # Safety
    ///
    /// Only with what the chain gives with this event.
    unsafe fn notify(&self, event: u32, info: *mut c_void);
}

/// A registration with a chain; dropping it ends the events.
///
/// # Invariants
///
/// `block` is registered, and pinned with `who`.
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<C: Chain> {
    /// What the chain links.
    #[pin]
    block: Opaque<bindings::notifier_block>,
    /// Found by the callback from the address of `block`.
    who: C,
}

// SAFETY: The notifier chain is changed under locks of its own, from whatever task; `C` is `Send`.
unsafe impl<C: Chain> Send for Registration<C> {}
// SAFETY: There is nothing to be done with a shared registration; `C`, which callbacks share, is
// `Sync`.
unsafe impl<C: Chain> Sync for Registration<C> {}

impl<C: Chain> Registration<C> {
    /// Registers. Process context.
    pub(super) fn new(who: C) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            who,
            block <- Opaque::try_ffi_init(|slot: *mut bindings::notifier_block| {
                let block = bindings::notifier_block {
                    notifier_call: Some(Self::callback),
                    ..Default::default()
                };
                // SAFETY: The slot is valid for writes and pinned until dropped, which unregisters.
                // `who` is initialised already: fields are, in the order written here.
                unsafe { slot.write(block) };
                // SAFETY: As above.
                kernel::error::to_result(unsafe { C::register(slot) })
            }),
        })
    }

    /// The C callback: from the block to who is told.
    ///
    /// # Safety
    ///
    /// Only for the notifier chain, with the block of a live registration.
    unsafe extern "C" fn callback(
        block: *mut bindings::notifier_block,
        event: c_ulong,
        info: *mut c_void,
    ) -> c_int {
        let block: *mut Opaque<bindings::notifier_block> = block.cast();
        let this = crate::compat::container_of!(block, Self, block);
        // CAST: Event numbers are small.
        // SAFETY: By the contract.
        unsafe { (*this).who.notify(event as u32, info) };
        0
    }
}

#[pinned_drop]
impl<C: Chain> PinnedDrop for Registration<C> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type invariant.
        unsafe { C::unregister(self.block.get()) };
    }
}

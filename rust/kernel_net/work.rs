// SPDX-License-Identifier: GPL-2.0

//! Deferred work that belongs to one object and ends with it.
//!
//! The kernel crate's `DelayedWork` needs an `Arc` and cannot be cancelled; what this module needs
//! is the C idiom: a work item embedded in an object, cancelled before the object goes.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::bindings;
use core::ops::Deref;
use kernel::prelude::*;
use kernel::types::Opaque;

/// Lets others run, in the middle of long work. Process context.
pub(crate) fn cond_resched() {
    // SAFETY: The callers are in process context and hold no lock.
    unsafe { bindings::nfo_cond_resched() }
}

/// What a [`Worker`] does each time it runs.
pub(crate) trait Job: Send + Sync {
    /// Runs once, in process context; may sleep. Returns the delay in ticks after which to run
    /// again, or [`None`] to rest until [`Worker::kick`].
    fn run(&self) -> Option<u32>;
}

/// An object with a delayed work item of its own.
///
/// Dropping it waits for a running job, makes sure that none will run again, then drops the object.
#[pin_data(PinnedDrop)]
pub(crate) struct Worker<T: Job> {
    #[pin]
    work: Opaque<bindings::delayed_work>,
    #[pin]
    object: T,
}

impl<T: Job> Worker<T> {
    /// An object with its work item; nothing runs before [`Self::kick`].
    pub(crate) fn new(object: impl PinInit<T, Error>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // SAFETY: The slot is valid for writes, and pinned, as work items must be.
            work <- Opaque::ffi_init(|slot| unsafe {
                bindings::nfo_init_delayed_work(slot, Some(Self::trampoline))
            }),
            object <- object,
        }? Error)
    }

    /// Makes the job run in `delay` ticks, unless it is due already. Any context.
    pub(crate) fn kick(&self, delay: u32) {
        // SAFETY: Initialised in `new`, and cancelled before it is freed.
        unsafe { bindings::nfo_queue_delayed_work(self.work.get(), delay as usize) };
    }

    /// Makes the job run as soon as may be. Any context.
    pub(crate) fn kick_now(&self) {
        // SAFETY: As in `kick`.
        unsafe { bindings::nfo_mod_delayed_work(self.work.get(), 0) };
    }

    /// The C callback.
    ///
    /// # Safety
    ///
    /// Only for the workqueue, with the work item of a live `Worker<T>`.
    unsafe extern "C" fn trampoline(work: *mut bindings::work_struct) {
        // SAFETY: By the contract, the pointer is to the `work` within a `delayed_work`, which is
        // the `work` field of a `Worker<T>`, alive until its drop has waited for us.
        let this = unsafe {
            let delayed = kernel::container_of!(work, bindings::delayed_work, work);
            &*kernel::container_of!(Opaque::cast_from(delayed), Self, work)
        };
        if let Some(delay) = this.object.run() {
            this.kick(delay);
        }
    }
}

impl<T: Job> Deref for Worker<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.object
    }
}

#[pinned_drop]
impl<T: Job> PinnedDrop for Worker<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Initialised in `new`. Cancelling waits for a running job, also for one that
        // queues itself again.
        unsafe { bindings::cancel_delayed_work_sync(self.work.get()) };
    }
}

// SAFETY: The work item may be queued from anywhere, and the object is `Send`.
unsafe impl<T: Job> Send for Worker<T> {}
// SAFETY: As above; the object is `Sync`.
unsafe impl<T: Job> Sync for Worker<T> {}

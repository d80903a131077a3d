// SPDX-License-Identifier: GPL-2.0

//! Deferred work that belongs to one object and ends with it.
//!
//! The kernel crate's `DelayedWork` needs an `Arc` and cannot be cancelled; what this module needs
//! is the C idiom: a work item embedded in an object, cancelled before the object goes. Here the
//! object is a `T`, and [`Worker`] is the `T` with its work item around it, to be used like a `T`:
//!
//! ```text
//!   Worker<T> { work: delayed_work, object: T }
//!                       |               ^
//!                       | runs          | Job::run(&self)
//!                       +---------------+
//! ```
//!
//! The job decides by its return value when to run again, so that a periodic one need not be
//! started anew, and one that has nothing to do costs nothing until somebody calls
//! [`Worker::kick`].
//!
//! Context: jobs run in process context, on the workqueue `system_power_efficient_wq`, which lets
//! the scheduler choose the CPU if the kernel is told to save power. A job never runs twice at the
//! same time, though each run may be on another CPU. Kicking is for any context and takes no lock
//! of this module. Dropping waits, so it is for process context, outside of all locks that the job
//! takes.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::bindings;
use core::ops::Deref;
use kernel::prelude::*;
use kernel::types::Opaque;

/// Lets others run, in the middle of long work (C: `cond_resched`).
///
/// Process context, with no spin lock held and no RCU read side open: that is what long loops close
/// between two batches.
pub(crate) fn cond_resched() {
    // SAFETY: Touches no memory of the caller's; it may only not be called where sleeping is
    // forbidden, and by the documentation callers are in process context and hold no lock.
    unsafe { bindings::nfo_cond_resched() }
}

/// What a [`Worker`] does each time it runs.
///
/// Implementations are shared: while the job runs, everybody else who has a reference to the object
/// may use it.
pub(crate) trait Job: Send + Sync {
    /// Runs once.
    ///
    /// Process context; may sleep and take mutexes, but none that is held while the worker is
    /// dropped: the drop waits for this function. May kick its own worker, and may not panic. Long
    /// work is cut into batches, with [`cond_resched`] in between.
    ///
    /// Returns the delay in ticks after which to run again, or [`None`] to rest until
    /// [`Worker::kick`]. A kick that comes while the job runs is not lost: the job runs again after
    /// this, at the time that the kick asked for, whatever is returned.
    fn run(&self) -> Option<u32>;
}

/// An object with a delayed work item of its own.
///
/// Dereferences to the object. Dropping it waits for a running job, makes sure that none will run
/// again, then drops the object. So the job may use the object without owning a reference to it,
/// and an `Arc<Worker<T>>` is not kept alive by its own work.
///
/// # Invariants
///
/// `work` is initialised with [`Self::trampoline`] and pinned. It is queued only through references
/// to this object, so that nobody can queue it any more once it is being dropped.
#[pin_data(PinnedDrop)]
pub(crate) struct Worker<T: Job> {
    #[pin]
    work: Opaque<bindings::delayed_work>,
    #[pin]
    object: T,
}

impl<T: Job> Worker<T> {
    /// An object with its work item; nothing runs before [`Self::kick`].
    ///
    /// Fails as the initialiser of the object does.
    pub(crate) fn new(object: impl PinInit<T, Error>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // SAFETY: The slot is valid for writes, and pinned, as work items must be: timers and
            // workqueues link them by address. The callback takes the work item of a `Worker<T>`,
            // which this is.
            work <- Opaque::ffi_init(|slot| unsafe {
                bindings::nfo_init_delayed_work(slot, Some(Self::trampoline))
            }),
            object <- object,
        }? Error)
    }

    /// Makes the job run in `delay` ticks, unless a run is due already (C: `queue_delayed_work`).
    ///
    /// A run that is waiting for its time stays where it is, earlier or later: so callers on the
    /// packet path may kick for every packet, and pay for one atomic operation. A job that is
    /// running counts as not due, and runs again after `delay`. Any context.
    pub(crate) fn kick(&self, delay: u32) {
        // SAFETY: Initialised and pinned, by the type invariant, and cancelled before it is freed.
        unsafe { bindings::nfo_queue_delayed_work(self.work.get(), delay as usize) };
    }

    /// Makes the job run as soon as may be, also if it was due later (C: `mod_delayed_work`).
    ///
    /// If the job is running it runs once more afterwards, so that what the caller did before is
    /// seen by a run for certain. Any context; dearer than [`Self::kick`], since it may have to
    /// stop a timer.
    pub(crate) fn kick_now(&self) {
        // SAFETY: As in `kick`.
        unsafe { bindings::nfo_mod_delayed_work(self.work.get(), 0) };
    }

    /// The C callback: finds the object, runs its job, and queues the next run.
    ///
    /// # Safety
    ///
    /// Only for the workqueue, with the work item of a live `Worker<T>`.
    unsafe extern "C" fn trampoline(work: *mut bindings::work_struct) {
        // SAFETY: By the contract, the pointer is to the `work` within a `delayed_work`, which is
        // the `work` field of a `Worker<T>`. That is alive until its drop has waited for us, and
        // only shared references to it are made while it is.
        let this = unsafe {
            let delayed = kernel::container_of!(work, bindings::delayed_work, work);
            &*kernel::container_of!(Opaque::cast_from(delayed), Self, work)
        };
        // If somebody has kicked meanwhile, the job is due already and this changes nothing.
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
        // SAFETY: Initialised and pinned, by the type invariant. Cancelling waits for a running
        // job, also for one that queues itself again, and `&mut self` means that nobody else is
        // left who could queue it.
        unsafe { bindings::cancel_delayed_work_sync(self.work.get()) };
    }
}

// SAFETY: The work item does not belong to a task or CPU: it may be queued and cancelled from
// anywhere. The object is `Send`.
unsafe impl<T: Job> Send for Worker<T> {}
// SAFETY: The C functions on the work item may be called concurrently, they are made for that. The
// object is `Sync`, which is also what lets the job share it.
unsafe impl<T: Job> Sync for Worker<T> {}

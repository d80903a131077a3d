// SPDX-License-Identifier: GPL-2.0

//! Deferred work that belongs to one object and ends with it.
//!
//! The kernel crate's `DelayedWork` needs an `Arc` and cannot be cancelled; what this module needs
//! is the C idiom: a work item embedded in an object, cancelled before the object goes. Here the
//! object is a `T`, and [`Worker`] is the `T` with its work item around it, to be used like a `T`:
//!
//! ```text
//!   Worker<T> { work: [delayed_work; TASKS], object: T }
//!                       |                    ^
//!                       | runs               | Job::run(&self, task)
//!                       +--------------------+
//! ```
//!
//! An object may have several tasks, each with a work item of its own, so that they run side by
//! side and one does not wait for another. The job decides by its return value when to run again,
//! so that a periodic one need not be started anew, and one that has nothing to do costs nothing
//! until somebody calls [`Worker::kick`].
//!
//! Context: jobs run in process context. Task 0 is on the workqueue `system_power_efficient_wq`,
//! which lets the scheduler choose the CPU if the kernel is told to save power, and is for short
//! work; the others may take their time, on `system_dfl_wq`. A task never runs twice at the same
//! time, though each run may be on another CPU. Kicking is for any context and takes no lock of
//! this module. Dropping waits, so it is for process context, outside of all locks that the job
//! takes.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::bindings;
use crate::compat::prelude::*;
use core::ops::Deref;
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
pub(crate) trait Job: Send + Sync + Sized {
    /// Runs a task once.
    ///
    /// Process context; may sleep and take mutexes, but none that is held while the worker is
    /// dropped: the drop waits for this function. May kick its own worker, and may not panic. Long
    /// work is cut into batches, with [`cond_resched`] in between.
    ///
    /// Returns the delay in ticks after which to run again, or [`None`] to rest until
    /// [`Worker::kick`]. A kick that comes while the job runs is not lost: the job runs again after
    /// this, at the time that the kick asked for, whatever is returned.
    fn run(this: &Worker<Self>, task: usize) -> Option<u32>;
}

/// How many tasks an object has.
pub(crate) const TASKS: usize = 4;

/// An object with delayed work items of its own.
///
/// Dereferences to the object. Dropping it waits for running tasks, makes sure that none will run
/// again, then drops the object. So the job may use the object without owning a reference to it,
/// and an `Arc<Worker<T>>` is not kept alive by its own work.
///
/// # Invariants
///
/// Each item of `work` is initialised with [`Self::trampoline`] for its number, and pinned. It is
/// queued only through references to this object, so that nobody can queue it any more once it is
/// being dropped.
#[pin_data(PinnedDrop)]
pub(crate) struct Worker<T: Job> {
    #[pin]
    work: Opaque<[bindings::delayed_work; TASKS]>,
    #[pin]
    object: T,
}

impl<T: Job> Worker<T> {
    /// An object with its work items; nothing runs before [`Self::kick`].
    ///
    /// Fails as the initialiser of the object does.
    pub(crate) fn new(object: impl PinInit<T, Error>) -> impl PinInit<Self, Error> {
        const CALLBACKS: usize = 4;
        const { assert!(TASKS == CALLBACKS) };
        try_pin_init!(Self {
            work <- Opaque::ffi_init(|slot: *mut [bindings::delayed_work; TASKS]| {
                let callbacks: [unsafe extern "C" fn(*mut bindings::work_struct); CALLBACKS] = [
                    Self::trampoline::<0>,
                    Self::trampoline::<1>,
                    Self::trampoline::<2>,
                    Self::trampoline::<3>,
                ];
                for (task, callback) in callbacks.into_iter().enumerate() {
                    let item = slot.cast::<bindings::delayed_work>().wrapping_add(task);
                    // SAFETY: The slot is valid for writes, and pinned, as work items must be:
                    // timers and workqueues link them by address. There are as many items as
                    // callbacks, and each takes the item of its number in a `Worker<T>`.
                    unsafe { bindings::nfo_init_delayed_work(item, Some(callback)) };
                }
            }),
            object <- object,
        }? Error)
    }

    /// The work item of a task; of the last one, for a number that is too large.
    fn item(&self, task: usize) -> *mut bindings::delayed_work {
        let first: *mut bindings::delayed_work = self.work.get().cast();
        first.wrapping_add(task.min(TASKS - 1))
    }

    /// Makes a task run in `delay` ticks, unless a run is due already (C: `queue_delayed_work`).
    ///
    /// A run that is waiting for its time stays where it is, earlier or later: so callers on the
    /// packet path may kick for every packet, and pay for one atomic operation. A task that is
    /// running counts as not due, and runs again after `delay`. Any context.
    pub(crate) fn kick(&self, task: usize, delay: u32) {
        let (queue, item) = (queue_of(task), self.item(task));
        // SAFETY: Initialised and pinned, by the type invariant, and cancelled before it is freed.
        unsafe { bindings::nfo_queue_delayed_work(queue, item, delay as usize) };
    }

    /// Makes a task run as soon as may be, also if it was due later (C: `mod_delayed_work`).
    ///
    /// If it is running it runs once more afterwards, so that what the caller did before is seen by
    /// a run for certain. Any context; dearer than [`Self::kick`], since it may have to stop a
    /// timer.
    pub(crate) fn kick_now(&self, task: usize) {
        // SAFETY: As in `kick`.
        unsafe { bindings::nfo_mod_delayed_work(queue_of(task), self.item(task), 0) };
    }

    /// The C callback: finds the object, runs its job, and queues the next run.
    ///
    /// # Safety
    ///
    /// Only for the workqueue, with the work item of this number of a live `Worker<T>`.
    unsafe extern "C" fn trampoline<const TASK: usize>(work: *mut bindings::work_struct) {
        let delayed = crate::compat::container_of!(work, bindings::delayed_work, work);
        let items: *mut Opaque<[bindings::delayed_work; TASKS]> = delayed.wrapping_sub(TASK).cast();
        let this = crate::compat::container_of!(items, Self, work);
        // SAFETY: By the contract, the pointer is to the `work` within a `delayed_work`, which is
        // the item of this number in the `work` field of a `Worker<T>`. That is alive until its
        // drop has waited for us, and only shared references to it are made while it is.
        let this: &Self = unsafe { &*this };
        // If somebody has kicked meanwhile, the task is due already and this changes nothing.
        if let Some(delay) = T::run(this, TASK) {
            this.kick(TASK, delay);
        }
    }
}

/// The workqueue of a task.
fn queue_of(task: usize) -> *mut bindings::workqueue_struct {
    match task {
        // SAFETY: Set by the kernel before any module is loaded, and never changed.
        0 => unsafe { bindings::system_power_efficient_wq },
        // SAFETY: As above.
        _ => unsafe { bindings::nfo_unbound_wq() },
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
        for task in 0..TASKS {
            // SAFETY: Initialised and pinned, by the type invariant. Cancelling waits for a running
            // task, also for one that queues itself again. `&mut self` means that nobody else is
            // left who could queue it, but for the other tasks; an item that is disabled ignores
            // them.
            unsafe { bindings::disable_delayed_work_sync(self.item(task)) };
        }
    }
}

// SAFETY: The work items do not belong to a task or CPU: they may be queued and cancelled from
// anywhere. The object is `Send`.
unsafe impl<T: Job> Send for Worker<T> {}
// SAFETY: The C functions on the work items may be called concurrently, they are made for that. The
// object is `Sync`, which is also what lets the job share it.
unsafe impl<T: Job> Sync for Worker<T> {}

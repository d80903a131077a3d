// SPDX-License-Identifier: GPL-2.0

//! The table, over the real kernel, and what it needs of `rust/kernel_net/`.

#[path = "../rust/kernel_net/lock.rs"]
pub(crate) mod lock;
#[path = "../rust/kernel_net/memory.rs"]
pub(crate) mod memory;
#[path = "../rust/kernel_net/rcu.rs"]
pub(crate) mod rcu;
#[path = "../rust/kernel_net/rcu_table.rs"]
pub(crate) mod rcu_table;

/// A clock that tests set.
pub(crate) mod time {
    use core::sync::atomic::{
        AtomicU32,
        Ordering::Relaxed, //
    };

    static NOW: AtomicU32 = AtomicU32::new(1000);

    /// The second that it is.
    pub(crate) fn seconds() -> u32 {
        NOW.load(Relaxed)
    }

    /// Lets time pass.
    pub(crate) fn pass(seconds: u32) {
        NOW.fetch_add(seconds, Relaxed);
    }
}

/// The little of it that needs no workers.
pub(crate) mod work {
    use crate::bindings;

    /// Lets others run.
    pub(crate) fn cond_resched() {
        // SAFETY: Tests run in process context, and hold no lock here.
        unsafe { bindings::nfo_cond_resched() }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Messages that are given once (`kernel::pr_warn_once`).

macro_rules! pr_warn_once {
    ($($what:tt)*) => {{
        use ::core::sync::atomic::{AtomicBool, Ordering};
        static GIVEN: AtomicBool = AtomicBool::new(false);
        if !GIVEN.swap(true, Ordering::Relaxed) {
            ::kernel::pr_warn!($($what)*);
        }
    }};
}
pub(crate) use pr_warn_once;

// SPDX-License-Identifier: GPL-2.0

//! What the table takes from `rust/compat.rs`, of a kernel crate that has all of it.

/// What nearly every file uses.
pub(crate) mod prelude {
    pub(crate) use kernel::ffi::c_char;
    pub(crate) use kernel::prelude::*;
}

pub(crate) use kernel::{
    c_str,
    pr_warn_once, //
};

/// Synchronisation.
pub(crate) mod sync {
    pub(crate) use kernel::sync::{
        lock,
        rcu, //
    };
}

/// Types of all kinds.
pub(crate) mod types {
    pub(crate) use kernel::types::NotThreadSafe;
}

/// What a field is in (C: `container_of`).
macro_rules! container_of {
    ($field:expr, $Container:ty, $($path:tt)*) => {{
        let container: *const $Container = ::kernel::container_of!($field, $Container, $($path)*);
        container.cast_mut()
    }};
}
pub(crate) use container_of;

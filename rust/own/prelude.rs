// SPDX-License-Identifier: GPL-2.0

//! What nearly every file uses.

pub use crate::alloc::flags::*;
pub use crate::alloc::{
    AllocError,
    KBox,
    KVec,
    Vec, //
};
pub use crate::error::code::*;
pub use crate::error::{
    Error,
    Result, //
};
pub use crate::init::{
    Init,
    PinInit,
    PinnedDrop, //
};
pub use crate::{
    module,
    pin_init,
    pr_warn,
    try_pin_init,
    ThisModule, //
};
pub use core::pin::Pin;
pub use macros::{
    pin_data,
    pinned_drop, //
};

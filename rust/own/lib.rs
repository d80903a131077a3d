// SPDX-License-Identifier: GPL-2.0

//! A crate in place of the kernel's own, for kernels that have none.
//!
//! It has what this module uses of the `kernel` crate of 7.2, by the same names, and so much of each that the
//! module compiles: sources do not know which of the two they got. What is here stands on C functions that
//! every kernel exports, and on shims over static inlines (`helpers/own.c`).
//!
//! Sources are also compiled against the kernel's own crate, which asks for more: that fields are pinned
//! which are initialised in place, for one. So that is not asked for here again.

#![no_std]

#[doc(hidden)]
pub use bindings;

pub mod alloc;
pub mod error;
pub mod init;
mod module;
pub mod prelude;
pub mod print;
pub mod sync;
pub mod types;

pub use module::{
    InPlaceModule,
    ThisModule, //
};

/// Types of C, as the kernel has them: `char` has no sign, and `long` is as wide as a pointer.
pub mod ffi {
    pub use bindings::ffi::*;
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    pr_emerg!("{}\n", info);
    // SAFETY: It may be called anywhere, and does not come back.
    unsafe { bindings::nfo_bug() }
}

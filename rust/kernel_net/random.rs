// SPDX-License-Identifier: GPL-2.0

//! Random numbers.
//!
//! C header: [`include/linux/random.h`](srctree/include/linux/random.h)

use crate::bindings;

/// A secret word from the kernel's generator. Any context.
pub(crate) fn secret() -> u64 {
    let mut word = 0u64;
    // SAFETY: Writes eight bytes to a local variable of eight bytes.
    unsafe { bindings::get_random_bytes((&raw mut word).cast(), 8) };
    word
}

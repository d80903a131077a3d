// SPDX-License-Identifier: GPL-2.0

//! Random numbers.
//!
//! For the secrets of hash functions: whoever sends packets may know the source of this module, but
//! must not be able to choose keys that collide.
//!
//! C header: [`include/linux/random.h`](srctree/include/linux/random.h)

use crate::bindings;

/// A secret word from the kernel's generator (C: `get_random_bytes`).
///
/// Any context. Never waits: before the generator is seeded, very early in the boot, the words are
/// less secret than they should be.
pub(crate) fn secret() -> u64 {
    let mut word = 0u64;
    // SAFETY: Writes eight bytes to a local variable of eight bytes.
    unsafe { bindings::get_random_bytes((&raw mut word).cast(), 8) };
    word
}

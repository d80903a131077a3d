// SPDX-License-Identifier: GPL-2.0

//! Parameters of the module that may be changed while it is loaded.
//!
//! Rust's own parameters of modules are set when it is loaded, and cannot be seen afterwards. These are
//! C's, in `/sys/module/nft_offload_rs/parameters/`: whoever reads one gets what was written last.
//!
//! C header: [`include/linux/moduleparam.h`](srctree/include/linux/moduleparam.h)

use crate::bindings;

/// Whether new flowtables hand packets to devices without a queue directly.
pub(crate) fn direct_transmit() -> bool {
    // SAFETY: A plain byte that is always there; it is 0 or 1, whatever is written to the file.
    unsafe { (&raw const bindings::nfo_direct_transmit).read_volatile() }
}

/// How many flows new flowtables have when they forward packets by the batch; 0 if they never do.
pub(crate) fn batch() -> u32 {
    // SAFETY: A word that is always there.
    unsafe { (&raw const bindings::nfo_batch).read_volatile() }
}

// SPDX-License-Identifier: GPL-2.0

//! Parameters of the module.
//!
//! They are C's. Two may be changed while the module is loaded, in
//! `/sys/module/nft_offload_rs/parameters/`: whoever reads one gets what was written last.
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

/// Packets of a flow before it is offered to hardware: as it was when the module was loaded.
pub(crate) fn hardware_after() -> u32 {
    // SAFETY: A word that is always there, and that is set before any code of the module runs.
    unsafe { bindings::nfo_hardware_after }
}

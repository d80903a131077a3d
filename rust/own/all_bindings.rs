// SPDX-License-Identifier: GPL-2.0

//! The bindings, in place of those beside the kernel crate's: for `kernel_net` only.

pub(crate) use kernel::bindings::*;

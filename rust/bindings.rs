// SPDX-License-Identifier: GPL-2.0

//! Generated bindings, for `kernel_net` only.
//!
//! Types that the kernel crate has bindings for are the kernel crate's, so that a `net_device` is
//! one type on both sides. Nothing outside [`crate::kernel_net`] may use this module; the layer
//! check enforces that.

#![allow(
    clippy::all,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    improper_ctypes,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    unused_imports
)]

use crate::compat::derived::*;
use kernel::ffi;

pub(crate) use kernel::bindings::*;

type __kernel_size_t = usize;

/// Declares types that are only ever seen behind a pointer.
macro_rules! opaque {
    ($($name:ident),* $(,)?) => { $(#[repr(C)] pub struct $name { _unused: [u8; 0] })* };
}
opaque! {
    flow_offload, ip_tunnel_info, neigh_ops, neigh_parms, neigh_table, netlink_range_validation,
    netlink_range_validation_signed, nf_exp_event, nf_flow_rule, nft_chain, nft_flow_rule,
    nft_offload_ctx, nft_table, ref_tracker,
}

include!(env!("NFT_OFFLOAD_BINDINGS"));

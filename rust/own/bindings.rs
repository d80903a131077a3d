// SPDX-License-Identifier: GPL-2.0

//! The bindings as a crate, which both the crate in place of the kernel's and the module stand on.

#![no_std]
#![allow(unknown_lints)]
#![allow(
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unnecessary_transmutes,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]

/// Types of C.
pub mod ffi {
    pub use core::ffi::{
        c_int,
        c_longlong,
        c_schar,
        c_short,
        c_uchar,
        c_uint,
        c_ulonglong,
        c_ushort,
        c_void, //
    };

    /// The kernel is compiled with `-funsigned-char`.
    pub type c_char = u8;
    /// As wide as a pointer, in all kernels.
    pub type c_long = isize;
    /// As above.
    pub type c_ulong = usize;
}

type __kernel_size_t = usize;
type __kernel_ssize_t = isize;
type __kernel_ptrdiff_t = isize;

include!(env!("NFT_OFFLOAD_BINDINGS"));

// SPDX-License-Identifier: GPL-2.0

//! What the kernel crate of 7.2 has, also where an earlier one has it elsewhere or not at all.
//!
//! The rest of the module takes these names from here, and knows of one kernel only. Each part that
//! a kernel crate may lack is here by itself, under a `cfg` of its own: the Kbuild file looks
//! whether it is among the sources of that kernel. A part goes when no kernel lacks it any more.

#[cfg(nft_offload_own_lock)]
pub(crate) mod lock;
#[cfg(nft_offload_own_module)]
pub(crate) mod module;
#[cfg(nft_offload_own_once)]
pub(crate) mod once;
#[cfg(nft_offload_own_opaque)]
pub(crate) mod opaque;
#[cfg(nft_offload_own_rcu)]
pub(crate) mod rcu;
#[cfg(nft_offload_own_refcount)]
pub(crate) mod refcount;
#[cfg(nft_offload_own_seq_file)]
pub(crate) mod seq_file;
#[cfg(nft_offload_own_str)]
pub(crate) mod str;
#[cfg(nft_offload_own_vec)]
pub(crate) mod vec;

/// What nearly every file uses.
pub(crate) mod prelude {
    pub(crate) use core::ffi::CStr;
    #[allow(
        unused_imports,
        reason = "not all of them are used where the crate has them, too"
    )]
    pub(crate) use kernel::ffi::{
        c_char,
        c_int,
        c_short,
        c_uint,
        c_ulong,
        c_void, //
    };
    pub(crate) use kernel::prelude::*;

    #[cfg(nft_offload_own_module)]
    pub(crate) use super::module::module;
    #[cfg(nft_offload_own_opaque)]
    pub(crate) use super::opaque::OpaqueExt as _;
    #[cfg(nft_offload_own_str)]
    pub(crate) use super::str::CStrExt as _;
    #[cfg(nft_offload_own_vec)]
    pub(crate) use super::vec::VecExt as _;
}

#[cfg(not(nft_offload_own_module))]
pub(crate) use kernel::InPlaceModule;
/// Modules that are pinned in memory.
#[cfg(nft_offload_own_module)]
pub(crate) use module::InPlaceModule;

/// Sequential files.
#[cfg(not(nft_offload_own_seq_file))]
pub(crate) use kernel::{
    fmt,
    seq_file,
    seq_print, //
};
#[cfg(nft_offload_own_seq_file)]
pub(crate) use {
    core::fmt,
    seq_file::seq_print, //
};

/// Strings of C, as locks have them for names: those of the language, or the crate's own.
#[cfg(not(nft_offload_own_lock))]
pub(crate) use kernel::c_str;
#[cfg(nft_offload_own_lock)]
pub(crate) use lock::c_str;

#[cfg(not(nft_offload_own_once))]
pub(crate) use kernel::pr_warn_once;
#[cfg(nft_offload_own_once)]
pub(crate) use once::pr_warn_once;

/// Initialising in place.
#[cfg(nft_offload_own_pin_init)]
pub(crate) use kernel::init::{
    pin_init_array_from_fn,
    pin_init_from_closure, //
};
#[cfg(not(nft_offload_own_pin_init))]
pub(crate) use pin_init::{
    pin_init_array_from_fn,
    pin_init_from_closure, //
};

/// What generated bindings derive, by the kernel's own list of arguments to bindgen.
pub(crate) mod derived {
    #[cfg(not(nft_offload_own_pin_init))]
    pub(crate) use pin_init::MaybeZeroable;
}

/// Synchronisation.
pub(crate) mod sync {
    pub(crate) use kernel::sync::Arc;

    #[cfg(nft_offload_own_lock)]
    pub(crate) use super::lock::{
        self,
        new_mutex,
        Mutex, //
    };
    #[cfg(not(nft_offload_own_lock))]
    pub(crate) use kernel::sync::{
        lock,
        new_mutex,
        Mutex, //
    };

    #[cfg(nft_offload_own_rcu)]
    pub(crate) use super::rcu;
    #[cfg(not(nft_offload_own_rcu))]
    pub(crate) use kernel::sync::rcu;

    #[cfg(nft_offload_own_refcount)]
    pub(crate) use super::refcount::Refcount;
    #[cfg(not(nft_offload_own_refcount))]
    pub(crate) use kernel::sync::Refcount;

    /// What a counter of references is read by.
    pub(crate) mod atomic {
        #[cfg(nft_offload_own_refcount)]
        pub(crate) use core::sync::atomic::Ordering::Acquire;
        #[cfg(not(nft_offload_own_refcount))]
        pub(crate) use kernel::sync::atomic::Acquire;
    }

    /// Objects that C counts references to.
    pub(crate) mod aref {
        #[cfg(not(nft_offload_own_aref))]
        pub(crate) use kernel::sync::aref::{
            ARef,
            AlwaysRefCounted, //
        };
        #[cfg(nft_offload_own_aref)]
        pub(crate) use kernel::types::{
            ARef,
            AlwaysRefCounted, //
        };
    }
}

/// Types of all kinds.
pub(crate) mod types {
    #[cfg(not(nft_offload_own_rcu))]
    pub(crate) use kernel::types::NotThreadSafe;

    #[cfg(nft_offload_own_rcu)]
    pub(crate) use super::rcu::NotThreadSafe;
}

/// What a field is in (C: `container_of`), by a pointer that may write. Where there is no such container
/// it leads nowhere, so that only following it is unsafe.
macro_rules! container_of {
    ($field:expr, $Container:ty, $($path:tt)*) => {{
        let field: *mut _ = $field;
        let container: *mut $Container = field
            .wrapping_byte_sub(::core::mem::offset_of!($Container, $($path)*))
            .cast();
        let _ = |container: &$Container| {
            // Never called: it says that the field is of that type.
            [field.cast_const(), &raw const container.$($path)*]
        };
        container
    }};
}
pub(crate) use container_of;

/// A member of one of C's unions: bindgen makes one of Rust's where nothing in there has to be dropped, which
/// it does not know of types that are bound elsewhere. Unsafe: that it is this member.
#[cfg(nft_offload_own_crate)]
macro_rules! member {
    ($member:expr) => {
        &$member
    };
}
#[cfg(not(nft_offload_own_crate))]
macro_rules! member {
    ($member:expr) => {
        $member.as_ref()
    };
}
pub(crate) use member;

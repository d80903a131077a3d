// SPDX-License-Identifier: GPL-2.0

//! Abstractions of kernel networking that the `kernel` crate does not have yet.
//!
//! A staging area: each file mirrors one C subsystem under the name it would have in
//! `rust/kernel/`, so that it can move there by itself. All `unsafe` code and every use of the raw
//! bindings of this module is below this point; what is built on top of it is safe Rust.

pub(crate) mod conntrack;
pub(crate) mod device;
pub(crate) mod dst;
pub(crate) mod flowtable;
pub(crate) mod forward_path;
pub(crate) mod lock;
pub(crate) mod module;
pub(crate) mod namespace;
pub(crate) mod neighbour;
pub(crate) mod netfilter;
pub(crate) mod nft;
pub(crate) mod percpu;
pub(crate) mod random;
pub(crate) mod rcu;
pub(crate) mod rcu_table;
pub(crate) mod skb;
pub(crate) mod time;
pub(crate) mod work;

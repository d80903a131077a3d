// SPDX-License-Identifier: GPL-2.0

//! Abstractions of kernel networking that the `kernel` crate does not have yet.
//!
//! A staging area: each file mirrors one C subsystem under the name it would have in
//! `rust/kernel/`, so that it can move there by itself. All `unsafe` code and every use of the raw
//! bindings of this module is below this point; what is built on top of it is safe Rust, and
//! `make check` keeps it so.
//!
//! # How things are named
//!
//! A type has the name of the C structure without its prefix (`struct net_device` is
//! [`device::Device`]), and a function says in its documentation which C function it stands for, in
//! the form (C: `name`). Shims over static inlines and macros have the prefix `nfo_` and live in
//! `rust/helpers/`. They have no logic; what decides something is here.
//!
//! # Context
//!
//! Each function says where it may be called. The words mean, from the most to the least demanding:
//!
//! - *Process context*: may sleep; no spin lock is held and no RCU read side is open.
//! - *Softirq*: bottom halves are disabled, in softirq itself or in a task that disabled them.
//!   Nothing sleeps, and memory is allocated with `GFP_ATOMIC`.
//! - *Under RCU*: within a read-side critical section, which is always shown by a [`rcu::ReadSide`]
//!   among the arguments.
//! - *Any context*: all of these, and hard interrupts.
//!
//! Where nothing is said a function only reads, and any context will do.
//!
//! # What is read without a lock
//!
//! A packet may look at what others change at any time: the status of a connection, the state of a
//! neighbour, the flags of a device. Such fields are read once, with a single load, and the answer
//! may be outdated the next moment. Callers are written so that this costs a packet on the classic
//! path at worst. Where two answers have to fit together, the function that gives them says so.
//!
//! # Units
//!
//! Times are in ticks of 32 bits that wrap, see [`time`]. Lengths are in bytes. Numbers are in host
//! order, unless they are arrays of bytes: those are as on the wire.
//!
//! # Atomics
//!
//! The atomics are those of `core`. The ones of the `kernel` crate follow the kernel's memory model
//! and are the better choice elsewhere, but on kernels that were built with gcc each of their
//! operations is a call into C, and a packet makes a dozen of them. The orderings that are used
//! here, relaxed, acquire and release, mean the same in both models for plain message passing,
//! which is all that is done with them.

pub(crate) mod bridge;
pub(crate) mod conntrack;
pub(crate) mod device;
pub(crate) mod dst;
pub(crate) mod flow_block;
pub(crate) mod flow_rule;
pub(crate) mod flowtable;
pub(crate) mod forward_path;
pub(crate) mod lazy;
mod list;
pub(crate) mod lock;
pub(crate) mod memory;
pub(crate) mod module;
pub(crate) mod namespace;
pub(crate) mod neighbour;
pub(crate) mod netfilter;
pub(crate) mod nft;
pub(crate) mod notifier;
pub(crate) mod percpu;
pub(crate) mod random;
pub(crate) mod rcu;
pub(crate) mod rcu_arc;
pub(crate) mod rcu_table;
pub(crate) mod registry;
pub(crate) mod skb;
pub(crate) mod switches;
pub(crate) mod time;
pub(crate) mod trace;
pub(crate) mod work;

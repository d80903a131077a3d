// SPDX-License-Identifier: GPL-2.0

//! The pure files of `rust/flow/`.

#[path = "../rust/flow/encap.rs"]
pub(crate) mod encap;
#[path = "../rust/flow/key.rs"]
pub(crate) mod key;
#[path = "../rust/flow/nat.rs"]
pub(crate) mod nat;
#[path = "../rust/flow/state.rs"]
pub(crate) mod state;
#[path = "../rust/flow/tcp.rs"]
pub(crate) mod tcp;
#[path = "../rust/flow/timeout.rs"]
pub(crate) mod timeout;
#[path = "../rust/flow/tunnel.rs"]
pub(crate) mod tunnel;

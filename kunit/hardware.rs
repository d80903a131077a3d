// SPDX-License-Identifier: GPL-2.0

//! The pure files of `rust/hardware/`.

#[path = "../rust/hardware/backoff.rs"]
pub(crate) mod backoff;
#[path = "../rust/hardware/queue.rs"]
pub(crate) mod queue;
#[path = "../rust/hardware/state.rs"]
pub(crate) mod state;

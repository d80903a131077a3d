// SPDX-License-Identifier: GPL-2.0

//! The pure files of `rust/table/`.

#[path = "../rust/table/wheel.rs"]
pub(crate) mod wheel;

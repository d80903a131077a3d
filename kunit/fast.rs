// SPDX-License-Identifier: GPL-2.0

//! The pure files of `rust/fast/`.

#[path = "../rust/fast/parse.rs"]
pub(crate) mod parse;

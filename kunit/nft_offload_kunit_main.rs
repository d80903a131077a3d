// SPDX-License-Identifier: GPL-2.0

//! KUnit suites over the pure parts of nft_offload_rs, and its table: the same files, without the rest.

#![allow(dead_code, unreachable_pub)]

mod bindings;
mod compat;
mod fast;
mod flow;
mod hardware;
mod kernel_net;
mod oracle;
mod random;
#[path = "../rust/reason.rs"]
mod reason;
mod suites;
mod table;

use kernel::prelude::*;

module! {
    type: Suites,
    name: "nft_offload_kunit",
    authors: ["The nft_offload_rs authors"],
    description: "KUnit suites of nft_offload_rs",
    license: "GPL",
}

struct Suites;

impl kernel::Module for Suites {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Suites)
    }
}

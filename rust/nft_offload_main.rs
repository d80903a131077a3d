// SPDX-License-Identifier: GPL-2.0

//! stub

mod bindings;
use kernel::prelude::*;
module! {
    type: M,
    name: "nft_offload_rs",
    authors: ["x"],
    description: "x",
    license: "GPL",
}
struct M;
impl kernel::Module for M {
    fn init(_m: &'static ThisModule) -> Result<Self> { Ok(M) }
}

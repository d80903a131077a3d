// SPDX-License-Identifier: GPL-2.0

//! The pure files of the table.

pub(crate) use crate::kernel_net::rcu_table::{
    buckets,
    due, //
};
#[path = "../rust/table/turn.rs"]
pub(crate) mod turn;

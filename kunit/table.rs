// SPDX-License-Identifier: GPL-2.0

//! The pure files of the table.

#[path = "../rust/kernel_net/rcu_table/due.rs"]
pub(crate) mod due;
#[path = "../rust/table/turn.rs"]
pub(crate) mod turn;

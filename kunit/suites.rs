// SPDX-License-Identifier: GPL-2.0

//! One suite for each file, or kind of question.

mod churn;
mod crafted;
mod due;
mod encap;
mod hardware;
mod key;
mod nat;
mod parse;
mod state;
mod sums;
mod table;
mod tcp;
mod timeout;
mod tunnel;
mod turn;

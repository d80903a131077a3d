// SPDX-License-Identifier: GPL-2.0

//! What the compiler calls where a machine has no instruction: nothing is here. Kernels have what C calls so,
//! and what only Rust would is in `helpers/own.c`, or missing when the module is linked.

#![feature(compiler_builtins)]
#![compiler_builtins]
#![allow(internal_features)]
#![no_builtins]
#![no_std]

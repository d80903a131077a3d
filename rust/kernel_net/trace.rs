// SPDX-License-Identifier: GPL-2.0

//! Tracepoints: what happens to the flow of a connection, and why.
//!
//! Each costs a call and a branch when nobody listens; none is on the way of a packet. Any context.
//!
//! C header: `rust/helpers/trace.h`, group `nft_offload_rs`

use crate::bindings;
use crate::compat::prelude::*;
use crate::kernel_net::conntrack::Conn;

/// The connection has a flow.
pub(crate) fn flow_added(conn: &Conn) {
    // SAFETY: The entry is valid, and so is the string; both are copied.
    unsafe { bindings::nfo_trace_flow_added(conn.as_raw(), c"".as_char_ptr()) }
}

/// The connection gets no flow.
pub(crate) fn flow_refused(conn: &Conn, why: &'static CStr) {
    // SAFETY: As above.
    unsafe { bindings::nfo_trace_flow_refused(conn.as_raw(), why.as_char_ptr()) }
}

/// The connection's flow goes on by another path.
pub(crate) fn flow_rerouted(conn: &Conn) {
    // SAFETY: As above.
    unsafe { bindings::nfo_trace_flow_rerouted(conn.as_raw(), c"".as_char_ptr()) }
}

/// The connection has its flow no more.
pub(crate) fn flow_ended(conn: &Conn, why: &'static CStr) {
    // SAFETY: As above.
    unsafe { bindings::nfo_trace_flow_ended(conn.as_raw(), why.as_char_ptr()) }
}

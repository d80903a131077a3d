// SPDX-License-Identifier: GPL-2.0

//! Deadlines on a 32-bit clock that wraps. Pure: no kernel types.

/// Ticks until `deadline`; zero or less when it has passed.
///
/// Right as long as the two are less than half the clock's range apart.
#[inline(always)]
pub(crate) fn remaining(deadline: u32, now: u32) -> i32 {
    // CAST: Reinterpreted as signed: that is the difference.
    deadline.wrapping_sub(now) as i32
}

/// The later of two deadlines.
#[inline(always)]
pub(crate) fn later(a: u32, b: u32) -> u32 {
    if remaining(a, b) > 0 {
        a
    } else {
        b
    }
}

/// Whether a deadline is worth moving to `new`: more than a second (`hz` ticks) makes the
/// difference, so that packets do not write to a flow's memory more often than that.
#[inline(always)]
pub(crate) fn worth_moving(old: u32, new: u32, hz: u32) -> bool {
    new.wrapping_sub(old) > hz
}

/// What conntrack's timeout becomes when a flow is handed back to it.
///
/// `usual` is what conntrack gives an entry in this state with each packet. The flow was allowed to be
/// idle for `offloaded`, of which it has `remaining` left: for the rest it was idle, and that counts.
pub(crate) fn handed_back(usual: u32, remaining: i32, offloaded: u32) -> u32 {
    // CAST: Not negative.
    let idle = offloaded.saturating_sub(remaining.max(0) as u32);
    usual.saturating_sub(idle)
}

/// How long a GRE flow may be idle: there is no setting for it.
pub(crate) const GRE_SECONDS: u32 = 30;

/// Below this, a connection's deadline is moved on while its flow lives: five minutes.
pub(crate) const EXTEND_BELOW_SECONDS: u32 = 5 * 60;

/// Whether conntrack's own deadline needs to be moved on: neither passed, nor far away.
pub(crate) fn wants_extension(deadline: u32, now: u32, hz: u32) -> bool {
    let left = remaining(deadline, now);
    // CAST: Five minutes fit at any tick rate.
    left > 0 && left < (EXTEND_BELOW_SECONDS * hz) as i32
}

// SPDX-License-Identifier: GPL-2.0

//! Ports of bridges that do not forward just now, of one namespace. What comes in by them is dropped, so
//! that no flow may lead there.

use crate::compat::prelude::*;
use crate::kernel_net::lock::SpinLockBh;
use crate::new_spinlock_bh;

/// The indices of the devices: a few at most, and none as a rule.
#[pin_data]
pub(crate) struct Blocked {
    #[pin]
    ports: SpinLockBh<KVec<u32>>,
}

impl Blocked {
    /// None.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            ports <- new_spinlock_bh!(KVec::new(), "nft_offload_rs_blocked"),
        })
    }

    /// Notes whether a port is one of them. Process context. One that there is no memory for is not noted:
    /// its flows end all the same, and new ones are made.
    pub(crate) fn set(&self, ifindex: u32, blocks: bool) {
        let mut ports = self.ports.lock();
        ports.retain(|&mut port| port != ifindex);
        if blocks {
            let _ = ports.push(ifindex, GFP_ATOMIC);
        }
    }

    /// Whether one of these devices is one of them. Softirq.
    pub(crate) fn has_any(&self, devices: &[u32]) -> bool {
        self.ports.lock().iter().any(|port| devices.contains(port))
    }
}

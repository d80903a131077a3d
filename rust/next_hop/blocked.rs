// SPDX-License-Identifier: GPL-2.0

//! Ports of bridges that do not forward just now, of one namespace. What comes in by them is dropped, so
//! that no flow may lead there.

use crate::compat::prelude::*;
use crate::kernel_net::lock::SpinLockBh;
use crate::new_spinlock_bh;

/// Ports, by the indices of their devices, each with the instance of spanning tree in which it does not
/// forward: a few at most, and none as a rule.
///
/// Which VLANs are of an instance is not known: a port that blocks in one has no flow in any.
#[pin_data]
pub(crate) struct Blocked {
    #[pin]
    ports: SpinLockBh<KVec<(u32, u16)>>,
}

impl Blocked {
    /// None.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            ports <- new_spinlock_bh!(KVec::new(), "nft_offload_rs_blocked"),
        })
    }

    /// Notes whether a port blocks in an instance. Process context. One that there is no memory for is not noted:
    /// its flows end all the same, and new ones are made.
    pub(crate) fn set(&self, ifindex: u32, instance: u16, blocks: bool) {
        let mut ports = self.ports.lock();
        ports.retain(|&mut port| port != (ifindex, instance));
        if blocks {
            let _ = ports.push((ifindex, instance), GFP_ATOMIC);
        }
    }

    /// Forgets a port. Process context.
    pub(crate) fn forget(&self, ifindex: u32) {
        self.ports.lock().retain(|&mut (port, _)| port != ifindex);
    }

    /// Whether one of these devices is one of them. Softirq.
    pub(crate) fn has_any(&self, devices: &[u32]) -> bool {
        let ports = self.ports.lock();
        ports.iter().any(|(port, _)| devices.contains(port))
    }
}

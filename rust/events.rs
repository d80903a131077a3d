// SPDX-License-Identifier: GPL-2.0

//! What happens around the flows, and which of them it concerns.

use crate::kernel_net::device::{
    Device,
    Event,
    Notified, //
};
use crate::kernel_net::namespace::Subsystem;
use crate::reason::Teardown;
use crate::stats::NamespaceState;
use crate::table::FlowTable;

/// Listens to devices.
pub(crate) struct Devices;

impl Notified for Devices {
    fn event(&self, device: &Device, event: Event) {
        let why = match event {
            Event::Down | Event::Unregister => Teardown::DeviceDown,
            Event::ChangeMtu | Event::ChangeAddress => Teardown::DeviceChanged,
        };
        if let Some(state) = Subsystem::<NamespaceState>::of(device.namespace()) {
            state.for_each_table(|table| FlowTable::device_event(table, device, why));
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! What happens around the flows, and which of them it concerns.

use crate::kernel_net::bridge;
use crate::kernel_net::device::{
    Device,
    Event,
    Notified, //
};
use crate::kernel_net::namespace::Subsystem;
use crate::kernel_net::neighbour::Mac;
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

/// Listens to bridges.
pub(crate) struct Stations;

impl bridge::Notified for Stations {
    fn station_event(&self, port: &Device, station: Mac) {
        if let Some(state) = Subsystem::<NamespaceState>::of(port.namespace()) {
            state.for_each_table_atomic(|table| {
                table
                    .next_hops
                    .outdate(|hop| hop.bridged_station() == Some(station));
            });
        }
    }
}

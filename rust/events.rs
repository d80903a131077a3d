// SPDX-License-Identifier: GPL-2.0

//! What happens around the flows, and which of them it concerns.

use crate::compat::sync::rcu;
use crate::compat::sync::Arc;
use crate::kernel_net::bridge;
use crate::kernel_net::device::{
    Device,
    Event,
    Notified, //
};
use crate::kernel_net::namespace::Subsystem;
use crate::kernel_net::neighbour::Mac;
use crate::kernel_net::rcu::ReadSide;
use crate::reason::Teardown;
use crate::stats::NamespaceState;
use crate::table::FlowTable;

/// Listens to devices.
pub(crate) struct Devices;

impl Notified for Devices {
    fn event(&self, device: &Device, event: Event) {
        let Some(state) = state_of(device) else {
            return;
        };
        let why = match event {
            Event::Down | Event::Unregister => Teardown::DeviceDown,
            Event::ChangeMtu | Event::ChangeAddress | Event::ChangeMaster => {
                Teardown::DeviceChanged
            }
        };
        // A port that leaves its bridge has blocked last; one that joins is told of afterwards.
        if matches!(event, Event::Unregister | Event::ChangeMaster) {
            state.blocked.forget(device.ifindex());
        }
        end_crossing(&state, device, why);
    }
}

/// Ends all flows that cross a device. Process context.
fn end_crossing(state: &NamespaceState, device: &Device, why: Teardown) {
    state.for_each_table(|table| FlowTable::device_event(table, device, why));
}

/// The state of the namespace that a device is in.
fn state_of(device: &Device) -> Option<Arc<NamespaceState>> {
    let guard = rcu::read_lock();
    Subsystem::of(device.namespace(ReadSide::of(&guard)))
}

/// Listens to bridges.
pub(crate) struct Stations;

impl bridge::Notified for Stations {
    fn station_event(&self, port: &Device, station: Mac) {
        if let Some(state) = state_of(port) {
            state.stations.tell(station);
        }
    }
}

/// Listens to ports of bridges.
pub(crate) struct Ports;

impl bridge::PortsNotified for Ports {
    fn port_event(&self, port: &Device, instance: u16, forwards: bool) {
        let Some(state) = state_of(port) else {
            return;
        };
        // First, so that no flow is made again behind those that end.
        state.blocked.set(port.ifindex(), instance, !forwards);
        if !forwards {
            end_crossing(&state, port, Teardown::PathChanged);
        }
    }
}

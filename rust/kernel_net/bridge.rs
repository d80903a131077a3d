// SPDX-License-Identifier: GPL-2.0

//! Bridges: which station is behind which port.
//!
//! A bridge tells everybody who listens, because the ports of a switch need to know. So a listener
//! hears of every station that is learned, moves, is set or forgotten, before or just after it is
//! so. Kernels that know nothing of switches have nobody to tell it, and never do.
//!
//! C header: [`include/net/switchdev.h`](srctree/include/net/switchdev.h)

use crate::bindings;
use crate::compat::prelude::*;
use crate::kernel_net::device::Device;
use crate::kernel_net::neighbour::Mac;
use crate::kernel_net::notifier::{
    Chain,
    Registration, //
};

/// Who is told. Any context, also under a bridge's lock: may not sleep, and not ask the bridge.
pub(crate) trait Notified: Send + Sync {
    /// Something is new about a station, behind this port before or from now on; the port is the
    /// bridge itself for its own addresses.
    fn station_event(&self, port: &Device, station: Mac);
}

/// Who is told of ports. Process context, under RTNL.
pub(crate) trait PortsNotified: Send + Sync {
    /// A port of a bridge forwards from now on, or does not: as spanning tree has it, or somebody by hand.
    /// `instance` is 0 for all VLANs that are of no other one (C: `msti`).
    fn port_event(&self, port: &Device, instance: u16, forwards: bool);
}

/// The chain that bridges tell of their ports (C: `register_switchdev_blocking_notifier`).
pub(crate) struct Ports<T: PortsNotified>(T);

/// A registration for the ports of all bridges in all namespaces.
pub(crate) type PortsNotifier<T> = Registration<Ports<T>>;

/// Registers for ports. Process context.
pub(crate) fn ports_notifier<T: PortsNotified>(who: T) -> impl PinInit<PortsNotifier<T>, Error> {
    Registration::new(Ports(who))
}

// SAFETY: These are the functions of that chain, which waits for its callbacks.
unsafe impl<T: PortsNotified> Chain for Ports<T> {
    unsafe fn register(block: *mut bindings::notifier_block) -> c_int {
        // SAFETY: By the contract.
        unsafe { bindings::nfo_register_switchdev_blocking_notifier(block) }
    }

    unsafe fn unregister(block: *mut bindings::notifier_block) {
        // SAFETY: By the contract.
        unsafe { bindings::nfo_unregister_switchdev_blocking_notifier(block) };
    }

    unsafe fn notify(&self, event: u32, info: *mut c_void) {
        if event != bindings::NFO_SWITCHDEV_PORT_ATTR_SET {
            return;
        }
        // SAFETY: By the contract, events of this kind come with an attribute, here and below.
        let (instance, state) = match unsafe { bindings::nfo_switchdev_attr(info) } {
            bindings::NFO_SWITCHDEV_STP_STATE => {
                // SAFETY: It is a state.
                (0, unsafe { bindings::nfo_switchdev_stp_state(info) })
            }
            bindings::NFO_SWITCHDEV_MST_STATE => {
                // SAFETY: It is a state of an instance.
                let instance = unsafe { bindings::nfo_switchdev_mst_instance(info) };
                // SAFETY: As above.
                (instance, unsafe { bindings::nfo_switchdev_mst_state(info) })
            }
            _ => return,
        };
        // SAFETY: As above, and they come with a live device, too.
        let port = unsafe { Device::from_raw(bindings::nfo_switchdev_dev(info)) };
        let forwards = state == bindings::NFO_BR_STATE_FORWARDING;
        self.0.port_event(port, instance, forwards);
    }
}

/// The chain that bridges tell of their stations (C: `register_switchdev_notifier`).
pub(crate) struct Stations<T: Notified>(T);

/// A registration for the stations of all bridges in all namespaces.
pub(crate) type Notifier<T> = Registration<Stations<T>>;

/// Registers. Process context.
pub(crate) fn notifier<T: Notified>(who: T) -> impl PinInit<Notifier<T>, Error> {
    Registration::new(Stations(who))
}

// SAFETY: These are the functions of that chain, which waits for its callbacks.
unsafe impl<T: Notified> Chain for Stations<T> {
    unsafe fn register(block: *mut bindings::notifier_block) -> c_int {
        // SAFETY: By the contract.
        unsafe { bindings::nfo_register_switchdev_notifier(block) }
    }

    unsafe fn unregister(block: *mut bindings::notifier_block) {
        // SAFETY: By the contract.
        unsafe { bindings::nfo_unregister_switchdev_notifier(block) };
    }

    unsafe fn notify(&self, event: u32, info: *mut c_void) {
        if event != bindings::NFO_SWITCHDEV_FDB_ADD && event != bindings::NFO_SWITCHDEV_FDB_DEL {
            return;
        }
        let info: *const bindings::switchdev_notifier_fdb_info = info.cast();
        // SAFETY: By the contract, and because events of these kinds come with such a structure,
        // which names a live device.
        let port = unsafe { Device::from_raw((*info).info.dev) };
        // SAFETY: As above, and an address that is valid during the call.
        let station = unsafe { (*info).addr.cast::<Mac>().read() };
        self.0.station_event(port, station);
    }
}

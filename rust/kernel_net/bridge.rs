// SPDX-License-Identifier: GPL-2.0

//! Bridges: which station is behind which port.
//!
//! A bridge tells everybody who listens, because the ports of a switch need to know. So a listener
//! hears of every station that is learned, moves, is set or forgotten, before or just after it is
//! so. Kernels that know nothing of switches have nobody to tell it, and never do.
//!
//! C header: [`include/net/switchdev.h`](srctree/include/net/switchdev.h)

use crate::bindings;
use crate::kernel_net::device::Device;
use crate::kernel_net::neighbour::Mac;
use kernel::prelude::*;
use kernel::types::Opaque;

/// Who is told. Any context, also under a bridge's lock: may not sleep, and not ask the bridge.
pub(crate) trait Notified: Send + Sync {
    /// Something is new about a station, behind this port before or from now on; the port is the
    /// bridge itself for its own addresses.
    fn station_event(&self, port: &Device, station: Mac);
}

/// A registration for the stations of all bridges in all namespaces.
///
/// # Invariants
///
/// `block` is registered, and pinned with `who`.
#[pin_data(PinnedDrop)]
pub(crate) struct Notifier<T: Notified> {
    #[pin]
    block: Opaque<bindings::notifier_block>,
    who: T,
}

// SAFETY: The notifier chain has its own lock; `T` is `Send`.
unsafe impl<T: Notified> Send for Notifier<T> {}
// SAFETY: As above; `T` is `Sync`.
unsafe impl<T: Notified> Sync for Notifier<T> {}

impl<T: Notified> Notifier<T> {
    /// Registers (C: `register_switchdev_notifier`). Process context.
    pub(crate) fn register(who: T) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            who,
            block <- Opaque::try_ffi_init(|slot: *mut bindings::notifier_block| {
                let block = bindings::notifier_block {
                    notifier_call: Some(Self::callback),
                    ..Default::default()
                };
                // SAFETY: The slot is valid for writes and pinned until dropped, which unregisters.
                // `who` is initialised already: fields are, in the order written here.
                unsafe {
                    slot.write(block);
                    kernel::error::to_result(bindings::nfo_register_switchdev_notifier(slot))
                }
            }),
        })
    }

    /// # Safety
    ///
    /// Only for the notifier chain, with the block of a live `Notifier<T>`.
    unsafe extern "C" fn callback(
        block: *mut bindings::notifier_block,
        event: c_ulong,
        info: *mut c_void,
    ) -> c_int {
        // CAST: Event numbers are small.
        let event = event as u32;
        if event != bindings::NFO_SWITCHDEV_FDB_ADD && event != bindings::NFO_SWITCHDEV_FDB_DEL {
            return 0;
        }
        // SAFETY: By the contract, and because events of these kinds come with such a structure,
        // which names a live device and an address that is valid during the call.
        unsafe {
            let this = &*kernel::container_of!(Opaque::cast_from(block), Self, block);
            let info: *const bindings::switchdev_notifier_fdb_info = info.cast();
            let port = Device::from_raw((*info).info.dev);
            let station = (*info).addr.cast::<Mac>().read();
            this.who.station_event(port, station);
        }
        0
    }
}

#[pinned_drop]
impl<T: Notified> PinnedDrop for Notifier<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type invariant.
        unsafe { bindings::nfo_unregister_switchdev_notifier(self.block.get()) };
    }
}

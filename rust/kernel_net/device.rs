// SPDX-License-Identifier: GPL-2.0

//! Network devices, and the events they cause.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::bindings;
use crate::kernel_net::namespace::Namespace;
use core::ptr::NonNull;
use kernel::prelude::*;
use kernel::sync::aref::AlwaysRefCounted;
use kernel::types::Opaque;

/// A network device (C: `struct net_device`).
///
/// # Invariants
///
/// Refers to a registered device, or to one whose reference is held.
#[repr(transparent)]
pub(crate) struct Device(Opaque<bindings::net_device>);

// SAFETY: Device references are counted per CPU and may be moved between CPUs.
unsafe impl Send for Device {}
// SAFETY: All that is read here is read with single loads, and changes at any time anyway.
unsafe impl Sync for Device {}

// SAFETY: `dev_hold` and `dev_put` count references.
unsafe impl AlwaysRefCounted for Device {
    fn inc_ref(&self) {
        // SAFETY: The reference makes the device valid.
        unsafe { bindings::nfo_dev_hold(self.as_raw()) }
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: By the contract, the caller gives up a reference it owns.
        unsafe { bindings::nfo_dev_put(obj.cast().as_ptr()) }
    }
}

impl Device {
    /// # Safety
    ///
    /// `raw` is a device that lives for `'a`.
    #[inline(always)]
    pub(super) unsafe fn from_raw<'a>(raw: *mut bindings::net_device) -> &'a Self {
        // SAFETY: By the contract; the type is transparent.
        unsafe { &*raw.cast() }
    }

    #[inline(always)]
    pub(super) fn as_raw(&self) -> *mut bindings::net_device {
        self.0.get()
    }

    /// The interface index, unique in the namespace.
    pub(crate) fn ifindex(&self) -> u32 {
        // SAFETY: The device is valid.
        unsafe { bindings::nfo_dev_ifindex(self.as_raw()) }
    }

    /// Room for headers that packets sent through this device should have, in bytes
    /// (C: `LL_RESERVED_SPACE`).
    pub(crate) fn reserved_headroom(&self) -> u32 {
        // SAFETY: The device is valid.
        unsafe { bindings::nfo_dev_reserved_headroom(self.as_raw()) }
    }

    /// Its hardware address, where that is an Ethernet address.
    pub(crate) fn ethernet_address(&self) -> [u8; 6] {
        let mut address = [0; 6];
        // SAFETY: The device is valid, and the array is as long as an Ethernet address.
        unsafe { bindings::nfo_dev_ethernet_address(self.as_raw(), address.as_mut_ptr()) };
        address
    }

    /// Whether frames have Ethernet headers and neighbours have Ethernet addresses
    /// (C: `nft_is_valid_ether_device`).
    pub(crate) fn is_ethernet(&self) -> bool {
        let dev = self.as_raw();
        // SAFETY: The device is valid.
        let (flags, kind, len) = unsafe {
            (
                bindings::nfo_dev_flags(dev),
                bindings::nfo_dev_type(dev),
                bindings::nfo_dev_addr_len(dev),
            )
        };
        let address = self.ethernet_address();
        flags & bindings::net_device_flags_IFF_LOOPBACK == 0
            && kind == bindings::NFO_ARPHRD_ETHER
            && len == 6
            && address[0] & 1 == 0
            && address != [0; 6]
    }

    /// Whether frames have a link-layer header at all.
    pub(crate) fn has_header(&self) -> bool {
        // SAFETY: The device is valid.
        unsafe { bindings::nfo_dev_has_header(self.as_raw()) }
    }

    /// Whether packets sent to this device leave through another one below it: VLAN, bridge, PPP
    /// and the like (C: `ndo_fill_forward_path`).
    pub(crate) fn is_upper(&self) -> bool {
        // SAFETY: The device is valid.
        unsafe { bindings::nfo_dev_has_forward_path(self.as_raw()) }
    }

    /// The namespace the device is in.
    pub(crate) fn namespace(&self) -> &Namespace {
        // SAFETY: A device's namespace outlives it.
        unsafe { Namespace::from_raw(bindings::nfo_dev_net(self.as_raw())) }
    }
}

/// What happened to a device, of what matters to those who hold one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    Down,
    Unregister,
    ChangeMtu,
    ChangeAddress,
}

/// Who is told. Process context, under RTNL.
pub(crate) trait Notified: Send + Sync {
    fn event(&self, device: &Device, event: Event);
}

/// A registration for the events of all devices in all namespaces.
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
    /// Registers. Devices that are there already are announced by the kernel; such events are
    /// none of [`Event`].
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
                    kernel::error::to_result(bindings::register_netdevice_notifier(slot))
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
        let event = match event as u32 {
            bindings::NFO_NETDEV_DOWN => Event::Down,
            bindings::NFO_NETDEV_UNREGISTER => Event::Unregister,
            bindings::NFO_NETDEV_CHANGEMTU => Event::ChangeMtu,
            bindings::NFO_NETDEV_CHANGEADDR => Event::ChangeAddress,
            _ => return 0,
        };
        // SAFETY: By the contract, and because device events come with a device.
        unsafe {
            let this = &*kernel::container_of!(Opaque::cast_from(block), Self, block);
            let dev = bindings::nfo_netdev_notifier_info_to_dev(info);
            this.who.event(Device::from_raw(dev), event);
        }
        0
    }
}

#[pinned_drop]
impl<T: Notified> PinnedDrop for Notifier<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type invariant.
        unsafe { bindings::unregister_netdevice_notifier(self.block.get()) };
    }
}

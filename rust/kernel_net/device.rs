// SPDX-License-Identifier: GPL-2.0

//! Network devices, and the events they cause.
//!
//! A [`Device`] is borrowed from whatever keeps it from going: a route under RCU, an event, a
//! counted reference. What a packet needs of it can be read at any time. What has been derived from
//! a device and kept, such as its MTU or address, is kept right by events: see [`Notifier`].
//!
//! Whoever holds references to devices keeps them from being unregistered: the task that removes
//! one waits, and says so in the kernel's log after some seconds. So references are to be given up
//! upon [`Event::Unregister`], or soon after.
//!
//! Context and locking: properties change under RTNL and are read here without it, each by itself;
//! the answer may be outdated the next moment. Events come in process context, under RTNL, one at a
//! time.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::bindings;
use crate::compat::fmt;
use crate::compat::prelude::*;
use crate::compat::sync::aref::AlwaysRefCounted;
use crate::kernel_net::namespace::Namespace;
use crate::kernel_net::notifier::{
    Chain,
    Registration, //
};
use crate::kernel_net::rcu::ReadSide;
use core::fmt::Write as _;
use core::ptr::NonNull;
use kernel::types::Opaque;

/// A network device (C: `struct net_device`).
///
/// Counted by itself: [`ARef`](crate::compat::sync::aref::ARef) holds a reference.
///
/// # Invariants
///
/// Refers to a registered device, or to one whose reference is held, or to one that was registered
/// when the read-side section of RCU began that is still open.
#[repr(transparent)]
pub(crate) struct Device(Opaque<bindings::net_device>);

// SAFETY: Device references are counted per CPU, so that one may be taken on one CPU and given up
// on another.
unsafe impl Send for Device {}
// SAFETY: All that is read here is read with single loads, or as C does, which reads the same
// without a lock, and changes at any time anyway.
unsafe impl Sync for Device {}

// SAFETY: `dev_hold` and `dev_put` count references, and a device is freed only when there are
// none.
unsafe impl AlwaysRefCounted for Device {
    fn inc_ref(&self) {
        // SAFETY: The reference makes the device valid, by the type invariant, and one that may be
        // held: where it is only seen under RCU, its removal waits for a grace period before it
        // looks for references.
        unsafe { bindings::nfo_dev_hold(self.as_raw()) }
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: By the contract, the caller gives up a reference it owns.
        unsafe { bindings::nfo_dev_put(obj.cast().as_ptr()) }
    }
}

/// The name of a device.
pub(crate) struct Name([u8; bindings::IFNAMSIZ as usize]);

/// What is not to be printed is shown by its number: nearly all bytes may be in names.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.0.iter().take_while(|&&byte| byte != 0) {
            match byte {
                b' '..=b'~' => f.write_char(byte.into())?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        Ok(())
    }
}

impl Device {
    /// A device of C.
    ///
    /// # Safety
    ///
    /// `raw` is a device that lives for `'a`, in one of the ways that the type invariant lists.
    #[inline(always)]
    pub(super) unsafe fn from_raw<'a>(raw: *mut bindings::net_device) -> &'a Self {
        // SAFETY: By the contract; the type is transparent.
        unsafe { &*raw.cast() }
    }

    /// The C structure.
    #[inline(always)]
    pub(super) fn as_raw(&self) -> *mut bindings::net_device {
        self.0.get()
    }

    /// The interface name. It may be changed at any time.
    pub(crate) fn name(&self) -> Name {
        let mut name = [0; bindings::IFNAMSIZ as usize];
        // SAFETY: The device is valid, by the type invariant, and the array as long as a name. What
        // is read while the name is changed is a mixture of both, and still ends.
        unsafe { bindings::nfo_dev_name(self.as_raw(), name.as_mut_ptr().cast()) };
        Name(name)
    }

    /// The interface index, unique in the namespace.
    ///
    /// Changes only when the device moves to another namespace.
    pub(crate) fn ifindex(&self) -> u32 {
        // SAFETY: The device is valid, by the type invariant.
        unsafe { bindings::nfo_dev_ifindex(self.as_raw()) }
    }

    /// Room for headers that packets sent through this device should have, in bytes
    /// (C: `LL_RESERVED_SPACE`).
    pub(crate) fn reserved_headroom(&self) -> u32 {
        // SAFETY: The device is valid, by the type invariant.
        unsafe { bindings::nfo_dev_reserved_headroom(self.as_raw()) }
    }

    /// Whether packets sent through this device go to its driver at once, and nobody would notice if
    /// they took no other way: it has one transmit queue, which is no queueing discipline and needs no
    /// lock, and neither packet sockets, nf_tables nor tc look at what leaves. Softirq, under RCU.
    ///
    /// All of that may change at any time, and there is no event for most of it.
    #[inline(always)]
    pub(crate) fn is_direct(&self, _rcu: ReadSide<'_>) -> bool {
        let dev = self.as_raw();
        // SAFETY: The device is valid, by the type invariant, and RCU is held, by which its discipline
        // and its packet sockets are looked at.
        unsafe { bindings::nfo_dev_is_queueless(dev) && !bindings::nfo_dev_is_observed(dev) }
    }

    /// Its hardware address, where that is an Ethernet address (C: `dev_addr`).
    ///
    /// Of other devices these are the first six bytes of theirs. While it is being changed it may
    /// be mixed; the event [`Event::ChangeAddress`] follows.
    pub(crate) fn ethernet_address(&self) -> [u8; 6] {
        let mut address = [0; 6];
        // SAFETY: The device is valid, by the type invariant, and so is its address, which has room
        // for more than six bytes in every device; the array is as long as an Ethernet address.
        unsafe { bindings::nfo_dev_ethernet_address(self.as_raw(), address.as_mut_ptr()) };
        address
    }

    /// Whether frames have Ethernet headers and neighbours have Ethernet addresses
    /// (C: `nft_is_valid_ether_device`).
    pub(crate) fn is_ethernet(&self) -> bool {
        let dev = self.as_raw();
        // SAFETY: The device is valid, by the type invariant.
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
    ///
    /// Not so for most tunnels, and for PPP. Of a device that has one but is not
    /// [`Ethernet`](Self::is_ethernet), the device's own function makes it.
    pub(crate) fn has_header(&self) -> bool {
        // SAFETY: The device is valid, by the type invariant.
        unsafe { bindings::nfo_dev_has_header(self.as_raw()) }
    }

    /// Whether packets sent to this device leave through another one below it, or could: VLAN,
    /// bridge, PPP, DSA, wireless and some tunnels (C: `ndo_fill_forward_path`).
    pub(crate) fn is_upper(&self) -> bool {
        // SAFETY: The device is valid, by the type invariant.
        unsafe { bindings::nfo_dev_has_forward_path(self.as_raw()) }
    }

    /// Whether packets of IPv6 that come in by it are forwarded (C: `forwarding` of all devices or
    /// `force_forwarding` of this one, and not `disable_ipv6`).
    pub(crate) fn forwards_ipv6(&self, _rcu: ReadSide<'_>) -> bool {
        // SAFETY: The device is valid, by the type invariant; its settings go a grace period after it
        // lost them.
        unsafe { bindings::nfo_dev_forwards_ipv6(self.as_raw()) }
    }

    /// Whether what comes in by it is for another device, as whose part it is: a bridge, a bond, a macvlan
    /// that takes all. A device in a VRF is not such a one.
    pub(crate) fn is_taken(&self, _rcu: ReadSide<'_>) -> bool {
        // SAFETY: The device is valid, by the type invariant, and RCU is held, by which those above it
        // are found.
        unsafe { bindings::nfo_dev_is_taken(self.as_raw()) }
    }

    /// What is set for packets of IPv4 that come in by it, of which nobody is told when it changes, as a
    /// number to be compared: `rp_filter` and its like.
    pub(crate) fn input_settings(&self, _rcu: ReadSide<'_>) -> u32 {
        // SAFETY: As above, for its settings.
        unsafe { bindings::nfo_dev_input_settings(self.as_raw()) }
    }

    /// Whether its driver can be told of rules (C: `ndo_setup_tc`). If not, drivers of other devices
    /// may take rules for it.
    pub(super) fn has_own_driver(&self) -> bool {
        // SAFETY: The device is valid, by the type invariant.
        unsafe { bindings::nfo_dev_can_setup_tc(self.as_raw()) }
    }

    /// Of a tunnel that packets of `protocol` are put into: whether the version of IP around them is the
    /// same as theirs, with nothing else around, and the route of the whole is that of anybody's
    /// packet from here to there.
    ///
    /// # Safety
    ///
    /// It has said of itself that it is a tunnel, asked for its path (C: `DEV_PATH_TUN`).
    pub(super) unsafe fn is_plain_tunnel(&self, protocol: u16) -> bool {
        let dev = self.as_raw();
        // SAFETY: The device is valid, by the type invariant. Of those that say that they are tunnels,
        // the ones of these types are of `ip_tunnel` and `ip6_tnl`.
        unsafe {
            match (bindings::nfo_dev_type(dev), protocol) {
                (bindings::NFO_ARPHRD_TUNNEL, 0x0800) => bindings::nfo_ip_tunnel_is_plain(dev),
                (bindings::NFO_ARPHRD_TUNNEL6, 0x86dd) => bindings::nfo_ip6_tnl_is_plain(dev),
                _ => false,
            }
        }
    }

    /// The namespace the device is in; it may move to another one at any time.
    pub(crate) fn namespace<'rcu>(&self, _rcu: ReadSide<'rcu>) -> &'rcu Namespace {
        // SAFETY: The device is valid, by the type invariant.
        let net = unsafe { bindings::nfo_dev_net(self.as_raw()) };
        // SAFETY: A namespace that goes first moves or removes its devices, and then waits for a grace
        // period before it is freed (C: `cleanup_net`); RCU is held.
        unsafe { Namespace::from_raw(net) }
    }
}

/// What happened to a device, of what matters to those who hold one (C: `enum netdev_cmd`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// It was set down: it does not send any more (C: `NETDEV_DOWN`).
    Down,
    /// It is being removed, or moved to another namespace (C: `NETDEV_UNREGISTER`). Repeated every
    /// second or so while somebody holds references to it.
    Unregister,
    /// Its MTU is another one now (C: `NETDEV_CHANGEMTU`).
    ChangeMtu,
    /// Its hardware address is another one now (C: `NETDEV_CHANGEADDR`).
    ChangeAddress,
    /// It became part of another device, or ceases to be: what it receives is for that one to see first
    /// (bridge, bond, VRF; C: `NETDEV_CHANGEUPPER` with a master).
    ChangeMaster,
}

/// Who is told about events.
pub(crate) trait Notified: Send + Sync {
    /// Something happened to a device, in whatever namespace.
    ///
    /// Process context, under RTNL, which all of the network's configuration waits for: may sleep,
    /// but should not for long, and may not take RTNL or what others hold while they wait for it.
    /// Events cannot be refused. They may repeat, and come for devices that the implementor has
    /// never heard of.
    fn event(&self, device: &Device, event: Event);
}

/// The chain of device events (C: `register_netdevice_notifier`).
pub(crate) struct Devices<T: Notified>(T);

/// A registration for the events of all devices in all namespaces.
///
/// Dropping it ends the events. Process context, without RTNL.
pub(crate) type Notifier<T> = Registration<Devices<T>>;

/// Registers.
///
/// Devices that are there already are announced by the kernel; such events are none of [`Event`],
/// so that `who` hears nothing before something changes. When the registration is dropped, however,
/// each device appears to go down and to be unregistered, so that `who` hears of every device once
/// more.
///
/// Process context, without RTNL, which is taken.
pub(crate) fn notifier<T: Notified>(who: T) -> impl PinInit<Notifier<T>, Error> {
    Registration::new(Devices(who))
}

// SAFETY: These are the functions of that chain, which waits for its callbacks.
unsafe impl<T: Notified> Chain for Devices<T> {
    unsafe fn register(block: *mut bindings::notifier_block) -> c_int {
        // SAFETY: By the contract.
        unsafe { bindings::register_netdevice_notifier(block) }
    }

    unsafe fn unregister(block: *mut bindings::notifier_block) {
        // SAFETY: By the contract.
        unsafe { bindings::unregister_netdevice_notifier(block) };
    }

    unsafe fn notify(&self, event: u32, info: *mut c_void) {
        // SAFETY: By the contract, events of this kind come with such a structure.
        let master = event == bindings::NFO_NETDEV_CHANGEUPPER
            && unsafe { bindings::nfo_changeupper_takes(info) };
        let event = match event {
            bindings::NFO_NETDEV_CHANGEUPPER if master => Event::ChangeMaster,
            bindings::NFO_NETDEV_DOWN => Event::Down,
            bindings::NFO_NETDEV_UNREGISTER => Event::Unregister,
            bindings::NFO_NETDEV_CHANGEMTU => Event::ChangeMtu,
            bindings::NFO_NETDEV_CHANGEADDR => Event::ChangeAddress,
            _ => return,
        };
        // SAFETY: By the contract, and because device events come with a device.
        unsafe {
            let dev = bindings::nfo_netdev_notifier_info_to_dev(info);
            self.0.event(Device::from_raw(dev), event);
        }
    }
}

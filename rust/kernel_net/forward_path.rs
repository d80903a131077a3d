// SPDX-License-Identifier: GPL-2.0

//! The way of a packet from the device it is sent to, down to the one it leaves through.
//!
//! VLAN, bridge, PPP and tunnel devices pass packets on to a device below them, and each can say
//! to which, and what it does to the packet. A [`Walk`] asks one after the other. Where a packet
//! goes from a bridge depends on the station it is for, so the walk carries that.
//!
//! All of it is under RCU, in softirq or process context, and is true only for the moment.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::bindings;
use crate::compat::member;
use crate::compat::prelude::*;
use crate::kernel_net::device::Device;
use crate::kernel_net::neighbour::Mac;
use crate::kernel_net::rcu::ReadSide;
use core::ptr;

/// What a bridge with VLANs does to the tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BridgeVlan {
    /// Nothing.
    Keep,
    /// Puts one around.
    Tag {
        /// In host order.
        ethertype: u16,
        id: u16,
    },
    /// Takes the outermost off.
    Untag,
    /// Leaves it on: the hardware of the port takes it off.
    UntagInHardware,
}

/// What one device does to a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// A VLAN device puts its tag around.
    Vlan {
        /// In host order.
        ethertype: u16,
        id: u16,
    },
    /// A PPP device wraps the packet for a session with `station`.
    Pppoe { session: u16, station: Mac },
    /// A bridge sends it through one of its ports.
    Bridge(BridgeVlan),
    /// A port of a switch (DSA): what goes on below is between the switch and its driver.
    SwitchPort,
    /// A wireless device: below is its own hardware.
    Wireless,
    /// A tunnel puts an IP header of the packet's own version around. Addresses are as sent; of IPv4
    /// the first four bytes.
    Tunnel {
        source: [u8; 16],
        destination: [u8; 16],
    },
    /// A tunnel does something else: only itself can send packets.
    OtherTunnel,
}

/// A walk down the devices.
pub(crate) struct Walk<'rcu> {
    context: bindings::net_device_path_ctx,
    /// The EtherType of the packet.
    protocol: u16,
    rcu: ReadSide<'rcu>,
}

impl<'rcu> Walk<'rcu> {
    /// A walk that begins at `device`, with a packet of EtherType `protocol` for `station`.
    pub(crate) fn new(
        device: &'rcu Device,
        protocol: u16,
        station: Mac,
        rcu: ReadSide<'rcu>,
    ) -> Self {
        Self {
            context: bindings::net_device_path_ctx {
                dev: device.as_raw(),
                daddr: station,
                ..Default::default()
            },
            protocol,
            rcu,
        }
    }

    /// Goes on at another device and with another station: behind a tunnel, whose route decides.
    pub(crate) fn go_on(self, device: &'rcu Device, station: Mac) -> Self {
        Self::new(device, self.protocol, station, self.rcu)
    }

    /// The device the walk has come to.
    pub(crate) fn device(&self) -> &'rcu Device {
        // SAFETY: The walk began at a device that lives as long as RCU is held, and so does every
        // device that one above it refers to.
        unsafe { Device::from_raw(self.context.dev.cast_mut()) }
    }

    /// Asks the device what it does, and moves on to the one below.
    ///
    /// [`None`] when there is none below; then, and after [`Step::SwitchPort`] and
    /// [`Step::Wireless`], [`Self::device`] is where packets leave. An error when the device cannot
    /// tell, as a bridge that does not know the station.
    pub(crate) fn step(&mut self) -> Option<Result<Step>> {
        let device = self.device();
        if !device.is_upper() {
            return None;
        }
        let mut path = bindings::net_device_path::default();
        let (context, protocol) = (&mut self.context, self.protocol);
        // SAFETY: The device is valid, it has the function, and RCU is held; both structures are
        // initialised.
        let result = unsafe { bindings::nfo_dev_fill_forward_path(context, protocol, &mut path) };
        if let Err(error) = kernel::error::to_result(result) {
            return Some(Err(error));
        }
        let step = match Self::understand(&path) {
            Ok(Step::Tunnel {
                source,
                destination,
            }) => {
                // SAFETY: The device has just said that it is a tunnel.
                let is_plain = unsafe { device.is_plain_tunnel(self.protocol) };
                // Without an address it chooses the source for each packet, or the far end.
                Ok(if is_plain && source != [0; 16] && destination != [0; 16] {
                    Step::Tunnel {
                        source,
                        destination,
                    }
                } else {
                    Step::OtherTunnel
                })
            }
            step => step,
        };
        if matches!(step, Ok(Step::SwitchPort | Step::Wireless)) || self.context.dev.is_null() {
            self.context.dev = device.as_raw();
        } else if ptr::eq(self.context.dev, device.as_raw()) {
            // A device that leads to itself.
            return Some(Err(EINVAL));
        }
        Some(step)
    }

    fn understand(path: &bindings::net_device_path) -> Result<Step> {
        let detail = &path.__bindgen_anon_1;
        match path.type_ {
            bindings::net_device_path_type_DEV_PATH_VLAN => {
                // SAFETY: The type says which member of the union the device has filled.
                let encap = unsafe { member!(detail.encap) };
                Ok(Step::Vlan {
                    ethertype: u16::from_be(encap.proto),
                    id: encap.id,
                })
            }
            bindings::net_device_path_type_DEV_PATH_PPPOE => {
                // SAFETY: As above.
                let encap = unsafe { member!(detail.encap) };
                Ok(Step::Pppoe {
                    session: encap.id,
                    station: encap.h_dest,
                })
            }
            bindings::net_device_path_type_DEV_PATH_BRIDGE => {
                // SAFETY: As above. All were zeroed, so that what it has not filled is something, too.
                let bridge = unsafe { member!(detail.bridge) };
                // The values of the unnamed enum, in order.
                Ok(Step::Bridge(match bridge.vlan_mode {
                    0 => BridgeVlan::Keep,
                    1 => BridgeVlan::Tag {
                        ethertype: u16::from_be(bridge.vlan_proto),
                        id: bridge.vlan_id,
                    },
                    2 => BridgeVlan::Untag,
                    _ => BridgeVlan::UntagInHardware,
                }))
            }
            bindings::net_device_path_type_DEV_PATH_DSA => Ok(Step::SwitchPort),
            bindings::net_device_path_type_DEV_PATH_MTK_WDMA => Ok(Step::Wireless),
            // Not all kernels can be asked for the ends of tunnels.
            // SAFETY: The path is initialised.
            _ if unsafe { bindings::nfo_path_is_tunnel(path) } => {
                let (mut source, mut destination) = ([0; 16], [0; 16]);
                let (from, to) = (source.as_mut_ptr(), destination.as_mut_ptr());
                // SAFETY: It is that of a tunnel, and there is room for the longest addresses.
                unsafe { bindings::nfo_path_tunnel(path, from, to) };
                Ok(Step::Tunnel {
                    source,
                    destination,
                })
            }
            _ => Err(EINVAL),
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Why: every refusal to offload, every end of a flow, every packet of a flow that took the classic
//! path has a reason with a name. Pure: no kernel types.

use core::ffi::CStr;

/// Declares an enum of reasons with names, all of them in an array.
macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub(crate) enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All of them, in order.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name, as shown to people.
            #[cfg_attr(test, allow(dead_code))]
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The same, as a C string.
            #[allow(dead_code, reason = "not every kind is traced")]
            pub(crate) fn c_name(self) -> &'static CStr {
                let name = match self {
                    $(Self::$variant => concat!($text, "\0"),)*
                };
                CStr::from_bytes_with_nul(name.as_bytes()).unwrap_or(c"")
            }
        }
    };
}

reasons! {
    /// Why a connection was not offloaded.
    Refusal {
        /// The packet came through IPsec.
        Decrypted = "decrypted",
        /// The packet has IPv4 options.
        IpOptions = "ip_options",
        /// The packet has no connection.
        Untracked = "untracked",
        /// Neither TCP nor UDP, nor plain GRE.
        Protocol = "protocol",
        /// The TCP handshake is not done, or the connection is ending.
        TcpState = "tcp_state",
        /// A helper follows the connection.
        Helper = "helper",
        /// Sequence numbers are adjusted.
        SequenceAdjusted = "sequence_adjusted",
        /// The connection lost a clash over its addresses.
        NatClash = "nat_clash",
        /// The connection is not confirmed yet.
        Unconfirmed = "unconfirmed",
        /// The connection is offloaded already, here or elsewhere.
        Claimed = "already_offloaded",
        /// Addresses or ports are translated by somebody other than NAT, who has to see the packets
        /// (IPVS).
        ForeignNat = "foreign_nat",
        /// The destination is not one host.
        Multicast = "multicast",
        /// Packets of the other direction would not be forwarded: the device that they come in by is part
        /// of another, or IPv6 forwarding is off.
        NotForwarded = "not_forwarded",
        /// The connection is being deleted.
        Dying = "dying",
        /// No route back.
        NoRoute = "no_route",
        /// The route puts packets into something else by itself (MPLS, BPF), or waits for IPsec to.
        RouteEncapsulates = "route_encapsulates",
        /// A device on the way does not know where it leads.
        PathUnknown = "path_unknown",
        /// More than two encapsulations, or more than one tunnel.
        EncapsulatedTooDeep = "encapsulated_too_deep",
        /// A tunnel other than IPIP and IP6IP6, or one that does more: without both addresses, with
        /// UDP around (FOU), with a mark, a device or a namespace of its own.
        TunnelKind = "tunnel_kind",
        /// The route of a tunnel transforms packets, or policies may have a say in what comes out of it
        /// (IPsec).
        TunnelTransformed = "tunnel_ipsec",
        /// The device is not one of the flowtable's.
        DeviceNotInTable = "device_not_in_table",
        /// The next hop's address is not known.
        NeighbourUnknown = "neighbour_unknown",
        /// Another flow has the same addresses and ports.
        Duplicate = "duplicate",
        /// No memory.
        NoMemory = "no_memory",
        /// The table is being resized.
        TableFull = "table_full",
    }
}

reasons! {
    /// Why a flow ended.
    Teardown {
        /// No packets for the whole timeout.
        Expired = "expired",
        /// The connection was deleted (`conntrack -D`, or evicted).
        ConnectionGone = "connection_gone",
        /// A FIN or RST of the connection came: from here on conntrack sees its packets.
        TcpClosing = "tcp_closing",
        /// The path has changed, and packets come in in another way than before.
        PathChanged = "path_changed",
        /// A device of the path went down or away.
        DeviceDown = "device_down",
        /// A device of the path changed its MTU or address.
        DeviceChanged = "device_changed",
        /// A device was taken out of the flowtable.
        DeviceUnbound = "device_unbound",
        /// The flowtable was deleted.
        TableGone = "table_gone",
        /// The driver that had it in hardware went away.
        DriverGone = "driver_gone",
    }
}

reasons! {
    /// Why a packet of a flow took the classic path.
    Bypass {
        /// Its flow has ended.
        FlowOver = "flow_over",
        /// Its route, or the path behind it, has changed. The classic path goes the new way, and a
        /// rule that offloads finds it out for the flow.
        PathChanged = "path_changed",
        /// It is larger than the path's MTU.
        Mtu = "mtu",
        /// The next hop is not valid just now.
        Neighbour = "neighbour",
        /// Its frame is for another station.
        OtherHost = "other_host",
        /// No memory to make it writable.
        NoMemory = "no_memory",
        /// It cannot be made writable: somebody else holds it.
        Shared = "shared",
    }
}

reasons! {
    /// Why a packet that the fast path had taken over was dropped.
    Loss {
        /// No memory for a buffer of its own, or for its segments.
        NoMemory = "no_memory",
        /// Policies of IPsec do not let it be forwarded.
        Policy = "policy",
        /// It cannot be segmented.
        Segmentation = "segmentation",
        /// It cannot be put into a tunnel.
        Tunnel = "tunnel",
        /// It is longer than a header could say.
        Length = "length",
        /// There was no room for a header, or the device would not make it.
        Header = "header",
    }
}

reasons! {
    /// Why a flow of a flowtable with `flags offload` stays in software.
    Unfit {
        /// It goes through a tunnel.
        Tunnel = "tunnel",
        /// Its route transforms packets, or policies have a say in what is forwarded (IPsec).
        Transformed = "ipsec",
        /// A device of its path is not Ethernet.
        NotEthernet = "not_ethernet",
        /// An encapsulation that there are no rules for (802.1ad).
        Encapsulation = "encapsulation",
        /// The next hop's address is not known just now.
        NeighbourUnknown = "neighbour_unknown",
        /// A device is not bound, or just being unbound.
        NotBound = "not_bound",
        /// It would need too many actions.
        TooLong = "too_long",
    }
}

reasons! {
    /// What happens to flows in hardware.
    HardwareEvent {
        /// Hardware has taken a flow.
        Added = "added",
        /// One was taken out of it.
        Removed = "removed",
        /// It had lost one, and has taken it again.
        Restored = "restored",
        /// A driver would not forget one in time.
        LeftBehind = "left_behind",
        /// A driver took too long.
        DriverHung = "driver_hung",
    }
}

reasons! {
    /// What a driver answered to a rule.
    Answer {
        Ok = "ok",
        Exists = "eexist",
        Busy = "ebusy",
        NoSpace = "enospc",
        NoMemory = "enomem",
        Unsupported = "eopnotsupp",
        Invalid = "einval",
        NoDevice = "enodev",
        NotFound = "enoent",
        Other = "other",
    }
}

impl Answer {
    /// From what a callback returned: an error as a negative number.
    pub(crate) fn from_result(result: Result<(), i32>) -> Self {
        // The numbers of uapi/asm-generic/errno.h and errno-base.h.
        match result.map_err(i32::wrapping_neg) {
            Ok(()) => Answer::Ok,
            Err(17) => Answer::Exists,
            Err(16) => Answer::Busy,
            Err(28) => Answer::NoSpace,
            Err(12) => Answer::NoMemory,
            Err(95) => Answer::Unsupported,
            Err(22) => Answer::Invalid,
            Err(19) => Answer::NoDevice,
            Err(2) => Answer::NotFound,
            Err(_) => Answer::Other,
        }
    }
}

impl Teardown {
    /// By number; the first for one there is none of.
    #[inline(always)]
    pub(crate) fn from_number(number: usize) -> Self {
        Self::ALL.get(number).copied().unwrap_or(Teardown::Expired)
    }
}

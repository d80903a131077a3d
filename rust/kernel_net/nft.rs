// SPDX-License-Identifier: GPL-2.0

//! Expressions of nf_tables that refer to a flowtable.
//!
//! A rule is a row of expressions, which a packet passes one after the other until one of them says
//! that the rule does not apply or gives a verdict. The one kind that is made here has a flowtable
//! as its only argument (`flow add @ft`), looks at forwarded packets, and gives no verdict: an
//! [`Expression`]. What nf_tables wants besides, counting the rules that refer to a flowtable and
//! following its transactions, is the same for all of them, and is done here.
//!
//! # The life of a rule
//!
//! nf_tables changes rulesets in transactions. A rule that is made or deleted is only so in the
//! next generation, until the transaction is committed, and all of it is taken back if that fails.
//! Meanwhile packets go by the rules of the current generation. The callbacks follow that:
//!
//! | callback | when | what it does here |
//! |---|---|---|
//! | `init` | a rule is made | finds the flowtable, counts one more use; gets conntrack |
//! | `deactivate` | a rule will be gone, or was not to be | counts one use less |
//! | `activate` | a deletion is taken back | counts the use again |
//! | `destroy` | no packet can be in the rule | gives conntrack back |
//! | `validate` | the table's chains are checked | allows only the forward hook |
//! | `dump` | the ruleset is listed | gives the flowtable's name |
//! | `eval` | a packet passes the rule | [`Expression::eval`] |
//!
//! A flowtable cannot be deleted while it is used. In `eval` it is always there: if rule and
//! flowtable are deleted by one transaction, both are freed after the same grace period, the rule
//! first.
//!
//! Context and locking: `eval` runs in softirq under RCU, on any CPU. All other callbacks run in
//! process context under the namespace's commit mutex, but for `destroy`, which may come without,
//! and `dump`, which may run under RCU instead.
//!
//! C header: [`include/net/netfilter/nf_tables.h`](srctree/include/net/netfilter/nf_tables.h)

use crate::bindings;
use crate::compat::prelude::*;
use crate::kernel_net::conntrack::Conn;
use crate::kernel_net::device::Device;
use crate::kernel_net::dst::Dst;
use crate::kernel_net::flowtable;
use crate::kernel_net::list;
use crate::kernel_net::netfilter::{
    unsupported,
    Family, //
};
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::rcu_table::Side;
use core::marker::PhantomData;
use core::ptr::{
    self,
    NonNull, //
};
use kernel::types::Opaque;

/// A forwarded packet, while a rule looks at it (C: `struct nft_pktinfo`).
///
/// Only to be looked at: it goes on when the ruleset has decided. What it gives out, such as its
/// connection, lives as long as the look, `'a`.
///
/// # Invariants
///
/// `raw` is that of a packet in the forward hook, under RCU, whose skb is at its network header.
pub(crate) struct Packet<'a> {
    raw: &'a bindings::nft_pktinfo,
}

/// Whether the rule goes on after the expression (C: `NFT_CONTINUE`, `NFT_BREAK`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The next expression of the rule is looked at.
    Continue,
    /// The rule ends here, without a verdict, and the next rule is looked at.
    Break,
}

impl<'a> Packet<'a> {
    /// The skb of C.
    fn skb(&self) -> *mut bindings::sk_buff {
        self.raw.skb
    }

    /// The state of the hook.
    fn state(&self) -> &'a bindings::nf_hook_state {
        // SAFETY: It is valid for as long as the packet is, by the type invariant.
        unsafe { &*self.raw.state }
    }

    /// The route of C, which stays while RCU is held, at least. Routes of packets are of the packet's
    /// family.
    fn dst(&self) -> Option<NonNull<bindings::dst_entry>> {
        // SAFETY: The skb is valid, by the type invariant.
        NonNull::new(unsafe { bindings::nfo_skb_dst(self.skb()) })
    }

    /// Whether the namespace has no policies of IPsec.
    fn without_policies(&self) -> bool {
        // SAFETY: The namespace is valid, being that of a hook that is running.
        unsafe { bindings::nfo_without_policies(self.state().net) }
    }

    /// The packet's family: IPv4 or IPv6, also where the table is for both (C: `nft_pf`).
    pub(crate) fn family(&self) -> Option<Family> {
        Family::from_raw(self.state().pf)
    }

    /// Whether the packet came through IPsec (C: `skb_sec_path`).
    pub(crate) fn is_decrypted(&self) -> bool {
        // SAFETY: The skb is valid, by the type invariant.
        unsafe { bindings::nfo_skb_sec_path(self.skb()) }
    }

    /// Whether there are IPv4 options, as the IP code has found when the packet came in
    /// (C: `IPCB`).
    pub(crate) fn has_ip_options(&self) -> bool {
        // SAFETY: The skb is valid, by the type invariant; in the forward path its control block is
        // that of IP.
        self.family() == Some(Family::Ipv4)
            && unsafe { bindings::nfo_ip_options_len(self.skb()) } != 0
    }

    /// The connection, and the packet's direction in it (C: `nf_ct_get`, `CTINFO2DIR`).
    ///
    /// [`None`] if conntrack has not seen the packet, or was told not to track it.
    pub(crate) fn connection(&self) -> Option<(&'a Conn, Side)> {
        let mut info = 0;
        // SAFETY: The skb is valid, by the type invariant; it holds a reference to its entry, for
        // `'a`.
        let conn = unsafe { bindings::nfo_ct_get(self.skb(), &mut info) };
        let side = if info >= bindings::ip_conntrack_info_IP_CT_IS_REPLY {
            Side::Reply
        } else {
            Side::Original
        };
        // SAFETY: As above.
        Some((unsafe { Conn::from_raw(NonNull::new(conn)?) }, side))
    }

    /// The TCP header, without options; [`None`] if it is cut off.
    ///
    /// For packets of TCP: what is at the place of a TCP header is not looked at otherwise.
    pub(crate) fn tcp_header(&self) -> Option<[u8; 20]> {
        let mut buffer = [0u8; 20];
        let (at, len) = (c_int::from(self.raw.thoff), buffer.len() as c_int);
        // SAFETY: The skb is valid, by the type invariant, and the buffer as long as what is asked for.
        let header = unsafe {
            bindings::nfo_skb_header_pointer(self.skb(), at, len, buffer.as_mut_ptr().cast())
        };
        let header: NonNull<[u8; 20]> = NonNull::new(header.cast_mut())?.cast();
        // SAFETY: It points to that many bytes, in the packet or in the buffer.
        Some(unsafe { header.read() })
    }

    /// The route of this packet, which forwarding has looked up already (C: `skb_dst`).
    ///
    /// [`None`] if there is none, or it is just going (C: `dst_hold_safe`).
    pub(crate) fn route(&self) -> Option<Dst> {
        let family = self.family()?;
        let dst = self.dst()?;
        // SAFETY: The route is valid, under RCU at least. A reference is taken if that is still
        // possible.
        unsafe { bindings::nfo_dst_hold_safe(dst.as_ptr()) }
            // SAFETY: Of the packet's family, with the reference from above.
            .then(|| unsafe { Dst::from_raw(dst, family) })
    }

    /// What the route of this packet is recognised by, and whether it is one like most.
    ///
    /// [`None`] if there is none. Under RCU.
    #[inline]
    pub(crate) fn route_seen(&self, _rcu: ReadSide<'_>) -> Option<RouteSeen> {
        let dst = self.dst()?.as_ptr();
        let (has_gateway, is_unicast) = match self.family()? {
            // SAFETY: The route is valid, under RCU, and of the packet's family.
            Family::Ipv6 => (unsafe { bindings::nfo_rt6_has_gateway(dst) }, true),
            _ => {
                // SAFETY: As above.
                let has_gateway = unsafe { bindings::nfo_rt_has_gateway(dst) };
                // SAFETY: As above.
                (has_gateway, unsafe { bindings::nfo_rt_is_unicast(dst) })
            }
        };
        Some(RouteSeen {
            address: dst.addr(),
            has_gateway,
            is_unicast,
        })
    }

    /// Whether the routes of forwarded packets of this version depend on nothing now but the device
    /// that they come in by, their destination and their traffic class.
    ///
    /// That is where the namespace has no rules but those that are always there, no realms, no routes
    /// by source, and no policies of IPsec: marks, ports and sources are for these to look at. There
    /// may be routes of several paths, which [`Self::reverse_route`] tells about. The kernel has the
    /// same conditions for giving a packet the route of the one before it (C:
    /// `ip_extract_route_hint`, `ip6_extract_route_hint`), and checks sources as little as this then;
    /// see there, and [`RouteSeen::is_unicast`].
    pub(crate) fn routes_by_destination(&self) -> bool {
        let net = self.state().net;
        match self.family() {
            // SAFETY: The namespace is valid, being that of a hook that is running.
            Some(Family::Ipv4) => unsafe { bindings::nfo_ip_routes_by_destination(net) },
            // SAFETY: As above.
            Some(Family::Ipv6) => unsafe { bindings::nfo_ip6_routes_by_destination(net) },
            _ => false,
        }
    }

    /// Bytes of the TCP segment, with its header. For packets of TCP.
    pub(crate) fn tcp_len(&self) -> u32 {
        // SAFETY: The skb is valid, by the type invariant.
        let len = unsafe { (*self.skb()).len };
        len.saturating_sub(u32::from(self.raw.thoff))
    }

    /// Whether policies of IPsec may have a say in what is forwarded.
    pub(crate) fn has_forward_policies(&self) -> bool {
        // SAFETY: The packet's state is valid, by the type invariant, and so is its namespace.
        unsafe { bindings::nfo_has_forward_policies(self.state().net) }
    }

    /// Whether they may have a say in what comes in for this host.
    pub(crate) fn has_input_policies(&self) -> bool {
        // SAFETY: As above.
        unsafe { bindings::nfo_has_input_policies(self.state().net) }
    }

    /// The traffic class by which the other direction's packets are taken to be routed, that of this
    /// one: for IPv4, where routes may be chosen by it; for IPv6 only rules look at it, 0.
    pub(crate) fn traffic_class(&self) -> u8 {
        match self.family() {
            // SAFETY: The packet is valid and has a network header, being forwarded.
            Some(Family::Ipv4) => unsafe { bindings::nfo_ip_traffic_class(self.skb()) },
            _ => 0,
        }
    }

    /// The route that a packet of the other direction will take: one that comes in by `device`, that
    /// of this packet's route.
    ///
    /// Looked up as the classic path does it: as an incoming packet, by the rules for that, and then
    /// transformed by the policies there are (IPsec). [`None`] where the classic path would drop it.
    /// C looks it up as a packet of this host, which ignores rules that go by the incoming device,
    /// and all that forbids (C: `nf_route`).
    pub(crate) fn reverse_route(
        &self,
        device: &Device,
        reverse: &Forwarded<'_>,
        mark: u32,
        rcu: ReadSide<'_>,
    ) -> Option<Reverse> {
        let family = self.family()?;
        let (mut flow, mut flags) = (None, 0);
        let (net, skb, by) = (self.state().net, self.skb(), device.as_raw());
        let (dst, several) = match family {
            Family::Ipv6 => {
                let flow = flow.insert(self.flow(family, reverse, mark)?);
                flow.u.__fl_common.flowic_iif = device.ifindex() as c_int;
                let ip6 = (&raw mut flow.u).cast();
                // SAFETY: The packet is valid, and ours alone while the rule looks at it; it is lent
                // for the lookup and is as it was afterwards. Device and namespace are valid, RCU is
                // held, and all of `flow` is initialised, as the family says.
                let dst = unsafe { bindings::nfo_ip6_route_input(net, by, ip6, skb, &mut flags) };
                (dst, bindings::NFO_IP6SKB_MULTIPATH)
            }
            _ => {
                let (to, from) = (in_addr(reverse.destination), in_addr(reverse.source));
                // SAFETY: As above.
                let dst =
                    unsafe { bindings::nfo_ip_route_input(skb, to, from, by, mark, &mut flags) };
                (dst, bindings::NFO_IPSKB_MULTIPATH)
            }
        };
        // SAFETY: A route of the family with a reference, or an error.
        let dst = unsafe { Dst::from_raw(NonNull::new(dst)?, family) };
        if dst.is_error() {
            return None;
        }
        let is_one_of_several = u32::from(flags) & several != 0;
        let is_guess = is_one_of_several
            // SAFETY: The namespace is valid, being that of a hook that is running.
            || family == Family::Ipv4 && unsafe { bindings::nfo_ip_routes_by_ports(net) };
        // Without policies the lookup for them would give the route back as it is.
        let dst = if self.without_policies() {
            dst
        } else {
            let flow = match flow {
                Some(flow) => flow,
                None => self.flow(family, reverse, mark)?,
            };
            self.under_policies(dst, flow, family, rcu)?
        };
        Some(Reverse {
            dst,
            is_one_of_several,
            is_guess,
        })
    }

    /// The same for packets that leave by the device that this one came in by, wherever routes would
    /// lead them otherwise. `device` is the one that they come in by.
    pub(crate) fn route_to_input(
        &self,
        device: &Device,
        reverse: &Forwarded<'_>,
        mark: u32,
        rcu: ReadSide<'_>,
    ) -> Option<Reverse> {
        let family = self.family()?;
        let mut flow = self.flow(family, reverse, mark)?;
        // CAST: Indices of devices are positive.
        flow.u.__fl_common.flowic_oif = self.input() as c_int;
        flow.u.__fl_common.flowic_iif = device.ifindex() as c_int;
        Some(Reverse {
            dst: self.output_route(flow, family, rcu)?,
            is_one_of_several: true,
            is_guess: false,
        })
    }

    /// A route as for a packet of this host, with what policies make of it; their state may be still
    /// missing: then there is none.
    fn output_route(
        &self,
        mut flow: bindings::flowi,
        family: Family,
        rcu: ReadSide<'_>,
    ) -> Option<Dst> {
        let mut dst = ptr::null_mut();
        let number = u16::from(family.as_raw());
        // CAST: The flags are eight bits, and common to both families.
        flow.u.__fl_common.flowic_flags = bindings::NFO_FLOWI_FLAG_ANYSRC as u8;
        // SAFETY: All of `flow` is initialised, as the family says; the namespace is valid, being that
        // of a hook that is running.
        unsafe { bindings::nf_route(self.state().net, &mut dst, &mut flow, false, number) };
        // SAFETY: A route comes with a reference, and is of that family.
        let dst = unsafe { Dst::from_raw(NonNull::new(dst)?, family) };
        if dst.is_error() {
            return None;
        }
        // The lookup of IPv4 has asked the policies itself.
        if dst.has_xfrm() || self.without_policies() {
            return Some(dst);
        }
        self.under_policies(dst, flow, family, rcu)
    }

    /// What policies make of a route for packets like `flow`.
    fn under_policies(
        &self,
        dst: Dst,
        mut flow: bindings::flowi,
        family: Family,
        rcu: ReadSide<'_>,
    ) -> Option<Dst> {
        flow.u.__fl_common.flowic_iif = 0;
        flow.u.__fl_common.flowic_oif = dst.device(rcu).ifindex() as c_int;
        let (net, dst) = (self.state().net, dst.into_raw());
        // SAFETY: All of `flow` is initialised, as the family says; the namespace is valid, being that
        // of a hook that is running. The reference to the route is taken over.
        let dst = unsafe { bindings::nfo_xfrm_lookup(net, dst, &flow) };
        let dst = NonNull::new(kernel::error::from_err_ptr(dst).ok()?)?;
        // SAFETY: What is returned in its place is one of the family with a reference.
        Some(unsafe { Dst::from_raw(dst, family) })
    }

    /// A packet for lookups, of the traffic class of this one.
    fn flow(&self, family: Family, packet: &Forwarded<'_>, mark: u32) -> Option<bindings::flowi> {
        let mut flow = bindings::flowi::default();
        let common = bindings::flowi_common {
            flowic_mark: mark,
            flowic_proto: packet.protocol,
            ..Default::default()
        };
        let mut uli = bindings::flowi_uli::default();
        if packet.has_ports {
            uli.ports.sport = u16::from_ne_bytes(packet.source_port);
            uli.ports.dport = u16::from_ne_bytes(packet.destination_port);
        }
        match family {
            Family::Ipv6 => {
                flow.u.ip6 = bindings::flowi6 {
                    __fl_common: common,
                    daddr: in6_addr(packet.destination),
                    saddr: in6_addr(packet.source),
                    // SAFETY: The packet is valid and has a network header, being forwarded.
                    flowlabel: unsafe { bindings::nfo_ip6_flowinfo(self.skb()) },
                    uli,
                    ..Default::default()
                };
            }
            Family::Ipv4 => {
                let mut ip4 = bindings::flowi4 {
                    __fl_common: common,
                    daddr: in_addr(packet.destination),
                    saddr: in_addr(packet.source),
                    uli,
                };
                // SAFETY: As above.
                unsafe { bindings::nfo_flowi4_set_dscp(&mut ip4, self.skb()) };
                flow.u.ip4 = ip4;
            }
            Family::Inet => return None,
        }
        Some(flow)
    }

    /// The index of the device that the packet came in by: of the uppermost one.
    pub(crate) fn input(&self) -> u32 {
        // SAFETY: The packet's state is valid, by the type invariant, and a forwarded packet has
        // come in by a device.
        unsafe { bindings::nfo_dev_ifindex(self.state().in_) }
    }

    /// The packet's mark.
    pub(crate) fn mark(&self) -> u32 {
        // SAFETY: The packet is valid, by the type invariant.
        unsafe { bindings::nfo_skb_mark(self.skb()) }
    }

    /// The route that a tunnel's packets take, from `from` to `to`, with this one inside, by that
    /// protocol. What marks this packet does not mark them.
    pub(crate) fn tunnel_route(
        &self,
        protocol: u8,
        from: &[u8; 16],
        to: &[u8; 16],
        rcu: ReadSide<'_>,
    ) -> Option<Dst> {
        let family = self.family()?;
        let packet = Forwarded {
            source: from,
            destination: to,
            protocol,
            has_ports: false,
            source_port: [0; 2],
            destination_port: [0; 2],
        };
        let mut flow = self.flow(family, &packet, 0)?;
        // CAST: Indices of devices are positive.
        flow.u.__fl_common.flowic_iif = self.input() as c_int;
        self.output_route(flow, family, rcu)
    }
}

/// A packet's route, to be recognised, and not to be followed.
pub(crate) struct RouteSeen {
    /// Where it is. A route that somebody holds is this one if it is at the same address.
    pub(crate) address: usize,
    /// Whether it leads to a gateway, so that all its packets go to one neighbour.
    pub(crate) has_gateway: bool,
    /// Whether the packet's destination is an ordinary host, elsewhere (C: `RTN_UNICAST`).
    ///
    /// That host is the source of the other direction's packets, which come in by the device that
    /// this route leaves through. So they pass what there is to check of an IPv4 source, also with
    /// `rp_filter`: where routes are by destination only, the one to that source is this.
    pub(crate) is_unicast: bool,
}

/// What was found for packets of the other direction.
pub(crate) struct Reverse {
    /// The route.
    pub(crate) dst: Dst,
    /// Whether there are several paths, of which a packet's addresses and ports choose.
    pub(crate) is_one_of_several: bool,
    /// Whether that choice, or the ports that rules of IPv4 ask for, were taken from the packet at hand,
    /// which is one of this direction.
    pub(crate) is_guess: bool,
}

/// Addresses and ports of a packet as it is forwarded: after translation.
pub(crate) struct Forwarded<'a> {
    /// IPv4 addresses are in the first four bytes.
    pub(crate) source: &'a [u8; 16],
    pub(crate) destination: &'a [u8; 16],
    /// The transport protocol's number.
    pub(crate) protocol: u8,
    /// Whether the protocol has ports.
    pub(crate) has_ports: bool,
    pub(crate) source_port: [u8; 2],
    pub(crate) destination_port: [u8; 2],
}

/// An IPv6 address, as C has it.
fn in6_addr(bytes: &[u8; 16]) -> bindings::in6_addr {
    let mut address = bindings::in6_addr::default();
    address.in6_u.u6_addr8 = *bytes;
    address
}

/// An IPv4 address, as C has it, from the first four bytes.
fn in_addr(bytes: &[u8; 16]) -> u32 {
    u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// A flowtable that a rule refers to, seen from that rule.
///
/// # Invariants
///
/// `raw` is a flowtable with this content, and outlives `'a`.
pub(crate) struct Reference<'a, T: flowtable::Type> {
    /// The flowtable of nf_tables.
    raw: NonNull<bindings::nft_flowtable>,
    /// What its type has put into it.
    content: &'a T,
}

impl<'a, T: flowtable::Type> Reference<'a, T> {
    /// The content of the flowtable.
    pub(crate) fn content(&self) -> &'a T {
        self.content
    }

    /// Whether a device belongs to the flowtable (C: `nft_flowtable_find_dev`).
    ///
    /// Walks the list of its devices, so it is for the packets that make flows, not for all. May be
    /// outdated the next moment: [`flowtable::Type::unbind`] tells when a device leaves. Under RCU.
    pub(crate) fn has_device(&self, device: &Device, _rcu: ReadSide<'_>) -> bool {
        // SAFETY: The flowtable is valid, by the type invariant. Its list of hooks is one of RCU, which
        // is held: entries stay, and the list leads back to its head.
        unsafe { list::entries(&raw const (*self.raw.as_ptr()).hook_list) }.any(|entry| {
            let hook = crate::compat::container_of!(entry, bindings::nft_hook, list);
            // SAFETY: Each entry is embedded in a hook; the device is valid.
            unsafe { bindings::nfo_nft_hook_has_device(hook, device.as_raw()) }
        })
    }
}

/// An expression with one attribute, the name of a flowtable, for the forward hook.
///
/// It has no state of its own, apart from what is in the flowtable.
pub(crate) trait Expression: 'static {
    /// What its flowtables contain. Rules that name a flowtable of another type are refused with
    /// `EOPNOTSUPP`.
    type Table: flowtable::Type;

    /// The name of the expression, as `nft` sends it.
    const NAME: &'static CStr;

    /// Looks at a packet.
    ///
    /// Softirq, under RCU, on any CPU; may not sleep or panic. Called for every packet that comes
    /// as far as this in the rule.
    fn eval(table: &Reference<'_, Self::Table>, packet: &Packet<'_>, rcu: ReadSide<'_>) -> Outcome;
}

/// The private area of an expression: what is behind `struct nft_expr` in each rule.
#[repr(C)]
struct Private {
    /// Valid from `init` to `destroy`.
    flowtable: *mut bindings::nft_flowtable,
}

/// The private area of an expression (C: `nft_expr_priv`).
///
/// # Safety
///
/// `expr` is one of ours, initialised or being so.
#[inline(always)]
unsafe fn private(expr: *const bindings::nft_expr) -> *mut Private {
    // SAFETY: By the contract, the area behind the expression has the size we asked for, and its
    // alignment.
    unsafe { (&raw const (*expr).data).cast_mut().cast() }
}

/// The flowtable that an expression refers to.
///
/// # Safety
///
/// `expr` is one of ours, from `init` to `destroy`.
#[inline(always)]
unsafe fn flowtable_of(expr: *const bindings::nft_expr) -> NonNull<bindings::nft_flowtable> {
    // SAFETY: By the contract; `init` has written what is not null.
    unsafe { NonNull::new_unchecked((*private(expr)).flowtable) }
}

/// The place where a flowtable counts the rules that use it.
///
/// # Safety
///
/// The flowtable is valid.
unsafe fn uses_of(ft: NonNull<bindings::nft_flowtable>) -> *mut u32 {
    // SAFETY: By the contract.
    unsafe { &raw mut (*ft.as_ptr()).use_ }
}

/// The C callbacks of an expression.
struct Adapter<E: Expression>(PhantomData<E>);

/// The attribute that has the flowtable's name.
const ATTRIBUTE: usize = bindings::NFO_FLOW_TABLE_NAME as usize;
/// The largest attribute there is.
const MAX_ATTRIBUTE: u32 = bindings::NFO_FLOW_MAX;

/// What netlink checks before `init` sees the attributes: that the name is a string, and not too
/// long.
struct Policy([bindings::nla_policy; MAX_ATTRIBUTE as usize + 1]);

// SAFETY: Constant data; the pointers in it, if any, are never followed for a string.
unsafe impl Sync for Policy {}

/// Static, since nf_tables keeps a pointer to it.
static POLICY: Policy = {
    // SAFETY: A policy of all zeros is one that accepts anything; integers and null pointers, in C
    // too.
    let mut policy: Policy = unsafe { core::mem::zeroed() };
    policy.0[ATTRIBUTE].type_ = bindings::NLA_STRING as u8;
    // CAST: A small constant.
    policy.0[ATTRIBUTE].len = (bindings::NFT_NAME_MAXLEN - 1) as u16;
    policy
};

impl<E: Expression> Adapter<E> {
    /// A packet passes the rule.
    ///
    /// # Safety
    ///
    /// Only for nf_tables, in a rule of a base chain or below it, in the forward hook.
    unsafe extern "C" fn eval(
        expr: *const bindings::nft_expr,
        regs: *mut bindings::nft_regs,
        pkt: *const bindings::nft_pktinfo,
    ) {
        // SAFETY: By the contract.
        let raw = unsafe { flowtable_of(expr) };
        // SAFETY: The rule holds the flowtable, and chains run under RCU.
        let content = unsafe { flowtable::content_of::<E::Table>(raw) };
        // SAFETY: By the contract, a packet in the forward hook; chains run under RCU.
        let (packet, rcu) = unsafe { (Packet { raw: &*pkt }, ReadSide::new()) };
        // `init` has checked the type, which never changes.
        let outcome = content.map_or(Outcome::Break, |content| {
            E::eval(&Reference { raw, content }, &packet, rcu)
        });
        if outcome == Outcome::Break {
            let verdict: *mut bindings::nft_verdict = regs.cast();
            // CAST: Verdict codes are signed in C's enum.
            // SAFETY: The registers are ours to write, and the verdict is the first of them.
            unsafe { (*verdict).code = bindings::NFO_NFT_BREAK as u32 };
        }
    }

    /// A rule is made.
    ///
    /// Fails with `EINVAL` if there is no name, `ENOENT` if there is no flowtable of that name in
    /// the table, `EOPNOTSUPP` if it is of another type, `EMFILE` if too many rules use it, and
    /// with whatever conntrack says when it cannot be had in this namespace.
    ///
    /// # Safety
    ///
    /// Only for nf_tables, with attributes that fit the policy.
    unsafe extern "C" fn init(
        ctx: *const bindings::nft_ctx,
        expr: *const bindings::nft_expr,
        tb: *const *const bindings::nlattr,
    ) -> c_int {
        kernel::error::from_result(|| {
            // SAFETY: By the contract there is a place for each attribute of the policy, and the
            // context is valid.
            let (name, ctx) = unsafe { (*tb.add(ATTRIBUTE), &*ctx) };
            if name.is_null() {
                return Err(EINVAL);
            }
            let (net, table) = (ctx.net, ctx.table);
            // The flowtable may be one that the same transaction makes.
            // SAFETY: The namespace is valid, being the context's.
            let genmask = unsafe { bindings::nfo_nft_genmask_next(net) };
            // SAFETY: So is the table; the name is an attribute that fits the policy, and the commit
            // mutex is held.
            let ft = unsafe { bindings::nfo_nft_flowtable_lookup(net, table, name, genmask) };
            let ft = NonNull::new(kernel::error::from_err_ptr(ft)?).ok_or(ENOENT)?;
            // SAFETY: Without the commit mutex it does not go.
            if unsafe { flowtable::content_of::<E::Table>(ft) }.is_none() {
                crate::compat::pr_warn_once!(
                    "flowtable of another module: nf_flow_table_inet was loaded first\n"
                );
                return Err(unsupported());
            }
            // SAFETY: As above.
            let uses = unsafe { uses_of(ft) };
            // SAFETY: As above; the count is changed under the commit mutex.
            if !unsafe { bindings::nfo_nft_use_inc(uses) } {
                return Err(EMFILE);
            }
            // SAFETY: The namespace is valid, being the context's.
            kernel::error::to_result(unsafe { bindings::nf_ct_netns_get(net, ctx.family) })
                // SAFETY: Counted above, under the same mutex.
                .inspect_err(|_| unsafe { bindings::nfo_nft_use_dec(uses) })?;
            // SAFETY: The area of the expression is ours, by the contract.
            unsafe { (*private(expr)).flowtable = ft.as_ptr() };
            Ok(0)
        })
    }

    /// The deletion of a rule is taken back.
    ///
    /// # Safety
    ///
    /// Only for nf_tables, with a rule that was deactivated.
    unsafe extern "C" fn activate(_ctx: *const bindings::nft_ctx, expr: *const bindings::nft_expr) {
        // SAFETY: By the contract; the count was given up by `deactivate` in the same transaction,
        // so that the flowtable has not gone, and its count has room for it.
        unsafe { bindings::nfo_nft_use_inc_restore(uses_of(flowtable_of(expr))) }
    }

    /// A rule will be gone, or is not to be after all; the phase tells which, and whether it was
    /// counted.
    ///
    /// # Safety
    ///
    /// Only for nf_tables, with a rule of ours.
    unsafe extern "C" fn deactivate(
        ctx: *const bindings::nft_ctx,
        expr: *const bindings::nft_expr,
        phase: bindings::nft_trans_phase,
    ) {
        // SAFETY: By the contract, the area holds the flowtable that `init` has found.
        let ft = unsafe { flowtable_of(expr) };
        // SAFETY: By the contract; it was found under the commit mutex, which is held.
        unsafe { bindings::nf_tables_deactivate_flowtable(ctx, ft.as_ptr(), phase) };
    }

    /// A rule is gone. What it referred to was given up by `deactivate`.
    ///
    /// # Safety
    ///
    /// Only for nf_tables, with a rule of ours that no packet is in.
    unsafe extern "C" fn destroy(ctx: *const bindings::nft_ctx, _expr: *const bindings::nft_expr) {
        // SAFETY: By the contract the context is valid; undoes what `init` has got, for the same
        // family.
        unsafe { bindings::nf_ct_netns_put((*ctx).net, (*ctx).family) }
    }

    /// The ruleset is listed: gives the name, as `init` took it. Fails if it does not fit into the
    /// message.
    ///
    /// # Safety
    ///
    /// Only for nf_tables, with a rule of ours and a message that is being made.
    unsafe extern "C" fn dump(
        skb: *mut bindings::sk_buff,
        expr: *const bindings::nft_expr,
        _reset: bool,
    ) -> c_int {
        // SAFETY: By the contract; the name is a C string that the flowtable owns, and never
        // changes.
        let name = unsafe { CStr::from_char_ptr((*flowtable_of(expr).as_ptr()).name) };
        let name = name.to_bytes_with_nul();
        // CAST: Names are short.
        let (kind, len, name) = (ATTRIBUTE as c_int, name.len() as c_int, name.as_ptr());
        // SAFETY: By the contract; as much of the name is read as it is long.
        let failed = unsafe { bindings::nla_put(skb, kind, len, name.cast()) };
        if failed == 0 {
            0
        } else {
            -1
        }
    }

    /// Refuses rules in chains that packets may reach by another hook than forward.
    ///
    /// `EOPNOTSUPP` for families that are none of ours, and for such hooks.
    ///
    /// # Safety
    ///
    /// Only for nf_tables, with a rule of ours.
    unsafe extern "C" fn validate(
        ctx: *const bindings::nft_ctx,
        _expr: *const bindings::nft_expr,
    ) -> c_int {
        // SAFETY: By the contract the context is valid.
        let (family, chain) = unsafe { ((*ctx).family, (*ctx).chain) };
        if Family::from_raw(family).is_none() {
            return unsupported().to_errno();
        }
        // SAFETY: A context of a rule has a chain.
        unsafe { bindings::nft_chain_validate_hooks(chain, 1 << bindings::NFO_FORWARD_HOOK) }
    }
}

/// The registration of an expression for one family.
///
/// Dropping it ends the registration. As with [`flowtable::Registration`], nobody is waited for who
/// is just looking through the list: it must be part of the module's own data.
///
/// # Invariants
///
/// `kind` is registered; it and `operations` refer to each other, and are pinned.
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<X: Expression> {
    /// The callbacks, which every rule points to.
    #[pin]
    operations: Opaque<bindings::nft_expr_ops>,
    /// What nf_tables links.
    #[pin]
    kind: Opaque<bindings::nft_expr_type>,
    _expression: PhantomData<X>,
}

// SAFETY: nf_tables has a lock for its list of expressions, so that the registration may be given
// up from any task.
unsafe impl<E: Expression> Send for Registration<E> {}
// SAFETY: There is nothing to be done with a shared registration.
unsafe impl<E: Expression> Sync for Registration<E> {}

impl<E: Expression> Registration<E> {
    /// Registers the expression for a family, on behalf of a module (C: `nft_register_expr`).
    ///
    /// nf_tables prefers it to one that is for all families, whichever was registered first. Rules
    /// may be made from then on; each holds a reference to the module. Process context, may sleep.
    pub(crate) fn register(
        family: Family,
        module: &'static ThisModule,
    ) -> impl PinInit<Self, Error> {
        let init = move |this: *mut Self| {
            // SAFETY: The slot is valid for writes, by the contract of initialisers.
            let (operations, kind) =
                unsafe { (&raw mut (*this).operations, &raw mut (*this).kind) };
            // Both fields are transparent.
            let operations: *mut bindings::nft_expr_ops = operations.cast();
            let kind: *mut bindings::nft_expr_type = kind.cast();
            let size = (size_of::<bindings::nft_expr>() + size_of::<Private>())
                .next_multiple_of(align_of::<u64>());
            let callbacks = bindings::nft_expr_ops {
                type_: kind,
                // CAST: A small constant.
                size: size as u32,
                eval: Some(Adapter::<E>::eval),
                init: Some(Adapter::<E>::init),
                activate: Some(Adapter::<E>::activate),
                deactivate: Some(Adapter::<E>::deactivate),
                destroy: Some(Adapter::<E>::destroy),
                validate: Some(Adapter::<E>::validate),
                dump: Some(Adapter::<E>::dump),
                ..Default::default()
            };
            // SAFETY: A field of the slot.
            unsafe { operations.write(callbacks) };
            let linked = bindings::nft_expr_type {
                name: E::NAME.as_char_ptr(),
                ops: operations,
                policy: POLICY.0.as_ptr(),
                maxattr: MAX_ATTRIBUTE,
                owner: module.as_ptr(),
                family: family.as_raw(),
                ..Default::default()
            };
            // SAFETY: As above.
            unsafe { kind.write(linked) };
            // SAFETY: What C is given stays: the fields are pinned, the policy is static, and the
            // name and the functions are the module's.
            kernel::error::to_result(unsafe { bindings::nft_register_expr(kind) })
        };
        // SAFETY: Initialises all fields, the marker being of no size, and fails only before the
        // registration, when nothing refers to them.
        unsafe { crate::compat::pin_init_from_closure(init) }
    }
}

#[pinned_drop]
impl<E: Expression> PinnedDrop for Registration<E> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type invariant; no rule is left, or the module would still be
        // in use: each holds a reference to it.
        unsafe { bindings::nft_unregister_expr(self.kind.get()) };
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Expressions of nf_tables that refer to a flowtable.
//!
//! C header: [`include/net/netfilter/nf_tables.h`](srctree/include/net/netfilter/nf_tables.h)

use crate::bindings;
use crate::kernel_net::conntrack::Conn;
use crate::kernel_net::device::Device;
use crate::kernel_net::dst::Dst;
use crate::kernel_net::flowtable;
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
use kernel::prelude::*;
use kernel::types::Opaque;

/// A forwarded packet, while a rule looks at it.
pub(crate) struct Packet<'a> {
    raw: &'a bindings::nft_pktinfo,
}

/// Whether the rule goes on after the expression.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Continue,
    /// The rule ends here, without a verdict.
    Break,
}

/// Flags of a TCP header.
#[derive(Clone, Copy)]
pub(crate) struct TcpFlags(u8);

impl TcpFlags {
    /// Whether the packet ends the connection, or begins to.
    pub(crate) fn closes(self) -> bool {
        self.0 & 0x05 != 0
    }
}

impl<'a> Packet<'a> {
    fn skb(&self) -> *mut bindings::sk_buff {
        self.raw.skb
    }

    /// The packet's family: IPv4 or IPv6.
    pub(crate) fn family(&self) -> Option<Family> {
        // SAFETY: The packet's state is valid as long as the packet.
        Family::from_raw(unsafe { bindings::nfo_nft_pf(self.raw) })
    }

    /// Whether the packet came through IPsec.
    pub(crate) fn is_decrypted(&self) -> bool {
        // SAFETY: The skb is valid.
        unsafe { bindings::nfo_skb_sec_path(self.skb()) }
    }

    /// Whether there are IPv4 options.
    pub(crate) fn has_ip_options(&self) -> bool {
        // SAFETY: The skb is valid; in the forward path its control block is that of IP.
        self.family() == Some(Family::Ipv4)
            && unsafe { bindings::nfo_ip_options_len(self.skb()) } != 0
    }

    /// The connection, and the packet's direction in it.
    pub(crate) fn connection(&self) -> Option<(&'a Conn, Side)> {
        let mut info = 0;
        // SAFETY: The skb is valid; it holds a reference to its entry, for `'a`.
        let conn = unsafe { bindings::nfo_ct_get(self.skb(), &mut info) };
        let side = if info >= bindings::ip_conntrack_info_IP_CT_IS_REPLY {
            Side::Reply
        } else {
            Side::Original
        };
        // SAFETY: As above.
        Some((unsafe { Conn::from_raw(NonNull::new(conn)?) }, side))
    }

    /// The flags of the TCP header; [`None`] if it is cut off.
    pub(crate) fn tcp_flags(&self) -> Option<TcpFlags> {
        let mut buffer = [0u8; 14];
        // SAFETY: The skb is valid, and the buffer as long as what is asked for.
        unsafe {
            let header = bindings::nfo_skb_header_pointer(
                self.skb(),
                c_int::from(self.raw.thoff),
                14,
                buffer.as_mut_ptr().cast(),
            );
            NonNull::new(header.cast_mut()).map(|h| TcpFlags(*h.cast::<u8>().as_ptr().add(13)))
        }
    }

    /// The route of this packet.
    pub(crate) fn route(&self) -> Option<Dst> {
        let family = self.family()?;
        // SAFETY: The skb is valid; a reference is taken if that is still possible.
        unsafe {
            let dst = NonNull::new(bindings::nfo_skb_dst(self.skb()))?;
            bindings::nfo_dst_hold_safe(dst.as_ptr()).then(|| Dst::from_raw(dst, family))
        }
    }

    /// The route that a packet in the other direction takes, from `from` to `to`, coming in by the
    /// device that this one leaves through: that of `forward`, its route.
    pub(crate) fn reverse_route(
        &self,
        forward: &Dst,
        from: &[u8; 16],
        to: &[u8; 16],
        rcu: ReadSide<'_>,
    ) -> Option<Dst> {
        self.route_from(from, to, self.input(), forward.device(rcu).ifindex())
    }

    /// The route that a tunnel's packets take, from `from` to `to`, with this one inside.
    pub(crate) fn tunnel_route(
        &self,
        from: &[u8; 16],
        to: &[u8; 16],
        _rcu: ReadSide<'_>,
    ) -> Option<Dst> {
        self.route_from(from, to, 0, self.input())
    }

    /// The index of the device that the packet came in by.
    fn input(&self) -> u32 {
        // SAFETY: The packet's state is valid as long as the packet, and a forwarded packet has
        // come in by a device.
        unsafe { bindings::nfo_dev_ifindex((*self.raw.state).in_) }
    }

    /// Looks a route up: from address to address, out by a device if that is not 0, in by a device,
    /// with the mark and the traffic class of this packet (C: `nf_route`).
    fn route_from(&self, from: &[u8; 16], to: &[u8; 16], out: u32, input: u32) -> Option<Dst> {
        let family = self.family()?;
        let mut flow = bindings::flowi::default();
        // SAFETY: The packet is valid.
        let mark = unsafe { bindings::nfo_skb_mark(self.skb()) };
        // CAST: Indices are positive, in C signed; flags are eight bits.
        let common = bindings::flowi_common {
            flowic_oif: out as c_int,
            flowic_iif: input as c_int,
            flowic_mark: mark,
            flowic_flags: bindings::NFO_FLOWI_FLAG_ANYSRC as u8,
            ..Default::default()
        };
        match family {
            Family::Ipv6 => {
                let address = |bytes: &[u8; 16]| {
                    let mut address = bindings::in6_addr::default();
                    address.in6_u.u6_addr8 = *bytes;
                    address
                };
                flow.u.ip6 = bindings::flowi6 {
                    __fl_common: common,
                    daddr: address(to),
                    saddr: address(from),
                    // SAFETY: The packet is valid and has a network header, being forwarded.
                    flowlabel: unsafe { bindings::nfo_ip6_flowinfo(self.skb()) },
                    ..Default::default()
                };
            }
            _ => {
                let mut ip4 = bindings::flowi4 {
                    __fl_common: common,
                    daddr: u32::from_ne_bytes([to[0], to[1], to[2], to[3]]),
                    saddr: u32::from_ne_bytes([from[0], from[1], from[2], from[3]]),
                    ..Default::default()
                };
                // SAFETY: As above.
                unsafe { bindings::nfo_flowi4_set_dscp(&mut ip4, self.skb()) };
                flow.u.ip4 = ip4;
            }
        }
        let mut dst = ptr::null_mut();
        let number = u16::from(family.as_raw());
        // SAFETY: All of `flow` is initialised, as the family says. A route comes with a reference.
        unsafe {
            bindings::nf_route((*self.raw.state).net, &mut dst, &mut flow, false, number);
            NonNull::new(dst).map(|dst| Dst::from_raw(dst, family))
        }
    }
}

/// A flowtable that a rule refers to, seen from that rule.
pub(crate) struct Reference<'a, T: flowtable::Type> {
    raw: NonNull<bindings::nft_flowtable>,
    content: &'a T,
}

impl<'a, T: flowtable::Type> Reference<'a, T> {
    /// The content of the flowtable.
    pub(crate) fn content(&self) -> &'a T {
        self.content
    }

    /// Whether a device belongs to the flowtable.
    pub(crate) fn has_device(&self, device: &Device, _rcu: ReadSide<'_>) -> bool {
        // SAFETY: The rule holds the flowtable, RCU protects its list of hooks; each entry is
        // embedded in a hook.
        unsafe {
            let head = &raw const (*self.raw.as_ptr()).hook_list;
            let mut at = ptr::read_volatile(&raw const (*head).next);
            while !ptr::eq(at, head) {
                let hook = kernel::container_of!(at, bindings::nft_hook, list);
                if !bindings::nft_hook_find_ops_rcu(hook, device.as_raw()).is_null() {
                    return true;
                }
                at = ptr::read_volatile(&raw const (*at).next);
            }
        }
        false
    }
}

/// An expression with one attribute, the name of a flowtable, for the forward hook.
pub(crate) trait Expression: 'static {
    /// What its flowtables contain.
    type Table: flowtable::Type;

    /// The name of the expression.
    const NAME: &'static CStr;

    /// Looks at a packet. Softirq, under RCU.
    fn eval(table: &Reference<'_, Self::Table>, packet: &Packet<'_>, rcu: ReadSide<'_>) -> Outcome;
}

/// The private area of an expression.
#[repr(C)]
struct Private {
    flowtable: *mut bindings::nft_flowtable,
}

/// # Safety
///
/// `expr` is one of ours, initialised or being so.
#[inline(always)]
unsafe fn private(expr: *const bindings::nft_expr) -> *mut Private {
    // SAFETY: By the contract, the area behind the expression has the size we asked for.
    unsafe { (&raw const (*expr).data).cast_mut().cast() }
}

/// The C callbacks of an expression.
struct Adapter<E: Expression>(PhantomData<E>);

const ATTRIBUTE: usize = bindings::NFO_FLOW_TABLE_NAME as usize;
const MAX_ATTRIBUTE: u32 = bindings::NFO_FLOW_MAX;

/// What netlink checks before `init` sees the attributes.
struct Policy([bindings::nla_policy; MAX_ATTRIBUTE as usize + 1]);

// SAFETY: Constant data.
unsafe impl Sync for Policy {}

static POLICY: Policy = {
    // SAFETY: A policy of all zeros is one that accepts anything.
    let mut policy: Policy = unsafe { core::mem::zeroed() };
    policy.0[ATTRIBUTE].type_ = bindings::NLA_STRING as u8;
    // CAST: A small constant.
    policy.0[ATTRIBUTE].len = (bindings::NFT_NAME_MAXLEN - 1) as u16;
    policy
};

impl<E: Expression> Adapter<E> {
    /// # Safety
    ///
    /// Only for nf_tables, in a rule of a base chain or below it.
    unsafe extern "C" fn eval(
        expr: *const bindings::nft_expr,
        regs: *mut bindings::nft_regs,
        pkt: *const bindings::nft_pktinfo,
    ) {
        // SAFETY: By the contract: the rule holds the flowtable, whose type `init` has checked,
        // chains run under RCU, and the registers are ours to write.
        unsafe {
            let raw = NonNull::new_unchecked((*private(expr)).flowtable);
            let outcome = match flowtable::content_of::<E::Table>(raw) {
                Some(content) => {
                    let reference = Reference { raw, content };
                    E::eval(&reference, &Packet { raw: &*pkt }, ReadSide::new())
                }
                None => Outcome::Break,
            };
            if outcome == Outcome::Break {
                let verdict: *mut bindings::nft_verdict = regs.cast();
                // CAST: Verdict codes are signed in C's enum.
                (*verdict).code = bindings::NFO_NFT_BREAK as u32;
            }
        }
    }

    /// # Safety
    ///
    /// Only for nf_tables, with attributes that fit the policy.
    unsafe extern "C" fn init(
        ctx: *const bindings::nft_ctx,
        expr: *const bindings::nft_expr,
        tb: *const *const bindings::nlattr,
    ) -> c_int {
        kernel::error::from_result(|| {
            // SAFETY: By the contract; the area of the expression is ours.
            unsafe {
                let name = *tb.add(ATTRIBUTE);
                if name.is_null() {
                    return Err(EINVAL);
                }
                let ctx = &*ctx;
                let genmask = bindings::nfo_nft_genmask_next(ctx.net);
                let ft = kernel::error::from_err_ptr(bindings::nft_flowtable_lookup(
                    ctx.net, ctx.table, name, genmask,
                ))?;
                let ft = NonNull::new(ft).ok_or(ENOENT)?;
                if flowtable::content_of::<E::Table>(ft).is_none() {
                    kernel::pr_warn_once!(
                        "flowtable of another module: nf_flow_table_inet was loaded first\n"
                    );
                    return Err(unsupported());
                }
                let uses = &raw mut (*ft.as_ptr()).use_;
                if !bindings::nfo_nft_use_inc(uses) {
                    return Err(EMFILE);
                }
                if let Err(error) =
                    kernel::error::to_result(bindings::nf_ct_netns_get(ctx.net, ctx.family))
                {
                    bindings::nfo_nft_use_dec(uses);
                    return Err(error);
                }
                (*private(expr)).flowtable = ft.as_ptr();
            }
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Only for nf_tables.
    unsafe extern "C" fn activate(_ctx: *const bindings::nft_ctx, expr: *const bindings::nft_expr) {
        // SAFETY: By the contract; the count was given up by `deactivate`.
        unsafe { bindings::nfo_nft_use_inc_restore(&raw mut (*(*private(expr)).flowtable).use_) }
    }

    /// # Safety
    ///
    /// Only for nf_tables.
    unsafe extern "C" fn deactivate(
        ctx: *const bindings::nft_ctx,
        expr: *const bindings::nft_expr,
        phase: bindings::nft_trans_phase,
    ) {
        // SAFETY: By the contract.
        unsafe {
            bindings::nf_tables_deactivate_flowtable(ctx, (*private(expr)).flowtable, phase);
        }
    }

    /// # Safety
    ///
    /// Only for nf_tables.
    unsafe extern "C" fn destroy(ctx: *const bindings::nft_ctx, _expr: *const bindings::nft_expr) {
        // SAFETY: By the contract; undoes what `init` has got.
        unsafe { bindings::nf_ct_netns_put((*ctx).net, (*ctx).family) }
    }

    /// # Safety
    ///
    /// Only for nf_tables.
    unsafe extern "C" fn dump(
        skb: *mut bindings::sk_buff,
        expr: *const bindings::nft_expr,
        _reset: bool,
    ) -> c_int {
        // SAFETY: By the contract; the name is a C string that the flowtable owns.
        unsafe {
            let name = (*(*private(expr)).flowtable).name;
            let len = CStr::from_char_ptr(name).to_bytes_with_nul().len();
            // CAST: Names are short.
            let failed = bindings::nla_put(skb, ATTRIBUTE as c_int, len as c_int, name.cast());
            if failed == 0 {
                0
            } else {
                -1
            }
        }
    }

    /// # Safety
    ///
    /// Only for nf_tables.
    unsafe extern "C" fn validate(
        ctx: *const bindings::nft_ctx,
        _expr: *const bindings::nft_expr,
    ) -> c_int {
        // SAFETY: By the contract.
        unsafe {
            if Family::from_raw((*ctx).family).is_none() {
                return unsupported().to_errno();
            }
            bindings::nft_chain_validate_hooks((*ctx).chain, 1 << bindings::NFO_FORWARD_HOOK)
        }
    }
}

/// The registration of an expression for one family.
///
/// # Invariants
///
/// `kind` is registered; it and `operations` refer to each other, and are pinned.
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<E: Expression> {
    #[pin]
    operations: Opaque<bindings::nft_expr_ops>,
    #[pin]
    kind: Opaque<bindings::nft_expr_type>,
    _expression: PhantomData<E>,
}

// SAFETY: nf_tables has a lock for its list of expressions.
unsafe impl<E: Expression> Send for Registration<E> {}
// SAFETY: As above.
unsafe impl<E: Expression> Sync for Registration<E> {}

impl<E: Expression> Registration<E> {
    /// Registers the expression for a family, on behalf of a module. nf_tables prefers it to one
    /// that is for all families.
    pub(crate) fn register(
        family: Family,
        module: &'static ThisModule,
    ) -> impl PinInit<Self, Error> {
        // SAFETY: Initialises all fields, and fails only before the registration.
        unsafe {
            pin_init::pin_init_from_closure(move |this: *mut Self| {
                let operations = Opaque::cast_into(&raw const (*this).operations);
                let kind = Opaque::cast_into(&raw const (*this).kind);
                let size = (size_of::<bindings::nft_expr>() + size_of::<Private>())
                    .next_multiple_of(align_of::<u64>());
                operations.write(bindings::nft_expr_ops {
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
                });
                kind.write(bindings::nft_expr_type {
                    name: E::NAME.as_char_ptr(),
                    ops: operations,
                    policy: POLICY.0.as_ptr(),
                    maxattr: MAX_ATTRIBUTE,
                    owner: module.as_ptr(),
                    family: family.as_raw(),
                    ..Default::default()
                });
                kernel::error::to_result(bindings::nft_register_expr(kind))
            })
        }
    }
}

#[pinned_drop]
impl<E: Expression> PinnedDrop for Registration<E> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type invariant; no rule is left, or the module would still
        // be in use.
        unsafe { bindings::nft_unregister_expr(self.kind.get()) };
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Rules for hardware: what packets of one direction look like, and what is to be done to them.
//!
//! Drivers get rules in the form that tc's flower classifier has, and decode them exactly: which
//! keys there are, masks, byte order, and the order of actions. A [`Rule`] is made from the outside
//! in, by one call for each key and each action, and has room for [`MAX_ACTIONS`]: one more is an
//! error and not a write behind the end.
//!
//! A rule has a reference to the device it sends packets to, so that a driver may use it for as long
//! as it has the rule. What drivers keep of a rule beyond their callback is their own copy.
//!
//! Making and dropping is for process context.
//!
//! C header: [`include/net/flow_offload.h`](srctree/include/net/flow_offload.h)

use crate::bindings;
use crate::compat::prelude::*;
use crate::compat::sync::aref::ARef;
use crate::kernel_net::device::Device;
use core::mem::offset_of;
use core::ptr::NonNull;

/// The most actions a rule may have (C: `NF_FLOW_RULE_ACTION_MAX`).
pub(crate) const MAX_ACTIONS: u32 = 24;

/// One action too many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooLong;

/// The header that an action changes (C: `enum flow_action_mangle_base`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Header {
    Ethernet,
    Ipv4,
    Ipv6,
    Tcp,
    Udp,
}

impl Header {
    fn as_raw(self) -> c_uint {
        match self {
            Header::Ethernet => bindings::flow_action_mangle_base_FLOW_ACT_MANGLE_HDR_TYPE_ETH,
            Header::Ipv4 => bindings::flow_action_mangle_base_FLOW_ACT_MANGLE_HDR_TYPE_IP4,
            Header::Ipv6 => bindings::flow_action_mangle_base_FLOW_ACT_MANGLE_HDR_TYPE_IP6,
            Header::Tcp => bindings::flow_action_mangle_base_FLOW_ACT_MANGLE_HDR_TYPE_TCP,
            Header::Udp => bindings::flow_action_mangle_base_FLOW_ACT_MANGLE_HDR_TYPE_UDP,
        }
    }
}

/// Which of a packet's VLAN tags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum VlanTag {
    Outer,
    Inner,
}

/// What checksums are to be made right (C: `TCA_CSUM_UPDATE_FLAG_*`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Checksums {
    Ipv4,
    Ipv4AndTcp,
    Ipv4AndUdp,
}

/// A rule.
///
/// # Invariants
///
/// `raw` comes from `flow_rule_alloc` with room for [`MAX_ACTIONS`], is owned, and has no more than
/// these. Its match points into `matched`.
pub(crate) struct Rule {
    raw: NonNull<bindings::flow_rule>,
    matched: KBox<bindings::nf_flow_match>,
    target: Option<ARef<Device>>,
}

// SAFETY: The memory is owned, and belongs to no task; device references may be given up anywhere.
unsafe impl Send for Rule {}

/// Both the key and the mask of a field of [`bindings::nf_flow_key`], for writes.
macro_rules! field {
    ($self:ident, $field:ident) => {{
        let matched = &mut *$self.matched;
        (&mut matched.key.$field, &mut matched.mask.$field)
    }};
}

impl Rule {
    /// A rule that says nothing. Process context; fails with `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        let matched = KBox::new(bindings::nf_flow_match::default(), GFP_KERNEL)?;
        // SAFETY: May sleep, which callers can.
        let raw = unsafe { bindings::flow_rule_alloc(MAX_ACTIONS) };
        // INVARIANT: Just allocated; `clear` sets number and pointers.
        let mut rule = Self {
            raw: NonNull::new(raw).ok_or(ENOMEM)?,
            matched,
            target: None,
        };
        rule.clear();
        Ok(rule)
    }

    /// Makes it say nothing again.
    pub(crate) fn clear(&mut self) {
        *self.matched = bindings::nf_flow_match::default();
        let rule = self.raw.as_ptr();
        // While they are cleared, the number says so: compilers may check that.
        self.head().action.num_entries = MAX_ACTIONS;
        for number in 0..MAX_ACTIONS {
            let nothing = bindings::flow_action_entry {
                // Drivers may count as they like.
                hw_stats: bindings::flow_action_hw_stats_FLOW_ACTION_HW_STATS_DONT_CARE,
                ..Default::default()
            };
            // SAFETY: The rule is owned, by the type invariant, and has that many entries.
            unsafe { bindings::nfo_rule_action(rule, number).write(nothing) };
        }
        let matched = &mut *self.matched;
        let places = bindings::flow_match {
            dissector: &raw mut matched.dissector,
            key: (&raw mut matched.key).cast(),
            mask: (&raw mut matched.mask).cast(),
        };
        let head = self.head();
        head.action.num_entries = 0;
        head.match_ = places;
        self.target = None;
    }

    /// Gives the device up that packets were sent to. The rule says nothing then.
    pub(crate) fn release(&mut self) {
        if self.target.is_some() {
            self.clear();
        }
    }

    /// The C structure, but for its entries, which are behind it.
    fn head(&mut self) -> &mut bindings::flow_rule {
        // SAFETY: Owned, by the type invariant, and borrowed mutably.
        unsafe { self.raw.as_mut() }
    }

    /// The C structure, for a driver's callback.
    pub(super) fn as_raw(&self) -> *mut bindings::flow_rule {
        self.raw.as_ptr()
    }

    /// Says where a key is.
    fn place(&mut self, id: bindings::flow_dissector_key_id, offset: usize) {
        if let Some(place) = self.matched.dissector.offset.get_mut(id as usize) {
            // CAST: The structure has less than 64 KiB.
            *place = offset as u16;
        }
    }

    /// Says that a key counts.
    fn uses(&mut self, id: bindings::flow_dissector_key_id) {
        self.matched.dissector.used_keys |= 1 << id;
    }

    /// The places of all keys that C's flowtable may use, whether a rule does or not.
    fn places(&mut self) {
        use bindings::nf_flow_key as Keys;
        let addresses = offset_of!(Keys, __bindgen_anon_1);
        for (id, offset) in [
            (META, offset_of!(Keys, meta)),
            (CONTROL, offset_of!(Keys, control)),
            (BASIC, offset_of!(Keys, basic)),
            (IPV4, addresses),
            (IPV6, addresses),
            (TCP, offset_of!(Keys, tcp)),
            (PORTS, offset_of!(Keys, tp)),
        ] {
            self.place(id, offset);
        }
    }

    /// Packets that come in by the device with this index, and have this EtherType, in host order,
    /// and transport protocol.
    pub(crate) fn match_packets(&mut self, ifindex: u32, ethertype: u16, protocol: u8) {
        self.places();
        let bindings::nf_flow_match { key, mask, .. } = &mut *self.matched;
        let (meta, meta_mask) = (&mut key.meta, &mut mask.meta);
        let (basic, basic_mask) = (&mut key.basic, &mut mask.basic);
        let control_mask = &mut mask.control;
        // CAST: Indices are positive.
        meta.ingress_ifindex = ifindex as c_int;
        meta_mask.ingress_ifindex = -1;
        basic.n_proto = ethertype.to_be();
        basic_mask.n_proto = 0xffff;
        basic.ip_proto = protocol;
        basic_mask.ip_proto = 0xff;
        control_mask.addr_type = 0xffff;
        for id in [META, CONTROL, BASIC] {
            self.uses(id);
        }
    }

    /// Packets with these addresses, as on the wire: of 4 bytes each, or of 16.
    pub(crate) fn match_addresses<const N: usize>(
        &mut self,
        source: [u8; N],
        destination: [u8; N],
    ) {
        const { assert!(N == 4 || N == 16) };
        let id = if N == 4 { IPV4 } else { IPV6 };
        // CAST: A small number.
        self.matched.key.control.addr_type = id as u16;
        let (key, mask) = field!(self, __bindgen_anon_1);
        // SAFETY: The union has room for two addresses of 16 bytes, one after the other.
        unsafe { write_bytes(key, [source, destination]) };
        // SAFETY: As above.
        unsafe { write_bytes(mask, [[0xff_u8; N]; 2]) };
        self.uses(id);
    }

    /// Packets with these ports, as on the wire.
    pub(crate) fn match_ports(&mut self, source: [u8; 2], destination: [u8; 2]) {
        let (key, mask) = field!(self, tp);
        // SAFETY: Four bytes in this order.
        unsafe { write_bytes(key, [source, destination]) };
        // SAFETY: As above.
        unsafe { write_bytes(mask, [[0xff_u8; 2]; 2]) };
        self.uses(PORTS);
    }

    /// Packets of TCP that neither end nor reset a connection: those are for software.
    pub(crate) fn match_tcp_data(&mut self) {
        const FIN_AND_RST: u16 = 0x0005;
        let (_, mask) = field!(self, tcp);
        mask.flags = FIN_AND_RST.to_be();
        self.uses(TCP);
    }

    /// Packets with this VLAN tag.
    ///
    /// As C does, this says what and where the key is, but not that it counts. Drivers go by that,
    /// or do not look at tags at all.
    pub(crate) fn match_vlan(&mut self, which: VlanTag, ethertype: u16, id: u16) {
        let ((key, mask), key_id, offset) = match which {
            VlanTag::Outer => (
                field!(self, vlan),
                bindings::flow_dissector_key_id_FLOW_DISSECTOR_KEY_VLAN,
                offset_of!(bindings::nf_flow_key, vlan),
            ),
            VlanTag::Inner => (
                field!(self, cvlan),
                bindings::flow_dissector_key_id_FLOW_DISSECTOR_KEY_CVLAN,
                offset_of!(bindings::nf_flow_key, cvlan),
            ),
        };
        // SAFETY: A key, which is borrowed mutably.
        unsafe { bindings::nfo_match_vlan(key, id, ethertype.to_be()) };
        // SAFETY: As above.
        unsafe { bindings::nfo_match_vlan(mask, 0xfff, 0xffff) };
        self.place(key_id, offset);
    }

    /// The next action.
    fn action(&mut self) -> Result<*mut bindings::flow_action_entry, TooLong> {
        let entries = &mut self.head().action.num_entries;
        let number = *entries;
        if number >= MAX_ACTIONS {
            return Err(TooLong);
        }
        *entries = number + 1;
        // SAFETY: The rule is owned, and has room for that many, by the type invariant.
        Ok(unsafe { bindings::nfo_rule_action(self.raw.as_ptr(), number) })
    }

    /// Replaces the bits of a word that `keep` has not. The words are as they stand in the packet,
    /// `offset` bytes into the header.
    pub(crate) fn mangle(
        &mut self,
        header: Header,
        offset: u32,
        keep: [u8; 4],
        value: [u8; 4],
    ) -> Result<(), TooLong> {
        let entry = self.action()?;
        let (mask, value) = (u32::from_ne_bytes(keep), u32::from_ne_bytes(value));
        // SAFETY: One of the rule's entries.
        unsafe { bindings::nfo_action_mangle(entry, header.as_raw(), offset, mask, value) };
        Ok(())
    }

    /// Takes the outermost VLAN tag off.
    pub(crate) fn vlan_pop(&mut self) -> Result<(), TooLong> {
        let entry = self.action()?;
        // SAFETY: One of the rule's entries.
        unsafe { (*entry).id = bindings::flow_action_id_FLOW_ACTION_VLAN_POP };
        Ok(())
    }

    /// Puts a VLAN tag on. The outermost is the first.
    pub(crate) fn vlan_push(&mut self, ethertype: u16, id: u16) -> Result<(), TooLong> {
        let entry = self.action()?;
        // SAFETY: One of the rule's entries.
        unsafe { bindings::nfo_action_vlan_push(entry, id, ethertype.to_be()) };
        Ok(())
    }

    /// Puts the header of a PPPoE session on.
    pub(crate) fn pppoe_push(&mut self, session: u16) -> Result<(), TooLong> {
        let entry = self.action()?;
        // SAFETY: One of the rule's entries.
        unsafe { bindings::nfo_action_pppoe_push(entry, session) };
        Ok(())
    }

    /// Makes checksums right.
    pub(crate) fn checksum(&mut self, which: Checksums) -> Result<(), TooLong> {
        let entry = self.action()?;
        let ipv4 = bindings::TCA_CSUM_UPDATE_FLAG_IPV4HDR;
        let flags = match which {
            Checksums::Ipv4 => ipv4,
            Checksums::Ipv4AndTcp => ipv4 | bindings::TCA_CSUM_UPDATE_FLAG_TCP,
            Checksums::Ipv4AndUdp => ipv4 | bindings::TCA_CSUM_UPDATE_FLAG_UDP,
        };
        // SAFETY: One of the rule's entries.
        unsafe { bindings::nfo_action_csum(entry, flags) };
        Ok(())
    }

    /// Sends packets out by a device, to which the rule takes a reference.
    pub(crate) fn redirect(&mut self, device: ARef<Device>) -> Result<(), TooLong> {
        let entry = self.action()?;
        // SAFETY: One of the rule's entries; the device stays as long as the rule says this.
        unsafe { bindings::nfo_action_redirect(entry, device.as_raw()) };
        self.target = Some(device);
        Ok(())
    }
}

/// Writes bytes where C has a structure of the same layout.
///
/// # Safety
///
/// A `T` has room for a `B`, and may have any bytes.
unsafe fn write_bytes<T, B>(to: &mut T, bytes: B) {
    const { assert!(size_of::<T>() >= size_of::<B>()) };
    // SAFETY: By the contract; it is borrowed mutably.
    unsafe { core::ptr::from_mut(to).cast::<B>().write_unaligned(bytes) }
}

const META: bindings::flow_dissector_key_id =
    bindings::flow_dissector_key_id_FLOW_DISSECTOR_KEY_META;
const CONTROL: bindings::flow_dissector_key_id =
    bindings::flow_dissector_key_id_FLOW_DISSECTOR_KEY_CONTROL;
const BASIC: bindings::flow_dissector_key_id =
    bindings::flow_dissector_key_id_FLOW_DISSECTOR_KEY_BASIC;
const IPV4: bindings::flow_dissector_key_id =
    bindings::flow_dissector_key_id_FLOW_DISSECTOR_KEY_IPV4_ADDRS;
const IPV6: bindings::flow_dissector_key_id =
    bindings::flow_dissector_key_id_FLOW_DISSECTOR_KEY_IPV6_ADDRS;
const TCP: bindings::flow_dissector_key_id = bindings::flow_dissector_key_id_FLOW_DISSECTOR_KEY_TCP;
const PORTS: bindings::flow_dissector_key_id =
    bindings::flow_dissector_key_id_FLOW_DISSECTOR_KEY_PORTS;

impl Drop for Rule {
    fn drop(&mut self) {
        // SAFETY: Owned, by the type invariant, and from an allocation of the kernel's.
        unsafe { bindings::kfree(self.raw.as_ptr().cast()) };
    }
}

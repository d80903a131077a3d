// SPDX-License-Identifier: GPL-2.0

//! Packets.
//!
//! An [`Skb`] is a packet in the hands of an ingress hook: it is looked at, perhaps rewritten, and
//! given on, all on one CPU and in one go. What the type adds to `struct sk_buff` is ownership. It
//! is an affine value: sending it with [`Skb::transmit`], or letting it go on with a
//! [`Verdict`](super::netfilter::Verdict), consumes it, and dropping it frees the packet. So none
//! can leak, and none can be touched after it was sent.
//!
//! # Cost
//!
//! There are millions of packets a second, and a call into C costs more than most of what it would
//! do. Field accesses compile to single loads and stores; what needs C is one call each, and the
//! calls that a plain packet needs are in its way only when they have something to do:
//! [`Skb::pull`] and [`Skb::make_writable`] look first. Sending is one coarse call.
//!
//! # Layout
//!
//! ```text
//!   head            data                    tail        end
//!    |  headroom     | network header, ...   |           |      + fragments: pages, or a list
//!    |<------------->|<----- linear -------->|           |
//!                    |<-------------------- len ---------------------->|
//! ```
//!
//! At ingress `data` is at the network header: the device has taken the link-layer header off. A
//! packet may have come in pieces, of which only the linear one can be read directly, and the
//! headers may be anywhere: a parser asks [`Skb::pull`] for as much as it wants to see. The bytes
//! may be shared with clones, as of a packet socket that listens; [`Skb::make_writable`] ends that
//! for those that are going to be written.
//!
//! Context: softirq, as hooks are called. Memory is allocated with `GFP_ATOMIC`.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use crate::bindings;
use crate::compat::prelude::*;
use crate::kernel_net::device::Device;
use crate::kernel_net::dst::Dst;
use crate::kernel_net::namespace::Namespace;
use crate::kernel_net::neighbour::{
    Mac,
    Neighbour, //
};
use crate::kernel_net::netfilter::Family;
use crate::kernel_net::percpu::Counter;
use crate::kernel_net::rcu::ReadSide;
use core::marker::PhantomData;
use core::mem;
use core::ptr::NonNull;
use core::slice;

/// What is known of a packet's transport checksum (C: `CHECKSUM_*`).
///
/// A rewrite has to keep the field in the header right in every case; what differs is what the
/// field covers, and whether the skb says more about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Summed {
    /// Nothing: the field in the packet is what counts, and nobody has verified it.
    None,
    /// The device has verified it: the field is right, and stays so if a rewrite updates it.
    Unnecessary,
    /// The device has summed the whole packet from the network header on, into the skb. A rewrite
    /// makes that sum outdated: [`Skb::forget_sum`].
    Complete,
    /// The field holds the sum of the pseudo header only; the rest is added when it is sent. So it
    /// depends on addresses and length, and not on ports.
    Partial,
}

/// The group of bit fields and words that C copies from an skb to its clones (C: `headers`).
type Flags = bindings::sk_buff__bindgen_ty_4__bindgen_ty_1;

/// For whom a frame was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Addressee {
    /// For the device it came in by.
    Device,
    /// For another address, which may be that of a bridge or VLAN device above.
    Other,
    /// Broadcast, multicast, or one of ours that came back.
    Many,
}

/// A packet that is ours to give on: send it, let it go on with a verdict, or drop it.
///
/// Lives for the hook's call `'a` at most, so that it cannot be kept for later. It is neither
/// `Send` nor `Sync`: nobody else has any business with it.
///
/// # Invariants
///
/// `raw` is a valid skb that nobody else sends, frees or changes. Its bytes may be shared.
pub(crate) struct Skb<'a> {
    raw: NonNull<bindings::sk_buff>,
    _hook: PhantomData<&'a mut ()>,
}

impl<'a> Skb<'a> {
    /// Takes a packet over from netfilter.
    ///
    /// # Safety
    ///
    /// `raw` is a valid skb, at a hook where `data` is at the network header; the caller has
    /// nothing to do with it any more, unless it comes back in a verdict.
    #[inline(always)]
    pub(super) unsafe fn from_raw(raw: NonNull<bindings::sk_buff>) -> Self {
        // INVARIANT: By the contract.
        Self {
            raw,
            _hook: PhantomData,
        }
    }

    /// The C structure, for its plain fields.
    #[inline(always)]
    fn get(&self) -> &bindings::sk_buff {
        // SAFETY: Valid by the type invariant; changed only through `&mut self`.
        unsafe { self.raw.as_ref() }
    }

    /// Its group of flags. In C that is an anonymous structure in a union, and bindgen names it so.
    #[inline(always)]
    fn flags(&self) -> &Flags {
        // SAFETY: The union exists only to give the group of flags a name; all its members have the
        // same layout, so whichever is read has been written.
        unsafe { self.get().__bindgen_anon_4.__bindgen_anon_1.as_ref() }
    }

    /// The same, to be written to.
    #[inline(always)]
    fn flags_mut(&mut self) -> &mut Flags {
        // SAFETY: Valid by the type invariant, and borrowed mutably; the union as above.
        unsafe { self.raw.as_mut().__bindgen_anon_4.__bindgen_anon_1.as_mut() }
    }

    /// The EtherType, in host order.
    ///
    /// Of a frame with a VLAN tag in its payload, that is the tag's.
    #[inline(always)]
    pub(crate) fn protocol(&self) -> u16 {
        u16::from_be(self.flags().protocol)
    }

    /// Whether the EtherType is this one, in host order.
    #[inline(always)]
    pub(crate) fn has_protocol(&self, ethertype: u16) -> bool {
        self.flags().protocol == ethertype.to_be()
    }

    /// Whether a VLAN tag was taken off by the device, and is kept beside the packet
    /// (C: `skb_vlan_tag_present`).
    #[inline(always)]
    pub(crate) fn has_vlan_tag(&self) -> bool {
        // SAFETY: A plain word; the union's other member is two halves of it.
        unsafe { self.flags().__bindgen_anon_2.vlan_all != 0 }
    }

    /// The VLAN tag kept beside the packet: its EtherType in host order, and its control
    /// information.
    #[inline(always)]
    pub(crate) fn vlan_tag(&self) -> Option<(u16, u16)> {
        // SAFETY: Two plain halves of a word.
        let tag = unsafe { self.flags().__bindgen_anon_2.__bindgen_anon_1 };
        self.has_vlan_tag()
            .then(|| (u16::from_be(tag.vlan_proto), tag.vlan_tci))
    }

    /// Puts a VLAN tag beside the packet, or takes it away.
    pub(crate) fn set_vlan_tag(&mut self, tag: Option<(u16, u16)>) {
        let both = &mut self.flags_mut().__bindgen_anon_2;
        match tag {
            None => both.vlan_all = 0,
            Some((ethertype, control)) => {
                both.__bindgen_anon_1.vlan_proto = ethertype.to_be();
                both.__bindgen_anon_1.vlan_tci = control;
            }
        }
    }

    /// For whom the frame was, by its link-layer destination.
    #[inline(always)]
    pub(crate) fn addressee(&self) -> Addressee {
        match u32::from(self.flags().pkt_type()) {
            bindings::PACKET_HOST => Addressee::Device,
            bindings::PACKET_OTHERHOST => Addressee::Other,
            _ => Addressee::Many,
        }
    }

    /// The destination in the Ethernet header of a received frame.
    pub(crate) fn ethernet_destination(&self) -> Option<Mac> {
        let skb = self.get();
        // SAFETY: Valid by the type invariant.
        if !unsafe { bindings::nfo_skb_mac_header_was_set(skb) } {
            return None;
        }
        let at = usize::from(self.flags().mac_header);
        if skb.data.addr().wrapping_sub(skb.head.addr()) < at.wrapping_add(14) {
            return None;
        }
        // SAFETY: The header is between `head` and `data`, by the comparison above.
        Some(unsafe { skb.head.add(at).cast::<Mac>().read() })
    }

    /// The index of the device whose hook this is.
    ///
    /// That need not be a physical one: a VLAN device, or the port of a bond, are devices of their
    /// own and have their own hooks.
    #[inline(always)]
    pub(crate) fn ingress_ifindex(&self) -> u32 {
        // CAST: Indices are positive.
        self.flags().skb_iif as u32
    }

    /// Bytes from `data` on, over all fragments: from the network header on, until a header is
    /// pushed.
    ///
    /// Includes the padding that short Ethernet frames have.
    #[inline(always)]
    pub(crate) fn len(&self) -> u32 {
        self.get().len
    }

    /// Bytes in the linear piece (C: `skb_headlen`).
    #[inline(always)]
    fn linear_len(&self) -> u32 {
        self.get().len.wrapping_sub(self.get().data_len)
    }

    /// The first bytes from the network header on: those that are in one piece.
    ///
    /// Clones of the packet see the same bytes, and none of them changes them while they are
    /// shared.
    #[inline(always)]
    pub(crate) fn linear(&self) -> &[u8] {
        // SAFETY: `data` points to `len - data_len` initialised bytes, by the layout of every valid
        // skb, and they stay where they are while `self` is borrowed: all that moves them takes it
        // mutably.
        unsafe { slice::from_raw_parts(self.get().data, self.linear_len() as usize) }
    }

    /// The same, to be written to.
    ///
    /// Only bytes that [`Self::make_writable`] covered are ours; others may be shared with clones,
    /// whose owners would see them change.
    #[inline(always)]
    pub(crate) fn linear_mut(&mut self) -> &mut [u8] {
        // SAFETY: As above, and borrowed mutably. Clones share the bytes, if at all, beyond those
        // that the caller may write.
        unsafe { slice::from_raw_parts_mut(self.get().data, self.linear_len() as usize) }
    }

    /// Gets at least `len` bytes into one piece (C: `pskb_may_pull`).
    ///
    /// False when the packet is shorter, or there is no memory; it says the same as before in
    /// either case. The bytes may have moved: slices that were taken before cannot be used any
    /// more, which the borrow sees to.
    #[inline(always)]
    pub(crate) fn pull(&mut self, len: u32) -> bool {
        self.linear_len() >= len
            // SAFETY: Valid by the type invariant. The buffer is only replaced if nobody else has it.
            || !self.is_shared() && unsafe { bindings::nfo_pskb_may_pull(self.raw.as_ptr(), len) }
    }

    /// Whether somebody else holds the packet itself, not just a clone (C: `skb_shared`): pktgen does
    /// with those it injects. Its buffer cannot be replaced then.
    pub(crate) fn is_shared(&self) -> bool {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::nfo_skb_shared(self.raw.as_ptr()) }
    }

    /// Whether the packet is to be segmented later: it stands for many, with one header
    /// (C: `skb_is_gso`).
    ///
    /// Such a packet is rewritten once, in its head, and compared with the MTU by
    /// [`Self::segments_fit`], not by its length.
    #[inline(always)]
    pub(crate) fn is_gso(&self) -> bool {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::nfo_skb_is_gso(self.raw.as_ptr()) }
    }

    /// Whether all segments of a GSO packet fit into `mtu` bytes from the network header on
    /// (C: `skb_gso_validate_network_len`). Only for packets that [`Self::is_gso`] is true of.
    pub(crate) fn segments_fit(&self, mtu: u32) -> bool {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::skb_gso_validate_network_len(self.raw.as_ptr(), mtu) }
    }

    /// Makes the first `len` bytes ours alone, as far as they are in [`Self::linear`], and room for
    /// `headroom` bytes before them.
    ///
    /// What the packet says stays the same, so that it can still go on to the classic path
    /// afterwards, or when this fails: false when there is no memory, or the packet
    /// [`Self::is_shared`] and needs a new buffer.
    ///
    /// Most packets are neither cloned nor short of room, and need no call
    /// (C: `skb_ensure_writable`, `skb_cow_head`). One whose bytes are shared, or that has no room,
    /// gets a new buffer for its linear piece.
    #[inline(always)]
    pub(crate) fn make_writable(&mut self, len: u32, headroom: u32) -> bool {
        let skb = self.raw.as_ptr();
        if self.get().cloned() != 0 {
            // SAFETY: Valid by the type invariant, and borrowed mutably and held by nobody else,
            // since the buffer may be replaced.
            if self.is_shared() || unsafe { bindings::skb_ensure_writable(skb, len) } != 0 {
                return false;
            }
        }
        // Computed only now: what comes before may have moved the bytes.
        let room = self.get().data.addr().wrapping_sub(self.get().head.addr());
        room >= headroom as usize
            // SAFETY: As above.
            || !self.is_shared() && unsafe { bindings::nfo_skb_cow_head(skb, headroom) } == 0
    }

    /// What is known of the transport checksum.
    #[inline(always)]
    pub(crate) fn summed(&self) -> Summed {
        match u32::from(self.flags().ip_summed()) {
            bindings::CHECKSUM_UNNECESSARY => Summed::Unnecessary,
            bindings::CHECKSUM_COMPLETE => Summed::Complete,
            bindings::CHECKSUM_PARTIAL => Summed::Partial,
            _ => Summed::None,
        }
    }

    /// Whether the checksum in the packet is all there is to be known of it: [`Summed::None`] or
    /// [`Summed::Unnecessary`], as good as always.
    #[inline(always)]
    pub(crate) fn is_simply_summed(&self) -> bool {
        // CAST: A two-bit field.
        self.flags().ip_summed() < bindings::CHECKSUM_COMPLETE as u8
    }

    /// Forgets the sum of the device: as for every packet that is forwarded, it is of no use on the
    /// way out, and would be wrong after a rewrite (C: `skb_forward_csum`).
    ///
    /// For [`Summed::Complete`]. The field in the packet has to be right by itself then, which it
    /// is: the sum only was a way to verify it. With [`Summed::Partial`] this would send an
    /// unfinished checksum.
    #[inline(always)]
    pub(crate) fn forget_sum(&mut self) {
        // CAST: A two-bit field.
        self.flags_mut()
            .set_ip_summed(bindings::CHECKSUM_NONE as u8);
    }

    /// Takes `len` bytes of headers off the front, so that `ethertype` is what the packet begins
    /// with. The bytes must have been seen in [`Self::linear`]; false if there are not as many.
    pub(crate) fn pull_header(&mut self, len: u32, ethertype: u16) -> bool {
        if self.linear_len() < len {
            return false;
        }
        // SAFETY: Valid by the type invariant, and `data` stays within the first piece.
        unsafe {
            let skb = self.raw.as_mut();
            skb.data = skb.data.add(len as usize);
            skb.len = skb.len.wrapping_sub(len);
        }
        self.begins_with(ethertype);
        true
    }

    /// Puts a header in front, which `ethertype` stands for. False if there is no room; see
    /// [`Self::make_writable`].
    pub(crate) fn push_header<const N: usize>(&mut self, header: [u8; N], ethertype: u16) -> bool {
        if self.get().data.addr().wrapping_sub(self.get().head.addr()) < N {
            return false;
        }
        // SAFETY: There are `N` bytes between `head` and `data`; they are free for headers.
        unsafe {
            let skb = self.raw.as_mut();
            skb.data = skb.data.sub(N);
            skb.data.cast::<[u8; N]>().write(header);
            // CAST: The length of a header.
            skb.len = skb.len.wrapping_add(N as u32);
        }
        self.begins_with(ethertype);
        true
    }

    /// Notes what is at the front now.
    fn begins_with(&mut self, ethertype: u16) {
        let skb = self.get();
        // CAST: Offsets in an skb's first piece have 16 bits.
        let offset = skb.data.addr().wrapping_sub(skb.head.addr()) as u16;
        let flags = self.flags_mut();
        flags.protocol = ethertype.to_be();
        flags.network_header = offset;
    }

    /// Makes a packet that came through a tunnel one that did not. Before the headers are taken
    /// off; changes nothing that anybody else could see. False when there is no memory.
    pub(crate) fn leave_tunnel(&mut self) -> bool {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::nfo_iptunnel_pull_offloads(self.raw.as_ptr()) == 0 }
    }

    /// Prepares a packet to go into a tunnel for packets of its own version: its headers become
    /// the inner ones, and what belongs to this side of the tunnel is forgotten. False when it
    /// cannot be done; then the packet is good for nothing.
    pub(crate) fn enter_tunnel(&mut self, protocol: u8) -> bool {
        let gso = if protocol == 4 {
            bindings::NFO_SKB_GSO_IPXIP4
        } else {
            bindings::NFO_SKB_GSO_IPXIP6
        };
        let skb = self.raw.as_ptr();
        // SAFETY: Valid by the type invariant.
        unsafe {
            if bindings::iptunnel_handle_offloads(skb, gso as c_int) != 0 {
                return false;
            }
            bindings::nfo_skb_set_inner_ipproto(skb, protocol);
            bindings::nfo_skb_scrub(skb);
        }
        true
    }

    /// Fills in the identification of an IPv4 header that is to be put around this packet.
    pub(crate) fn identify(&self, header: &mut [u8; 20], namespace: &Namespace) {
        #[repr(align(4))]
        struct Aligned([u8; 20]);
        let mut aligned = Aligned(*header);
        // SAFETY: Both are valid; the header is as long as one without options, and as aligned as
        // C expects it.
        unsafe {
            bindings::nfo_ip_select_ident(
                namespace.as_raw(),
                self.raw.as_ptr(),
                aligned.0.as_mut_ptr().cast(),
            );
        }
        *header = aligned.0;
    }

    /// The flow label for an IPv6 header that is to be put around this packet, as on the wire.
    pub(crate) fn flow_label(
        &mut self,
        source: &[u8; 16],
        destination: &[u8; 16],
        namespace: &Namespace,
    ) -> [u8; 4] {
        // SAFETY: All are valid; addresses are plain bytes.
        unsafe {
            bindings::nfo_ip6_make_flowlabel(
                namespace.as_raw(),
                self.raw.as_ptr(),
                source.as_ptr().cast(),
                destination.as_ptr().cast(),
            )
        }
        .to_ne_bytes()
    }

    /// Cuts a packet that is to be segmented into its segments, now; others stay as they are.
    ///
    /// [`None`] when there is no memory: the packet is dropped.
    pub(crate) fn segment(self) -> Option<Segments<'a>> {
        if !self.is_gso() {
            let raw = self.raw;
            mem::forget(self);
            return Some(Segments::new(Some(raw)));
        }
        // SAFETY: Valid by the type invariant.
        let list = unsafe { bindings::nfo_skb_gso_segment(self.raw.as_ptr()) };
        let list = kernel::error::from_err_ptr(list).ok()?;
        let raw = self.raw;
        mem::forget(self);
        let Some(list) = NonNull::new(list) else {
            // It is fine as it is.
            return Some(Segments::new(Some(raw)));
        };
        // SAFETY: Ours to free, by the type invariant; its content is in the segments.
        unsafe {
            bindings::sk_skb_reason_drop(
                core::ptr::null_mut(),
                raw.as_ptr(),
                bindings::skb_drop_reason_SKB_CONSUMED,
            );
        }
        Some(Segments::new(Some(list)))
    }

    /// Puts an Ethernet header in front of `data` (C: `skb_push`).
    ///
    /// `destination` is a word in memory, of which six bytes count, and `tail` is what comes after
    /// them: source and EtherType. [`Self::make_writable`] must have made room, of 14 bytes at least;
    /// where it has not, this is false and changes nothing. That the room belongs to nobody else is
    /// also its doing.
    #[inline(always)]
    pub(crate) fn push_ethernet(&mut self, destination: u64, tail: [u8; 8]) -> bool {
        let skb = self.raw.as_ptr();
        if self.get().data.addr().wrapping_sub(self.get().head.addr()) < 14 {
            return false;
        }
        // SAFETY: There are 14 bytes between `head` and `data`; they are free for headers, and
        // `data` may be moved there. The skb is borrowed mutably.
        unsafe {
            let data = (*skb).data.sub(14);
            data.cast::<u64>().write_unaligned(destination);
            data.add(6).cast::<[u8; 8]>().write(tail);
            (*skb).data = data;
            (*skb).len = (*skb).len.wrapping_add(14);
        }
        true
    }

    /// Puts the device's own link-layer header in front, if it has one; false if that failed
    /// (C: `dev_hard_header`).
    ///
    /// For devices that are not Ethernet. Addressed to `neighbour`, or to nobody where the device
    /// knows by itself; from the device's own address.
    pub(crate) fn push_link_header(
        &mut self,
        device: &Device,
        neighbour: Option<&Neighbour>,
    ) -> bool {
        let address = neighbour.map(Neighbour::any_address);
        let address = address.as_ref().map_or(core::ptr::null(), |a| a.as_ptr());
        // SAFETY: The skb and the device are valid, and the address as long as any.
        unsafe {
            bindings::nfo_dev_hard_header(self.raw.as_ptr(), device.as_raw(), address.cast()) >= 0
        }
    }

    /// Sends the packet by its route, as IP does with a packet that was forwarded: the way to go
    /// for routes that transform packets (IPsec). Counts it.
    pub(crate) fn output(
        self,
        dst: &Dst,
        namespace: &Namespace,
        counter: Counter<'_>,
        _rcu: ReadSide<'_>,
    ) {
        let skb = self.raw.as_ptr();
        mem::forget(self);
        let output = match dst.family() {
            Family::Ipv6 => bindings::nfo_dst_output_ipv6,
            _ => bindings::nfo_dst_output_ipv4,
        };
        // SAFETY: The skb is ours to give away; route and namespace are valid, and RCU is held,
        // which is what lending a route takes.
        unsafe { output(namespace.as_raw(), skb, dst.as_raw(), counter.as_raw()) };
    }

    /// Sends the packet through a device, by its queueing discipline, and counts it
    /// (C: `dev_queue_xmit`).
    ///
    /// The link-layer header is in place. The device may drop the packet, as any; nobody is told,
    /// since there is nothing to be done about it. The counter is increased by one on this CPU, in
    /// the same call.
    ///
    /// The route is lent to the packet, which takes its own reference if it has to wait: that is
    /// possible as long as RCU is held, and a reference for each packet would be a write to a line
    /// that all CPUs share.
    #[inline(always)]
    pub(crate) fn transmit(
        self,
        device: &Device,
        dst: &Dst,
        counter: Counter<'_>,
        _rcu: ReadSide<'_>,
    ) {
        let skb = self.raw.as_ptr();
        mem::forget(self);
        // SAFETY: The skb is ours to give away, by the type invariant, and forgotten here; device
        // and route are valid for the call. RCU is held, which is what lending a route takes.
        unsafe {
            bindings::nfo_dev_queue_xmit(skb, device.as_raw(), dst.as_raw(), counter.as_raw());
        }
    }
}

impl Skb<'_> {
    /// Sends the packet through a device as [`Self::transmit`] does, but without that: for devices
    /// that are [direct](Device::is_direct) only. Gives the packet back if it takes more.
    ///
    /// Tracepoints of the transmit path do not see it.
    #[inline(always)]
    pub(crate) fn transmit_directly(
        self,
        device: &Device,
        counter: Counter<'_>,
        _rcu: ReadSide<'_>,
    ) -> Result<(), Self> {
        let skb = self.raw.as_ptr();
        // SAFETY: The skb is valid by the type invariant, and the device by its own.
        if !unsafe { bindings::nfo_skb_is_bare(skb, device.as_raw()) } {
            return Err(self);
        }
        // SAFETY: The skb is ours to give away, by the type invariant; the device is valid. Nobody has
        // disabled its queue, as the caller has just seen, or the driver says so.
        if unsafe { bindings::nfo_dev_start_xmit(skb, device.as_raw(), counter.as_raw()) } {
            mem::forget(self);
        }
        // One that the driver does not want is dropped here, as by `dev_queue_xmit`: there is no queue
        // to put it back into.
        Ok(())
    }
}

/// The segments of a packet, one after the other; those not taken are dropped.
pub(crate) struct Segments<'a> {
    next: Option<NonNull<bindings::sk_buff>>,
    _hook: PhantomData<&'a mut ()>,
}

impl Segments<'_> {
    fn new(next: Option<NonNull<bindings::sk_buff>>) -> Self {
        Self {
            next,
            _hook: PhantomData,
        }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Skb<'a>;

    fn next(&mut self) -> Option<Skb<'a>> {
        let raw = self.next?;
        // SAFETY: Every skb of the list is ours alone. It is taken out of the list, whose link is
        // a plain pointer.
        unsafe {
            let link = &raw mut (*raw.as_ptr()).__bindgen_anon_1.__bindgen_anon_1.next;
            self.next = NonNull::new(link.read());
            link.write(core::ptr::null_mut());
            Some(Skb::from_raw(raw))
        }
    }
}

impl Drop for Segments<'_> {
    fn drop(&mut self) {
        self.by_ref().for_each(drop);
    }
}

impl Drop for Skb<'_> {
    // The drop reason is what `dropwatch` and the tracepoint `skb:kfree_skb` show.
    fn drop(&mut self) {
        // SAFETY: Ours to free, by the type invariant.
        unsafe {
            bindings::sk_skb_reason_drop(
                core::ptr::null_mut(),
                self.raw.as_ptr(),
                bindings::skb_drop_reason_SKB_DROP_REASON_NETFILTER_DROP,
            );
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Packets.
//!
//! Field accesses compile to single loads and stores; what needs C is one call each.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use crate::bindings;
use crate::kernel_net::device::Device;
use crate::kernel_net::dst::Dst;
use crate::kernel_net::neighbour::Neighbour;
use crate::kernel_net::percpu::Counter;
use crate::kernel_net::rcu::ReadSide;
use core::marker::PhantomData;
use core::mem;
use core::ptr::NonNull;
use core::slice;

/// What is known of a packet's transport checksum (C: `CHECKSUM_*`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Summed {
    /// Nothing: the field in the packet is what counts.
    None,
    /// The device has verified it.
    Unnecessary,
    /// The device has summed the whole packet, into the skb.
    Complete,
    /// The field holds the sum of the pseudo header only; the rest is added when it is sent.
    Partial,
}

type Flags = bindings::sk_buff__bindgen_ty_4__bindgen_ty_1;

/// A packet that is ours to give on: send it, let it go on with a verdict, or drop it.
///
/// At ingress `data` is at the network header.
///
/// # Invariants
///
/// `raw` is a valid skb that nobody else sends or frees.
pub(crate) struct Skb<'a> {
    raw: NonNull<bindings::sk_buff>,
    _hook: PhantomData<&'a mut ()>,
}

impl<'a> Skb<'a> {
    /// # Safety
    ///
    /// `raw` is a valid skb, given up by the caller unless it comes back in a verdict.
    #[inline(always)]
    pub(super) unsafe fn from_raw(raw: NonNull<bindings::sk_buff>) -> Self {
        // INVARIANT: By the contract.
        Self {
            raw,
            _hook: PhantomData,
        }
    }

    #[inline(always)]
    fn get(&self) -> &bindings::sk_buff {
        // SAFETY: Valid by the type invariant; changed only through `&mut self`.
        unsafe { self.raw.as_ref() }
    }

    #[inline(always)]
    fn flags(&self) -> &Flags {
        // SAFETY: All members of the union have the same layout.
        unsafe { self.get().__bindgen_anon_4.__bindgen_anon_1.as_ref() }
    }

    #[inline(always)]
    fn flags_mut(&mut self) -> &mut Flags {
        // SAFETY: Valid by the type invariant, and borrowed mutably; the union as above.
        unsafe { self.raw.as_mut().__bindgen_anon_4.__bindgen_anon_1.as_mut() }
    }

    /// The EtherType, in host order.
    #[inline(always)]
    pub(crate) fn protocol(&self) -> u16 {
        u16::from_be(self.flags().protocol)
    }

    /// Whether a VLAN tag was taken off by the device, and is kept beside the packet.
    #[inline(always)]
    pub(crate) fn has_vlan_tag(&self) -> bool {
        // SAFETY: A plain word; the union's other member is two halves of it.
        unsafe { self.flags().__bindgen_anon_2.vlan_all != 0 }
    }

    /// Whether the frame was sent to this host's link-layer address.
    #[inline(always)]
    pub(crate) fn is_for_us(&self) -> bool {
        u32::from(self.flags().pkt_type()) == bindings::PACKET_HOST
    }

    /// The index of the device the packet came in by.
    #[inline(always)]
    pub(crate) fn ingress_ifindex(&self) -> u32 {
        // CAST: Indices are positive.
        self.flags().skb_iif as u32
    }

    /// Bytes from the network header on, over all fragments.
    #[inline(always)]
    pub(crate) fn len(&self) -> u32 {
        self.get().len
    }

    #[inline(always)]
    fn linear_len(&self) -> u32 {
        self.get().len.wrapping_sub(self.get().data_len)
    }

    /// The first bytes from the network header on: those that are in one piece.
    #[inline(always)]
    pub(crate) fn linear(&self) -> &[u8] {
        // SAFETY: `data` points to `len - data_len` bytes, by the layout of every valid skb.
        unsafe { slice::from_raw_parts(self.get().data, self.linear_len() as usize) }
    }

    /// The same, to be written to. Only bytes that [`Self::make_writable`] covered are ours.
    #[inline(always)]
    pub(crate) fn linear_mut(&mut self) -> &mut [u8] {
        // SAFETY: As above, and borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.get().data, self.linear_len() as usize) }
    }

    /// Gets at least `len` bytes into one piece; false when the packet is shorter, or no memory.
    #[inline(always)]
    pub(crate) fn pull(&mut self, len: u32) -> bool {
        // SAFETY: Valid by the type invariant.
        self.linear_len() >= len || unsafe { bindings::nfo_pskb_may_pull(self.raw.as_ptr(), len) }
    }

    /// Whether the packet is to be segmented later.
    #[inline(always)]
    pub(crate) fn is_gso(&self) -> bool {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::nfo_skb_is_gso(self.raw.as_ptr()) }
    }

    /// Whether all segments of a GSO packet fit into `mtu` bytes.
    pub(crate) fn segments_fit(&self, mtu: u32) -> bool {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::skb_gso_validate_network_len(self.raw.as_ptr(), mtu) }
    }

    /// Makes the first `len` bytes ours alone, and room for `headroom` bytes before them.
    ///
    /// Never changes what the packet says. False when there is no memory.
    #[inline(always)]
    pub(crate) fn make_writable(&mut self, len: u32, headroom: u32) -> bool {
        let skb = self.raw.as_ptr();
        if self.get().cloned() != 0 || self.linear_len() < len {
            // SAFETY: Valid by the type invariant.
            if unsafe { bindings::skb_ensure_writable(skb, len) } != 0 {
                return false;
            }
        }
        let room = self.get().data.addr().wrapping_sub(self.get().head.addr());
        // SAFETY: Valid by the type invariant.
        room >= headroom as usize || unsafe { bindings::nfo_skb_cow_head(skb, headroom) } == 0
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

    /// Forgets the sum of the device: as for every packet that is forwarded, it is of no use on
    /// the way out, and would be wrong after a rewrite (C: `skb_forward_csum`).
    #[inline(always)]
    pub(crate) fn forget_sum(&mut self) {
        // CAST: A two-bit field.
        self.flags_mut()
            .set_ip_summed(bindings::CHECKSUM_NONE as u8);
    }

    /// Puts an Ethernet header in front. [`Self::make_writable`] must have made room.
    #[inline(always)]
    pub(crate) fn push_ethernet(&mut self, header: [u8; 14]) -> bool {
        let skb = self.raw.as_ptr();
        if self.get().data.addr().wrapping_sub(self.get().head.addr()) < 14 {
            return false;
        }
        // SAFETY: There are 14 bytes between `head` and `data`; they are free for headers.
        unsafe {
            let data = (*skb).data.sub(14);
            data.cast::<[u8; 14]>().write(header);
            (*skb).data = data;
            (*skb).len = (*skb).len.wrapping_add(14);
        }
        true
    }

    /// Puts the device's own link-layer header in front, if it has one; false if that failed.
    pub(crate) fn push_header(&mut self, device: &Device, neighbour: Option<&Neighbour>) -> bool {
        let address = neighbour.map_or(core::ptr::null(), Neighbour::address_ptr);
        // SAFETY: The skb and the device are valid, and the address as long as any.
        unsafe {
            bindings::nfo_dev_hard_header(self.raw.as_ptr(), device.as_raw(), address.cast()) >= 0
        }
    }

    /// Sends the packet through a device, by its queueing discipline, and counts it.
    ///
    /// The route is lent to the packet, which takes its own reference if it has to wait.
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
        // SAFETY: The skb is ours to give away; device and route are valid, and RCU is held, which
        // is what lending a route takes.
        unsafe {
            bindings::nfo_dev_queue_xmit(skb, device.as_raw(), dst.as_raw(), counter.as_raw());
        }
    }
}

impl Drop for Skb<'_> {
    fn drop(&mut self) {
        // SAFETY: Ours to free, by the type invariant.
        unsafe {
            bindings::sk_skb_reason_drop(
                core::ptr::null(),
                self.raw.as_ptr(),
                bindings::skb_drop_reason_SKB_DROP_REASON_NETFILTER_DROP,
            );
        }
    }
}

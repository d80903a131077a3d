// SPDX-License-Identifier: GPL-2.0

//! Packets that are ours to write: headers taken off and put in front, and the ways to send them.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use super::{
    Flags,
    Skb, //
};
use crate::bindings;
use crate::compat::prelude::*;
use crate::kernel_net::device::Device;
use crate::kernel_net::dst::Dst;
use crate::kernel_net::namespace::Namespace;
use crate::kernel_net::neighbour::Neighbour;
use crate::kernel_net::netfilter::Family;
use crate::kernel_net::percpu::Counter;
use crate::kernel_net::rcu::ReadSide;
use core::marker::PhantomData;
use core::mem;
use core::ops::Deref;
use core::ptr::{
    self,
    NonNull, //
};
use core::slice;

/// A packet whose headers are ours alone: only [`Skb::make_writable`] makes one.
///
/// # Invariants
///
/// Nobody shares the bytes that [`Skb::make_writable`] was asked for, nor those between the beginning
/// of the buffer and them.
pub(crate) struct Writable<'a>(pub(super) Skb<'a>);

impl<'a> Deref for Writable<'a> {
    type Target = Skb<'a>;

    #[inline(always)]
    fn deref(&self) -> &Skb<'a> {
        &self.0
    }
}

impl<'a> Writable<'a> {
    /// The C structure.
    #[inline(always)]
    fn raw(&self) -> *mut bindings::sk_buff {
        self.0.raw.as_ptr()
    }

    /// Gives the packet away.
    #[inline(always)]
    fn into_raw(self) -> *mut bindings::sk_buff {
        let raw = self.raw();
        mem::forget(self);
        raw
    }

    /// As it was before it was made writable; it says the same.
    pub(crate) fn into_inner(self) -> Skb<'a> {
        self.0
    }

    /// Whether the policies of IPsec let it be forwarded by this route: as it came in, by what it was
    /// encrypted with, or not (C: `xfrm_policy_check`). `input` is the device by which IP would have got
    /// it. The network header is in front.
    pub(crate) fn is_let_through(&mut self, dst: &Dst, input: &Device, _rcu: ReadSide<'_>) -> bool {
        let (skb, route, family) = (self.raw(), dst.as_raw(), u16::from(dst.family().as_raw()));
        // SAFETY: The skb is ours, and route and device valid; the route is lent, which takes RCU.
        unsafe { bindings::nfo_xfrm_forward_check(skb, route, input.as_raw(), family) }
    }

    /// The C structure, for its plain fields.
    #[inline(always)]
    fn get_mut(&mut self) -> &mut bindings::sk_buff {
        // SAFETY: Valid and nobody else's to change, by the invariant of `Skb`, and borrowed mutably.
        unsafe { self.0.raw.as_mut() }
    }

    /// Its group of flags.
    #[inline(always)]
    fn flags_mut(&mut self) -> &mut Flags {
        let group = &mut self.get_mut().__bindgen_anon_4;
        // SAFETY: The union exists only to give the group of flags a name, see `Skb::flags`.
        unsafe { group.__bindgen_anon_1.as_mut() }
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

    /// The first bytes from the network header on, to be written to: those that
    /// [`Skb::make_writable`] was asked for, and not more.
    #[inline(always)]
    pub(crate) fn linear_mut(&mut self) -> &mut [u8] {
        let len = self.linear_len() as usize;
        // SAFETY: `data` points to that many initialised bytes, by the layout of every valid skb, and
        // they are borrowed mutably. Clones share the bytes, if at all, beyond those that are written,
        // by the type invariant.
        unsafe { slice::from_raw_parts_mut(self.get_mut().data, len) }
    }

    /// Forgets the sum of the device: as for every packet that is forwarded, it is of no use on the
    /// way out, and would be wrong after a rewrite (C: `skb_forward_csum`).
    ///
    /// For [`Summed::Complete`](super::Summed::Complete). The field in the packet has to be right by
    /// itself then, which it is: the sum only was a way to verify it. With
    /// [`Summed::Partial`](super::Summed::Partial) this would send an unfinished checksum.
    #[inline(always)]
    pub(crate) fn forget_sum(&mut self) {
        // CAST: A two-bit field.
        self.flags_mut()
            .set_ip_summed(bindings::CHECKSUM_NONE as u8);
    }

    /// Takes `len` bytes of headers off the front, so that `ethertype` is what the packet begins
    /// with. The bytes must have been seen in [`Skb::linear`]; false if there are not as many.
    pub(crate) fn pull_header(&mut self, len: u32, ethertype: u16) -> bool {
        if self.linear_len() < len {
            return false;
        }
        let skb = self.get_mut();
        skb.data = skb.data.wrapping_add(len as usize);
        skb.len = skb.len.wrapping_sub(len);
        self.begins_with(ethertype);
        true
    }

    /// Puts a header in front, which `ethertype` stands for. False if there is no room; see
    /// [`Skb::make_writable`].
    pub(crate) fn push_header<const N: usize>(&mut self, header: [u8; N], ethertype: u16) -> bool {
        if self.headroom() < N {
            return false;
        }
        let skb = self.get_mut();
        skb.data = skb.data.wrapping_sub(N);
        // CAST: The length of a header.
        skb.len = skb.len.wrapping_add(N as u32);
        // SAFETY: There were `N` bytes between `head` and `data`; they are free for headers, and ours
        // alone by the type invariant.
        unsafe { skb.data.cast::<[u8; N]>().write(header) };
        self.begins_with(ethertype);
        true
    }

    /// Notes what is at the front now.
    fn begins_with(&mut self, ethertype: u16) {
        // CAST: Offsets in an skb's first piece have 16 bits.
        let offset = self.headroom() as u16;
        let flags = self.flags_mut();
        flags.protocol = ethertype.to_be();
        flags.network_header = offset;
    }

    /// Makes a packet that came through a tunnel one that did not. Before the headers are taken
    /// off; changes nothing that anybody else could see. False when there is no memory.
    pub(crate) fn leave_tunnel(&mut self) -> bool {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::nfo_iptunnel_pull_offloads(self.raw()) == 0 }
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
        // SAFETY: Valid by the type invariant, here and below.
        if unsafe { bindings::iptunnel_handle_offloads(self.raw(), gso as c_int) } != 0 {
            return false;
        }
        // SAFETY: As above.
        unsafe { bindings::nfo_skb_enter_tunnel(self.raw(), protocol) };
        true
    }

    /// The identification for an IPv4 header that is to be put around this packet, as on the wire.
    pub(crate) fn identification(
        &self,
        source: [u8; 4],
        destination: [u8; 4],
        protocol: u8,
        namespace: &Namespace,
    ) -> [u8; 2] {
        let (from, to) = (u32::from_ne_bytes(source), u32::from_ne_bytes(destination));
        let (net, skb) = (namespace.as_raw(), self.raw());
        // SAFETY: Both are valid.
        unsafe { bindings::nfo_ip_select_ident(net, skb, from, to, protocol) }.to_ne_bytes()
    }

    /// The flow label for an IPv6 header that is to be put around this packet, as on the wire.
    pub(crate) fn flow_label(
        &mut self,
        source: &[u8; 16],
        destination: &[u8; 16],
        namespace: &Namespace,
    ) -> [u8; 4] {
        let (from, to) = (source.as_ptr().cast(), destination.as_ptr().cast());
        // SAFETY: All are valid; addresses are plain bytes.
        unsafe { bindings::nfo_ip6_make_flowlabel(namespace.as_raw(), self.raw(), from, to) }
            .to_ne_bytes()
    }

    /// Cuts a packet that is to be segmented into its segments, now; others stay as they are.
    ///
    /// Each has a buffer of its own, or one that it has come in with: with as much room as that has,
    /// and perhaps with clones. [`None`] when there is no memory: the packet is dropped.
    pub(crate) fn segment(self) -> Option<Segments<'a>> {
        if !self.is_gso() {
            return Some(Segments::new(NonNull::new(self.into_raw())));
        }
        // SAFETY: Valid by the type invariant.
        let list = unsafe { bindings::nfo_skb_gso_segment(self.raw()) };
        let list = kernel::error::from_err_ptr(list).ok()?;
        let raw = self.into_raw();
        let Some(list) = NonNull::new(list) else {
            // It is fine as it is.
            return Some(Segments::new(NonNull::new(raw)));
        };
        let (socket, consumed) = (ptr::null_mut(), bindings::skb_drop_reason_SKB_CONSUMED);
        // SAFETY: Ours to free, by the type invariant; its content is in the segments.
        unsafe { bindings::sk_skb_reason_drop(socket, raw, consumed) };
        Some(Segments::new(Some(list)))
    }

    /// Puts an Ethernet header in front of `data` (C: `skb_push`).
    ///
    /// `destination` is a word in memory, of which six bytes count, and `tail` is what comes after
    /// them: source and EtherType. [`Skb::make_writable`] must have made room, of 14 bytes at least;
    /// where it has not, this is false and changes nothing.
    #[inline(always)]
    pub(crate) fn push_ethernet(&mut self, destination: u64, tail: [u8; 8]) -> bool {
        if self.headroom() < 14 {
            return false;
        }
        let skb = self.get_mut();
        let data = skb.data.wrapping_sub(14);
        skb.data = data;
        skb.len = skb.len.wrapping_add(14);
        // SAFETY: There were 14 bytes between `head` and `data`; they are free for headers, and ours
        // alone by the type invariant.
        unsafe {
            data.cast::<u64>().write_unaligned(destination);
            data.add(6).cast::<[u8; 8]>().write(tail);
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
        let address = address.as_ref().map_or(ptr::null(), |a| a.as_ptr());
        let (skb, dev) = (self.raw(), device.as_raw());
        // SAFETY: The skb and the device are valid, and the address as long as any.
        unsafe { bindings::nfo_dev_hard_header(skb, dev, address.cast()) >= 0 }
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
        let output = match dst.family() {
            Family::Ipv6 => bindings::nfo_dst_output_ipv6,
            _ => bindings::nfo_dst_output_ipv4,
        };
        let (net, dst, counter) = (namespace.as_raw(), dst.as_raw(), counter.as_raw());
        // SAFETY: The skb is ours to give away; route and namespace are valid, and RCU is held,
        // which is what lending a route takes.
        unsafe { output(net, self.into_raw(), dst, counter) };
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
        let (dev, dst, counter) = (device.as_raw(), dst.as_raw(), counter.as_raw());
        // SAFETY: The skb is ours to give away, by the type invariant; device and route are valid for
        // the call. RCU is held, which is what lending a route takes.
        unsafe { bindings::nfo_dev_queue_xmit(self.into_raw(), dev, dst, counter) };
    }

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
        let (skb, dev) = (self.raw(), device.as_raw());
        // SAFETY: The skb is valid by the type invariant, and the device by its own.
        if !unsafe { bindings::nfo_skb_is_bare(skb, dev) } {
            return Err(self);
        }
        // SAFETY: The skb is ours to give away, by the type invariant; the device is valid. Nobody has
        // disabled its queue, as the caller has just seen, or the driver says so.
        if unsafe { bindings::nfo_dev_start_xmit(skb, dev, counter.as_raw()) } {
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
        let mut raw = self.next?;
        // SAFETY: Every skb of the list is ours alone; its link is a plain pointer.
        let link = unsafe { &mut raw.as_mut().__bindgen_anon_1.__bindgen_anon_1.next };
        self.next = NonNull::new(mem::replace(link, ptr::null_mut()));
        // SAFETY: As above, and taken out of the list.
        Some(unsafe { Skb::from_raw(raw) })
    }
}

impl Drop for Segments<'_> {
    fn drop(&mut self) {
        self.by_ref().for_each(drop);
    }
}

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
//! for those that are going to be written. It gives the packet back as a [`Writable`], and all that
//! writes, pushes headers or sends takes one of these. What a packet is cut into, as by
//! [`Writable::segment`], has buffers of its own, and is an [`Skb`] again until that was asked of each.
//!
//! Context: softirq, as hooks are called. Memory is allocated with `GFP_ATOMIC`.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

mod writable;

use crate::bindings;
use crate::kernel_net::neighbour::Mac;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::slice;
pub(crate) use writable::Writable;

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

/// What to do with packets that IPsec has decrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decrypted {
    /// They are for those who ask the policies.
    Refuse,
    /// The caller asks: see [`Writable::is_let_through`].
    Take,
}

/// Why a packet cannot be made writable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unwritable {
    /// Somebody else holds it.
    Shared,
    /// There is no memory for a buffer of its own.
    NoMemory,
    /// IPsec has decrypted it, and the policies have to be asked what may come in so.
    Decrypted,
}

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

    /// Whether the packet is an aggregate of whole packets, each in a buffer of its own with no more room
    /// before it than it has come in with (C: `SKB_GSO_FRAGLIST`).
    ///
    /// Who segments it puts the headers of the first in front of each. So nothing may be put around it
    /// that needs more room than an Ethernet header: such an aggregate is taken apart before.
    #[inline(always)]
    pub(crate) fn is_list(&self) -> bool {
        // SAFETY: Valid by the type invariant.
        self.get().data_len != 0 && unsafe { bindings::nfo_skb_is_fraglist(self.raw.as_ptr()) }
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
    /// What the packet says stays the same, so that it can still go on to the classic path: where it
    /// cannot be had it is given back, with the reason.
    ///
    /// Most packets are neither cloned nor short of room, and need no call
    /// (C: `skb_ensure_writable`, `skb_cow_head`). One whose bytes are shared, or that has no room,
    /// gets a new buffer for its linear piece.
    #[inline(always)]
    pub(crate) fn make_writable(
        self,
        len: u32,
        headroom: u32,
        decrypted: Decrypted,
    ) -> Result<Writable<'a>, (Self, Unwritable)> {
        if !self.is_ordinary() {
            // SAFETY: The packet is ours.
            if let Err(why) = unsafe { Self::disentangle(self.raw, len, decrypted) } {
                return Err((self, why));
            }
        }
        // Computed only now: what comes before may have moved the bytes.
        if self.headroom() < headroom as usize {
            // SAFETY: As above.
            if let Err(why) = unsafe { Self::make_room(self.raw, headroom) } {
                return Err((self, why));
            }
        }
        // INVARIANT: Nobody shares the bytes, nor those before them.
        Ok(Writable(self))
    }

    /// Whether the packet has no clone, and nothing attached to it by other subsystems
    /// (C: `skb_cloned`, `skb_has_extensions`): both are known from one word.
    #[inline(always)]
    fn is_ordinary(&self) -> bool {
        let raw: *const u8 = self.raw.as_ptr().cast_const().cast();
        // SAFETY: Valid by the type invariant, and the constant is where the flag is, with the byte for
        // extensions behind it where the kernel has those.
        let word = unsafe { raw.add(bindings::NFO_SKB_CLONED).cast::<[u8; 2]>().read() };
        let marks = [
            bindings::NFO_SKB_CLONED_MASK,
            bindings::NFO_SKB_EXTENSIONS_MASK,
        ];
        u16::from_ne_bytes(word) & u16::from_ne_bytes(marks) == 0
    }

    /// Ends the sharing of the first `len` bytes with clones.
    ///
    /// Of the packet as a pointer, so that it need not be in memory before this is called.
    ///
    /// # Safety
    ///
    /// It is that of an [`Skb`], which the caller has for himself.
    #[cold]
    unsafe fn disentangle(
        raw: NonNull<bindings::sk_buff>,
        len: u32,
        decrypted: Decrypted,
    ) -> Result<(), Unwritable> {
        // SAFETY: By the contract; it goes on to be the caller's.
        let skb = ManuallyDrop::new(unsafe { Self::from_raw(raw) });
        if decrypted == Decrypted::Refuse && skb.is_decrypted() {
            return Err(Unwritable::Decrypted);
        }
        if skb.get().cloned() == 0 {
            return Ok(());
        }
        if skb.is_shared() {
            return Err(Unwritable::Shared);
        }
        // SAFETY: Valid by the type invariant, and held by nobody else, since the buffer may be replaced.
        match unsafe { bindings::skb_ensure_writable(raw.as_ptr(), len) } {
            0 => Ok(()),
            _ => Err(Unwritable::NoMemory),
        }
    }

    /// Makes room before the packet.
    ///
    /// # Safety
    ///
    /// As of [`Self::disentangle`].
    #[cold]
    unsafe fn make_room(raw: NonNull<bindings::sk_buff>, headroom: u32) -> Result<(), Unwritable> {
        // SAFETY: As in `disentangle`.
        let skb = ManuallyDrop::new(unsafe { Self::from_raw(raw) });
        if skb.is_shared() {
            return Err(Unwritable::Shared);
        }
        // SAFETY: As in `disentangle`.
        match unsafe { bindings::nfo_skb_cow_head(raw.as_ptr(), headroom) } {
            0 => Ok(()),
            _ => Err(Unwritable::NoMemory),
        }
    }

    /// Whether IPsec has decrypted it: a policy has to be asked before it is forwarded, and that needs
    /// what it came in (C: `skb_sec_path`).
    pub(crate) fn is_decrypted(&self) -> bool {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::nfo_skb_sec_path(self.raw.as_ptr()) }
    }

    /// Bytes between the beginning of the buffer and the packet.
    #[inline(always)]
    fn headroom(&self) -> usize {
        self.get().data.addr().wrapping_sub(self.get().head.addr())
    }

    /// Where the checksum begins that the device is to complete, as an offset in [`Self::linear`]
    /// (C: `skb_checksum_start_offset`). Only for [`Summed::Partial`].
    pub(crate) fn sum_start(&self) -> usize {
        // SAFETY: Plain halves of a word; the other member of the union is the word.
        let start = unsafe { self.flags().__bindgen_anon_1.__bindgen_anon_1.csum_start };
        usize::from(start).wrapping_sub(self.headroom())
    }

    /// Whether the packet is to be segmented into packets of a UDP tunnel that have a checksum of
    /// their own around (C: `SKB_GSO_UDP_TUNNEL_CSUM`): the outer field holds the sum of the pseudo
    /// header then. Only for packets that [`Self::is_gso`] is true of.
    pub(crate) fn has_tunnel_sum(&self) -> bool {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::nfo_skb_has_tunnel_csum(self.raw.as_ptr()) }
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

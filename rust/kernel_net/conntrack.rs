// SPDX-License-Identifier: GPL-2.0

//! Connection tracking entries, as far as offloading needs them.
//!
//! Conntrack has an entry for each connection: what its packets look like in both directions,
//! before and after NAT, what state it is in, and when it is forgotten. A flow is made from an
//! entry, and then takes the entry's packets away from conntrack, which goes on to keep the entry.
//! The two have to agree on who is in charge:
//!
//! ```text
//!                  claim_offload()                     extend_deadline()
//!   conntrack ------------------------> offloaded <----------------------+
//!   sees packets   tcp_be_liberal()     sees few or none                 |
//!       ^          refresh(DAY)              |  |                        |
//!       |                                    |  +--- now and then -------+
//!       |  release_offload()                 |
//!       +------------------------------------+
//!          tcp_resume(), refresh(timeout)
//! ```
//!
//! - The status bit `OFFLOAD` is the claim: one flow at a time has a connection, of whatever
//!   flowtable, this module's or that of `act_ct`.
//! - Conntrack deletes entries whose time is over, and a packet would have put that off. So the
//!   deadline is set far ahead, and kept there.
//! - Conntrack checks the sequence numbers of TCP against windows that it has learned from packets.
//!   It is told not to while it misses packets, and to learn anew afterwards.
//!
//! An entry may be deleted at any time nevertheless, by its owner, by `conntrack -D`, or because
//! memory is short: it has the status bit `DYING` then, and is of no use any more, though a
//! reference keeps it in memory.
//!
//! What conntrack would have noted of the packets it does not see, status bits and timeouts, is noted for
//! it: see [`Conn::note_reply`] and [`Conn::note_stream`].
//!
//! Context and locking: softirq and process context. Status and deadline are words that everybody
//! reads and changes atomically, without a lock. The state of TCP is protected by the entry's own
//! spin lock, which is taken with bottom halves disabled, innermost, and for a few stores only.
//! What is read without it may be outdated the next moment.
//!
//! C header: [`include/net/netfilter/nf_conntrack.h`](srctree/include/net/netfilter/nf_conntrack.h)

use crate::bindings;
use crate::compat::member;
use crate::compat::sync::aref::AlwaysRefCounted;
use crate::compat::sync::lock::Backend;
use crate::kernel_net::lock::SpinLockBhBackend;
use crate::kernel_net::memory::prefetch;
use crate::kernel_net::namespace::Namespace;
use crate::kernel_net::netfilter::Family;
use crate::kernel_net::rcu_table::Side;
use core::ptr::{
    self,
    NonNull, //
};
use core::sync::atomic::{
    fence,
    AtomicU32,
    Ordering::{
        AcqRel,
        Relaxed,
        SeqCst, //
    }, //
};
use kernel::types::Opaque;

/// One direction's addresses and ports; numbers as on the wire (C: `struct nf_conntrack_tuple`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tuple {
    /// The sender's address. IPv4 addresses are in the first four bytes, the others zero.
    pub(crate) source: [u8; 16],
    /// The receiver's address, in the same form.
    pub(crate) destination: [u8; 16],
    /// The sender's port, for protocols that have ports.
    pub(crate) source_port: [u8; 2],
    /// The receiver's port.
    pub(crate) destination_port: [u8; 2],
}

/// Status bits that matter here (C: `enum ip_conntrack_status`).
///
/// All of one moment: read once and asked several times.
#[derive(Clone, Copy)]
pub(crate) struct Status(u32);

impl Status {
    /// Whether one of these bits is set.
    #[inline(always)]
    fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    /// Whether the entry is in conntrack's table, so that other packets find it.
    pub(crate) fn is_confirmed(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_CONFIRMED)
    }
    /// Whether the entry is being deleted: nothing new may refer to it. Once set it stays.
    #[inline(always)]
    pub(crate) fn is_dying(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_DYING)
    }
    /// Whether packets went both ways.
    pub(crate) fn has_seen_reply(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_SEEN_REPLY)
    }
    /// Whether the entry is not among the first to go when the table is full.
    pub(crate) fn is_assured(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_ASSURED)
    }
    /// Whether some flowtable, this module's or act_ct's, has the connection.
    pub(crate) fn is_offloaded(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_OFFLOAD)
    }
    /// Whether TCP sequence numbers are changed on the way, by a helper or a proxy.
    pub(crate) fn has_sequence_adjustment(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_SEQ_ADJUST)
    }
    /// Whether the source of the original direction is translated.
    pub(crate) fn has_source_nat(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_SRC_NAT)
    }
    /// Whether its destination is.
    pub(crate) fn has_destination_nat(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_DST_NAT)
    }
    /// Whether addresses or ports are translated.
    pub(crate) fn has_nat(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_NAT_MASK)
    }
    /// Whether the timeout is its owner's alone to change.
    fn has_fixed_timeout(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_FIXED_TIMEOUT)
    }
    /// Whether the entry lost a race for its addresses, and shares the winner's reply tuple.
    pub(crate) fn has_nat_clash(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_NAT_CLASH)
    }
}

/// Conntrack's state of a TCP connection, of what is decided by it here (C: `enum tcp_conntrack`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TcpState {
    /// `SYN_SENT` or `SYN_RECV`.
    Opening,
    /// `ESTABLISHED`: the handshake is done, and no FIN was seen.
    Established,
    /// `CLOSE_WAIT`: one side has sent a FIN that was acknowledged, and the other goes on.
    HalfClosed,
    /// `FIN_WAIT`, `LAST_ACK` or `TIME_WAIT`.
    Closing,
    /// `CLOSE`: ended by an RST. A SYN begins a new connection.
    Close,
    /// `NONE`, `SYN_SENT2`, or one that this module does not know.
    Other,
}

/// A connection (C: `struct nf_conn`).
///
/// Counted by itself: [`ARef`](crate::compat::sync::aref::ARef) holds a reference, which keeps the entry
/// in memory, not in conntrack's table. A network namespace that goes waits for all references to
/// its entries.
///
/// Functions with `tcp` in their names are for connections of that protocol only; what they would
/// find in others is some other protocol's state.
///
/// # Invariants
///
/// The entry's reference count is not zero while there is a reference to this. Entries are of a
/// slab cache whose memory is used again for other entries without a grace period, so nothing less
/// would do.
#[repr(transparent)]
pub(crate) struct Conn(Opaque<bindings::nf_conn>);

// SAFETY: References are counted atomically, and the last one may be given up anywhere.
unsafe impl Send for Conn {}
// SAFETY: What is read here is constant, read with single loads, or under the entry's lock.
unsafe impl Sync for Conn {}

// SAFETY: `ct_general.use` counts references, and the entry is freed only when it is zero.
unsafe impl AlwaysRefCounted for Conn {
    fn inc_ref(&self) {
        // SAFETY: The entry is valid, by the type invariant, and its count not zero, which is what
        // taking one more needs.
        unsafe { bindings::nfo_ct_hold(self.as_raw()) }
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: By the contract, the caller gives up a reference it owns.
        unsafe { bindings::nfo_ct_put(obj.cast().as_ptr()) }
    }
}

/// How it takes sequence numbers: as they come. CAST: Flags are eight bits, here and below.
const LIBERAL: u8 = bindings::IP_CT_TCP_FLAG_BE_LIBERAL as u8;
/// What a side has acknowledged is known.
const KNOWN: u8 = bindings::IP_CT_TCP_FLAG_MAXACK_SET as u8;
/// What it has sent was not acknowledged.
const UNACKNOWLEDGED: u8 = bindings::IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED as u8;

/// What conntrack knows of one side of a TCP connection (C: `struct ip_ct_tcp_state`).
///
/// Others read the same words without the lock, so no reference is made to them.
///
/// # Invariants
///
/// Points to that of a valid entry, whose lock is held.
struct TcpSide(*mut bindings::ip_ct_tcp_state);

impl TcpSide {
    fn change_flags(&self, f: impl Fn(u8) -> u8) {
        // SAFETY: Valid, and nobody else writes, by the type invariant.
        unsafe {
            let flags = &raw mut (*self.0).flags;
            flags.write_volatile(f(flags.read_volatile()));
        }
    }

    fn forget_window(&self) {
        // SAFETY: As above.
        unsafe { (&raw mut (*self.0).td_maxwin).write_volatile(0) };
    }

    fn set_acknowledged(&self, acknowledged: u32) {
        // SAFETY: As above.
        unsafe { (&raw mut (*self.0).td_maxack).write_volatile(acknowledged) };
    }

    /// Says that it has sent up to `end`, or up to `slack` bytes more or less, and takes as much at once as
    /// before at least.
    fn set_window(&self, end: u32, slack: u32) {
        const LEAST: u32 = 1 << 16;
        let most = end.wrapping_add(slack);
        // SAFETY: As above.
        unsafe {
            let window = &raw mut (*self.0).td_maxwin;
            let before = window.read_volatile();
            (&raw mut (*self.0).td_end).write_volatile(most);
            (&raw mut (*self.0).td_maxend).write_volatile(most.wrapping_add(before.max(LEAST)));
            // What comes from the other side may be so much less than the most.
            window.write_volatile(before.max(2 * slack));
        }
    }
}

impl Conn {
    /// An entry of C.
    ///
    /// # Safety
    ///
    /// `raw` is an entry to which somebody holds a reference for all of `'a`.
    pub(super) unsafe fn from_raw<'a>(raw: NonNull<bindings::nf_conn>) -> &'a Self {
        // SAFETY: By the contract; the type is transparent.
        unsafe { raw.cast().as_ref() }
    }

    /// The C structure.
    #[inline(always)]
    pub(super) fn as_raw(&self) -> *mut bindings::nf_conn {
        self.0.get()
    }

    /// The status bits now. May be outdated the next moment; any context.
    #[inline(always)]
    pub(crate) fn status(&self) -> Status {
        // SAFETY: The entry is valid, by the type invariant; a word that may change at any time.
        let status = unsafe { ptr::read_volatile(&raw const (*self.as_raw()).status) };
        // CAST: All bits are in the low half.
        Status(status as u32)
    }

    /// Has memory fetch what [`Self::status`] and [`Self::deadline`] read.
    #[inline(always)]
    pub(crate) fn prefetch(&self) {
        let raw = self.as_raw();
        // SAFETY: The entry is valid, by the type invariant; these are only addresses.
        unsafe {
            prefetch(&raw const (*raw).status);
            prefetch(&raw const (*raw).timeout);
        }
    }

    /// The same of what each packet looks at.
    #[inline(always)]
    pub(crate) fn prefetch_status(&self) {
        // SAFETY: As above.
        prefetch(unsafe { &raw const (*self.as_raw()).status });
    }

    /// The same of its counters.
    pub(crate) fn prefetch_counters(&self) {
        // SAFETY: The entry is valid, by the type invariant; this is only an address.
        prefetch(unsafe { bindings::nfo_ct_counters(self.as_raw()) });
    }

    /// Marks the entry as offloaded; [`None`] if it was already (C: `test_and_set_bit`).
    ///
    /// Of all who try one succeeds, who owes a [`Self::release_offload`], and gets the deadline as it was
    /// before anybody could extend it on account of the mark. Fully ordered.
    pub(crate) fn claim_offload(&self) -> Option<u32> {
        let bit = bindings::ip_conntrack_status_IPS_OFFLOAD_BIT;
        let before = self.deadline();
        // SAFETY: The entry is valid, by the type invariant.
        let was_marked = unsafe { bindings::nfo_ct_test_and_set_status(self.as_raw(), bit) };
        (!was_marked).then_some(before)
    }

    /// Takes the mark away (C: `clear_bit`).
    ///
    /// The connection can be claimed anew from now on, and who does that sees what was done before.
    /// There is no telling whose mark it is: only for the flow that has the claim. A release.
    ///
    /// `timeout` is how long the entry has to live now at most, in ticks, whoever was just about to
    /// extend it: see [`Self::extend_deadline`].
    pub(crate) fn release_offload(&self, timeout: u32, now: u32) {
        let bit = bindings::ip_conntrack_status_IPS_OFFLOAD_BIT;
        // SAFETY: The entry is valid, by the type invariant.
        unsafe { bindings::nfo_ct_clear_status(self.as_raw(), bit) };
        // Pairs with that of `extend_deadline`: who has extended it sees the mark gone, or this what he did.
        fence(SeqCst);
        let (deadline, status) = (self.deadline(), self.status());
        // CAST: The difference of two times; timeouts are less than half the clock's range.
        let is_late = deadline.wrapping_sub(now) as i32 > timeout as i32;
        if is_late && !status.is_offloaded() && !status.has_fixed_timeout() {
            self.move_deadline(deadline, now.wrapping_add(timeout));
        }
    }

    /// Sets a status bit, and tells those who listen to conntrack's events, if it was not set.
    fn note(&self, bit: u32, event: u32) {
        // SAFETY: The entry is valid, by the type invariant, here and below.
        if !unsafe { bindings::nfo_ct_test_and_set_status(self.as_raw(), bit) } {
            // SAFETY: As above.
            unsafe { bindings::nfo_ct_event(self.as_raw(), event) };
        }
    }

    /// Notes that a packet of the reply direction went by. Softirq.
    #[cold]
    pub(crate) fn note_reply(&self) {
        self.note(
            bindings::ip_conntrack_status_IPS_SEEN_REPLY_BIT,
            bindings::ip_conntrack_events_IPCT_REPLY,
        );
    }

    /// Notes of a UDP or GRE connection that a packet went by, for what conntrack makes of those that
    /// last: they are assured. Softirq.
    pub(crate) fn note_stream(&self, now: u32) {
        let status = self.status();
        if self.is_tcp() || status.is_assured() || !status.has_seen_reply() {
            return;
        }
        // SAFETY: The entry is valid, by the type invariant; for UDP, the union holds UDP's state, a word
        // that was written before the entry was confirmed.
        let from = unsafe { member!((*self.as_raw()).proto.udp).stream_ts };
        // CAST: The low half of the clock, and the difference of two times.
        let lasts = u32::from(self.protocol()) != bindings::NFO_IPPROTO_UDP
            || (from as u32).wrapping_sub(now) as i32 <= -1;
        if lasts {
            self.note(
                bindings::ip_conntrack_status_IPS_ASSURED_BIT,
                bindings::ip_conntrack_events_IPCT_ASSURED,
            );
        }
    }

    /// Marks the entry as forwarded by hardware, or takes the mark away. Any context.
    pub(crate) fn set_in_hardware(&self, yes: bool) {
        let bit = bindings::ip_conntrack_status_IPS_HW_OFFLOAD_BIT;
        // SAFETY: The entry is valid, by the type invariant.
        unsafe {
            if yes {
                bindings::nfo_ct_test_and_set_status(self.as_raw(), bit);
            } else {
                bindings::nfo_ct_clear_status(self.as_raw(), bit);
            }
        }
    }

    /// The C structure of one direction's tuple.
    fn raw_tuple(&self, side: Side) -> &bindings::nf_conntrack_tuple {
        // SAFETY: The entry is valid, by the type invariant. The tuples of a confirmed entry never
        // change; of one that is not, only by the CPU that has its first packet. Sides are indices
        // of the array.
        unsafe { &(*self.as_raw()).tuplehash[side as usize].tuple }
    }

    /// The family: IPv4 or IPv6.
    pub(crate) fn family(&self) -> Option<Family> {
        // CAST: Family numbers are small.
        Family::from_raw(self.raw_tuple(Side::Original).src.l3num as u8)
    }

    /// The transport protocol's number (C: `IPPROTO_*`).
    pub(crate) fn protocol(&self) -> u8 {
        self.raw_tuple(Side::Original).dst.protonum
    }

    /// The addresses and ports that packets of one direction have when they come in.
    ///
    /// When they leave they have those of the other side's tuple, turned round: that is NAT.
    /// Constant, if the entry is confirmed.
    pub(crate) fn tuple(&self, side: Side) -> Tuple {
        let raw = self.raw_tuple(side);
        // SAFETY: The unions are plain bytes, fully initialised in every entry: the address is one
        // of 16 bytes, and the port is at the start of the other.
        unsafe {
            Tuple {
                source: *(&raw const raw.src.u3).cast(),
                destination: *(&raw const raw.dst.u3).cast(),
                source_port: *(&raw const raw.src.u).cast(),
                destination_port: *(&raw const raw.dst.u).cast(),
            }
        }
    }

    /// The address that packets of one direction come from, as in [`Self::tuple`].
    #[inline(always)]
    pub(crate) fn source(&self, side: Side) -> &[u8; 16] {
        let raw = self.raw_tuple(side);
        // SAFETY: The union is plain bytes, 16 of them, fully initialised in every entry.
        unsafe { &*(&raw const raw.src.u3).cast() }
    }

    /// The port that they come from, likewise.
    #[inline(always)]
    pub(crate) fn source_port(&self, side: Side) -> [u8; 2] {
        let raw = self.raw_tuple(side);
        // SAFETY: As above; the port is at the start of the union.
        unsafe { *(&raw const raw.src.u).cast() }
    }

    /// The namespace of the connection (C: `nf_ct_net`).
    pub(crate) fn namespace(&self) -> &Namespace {
        // SAFETY: The entry is valid, by the type invariant. A namespace waits for all of its
        // entries before it goes, and an entry never changes its namespace.
        unsafe { Namespace::from_raw(bindings::nfo_ct_net(self.as_raw())) }
    }

    /// Packets and bytes of one direction, as conntrack has counted them, if it does.
    pub(crate) fn accounted(&self, side: Side) -> Option<(u64, u64)> {
        /// C: `struct nf_conn_counter`, which is two 64-bit atomics.
        type Counters = [[u64; 2]; 2];
        // SAFETY: The entry is valid, by the type invariant; extensions of a confirmed entry stay
        // where they are.
        let counters: NonNull<Counters> =
            NonNull::new(unsafe { bindings::nfo_ct_counters(self.as_raw()) })?.cast();
        // SAFETY: The counters are in the entry; words that may change at any time.
        let [packets, bytes] =
            unsafe { ptr::read_volatile(&raw const (*counters.as_ptr())[side as usize]) };
        Some((packets, bytes))
    }

    /// The connection's mark, 0 if it has none. May be outdated the next moment.
    pub(crate) fn mark(&self) -> u32 {
        // SAFETY: The entry is valid, by the type invariant.
        unsafe { bindings::nfo_ct_mark(self.as_raw()) }
    }

    /// Whether a helper follows the connection (FTP, SIP and the like), and so has to see its
    /// packets.
    pub(crate) fn has_helper(&self) -> bool {
        // SAFETY: The entry is valid, by the type invariant.
        unsafe { bindings::nfo_ct_has_helper(self.as_raw()) }
    }

    /// Whether the three-way handshake is done, and the entry assured: it is not among the first to
    /// go when the table is full (C: `nf_conntrack_tcp_established`). TCP only.
    pub(crate) fn is_tcp_established(&self) -> bool {
        // SAFETY: The entry is valid, by the type invariant. What it is told is of use for TCP
        // only, but is in the entry for every protocol.
        unsafe { bindings::nfo_ct_tcp_established(self.as_raw()) }
    }

    /// Whether one side of an assured TCP connection has closed it, and the other has acknowledged that
    /// and may go on to send.
    pub(crate) fn is_tcp_half_closed(&self) -> bool {
        self.tcp_state() == TcpState::HalfClosed && self.status().is_assured()
    }

    /// Whether packets of the original direction go to a group of hosts, not to one.
    pub(crate) fn is_multicast(&self) -> bool {
        let [first, ..] = *self.source(Side::Reply);
        match self.family() {
            Some(Family::Ipv6) => first == 0xff,
            _ => first & 0xf0 == 0xe0,
        }
    }

    /// Whether the connection is TCP, so that the protocol's union holds TCP's state.
    fn is_tcp(&self) -> bool {
        u32::from(self.protocol()) == bindings::NFO_IPPROTO_TCP
    }

    /// The protocol's union as TCP has it. Only an address.
    fn tcp_raw(&self) -> *mut bindings::ip_ct_tcp {
        // SAFETY: The entry is valid, by the type invariant.
        unsafe { (&raw mut (*self.as_raw()).proto).cast() }
    }

    /// The state's number, below the number of timeouts if the connection is one of TCP.
    fn tcp_state_raw(&self) -> u32 {
        if !self.is_tcp() {
            return bindings::tcp_conntrack_TCP_CONNTRACK_NONE;
        }
        // SAFETY: The entry is valid, by the type invariant; a byte of plain data in the protocol's
        // union, which changes under a lock that a single load does not need.
        u32::from(unsafe { ptr::read_volatile(&raw const (*self.tcp_raw()).state) })
    }

    /// The state of a TCP connection, as last seen by conntrack: while the connection is offloaded,
    /// that is before its last packets. Any context.
    pub(crate) fn tcp_state(&self) -> TcpState {
        match self.tcp_state_raw() {
            bindings::tcp_conntrack_TCP_CONNTRACK_SYN_SENT
            | bindings::tcp_conntrack_TCP_CONNTRACK_SYN_RECV => TcpState::Opening,
            bindings::tcp_conntrack_TCP_CONNTRACK_ESTABLISHED => TcpState::Established,
            bindings::tcp_conntrack_TCP_CONNTRACK_CLOSE_WAIT => TcpState::HalfClosed,
            bindings::tcp_conntrack_TCP_CONNTRACK_FIN_WAIT
            | bindings::tcp_conntrack_TCP_CONNTRACK_LAST_ACK
            | bindings::tcp_conntrack_TCP_CONNTRACK_TIME_WAIT => TcpState::Closing,
            bindings::tcp_conntrack_TCP_CONNTRACK_CLOSE => TcpState::Close,
            _ => TcpState::Other,
        }
    }

    /// Changes what TCP knows of both sides, original and reply, under the entry's lock, with bottom halves
    /// disabled.
    fn change_tcp_sides(&self, f: impl Fn(TcpSide, usize)) {
        if !self.is_tcp() {
            return;
        }
        // SAFETY: The entry is valid, by the type invariant, so is its lock, which C has initialised.
        let lock = unsafe { &raw mut (*self.as_raw()).lock };
        let tcp = self.tcp_raw();
        // SAFETY: As above.
        let () = unsafe { SpinLockBhBackend::lock(lock) };
        for side in 0..2 {
            // SAFETY: It is TCP, so the union holds TCP's state, which has two sides.
            f(TcpSide(unsafe { &raw mut (*tcp).seen[side] }), side);
        }
        // SAFETY: Locked above.
        unsafe { SpinLockBhBackend::unlock(lock, &()) };
    }

    /// Stops window checks: conntrack will not see most packets (C: `flow_offload_ct_tcp`).
    ///
    /// Stays so for the rest of the connection, or until [`Self::tcp_resume_at_rest`]. TCP only; softirq or
    /// process context, takes the entry's lock.
    pub(crate) fn tcp_be_liberal(&self) {
        self.change_tcp_sides(|side, _| side.change_flags(|flags| flags | LIBERAL));
    }

    /// Prepares conntrack to follow a TCP connection again that it has not seen for a while: the
    /// windows it knows are outdated (C: `flow_offload_fixup_tcp`). The state stays as it is.
    ///
    /// `acknowledged` is what each side, original and reply, has said last that it has got, if that is
    /// known: an RST of the other side that is from before that is nobody's.
    ///
    /// TCP only; softirq or process context, takes the entry's lock.
    pub(crate) fn tcp_resume(&self, acknowledged: [Option<u32>; 2]) {
        self.change_tcp_sides(|side, number| {
            // No window is known, so that the next packet gives it.
            side.forget_window();
            match acknowledged.get(number) {
                Some(&Some(acknowledged)) => {
                    side.set_acknowledged(acknowledged);
                    side.change_flags(|flags| flags | KNOWN);
                }
                // What conntrack knows is of long ago.
                _ => side.change_flags(|flags| flags & !KNOWN),
            }
        });
    }

    /// The same for a connection that has come to rest, of which it is known where that was: windows are
    /// checked again, unless they were not before it was offloaded, as `liberal` says.
    ///
    /// `ends` are the sequence numbers behind what original and reply have sent, and the other has got;
    /// they may be wrong by `slack` bytes, which are few of all numbers.
    pub(crate) fn tcp_resume_at_rest(&self, ends: [u32; 2], slack: u32, liberal: bool) {
        let [original, reply] = ends;
        let sides = [(original, reply), (reply, original)];
        let checked = if liberal { 0 } else { LIBERAL };
        self.change_tcp_sides(|side, number| {
            if let Some(&(end, acknowledged)) = sides.get(number) {
                side.set_window(end, slack);
                side.set_acknowledged(acknowledged);
                side.change_flags(|flags| (flags | KNOWN) & !(checked | UNACKNOWLEDGED));
            }
        });
    }

    /// Whether conntrack does not check windows (C: `nf_conntrack_tcp_loose`, for a connection that it has
    /// not seen from the beginning). Any context.
    pub(crate) fn is_tcp_liberal(&self) -> bool {
        let tcp = self.tcp_raw();
        (0..2).any(|side| {
            // SAFETY: The entry is valid, by the type invariant, and has two sides; a byte of plain data,
            // of no meaning if it is not TCP.
            let flags = unsafe { (&raw const (*tcp).seen[side].flags).read_volatile() };
            flags & LIBERAL != 0
        })
    }

    /// A timeout, in ticks, of the policy that the connection has, if it has one (`ct timeout`); by the
    /// number that the protocol gives it.
    fn timeout_of_policy(&self, number: u32) -> Option<u32> {
        // SAFETY: The entry is valid, by the type invariant.
        let timeouts = NonNull::new(unsafe { bindings::nfo_ct_timeouts(self.as_raw()) })?;
        // SAFETY: Policies are replaced under RCU, which callers are in, and are for the connection's
        // protocol; the number is one of its.
        Some(unsafe { timeouts.add(number as usize).read() })
    }

    /// The timeout conntrack gives a TCP connection in its state now, in ticks: that of its policy, or
    /// else the namespace's (sysctl `nf_conntrack_tcp_timeout_*`). TCP only; under RCU.
    pub(crate) fn tcp_timeout(&self) -> u32 {
        self.tcp_timeout_in(self.tcp_state_raw())
    }

    /// The one for connections with data that was not acknowledged for long (sysctl
    /// `nf_conntrack_tcp_timeout_unacknowledged`).
    pub(crate) fn tcp_unacknowledged_timeout(&self) -> u32 {
        self.tcp_timeout_in(bindings::NFO_TCP_CONNTRACK_UNACK)
    }

    fn tcp_timeout_in(&self, state: u32) -> u32 {
        self.timeout_of_policy(state).unwrap_or_else(|| {
            // SAFETY: The namespace is valid, as is every reference. States of TCP index the array of
            // timeouts, by its definition.
            unsafe { bindings::nfo_ct_tcp_timeout(self.namespace().as_raw(), state) }
        })
    }

    /// The timeout conntrack gives a UDP connection, in ticks: one that has seen packets both ways for
    /// more than two seconds gets more (sysctl `nf_conntrack_udp_timeout`,
    /// `nf_conntrack_udp_timeout_stream`, or the policy). Under RCU.
    pub(crate) fn udp_timeout(&self) -> u32 {
        let status = self.status();
        let state = if status.has_seen_reply() && status.is_assured() {
            bindings::udp_conntrack_UDP_CT_REPLIED
        } else {
            bindings::udp_conntrack_UDP_CT_UNREPLIED
        };
        self.timeout_of_policy(state).unwrap_or_else(|| {
            // SAFETY: The namespace is valid, as is every reference, and the state one of the two.
            unsafe { bindings::nfo_ct_udp_timeout(self.namespace().as_raw(), state) }
        })
    }

    /// Whether this kernel follows GRE connections.
    pub(crate) fn tracks_gre() -> bool {
        bindings::NFO_CT_HAS_GRE
    }

    /// The timeout conntrack gives a GRE connection, in ticks: which is noted in it.
    pub(crate) fn gre_timeout(&self) -> u32 {
        let replied = self.status().has_seen_reply();
        // SAFETY: The entry is valid, by the type invariant.
        unsafe { bindings::nfo_ct_gre_timeout(self.as_raw(), replied) }
    }

    /// The word that holds the deadline.
    #[inline(always)]
    fn deadline_cell(&self) -> &AtomicU32 {
        // SAFETY: The entry is valid, by the type invariant; the field is an aligned word that
        // everybody accesses atomically, in C by `READ_ONCE`, `WRITE_ONCE` and `cmpxchg`.
        unsafe { AtomicU32::from_ptr(&raw mut (*self.as_raw()).timeout) }
    }

    /// When the entry expires: an absolute time in ticks, to be compared by signed difference. Any
    /// context.
    pub(crate) fn deadline(&self) -> u32 {
        self.deadline_cell().load(Relaxed)
    }

    /// Moves the expiry from `old` to `new`, both absolute, unless somebody else has moved it, or
    /// the entry is not an offloaded one any more (C: `nf_flow_table_extend_ct_timeout`).
    ///
    /// Conntrack's packet path writes this without a lock, and its word is final: if it writes
    /// between the caller's read of `old` and this, nothing is changed, and if it writes afterwards
    /// that stays. Nobody is told which it was. Any context.
    ///
    /// Nothing is changed for who has fixed the timeout.
    pub(crate) fn extend_deadline(&self, old: u32, new: u32) {
        let status = self.status();
        if !status.is_confirmed() || !status.is_offloaded() || status.has_fixed_timeout() {
            return;
        }
        if self.move_deadline(old, new) {
            // Its flow may just have ended, and nobody would shorten it any more: pairs with that of
            // `release_offload`.
            fence(SeqCst);
            if !self.status().is_offloaded() {
                self.move_deadline(new, old);
            }
        }
    }

    /// Moves the deadline, if it is `old`. True if it was.
    fn move_deadline(&self, old: u32, new: u32) -> bool {
        self.deadline_cell()
            .compare_exchange(old, new, AcqRel, Relaxed)
            .is_ok()
    }

    /// Makes the entry expire in `timeout` ticks from now, unless its timeout is fixed by its owner
    /// (C: `nf_ct_refresh`).
    ///
    /// Overwrites what anybody else has set. For entries that are confirmed; others count from when
    /// they are. Any context.
    pub(crate) fn refresh(&self, timeout: u32) {
        // SAFETY: The entry is valid, by the type invariant.
        unsafe { bindings::nfo_ct_refresh(self.as_raw(), timeout) }
    }

    /// Adds packets and their bytes to the accounting of one direction, if that is enabled
    /// (C: `nf_ct_acct_add`). Any context.
    #[inline(always)]
    pub(crate) fn account(&self, side: Side, packets: u32, bytes: u32) {
        // SAFETY: The entry is valid, by the type invariant, and sides are directions.
        unsafe { bindings::nf_ct_acct_add(self.as_raw(), side as u32, packets, bytes) }
    }

    /// The same for many, whose numbers may not fit into what C takes at once.
    pub(crate) fn account_many(&self, side: Side, mut packets: u64, mut bytes: u64) {
        // More than so many at once is a counter that went backwards.
        for _ in 0..64 {
            if packets == 0 && bytes == 0 {
                break;
            }
            // CAST: Not more than fits.
            let (some, size) = (
                packets.min(u64::from(u32::MAX)) as u32,
                bytes.min(u64::from(u32::MAX)) as u32,
            );
            self.account(side, some, size);
            packets -= u64::from(some);
            bytes -= u64::from(size);
        }
    }
}

/// How long offloaded TCP connections may be idle, in ticks (sysctl `nf_flowtable_tcp_timeout`).
/// May be changed at any time. Any context.
#[inline(always)]
pub(crate) fn offload_tcp_timeout(namespace: &Namespace) -> u32 {
    // SAFETY: The namespace is valid, as is every reference.
    unsafe { bindings::nfo_flowtable_tcp_timeout(namespace.as_raw()) }
}

/// How long offloaded UDP connections may be idle, in ticks (sysctl `nf_flowtable_udp_timeout`).
/// May be changed at any time. Any context.
#[inline(always)]
pub(crate) fn offload_udp_timeout(namespace: &Namespace) -> u32 {
    // SAFETY: The namespace is valid, as is every reference.
    unsafe { bindings::nfo_flowtable_udp_timeout(namespace.as_raw()) }
}

// SPDX-License-Identifier: GPL-2.0

//! Connection tracking entries, as far as offloading needs them.
//!
//! C header: [`include/net/netfilter/nf_conntrack.h`](srctree/include/net/netfilter/nf_conntrack.h)

use crate::bindings;
use crate::kernel_net::lock::SpinLockBhBackend;
use crate::kernel_net::namespace::Namespace;
use crate::kernel_net::netfilter::Family;
use crate::kernel_net::rcu_table::Side;
use core::ptr::{
    self,
    NonNull, //
};
use core::sync::atomic::{
    AtomicU32,
    Ordering::{
        AcqRel,
        Relaxed, //
    }, //
};
use kernel::sync::aref::AlwaysRefCounted;
use kernel::sync::lock::Backend;
use kernel::types::Opaque;

/// One direction's addresses and ports; numbers as on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tuple {
    /// IPv4 addresses are in the first four bytes, the others zero.
    pub(crate) source: [u8; 16],
    pub(crate) destination: [u8; 16],
    pub(crate) source_port: [u8; 2],
    pub(crate) destination_port: [u8; 2],
}

/// Status bits that matter here (C: `enum ip_conntrack_status`).
#[derive(Clone, Copy)]
pub(crate) struct Status(u32);

impl Status {
    #[inline(always)]
    fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    /// Whether the entry is in conntrack's table, so that other packets find it.
    pub(crate) fn is_confirmed(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_CONFIRMED)
    }
    /// Whether the entry is being deleted: nothing new may refer to it.
    #[inline(always)]
    pub(crate) fn is_dying(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_DYING)
    }
    /// Whether packets went both ways.
    pub(crate) fn has_seen_reply(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_SEEN_REPLY)
    }
    /// Whether some flowtable, this module's or act_ct's, has the connection.
    pub(crate) fn is_offloaded(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_OFFLOAD)
    }
    /// Whether TCP sequence numbers are changed on the way, by a helper or a proxy.
    pub(crate) fn has_sequence_adjustment(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_SEQ_ADJUST)
    }
    /// Whether addresses or ports are translated.
    pub(crate) fn has_nat(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_NAT_MASK)
    }
    /// Whether the entry lost a race for its addresses, and shares the winner's reply tuple.
    pub(crate) fn has_nat_clash(self) -> bool {
        self.has(bindings::ip_conntrack_status_IPS_NAT_CLASH)
    }
}

/// Conntrack's state of a TCP connection, of what is decided by it here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TcpState {
    /// `SYN_SENT` or `SYN_RECV`.
    Opening,
    Established,
    /// `FIN_WAIT`, `CLOSE_WAIT`, `LAST_ACK` or `TIME_WAIT`.
    Closing,
    Close,
    Other,
}

/// A connection (C: `struct nf_conn`).
#[repr(transparent)]
pub(crate) struct Conn(Opaque<bindings::nf_conn>);

// SAFETY: References are counted atomically.
unsafe impl Send for Conn {}
// SAFETY: What is read here is constant, read with single loads, or under the entry's lock.
unsafe impl Sync for Conn {}

// SAFETY: `ct_general.use` counts references.
unsafe impl AlwaysRefCounted for Conn {
    fn inc_ref(&self) {
        // SAFETY: The reference makes the entry valid.
        unsafe { bindings::nfo_ct_hold(self.as_raw()) }
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: By the contract, the caller gives up a reference it owns.
        unsafe { bindings::nfo_ct_put(obj.cast().as_ptr()) }
    }
}

impl Conn {
    /// # Safety
    ///
    /// `raw` is an entry that lives for `'a`.
    pub(super) unsafe fn from_raw<'a>(raw: NonNull<bindings::nf_conn>) -> &'a Self {
        // SAFETY: By the contract; the type is transparent.
        unsafe { raw.cast().as_ref() }
    }

    #[inline(always)]
    fn as_raw(&self) -> *mut bindings::nf_conn {
        self.0.get()
    }

    /// The status bits now.
    #[inline(always)]
    pub(crate) fn status(&self) -> Status {
        // SAFETY: The entry is valid; a word that may change at any time.
        let status = unsafe { ptr::read_volatile(&raw const (*self.as_raw()).status) };
        // CAST: All bits are in the low half.
        Status(status as u32)
    }

    /// Marks the entry as offloaded; false if it was already.
    pub(crate) fn claim_offload(&self) -> bool {
        let bit = bindings::ip_conntrack_status_IPS_OFFLOAD_BIT;
        // SAFETY: The entry is valid.
        unsafe { !bindings::nfo_ct_test_and_set_status(self.as_raw(), bit) }
    }

    /// Takes the mark away.
    pub(crate) fn release_offload(&self) {
        let bit = bindings::ip_conntrack_status_IPS_OFFLOAD_BIT;
        // SAFETY: The entry is valid.
        unsafe { bindings::nfo_ct_clear_status(self.as_raw(), bit) }
    }

    fn raw_tuple(&self, side: Side) -> &bindings::nf_conntrack_tuple {
        // SAFETY: The entry is valid; the tuples of a confirmed entry never change.
        unsafe { &(*self.as_raw()).tuplehash[side as usize].tuple }
    }

    /// The family: IPv4 or IPv6.
    pub(crate) fn family(&self) -> Option<Family> {
        // CAST: Family numbers are small.
        Family::from_raw(self.raw_tuple(Side::Original).src.l3num as u8)
    }

    /// The transport protocol's number.
    pub(crate) fn protocol(&self) -> u8 {
        self.raw_tuple(Side::Original).dst.protonum
    }

    /// The addresses and ports that packets of one direction have when they come in.
    pub(crate) fn tuple(&self, side: Side) -> Tuple {
        let raw = self.raw_tuple(side);
        // SAFETY: The unions are plain bytes, fully initialised in every entry.
        unsafe {
            Tuple {
                source: *(&raw const raw.src.u3).cast(),
                destination: *(&raw const raw.dst.u3).cast(),
                source_port: *(&raw const raw.src.u).cast(),
                destination_port: *(&raw const raw.dst.u).cast(),
            }
        }
    }

    /// The namespace of the connection.
    pub(crate) fn namespace(&self) -> &Namespace {
        // SAFETY: An entry's namespace outlives it.
        unsafe { Namespace::from_raw(bindings::nfo_ct_net(self.as_raw())) }
    }

    /// Whether a helper follows the connection (FTP, SIP and the like).
    pub(crate) fn has_helper(&self) -> bool {
        // SAFETY: The entry is valid.
        unsafe { bindings::nfo_ct_has_helper(self.as_raw()) }
    }

    /// Whether the three-way handshake is done.
    pub(crate) fn is_tcp_established(&self) -> bool {
        // SAFETY: The entry is valid, and the callers know it is TCP.
        unsafe { bindings::nfo_ct_tcp_established(self.as_raw()) }
    }

    fn tcp_state_raw(&self) -> u32 {
        // SAFETY: The entry is valid; a byte of plain data in the protocol's union.
        u32::from(unsafe {
            let proto = (&raw const (*self.as_raw()).proto).cast::<bindings::ip_ct_tcp>();
            ptr::read_volatile(&raw const (*proto).state)
        })
    }

    /// The state of a TCP connection, as last seen by conntrack.
    pub(crate) fn tcp_state(&self) -> TcpState {
        match self.tcp_state_raw() {
            bindings::tcp_conntrack_TCP_CONNTRACK_SYN_SENT
            | bindings::tcp_conntrack_TCP_CONNTRACK_SYN_RECV => TcpState::Opening,
            bindings::tcp_conntrack_TCP_CONNTRACK_ESTABLISHED => TcpState::Established,
            bindings::tcp_conntrack_TCP_CONNTRACK_FIN_WAIT
            | bindings::tcp_conntrack_TCP_CONNTRACK_CLOSE_WAIT
            | bindings::tcp_conntrack_TCP_CONNTRACK_LAST_ACK
            | bindings::tcp_conntrack_TCP_CONNTRACK_TIME_WAIT => TcpState::Closing,
            bindings::tcp_conntrack_TCP_CONNTRACK_CLOSE => TcpState::Close,
            _ => TcpState::Other,
        }
    }

    /// Runs `f` on the TCP state under the entry's lock.
    fn with_tcp(&self, f: impl FnOnce(&mut bindings::ip_ct_tcp)) {
        // SAFETY: The entry is valid, so is its lock; the callers know it is TCP, and the lock
        // orders everybody who writes this state.
        unsafe {
            let lock = &raw mut (*self.as_raw()).lock;
            let () = SpinLockBhBackend::lock(lock);
            f(&mut *(&raw mut (*self.as_raw()).proto).cast());
            SpinLockBhBackend::unlock(lock, &());
        }
    }

    /// Stops window checks: conntrack will not see most packets (C: `flow_offload_ct_tcp`).
    pub(crate) fn tcp_be_liberal(&self) {
        self.with_tcp(|tcp| {
            for seen in &mut tcp.seen {
                // CAST: Flags are eight bits.
                seen.flags |= bindings::IP_CT_TCP_FLAG_BE_LIBERAL as u8;
            }
        });
    }

    /// Prepares conntrack to follow a TCP connection again that it has not seen for a while: the
    /// windows it knows are outdated (C: `flow_offload_fixup_tcp`).
    ///
    /// With `close`, the connection becomes closed, and a new handshake on it may reopen it.
    pub(crate) fn tcp_resume(&self, close: bool) {
        self.with_tcp(|tcp| {
            let closed = bindings::tcp_conntrack_TCP_CONNTRACK_CLOSE;
            if close {
                // CAST: States are small numbers.
                tcp.state = closed as u8;
            }
            if u32::from(tcp.state) == closed {
                tcp.seen[0].flags |= bindings::IP_CT_TCP_FLAG_CLOSE_INIT as u8;
            }
            for seen in &mut tcp.seen {
                seen.td_maxwin = 0;
                seen.flags &= !(bindings::IP_CT_TCP_FLAG_MAXACK_SET as u8);
            }
        });
    }

    /// The timeout conntrack gives a TCP connection in its state now, in ticks.
    pub(crate) fn tcp_timeout(&self) -> u32 {
        // SAFETY: The namespace is valid. States index the array of timeouts, by its definition.
        unsafe { bindings::nfo_ct_tcp_timeout(self.namespace().as_raw(), self.tcp_state_raw()) }
    }

    /// The timeout conntrack gives a closed TCP connection, in ticks.
    pub(crate) fn tcp_close_timeout(&self) -> u32 {
        let close = bindings::tcp_conntrack_TCP_CONNTRACK_CLOSE;
        // SAFETY: The namespace is valid.
        unsafe { bindings::nfo_ct_tcp_timeout(self.namespace().as_raw(), close) }
    }

    /// The timeout conntrack gives a UDP connection, in ticks.
    pub(crate) fn udp_timeout(&self) -> u32 {
        let state = if self.status().has_seen_reply() {
            bindings::udp_conntrack_UDP_CT_REPLIED
        } else {
            bindings::udp_conntrack_UDP_CT_UNREPLIED
        };
        // SAFETY: The namespace is valid.
        unsafe { bindings::nfo_ct_udp_timeout(self.namespace().as_raw(), state) }
    }

    /// Whether this kernel follows GRE connections.
    pub(crate) fn tracks_gre() -> bool {
        bindings::NFO_CT_HAS_GRE
    }

    /// The timeout conntrack gives a GRE connection, in ticks.
    pub(crate) fn gre_timeout(&self) -> u32 {
        let state = if self.status().has_seen_reply() {
            bindings::gre_conntrack_GRE_CT_REPLIED
        } else {
            bindings::gre_conntrack_GRE_CT_UNREPLIED
        };
        // SAFETY: The namespace is valid.
        unsafe { bindings::nfo_ct_gre_timeout(self.namespace().as_raw(), state) }
    }

    #[inline(always)]
    fn deadline_cell(&self) -> &AtomicU32 {
        // SAFETY: The entry is valid; the field is a word that everybody accesses atomically.
        unsafe { AtomicU32::from_ptr(&raw mut (*self.as_raw()).timeout) }
    }

    /// When the entry expires: an absolute time in ticks.
    pub(crate) fn deadline(&self) -> u32 {
        self.deadline_cell().load(Relaxed)
    }

    /// Moves the expiry from `old` to `new`, both absolute, unless somebody else has moved it, or
    /// the entry is not an offloaded one any more.
    ///
    /// Conntrack's packet path writes this without a lock, and its word is final.
    pub(crate) fn extend_deadline(&self, old: u32, new: u32) {
        let status = self.status();
        if status.is_confirmed() && status.is_offloaded() {
            let _ = self
                .deadline_cell()
                .compare_exchange(old, new, AcqRel, Relaxed);
        }
    }

    /// Makes the entry expire in `timeout` ticks from now, unless its timeout is fixed by its
    /// owner (C: `nf_ct_refresh`).
    pub(crate) fn refresh(&self, timeout: u32) {
        // SAFETY: The entry is valid.
        unsafe { bindings::nfo_ct_refresh(self.as_raw(), timeout) }
    }

    /// Adds one packet to the accounting of one direction, if that is enabled.
    pub(crate) fn account(&self, side: Side, bytes: u32) {
        // SAFETY: The entry is valid.
        unsafe { bindings::nf_ct_acct_add(self.as_raw(), side as u32, 1, bytes) }
    }
}

/// The timeout of offloaded TCP connections, in ticks (sysctl `nf_flowtable_tcp_timeout`).
#[inline(always)]
pub(crate) fn offload_tcp_timeout(namespace: &Namespace) -> u32 {
    // SAFETY: The namespace is valid.
    unsafe { bindings::nfo_flowtable_tcp_timeout(namespace.as_raw()) }
}

/// The timeout of offloaded UDP connections, in ticks (sysctl `nf_flowtable_udp_timeout`).
#[inline(always)]
pub(crate) fn offload_udp_timeout(namespace: &Namespace) -> u32 {
    // SAFETY: The namespace is valid.
    unsafe { bindings::nfo_flowtable_udp_timeout(namespace.as_raw()) }
}

// SPDX-License-Identifier: GPL-2.0

//! Netfilter: families, verdicts.
//!
//! What flowtable types and nf_tables expressions have in common: the family they are registered
//! for, and what a hook says about a packet. C has plain numbers for both, and leaves it to the
//! reader whether a verdict means that the skb was given away; here it takes the skb to say that it
//! goes on.
//!
//! Context: plain values, of no context in particular.
//!
//! C header: [`include/linux/netfilter.h`](srctree/include/linux/netfilter.h)

use crate::bindings;
use crate::compat::prelude::*;
use crate::kernel_net::skb::Skb;
use core::marker::PhantomData;
use core::mem;

/// The operation is not supported (C: `-EOPNOTSUPP`); the kernel crate has no name for this one.
pub(crate) fn unsupported() -> Error {
    Error::from_errno(-bindings::NFO_EOPNOTSUPP)
}

/// The protocol family of a table, hook or packet (C: `NFPROTO_*`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// Both, as nf_tables has it: only tables and types have this family, packets never do.
    Inet,
}

impl Family {
    /// The number that C and netlink use.
    pub(crate) const fn as_raw(self) -> u8 {
        // CAST: The values are 1, 2 and 10.
        (match self {
            Family::Ipv4 => bindings::NFPROTO_IPV4,
            Family::Ipv6 => bindings::NFPROTO_IPV6,
            Family::Inet => bindings::NFPROTO_INET,
        }) as u8
    }

    /// The family with this number, if it is one of ours.
    pub(crate) fn from_raw(raw: u8) -> Option<Self> {
        [Family::Ipv4, Family::Ipv6, Family::Inet]
            .into_iter()
            .find(|f| f.as_raw() == raw)
    }
}

/// What becomes of a packet after a hook (C: `NF_ACCEPT` and its siblings), as the number that C has
/// for it.
///
/// The skb's ownership is part of it: see [`Skb`]. Only who still owns a packet can accept it; where
/// it was sent or dropped, [`Verdict::stolen`] is all that is left to say.
#[must_use]
pub(crate) struct Verdict<'a> {
    raw: u32,
    _hook: PhantomData<&'a mut ()>,
}

impl<'a> Verdict<'a> {
    /// It goes on to the next hook and, in the end, to the classic path. It may have been pulled or
    /// made writable, but says what it said before.
    ///
    /// Gives it back to netfilter, which called the hook with it and still has the pointer.
    #[inline(always)]
    pub(crate) fn accept(skb: Skb<'a>) -> Self {
        mem::forget(skb);
        Self {
            raw: bindings::NF_ACCEPT,
            _hook: PhantomData,
        }
    }

    /// The hook has taken the packet: it was sent, or dropped.
    #[inline(always)]
    pub(crate) fn stolen() -> Self {
        Self {
            raw: bindings::NF_STOLEN,
            _hook: PhantomData,
        }
    }

    /// The return value of a hook.
    #[inline(always)]
    pub(super) fn into_raw(self) -> u32 {
        self.raw
    }
}

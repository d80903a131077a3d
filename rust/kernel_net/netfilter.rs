// SPDX-License-Identifier: GPL-2.0

//! Netfilter: families, verdicts.
//!
//! C header: [`include/linux/netfilter.h`](srctree/include/linux/netfilter.h)

use crate::bindings;
use kernel::prelude::*;

/// The operation is not supported; the kernel crate has no name for this one.
pub(crate) fn unsupported() -> Error {
    Error::from_errno(-bindings::NFO_EOPNOTSUPP)
}

/// The protocol family of a table, hook or packet (C: `NFPROTO_*`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Family {
    Ipv4,
    Ipv6,
    /// Both, as nf_tables has it: only tables and types have this family, packets never do.
    Inet,
}

impl Family {
    /// The number C and netlink use.
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

/// What becomes of a packet after a hook. The skb's ownership is part of it: see
/// [`Skb`](super::skb::Skb).
pub(crate) enum Verdict<'a> {
    /// Goes on, to the classic path.
    Accept(super::skb::Skb<'a>),
    /// The hook has taken the packet.
    Stolen,
}

impl Verdict<'_> {
    /// The number C uses. Gives a packet that goes on back to the caller.
    #[inline(always)]
    pub(super) fn into_raw(self) -> u32 {
        match self {
            Verdict::Accept(skb) => {
                core::mem::forget(skb);
                bindings::NF_ACCEPT
            }
            Verdict::Stolen => bindings::NF_STOLEN,
        }
    }
}

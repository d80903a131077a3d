// SPDX-License-Identifier: GPL-2.0

//! What packets are wrapped in between Ethernet and IP: VLAN tags, PPPoE sessions. Pure: no kernel
//! types.
//!
//! Only what identifies an encapsulation is kept. The priority bits of a VLAN tag may differ from
//! packet to packet of one flow, and are no part of it; what is sent has priority 0.

/// One encapsulation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tag {
    /// IEEE 802.1Q, by VLAN id.
    Vlan(u16),
    /// IEEE 802.1ad, by VLAN id.
    ServiceVlan(u16),
    /// A PPPoE session (RFC 2516), by session id.
    Pppoe(u16),
}

/// EtherTypes, in host order.
pub(crate) const VLAN: u16 = 0x8100;
pub(crate) const SERVICE_VLAN: u16 = 0x88a8;
pub(crate) const PPPOE: u16 = 0x8864;

/// PPP protocol numbers (RFC 1332, RFC 5072).
const PPP_IPV4: u16 = 0x0021;
const PPP_IPV6: u16 = 0x0057;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// Bytes of a PPPoE header with the PPP protocol number.
pub(crate) const PPPOE_LEN: usize = 8;
/// Bytes of a VLAN tag behind its EtherType, with the EtherType of what follows.
pub(crate) const VLAN_LEN: usize = 4;

impl Tag {
    /// A VLAN tag, by its EtherType in host order and its control information; [`None`] for another
    /// EtherType, or for VLAN 0, which only carries a priority.
    #[inline(always)]
    pub(crate) fn vlan(ethertype: u16, control: u16) -> Option<Self> {
        match (ethertype, control & 0xfff) {
            (_, 0) => None,
            (VLAN, id) => Some(Tag::Vlan(id)),
            (SERVICE_VLAN, id) => Some(Tag::ServiceVlan(id)),
            _ => None,
        }
    }

    /// The EtherType that announces it, in host order.
    pub(crate) fn ethertype(self) -> u16 {
        match self {
            Tag::Vlan(_) => VLAN,
            Tag::ServiceVlan(_) => SERVICE_VLAN,
            Tag::Pppoe(_) => PPPOE,
        }
    }

    /// Bytes it adds to a packet.
    pub(crate) fn len(self) -> usize {
        match self {
            Tag::Vlan(_) | Tag::ServiceVlan(_) => VLAN_LEN,
            Tag::Pppoe(_) => PPPOE_LEN,
        }
    }

    /// 18 bits, never zero.
    #[inline(always)]
    fn code(self) -> u64 {
        let (kind, id) = match self {
            Tag::Vlan(id) => (1, id),
            Tag::ServiceVlan(id) => (2, id),
            Tag::Pppoe(id) => (3, id),
        };
        kind << 16 | u64::from(id)
    }
}

/// All encapsulations of a packet: at most two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Encap {
    outer: Option<Tag>,
    /// Only behind an outer one.
    inner: Option<Tag>,
}

/// A third encapsulation, or one less than none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooDeep;

impl Encap {
    /// None.
    pub(crate) const NONE: Self = Self {
        outer: None,
        inner: None,
    };

    /// Just one.
    #[inline(always)]
    pub(crate) const fn of(tag: Tag) -> Self {
        Self {
            outer: Some(tag),
            inner: None,
        }
    }

    /// Two of them.
    #[inline(always)]
    pub(crate) const fn of_two(outer: Tag, inner: Tag) -> Self {
        Self {
            outer: Some(outer),
            inner: Some(inner),
        }
    }

    /// Those of a packet with one more, inside of all others: in the order of parsing.
    #[inline(always)]
    pub(crate) fn with_inner(self, tag: Tag) -> Result<Self, TooDeep> {
        match self {
            Self { outer: None, .. } => Ok(Self {
                outer: Some(tag),
                inner: None,
            }),
            Self { inner: None, outer } => Ok(Self {
                outer,
                inner: Some(tag),
            }),
            _ => Err(TooDeep),
        }
    }

    /// Those of a packet with one more, around all others: in the order of sending.
    pub(crate) fn with_outer(self, tag: Tag) -> Result<Self, TooDeep> {
        match self.inner {
            None => Ok(Self {
                outer: Some(tag),
                inner: self.outer,
            }),
            Some(_) => Err(TooDeep),
        }
    }

    /// Those of a packet without the outermost.
    pub(crate) fn without_outer(self) -> Result<Self, TooDeep> {
        match self.outer {
            Some(_) => Ok(Self {
                outer: self.inner,
                inner: None,
            }),
            None => Err(TooDeep),
        }
    }

    /// Whether there is none.
    #[inline(always)]
    pub(crate) fn is_none(self) -> bool {
        self.outer.is_none()
    }

    /// The outermost first.
    pub(crate) fn outer_and_inner(self) -> (Option<Tag>, Option<Tag>) {
        (self.outer, self.inner)
    }

    /// Bytes they add to a packet.
    pub(crate) fn len(self) -> usize {
        self.outer.map_or(0, Tag::len) + self.inner.map_or(0, Tag::len)
    }

    /// Whether a PPPoE session is among them.
    pub(crate) fn has_session(self) -> bool {
        let is = |tag: Option<Tag>| matches!(tag, Some(Tag::Pppoe(_)));
        is(self.outer) || is(self.inner)
    }

    /// 36 bits, different for all that differ.
    #[inline(always)]
    pub(crate) fn code(self) -> u64 {
        let code = |tag: Option<Tag>| tag.map_or(0, Tag::code);
        code(self.outer) | code(self.inner) << 18
    }
}

/// A PPPoE header and the PPP protocol number, for `len` bytes of a packet that begins with IP.
///
/// [`None`] when the EtherType is not one that PPP has a number for. A length that does not fit
/// cannot be, since an IP packet is not that long.
pub(crate) fn pppoe_header(session: u16, ethertype: u16, len: u32) -> Option<[u8; PPPOE_LEN]> {
    let [a, b] = match ethertype {
        IPV4 => PPP_IPV4,
        IPV6 => PPP_IPV6,
        _ => return None,
    }
    .to_be_bytes();
    let [c, d] = session.to_be_bytes();
    with_length([0x11, 0, c, d, 0, 0, a, b], len)
}

/// A PPPoE header for another length.
#[inline(always)]
pub(crate) fn with_length(header: [u8; PPPOE_LEN], len: u32) -> Option<[u8; PPPOE_LEN]> {
    // As one word, in which the length is the fifth and sixth byte in memory.
    const SHIFT: u32 = if cfg!(target_endian = "little") {
        32
    } else {
        16
    };
    let len = u16::try_from(len.checked_add(2)?).ok()?.to_be();
    let others = u64::from_ne_bytes(header) & !(0xffff << SHIFT);
    Some((others | u64::from(len) << SHIFT).to_ne_bytes())
}

/// A VLAN tag as it stands in a packet, behind its own EtherType.
pub(crate) fn vlan_header(id: u16, ethertype: u16) -> [u8; VLAN_LEN] {
    let ([a, b], [c, d]) = (id.to_be_bytes(), ethertype.to_be_bytes());
    [a, b, c, d]
}

/// What is inside an inline encapsulation, as far as it can be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Inside {
    pub(crate) tag: Tag,
    /// The EtherType of what follows, in host order.
    pub(crate) ethertype: u16,
    /// Bytes of the header.
    pub(crate) len: usize,
}

/// Why an inline encapsulation could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unreadable {
    /// It needs that many bytes.
    Short(usize),
    /// It is none of those supported, or not a valid one.
    Other,
}

/// Reads the encapsulation that an EtherType announces, at the beginning of `bytes`.
pub(crate) fn read(ethertype: u16, bytes: &[u8]) -> Result<Inside, Unreadable> {
    match ethertype {
        VLAN | SERVICE_VLAN => {
            let header = bytes
                .first_chunk::<VLAN_LEN>()
                .ok_or(Unreadable::Short(VLAN_LEN))?;
            let [a, b, c, d] = *header;
            Ok(Inside {
                tag: Tag::vlan(ethertype, u16::from_be_bytes([a, b])).ok_or(Unreadable::Other)?,
                ethertype: u16::from_be_bytes([c, d]),
                len: VLAN_LEN,
            })
        }
        PPPOE => read_session(bytes),
        _ => Err(Unreadable::Other),
    }
}

/// Reads the header of a PPPoE session at the beginning of `bytes`.
#[inline(always)]
pub(crate) fn read_session(bytes: &[u8]) -> Result<Inside, Unreadable> {
    let header = bytes
        .first_chunk::<PPPOE_LEN>()
        .ok_or(Unreadable::Short(PPPOE_LEN))?;
    // Version 1, type 1, session data.
    let [0x11, 0, a, b, _, _, c, d] = *header else {
        return Err(Unreadable::Other);
    };
    Ok(Inside {
        tag: Tag::Pppoe(u16::from_be_bytes([a, b])),
        ethertype: match u16::from_be_bytes([c, d]) {
            PPP_IPV4 => IPV4,
            PPP_IPV6 => IPV6,
            _ => return Err(Unreadable::Other),
        },
        len: PPPOE_LEN,
    })
}

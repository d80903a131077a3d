// SPDX-License-Identifier: GPL-2.0

//! What the kernel itself makes of a packet, by its own `nf_nat_packet` and `skb_checksum_help`.

use kernel::error::{
    to_result,
    Result, //
};

/// `CHECKSUM_*`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Summed {
    None = 0,
    Unnecessary = 1,
    Complete = 2,
    Partial = 3,
}

/// A packet, what the skb says of it, and how it is to be translated. The same in oracle.c.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Oracle {
    pub(crate) packet: [u8; 128],
    /// The other direction's ends, as its packets come in; an IPv4 address is the first four bytes.
    pub(crate) source: [u8; 16],
    pub(crate) destination: [u8; 16],
    pub(crate) source_port: [u8; 2],
    pub(crate) destination_port: [u8; 2],
    /// `SKB_GSO_*`.
    pub(crate) gso: u32,
    pub(crate) len: u16,
    /// Where a partial sum starts, from the network header on, and where from there it is.
    pub(crate) start: u16,
    pub(crate) offset: u16,
    pub(crate) summed: Summed,
    pub(crate) translates_source: bool,
    pub(crate) translates_destination: bool,
}

// Both take a packet of the same layout, and change nothing but its bytes, in its length.
unsafe extern "C" {
    safe fn nfo_oracle_translate(oracle: &mut Oracle) -> i32;
    safe fn nfo_oracle_complete(oracle: &mut Oracle) -> i32;
}

impl Oracle {
    /// The packet as the classic path forwards it. `ENOTSUPP` where this kernel has no NAT.
    pub(crate) fn translated(&self) -> Result<Self> {
        let mut other = *self;
        to_result(nfo_oracle_translate(&mut other))?;
        Ok(other)
    }

    /// The packet as it is on the wire, after a device that leaves sums to software.
    pub(crate) fn completed(&self) -> Result<Self> {
        let mut other = *self;
        to_result(nfo_oracle_complete(&mut other))?;
        Ok(other)
    }
}

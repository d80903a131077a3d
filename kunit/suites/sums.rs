// SPDX-License-Identifier: GPL-2.0

//! Checksums of packets that say more about them than their bytes: each state of an skb, with what is
//! around the packet and what its field holds, against what the kernel's own NAT makes of it, and
//! against the bytes that leave.

use kernel::prelude::*;

#[kunit_tests(nft_offload_sums)]
mod tests {
    use super::*;
    use crate::flow::nat::*;
    use crate::oracle::*;
    use crate::random::Random;

    const GSO_TCPV4: u32 = 1 << 0;
    const GSO_TCPV6: u32 = 1 << 4;
    const GSO_UDP_TUNNEL: u32 = 1 << 10;
    const GSO_UDP_TUNNEL_CSUM: u32 = 1 << 11;
    const GSO_UDP_L4: u32 = 1 << 17;
    const GSO_FRAGLIST: u32 = 1 << 18;

    /// What a packet's checksum field covers when it comes in.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    enum Covers {
        /// All bytes, as they are.
        Bytes,
        /// All bytes, as they are when the sum of what is inside is complete.
        BytesInTheEnd,
        /// The pseudo header.
        Pseudo,
        /// Nothing: it has to be zero.
        Nothing,
    }
    use Covers::*;

    /// Where a partial sum starts.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    enum Start {
        Here,
        /// At the header of UDP within IPv4 that is in this UDP packet.
        Inside,
    }

    /// One kind of packet.
    struct Kind {
        summed: Summed,
        start: Start,
        gso: u32,
        covers: Covers,
        /// Whether the kernel's NAT leaves the field as it has to be: it takes a partial sum of what is
        /// inside for one of its own header.
        kernel_is_right: bool,
    }

    const fn kind(summed: Summed, start: Start, gso: u32, covers: Covers) -> Kind {
        Kind {
            summed,
            start,
            gso,
            covers,
            kernel_is_right: true,
        }
    }
    const fn wrong_in_the_kernel(summed: Summed, start: Start, gso: u32, covers: Covers) -> Kind {
        Kind {
            kernel_is_right: false,
            ..kind(summed, start, gso, covers)
        }
    }

    const UDP: [Kind; 12] = [
        kind(Summed::None, Start::Here, 0, Bytes),
        kind(Summed::Unnecessary, Start::Here, 0, Bytes),
        kind(Summed::Complete, Start::Here, 0, Bytes),
        kind(Summed::Partial, Start::Here, 0, Pseudo),
        // Datagrams that were joined.
        kind(Summed::Partial, Start::Here, GSO_UDP_L4, Pseudo),
        kind(
            Summed::Unnecessary,
            Start::Here,
            GSO_UDP_L4 | GSO_FRAGLIST,
            Bytes,
        ),
        // A tunnel without a checksum, and one with, around what a device is to sum.
        kind(Summed::Partial, Start::Inside, 0, Nothing),
        wrong_in_the_kernel(Summed::Partial, Start::Inside, 0, BytesInTheEnd),
        kind(
            Summed::Partial,
            Start::Inside,
            GSO_UDP_TUNNEL | GSO_TCPV4,
            Nothing,
        ),
        kind(
            Summed::Partial,
            Start::Inside,
            GSO_UDP_TUNNEL_CSUM | GSO_TCPV4,
            Pseudo,
        ),
        kind(
            Summed::Partial,
            Start::Inside,
            GSO_UDP_TUNNEL_CSUM | GSO_TCPV6,
            Pseudo,
        ),
        kind(
            Summed::Unnecessary,
            Start::Here,
            GSO_UDP_TUNNEL | GSO_UDP_L4,
            Nothing,
        ),
    ];

    const TCP: [Kind; 6] = [
        kind(Summed::None, Start::Here, 0, Bytes),
        kind(Summed::Unnecessary, Start::Here, 0, Bytes),
        kind(Summed::Complete, Start::Here, 0, Bytes),
        kind(Summed::Partial, Start::Here, 0, Pseudo),
        kind(Summed::Partial, Start::Here, GSO_TCPV4, Pseudo),
        kind(Summed::Partial, Start::Here, GSO_TCPV6, Pseudo),
    ];

    /// Ones' complement sum of 16-bit words in network order, with a first value.
    fn sum(bytes: &[u8], first: u32) -> u16 {
        let mut sum = first;
        for pair in bytes.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            sum += u32::from(u16::from_be_bytes([pair[0], low]));
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    impl Oracle {
        fn is_v6(&self) -> bool {
            self.packet[0] >> 4 == 6
        }

        /// Length of the network header.
        fn ip(&self) -> usize {
            if self.is_v6() {
                40
            } else {
                20
            }
        }

        fn protocol(&self) -> Protocol {
            match self.packet[if self.is_v6() { 6 } else { 9 }] {
                6 => Protocol::Tcp,
                _ => Protocol::Udp,
            }
        }

        /// Where the checksum is.
        fn at(&self) -> usize {
            self.ip()
                + if self.protocol() == Protocol::Tcp {
                    16
                } else {
                    6
                }
        }

        fn bytes(&self) -> &[u8] {
            &self.packet[..usize::from(self.len)]
        }

        fn field(&self) -> u16 {
            u16::from_be_bytes([self.packet[self.at()], self.packet[self.at() + 1]])
        }

        fn set_field(&mut self, value: u16) {
            let at = self.at();
            self.packet[at..at + 2].copy_from_slice(&value.to_be_bytes());
        }

        /// Sum of the pseudo header.
        fn pseudo(&self) -> u16 {
            let addresses = if self.is_v6() { 8..40 } else { 12..20 };
            let number = u32::from(self.protocol().number());
            let len = u32::from(self.len) - self.ip() as u32;
            sum(&self.packet[addresses], number + len)
        }

        /// Sum of everything that the checksum is of, with it. 0xffff if that is right.
        fn whole(&self) -> u16 {
            sum(&self.bytes()[self.ip()..], u32::from(self.pseudo()))
        }

        /// The field as it has to be.
        fn right(&self, covers: Covers) -> Result<u16> {
            let mut packet = *self;
            packet.set_field(0);
            match covers {
                Nothing => return Ok(0),
                Pseudo => return Ok(packet.pseudo()),
                Bytes => {}
                BytesInTheEnd => packet = packet.completed()?,
            }
            Ok(match !packet.whole() {
                0 if self.protocol() == Protocol::Udp => 0xffff,
                sum => sum,
            })
        }

        /// Whether the field says what it has to.
        fn is_right(&self, covers: Covers) -> Result<bool> {
            Ok(match covers {
                Nothing => self.field() == 0,
                // Of what is compared, 0 and 0xffff are the same.
                Pseudo => self.field() % 0xffff == self.pseudo() % 0xffff,
                Bytes => self.whole() == 0xffff,
                BytesInTheEnd => self.completed()?.whole() == 0xffff,
            })
        }

        /// The packet as the fast path forwards it.
        fn rewritten(&self, how: Transport) -> Self {
            let (protocol, len) = (self.protocol(), usize::from(self.len));
            let mut other = *self;
            if self.is_v6() {
                let (these, others) = (self.ends::<16>(), self.others::<16>());
                let rewrite = Rewrite::<16>::new(&these, &others);
                rewrite.apply(&mut other.packet[..len], protocol, how);
            } else {
                let (these, others) = (self.ends::<4>(), self.others::<4>());
                let rewrite = Rewrite::<4>::new(&these, &others);
                rewrite.apply(&mut other.packet[..len], protocol, how);
            }
            other
        }

        fn ends<const A: usize>(&self) -> Ends<A> {
            let (at, ip) = (if self.is_v6() { 8 } else { 12 }, self.ip());
            let mut ends = Ends {
                source: [0; A],
                destination: [0; A],
                source_port: [self.packet[ip], self.packet[ip + 1]],
                destination_port: [self.packet[ip + 2], self.packet[ip + 3]],
            };
            ends.source.copy_from_slice(&self.packet[at..at + A]);
            ends.destination
                .copy_from_slice(&self.packet[at + A..at + 2 * A]);
            ends
        }

        fn others<const A: usize>(&self) -> Ends<A> {
            let mut ends = Ends {
                source: [0; A],
                destination: [0; A],
                source_port: self.source_port,
                destination_port: self.destination_port,
            };
            ends.source.copy_from_slice(&self.source[..A]);
            ends.destination.copy_from_slice(&self.destination[..A]);
            ends
        }
    }

    /// A random packet of that kind, whose field is not set yet.
    fn packet<const A: usize>(random: &mut Random, protocol: Protocol, kind: &Kind) -> Oracle {
        let ip = 2 * A + if A == 16 { 8 } else { 12 };
        let at = if protocol == Protocol::Tcp { 16 } else { 6 };
        let (start, offset) = match kind.start {
            Start::Here => (ip, at),
            Start::Inside => (ip + 8 + 20, 6),
        };
        let len = ip + protocol.header_len() + 32 + random.below(20) as usize;
        let mut oracle = Oracle {
            packet: random.bytes(),
            source: [0; 16],
            destination: [0; 16],
            source_port: [0; 2],
            destination_port: [0; 2],
            gso: kind.gso,
            len: len as u16,
            start: start as u16,
            offset: offset as u16,
            summed: kind.summed,
            translates_source: false,
            translates_destination: false,
        };
        let packet = &mut oracle.packet;
        let number = protocol.number();
        if A == 16 {
            packet[0] = 0x60;
            packet[4..6].copy_from_slice(&((len - ip) as u16).to_be_bytes());
            packet[6] = number;
            packet[7] = packet[7].max(2);
        } else {
            packet[0] = 0x45;
            packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            packet[6..8].fill(0);
            packet[8] = packet[8].max(2);
            packet[9] = number;
            packet[10..12].fill(0);
            let check = !sum(&packet[..20], 0);
            packet[10..12].copy_from_slice(&check.to_be_bytes());
        }
        if protocol == Protocol::Udp {
            packet[ip + 4..ip + 6].copy_from_slice(&((len - ip) as u16).to_be_bytes());
        } else {
            packet[ip + 12] = 0x50;
        }

        // Source, destination, or both are translated.
        let which = random.below(3);
        oracle.translates_source = which != 1;
        oracle.translates_destination = which != 0;
        let mut others = oracle.ends::<A>().swapped();
        if oracle.translates_source {
            others.destination = random.bytes();
            others.destination_port = random.bytes();
        }
        if oracle.translates_destination {
            others.source = random.bytes();
            others.source_port = random.bytes();
        }
        oracle.source[..A].copy_from_slice(&others.source);
        oracle.destination[..A].copy_from_slice(&others.destination);
        oracle.source_port = others.source_port;
        oracle.destination_port = others.destination_port;
        oracle
    }

    /// Each kind of packet with each value of its field.
    fn table<const A: usize>(protocol: Protocol, kinds: &[Kind]) -> Result {
        let mut random = Random::new(30 + A as u64);
        let mut result = Ok(());
        for (number, kind) in kinds.iter().enumerate() {
            let how = Transport::of(Sums {
                partial: kind.summed == Summed::Partial,
                starts_here: kind.summed == Summed::Partial && kind.start == Start::Here,
                tunnel_sum: kind.gso & GSO_UDP_TUNNEL_CSUM != 0,
            });
            let mut failed = 0;
            for round in 0..400 {
                let mut before = packet::<A>(&mut random, protocol, kind);
                let right = before.right(kind.covers)?;
                let value = match round % 4 {
                    0 => right,
                    // Says nothing about a packet that must not have one.
                    _ if kind.covers == Nothing => right,
                    1 => 0,
                    2 => 1,
                    _ => 0xffff,
                };
                before.set_field(value);
                let ours = before.rewritten(how);
                let classic = match before.translated() {
                    // There is nothing to compare with.
                    Err(error) if error == ENOTSUPP => return Ok(()),
                    other => other?,
                };
                let none = protocol == Protocol::Udp && value == 0;
                let mut good = !none || ours.field() == 0;
                if kind.kernel_is_right || none {
                    good &= ours.bytes() == classic.bytes();
                }
                if value == right {
                    good &= ours.is_right(kind.covers)?;
                    // What is said of the kernel is so, too.
                    good &= kind.kernel_is_right == classic.is_right(kind.covers)?;
                }
                if !good {
                    failed += 1;
                    result = Err(EINVAL);
                    if failed == 1 {
                        pr_err!(
                            "{} bytes of address, {:?}, kind {}: {:?}, {:?}, gso {:#x}: {:#06x} (right: {:#06x}) became {:#06x}, in the kernel {:#06x}\n",
                            A,
                            protocol,
                            number,
                            kind.summed,
                            kind.start,
                            kind.gso,
                            value,
                            right,
                            ours.field(),
                            classic.field()
                        );
                    }
                }
            }
            if failed != 0 {
                pr_err!("kind {number}: {failed} of 400\n");
            }
        }
        result
    }

    #[test]
    fn udp_ipv4() -> Result {
        table::<4>(Protocol::Udp, &UDP)
    }

    #[test]
    fn udp_ipv6() -> Result {
        table::<16>(Protocol::Udp, &UDP)
    }

    #[test]
    fn tcp_ipv4() -> Result {
        table::<4>(Protocol::Tcp, &TCP)
    }

    #[test]
    fn tcp_ipv6() -> Result {
        table::<16>(Protocol::Tcp, &TCP)
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Rewrites: against full recomputation, and bit for bit against the way the kernel does it.

use kernel::prelude::*;

/// Ones' complement sum of 16-bit words in network order, with a first value.
fn sum(bytes: &[u8], first: u32) -> u16 {
    let mut sum = u64::from(first);
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u64::from(u16::from_be_bytes([pair[0], low]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// The kernel's `csum_replace4` and `inet_proto_csum_replace4` on a complemented field, word by word.
fn kernel_replace(field: u16, old: &[u8], new: &[u8]) -> u16 {
    let fold = |mut sum: u64| {
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum
    };
    let mut field = field;
    for (old, new) in old.chunks(2).zip(new.chunks(2)) {
        let old = u16::from_be_bytes([old[0], old[1]]);
        let new = u16::from_be_bytes([new[0], new[1]]);
        if old == new {
            continue;
        }
        field = !(fold(u64::from(!field) + u64::from(!old) + u64::from(new)) as u16);
    }
    field
}

#[kunit_tests(nft_offload_nat)]
mod tests {
    use super::*;
    use crate::flow::nat::*;
    use crate::random::Random;

    /// A random packet with right checksums, its ends, and its length.
    fn packet_v4(
        random: &mut Random,
        protocol: Protocol,
        packet: &mut [u8; 96],
    ) -> (Ends<4>, usize) {
        let len = 20 + protocol.header_len() + random.below(40) as usize;
        *packet = random.bytes();
        packet[0] = 0x45;
        packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        packet[8] = packet[8].max(2);
        packet[9] = if protocol == Protocol::Tcp { 6 } else { 17 };
        packet[10..12].fill(0);
        let check = !sum(&packet[..20], 0);
        packet[10..12].copy_from_slice(&check.to_be_bytes());
        let ends = Ends {
            source: [packet[12], packet[13], packet[14], packet[15]],
            destination: [packet[16], packet[17], packet[18], packet[19]],
            source_port: [packet[20], packet[21]],
            destination_port: [packet[22], packet[23]],
        };
        (ends, len)
    }

    fn pseudo_v4(packet: &[u8], len: usize) -> u32 {
        u32::from(sum(
            &packet[12..20],
            u32::from(packet[9]) + (len as u32 - 20),
        ))
    }

    fn at(protocol: Protocol) -> usize {
        if protocol == Protocol::Tcp {
            16
        } else {
            6
        }
    }

    fn field(packet: &[u8], at: usize) -> u16 {
        u16::from_be_bytes([packet[at], packet[at + 1]])
    }

    /// Random new ends; often some of them are the old ones, as with source or destination NAT alone.
    fn others<const A: usize>(random: &mut Random, these: &Ends<A>) -> Ends<A> {
        let mut new = these.swapped();
        if random.below(2) == 0 {
            new.destination = random.bytes();
        }
        if random.below(2) == 0 {
            new.destination_port = random.bytes();
        }
        if random.below(2) == 0 {
            new.source = random.bytes();
        }
        if random.below(2) == 0 {
            new.source_port = random.bytes();
        }
        new
    }

    #[test]
    fn ipv4_equals_full_recomputation() {
        let mut random = Random::new(10);
        let mut packet = [0; 96];
        for round in 0..20000 {
            let protocol = if round % 2 == 0 {
                Protocol::Tcp
            } else {
                Protocol::Udp
            };
            let (these, len) = packet_v4(&mut random, protocol, &mut packet);
            let check = 20 + at(protocol);
            packet[check..check + 2].fill(0);
            let mut value = !sum(&packet[20..len], pseudo_v4(&packet, len));
            if protocol == Protocol::Udp && value == 0 {
                value = 0xffff;
            }
            packet[check..check + 2].copy_from_slice(&value.to_be_bytes());
            let ttl = packet[8];
            let others = others(&mut random, &these);

            Rewrite::<4>::new(&these, &others).apply(
                &mut packet[..len],
                protocol,
                Transport::Whole,
            );

            assert_eq!(packet[8], ttl - 1);
            assert_eq!(packet[12..16], others.destination);
            assert_eq!(packet[16..20], others.source);
            assert_eq!(packet[20..22], others.destination_port);
            assert_eq!(packet[22..24], others.source_port);
            assert_eq!(sum(&packet[..20], 0), 0xffff);
            assert_eq!(sum(&packet[20..len], pseudo_v4(&packet, len)), 0xffff);
            assert!(protocol == Protocol::Tcp || field(&packet, check) != 0);
        }
    }

    #[test]
    fn ipv4_equals_the_kernel_bit_for_bit() {
        let mut random = Random::new(11);
        let mut packet = [0; 96];
        for round in 0..20000 {
            let protocol = if round % 2 == 0 {
                Protocol::Tcp
            } else {
                Protocol::Udp
            };
            // The transport checksum is random: a wrong one must stay wrong in the same way.
            let (these, len) = packet_v4(&mut random, protocol, &mut packet);
            let others = others(&mut random, &these);
            let new = others.swapped();
            let check = 20 + at(protocol);
            let (header, transport) = (field(&packet, 10), field(&packet, check));
            let mut expected = kernel_replace(transport, &these.source, &new.source);
            expected = kernel_replace(expected, &these.destination, &new.destination);
            expected = kernel_replace(expected, &these.ports(), &new.ports());
            let unchanged = these == new;
            if protocol == Protocol::Udp {
                if transport == 0 {
                    expected = 0;
                } else if expected == 0 && !unchanged {
                    expected = 0xffff;
                }
            }
            let mut expected_header = kernel_replace(header, &these.source, &new.source);
            expected_header = kernel_replace(expected_header, &these.destination, &new.destination);
            // As ip_decrease_ttl does.
            let sum = u32::from(expected_header) + 0x0100;
            expected_header = (sum + u32::from(sum >= 0xffff)) as u16;

            Rewrite::<4>::new(&these, &others).apply(
                &mut packet[..len],
                protocol,
                Transport::Whole,
            );

            assert_eq!(field(&packet, check), expected);
            assert_eq!(field(&packet, 10), expected_header);
        }
    }

    #[test]
    fn partial_sum_follows_addresses_only() {
        let mut random = Random::new(12);
        let mut packet = [0; 96];
        for round in 0..20000 {
            let protocol = if round % 2 == 0 {
                Protocol::Tcp
            } else {
                Protocol::Udp
            };
            let (these, len) = packet_v4(&mut random, protocol, &mut packet);
            let check = 20 + at(protocol);
            let value = sum(&[], pseudo_v4(&packet, len));
            packet[check..check + 2].copy_from_slice(&value.to_be_bytes());
            let others = others(&mut random, &these);

            Rewrite::<4>::new(&these, &others).apply(
                &mut packet[..len],
                protocol,
                Transport::Pseudo,
            );

            // Completed as a device would: the sum from the transport header on, complemented.
            let complete = !sum(&packet[20..len], 0);
            packet[check..check + 2].copy_from_slice(&complete.to_be_bytes());
            assert_eq!(sum(&packet[20..len], pseudo_v4(&packet, len)), 0xffff);
        }
    }

    #[test]
    fn udp_without_checksum_stays_without() {
        let mut random = Random::new(13);
        let mut packet = [0; 96];
        for _ in 0..1000 {
            let (these, len) = packet_v4(&mut random, Protocol::Udp, &mut packet);
            packet[26..28].fill(0);
            let others = others(&mut random, &these);
            Rewrite::<4>::new(&these, &others).apply(
                &mut packet[..len],
                Protocol::Udp,
                Transport::Whole,
            );
            assert_eq!(packet[26..28], [0, 0]);
        }
    }

    #[test]
    fn ipv6_equals_full_recomputation() {
        let mut random = Random::new(14);
        for round in 0..20000 {
            let protocol = if round % 2 == 0 {
                Protocol::Tcp
            } else {
                Protocol::Udp
            };
            let len = 40 + protocol.header_len() + random.below(40) as usize;
            let mut packet: [u8; 128] = random.bytes();
            let number = if protocol == Protocol::Tcp { 6u32 } else { 17 };
            packet[7] = packet[7].max(2);
            let pseudo = |packet: &[u8]| u32::from(sum(&packet[8..40], number + len as u32 - 40));
            let check = 40 + at(protocol);
            packet[check..check + 2].fill(0);
            let mut value = !sum(&packet[40..len], pseudo(&packet));
            if protocol == Protocol::Udp && value == 0 {
                value = 0xffff;
            }
            packet[check..check + 2].copy_from_slice(&value.to_be_bytes());
            let mut these = Ends::<16> {
                source: [0; 16],
                destination: [0; 16],
                source_port: [packet[40], packet[41]],
                destination_port: [packet[42], packet[43]],
            };
            these.source.copy_from_slice(&packet[8..24]);
            these.destination.copy_from_slice(&packet[24..40]);
            let others = others(&mut random, &these);
            let hops = packet[7];

            Rewrite::<16>::new(&these, &others).apply(
                &mut packet[..len],
                protocol,
                Transport::Whole,
            );

            assert_eq!(packet[7], hops - 1);
            assert_eq!(packet[8..24], others.destination);
            assert_eq!(packet[24..40], others.source);
            assert_eq!(sum(&packet[40..len], pseudo(&packet)), 0xffff);
        }
    }

    /// Both directions at once, also where words go from one zero to the other.
    fn both_are_each<const A: usize>(random: &mut Random) {
        for round in 0..20000 {
            let mut these = Ends::<A> {
                source: random.bytes(),
                destination: random.bytes(),
                source_port: random.bytes(),
                destination_port: random.bytes(),
            };
            let mut new = others(random, &these);
            if round % 4 == 0 {
                these.source[A - 2..].fill(0xff);
                new.destination = these.source;
                new.destination[A - 2..].fill(0);
            }
            let [there, back] = Rewrite::both(&these, &new);
            assert!(there == Rewrite::new(&these, &new));
            assert!(back == Rewrite::new(&new, &these));
        }
    }

    #[test]
    fn both_directions_at_once() {
        let mut random = Random::new(14);
        both_are_each::<4>(&mut random);
        both_are_each::<16>(&mut random);
    }

    #[test]
    fn one_zero_to_the_other_is_a_change() {
        let mut random = Random::new(15);
        let mut packet = [0; 96];
        let (mut these, len) = packet_v4(&mut random, Protocol::Udp, &mut packet);
        packet[14..16].fill(0xff);
        these.source[2..].fill(0xff);
        let mut new = these.swapped();
        new.destination[2..].fill(0);
        Rewrite::<4>::new(&these, &new).apply(&mut packet[..len], Protocol::Udp, Transport::Whole);
        assert_eq!(packet[12..16], new.destination);
    }

    #[test]
    fn short_packets_are_left_alone() {
        let these = Ends::<4> {
            source: [1; 4],
            destination: [2; 4],
            source_port: [3; 2],
            destination_port: [4; 2],
        };
        let rewrite = Rewrite::<4>::new(&these, &these);
        let mut packet = [0x45u8; 23];
        rewrite.apply(&mut packet, Protocol::Udp, Transport::Whole);
        assert_eq!(packet, [0x45u8; 23]);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Encapsulations.

use kernel::prelude::*;

#[kunit_tests(nft_offload_encap)]
mod tests {
    use crate::flow::encap::*;

    #[test]
    fn priority_is_no_part_of_a_tag() {
        for priority in 0..16u16 {
            assert_eq!(Tag::vlan(0x8100, priority << 12 | 7), Some(Tag::Vlan(7)));
            assert_eq!(
                Tag::vlan(0x88a8, priority << 12 | 7),
                Some(Tag::ServiceVlan(7))
            );
            assert_eq!(Tag::vlan(0x8100, priority << 12), None);
            assert_eq!(Tag::vlan(0x0800, priority << 12 | 7), None);
        }
    }

    #[test]
    fn two_fit_and_no_more() {
        let (a, b, c) = (Tag::Vlan(1), Tag::ServiceVlan(2), Tag::Pppoe(3));
        let one = Encap::NONE.with_inner(a);
        let two = one.and_then(|encap| encap.with_inner(b));
        assert_eq!(two.map(Encap::outer_and_inner), Ok((Some(a), Some(b))));
        assert_eq!(two.and_then(|encap| encap.with_inner(c)), Err(TooDeep));
        assert_eq!(two.and_then(|encap| encap.with_outer(c)), Err(TooDeep));
        assert_eq!(
            two.and_then(Encap::without_outer)
                .map(Encap::outer_and_inner),
            Ok((Some(b), None))
        );
        assert_eq!(Encap::NONE.without_outer(), Err(TooDeep));
        // Built from the inside out it is the same.
        let sent = Encap::NONE
            .with_outer(b)
            .and_then(|encap| encap.with_outer(a));
        assert_eq!(sent, two);
        assert_eq!(two.map(Encap::len), Ok(8));
        let session = Encap::NONE
            .with_outer(c)
            .and_then(|encap| encap.with_outer(a));
        assert_eq!(
            session.map(|encap| (encap.len(), encap.has_session())),
            Ok((12, true))
        );
        assert_eq!(two.map(Encap::has_session), Ok(false));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for ethertype in [0x0800, 0x86dd] {
            let header = pppoe_header(0xabcd, ethertype, 1492).unwrap_or_default();
            assert_eq!(header[4..6], 1494u16.to_be_bytes());
            let inside = read(0x8864, &header);
            let wanted = Inside {
                tag: Tag::Pppoe(0xabcd),
                ethertype,
                len: 8,
            };
            assert_eq!(inside, Ok(wanted));
            for kind in [0x8100, 0x88a8] {
                let inside = read(kind, &vlan_header(0xfff, ethertype));
                assert_eq!(inside.map(|i| Some(i.tag)), Ok(Tag::vlan(kind, 0xfff)));
                assert_eq!(inside.map(|i| (i.ethertype, i.len)), Ok((ethertype, 4)));
            }
        }
        assert!(pppoe_header(1, 0x0806, 100).is_none());
        assert!(pppoe_header(1, 0x0800, 65533).is_some());
        assert!(pppoe_header(1, 0x0800, 65534).is_none());
        assert!(pppoe_header(1, 0x0800, u32::MAX).is_none());
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The table as a whole, over the real kernel.

use kernel::prelude::*;

#[kunit_tests(nft_offload_table)]
mod tests {
    use crate::compat::sync::rcu;
    use crate::kernel_net::memory::Account;
    use crate::kernel_net::rcu::ReadSide;
    use crate::kernel_net::rcu_table::*;
    use kernel::prelude::*;

    /// Something with two keys, the second of which is the first with all bits inverted.
    struct Toy([u32; 2]);

    impl Toy {
        fn keys(number: u32) -> [u32; 2] {
            [number, !number]
        }
    }

    impl Object for Toy {
        type Key = u32;
        type Secret = u32;

        fn key(&self, side: Side) -> &u32 {
            let Self([original, reply]) = self;
            match side {
                Side::Original => original,
                Side::Reply => reply,
            }
        }

        fn hash(secret: &u32, key: &u32) -> u32 {
            let hash = (key ^ secret).wrapping_mul(0x85eb_ca6b);
            let hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
            hash ^ hash >> 16
        }
    }

    type Table = RcuTable<Toy>;

    fn new() -> Result<Pin<KBox<Table>>> {
        KBox::pin_init(Table::new(0x1234_5678, Account::of_current()), GFP_KERNEL)
    }

    fn insert(table: &Table, number: u32) -> Option<u32> {
        let keys = Toy::keys(number);
        let [original, reply] = &keys;
        let make = || Toy(keys);
        table.insert([original, reply], When::NEVER, make).ok()
    }

    /// Whether it is found by both keys, by the first look or the thorough one.
    fn is_there(table: &Table, number: u32) -> bool {
        let guard = rcu::read_lock();
        let rcu = ReadSide::of(&guard);
        let [original, reply] = Toy::keys(number);
        [(original, Side::Original), (reply, Side::Reply)]
            .into_iter()
            .all(|(key, side)| {
                let found = match table.lookup_first(&key, rcu) {
                    First::Found(found) => Some(found),
                    First::Missing => None,
                    First::Elsewhere => table.lookup(&key, rcu),
                };
                found.is_some_and(|found| found.side() == side && *found.object.key(side) == key)
            })
    }

    #[test]
    fn an_empty_one_is_small_and_finds_nothing() {
        let Ok(table) = new() else {
            assert!(false);
            return;
        };
        let bytes = size_of::<Table>();
        pr_info!("a table of toys has {bytes} bytes\n");
        assert!(bytes <= 256);
        for number in 0..1000 {
            assert!(!is_there(&table, number));
        }
        assert!(table.resize().is_ok());
        assert!(!table.remove(64));
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn the_array_goes_and_comes_back() {
        let Ok(table) = new() else {
            assert!(false);
            return;
        };
        for round in 0..5 {
            let count = 1 + 30 * round;
            let mut indices = KVec::new();
            for number in 0..count {
                let index = insert(&table, number);
                assert!(index.is_some());
                assert!(index.is_some_and(|index| indices.push(index, GFP_KERNEL).is_ok()));
                // Twice is once.
                assert!(insert(&table, number).is_none());
                assert!(table.resize().is_ok());
            }
            for number in 0..count {
                assert!(is_there(&table, number));
            }
            for &index in &indices {
                assert!(table.remove(index));
            }
            for number in 0..count {
                assert!(!is_there(&table, number));
            }
            assert!(table.resize().is_ok());
            assert_eq!(table.len(), 0);
        }
    }

    #[test]
    fn the_directory_grows() {
        let Ok(table) = new() else {
            assert!(false);
            return;
        };
        // Past the 65536 objects for which the first one is.
        const COUNT: u32 = 70_000;
        for number in 0..COUNT {
            let index = insert(&table, number);
            assert_eq!(index, Some(number + 1));
            if number % 16 == 0 {
                assert!(table.resize().is_ok());
            }
        }
        for number in 0..COUNT {
            assert!(is_there(&table, number));
        }
        let guard = rcu::read_lock();
        let mut at = 0;
        let mut seen = 0;
        while let Some((index, _)) = table.next(at, ReadSide::of(&guard)) {
            seen += 1;
            at = index + 1;
        }
        drop(guard);
        assert_eq!(seen, COUNT);
    }
}

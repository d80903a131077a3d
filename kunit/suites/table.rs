// SPDX-License-Identifier: GPL-2.0

//! The table as a whole, over the real kernel.

use kernel::prelude::*;

#[kunit_tests(nft_offload_table)]
mod tests {
    use crate::compat::sync::rcu;
    use crate::kernel_net::memory::Account;
    use crate::kernel_net::rcu::ReadSide;
    use crate::kernel_net::rcu_table::*;
    use crate::kernel_net::time;
    use core::ptr;
    use core::sync::atomic::{
        AtomicPtr,
        AtomicU32,
        Ordering::Relaxed, //
    };
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
            look_on();
            if *secret == KNOWN {
                // Whoever knows it has chosen keys well: all are in each other's way.
                return (key & 0x7) + 8;
            }
            let hash = (key ^ secret).wrapping_mul(0x85eb_ca6b);
            let hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
            hash ^ hash >> 16
        }
    }

    type Table = RcuTable<Toy>;

    /// The secret for which keys can be chosen that collide.
    const KNOWN: u32 = 1;

    /// The next secret that is drawn.
    static SECRET: AtomicU32 = AtomicU32::new(0x1234_5678);

    fn draw() -> u32 {
        SECRET.load(Relaxed)
    }

    /// A table that somebody looks into whenever it hashes a key, and how many toys are in there.
    static WATCHED: AtomicPtr<Table> = AtomicPtr::new(ptr::null_mut());
    static TOYS: AtomicU32 = AtomicU32::new(0);
    static LOOKS: AtomicU32 = AtomicU32::new(0);
    static MISSED: AtomicU32 = AtomicU32::new(0);

    /// As a packet on another CPU might.
    fn look_on() {
        // Not while doing this.
        let table = WATCHED.swap(ptr::null_mut(), Relaxed);
        // SAFETY: Null, or the table of a test that is running, and waits for nobody.
        if let Some(watched) = unsafe { table.as_ref() } {
            for number in 0..TOYS.load(Relaxed) {
                LOOKS.fetch_add(1, Relaxed);
                if !is_there(watched, number) {
                    MISSED.fetch_add(1, Relaxed);
                }
            }
            WATCHED.store(table, Relaxed);
        }
    }

    fn new() -> Result<Pin<KBox<Table>>> {
        KBox::pin_init(Table::new(draw, Account::of_current()), GFP_KERNEL)
    }

    /// Whether somebody is told to resize it.
    fn needs_resize(table: &Table) -> bool {
        let guard = rcu::read_lock();
        table.needs_resize(ReadSide::of(&guard))
    }

    /// One in which toys have been put until there was no room, and how many.
    fn crammed() -> Result<(Pin<KBox<Table>>, u32)> {
        SECRET.store(KNOWN, Relaxed);
        let table = new()?;
        let mut toys = 0;
        while insert(&table, toys * 8).is_some() {
            toys += 1;
        }
        SECRET.store(0x1234_5678, Relaxed);
        Ok((table, toys))
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
    fn keys_that_collide_find_room_after_a_rebuild() {
        let Ok((table, toys)) = crammed() else {
            assert!(false);
            return;
        };
        // Sixteen buckets of 32, from the same one on: half of what there is, and not enough to grow.
        assert_eq!(toys, 56);
        for _ in 0..10 {
            assert!(insert(&table, toys * 8).is_none());
        }
        // One is told of it in a second.
        assert!(needs_resize(&table));
        assert!(!needs_resize(&table));
        time::pass(1);
        assert!(needs_resize(&table));
        assert!(!needs_resize(&table));
        assert!(table.resize().is_ok());
        assert!(!needs_resize(&table));
        for number in toys..1000 {
            assert!(insert(&table, number * 8).is_some());
            if number % 16 == 0 {
                assert!(table.resize().is_ok());
            }
        }
        for number in 0..1000 {
            assert!(is_there(&table, number * 8));
        }
        assert_eq!(table.len(), 1000);
    }

    #[test]
    fn it_is_rebuilt_once_in_ten_seconds() {
        let Ok((table, toys)) = crammed() else {
            assert!(false);
            return;
        };
        // They learn the next one, too.
        SECRET.store(KNOWN, Relaxed);
        assert!(table.resize().is_ok());
        assert!(insert(&table, toys * 8).is_none());
        SECRET.store(0x1234_5678, Relaxed);
        time::pass(9);
        assert!(table.resize().is_ok());
        assert!(insert(&table, toys * 8).is_none());
        time::pass(1);
        assert!(table.resize().is_ok());
        assert!(insert(&table, toys * 8).is_some());
        for number in 0..=toys {
            assert!(is_there(&table, number * 8));
        }
    }

    #[test]
    fn nothing_that_stays_is_missed_meanwhile() {
        SECRET.store(KNOWN, Relaxed);
        let Ok(table) = new() else {
            assert!(false);
            return;
        };
        let mut toys = 0;
        while toys < 1000 && insert(&table, toys).is_some() {
            toys += 1;
        }
        assert_eq!(toys, 56);
        SECRET.store(0x1234_5678, Relaxed);
        TOYS.store(toys, Relaxed);
        for _ in 0..3 {
            // Some key has found none, by the last of those above or by this one.
            let _ = insert(&table, 8000);
            WATCHED.store(ptr::from_ref(&*table).cast_mut(), Relaxed);
            let done = table.resize();
            WATCHED.store(ptr::null_mut(), Relaxed);
            assert!(done.is_ok());
            time::pass(10);
        }
        assert!(LOOKS.load(Relaxed) > toys * toys);
        assert_eq!(MISSED.load(Relaxed), 0);
        assert_eq!(table.len(), toys + 1);
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

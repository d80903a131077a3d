// SPDX-License-Identifier: GPL-2.0

//! What bridges say of their stations, for next hops that lead through bridges.
//!
//! A bridge tells of each station that it learns, moves or forgets, and some hear of thousands in a second
//! that no flow is for. So an event does not look for next hops: it counts, in one of some hundred places,
//! which the station's address selects. A next hop remembers the count as of when its way was found. The
//! packet that finds another one looks where the way leads now: mostly where it did, and the station that
//! was learned was one of the others in that place.
//!
//! Which stations share a place depends on a secret.

use crate::compat::pin_init_array_from_fn;
use crate::compat::prelude::*;
use crate::compat::sync::Arc;
use crate::kernel_net::neighbour::Mac;
use crate::kernel_net::random::secret;
use core::sync::atomic::{
    AtomicU32,
    Ordering::{
        Acquire,
        Relaxed,
        Release, //
    }, //
};

/// Places: two to the power of this.
const BITS: u32 = 9;
const PLACES: usize = 1 << BITS;

/// How many times something was said of stations, by place: those of one namespace.
#[pin_data]
pub(crate) struct Stations {
    #[pin]
    places: [AtomicU32; PLACES],
    secret: u64,
}

impl Stations {
    /// Nothing was said. Process context; fails with `ENOMEM`.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                places <- pin_init_array_from_fn(|_| AtomicU32::new(0)),
                // Odd, so that the uppermost bits of a product depend on all others.
                secret: secret() | 1,
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    fn place(&self, station: Mac) -> usize {
        let [a, b, c, d, e, f] = station;
        let word = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        // CAST: Less than the number of places.
        (word.wrapping_mul(self.secret) >> (u64::BITS - BITS)) as usize
    }

    /// Something was said of a station. Any context.
    pub(crate) fn tell(&self, station: Mac) {
        // Pairs with `now`: who sees the count sees what the bridge has changed before.
        self.places[self.place(station) % PLACES].fetch_add(1, Release);
    }
}

/// What a next hop knows of its station.
pub(crate) struct Learned {
    stations: Arc<Stations>,
    place: usize,
    as_of: AtomicU32,
}

impl Learned {
    /// Of a station, as of now: before it is looked where the way leads.
    pub(crate) fn new(stations: Arc<Stations>, station: Mac) -> Self {
        let place = stations.place(station);
        let this = Self {
            stations,
            place,
            as_of: AtomicU32::new(0),
        };
        this.note(this.now());
        this
    }

    /// The same of another station.
    pub(crate) fn of(self, station: Mac) -> Self {
        Self::new(self.stations, station)
    }

    /// The count.
    #[inline(always)]
    pub(super) fn now(&self) -> u32 {
        self.stations.places[self.place % PLACES].load(Acquire)
    }

    /// Notes that the way is right as of that count.
    pub(super) fn note(&self, count: u32) {
        self.as_of.store(count, Relaxed);
    }

    /// Whether something was said that may concern the station.
    #[inline(always)]
    pub(super) fn is_outdated(&self) -> bool {
        self.now() != self.as_of.load(Relaxed)
    }
}

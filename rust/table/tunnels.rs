// SPDX-License-Identifier: GPL-2.0

//! The tunnels that flows come through, by number.
//!
//! The addresses of a tunnel do not fit into the key of a flow, a number does. So a packet that
//! comes through a tunnel costs a lookup more, and all others nothing. A number stays as long as a
//! next hop leads into the tunnel.

use crate::compat::prelude::*;
use crate::compat::sync::rcu;
use crate::compat::sync::Arc;
use crate::flow::ip::Ip;
use crate::flow::key::MAX_TUNNEL;
use crate::kernel_net::memory::Account;
use crate::kernel_net::random::secret;
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::rcu_table::{
    InsertError,
    Object,
    RcuTable,
    Side,
    When, //
};
use crate::reason::Refusal;
use core::sync::atomic::{
    AtomicU32,
    Ordering::Relaxed, //
};

/// In place of a number of users: the tunnel is being forgotten, and takes none any more.
const FORGOTTEN: u32 = u32::MAX;

/// A tunnel.
pub(crate) struct Tunnel<F: Ip> {
    /// The key of packets that come out of it, and of those that go in: found by the first.
    keys: [F::TunnelKey; 2],
    users: Arc<AtomicU32>,
}

impl<F: Ip> Object for Tunnel<F> {
    type Key = F::TunnelKey;
    type Secret = F::TunnelSecret;

    fn key(&self, side: Side) -> &F::TunnelKey {
        let [received, sent] = &self.keys;
        match side {
            Side::Original => received,
            Side::Reply => sent,
        }
    }

    fn hash(secret: &F::TunnelSecret, key: &F::TunnelKey) -> u32 {
        F::tunnel_hash(secret, key)
    }
}

/// A share of a tunnel's number.
pub(crate) struct TunnelRef {
    number: u32,
    users: Arc<AtomicU32>,
}

impl TunnelRef {
    /// The number: neither zero nor more than [`MAX_TUNNEL`].
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Takes part in a number, unless it is being forgotten.
    fn join(index: u32, users: &Arc<AtomicU32>) -> Option<Self> {
        let more = |n: u32| n.checked_add(1).filter(|&n| n != FORGOTTEN);
        users.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(Self {
            number: index.saturating_add(1),
            users: users.clone(),
        })
    }
}

impl Drop for TunnelRef {
    fn drop(&mut self) {
        self.users.fetch_sub(1, Relaxed);
    }
}

/// The tunnels of one version of IP.
#[pin_data]
pub(crate) struct Tunnels<F: Ip> {
    #[pin]
    table: RcuTable<Tunnel<F>>,
}

impl<F: Ip> Tunnels<F> {
    pub(crate) fn new(account: Account) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            table <- RcuTable::new(|| F::tunnel_secret(secret), account),
        }? Error)
    }

    /// Whether there is none at all.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// The number of the tunnel that a packet has come through. Softirq.
    pub(crate) fn number(&self, received: &F::Endpoints, rcu: ReadSide<'_>) -> Option<u32> {
        let key = F::tunnel_key(received);
        let found = self.table.lookup_often(&key, rcu)?;
        (found.side() == Side::Original).then(|| found.index().saturating_add(1))
    }

    /// The number of a tunnel, a new one if it has none. `received` is as packets come out of it.
    /// Softirq.
    pub(crate) fn get(
        &self,
        received: &F::Endpoints,
        rcu: ReadSide<'_>,
    ) -> Result<TunnelRef, Refusal> {
        let key = F::tunnel_key(received);
        if let Some(found) = self.table.lookup(&key, rcu) {
            return TunnelRef::join(found.index(), &found.object.users).ok_or(Refusal::TableFull);
        }
        let users = Arc::new(AtomicU32::new(0), GFP_ATOMIC).map_err(|_| Refusal::NoMemory)?;
        let keys = [key, F::tunnel_key(&F::swapped(received))];
        let [out, back] = &keys;
        let make = || Tunnel {
            keys,
            users: users.clone(),
        };
        // Nobody visits tunnels.
        let result = self.table.insert([out, back], When::NEVER, make);
        let index = result.map_err(|error| match error {
            InsertError::NoMemory => Refusal::NoMemory,
            // Somebody else was faster; the next packet finds it.
            InsertError::Exists(_) | InsertError::Full => Refusal::TableFull,
        })?;
        let tunnel = TunnelRef::join(index, &users).ok_or(Refusal::TableFull)?;
        if tunnel.number() > MAX_TUNNEL {
            return Err(Refusal::TableFull);
        }
        Ok(tunnel)
    }

    /// Forgets the tunnels that nobody uses, and fits the table to what is left. Process context.
    pub(crate) fn tidy(&self) -> Result {
        let mut from = 0;
        loop {
            let guard = rcu::read_lock();
            let Some((index, tunnel)) = self.table.next(from, ReadSide::of(&guard)) else {
                break;
            };
            let unused = tunnel
                .users
                .compare_exchange(0, FORGOTTEN, Relaxed, Relaxed)
                .is_ok();
            drop(guard);
            if unused {
                self.table.remove(index);
            }
            from = index.saturating_add(1);
        }
        self.table.resize()
    }
}

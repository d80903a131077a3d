// SPDX-License-Identifier: GPL-2.0

//! Packets by the batch.
//!
//! # Problem
//!
//! With more flows than fit into the cache a packet waits for memory, several times in a row: for its
//! bucket, then for its flow, then for its connection. Packets come one after the other, and a hook
//! may not see the next one before it has given its verdict on this one.
//!
//! # Algorithm
//!
//! The hook puts the packet into a queue of its CPU, has memory fetch what is needed first, and says
//! that it has stolen the packet. When the queue is full, or when the CPU has no more packets for
//! now, all of them are served: first memory is told what else is needed, of all packets, stage by
//! stage; then each packet goes through [`Type::hook`], in the order in which they came. Those that
//! it accepts go on into the stack from where they would have left the hook.
//!
//! ```text
//!   driver --> hook --> queue of the CPU --+--> stage 1, 2, ... for all --> hook for each --> out
//!                |                         |                                          \--> stack
//!                |      full, or: NAPI poll, in the same round of softirqs
//!                \--> not for the queue: the queue is served, then the packet
//! ```
//!
//! # Order
//!
//! No packet overtakes another that came in by the same CPU before it: all that a batching
//! flowtable's devices receive comes by its hook, where a packet either goes to the end of the queue,
//! or has the queue served before it goes on itself. When a device is taken out of the flowtable, its
//! packets do not come by any more, though some may wait: so each device has a second hook, the
//! guard, behind the first, which has the queue served, too, and stays until it is empty. There is one
//! queue for all flowtables of a namespace, so that this also holds when one takes the place of
//! another.
//!
//! The exception is a CPU that has just come back from the dead: see below.
//!
//! A packet that is served, and so goes on into the stack, may come by a hook once more, by a VLAN
//! device above for instance. The packets behind it in the queue came later: it does not wait for
//! them.
//!
//! # What waits
//!
//! A packet goes on as it would have done without the queue, if nobody between the hook and the
//! stack had anything to do with it. So none is put into the queue if there are other ingress hooks,
//! generic XDP, or a device below, whose taps would miss it; see `nfo_skb_can_wait`.
//!
//! # Context and locking
//!
//! Queues are used in softirq, or with bottom halves disabled. Packets wait with nothing but a pointer
//! to their device and flowtable: who takes a device out of a flowtable waits for the queues, as does
//! who frees the flowtable.
//!
//! # Whose a queue is
//!
//! Each CPU puts packets into its own queue only. But when a CPU dies that has some left, the kernel
//! moves its NAPI instances to another one (C: `dev_cpu_dead`), which serves the queue in its place,
//! some time later: the first one may be back by then, and get packets. So a queue belongs to the CPU
//! on whose list its instance is, which the kernel notes in the instance (C: `list_owner`):
//!
//! | list | who uses the queue |
//! |---|---|
//! | none | nobody; it is empty. Its own CPU may claim it: it schedules the instance |
//! | of its own CPU | that one, until its poll function completes the instance |
//! | of another CPU | that one, in its poll function. The own one leaves the queue alone |
//!
//! The own CPU looks at the note before each use, with bottom halves disabled, which is one load and no
//! lock:
//!
//! - If it finds itself there, it has scheduled the instance and has not completed it since; or it has
//!   got the instance from another CPU that is dead. Nobody else takes an instance off the list of a
//!   CPU that lives. The list is only changed by this CPU, and by the one that buries it, which is done
//!   with that before this one comes back.
//! - If it finds nobody, it may still be too early: another CPU is about to complete the instance. It
//!   claims the queue by an atomic operation that succeeds only if nobody has the instance scheduled
//!   (C: `napi_schedule_prep`), and which sees all that was done until the instance was completed.
//! - If it finds another CPU, or the claim fails, its packet does not wait, nor does it have the queue
//!   served. So what a CPU gets at once after its return may overtake what it left behind when it died.
//!
//! A poll function completes the instance when the queue is empty, and does not touch the queue any
//! more then. The functions on the queue are the same on both CPUs; those who only read, the two
//! counters, read atomics.
//!
//! C headers: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h),
//! [`include/linux/netfilter.h`](srctree/include/linux/netfilter.h)

use super::{
    live,
    options,
    Type, //
};
use crate::bindings;
use crate::compat::prelude::*;
use crate::compat::sync::{
    new_mutex,
    Arc,
    Mutex, //
};
use crate::kernel_net::netfilter::{
    unsupported,
    Family, //
};
use crate::kernel_net::rcu::{
    synchronize_rcu,
    ReadSide, //
};
use crate::kernel_net::skb::Skb;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::{
    self,
    NonNull, //
};
use core::sync::atomic::{
    AtomicBool,
    AtomicI32,
    AtomicU32,
    Ordering::{
        Acquire,
        Relaxed,
        Release, //
    }, //
};

/// The most packets that wait: more would not be in the cache any more when they are served.
pub(crate) const LEN: usize = 32;

/// A packet that waits.
struct Packet<T: Type> {
    skb: NonNull<bindings::sk_buff>,
    flowtable: *mut bindings::nf_flowtable,
    family: Family,
    hint: T::Hint,
}

/// The queue of a CPU.
///
/// # Invariants
///
/// The first `len` of `packets` are initialised. Their flowtables have content `T`, and stay until
/// somebody has seen `len` to be zero, or `served` to have changed. All but the instance is changed only
/// by the CPU that the queue belongs to: see the module documentation. While `len` is not zero there is
/// one, since the instance is scheduled.
#[repr(C)]
struct Queue<T: Type> {
    napi: UnsafeCell<bindings::napi_struct>,
    /// The CPU whose packets it takes. Does not change.
    cpu: AtomicI32,
    len: AtomicU32,
    /// How many times it was emptied.
    served: AtomicU32,
    /// Its packets are being served.
    busy: AtomicBool,
    packets: UnsafeCell<[MaybeUninit<Packet<T>>; LEN]>,
}

/// The second hook of a device, behind that of a flowtable. Dropping it unregisters it; process
/// context.
///
/// # Invariants
///
/// `ops` are registered, and the device is valid.
struct Guard {
    ops: KBox<bindings::nf_hook_ops>,
    flowtable: *mut bindings::nf_flowtable,
}

// SAFETY: The hook is registered and unregistered in any task; the pointer is only compared.
unsafe impl Send for Guard {}

impl Guard {
    /// Registers it. Process context; may sleep.
    ///
    /// # Safety
    ///
    /// `flowtable` is valid; `device` is, until this is dropped. `ops` are those of a hook at ingress
    /// of this device.
    unsafe fn register(
        ops: bindings::nf_hook_ops,
        flowtable: *mut bindings::nf_flowtable,
    ) -> Result<Self> {
        let mut ops = KBox::new(ops, GFP_KERNEL)?;
        // SAFETY: The device is valid.
        let net = unsafe { bindings::nfo_dev_net(ops.dev) };
        // SAFETY: So is its namespace; the operations stay in their box until they are unregistered.
        kernel::error::to_result(unsafe { bindings::nf_register_net_hook(net, &raw mut *ops) })?;
        // INVARIANT: Just registered.
        Ok(Self { ops, flowtable })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // SAFETY: The device is valid, by the type invariant.
        let net = unsafe { bindings::nfo_dev_net(self.ops.dev) };
        // SAFETY: Registered, by the type invariant.
        unsafe { bindings::nf_unregister_net_hook(net, &raw const *self.ops) };
        // Who lists hooks reads them under RCU.
        synchronize_rcu();
    }
}

/// The queues of all CPUs.
///
/// # Invariants
///
/// `device` is a dummy, and `area` has an initialised [`Queue`] for each CPU, whose NAPI instance is one
/// of that device.
struct Queues<T: Type> {
    device: NonNull<bindings::net_device>,
    area: NonNull<Queue<T>>,
}

// SAFETY: The area may be freed by any task. A packet that waits is served by another CPU than the one
// that put it in, if that one has died; skbs and flowtables belong to no CPU, and hints are plain values.
unsafe impl<T: Type> Send for Queues<T> {}
// SAFETY: A queue is used by one CPU at a time, with bottom halves disabled: see the module
// documentation. Others read the counters, which are atomic, and the owner of the instance, which is one
// word.
unsafe impl<T: Type> Sync for Queues<T> {}

impl<T: Type> Queues<T> {
    /// Empty ones. Process context; may sleep.
    fn new() -> Result<Self> {
        let size = size_of::<Queue<T>>();
        let (align, gfp) = (align_of::<Queue<T>>(), bindings::NFO_GFP_KERNEL);
        // SAFETY: Any size and alignment may be asked for.
        let area = unsafe { bindings::pcpu_alloc_noprof(size, align, false, gfp) };
        let area = NonNull::new(area).ok_or(ENOMEM)?;
        // SAFETY: May be called in process context.
        let Some(device) = NonNull::new(unsafe { bindings::alloc_netdev_dummy(0) }) else {
            // SAFETY: Just allocated.
            unsafe { bindings::free_percpu(area.as_ptr()) };
            return Err(ENOMEM);
        };
        // INVARIANT: The area comes zeroed, and all zero is an empty queue but for the NAPI instance,
        // which is made here.
        let this = Self {
            device,
            area: area.cast(),
        };
        for cpu in cpus() {
            let queue = this.of(cpu);
            // CAST: There are not that many CPUs; C has it so, too.
            queue.cpu.store(cpu as i32, Relaxed);
            let (device, napi) = (device.as_ptr(), queue.napi.get());
            // SAFETY: The queue stays where it is until the instance is deleted.
            unsafe { bindings::nfo_napi_add(device, napi, Some(Queue::<T>::poll)) };
        }
        Ok(this)
    }

    /// The queue of this CPU. Bottom halves are disabled.
    #[inline(always)]
    fn here(&self) -> &Queue<T> {
        // SAFETY: The area has an initialised queue for each CPU, by the type invariant, and goes
        // with `self`.
        unsafe { &*bindings::nfo_this_cpu_ptr(self.area.as_ptr().cast()).cast() }
    }

    /// The queue of a possible CPU.
    fn of(&self, cpu: u32) -> &Queue<T> {
        // SAFETY: As above.
        unsafe { &*bindings::nfo_per_cpu_ptr(self.area.as_ptr().cast(), cpu).cast() }
    }
}

impl<T: Type> Drop for Queues<T> {
    fn drop(&mut self) {
        // No flowtable is left, and with the last device of the last one the queues were empty.
        for cpu in cpus() {
            // SAFETY: Made by `new` for each possible CPU, by the type invariant.
            unsafe { bindings::nfo_napi_del(self.of(cpu).napi.get()) };
        }
        synchronize_rcu();
        // SAFETY: Made by `new`; nobody has it any more, after a grace period without guards.
        unsafe { bindings::free_netdev(self.device.as_ptr()) };
        // SAFETY: As above.
        unsafe { bindings::free_percpu(self.area.as_ptr().cast()) };
    }
}

/// The queues of a namespace, and the guards of the devices whose packets may wait there.
#[pin_data]
pub(crate) struct Batches<T: Type> {
    /// Gone before the queues are, which they use.
    #[pin]
    guards: Mutex<KVec<Guard>>,
    queues: Queues<T>,
}

impl<T: Type> Batches<T> {
    /// Empty queues for all CPUs. Process context; may sleep.
    ///
    /// Fails with `ENOMEM`; with `EOPNOTSUPP` where the kernel cannot take packets back behind the
    /// ingress hooks, or lets other softirqs in between.
    pub(crate) fn new() -> Result<Arc<Self>> {
        if !bindings::NFO_CAN_BATCH {
            return Err(unsupported());
        }
        let queues = Queues::new()?;
        Arc::pin_init(
            pin_init!(Self {
                guards <- new_mutex!(KVec::new(), "nft_offload_rs_guards"),
                queues,
            }),
            GFP_KERNEL,
        )
    }

    /// Takes a packet from a hook: into the queue, or on at once. The return value of the hook.
    ///
    /// # Safety
    ///
    /// As in the hook itself: `flowtable` is live, `this` its content, and `skb` the hook's packet.
    #[inline(always)]
    pub(super) unsafe fn receive(
        flowtable: *mut bindings::nf_flowtable,
        skb: NonNull<bindings::sk_buff>,
        this: &T,
        family: Family,
    ) -> u32 {
        let Some(batches) = this.batches() else {
            // That is why this hook was taken.
            return bindings::NF_ACCEPT;
        };
        let queue = batches.queues.here();
        // SAFETY: Hooks run under RCU.
        let rcu = unsafe { ReadSide::new() };
        // SAFETY: By the contract the packet is ours.
        let packet = unsafe { Skb::from_raw(skb) };
        // A packet that is being served may come by another hook.
        let serving = queue.busy.load(Relaxed);
        // SAFETY: The packet is valid, and RCU held.
        if !serving && unsafe { bindings::nfo_skb_can_wait(skb.as_ptr()) } {
            if let Some(hint) = this.foresee(family, &packet, rcu) {
                if queue.claim() {
                    core::mem::forget(packet);
                    let packet = Packet {
                        skb,
                        flowtable,
                        family,
                        hint,
                    };
                    // SAFETY: Bottom halves are disabled on this CPU, whose queue it is, and nobody is
                    // serving it. The flowtable's hook is registered, or was when this section of RCU
                    // began: who frees it waits for the section, and then for the queue.
                    unsafe { queue.push(packet) };
                    return bindings::NF_STOLEN;
                }
            }
        }
        queue.catch_up();
        // SAFETY: By the contract the flowtable is live.
        this.hook(family, unsafe { options(flowtable) }, packet, rcu)
            .into_raw()
    }

    /// The second hook of a device: no packet goes past those that wait.
    ///
    /// # Safety
    ///
    /// Only for netfilter, with a queue's area of this type as private data.
    unsafe extern "C" fn guard(
        private: *mut c_void,
        _skb: *mut bindings::sk_buff,
        _state: *const bindings::nf_hook_state,
    ) -> c_uint {
        // SAFETY: By the contract; the hook is unregistered before the area is freed, a grace period
        // later.
        let queue: &Queue<T> = unsafe { &*bindings::nfo_this_cpu_ptr(private).cast() };
        queue.catch_up();
        bindings::NF_ACCEPT
    }

    /// A device begins to belong to a flowtable: before its hook is registered. Process context; may
    /// sleep.
    ///
    /// # Safety
    ///
    /// `flowtable` and `device` are valid, the device until [`Self::unwatch`].
    pub(super) unsafe fn watch(
        &self,
        flowtable: *mut bindings::nf_flowtable,
        device: *mut bindings::net_device,
    ) -> Result {
        let ops = bindings::nf_hook_ops {
            hook: Some(Self::guard),
            dev: device,
            priv_: self.queues.area.as_ptr().cast(),
            // CAST: Small numbers.
            pf: bindings::NFPROTO_NETDEV as u8,
            hooknum: bindings::nf_dev_hooks_NF_NETDEV_INGRESS,
            priority: c_int::MAX,
            ..Default::default()
        };
        // SAFETY: By the contract.
        let guard = unsafe { Guard::register(ops, flowtable) }?;
        Ok(self.guards.lock().push(guard, GFP_KERNEL)?)
    }

    /// A device has ceased to belong to a flowtable: after its hook was unregistered. Returns when no
    /// packet waits any more that it brought. Process context; sleeps.
    pub(super) fn unwatch(
        &self,
        flowtable: *mut bindings::nf_flowtable,
        device: *mut bindings::net_device,
    ) {
        // Who was in the hook has left it then, and nobody puts anything into a queue any more.
        // SAFETY: Process context, where sleeping is allowed, by the contract.
        unsafe { bindings::synchronize_net() };
        self.wait();
        self.guards
            .lock()
            .retain(|guard| guard.flowtable != flowtable || guard.ops.dev != device);
    }

    /// How many times packets were served together, on all CPUs. May wrap around. Any context.
    pub(crate) fn served(&self) -> u32 {
        cpus().fold(0, |sum: u32, cpu| {
            sum.wrapping_add(self.queues.of(cpu).served.load(Relaxed))
        })
    }

    /// Waits until all packets have been served that wait now.
    fn wait(&self) {
        for cpu in cpus() {
            let queue = self.queues.of(cpu);
            // Both pair with those of `serve`.
            let before = queue.served.load(Acquire);
            while queue.len.load(Acquire) != 0 && queue.served.load(Acquire) == before {
                // SAFETY: Process context, by the contract of the callers.
                unsafe { bindings::msleep(1) };
            }
        }
    }
}

impl<T: Type> Queue<T> {
    /// Serves the queue of a NAPI instance: on the CPU of the queue, or on another one when that has died.
    ///
    /// # Safety
    ///
    /// Only for NAPI, with an instance that is in a queue of this type.
    unsafe extern "C" fn poll(napi: *mut bindings::napi_struct, _budget: c_int) -> c_int {
        // SAFETY: The instance is the first field of a queue, which lives longer.
        let queue = unsafe { &*napi.cast::<Self>() };
        // Not from within itself: softirqs are not interrupted by softirqs.
        queue.serve();
        // The queue is empty, and may be anybody's from here on. What was done here others had on their
        // budget.
        // SAFETY: Called from its poll function.
        unsafe { bindings::napi_complete_done(napi, 0) };
        0
    }

    /// Whether the queue belongs to its own CPU. Only there, with bottom halves disabled.
    #[inline(always)]
    fn is_ours(&self) -> bool {
        let owner: *const AtomicI32 = self.napi.get().cast_const().cast();
        let owner = owner.wrapping_byte_add(bindings::NFO_NAPI_LIST_OWNER);
        // SAFETY: A field of that type in the instance, which is valid; it may change at any time.
        unsafe { &*owner }.load(Relaxed) == self.cpu.load(Relaxed)
    }

    /// Makes the queue belong to its own CPU, if nobody has it: then it will be served, after what is
    /// on the CPU's list now. Whether it does. Only there, with bottom halves disabled, and not while it
    /// is being served.
    #[inline(always)]
    fn claim(&self) -> bool {
        // SAFETY: The instance is enabled, and softirqs of this CPU run it.
        self.is_ours() || unsafe { bindings::nfo_napi_claim(self.napi.get()) }
    }

    /// Serves the packets that wait, unless that is being done, here or elsewhere. Only on the CPU of
    /// the queue, with bottom halves disabled.
    #[inline(always)]
    fn catch_up(&self) {
        if self.len.load(Relaxed) != 0 && !self.busy.load(Relaxed) && self.is_ours() {
            self.serve();
        }
    }

    /// Adds a packet, and serves the queue if it is full.
    ///
    /// # Safety
    ///
    /// Only on the CPU of the queue, to which it belongs, with bottom halves disabled, and not while it
    /// is being served. The packet is given away; its flowtable has content `T`, and who frees it waits
    /// for the queue.
    unsafe fn push(&self, packet: Packet<T>) {
        let len = self.len.load(Relaxed);
        // SAFETY: By the contract nobody else uses the array.
        let packets = unsafe { &mut *self.packets.get() };
        if let Some(place) = packets.get_mut(len as usize) {
            place.write(packet);
            self.len.store(len + 1, Relaxed);
        }
        if len as usize + 1 >= LEN {
            self.serve();
        }
    }

    /// Serves the packets that wait, in the order in which they came. On the CPU that the queue belongs
    /// to, with bottom halves disabled, and not while it is being served.
    #[inline(never)]
    fn serve(&self) {
        let len = self.len.load(Relaxed) as usize;
        if len == 0 {
            return;
        }
        self.busy.store(true, Relaxed);
        let guard = crate::compat::sync::rcu::read_lock();
        let rcu = ReadSide::of(&guard);
        // SAFETY: The queue belongs to this CPU, which puts nothing in while `busy` is set.
        let packets = unsafe { &*self.packets.get() }.get(..len).unwrap_or(&[]);
        // SAFETY: As many are initialised, by the type invariant.
        let packets: &[Packet<T>] = unsafe { &*(ptr::from_ref(packets) as *const [Packet<T>]) };
        // As good as always all of them are of the same flowtable.
        for packets in packets.chunk_by(|a, b| a.flowtable == b.flowtable) {
            let [first, ..] = packets else { break };
            // SAFETY: The flowtable is live, by the type invariant.
            let this: &T = unsafe { live(first.flowtable) };
            this.approach(packets.iter().map(|packet| packet.hint), rcu);
        }
        for packet in packets {
            let ft = packet.flowtable;
            // SAFETY: As above.
            let (this, options): (&T, _) = unsafe { (live(ft), options(ft)) };
            // SAFETY: The packet is ours, and given on here, once.
            let skb = unsafe { Skb::from_raw(packet.skb) };
            if this.hook(packet.family, options, skb, rcu).into_raw() == bindings::NF_ACCEPT {
                // SAFETY: As above: the hook has given it back.
                unsafe { bindings::nfo_skb_receive(packet.skb.as_ptr()) };
            }
        }
        // Both pair with those of `wait`: what they were for is done.
        self.len.store(0, Release);
        self.served
            .store(self.served.load(Relaxed).wrapping_add(1), Release);
        self.busy.store(false, Relaxed);
    }
}

/// All CPUs that there can be.
fn cpus() -> impl Iterator<Item = u32> {
    core::iter::successors(cpu_from(0), |&cpu| cpu_from(cpu.wrapping_add(1)))
}

/// The first of them that is not below `from`.
fn cpu_from(from: u32) -> Option<u32> {
    // SAFETY: A mask and a number that never change; behind the last CPU any number that is not less may
    // come.
    let (cpu, end) = unsafe { (bindings::nfo_next_cpu(from), bindings::nfo_cpus()) };
    (cpu < end).then_some(cpu)
}

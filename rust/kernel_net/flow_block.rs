// SPDX-License-Identifier: GPL-2.0

//! Blocks: where drivers register the callbacks that take rules.
//!
//! A flowtable with `flags offload` has one [`Block`]. A driver is told of it for each of its
//! devices that belongs to the flowtable, and adds a callback; each rule goes to every callback of
//! the block, whoever it is for.
//!
//! ```text
//!   bind(dev) ----> ndo_setup_tc(dev, TC_SETUP_FT, BIND)         the device's own driver, or
//!             \---> flow_indr_dev_setup_offload(dev, …, BIND)    drivers of others, registered
//!                                                                for devices that have no driver
//!   ask(cookie, command) ----> callback 1, callback 2, …
//!   unbind(dev) --> the same with UNBIND: the driver removes its callback
//! ```
//!
//! # Drivers that come and go
//!
//! A driver for devices of others may register late: then the kernel tells it of all devices that
//! are bound, and puts its callbacks into a list that was named at the time of binding, under a lock
//! of its own and of nobody else's. That list is [`Binding::late`], and not that of the block, which
//! others may be reading. [`Block::admit_late`] moves them, in a place where that lock is held: the
//! kernel also tells *us* of all devices that are bound, if we register as such a driver, for a
//! moment.
//!
//! When such a driver goes, `cleanup` is called for each of its callbacks. What it has of the
//! flowtable has to be taken back before: see [`Owner::driver_leaves`].
//!
//! # Locking
//!
//! The block's semaphore orders callers of callbacks (readers) and changes of the list (writers), as
//! in C. It comes before the kernel's lock of indirect devices, and before whatever drivers take in
//! their callbacks. Everything is process context, and sleeps.
//!
//! C header: [`include/net/flow_offload.h`](srctree/include/net/flow_offload.h)

use crate::bindings;
use crate::compat::prelude::*;
use crate::compat::sync::{
    new_mutex,
    Arc,
    Mutex, //
};
use crate::kernel_net::device::Device;
use crate::kernel_net::flow_rule::Rule;
use crate::kernel_net::list;
use crate::kernel_net::netfilter::unsupported;
use crate::kernel_net::time::sleep_a_tick;
use core::cell::UnsafeCell;
use core::marker::PhantomPinned;
use core::ptr;
use core::sync::atomic::{
    AtomicU32,
    Ordering::{
        Acquire,
        Relaxed,
        Release, //
    }, //
};
use kernel::types::Opaque;

/// What to tell drivers about a rule.
pub(crate) enum Command<'a> {
    /// Put it in (C: `FLOW_CLS_REPLACE`).
    Replace(&'a Rule),
    /// Take it out.
    Destroy,
    /// Say what packets it has seen since the last time.
    Stats,
}

/// What a rule has seen.
#[derive(Clone, Copy, Default)]
pub(crate) struct Stats {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// When it last saw one, in ticks; [`None`] if the driver does not say.
    pub(crate) last_used: Option<u32>,
}

/// Who has a block.
pub(crate) trait Owner: Send + Sync + 'static {
    /// The block.
    fn block(&self) -> &Block;

    /// A driver of others' devices is going, whose callback was for the device with this index:
    /// takes all rules back that cross it, and runs `f`, which removes the callback, before any are
    /// put in again.
    ///
    /// Process context, may sleep.
    fn driver_leaves(&self, ifindex: u32, f: impl FnOnce());
}

/// The callbacks of a flowtable.
///
/// # Invariants
///
/// `raw` and `lock` are initialised and pinned. Whoever changes the list holds `lock` for writing.
#[pin_data]
pub(crate) struct Block {
    #[pin]
    raw: Opaque<bindings::flow_block>,
    #[pin]
    lock: Opaque<bindings::rw_semaphore>,
    /// Held while callbacks are on the way from a late list into the block.
    #[pin]
    admission: Mutex<()>,
}

// SAFETY: Nothing in it belongs to a task.
unsafe impl Send for Block {}
// SAFETY: The list is read and changed under the semaphore.
unsafe impl Sync for Block {}

/// A device that drivers of others were told of.
pub(crate) struct Binding<T: Owner> {
    /// Callbacks of drivers that have come since. Changed under the kernel's lock.
    late: UnsafeCell<bindings::list_head>,
    owner: Arc<T>,
    ifindex: u32,
    /// Drivers that are just leaving it.
    leaving: AtomicU32,
    _pin: PhantomPinned,
}

// SAFETY: The list is changed only as documented.
unsafe impl<T: Owner> Send for Binding<T> {}
// SAFETY: As above.
unsafe impl<T: Owner> Sync for Binding<T> {}

/// How a device is bound.
pub(crate) enum Bound<T: Owner> {
    /// By its own driver.
    Direct,
    /// By a driver of others.
    Indirect(Pin<KBox<Binding<T>>>),
}

impl Block {
    /// An empty block.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: The slot is valid for writes, and pinned.
            raw <- Opaque::ffi_init(|slot| unsafe { bindings::nfo_flow_block_init(slot) }),
            // SAFETY: As above.
            lock <- Opaque::ffi_init(|slot| unsafe { bindings::nfo_init_rwsem(slot) }),
            admission <- new_mutex!((), "nft_offload_rs_admission"),
        })
    }

    /// Runs `f` while nobody uses callbacks.
    fn exclusively<R>(&self, f: impl FnOnce() -> R) -> R {
        // SAFETY: Initialised, by the type invariant; callers can sleep.
        unsafe { bindings::nfo_down_write(self.lock.get()) };
        let result = f();
        // SAFETY: Taken above.
        unsafe { bindings::nfo_up_write(self.lock.get()) };
        result
    }

    /// The head of the list of callbacks.
    fn callbacks(&self) -> *mut bindings::list_head {
        // SAFETY: A place within the block.
        unsafe { &raw mut (*self.raw.get()).cb_list }
    }

    /// Tells the drivers of a device that it begins, or ceases, to belong to the block. Returns what
    /// they say: an error, or not.
    ///
    /// # Safety
    ///
    /// The semaphore is held for writing. `late` is a list that stays until the opposite command.
    unsafe fn tell(
        &self,
        device: &Device,
        command: bindings::flow_block_command,
        late: *mut bindings::list_head,
        call: impl FnOnce(*mut bindings::flow_block_offload) -> c_int,
    ) -> Result {
        let mut extack = bindings::netlink_ext_ack::default();
        let mut offload = bindings::flow_block_offload {
            // SAFETY: The device is valid; while it is bound it stays where it is.
            net: unsafe { bindings::nfo_dev_net(device.as_raw()) },
            block: self.raw.get(),
            command,
            binder_type: bindings::flow_block_binder_type_FLOW_BLOCK_BINDER_TYPE_CLSACT_INGRESS,
            extack: &raw mut extack,
            cb_list_head: late,
            ..Default::default()
        };
        let offload = &raw mut offload;
        // SAFETY: A place within the structure.
        let list = unsafe { &raw mut (*offload).cb_list };
        // SAFETY: Valid for writes, and for the call.
        unsafe { bindings::nfo_init_list_head(list) };
        let result = kernel::error::to_result(call(offload));
        if command == bindings::flow_block_command_FLOW_BLOCK_BIND {
            // Also after an error: whatever there is has a driver that counts on it.
            // SAFETY: The semaphore is held, by the contract. What drivers have put into the list is
            // theirs to give.
            unsafe { bindings::nfo_list_splice_init(list, self.callbacks()) };
        } else {
            // SAFETY: The list is local, and nothing but this loop changes it.
            for entry in unsafe { list::entries(list) } {
                // SAFETY: What drivers have moved there out of the block is ours from then on.
                unsafe { free_callback(callback_of(entry)) };
            }
        }
        result
    }

    /// Tells the device's own driver.
    fn tell_own(&self, device: &Device, command: bindings::flow_block_command) -> Result {
        self.exclusively(|| {
            // SAFETY: The device has the function, as callers have seen, and its operations never
            // change.
            let call = |offload| unsafe { bindings::nfo_dev_setup_ft(device.as_raw(), offload) };
            // SAFETY: The semaphore is held.
            unsafe { self.tell(device, command, self.callbacks(), call) }
        })
    }

    /// Tells drivers of others.
    fn tell_others<T: Owner>(
        &self,
        device: &Device,
        binding: &Binding<T>,
        command: bindings::flow_block_command,
    ) -> Result {
        self.exclusively(|| {
            let (dev, none, data) = (device.as_raw(), ptr::null_mut(), binding.as_data());
            let (kind, cleanup) = (bindings::tc_setup_type_TC_SETUP_FT, Self::cleanup::<T>);
            let call = |to| {
                // SAFETY: The binding stays until it was unbound, and what the kernel notes is gone
                // then.
                unsafe {
                    bindings::flow_indr_dev_setup_offload(dev, none, kind, data, to, Some(cleanup))
                }
            };
            // SAFETY: The semaphore is held. The list is part of the binding.
            unsafe { self.tell(device, command, binding.late.get(), call) }
        })
    }

    /// Binds a device: its rules may come from now on.
    ///
    /// Under RTNL or the commit mutex of nf_tables, as callbacks of flowtables are. Fails as the
    /// driver does; with `EOPNOTSUPP` if there is none that takes flows.
    pub(crate) fn bind<T: Owner>(&self, device: &Device, owner: &Arc<T>) -> Result<Bound<T>> {
        let bind = bindings::flow_block_command_FLOW_BLOCK_BIND;
        if device.has_own_driver() {
            self.tell_own(device, bind)?;
            return Ok(Bound::Direct);
        }
        let binding = KBox::pin(
            Binding {
                late: UnsafeCell::new(bindings::list_head::default()),
                owner: owner.clone(),
                ifindex: device.ifindex(),
                leaving: AtomicU32::new(0),
                _pin: PhantomPinned,
            },
            GFP_KERNEL,
        )?;
        // SAFETY: Valid, pinned, and seen by nobody yet.
        unsafe { bindings::nfo_init_list_head(binding.late.get()) };
        if let Err(error) = self.tell_others(device, &binding, bind) {
            // The kernel has noted the device all the same, and would tell the next driver of it.
            self.unbind(device, Bound::Indirect(binding));
            return Err(error);
        }
        Ok(Bound::Indirect(binding))
    }

    /// Unbinds a device. Its driver has no rules any more, or forgets them.
    pub(crate) fn unbind<T: Owner>(&self, device: &Device, bound: Bound<T>) {
        match bound {
            Bound::Direct => {
                let unbind = bindings::flow_block_command_FLOW_BLOCK_UNBIND;
                // What a driver says to this changes nothing.
                let _ = self.tell_own(device, unbind);
            }
            Bound::Indirect(binding) => {
                if !self.unbind_others(device, &binding) {
                    // A cleanup may still come: for it the binding stays, and with it the owner and
                    // this module.
                    pin_to_memory();
                    core::mem::forget(binding);
                }
            }
        }
    }

    /// Tells drivers of others. False if one of them keeps its callback for longer than a while.
    fn unbind_others<T: Owner>(&self, device: &Device, binding: &Binding<T>) -> bool {
        let unbind = bindings::flow_block_command_FLOW_BLOCK_UNBIND;
        {
            // None of its callbacks is on the way then, where its driver would not find it.
            let _admission = self.admission.lock();
            let _ = self.tell_others(device, binding, unbind);
        }
        // From now on no driver comes late. Who has come before is not found by its driver but in
        // the block.
        // SAFETY: Nobody else changes the list any more.
        let late = unsafe { !ptr::eq((*binding.late.get()).next, binding.late.get()) };
        if late {
            let _admission = self.admission.lock();
            self.exclusively(|| {
                // SAFETY: As above, and the semaphore is held.
                unsafe { bindings::nfo_list_splice_init(binding.late.get(), self.callbacks()) };
            });
            let _ = self.tell_others(device, binding, unbind);
        }
        // A driver that is just going does not hear of this, but has a cleanup coming for each of
        // its callbacks, which needs the binding. It may have to wait for locks that we are under.
        const PATIENCE: u32 = 2000;
        for _ in 0..PATIENCE {
            // A driver that has no callback any more may still be on its way out of here. Pairs with
            // `cleanup`.
            if !self.has_callback_of(binding) && binding.leaving.load(Acquire) == 0 {
                return true;
            }
            sleep_a_tick();
        }
        pr_warn!("a driver keeps its callback for a device that left the flowtable\n");
        false
    }

    /// Calls `f` for each callback, which is valid and stays for the call.
    fn for_each(&self, mut f: impl FnMut(*mut bindings::flow_block_cb)) {
        // SAFETY: Initialised, by the type invariant; callers can sleep.
        unsafe { bindings::nfo_down_read(self.lock.get()) };
        // SAFETY: Nobody changes the list while the semaphore is held.
        for entry in unsafe { list::entries(self.callbacks()) } {
            f(callback_of(entry));
        }
        // SAFETY: Taken above.
        unsafe { bindings::nfo_up_read(self.lock.get()) };
    }

    /// Whether callbacks of a binding are left.
    fn has_callback_of<T: Owner>(&self, binding: &Binding<T>) -> bool {
        let mut found = false;
        // SAFETY: The callback is valid for the call, and what it is for never changes.
        self.for_each(|callback| found |= unsafe { (*callback).indr.data } == binding.as_data());
        found
    }

    /// Tells all callbacks about a rule, and `outcome` what each of them said. For
    /// [`Command::Stats`], returns what there is.
    ///
    /// Process context; sleeps for as long as drivers do. Several may ask at once.
    pub(crate) fn ask(
        &self,
        cookie: u64,
        priority: i32,
        command: &Command<'_>,
        mut outcome: impl FnMut(Result),
    ) -> Stats {
        let mut extack = bindings::netlink_ext_ack::default();
        let mut offload = bindings::flow_cls_offload {
            // CAST: As in C: a cookie has the width of a pointer, and priorities are stored
            // unsigned.
            cookie: cookie as c_ulong,
            command: match command {
                Command::Replace(_) => bindings::flow_cls_command_FLOW_CLS_REPLACE,
                Command::Destroy => bindings::flow_cls_command_FLOW_CLS_DESTROY,
                Command::Stats => bindings::flow_cls_command_FLOW_CLS_STATS,
            },
            rule: match command {
                Command::Replace(rule) => rule.as_raw(),
                _ => ptr::null_mut(),
            },
            ..Default::default()
        };
        offload.common.extack = &raw mut extack;
        // In host order, as C has it and drivers expect it.
        offload.common.protocol = bindings::ETH_P_ALL as u16;
        offload.common.prio = priority as u32;
        let data: *mut bindings::flow_cls_offload = &raw mut offload;
        self.for_each(|callback| {
            // SAFETY: The callback is valid for the call, and these never change.
            let (function, private) = unsafe { ((*callback).cb, (*callback).cb_priv) };
            let Some(function) = function else { return };
            let kind = bindings::tc_setup_type_TC_SETUP_CLSFLOWER;
            // SAFETY: It gets what it was registered with, and a structure of the kind that the type
            // says.
            let answer = unsafe { function(kind, data.cast(), private) };
            outcome(kernel::error::to_result(answer));
        });
        let stats = &offload.stats;
        Stats {
            packets: stats.pkts,
            bytes: stats.bytes,
            // CAST: Clocks are compared by their low half.
            last_used: (stats.lastused != 0).then_some(stats.lastused as u32),
        }
    }

    /// Takes in the callbacks of drivers that have come late. True if there were any.
    pub(crate) fn admit_late<T: Owner>(&self, binding: &Binding<T>) -> bool {
        // SAFETY: A look without the lock: a pointer that may change at any time, and nothing is
        // followed.
        let next = unsafe { ptr::read_volatile(&raw const (*binding.late.get()).next) };
        if ptr::eq(next, binding.late.get()) {
            return false;
        }
        let _admission = self.admission.lock();
        self.admit(binding);
        true
    }

    /// Takes them in; `admission` is held.
    fn admit<T: Owner>(&self, binding: &Binding<T>) {
        let mut turn = Turn {
            data: binding.as_data(),
            late: binding.late.get(),
            taken: bindings::list_head::default(),
        };
        let turn: *mut Turn = &raw mut turn;
        // SAFETY: A place within the structure.
        let taken = unsafe { &raw mut (*turn).taken };
        // SAFETY: Valid for writes.
        unsafe { bindings::nfo_init_list_head(taken) };
        // SAFETY: The function is called back for each device that is bound, with the kernel's lock
        // held, and not any more after the second call. Both may sleep.
        if unsafe { bindings::flow_indr_dev_register(Some(Turn::take), turn.cast()) } == 0 {
            // SAFETY: Registered above, with the same.
            unsafe { bindings::flow_indr_dev_unregister(Some(Turn::take), turn.cast(), None) };
        }
        // SAFETY: The semaphore is held; what was taken is on our stack.
        self.exclusively(|| unsafe { bindings::nfo_list_splice_init(taken, self.callbacks()) });
    }

    /// A driver of others' devices is going.
    ///
    /// # Safety
    ///
    /// Only for the kernel, with a callback that was added for a [`Binding<T>`] of this type.
    unsafe extern "C" fn cleanup<T: Owner>(callback: *mut bindings::flow_block_cb) {
        // SAFETY: By the contract, and because a binding stays until it has no callbacks any more, and
        // nobody is leaving.
        let binding = unsafe { &*(*callback).indr.data.cast::<Binding<T>>() };
        binding.leaving.fetch_add(1, Relaxed);
        let owner = &binding.owner;
        owner.driver_leaves(binding.ifindex, || {
            let block = owner.block();
            let _admission = block.admission.lock();
            block.admit(binding);
            block.exclusively(|| {
                // SAFETY: The callback is in its driver's list, and nobody else takes it out: its
                // driver has left it to us.
                unsafe { bindings::nfo_list_del(&raw mut (*callback).driver_list) };
                // SAFETY: As above; it is in the block, too, and the semaphore is held.
                unsafe { free_callback(callback) };
            });
        });
        // The last use of the binding, which keeps the owner, and of this module, which the ruleset
        // keeps until the device is unbound.
        binding.leaving.fetch_sub(1, Release);
    }
}

impl<T: Owner> Binding<T> {
    /// What the kernel knows it by.
    fn as_data(&self) -> *mut c_void {
        ptr::from_ref(self).cast_mut().cast()
    }
}

/// The callback that is this entry of a block's list.
fn callback_of(entry: *mut bindings::list_head) -> *mut bindings::flow_block_cb {
    crate::compat::container_of!(entry, bindings::flow_block_cb, list)
}

/// Takes a callback out of its list, and frees it.
///
/// # Safety
///
/// It is in a list, which nobody else changes or walks, and nobody else has it.
unsafe fn free_callback(callback: *mut bindings::flow_block_cb) {
    // SAFETY: By the contract.
    unsafe { bindings::nfo_list_del(&raw mut (*callback).list) };
    // SAFETY: By the contract.
    unsafe { bindings::flow_block_cb_free(callback) };
}

/// Keeps this module loaded, for ever.
fn pin_to_memory() {
    // SAFETY: The module is loaded, since this is its code; or built in, which is for ever anyway.
    let _ = unsafe { bindings::nfo_this_module_get() };
}

/// A moment as a driver of others' devices, to be where the kernel's lock is held.
struct Turn {
    data: *mut c_void,
    late: *mut bindings::list_head,
    taken: bindings::list_head,
}

impl Turn {
    /// Told of a device: takes what is in its late list, if it is the one that was meant.
    ///
    /// # Safety
    ///
    /// Only for the kernel, with a `Turn` as `private`.
    unsafe extern "C" fn take(
        _dev: *mut bindings::net_device,
        _sch: *mut bindings::Qdisc,
        private: *mut c_void,
        _type: bindings::tc_setup_type,
        _type_data: *mut c_void,
        data: *mut c_void,
        _cleanup: Option<unsafe extern "C" fn(*mut bindings::flow_block_cb)>,
    ) -> c_int {
        let turn: *mut Self = private.cast();
        // SAFETY: By the contract.
        let (wanted, late, taken) = unsafe { ((*turn).data, (*turn).late, &raw mut (*turn).taken) };
        if !data.is_null() && wanted == data {
            // SAFETY: The lists are valid, and the kernel's lock is held, under which the late one is
            // changed.
            unsafe { bindings::nfo_list_splice_init(late, taken) };
        }
        unsupported().to_errno()
    }
}

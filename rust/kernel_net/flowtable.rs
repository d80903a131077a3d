// SPDX-License-Identifier: GPL-2.0

//! Flowtable types of nf_tables.
//!
//! A ruleset declares flowtables by name, with devices and flags. nf_tables owns them,
//! `struct nf_flowtable` included, and knows nothing of flows: for that each has a type, chosen by
//! the family of its table. A type is a set of callbacks, which make the content of a flowtable,
//! hear of its devices, and get its packets. Here a type is a Rust type that implements [`Type`],
//! and the content of a flowtable is an `Arc` of it.
//!
//! # The life of a flowtable
//!
//! ```text
//!   init ----> bind(dev) ----> hook(packet) ... ----> unbind(dev) ----> (grace period) ----> free
//!              for each device                        for each device
//! ```
//!
//! - `init` is called before anything else, and the content is there until `free`.
//! - `bind` comes before the first packet of a device. If nf_tables cannot register the hook then,
//!   `unbind` follows.
//! - `unbind` comes when the device's hook is gone, but packets may still be in it, since nobody
//!   waits for them there.
//! - `free` comes last, after a grace period in which no hook was left.
//!
//! Devices may come and go in between, when the ruleset changes and when devices appear that were
//! declared by name, or disappear. One transaction may do all of the above several times over
//! before it holds: it makes a flowtable, fails in its last line, and takes everything back. So
//! each callback should be cheap, and undo another one.
//!
//! # Which type is taken
//!
//! nf_tables takes the first type in the order of registration that has the table's family, and
//! keeps it until the flowtable is freed. If another module has registered for the family before,
//! it keeps getting all new flowtables; [`content_of`] tells whose a flowtable is.
//!
//! # Where the content is
//!
//! `struct nf_flowtable` has no field for a private pointer, but an `rhashtable` for the C code.
//! The pointer to the content is kept there: a type that never uses C's functions for flowtables
//! has the whole of it for itself, and it is in the first cache line, beside the flags.
//!
//! Context and locking: the callbacks are ordered by the namespace's commit mutex of nf_tables, all
//! but `hook`, which runs on many CPUs at once, and `free`, which comes when nothing else does any
//! more.
//!
//! C header: [`include/net/netfilter/nf_flow_table.h`](srctree/include/net/netfilter/nf_flow_table.h)

mod batch;

use crate::bindings;
use crate::compat::prelude::*;
use crate::compat::sync::Arc;
use crate::kernel_net::device::Device;
use crate::kernel_net::namespace::Namespace;
use crate::kernel_net::netfilter::{
    Family,
    Verdict, //
};
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::skb::Skb;
pub(crate) use batch::{
    Batches,
    LEN, //
};
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::{
    self,
    NonNull, //
};
use kernel::types::Opaque;

/// How a flowtable was declared (C: `enum nf_flowtable_flags`).
///
/// A copy of one moment: an update of the ruleset may change it.
#[derive(Clone, Copy)]
pub(crate) struct Options(u32);

impl Options {
    /// `flags offload`: flows go to hardware. Never changes while a flowtable lives.
    pub(crate) fn hardware(self) -> bool {
        self.0 & bindings::NFO_FLOWTABLE_HW_OFFLOAD != 0
    }

    /// `counter`: packets are added to conntrack's accounting. May change on a live table.
    #[inline(always)]
    pub(crate) fn counter(self) -> bool {
        self.0 & bindings::NFO_FLOWTABLE_COUNTER != 0
    }
}

/// Implemented by what a flowtable contains. One type serves all families.
///
/// No callback may panic, for that stops the machine. None is called by two tasks at once for one
/// flowtable, but `hook`.
pub(crate) trait Type: Send + Sync + Sized + 'static {
    /// Makes the content of a new flowtable.
    ///
    /// Process context, may sleep; under the commit mutex. An error refuses the flowtable, and is
    /// what `nft` reports. Family and options are not given, but come with each packet and device.
    fn init(namespace: &Namespace) -> Result<Arc<Self>>;

    /// A device begins to belong to the flowtable.
    ///
    /// Process context, may sleep; under the commit mutex, and also RTNL if the device is just
    /// being registered. Its packets come only after this. An error refuses the device, and with it
    /// the transaction. `priority` is that of the flowtable's hooks.
    fn bind(this: &Arc<Self>, device: &Device, options: Options, priority: i32) -> Result;

    /// A device ceases to belong to it.
    ///
    /// As `bind`, but cannot fail. Its hook is gone already, but packets may still be in it.
    fn unbind(this: &Arc<Self>, device: &Device, options: Options);

    /// The flowtable is gone, and no packet is in any of its hooks.
    ///
    /// Process context, may sleep; sometimes under the commit mutex. `this` is the reference that
    /// nf_tables had; whoever else has one decides when the content is dropped.
    fn free(this: Arc<Self>);

    /// A packet has come in by a device of the flowtable.
    ///
    /// Softirq, under RCU, on any CPU; may not sleep. `family` is that of the type's registration,
    /// and does not tell what the packet is: the hook sees every frame of the device, also those
    /// that are neither IPv4 nor IPv6. A packet that the flowtable has nothing to do with is
    /// accepted, as it was.
    fn hook<'a>(
        &'a self,
        family: Family,
        options: Options,
        skb: Skb<'a>,
        rcu: ReadSide<'a>,
    ) -> Verdict<'a>;

    /// The queues of the namespace, if packets of any of its flowtables may wait there: see [`batch`].
    /// Always the same for a flowtable.
    fn batches(&self) -> Option<&Batches<Self>>;

    /// What is known of a packet that waits.
    type Hint: Copy + Send;

    /// Has memory fetch what is needed first of a packet, if that may wait. Softirq, under RCU.
    fn foresee(&self, family: Family, skb: &Skb<'_>, rcu: ReadSide<'_>) -> Option<Self::Hint>;

    /// Has memory fetch what is needed next, of at most [`LEN`] packets. Softirq, under RCU.
    fn approach(&self, hints: impl Iterator<Item = Self::Hint> + Clone, rcu: ReadSide<'_>);
}

/// Where C keeps its hash table is room for our pointer.
const _: () = assert!(size_of::<bindings::rhashtable>() >= size_of::<*mut ()>());

/// The place of the content's pointer in a flowtable.
///
/// Written by `init`, taken by `free`, and constant in between.
///
/// # Safety
///
/// `ft` is a valid flowtable of one of our types, with content `T`.
#[inline(always)]
unsafe fn content<T: Type>(ft: *mut bindings::nf_flowtable) -> *mut *const T {
    // SAFETY: By the contract; the area is of no use to anybody else, and large enough, as asserted
    // above.
    unsafe { (&raw mut (*ft).rhashtable).cast() }
}

/// The content of a flowtable.
///
/// # Safety
///
/// As for [`content`], and the flowtable is not freed for `'a`.
#[inline(always)]
unsafe fn live<'a, T: Type>(ft: *mut bindings::nf_flowtable) -> &'a T {
    // SAFETY: By the contract; from `init` to `free` there is one.
    unsafe { &**content::<T>(ft) }
}

/// How a flowtable is declared just now.
///
/// # Safety
///
/// `ft` is a valid flowtable.
#[inline(always)]
unsafe fn options(ft: *mut bindings::nf_flowtable) -> Options {
    // SAFETY: By the contract. The flags may change at any time, and are read once.
    Options(unsafe { ptr::read_volatile(&raw const (*ft).flags) })
}

/// The C callbacks of a type.
///
/// A type of its own, so that each `T` has functions of its own, by whose addresses it is known.
struct Adapter<T: Type>(PhantomData<T>);

impl<T: Type> Adapter<T> {
    /// Makes what is in a flowtable.
    ///
    /// # Safety
    ///
    /// Only for nf_tables, with a flowtable that is being made.
    unsafe extern "C" fn init(ft: *mut bindings::nf_flowtable) -> c_int {
        kernel::error::from_result(|| {
            // The block that is in there is used by nobody, but is made as C makes it.
            // SAFETY: By the contract nobody else has the flowtable yet.
            unsafe { bindings::nfo_flow_block_init(&raw mut (*ft).flow_block) };
            // SAFETY: As above.
            unsafe { bindings::nfo_init_rwsem(&raw mut (*ft).flow_block_lock) };
            // SAFETY: By the contract; its namespace is set.
            let net = unsafe { Namespace::from_raw(bindings::nfo_read_pnet(&raw const (*ft).net)) };
            // If this fails nothing was done that would have to be undone, and nf_tables does not call
            // `free`.
            let this = T::init(net)?;
            if this.batches().is_some() {
                // From here on the callbacks are taken from there.
                // SAFETY: As above; its type is that of the registration by which we are called.
                unsafe { (*ft).type_ = Registration::<T>::batching((*ft).type_) };
            }
            // SAFETY: As above, of this type.
            unsafe { content::<T>(ft).write(Arc::into_raw(this)) };
            Ok(0)
        })
    }

    /// Tells the content of a device.
    ///
    /// # Safety
    ///
    /// Only for nf_tables, with a flowtable that was made and not yet freed.
    unsafe extern "C" fn setup(
        ft: *mut bindings::nf_flowtable,
        dev: *mut bindings::net_device,
        command: bindings::flow_block_command,
    ) -> c_int {
        kernel::error::from_result(|| {
            // SAFETY: By the contract. The content stays until `free`; the flowtable keeps its
            // reference, and this is a look at it.
            let this = ManuallyDrop::new(unsafe { Arc::from_raw(*content::<T>(ft)) });
            // SAFETY: The device is one of the hook's, which nf_tables keeps for the call.
            let device = unsafe { Device::from_raw(dev) };
            // SAFETY: The flags change only under the commit mutex, which is held.
            let (options, priority) = unsafe { (Options((*ft).flags), (*ft).priority) };
            match command {
                bindings::flow_block_command_FLOW_BLOCK_BIND => {
                    T::bind(&this, device, options, priority)?;
                    if let Some(batches) = this.batches() {
                        // SAFETY: Both are valid, by the contract.
                        unsafe { batches.watch(ft, dev) }
                            .inspect_err(|_| T::unbind(&this, device, options))?;
                    }
                }
                _ => {
                    if let Some(batches) = this.batches() {
                        batches.unwatch(ft, dev);
                    }
                    T::unbind(&this, device, options);
                }
            }
            Ok(0)
        })
    }

    /// Gives up what `init` has made.
    ///
    /// # Safety
    ///
    /// Only for nf_tables, with a flowtable that was made, and of which nobody holds anything.
    unsafe extern "C" fn free(ft: *mut bindings::nf_flowtable) {
        // SAFETY: By the contract nobody follows the pointer any more.
        let content = unsafe { content::<T>(ft).replace(ptr::null()) };
        if !content.is_null() {
            // SAFETY: `init` has put a reference there, once, which is given up here.
            T::free(unsafe { Arc::from_raw(content) });
        }
    }

    /// The hook of a flowtable: gets every packet of its devices.
    ///
    /// The family is a constant, so that the packet path is compiled for each of them.
    ///
    /// # Safety
    ///
    /// Only for netfilter, as the ingress hook of a live flowtable. `FAMILY` is the type's.
    unsafe extern "C" fn hook<const FAMILY: u8>(
        private: *mut c_void,
        skb: *mut bindings::sk_buff,
        _state: *const bindings::nf_hook_state,
    ) -> c_uint {
        let (family, ft) = (family_of::<FAMILY>(), private.cast());
        // SAFETY: By the contract: the flowtable is freed only after a grace period without its hooks,
        // which run under RCU.
        let (options, this, rcu) = unsafe { (options(ft), live::<T>(ft), ReadSide::new()) };
        // SAFETY: By the contract the hook has a packet, and it is the hook's own.
        let skb = unsafe { Skb::from_raw(NonNull::new_unchecked(skb)) };
        this.hook(family, options, skb, rcu).into_raw()
    }

    /// The hook of a flowtable whose packets may wait.
    ///
    /// # Safety
    ///
    /// As that of the other.
    unsafe extern "C" fn batching_hook<const FAMILY: u8>(
        private: *mut c_void,
        skb: *mut bindings::sk_buff,
        _state: *const bindings::nf_hook_state,
    ) -> c_uint {
        let (family, ft) = (family_of::<FAMILY>(), private.cast());
        // SAFETY: As in `hook`.
        let (this, skb) = unsafe { (live::<T>(ft), NonNull::new_unchecked(skb)) };
        // SAFETY: As in `hook`.
        unsafe { Batches::receive(ft, skb, this, family) }
    }
}

/// The families as numbers, since an enum cannot be a const parameter.
const IPV4: u8 = Family::Ipv4.as_raw();
const IPV6: u8 = Family::Ipv6.as_raw();
const INET: u8 = Family::Inet.as_raw();

/// The family of such a number.
#[inline(always)]
const fn family_of<const FAMILY: u8>() -> Family {
    match FAMILY {
        IPV4 => Family::Ipv4,
        IPV6 => Family::Ipv6,
        _ => Family::Inet,
    }
}

/// The registration of a type for one family.
///
/// Dropping it ends the registration. That does not wait for those who are just looking through the
/// list of types: it must be part of the module's own data, as it is in the structure of the
/// module, whose memory the kernel frees after a grace period.
///
/// # Invariants
///
/// `raw` is registered, and pinned.
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<T: Type> {
    /// What nf_tables links and flowtables point to.
    #[pin]
    raw: Opaque<bindings::nf_flowtable_type>,
    /// What flowtables point to instead whose packets may wait, so that those of others need not ask.
    /// Not linked by anybody.
    #[pin]
    batching: Opaque<bindings::nf_flowtable_type>,
    _type: PhantomData<T>,
}

// SAFETY: nf_tables has a lock for its list of types, so that the registration may be given up from
// any task. No `T` is in it.
unsafe impl<T: Type> Send for Registration<T> {}
// SAFETY: There is nothing to be done with a shared registration.
unsafe impl<T: Type> Sync for Registration<T> {}

impl<T: Type> Registration<T> {
    /// Registers the type for a family, on behalf of a module (C: `nft_register_flowtable_type`).
    ///
    /// Flowtables may be made from then on, before this function has returned: what [`Type::init`]
    /// needs is there before. Each holds a reference to the module. Process context, may sleep.
    pub(crate) fn register(family: Family, module: &'static ThisModule) -> impl PinInit<Self> {
        let raw = |batching: bool| bindings::nf_flowtable_type {
            family: c_int::from(family.as_raw()),
            init: Some(Adapter::<T>::init),
            setup: Some(Adapter::<T>::setup),
            free: Some(Adapter::<T>::free),
            hook: Some(match (family, batching) {
                (Family::Ipv4, false) => Adapter::<T>::hook::<IPV4>,
                (Family::Ipv6, false) => Adapter::<T>::hook::<IPV6>,
                (Family::Inet, false) => Adapter::<T>::hook::<INET>,
                (Family::Ipv4, true) => Adapter::<T>::batching_hook::<IPV4>,
                (Family::Ipv6, true) => Adapter::<T>::batching_hook::<IPV6>,
                (Family::Inet, true) => Adapter::<T>::batching_hook::<INET>,
            }),
            owner: module.as_ptr(),
            ..Default::default()
        };
        let (linked, other) = (raw(false), raw(true));
        pin_init!(Self {
            // First: as soon as the other is linked flowtables may be made.
            batching: Opaque::new(other),
            raw <- Opaque::ffi_init(move |slot: *mut bindings::nf_flowtable_type| {
                // SAFETY: The slot is valid for writes, and pinned until dropped, which
                // unregisters. The callbacks are those of the type, and all of them that nf_tables
                // calls without asking whether they are there.
                unsafe { slot.write(linked) };
                // SAFETY: As above.
                unsafe { bindings::nft_register_flowtable_type(slot) };
            }),
            _type: PhantomData,
        })
    }

    /// The one for flowtables whose packets may wait, in place of the one that is linked.
    ///
    /// # Safety
    ///
    /// `raw` is that of a live registration.
    unsafe fn batching(
        raw: *const bindings::nf_flowtable_type,
    ) -> *const bindings::nf_flowtable_type {
        let raw: *mut Opaque<bindings::nf_flowtable_type> = raw.cast_mut().cast();
        let this = crate::compat::container_of!(raw, Self, raw);
        // SAFETY: By the contract it is the field of that name.
        unsafe { (*this).batching.get() }
    }
}

#[pinned_drop]
impl<T: Type> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type invariant. No flowtable is left, or the module would
        // still be in use: each holds a reference to it.
        unsafe { bindings::nft_unregister_flowtable_type(self.raw.get()) };
    }
}

/// The content of an nf_tables flowtable, if its type is this module's `T`.
///
/// [`None`] for one that another module's type has made, C's for instance.
///
/// # Safety
///
/// `ft` is a valid flowtable that outlives `'a`.
pub(super) unsafe fn content_of<'a, T: Type>(
    ft: NonNull<bindings::nft_flowtable>,
) -> Option<&'a T> {
    // SAFETY: By the contract; a flowtable has a type from the start.
    let (data, kind) = unsafe { (&raw mut (*ft.as_ptr()).data, &*(*ft.as_ptr()).data.type_) };
    let ours: unsafe extern "C" fn(*mut bindings::nf_flowtable) = Adapter::<T>::free;
    if !ptr::fn_addr_eq(kind.free?, ours) {
        return None;
    }
    // SAFETY: A type is ours if its `free` is: that is a function of this module, made for this `T`. It
    // has content until it is freed.
    Some(unsafe { live(data) })
}

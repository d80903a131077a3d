// SPDX-License-Identifier: GPL-2.0

//! Flowtable types of nf_tables.
//!
//! nf_tables owns `struct nf_flowtable` and calls a type to make its content (`init`), for every
//! device that comes or goes (`setup`), for every packet of those devices (`hook`), and to end it
//! (`free`). One transaction may do all of that several times over before it holds.
//!
//! C header: [`include/net/netfilter/nf_flow_table.h`](srctree/include/net/netfilter/nf_flow_table.h)

use crate::bindings;
use crate::kernel_net::device::Device;
use crate::kernel_net::namespace::Namespace;
use crate::kernel_net::netfilter::{
    Family,
    Verdict, //
};
use crate::kernel_net::rcu::ReadSide;
use crate::kernel_net::skb::Skb;
use core::marker::PhantomData;
use core::ptr::{
    self,
    NonNull, //
};
use kernel::prelude::*;
use kernel::sync::Arc;
use kernel::types::Opaque;

/// How a flowtable was declared.
#[derive(Clone, Copy)]
pub(crate) struct Options(u32);

impl Options {
    /// `flags offload`: flows go to hardware.
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
pub(crate) trait Type: Send + Sync + Sized + 'static {
    /// Makes the content of a new flowtable. Process context, may sleep.
    fn init(namespace: &Namespace) -> Result<Arc<Self>>;

    /// A device begins to belong to the flowtable. Process context, under RTNL or the commit mutex.
    fn bind(&self, device: &Device, options: Options) -> Result;

    /// A device ceases to. Its hook is gone already, but packets may still be in it.
    fn unbind(&self, device: &Device, options: Options);

    /// The flowtable is gone, and no packet is in any of its hooks. Process context, may sleep.
    fn free(this: Arc<Self>);

    /// A packet has come in by a device of the flowtable. Softirq, under RCU.
    fn hook<'a>(
        &'a self,
        family: Family,
        options: Options,
        skb: Skb<'a>,
        rcu: ReadSide<'a>,
    ) -> Verdict<'a>;
}

/// Where C keeps its hash table is room for our pointer.
const _: () = assert!(size_of::<bindings::rhashtable>() >= size_of::<*mut ()>());

/// The place of the content's pointer in a flowtable.
///
/// # Safety
///
/// `ft` is a valid flowtable of one of our types.
#[inline(always)]
unsafe fn content<T: Type>(ft: *mut bindings::nf_flowtable) -> *mut *const T {
    // SAFETY: By the contract; the area is of no use to anybody else, and large enough.
    unsafe { (&raw mut (*ft).rhashtable).cast() }
}

/// The C callbacks of a type.
struct Adapter<T: Type>(PhantomData<T>);

impl<T: Type> Adapter<T> {
    /// # Safety
    ///
    /// Only for nf_tables, with a flowtable that is being made.
    unsafe extern "C" fn init(ft: *mut bindings::nf_flowtable) -> c_int {
        kernel::error::from_result(|| {
            // SAFETY: By the contract; nobody else has the flowtable yet. Drivers use the block
            // and its lock, so they are made as C makes them.
            unsafe {
                bindings::nfo_flow_block_init(&raw mut (*ft).flow_block);
                bindings::nfo_init_rwsem(&raw mut (*ft).flow_block_lock);
                let net = Namespace::from_raw(bindings::nfo_read_pnet(&raw const (*ft).net));
                content::<T>(ft).write(Arc::into_raw(T::init(net)?));
            }
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Only for nf_tables, with a flowtable that was made and not yet freed.
    unsafe extern "C" fn setup(
        ft: *mut bindings::nf_flowtable,
        dev: *mut bindings::net_device,
        command: bindings::flow_block_command,
    ) -> c_int {
        kernel::error::from_result(|| {
            // SAFETY: By the contract.
            let (this, device, options) = unsafe {
                (
                    &**content::<T>(ft),
                    Device::from_raw(dev),
                    Options((*ft).flags),
                )
            };
            match command {
                bindings::flow_block_command_FLOW_BLOCK_BIND => this.bind(device, options)?,
                _ => this.unbind(device, options),
            }
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Only for nf_tables, with a flowtable that was made, and of which nobody holds anything.
    unsafe extern "C" fn free(ft: *mut bindings::nf_flowtable) {
        // SAFETY: By the contract; `init` has put a reference there, once.
        unsafe {
            let content = content::<T>(ft).replace(ptr::null());
            if !content.is_null() {
                T::free(Arc::from_raw(content));
            }
        }
    }

    /// # Safety
    ///
    /// Only for netfilter, as the ingress hook of a live flowtable. `FAMILY` is the type's.
    unsafe extern "C" fn hook<const FAMILY: u8>(
        private: *mut c_void,
        skb: *mut bindings::sk_buff,
        _state: *const bindings::nf_hook_state,
    ) -> c_uint {
        let family = match FAMILY {
            IPV4 => Family::Ipv4,
            IPV6 => Family::Ipv6,
            _ => Family::Inet,
        };
        // SAFETY: By the contract: hooks run under RCU, with a packet that is theirs, and the
        // flowtable is freed only after a grace period without its hooks.
        unsafe {
            let ft: *mut bindings::nf_flowtable = private.cast();
            let this: &T = &**content::<T>(ft);
            let options = Options(ptr::read_volatile(&raw const (*ft).flags));
            let skb = Skb::from_raw(NonNull::new_unchecked(skb));
            this.hook(family, options, skb, ReadSide::new()).into_raw()
        }
    }
}

const IPV4: u8 = Family::Ipv4.as_raw();
const IPV6: u8 = Family::Ipv6.as_raw();
const INET: u8 = Family::Inet.as_raw();

/// The registration of a type for one family.
///
/// # Invariants
///
/// `raw` is registered, and pinned.
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<T: Type> {
    #[pin]
    raw: Opaque<bindings::nf_flowtable_type>,
    _type: PhantomData<T>,
}

// SAFETY: nf_tables has a lock for its list of types.
unsafe impl<T: Type> Send for Registration<T> {}
// SAFETY: As above.
unsafe impl<T: Type> Sync for Registration<T> {}

impl<T: Type> Registration<T> {
    /// Registers the type for a family, on behalf of a module.
    pub(crate) fn register(family: Family, module: &'static ThisModule) -> impl PinInit<Self> {
        pin_init!(Self {
            raw <- Opaque::ffi_init(move |slot: *mut bindings::nf_flowtable_type| {
                let raw = bindings::nf_flowtable_type {
                    family: c_int::from(family.as_raw()),
                    init: Some(Adapter::<T>::init),
                    setup: Some(Adapter::<T>::setup),
                    free: Some(Adapter::<T>::free),
                    hook: Some(match family {
                        Family::Ipv4 => Adapter::<T>::hook::<IPV4>,
                        Family::Ipv6 => Adapter::<T>::hook::<IPV6>,
                        Family::Inet => Adapter::<T>::hook::<INET>,
                    }),
                    owner: module.as_ptr(),
                    ..Default::default()
                };
                // SAFETY: The slot is pinned until dropped, which unregisters.
                unsafe {
                    slot.write(raw);
                    bindings::nft_register_flowtable_type(slot);
                }
            }),
            _type: PhantomData,
        })
    }
}

#[pinned_drop]
impl<T: Type> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type invariant. No flowtable is left, or the module would
        // still be in use.
        unsafe { bindings::nft_unregister_flowtable_type(self.raw.get()) };
    }
}

/// The content of an nf_tables flowtable, if its type is this module's `T`.
///
/// # Safety
///
/// `ft` is a valid flowtable that outlives `'a`.
pub(super) unsafe fn content_of<'a, T: Type>(
    ft: NonNull<bindings::nft_flowtable>,
) -> Option<&'a T> {
    // SAFETY: By the contract. A type is ours if its `free` is: that is a function of this module.
    unsafe {
        let data = &raw mut (*ft.as_ptr()).data;
        let free = (*(*data).type_).free?;
        let ours: unsafe extern "C" fn(*mut bindings::nf_flowtable) = Adapter::<T>::free;
        if !ptr::fn_addr_eq(free, ours) {
            return None;
        }
        Some(&**content::<T>(data))
    }
}

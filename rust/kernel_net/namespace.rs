// SPDX-License-Identifier: GPL-2.0

//! Network namespaces, what a module keeps in each, and a file in its `/proc/net`.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use crate::bindings;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{
    AtomicU32,
    Ordering::Relaxed, //
};
use kernel::prelude::*;
use kernel::seq_file::SeqFile;
use kernel::sync::Arc;
use kernel::types::Opaque;

/// A network namespace (C: `struct net`), borrowed from something that lives in it.
#[repr(transparent)]
pub(crate) struct Namespace(Opaque<bindings::net>);

impl Namespace {
    /// # Safety
    ///
    /// `raw` is a namespace that lives for `'a`.
    #[inline(always)]
    pub(super) unsafe fn from_raw<'a>(raw: *mut bindings::net) -> &'a Self {
        // SAFETY: By the contract; the type is transparent.
        unsafe { &*raw.cast() }
    }

    #[inline(always)]
    pub(super) fn as_raw(&self) -> *mut bindings::net {
        self.0.get()
    }
}

impl PartialEq for Namespace {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self, other)
    }
}

/// What a module keeps for each namespace.
pub(crate) trait PerNamespace: Send + Sync + Sized {
    /// The name of the file in `/proc/net`.
    const FILE: &'static CStr;

    /// Makes the state of a new namespace. Process context, may sleep.
    fn new() -> Result<Arc<Self>>;

    /// Writes the content of the file.
    fn show(&self, file: &SeqFile);
}

/// Keeps a `T` in every namespace, present and future, as long as it lives.
///
/// # Invariants
///
/// `operations` is registered, and pinned with `id`, which it points to.
#[pin_data(PinnedDrop)]
pub(crate) struct Subsystem<T: PerNamespace> {
    id: Opaque<u32>,
    #[pin]
    operations: Opaque<bindings::pernet_operations>,
    _state: PhantomData<T>,
}

// SAFETY: The registration may be given up from anywhere; `T` is shared behind `Arc`.
unsafe impl<T: PerNamespace> Send for Subsystem<T> {}
// SAFETY: As above.
unsafe impl<T: PerNamespace> Sync for Subsystem<T> {}

/// The id of the only [`Subsystem`] of this module; the C interface has one variable for each.
static ID: AtomicU32 = AtomicU32::new(0);

impl<T: PerNamespace> Subsystem<T> {
    /// Registers, and makes the state of every namespace there is.
    pub(crate) fn register() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            id: Opaque::new(0),
            operations <- Opaque::try_ffi_init(|slot: *mut bindings::pernet_operations| {
                let operations = bindings::pernet_operations {
                    init: Some(Self::init_callback),
                    exit: Some(Self::exit_callback),
                    id: ID.as_ptr(),
                    // INVARIANT: Each namespace's area holds one `Arc<T>` as a raw pointer.
                    size: size_of::<*const T>(),
                    ..Default::default()
                };
                // SAFETY: The slot is pinned until dropped, which unregisters; the callbacks fit.
                unsafe {
                    slot.write(operations);
                    kernel::error::to_result(bindings::register_pernet_subsys(slot))
                }
            }),
            _state: PhantomData,
        })
    }

    /// The area of a namespace.
    ///
    /// # Safety
    ///
    /// The subsystem is registered, or being so.
    unsafe fn area(net: *const bindings::net) -> *mut *const T {
        // SAFETY: By the contract, the id is ours and its area is of the size of a pointer.
        unsafe { bindings::nfo_net_generic(net, ID.load(Relaxed)).cast() }
    }

    /// # Safety
    ///
    /// Only for the namespace code, with a namespace that is being set up.
    unsafe extern "C" fn init_callback(net: *mut bindings::net) -> c_int {
        kernel::error::from_result(|| {
            let state = T::new()?;
            // SAFETY: The namespace is alive; the file is removed before the state goes.
            let file = unsafe {
                bindings::proc_create_net_single(
                    T::FILE.as_char_ptr(),
                    0o444,
                    bindings::nfo_proc_net(net),
                    Some(Self::show_callback),
                    ptr::null_mut(),
                )
            };
            if file.is_null() {
                return Err(ENOMEM);
            }
            // SAFETY: The area belongs to this namespace, and nobody reads it yet but the file,
            // which tolerates null.
            unsafe { Self::area(net).write(Arc::into_raw(state)) };
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Only for the namespace code, with a namespace that is going.
    unsafe extern "C" fn exit_callback(net: *mut bindings::net) {
        // SAFETY: Set up by `init_callback`; removing the file waits for its readers.
        unsafe {
            bindings::remove_proc_entry(T::FILE.as_char_ptr(), bindings::nfo_proc_net(net));
            let state = Self::area(net).replace(ptr::null());
            if !state.is_null() {
                drop(Arc::from_raw(state));
            }
        }
    }

    /// # Safety
    ///
    /// Only for the file made by `init_callback`.
    unsafe extern "C" fn show_callback(
        seq: *mut bindings::seq_file,
        _unused: *mut c_void,
    ) -> c_int {
        // SAFETY: The file is of this namespace; its state stays until the file is removed.
        unsafe {
            let state = *Self::area(bindings::nfo_seq_file_single_net(seq));
            if let Some(state) = state.as_ref() {
                state.show(SeqFile::from_raw(seq));
            }
        }
        0
    }

    /// The state of a namespace that is alive. Any context.
    pub(crate) fn of(namespace: &Namespace) -> Option<Arc<T>> {
        // SAFETY: Callers are called by what the module registered after this subsystem, so it is
        // registered; a live namespace keeps its state.
        unsafe {
            let state = *Self::area(namespace.as_raw());
            if state.is_null() {
                return None;
            }
            // The area keeps its reference; this one is new.
            let borrowed = core::mem::ManuallyDrop::new(Arc::from_raw(state));
            Some((*borrowed).clone())
        }
    }
}

#[pinned_drop]
impl<T: PerNamespace> PinnedDrop for Subsystem<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type invariant.
        unsafe { bindings::unregister_pernet_subsys(self.operations.get()) };
    }
}

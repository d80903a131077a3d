// SPDX-License-Identifier: GPL-2.0

//! Network namespaces, what a module keeps in each, and a file in its `/proc/net`.
//!
//! A module that has state for each namespace must have it from the moment on when something of the
//! namespace can reach the module, and until nothing can any more. The kernel knows these moments,
//! and calls whoever has registered. [`Subsystem`] is the registration, and [`PerNamespace`] what
//! is kept: an `Arc`, so that whatever has taken a share of it may outlive the namespace.
//!
//! ```text
//!   namespace is set up:   T::new() --> area of the namespace, /proc/net/FILE
//!   at any time:           Subsystem::<T>::of(namespace) --> Option<Arc<T>>
//!   /proc/net/FILE read:   T::show()
//!   namespace goes:        file removed, area emptied, Arc given up
//! ```
//!
//! Registering does the first for all namespaces there are, dropping the registration the last.
//!
//! Context and locking: namespaces come and go in process context, several at a time. The area of a
//! namespace is written when it is set up and when it goes, and only read in between, so that no
//! lock is needed. A namespace that goes has no tasks any more; its devices go first, and its
//! subsystems then, the last one registered first. So nobody asks for the state while it is being
//! given up; who asks later, until all subsystems have ended, is told that there is none.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use crate::bindings;
use crate::compat::prelude::*;
use crate::compat::seq_file::SeqFile;
use crate::compat::sync::Arc;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{
    AtomicPtr,
    AtomicU32,
    Ordering::{
        Acquire,
        Relaxed,
        Release, //
    }, //
};
use kernel::types::Opaque;

/// A network namespace (C: `struct net`), borrowed from something that lives in it.
///
/// There is no counted reference here: whoever has a namespace got it from a connection, a device
/// or a callback, which all keep it for as long as they last.
#[repr(transparent)]
pub(crate) struct Namespace(Opaque<bindings::net>);

impl Namespace {
    /// A namespace of C.
    ///
    /// # Safety
    ///
    /// `raw` is a namespace that lives for `'a`.
    #[inline(always)]
    pub(super) unsafe fn from_raw<'a>(raw: *mut bindings::net) -> &'a Self {
        // SAFETY: By the contract; the type is transparent.
        unsafe { &*raw.cast() }
    }

    /// The C structure.
    #[inline(always)]
    pub(super) fn as_raw(&self) -> *mut bindings::net {
        self.0.get()
    }
}

impl PartialEq for Namespace {
    // There is one structure for each namespace, so its address is its identity (C: `net_eq`).
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self, other)
    }
}

/// What a module keeps for each namespace.
pub(crate) trait PerNamespace: Send + Sync + Sized {
    /// The name of the file in `/proc/net`, which everybody may read.
    const FILE: &'static CStr;

    /// Where the kernel notes the number that it gives out at the registration, and by which the
    /// state is found in a namespace: one variable for each type.
    fn id() -> &'static AtomicU32;

    /// Makes the state of a new namespace.
    ///
    /// Process context, may sleep; holds up the making of the namespace, or the loading of the
    /// module. An error makes that fail.
    fn new() -> Result<Arc<Self>>;

    /// The name of a file in `/proc/net` with a line for each entry of a list, for root only.
    const LIST: &'static CStr;

    /// The first entry of the list at or after a place, which is not negative as a signed number.
    ///
    /// Process context, may sleep. Nothing is held between calls: entries come and go meanwhile.
    fn next_entry(&self, from: u64) -> Option<u64>;

    /// Writes the line of an entry, if it is still there. As [`Self::next_entry`].
    fn show_entry(&self, place: u64, file: &SeqFile);

    /// Writes the content of the file.
    ///
    /// Process context, may sleep. Called for each reading, and again from the start whenever the
    /// buffer was too small: so it has no side effects. Several may read at the same time.
    fn show(&self, file: &SeqFile);
}

/// Keeps a `T` in every namespace, present and future, as long as it lives.
///
/// # Invariants
///
/// `operations` is registered, and pinned. While it is, the area of every namespace that has been
/// set up and does not go holds an `Arc<T>` as a raw pointer.
#[pin_data(PinnedDrop)]
pub(crate) struct Subsystem<T: PerNamespace> {
    /// What the kernel links; it refers to [`PerNamespace::id`].
    #[pin]
    operations: Opaque<bindings::pernet_operations>,
    _state: PhantomData<T>,
}

// SAFETY: The registration may be given up from any task; `T` is shared behind `Arc`, and is
// `Send`.
unsafe impl<T: PerNamespace> Send for Subsystem<T> {}
// SAFETY: A shared registration can only be asked for states, which are read without a lock as the
// module documentation says; `T` is `Sync`.
unsafe impl<T: PerNamespace> Sync for Subsystem<T> {}

impl<T: PerNamespace> Subsystem<T> {
    /// Registers, and makes the state of every namespace there is (C: `register_pernet_subsys`).
    ///
    /// Process context, without locks of the network. Fails if one of the states cannot be made,
    /// with its error, and leaves nothing behind.
    pub(crate) fn register() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            operations <- Opaque::try_ffi_init(|slot: *mut bindings::pernet_operations| {
                let operations = bindings::pernet_operations {
                    init: Some(Self::init_callback),
                    exit: Some(Self::exit_callback),
                    id: T::id().as_ptr(),
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

    /// The area of a namespace: where the pointer to its state is, or null.
    ///
    /// # Safety
    ///
    /// The subsystem is registered, or being so, and the namespace is alive.
    unsafe fn area<'a>(net: *const bindings::net) -> &'a AtomicPtr<T> {
        // SAFETY: By the contract, the id is ours, and its area is of the size of a pointer, and
        // zero before it is written for the first time.
        unsafe { AtomicPtr::from_ptr(bindings::nfo_net_generic(net, T::id().load(Relaxed)).cast()) }
    }

    /// Removes a file of a namespace, and waits for its readers.
    ///
    /// # Safety
    ///
    /// The namespace is alive, and the file was made for it.
    unsafe fn remove(net: *const bindings::net, name: &CStr) {
        // SAFETY: By the contract, as long as a namespace is alive so is its directory in `/proc`.
        unsafe { bindings::remove_proc_entry(name.as_char_ptr(), bindings::nfo_proc_net(net)) };
    }

    /// Sets a namespace up.
    ///
    /// # Safety
    ///
    /// Only for the namespace code, with a namespace that is being set up.
    unsafe extern "C" fn init_callback(net: *mut bindings::net) -> c_int {
        kernel::error::from_result(|| {
            let state = T::new()?;
            // SAFETY: The namespace is alive, and so is its directory in `/proc`.
            let directory = unsafe { bindings::nfo_proc_net(net) };
            let (name, show, none) = (T::FILE.as_char_ptr(), Self::show_callback, ptr::null_mut());
            // SAFETY: The name is a C string that stays; the callback needs the state, or null, until
            // the file is removed, which is before it goes.
            let file = unsafe {
                bindings::proc_create_net_single(name, 0o444, directory, Some(show), none)
            };
            if file.is_null() {
                return Err(ENOMEM);
            }
            let (name, size) = (T::LIST.as_char_ptr(), bindings::NFO_SEQ_NET_SIZE);
            let operations = &Self::LIST_OPERATIONS;
            // SAFETY: As above. The operations are constant.
            let list = unsafe {
                bindings::proc_create_net_data(name, 0o440, directory, operations, size, none)
            };
            if list.is_null() {
                // SAFETY: Made above.
                unsafe { Self::remove(net, T::FILE) };
                return Err(ENOMEM);
            }
            // SAFETY: The namespace is alive.
            let area = unsafe { Self::area(net) };
            // The file may be read already, and tolerates null.
            area.store(Arc::into_raw(state).cast_mut(), Release);
            Ok(0)
        })
    }

    /// Undoes `init_callback`.
    ///
    /// # Safety
    ///
    /// Only for the namespace code, with a namespace that is going and was set up.
    unsafe extern "C" fn exit_callback(net: *mut bindings::net) {
        for file in [T::FILE, T::LIST] {
            // SAFETY: Set up by `init_callback`.
            unsafe { Self::remove(net, file) };
        }
        // SAFETY: The namespace is alive until we have returned.
        let state = unsafe { Self::area(net) }.swap(ptr::null_mut(), Relaxed);
        if !state.is_null() {
            // SAFETY: Nobody reads the area now: see the module documentation. The reference that was
            // in it is ours to give up.
            drop(unsafe { Arc::from_raw(state) });
        }
    }

    /// Shows the state of the namespace that the file belongs to.
    ///
    /// # Safety
    ///
    /// Only for the file made by `init_callback`.
    unsafe extern "C" fn show_callback(
        seq: *mut bindings::seq_file,
        _unused: *mut c_void,
    ) -> c_int {
        // SAFETY: The file is of a namespace that is alive.
        let area = unsafe { Self::area(bindings::nfo_seq_file_single_net(seq)) };
        // SAFETY: Its state stays until the file is removed; and the file is valid for the call.
        let (state, file) = unsafe { (area.load(Acquire).as_ref(), SeqFile::from_raw(seq)) };
        if let Some(state) = state {
            state.show(file);
        }
        0
    }

    /// What the kernel calls to read the list: `start`, then `show` and `next` in turns until there
    /// is no entry or no room, then `stop`; and `start` again where it was.
    const LIST_OPERATIONS: bindings::seq_operations = bindings::seq_operations {
        start: Some(Self::list_start),
        next: Some(Self::list_next),
        show: Some(Self::list_show),
        stop: Some(Self::list_stop),
    };

    /// The state of the namespace whose list is read.
    ///
    /// # Safety
    ///
    /// `seq` is the list's file, being read.
    unsafe fn listed<'a>(seq: *mut bindings::seq_file) -> Option<&'a T> {
        // SAFETY: The file is of a namespace that is alive.
        let area = unsafe { Self::area(bindings::nfo_seq_file_net(seq)) };
        // SAFETY: Its state stays until the file is removed, which waits for readers.
        unsafe { area.load(Acquire).as_ref() }
    }

    /// Goes to the first entry at or after `*position`, which is an entry's place. The pointer that
    /// is returned says no more than that there is one: on 32 bits a place has no room in it.
    ///
    /// # Safety
    ///
    /// Only for the list's file, with a valid position.
    unsafe extern "C" fn list_start(
        seq: *mut bindings::seq_file,
        position: *mut bindings::loff_t,
    ) -> *mut c_void {
        // SAFETY: By the contract.
        let (state, position) = unsafe { (Self::listed(seq), &mut *position) };
        // CAST: Positions are not negative, and places neither.
        match state.and_then(|state| state.next_entry(*position as u64)) {
            Some(place) => {
                *position = place as bindings::loff_t;
                seq.cast()
            }
            None => ptr::null_mut(),
        }
    }

    /// # Safety
    ///
    /// As of `list_start`.
    unsafe extern "C" fn list_next(
        seq: *mut bindings::seq_file,
        _entry: *mut c_void,
        position: *mut bindings::loff_t,
    ) -> *mut c_void {
        // The position moves on also when there is no entry any more.
        // SAFETY: By the contract.
        unsafe { *position = (*position).wrapping_add(1) };
        // SAFETY: By the contract.
        unsafe { Self::list_start(seq, position) }
    }

    /// # Safety
    ///
    /// Only for the list's file, with an entry from `list_start`.
    unsafe extern "C" fn list_show(seq: *mut bindings::seq_file, _entry: *mut c_void) -> c_int {
        // SAFETY: By the contract.
        if let Some(state) = unsafe { Self::listed(seq) } {
            // SAFETY: By the contract. The file's own position is that of the entry.
            let (place, file) = unsafe { ((*seq).index, SeqFile::from_raw(seq)) };
            // CAST: As in `list_start`.
            state.show_entry(place as u64, file);
        }
        0
    }

    /// # Safety
    ///
    /// Only for the list's file. Nothing is held.
    unsafe extern "C" fn list_stop(_seq: *mut bindings::seq_file, _entry: *mut c_void) {}

    /// The state of a namespace that is alive, or [`None`] if it is just being set up or is going.
    /// Any context.
    ///
    /// Only for code that is reached through what the module registered after this subsystem, and
    /// so unregisters before it.
    pub(crate) fn of(namespace: &Namespace) -> Option<Arc<T>> {
        // SAFETY: Callers are called by what the module registered after this subsystem, so it is
        // registered.
        let state = unsafe { Self::area(namespace.as_raw()) }.load(Acquire);
        if state.is_null() {
            return None;
        }
        // SAFETY: A live namespace keeps its state, so that the pointer is good while it is borrowed.
        // The area keeps its reference; what is given out is a new one.
        let borrowed = core::mem::ManuallyDrop::new(unsafe { Arc::from_raw(state) });
        Some((*borrowed).clone())
    }
}

#[pinned_drop]
impl<T: PerNamespace> PinnedDrop for Subsystem<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type invariant. The function has called `exit_callback` for
        // every namespace when it returns.
        unsafe { bindings::unregister_pernet_subsys(self.operations.get()) };
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Modules.

use crate::error::Error;
use crate::init::PinInit;

/// The module (C: `THIS_MODULE`).
#[repr(transparent)]
pub struct ThisModule(*mut bindings::module);

// SAFETY: It is there as long as its code.
unsafe impl Sync for ThisModule {}

impl ThisModule {
    /// # Safety
    ///
    /// It is the module whose code calls this.
    pub const unsafe fn from_ptr(module: *mut bindings::module) -> Self {
        Self(module)
    }

    /// For C.
    pub const fn as_ptr(&self) -> *mut bindings::module {
        self.0
    }
}

/// A module that is initialised where it stays.
pub trait InPlaceModule: Sync + Send {
    /// Called when the module is loaded.
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error>;
}

/// Makes the crate a module.
#[macro_export]
macro_rules! module {
    (
        type: $type:ident,
        name: $name:literal,
        authors: [$($author:literal),* $(,)?],
        description: $description:literal,
        license: $license:literal,
        $(alias: [$($alias:literal),* $(,)?],)?
    ) => {
        $($crate::__modinfo!("author=", $author);)*
        $crate::__modinfo!("description=", $description);
        $crate::__modinfo!("license=", $license);
        $($($crate::__modinfo!("alias=", $alias);)*)?

        static THIS_MODULE: $crate::ThisModule = {
            extern "C" {
                #[allow(improper_ctypes)]
                static mut __this_module: $crate::bindings::module;
            }
            // SAFETY: It is this one; modpost makes it.
            unsafe { $crate::ThisModule::from_ptr(&raw mut __this_module) }
        };

        /// What the module is: from `init_module` to `cleanup_module`.
        static mut MODULE: ::core::mem::MaybeUninit<$type> = ::core::mem::MaybeUninit::uninit();

        /// Called by C when the module is loaded, once.
        ///
        /// # Safety
        ///
        /// Only for C.
        #[no_mangle]
        #[link_section = ".init.text"]
        pub unsafe extern "C" fn init_module() -> $crate::ffi::c_int {
            let init = <$type as $crate::InPlaceModule>::init(&THIS_MODULE);
            // SAFETY: Nobody else is there yet, and it stays where it is.
            match unsafe { $crate::init::PinInit::__pinned_init(init, (&raw mut MODULE).cast()) } {
                Ok(()) => 0,
                Err(error) => error.to_errno(),
            }
        }

        // Their addresses are taken, as `module_init` of C does, or they would not be left where branches are
        // checked (IBT).
        #[link_section = ".init.data"]
        #[used(compiler)]
        static INIT: unsafe extern "C" fn() -> $crate::ffi::c_int = init_module;
        #[link_section = ".exit.data"]
        #[used(compiler)]
        static EXIT: unsafe extern "C" fn() = cleanup_module;

        /// Called by C when it is unloaded, once.
        ///
        /// # Safety
        ///
        /// Only for C, after `init_module` has succeeded.
        #[no_mangle]
        #[link_section = ".exit.text"]
        pub unsafe extern "C" fn cleanup_module() {
            // SAFETY: It was initialised, by the contract, and nobody uses it any more.
            unsafe { ::core::ptr::drop_in_place((&raw mut MODULE).cast::<$type>()) };
        }
    };
}

/// A line of what is told of a module.
#[doc(hidden)]
#[macro_export]
macro_rules! __modinfo {
    ($key:literal, $value:literal) => {
        const _: () = {
            const TEXT: &[u8] = concat!($key, $value, "\0").as_bytes();
            #[link_section = ".modinfo"]
            #[used(compiler)]
            static INFO: [u8; TEXT.len()] = *match TEXT.first_chunk() {
                Some(text) => text,
                None => panic!("as long as itself"),
            };
        };
    };
}

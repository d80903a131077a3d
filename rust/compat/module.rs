// SPDX-License-Identifier: GPL-2.0

//! Modules that are pinned in memory (`kernel::InPlaceModule`, and `module!` with such a type): the
//! crate keeps a module where it is moved to, so it is in a box.

use kernel::prelude::*;

/// A module that is initialised where it stays.
pub(crate) trait InPlaceModule: Sync + Send {
    /// Called when the module is loaded.
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error>;
}

/// With the fields that this module has, in their order.
macro_rules! module {
    (
        type: $type:ident,
        name: $name:tt,
        authors: [$author:tt],
        description: $description:tt,
        license: $license:tt,
        alias: $alias:tt,
    ) => {
        ::kernel::prelude::module! {
            type: Boxed,
            name: $name,
            author: $author,
            description: $description,
            license: $license,
            alias: $alias,
        }

        /// Kept for what it does when it is dropped.
        struct Boxed(
            #[allow(dead_code, reason = "dropped")] ::core::pin::Pin<::kernel::alloc::KBox<$type>>,
        );

        impl ::kernel::Module for Boxed {
            fn init(module: &'static ThisModule) -> Result<Self> {
                let init = <$type as $crate::compat::InPlaceModule>::init(module);
                Ok(Boxed(::kernel::alloc::KBox::try_pin_init(
                    init, GFP_KERNEL,
                )?))
            }
        }
    };
}
pub(crate) use module;

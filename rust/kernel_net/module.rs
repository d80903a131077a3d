// SPDX-License-Identifier: GPL-2.0

//! Other modules.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use crate::bindings;
use kernel::prelude::*;

/// Whether a module of this name is loaded, or built in with parameters. Process context.
pub(crate) fn is_loaded(this: &'static ThisModule, name: &CStr) -> bool {
    // SAFETY: This module is alive, and a member of the set of all modules. The object found comes
    // with a reference, which is given back.
    unsafe {
        let found = bindings::nfo_find_module(this.as_ptr(), name.as_char_ptr());
        if !found.is_null() {
            bindings::kobject_put(found);
        }
        !found.is_null()
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Other modules.
//!
//! A module that takes the place of another one has to know whether that one was first: what it
//! registered is found first, too.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use crate::bindings;
use crate::compat::prelude::*;

/// Whether a module of this name is loaded, or built in with parameters.
///
/// What is asked is the directory of all modules in sysfs, `/sys/module`: the list of modules
/// itself is private to the C code. So a module that is just being loaded or unloaded may or may
/// not be found, and the answer may be outdated the next moment. `name` is spelled as the
/// directory, with underscores. `this` is this module, to find the directory by; built into the
/// kernel it is there before any module, and nothing is found.
///
/// Process context.
pub(crate) fn is_loaded(this: &'static ThisModule, name: &CStr) -> bool {
    // SAFETY: This module is alive, and a member of the set of all modules; built in there is no
    // such thing, and the pointer is not looked at. The set has a lock of its own for the search,
    // and names are C strings.
    let found = unsafe { bindings::nfo_find_module(this.as_ptr(), name.as_char_ptr()) };
    if !found.is_null() {
        // SAFETY: Found with a reference, which is given back; nothing else is done with it.
        unsafe { bindings::kobject_put(found) };
    }
    !found.is_null()
}

// SPDX-License-Identifier: GPL-2.0

//! Messages. C's `printk` knows the way Rust formats only in kernels that have Rust; so a line is formatted
//! here, and what is longer is cut.

use core::fmt;

/// The longest message, in bytes: on the stack.
const MOST: usize = 240;

struct Line {
    text: [u8; MOST],
    len: usize,
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.text.get_mut(self.len..).unwrap_or(&mut []);
        let len = room.len().min(text.len());
        if let (Some(to), Some(from)) = (room.get_mut(..len), text.as_bytes().get(..len)) {
            to.copy_from_slice(from);
        }
        self.len = self.len.saturating_add(len);
        Ok(())
    }
}

/// Prints a message, at a level of C's (`KERN_*`: the digit).
#[doc(hidden)]
#[cold]
pub fn print(level: u8, what: fmt::Arguments<'_>) {
    let mut line = Line {
        text: [0; MOST],
        len: 0,
    };
    let _ = fmt::Write::write_fmt(&mut line, what);
    let text = line.text.as_ptr();
    // SAFETY: The text is valid, and so long.
    unsafe { bindings::nfo_print(level, line.len as crate::ffi::c_int, text.cast()) };
}

/// Prints a warning (C: `pr_warn`).
#[macro_export]
macro_rules! pr_warn {
    ($($what:tt)*) => { $crate::print::print(b'4', ::core::format_args!($($what)*)) };
}

/// Prints that all is lost (C: `pr_emerg`).
#[macro_export]
macro_rules! pr_emerg {
    ($($what:tt)*) => { $crate::print::print(b'0', ::core::format_args!($($what)*)) };
}

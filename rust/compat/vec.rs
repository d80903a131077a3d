// SPDX-License-Identifier: GPL-2.0

//! Vectors out of which elements are taken (`kernel::alloc::Vec`): the crate's only grow.

use kernel::prelude::*;

pub(crate) trait VecExt<T> {
    /// Keeps the elements for which `keep` says so, in their order.
    fn retain(&mut self, keep: impl FnMut(&mut T) -> bool);

    /// Takes an element out; those behind it move up.
    fn remove(&mut self, place: usize) -> Result<T>;
}

/// Takes the last element.
fn pop<T>(vec: &mut KVec<T>) -> Option<T> {
    let last = vec.len().checked_sub(1)?;
    // SAFETY: The element is there, and from then on nobody's but the caller's.
    unsafe {
        vec.set_len(last);
        Some(vec.as_ptr().add(last).read())
    }
}

impl<T> VecExt<T> for KVec<T> {
    fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        let mut kept = 0;
        for place in 0..self.len() {
            if self.get_mut(place).is_some_and(&mut keep) {
                self.swap(kept, place);
                kept += 1;
            }
        }
        while self.len() > kept {
            drop(pop(self));
        }
    }

    fn remove(&mut self, place: usize) -> Result<T> {
        self.get_mut(place..).ok_or(EINVAL)?.rotate_left(1);
        pop(self).ok_or(EINVAL)
    }
}

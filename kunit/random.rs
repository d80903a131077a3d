// SPDX-License-Identifier: GPL-2.0

//! Repeatable random numbers for property tests.

/// A generator (xorshift64*, Vigna 2016).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn word(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        ((self.word() >> 32) % u64::from(bound)) as u32
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            // Extremes are where ones' complement arithmetic is delicate.
            *byte = match self.below(8) {
                0 => 0x00,
                1 => 0xff,
                _ => (self.word() >> 40) as u8,
            };
        }
        bytes
    }
}

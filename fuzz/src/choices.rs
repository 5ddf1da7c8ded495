//! Where decisions come from: bytes of a fuzzer, or an endless row of bytes from a seed.

use eradbg_vm::U256;

/// A source of decisions. Bytes that have run out read as zero, so that every choice has a plain first option.
#[derive(Debug, Clone)]
pub struct Choices<'a>(Source<'a>);

#[derive(Debug, Clone)]
enum Source<'a> {
    Bytes(&'a [u8]),
    Seed(u64),
}

impl<'a> Choices<'a> {
    /// Decisions of a fuzzer.
    pub fn from_bytes(bytes: &'a [u8]) -> Self {
        Self(Source::Bytes(bytes))
    }

    /// Random decisions, always the same for a seed.
    pub fn from_seed(seed: u64) -> Self {
        Self(Source::Seed(seed))
    }

    /// A number of so many bytes.
    fn number(&mut self, bytes: usize) -> u64 {
        match &mut self.0 {
            Source::Seed(state) => next_random(state) >> (64 - 8 * bytes),
            Source::Bytes(rest) => {
                let taken;
                (taken, *rest) = rest.split_at(bytes.min(rest.len()));
                taken
                    .iter()
                    .fold(0, |number, &byte| number << 8 | u64::from(byte))
            }
        }
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&mut self, limit: usize) -> usize {
        let bytes = match limit {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        };
        self.number(bytes) as usize % limit
    }

    /// True once in so many times; false when the bytes have run out.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, options: &[T]) -> T {
        options[self.below(options.len())]
    }

    /// Any number of 64 bits.
    pub fn u64(&mut self) -> u64 {
        self.number(8)
    }

    /// A word: often one at the edge of something, sometimes any.
    pub fn word(&mut self) -> U256 {
        match self.below(8) {
            0 | 1 => U256::from(self.below(256)),
            2 => U256::one() << self.below(256),
            3 => U256::MAX >> self.below(256),
            4 => U256::MAX - self.below(64),
            5 => U256::from(self.number(4)),
            6 => U256::from(self.u64()) << (32 * self.below(7)),
            _ => U256([self.u64(), self.u64(), self.u64(), self.u64()]),
        }
    }
}

/// The next of a row of random numbers (SplitMix64).
pub(crate) fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_have_run_out_choose_the_first_option() {
        let mut choices = Choices::from_bytes(&[3]);
        assert_eq!(choices.pick(&[10, 11, 12, 13]), 13);
        assert_eq!(choices.pick(&[10, 11, 12, 13]), 10);
        assert!(!choices.once_in(2));
        assert_eq!(choices.word(), U256::zero());
    }

    #[test]
    fn a_seed_always_decides_alike() {
        let row = |seed| {
            let mut choices = Choices::from_seed(seed);
            [(); 20].map(|()| choices.below(1000))
        };
        assert_eq!(row(7), row(7));
        assert_ne!(row(7), row(8));
    }
}

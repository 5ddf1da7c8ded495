//! Sets of instructions of some code.

use std::sync::Arc;

use crate::store::codec::{Decoder, Encoder, Malformed};

/// Words for all that a program counter can reach.
const WORDS: usize = 1 << 10;

/// Some instructions of some code: words of 64 bits that are not zero, each with its number, ascending. Chunks that executed
/// the same share them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Instructions(Arc<[(u16, u64)]>);

/// A set of program counters, with room for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcSet {
    words: Box<[u64; WORDS]>,
    /// Which of the words are not zero.
    used: [u64; WORDS / 64],
}

impl Default for PcSet {
    fn default() -> Self {
        Self {
            words: Box::new([0; WORDS]),
            used: [0; WORDS / 64],
        }
    }
}

impl PcSet {
    /// Program counters in one word.
    pub const WORD: u16 = u64::BITS as u16;

    /// Adds so many program counters from one on; after the last one comes the first.
    #[inline]
    pub fn insert_all(&mut self, first: u16, count: u16) {
        let (mut next, mut left) = (first, count);
        while left > 0 {
            let at = next % Self::WORD;
            let in_word = left.min(Self::WORD - at);
            let bits = u64::MAX >> (Self::WORD - in_word) << at;
            // Most were executed before: nothing is written then, for which what follows would have to wait.
            if self.word(next / Self::WORD) & bits != bits {
                self.add(next / Self::WORD, bits);
            }
            next = next.wrapping_add(in_word);
            left -= in_word;
        }
    }

    /// Those of a word.
    pub fn word(&self, number: u16) -> u64 {
        self.words[usize::from(number) % WORDS]
    }

    /// Adds those of a word.
    #[cold]
    #[inline(never)]
    pub fn add(&mut self, number: u16, bits: u64) {
        let number = usize::from(number) % WORDS;
        self.words[number] |= bits;
        self.used[number / 64] |= 1 << (number % 64);
    }

    /// Everything that is in it; it is empty then.
    pub fn take(&mut self) -> Instructions {
        let mut taken = Vec::with_capacity(self.used.iter().map(|used| used.count_ones() as usize).sum());
        for (first, used) in (0u16..).step_by(64).zip(&mut self.used) {
            while *used != 0 {
                let number = first + used.trailing_zeros() as u16;
                *used &= *used - 1;
                taken.push((number, std::mem::take(&mut self.words[usize::from(number)])));
            }
        }
        Instructions(taken.into())
    }
}

impl Instructions {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The words that are not zero, each with its number: [`PcSet::WORD`] instructions each, the first one lowest.
    pub fn words(&self) -> &[(u16, u64)] {
        &self.0
    }

    /// Their program counters, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().flat_map(|&(number, bits)| {
            let is_in = move |at: &u16| bits >> at & 1 == 1;
            (0..PcSet::WORD)
                .filter(is_in)
                .map(move |at| number * PcSet::WORD + at)
        })
    }

    /// Writes what is in one of the two, but not in both: chunks do much the same as those before them.
    pub(super) fn encode_since(&self, before: &Self, e: &mut Encoder) {
        let changed = self.differences(before);
        e.number(changed.0.len() as u64);
        let mut next = 0;
        for &(number, bits) in changed.words() {
            e.number(number - next);
            e.fixed(bits);
            next = number + 1;
        }
    }

    /// Reads what [`Self::encode_since`] wrote.
    pub(super) fn decode_since(before: &Self, d: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let count = d.count()?;
        if count == 0 {
            return Ok(before.clone());
        }
        let mut changed = Vec::with_capacity(count);
        let mut next = 0u16;
        for _ in 0..count {
            let number = next.checked_add(d.number()?).ok_or(Malformed)?;
            if usize::from(number) >= WORDS {
                return Err(Malformed);
            }
            changed.push((number, d.fixed()?));
            next = number + 1;
        }
        Ok(before.differences(&Self(changed.into())))
    }

    /// Those that are in one of the two only.
    fn differences(&self, other: &Self) -> Self {
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut all = Vec::with_capacity(self.0.len().max(other.0.len()));
        loop {
            let (number, bits) = match (ours.peek(), theirs.peek()) {
                (Some(&&(a, bits)), Some(&&(b, other))) if a == b => {
                    ours.next();
                    theirs.next();
                    (a, bits ^ other)
                }
                (Some(&&(a, _)), Some(&&(b, bits))) if b < a => {
                    theirs.next();
                    (b, bits)
                }
                (Some(&&one), _) => {
                    ours.next();
                    one
                }
                (None, Some(&&one)) => {
                    theirs.next();
                    one
                }
                (None, None) => return Self(all.into()),
            };
            if bits != 0 {
                all.push((number, bits));
            }
        }
    }
}

impl FromIterator<u16> for Instructions {
    fn from_iter<I: IntoIterator<Item = u16>>(pcs: I) -> Self {
        let mut set = PcSet::default();
        for pc in pcs {
            set.insert_all(pc, 1);
        }
        set.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_inserted_until_it_is_taken() {
        let mut set = PcSet::default();
        for (first, count) in [(0, 0), (62, 4), (4_096, 1), (64 * 1_000, 128), (u16::MAX, 2)] {
            set.insert_all(first, count);
        }
        let expected = [
            (0, 3 << 62 | 1),
            (1, 3),
            (64, 1),
            (1_000, u64::MAX),
            (1_001, u64::MAX),
            (1_023, 1 << 63),
        ];
        assert_eq!(set.take().words(), expected);
        assert_eq!(set, PcSet::default());
        set.insert_all(7, u16::MAX);
        let all_but_one: u32 = set.take().words().iter().map(|(_, bits)| bits.count_ones()).sum();
        assert_eq!(all_but_one, u32::from(u16::MAX));
    }

    #[test]
    fn instructions_come_back_by_their_difference_to_others() {
        let sets: [&[u16]; 4] = [&[], &[3, 700, u16::MAX], &[3, 701], &[1, 2, 3, 900, 40_000]];
        let sets = sets.map(|pcs| pcs.iter().copied().collect::<Instructions>());
        for before in &sets {
            for set in &sets {
                let mut e = Encoder::default();
                set.encode_since(before, &mut e);
                let mut d = Decoder::new(e.bytes());
                assert_eq!(Instructions::decode_since(before, &mut d).as_ref(), Ok(set));
                assert!(d.is_empty());
                assert_eq!(set == before, e.bytes().len() == 1);
            }
        }
    }

    #[test]
    fn words_beyond_the_last_one_are_refused() {
        let mut e = Encoder::default();
        e.number(1u8);
        e.number(1_024u32);
        e.fixed(1);
        let read = Instructions::decode_since(&Instructions::default(), &mut Decoder::new(e.bytes()));
        assert_eq!(read, Err(Malformed));
    }
}

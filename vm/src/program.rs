//! The code of one contract, decoded as far as it has run.

use std::slice;
use std::sync::{Arc, OnceLock};

use primitive_types::U256;

use crate::decode::Instruction;

/// Instructions of 8 bytes in a word of code.
const INSTRUCTIONS_PER_WORD: usize = 4;
/// Words that a program counter of 16 bits can address.
const ADDRESSABLE_WORDS: usize = (1 << 16) / INSTRUCTIONS_PER_WORD;
/// Words that are decoded together: most contracts run little of what they have.
const WINDOW_WORDS: usize = 256;
const WINDOW: usize = WINDOW_WORDS * INSTRUCTIONS_PER_WORD;

/// The code of one contract: its words, for constants, and its instructions.
pub struct Program {
    hash: U256,
    has_changed: bool,
    words: Box<[U256]>,
    windows: Box<[OnceLock<Box<[Instruction]>>]>,
}

impl Program {
    /// A program of these words; `hash` is the hash that it was asked for by, with the construction mark cleared.
    pub fn new(hash: U256, words: Vec<U256>) -> Arc<Self> {
        Self::with_words(hash, words, false)
    }

    /// The program as it runs once the memory that it lies in has been written: with these words.
    pub(crate) fn changed(&self, words: Vec<U256>) -> Arc<Self> {
        Self::with_words(self.hash, words, true)
    }

    fn with_words(hash: U256, words: Vec<U256>, has_changed: bool) -> Arc<Self> {
        let windows = words.len().min(ADDRESSABLE_WORDS).div_ceil(WINDOW_WORDS);
        Arc::new(Self {
            hash,
            has_changed,
            words: words.into(),
            windows: (0..windows).map(|_| OnceLock::new()).collect(),
        })
    }

    /// Code of the frame that a failed far call runs its panic in.
    pub fn empty() -> Arc<Self> {
        Self::new(U256::zero(), Vec::new())
    }

    /// Hash that the code was decommitted by.
    pub fn hash(&self) -> U256 {
        self.hash
    }

    /// Whether it is another code by now than its hash stands for.
    pub fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// Words of the code page.
    pub fn words(&self) -> &[U256] {
        &self.words
    }

    /// Instructions that a program counter can reach.
    pub fn instructions(&self) -> usize {
        self.words.len().min(ADDRESSABLE_WORDS) * INSTRUCTIONS_PER_WORD
    }

    /// The instruction at a program counter; an invalid one past the end of the code.
    pub fn instruction(&self, pc: u16) -> &Instruction {
        let (first, window) = self.window(pc);
        &window[(pc - first) as usize]
    }

    /// A stretch of instructions with the one at a program counter among them, and the program counter of its first.
    pub(crate) fn window(&self, pc: u16) -> (u16, &[Instruction]) {
        let (index, at) = (pc as usize / WINDOW, pc as usize % WINDOW);
        let window = self.windows.get(index);
        match window.map(|window| window.get_or_init(|| self.decode_window(index))) {
            Some(window) if at < window.len() => (pc - at as u16, window),
            _ => (pc, slice::from_ref(&Instruction::INVALID)),
        }
    }

    #[cold]
    fn decode_window(&self, index: usize) -> Box<[Instruction]> {
        let first = index * WINDOW_WORDS;
        let words = &self.words[first..self.words.len().min(first + WINDOW_WORDS)];
        let mut instructions = Vec::with_capacity(words.len() * INSTRUCTIONS_PER_WORD);
        for word in words {
            let limbs = word.0;
            instructions.extend([limbs[3], limbs[2], limbs[1], limbs[0]].map(Instruction::decode));
        }
        instructions.into()
    }

    /// Word at an index of the code page, zero past the end.
    pub fn word(&self, index: u16) -> U256 {
        self.words.get(index as usize).copied().unwrap_or_default()
    }

    /// The instruction word at a program counter, zero past the end.
    pub fn raw(&self, pc: u16) -> u64 {
        self.word(pc / INSTRUCTIONS_PER_WORD as u16).0[3 - (pc as usize % INSTRUCTIONS_PER_WORD)]
    }
}

/// Equal when hash and words are; how much is decoded makes no difference.
impl PartialEq for Program {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.words == other.words
    }
}

impl Eq for Program {}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Program({:#x}, {} words)", self.hash, self.words.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_taken_from_a_word_most_significant_first() {
        let program = Program::new(U256::zero(), vec![U256([4, 3, 2, 1])]);
        assert_eq!([0, 1, 2, 3].map(|pc| program.raw(pc)), [1, 2, 3, 4]);
        assert_eq!(program.raw(4), 0);
        assert_eq!(program.instructions(), 4);
    }

    #[test]
    fn each_place_of_the_code_has_its_instruction_and_what_lies_beyond_is_invalid() {
        for words in [0, 1, WINDOW_WORDS - 1, WINDOW_WORDS, WINDOW_WORDS + 1, 20_000] {
            let numbered = |word: usize| U256([3, 2, 1, 0].map(|at| ((word * 4 + at) as u64) << 32 | 1));
            let program = Program::new(U256::zero(), (0..words).map(numbered).collect());
            assert_eq!(program.instructions(), (words * 4).min(1 << 16));
            for pc in (0..=u16::MAX).rev() {
                let instruction = program.instruction(pc);
                if (pc as usize) < words * 4 {
                    assert_eq!(*instruction, Instruction::decode(program.raw(pc)));
                    assert_eq!(instruction.imm0, pc);
                } else {
                    assert_eq!(*instruction, Instruction::INVALID);
                }
            }
        }
    }
}

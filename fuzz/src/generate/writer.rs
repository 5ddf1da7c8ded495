//! Writes one program: instruction words, constants behind them, registers and places to name.

use std::collections::HashMap;
use std::sync::LazyLock;

use eradbg_vm::U256;
use eradbg_vm::isa::{self, Destination, Opcode, Source, TABLE_SIZE, Variant};

use crate::case::Code;
use crate::choices::Choices;
use crate::generate::Plan;

/// Instructions from which on a program is mostly no-ops, but for the last few.
const LONG: usize = 400;
const TAIL: usize = 16;

/// What a program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// In the place of the bootloader.
    Root,
    /// A kernel contract, with its address.
    Kernel(u16),
    /// Any other.
    User,
}

impl Kind {
    pub(super) fn is_kernel(self) -> bool {
        self != Self::User
    }
}

/// An instruction word that is being put together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word(u64);

type Shape = (Opcode, Source, Destination, bool, bool);

static INDEX: LazyLock<HashMap<Shape, u64>> = LazyLock::new(|| {
    let shape = |row: &Variant| (row.opcode, row.source, row.destination, row.flag0, row.flag1);
    let rows = (0..TABLE_SIZE).rev();
    rows.map(|index| (shape(isa::variant(index)), index as u64))
        .collect()
});

impl Word {
    /// The variant with an index.
    pub(super) fn variant(index: usize) -> Self {
        Self(index as u64)
    }

    /// An opcode on registers, without flags.
    pub(super) fn op(opcode: Opcode) -> Self {
        Self::of(opcode, Source::Register, Destination::Register, false, false)
    }

    /// An opcode in a shape that the table has.
    pub(super) fn of(
        opcode: Opcode,
        source: Source,
        destination: Destination,
        flag0: bool,
        flag1: bool,
    ) -> Self {
        let shape = (opcode, source, destination, flag0, flag1);
        Self(
            *INDEX
                .get(&shape)
                .unwrap_or_else(|| panic!("the table has no {shape:?}")),
        )
    }

    pub(super) fn src0(self, register: u8) -> Self {
        Self(self.0 | u64::from(register) << 16)
    }

    pub(super) fn src1(self, register: u8) -> Self {
        Self(self.0 | u64::from(register) << 20)
    }

    pub(super) fn dst0(self, register: u8) -> Self {
        Self(self.0 | u64::from(register) << 24)
    }

    pub(super) fn dst1(self, register: u8) -> Self {
        Self(self.0 | u64::from(register) << 28)
    }

    pub(super) fn imm0(self, number: u16) -> Self {
        Self(self.0 | u64::from(number) << 32)
    }

    pub(super) fn imm1(self, number: u16) -> Self {
        Self(self.0 | u64::from(number) << 48)
    }
}

/// A program that is being written.
pub(super) struct Writer<'w, 'c> {
    pub(super) choices: &'w mut Choices<'c>,
    pub(super) plan: &'w Plan,
    pub(super) kind: Kind,
    instructions: Vec<u64>,
    constants: Vec<U256>,
    length: usize,
}

impl<'w, 'c> Writer<'w, 'c> {
    /// An empty program that will have `length` instructions, a multiple of four.
    pub(super) fn new(choices: &'w mut Choices<'c>, plan: &'w Plan, kind: Kind, length: usize) -> Self {
        Self {
            choices,
            plan,
            kind,
            instructions: Vec::new(),
            constants: Vec::new(),
            length,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.instructions.len() >= self.length
    }

    /// Number of the next instruction.
    pub(super) fn here(&self) -> u16 {
        self.instructions.len() as u16
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Any instruction of the program that does something; sometimes one behind its end.
    pub(super) fn place(&mut self) -> u16 {
        if self.choices.once_in(40) {
            return (self.length + self.choices.below(400)) as u16;
        }
        let place = self.choices.below(self.length.min(LONG));
        // In a long program the places are at its start and at its end.
        let is_at_end = self.length > LONG && place >= LONG - TAIL;
        let skipped = if is_at_end { self.length - LONG } else { 0 };
        (place + skipped) as u16
    }

    /// Fills a long program with no-ops up to its end.
    pub(super) fn skip_to_tail(&mut self) {
        if self.length > LONG && (LONG - TAIL..self.length - TAIL).contains(&self.instructions.len()) {
            self.instructions.resize(self.length - TAIL, 1);
        }
    }

    /// Appends an instruction, sometimes under a condition. What comes after the end is dropped.
    pub(super) fn push(&mut self, word: Word) {
        let predicate = if self.choices.once_in(9) {
            self.choices.below(8) as u64
        } else {
            0
        };
        self.push_raw(word.0 | predicate << 13);
    }

    /// Appends an instruction that always executes.
    pub(super) fn push_always(&mut self, word: Word) {
        self.push_raw(word.0);
    }

    /// Appends any word, unless it is one that the peer does not have.
    pub(super) fn push_raw(&mut self, word: u64) {
        let row = isa::variant(word as usize & (TABLE_SIZE - 1));
        let missing = matches!(row.opcode, Opcode::StaticRead | Opcode::StaticWrite);
        if !self.is_full() {
            self.instructions.push(if missing { 1 } else { word });
        }
    }

    /// Index in the code page of a constant.
    pub(super) fn constant(&mut self, word: U256) -> u16 {
        let at = self.constants.iter().position(|&constant| constant == word);
        let at = at.unwrap_or_else(|| {
            self.constants.push(word);
            self.constants.len() - 1
        });
        (self.length / 4 + at) as u16
    }

    /// Loads a word into a register.
    pub(super) fn load(&mut self, register: u8, word: impl Into<U256>) {
        let word = word.into();
        let load = |source| Word::of(Opcode::Add, source, Destination::Register, false, false).dst0(register);
        if word < U256::from(1 << 16) {
            self.push_always(load(Source::Immediate).imm0(word.low_u32() as u16));
        } else {
            let at = self.constant(word);
            self.push_always(load(Source::Code).imm0(at));
        }
    }

    /// Loads something worth having into any register.
    pub(super) fn load_any(&mut self) {
        let register = self.target();
        let word = self.interesting();
        self.load(register, word);
    }

    /// A word that means something in this case, or any.
    pub(super) fn interesting(&mut self) -> U256 {
        match self.choices.below(6) {
            0 => eradbg_vm::value::word_of(self.choices.pick(&self.plan.addresses)),
            1 => self.choices.pick(&self.plan.hashes),
            2 => self.choices.pick(&self.plan.keys),
            _ => self.choices.word(),
        }
    }

    /// Any register, the first ones more often.
    pub(super) fn register(&mut self) -> u8 {
        match self.choices.below(4) {
            0 | 1 => 1 + self.choices.below(5) as u8,
            2 => self.choices.below(16) as u8,
            _ => self.choices.pick(&[0, 1, 2, 14, 15]),
        }
    }

    /// Any register to write to; seldom r1, which starts with the frame's pointer.
    pub(super) fn target(&mut self) -> u8 {
        match self.register() {
            1 if !self.choices.once_in(6) => 2,
            register => register,
        }
    }

    /// A small number.
    pub(super) fn small(&mut self) -> u16 {
        self.choices.pick(&[0, 1, 2, 3, 4, 5, 8, 31, 32, 33, 63, 64, 96])
    }

    /// Makes `word` readable through a source mode, and the instruction read it there.
    pub(super) fn source_of(&mut self, mut word: Word, source: Source, value: U256) -> Word {
        match source {
            Source::Immediate => return word.imm0(value.low_u32() as u16),
            Source::Code => {
                let at = self.constant(value);
                return word.imm0(at);
            }
            _ => {}
        }
        let register = self.choices.pick(&[6, 8, 10, 11]);
        self.load(register, value);
        word = match source {
            Source::Register => return word.src0(register),
            Source::StackAbsolute => word.imm0(3),
            _ => word.imm0(1),
        };
        self.store(Opcode::Add, register, source);
        word
    }

    /// Puts a register where an instruction with this source mode and the immediate of [`Self::source_of`] finds it.
    /// `PtrAdd` keeps a tag, `Add` drops it.
    pub(super) fn store(&mut self, opcode: Opcode, register: u8, source: Source) {
        let (destination, number) = match source {
            Source::StackAbsolute => (Destination::StackAbsolute, 3),
            _ => (Destination::StackPush, 1),
        };
        let store = Word::of(opcode, Source::Register, destination, false, false);
        self.push_always(store.src0(register).imm1(number));
    }

    /// The finished program. A page has an odd number of words.
    pub(super) fn finish(mut self) -> Code {
        let instructions_words = self.length / 4;
        if (instructions_words + self.constants.len()).is_multiple_of(2) {
            self.constants.push(U256::zero());
        }
        Code {
            instructions: self.instructions,
            constants: self.constants,
        }
    }
}

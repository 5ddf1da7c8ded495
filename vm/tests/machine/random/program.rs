//! Programs of random instructions, with operands that mean something often enough.
//!
//! Registers: r1 to r11 are anybody's, r12 and r13 hold what a precompile call takes, which must not be arbitrary (a
//! hash of 2^64 blocks takes its time), r15 is the sender of mimic calls.

use eradbg_fixtures::abi::Forward;
use eradbg_vm::isa::{self, Destination, Source};
use eradbg_vm::{Opcode, U256};

use super::dice::Dice;
use super::values::{FORWARDS, Values};
use crate::official;

const PRECOMPILE_ABI: u8 = 13;
const PRECOMPILE_EXTRA: u8 = 12;
const SENDER: u8 = 15;

/// Instructions of a program, about: a piece may go over it.
const INSTRUCTIONS: u64 = 48;

/// Word where constants start.
const FIRST_CONSTANT: usize = INSTRUCTIONS as usize / 4 + 4;

/// A program in the making: encoded instructions, then constants from a fixed word on.
pub(super) struct Words<'a> {
    dice: &'a mut Dice,
    instructions: Vec<u64>,
    constants: Vec<U256>,
    values: Values<'a>,
}

impl<'a> Words<'a> {
    /// The code page of a random program.
    pub(super) fn of(dice: &'a mut Dice, values: Values<'a>) -> Vec<U256> {
        let mut program = Self {
            dice,
            instructions: Vec::new(),
            constants: Vec::new(),
            values,
        };
        for register in 2..10 {
            if program.dice.chance(2) {
                let word = values.word(program.dice);
                program.load(register, word);
            }
        }
        if program.dice.chance(2) {
            let sender = *program.dice.one_of(values.addresses);
            program.load(SENDER, sender.into());
        }
        while program.instructions.len() < INSTRUCTIONS as usize - 4 {
            program.piece();
        }
        program.ret();
        program.finish()
    }

    fn finish(mut self) -> Vec<U256> {
        self.instructions.resize(FIRST_CONSTANT * 4, 0);
        let words = self.instructions.chunks(4);
        let mut words: Vec<U256> = words
            .map(|four| U256([four[3], four[2], four[1], four[0]]))
            .collect();
        words.extend(self.constants);
        if words.len().is_multiple_of(2) {
            words.push(U256::zero());
        }
        words
    }

    /// One instruction, or a few that belong together.
    fn piece(&mut self) {
        match self.dice.below(20) {
            0 | 1 => {
                let (register, word) = (self.register(), self.values.word(self.dice));
                self.load(register, word);
            }
            2..=4 => self.far_call(),
            5 => {
                let target = self.target();
                let handler = self.target();
                let ergs = if self.dice.chance(2) { 0 } else { self.register() };
                self.encode(Opcode::NearCall, |_| true, [ergs, 0, 0, 0], [target, handler]);
            }
            6 if self.dice.chance(3) => self.ret(),
            7 => self.precompile(),
            8 => self.decommit(),
            9 | 10 => self.memory(),
            11 => self.storage(),
            _ => self.any(),
        }
    }

    /// Any instruction with any operands.
    fn any(&mut self) {
        let opcode = loop {
            let opcode = *self.dice.one_of(Opcode::ALL);
            let is_common = !opcode.is_ret() && opcode != Opcode::Invalid;
            if is_common || self.dice.chance(16) {
                break opcode;
            }
        };
        let mut registers = [self.register(), self.register(), self.register(), 0];
        if matches!(opcode, Opcode::Precompile) {
            [registers[0], registers[1]] = [PRECOMPILE_ABI, PRECOMPILE_EXTRA];
        }
        if matches!(opcode, Opcode::Mul | Opcode::Div) || !*official::IS_NEWER {
            registers[3] = self.register();
        }
        if opcode == Opcode::RetPanic && *official::IS_NEWER {
            registers[0] = 0;
        }
        let immediates = if opcode.is_far_call() || opcode.is_ret() || opcode == Opcode::NearCall {
            [self.target(), self.target()]
        } else {
            [self.small(), self.small()]
        };
        self.encode_any(opcode, registers, immediates);
    }

    fn far_call(&mut self) {
        let packs = self.dice.chance(3);
        let forward = match (self.dice.chance(8), packs) {
            (true, _) => *self.dice.one_of(&FORWARDS),
            (false, true) => Forward::Pointer,
            (false, false) => *self.dice.one_of(&FORWARDS[..2]),
        };
        let abi = Values::far_call_abi(self.dice, forward);
        let address = *self.dice.one_of(self.values.addresses);
        self.load(2, address.into());
        if packs {
            // r1 is the calldata, or what the last call returned.
            self.load(3, abi >> 128 << 128);
            self.encode(
                Opcode::PtrPack,
                |row| plain(row) && !row.flag1,
                [1, 3, 4, 0],
                [0, 0],
            );
        } else {
            self.load(4, abi);
        }
        let opcode = *self.dice.one_of(&[
            Opcode::FarCall,
            Opcode::FarCall,
            Opcode::FarCallDelegate,
            Opcode::FarCallMimic,
        ]);
        let handler = self.instructions.len() as u16 + 1;
        let (is_static, shard) = (self.dice.chance(6), self.dice.chance(8));
        self.encode(
            opcode,
            |row| (row.flag0, row.flag1) == (is_static, shard),
            [4, 2, 0, 0],
            [handler, 0],
        );
    }

    fn ret(&mut self) {
        let opcode = *self
            .dice
            .one_of(&[Opcode::RetOk, Opcode::RetOk, Opcode::RetRevert]);
        let register = match self.dice.below(4) {
            0 => 0,
            1 => self.register(),
            2 => {
                let word = U256([0, 0, 0, 1 << 32]);
                self.load(3, word);
                self.encode(
                    Opcode::PtrPack,
                    |row| plain(row) && !row.flag1,
                    [1, 3, 4, 0],
                    [0, 0],
                );
                4
            }
            _ => {
                let word = Values::ret_abi(self.dice);
                self.load(4, word);
                4
            }
        };
        let to_label = self.dice.chance(4);
        let target = self.target();
        self.encode(
            opcode,
            |row| row.flag0 == to_label,
            [register, 0, 0, 0],
            [target, 0],
        );
    }

    fn precompile(&mut self) {
        let (abi, extra) = (
            Values::precompile_abi(self.dice),
            Values::precompile_extra(self.dice),
        );
        self.load(PRECOMPILE_ABI, abi);
        self.load(PRECOMPILE_EXTRA, extra);
        let result = self.register();
        self.encode(
            Opcode::Precompile,
            |_| true,
            [PRECOMPILE_ABI, PRECOMPILE_EXTRA, result, 0],
            [0, 0],
        );
    }

    fn decommit(&mut self) {
        let hash = self.values.hash(self.dice);
        self.load(3, hash);
        let extra = *self.dice.one_of(&[0, 1, 404, 5000, u64::from(u32::MAX)]);
        self.load(4, extra.into());
        let result = self.register();
        self.encode(Opcode::Decommit, |_| true, [3, 4, result, 0], [0, 0]);
    }

    fn memory(&mut self) {
        let opcode = *self.dice.one_of(&[
            Opcode::HeapRead,
            Opcode::HeapWrite,
            Opcode::AuxHeapRead,
            Opcode::AuxHeapWrite,
            Opcode::PointerRead,
            Opcode::StaticRead,
            Opcode::StaticWrite,
        ]);
        let mut address = self.register();
        if opcode == Opcode::PointerRead {
            address = *self.dice.one_of(&[1, 1, 4, address]);
        } else {
            let offset = self.values.offset(self.dice);
            self.load(address, offset);
        }
        let mut registers = [address, self.register(), self.register(), 0];
        let increments = self.dice.chance(2);
        let reads = !matches!(
            opcode,
            Opcode::HeapWrite | Opcode::AuxHeapWrite | Opcode::StaticWrite
        );
        if increments && reads {
            registers[3] = self.register();
        }
        let source = if self.dice.chance(3) {
            Source::Immediate
        } else {
            Source::Register
        };
        let immediate = self.small();
        let exists = |row: &isa::Variant| row.flag0 == increments;
        if opcode == Opcode::PointerRead {
            self.encode(opcode, exists, registers, [0, 0]);
        } else {
            let variant = |row: &isa::Variant| exists(row) && row.source == source;
            self.encode(opcode, variant, registers, [immediate, 0]);
        }
    }

    fn storage(&mut self) {
        let opcode = *self.dice.one_of(&[
            Opcode::StorageRead,
            Opcode::StorageWrite,
            Opcode::StorageWrite,
            Opcode::TransientRead,
            Opcode::TransientWrite,
        ]);
        let key = self.dice.below(4);
        self.load(3, key.into());
        let result = self.register();
        let value = if self.dice.chance(2) {
            let word = self.values.word(self.dice);
            self.load(4, word);
            4
        } else {
            *self.dice.one_of(&[0, result])
        };
        self.encode(opcode, |_| true, [3, value, result, 0], [0, 0]);
    }

    /// `register := word`.
    fn load(&mut self, register: u8, word: U256) {
        let constant = (FIRST_CONSTANT + self.constants.len()) as u16;
        let (source, immediate) = if let Ok(number) = u16::try_from(word) {
            (Source::Immediate, number)
        } else {
            self.constants.push(word);
            (Source::Code, constant)
        };
        let variant = |row: &isa::Variant| {
            (row.source, row.destination, row.flag0) == (source, Destination::Register, false)
        };
        self.always(Opcode::Add, variant, [0, 0, register, 0], [immediate, 0]);
    }

    /// An encoding of an opcode in any of its variants.
    fn encode_any(&mut self, opcode: Opcode, registers: [u8; 4], immediates: [u16; 2]) {
        let rows: Vec<usize> = (0..isa::TABLE_SIZE)
            .filter(|&row| isa::variant(row).opcode == opcode)
            .collect();
        let row = *self.dice.one_of(&rows);
        self.word_of(row, registers, immediates, true);
    }

    fn encode(
        &mut self,
        opcode: Opcode,
        wanted: impl Fn(&isa::Variant) -> bool,
        registers: [u8; 4],
        immediates: [u16; 2],
    ) {
        let row = isa::find_variant(|row| row.opcode == opcode && wanted(row)).expect("the variant exists");
        self.word_of(row, registers, immediates, true);
    }

    fn always(
        &mut self,
        opcode: Opcode,
        wanted: impl Fn(&isa::Variant) -> bool,
        registers: [u8; 4],
        immediates: [u16; 2],
    ) {
        let row = isa::find_variant(|row| row.opcode == opcode && wanted(row)).expect("the variant exists");
        self.word_of(row, registers, immediates, false);
    }

    fn word_of(&mut self, row: usize, registers: [u8; 4], immediates: [u16; 2], may_skip: bool) {
        let predicate = if may_skip && self.dice.chance(6) {
            self.dice.below(8)
        } else {
            0
        };
        let fields = [
            (predicate, 13),
            (registers[0].into(), 16),
            (registers[1].into(), 20),
            (registers[2].into(), 24),
            (registers[3].into(), 28),
            (immediates[0].into(), 32),
            (immediates[1].into(), 48),
        ];
        let word = fields
            .into_iter()
            .fold(row as u64, |word, (field, shift)| word | field << shift);
        self.instructions.push(word);
    }

    fn register(&mut self) -> u8 {
        self.dice.below(12) as u8
    }

    /// A place in the program, seldom one behind it.
    fn target(&mut self) -> u16 {
        if self.dice.chance(24) {
            self.dice.number() as u16
        } else {
            self.dice.below(INSTRUCTIONS) as u16
        }
    }

    fn small(&mut self) -> u16 {
        match self.dice.below(6) {
            0 => self.dice.number() as u16,
            1 => *self.dice.one_of(&[0xffff, 0x8000, 32, 31]),
            _ => self.dice.below(6) as u16,
        }
    }
}

fn plain(row: &isa::Variant) -> bool {
    (row.source, row.destination) == (Source::Register, Destination::Register)
}

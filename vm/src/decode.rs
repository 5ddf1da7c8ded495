//! Instruction words to decoded instructions.
//!
//! Bit layout: `matter-labs/zksync-protocol`
//! `crates/zkevm_opcode_defs/src/decoding/encoding_mode_production.rs`.

use std::sync::LazyLock;

use crate::exec::handler_index;
use crate::flags::Predicate;
use crate::isa::{self, Destination, Opcode, Source};

/// A decoded instruction. It is small and flat, since the machine reads one each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub opcode: Opcode,
    /// Mode of src0.
    pub source: Source,
    /// Mode of dst0.
    pub destination: Destination,
    /// Condition under which it executes.
    pub predicate: Predicate,
    /// Registers.
    pub src0: u8,
    /// See [`Self::src0`].
    pub src1: u8,
    /// See [`Self::src0`].
    pub dst0: u8,
    /// See [`Self::src0`].
    pub dst1: u8,
    /// Sets flags, static, to label, increment or first message: see [`isa::Variant::flag0`].
    pub flag0: bool,
    /// Swaps sources, or calls into a shard: see [`isa::Variant::flag1`].
    pub flag1: bool,
    /// Bits of [`Instruction::KERNEL_ONLY`], [`Instruction::CHANGES_STATE`] and what no frame allows.
    pub restrictions: u8,
    /// Which function executes it.
    pub(crate) handler: u16,
    /// Source immediate, jump or call target, label.
    pub imm0: u16,
    /// Destination immediate, exception handler of a near call.
    pub imm1: u16,
    /// Static price.
    pub ergs: u32,
}

impl Instruction {
    /// Restriction: kernel mode only.
    pub const KERNEL_ONLY: u8 = 1;
    /// Restriction: not in a static frame.
    pub const CHANGES_STATE: u8 = 2;
    /// Restriction of an invalid instruction: not anywhere.
    pub(crate) const NOWHERE: u8 = 4;
    /// Restriction of each instruction: not when the call stack is full.
    pub(crate) const NOT_WHEN_FULL: u8 = 8;

    /// What a word past the end of the code decodes to: it costs more than any frame has.
    pub const INVALID: Self = Self::plain(Opcode::Invalid, u32::MAX, Self::NOWHERE);
    /// What a failing instruction turns into.
    pub const PANIC: Self = Self::plain(Opcode::RetPanic, isa::PANIC_COST, 0);
    /// What an instruction turns into when its predicate does not hold.
    pub const NOP: Self = Self::plain(Opcode::Nop, isa::NOP_COST, 0);

    /// An instruction without operands.
    const fn plain(opcode: Opcode, ergs: u32, restrictions: u8) -> Self {
        Self {
            opcode,
            source: Source::Register,
            destination: Destination::Register,
            predicate: Predicate::Always,
            src0: 0,
            src1: 0,
            dst0: 0,
            dst1: 0,
            flag0: false,
            flag1: false,
            restrictions: restrictions | Self::NOT_WHEN_FULL,
            handler: handler_index(opcode, Source::Register, Destination::Register, false),
            imm0: 0,
            imm1: 0,
            ergs,
        }
    }

    /// Whether it writes its second output when it does not fail.
    pub fn writes_dst1(&self) -> bool {
        match self.opcode {
            Opcode::Mul | Opcode::Div => true,
            Opcode::HeapRead | Opcode::AuxHeapRead | Opcode::StaticRead | Opcode::PointerRead => self.flag0,
            _ => false,
        }
    }

    /// Decodes one instruction word; every word decodes to something. Bits 11 and 12 are ignored.
    pub fn decode(word: u64) -> Self {
        Self {
            predicate: Predicate::from_bits((word >> 13) as u8),
            src0: (word >> 16) as u8 & 15,
            src1: (word >> 20) as u8 & 15,
            dst0: (word >> 24) as u8 & 15,
            dst1: (word >> 28) as u8 & 15,
            imm0: (word >> 32) as u16,
            imm1: (word >> 48) as u16,
            ..VARIANTS[word as usize % isa::TABLE_SIZE]
        }
    }

    /// An instruction of a row of the instruction table that names no register and has no immediate.
    fn of_variant(row: &isa::Variant) -> Self {
        let restrictions = u8::from(row.kernel_only) * Self::KERNEL_ONLY
            + u8::from(row.changes_state) * Self::CHANGES_STATE
            + u8::from(row.opcode == Opcode::Invalid) * Self::NOWHERE;
        Self {
            source: row.source,
            destination: row.destination,
            flag0: row.flag0,
            flag1: row.flag1,
            handler: handler_index(row.opcode, row.source, row.destination, row.flag1),
            ..Self::plain(row.opcode, row.ergs, restrictions)
        }
    }
}

/// What a word says by the row of the instruction table that it names.
static VARIANTS: LazyLock<Vec<Instruction>> = LazyLock::new(|| {
    let rows = (0..isa::TABLE_SIZE).map(isa::variant);
    rows.map(Instruction::of_variant).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_words_decode_to_the_named_instructions() {
        assert_eq!(Instruction::decode(0), Instruction::INVALID);
        assert_eq!(Instruction::decode(1), Instruction::NOP);
        assert_eq!(Instruction::decode(0x431), Instruction::PANIC);
    }

    #[test]
    fn unused_bits_do_not_change_the_instruction() {
        assert_eq!(
            Instruction::decode(0x0000_0080_0300_0039 | 0x1800),
            Instruction::decode(0x0000_0080_0300_0039)
        );
    }
}

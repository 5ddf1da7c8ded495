//! Any row of the instruction table, with operands of the kind that it wants.

use std::sync::LazyLock;

use eradbg_vm::U256;
use eradbg_vm::isa::{self, Destination, Opcode, Source, Variant};

use crate::generate::memory;
use crate::generate::writer::{Word, Writer};

/// Rows of the instruction table before those that are all invalid.
pub const VARIANTS: usize = 0x450;

static GENERATED: LazyLock<Vec<usize>> =
    LazyLock::new(|| (0..VARIANTS).filter(|&index| is_generated(index)).collect());

/// Whether programs have this row: all but static memory, at which `zksync_vm2` 0.5.0 gives up.
pub fn is_generated(index: usize) -> bool {
    let opcode = isa::variant(index).opcode;
    index < VARIANTS && !matches!(opcode, Opcode::StaticRead | Opcode::StaticWrite)
}

/// Appends any row. In place of most of those that end a frame, or that this program may not execute, a register
/// is loaded.
pub(super) fn any(w: &mut Writer<'_, '_>) {
    let index = w.choices.pick(&GENERATED);
    let row = isa::variant(index);
    let rare = row.opcode == Opcode::Invalid
        || row.opcode.is_ret()
        || row.kernel_only && !w.kind.is_kernel()
        || row.opcode.is_far_call();
    if rare && !w.choices.once_in(6) {
        return w.load_any();
    }
    let mut word = Word::variant(index);
    word = match row.opcode {
        _ if w.choices.once_in(24) => left_to_chance(w, word),
        Opcode::Jump => {
            let place = w.place();
            w.source_of(word, row.source, place.into())
        }
        Opcode::PtrAdd | Opcode::PtrSub | Opcode::PtrPack | Opcode::PtrShrink => pointer(w, word, row),
        Opcode::PointerRead => word.src0(1),
        Opcode::HeapRead | Opcode::HeapWrite | Opcode::AuxHeapRead | Opcode::AuxHeapWrite => {
            let offset = memory::offset(w);
            w.source_of(word, row.source, offset.into())
        }
        Opcode::NearCall | Opcode::FarCall | Opcode::FarCallDelegate | Opcode::FarCallMimic => {
            let (target, handler) = (w.place(), w.place());
            let (src0, src1) = (w.register(), w.register());
            word.src0(src0).src1(src1).imm0(target).imm1(handler)
        }
        Opcode::RetOk | Opcode::RetRevert | Opcode::RetPanic => {
            let label = w.place();
            word.imm0(label)
        }
        opcode if opcode.is_arithmetic() && !w.choices.once_in(3) => operands(w, word, row),
        _ => {
            let source = source(w, word, row);
            let second = w.register();
            source.src1(second)
        }
    };
    let word = destination(w, word, row);
    w.push(word);
}

/// Two words that mean something, or two that are close to each other.
fn operands(w: &mut Writer<'_, '_>, word: Word, row: &Variant) -> Word {
    let first = w.interesting();
    let second = match w.choices.below(6) {
        0 => first,
        1 => first.overflowing_neg().0,
        2 => U256::from(w.choices.below(260)),
        _ => w.interesting(),
    };
    w.load(7, second);
    w.source_of(word, row.source, first).src1(7)
}

fn left_to_chance(w: &mut Writer<'_, '_>, word: Word) -> Word {
    let (src0, src1) = (w.register(), w.register());
    let number = w.small();
    word.src0(src0).src1(src1).imm0(number)
}

/// A pointer and a number, each where the row wants it.
fn pointer(w: &mut Writer<'_, '_>, word: Word, row: &Variant) -> Word {
    let number = if row.opcode == Opcode::PtrPack {
        U256([0, 0, w.choices.u64(), w.choices.u64()])
    } else {
        w.small().into()
    };
    if row.flag1 {
        // Swapped: the pointer is the second operand.
        return w.source_of(word, row.source, number).src1(1);
    }
    let register = 6;
    w.load(register, number);
    let word = word.src1(register);
    match row.source {
        Source::Register => word.src0(1),
        Source::StackAbsolute => {
            w.store(Opcode::PtrAdd, 1, row.source);
            word.imm0(3)
        }
        Source::StackPop | Source::StackRelative => {
            w.store(Opcode::PtrAdd, 1, row.source);
            word.imm0(1)
        }
        // No pointer can be there.
        Source::Immediate | Source::Code => word,
    }
}

fn source(w: &mut Writer<'_, '_>, word: Word, row: &Variant) -> Word {
    let stray = w.choices.once_in(10);
    let register = if stray || row.source == Source::Register {
        w.register()
    } else {
        0
    };
    let number = match row.source {
        Source::Register => return word.src0(register),
        Source::Immediate => w.choices.word().low_u32() as u16,
        Source::Code => {
            let value = w.interesting();
            w.constant(value)
        }
        Source::StackPop | Source::StackRelative | Source::StackAbsolute => w.choices.below(6) as u16,
    };
    word.src0(register).imm0(number)
}

fn destination(w: &mut Writer<'_, '_>, word: Word, row: &Variant) -> Word {
    let second = w.target();
    let word = word.dst1(second);
    let stray = w.choices.once_in(10);
    let register = if stray || row.destination == Destination::Register {
        w.target()
    } else {
        0
    };
    match row.destination {
        Destination::Register => word.dst0(register),
        Destination::StackPush | Destination::StackRelative | Destination::StackAbsolute => {
            let number = w.choices.below(6) as u16;
            word.dst0(register).imm1(number)
        }
    }
}

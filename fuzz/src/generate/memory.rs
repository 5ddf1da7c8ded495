//! Heaps and fat pointers.

use eradbg_vm::isa::{Destination, Opcode, Source};

use crate::generate::writer::{Word, Writer};

/// A read or write of a heap at an offset that is in reach, or not.
pub(super) fn heap(w: &mut Writer<'_, '_>) {
    let opcode = w.choices.pick(&[
        Opcode::HeapWrite,
        Opcode::HeapRead,
        Opcode::HeapWrite,
        Opcode::AuxHeapWrite,
        Opcode::AuxHeapRead,
    ]);
    let increments = w.choices.once_in(3);
    let offset = offset(w);
    let (first, second) = (w.target(), w.target());
    let value = if w.choices.once_in(2) {
        let word = w.interesting();
        w.load(7, word);
        7
    } else {
        w.register()
    };
    let word = if offset < 1 << 16 && w.choices.once_in(2) {
        Word::of(
            opcode,
            Source::Immediate,
            Destination::Register,
            increments,
            false,
        )
        .imm0(offset as u16)
    } else if w.choices.once_in(8) {
        // The pointer that a panic returns is zero, and so an address.
        Word::of(opcode, Source::Register, Destination::Register, increments, false).src0(1)
    } else {
        w.load(5, offset);
        Word::of(opcode, Source::Register, Destination::Register, increments, false).src0(5)
    };
    w.push(word.src1(value).dst0(first).dst1(second));
}

/// An offset into a heap.
pub(super) fn offset(w: &mut Writer<'_, '_>) -> u64 {
    match w.choices.below(12) {
        0 => w
            .choices
            .pick(&[4064, 4065, 4095, 4096, 57_312, 57_313, (1 << 21) - 31]),
        1 => w.choices.below(100_000) as u64,
        2 if w.choices.once_in(6) => w.choices.pick(&[0xffff_ffdf, 0xffff_ffe0, u64::MAX, 1 << 32]),
        3..=5 => w.choices.below(250) as u64,
        _ => 32 * w.choices.below(8) as u64,
    }
}

/// Moves a pointer, shortens it, reads through it.
pub(super) fn pointer(w: &mut Writer<'_, '_>) {
    let from = if w.choices.once_in(4) { w.register() } else { 1 };
    let to = w.target();
    if w.choices.once_in(4) {
        let number = w.small();
        let options = [Opcode::PtrAdd, Opcode::PtrAdd, Opcode::PtrSub, Opcode::PtrShrink];
        let opcode = w.choices.pick(&options);
        w.load(6, u64::from(number));
        w.push(Word::op(opcode).src0(from).src1(6).dst0(to));
        return;
    }
    let increments = w.choices.once_in(2);
    let next = w.target();
    let read = Word::of(
        Opcode::PointerRead,
        Source::Register,
        Destination::Register,
        increments,
        false,
    );
    w.push(read.src0(from).dst0(to).dst1(next));
}

/// Keeps the pointer in r1 in a register or on the stack, where instructions that follow may find it.
pub(super) fn spill(w: &mut Writer<'_, '_>) {
    let destination = w.choices.pick(&[
        Destination::Register,
        Destination::StackAbsolute,
        Destination::StackPush,
        Destination::StackRelative,
    ]);
    let word = Word::of(Opcode::PtrAdd, Source::Register, destination, false, false).src0(1);
    let word = if destination == Destination::Register {
        let register = w.target();
        word.dst0(register)
    } else {
        let number = 1 + w.choices.below(4) as u16;
        word.imm1(number)
    };
    w.push(word);
}

//! Calls, returns, jumps.

use eradbg_vm::isa::{Destination, Opcode, Source};
use eradbg_vm::{U256, value};

use crate::generate::abi::{self, FORWARD_POINTER};
use crate::generate::writer::{Word, Writer};
use crate::generate::{kernel, memory};

/// Register of the word with which a program calls and returns.
const ABI: u8 = 8;

/// The first half of the root program: calls whose failure it survives, over and over.
pub(super) fn main_loop(w: &mut Writer<'_, '_>) {
    let end = w.length() as u16 / 2;
    while w.here() + 8 < end {
        match w.choices.below(10) {
            0..=2 => {
                let ergs = near_call_ergs(w);
                w.load(4, ergs);
                let target = end + w.choices.below(end.into()) as u16;
                let after = w.here() + 1;
                w.push_always(Word::op(Opcode::NearCall).src0(4).imm0(target).imm1(after));
            }
            3..=6 => {
                let word = prepare_far_call(w);
                let after = w.here() + 1;
                w.push_always(word.imm0(after));
            }
            7 => {
                memory::heap(w);
                w.load_any();
            }
            8 => kernel::storage(w),
            _ => kernel::log(w),
        }
    }
    while w.here() + 1 < end {
        w.push_always(Word::op(Opcode::Nop));
    }
    let back = if w.choices.once_in(10) { w.place() } else { 0 };
    let jump = Word::of(
        Opcode::Jump,
        Source::Immediate,
        Destination::Register,
        false,
        false,
    );
    w.push_always(jump.imm0(back));
}

/// A call to any place of the program.
pub(super) fn near_call(w: &mut Writer<'_, '_>) {
    let register = w.register();
    if !w.choices.once_in(4) {
        let ergs = near_call_ergs(w);
        w.load(register, ergs);
    }
    let (target, handler) = (w.place(), w.place());
    w.push(
        Word::op(Opcode::NearCall)
            .src0(register)
            .imm0(target)
            .imm1(handler),
    );
}

/// A call of any contract.
pub(super) fn far_call(w: &mut Writer<'_, '_>) {
    let word = prepare_far_call(w);
    let handler = w.place();
    w.push(word.imm0(handler));
}

/// A return with a word that fits, or not.
pub(super) fn ret(w: &mut Writer<'_, '_>) {
    let register = if w.choices.once_in(3) {
        0
    } else {
        let (word, mode) = abi::ret(w);
        load_abi(w, word, mode)
    };
    let opcode = w
        .choices
        .pick(&[Opcode::RetOk, Opcode::RetOk, Opcode::RetRevert, Opcode::RetPanic]);
    let to_label = w.choices.once_in(3);
    let word = Word::of(opcode, Source::Register, Destination::Register, to_label, false);
    let label = w.place();
    w.push(word.src0(register).imm0(label));
}

/// A jump to a place of the program, under a condition more often than not.
pub(super) fn jump(w: &mut Writer<'_, '_>) {
    let place = w.place();
    let register = w.target();
    let jump = Word::of(
        Opcode::Jump,
        Source::Immediate,
        Destination::Register,
        false,
        false,
    );
    w.push(jump.imm0(place).dst0(register));
}

fn near_call_ergs(w: &mut Writer<'_, '_>) -> u64 {
    match w.choices.below(8) {
        0 => 0,
        1 => w.choices.below(60) as u64,
        2 => w.choices.u64(),
        _ => 500 + w.choices.below(20_000) as u64,
    }
}

/// Loads what a far call wants; its instruction without a handler.
fn prepare_far_call(w: &mut Writer<'_, '_>) -> Word {
    let (word, mode) = abi::far_call(w);
    let abi_register = load_abi(w, word, mode);
    let address_register = 9;
    if !w.choices.once_in(20) {
        let address = match w.choices.below(12) {
            0 => U256::from(w.choices.below(0x2_0000)),
            1 => w.choices.word(),
            _ => value::word_of(w.choices.pick(&w.plan.addresses)),
        };
        w.load(address_register, address);
    }
    let mimic = if w.kind.is_kernel() {
        Opcode::FarCallMimic
    } else {
        Opcode::FarCallDelegate
    };
    let opcode = w.choices.pick(&[
        Opcode::FarCall,
        Opcode::FarCall,
        Opcode::FarCall,
        Opcode::FarCallDelegate,
        mimic,
    ]);
    if opcode == Opcode::FarCallMimic && !w.choices.once_in(8) {
        let sender = w.choices.pick(&w.plan.addresses);
        w.load(15, value::word_of(sender));
    }
    let (is_static, shard) = (w.choices.once_in(5), w.choices.once_in(8));
    let word = Word::of(opcode, Source::Register, Destination::Register, is_static, shard);
    word.src0(abi_register).src1(address_register)
}

/// Loads an ABI word, onto the pointer in r1 (or where there may be one) when it needs a tag; where it is.
fn load_abi(w: &mut Writer<'_, '_>, word: U256, mode: u8) -> u8 {
    if mode != FORWARD_POINTER && !w.choices.once_in(40) {
        w.load(ABI, word);
        return ABI;
    }
    w.load(ABI, abi::upper_half(word));
    let pointer = if w.choices.once_in(5) { w.register() } else { 1 };
    w.push_always(Word::op(Opcode::PtrPack).src0(pointer).src1(ABI).dst0(ABI));
    ABI
}

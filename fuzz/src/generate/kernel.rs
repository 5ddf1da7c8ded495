//! Storage, logs, and what only the kernel may do.

use eradbg_vm::isa::{Destination, Opcode, Source};
use eradbg_vm::{U256, value};

use crate::generate::memory;
use crate::generate::writer::{Kind, Word, Writer};

/// Bits of a fat pointer that hold its page.
const PAGE_BITS: U256 = U256([0xffff_ffff << 32, 0, 0, 0]);

/// One of the kernel's operations.
pub(super) fn any(w: &mut Writer<'_, '_>) {
    let is_precompile = matches!(w.kind, Kind::Kernel(0x01..=0x08 | 0x100 | 0x8010));
    match w.choices.below(10) {
        0..=4 if is_precompile => precompile(w),
        0 => precompile(w),
        1 | 2 => decommit(w),
        3..=5 => log(w),
        6 => {
            let register = w.register();
            w.push(Word::op(Opcode::ContextSetU128).src0(register));
        }
        7 => {
            let opcode = w.choices.pick(&[Opcode::ContextAuxMutating0, Opcode::ContextIncrementTx]);
            w.push(Word::op(opcode));
        }
        _ => {
            let register = w.register();
            w.push(Word::op(Opcode::ContextMeta).dst0(register));
        }
    }
}

/// A read or write of a slot that others use too.
pub(super) fn storage(w: &mut Writer<'_, '_>) {
    let opcode = w.choices.pick(&[
        Opcode::StorageRead,
        Opcode::StorageWrite,
        Opcode::StorageWrite,
        Opcode::TransientRead,
        Opcode::TransientWrite,
    ]);
    let key = w.choices.pick(&w.plan.keys);
    w.load(6, key);
    let value = if w.choices.once_in(3) {
        let word = w.interesting();
        w.load(7, word);
        7
    } else {
        w.register()
    };
    let to = w.register();
    w.push(Word::op(opcode).src0(6).src1(value).dst0(to));
}

/// A piece of an event, or an L2->L1 log.
pub(super) fn log(w: &mut Writer<'_, '_>) {
    let opcode = w.choices.pick(&[Opcode::Event, Opcode::Event, Opcode::ToL1]);
    let first = w.choices.once_in(2);
    let (key, value) = (w.register(), w.register());
    let word = Word::of(opcode, Source::Register, Destination::Register, first, false);
    w.push(word.src0(key).src1(value));
}

/// Code as data, of a hash that is known, malformed, or any.
fn decommit(w: &mut Writer<'_, '_>) {
    let hash = w.interesting();
    let hash = if w.choices.once_in(3) { hash } else { w.choices.pick(&w.plan.hashes) };
    let ergs: u64 = w.choices.pick(&[0, 0, 40, 400, 4000, 1 << 31]);
    w.load(6, hash);
    w.load(7, ergs);
    let to = w.register();
    w.push(Word::op(Opcode::Decommit).src0(6).src1(7).dst0(to));
}

/// Some input, and a precompile call on it; sometimes on the page of a pointer.
fn precompile(w: &mut Writer<'_, '_>) {
    for word in 0..w.choices.below(7) as u16 {
        let value = match w.choices.below(5) {
            0 => U256::zero(),
            1 | 2 => U256::from(1 + w.choices.below(2)),
            3 => value::word_of(w.choices.pick(&w.plan.addresses)),
            _ => w.choices.word(),
        };
        w.load(6, value);
        let write = Word::of(Opcode::HeapWrite, Source::Immediate, Destination::Register, false, false);
        w.push_always(write.imm0(32 * word).src1(6));
    }
    let abi = abi(w);
    w.load(6, abi);
    let ergs: u64 = w.choices.pick(&[0, 0, 100, 7000, 1 << 31]);
    let pubdata: u64 = w.choices.pick(&[0, 0, 1, 500]);
    w.load(7, ergs | pubdata << 32);
    if w.choices.once_in(3) {
        page_of_pointer(w);
    }
    let to = w.register();
    w.push(Word::op(Opcode::Precompile).src0(6).src1(7).dst0(to));
}

fn abi(w: &mut Writer<'_, '_>) -> U256 {
    let c = &mut w.choices;
    let input: u64 = c.pick(&[0, 0, 0, 1, 2, 33]) | c.pick::<u64>(&[0, 32, 64, 100, 136, 300]) << 32;
    let output: u64 = c.pick(&[0, 0, 3, 10, 200]) | c.pick::<u64>(&[0, 1, 2, 3, 3]) << 32;
    let pages = if c.once_in(30) { c.below(4000) as u64 } else { 0 };
    U256([input, output, pages, c.pick(&[0, 1, 1, 2, 3])])
}

/// Puts the page of r1 into the ABI word in r6, as the page to read or to write.
fn page_of_pointer(w: &mut Writer<'_, '_>) {
    let shift = w.choices.pick(&[96, 96, 128]);
    let mask = w.constant(PAGE_BITS);
    let on_constant = |opcode, source| Word::of(opcode, source, Destination::Register, false, false);
    w.push_always(on_constant(Opcode::And, Source::Code).imm0(mask).src1(1).dst0(10));
    w.load(11, shift);
    w.push_always(Word::op(Opcode::Shl).src0(10).src1(11).dst0(10));
    w.push_always(Word::op(Opcode::Or).src0(10).src1(6).dst0(6));
    if w.choices.once_in(4) {
        memory::heap(w);
    }
}

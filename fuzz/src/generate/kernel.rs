//! Storage, logs, and what only the kernel may do.

use eradbg_vm::U256;
use eradbg_vm::isa::{Destination, Opcode, Source};

use crate::generate::memory;
use crate::generate::writer::{Kind, Word, Writer};

/// Bits of a fat pointer that hold its page.
const PAGE_BITS: U256 = U256([0xffff_ffff << 32, 0, 0, 0]);

/// Digest, parity, r and s of a signature on secp256k1.
const SIGNED: [U256; 4] = [
    U256([
        0x4c86_0fc0_b0c6_4ef3,
        0x4049_a3ba_34c2_289b,
        0x1af7_a3e8_5a32_12fa,
        0x456e_9aea_5e19_7a1f,
    ]),
    U256([1, 0, 0, 0]),
    U256([
        0x2664_ac80_3882_5608,
        0x8eb6_30ea_16aa_137d,
        0xc256_03c2_31bc_2f56,
        0x9242_685b_f161_793c,
    ]),
    U256([
        0x0c36_8ae9_5085_2ada,
        0x1e56_992d_0774_dc34,
        0x0bd4_4829_8cc2_e207,
        0x4f8a_e3bd_7535_248d,
    ]),
];

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
            let opcode = w
                .choices
                .pick(&[Opcode::ContextAuxMutating0, Opcode::ContextIncrementTx]);
            w.push(Word::op(opcode));
        }
        _ => {
            let register = w.target();
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
    let to = w.target();
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
    let hash = if w.choices.once_in(3) {
        hash
    } else {
        w.choices.pick(&w.plan.hashes)
    };
    let ergs: u64 = w.choices.pick(&[0, 0, 40, 400, 4000, 1 << 31]);
    w.load(6, hash);
    w.load(7, ergs);
    let to = w.target();
    w.push(Word::op(Opcode::Decommit).src0(6).src1(7).dst0(to));
}

/// Some input, and a precompile call on it; sometimes on the page of a pointer.
fn precompile(w: &mut Writer<'_, '_>) {
    for (index, value) in (0..).zip(input(w)) {
        w.load(6, value);
        let write = Word::of(
            Opcode::HeapWrite,
            Source::Immediate,
            Destination::Register,
            false,
            false,
        );
        w.push_always(write.imm0(32 * index).src1(6));
    }
    let abi = abi(w);
    w.load(6, abi);
    let ergs: u64 = if w.choices.once_in(40) {
        1 << 31
    } else {
        w.choices.pick(&[0, 0, 100, 1000])
    };
    let pubdata: u64 = w.choices.pick(&[0, 0, 1, 500]);
    w.load(7, ergs | pubdata << 32);
    if w.choices.once_in(3) {
        page_of_pointer(w);
    }
    let to = w.target();
    w.push(Word::op(Opcode::Precompile).src0(6).src1(7).dst0(to));
}

/// Words that a precompile can make something of, or any.
fn input(w: &mut Writer<'_, '_>) -> Vec<U256> {
    let small = |words: &[u64]| words.iter().copied().map(U256::from).collect();
    match w.choices.below(6) {
        // Points of bn254: the generator twice, or once and nothing.
        0 => small(&[1, 2, 1, 2]),
        1 => small(&[1, 2, 0, 0, 0, 0]),
        2 => SIGNED.to_vec(),
        _ => {
            let word = |w: &mut Writer<'_, '_>| match w.choices.below(4) {
                0 => U256::zero(),
                1 | 2 => U256::from(1 + w.choices.below(2)),
                _ => w.choices.word(),
            };
            (0..w.choices.below(7)).map(|_| word(w)).collect()
        }
    }
}

fn abi(w: &mut Writer<'_, '_>) -> U256 {
    let c = &mut *w.choices;
    let input: u64 = c.pick(&[0, 0, 0, 1, 2, 33]) | c.pick::<u64>(&[0, 32, 64, 100, 136, 300]) << 32;
    let output: u64 = c.pick(&[0, 0, 3, 10, 200]) | c.pick::<u64>(&[0, 1, 2, 3, 3]) << 32;
    let far: u64 = if c.once_in(80) {
        c.pick(&[1 << 27, u64::from(u32::MAX)])
    } else {
        0
    };
    let pages = if c.once_in(30) { c.below(4000) as u64 } else { 0 };
    U256([input | far, output, pages, c.pick(&[0, 1, 1, 2, 3])])
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

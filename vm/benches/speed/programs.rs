//! Programs that each lean on one part of the machine.

use eradbg_fixtures::Assembler;
use eradbg_fixtures::abi::{FarCallAbi, slice};
use eradbg_fixtures::assembler::{In, Label, Out, Register, op};
use eradbg_vm::bytecode::{hash_bytecode, words_to_bytes};
use eradbg_vm::execution::Settings;
use eradbg_vm::flags::Predicate;
use eradbg_vm::protocol::Revision;
use eradbg_vm::{Opcode, Program, U256};

use super::run::{Act, Case};
use super::world::World;

/// Counts down in all loops.
const COUNTER: Register = 14;

const KECCAK: u64 = 0x8010;
const SHA256: u64 = 0x02;
const ECRECOVER: u64 = 0x01;

/// Additions, subtractions, multiplications and bit operations on registers and the stack.
pub(crate) fn arithmetic_loop() -> Case {
    let mut a = Assembler::new();
    a.load(1, 7).load(2, U256::MAX / 3);
    repeat(&mut a, 200_000, |a| {
        a.push(op(Opcode::Add).src0(In::Reg(1)).src1(2).dst0(Out::Reg(3)));
        a.push(op(Opcode::Mul).src0(In::Reg(3)).src1(1).dst0(Out::Reg(4)).dst1(5));
        a.push(op(Opcode::Xor).src0(In::Reg(4)).src1(2).dst0(Out::Reg(2)));
        a.push(op(Opcode::Shr).src0(In::Reg(2)).src1(1).dst0(Out::Absolute(0, 1)));
        a.push(op(Opcode::Sub).src0(In::Absolute(0, 1)).src1(3).dst0(Out::Reg(6)));
        a.push(op(Opcode::And).src0(In::Imm(0xffff)).src1(6).dst0(Out::Reg(1)));
    });
    alone(a)
}

/// Copies 8 KB from one place of the heap to another, again and again.
pub(crate) fn heap_copy() -> Case {
    let mut a = Assembler::new();
    repeat(&mut a, 2_000, |a| {
        a.load(1, 0).load(2, 0x4000).load(3, 256);
        let inner = a.here();
        a.push(
            op(Opcode::HeapRead)
                .src0(In::Reg(1))
                .dst0(Out::Reg(4))
                .dst1(1)
                .flag0(),
        );
        a.push(
            op(Opcode::HeapWrite)
                .src0(In::Reg(2))
                .src1(4)
                .dst0(Out::Reg(2))
                .flag0(),
        );
        a.push(op(Opcode::Sub).src0(In::Reg(3)).src1(7).dst0(Out::Reg(3)).flag0());
        jump_unless_equal(a, inner);
    });
    alone(a)
}

/// Calls itself a hundred deep, a hundred times, and returns.
pub(crate) fn near_call_recursion() -> Case {
    let mut a = Assembler::new();
    let (start, function) = (a.label(), a.label());
    a.jump(start);
    a.place(function);
    let leaf = a.label();
    a.push(op(Opcode::Sub).src0(In::Reg(1)).src1(7).dst0(Out::Reg(1)).flag0());
    a.push(op(Opcode::Jump).src0(In::Address(leaf)).when(Predicate::Equal));
    a.near_call(0, function, leaf);
    a.place(leaf);
    a.push(op(Opcode::RetOk));
    a.place(start);
    repeat(&mut a, 5_000, |a| {
        a.load(1, 100);
        a.near_call(0, function, leaf);
    });
    alone(a)
}

/// Two user contracts call each other eight deep, with calldata on the heap.
pub(crate) fn far_call_ping_pong() -> Case {
    let (ping, pong) = (0x1_0001, 0x1_0002);
    let mut world = World::default();
    for (own, other) in [(ping, pong), (pong, ping)] {
        let mut a = Assembler::new();
        let (leaf, done) = (a.label(), a.label());
        // The depth comes with the calldata.
        a.push(op(Opcode::PointerRead).src0(In::Reg(1)).dst0(Out::Reg(3)));
        a.push(op(Opcode::Sub).src0(In::Reg(3)).src1(0).dst0(Out::Reg(0)).flag0());
        a.push(op(Opcode::Jump).src0(In::Address(leaf)).when(Predicate::Equal));
        a.load(7, 1);
        a.push(op(Opcode::Sub).src0(In::Reg(3)).src1(7).dst0(Out::Reg(3)));
        a.push(op(Opcode::HeapWrite).src0(In::Imm(0)).src1(3));
        a.load(4, call(32)).load(5, other);
        a.far_call(4, 5, done);
        a.place(leaf);
        a.place(done);
        a.load(6, slice(0, 32).to_word());
        a.ret(Opcode::RetOk, 6);
        deploy(&mut world, own, &a);
    }
    let mut a = Assembler::new();
    a.load(8, 8);
    a.push(op(Opcode::HeapWrite).src0(In::Imm(0)).src1(8));
    repeat_on_stack(&mut a, 10_000, |a, next| {
        a.load(4, call(32)).load(5, ping);
        a.far_call(4, 5, next);
    });
    case(a, world)
}

/// Reads and writes 2,000 slots, cold and then warm.
pub(crate) fn storage_heavy() -> Case {
    let mut a = Assembler::new();
    repeat(&mut a, 10, |a| {
        a.load(1, 2_000);
        let inner = a.here();
        a.push(op(Opcode::StorageRead).src0(In::Reg(1)).dst0(Out::Reg(2)));
        a.push(op(Opcode::Add).src0(In::Reg(2)).src1(1).dst0(Out::Reg(2)));
        a.push(op(Opcode::StorageWrite).src0(In::Reg(1)).src1(2));
        a.push(op(Opcode::Sub).src0(In::Reg(1)).src1(7).dst0(Out::Reg(1)).flag0());
        jump_unless_equal(a, inner);
    });
    alone(a)
}

/// keccak256 over 272 bytes, SHA-256 of two blocks, and a recovered signature now and then.
pub(crate) fn precompiles() -> Case {
    let mut world = World::default();
    for (address, times, rounds, input) in [
        (KECCAK, 2_000, 0, 272),
        (SHA256, 2_000, 2, 4),
        (ECRECOVER, 50, 0, 4),
    ] {
        let mut a = Assembler::new();
        for (index, word) in SIGNED.into_iter().enumerate() {
            let word = U256::from_str_radix(word, 16).expect("a number");
            a.load(1, word);
            a.push(op(Opcode::HeapWrite).src0(In::Imm(index as u16 * 32)).src1(1));
        }
        // Input of `input` bytes or words from 0 on, output to word 16.
        a.load(1, U256([input << 32, 16 | 2 << 32, 0, rounds]));
        repeat(&mut a, times, |a| {
            a.push(op(Opcode::Precompile).src0(In::Reg(1)).src1(0).dst0(Out::Reg(2)));
        });
        a.push(op(Opcode::RetOk));
        deploy(&mut world, address, &a);
    }
    let mut a = Assembler::new();
    for address in [KECCAK, SHA256, ECRECOVER] {
        let after = a.label();
        a.load(4, call(0)).load(5, address);
        a.far_call(4, 5, after);
        a.place(after);
    }
    case(a, world)
}

/// Digest, parity, r and s of a signature.
const SIGNED: [&str; 4] = [
    "456e9aea5e197a1f1af7a3e85a3212fa4049a3ba34c2289b4c860fc0b0c64ef3",
    "1",
    "9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac8038825608",
    "4f8ae3bd7535248d0bd448298cc2e2071e56992d0774dc340c368ae950852ada",
];

/// Calls 64 contracts of 2,001 words each, `rounds` times one after the other.
pub(crate) fn decommit(rounds: u16) -> Case {
    let contracts = 64;
    let mut world = World::default();
    for index in 0..contracts {
        let mut a = Assembler::new();
        a.push(op(Opcode::RetOk));
        let mut words = a.words();
        words.resize(2_001, U256::from(index));
        let hash = hash_bytecode(&words_to_bytes(&words)).expect("an odd number of words");
        world.contract(0x2_0000 + index, hash, words);
    }
    let mut a = Assembler::new();
    repeat_on_stack(&mut a, rounds, |a, next| {
        for index in 0..contracts {
            let after = if index + 1 == contracts { next } else { a.label() };
            a.load(4, call(0)).load(5, 0x2_0000 + index);
            a.far_call(4, 5, after);
            if index + 1 < contracts {
                a.place(after);
            }
        }
    });
    case(a, world)
}

/// Repeats the body so many times. It must leave r7 and r14 alone.
fn repeat(a: &mut Assembler, times: u64, body: impl FnOnce(&mut Assembler)) {
    a.load(COUNTER, times).load(7, 1);
    let start = a.here();
    body(a);
    a.push(
        op(Opcode::Sub)
            .src0(In::Reg(COUNTER))
            .src1(7)
            .dst0(Out::Reg(COUNTER))
            .flag0(),
    );
    jump_unless_equal(a, start);
}

/// The same with the counter on the stack, for bodies that end with a far call, which clears registers. The body
/// goes on at the label that it gets, and must place nothing there.
fn repeat_on_stack(a: &mut Assembler, times: u16, body: impl FnOnce(&mut Assembler, Label)) {
    a.push(op(Opcode::Add).src0(In::Imm(times)).dst0(Out::Absolute(0, 0)));
    let start = a.here();
    let next = a.label();
    body(a, next);
    a.place(next);
    a.load(7, 1);
    a.push(
        op(Opcode::Sub)
            .src0(In::Absolute(0, 0))
            .src1(7)
            .dst0(Out::Absolute(0, 0))
            .flag0(),
    );
    jump_unless_equal(a, start);
}

fn jump_unless_equal(a: &mut Assembler, target: Label) {
    a.push(
        op(Opcode::Jump)
            .src0(In::Address(target))
            .when(Predicate::NotEqual),
    );
}

/// ABI word of a call that passes all ergs and so many bytes of the own heap.
fn call(length: u32) -> U256 {
    let abi = FarCallAbi {
        calldata: slice(0, length),
        ergs: u32::MAX,
        ..FarCallAbi::default()
    };
    abi.to_word()
}

fn deploy(world: &mut World, address: u64, code: &Assembler) {
    let words = code.words();
    let hash = hash_bytecode(&words_to_bytes(&words)).expect("the assembler makes valid code");
    world.contract(address, hash, words);
}

fn alone(code: Assembler) -> Case {
    case(code, World::default())
}

/// A case whose root frame runs `code` and then stops.
fn case(mut code: Assembler, world: World) -> Case {
    code.push(op(Opcode::RetOk));
    Case {
        root: Program::new(U256::one(), code.words()),
        ergs: u32::MAX,
        settings: Settings {
            default_account: U256::zero(),
            evm_emulator: U256::zero(),
            hook_offset: u32::MAX,
            unpaid_growth_raises_bound: false,
            ec_precompiles: true,
            revision: Revision::default(),
        },
        world,
        script: vec![Act::RunToEnd],
    }
}

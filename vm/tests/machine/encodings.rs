//! Words that calls, returns and the kernel's instructions read field by field: which bits count, and which do not.

use eradbg_fixtures::Assembler;
use eradbg_fixtures::abi::{FarCallAbi, Forward, slice};
use eradbg_fixtures::assembler::{In, Out, op};
use eradbg_vm::{FatPointer, Opcode, U256, Value};

use crate::lab::{Lab, Outcome, USER, caller, integer, only};

const KERNEL: u64 = 0x9000;
const ERGS: u32 = 100_000;

const ABI: FarCallAbi = FarCallAbi {
    calldata: slice(8, 64),
    ergs: ERGS,
    forward: Forward::Heap,
    shard: 0,
    constructor: false,
    system: false,
};

/// The word of a call with one more byte set: 28 is the forwarding mode, 30 marks constructor calls, 31 system calls.
fn abi_with(byte: usize, value: u8) -> U256 {
    ABI.to_word() | U256::from(value) << (8 * byte)
}

/// A root that calls an address with an ABI word.
fn call(lab: &Lab, address: u64, word: U256) -> Outcome {
    let mut root = Assembler::new();
    let after = root.label();
    root.load(1, word).load(2, address).load(3, 33);
    root.far_call(1, 2, after);
    root.place(after);
    root.ret(Opcode::RetOk, 0);
    lab.run(&root)
}

#[test]
fn unknown_forwarding_modes_of_calls_mean_the_heap() {
    let lab = Lab::new().contract(USER, &only(Opcode::RetOk));
    for (mode, page) in [(0, 10), (2, 11), (3, 10), (4, 10), (0x81, 10), (0xff, 10)] {
        let outcome = call(&lab, USER, abi_with(28, mode));
        let calldata = FatPointer { page, ..ABI.calldata };
        assert_eq!(outcome.trace.panics, [], "mode {mode}");
        assert_eq!(
            outcome.trace.entered[0].register(1),
            Value::pointer(calldata),
            "mode {mode}"
        );
    }
}

#[test]
fn unknown_forwarding_modes_of_returns_mean_the_heap() {
    for (mode, page) in [(0u64, 2050), (2, 2051), (3, 2050), (0x82, 2050), (0xff, 2050)] {
        let mut callee = Assembler::new();
        callee.load(1, slice(8, 64).to_word() | U256([0, 0, 0, mode << 32]));
        callee.ret(Opcode::RetOk, 1);
        let lab = Lab::new().contract(USER, &callee);
        let execution = lab.run_steps(&caller(USER, ABI), 5).vm.execution;
        let returned = FatPointer { page, ..slice(8, 64) };
        assert_eq!(execution.register(1), Value::pointer(returned), "mode {mode}");
    }
}

#[test]
fn any_bit_of_their_bytes_marks_system_and_constructor_calls() {
    let (lab, hash) = Lab::new().code(&only(Opcode::RetOk));
    let under_construction = hash | U256::one() << 240;
    let lab = lab
        .code_hash(KERNEL, hash)
        .code_hash(KERNEL + 1, under_construction);
    for value in [1, 2, 0x80, 0xff] {
        let system = call(&lab, KERNEL, abi_with(31, value));
        let entered = &system.trace.entered[0];
        assert_eq!(
            (entered.register(2), entered.register(3)),
            (integer(2), integer(33)),
            "{value}"
        );
        let constructor = call(&lab, KERNEL + 1, abi_with(30, value));
        let entered = &constructor.trace.entered[0];
        assert_eq!(
            (entered.register(2), entered.register(3)),
            (integer(1), integer(0)),
            "{value}"
        );
        assert_eq!((system.trace.panics, constructor.trace.panics), (vec![], vec![]));
    }
}

#[test]
fn fields_that_nothing_reads_change_nothing() {
    // The page of calldata that lies in the own heap, and the shard where the instruction does not ask for it.
    let lab = Lab::new().contract(USER, &only(Opcode::RetOk));
    let plain = call(&lab, USER, ABI.to_word());
    for bits in [U256::from(0x1234_5678) << 32, U256::from(0xff) << 232] {
        let outcome = call(&lab, USER, ABI.to_word() | bits);
        assert_eq!(
            outcome.trace.entered[0].registers(),
            plain.trace.entered[0].registers(),
            "{bits:#x}"
        );
        assert_eq!(outcome.vm.execution.frame(), plain.vm.execution.frame());
    }
}

#[test]
fn a_near_call_reads_the_low_32_bits_of_its_operand() {
    for (word, passed) in [
        (U256::MAX << 32, ERGS - 31),
        (U256::MAX << 32 | U256::from(500), 500),
        (U256::from(ERGS - 31), ERGS - 31),
        (U256::from(ERGS - 30), ERGS - 31),
        (U256::MAX, ERGS - 31),
    ] {
        let mut a = Assembler::new();
        let (callee, after) = (a.label(), a.label());
        a.load(2, word);
        a.near_call(2, callee, after);
        a.place(callee);
        a.push(op(Opcode::ContextErgsLeft).dst0(Out::Reg(3)));
        a.ret(Opcode::RetPanic, 0);
        a.place(after);
        a.push(op(Opcode::ContextErgsLeft).dst0(Out::Reg(4)));
        a.ret(Opcode::RetOk, 0);
        let outcome = Lab::new().run_user(&a, ERGS);
        let execution = outcome.first().1;
        assert_eq!(
            (execution.register(3), execution.register(4)),
            (integer((passed - 5).into()), integer((ERGS - 31 - 15).into())),
            "{word:#x}"
        );
    }
}

/// Asks for code as a kernel contract, with these words in src0 and src1; dst0 and the ergs after it.
fn decommit(lab: &Lab, hash: U256, extra: U256) -> (Value, u32) {
    let mut a = Assembler::new();
    a.load(1, hash).load(2, extra);
    a.push(op(Opcode::Decommit).src0(In::Reg(1)).src1(2).dst0(Out::Reg(3)));
    a.ret(Opcode::RetOk, 0);
    let lab = lab.clone().contract(KERNEL, &a);
    let outcome = lab.run(&caller(KERNEL, ABI));
    let (end, execution) = outcome.first();
    (execution.register(3), ERGS - 12 - 6 - 5 - end.ergs_returned)
}

#[test]
fn code_can_be_asked_for_by_all_well_formed_hashes_and_no_others() {
    let (lab, hash) = Lab::new().code(&only(Opcode::RetOk));
    let with_head = |head: u64| {
        U256([
            hash.0[0],
            hash.0[1],
            hash.0[2],
            hash.0[3] & 0xffff_ffff_ffff | head << 48,
        ])
    };
    let code = Value::pointer(FatPointer {
        page: 2050,
        length: 1 << 21,
        ..FatPointer::default()
    });
    for (head, found) in [
        (0x0100, code),
        // Code of a contract under construction is stored under the same hash.
        (0x0101, code),
        (0x0102, Value::ZERO),
        (0x0000, Value::ZERO),
        (0x0300, Value::ZERO),
        (0x8100, Value::ZERO),
    ] {
        // What is asked for in vain is paid for.
        assert_eq!(
            decommit(&lab, with_head(head), 1000.into()),
            (found, 1000),
            "{head:#x}"
        );
    }
}

#[test]
fn only_the_low_32_bits_of_what_a_decommit_pays_count() {
    let (lab, hash) = Lab::new().code(&only(Opcode::RetOk));
    let (found, paid) = decommit(&lab, hash, U256::MAX << 32 | U256::from(77));
    assert!(found.is_pointer);
    assert_eq!(paid, 77);
}

#[test]
fn a_precompile_call_may_take_declared_pubdata_back() {
    // Bits 32 to 63 of src1 are a signed number, as in `zksync_vm2` (`zk_evm` ends the process below zero), and the kernel
    // sees the counter as its 32 bits.
    let mut a = Assembler::new();
    for (register, pubdata) in [(3, 7u32), (4, (-9i32) as u32), (5, 0x7fff_ffff)] {
        a.load(2, u64::from(pubdata) << 32);
        a.push(op(Opcode::Precompile).src0(In::Reg(0)).src1(2).dst0(Out::Reg(6)));
        a.push(op(Opcode::ContextMeta).dst0(Out::Reg(register)));
    }
    a.ret(Opcode::RetOk, 0);
    let outcome = Lab::new().contract(KERNEL, &a).run(&caller(KERNEL, ABI));
    let seen = [3, 4, 5].map(|register| outcome.first().1.register(register).word.low_u32());
    assert_eq!(seen, [7, (-2i32) as u32, 0x7fff_fffd]);
    assert_eq!(outcome.vm.state.pubdata(), 0x7fff_fffd);
}

#[test]
fn pubdata_that_a_failed_frame_declared_is_taken_back() {
    let mut a = Assembler::new();
    let (near, after) = (a.label(), a.label());
    a.load(2, U256::from(7) << 32);
    a.push(op(Opcode::Precompile).src1(2));
    a.near_call(0, near, after);
    a.place(near);
    a.push(op(Opcode::Precompile).src1(2));
    a.push(op(Opcode::RetRevert));
    a.place(after);
    a.push(op(Opcode::ContextMeta).dst0(Out::Reg(3)));
    a.ret(Opcode::RetOk, 0);
    let outcome = Lab::new().contract(KERNEL, &a).run(&caller(KERNEL, ABI));
    assert_eq!(outcome.first().1.register(3).word.low_u32(), 7);
    assert_eq!(outcome.vm.state.pubdata(), 7);
}

#[test]
fn the_number_of_the_transaction_wraps_at_16_bits() {
    let mut root = Assembler::new();
    let again = root.here();
    root.push(op(Opcode::ContextIncrementTx));
    root.jump(again);
    let vm = |steps| {
        let mut vm = Lab::new().machine(&root);
        vm.run(&mut Lab::new(), &mut (), steps).expect("it needs nothing");
        vm.execution.tx_number()
    };
    assert_eq!((vm(2 * 0xffff), vm(2 * 0x1_0000)), (0xffff, 0));
}

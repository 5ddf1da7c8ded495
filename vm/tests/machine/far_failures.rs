//! Far calls that cannot start, and instructions that a frame may not execute: each cause of a panic.

use eradbg_fixtures::Assembler;
use eradbg_fixtures::abi::{FarCallAbi, Forward, slice};
use eradbg_fixtures::assembler::{In, Op, Out, op};
use eradbg_vm::outcome::PanicCause;
use eradbg_vm::{FatPointer, Opcode, U256, Value};

use crate::lab::{Lab, Outcome, integer, only};

const CALLEE: u64 = 0x2_0000;
const ERGS: u32 = 100_000;

/// A user contract that calls with an ABI word; the word gets the tag of the calldata pointer when it is packed on it.
fn call(lab: &Lab, address: u64, word: U256, tagged: bool, modifier: impl Fn(Op) -> Op) -> Outcome {
    let mut a = Assembler::new();
    let failed = a.label();
    if tagged {
        a.load(2, word);
        a.push(op(Opcode::PtrPack).src0(In::Reg(1)).src1(2).dst0(Out::Reg(1)));
    } else {
        a.load(2, 0);
        a.load(1, word);
    }
    a.load(2, address);
    a.push(modifier(
        op(Opcode::FarCall).src0(In::Reg(1)).src1(2).target(failed),
    ));
    a.ret(Opcode::RetRevert, 0);
    a.place(failed);
    a.ret(Opcode::RetOk, 0);
    // Three instructions come before the call.
    lab.run_user(&a, ERGS + 18)
}

fn lab() -> Lab {
    Lab::new()
        .contract(CALLEE, &only(Opcode::RetOk))
        .contract(0x8009, &only(Opcode::RetOk))
        .code_hash(CALLEE + 1, U256([1, 1, 1, 0x0300_0001 << 32]))
        .code_hash(0x9001, U256([1, 1, 1, 0x0101_0001 << 32]))
}

const ABI: FarCallAbi = FarCallAbi {
    calldata: slice(0, 32),
    ergs: 1000,
    forward: Forward::Heap,
    shard: 0,
    constructor: false,
    system: false,
};

#[test]
fn each_reason_not_to_start_gives_an_empty_frame_that_panics() {
    use PanicCause as P;
    let pointer = FarCallAbi {
        calldata: FatPointer::default(),
        forward: Forward::Pointer,
        ..ABI
    };
    let slice_at = |start, length| FarCallAbi {
        calldata: slice(start, length),
        ..ABI
    };
    let offset = FarCallAbi {
        calldata: FatPointer {
            offset: 1,
            ..slice(0, 32)
        },
        ..ABI
    };
    let untagged = FarCallAbi {
        calldata: FatPointer::default(),
        ..ABI
    };
    // What is taken from the caller besides the call's 183 and the panic's 5.
    let rows = [
        (CALLEE, pointer, false, 0, P::CallPointerExpected),
        (CALLEE, untagged, true, 0, P::CallPointerUnexpected),
        (CALLEE, offset, false, 0, P::CallMalformedPointer),
        (
            CALLEE,
            slice_at(u32::MAX, 1),
            false,
            ERGS,
            P::CallMalformedPointer,
        ),
        (CALLEE, slice_at(4096, ERGS), false, ERGS, P::CallUnpaidGrowth),
        (CALLEE + 1, ABI, false, 0, P::CallInvalidCode),
        (0x9000, ABI, false, 0, P::CallInvalidCode),
        (0x9001, ABI, false, 0, P::CallUnderConstruction),
    ];
    for (address, abi, tagged, taken, cause) in rows {
        let outcome = call(&lab(), address, abi.to_word(), tagged, |op| op);
        assert_eq!(outcome.trace.panics[0], cause);
        let (end, execution) = outcome.first();
        assert_eq!(end.cause, Some(cause));
        // The frame gets what was to be passed and pays for the panic.
        let entered = &outcome.trace.entered[1];
        let passed = if taken == ERGS { 0 } else { 1000 };
        assert_eq!(
            (entered.frame().ergs, execution.frame().program.words().len()),
            (passed, 0)
        );
        assert_eq!(end.ergs_returned, passed.saturating_sub(5));
        assert_eq!(entered.next_page(), 2048 + 2 * 8);
        // Growth is looked at last, when the pointer is made already.
        let calldata = if cause == P::CallUnpaidGrowth {
            FatPointer {
                page: 2050,
                ..abi.calldata
            }
        } else {
            FatPointer::default()
        };
        assert_eq!(entered.register(1), Value::pointer(calldata), "{cause:?}");
        // The caller goes on at its handler, if it has ergs left.
        let (end, _) = outcome.last();
        let (cause_of_end, left) = if taken == ERGS {
            (Some(P::OutOfErgs), 0)
        } else {
            (None, ERGS - 183 - 5 - 5)
        };
        assert_eq!((end.cause, end.ergs_returned), (cause_of_end, left), "{cause:?}");
    }
}

#[test]
fn there_is_one_shard() {
    let abi = FarCallAbi { shard: 1, ..ABI };
    let outcome = call(&lab(), CALLEE, abi.to_word(), false, Op::flag1);
    assert_eq!(outcome.trace.panics, [PanicCause::CallUnreachableShard]);
    // Without the modifier the shard is not looked at.
    let outcome = call(&lab(), CALLEE, abi.to_word(), false, |op| op);
    assert_eq!(outcome.trace.panics, []);
}

#[test]
fn code_that_cannot_be_paid_is_not_charged_and_remembered_as_asked_for() {
    let (lab, hash) = Lab::new().code(&only(Opcode::RetOk));
    // The hash claims 65535 words: 262140 ergs.
    let claimed = hash | U256::from(0xffffu64) << 224;
    let outcome = call(
        &lab.code_hash(CALLEE, claimed),
        CALLEE,
        ABI.to_word(),
        false,
        |op| op,
    );
    assert_eq!(outcome.trace.panics, [PanicCause::CallUnpaidDecommit]);
    assert_eq!(outcome.last().0.ergs_returned, ERGS - 183 - 5 - 5);
    assert_eq!(outcome.vm.state.decommitted_hashes()[&claimed], None);
}

#[test]
fn a_static_call_of_an_evm_contract_that_fails_still_names_the_emulator() {
    // The emulator's hash claims more words than can be paid; the contract itself is not there in the other row.
    let (mut lab, emulator) = Lab::new().code(&only(Opcode::RetOk));
    lab.settings.evm_emulator = emulator | U256::from(0xffffu64) << 224;
    let evm = U256([1, 2, 3, 0x0200_0005 << 32]);
    let lab = lab
        .code_hash(CALLEE, evm)
        .code_hash(CALLEE + 2, evm | U256::one() << 240);
    for (address, marks, is_static, memory) in [(CALLEE, 4, false, 57_344), (CALLEE + 2, 0, true, 57_344)] {
        let outcome = call(&lab, address, ABI.to_word(), false, Op::flag0);
        assert_eq!(outcome.trace.panics.len(), 1);
        let entered = &outcome.trace.entered[1];
        assert_eq!(entered.register(2), integer(marks), "{address:#x}");
        let frame = entered.frame();
        assert_eq!(
            (frame.is_static, frame.heap_bound),
            (is_static, memory),
            "{address:#x}"
        );
    }
}

#[test]
fn code_that_was_once_asked_for_in_vain_is_still_to_be_paid() {
    let (lab, hash) = Lab::new().code(&only(Opcode::RetOk));
    let mut user = Assembler::new();
    let [first, second] = [(); 2].map(|()| user.label());
    // The code costs four ergs: with three left there is no call, with more there is one, and a third is for nothing.
    user.load(2, CALLEE);
    user.near_call(0, first, first);
    user.place(first);
    user.far_call(0, 2, second);
    user.place(second);
    user.far_call(0, 2, second);
    let lab = lab.code_hash(CALLEE, hash);
    let left = |ergs| {
        let outcome = lab.run_user(&user, ergs);
        (
            outcome.trace.panics[0],
            outcome.vm.state.decommitted_hashes()[&hash],
        )
    };
    let before_code = 6 + 25 + 183;
    assert_eq!(left(before_code + 3), (PanicCause::CallUnpaidDecommit, None));
    let mut root = Assembler::new();
    let [again, after] = [(); 2].map(|()| root.label());
    for (ergs, label) in [(before_code + 3, again), (before_code + 4, after)] {
        root.load(
            1,
            FarCallAbi {
                ergs,
                ..FarCallAbi::default()
            }
            .to_word(),
        );
        root.load(2, crate::lab::USER);
        root.far_call(1, 2, label);
        root.place(label);
    }
    root.ret(Opcode::RetOk, 0);
    let outcome = lab.contract(crate::lab::USER, &user).run(&root);
    assert!(outcome.vm.state.decommitted_hashes()[&hash].is_some());
}

#[test]
fn the_extra_ergs_of_the_value_simulator_must_be_there() {
    let mut a = Assembler::new();
    let failed = a.label();
    a.load(1, FarCallAbi { system: true, ..ABI }.to_word())
        .load(2, 0x8009);
    a.far_call(1, 2, failed);
    a.place(failed);
    a.ret(Opcode::RetOk, 0);
    let outcome = lab().run_user(&a, 12 + 183 + 26_999);
    assert_eq!(outcome.trace.panics[0], PanicCause::CallUnpaidExtra);
    assert_eq!(outcome.trace.entered[1].frame().ergs, 0);
    assert_eq!(outcome.last().0.ergs_returned, 0);
}

#[test]
fn after_a_failed_call_the_caller_sees_a_panic() {
    let mut a = Assembler::new();
    let failed = a.label();
    for register in 3..16 {
        a.load(register, 7);
    }
    a.load(1, ABI.to_word()).load(2, 0x9000);
    a.far_call(1, 2, failed);
    a.place(failed);
    let execution = lab().run_steps(&a, 17).vm.execution;
    assert!(execution.flags().less());
    // Tagged, though it points nowhere.
    assert_eq!(execution.register(1), Value::pointer(FatPointer::default()));
    assert!((2..16).all(|register| execution.register(register) == integer(0)));
}

#[test]
fn what_a_frame_may_not_do_costs_its_price() {
    use PanicCause as P;
    let rows = [
        (Opcode::Invalid, 10_000, P::InvalidOpcode, 0),
        (Opcode::StorageRead, 2007, P::OutOfErgs, 0),
        (Opcode::ContextIncrementTx, 100, P::KernelOnly, 95),
        (Opcode::ContextSetU128, 100, P::KernelOnly, 95),
        (Opcode::ContextAuxMutating0, 100, P::KernelOnly, 95),
        (Opcode::ToL1, 200, P::KernelOnly, 91),
        (Opcode::Event, 100, P::KernelOnly, 66),
        (Opcode::Precompile, 100, P::KernelOnly, 94),
        (Opcode::Decommit, 100, P::KernelOnly, 94),
        (Opcode::FarCallMimic, 200, P::KernelOnly, 17),
        (Opcode::StaticRead, 100, P::KernelOnly, 93),
        (Opcode::StaticWrite, 100, P::KernelOnly, 87),
        // Too few ergs for what is forbidden anyway.
        (Opcode::ToL1, 108, P::KernelOnly, 0),
        (Opcode::RetPanic, 100, P::Explicit, 95),
    ];
    for (opcode, ergs, cause, left) in rows {
        let outcome = Lab::new().run_user(&only(opcode), ergs);
        let (end, _) = outcome.first();
        assert_eq!((end.cause, end.ergs_returned), (Some(cause), left), "{opcode:?}");
        assert_eq!(outcome.trace.panics, [cause]);
    }
}

#[test]
fn a_static_frame_changes_nothing() {
    for (opcode, price) in [(Opcode::StorageWrite, 5511), (Opcode::TransientWrite, 71)] {
        let lab = Lab::new().contract(CALLEE, &only(opcode));
        let mut root = Assembler::new();
        let after = root.label();
        root.load(1, FarCallAbi { ergs: 10_000, ..ABI }.to_word())
            .load(2, CALLEE);
        root.push(op(Opcode::FarCall).src0(In::Reg(1)).src1(2).target(after).flag0());
        root.place(after);
        root.ret(Opcode::RetOk, 0);
        let outcome = lab.run(&root);
        let (end, _) = outcome.first();
        assert_eq!(
            (end.cause, end.ergs_returned),
            (Some(PanicCause::StaticViolation), 10_000 - price)
        );
    }
}

#[test]
fn a_static_kernel_frame_emits_nothing() {
    for opcode in [
        Opcode::Event,
        Opcode::ToL1,
        Opcode::ContextIncrementTx,
        Opcode::ContextSetU128,
        Opcode::ContextAuxMutating0,
    ] {
        let lab = Lab::new().contract(0x9000, &only(opcode));
        let mut root = Assembler::new();
        let after = root.label();
        root.load(1, ABI.to_word()).load(2, 0x9000);
        root.push(op(Opcode::FarCall).src0(In::Reg(1)).src1(2).target(after).flag0());
        root.place(after);
        root.ret(Opcode::RetOk, 0);
        assert_eq!(
            lab.run(&root).trace.panics,
            [PanicCause::StaticViolation],
            "{opcode:?}"
        );
    }
}

#[test]
fn running_past_the_end_of_the_code_burns_all_ergs() {
    let mut a = Assembler::new();
    a.load(1, 1);
    let outcome = Lab::new().run_user(&a, 1000);
    let (end, _) = outcome.first();
    assert_eq!(
        (end.cause, end.ergs_returned),
        (Some(PanicCause::InvalidOpcode), 0)
    );
}

#[test]
fn a_frame_that_cannot_pay_its_panic_panics_for_free() {
    let mut a = Assembler::new();
    a.load(2, 1);
    a.push(op(Opcode::PtrSub).src0(In::Reg(2)).src1(2).dst0(Out::Reg(3)));
    let outcome = Lab::new().run_user(&a, 6 + 6 + 3);
    let (end, _) = outcome.first();
    assert_eq!((end.cause, end.ergs_returned), (Some(PanicCause::NotAPointer), 0));
}

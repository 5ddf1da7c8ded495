//! Far calls: ergs, registers, contexts, and how often code is paid for.

use eradbg_fixtures::Assembler;
use eradbg_fixtures::abi::{FarCallAbi, slice};
use eradbg_fixtures::assembler::{In, Out, op};
use eradbg_vm::frame::CallKind;
use eradbg_vm::storage::system_address;
use eradbg_vm::{FatPointer, Flags, H160, Opcode, U256, Value};

use crate::lab::{Lab, Outcome, USER, caller, integer, only};

const CALLEE: u64 = 0x2_0000;

/// Code of 101 words that returns at once.
fn long_code() -> Assembler {
    let mut a = Assembler::new();
    a.ret(Opcode::RetOk, 0);
    for word in 0..100u64 {
        a.constant((word + 1) << 40);
    }
    assert_eq!(a.words().len(), 101);
    a
}

/// A user contract that calls `address` with an ABI word, ergs measured on both sides.
fn user_calls(lab: &Lab, address: u64, abi: FarCallAbi, ergs: u32) -> Outcome {
    // Two loads of 6 ergs come first.
    lab.run_user(&caller(address, abi), ergs + 12)
}

fn growing() -> FarCallAbi {
    FarCallAbi {
        calldata: slice(0, 8192),
        ergs: u32::MAX,
        ..FarCallAbi::default()
    }
}

#[test]
fn growth_and_code_are_paid_then_63_of_64_parts_are_passed() {
    // VM.md, section 8: 183 for the call, 4096 for growth, 404 for 101 words of code.
    let outcome = user_calls(
        &Lab::new().contract(CALLEE, &long_code()),
        CALLEE,
        growing(),
        100_000,
    );
    let entered = &outcome.trace.entered[1];
    assert_eq!(entered.frame().ergs, 93_807);
    assert_eq!(entered.callers()[1].ergs, 1_510);
    assert_eq!(entered.callers()[1].heap_bound, 8192);
}

#[test]
fn code_is_paid_for_once_even_when_the_frame_failed() {
    let lab = Lab::new().contract(CALLEE, &long_code());
    let mut a = Assembler::new();
    let (callee, caught, after) = (a.label(), a.label(), a.label());
    a.near_call(0, callee, caught);
    a.place(caught);
    a.load(1, growing().to_word()).load(2, CALLEE);
    a.far_call(1, 2, after);
    a.place(after);
    a.ret(Opcode::RetOk, 0);
    a.place(callee);
    let inside = a.label();
    a.load(1, FarCallAbi::default().to_word()).load(2, CALLEE);
    a.far_call(1, 2, inside);
    a.place(inside);
    a.ret(Opcode::RetPanic, 0);
    // 100,000 ergs are left for the second call: 25 for the near call, 12 and 183 for the first one with its 404, the
    // callee's panic for want of ergs, the near panic, two loads.
    let outcome = lab.run_user(&a, 100_000 + 25 + 12 + 183 + 404 + 5 + 12);
    let second = &outcome.trace.entered[2];
    assert_eq!(second.frame().ergs, 94_185);
}

#[test]
fn fewer_ergs_than_the_limit_pass_as_asked() {
    let abi = FarCallAbi {
        ergs: 1000,
        ..FarCallAbi::default()
    };
    let outcome = user_calls(
        &Lab::new().contract(CALLEE, &only(Opcode::RetOk)),
        CALLEE,
        abi,
        100_000,
    );
    let entered = &outcome.trace.entered[1];
    assert_eq!(entered.frame().ergs, 1000);
    assert_eq!(entered.callers()[1].ergs, 100_000 - 183 - 4 - 1000);
    // What the callee does not use comes back.
    assert_eq!(outcome.last().0.ergs_returned, 100_000 - 183 - 4 - 5 - 5);
}

#[test]
fn a_system_call_to_the_value_simulator_passes_27000_more() {
    let lab = Lab::new().contract(0x8009, &only(Opcode::RetOk));
    for (system, extra) in [(true, 27_000), (false, 0)] {
        let abi = FarCallAbi {
            ergs: 1000,
            system,
            ..FarCallAbi::default()
        };
        let outcome = user_calls(&lab, 0x8009, abi, 100_000);
        let entered = &outcome.trace.entered[1];
        assert_eq!(entered.frame().ergs, 1000 + extra);
        assert_eq!(entered.callers()[1].ergs, 100_000 - 183 - 4 - 1000 - extra);
    }
}

/// Fills r3 to r15 with 3 to 15 and calls.
fn call_with_registers(address: u64, abi: FarCallAbi, kind: Opcode) -> Outcome {
    let lab = Lab::new()
        .contract(CALLEE, &only(Opcode::RetOk))
        .contract(0x9000, &only(Opcode::RetOk));
    let mut root = Assembler::new();
    let after = root.label();
    root.load(1, 500);
    root.push(op(Opcode::ContextSetU128).src0(In::Reg(1)));
    for register in 3..16 {
        root.load(register, u64::from(register));
    }
    root.load(1, abi.to_word());
    root.load(2, address);
    root.push(op(Opcode::Sub).flag0());
    root.push(op(kind).src0(In::Reg(1)).src1(2).target(after));
    root.place(after);
    lab.run_steps(&root, 19)
}

fn abi(system: bool, constructor: bool) -> FarCallAbi {
    FarCallAbi {
        calldata: slice(64, 32),
        ergs: 1000,
        constructor,
        system,
        ..FarCallAbi::default()
    }
}

#[test]
fn a_callee_finds_calldata_and_marks_and_nothing_else() {
    let outcome = call_with_registers(CALLEE, abi(true, false), Opcode::FarCall);
    let execution = outcome.vm.execution;
    let calldata = FatPointer {
        page: 10,
        ..slice(64, 32)
    };
    assert_eq!(execution.register(1), Value::pointer(calldata));
    // There are no system calls to user contracts.
    for register in 2..16 {
        assert_eq!(execution.register(register), integer(0), "r{register}");
    }
    assert_eq!(execution.flags(), Flags::none());
    assert_eq!(execution.frame().calldata_page, 10);
}

#[test]
fn a_system_callee_also_finds_r3_to_r12() {
    let outcome = call_with_registers(0x9000, abi(true, false), Opcode::FarCall);
    let execution = outcome.vm.execution;
    assert_eq!(execution.register(2), integer(2));
    for register in 3..16 {
        let kept = if register < 13 { u64::from(register) } else { 0 };
        assert_eq!(execution.register(register), integer(kept), "r{register}");
    }
}

#[test]
fn contexts_follow_the_kind_of_call() {
    let boot = system_address(0x8001);
    let callee = H160::from_low_u64_be(CALLEE);
    let rows = [
        (Opcode::FarCall, CallKind::Normal, callee, boot, 500),
        (Opcode::FarCallDelegate, CallKind::Delegate, boot, H160::zero(), 0),
        (
            Opcode::FarCallMimic,
            CallKind::Mimic,
            callee,
            H160::from_low_u64_be(15),
            500,
        ),
    ];
    for (opcode, kind, this, caller, context) in rows {
        let outcome = call_with_registers(CALLEE, abi(false, false), opcode);
        let execution = outcome.vm.execution;
        let frame = execution.frame();
        assert_eq!(
            (frame.kind, frame.this, frame.caller, frame.context),
            (kind, this, caller, context)
        );
        assert_eq!(frame.code_address, callee, "{opcode:?}");
        // The kernel's memory comes with the storage that the frame works on.
        let memory = if opcode == Opcode::FarCallDelegate {
            1 << 21
        } else {
            4096
        };
        assert_eq!((frame.heap_bound, frame.aux_heap_bound), (memory, memory));
        assert_eq!(execution.context_register(), 0);
        assert_eq!((frame.base_page, execution.next_page()), (2048, 2056));
    }
}

#[test]
fn a_sender_and_a_destination_are_the_low_160_bits_of_their_registers() {
    let lab = Lab::new().contract(CALLEE, &only(Opcode::RetOk));
    let high = U256::MAX << 160;
    let mut root = Assembler::new();
    let after = root.label();
    root.load(15, high | U256::from(0x77))
        .load(2, high | U256::from(CALLEE));
    root.load(1, abi(false, false).to_word());
    root.push(op(Opcode::FarCallMimic).src0(In::Reg(1)).src1(2).target(after));
    root.place(after);
    let execution = lab.run_steps(&root, 4).vm.execution;
    let frame = execution.frame();
    assert_eq!(
        (frame.this, frame.caller),
        (H160::from_low_u64_be(CALLEE), H160::from_low_u64_be(0x77))
    );
}

#[test]
fn registers_of_a_system_call_keep_their_words_and_lose_their_tags() {
    let lab = Lab::new().contract(0x9000, &only(Opcode::RetOk));
    let mut user = Assembler::new();
    let after = user.label();
    user.copy_pointer(In::Reg(1), Out::Reg(3));
    user.load(1, abi(true, false).to_word()).load(2, 0x9000);
    user.far_call(1, 2, after);
    user.place(after);
    user.ret(Opcode::RetOk, 0);
    let outcome = lab.run_user(&user, 100_000);
    let calldata = FatPointer {
        page: 10,
        ..FatPointer::default()
    };
    let entered = &outcome.trace.entered[1];
    assert_eq!(entered.register(3), Value::integer(calldata.to_word()));
}

#[test]
fn a_frame_can_ask_for_its_context() {
    let mut a = Assembler::new();
    for (register, opcode) in (3..).zip([
        Opcode::ContextThis,
        Opcode::ContextCaller,
        Opcode::ContextCodeAddress,
        Opcode::ContextErgsLeft,
        Opcode::ContextSp,
        Opcode::ContextMeta,
        Opcode::ContextGetU128,
    ]) {
        a.push(op(opcode).dst0(Out::Reg(register)));
    }
    a.ret(Opcode::RetOk, 0);
    let outcome = Lab::new().run_user(&a, 10_000);
    let seen = (3..10).map(|register| outcome.first().1.register(register).word);
    let meta = U256([0, 4096 | 4096 << 32, 0, 0]);
    let expected = [USER, 0x8001, USER, 10_000 - 20, 0].map(U256::from);
    assert_eq!(
        seen.collect::<Vec<_>>(),
        [&expected[..], &[meta, U256::zero()]].concat()
    );
}

#[test]
fn the_default_account_runs_where_there_is_no_code() {
    let (mut lab, hash) = Lab::new().code(&only(Opcode::RetOk));
    lab.settings.default_account = hash;
    let outcome = user_calls(&lab, 0x5_5555, abi(false, false), 100_000);
    let entered = &outcome.trace.entered[1];
    assert_eq!(entered.frame().program.hash(), hash);
    assert_eq!(entered.frame().this, H160::from_low_u64_be(0x5_5555));
    assert_eq!(outcome.trace.panics, []);
}

#[test]
fn a_contract_under_construction_is_reached_by_constructor_calls_only() {
    let (mut lab, account) = Lab::new().code(&long_code());
    lab.settings.default_account = account;
    let (lab, hash) = lab.code(&only(Opcode::RetOk));
    let marked = hash | U256::one() << 240;
    let lab = lab.code_hash(CALLEE, marked).code_hash(CALLEE + 1, hash);
    for (address, constructor, expected) in [
        (CALLEE, true, hash),
        (CALLEE, false, account),
        (CALLEE + 1, false, hash),
        (CALLEE + 1, true, account),
    ] {
        let call = crate::lab::caller(address, abi(false, constructor));
        let outcome = lab.run(&call);
        let entered = &outcome.trace.entered[0];
        assert_eq!(
            entered.frame().program.hash(),
            expected,
            "{address:#x} {constructor}"
        );
        assert_eq!(entered.register(2), integer(constructor.into()));
    }
    // Users cannot make constructor calls.
    let outcome = user_calls(&lab, CALLEE, abi(false, true), 100_000);
    assert_eq!(outcome.trace.entered[1].frame().program.hash(), account);
}

#[test]
fn evm_contracts_run_in_the_emulator_with_its_memory() {
    let (mut lab, emulator) = Lab::new().code(&only(Opcode::RetOk));
    lab.settings.evm_emulator = emulator;
    let lab = lab.code_hash(CALLEE, U256([1, 2, 3, 0x0200_0005 << 32]));
    let mut root = Assembler::new();
    let after = root.label();
    root.load(1, abi(false, false).to_word()).load(2, CALLEE);
    root.push(op(Opcode::FarCall).src0(In::Reg(1)).src1(2).target(after).flag0());
    root.place(after);
    let outcome = lab.run_steps(&root, 3);
    let execution = outcome.vm.execution;
    let frame = execution.frame();
    assert_eq!((frame.program.hash(), frame.heap_bound), (emulator, 57_344));
    // It learns that the call is static from r2, and enforces that itself.
    assert_eq!((frame.is_static, execution.register(2)), (false, integer(4)));
}

#[test]
fn static_calls_stay_static_below() {
    let mut user = Assembler::new();
    let after = user.label();
    user.load(1, abi(false, false).to_word()).load(2, CALLEE);
    user.far_call(1, 2, after);
    user.place(after);
    user.ret(Opcode::RetOk, 0);
    let lab = Lab::new()
        .contract(USER, &user)
        .contract(CALLEE, &only(Opcode::RetOk));
    let mut root = Assembler::new();
    let after = root.label();
    root.load(
        1,
        FarCallAbi {
            ergs: 100_000,
            ..abi(false, false)
        }
        .to_word(),
    )
    .load(2, USER);
    root.push(op(Opcode::FarCall).src0(In::Reg(1)).src1(2).target(after).flag0());
    root.place(after);
    root.ret(Opcode::RetOk, 0);
    let outcome = lab.run(&root);
    let statics: Vec<bool> = outcome
        .trace
        .entered
        .iter()
        .map(|entered| entered.frame().is_static)
        .collect();
    assert_eq!(statics, [true, true]);
    assert!(!outcome.vm.execution.frame().is_static);
}

//! Returns from far frames: what the caller gets, and each rule that turns a return into a panic.

use eradbg_fixtures::Assembler;
use eradbg_fixtures::abi::{FarCallAbi, Forward, ret_abi, slice};
use eradbg_fixtures::assembler::{In, Out, op};
use eradbg_vm::outcome::{End, PanicCause, RetKind, Stop};
use eradbg_vm::{FatPointer, Flags, Opcode, U256, Value};

use crate::lab::{Lab, Outcome, USER, caller, integer};

const ERGS: u32 = 50_000;

/// Returns with an ABI word.
fn returning(opcode: Opcode, word: U256) -> Outcome {
    let mut a = Assembler::new();
    a.load(1, word);
    a.ret(opcode, 1);
    Lab::new().run_user(&a, ERGS)
}

/// Returns with the calldata pointer, the upper half of `word` packed on it.
fn returning_calldata(word: U256) -> Outcome {
    let mut a = Assembler::new();
    a.load(2, word);
    a.push(op(Opcode::PtrPack).src0(In::Reg(1)).src1(2).dst0(Out::Reg(1)));
    a.ret(Opcode::RetOk, 1);
    Lab::new().run_user(&a, ERGS)
}

#[test]
fn the_caller_gets_a_tagged_pointer_and_cleared_registers() {
    let none = FatPointer::default();
    for (opcode, forward, page, flags) in [
        (Opcode::RetOk, Forward::Heap, 2050, Flags::none()),
        (Opcode::RetOk, Forward::AuxHeap, 2051, Flags::none()),
        (Opcode::RetRevert, Forward::Heap, 2050, Flags::none()),
        (Opcode::RetPanic, Forward::Heap, 0, Flags::new(true, false, false)),
    ] {
        let mut a = Assembler::new();
        a.load(1, ret_abi(forward, slice(8, 64)));
        for register in 2..16 {
            a.load(register, 7);
        }
        a.ret(opcode, 1);
        let lab = Lab::new().contract(USER, &a);
        let abi = FarCallAbi {
            ergs: ERGS,
            ..FarCallAbi::default()
        };
        let root = caller(USER, abi);
        let execution = lab.run_steps(&root, 3 + 16).vm.execution;
        let returned = if page == 0 {
            none
        } else {
            FatPointer { page, ..slice(8, 64) }
        };
        assert_eq!(
            execution.register(1),
            Value::pointer(returned),
            "{opcode:?} {forward:?}"
        );
        assert!((2..16).all(|register| execution.register(register) == integer(0)));
        assert_eq!((execution.flags(), execution.depth()), (flags, 1));
    }
}

#[test]
fn unused_ergs_come_back_from_every_kind_of_return() {
    for (opcode, kind) in [
        (Opcode::RetOk, RetKind::Ok),
        (Opcode::RetRevert, RetKind::Revert),
        (Opcode::RetPanic, RetKind::Panic),
    ] {
        let outcome = returning(opcode, U256::zero());
        let (end, _) = outcome.first();
        assert_eq!((end.kind, end.ergs_returned), (kind, ERGS - 6 - 5));
    }
}

#[test]
fn growth_up_to_the_end_of_the_returndata_is_paid() {
    for (start, length, growth) in [(0, 4096, 0), (0, 5000, 904), (5000, 0, 904)] {
        for forward in [Forward::Heap, Forward::AuxHeap] {
            let outcome = returning(Opcode::RetOk, ret_abi(forward, slice(start, length)));
            assert_eq!(outcome.first().0.ergs_returned, ERGS - 6 - 5 - growth);
        }
    }
}

#[test]
fn each_broken_rule_turns_the_return_into_a_panic() {
    use PanicCause as P;
    let offset = FatPointer {
        offset: 1,
        ..slice(0, 32)
    };
    let kept = ERGS - 6 - 5;
    for (opcode, word, cause, left) in [
        (
            Opcode::RetOk,
            ret_abi(Forward::Pointer, slice(0, 0)),
            P::RetPointerExpected,
            kept,
        ),
        (
            Opcode::RetRevert,
            ret_abi(Forward::Pointer, slice(0, 0)),
            P::RetPointerExpected,
            kept,
        ),
        (
            Opcode::RetOk,
            ret_abi(Forward::Heap, offset),
            P::RetMalformedPointer,
            kept,
        ),
        (
            Opcode::RetOk,
            ret_abi(Forward::Heap, slice(u32::MAX, 1)),
            P::RetMalformedPointer,
            0,
        ),
        (
            Opcode::RetOk,
            ret_abi(Forward::AuxHeap, slice(0, ERGS + 4096)),
            P::RetUnpaidGrowth,
            0,
        ),
    ] {
        let outcome = returning(opcode, word);
        let (end, _) = outcome.first();
        assert_eq!(
            (end.kind, end.cause, end.ergs_returned),
            (RetKind::Panic, Some(cause), left),
            "{cause:?}"
        );
    }
    for (word, cause) in [
        (ret_abi(Forward::Heap, slice(0, 0)), P::RetPointerUnexpected),
        (ret_abi(Forward::Pointer, slice(0, 0)), P::RetForeignPointer),
    ] {
        let outcome = returning_calldata(word);
        let (end, _) = outcome.first();
        assert_eq!(
            (end.cause, end.ergs_returned),
            (Some(cause), kept - 6),
            "{cause:?}"
        );
    }
}

#[test]
fn a_kernel_frame_may_return_older_memory_narrowed_to_what_is_left() {
    let mut a = Assembler::new();
    a.load(2, 3);
    a.push(op(Opcode::PtrAdd).src0(In::Reg(1)).src1(2).dst0(Out::Reg(1)));
    a.load(2, ret_abi(Forward::Pointer, slice(0, 0)));
    a.push(op(Opcode::PtrPack).src0(In::Reg(1)).src1(2).dst0(Out::Reg(1)));
    a.ret(Opcode::RetOk, 1);
    let abi = FarCallAbi {
        calldata: slice(8, 64),
        ergs: ERGS,
        ..FarCallAbi::default()
    };
    let root = caller(0x9000, abi);
    let outcome = Lab::new().contract(0x9000, &a).run_steps(&root, 3 + 5);
    let returned = FatPointer {
        page: 10,
        ..slice(11, 61)
    };
    assert_eq!(outcome.vm.execution.register(1), Value::pointer(returned));
}

#[test]
fn an_offset_past_the_length_cannot_be_returned() {
    let mut a = Assembler::new();
    a.load(2, 1);
    a.push(op(Opcode::PtrAdd).src0(In::Reg(1)).src1(2).dst0(Out::Reg(1)));
    a.load(2, ret_abi(Forward::Pointer, slice(0, 0)));
    a.push(op(Opcode::PtrPack).src0(In::Reg(1)).src1(2).dst0(Out::Reg(1)));
    a.ret(Opcode::RetOk, 1);
    let abi = FarCallAbi {
        ergs: ERGS,
        ..FarCallAbi::default()
    };
    let outcome = Lab::new().contract(0x9000, &a).run(&caller(0x9000, abi));
    assert_eq!(outcome.first().0.cause, Some(PanicCause::RetMalformedPointer));
}

#[test]
fn failures_of_far_frames_go_on_at_the_handler_whatever_the_label() {
    for (opcode, place) in [(Opcode::RetOk, 1), (Opcode::RetRevert, 2), (Opcode::RetPanic, 2)] {
        let mut callee = Assembler::new();
        let label = callee.label();
        callee.push(op(opcode).target(label).flag0());
        callee.place(label);
        let mut root = Assembler::new();
        let (handler, end) = (root.label(), root.label());
        root.load(1, U256([0, 0, 0, ERGS.into()])).load(2, USER);
        root.far_call(1, 2, handler);
        root.load(6, 1).jump(end);
        root.place(handler);
        root.load(6, 2);
        root.place(end);
        root.ret(Opcode::RetOk, 0);
        let outcome = Lab::new().contract(USER, &callee).run(&root);
        assert_eq!(outcome.vm.execution.register(6), integer(place), "{opcode:?}");
    }
}

#[test]
fn memories_die_with_their_frame_but_for_the_returned_one() {
    let mut a = Assembler::new();
    a.push(op(Opcode::HeapWrite).src0(In::Imm(0)).src1(1));
    a.push(op(Opcode::AuxHeapWrite).src0(In::Imm(0)).src1(1));
    a.load(1, ret_abi(Forward::AuxHeap, slice(0, 32)));
    a.ret(Opcode::RetOk, 1);
    let outcome = Lab::new().run_user(&a, ERGS);
    let pages = outcome.vm.execution.heaps().page_ids();
    assert!(pages.contains(&2051) && !pages.contains(&2050), "{pages:?}");
}

#[test]
fn the_root_ends_the_run_and_its_changes_stay_for_the_operator() {
    let text = *b"abc";
    for (opcode, end) in [
        (Opcode::RetOk, End::Finished(text.to_vec())),
        (Opcode::RetRevert, End::Reverted(text.to_vec())),
        (Opcode::RetPanic, End::Panicked(PanicCause::Explicit)),
    ] {
        let mut root = Assembler::new();
        root.load(1, U256::from_big_endian(&text) << 232);
        root.push(op(Opcode::HeapWrite).src0(In::Imm(5)).src1(1));
        root.push(op(Opcode::StorageWrite).src0(In::Reg(0)).src1(1));
        root.load(1, ret_abi(Forward::Heap, slice(5, 3)));
        root.ret(opcode, 1);
        let outcome = Lab::new().run(&root);
        assert_eq!(outcome.stop, Stop::Ended(end));
        assert_eq!(outcome.vm.state.storage_changes().len(), 1);
    }
}

#[test]
fn a_user_frame_can_pass_on_what_its_callee_returned() {
    let mut callee = Assembler::new();
    callee.load(1, ret_abi(Forward::Heap, slice(4, 8)));
    callee.ret(Opcode::RetOk, 1);
    let mut user = Assembler::new();
    let after = user.label();
    user.load(1, U256([0, 0, 0, 1000])).load(2, 0x2_0000);
    user.far_call(1, 2, after);
    user.place(after);
    user.load(2, ret_abi(Forward::Pointer, slice(0, 0)));
    user.push(op(Opcode::PtrPack).src0(In::Reg(1)).src1(2).dst0(Out::Reg(1)));
    user.ret(Opcode::RetOk, 1);
    let outcome = Lab::new().contract(0x2_0000, &callee).run_user(&user, ERGS);
    assert_eq!(outcome.trace.panics, []);
    // The callee's heap lives on.
    assert!(outcome.vm.execution.heaps().get(2048 + 8 + 2).is_some());
}

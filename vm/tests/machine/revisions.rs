//! What differs between releases of the official VMs, in each revision.

use eradbg_fixtures::Assembler;
use eradbg_fixtures::abi::{FarCallAbi, Forward, ret_abi, slice};
use eradbg_fixtures::assembler::{In, Op, Out, op};
use eradbg_vm::flags::Predicate;
use eradbg_vm::outcome::PanicCause;
use eradbg_vm::protocol::Revision;
use eradbg_vm::{Execution, FatPointer, Opcode, U256, Value};

use crate::lab::{Lab, Outcome, USER, caller, integer, only};

const OLD: Revision = Revision::ZkEvm0_153_8;
const NEW: Revision = Revision::ZkEvm0_153_12;
const FAST: Revision = Revision::Vm2_0_5PageIds;

fn lab(revision: Revision) -> Lab {
    let mut lab = Lab::new();
    lab.settings.revision = revision;
    lab
}

/// r5 after an instruction on r1 = 64 and r2 = 7, with r5 = 9 as its second output.
fn r5_after(revision: Revision, instruction: Op) -> Value {
    let mut a = Assembler::new();
    a.load(1, 64);
    a.load(2, 7);
    a.load(5, 9);
    a.push(instruction.src0(In::Reg(1)).src1(2).dst1(5));
    let handler = a.label();
    a.place(handler);
    lab(revision).run_all(&a).register(5)
}

#[test]
fn an_unwritten_second_output_is_cleared_only_by_newer_releases() {
    for opcode in [
        Opcode::Nop,
        Opcode::Add,
        Opcode::Xor,
        Opcode::Shl,
        Opcode::ContextThis,
        Opcode::ContextSetU128,
        Opcode::StorageRead,
        Opcode::StorageWrite,
        Opcode::TransientWrite,
        Opcode::HeapRead,
        Opcode::HeapWrite,
        Opcode::AuxHeapWrite,
        Opcode::StaticRead,
    ] {
        assert_eq!(r5_after(OLD, op(opcode)), integer(9), "{opcode:?}");
        assert_eq!(r5_after(NEW, op(opcode)), integer(0), "{opcode:?}");
    }
    // With increment a write has its first output only.
    assert_eq!(r5_after(NEW, op(Opcode::HeapWrite).flag0()), integer(0));
}

#[test]
fn a_written_second_output_stays_in_every_release() {
    for revision in [OLD, NEW] {
        for (instruction, expected) in [
            (op(Opcode::Mul), 0),
            (op(Opcode::Div), 1),
            (op(Opcode::HeapRead).flag0(), 96),
            (op(Opcode::StaticRead).flag0(), 96),
        ] {
            assert_eq!(
                r5_after(revision, instruction),
                integer(expected),
                "{revision} {instruction:?}"
            );
        }
    }
}

#[test]
fn the_clearing_comes_after_the_first_output() {
    let sum = |revision| {
        let mut a = Assembler::new();
        a.load(1, 5);
        let add = op(Opcode::Add).src0(In::Reg(1)).src1(1);
        a.push(add.dst0(Out::Reg(1)).dst1(1));
        lab(revision).run_all(&a).register(1)
    };
    assert_eq!((sum(OLD), sum(NEW)), (integer(10), integer(0)));
}

#[test]
fn a_skipped_instruction_clears_nothing() {
    let instruction = op(Opcode::Add).when(Predicate::Equal);
    assert_eq!(r5_after(NEW, instruction), integer(9));
}

#[test]
fn a_read_that_fails_clears_the_second_output_that_it_would_have_written() {
    let r5 = |revision| {
        let mut a = Assembler::new();
        a.load(1, 64);
        a.load(5, 9);
        // Not a pointer.
        let read = op(Opcode::PointerRead).flag0();
        a.push(read.src0(In::Reg(1)).dst0(Out::Reg(2)).dst1(5));
        let outcome = lab(revision).run_steps(&a, 3);
        assert_eq!(
            outcome.vm.execution.pending_panic(),
            Some(PanicCause::NotAPointer)
        );
        outcome.vm.execution.register(5)
    };
    assert_eq!((r5(OLD), r5(NEW)), (integer(9), integer(0)));
}

#[test]
fn a_call_clears_the_callees_register_and_a_return_the_callers() {
    let r1 = |revision| {
        let mut callee = Assembler::new();
        callee.push(op(Opcode::RetOk).dst1(1));
        let lab = lab(revision).contract(USER, &callee);
        let mut root = Assembler::new();
        let after = root.label();
        let abi = FarCallAbi {
            ergs: 50_000,
            ..FarCallAbi::default()
        };
        root.load(1, abi.to_word());
        root.load(2, USER);
        root.push(op(Opcode::FarCall).src0(In::Reg(1)).src1(2).target(after).dst1(1));
        root.place(after);
        let at = |steps| lab.run_steps(&root, steps).vm.execution.register(1).is_pointer;
        (at(3), at(4))
    };
    assert_eq!(r1(OLD), (true, true));
    assert_eq!(r1(NEW), (false, false));
}

/// Ergs that come back from a frame that panics on its own with an ABI word, of 50,000.
fn returned_by_panic(revision: Revision, word: U256) -> u32 {
    let mut a = Assembler::new();
    a.load(3, word);
    a.ret(Opcode::RetPanic, 3);
    let outcome = lab(revision).run_user(&a, 50_000);
    let (end, _) = outcome.first();
    assert_eq!(end.cause, Some(PanicCause::Explicit));
    end.ergs_returned
}

#[test]
fn an_explicit_panic_pays_for_returndata_past_the_end_of_memory_only_in_newer_releases() {
    let kept = 50_000 - 6 - 5;
    for forward in [Forward::Heap, Forward::AuxHeap] {
        let past_the_end = ret_abi(forward, slice(u32::MAX, 1));
        assert_eq!(returned_by_panic(OLD, past_the_end), kept);
        assert_eq!(returned_by_panic(NEW, past_the_end), 0);
        // Growth that could be is none: nothing is returned.
        let large = ret_abi(forward, slice(8_000, 8_000));
        assert_eq!(returned_by_panic(NEW, large), kept);
    }
    let pointer = ret_abi(Forward::Pointer, slice(u32::MAX, 1));
    assert_eq!(returned_by_panic(NEW, pointer), kept);
    assert_eq!(returned_by_panic(NEW, U256::zero()), kept);
}

#[test]
fn an_explicit_panic_of_a_near_frame_pays_for_nothing() {
    let mut a = Assembler::new();
    let (target, handler) = (a.label(), a.label());
    a.load(3, ret_abi(Forward::Heap, slice(u32::MAX, 1)));
    a.near_call(0, target, handler);
    a.place(target);
    a.ret(Opcode::RetPanic, 3);
    a.place(handler);
    a.ret(Opcode::RetOk, 0);
    let outcome = lab(NEW).run_user(&a, 50_000);
    assert_eq!(outcome.last().0.ergs_returned, 50_000 - 6 - 25 - 5 - 5);
}

#[test]
fn a_panic_that_an_instruction_turns_into_has_no_operand() {
    let mut a = Assembler::new();
    a.load(3, ret_abi(Forward::Heap, slice(u32::MAX, 1)));
    a.load(5, 9);
    // Kernel only: it becomes the panic without operands.
    a.push(op(Opcode::ContextSetU128).src0(In::Reg(3)).dst1(5));
    let lab = lab(NEW).contract(USER, &a);
    let abi = FarCallAbi {
        ergs: 50_000,
        ..FarCallAbi::default()
    };
    let outcome = lab.run(&caller(USER, abi));
    assert_eq!(outcome.first().0.ergs_returned, 50_000 - 6 - 6 - 5);
}

/// A kernel contract that decommits.
const KERNEL: u64 = 0x9000;

/// The page of the pointer in r1.
fn page(execution: &Execution) -> u32 {
    let Value { word, is_pointer } = execution.register(1);
    assert!(is_pointer);
    FatPointer::from_word(word).page
}

/// Calls these contracts one after the other.
fn calls(lab: &Lab, addresses: &[u64]) -> Outcome {
    let mut root = Assembler::new();
    for &address in addresses {
        let after = root.label();
        root.load(1, U256([0, 0, 0, 20_000])).load(2, address);
        root.far_call(1, 2, after);
        root.place(after);
    }
    root.ret(Opcode::RetOk, 0);
    lab.run(&root)
}

/// Decommits a hash twice, to r3 and r4, then returns the first pointer or a slice of its heap.
fn decommitting(hash: U256, returns: bool) -> Assembler {
    let mut a = Assembler::new();
    a.load(1, hash).load(2, 1000);
    for pointer in [3, 4] {
        a.push(
            op(Opcode::Decommit)
                .src0(In::Reg(1))
                .src1(2)
                .dst0(Out::Reg(pointer)),
        );
    }
    if returns {
        a.load(5, ret_abi(Forward::Pointer, slice(0, 0)) & U256::MAX << 128);
        a.push(op(Opcode::PtrPack).src0(In::Reg(3)).src1(5).dst0(Out::Reg(1)));
    } else {
        a.load(1, ret_abi(Forward::Heap, slice(0, 32)));
    }
    a.ret(Opcode::RetOk, 1);
    a
}

#[test]
fn each_far_call_takes_eight_page_ids_or_two_in_the_revision_of_the_fast_vm() {
    for (revision, bootloader, calldata, heaps) in [
        (OLD, 7, 10, [2050, 2058, 2066]),
        (NEW, 7, 10, [2050, 2058, 2066]),
        (FAST, 1, 2, [4, 6, 8]),
    ] {
        let mut answers = Assembler::new();
        answers.load(1, ret_abi(Forward::Heap, slice(0, 32)));
        answers.ret(Opcode::RetOk, 1);
        let lab = lab(revision).contract(USER, &answers);
        // Nobody lives at the second address: a call that fails takes ids too.
        let outcome = calls(&lab, &[USER, 0x7000, USER]);
        let entered = &outcome.trace.entered;
        assert_eq!(page(&lab.machine(&answers).execution), bootloader, "{revision}");
        assert_eq!([&entered[0], &entered[2]].map(page), [calldata; 2], "{revision}");
        let returned: Vec<u32> = outcome
            .trace
            .left
            .iter()
            .map(|(_, execution)| execution.heaps().page_of(execution.frame().heap))
            .collect();
        assert_eq!(returned, heaps, "{revision}");
    }
}

#[test]
fn each_decommit_makes_a_copy_on_a_page_of_its_own_in_the_revision_of_the_fast_vm() {
    let (lab, hash) = lab(FAST).code(&only(Opcode::RetOk));
    let lab = lab.contract(KERNEL, &decommitting(hash, false));
    let outcome = calls(&lab, &[KERNEL, KERNEL]);
    let execution = outcome.first().1;
    let pointers = [3, 4].map(|register| FatPointer::from_word(execution.register(register).word).page);
    // The frame has 4 and 5.
    assert_eq!(pointers, [6, 7]);
    let code = only(Opcode::RetOk).words()[0];
    for page in pointers {
        assert_eq!(execution.heaps().get(page).unwrap().read_word(0), code);
    }
    let heap = execution.heaps().at(execution.frame().heap);
    assert_eq!(heap.read_word(0), U256::zero());
    let second = &outcome.trace.entered[1];
    assert_eq!(second.heaps().page_of(second.frame().heap), 8);
    assert_eq!(
        pointers.map(|page| second.heaps().get(page).is_some()),
        [false; 2]
    );
}

#[test]
fn a_copy_of_code_that_is_returned_lives_on_in_the_caller() {
    let (lab, hash) = lab(FAST).code(&only(Opcode::RetOk));
    let lab = lab.contract(KERNEL, &decommitting(hash, true));
    let outcome = calls(&lab, &[KERNEL, KERNEL]);
    let second = &outcome.trace.entered[1];
    assert_eq!(
        [6, 7].map(|page| second.heaps().get(page).is_some()),
        [true, false]
    );
    assert!(second.callers()[0].kept_pages.iter().eq([6]));
}

#[test]
fn code_that_was_decommitted_before_is_free_in_each_revision() {
    let left = |revision| {
        let (lab, hash) = lab(revision).code(&only(Opcode::RetOk));
        let lab = lab.contract(KERNEL, &decommitting(hash, false));
        calls(&lab, &[KERNEL]).first().0.ergs_returned
    };
    assert_eq!(left(FAST), left(OLD));
}

#[test]
fn a_user_contract_may_not_return_its_callers_memory_however_pages_are_numbered() {
    for revision in [OLD, FAST] {
        let mut a = Assembler::new();
        a.load(5, ret_abi(Forward::Pointer, slice(0, 0)) & U256::MAX << 128);
        a.push(op(Opcode::PtrPack).src0(In::Reg(1)).src1(5).dst0(Out::Reg(1)));
        a.ret(Opcode::RetOk, 1);
        let outcome = lab(revision).run_user(&a, 50_000);
        assert_eq!(
            outcome.trace.panics,
            [PanicCause::RetForeignPointer],
            "{revision}"
        );
    }
}

#[test]
fn a_rollback_gives_page_ids_back_but_not_in_the_revision_of_the_fast_vm() {
    for (revision, next) in [(OLD, 2048), (FAST, 4)] {
        let mut lab = lab(revision).contract(USER, &only(Opcode::RetOk));
        let root = caller(USER, FarCallAbi::default());
        let mut vm = lab.machine(&root);
        let snapshot = vm.snapshot(&mut ());
        vm.run(&mut lab, &mut (), 3).unwrap();
        let heap = vm.execution.heaps().page_of(vm.execution.frame().heap);
        vm.roll_back(snapshot, &mut ());
        assert_eq!(vm.execution.next_page(), next, "{revision}");
        assert!(vm.execution.heaps().get(heap).is_none());
    }
}

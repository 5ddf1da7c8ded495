//! Near calls: what they pass, share and restore.

use eradbg_fixtures::Assembler;
use eradbg_fixtures::assembler::{In, Out, op};
use eradbg_vm::outcome::PanicCause;
use eradbg_vm::{Execution, Flags, Opcode};

use crate::lab::{Lab, integer, user_slot};

const ERGS: u32 = 10_000;

/// Calls a near frame that reads its ergs, its stack pointer and a stack slot, then ends with `ret`.
/// r3, r4, r5: what it saw; r6: 1 when the caller went on behind the call, 2 at the handler; r7: ergs after.
fn near(wanted: u32, ret: Opcode) -> Execution {
    let mut a = Assembler::new();
    let (callee, handler, end) = (a.label(), a.label(), a.label());
    a.copy(In::Imm(9), Out::Push(0, 1));
    a.load(1, 1).load(2, wanted);
    a.push(op(Opcode::Sub).src0(In::Reg(1)).src1(1).flag0());
    a.near_call(2, callee, handler);
    a.load(6, 1).jump(end);
    a.place(handler);
    a.load(6, 2);
    a.place(end);
    a.push(op(Opcode::ContextErgsLeft).dst0(Out::Reg(7)));
    a.ret(Opcode::RetOk, 0);
    a.place(callee);
    a.push(op(Opcode::ContextErgsLeft).dst0(Out::Reg(3)));
    a.push(op(Opcode::ContextSp).dst0(Out::Reg(4)));
    a.copy(In::Pop(0, 1), Out::Reg(5));
    a.push(op(ret));
    let outcome = Lab::new().run_user(&a, ERGS);
    outcome.last().1.clone()
}

#[test]
fn a_near_call_passes_what_is_asked_for_or_all() {
    // Four instructions of 6 ergs and the call are paid before.
    let available = ERGS - 4 * 6 - 25;
    for (wanted, passed) in [
        (0, available),
        (1000, 1000),
        (available, available),
        (available + 1, available),
        (u32::MAX, available),
    ] {
        let execution = near(wanted, Opcode::RetOk);
        assert_eq!(
            execution.register(3),
            integer((passed - 5).into()),
            "{wanted} wanted"
        );
        // Whatever was passed, what is left comes back: 3 instructions and the return in the callee, then 2 and 1.
        let left = available - (5 + 5 + 6 + 5) - (6 + 6) - 5;
        assert_eq!(execution.register(7), integer(left.into()), "{wanted} wanted");
    }
}

#[test]
fn a_near_frame_shares_the_stack_and_the_caller_gets_its_stack_pointer_back() {
    let execution = near(0, Opcode::RetOk);
    assert_eq!(
        (execution.register(4), execution.register(5)),
        (integer(1), integer(9))
    );
    assert_eq!(execution.frame().sp, 1);
}

#[test]
fn failures_go_on_at_the_handler_and_registers_stay() {
    for (ret, place) in [(Opcode::RetOk, 1), (Opcode::RetRevert, 2), (Opcode::RetPanic, 2)] {
        let execution = near(0, ret);
        assert_eq!(
            (execution.register(6), execution.register(5)),
            (integer(place), integer(9)),
            "{ret:?}"
        );
    }
}

#[test]
fn calls_and_returns_clear_flags_and_a_panic_sets_less_than() {
    for (ret, flags) in [
        (Opcode::RetOk, Flags::none()),
        (Opcode::RetRevert, Flags::none()),
        (Opcode::RetPanic, Flags::new(true, false, false)),
    ] {
        let mut a = Assembler::new();
        let callee = a.label();
        a.push(op(Opcode::Sub).flag0());
        a.near_call(0, callee, callee);
        a.place(callee);
        a.push(op(ret));
        let lab = Lab::new();
        let inside = lab.run_steps(&a, 2).vm.execution;
        assert_eq!((inside.flags(), inside.depth()), (Flags::none(), 2));
        let after = lab.run_steps(&a, 3).vm.execution;
        assert_eq!((after.flags(), after.depth()), (flags, 1), "{ret:?}");
    }
}

#[test]
fn a_label_is_where_all_kinds_of_near_returns_go_on() {
    for ret in [Opcode::RetOk, Opcode::RetRevert, Opcode::RetPanic] {
        let mut a = Assembler::new();
        let (callee, handler, label) = (a.label(), a.label(), a.label());
        a.near_call(0, callee, handler);
        a.place(handler);
        a.load(6, 1);
        a.place(label);
        a.ret(Opcode::RetOk, 0);
        a.place(callee);
        a.load(1, 1);
        a.push(op(Opcode::StorageWrite).src0(In::Reg(1)).src1(1));
        a.push(op(ret).target(label).flag0());
        let outcome = Lab::new().run_user(&a, ERGS);
        assert_eq!(outcome.last().1.register(6), integer(0), "{ret:?}");
        // A label does not save the changes of a failure.
        let kept = outcome.vm.state.storage_changes().contains_key(&user_slot(1));
        assert_eq!(kept, ret == Opcode::RetOk, "{ret:?}");
    }
}

#[test]
fn a_panic_in_a_near_frame_takes_its_ergs_only() {
    let mut a = Assembler::new();
    let (callee, handler) = (a.label(), a.label());
    a.load(2, 100);
    a.near_call(2, callee, handler);
    a.place(handler);
    a.ret(Opcode::RetOk, 0);
    a.place(callee);
    a.push(op(Opcode::Invalid));
    let outcome = Lab::new().run_user(&a, ERGS);
    assert_eq!(outcome.trace.panics, [PanicCause::InvalidOpcode]);
    let (end, _) = outcome.last();
    assert_eq!((end.cause, end.ergs_returned), (None, ERGS - 6 - 25 - 100 - 5));
}

#[test]
fn nested_failures_undo_innermost_first() {
    let mut a = Assembler::new();
    let (outer, inner, failed) = (a.label(), a.label(), a.label());
    a.load(1, 1).load(2, 2).load(3, 3);
    a.near_call(0, outer, failed);
    a.place(failed);
    a.ret(Opcode::RetOk, 0);
    a.place(outer);
    a.push(op(Opcode::StorageWrite).src0(In::Reg(1)).src1(1));
    let caught = a.label();
    a.near_call(0, inner, caught);
    a.place(caught);
    a.push(op(Opcode::StorageRead).src0(In::Reg(1)).dst0(Out::Reg(5)));
    a.ret(Opcode::RetOk, 0);
    a.place(inner);
    a.push(op(Opcode::StorageWrite).src0(In::Reg(1)).src1(2));
    a.push(op(Opcode::StorageWrite).src0(In::Reg(1)).src1(3));
    a.ret(Opcode::RetRevert, 0);
    let outcome = Lab::new().run_user(&a, 100_000);
    assert_eq!(outcome.last().1.register(5), integer(1));
    assert_eq!(outcome.vm.state.storage_changes()[&user_slot(1)], 1.into());
}

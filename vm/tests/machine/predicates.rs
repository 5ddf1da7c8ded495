//! Conditions, and what an instruction costs and changes whose condition does not hold.

use eradbg_fixtures::Assembler;
use eradbg_fixtures::assembler::{In, Out, op};
use eradbg_vm::flags::Predicate;
use eradbg_vm::outcome::PanicCause;
use eradbg_vm::{Opcode, U256};

use crate::lab::{Lab, integer};

#[test]
fn each_predicate_executes_under_its_flags() {
    // 1 - 2 sets LT, 2 - 2 sets EQ, 3 - 2 sets GT.
    let rows = [
        (Predicate::Always, [true, true, true]),
        (Predicate::Greater, [false, false, true]),
        (Predicate::Less, [true, false, false]),
        (Predicate::Equal, [false, true, false]),
        (Predicate::GreaterOrEqual, [false, true, true]),
        (Predicate::LessOrEqual, [true, true, false]),
        (Predicate::NotEqual, [true, false, true]),
        (Predicate::GreaterOrLess, [true, false, true]),
    ];
    for (predicate, expected) in rows {
        for (first, executes) in (1u64..).zip(expected) {
            let mut a = Assembler::new();
            a.load(1, first).load(2, 2);
            a.push(op(Opcode::Sub).src0(In::Reg(1)).src1(2).flag0());
            a.push(op(Opcode::Add).src0(In::Imm(9)).dst0(Out::Reg(3)).when(predicate));
            let found = Lab::new().run_all(&a).register(3);
            let expected = integer(if executes { 9 } else { 0 });
            assert_eq!(found, expected, "{predicate:?} after {first} - 2");
        }
    }
}

#[test]
fn a_skipped_instruction_pays_its_price_and_moves_nothing() {
    let mut a = Assembler::new();
    a.push(op(Opcode::StorageWrite).when(Predicate::Equal));
    a.push(
        op(Opcode::Add)
            .src0(In::Pop(0, 3))
            .dst0(Out::Push(0, 5))
            .when(Predicate::Equal),
    );
    let outcome = Lab::new().run_steps(&a, 2);
    let frame = outcome.vm.execution.frame();
    assert_eq!(frame.ergs, u32::MAX - 5511 - 6);
    assert_eq!((frame.sp, frame.pc), (0, 2));
    assert!(outcome.vm.state.refunds().is_empty());
}

#[test]
fn a_skipped_second_output_is_not_cleared() {
    let mut a = Assembler::new();
    a.load(4, 7);
    a.push(
        op(Opcode::Mul)
            .src0(In::Reg(4))
            .src1(4)
            .dst0(Out::Reg(5))
            .dst1(4)
            .when(Predicate::Less),
    );
    assert_eq!(Lab::new().run_all(&a).register(4).word, U256::from(7));
}

#[test]
fn a_skipped_instruction_can_still_panic() {
    for (opcode, ergs, cause, returned) in [
        (Opcode::ToL1, 1000, PanicCause::KernelOnly, 1000 - 109),
        (Opcode::StorageRead, 1000, PanicCause::OutOfErgs, 0),
    ] {
        let mut a = Assembler::new();
        a.push(op(opcode).when(Predicate::Equal));
        a.ret(Opcode::RetOk, 0);
        let outcome = Lab::new().run_user(&a, ergs);
        let (end, _) = outcome.first();
        assert_eq!(
            (end.cause, end.ergs_returned),
            (Some(cause), returned),
            "{opcode:?}"
        );
    }
}

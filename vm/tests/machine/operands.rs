//! Addressing modes: where operands come from and go, and how they move the stack pointer.

use eradbg_fixtures::Assembler;
use eradbg_fixtures::assembler::{In, Out, op};
use eradbg_vm::{Execution, Opcode, U256};

use crate::lab::{Lab, integer};

fn run(a: &Assembler) -> Execution {
    Lab::new().run_all(a)
}

#[test]
fn register_zero_reads_zero_and_takes_nothing() {
    let mut a = Assembler::new();
    a.load(0, 5);
    a.push(op(Opcode::Add).src0(In::Imm(1)).src1(0).dst0(Out::Reg(1)));
    let execution = run(&a);
    assert_eq!(
        (execution.register(0), execution.register(1)),
        (integer(0), integer(1))
    );
}

#[test]
fn stack_addresses_are_register_plus_number() {
    let mut a = Assembler::new();
    a.load(1, 10);
    a.copy(In::Imm(7), Out::Absolute(1, 5));
    a.copy(In::Absolute(1, 5), Out::Reg(2));
    a.push(op(Opcode::Nop).dst0(Out::Push(1, 10)));
    // sp is 20: slot 15 is 5 below.
    a.copy(In::Relative(0, 5), Out::Reg(3));
    a.copy(In::Imm(8), Out::Relative(1, 2));
    let execution = run(&a);
    assert_eq!(
        (execution.register(2), execution.register(3)),
        (integer(7), integer(7))
    );
    let frame = execution.frame();
    assert_eq!((frame.sp, frame.stack.read(8)), (20, integer(8)));
}

#[test]
fn addresses_use_the_low_16_bits_and_wrap() {
    let mut a = Assembler::new();
    a.load(1, (U256::one() << 100) + 0x5_fffe);
    a.copy(In::Imm(7), Out::Absolute(1, 5));
    a.push(op(Opcode::Nop).src0(In::Pop(0, 1)));
    let execution = run(&a);
    assert_eq!(execution.frame().stack.read(3), integer(7));
    assert_eq!(execution.frame().sp, 0xffff);
}

#[test]
fn a_push_writes_then_moves_and_a_pop_moves_then_reads() {
    let mut a = Assembler::new();
    a.copy(In::Imm(7), Out::Push(0, 1));
    a.copy(In::Imm(8), Out::Push(0, 1));
    a.copy(In::Pop(0, 1), Out::Reg(1));
    a.copy(In::Pop(0, 1), Out::Reg(2));
    let execution = run(&a);
    assert_eq!(
        (execution.register(1), execution.register(2)),
        (integer(8), integer(7))
    );
    assert_eq!(execution.frame().sp, 0);
}

#[test]
fn the_destination_sees_the_stack_pointer_that_the_source_left() {
    let mut a = Assembler::new();
    a.push(op(Opcode::Nop).dst0(Out::Push(0, 10)));
    // Pops slot 7, then writes it and moves on by 2.
    a.push(op(Opcode::Add).src0(In::Pop(0, 3)).src1(0).dst0(Out::Push(0, 2)));
    a.copy(In::Imm(1), Out::Relative(0, 2));
    let execution = run(&a);
    assert_eq!(execution.frame().sp, 9);
    assert_eq!(execution.frame().stack.read(7), integer(1));
}

#[test]
fn a_no_op_moves_the_stack_pointer_and_writes_nothing() {
    let mut a = Assembler::new();
    a.copy(In::Imm(7), Out::Absolute(0, 4));
    a.push(op(Opcode::Nop).dst0(Out::Push(0, 9)));
    a.push(op(Opcode::Nop).src0(In::Pop(0, 5)).dst0(Out::Push(0, 2)));
    let execution = run(&a);
    assert_eq!(
        (execution.frame().sp, execution.frame().stack.read(4)),
        (6, integer(7))
    );
}

#[test]
fn code_words_are_constants_and_zero_past_the_end() {
    let mut a = Assembler::new();
    let constant = a.constant(U256::MAX);
    a.copy(In::Constant(constant), Out::Reg(1));
    a.load(4, 2);
    a.copy(In::Code(4, 0), Out::Reg(2));
    a.copy(In::Code(4, 5000), Out::Reg(3));
    let words = a.words();
    assert_eq!(words.len(), 3);
    let execution = run(&a);
    assert_eq!(execution.register(1).word, U256::MAX);
    assert_eq!(execution.register(2).word, words[2]);
    assert_eq!(execution.register(3), integer(0));
}

#[test]
fn a_jump_takes_16_bits_and_remembers_where_it_came_from() {
    let mut a = Assembler::new();
    a.load(1, U256::from(0xab_0003u64));
    a.push(op(Opcode::Jump).src0(In::Reg(1)).dst0(Out::Reg(2)));
    a.load(3, 1);
    let execution = Lab::new().run_steps(&a, 2).vm.execution;
    assert_eq!((execution.frame().pc, execution.register(2)), (3, integer(2)));
}

#[test]
fn the_program_counter_wraps_at_16_bits() {
    let mut a = Assembler::new();
    a.push(op(Opcode::Jump).src0(In::Imm(0xffff)).dst0(Out::Reg(2)));
    for _ in 1..=0xffff {
        a.push(op(Opcode::Nop));
    }
    let execution = Lab::new().run_steps(&a, 2).vm.execution;
    assert_eq!((execution.frame().pc, execution.pending_panic()), (0, None));
    // What is behind the addressable words is never reached.
    a.push(op(Opcode::RetPanic));
    let outcome = Lab::new().run_steps(&a, 3);
    assert_eq!(
        (outcome.vm.execution.frame().pc, outcome.trace.panics),
        (0xffff, vec![])
    );
}

#[test]
fn every_far_frame_has_a_stack_of_its_own() {
    let mut callee = Assembler::new();
    callee.copy(In::Absolute(0, 0), Out::Reg(3));
    callee.push(op(Opcode::ContextSp).dst0(Out::Reg(4)));
    callee.load(5, 2).copy(In::Reg(5), Out::Push(0, 7));
    callee.ret(Opcode::RetOk, 0);
    let mut root = Assembler::new();
    root.load(5, 1).copy(In::Reg(5), Out::Push(0, 1));
    for _ in 0..2 {
        let after = root.label();
        root.load(1, U256([0, 0, 0, 1000])).load(2, 0x2_0000);
        root.far_call(1, 2, after);
        root.place(after);
    }
    root.copy(In::Pop(0, 1), Out::Reg(6));
    root.ret(Opcode::RetOk, 0);
    let outcome = Lab::new().contract(0x2_0000, &callee).run(&root);
    for (_, execution) in &outcome.trace.left {
        assert_eq!(
            (execution.register(3), execution.register(4)),
            (integer(0), integer(0))
        );
    }
    assert_eq!(outcome.vm.execution.register(6), integer(1));
}

#[test]
fn stack_slots_keep_pointer_tags() {
    let mut a = Assembler::new();
    a.copy_pointer(In::Reg(1), Out::Push(0, 1));
    a.copy_pointer(In::Pop(0, 1), Out::Reg(2));
    a.copy(In::Absolute(0, 0), Out::Reg(3));
    let execution = run(&a);
    let start = Lab::new().machine(&a).execution.register(1);
    assert_eq!(execution.register(2), start);
    // The kernel sees the raw word, without its tag.
    assert_eq!(execution.register(3), eradbg_vm::Value::integer(start.word));
}

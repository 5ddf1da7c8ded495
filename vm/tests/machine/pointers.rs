//! Fat pointers: arithmetic on them, reading through them, and what user code may see.

use eradbg_fixtures::Assembler;
use eradbg_fixtures::abi::{FarCallAbi, slice};
use eradbg_fixtures::assembler::{In, Op, Out, op};
use eradbg_vm::outcome::PanicCause;
use eradbg_vm::{FatPointer, Opcode, U256, Value};

use crate::lab::{Lab, Outcome, USER};

/// Calls the program with 100 bytes of calldata: bytes 8..108 of a heap that holds 1, 2, 3... from byte 0 on.
fn with_calldata(program: &Assembler) -> Outcome {
    let mut root = Assembler::new();
    let after = root.label();
    for word in 0..4u16 {
        let bytes: [u8; 32] = core::array::from_fn(|index| (word * 32 + index as u16 + 1) as u8);
        root.load(3, U256::from_big_endian(&bytes));
        root.push(op(Opcode::HeapWrite).src0(In::Imm(word * 32)).src1(3));
    }
    let abi = FarCallAbi {
        calldata: slice(8, 100),
        ergs: 100_000,
        ..FarCallAbi::default()
    };
    root.load(1, abi.to_word());
    root.load(2, USER);
    root.far_call(1, 2, after);
    root.place(after);
    root.ret(Opcode::RetOk, 0);
    Lab::new().contract(USER, program).run(&root)
}

fn pointer(value: Value) -> FatPointer {
    assert!(value.is_pointer);
    FatPointer::from_word(value.word)
}

/// Loads `by` to r2 and runs an instruction on the calldata pointer in r1.
fn moved(instruction: Op, by: U256) -> Outcome {
    let mut a = Assembler::new();
    a.load(2, by);
    a.push(instruction.src0(In::Reg(1)).src1(2).dst0(Out::Reg(3)));
    a.ret(Opcode::RetOk, 0);
    with_calldata(&a)
}

#[test]
fn pointer_arithmetic_moves_offset_and_length() {
    let calldata = FatPointer {
        offset: 0,
        page: 10,
        start: 8,
        length: 100,
    };
    for (opcode, by, expected) in [
        (Opcode::PtrAdd, 0, calldata),
        (
            Opcode::PtrAdd,
            200,
            FatPointer {
                offset: 200,
                ..calldata
            },
        ),
        (
            Opcode::PtrShrink,
            100,
            FatPointer {
                length: 0,
                ..calldata
            },
        ),
        (
            Opcode::PtrShrink,
            30,
            FatPointer {
                length: 70,
                ..calldata
            },
        ),
        (Opcode::PtrSub, 0, calldata),
    ] {
        let outcome = moved(op(opcode), by.into());
        assert_eq!(
            pointer(outcome.first().1.register(3)),
            expected,
            "{opcode:?} {by}"
        );
    }
}

#[test]
fn shrinking_reads_32_bits_of_its_operand() {
    let outcome = moved(op(Opcode::PtrShrink), (U256::one() << 32) + 40);
    assert_eq!(pointer(outcome.first().1.register(3)).length, 60);
}

#[test]
fn packing_joins_two_halves() {
    let high = U256([0, 0, 5, 6]);
    let outcome = moved(op(Opcode::PtrPack), high);
    let packed = outcome.first().1.register(3);
    assert!(packed.is_pointer);
    assert_eq!(packed.word.0[2..], [5, 6]);
    assert_eq!(pointer(packed).length, 100);
}

#[test]
fn adding_keeps_the_upper_half() {
    let mut a = Assembler::new();
    a.load(2, U256([0, 0, 5, 6]));
    a.push(op(Opcode::PtrPack).src0(In::Reg(1)).src1(2).dst0(Out::Reg(1)));
    a.load(2, 3);
    a.push(op(Opcode::PtrAdd).src0(In::Reg(1)).src1(2).dst0(Out::Reg(1)));
    a.ret(Opcode::RetOk, 0);
    let outcome = with_calldata(&a);
    let moved = outcome.first().1.register(1);
    assert_eq!(
        (moved.word.0[2..].to_vec(), pointer(moved).offset),
        (vec![5, 6], 3)
    );
}

#[test]
fn bad_operands_of_pointer_arithmetic_panic_in_the_next_step() {
    let big = U256::one() << 32;
    for (instruction, by, cause) in [
        (op(Opcode::PtrAdd), big, PanicCause::PointerOperandTooLarge),
        (op(Opcode::PtrSub), big, PanicCause::PointerOperandTooLarge),
        (op(Opcode::PtrSub), 1.into(), PanicCause::PointerOffsetOverflow),
        (op(Opcode::PtrPack), 1.into(), PanicCause::PackLowBits),
        (op(Opcode::PtrShrink), 101.into(), PanicCause::ShrinkUnderflow),
        (op(Opcode::PtrAdd).flag1(), 1.into(), PanicCause::NotAPointer),
    ] {
        let outcome = moved(instruction, by);
        let (end, _) = outcome.first();
        // Two instructions and the panic.
        let left = 100_000 - 6 - 6 - 5;
        assert_eq!((end.cause, end.ergs_returned), (Some(cause), left), "{cause:?}");
    }
}

#[test]
fn a_failing_pointer_operation_has_moved_the_stack_pointer_through_its_sources_only() {
    let mut a = Assembler::new();
    a.push(op(Opcode::Nop).dst0(Out::Push(0, 9)));
    a.push(op(Opcode::PtrAdd).src0(In::Pop(0, 2)).dst0(Out::Push(0, 5)));
    let outcome = Lab::new().run_steps(&a, 2);
    let execution = outcome.vm.execution;
    assert_eq!(execution.pending_panic(), Some(PanicCause::NotAPointer));
    assert_eq!(execution.frame().sp, 9 - 2);
    assert_eq!(execution.frame().stack.read(7), Value::ZERO);
}

#[test]
fn an_offset_cannot_leave_32_bits() {
    let mut a = Assembler::new();
    a.load(2, u32::MAX);
    a.push(op(Opcode::PtrAdd).src0(In::Reg(1)).src1(2).dst0(Out::Reg(1)));
    a.load(2, 1);
    a.push(op(Opcode::PtrAdd).src0(In::Reg(1)).src1(2).dst0(Out::Reg(1)));
    a.ret(Opcode::RetOk, 0);
    assert_eq!(
        with_calldata(&a).trace.panics,
        [PanicCause::PointerOffsetOverflow]
    );
}

#[test]
fn pointer_plus_pointer_panics_in_the_kernel_and_counts_as_a_number_for_users() {
    let add = op(Opcode::PtrAdd).src0(In::Reg(1)).src1(1).dst0(Out::Reg(3));
    let mut kernel = Assembler::new();
    kernel.push(add);
    assert_eq!(
        Lab::new().run(&kernel).trace.panics,
        [PanicCause::PointerPlusPointer]
    );
    // A user's second operand keeps offset and length, and the length makes it too large.
    let mut user = Assembler::new();
    user.push(add);
    assert_eq!(
        with_calldata(&user).trace.panics,
        [PanicCause::PointerOperandTooLarge]
    );
}

#[test]
fn users_do_not_see_where_a_pointer_points() {
    let mut a = Assembler::new();
    a.push(op(Opcode::Add).src0(In::Reg(1)).dst0(Out::Reg(3)));
    a.ret(Opcode::RetOk, 0);
    let outcome = with_calldata(&a);
    assert_eq!(
        outcome.first().1.register(3),
        Value::integer(U256([0, 100 << 32, 0, 0]))
    );
}

#[test]
fn reading_moves_on_and_gives_zeros_past_the_end() {
    let mut a = Assembler::new();
    for register in 2..6 {
        a.push(
            op(Opcode::PointerRead)
                .src0(In::Reg(1))
                .dst0(Out::Reg(register))
                .dst1(1)
                .flag0(),
        );
    }
    a.push(op(Opcode::PointerRead).src0(In::Reg(1)).dst0(Out::Reg(6)));
    a.ret(Opcode::RetOk, 0);
    let outcome = with_calldata(&a);
    let execution = outcome.first().1;
    let calldata: Vec<u8> = (9..=108).chain(std::iter::repeat_n(0, 60)).collect();
    for (register, bytes) in (2..7).zip(calldata.chunks(32)) {
        assert_eq!(
            execution.register(register),
            Value::integer(U256::from_big_endian(bytes))
        );
    }
    assert_eq!(pointer(execution.register(1)).offset, 128);
}

#[test]
fn reading_needs_a_tag_and_room_for_the_offset() {
    let mut untagged = Assembler::new();
    untagged.push(op(Opcode::PointerRead).src0(In::Reg(2)).dst0(Out::Reg(3)));
    let mut overflow = Assembler::new();
    overflow.load(2, u32::MAX - 31);
    overflow.push(op(Opcode::PtrAdd).src0(In::Reg(1)).src1(2).dst0(Out::Reg(1)));
    overflow.push(op(Opcode::PointerRead).src0(In::Reg(1)).dst0(Out::Reg(3)));
    for (program, cause, spent) in [
        (untagged, PanicCause::NotAPointer, 7 + 5),
        (overflow, PanicCause::PointerOffsetOverflow, 6 + 6 + 7 + 5),
    ] {
        let outcome = with_calldata(&program);
        let (end, _) = outcome.first();
        assert_eq!((end.cause, end.ergs_returned), (Some(cause), 100_000 - spent));
    }
}

#[test]
fn a_heap_read_at_a_pointer_without_content_keeps_the_tag_of_its_address() {
    // All zero but for its tag: what a failed call returns.
    let mut a = Assembler::new();
    let after = a.label();
    a.load(1, U256([0, 0, 0, 1000])).load(2, 0x9000);
    a.far_call(1, 2, after);
    a.place(after);
    a.push(
        op(Opcode::HeapRead)
            .src0(In::Reg(1))
            .dst0(Out::Reg(2))
            .dst1(3)
            .flag0(),
    );
    a.push(
        op(Opcode::HeapWrite)
            .src0(In::Reg(1))
            .src1(2)
            .dst0(Out::Reg(4))
            .flag0(),
    );
    a.ret(Opcode::RetOk, 0);
    let outcome = Lab::new().run_user(&a, 10_000);
    let execution = outcome.last().1;
    let moved = FatPointer {
        offset: 32,
        ..FatPointer::default()
    };
    assert_eq!(execution.register(3), Value::pointer(moved));
    assert_eq!(execution.register(4), Value::from(32));
}

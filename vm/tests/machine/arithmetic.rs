//! Results and flags of arithmetic, at the edges.

use eradbg_fixtures::Assembler;
use eradbg_fixtures::assembler::{In, Out, op};
use eradbg_vm::{Flags, Opcode, U256};

use crate::lab::Lab;

const NONE: Flags = Flags::none();
const LT: Flags = Flags::new(true, false, false);
const EQ: Flags = Flags::new(false, true, false);
const GT: Flags = Flags::new(false, false, true);
const LT_EQ: Flags = Flags::new(true, true, false);
const EQ_GT: Flags = Flags::new(false, true, true);

/// Runs an opcode on two words with flags set; returns dst0, dst1 and the flags.
fn run(opcode: Opcode, a: U256, b: U256) -> (U256, U256, Flags) {
    let mut program = Assembler::new();
    program.load(1, a).load(2, b);
    program.push(
        op(opcode)
            .src0(In::Reg(1))
            .src1(2)
            .dst0(Out::Reg(3))
            .dst1(4)
            .flag0(),
    );
    let execution = Lab::new().run_all(&program);
    let word = |register| execution.register(register).word;
    (word(3), word(4), execution.flags())
}

fn n(word: u64) -> U256 {
    word.into()
}

#[test]
fn one_result_operations_wrap_and_set_their_flags() {
    let max = U256::MAX;
    let top = U256::one() << 255;
    let rows = [
        (Opcode::Add, n(1), n(2), n(3), GT),
        (Opcode::Add, n(0), n(0), n(0), EQ),
        (Opcode::Add, max, n(1), n(0), LT_EQ),
        (Opcode::Add, max, n(2), n(1), LT),
        (Opcode::Sub, n(2), n(2), n(0), EQ),
        (Opcode::Sub, n(3), n(2), n(1), GT),
        (Opcode::Sub, n(2), n(3), max, LT),
        (Opcode::Xor, n(6), n(6), n(0), EQ),
        (Opcode::Xor, n(6), n(5), n(3), NONE),
        (Opcode::And, n(6), n(1), n(0), EQ),
        (Opcode::And, n(6), n(5), n(4), NONE),
        (Opcode::Or, n(0), n(0), n(0), EQ),
        (Opcode::Or, n(6), n(5), n(7), NONE),
        (Opcode::Shl, n(1), n(0), n(1), NONE),
        (Opcode::Shl, n(1), n(255), top, NONE),
        (Opcode::Shl, n(1), n(256), n(1), NONE),
        (Opcode::Shl, n(2), n(255), n(0), EQ),
        (Opcode::Shr, top, n(255), n(1), NONE),
        (Opcode::Shr, top, n(256), top, NONE),
        (Opcode::Shr, n(1), n(1), n(0), EQ),
        (Opcode::Rol, top, n(1), n(1), NONE),
        (Opcode::Rol, n(5), n(0), n(5), NONE),
        (Opcode::Rol, n(5), n(256), n(5), NONE),
        (Opcode::Rol, n(2), n(255), n(1), NONE),
        (Opcode::Ror, n(1), n(1), top, NONE),
        (Opcode::Ror, n(5), n(0), n(5), NONE),
        (Opcode::Ror, n(5), n(256), n(5), NONE),
        (Opcode::Ror, n(1), n(255), n(2), NONE),
        (Opcode::Ror, n(0), n(7), n(0), EQ),
    ];
    for (opcode, a, b, result, flags) in rows {
        let (dst0, _, found) = run(opcode, a, b);
        assert_eq!((dst0, found), (result, flags), "{opcode:?} {a:#x} {b:#x}");
    }
}

#[test]
fn two_result_operations_give_high_word_and_remainder() {
    let max = U256::MAX;
    let half = U256::one() << 128;
    let rows = [
        (Opcode::Mul, n(3), n(5), n(15), n(0), GT),
        (Opcode::Mul, n(0), max, n(0), n(0), EQ),
        (Opcode::Mul, max, max, n(1), max - 1, LT),
        (Opcode::Mul, half, half, n(0), n(1), LT_EQ),
        (Opcode::Div, n(17), n(5), n(3), n(2), NONE),
        (Opcode::Div, n(15), n(5), n(3), n(0), GT),
        (Opcode::Div, n(2), n(5), n(0), n(2), EQ),
        (Opcode::Div, n(0), n(5), n(0), n(0), EQ_GT),
        (Opcode::Div, n(17), n(0), n(0), n(0), LT),
        (Opcode::Div, max, max, n(1), n(0), GT),
    ];
    for (opcode, a, b, first, second, flags) in rows {
        assert_eq!(
            run(opcode, a, b),
            (first, second, flags),
            "{opcode:?} {a:#x} {b:#x}"
        );
    }
}

#[test]
fn only_the_low_byte_of_a_shift_counts() {
    let far = U256::one() << 200 | n(4);
    assert_eq!(run(Opcode::Shl, n(1), far).0, n(16));
    assert_eq!(run(Opcode::Ror, n(16), far).0, n(1));
}

#[test]
fn without_the_modifier_flags_stay() {
    let mut a = Assembler::new();
    a.load(1, 7);
    a.push(op(Opcode::Sub).src0(In::Reg(1)).src1(1).flag0());
    for opcode in [Opcode::Add, Opcode::Mul, Opcode::Div, Opcode::Xor, Opcode::Shl] {
        a.push(op(opcode).src0(In::Reg(1)).src1(1).dst0(Out::Reg(2)));
    }
    assert_eq!(Lab::new().run_all(&a).flags(), EQ);
}

#[test]
fn swapping_exchanges_the_sources() {
    for (opcode, result) in [
        (Opcode::Sub, n(7)),
        (Opcode::Div, n(3)),
        (Opcode::Shl, n(10 << 3)),
        (Opcode::Shr, n(10 >> 3)),
    ] {
        let mut a = Assembler::new();
        a.load(1, 3).load(2, 10);
        a.push(op(opcode).src0(In::Reg(1)).src1(2).dst0(Out::Reg(3)).flag1());
        assert_eq!(Lab::new().run_all(&a).register(3).word, result, "{opcode:?}");
    }
}

#[test]
fn both_results_in_one_register_leave_the_second() {
    let mut a = Assembler::new();
    a.load(1, 17).load(2, 5);
    a.push(op(Opcode::Div).src0(In::Reg(1)).src1(2).dst0(Out::Reg(3)).dst1(3));
    assert_eq!(Lab::new().run_all(&a).register(3).word, n(2));
}

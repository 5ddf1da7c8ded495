//! Arithmetic, bitwise operations, shifts and rotations.

use primitive_types::U256;

use crate::decode::Instruction;
use crate::exec::{Cx, Done, Next};
use crate::flags::Flags;
use crate::host::Host;
use crate::observer::Observer;
use crate::value::Value;

/// Moves the stack pointer through both operands; reads and writes nothing.
#[inline(always)]
pub(super) fn nop<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    cx.source(i);
    cx.target(i);
    Ok(Next::Continue)
}

/// `dst0 := src0 + src1 mod 2^256`; LT on overflow, EQ on zero, GT otherwise.
#[inline(always)]
pub(super) fn add<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let (a, b) = cx.operands(i);
    let (sum, overflow) = overflowing_add(a.word, b.word);
    set_flags(cx, i, overflow, sum.is_zero());
    cx.write(i, Value::integer(sum));
    Ok(Next::Continue)
}

/// `dst0 := src0 - src1 mod 2^256`; LT on borrow, EQ on zero, GT otherwise.
#[inline(always)]
pub(super) fn sub<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let (a, b) = cx.operands(i);
    let (difference, borrow) = overflowing_sub(a.word, b.word);
    set_flags(cx, i, borrow, difference.is_zero());
    cx.write(i, Value::integer(difference));
    Ok(Next::Continue)
}

/// `dst1:dst0 := src0 * src1`; LT when the high word is not zero, EQ when the low one is, GT otherwise.
#[inline(always)]
pub(super) fn mul<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let (a, b) = cx.operands(i);
    let product = a.word.full_mul(b.word).0;
    let low = U256([product[0], product[1], product[2], product[3]]);
    let high = U256([product[4], product[5], product[6], product[7]]);
    set_flags(cx, i, !high.is_zero(), low.is_zero());
    cx.write(i, Value::integer(low));
    cx.set_register(i.dst1, Value::integer(high));
    Ok(Next::Continue)
}

/// `dst0 := src0 / src1`, `dst1 := src0 mod src1`; EQ on zero quotient, GT on zero remainder. By zero: both 0, LT.
#[inline(always)]
pub(super) fn div<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let (a, b) = cx.operands(i);
    let (quotient, remainder, flags) = if b.word.is_zero() {
        (U256::zero(), U256::zero(), Flags::new(true, false, false))
    } else {
        let (quotient, remainder) = a.word.div_mod(b.word);
        (
            quotient,
            remainder,
            Flags::new(false, quotient.is_zero(), remainder.is_zero()),
        )
    };
    if i.flag0 {
        cx.ex.flags = flags;
    }
    cx.write(i, Value::integer(quotient));
    cx.set_register(i.dst1, Value::integer(remainder));
    Ok(Next::Continue)
}

/// `dst0 := operation(src0, src1)`; EQ on zero, the other flags clear.
#[inline(always)]
pub(super) fn bitwise<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    i: &Instruction,
    operation: impl Fn(U256, U256) -> U256,
) -> Done<H::Error> {
    let (a, b) = cx.operands(i);
    let result = operation(a.word, b.word);
    if i.flag0 {
        cx.ex.flags = Flags::new(false, result.is_zero(), false);
    }
    cx.write(i, Value::integer(result));
    Ok(Next::Continue)
}

/// `a + b mod 2^256`, and whether it is less than the sum. The carries of primitive-types do not compile to the processor's.
#[inline(always)]
fn overflowing_add(a: U256, b: U256) -> (U256, bool) {
    let mut carry = false;
    let limbs = std::array::from_fn(|i| {
        let (sum, first) = a.0[i].overflowing_add(b.0[i]);
        let (sum, second) = sum.overflowing_add(u64::from(carry));
        carry = first | second;
        sum
    });
    (U256(limbs), carry)
}

/// `a - b mod 2^256`, and whether it is more than the difference.
#[inline(always)]
fn overflowing_sub(a: U256, b: U256) -> (U256, bool) {
    let mut borrow = false;
    let limbs = std::array::from_fn(|i| {
        let (difference, first) = a.0[i].overflowing_sub(b.0[i]);
        let (difference, second) = difference.overflowing_sub(u64::from(borrow));
        borrow = first | second;
        difference
    });
    (U256(limbs), borrow)
}

/// Rotates by 0 to 256 bits; a shift of 256 gives zero.
pub(super) fn rotate_left(word: U256, bits: u32) -> U256 {
    word << bits | word >> (256 - bits)
}

#[inline(always)]
fn set_flags<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction, less: bool, equal: bool) {
    if i.flag0 {
        cx.ex.flags = Flags::new(less, equal, !less && !equal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotating_by_nothing_or_a_full_turn_changes_nothing() {
        let word = U256([1, 2, 3, 1 << 63]);
        assert_eq!(rotate_left(word, 0), word);
        assert_eq!(rotate_left(word, 256), word);
        assert_eq!(rotate_left(word, 1), U256([3, 4, 6, 0]));
    }
}

//! Operations on fat pointers. Each needs a tagged first operand and an untagged second one.

use primitive_types::U256;

use crate::decode::Instruction;
use crate::exec::{Cx, Done, Next};
use crate::host::Host;
use crate::observer::Observer;
use crate::outcome::PanicCause;
use crate::value::{FatPointer, Value};

/// `dst0 := pointer src0 with offset + src1`.
#[inline(always)]
pub(super) fn add<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    move_offset(cx, i, u32::checked_add)
}

/// `dst0 := pointer src0 with offset - src1`.
#[inline(always)]
pub(super) fn sub<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    move_offset(cx, i, u32::checked_sub)
}

/// `dst0 := low half of src0, high half of src1`; the low half of src1 must be zero.
#[inline(always)]
pub(super) fn pack<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    execute(cx, i, |pointer, high| {
        if high.low_u128() == 0 {
            Ok(U256([pointer.0[0], pointer.0[1], high.0[2], high.0[3]]))
        } else {
            Err(PanicCause::PackLowBits)
        }
    })
}

/// `dst0 := pointer src0 with length - low 32 bits of src1`.
#[inline(always)]
pub(super) fn shrink<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    execute(cx, i, |word, by| {
        let pointer = FatPointer::from_word(word);
        let length = pointer.length.checked_sub(by.low_u32());
        let length = length.ok_or(PanicCause::ShrinkUnderflow)?;
        Ok(with_pointer(word, FatPointer { length, ..pointer }))
    })
}

#[inline(always)]
fn move_offset<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    i: &Instruction,
    moved: impl Fn(u32, u32) -> Option<u32>,
) -> Done<H::Error> {
    execute(cx, i, |word, by| {
        let by = u32::try_from(by).map_err(|_| PanicCause::PointerOperandTooLarge)?;
        let pointer = FatPointer::from_word(word);
        let offset = moved(pointer.offset, by).ok_or(PanicCause::PointerOffsetOverflow)?;
        Ok(with_pointer(word, FatPointer { offset, ..pointer }))
    })
}

/// Sets dst0 to a pointer made of two words, once their tags are checked. When that fails, only the sources have moved the
/// stack pointer, as in the reference traces; `zk_evm` has addressed dst0 by then, which no program can tell.
#[inline(always)]
fn execute<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    i: &Instruction,
    make: impl Fn(U256, U256) -> Result<U256, PanicCause>,
) -> Done<H::Error> {
    let (pointer, by) = cx.pointer_operands(i);
    let by = cx.plain(by);
    if !pointer.is_pointer {
        return Err(PanicCause::NotAPointer.into());
    }
    if by.is_pointer {
        return Err(PanicCause::PointerPlusPointer.into());
    }
    let value = Value {
        word: make(pointer.word, by.word)?,
        is_pointer: true,
    };
    cx.write(i, value);
    Ok(Next::Continue)
}

fn with_pointer(word: U256, pointer: FatPointer) -> U256 {
    let low = pointer.to_word();
    U256([low.0[0], low.0[1], word.0[2], word.0[3]])
}

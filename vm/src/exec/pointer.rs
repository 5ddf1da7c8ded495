//! Operations on fat pointers. Each needs a tagged first operand and an untagged second one.

use primitive_types::U256;

use crate::decode::Instruction;
use crate::exec::{Cx, Done, Next};
use crate::host::Host;
use crate::observer::Observer;
use crate::outcome::PanicCause;
use crate::value::{FatPointer, Value};

/// `dst0 := pointer src0 with offset + src1`.
pub(super) fn add<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    move_offset(cx, i, u32::checked_add)
}

/// `dst0 := pointer src0 with offset - src1`.
pub(super) fn sub<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    move_offset(cx, i, u32::checked_sub)
}

/// `dst0 := low half of src0, high half of src1`; the low half of src1 must be zero.
pub(super) fn pack<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let (pointer, high) = operands(cx, i)?;
    if high.low_u128() != 0 {
        return Err(PanicCause::PackLowBits.into());
    }
    Ok(finish(
        cx,
        i,
        U256([pointer.0[0], pointer.0[1], high.0[2], high.0[3]]),
    ))
}

/// `dst0 := pointer src0 with length - low 32 bits of src1`.
pub(super) fn shrink<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let (word, by) = operands(cx, i)?;
    let pointer = FatPointer::from_word(word);
    let length = pointer
        .length
        .checked_sub(by.low_u32())
        .ok_or(PanicCause::ShrinkUnderflow)?;
    Ok(finish(
        cx,
        i,
        with_pointer(word, FatPointer { length, ..pointer }),
    ))
}

fn move_offset<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    i: &Instruction,
    moved: impl Fn(u32, u32) -> Option<u32>,
) -> Done<H::Error> {
    let (word, by) = operands(cx, i)?;
    let by = u32::try_from(by).map_err(|_| PanicCause::PointerOperandTooLarge)?;
    let pointer = FatPointer::from_word(word);
    let offset = moved(pointer.offset, by).ok_or(PanicCause::PointerOffsetOverflow)?;
    Ok(finish(
        cx,
        i,
        with_pointer(word, FatPointer { offset, ..pointer }),
    ))
}

/// The pointer and the second operand's word, both checked for their tags.
fn operands<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    i: &Instruction,
) -> Result<(U256, U256), PanicCause> {
    let (pointer, by) = cx.pointer_operands(i);
    let by = cx.plain(by);
    if !pointer.is_pointer {
        return Err(PanicCause::NotAPointer);
    }
    if by.is_pointer {
        return Err(PanicCause::PointerPlusPointer);
    }
    Ok((pointer.word, by.word))
}

fn finish<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction, word: U256) -> Next {
    cx.write(
        i,
        Value {
            word,
            is_pointer: true,
        },
    );
    Next::Continue
}

fn with_pointer(word: U256, pointer: FatPointer) -> U256 {
    let low = pointer.to_word();
    U256([low.0[0], low.0[1], word.0[2], word.0[3]])
}

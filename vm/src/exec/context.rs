//! What a frame can ask about itself, and the kernel's context operations.

use primitive_types::U256;

use crate::decode::Instruction;
use crate::exec::{Cx, Done, Fault, Next};
use crate::host::{Answer, Host};
use crate::observer::Observer;
use crate::value::{Value, word_of};

/// `dst0 := address whose storage this frame works on`.
pub(super) fn this<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    answer(cx, i, word_of(cx.ex.frame.this))
}

/// `dst0 := address of the caller`.
pub(super) fn caller<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    answer(cx, i, word_of(cx.ex.frame.caller))
}

/// `dst0 := address that the code belongs to`.
pub(super) fn code_address<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    answer(cx, i, word_of(cx.ex.frame.code_address))
}

/// `dst0 := ` pubdata counter in bits 0..31 (0 outside kernel mode), heap bound in 64..95, aux heap bound in 96..127;
/// the shard bytes above are 0, since there is one shard.
pub(super) fn meta<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let pubdata = if cx.ex.frame.is_kernel {
        let bytes = cx.host.pubdata().map_err(Fault::outside)?;
        cx.observer.answered(&Answer::Pubdata { bytes });
        bytes as u32
    } else {
        0
    };
    let frame = &cx.ex.frame;
    let bounds = u64::from(frame.heap_bound) | u64::from(frame.aux_heap_bound) << 32;
    answer(cx, i, U256([u64::from(pubdata), bounds, 0, 0]))
}

/// `dst0 := ergs left in this frame`.
pub(super) fn ergs_left<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    answer(cx, i, cx.ex.frame.ergs.into())
}

/// `dst0 := stack pointer`.
pub(super) fn sp<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    answer(cx, i, cx.ex.frame.sp.into())
}

/// `dst0 := the 128-bit value of this frame`.
pub(super) fn get_u128<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    answer(cx, i, cx.ex.frame.context.into())
}

/// Sets the value that the next far call carries to the low 128 bits of src0.
pub(super) fn set_u128<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    cx.ex.context_register = cx.register(i.src0).word.low_u128();
    Ok(Next::Continue)
}

/// Starts the next transaction.
pub(super) fn increment_tx_number<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>) -> Done<H::Error> {
    cx.ex.tx_number = cx.ex.tx_number.wrapping_add(1);
    cx.host.next_transaction(cx.observer);
    Ok(Next::Continue)
}

fn answer<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction, word: U256) -> Done<H::Error> {
    cx.set_register(i.dst0, Value::integer(word));
    Ok(Next::Continue)
}

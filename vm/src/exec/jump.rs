//! Jumps.

use crate::decode::Instruction;
use crate::exec::{Cx, Done, Next};
use crate::host::Host;
use crate::observer::Observer;
use crate::value::Value;

/// `pc := low 16 bits of src0`; `dst0 := pc` of the next instruction.
#[inline(always)]
pub(super) fn jump<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let target = cx.source(i);
    let target = cx.plain(target).word.0[0] as u16;
    let after = cx.ex.frame.pc;
    cx.ex.frame.pc = target;
    cx.set_register(i.dst0, Value::from(u64::from(after)));
    Ok(Next::Jump(target))
}

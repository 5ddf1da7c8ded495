//! Calls within a contract.

use crate::decode::Instruction;
use crate::exec::{Cx, Done, Next};
use crate::flags::Flags;
use crate::host::Host;
use crate::isa;
use crate::observer::Observer;

/// Enters a near frame at imm0 with the low 32 bits of src0 as ergs (0, or more than there are: all); imm1 is where
/// this frame goes on when the new one fails.
#[inline(always)]
pub(super) fn near_call<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let wanted = cx.register(i.src0).word.low_u32();
    cx.ex.flags = Flags::none();
    let frame = &mut cx.ex.frame;
    let passed = if wanted == 0 {
        frame.ergs
    } else {
        wanted.min(frame.ergs)
    };
    frame.ergs -= passed;
    cx.host.enter_frame();
    cx.observer.frame_entering(cx.ex, true);
    let entered_at = cx.ex.steps;
    let frame = &mut cx.ex.frame;
    frame.waiting.push(frame.current());
    frame.pc = i.imm0;
    frame.exception_handler = i.imm1;
    frame.ergs = passed;
    frame.entered_at = entered_at;
    cx.ex.depth += 1;
    cx.observer.frame_entered(cx.ex, true);
    if cx.ex.depth >= isa::MAX_DEPTH {
        return Ok(Next::OtherFrame);
    }
    Ok(Next::Jump(i.imm0))
}

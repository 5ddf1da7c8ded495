//! Returns from near and far frames: ok, revert, panic.
//!
//! Rules of the return ABI: `matter-labs/zksync-protocol` `crates/zk_evm/src/opcodes/execution/ret.rs` (0.153.8).

use crate::decode::Instruction;
use crate::exec::{Cx, Done, Next};
use crate::flags::Flags;
use crate::frame::Frame;
use crate::host::Host;
use crate::isa;
use crate::observer::{FrameEnd, Observer};
use crate::outcome::{End, PanicCause, RetKind};
use crate::page_ids::{PageNumbering, aux_heap_page, heap_page};
use crate::value::{FatPointer, Forwarding, Value};

/// Leaves the current frame with src0 as returndata, unless it breaks a rule: then with a panic.
#[inline(always)]
pub(super) fn ret<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    i: &Instruction,
    kind: RetKind,
) -> Done<H::Error> {
    if cx.ex.frame.is_near() {
        return Ok(leave_near(cx, kind, None, i.flag0.then_some(i.imm0)));
    }
    Ok(ret_far(cx, i, kind))
}

#[inline(never)]
fn ret_far<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction, kind: RetKind) -> Next {
    let abi = cx.pointer_register(i.src0);
    match returndata(cx, abi) {
        Ok(pointer) => leave_far(cx, kind, None, Value::pointer(pointer)),
        Err(cause) => leave_far(cx, RetKind::Panic, Some(cause), Value::ZERO),
    }
}

/// Leaves the current frame with a panic. A near frame's label counts; a far frame's operand only in revisions that let
/// it pay for returndata past the end of memory.
pub(super) fn explicit_panic<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, i: &Instruction) -> Done<H::Error> {
    let label = i.flag0.then_some(i.imm0);
    if cx.ex.settings.revision.explicit_panic_pays_overflow() && !cx.ex.frame.is_near() {
        let abi = cx.pointer_register(i.src0).word;
        let pointer = FatPointer::from_word(abi);
        if pointer.start.checked_add(pointer.length).is_none()
            && let Some((_, bound)) = own_memory(cx, Forwarding::of_abi(abi))
        {
            cx.charge(u32::MAX - bound);
        }
    }
    Ok(panic(cx, PanicCause::Explicit, label))
}

/// Leaves the current frame with a panic.
#[cold]
pub(crate) fn panic<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    cause: PanicCause,
    label: Option<u16>,
) -> Next {
    if cx.ex.frame.is_near() {
        leave_near(cx, RetKind::Panic, Some(cause), label)
    } else {
        leave_far(cx, RetKind::Panic, Some(cause), Value::ZERO)
    }
}

/// Leaves a near frame: its ergs go back, its changes are undone when it failed, its caller goes on after the call, at
/// the label, or at the handler.
#[inline(always)]
fn leave_near<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    kind: RetKind,
    cause: Option<PanicCause>,
    label: Option<u16>,
) -> Next {
    let (ergs_returned, exception_handler) = end(cx, kind, cause, kind.undoes());
    let frame = &mut cx.ex.frame;
    let caller = frame.waiting.pop().expect("a near frame has a caller");
    frame.set_current(caller);
    frame.waited = frame.waited.min(frame.waiting.len() as u32);
    let was_full = cx.ex.depth >= isa::MAX_DEPTH;
    resume(cx, ergs_returned, kind, exception_handler, label);
    if was_full {
        Next::OtherFrame
    } else {
        Next::Jump(cx.ex.frame.pc)
    }
}

/// Leaves a far frame: as a near one, but that its caller gets returndata, and clean registers.
fn leave_far<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    kind: RetKind,
    cause: Option<PanicCause>,
    returndata: Value,
) -> Next {
    // What the root frame did is the operator's to take back.
    let undoes = kind.undoes() && !cx.ex.callers.is_empty();
    let (ergs_returned, exception_handler) = end(cx, kind, cause, undoes);
    let Some(caller) = cx.ex.callers.pop() else {
        cx.ex.ended = Some(root_end(cx, kind, cause, returndata));
        return Next::End;
    };
    let finished = std::mem::replace(&mut cx.ex.frame, caller);
    bury(cx, finished, FatPointer::from_word(returndata.word).page);
    cx.set_register(
        1,
        Value {
            word: returndata.word,
            is_pointer: true,
        },
    );
    cx.ex.clear_registers(2, cx.observer);
    cx.ex.context_register = 0;
    resume(cx, ergs_returned, kind, exception_handler, None);
    Next::OtherFrame
}

/// What the end of any frame brings about. Ergs and exception handler for [`resume`].
#[inline(always)]
fn end<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    kind: RetKind,
    cause: Option<PanicCause>,
    undoes: bool,
) -> (u32, u16) {
    let ergs_returned = cx.ex.frame.ergs;
    let end = FrameEnd {
        kind,
        cause,
        is_near: cx.ex.frame.is_near(),
        ergs_returned,
    };
    cx.observer.frame_leaving(cx.ex, end);
    cx.host.leave_frame(undoes, cx.observer);
    cx.ex.flags = Flags::new(kind == RetKind::Panic, false, false);
    (ergs_returned, cx.ex.frame.exception_handler)
}

/// Lets the caller of the frame that just ended go on.
#[inline(always)]
fn resume<H: Host, O: Observer>(
    cx: &mut Cx<'_, H, O>,
    ergs: u32,
    kind: RetKind,
    exception_handler: u16,
    label: Option<u16>,
) {
    cx.ex.depth -= 1;
    let frame = &mut cx.ex.frame;
    frame.ergs += ergs;
    if let Some(label) = label {
        frame.pc = label;
    } else if kind.undoes() {
        frame.pc = exception_handler;
    }
}

/// Ends the life of a far frame's memories: its own and those that its callees returned to it, but for the returned
/// one, which lives on until the caller ends. `CodeOracle` keeps all where decommits may point into them.
///
/// Source: `matter-labs/zksync-era` `core/lib/multivm/src/versions/vm_latest/old_vm/memory.rs`.
fn bury<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, finished: Frame, returndata_page: u32) {
    let pages = cx.ex.settings.revision.pages();
    if pages == PageNumbering::ByFrame && finished.is_code_oracle() {
        return;
    }
    let own = [heap_page(finished.base_page), aux_heap_page(finished.base_page)];
    for page in own.into_iter().chain(finished.kept_pages.iter()) {
        // An older page belongs to a frame below.
        if page >= pages.first_of(finished.base_page) && page != returndata_page {
            cx.ex.remove_memory(page, cx.observer);
        }
    }
    cx.ex.leftovers.take(finished);
    if returndata_page >= pages.first_of(cx.ex.frame.base_page) {
        cx.ex.frame.kept_pages.push(returndata_page);
    }
}

fn root_end<H: Host, O: Observer>(
    cx: &Cx<'_, H, O>,
    kind: RetKind,
    cause: Option<PanicCause>,
    returndata: Value,
) -> End {
    let output = || cx.ex.read_pointer(FatPointer::from_word(returndata.word));
    match kind {
        RetKind::Ok => End::Finished(output()),
        RetKind::Revert => End::Reverted(output()),
        RetKind::Panic => End::Panicked(cause.expect("a panic has a cause")),
    }
}

/// The pointer that the caller gets, after the growth of the own heap is paid.
fn returndata<H: Host, O: Observer>(cx: &mut Cx<'_, H, O>, abi: Value) -> Result<FatPointer, PanicCause> {
    let frame = &cx.ex.frame;
    let first_own_page = cx.ex.settings.revision.pages().first_of(frame.base_page);
    let pointer = FatPointer::from_word(abi.word);
    let mode = Forwarding::of_abi(abi.word);
    let overflows = pointer.start.checked_add(pointer.length).is_none();
    let checked = if mode == Forwarding::Pointer {
        if !abi.is_pointer {
            Err(PanicCause::RetPointerExpected)
        } else if pointer.page < first_own_page && !frame.is_kernel {
            Err(PanicCause::RetForeignPointer)
        } else if overflows || pointer.offset > pointer.length {
            Err(PanicCause::RetMalformedPointer)
        } else {
            Ok(pointer.narrowed())
        }
    } else if abi.is_pointer {
        Err(PanicCause::RetPointerUnexpected)
    } else if overflows || pointer.offset != 0 {
        Err(PanicCause::RetMalformedPointer)
    } else {
        Ok(pointer)
    };
    let Some((page, bound)) = own_memory(cx, mode) else {
        return checked;
    };
    // A pointer past the end of memory is charged as if memory grew to its end.
    let end = match checked {
        _ if overflows => u32::MAX,
        Ok(pointer) => pointer.start + pointer.length,
        Err(_) => 0,
    };
    let paid = cx.charge(end.saturating_sub(bound));
    let pointer = checked?;
    if paid {
        Ok(FatPointer { page, ..pointer })
    } else {
        Err(PanicCause::RetUnpaidGrowth)
    }
}

/// Page and bound of the frame's memory that a return hands over; `None` when it hands over a pointer.
fn own_memory<H: Host, O: Observer>(cx: &Cx<'_, H, O>, mode: Forwarding) -> Option<(u32, u32)> {
    let frame = &cx.ex.frame;
    match mode {
        Forwarding::Pointer => None,
        Forwarding::Heap => Some((heap_page(frame.base_page), frame.heap_bound)),
        Forwarding::AuxHeap => Some((aux_heap_page(frame.base_page), frame.aux_heap_bound)),
    }
}

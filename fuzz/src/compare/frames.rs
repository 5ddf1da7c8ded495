//! Call stack and memories.

use eradbg_vm::heap::PAGE_BYTES;
use eradbg_vm::page_ids::{aux_heap_page, heap_page};
use eradbg_vm::{Execution, frame::Frame, frame::NearFrame};
use zksync_vm2::interface::{CallframeInterface, StateInterface};

use crate::compare::{Comparison, memory_word, same};
use crate::pages::Pages;
use crate::peer::Peer;

/// Bytes at the start of each memory that are compared even if nothing was written there.
const START_BYTES: u32 = 1024;

/// Compares the `count` innermost near and far frames.
pub(super) fn innermost(execution: &Execution, peer: &mut Peer, pages: &Pages, count: usize) -> Comparison {
    let far_frames = execution.frames().rev();
    let near_frames = far_frames.flat_map(|frame| {
        let current = std::iter::once((frame, frame.current(), !frame.waiting.is_empty()));
        let waiting = frame.waiting.iter().enumerate().rev();
        current.chain(waiting.map(move |(index, &near)| (frame, near, index > 0)))
    });
    for (index, (frame, near, is_near)) in near_frames.take(count).enumerate() {
        compare(execution, peer, pages, index, frame, near, is_near)?;
    }
    Ok(())
}

/// Compares all frames.
///
/// # Errors
/// The first difference.
pub fn all_frames(execution: &Execution, peer: &mut Peer, pages: &Pages) -> Comparison {
    innermost(execution, peer, pages, usize::MAX)
}

/// Compares the code of the far frame that was just entered.
pub(super) fn code(execution: &Execution, peer: &mut Peer) -> Comparison {
    let theirs = peer.vm.current_frame();
    let words = execution.frame().program.words();
    (0..)
        .zip(words)
        .try_for_each(|(index, &word)| same("code", word, theirs.read_contract_code(index)))
}

/// Compares heap and aux heap of the running far frame, and the memories that callees returned to it.
///
/// # Errors
/// The first difference.
pub fn own_memories(execution: &Execution, peer: &mut Peer, pages: &Pages) -> Comparison {
    let frame = execution.frame();
    let own = [heap_page(frame.base_page), aux_heap_page(frame.base_page)];
    for page in own.into_iter().chain(frame.kept_pages.iter()) {
        let Some(heap) = execution.heaps().get(page) else {
            continue;
        };
        let size = PAGE_BYTES as u32;
        let written = heap.pages().pages().map(|(index, _)| index * size);
        let parts = std::iter::once((0, START_BYTES)).chain(written.map(|start| (start, size)));
        for (start, length) in parts {
            for offset in (start..start + length).step_by(32) {
                memory_word(execution, peer, pages, page, offset)?;
            }
        }
    }
    Ok(())
}

fn compare(
    execution: &Execution,
    peer: &mut Peer,
    pages: &Pages,
    index: usize,
    frame: &Frame,
    near: NearFrame,
    is_near: bool,
) -> Comparison {
    let theirs = peer.vm.callframe(index);
    let at = |field: &str| {
        if index == 0 {
            field.to_owned()
        } else {
            format!("{field} of frame {index} from the top")
        }
    };
    let check = |field: &str, ours: u32, theirs: u32| {
        if ours == theirs {
            Ok(())
        } else {
            same(&at(field), ours, theirs)
        }
    };
    check("ergs", near.ergs, theirs.gas())?;
    check("sp", near.sp.into(), theirs.stack_pointer().into())?;
    check(
        "exception handler",
        near.exception_handler.into(),
        theirs.exception_handler().into(),
    )?;
    check("near frame", is_near.into(), theirs.is_near_call().into())?;
    check("static", frame.is_static.into(), theirs.is_static().into())?;
    check("kernel", frame.is_kernel.into(), theirs.is_kernel().into())?;
    check("heap bound", frame.heap_bound, theirs.heap_bound())?;
    check("aux heap bound", frame.aux_heap_bound, theirs.aux_heap_bound())?;
    let pc = expected_pc(execution, frame, near, index);
    // A program of 2^16 instructions has no place outside, but one behind its end that is the start.
    let is_start = pc == Some(0) && frame.program.instructions() == 1 << 16;
    let their_pc = theirs.program_counter().or(is_start.then_some(0));
    if pc != their_pc {
        same(&at("pc"), pc, their_pc)?;
    }
    if frame.this != theirs.address() || frame.code_address != theirs.code_address() {
        same(&at("this"), frame.this, theirs.address())?;
        same(&at("code address"), frame.code_address, theirs.code_address())?;
    }
    if frame.caller != theirs.caller() || frame.context != theirs.context_u128() {
        same(&at("caller"), frame.caller, theirs.caller())?;
        same(&at("context"), frame.context, theirs.context_u128())?;
    }
    check(
        "heap",
        heap_page(frame.base_page),
        pages.ours(theirs.heap().as_u32()).unwrap_or(u32::MAX),
    )?;
    check(
        "aux heap",
        aux_heap_page(frame.base_page),
        pages.ours(theirs.aux_heap().as_u32()).unwrap_or(u32::MAX),
    )
}

/// The peer has no program counter behind the end of the code, nor while an instruction's panic is pending.
fn expected_pc(execution: &Execution, frame: &Frame, near: NearFrame, index: usize) -> Option<u16> {
    let is_pending = index == 0 && execution.pending_panic().is_some();
    if is_pending {
        // A far call that failed gave its frame one instruction: the panic.
        return frame.program.words().is_empty().then_some(0);
    }
    let length = frame.program.instructions();
    (usize::from(near.pc) <= length).then_some(near.pc)
}

//! What both machines must agree on after a step.

mod frames;
mod state;

use std::fmt::Debug;

use eradbg_vm::outcome::{End, Stop};
use eradbg_vm::{EraVm, Execution, Value};
use zksync_vm2::ExecutionEnd;
use zksync_vm2::interface::{CallframeInterface, StateInterface};

use crate::pages::Pages;
use crate::peer::Peer;
use crate::trace::Trace;

pub use frames::{all_frames, own_memories};
pub use state::all_state;

/// Stack slots on both sides of the stack pointer, and at the bottom, that are compared when a frame ends.
const NEAR_SP: u16 = 64;

/// Something in which the machines differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What.
    pub field: String,
    /// What our machine has.
    pub ours: String,
    /// What the peer has.
    pub peer: String,
}

/// No difference, or the first one.
pub type Comparison = Result<(), Mismatch>;

/// Compares all that a step can change.
///
/// # Errors
/// The first difference.
pub fn after_step(ours: &EraVm, peer: &mut Peer, pages: &Pages, trace: &Trace) -> Comparison {
    let execution = &ours.execution;
    registers(execution, peer, pages)?;
    let flags = peer.vm.flags();
    let theirs = [flags.less_than, flags.equal, flags.greater];
    let f = execution.flags();
    same("flags (lt, eq, gt)", [f.less(), f.equal(), f.greater()], theirs)?;
    same(
        "context register",
        execution.context_register(),
        peer.vm.context_u128_register(),
    )?;
    same("tx number", execution.tx_number(), peer.vm.transaction_number())?;
    same("pubdata", ours.state.pubdata(), peer.vm.pubdata())?;
    same(
        "frames",
        execution.depth() as usize,
        peer.vm.number_of_callframes(),
    )?;
    let frames_changed = trace.entered_near.is_some() || trace.left.is_some();
    frames::innermost(execution, peer, pages, if frames_changed { 3 } else { 1 })?;
    if trace.entered_far() {
        frames::code(execution, peer)?;
    }
    // After a return the slots and words of the step are those of a frame that is gone.
    if trace.left.is_none() {
        for &slot in &trace.stack {
            stack_slot(execution, peer, pages, slot)?;
        }
        for &(page, offset) in &trace.memory {
            memory_word(execution, peer, pages, page, offset)?;
        }
    }
    if trace.state_changed || trace.left.is_some() {
        state::changed(&ours.state, peer)?;
    }
    Ok(())
}

/// Compares how a step stopped the machines.
///
/// # Errors
/// When they did not stop alike.
pub fn stops(ours: &Stop, peer: Option<&ExecutionEnd>) -> Comparison {
    let expected = match ours {
        Stop::StepLimit | Stop::Cancelled => None,
        Stop::Hook(hook) => Some(ExecutionEnd::SuspendedOnHook(*hook)),
        Stop::Ended(End::Finished(output)) => Some(ExecutionEnd::ProgramFinished(output.clone())),
        Stop::Ended(End::Reverted(output)) => Some(ExecutionEnd::Reverted(output.clone())),
        Stop::Ended(End::Panicked(_)) => Some(ExecutionEnd::Panicked),
    };
    same("end", expected.as_ref(), peer)
}

/// The whole stack of the running far frame, or the parts of it that are likely to have been written.
///
/// # Errors
/// The first difference.
pub fn stack(execution: &Execution, peer: &mut Peer, pages: &Pages, whole: bool) -> Comparison {
    if whole {
        return (0..=u16::MAX).try_for_each(|slot| stack_slot(execution, peer, pages, slot));
    }
    let sp = execution.frame().sp;
    let near = (0..=2 * NEAR_SP).map(|distance| sp.wrapping_add(distance).wrapping_sub(NEAR_SP));
    let written = execution.frame().stack.pages().pages();
    let written = written.flat_map(|(index, _)| (0..32).map(move |at| index as u16 * 32 + at));
    let slots: Vec<u16> = (0..NEAR_SP).chain(near).chain(written).collect();
    slots
        .into_iter()
        .try_for_each(|slot| stack_slot(execution, peer, pages, slot))
}

fn registers(execution: &Execution, peer: &Peer, pages: &Pages) -> Comparison {
    for index in 0..16 {
        let (word, is_pointer) = peer.vm.read_register(index);
        let (ours, theirs) = (execution.register(index), Value { word, is_pointer });
        if !equal(ours, theirs, pages) {
            return differ(&format!("r{index}"), ours, theirs, pages);
        }
    }
    Ok(())
}

fn stack_slot(execution: &Execution, peer: &mut Peer, pages: &Pages, slot: u16) -> Comparison {
    let (word, is_pointer) = peer.vm.current_frame().read_stack(slot);
    let (ours, theirs) = (execution.frame().stack.read(slot), Value { word, is_pointer });
    if equal(ours, theirs, pages) {
        Ok(())
    } else {
        differ(&format!("stack[{slot}]"), ours, theirs, pages)
    }
}

fn memory_word(execution: &Execution, peer: &Peer, pages: &Pages, page: u32, offset: u32) -> Comparison {
    let ours = execution.heaps().get(page).map(|heap| heap.read_word(offset));
    let theirs = pages.peer(page).map(|heap| peer.memory(heap, offset));
    if ours.unwrap_or_default() == theirs.unwrap_or_default() && theirs.is_some() {
        return Ok(());
    }
    same(&format!("page {page}, offset {offset}"), ours, theirs)
}

fn equal(ours: Value, theirs: Value, pages: &Pages) -> bool {
    if ours.is_pointer && theirs.is_pointer {
        pages.pointer_to_ours(theirs.word) == Some(ours.word)
    } else {
        ours == theirs
    }
}

#[cold]
fn differ(field: &str, ours: Value, theirs: Value, pages: &Pages) -> Comparison {
    let show = |value: Value| format!("{}{:#x}", if value.is_pointer { "*" } else { "" }, value.word);
    let renamed = Value {
        word: pages
            .pointer_to_ours(theirs.word)
            .filter(|_| theirs.is_pointer)
            .unwrap_or(theirs.word),
        ..theirs
    };
    Err(Mismatch {
        field: field.to_owned(),
        ours: show(ours),
        peer: show(renamed),
    })
}

/// Compares two values of one kind.
#[expect(clippy::needless_pass_by_value, reason = "both are made for this call")]
fn same<T: PartialEq + Debug>(field: &str, ours: T, peer: T) -> Comparison {
    if ours == peer {
        return Ok(());
    }
    Err(Mismatch {
        field: field.to_owned(),
        ours: format!("{ours:x?}"),
        peer: format!("{peer:x?}"),
    })
}

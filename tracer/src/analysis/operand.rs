//! What an instruction was given, and who wrote that.

use std::sync::atomic::AtomicBool;

use eradbg_vm::isa::Source;
use eradbg_vm::{Execution, Instruction, PanicCause, Value};
use serde::Serialize;

use crate::error::Result;
use crate::query::{Found, Origin, Place, PlacePattern};
use crate::recording::Recording;

/// An operand of an instruction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operand {
    /// Where it stands: a register, a stack slot, a constant.
    pub place: String,
    /// Its word.
    pub value: String,
    /// Whether it is tagged as a fat pointer.
    pub is_pointer: bool,
    /// The step that gave it this value; `None` for a constant, and where no step did.
    pub written_at: Option<u64>,
}

/// Which of its operands breaks an instruction's rule, counted from 0; `None` when it is none of them.
pub(super) const fn blamed(cause: PanicCause) -> Option<usize> {
    match cause {
        PanicCause::NotAPointer
        | PanicCause::HeapOffsetTooLarge
        | PanicCause::UnpaidGrowth
        | PanicCause::CallPointerExpected
        | PanicCause::CallPointerUnexpected
        | PanicCause::CallMalformedPointer
        | PanicCause::CallUnpaidGrowth
        | PanicCause::RetPointerExpected
        | PanicCause::RetPointerUnexpected
        | PanicCause::RetForeignPointer
        | PanicCause::RetMalformedPointer
        | PanicCause::RetUnpaidGrowth => Some(0),
        PanicCause::PointerPlusPointer
        | PanicCause::PointerOperandTooLarge
        | PanicCause::PointerOffsetOverflow
        | PanicCause::PackLowBits
        | PanicCause::ShrinkUnderflow
        | PanicCause::CallInvalidCode
        | PanicCause::CallUnderConstruction => Some(1),
        PanicCause::Explicit
        | PanicCause::InvalidOpcode
        | PanicCause::OutOfErgs
        | PanicCause::KernelOnly
        | PanicCause::StaticViolation
        | PanicCause::CallStackFull
        | PanicCause::CallUnreachableShard
        | PanicCause::CallUnpaidDecommit
        | PanicCause::CallUnpaidExtra => None,
    }
}

/// An operand of the instruction that is about to execute, with its last writer.
///
/// # Errors
/// When a chunk on the way to the writer is damaged.
pub(super) fn operand(
    recording: &Recording,
    execution: &Execution,
    instruction: &Instruction,
    index: usize,
) -> Result<Operand> {
    let swaps = instruction.flag1 && !instruction.opcode.is_far_call();
    let (place, value) = if (index == 0) == swaps {
        register(execution, instruction.src1)
    } else {
        source(execution, instruction)
    };
    let writer = match &place {
        None => None,
        Some(place) => {
            let never = AtomicBool::new(false);
            let step = execution.steps();
            match Origin::LastWrite.find(recording, step, &PlacePattern::of(place), &never, &mut |_| {})? {
                Found::Hit(hit) => Some(hit.step),
                Found::Nothing | Found::Stopped => None,
            }
        }
    };
    Ok(Operand {
        place: place.map_or_else(|| "constant".to_owned(), |place| place.to_string()),
        value: format!("{:#x}", value.word),
        is_pointer: value.is_pointer,
        written_at: writer,
    })
}

/// A register, as an operand; r0 has no place.
pub(super) fn register(execution: &Execution, index: u8) -> (Option<Place>, Value) {
    (
        (index != 0).then_some(Place::Register(index)),
        execution.register(index),
    )
}

/// The first operand; a constant has no place.
pub(super) fn source(execution: &Execution, instruction: &Instruction) -> (Option<Place>, Value) {
    let frame = execution.frame();
    let address = (execution.register(instruction.src0).word.low_u64() as u16).wrapping_add(instruction.imm0);
    let slot = match instruction.source {
        Source::Register => return register(execution, instruction.src0),
        Source::Immediate => return (None, Value::from(u64::from(instruction.imm0))),
        Source::Code => return (None, Value::integer(frame.program.word(address))),
        Source::StackPop | Source::StackRelative => frame.sp.wrapping_sub(address),
        Source::StackAbsolute => address,
    };
    let place = Place::Stack {
        frame: frame.far_entered_at(),
        slot,
    };
    (Some(place), frame.stack.read(slot))
}

//! What made the innermost frame fail.

use eradbg_vm::disasm::disassemble;
use eradbg_vm::{Execution, Opcode, PanicCause};
use serde::Serialize;

use super::Told;
use crate::analysis::before;
use crate::analysis::frames::Exit;
use crate::analysis::operand::{self, Operand};
use crate::analysis::unpaid::Unpaid;
use crate::error::Result;
use crate::numbers::grouped;

/// What made a frame fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The step that could not be done, or that reverted.
    pub step: u64,
    /// Address of the code.
    pub address: String,
    /// Program counter.
    pub pc: u16,
    /// The instruction.
    pub instruction: String,
    /// Short name: `revert`, that of the panic, or `pubdata_unpaid`.
    pub name: &'static str,
    /// What happened.
    pub text: String,
    /// The operand that broke the rule.
    pub operand: Option<Operand>,
}

impl Cause {
    /// The cause where the instruction only gives up what pubdata made too dear.
    pub(super) fn for_pubdata(self, unpaid: &Unpaid) -> Self {
        Self {
            name: "pubdata_unpaid",
            text: unpaid.text(),
            operand: None,
            ..self
        }
    }
}

impl Told<'_> {
    /// What made a frame fail that left so.
    pub(super) fn cause(&self, exit: Exit) -> Result<Cause> {
        let mut execution = before(self.recording, exit.step)?;
        let mut step = exit.step;
        // The panic of an instruction is a step of its own.
        if execution.pending_panic().is_some() && step > 0 {
            step -= 1;
            execution = before(self.recording, step)?;
        }
        let instruction = execution.next_instruction();
        let (name, text) = match exit.cause {
            Some(cause) => (cause.name(), told_cause(cause, &execution)),
            None => ("revert", "The contract reverted".to_owned()),
        };
        let blamed = exit.cause.and_then(operand::blamed);
        let operand = blamed.map(|index| operand::operand(self.recording, &execution, &instruction, index));
        Ok(Cause {
            step,
            address: self.recording.address_text(execution.frame().code_address),
            pc: execution.frame().pc,
            instruction: disassemble(&instruction),
            name,
            text,
            operand: operand.transpose()?,
        })
    }
}

/// What a panic's cause is, with the numbers that it is about.
fn told_cause(cause: PanicCause, execution: &Execution) -> String {
    let what = cause.description();
    let (instruction, frame) = (execution.next_instruction(), execution.frame());
    match cause {
        PanicCause::OutOfErgs => {
            let (price, left) = (grouped(instruction.ergs), grouped(frame.ergs));
            format!("{what}: it costs {price}, and {left} are left")
        }
        PanicCause::UnpaidGrowth => {
            let is_aux = matches!(instruction.opcode, Opcode::AuxHeapRead | Opcode::AuxHeapWrite);
            let bound = if is_aux {
                frame.aux_heap_bound
            } else {
                frame.heap_bound
            };
            let (_, address) = operand::source(execution, &instruction);
            let end = address.word.low_u64().saturating_add(32);
            let left = frame.ergs.saturating_sub(instruction.ergs);
            format!(
                "{what} from {} to {} bytes: it costs {}, and {} are left",
                grouped(bound),
                grouped(end),
                grouped(end.saturating_sub(bound.into())),
                grouped(left)
            )
        }
        _ => what.to_owned(),
    }
}

//! Rows about far calls and failures, gathered from what an observer is told.

use eradbg_vm::Execution;
use eradbg_vm::observer::FrameEnd;
use eradbg_vm::outcome::RetKind;

use crate::ledger::{Block, CallRow, FailureRow};

/// Rows of a chunk about its frames: when it is recorded, and again when it is checked.
#[derive(Debug, Default)]
pub struct FrameRows {
    /// Far frames that were entered or left.
    pub calls: Block<CallRow>,
    /// Frames that failed.
    pub failures: Block<FailureRow>,
}

impl FrameRows {
    /// A step entered the frame that runs now.
    pub fn entered(&mut self, step: u64, execution: &Execution, is_near: bool) {
        if is_near {
            return;
        }
        let frame = execution.frame();
        let row = CallRow::Entered {
            kind: frame.kind,
            this: frame.this,
            code_address: frame.code_address,
            ergs: frame.ergs,
            depth: execution.depth(),
        };
        self.calls.push(step, row);
    }

    /// A step is about to leave the frame that runs.
    pub fn leaving(&mut self, step: u64, execution: &Execution, end: FrameEnd) {
        let frame = execution.frame();
        let entered_at = frame.entered_at;
        if !end.is_near {
            let row = CallRow::Left {
                entered_at,
                kind: end.kind,
                ergs: end.ergs_returned,
                depth: execution.depth(),
            };
            self.calls.push(step, row);
        }
        if end.kind != RetKind::Ok {
            let row = FailureRow {
                step,
                entered_at,
                is_near: end.is_near,
                kind: end.kind,
                cause: end.cause,
                address: frame.this,
            };
            self.failures.push(step, row);
        }
    }

    /// Drops the rows from a step on.
    pub fn cut(&mut self, step: u64) {
        self.calls.cut(step);
        self.failures.cut(step);
    }
}

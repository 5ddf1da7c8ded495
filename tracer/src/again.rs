//! What a chunk does, gathered once more while it is replayed: for the check, and for an index that has to be made again.
//!
//! One observer for both: the machine is compiled anew for each.

use eradbg_vm::observer::{FrameEnd, Question, Step};
use eradbg_vm::{Execution, Observer};

use crate::index::ExecutedCode;
use crate::ledger::Rows;

/// What a step does to the chain's state.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Deed {
    /// It asks for something, or changes it.
    Asks(Question),
    /// It enters a frame.
    Enters,
    /// It leaves a frame, and what the frame did is undone or not.
    Leaves(bool),
}

/// Gathers what a chunk does while it is replayed.
#[derive(Debug, Default)]
pub(crate) struct Again {
    step: u64,
    /// Rows about calls and failures.
    pub(crate) rows: Rows,
    /// What it executes.
    pub(crate) code: ExecutedCode,
    /// What it does to the chain's state, each with its step.
    pub(crate) deeds: Vec<(u64, Deed)>,
}

impl Observer for Again {
    const WATCHES: bool = false;

    fn code_runs(&mut self, execution: &Execution) {
        self.code.runs(execution.frame());
    }

    #[inline]
    fn ran(&mut self, end: u16, next: u16) {
        self.code.ran(end, next);
    }

    #[inline]
    fn before_step(&mut self, execution: &Execution, _step: Step<'_>) {
        self.step = execution.steps();
    }

    #[inline(never)]
    fn asked(&mut self, question: Question) {
        self.deeds.push((self.step, Deed::Asks(question)));
    }

    #[inline(never)]
    fn frame_entered(&mut self, execution: &Execution, is_near: bool) {
        self.deeds.push((self.step, Deed::Enters));
        self.rows.entered(self.step, execution, is_near);
        self.code.entered(execution);
    }

    #[inline(never)]
    fn frame_leaving(&mut self, execution: &Execution, end: FrameEnd) {
        // What the root frame did is the operator's to take back.
        let is_root = !end.is_near && execution.callers().is_empty();
        let undoes = end.kind.undoes() && !is_root;
        self.deeds.push((self.step, Deed::Leaves(undoes)));
        self.rows.leaving(self.step, execution, end);
        self.code.leaving(execution);
    }
}

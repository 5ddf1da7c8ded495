//! Both machines on one case, one instruction at a time.

use std::sync::Arc;

use eradbg_vm::outcome::{End, Stop};
use eradbg_vm::page_ids::{aux_heap_page, heap_page};
use eradbg_vm::{EraVm, Program, U256};
use zksync_vm2::interface::{CallframeInterface, StateInterface};

use crate::before::Before;
use crate::case::{Case, Chain};
use crate::compare::{self, Comparison, Mismatch};
use crate::exclusions::{self, Exclusion};
use crate::pages::Pages;
use crate::peer::Peer;
use crate::repairs;
use crate::statistics::Statistics;
use crate::trace::Trace;
use crate::translate;

/// The whole stack is compared in one of so many cases; 65,536 slots take a while.
const WHOLE_STACKS: u64 = 64;

/// Both machines.
#[derive(Debug)]
pub struct Lockstep {
    /// Our machine.
    pub ours: EraVm,
    /// The official one.
    pub peer: Peer,
    chain: Arc<Chain>,
    pages: Pages,
    trace: Trace,
    whole_stacks: bool,
    max_steps: u64,
    /// Words of the last instructions, newest last, for a report.
    history: Vec<Executed>,
}

/// An instruction as it came up.
#[derive(Debug, Clone, Copy)]
pub struct Executed {
    /// The step.
    pub step: u64,
    /// Frames.
    pub depth: u32,
    /// Program counter; `None` for the panic of the instruction before.
    pub pc: Option<u16>,
    /// The instruction word.
    pub word: u64,
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The root frame ended, in both machines alike.
    Ended(End),
    /// The case has had its steps.
    StepLimit,
    /// The peer is known to deviate here.
    Excluded(Exclusion),
    /// The machines differ.
    Differs(Mismatch),
}

/// Why a case goes no further.
struct Halt(Verdict);

impl From<Mismatch> for Halt {
    fn from(mismatch: Mismatch) -> Self {
        Self(Verdict::Differs(mismatch))
    }
}

impl From<Exclusion> for Halt {
    fn from(exclusion: Exclusion) -> Self {
        Self(Verdict::Excluded(exclusion))
    }
}

impl Lockstep {
    /// Both machines at the start of a case.
    pub fn new(case: &Case) -> Self {
        let chain = Arc::new(Chain::new(case));
        let root = Program::new(U256::zero(), case.root.words());
        let mut ours = EraVm::new(root, case.ergs, case.settings());
        let mut editor = ours.execution.edit();
        (editor.frame().heap_bound, editor.frame().aux_heap_bound) = case.bounds;
        Self {
            ours,
            peer: Peer::new(case, Arc::clone(&chain)),
            chain,
            pages: Pages::new(case.revision.pages()),
            trace: Trace::default(),
            whole_stacks: u64::from(case.ergs).wrapping_mul(0x9e37_79b9) >> 7 & (WHOLE_STACKS - 1) == 0,
            max_steps: case.max_steps,
            history: Vec::new(),
        }
    }

    /// Runs the case to its end.
    pub fn run(&mut self, statistics: &mut Statistics) -> Verdict {
        let verdict = loop {
            if let Some(verdict) = self.advance(statistics) {
                break verdict;
            }
        };
        let is_comparable = matches!(verdict, Verdict::Ended(_) | Verdict::StepLimit);
        match self.compare_everything() {
            Err(mismatch) if is_comparable => Verdict::Differs(mismatch),
            _ => verdict,
        }
    }

    /// Executes one instruction; how the case ended, when it did.
    pub fn advance(&mut self, statistics: &mut Statistics) -> Option<Verdict> {
        if self.ours.execution.steps() >= self.max_steps {
            return Some(Verdict::StepLimit);
        }
        self.step(statistics).err().map(|Halt(verdict)| verdict)
    }

    /// The last instructions, oldest first.
    pub fn history(&self) -> &[Executed] {
        &self.history
    }

    fn step(&mut self, statistics: &mut Statistics) -> Result<(), Halt> {
        let before = Before::new(&self.ours);
        self.remember(&before);
        if let Some(exclusion) = exclusions::before_step(&self.ours, &before, &self.pages) {
            return Err(exclusion.into());
        }
        let ends_far_frame = !self.ours.execution.frame().is_near()
            && (before.pending || before.executes && before.instruction.opcode.is_ret());
        if ends_far_frame {
            self.compare_memory()?;
        }
        let mut repaired = Vec::new();
        let lent = translate::before_step(
            &self.ours.execution,
            &before,
            &self.pages,
            &mut self.peer,
            &mut repaired,
        );

        self.trace.clear();
        let stop = self
            .ours
            .run(&mut &*self.chain, &mut self.trace, 1)
            .expect("a chain has all slots and code");
        let end = self.peer.step();
        statistics.step(&before, &self.trace, self.ours.execution.depth());
        compare::stops(&stop, end.as_ref())?;
        if let Stop::Ended(end) = stop {
            return Err(Halt(Verdict::Ended(end)));
        }

        let entered_far = self.trace.entered_far();
        if entered_far {
            self.pair_pages()?;
            if let Some(exclusion) = exclusions::after_far_call(&self.ours, &before, &self.chain) {
                return Err(exclusion.into());
            }
        }
        translate::after_step(
            &self.ours.execution,
            &before,
            entered_far,
            lent,
            &self.pages,
            &mut self.peer,
        );
        repairs::after_step(
            &self.ours,
            &before,
            &self.trace,
            &self.chain,
            &mut self.pages,
            &mut self.peer,
            &mut repaired,
        );
        statistics.repaired(&repaired);
        compare::after_step(&self.ours, &mut self.peer, &self.pages, &self.trace)?;
        Ok(())
    }

    /// The new far frame's memories are each other's.
    fn pair_pages(&mut self) -> Comparison {
        let base = self.ours.execution.frame().base_page;
        let frame = self.peer.vm.current_frame();
        let pairs = [
            (heap_page(base), frame.heap().as_u32()),
            (aux_heap_page(base), frame.aux_heap().as_u32()),
        ];
        drop(frame);
        for (ours, peer) in pairs {
            if !self.pages.add(ours, peer) {
                return Err(Mismatch {
                    field: "memory of the new frame".to_owned(),
                    ours: ours.to_string(),
                    peer: format!("{peer}, which is another page's"),
                });
            }
        }
        Ok(())
    }

    fn compare_memory(&mut self) -> Comparison {
        let execution = &self.ours.execution;
        compare::stack(execution, &mut self.peer, &self.pages, self.whole_stacks)?;
        compare::own_memories(execution, &mut self.peer, &self.pages)
    }

    fn compare_everything(&mut self) -> Comparison {
        compare::all_state(&self.ours.state, &self.peer)?;
        // A frame that has ended has no comparable program counter.
        if self.ours.execution.ended().is_none() {
            compare::all_frames(&self.ours.execution, &mut self.peer, &self.pages)?;
        }
        self.compare_memory()
    }

    fn remember(&mut self, before: &Before) {
        let execution = &self.ours.execution;
        let frame = execution.frame();
        if self.history.len() >= 64 {
            self.history.drain(..32);
        }
        self.history.push(Executed {
            step: execution.steps(),
            depth: execution.depth(),
            pc: (!before.pending).then_some(frame.pc),
            word: frame.program.raw(frame.pc),
        });
    }
}

//! Which instructions a chunk executed.

use std::mem;

use eradbg_vm::observer::FrameEnd;
use eradbg_vm::{Execution, Frame, H160, U256};
use rustc_hash::FxHashMap;

use crate::index::instructions::{Instructions, PcSet};

/// Code, and the address that it ran for: an address may run different code, as while it is constructed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodeAt {
    /// Address that the code belongs to.
    pub address: H160,
    /// Hash of the code.
    pub hash: U256,
}

/// What of some code was executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// The code.
    pub code: CodeAt,
    /// Its instructions.
    pub instructions: Instructions,
}

/// What a chunk executed: code in the order in which it first ran, and least and greatest depth of the call stack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path {
    /// The code.
    pub code: Vec<Executed>,
    /// Least and greatest number of near and far frames.
    pub depth: (u32, u32),
}

/// Gathers what a chunk executes.
#[derive(Debug, Default)]
pub struct ExecutedCode {
    known: FxHashMap<CodeAt, usize>,
    /// Code in the order in which it first ran, with what of it was executed; an empty set stands with that which runs.
    executed: Vec<(CodeAt, PcSet)>,
    /// Which of it runs.
    current: usize,
    /// What of that was executed.
    marked: PcSet,
    /// Which of it the far frames run that wait, as far as they were entered in this chunk.
    waiting: Vec<usize>,
    /// Empty sets.
    spare: Vec<PcSet>,
    depth: (u32, u32),
}

impl ExecutedCode {
    /// A chunk starts in this state.
    pub fn start(&mut self, execution: &Execution) {
        self.depth = (execution.depth(), execution.depth());
        self.current = self.number_of(execution.frame());
        self.exchange();
    }

    /// An instruction is about to execute.
    #[inline(always)]
    pub fn executes(&mut self, pc: u16) {
        // Most were executed before: nothing is written then, for which the next step would have to wait.
        if !self.marked.contains(pc) {
            self.marked.insert(pc);
        }
    }

    /// A step entered the frame that runs now.
    pub fn entered(&mut self, execution: &Execution, is_near: bool) {
        self.depth.1 = self.depth.1.max(execution.depth());
        if !is_near {
            self.waiting.push(self.current);
            let code = self.number_of(execution.frame());
            self.runs(code);
        }
    }

    /// A step is about to leave the frame that runs.
    pub fn leaving(&mut self, execution: &Execution, end: FrameEnd) {
        self.depth.0 = self.depth.0.min(execution.depth().saturating_sub(1));
        if let Some(caller) = execution.callers().last().filter(|_| !end.is_near) {
            let waiting = self.waiting.pop();
            let code = waiting.unwrap_or_else(|| self.number_of(caller));
            self.runs(code);
        }
    }

    /// What the chunk that ends executed.
    pub fn take(&mut self) -> Path {
        self.exchange();
        self.known.clear();
        self.waiting.clear();
        let mut code = Vec::with_capacity(self.executed.len());
        for (of, mut set) in self.executed.drain(..) {
            let instructions = set.take();
            self.spare.push(set);
            if !instructions.is_empty() {
                code.push(Executed {
                    code: of,
                    instructions,
                });
            }
        }
        Path {
            code,
            depth: self.depth,
        }
    }

    /// The number of the code of a frame.
    fn number_of(&mut self, frame: &Frame) -> usize {
        let code = CodeAt {
            address: frame.code_address,
            hash: frame.program.hash(),
        };
        *self.known.entry(code).or_insert_with(|| {
            self.executed.push((code, self.spare.pop().unwrap_or_default()));
            self.executed.len() - 1
        })
    }

    /// From here on this code is executed.
    fn runs(&mut self, code: usize) {
        self.exchange();
        self.current = code;
        self.exchange();
    }

    /// Takes what was executed of the code that runs, or puts it back.
    fn exchange(&mut self) {
        if let Some((_, set)) = self.executed.get_mut(self.current) {
            mem::swap(set, &mut self.marked);
        }
    }
}

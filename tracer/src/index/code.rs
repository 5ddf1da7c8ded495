//! Which instructions a chunk executed.

use std::hash::{Hash, Hasher};

use eradbg_vm::{Execution, Frame, H160, U256};
use rustc_hash::FxHashMap;

use crate::index::instructions::{Instructions, PcSet};

/// Stands for the hash of code that was written over in the memory where it lies. No code has it.
pub const CHANGED: U256 = U256::MAX;

/// Code, and the address that it ran for: an address may run different code, as while it is constructed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodeAt {
    /// Address that the code belongs to.
    pub address: H160,
    /// Hash of the code; [`CHANGED`] where it is another one by now than its hash stands for.
    pub hash: U256,
}

/// It is looked up at each far call, and the low parts tell codes apart.
impl Hash for CodeAt {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.address.to_low_u64_be());
        state.write_u64(self.hash.low_u64());
    }
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
    /// Code in the order in which it first ran, with what of it was executed.
    executed: Vec<(CodeAt, PcSet)>,
    /// Which of it runs.
    current: usize,
    /// The program counter where it was entered, or where it jumped to last.
    landed: u16,
    /// What was executed last before a jump: from where, and up to where. A loop does that again and again.
    last: (u16, u16),
    /// Empty sets.
    spare: Vec<PcSet>,
    depth: (u32, u32),
}

impl ExecutedCode {
    /// A chunk starts in this state.
    pub fn start(&mut self, execution: &Execution) {
        self.depth = (execution.depth(), execution.depth());
    }

    /// From here on the code of this frame is executed, from its program counter on.
    pub fn runs(&mut self, frame: &Frame) {
        let program = &frame.program;
        let code = CodeAt {
            address: frame.code_address,
            hash: if program.has_changed() {
                CHANGED
            } else {
                program.hash()
            },
        };
        self.landed = frame.pc;
        // As behind a near call.
        if self
            .executed
            .get(self.current)
            .is_some_and(|(current, _)| *current == code)
        {
            return;
        }
        self.last = (0, 0);
        self.current = *self.known.entry(code).or_insert_with(|| {
            self.executed.push((code, self.spare.pop().unwrap_or_default()));
            self.executed.len() - 1
        });
    }

    /// Its instructions were executed up to a program counter, which is not among them; it goes on at another one.
    #[inline]
    pub fn ran(&mut self, end: u16, next: u16) {
        let first = std::mem::replace(&mut self.landed, next);
        if std::mem::replace(&mut self.last, (first, end)) == (first, end) {
            return;
        }
        if let Some((_, set)) = self.executed.get_mut(self.current) {
            set.insert_all(first, end.wrapping_sub(first));
        }
    }

    /// A step entered the frame that runs now.
    pub fn entered(&mut self, execution: &Execution) {
        self.depth.1 = self.depth.1.max(execution.depth());
    }

    /// A step is about to leave the frame that runs.
    pub fn leaving(&mut self, execution: &Execution) {
        self.depth.0 = self.depth.0.min(execution.depth().saturating_sub(1));
    }

    /// What the chunk that ends executed.
    pub fn take(&mut self) -> Path {
        self.known.clear();
        self.last = (0, 0);
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
}

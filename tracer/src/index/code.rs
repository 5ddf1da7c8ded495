//! Which code a chunk executed, in blocks of 64 instructions.

use eradbg_vm::observer::FrameEnd;
use eradbg_vm::{Execution, Frame, H160, U256};
use rustc_hash::FxHashMap;

use crate::store::codec::{Decoder, Encoder, Malformed};

/// Instructions that one bit of [`CodeBlocks`] stands for.
pub const BLOCK: u16 = 64;

/// Code, and the address that it ran for: an address may run different code, as while it is constructed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodeAt {
    /// Address that the code belongs to.
    pub address: H160,
    /// Hash of the code.
    pub hash: U256,
}

/// What of some code was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Executed {
    /// The code.
    pub code: CodeAt,
    /// The blocks of it.
    pub blocks: CodeBlocks,
}

/// Blocks of 64 instructions each: a bit for each block of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CodeBlocks([u64; 16]);

/// No block: there are 1,024.
const NONE: u16 = u16::MAX;

/// Gathers what a chunk executes.
#[derive(Debug, Default)]
pub struct ExecutedCode {
    known: FxHashMap<CodeAt, usize>,
    executed: Vec<Executed>,
    current: usize,
    /// The block of the current code that was marked last, or [`NONE`]: most instructions follow one of their own block.
    marked: u16,
    depth: (u32, u32),
}

/// What a chunk executed: code in the order in which it first ran, and least and greatest depth of the call stack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path {
    /// The code.
    pub code: Vec<Executed>,
    /// Least and greatest number of near and far frames.
    pub depth: (u32, u32),
}

impl CodeBlocks {
    /// Adds the block of an instruction.
    pub fn insert(&mut self, pc: u16) {
        let block = pc / BLOCK;
        self.0[usize::from(block / 64)] |= 1 << (block % 64);
    }

    /// Whether an instruction of the block of this one was executed.
    pub fn contains(&self, pc: u16) -> bool {
        let block = pc / BLOCK;
        self.0[usize::from(block / 64)] >> (block % 64) & 1 != 0
    }

    /// Whether the two have a block in common.
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).any(|(a, b)| a & b != 0)
    }

    fn is_empty(&self) -> bool {
        self.0 == [0; 16]
    }

    pub(super) fn encode(&self, e: &mut Encoder) {
        let used = (0..16).filter(|&index| self.0[index] != 0);
        e.number(used.clone().fold(0u32, |mask, index| mask | 1 << index));
        used.for_each(|index| e.number(self.0[index]));
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let mask: u16 = d.number()?;
        let mut blocks = Self::default();
        for index in (0..16).filter(|index| mask >> index & 1 != 0) {
            blocks.0[index] = d.number()?;
        }
        Ok(blocks)
    }
}

impl ExecutedCode {
    /// A chunk starts in this state.
    pub fn start(&mut self, execution: &Execution) {
        self.depth = (execution.depth(), execution.depth());
        self.runs(execution.frame());
    }

    /// From here on the code of this frame is executed.
    fn runs(&mut self, frame: &Frame) {
        let code = CodeAt {
            address: frame.code_address,
            hash: frame.program.hash(),
        };
        self.marked = NONE;
        let executed = &mut self.executed;
        self.current = *self.known.entry(code).or_insert_with(|| {
            let blocks = CodeBlocks::default();
            executed.push(Executed { code, blocks });
            executed.len() - 1
        });
    }

    /// An instruction is about to execute.
    #[inline(always)]
    pub fn executes(&mut self, pc: u16) {
        if self.marked != pc / BLOCK {
            self.mark(pc);
        }
    }

    #[cold]
    #[inline(never)]
    fn mark(&mut self, pc: u16) {
        self.marked = pc / BLOCK;
        if let Some(executed) = self.executed.get_mut(self.current) {
            executed.blocks.insert(pc);
        }
    }

    /// A step entered the frame that runs now.
    pub fn entered(&mut self, execution: &Execution, is_near: bool) {
        self.depth.1 = self.depth.1.max(execution.depth());
        if !is_near {
            self.runs(execution.frame());
        }
    }

    /// A step is about to leave the frame that runs.
    pub fn leaving(&mut self, execution: &Execution, end: FrameEnd) {
        self.depth.0 = self.depth.0.min(execution.depth().saturating_sub(1));
        if let Some(caller) = execution.callers().last().filter(|_| !end.is_near) {
            self.runs(caller);
        }
    }

    /// What the chunk that ends executed.
    pub fn take(&mut self) -> Path {
        self.known.clear();
        self.marked = NONE;
        let mut code = std::mem::take(&mut self.executed);
        code.retain(|executed| !executed.blocks.is_empty());
        Path {
            code,
            depth: self.depth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_back_and_tell_where_code_was_executed() {
        let mut blocks = CodeBlocks::default();
        for pc in [0, 64, 65, 4_096, u16::MAX] {
            blocks.insert(pc);
        }
        let mut e = Encoder::default();
        blocks.encode(&mut e);
        let read = CodeBlocks::decode(&mut Decoder::new(e.bytes())).unwrap();
        assert_eq!(read, blocks);
        for (pc, expected) in [
            (63, true),
            (127, true),
            (128, false),
            (4_100, true),
            (4_160, false),
            (65_500, true),
        ] {
            assert_eq!(read.contains(pc), expected, "{pc}");
            let mut one = CodeBlocks::default();
            one.insert(pc);
            assert_eq!(read.meets(&one), expected, "{pc}");
        }
    }
}

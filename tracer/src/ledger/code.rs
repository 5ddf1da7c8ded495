//! Rows about the code that a chunk executed: what a run to a breakpoint may skip.

use eradbg_vm::observer::FrameEnd;
use eradbg_vm::{Execution, H160};
use rustc_hash::FxHashMap;

use crate::ledger::{LedgerKind, Row, Timed};
use crate::store::codec::{Decoder, Encoder, Malformed};

/// Instructions that one bit of [`CodeBlocks`] stands for.
const BLOCK: u16 = 64;

/// Code of an address that a chunk executed. The row's step is the first one there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeRow {
    /// Address that the code belongs to.
    pub address: H160,
    /// What of it was executed.
    pub blocks: CodeBlocks,
}

/// Blocks of 64 instructions each: a bit for each block of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CodeBlocks([u64; 16]);

/// Gathers the rows of a chunk.
#[derive(Debug, Default)]
pub struct CodeRows {
    by_address: FxHashMap<H160, usize>,
    rows: Vec<Timed<CodeRow>>,
    current: usize,
    /// The block of the current row that was marked last: most instructions follow one of their own block.
    marked: Option<u16>,
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

    fn is_empty(&self) -> bool {
        self.0 == [0; 16]
    }
}

impl CodeRows {
    /// From this step on, the code of the frame that runs is executed.
    pub fn enter(&mut self, step: u64, address: H160) {
        self.marked = None;
        let rows = &mut self.rows;
        self.current = *self.by_address.entry(address).or_insert_with(|| {
            let blocks = CodeBlocks::default();
            let row = CodeRow { address, blocks };
            rows.push(Timed { step, row });
            rows.len() - 1
        });
    }

    /// An instruction is about to execute.
    #[inline(always)]
    pub fn executes(&mut self, pc: u16) {
        if self.marked != Some(pc / BLOCK) {
            self.mark(pc);
        }
    }

    fn mark(&mut self, pc: u16) {
        self.marked = Some(pc / BLOCK);
        if let Some(row) = self.rows.get_mut(self.current) {
            row.row.blocks.insert(pc);
        }
    }

    /// A step entered the frame that runs now.
    pub fn entered(&mut self, step: u64, execution: &Execution, is_near: bool) {
        if !is_near {
            self.enter(step, execution.frame().code_address);
        }
    }

    /// A step is about to leave the frame that runs.
    pub fn leaving(&mut self, step: u64, execution: &Execution, end: FrameEnd) {
        if let Some(caller) = execution.callers().last().filter(|_| !end.is_near) {
            self.enter(step, caller.code_address);
        }
    }

    /// The rows of a chunk that ends.
    pub fn take(&mut self) -> Vec<Timed<CodeRow>> {
        self.by_address.clear();
        self.marked = None;
        let mut rows = std::mem::take(&mut self.rows);
        rows.retain(|row| !row.row.blocks.is_empty());
        rows
    }
}

impl Row for CodeRow {
    const KIND: LedgerKind = LedgerKind::Code;

    fn encode(&self, e: &mut Encoder) {
        // Addresses of system contracts are short as words.
        e.word(eradbg_vm::value::word_of(self.address));
        let used = (0..16).filter(|&index| self.blocks.0[index] != 0);
        e.number(used.clone().fold(0u32, |mask, index| mask | 1 << index));
        used.for_each(|index| e.number(self.blocks.0[index]));
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let address = eradbg_vm::value::address_of(d.word()?);
        let mask: u16 = d.number()?;
        let mut blocks = CodeBlocks::default();
        for index in (0..16).filter(|index| mask >> index & 1 != 0) {
            blocks.0[index] = d.number()?;
        }
        Ok(Self { address, blocks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_with_the_blocks_that_were_executed() {
        let mut row = CodeRow {
            address: H160::from_low_u64_be(0x8009),
            blocks: CodeBlocks::default(),
        };
        for pc in [0, 64, 65, 4_096, u16::MAX] {
            row.blocks.insert(pc);
        }
        let mut e = Encoder::default();
        row.encode(&mut e);
        let mut d = Decoder::new(e.bytes());
        let read = CodeRow::decode(&mut d).unwrap();
        assert_eq!(read, row);
        for (pc, expected) in [
            (63, true),
            (127, true),
            (128, false),
            (4_100, true),
            (4_160, false),
            (65_500, true),
        ] {
            assert_eq!(read.blocks.contains(pc), expected, "{pc}");
        }
    }

    #[test]
    fn a_contract_that_is_entered_again_has_one_row() {
        let mut rows = CodeRows::default();
        let [a, b] = [1, 2].map(H160::from_low_u64_be);
        for (step, address, pc) in [(5, a, 1), (6, b, 70), (9, a, 200)] {
            rows.enter(step, address);
            rows.executes(pc);
        }
        let rows = rows.take();
        let found: Vec<_> = rows.iter().map(|row| (row.step, row.row.address)).collect();
        assert_eq!(found, [(5, a), (6, b)]);
        let blocks = rows[0].row.blocks;
        assert_eq!([1, 70, 200].map(|pc| blocks.contains(pc)), [true, false, true]);
    }
}

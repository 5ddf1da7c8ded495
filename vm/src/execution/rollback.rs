//! The operator's snapshots of the execution. Taking one copies the registers and the bootloader's frame without what grows
//! in a batch; memory is remembered as it is overwritten. So a snapshot is free, and a rollback costs what it undoes.

use primitive_types::U256;

use crate::execution::{Execution, relink};
use crate::flags::Flags;
use crate::frame::Frame;
use crate::heap::{Heap, HeapSlot};
use crate::page_ids::{PageNumbering, aux_heap_page, heap_page};
use crate::value::Value;

/// What an operator's snapshot of the execution holds.
#[derive(Debug, Clone)]
pub struct ExecutionSnapshot {
    registers: [U256; 16],
    pointers: [bool; 16],
    flags: Flags,
    context_register: u128,
    tx_number: u16,
    next_page: u32,
    /// The bootloader's frame without its stack and its list of kept pages.
    frame: Frame,
    /// Pages that the bootloader's frame keeps alive: it only gets more while it lives.
    kept_pages: usize,
}

/// Old values of memory since a snapshot.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    /// Frames on pages from here on are younger than the snapshot: a rollback removes their memories.
    pub(super) pages_below: u32,
    undo: Vec<Undo>,
}

#[derive(Debug, Clone)]
enum Undo {
    Memory { page: u32, offset: u32, old: U256 },
    MemoryAdded { page: u32 },
    MemoryRemoved { page: u32, heap: Heap },
    Stack { slot: u16, old: Value },
}

impl Execution {
    /// Starts to remember what [`Self::roll_back`] must restore.
    ///
    /// # Panics
    /// When a far call is active: the operator acts in the bootloader's frame only.
    pub fn snapshot(&mut self) -> ExecutionSnapshot {
        assert!(
            self.callers.is_empty(),
            "a snapshot is taken in the bootloader's frame"
        );
        self.journal = Some(Journal {
            pages_below: self.settings.revision.pages().first_of(self.next_page),
            undo: Vec::new(),
        });
        let stack = std::mem::take(&mut self.frame.stack);
        let kept_pages = std::mem::take(&mut self.frame.kept_pages);
        let frame = self.frame.clone();
        let snapshot = ExecutionSnapshot {
            registers: self.registers,
            pointers: self.pointers,
            flags: self.flags,
            context_register: self.context_register,
            tx_number: self.tx_number,
            next_page: self.next_page,
            frame,
            kept_pages: kept_pages.len(),
        };
        self.frame.stack = stack;
        self.frame.kept_pages = kept_pages;
        snapshot
    }

    /// Forgets the last snapshot.
    pub fn drop_snapshot(&mut self) {
        self.journal = None;
    }

    /// Restores the last snapshot; the number of steps stays.
    ///
    /// # Panics
    /// When there is no snapshot to restore.
    pub fn roll_back(&mut self, snapshot: ExecutionSnapshot) {
        let journal = self.journal.take().expect("a rollback follows a snapshot");
        let root = self.callers.first_mut().unwrap_or(&mut self.frame);
        let stack = std::mem::take(&mut root.stack);
        let mut kept_pages = std::mem::take(&mut root.kept_pages);
        kept_pages.truncate(snapshot.kept_pages);
        let kept_before = root.kept_before.min(kept_pages.len() as u32);
        self.callers.clear();
        self.frame = Frame {
            stack,
            kept_pages,
            kept_before,
            waited: 0,
            ..snapshot.frame
        };
        self.registers = snapshot.registers;
        self.pointers = snapshot.pointers;
        self.flags = snapshot.flags;
        self.context_register = snapshot.context_register;
        self.tx_number = snapshot.tx_number;
        self.pending_panic = None;
        self.ended = None;
        self.depth = self.frame.depth();
        for undo in journal.undo.into_iter().rev() {
            match undo {
                Undo::Memory { page, offset, old } => {
                    let slot = self.heaps.slot(page).expect("a journaled memory lives");
                    self.heaps.at_mut(slot).write_word(offset, old);
                }
                Undo::MemoryAdded { page } => drop(self.heaps.remove(page)),
                Undo::MemoryRemoved { page, heap } => drop(self.heaps.insert(page, heap)),
                Undo::Stack { slot, old } => self.frame.stack.write(slot, old),
            }
        }
        let pages = self.settings.revision.pages();
        for base in pages.bases(snapshot.next_page, self.next_page) {
            self.heaps.remove(heap_page(base));
            self.heaps.remove(aux_heap_page(base));
        }
        if pages == PageNumbering::ByFrame {
            self.next_page = snapshot.next_page;
        }
        relink(&mut self.frame, &mut self.heaps);
    }

    #[cold]
    pub(super) fn journal_stack(&mut self, slot: u16) {
        let old = self.frame.stack.read(slot);
        if let Some(journal) = &mut self.journal {
            journal.undo.push(Undo::Stack { slot, old });
        }
    }

    #[cold]
    pub(super) fn journal_memory(&mut self, slot: HeapSlot, offset: u32) {
        let page = self.heaps.page_of(slot);
        if let Some(journal) = &mut self.journal {
            let old = self.heaps.at(slot).read_word(offset);
            journal.undo.push(Undo::Memory { page, offset, old });
        }
    }

    /// Notes a memory that no far call brought along: its page id need not be one of a frame's.
    pub(super) fn journal_memory_added(&mut self, page: u32) {
        if let Some(journal) = &mut self.journal {
            journal.undo.push(Undo::MemoryAdded { page });
        }
    }

    pub(super) fn journal_memory_removed(&mut self, page: u32, heap: Heap) {
        if let Some(journal) = &mut self.journal
            && page < journal.pages_below
        {
            journal.undo.push(Undo::MemoryRemoved { page, heap });
        } else {
            self.heaps.recycle(heap);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::Settings;
    use crate::program::Program;
    use crate::protocol::Revision;

    /// A bootloader's frame after many far calls, each of which left its returndata behind.
    fn after_calls(calls: u32) -> Execution {
        let settings = Settings {
            default_account: U256::zero(),
            evm_emulator: U256::zero(),
            hook_offset: 0,
            unpaid_growth_raises_bound: false,
            ec_precompiles: true,
            revision: Revision::default(),
        };
        let mut execution = Execution::new(Program::empty(), 1_000_000, settings);
        for _ in 0..calls {
            let page = heap_page(execution.next_page);
            execution.heaps.insert(page, Heap::from_words(&[page.into()]));
            execution.frame.kept_pages.push(page);
            execution.next_page += PageNumbering::ByFrame.per_frame();
        }
        execution
    }

    #[test]
    fn a_snapshot_and_its_journal_hold_only_what_happens_after_it() {
        for calls in [0, 5_000] {
            let mut execution = after_calls(calls);
            let before = execution.clone();
            let snapshot = execution.snapshot();
            assert!(snapshot.frame.kept_pages.is_empty());
            assert_eq!(snapshot.frame.stack, crate::stack::Stack::default());
            let heap = execution.frame.heap;
            execution.set_memory(heap, 64, U256::one(), &mut ());
            execution.set_stack(3, Value::pointer(crate::value::FatPointer::default()), &mut ());
            execution.add_memory(1_000_000, Heap::from_words(&[U256::MAX]), &mut ());
            // The returndata of one more call.
            let page = heap_page(execution.next_page);
            let slot = execution.heaps.insert(page, Heap::default());
            execution.next_page += PageNumbering::ByFrame.per_frame();
            execution.set_memory(slot, 0, U256::one(), &mut ());
            execution.frame.kept_pages.push(page);
            let journal = execution.journal.as_ref().unwrap();
            assert_eq!(journal.undo.len(), 3, "after {calls} calls");
            assert_ne!(execution, before);
            execution.roll_back(snapshot);
            assert_eq!(execution, before, "after {calls} calls");
            assert_eq!(execution.heaps.page_ids(), before.heaps.page_ids());
        }
    }
}

//! What each step changed, with old and new values, so that a step is walked in both directions.
//!
//! [`apply`] and [`undo`] are mirror images.

use std::sync::Arc;

use eradbg_vm::edit::{Current, Editor, Globals};
use eradbg_vm::heap::Heap;
use eradbg_vm::observer::{FrameEnd, Step};
use eradbg_vm::outcome::End;
use eradbg_vm::page_ids::{aux_heap_page, heap_page};
use eradbg_vm::{Execution, Frame, NearFrame, Observer, U256, Value};

/// A change of the execution.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A register.
    Register {
        /// 1 to 15.
        index: u8,
        /// Value before.
        old: Value,
        /// Value after.
        new: Value,
    },
    /// A stack slot of the running frame.
    Stack {
        /// The slot.
        slot: u16,
        /// Value before.
        old: Value,
        /// Value after.
        new: Value,
    },
    /// 32 bytes of a memory.
    Memory {
        /// Page id.
        page: u32,
        /// Byte offset; need not be aligned.
        offset: u32,
        /// Word before.
        old: U256,
        /// Word after.
        new: U256,
    },
    /// A word that the operator wrote into the bootloader's heap after the step.
    OperatorWrite {
        /// The slot.
        slot: u32,
        /// Word before.
        old: U256,
        /// Word after.
        new: U256,
    },
    /// A memory came to life.
    MemoryAdded {
        /// Page id.
        page: u32,
        /// Its content.
        heap: Arc<Heap>,
    },
    /// A memory died.
    MemoryRemoved {
        /// Page id.
        page: u32,
        /// Its content.
        heap: Arc<Heap>,
    },
    /// Flags, context register, transaction number, next page, pending panic.
    Globals {
        /// Before.
        old: Globals,
        /// After.
        new: Globals,
    },
    /// Program counter, stack pointer, ergs and bounds; calls and returns.
    Frame(FrameChange),
    /// The frame that runs after the step keeps one more page alive.
    PageKept {
        /// Page id.
        page: u32,
    },
    /// The root frame ended.
    Ended(End),
}

/// How a step changed the call stack.
#[derive(Debug, Clone, PartialEq)]
pub enum FrameChange {
    /// It stays in its frame.
    Stays {
        /// Before.
        old: Current,
        /// After.
        new: Current,
    },
    /// It enters a near frame.
    NearCall {
        /// The caller before.
        old: Current,
        /// The caller while it waits.
        waiting: NearFrame,
        /// The new frame.
        new: Current,
    },
    /// It leaves a near frame.
    NearReturn {
        /// The frame that ends.
        old: Current,
        /// Its caller while it waited.
        waiting: NearFrame,
        /// The caller after.
        new: Current,
    },
    /// It enters a far frame.
    FarCall {
        /// The caller before.
        old: Current,
        /// The caller while it waits.
        waiting: Current,
        /// The new frame.
        frame: Arc<Frame>,
    },
    /// It leaves a far frame.
    FarReturn {
        /// The frame that ends, as it was before the step.
        frame: Arc<Frame>,
        /// Its caller while it waited.
        waiting: Current,
        /// The caller after.
        new: Current,
    },
}

/// Gathers the changes of steps.
#[derive(Debug)]
pub struct DeltaObserver {
    /// Changes of all steps, in order.
    pub changes: Vec<Change>,
    /// For each step, the number of changes before it; operator writes belong to the step before them.
    pub starts: Vec<u32>,
    current: Current,
    globals: Globals,
    /// Pages that the frame which runs after the step keeps alive before it.
    kept_pages: usize,
    call: Option<Call>,
}

/// A call or return within the step that executes.
#[derive(Debug)]
enum Call {
    Near { waiting: NearFrame },
    NearReturn { waiting: NearFrame },
    Far { waiting: Current },
    FarReturn { frame: Arc<Frame>, waiting: Current },
    RootEnd,
}

impl DeltaObserver {
    /// An observer of the steps that follow this state.
    pub fn new(execution: &Execution) -> Self {
        Self {
            changes: Vec::new(),
            starts: Vec::new(),
            current: Current::of(execution.frame()),
            globals: execution.globals(),
            kept_pages: execution.frame().kept_pages.len(),
            call: None,
        }
    }

    fn frame_change(&mut self, execution: &Execution) -> FrameChange {
        let old = self.current;
        let new = Current::of(execution.frame());
        match self.call.take() {
            None | Some(Call::RootEnd) => FrameChange::Stays { old, new },
            Some(Call::Near { waiting }) => FrameChange::NearCall { old, waiting, new },
            Some(Call::NearReturn { waiting }) => FrameChange::NearReturn { old, waiting, new },
            Some(Call::Far { waiting }) => FrameChange::FarCall {
                old,
                waiting,
                frame: Arc::new(execution.frame().clone()),
            },
            Some(Call::FarReturn { frame, waiting }) => FrameChange::FarReturn { frame, waiting, new },
        }
    }
}

impl Observer for DeltaObserver {
    fn before_step(&mut self, _execution: &Execution, _step: Step<'_>) {
        self.starts.push(self.changes.len() as u32);
    }

    fn after_step(&mut self, execution: &Execution) {
        if let (Some(Call::RootEnd), Some(end)) = (&self.call, execution.ended()) {
            self.changes.push(Change::Ended(end.clone()));
        }
        let change = self.frame_change(execution);
        self.changes.push(Change::Frame(change));
        let kept_pages = &execution.frame().kept_pages;
        let kept_now = if kept_pages.len() > self.kept_pages {
            kept_pages.after(self.kept_pages)
        } else {
            Vec::new()
        };
        self.changes
            .extend(kept_now.into_iter().map(|page| Change::PageKept { page }));
        self.kept_pages = kept_pages.len();
        let (old, new) = (self.globals, execution.globals());
        if old != new {
            self.changes.push(Change::Globals { old, new });
        }
        self.current = Current::of(execution.frame());
        self.globals = new;
    }

    fn register(&mut self, index: u8, old: Value, new: Value) {
        self.changes.push(Change::Register { index, old, new });
    }

    fn stack(&mut self, slot: u16, old: Value, new: Value) {
        self.changes.push(Change::Stack { slot, old, new });
    }

    fn memory(&mut self, page: u32, offset: u32, old: U256, new: U256) {
        self.changes.push(Change::Memory {
            page,
            offset,
            old,
            new,
        });
    }

    fn memory_added(&mut self, page: u32, heap: &Heap) {
        self.changes.push(Change::MemoryAdded {
            page,
            heap: Arc::new(heap.clone()),
        });
    }

    fn memory_removed(&mut self, page: u32, heap: &Heap) {
        self.changes.push(Change::MemoryRemoved {
            page,
            heap: Arc::new(heap.clone()),
        });
    }

    fn operator_write(&mut self, slot: u32, old: U256, new: U256) {
        self.changes.push(Change::OperatorWrite { slot, old, new });
    }

    fn frame_entering(&mut self, execution: &Execution, is_near: bool) {
        let frame = execution.frame();
        self.call = Some(if is_near {
            Call::Near {
                waiting: frame.current(),
            }
        } else {
            Call::Far {
                waiting: Current::of(frame),
            }
        });
    }

    fn frame_leaving(&mut self, execution: &Execution, end: FrameEnd) {
        let frame = execution.frame();
        self.call = Some(if end.is_near {
            Call::NearReturn {
                waiting: *frame.waiting.last().expect("a near frame has a caller"),
            }
        } else if let Some(caller) = execution.callers().last() {
            let mut before = frame.clone();
            self.current.put(&mut before);
            self.kept_pages = caller.kept_pages.len();
            Call::FarReturn {
                frame: Arc::new(before),
                waiting: Current::of(caller),
            }
        } else {
            Call::RootEnd
        });
    }
}

/// Makes a change.
pub fn apply(editor: &mut Editor<'_>, change: &Change) {
    match change {
        Change::Register { index, new, .. } => editor.set_register(*index, *new),
        Change::Stack { slot, new, .. } => editor.set_stack(*slot, *new),
        Change::Memory {
            page, offset, new, ..
        } => editor.write_memory(*page, *offset, *new),
        Change::OperatorWrite { slot, new, .. } => editor.operator_write(*slot, *new),
        Change::MemoryAdded { page, heap } => editor.add_memory(*page, Heap::clone(heap)),
        Change::MemoryRemoved { page, .. } => editor.remove_memory(*page),
        Change::Globals { new, .. } => editor.set_globals(*new),
        Change::PageKept { page } => editor.frame().kept_pages.push(*page),
        Change::Ended(end) => editor.set_ended(Some(end.clone())),
        Change::Frame(change) => match change {
            FrameChange::Stays { new, .. } => new.put(editor.frame()),
            FrameChange::NearCall { waiting, new, .. } => {
                editor.set_waiting(|frames| frames.push(*waiting));
                new.put(editor.frame());
            }
            FrameChange::NearReturn { new, .. } => {
                editor.set_waiting(|frames| {
                    frames.pop();
                });
                new.put(editor.frame());
            }
            FrameChange::FarCall { waiting, frame, .. } => {
                waiting.put(editor.frame());
                editor.push_frame(Frame::clone(frame));
            }
            FrameChange::FarReturn { new, .. } => {
                editor.pop_frame();
                new.put(editor.frame());
            }
        },
    }
}

/// Takes a change back.
pub fn undo(editor: &mut Editor<'_>, change: &Change) {
    match change {
        Change::Register { index, old, .. } => editor.set_register(*index, *old),
        Change::Stack { slot, old, .. } => editor.set_stack(*slot, *old),
        Change::Memory {
            page, offset, old, ..
        } => editor.write_memory(*page, *offset, *old),
        Change::OperatorWrite { slot, old, .. } => editor.operator_write(*slot, *old),
        Change::MemoryAdded { page, .. } => editor.remove_memory(*page),
        Change::MemoryRemoved { page, heap } => editor.add_memory(*page, Heap::clone(heap)),
        Change::Globals { old, .. } => editor.set_globals(*old),
        Change::PageKept { .. } => editor.drop_kept_page(),
        Change::Ended(_) => editor.set_ended(None),
        Change::Frame(change) => match change {
            FrameChange::Stays { old, .. } => old.put(editor.frame()),
            FrameChange::NearCall { old, .. } => {
                editor.set_waiting(|frames| {
                    frames.pop();
                });
                old.put(editor.frame());
            }
            FrameChange::NearReturn { old, waiting, .. } => {
                editor.set_waiting(|frames| frames.push(*waiting));
                old.put(editor.frame());
            }
            FrameChange::FarCall { old, frame, .. } => {
                editor.pop_frame();
                let base = frame.base_page;
                editor.remove_memory(heap_page(base));
                editor.remove_memory(aux_heap_page(base));
                old.put(editor.frame());
            }
            FrameChange::FarReturn { frame, waiting, .. } => {
                waiting.put(editor.frame());
                editor.push_frame(Frame::clone(frame));
            }
        },
    }
}

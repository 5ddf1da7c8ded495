//! Building and changing executions from outside: how recordings are read back.
//!
//! The machine itself never uses this.

use std::sync::Arc;

use primitive_types::U256;

use crate::execution::{Execution, Settings, relink};
use crate::flags::Flags;
use crate::frame::{Frame, NearFrame};
use crate::heap::{Heap, Heaps};
use crate::outcome::{End, PanicCause};
use crate::page_ids;
use crate::paged::PAGE_WORDS;
use crate::program::Program;
use crate::value::Value;

/// The parts of an execution.
#[derive(Debug, Clone)]
pub struct ExecutionParts {
    /// Registers r0 to r15.
    pub registers: [Value; 16],
    /// What is neither in a register nor in a frame.
    pub globals: Globals,
    /// Steps executed.
    pub steps: u64,
    /// Far frames, outermost first; at least the bootloader's.
    pub frames: Vec<Frame>,
    /// Memories by page id.
    pub heaps: Heaps,
    /// Fixed while the batch runs.
    pub settings: Settings,
}

/// What is neither in a register nor in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Globals {
    /// Condition flags.
    pub flags: Flags,
    /// The 128-bit value that the next far call carries.
    pub context_register: u128,
    /// Transaction number.
    pub tx_number: u16,
    /// First page of the next far call's frame.
    pub next_page: u32,
    /// Why the next step is a panic.
    pub pending_panic: Option<PanicCause>,
}

/// The part of the running frame that changes from step to step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Current {
    /// The near (or far) frame's own part.
    pub near: NearFrame,
    /// Bytes of heap paid for.
    pub heap_bound: u32,
    /// Bytes of aux heap paid for.
    pub aux_heap_bound: u32,
}

impl Current {
    /// Reads it from a frame.
    pub fn of(frame: &Frame) -> Self {
        Self {
            near: frame.current(),
            heap_bound: frame.heap_bound,
            aux_heap_bound: frame.aux_heap_bound,
        }
    }

    /// Puts it into a frame.
    pub fn put(self, frame: &mut Frame) {
        frame.set_current(self.near);
        frame.heap_bound = self.heap_bound;
        frame.aux_heap_bound = self.aux_heap_bound;
    }
}

impl Execution {
    /// An execution of its parts. Memories of frames that are missing are empty.
    ///
    /// # Panics
    /// When there is no frame.
    pub fn from_parts(parts: ExecutionParts) -> Self {
        let mut frames = parts.frames;
        let frame = frames.pop().expect("an execution has the bootloader's frame");
        let mut execution = Self::new(Program::empty(), 0, parts.settings);
        execution.heaps = parts.heaps;
        execution.frame = frame;
        execution.callers = frames;
        execution.steps = parts.steps;
        execution.relink_frames();
        let mut editor = execution.edit();
        for (index, value) in (0..).zip(parts.registers) {
            editor.set_register(index, value);
        }
        editor.set_globals(parts.globals);
        editor.count_depth();
        execution
    }

    /// What is neither in a register nor in a frame.
    pub fn globals(&self) -> Globals {
        Globals {
            flags: self.flags,
            context_register: self.context_register,
            tx_number: self.tx_number,
            next_page: self.next_page,
            pending_panic: self.pending_panic,
        }
    }

    /// A handle to change it as a recording says.
    pub fn edit(&mut self) -> Editor<'_> {
        Editor(self)
    }
}

/// Changes an execution without executing.
#[derive(Debug)]
pub struct Editor<'a>(&'a mut Execution);

impl Editor<'_> {
    /// Sets a register.
    pub fn set_register(&mut self, index: u8, value: Value) {
        self.0.set_register(index, value, &mut ());
    }

    /// Sets what is neither in a register nor in a frame.
    pub fn set_globals(&mut self, globals: Globals) {
        let Globals {
            flags,
            context_register,
            tx_number,
            next_page,
            pending_panic,
        } = globals;
        (self.0.flags, self.0.context_register, self.0.tx_number) = (flags, context_register, tx_number);
        (self.0.next_page, self.0.pending_panic) = (next_page, pending_panic);
    }

    /// Sets the number of steps.
    pub fn set_steps(&mut self, steps: u64) {
        self.0.steps = steps;
    }

    /// Sets how the root frame ended.
    pub fn set_ended(&mut self, ended: Option<End>) {
        self.0.ended = ended;
    }

    /// Sets a stack slot of the running frame.
    pub fn set_stack(&mut self, slot: u16, value: Value) {
        self.0.frame.stack.write(slot, value);
    }

    /// Writes 32 bytes of a memory, which comes to life when it did not live.
    pub fn write_memory(&mut self, page: u32, offset: u32, word: U256) {
        let heaps = &mut self.0.heaps;
        let slot = heaps.slot_or_insert(page);
        heaps.at_mut(slot).write_word(offset, word);
    }

    /// Writes a word of the bootloader's heap, as the operator does.
    pub fn operator_write(&mut self, slot: u32, word: U256) {
        self.write_memory(self.0.bootloader_heap_page(), slot * 32, word);
    }

    /// Brings a memory to life.
    pub fn add_memory(&mut self, page: u32, heap: Heap) {
        self.0.heaps.insert(page, heap);
    }

    /// Ends a memory's life.
    pub fn remove_memory(&mut self, page: u32) {
        self.0.heaps.remove(page);
    }

    /// The running frame.
    pub fn frame(&mut self) -> &mut Frame {
        &mut self.0.frame
    }

    /// Makes a far frame the running one; its memories come to life when they did not live.
    pub fn push_frame(&mut self, mut frame: Frame) {
        relink(&mut frame, &mut self.0.heaps);
        self.0.callers.push(std::mem::replace(&mut self.0.frame, frame));
        self.count_depth();
    }

    /// Drops the running far frame; its caller runs. Memories stay.
    ///
    /// # Panics
    /// When it is the bootloader's.
    pub fn pop_frame(&mut self) {
        self.0.frame = self.0.callers.pop().expect("the bootloader's frame stays");
        self.count_depth();
    }

    /// Lets a near frame wait, or drops the last one that waits.
    pub fn set_waiting(&mut self, change: impl FnOnce(&mut Vec<NearFrame>)) {
        let frame = &mut self.0.frame;
        change(&mut frame.waiting);
        frame.waited = frame.waited.min(frame.waiting.len() as u32);
        self.count_depth();
    }

    /// Lets the far frame keep no longer what it kept last.
    pub fn drop_kept_page(&mut self) {
        let frame = &mut self.0.frame;
        frame.kept_pages.pop();
        frame.kept_before = frame.kept_before.min(frame.kept_pages.len() as u32);
    }

    fn count_depth(&mut self) {
        self.0.depth = self.0.frames().map(Frame::depth).sum();
    }
}

/// The program of a frame whose code lies on a page that can be written: as it is there now, or nothing when the page
/// has died.
pub fn program_on_page(program: &Arc<Program>, code_page: u32, heaps: &Heaps) -> Arc<Program> {
    if page_ids::is_code_page(code_page) {
        return Arc::clone(program);
    }
    let words = heaps.get(code_page).map(code_words).unwrap_or_default();
    let (code, rest) = words.split_at(words.len().min(program.words().len()));
    if code == program.words() && rest.iter().all(U256::is_zero) {
        Arc::clone(program)
    } else {
        program.changed(words)
    }
}

/// Words of a memory that code addresses reach, as far as it was written.
fn code_words(heap: &Heap) -> Vec<U256> {
    let pages = heap.pages().pages().last().map_or(0, |(last, _)| last + 1);
    let written = pages.saturating_mul(PAGE_WORDS as u32).min(1 << 16);
    (0..written).map(|index| heap.read_word(index * 32)).collect()
}

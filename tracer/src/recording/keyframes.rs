//! Keyframes of a recording: those that were used last, an unreadable one made again, and the states that they give.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use eradbg_vm::edit::{ExecutionParts, program_on_page};
use eradbg_vm::heap::{Heaps, RecordedHeaps};
use eradbg_vm::kept::KeptPages;
use eradbg_vm::observer::Marks;
use eradbg_vm::paged::Paged;
use eradbg_vm::stack::Stack;
use eradbg_vm::{Execution, Frame};

use crate::error::Result;
use crate::keyframe::{Captured, Keyframe};
use crate::recording::memory::{HeapsAt, KeptAt, MemoryAt, Pages};
use crate::recording::pages::PageIndex;
use crate::recording::{Recording, lock};
use crate::replay::replay_chunk;
use crate::store::envelope::Kind;
use crate::store::key;
use crate::store::tree::Tree;

/// Decoded keyframes kept for the next seek.
const KEPT_KEYFRAMES: usize = 128;
/// Damaged keyframes that may need each other's pages to be made again.
const MOST_NESTED: u32 = 16;

/// A far frame on the call stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FarFrame {
    /// The step that entered it.
    pub(crate) entered_at: u64,
    /// Where its page ids count from.
    pub(crate) base_page: u32,
}

/// Keyframes that were used last.
#[derive(Debug, Default)]
pub(super) struct KeyframeCache {
    kept: BTreeMap<u32, (u64, Arc<Keyframe>)>,
    clock: u64,
}

impl FarFrame {
    /// One of a state.
    pub(crate) fn of(frame: &Frame) -> Self {
        Self {
            entered_at: frame.far_entered_at(),
            base_page: frame.base_page,
        }
    }
}

impl Recording {
    /// The keyframe of a chunk, as it is stored.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn keyframe(&self, chunk: u32) -> Result<Arc<Keyframe>> {
        if let Some(keyframe) = lock(&self.0.read.keyframes).get(chunk) {
            return Ok(keyframe);
        }
        let place = || self.place("keyframe", chunk);
        let bytes = self.read(Tree::Keyframe, Kind::Keyframe, &key::chunk(chunk), place)?;
        let keyframe = Keyframe::decode(&bytes).map_err(|error| self.damaged(place(), error.to_string()))?;
        let keyframe = Arc::new(keyframe);
        lock(&self.0.read.keyframes).put(chunk, Arc::clone(&keyframe));
        Ok(keyframe)
    }

    /// The keyframe of a chunk, made again where it cannot be read.
    pub(super) fn usable_keyframe(&self, chunk: u32) -> Result<Arc<Keyframe>> {
        self.usable_keyframe_with(self.page_index(), chunk)
    }

    pub(super) fn usable_keyframe_with(&self, index: &Arc<PageIndex>, chunk: u32) -> Result<Arc<Keyframe>> {
        self.keyframe(chunk)
            .or_else(|error| self.make_again(index, chunk).ok_or(error))
    }

    /// Far frames at the start of a chunk, outermost first.
    ///
    /// # Errors
    /// When its keyframe, or one that says which near frames wait, is missing or damaged.
    pub(crate) fn far_frames(&self, chunk: u32) -> Result<Vec<FarFrame>> {
        let index = self.page_index();
        self.check_index(index, chunk)?;
        let keyframe = self.keyframe(chunk)?;
        let frames = keyframe.frames.iter().zip(index.lasting.outermost(chunk));
        let frames = frames.map(|(frame, outermost)| FarFrame {
            entered_at: outermost.unwrap_or_else(|| frame.current()).entered_at,
            base_page: frame.base_page,
        });
        Ok(frames.collect())
    }

    /// The state at the first step of a chunk. Its pages are loaded when they are first looked at; one that cannot be
    /// read shows as zeros, and [`Self::check_pages`] tells. An unreadable keyframe is made again from the chunk before,
    /// unless a rollback lies between.
    ///
    /// # Errors
    /// When something that it needs is missing or damaged.
    pub fn state_at_chunk(&self, chunk: u32) -> Result<Execution> {
        self.state_with(self.page_index(), chunk)
    }

    fn state_with(&self, index: &Arc<PageIndex>, chunk: u32) -> Result<Execution> {
        self.check_index(index, chunk)?;
        let keyframe = self.usable_keyframe_with(index, chunk)?;
        let pages = Arc::new(Pages {
            recording: self.clone(),
            index: Arc::clone(index),
        });
        let source = Box::new(HeapsAt::new(&pages, chunk));
        let heaps = Heaps::recorded(RecordedHeaps::new(source));
        let mut frames = keyframe.frames.clone();
        for (at, frame) in frames.iter_mut().enumerate() {
            let index = Arc::clone(index);
            frame.kept_pages = KeptPages::recorded(Arc::new(KeptAt {
                index,
                chunk,
                frame: at,
            }));
        }
        for (frame, waiting) in frames.iter_mut().zip(index.lasting.waiting(chunk)) {
            frame.waiting = waiting;
        }
        for (frame, &hash) in frames.iter_mut().zip(&keyframe.code) {
            let space = eradbg_vm::page_ids::stack_page(frame.base_page);
            if let Some(memory) = MemoryAt::new(&pages, space, true, chunk) {
                frame.stack = Stack::new(Paged::recorded(Box::new(memory)));
            }
            frame.program = program_on_page(&self.program(hash)?, frame.code_page, &heaps);
        }
        Ok(Execution::from_parts(ExecutionParts {
            registers: keyframe.registers,
            globals: keyframe.globals,
            steps: keyframe.step,
            frames,
            heaps,
            settings: keyframe.settings,
        }))
    }

    /// A lost keyframe would have said what changed, so no later state can be told.
    fn check_index(&self, index: &PageIndex, chunk: u32) -> Result<()> {
        index
            .lost_up_to(chunk)
            .map_or(Ok(()), |lost| self.keyframe(lost).map(drop))
    }

    /// Makes the keyframe of a chunk again by executing the chunk before it; `None` when that is not possible. The index
    /// has all chunks before.
    pub(super) fn make_again(&self, index: &Arc<PageIndex>, chunk: u32) -> Option<Arc<Keyframe>> {
        // Each keyframe of a damaged stretch is made of the one before it, the first of one that can be read.
        let known = |chunk| lock(&self.0.keyframes_made_again).get(&chunk).cloned();
        let mut first = chunk;
        while first > 0 && known(first).is_none() && self.keyframe(first).is_err() {
            first -= 1;
        }
        for chunk in first + 1..=chunk {
            if known(chunk).is_none() {
                let made = self.execute_to(index, chunk)?;
                lock(&self.0.keyframes_made_again).insert(chunk, made);
            }
        }
        known(chunk)
    }

    /// The keyframe of a chunk, by executing the chunk before it.
    fn execute_to(&self, index: &Arc<PageIndex>, chunk: u32) -> Option<Arc<Keyframe>> {
        let before = chunk.checked_sub(1)?;
        if self.log(chunk).ok()?.after_rollback {
            return None;
        }
        let _nested = Nested::enter()?;
        let log = self.log(before).ok()?;
        let mut execution = self.state_with(index, before).ok()?;
        execution.start_tracking();
        replay_chunk(self, before, &log, &mut execution, &mut ()).ok()?;
        Keyframe::decode(&Captured::new(Marks::new(&mut execution)).encode())
            .ok()
            .map(Arc::new)
    }
}

/// Keyframes that are being made again on this thread, each for a page that the one before needs.
struct Nested;

thread_local! {
    static NESTED: Cell<u32> = const { Cell::new(0) };
}

impl Nested {
    /// `None` when so many are damaged that going on would overflow the stack.
    fn enter() -> Option<Self> {
        let depth = NESTED.get();
        (depth < MOST_NESTED).then(|| {
            NESTED.set(depth + 1);
            Self
        })
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        NESTED.set(NESTED.get() - 1);
    }
}

impl KeyframeCache {
    pub(super) fn get(&mut self, chunk: u32) -> Option<Arc<Keyframe>> {
        self.clock += 1;
        let (used, keyframe) = self.kept.get_mut(&chunk)?;
        *used = self.clock;
        Some(Arc::clone(keyframe))
    }

    pub(super) fn put(&mut self, chunk: u32, keyframe: Arc<Keyframe>) {
        if self.kept.len() >= KEPT_KEYFRAMES
            && let Some((&oldest, _)) = self.kept.iter().min_by_key(|(_, (used, _))| *used)
        {
            self.kept.remove(&oldest);
        }
        self.clock += 1;
        self.kept.insert(chunk, (self.clock, keyframe));
    }
}

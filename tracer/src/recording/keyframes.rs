//! Keyframes of a recording: those that were used last, an unreadable one made again, and the states that they give.

use std::collections::BTreeMap;
use std::sync::Arc;

use eradbg_vm::Execution;
use eradbg_vm::edit::{ExecutionParts, program_on_page};
use eradbg_vm::heap::{Heaps, RecordedHeaps};
use eradbg_vm::observer::Marks;
use eradbg_vm::paged::{PageSource, RecordedPage};
use eradbg_vm::stack::StackPage;

use crate::error::Result;
use crate::keyframe::{Captured, Keyframe};
use crate::recording::pages::{HeapsAt, PageIndex, Pages};
use crate::recording::{Recording, lock};
use crate::replay::replay_chunk;
use crate::store::database::Tree;
use crate::store::envelope::Kind;
use crate::store::key;

/// Decoded keyframes kept for the next seek.
const KEPT_KEYFRAMES: usize = 256;

/// Keyframes that were used last.
#[derive(Debug, Default)]
pub(super) struct KeyframeCache {
    kept: BTreeMap<u32, (u64, Arc<Keyframe>)>,
    clock: u64,
}

impl Recording {
    /// The keyframe of a chunk, as it is stored.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn keyframe(&self, chunk: u32) -> Result<Arc<Keyframe>> {
        if let Some(keyframe) = lock(&self.0.keyframes).get(chunk) {
            return Ok(keyframe);
        }
        let place = || self.place("keyframe", chunk);
        let bytes = self.read(Tree::Keyframe, Kind::Keyframe, &key::chunk(chunk), place)?;
        let keyframe = Keyframe::decode(&bytes).map_err(|error| self.damaged(place(), error.to_string()))?;
        let keyframe = Arc::new(keyframe);
        lock(&self.0.keyframes).put(chunk, Arc::clone(&keyframe));
        Ok(keyframe)
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
        if let Some(lost) = index.lost_up_to(chunk) {
            // It would have said which pages changed, so no later state can be told.
            self.keyframe(lost)?;
        }
        let keyframe = index.keyframe(self, chunk)?;
        let pages = Arc::new(Pages {
            recording: self.clone(),
            index: Arc::clone(index),
        });
        let source = Box::new(HeapsAt {
            pages: Arc::clone(&pages),
            chunk,
        });
        let pages: Arc<dyn PageSource<StackPage>> = pages;
        let heaps = Heaps::recorded(RecordedHeaps::new(keyframe.living.clone(), source));
        let mut frames = keyframe.frames.clone();
        for (frame, &hash) in frames.iter_mut().zip(&keyframe.code) {
            let space = eradbg_vm::page_ids::stack_page(frame.base_page);
            for (at, chunk) in index.pages_of(space, true, chunk) {
                let page = RecordedPage::new(Arc::clone(&pages), chunk, space, at);
                frame.stack.pages_mut().put_recorded(at, page);
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

    /// Makes the keyframe of a chunk again by executing the chunk before it; `None` when that is not possible. The index
    /// has all chunks before.
    pub(super) fn make_again(&self, index: &PageIndex, chunk: u32) -> Option<Arc<Keyframe>> {
        let before = chunk.checked_sub(1)?;
        if self.log(chunk).ok()?.after_rollback {
            return None;
        }
        let log = self.log(before).ok()?;
        let mut execution = self.state_with(&Arc::new(index.clone()), before).ok()?;
        replay_chunk(self, before, &log, &mut execution, &mut ()).ok()?;
        Keyframe::decode(&Captured::new(Marks::new(&mut execution)).encode())
            .ok()
            .map(Arc::new)
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

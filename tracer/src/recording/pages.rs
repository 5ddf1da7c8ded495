//! Pages of recorded states: which keyframe has which version, and the keyframes that were used last.

use std::collections::BTreeMap;
use std::sync::Arc;

use eradbg_vm::heap::{Heap, HeapPage, HeapSource};
use eradbg_vm::paged::{Page, PageSource, RecordedPage};
use eradbg_vm::stack::StackPage;

use crate::error::Result;
use crate::keyframe::{Keyframe, PageContent};
use crate::recording::{Recording, lock};

/// Decoded keyframes kept for the next seek.
const KEPT_KEYFRAMES: usize = 256;

/// Keyframes that were used last.
#[derive(Debug, Default)]
pub(super) struct KeyframeCache {
    kept: BTreeMap<u32, (u64, Arc<Keyframe>)>,
    clock: u64,
}

/// Which chunk's keyframe holds which version of a page.
#[derive(Debug, Default)]
pub(super) struct PageIndex {
    /// Chunks with a version of a page, ascending, by space and index.
    versions: BTreeMap<(u32, u32), Vec<u32>>,
    /// Chunks that start after a rollback, with the first page id that the rollback freed.
    rollbacks: Vec<(u32, u32)>,
}

impl Recording {
    /// Where the versions of all pages are: read from every keyframe once, when it is first needed.
    pub(super) fn page_index(&self) -> Result<&PageIndex> {
        if let Some(index) = self.0.pages.get() {
            return Ok(index);
        }
        let mut index = PageIndex::default();
        for chunk in 0..self.chunks() {
            let keyframe = self.keyframe(chunk)?;
            if self.log(chunk)?.after_rollback {
                index.rollbacks.push((chunk, keyframe.globals.next_page));
            }
            for page in &keyframe.pages {
                index
                    .versions
                    .entry((page.space, page.index))
                    .or_default()
                    .push(chunk);
            }
        }
        Ok(self.0.pages.get_or_init(|| index))
    }

    fn page_content(&self, chunk: u32, space: u32, index: u32) -> Option<PageContent> {
        let keyframe = self.keyframe(chunk);
        let found = keyframe.map(|keyframe| {
            let found = keyframe
                .pages
                .binary_search_by_key(&(space, index), |page| (page.space, page.index));
            found.ok().map(|at| keyframe.pages[at].content.clone())
        });
        found.unwrap_or_else(|error| {
            lock(&self.0.page_failure).get_or_insert(error);
            None
        })
    }
}

/// The memories at the start of a chunk.
#[derive(Debug)]
pub(super) struct HeapsAt {
    pub(super) recording: Recording,
    pub(super) chunk: u32,
}

impl HeapSource for HeapsAt {
    fn load(&self, page: u32) -> Heap {
        let mut heap = Heap::default();
        let pages: Arc<dyn PageSource<HeapPage>> = Arc::new(self.recording.clone());
        // The index was made before the state was.
        if let Ok(index) = self.recording.page_index() {
            for (at, chunk) in index.pages_of(page, self.chunk) {
                heap.pages_mut()
                    .put_recorded(at, RecordedPage::new(Arc::clone(&pages), chunk, page, at));
            }
        }
        heap
    }
}

impl PageSource<HeapPage> for Recording {
    fn load(&self, chunk: u32, space: u32, index: u32) -> Arc<HeapPage> {
        match self.page_content(chunk, space, index) {
            Some(PageContent::Heap(page)) => page,
            _ => Arc::from(HeapPage::zeroed()),
        }
    }
}

impl PageSource<StackPage> for Recording {
    fn load(&self, chunk: u32, space: u32, index: u32) -> Arc<StackPage> {
        match self.page_content(chunk, space, index) {
            Some(PageContent::Stack(page)) => page,
            _ => Arc::from(StackPage::zeroed()),
        }
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

impl PageIndex {
    /// Pages of a space as they are at the start of a chunk: index, and the chunk whose keyframe has the content.
    pub(super) fn pages_of(&self, space: u32, chunk: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        // After a rollback page ids are given again: what was written under them before is gone.
        let freed = self
            .rollbacks
            .iter()
            .rev()
            .find(|&&(at, next_page)| at <= chunk && space >= next_page);
        let oldest = freed.map_or(0, |&(at, _)| at);
        self.versions
            .range((space, 0)..=(space, u32::MAX))
            .filter_map(move |(&(_, index), chunks)| {
                let newest = chunks
                    .partition_point(|&version| version <= chunk)
                    .checked_sub(1)?;
                (chunks[newest] >= oldest).then_some((index, chunks[newest]))
            })
    }
}

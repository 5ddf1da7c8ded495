//! Pages of recorded states: which keyframe has which version.

use std::collections::BTreeMap;
use std::sync::Arc;

use eradbg_vm::heap::{Heap, HeapPage, HeapSource};
use eradbg_vm::paged::{Page, PageSource, RecordedPage};
use eradbg_vm::stack::StackPage;

use crate::error::Result;
use crate::keyframe::{Keyframe, PageContent, PageKey, PageVersion};
use crate::recording::{Recording, lock};

/// Which chunk's keyframe holds which version of a page.
#[derive(Debug, Clone, Default)]
pub(super) struct PageIndex {
    /// Chunks with a version of a page, ascending.
    versions: BTreeMap<PageKey, Vec<u32>>,
    /// Chunks that start after a rollback, with the first page id that the rollback freed.
    rollbacks: Vec<(u32, u32)>,
    /// The first page id that was not given yet at the newest keyframe.
    next_page: u32,
    /// Keyframes that cannot be read and were made again.
    made_again: BTreeMap<u32, Arc<Keyframe>>,
    /// The first chunk whose keyframe is lost; the index ends before it.
    lost: Option<u32>,
}

impl Recording {
    /// Where the versions of all pages are: read from every keyframe once, when it is first needed.
    pub(super) fn page_index(&self) -> &Arc<PageIndex> {
        self.0.pages.get_or_init(|| {
            let mut index = PageIndex::default();
            for chunk in 0..self.chunks() {
                if let Ok(keyframe) = self.keyframe(chunk) {
                    index.add(chunk, &keyframe);
                } else if let Some(keyframe) = self.make_again(&index, chunk) {
                    index.add(chunk, &keyframe);
                    index.made_again.insert(chunk, keyframe);
                } else {
                    index.lost = Some(chunk);
                    break;
                }
            }
            Arc::new(index)
        })
    }
}

/// The pages of a recording.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) recording: Recording,
    pub(super) index: Arc<PageIndex>,
}

impl Pages {
    fn content(&self, chunk: u32, key: PageKey) -> Option<PageContent> {
        let keyframe = self.index.keyframe(&self.recording, chunk);
        let found = keyframe.map(|keyframe| {
            let found = keyframe.pages.binary_search_by_key(&key, PageVersion::key);
            found.ok().map(|at| keyframe.pages[at].content.clone())
        });
        found.unwrap_or_else(|error| {
            lock(&self.recording.0.page_failure).get_or_insert(error);
            None
        })
    }
}

/// The memories at the start of a chunk.
#[derive(Debug)]
pub(super) struct HeapsAt {
    pub(super) pages: Arc<Pages>,
    pub(super) chunk: u32,
}

impl HeapSource for HeapsAt {
    fn load(&self, page: u32) -> Heap {
        let mut heap = Heap::default();
        let pages: Arc<dyn PageSource<HeapPage>> = Arc::<Pages>::clone(&self.pages);
        for (at, chunk) in self.pages.index.pages_of(page, false, self.chunk) {
            heap.pages_mut()
                .put_recorded(at, RecordedPage::new(Arc::clone(&pages), chunk, page, at));
        }
        heap
    }
}

impl PageSource<HeapPage> for Pages {
    fn load(&self, chunk: u32, space: u32, index: u32) -> Arc<HeapPage> {
        match self.content(chunk, (space, false, index)) {
            Some(PageContent::Heap(page)) => page,
            _ => Arc::from(HeapPage::zeroed()),
        }
    }
}

impl PageSource<StackPage> for Pages {
    fn load(&self, chunk: u32, space: u32, index: u32) -> Arc<StackPage> {
        match self.content(chunk, (space, true, index)) {
            Some(PageContent::Stack(page)) => page,
            _ => Arc::from(StackPage::zeroed()),
        }
    }
}

impl PageIndex {
    fn add(&mut self, chunk: u32, keyframe: &Keyframe) {
        // Page ids only grow, unless a rollback gives them back.
        let next_page = keyframe.globals.next_page;
        if next_page < self.next_page {
            self.rollbacks.push((chunk, next_page));
        }
        self.next_page = next_page;
        for page in &keyframe.pages {
            self.versions.entry(page.key()).or_default().push(chunk);
        }
    }

    /// The keyframe of a chunk, stored or made again.
    pub(super) fn keyframe(&self, recording: &Recording, chunk: u32) -> Result<Arc<Keyframe>> {
        self.made_again
            .get(&chunk)
            .map_or_else(|| recording.keyframe(chunk), |keyframe| Ok(Arc::clone(keyframe)))
    }

    /// The first lost keyframe up to a chunk.
    pub(super) fn lost_up_to(&self, chunk: u32) -> Option<u32> {
        self.lost.filter(|&lost| lost <= chunk)
    }

    /// Pages of a memory or stack as they are at the start of a chunk: index, and the chunk whose keyframe has the
    /// content.
    pub(super) fn pages_of(
        &self,
        space: u32,
        is_stack: bool,
        chunk: u32,
    ) -> impl Iterator<Item = (u32, u32)> + '_ {
        // After a rollback page ids are given again: what was written under them before is gone.
        let freed = self
            .rollbacks
            .iter()
            .rev()
            .find(|&&(at, next_page)| at <= chunk && space >= next_page);
        let oldest = freed.map_or(0, |&(at, _)| at);
        self.versions
            .range((space, is_stack, 0)..=(space, is_stack, u32::MAX))
            .filter_map(move |(&(_, _, index), chunks)| {
                let newest = chunks
                    .partition_point(|&version| version <= chunk)
                    .checked_sub(1)?;
                (chunks[newest] >= oldest).then_some((index, chunks[newest]))
            })
    }
}

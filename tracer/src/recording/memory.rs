//! Memories and stacks of recorded states: their pages are read from keyframes when they are first looked at.

use std::cell::RefCell;
use std::sync::Arc;

use eradbg_vm::heap::{Heap, HeapPage, HeapSource};
use eradbg_vm::kept::EarlierPages;
use eradbg_vm::paged::{PageSource, Paged, Unread};
use eradbg_vm::stack::StackPage;

use crate::error::Error;
use crate::keyframe::{PageContent, PageKey, PageVersion};
use crate::recording::Recording;
use crate::recording::pages::PageIndex;

thread_local! {
    /// Why a page could not be read, until someone asks. Whoever looks at a page asks on the same thread.
    static FAILURE: RefCell<Option<Error>> = const { RefCell::new(None) };
}

/// Why a page could not be read on this thread since the last call.
pub(super) fn take_failure() -> Option<Error> {
    FAILURE.take()
}

/// The pages of a recording.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) recording: Recording,
    pub(super) index: Arc<PageIndex>,
}

impl Pages {
    /// A version of a page; the reason why it cannot be read is told on this thread.
    fn content(&self, chunk: u32, key: PageKey) -> Result<PageContent, Unread> {
        let keyframe = self.recording.usable_keyframe_with(&self.index, chunk);
        let found = keyframe.and_then(|keyframe| {
            let at = keyframe.pages.binary_search_by_key(&key, PageVersion::key);
            let at = at.map_err(|_| {
                let (space, _, index) = key;
                let why = format!("it lacks page {index} of memory {space}, which the index names");
                let place = self.recording.place("keyframe", chunk);
                self.recording.damaged(place, why)
            })?;
            Ok(keyframe.pages[at].content().clone())
        });
        found.map_err(|error| {
            FAILURE.with_borrow_mut(|failure| {
                failure.get_or_insert(error);
            });
            Unread
        })
    }
}

/// Pages that a far frame keeps alive at the start of a chunk.
#[derive(Debug)]
pub(super) struct KeptAt {
    pub(super) index: Arc<PageIndex>,
    pub(super) chunk: u32,
    /// Which of the far frames, from the outermost one.
    pub(super) frame: usize,
}

impl EarlierPages for KeptAt {
    fn count(&self) -> usize {
        self.index.lasting.kept_count(self.chunk, self.frame)
    }

    fn pages(&self) -> Vec<u32> {
        self.index.lasting.kept(self.chunk, self.frame)
    }
}

/// The memories at the start of a chunk.
#[derive(Debug)]
pub(super) struct HeapsAt {
    pages: Arc<Pages>,
    chunk: u32,
    /// No memory has a page id from here on.
    end: u32,
}

impl HeapsAt {
    pub(super) fn new(pages: &Arc<Pages>, chunk: u32) -> Self {
        Self {
            pages: Arc::clone(pages),
            chunk,
            end: pages.index.end_of_ids(chunk),
        }
    }
}

impl HeapSource for HeapsAt {
    fn lives(&self, page: u32) -> bool {
        // A replay asks for each memory that it makes.
        page < self.end && self.pages.index.lives(page, self.chunk)
    }

    fn living(&self) -> Vec<u32> {
        self.pages.index.living(self.chunk)
    }

    fn load(&self, page: u32) -> Heap {
        MemoryAt::new(&self.pages, page, false, self.chunk)
            .map(|memory| Heap::new(Paged::recorded(Box::new(memory))))
            .unwrap_or_default()
    }
}

/// The pages of a memory or stack at the start of a chunk.
#[derive(Debug)]
pub(super) struct MemoryAt {
    pages: Arc<Pages>,
    space: u32,
    is_stack: bool,
    chunk: u32,
    /// One more than the largest index in the recording.
    end: u32,
}

impl MemoryAt {
    /// `None` when no keyframe has a page of it.
    pub(super) fn new(pages: &Arc<Pages>, space: u32, is_stack: bool, chunk: u32) -> Option<Self> {
        Some(Self {
            end: pages.index.last_page(space, is_stack)? + 1,
            pages: Arc::clone(pages),
            space,
            is_stack,
            chunk,
        })
    }

    fn content(&self, index: u32) -> Result<Option<PageContent>, Unread> {
        let key = (self.space, self.is_stack, index);
        let Some(chunk) = self.pages.index.newest_version(key, self.chunk) else {
            return Ok(None);
        };
        self.pages.content(chunk, key).map(Some)
    }
}

impl<P: Content> PageSource<P> for MemoryAt {
    fn end(&self) -> u32 {
        self.end
    }

    fn indices(&self) -> Vec<u32> {
        let index = &self.pages.index;
        index.pages_of(self.space, self.is_stack, self.chunk).collect()
    }

    fn page(&self, index: u32) -> Result<Option<Arc<P>>, Unread> {
        Ok(self.content(index)?.and_then(P::of))
    }
}

/// What a keyframe has as the content of a page.
trait Content: Sized {
    /// `None` when the content is of the other kind.
    fn of(content: PageContent) -> Option<Arc<Self>>;
}

impl Content for HeapPage {
    fn of(content: PageContent) -> Option<Arc<Self>> {
        match content {
            PageContent::Heap(page) => Some(page),
            PageContent::Stack(_) => None,
        }
    }
}

impl Content for StackPage {
    fn of(content: PageContent) -> Option<Arc<Self>> {
        match content {
            PageContent::Stack(page) => Some(page),
            PageContent::Heap(_) => None,
        }
    }
}

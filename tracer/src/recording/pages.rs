//! Pages of recorded states: which keyframe has which version.

use std::cell::RefCell;
use std::sync::Arc;

use eradbg_vm::execution::{Lives, Waiting};
use eradbg_vm::frame::NearFrame;
use eradbg_vm::heap::{Heap, HeapPage, HeapSource};
use eradbg_vm::kept::EarlierPages;
use eradbg_vm::paged::{PageSource, Paged, Unread};
use eradbg_vm::stack::StackPage;
use imbl::{OrdSet, Vector};

use crate::error::Error;
use crate::index::Summary;
use crate::keyframe::{PageContent, PageKey, PageVersion};
use crate::recording::Recording;

/// Which chunk's keyframe holds which version of a page.
#[derive(Debug, Default)]
pub struct PageIndex {
    /// Pages in order of [`packed`] keys, each with the end of its versions.
    pages: Vec<(u64, u32)>,
    /// Versions of all pages, those of each ascending by chunk.
    versions: Vec<PageVersionAt>,
    /// Chunks that start after a rollback, with the first page id that the rollback freed.
    rollbacks: Vec<(u32, u32)>,
    /// Memories that died, with the chunk at whose start they were gone; ascending.
    gone: Vec<(u32, u32)>,
    /// What lasts, at the start of each chunk.
    lasting: Vec<Lasting>,
    /// First page id that was not given, at the start of each chunk.
    next_pages: Vec<u32>,
    /// The first chunk whose keyframe is lost, and with it which pages it holds; the index ends before it.
    lost: Option<u32>,
}

/// A keyframe that holds a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageVersionAt {
    /// The keyframe's chunk.
    pub chunk: u32,
    /// Words that were written in the chunk before.
    pub written: u32,
}

/// Gathers versions of pages, chunk by chunk.
#[derive(Debug, Default, Clone)]
struct Gathering {
    versions: Vec<(u64, PageVersionAt)>,
    rollbacks: Vec<(u32, u32)>,
    gone: Vec<(u32, u32)>,
    lasting: Vec<Lasting>,
    next_pages: Vec<u32>,
}

/// What changes little from chunk to chunk. Those of one recording share what they have in common.
#[derive(Debug, Default, Clone)]
struct Lasting {
    /// Memories that live.
    memories: OrdSet<u32>,
    /// Pages that the root frame keeps alive.
    kept: Vector<u32>,
    /// Near frames that wait in each far frame, outermost first.
    waiting: Vector<Vector<NearFrame>>,
}

impl Lasting {
    fn change(&mut self, lives: &Lives) {
        for page in &lives.gone {
            self.memories.remove(page);
        }
        self.memories.extend(lives.born.iter().copied());
        self.kept.truncate(lives.inherited as usize);
        self.kept.extend(lives.kept.iter().copied());
        self.waiting.truncate(lives.waiting.len());
        for (at, Waiting { inherited, added }) in lives.waiting.iter().enumerate() {
            if at == self.waiting.len() {
                self.waiting.push_back(Vector::new());
            }
            if *inherited as usize != self.waiting[at].len() || !added.is_empty() {
                let waiting = &mut self.waiting[at];
                waiting.truncate(*inherited as usize);
                waiting.extend(added.iter().copied());
            }
        }
    }
}

impl Recording {
    /// Where the versions of all pages are: read when it is first needed.
    pub fn page_index(&self) -> &Arc<PageIndex> {
        self.0.pages.get_or_init(|| Arc::new(self.read_page_index()))
    }

    fn read_page_index(&self) -> PageIndex {
        let mut gathering = Gathering::default();
        for group in 0..self.groups() {
            if let Ok(Some(summaries)) = self.stored_group(group) {
                for summary in &summaries {
                    gathering.add(summary);
                }
                continue;
            }
            for chunk in self.group_chunks(group) {
                // Its keyframe may have to be made again, for which what was gathered is enough.
                let keyframe = self.keyframe(chunk).or_else(|error| {
                    let index = Arc::new(gathering.clone().finish(None));
                    self.make_again(&index, chunk).ok_or(error)
                });
                let Ok(keyframe) = keyframe else {
                    return gathering.finish(Some(chunk));
                };
                gathering.add(&Summary::of_keyframe(&keyframe));
            }
        }
        gathering.finish(None)
    }
}

impl Gathering {
    fn add(&mut self, summary: &Summary) {
        let chunk = self.next_pages.len() as u32;
        // Page ids only grow, unless a rollback gives them back.
        if self
            .next_pages
            .last()
            .is_some_and(|&last| summary.next_page < last)
        {
            self.rollbacks.push((chunk, summary.next_page));
        }
        self.next_pages.push(summary.next_page);
        let gone = summary.lives.gone.iter();
        self.gone.extend(gone.map(|&space| (space, chunk)));
        let mut lasting = self.lasting.last().cloned().unwrap_or_default();
        lasting.change(&summary.lives);
        self.lasting.push(lasting);
        let versions = summary.versions.iter().map(|version| {
            let written = version.written;
            (packed(version.page), PageVersionAt { chunk, written })
        });
        self.versions.extend(versions);
    }

    fn finish(mut self, lost: Option<u32>) -> PageIndex {
        self.versions
            .sort_unstable_by_key(|&(page, version)| (page, version.chunk));
        self.gone.sort_unstable();
        let mut pages: Vec<(u64, u32)> = Vec::new();
        for (end, &(page, _)) in (1..).zip(&self.versions) {
            match pages.last_mut() {
                Some(last) if last.0 == page => last.1 = end,
                _ => pages.push((page, end)),
            }
        }
        PageIndex {
            pages,
            versions: self.versions.into_iter().map(|(_, version)| version).collect(),
            rollbacks: self.rollbacks,
            gone: self.gone,
            lasting: self.lasting,
            next_pages: self.next_pages,
            lost,
        }
    }
}

impl PageIndex {
    /// The first lost keyframe up to a chunk.
    pub(super) fn lost_up_to(&self, chunk: u32) -> Option<u32> {
        self.lost.filter(|&lost| lost <= chunk)
    }

    /// Memories that live at the start of a chunk.
    fn living(&self, chunk: u32) -> Option<&OrdSet<u32>> {
        self.lasting.get(chunk as usize).map(|lasting| &lasting.memories)
    }

    /// Pages that the root frame keeps alive at the start of a chunk.
    pub(super) fn kept(&self, chunk: u32) -> Kept {
        let lasting = self.lasting.get(chunk as usize);
        Kept(lasting.map(|lasting| lasting.kept.clone()).unwrap_or_default())
    }

    /// Near frames that wait in each far frame at the start of a chunk, outermost first.
    pub(super) fn waiting(&self, chunk: u32) -> impl Iterator<Item = &Vector<NearFrame>> {
        let lasting = self.lasting.get(chunk as usize).into_iter();
        lasting.flat_map(|lasting| &lasting.waiting)
    }

    /// Indices of the pages that a memory or stack has at the start of a chunk, in order.
    fn pages_of(&self, space: u32, is_stack: bool, chunk: u32) -> impl Iterator<Item = u32> + '_ {
        let oldest = self.freed_at(space, chunk);
        let first = self.first_page((space, is_stack, 0));
        let end = packed((space, is_stack, LAST_INDEX));
        let pages = self.pages[first..].iter().zip(first..);
        pages
            .take_while(move |((page, _), _)| *page <= end)
            .filter(move |&(_, at)| self.newest_of(at, oldest, chunk).is_some())
            .map(|(&(page, _), _)| page as u32 & LAST_INDEX)
    }

    /// The chunk whose keyframe has a page as it is at the start of a chunk.
    fn newest_version(&self, page: PageKey, chunk: u32) -> Option<u32> {
        let at = self.first_page(page);
        let &(found, _) = self.pages.get(at)?;
        (found == packed(page))
            .then(|| self.newest_of(at, self.freed_at(page.0, chunk), chunk))
            .flatten()
    }

    /// The newest version from one chunk to another of the page at a place in the list.
    fn newest_of(&self, at: usize, oldest: u32, chunk: u32) -> Option<u32> {
        let versions = self.versions_at(at);
        let newest = versions.partition_point(|version| version.chunk <= chunk);
        let newest = versions[newest.checked_sub(1)?].chunk;
        (newest >= oldest).then_some(newest)
    }

    /// The last page of a memory or stack that some keyframe holds.
    fn last_page(&self, space: u32, is_stack: bool) -> Option<u32> {
        let last = packed((space, is_stack, LAST_INDEX));
        let behind = self.pages.partition_point(|&(page, _)| page <= last);
        let (page, _) = *self.pages.get(behind.checked_sub(1)?)?;
        (page >= packed((space, is_stack, 0))).then_some(page as u32 & LAST_INDEX)
    }

    /// Keyframes that hold a page, ascending. A page id that was given again has those of all its lives.
    pub fn versions(&self, page: PageKey) -> &[PageVersionAt] {
        let at = self.first_page(page);
        match self.pages.get(at) {
            Some(&(found, _)) if found == packed(page) => self.versions_at(at),
            _ => &[],
        }
    }

    /// Pages of a memory that some keyframe holds.
    pub fn pages_with_space(&self, space: u32) -> impl Iterator<Item = PageKey> + '_ {
        let first = self.first_page((space, false, 0));
        let pages = self.pages[first..].iter().map(|&(page, _)| page);
        let end = packed((space, false, LAST_INDEX));
        pages
            .take_while(move |page| *page <= end)
            .map(move |page| (space, false, page as u32 & LAST_INDEX))
    }

    /// Chunks in which a memory or stack can have been born or have died: what was written to it there may be in no
    /// keyframe.
    pub fn edges(&self, space: u32) -> impl Iterator<Item = u32> + '_ {
        let born = self.next_pages.windows(2).zip(0..);
        let born = born.filter(move |(pages, _)| pages[0] <= space && space < pages[1]);
        // After the last keyframe nothing is known.
        let last = (self.next_pages.len() as u32).checked_sub(1);
        let first = self.gone.partition_point(|&gone| gone < (space, 0));
        let died = self.gone[first..].iter();
        let died = died
            .take_while(move |gone| gone.0 == space)
            .map(|gone| gone.1 - 1);
        born.map(|(_, chunk)| chunk).chain(died).chain(last)
    }

    /// After a rollback page ids are given again: what was written under them before is gone. The chunk from which on an
    /// id has its meaning of a chunk.
    pub fn freed_at(&self, space: u32, chunk: u32) -> u32 {
        let mut rollbacks = self.rollbacks.iter().rev();
        let freed = rollbacks.find(|&&(at, next_page)| at <= chunk && space >= next_page);
        freed.map_or(0, |&(at, _)| at)
    }

    fn first_page(&self, page: PageKey) -> usize {
        let page = packed(page);
        self.pages.partition_point(|&(other, _)| other < page)
    }

    fn versions_at(&self, at: usize) -> &[PageVersionAt] {
        let start = at.checked_sub(1).map_or(0, |before| self.pages[before].1);
        &self.versions[start as usize..self.pages[at].1 as usize]
    }
}

/// Largest index of a page: memories have 2^32 bytes.
const LAST_INDEX: u32 = u32::MAX >> 1;

/// A page as a number, in the same order.
fn packed((space, is_stack, index): PageKey) -> u64 {
    u64::from(space) << 32 | u64::from(is_stack) << 31 | u64::from(index & LAST_INDEX)
}

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
            Ok(keyframe.pages[at].content.clone())
        });
        found.map_err(|error| {
            FAILURE.with_borrow_mut(|failure| {
                failure.get_or_insert(error);
            });
            Unread
        })
    }
}

/// Pages that the root frame keeps alive.
#[derive(Debug)]
pub(super) struct Kept(Vector<u32>);

impl EarlierPages for Kept {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn pages(&self) -> Vec<u32> {
        self.0.iter().copied().collect()
    }
}

/// The memories at the start of a chunk.
#[derive(Debug)]
pub(super) struct HeapsAt {
    pub(super) pages: Arc<Pages>,
    pub(super) chunk: u32,
}

impl HeapSource for HeapsAt {
    fn lives(&self, page: u32) -> bool {
        let living = self.pages.index.living(self.chunk);
        living.is_some_and(|living| living.contains(&page))
    }

    fn living(&self) -> Vec<u32> {
        let living = self.pages.index.living(self.chunk);
        living.map_or_else(Vec::new, |living| living.iter().copied().collect())
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

    fn indices(&self) -> Vec<u32> {
        let index = &self.pages.index;
        index.pages_of(self.space, self.is_stack, self.chunk).collect()
    }

    fn content(&self, index: u32) -> Result<Option<PageContent>, Unread> {
        let key = (self.space, self.is_stack, index);
        let Some(chunk) = self.pages.index.newest_version(key, self.chunk) else {
            return Ok(None);
        };
        self.pages.content(chunk, key).map(Some)
    }
}

impl PageSource<HeapPage> for MemoryAt {
    fn end(&self) -> u32 {
        self.end
    }

    fn indices(&self) -> Vec<u32> {
        self.indices()
    }

    fn page(&self, index: u32) -> Result<Option<Arc<HeapPage>>, Unread> {
        Ok(match self.content(index)? {
            Some(PageContent::Heap(page)) => Some(page),
            _ => None,
        })
    }
}

impl PageSource<StackPage> for MemoryAt {
    fn end(&self) -> u32 {
        self.end
    }

    fn indices(&self) -> Vec<u32> {
        self.indices()
    }

    fn page(&self, index: u32) -> Result<Option<Arc<StackPage>>, Unread> {
        Ok(match self.content(index)? {
            Some(PageContent::Stack(page)) => Some(page),
            _ => None,
        })
    }
}

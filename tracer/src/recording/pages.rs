//! Pages of recorded states: which keyframe has which version.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use eradbg_vm::page_ids::heap_page;
use rustc_hash::FxHashMap;

use crate::index::Summary;
use crate::keyframe::PageKey;
use crate::recording::Recording;
use crate::recording::lasting::Lasting;

/// Which chunk's keyframe holds which version of a page.
#[derive(Debug, Default)]
pub struct PageIndex {
    /// Pages in order of [`packed`] keys, each with the end of its versions.
    pages: Vec<(u64, u32)>,
    /// Versions of all pages, those of each ascending by chunk.
    versions: Vec<PageVersionAt>,
    /// Chunks that start after a rollback, with the first page id that the rollback freed.
    rollbacks: Vec<(u32, u32)>,
    /// Memories in order of page id, those of one id in order of time.
    memories: Vec<Memory>,
    /// What lasts, at the start of each chunk.
    pub(super) lasting: Lasting,
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
    memories: Vec<Memory>,
    /// Where those are among them that live.
    living: FxHashMap<u32, usize>,
    lasting: Lasting,
    next_pages: Vec<u32>,
}

/// From when until when a memory lives.
#[derive(Debug, Clone, Copy)]
struct Memory {
    page: u32,
    /// The first chunk at whose start it lives.
    born: u32,
    /// The first chunk at whose start it lives no more.
    gone: u32,
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
        for page in &summary.lives.gone {
            if let Some(at) = self.living.remove(page) {
                self.memories[at].gone = chunk;
            }
        }
        for &page in &summary.lives.born {
            self.living.insert(page, self.memories.len());
            self.memories.push(Memory {
                page,
                born: chunk,
                gone: u32::MAX,
            });
        }
        self.lasting.add(&summary.lives);
        let versions = summary.versions.iter().map(|version| {
            let written = version.written;
            (packed(version.page), PageVersionAt { chunk, written })
        });
        self.versions.extend(versions);
    }

    fn finish(mut self, lost: Option<u32>) -> PageIndex {
        self.versions
            .sort_unstable_by_key(|&(page, version)| (page, version.chunk));
        self.memories
            .sort_unstable_by_key(|memory| (memory.page, memory.born));
        let mut pages: Vec<(u64, u32)> = Vec::new();
        for (end, &(page, _)) in (1..).zip(&self.versions) {
            match pages.last_mut() {
                Some(last) if last.0 == page => last.1 = end,
                _ => pages.push((page, end)),
            }
        }
        pages.shrink_to_fit();
        self.memories.shrink_to_fit();
        let mut versions: Vec<_> = self.versions.into_iter().map(|(_, version)| version).collect();
        versions.shrink_to_fit();
        PageIndex {
            pages,
            versions,
            rollbacks: self.rollbacks,
            memories: self.memories,
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

    /// The id from which on no memory has one at the start of a chunk.
    pub(super) fn end_of_ids(&self, chunk: u32) -> u32 {
        let next_page = self.next_pages.get(chunk as usize);
        next_page.map_or(u32::MAX, |&next_page| born_ids(next_page, next_page).end)
    }

    /// Whether a memory of a page id lives at the start of a chunk.
    pub(super) fn lives(&self, page: u32, chunk: u32) -> bool {
        let behind = self
            .memories
            .partition_point(|memory| (memory.page, memory.born) <= (page, chunk));
        let last = behind.checked_sub(1).map(|at| self.memories[at]);
        last.is_some_and(|memory| memory.page == page && chunk < memory.gone)
    }

    /// Page ids of the memories that live at the start of a chunk, in order.
    pub(super) fn living(&self, chunk: u32) -> Vec<u32> {
        let living = self
            .memories
            .iter()
            .filter(|memory| memory.born <= chunk && chunk < memory.gone);
        living.map(|memory| memory.page).collect()
    }

    /// Indices of the pages that a memory or stack has at the start of a chunk, in order.
    pub(super) fn pages_of(&self, space: u32, is_stack: bool, chunk: u32) -> impl Iterator<Item = u32> + '_ {
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
    pub(super) fn newest_version(&self, page: PageKey, chunk: u32) -> Option<u32> {
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
    pub(super) fn last_page(&self, space: u32, is_stack: bool) -> Option<u32> {
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

    /// Pages of a memory, with these indices, that some keyframe holds.
    pub fn pages_between(
        &self,
        space: u32,
        indices: RangeInclusive<u32>,
    ) -> impl Iterator<Item = PageKey> + '_ {
        let first = self.first_page((space, false, *indices.start()));
        let last = packed((space, false, (*indices.end()).min(LAST_INDEX)));
        let pages = self.pages[first..].iter().map(|&(page, _)| page);
        pages
            .take_while(move |page| *page <= last)
            .map(move |page| (space, false, page as u32 & LAST_INDEX))
    }

    /// Chunks in which a memory or stack can have been born or have died: what was written to it there may be in no
    /// keyframe.
    pub fn edges(&self, space: u32) -> impl Iterator<Item = u32> + '_ {
        let born = self.next_pages.windows(2).zip(0..);
        let born = born.filter(move |(pages, _)| born_ids(pages[0], pages[1]).contains(&space));
        // After the last keyframe nothing is known.
        let last = (self.next_pages.len() as u32).checked_sub(1);
        let first = self.memories.partition_point(|memory| memory.page < space);
        let died = self.memories[first..].iter();
        let died = died
            .take_while(move |memory| memory.page == space)
            .filter(|memory| memory.gone != u32::MAX)
            .map(|memory| memory.gone - 1);
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

/// Ids that memories can have which were born while the next base page moved from one to another. A frame's heaps come
/// after its base page, which may be a memory too.
pub(crate) fn born_ids(next_page: u32, next_page_after: u32) -> Range<u32> {
    next_page..next_page_after.saturating_add(heap_page(0))
}

/// Largest index of a page: memories have 2^32 bytes.
const LAST_INDEX: u32 = u32::MAX >> 1;

/// A page as a number, in the same order.
fn packed((space, is_stack, index): PageKey) -> u64 {
    u64::from(space) << 32 | u64::from(is_stack) << 31 | u64::from(index & LAST_INDEX)
}

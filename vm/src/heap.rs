//! Byte-addressed memory of a frame, and the table of all such memories by page id.

mod turns;

use std::fmt;
use std::sync::Arc;

use elsa::sync::FrozenMap;
use primitive_types::U256;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::paged::{Dirty, PAGE_WORDS, Page, Paged, Pool};
use crate::value::{word_from_bytes, word_to_bytes};
use turns::Turns;

/// Bytes in a page of a heap.
pub const PAGE_BYTES: usize = PAGE_WORDS * 32;

/// One page of a heap: big-endian words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeapPage(pub [u8; PAGE_BYTES]);

impl Page for HeapPage {
    fn zeroed() -> Box<Self> {
        Box::new(Self([0; PAGE_BYTES]))
    }

    fn clear(&mut self) {
        self.0.fill(0);
    }
}

/// A heap, aux heap, static memory, calldata or code seen as memory. Unwritten bytes are zero.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heap {
    pages: Paged<HeapPage>,
}

impl Heap {
    /// A memory of pages.
    pub fn new(pages: Paged<HeapPage>) -> Self {
        Self { pages }
    }

    /// A memory that holds words from offset 0 on.
    pub fn from_words(words: &[U256]) -> Self {
        let mut heap = Self::default();
        for (index, &word) in words.iter().enumerate() {
            heap.write_word(index as u32 * 32, word);
        }
        heap
    }

    /// Reads 32 bytes at a byte offset, big-endian.
    #[inline(always)]
    pub fn read_word(&self, offset: u32) -> U256 {
        let (page, at) = split(offset);
        let mut across = [0; 32];
        if at > PAGE_BYTES - 32 {
            self.read_across_pages(offset, &mut across);
            return word_from_bytes(&across);
        }
        match self.pages.page(page) {
            Some(page) => word_from_bytes(page.0[at..].first_chunk().expect("32 bytes are left in the page")),
            None => U256::zero(),
        }
    }

    #[cold]
    fn read_across_pages(&self, offset: u32, bytes: &mut [u8; 32]) {
        self.read_bytes(offset, bytes);
    }

    /// Writes 32 bytes at a byte offset, big-endian.
    pub fn write_word(&mut self, offset: u32, word: U256) {
        self.write_pooled(offset, word, &mut Pool::default());
    }

    /// The same; new pages come from the pool.
    #[inline(always)]
    fn write_pooled(&mut self, offset: u32, word: U256, pool: &mut Pool<HeapPage>) {
        let (page, at) = split(offset);
        if at > PAGE_BYTES - 32 {
            return self.write_across_pages(offset, word, pool);
        }
        let mask = (1 | u32::from(at % 32 != 0) << 1) << (at / 32);
        let bytes = &mut self.pages.page_mut(page, mask, pool).0[at..];
        *bytes.first_chunk_mut().expect("32 bytes are left in the page") = word_to_bytes(word);
    }

    #[cold]
    fn write_across_pages(&mut self, offset: u32, word: U256, pool: &mut Pool<HeapPage>) {
        let (page, at) = split(offset);
        let bytes = word_to_bytes(word);
        let (low, high) = bytes.split_at(PAGE_BYTES - at);
        self.pages.page_mut(page, 1 << (PAGE_WORDS - 1), pool).0[at..].copy_from_slice(low);
        self.pages.page_mut(page + 1, 1, pool).0[..high.len()].copy_from_slice(high);
    }

    /// Fills `bytes` from a byte offset on; past the last address there is nothing but zeros.
    pub fn read_bytes(&self, offset: u32, bytes: &mut [u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let address = offset as usize + done;
            let (page, at) = (address / PAGE_BYTES, address % PAGE_BYTES);
            let length = (PAGE_BYTES - at).min(bytes.len() - done);
            match self.pages.page(page) {
                Some(page) => bytes[done..done + length].copy_from_slice(&page.0[at..at + length]),
                None => bytes[done..done + length].fill(0),
            }
            done += length;
        }
    }

    /// Pages with their written marks.
    pub fn pages(&self) -> &Paged<HeapPage> {
        &self.pages
    }

    /// See [`Self::pages`].
    pub fn pages_mut(&mut self) -> &mut Paged<HeapPage> {
        &mut self.pages
    }
}

/// All living memories. A frame reaches its own two by slot, a fat pointer by page id.
///
/// In a state that was read from a recording, memories that nobody has written to since stay with the recording.
#[derive(Debug, Clone, Default)]
pub struct Heaps {
    slots: Vec<(u32, Heap)>,
    free: Vec<HeapSlot>,
    by_page: FxHashMap<u32, HeapSlot>,
    recorded: Option<Arc<RecordedHeaps>>,
    /// Recorded memories that have died since.
    dead: FxHashSet<u32>,
    /// What happened to memories since a keyframe, once someone wants to know.
    tracked: Option<Box<Tracked>>,
    /// Empty memories and pages of those that have died, for the next ones.
    spare: Spare,
    pool: Pool<HeapPage>,
}

/// What happened to memories since a keyframe.
#[derive(Debug, Clone, Default)]
struct Tracked {
    /// Memories that may have been written to.
    touched: Vec<u32>,
    /// Memories that came to life or died.
    turns: Turns,
}

/// Empty memories. A copy starts with none.
#[derive(Debug, Default)]
struct Spare(Vec<Heap>);

impl Clone for Spare {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Empty memories that are kept for later.
const SPARE_HEAPS: usize = 1_024;

/// Index of a living memory in [`Heaps`]; it is reused after the memory died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeapSlot(u32);

/// Memories of a recorded state, read when they are first looked at, and shared by all states made from it.
pub struct RecordedHeaps {
    /// Those that were looked at. A state may have thousands of which it looks at ten.
    seen: FrozenMap<u32, Box<Heap>>,
    source: Box<dyn HeapSource>,
}

impl fmt::Debug for RecordedHeaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedHeaps")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// Where recorded memories come from.
pub trait HeapSource: std::fmt::Debug + Send + Sync {
    /// Whether a memory of this page id lives.
    fn lives(&self, page: u32) -> bool;

    /// Page ids of the living memories, in order.
    fn living(&self) -> Vec<u32>;

    /// The memory of a page id.
    fn load(&self, page: u32) -> Heap;
}

impl RecordedHeaps {
    /// The memories of a source.
    pub fn new(source: Box<dyn HeapSource>) -> Self {
        Self {
            seen: FrozenMap::new(),
            source,
        }
    }

    fn get(&self, page: u32) -> Option<&Heap> {
        self.seen.get(&page).or_else(|| {
            let lives = self.source.lives(page);
            lives.then(|| self.seen.insert(page, Box::new(self.source.load(page))))
        })
    }
}

impl Heaps {
    /// Memories as a recording has them.
    pub fn recorded(heaps: RecordedHeaps) -> Self {
        Self {
            recorded: Some(Arc::new(heaps)),
            ..Self::default()
        }
    }

    /// Adds a memory under a page id, replacing what had that id.
    pub fn insert(&mut self, page: u32, heap: Heap) -> HeapSlot {
        let slot = self.by_page.get(&page).copied();
        if self.tracked.is_some() {
            let lived = slot.is_some() || self.lives_recorded(page);
            self.touch(page);
            self.track(page, lived, true);
        }
        if let Some(slot) = slot {
            self.slots[slot.0 as usize].1 = heap;
            slot
        } else {
            self.place(page, heap)
        }
    }

    /// Finds a slot for a memory of a page id that has none.
    fn place(&mut self, page: u32, heap: Heap) -> HeapSlot {
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot.0 as usize] = (page, heap);
            slot
        } else {
            self.slots.push((page, heap));
            HeapSlot(self.slots.len() as u32 - 1)
        };
        self.by_page.insert(page, slot);
        slot
    }

    /// The slot of a page id, where an empty memory comes to life when none lives.
    pub(crate) fn slot_or_insert(&mut self, page: u32) -> HeapSlot {
        self.slot(page).unwrap_or_else(|| {
            let heap = self.spare.0.pop().unwrap_or_default();
            self.insert(page, heap)
        })
    }

    /// Writes 32 bytes of the memory in a slot.
    #[inline(always)]
    pub(crate) fn write_word(&mut self, slot: HeapSlot, offset: u32, word: U256) {
        self.slots[slot.0 as usize]
            .1
            .write_pooled(offset, word, &mut self.pool);
    }

    /// Takes what a dead memory leaves behind.
    pub(crate) fn recycle(&mut self, mut heap: Heap) {
        heap.pages.recycle(&mut self.pool);
        if self.spare.0.len() < SPARE_HEAPS {
            self.spare.0.push(heap);
        }
    }

    /// Removes and returns the memory of a page id.
    pub fn remove(&mut self, page: u32) -> Option<Heap> {
        let slot = self.by_page.remove(&page);
        if self.tracked.is_some() {
            let lived = slot.is_some() || self.lives_recorded(page);
            self.track(page, lived, false);
        }
        let recorded = self.recorded_heap(page).cloned();
        if recorded.is_some() {
            self.dead.insert(page);
        }
        let Some(slot) = slot else {
            return recorded;
        };
        self.free.push(slot);
        Some(std::mem::take(&mut self.slots[slot.0 as usize]).1)
    }

    /// The memory in a slot.
    #[inline]
    pub fn at(&self, slot: HeapSlot) -> &Heap {
        &self.slots[slot.0 as usize].1
    }

    /// See [`Self::at`].
    #[inline]
    pub fn at_mut(&mut self, slot: HeapSlot) -> &mut Heap {
        &mut self.slots[slot.0 as usize].1
    }

    /// The slot of a page id, to write to it; `None` when no memory lives there.
    pub fn slot(&mut self, page: u32) -> Option<HeapSlot> {
        self.touch(page);
        if let Some(&slot) = self.by_page.get(&page) {
            return Some(slot);
        }
        let heap = self.recorded_heap(page)?.clone();
        Some(self.place(page, heap))
    }

    /// The page id of a slot.
    #[inline]
    pub fn page_of(&self, slot: HeapSlot) -> u32 {
        self.slots[slot.0 as usize].0
    }

    /// The memory of a page id.
    #[inline]
    pub fn get(&self, page: u32) -> Option<&Heap> {
        match self.by_page.get(&page) {
            Some(&slot) => Some(self.at(slot)),
            None => self.recorded_heap(page),
        }
    }

    /// Living page ids, in order.
    pub fn page_ids(&self) -> Vec<u32> {
        let recorded = self.recorded.iter().flat_map(|heaps| heaps.source.living());
        let recorded = recorded.filter(|page| !self.dead.contains(page));
        let mut ids: Vec<u32> = self.by_page.keys().copied().chain(recorded).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Calls `f` with each page of each memory written since the last call, in order of page id and index.
    pub fn take_dirty(&mut self, mut f: impl FnMut(u32, Dirty<'_, HeapPage>)) {
        let touched = match &mut self.tracked {
            Some(tracked) => std::mem::take(&mut tracked.touched),
            None => self.by_page.keys().copied().collect(),
        };
        // Most of them have died since.
        let living = touched
            .iter()
            .filter_map(|id| Some((*id, *self.by_page.get(id)?)));
        let mut written: Vec<_> = living
            .filter(|&(_, slot)| self.at(slot).pages.is_dirty())
            .collect();
        written.sort_unstable_by_key(|&(id, _)| id);
        written.dedup();
        for (id, slot) in written {
            let pages = &mut self.at_mut(slot).pages;
            pages.take_dirty(|page| f(id, page));
        }
        if let Some(tracked) = &mut self.tracked {
            tracked.touched = touched;
            tracked.touched.clear();
        }
    }

    /// From now on it is known what happens to memories.
    pub(crate) fn start_tracking(&mut self) {
        self.tracked = Some(Box::default());
    }

    /// Page ids of memories that came to life, and of those that died, since the last call or the start of tracking;
    /// without a start all that live have come to life. Both are in order.
    pub(crate) fn take_lives(&mut self) -> (Vec<u32>, Vec<u32>) {
        let Some(tracked) = &mut self.tracked else {
            let all = self.page_ids();
            self.start_tracking();
            return (all, Vec::new());
        };
        tracked.turns.take()
    }

    /// A memory may be written to from now on.
    pub(crate) fn touch(&mut self, page: u32) {
        if let Some(tracked) = &mut self.tracked {
            tracked.touched.push(page);
        }
    }

    /// Notes that a memory lives from now on or does no more.
    fn track(&mut self, page: u32, lived: bool, lives: bool) {
        if let Some(tracked) = self.tracked.as_mut().filter(|_| lived != lives) {
            tracked.turns.note(page, lived);
        }
    }

    /// Whether a recorded memory of this page id has not died since.
    fn lives_recorded(&self, page: u32) -> bool {
        let heaps = self.recorded.as_ref();
        heaps.is_some_and(|heaps| !self.dead.contains(&page) && heaps.source.lives(page))
    }

    /// A recorded memory that has not died since; one that was written to is in a slot and comes first.
    fn recorded_heap(&self, page: u32) -> Option<&Heap> {
        self.recorded
            .as_ref()
            .filter(|_| !self.dead.contains(&page))?
            .get(page)
    }
}

/// Two tables are equal when every page id reads alike: an empty memory equals a missing one.
impl PartialEq for Heaps {
    fn eq(&self, other: &Self) -> bool {
        let empty = Heap::default();
        self.page_ids().into_iter().chain(other.page_ids()).all(|page| {
            let (a, b) = (
                self.get(page).unwrap_or(&empty),
                other.get(page).unwrap_or(&empty),
            );
            // States of one recording share most memories.
            std::ptr::eq(a, b) || a == b
        })
    }
}

fn split(offset: u32) -> (usize, usize) {
    (offset as usize / PAGE_BYTES, offset as usize % PAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paged::words_of;

    #[test]
    fn a_word_written_anywhere_reads_back_and_marks_each_word_that_it_touches() {
        for offset in [0, 1, 31, 32, 991, 992, 993, 1023, 1024, 5000] {
            let mut heap = Heap::default();
            let word = U256::from_big_endian(&core::array::from_fn::<u8, 32, _>(|i| i as u8 + 1));
            heap.write_word(offset, word);
            assert_eq!(heap.read_word(offset), word, "offset {offset}");
            assert_eq!(heap.read_word(offset + 32), U256::zero());
            let mut touched = Vec::new();
            heap.pages.take_dirty(|page| {
                touched.extend(words_of(page.written).map(|word| page.index * 32 + word as u32));
            });
            let expected: Vec<u32> = (offset / 32..(offset + 32).div_ceil(32)).collect();
            assert_eq!(touched, expected, "offset {offset}");
        }
    }

    #[test]
    fn a_removed_memory_leaves_no_trace_for_the_next_one_in_its_slot() {
        let mut heaps = Heaps::default();
        let first = heaps.insert(10, Heap::from_words(&[U256::one()]));
        assert!(heaps.remove(10).is_some());
        let second = heaps.insert(18, Heap::default());
        assert_eq!(first, second);
        assert_eq!(heaps.get(10), None);
        assert_eq!(heaps.at(second).read_word(0), U256::zero());
    }
}

//! Sparse memory in pages of 1 KiB, with a mark for each word written since the last keyframe.
//!
//! Heaps and stacks are both such memories; a recording stores the marked pages at each chunk's start.

use std::sync::{Arc, OnceLock};

/// Words (or stack slots) in a page.
pub const PAGE_WORDS: usize = 32;

/// A page: all zero when it is created.
pub trait Page: Clone + PartialEq {
    /// A page of zeros, on the heap.
    fn zeroed() -> Box<Self>;

    /// Makes it a page of zeros.
    fn clear(&mut self);
}

/// Pages that memories have left behind, for the next ones.
#[derive(Debug)]
pub struct Pool<P>(Vec<Box<P>>);

/// Pages that a pool keeps; more go back to the allocator.
const POOLED_PAGES: usize = 4_096;

impl<P: Page> Pool<P> {
    /// A page of zeros that another memory has had.
    fn reuse(&mut self) -> Option<Box<P>> {
        let mut page = self.0.pop()?;
        page.clear();
        Some(page)
    }

    fn give(&mut self, page: Box<P>) {
        if self.0.len() < POOLED_PAGES {
            self.0.push(page);
        }
    }
}

impl<P> Default for Pool<P> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// A copy starts with nothing in store.
impl<P> Clone for Pool<P> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Pages by index; a missing one is all zero.
///
/// The first ones stand in one list. Those behind are in leaves, so that a memory with something far out (the
/// bootloader's, of 60 MB) is as quick to copy as what it holds.
#[derive(Debug, Clone)]
pub struct Paged<P> {
    near: Vec<Slot<P>>,
    far: Vec<Option<Box<Leaf<P>>>>,
    dirty: Vec<u32>,
}

/// Pages that may stand in the first list.
const NEAR_PAGES: usize = 1_024;
/// Pages in a leaf.
const LEAF_PAGES: usize = 256;

type Leaf<P> = [Slot<P>; LEAF_PAGES];

#[derive(Debug, Clone)]
struct Slot<P> {
    content: Content<P>,
    /// Bit n: word n was written since the last [`Paged::take_dirty`].
    written: u32,
}

#[derive(Debug, Clone)]
enum Content<P> {
    Zero,
    Owned(Box<P>),
    /// In a recording, and not written since: states of the recording share it.
    Recorded(Arc<RecordedPage<P>>),
}

/// Where pages of a recording come from.
pub trait PageSource<P>: std::fmt::Debug + Send + Sync {
    /// The page at an index of a space, as the keyframe of a chunk has it; `None` when it cannot be read, and then it is
    /// asked for again.
    fn load(&self, chunk: u32, space: u32, index: u32) -> Option<Arc<P>>;
}

/// A page of a recording, loaded when it is first looked at.
#[derive(Debug)]
pub struct RecordedPage<P> {
    loaded: OnceLock<Arc<P>>,
    /// What stands for it while it cannot be read.
    zero: OnceLock<Box<P>>,
    source: Arc<dyn PageSource<P>>,
    chunk: u32,
    space: u32,
    index: u32,
}

impl<P> RecordedPage<P> {
    /// The page that `source` has at an index of a space, as of a chunk.
    pub fn new(source: Arc<dyn PageSource<P>>, chunk: u32, space: u32, index: u32) -> Self {
        Self {
            loaded: OnceLock::new(),
            zero: OnceLock::new(),
            source,
            chunk,
            space,
            index,
        }
    }
}

impl<P: Page> RecordedPage<P> {
    fn get(&self) -> &P {
        if let Some(page) = self.loaded.get() {
            return page;
        }
        match self.source.load(self.chunk, self.space, self.index) {
            Some(page) => self.loaded.get_or_init(|| page),
            None => self.zero.get_or_init(P::zeroed),
        }
    }
}

impl<P> Default for Paged<P> {
    fn default() -> Self {
        Self {
            near: Vec::new(),
            far: Vec::new(),
            dirty: Vec::new(),
        }
    }
}

impl<P: Page> Paged<P> {
    /// The page at an index, `None` when nothing was written there.
    #[inline]
    pub fn page(&self, index: usize) -> Option<&P> {
        let slot = match self.near.get(index) {
            Some(slot) => slot,
            None => self.far_slot(index)?,
        };
        match &slot.content {
            Content::Zero => None,
            Content::Owned(page) => Some(page),
            Content::Recorded(page) => Some(page.get()),
        }
    }

    /// The page at an index, to write the words of `mask` into it. A new one comes from the pool.
    #[inline(always)]
    pub fn page_mut(&mut self, index: usize, mask: u32, pool: &mut Pool<P>) -> &mut P {
        if index >= self.near.len() {
            return self.page_mut_behind(index, mask, pool);
        }
        self.near[index].write(index, mask, &mut self.dirty, pool)
    }

    fn page_mut_behind(&mut self, index: usize, mask: u32, pool: &mut Pool<P>) -> &mut P {
        let slot = slot_mut(&mut self.near, &mut self.far, index);
        slot.write(index, mask, &mut self.dirty, pool)
    }

    /// Makes it empty, for another memory; its pages go to the pool.
    pub(crate) fn recycle(&mut self, pool: &mut Pool<P>) {
        let far = self.far.drain(..).flatten().flat_map(|leaf| *leaf);
        for slot in self.near.drain(..).chain(far) {
            if let Content::Owned(page) = slot.content {
                pool.give(page);
            }
        }
        self.dirty.clear();
    }

    /// Puts a page of a recording at an index, without marking it as written.
    pub fn put_recorded(&mut self, index: u32, page: RecordedPage<P>) {
        let slot = slot_mut(&mut self.near, &mut self.far, index as usize);
        slot.content = Content::Recorded(Arc::new(page));
    }

    /// Pages that exist, with their indices, in order.
    pub fn pages(&self) -> impl Iterator<Item = (u32, &P)> {
        self.indices()
            .filter_map(|index| Some((index as u32, self.page(index)?)))
    }

    /// Calls `f` with each page written since the last call: index, mask of its written words, content. In order of
    /// index; the marks are cleared.
    pub fn take_dirty(&mut self, mut f: impl FnMut(u32, u32, &P)) {
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.sort_unstable();
        for &index in &dirty {
            let slot = slot_mut(&mut self.near, &mut self.far, index as usize);
            let mask = std::mem::take(&mut slot.written);
            f(
                index,
                mask,
                self.page(index as usize).expect("a written page exists"),
            );
        }
        dirty.clear();
        self.dirty = dirty;
    }

    /// Whether a word was written since the last [`Self::take_dirty`].
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Where pages may be: all places of the first list and of the leaves that are there.
    fn indices(&self) -> impl Iterator<Item = usize> {
        let leaves = self.far.iter().enumerate().filter(|(_, leaf)| leaf.is_some());
        let far = leaves.flat_map(|(leaf, _)| {
            let first = NEAR_PAGES + leaf * LEAF_PAGES;
            first..first + LEAF_PAGES
        });
        (0..self.near.len()).chain(far)
    }

    fn far_slot(&self, index: usize) -> Option<&Slot<P>> {
        let index = index.checked_sub(NEAR_PAGES)?;
        let leaf = self.far.get(index / LEAF_PAGES)?.as_ref()?;
        Some(&leaf[index % LEAF_PAGES])
    }
}

/// The place of a page, which is made when it is not there.
fn slot_mut<'a, P>(
    near: &'a mut Vec<Slot<P>>,
    far: &'a mut Vec<Option<Box<Leaf<P>>>>,
    index: usize,
) -> &'a mut Slot<P> {
    let Some(behind) = index.checked_sub(NEAR_PAGES) else {
        if index >= near.len() {
            near.resize_with(index + 1, Slot::default);
        }
        return &mut near[index];
    };
    let number = behind / LEAF_PAGES;
    if number >= far.len() {
        far.resize_with(number + 1, || None);
    }
    let leaf = far[number].get_or_insert_with(|| Box::new(std::array::from_fn(|_| Slot::default())));
    &mut leaf[behind % LEAF_PAGES]
}

impl<P> Default for Slot<P> {
    fn default() -> Self {
        Self {
            content: Content::Zero,
            written: 0,
        }
    }
}

impl<P: Page> Slot<P> {
    /// Its page, to write the words of `mask` into it; the page's index becomes dirty.
    #[inline(always)]
    fn write(&mut self, index: usize, mask: u32, dirty: &mut Vec<u32>, pool: &mut Pool<P>) -> &mut P {
        if self.written == 0 {
            dirty.push(index as u32);
        }
        self.written |= mask;
        self.content.owned(pool)
    }
}

impl<P: Page> Content<P> {
    #[inline(always)]
    fn owned(&mut self, pool: &mut Pool<P>) -> &mut P {
        if !matches!(self, Self::Owned(_)) {
            self.make_owned(pool);
        }
        match self {
            Self::Owned(page) => page,
            Self::Zero | Self::Recorded(_) => unreachable!("the page was just made our own"),
        }
    }

    #[cold]
    fn make_owned(&mut self, pool: &mut Pool<P>) {
        let mut own = pool.reuse().unwrap_or_else(P::zeroed);
        if let Self::Recorded(page) = self {
            (*own).clone_from(page.get());
        }
        *self = Self::Owned(own);
    }
}

/// Two memories are equal when they read alike: a page of zeros equals a missing one.
impl<P: Page> PartialEq for Paged<P> {
    fn eq(&self, other: &Self) -> bool {
        let zero = P::zeroed();
        let only_there = other.indices().filter(|&i| self.page(i).is_none());
        self.indices()
            .chain(only_there)
            .all(|i| match (self.page(i), other.page(i)) {
                (None, None) => true,
                (a, b) => a.unwrap_or(&zero) == b.unwrap_or(&zero),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::HeapPage;

    fn page(byte: u8) -> Box<HeapPage> {
        let mut page = HeapPage::zeroed();
        page.0[0] = byte;
        page
    }

    #[test]
    fn pages_far_out_are_kept_listed_and_compared_like_near_ones() {
        let (mut memory, mut pool) = (Paged::default(), Pool::default());
        let far = [0, 7, 1_023, 1_024, 1_279, 1_280, 61_999, 4_194_303];
        for (byte, index) in (1..).zip(far) {
            *memory.page_mut(index, 1, &mut pool) = *page(byte);
        }
        for (byte, index) in (1..).zip(far) {
            assert_eq!(memory.page(index), Some(&*page(byte)), "{index}");
            assert_eq!(memory.page(index + 2), None, "{index}");
        }
        let listed: Vec<usize> = memory.pages().map(|(index, _)| index as usize).collect();
        assert_eq!(listed, far);
        let mut dirty = Vec::new();
        memory.take_dirty(|index, mask, _| dirty.push((index as usize, mask)));
        assert_eq!(dirty, far.map(|index| (index, 1)));
        assert!(!memory.is_dirty());

        let mut copy = memory.clone();
        assert_eq!(copy, memory);
        copy.page_mut(4_194_303, 1, &mut pool).0[5] = 1;
        assert_ne!(copy, memory);
        copy.recycle(&mut pool);
        assert_eq!(copy, Paged::default());
    }
}

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
#[derive(Debug, Clone)]
pub struct Paged<P> {
    slots: Vec<Slot<P>>,
    dirty: Vec<u32>,
}

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
    /// The page at an index of a space, as the keyframe of a chunk has it.
    fn load(&self, chunk: u32, space: u32, index: u32) -> Arc<P>;
}

/// A page of a recording, loaded when it is first looked at.
#[derive(Debug)]
pub struct RecordedPage<P> {
    loaded: OnceLock<Arc<P>>,
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
            source,
            chunk,
            space,
            index,
        }
    }

    fn get(&self) -> &P {
        self.loaded
            .get_or_init(|| self.source.load(self.chunk, self.space, self.index))
    }
}

impl<P> Default for Paged<P> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            dirty: Vec::new(),
        }
    }
}

impl<P: Page> Paged<P> {
    /// The page at an index, `None` when nothing was written there.
    #[inline]
    pub fn page(&self, index: usize) -> Option<&P> {
        match &self.slots.get(index)?.content {
            Content::Zero => None,
            Content::Owned(page) => Some(page),
            Content::Recorded(page) => Some(page.get()),
        }
    }

    /// The page at an index, to write the words of `mask` into it. A new one comes from the pool.
    #[inline(always)]
    pub fn page_mut(&mut self, index: usize, mask: u32, pool: &mut Pool<P>) -> &mut P {
        if index >= self.slots.len() {
            self.grow(index);
        }
        let slot = &mut self.slots[index];
        if slot.written == 0 {
            self.dirty.push(index as u32);
        }
        slot.written |= mask;
        slot.content.owned(pool)
    }

    /// Makes it empty, for another memory; its pages go to the pool.
    pub(crate) fn recycle(&mut self, pool: &mut Pool<P>) {
        for slot in self.slots.drain(..) {
            if let Content::Owned(page) = slot.content {
                pool.give(page);
            }
        }
        self.dirty.clear();
    }

    /// Puts a page of a recording at an index, without marking it as written.
    pub fn put_recorded(&mut self, index: u32, page: RecordedPage<P>) {
        let index = index as usize;
        if index >= self.slots.len() {
            self.grow(index);
        }
        self.slots[index].content = Content::Recorded(Arc::new(page));
    }

    /// Pages that exist, with their indices, in order.
    pub fn pages(&self) -> impl Iterator<Item = (u32, &P)> {
        (0..self.slots.len()).filter_map(|index| Some((index as u32, self.page(index)?)))
    }

    /// Calls `f` with each page written since the last call: index, mask of its written words, content. In order of
    /// index; the marks are cleared.
    pub fn take_dirty(&mut self, mut f: impl FnMut(u32, u32, &P)) {
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.sort_unstable();
        for &index in &dirty {
            let mask = std::mem::take(&mut self.slots[index as usize].written);
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

    #[cold]
    fn grow(&mut self, index: usize) {
        self.slots.resize_with(index + 1, || Slot {
            content: Content::Zero,
            written: 0,
        });
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
        let length = self.slots.len().max(other.slots.len());
        (0..length).all(|i| match (self.page(i), other.page(i)) {
            (None, None) => true,
            (a, b) => a.unwrap_or(&zero) == b.unwrap_or(&zero),
        })
    }
}

//! Sparse memory in pages of 1 KiB, with a mark for each word written since the last keyframe.
//!
//! Heaps and stacks are both such memories; a recording stores the marked pages at each chunk's start.

mod recorded;

use std::sync::Arc;

use recorded::RecordedPages;

pub use recorded::{PageSource, Unread};

/// Words (or stack slots) in a page.
pub const PAGE_WORDS: usize = 32;

/// A page: all zero when it is created.
pub trait Page: Clone + PartialEq {
    /// A page of zeros, on the heap.
    fn zeroed() -> Box<Self>;

    /// Makes it a page of zeros.
    fn clear(&mut self);
}

/// A page that was written since the last [`Paged::take_dirty`].
#[derive(Debug)]
pub struct Dirty<'a, P> {
    /// Its index in the memory.
    pub index: u32,
    /// Bit n: word n was written since then.
    pub written: u32,
    /// Bit n: word n was ever written. The others are zero.
    pub filled: u32,
    /// Its content.
    pub page: &'a P,
}

/// The numbers of the words in a mask, in order.
pub fn words_of(mask: u32) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(mask), |mask| Some(mask & mask.wrapping_sub(1)))
        .take_while(|&mask| mask != 0)
        .map(|mask| mask.trailing_zeros() as usize)
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
/// bootloader's, of 60 MB) is as quick to copy as what it holds. In a memory of a recording they hold what was written
/// since; copies share the rest.
#[derive(Debug, Clone)]
pub struct Paged<P> {
    near: Vec<Slot<P>>,
    far: Vec<Option<Box<Leaf<P>>>>,
    dirty: Vec<u32>,
    recorded: Option<Arc<RecordedPages<P>>>,
}

/// Pages that may stand in the first list.
const NEAR_PAGES: usize = 1_024;
/// Pages in a leaf.
const LEAF_PAGES: usize = 256;

type Leaf<P> = [Slot<P>; LEAF_PAGES];

#[derive(Debug, Clone)]
struct Slot<P> {
    /// `None` for zeros, or what the recording has.
    content: Option<Box<P>>,
    /// Bit n: word n was written since the last [`Paged::take_dirty`].
    written: u32,
    /// Bit n: word n of the content was written before that.
    filled: u32,
}

impl<P> Default for Paged<P> {
    fn default() -> Self {
        Self {
            near: Vec::new(),
            far: Vec::new(),
            dirty: Vec::new(),
            recorded: None,
        }
    }
}

impl<P: Page> Paged<P> {
    /// The memory of a recording.
    pub fn recorded(source: Box<dyn PageSource<P>>) -> Self {
        Self {
            recorded: Some(Arc::new(RecordedPages::new(source))),
            ..Self::default()
        }
    }

    /// The page at an index, `None` when nothing was written there.
    #[inline]
    pub fn page(&self, index: usize) -> Option<&P> {
        let slot = match self.near.get(index) {
            Some(slot) => Some(slot),
            None => self.far_slot(index),
        };
        match slot {
            Some(Slot {
                content: Some(page), ..
            }) => Some(page),
            _ => self.recorded.as_ref()?.page(index),
        }
    }

    /// The page at an index, to write the words of `mask` into it. A new one comes from the pool.
    #[inline(always)]
    pub fn page_mut(&mut self, index: usize, mask: u32, pool: &mut Pool<P>) -> &mut P {
        let slot = if index < self.near.len() {
            &mut self.near[index]
        } else {
            slot_mut(&mut self.near, &mut self.far, index)
        };
        if slot.written == 0 {
            self.dirty.push(index as u32);
        }
        slot.written |= mask;
        slot.content.get_or_insert_with(|| {
            let page;
            (page, slot.filled) = own_page(self.recorded.as_deref(), index, pool);
            page
        })
    }

    /// Makes it empty, for another memory; its pages go to the pool.
    pub(crate) fn recycle(&mut self, pool: &mut Pool<P>) {
        let far = self.far.drain(..).flatten().flat_map(|leaf| *leaf);
        for page in self.near.drain(..).chain(far).filter_map(|slot| slot.content) {
            pool.give(page);
        }
        self.dirty.clear();
        self.recorded = None;
    }

    /// Pages that exist, with their indices, in order.
    pub fn pages(&self) -> impl Iterator<Item = (u32, &P)> {
        let indices = self.indices().into_iter();
        indices.filter_map(|index| Some((index, self.page(index as usize)?)))
    }

    /// Calls `f` with each page written since the last call, in order of index; the marks are cleared.
    pub fn take_dirty(&mut self, mut f: impl FnMut(Dirty<'_, P>)) {
        self.dirty.sort_unstable();
        for index in self.dirty.drain(..) {
            let slot = slot_mut(&mut self.near, &mut self.far, index as usize);
            let written = std::mem::take(&mut slot.written);
            slot.filled |= written;
            f(Dirty {
                index,
                written,
                filled: slot.filled,
                page: slot.content.as_ref().expect("a written page exists"),
            });
        }
    }

    /// Whether a word was written since the last [`Self::take_dirty`].
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Where pages are, in order.
    fn indices(&self) -> Vec<u32> {
        let mut indices = self.own_indices();
        if let Some(recorded) = &self.recorded {
            indices.append(&mut recorded.indices());
            indices.sort_unstable();
            indices.dedup();
        }
        indices
    }

    /// Where pages are that are no recording's, in order.
    fn own_indices(&self) -> Vec<u32> {
        let far = (NEAR_PAGES..).step_by(LEAF_PAGES).zip(&self.far);
        let far = far.filter_map(|(first, leaf)| Some((first..).zip(leaf.as_ref()?.iter())));
        let slots = (0..).zip(&self.near).chain(far.flatten());
        slots
            .filter(|(_, slot)| slot.content.is_some())
            .map(|(index, _)| index as u32)
            .collect()
    }

    fn far_slot(&self, index: usize) -> Option<&Slot<P>> {
        let index = index.checked_sub(NEAR_PAGES)?;
        let leaf = self.far.get(index / LEAF_PAGES)?.as_ref()?;
        Some(&leaf[index % LEAF_PAGES])
    }
}

/// The place of a page, which is made when it is not there.
#[cold]
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

/// A page to write to, as the recording has it, and which of its words may not be zero.
#[cold]
fn own_page<P: Page>(recorded: Option<&RecordedPages<P>>, index: usize, pool: &mut Pool<P>) -> (Box<P>, u32) {
    let mut own = pool.reuse().unwrap_or_else(P::zeroed);
    let recorded = recorded.and_then(|recorded| recorded.page(index));
    let filled = recorded.map_or(0, |page| {
        (*own).clone_from(page);
        u32::MAX
    });
    (own, filled)
}

impl<P> Default for Slot<P> {
    fn default() -> Self {
        Self {
            content: None,
            written: 0,
            filled: 0,
        }
    }
}

/// Two memories are equal when they read alike: a page of zeros equals a missing one.
impl<P: Page> PartialEq for Paged<P> {
    fn eq(&self, other: &Self) -> bool {
        let shared = match (&self.recorded, &other.recorded) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        let indices = if shared {
            [self.own_indices(), other.own_indices()]
        } else {
            [self.indices(), other.indices()]
        };
        let zero = P::zeroed();
        let same = |a: Option<&P>, b: Option<&P>| {
            let (a, b) = (a.unwrap_or(&zero), b.unwrap_or(&zero));
            // States of one recording share most pages.
            std::ptr::eq(a, b) || a == b
        };
        let mut indices = indices.into_iter().flatten().map(|index| index as usize);
        indices.all(|index| same(self.page(index), other.page(index)))
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
        memory.take_dirty(|page| dirty.push((page.index as usize, page.written)));
        assert_eq!(dirty, far.map(|index| (index, 1)));
        assert!(!memory.is_dirty());

        let mut copy = memory.clone();
        assert_eq!(copy, memory);
        copy.page_mut(4_194_303, 1, &mut pool).0[5] = 1;
        assert_ne!(copy, memory);
        copy.recycle(&mut pool);
        assert_eq!(copy, Paged::default());
    }

    #[test]
    fn a_page_tells_all_words_that_were_ever_written_and_leaves_zeros_to_the_next_memory() {
        let (mut memory, mut pool) = (Paged::<HeapPage>::default(), Pool::default());
        let mut write = |memory: &mut Paged<HeapPage>, word: usize| {
            memory.page_mut(0, 1 << word, &mut pool).0[word * 32] = 7;
        };
        let taken = |memory: &mut Paged<HeapPage>| {
            let mut taken = Vec::new();
            memory.take_dirty(|page| taken.push((page.written, page.filled)));
            taken
        };
        write(&mut memory, 31);
        assert_eq!(taken(&mut memory), [(1 << 31, 1 << 31)]);
        write(&mut memory, 3);
        assert_eq!(taken(&mut memory), [(1 << 3, 1 << 31 | 1 << 3)]);
        assert_eq!(taken(&mut memory), []);
        write(&mut memory, 9);
        memory.recycle(&mut pool);
        let page = memory.page_mut(0, 1 << 5, &mut pool);
        assert_eq!(*page, *HeapPage::zeroed());
        assert_eq!(taken(&mut memory), [(1 << 5, 1 << 5)]);
    }

    #[test]
    fn the_words_of_a_mask_are_the_numbers_of_its_bits() {
        assert_eq!(words_of(0).count(), 0);
        assert_eq!(words_of(1 << 31 | 0b1010).collect::<Vec<_>>(), [1, 3, 31]);
        assert_eq!(words_of(u32::MAX).count(), PAGE_WORDS);
    }
}

//! Pages of a keyframe. A seek looks at a few pages of a dozen keyframes, so each is decoded when it is first looked at.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use eradbg_vm::U256;
use eradbg_vm::execution::DirtyPage;
use eradbg_vm::heap::HeapPage;
use eradbg_vm::paged::{PAGE_WORDS, words_of};
use eradbg_vm::stack::StackPage;
use eradbg_vm::value::{word_from_bytes, word_to_bytes};

use crate::index::Version;
use crate::store::codec::{Decoder, Encoder, Malformed};

/// A page as it was at a keyframe.
#[derive(Debug, Clone)]
pub struct PageVersion {
    /// Page id of the memory or stack.
    pub space: u32,
    /// Index in it.
    pub index: u32,
    /// Words written since the keyframe before.
    pub written: u32,
    /// Which words of a stack are pointers; `None` for a memory.
    pointers: Option<u32>,
    /// Words that are not zero.
    filled: u32,
    /// Where those words are among the bytes.
    words: Range<u32>,
    /// Of all pages of the keyframe.
    bytes: Arc<[u8]>,
    content: OnceLock<PageContent>,
}

/// What a page is found by: page id of its memory or stack, whether it is of a stack, index in it.
pub type PageKey = (u32, bool, u32);

/// Content of a page, shared by all states that are made from a recording.
#[derive(Debug, Clone)]
pub enum PageContent {
    /// Of a memory.
    Heap(Arc<HeapPage>),
    /// Of a stack.
    Stack(Arc<StackPage>),
}

impl PageVersion {
    /// What it is found by. Where stacks have no ids, theirs are also those of memories.
    pub fn key(&self) -> PageKey {
        (self.space, self.pointers.is_some(), self.index)
    }

    /// Its content.
    pub fn content(&self) -> &PageContent {
        self.content.get_or_init(|| {
            let words = self.decode_words();
            if let Some(pointers) = self.pointers {
                return PageContent::Stack(Arc::new(StackPage { words, pointers }));
            }
            let mut page = HeapPage([0; 32 * PAGE_WORDS]);
            for (bytes, word) in page.0.as_chunks_mut::<32>().0.iter_mut().zip(words) {
                word.to_big_endian(bytes);
            }
            PageContent::Heap(Arc::new(page))
        })
    }

    fn decode_words(&self) -> [U256; PAGE_WORDS] {
        let mut d = Decoder::new(&self.bytes[self.words.start as usize..self.words.end as usize]);
        let mut words = [U256::zero(); PAGE_WORDS];
        for at in words_of(self.filled) {
            words[at] = d
                .word()
                .expect("the words were passed over when the keyframe was read");
        }
        words
    }
}

/// Copies of pages that were written since the keyframe before. Most words of most pages were never written, so what is
/// copied is the others.
#[derive(Debug, Default)]
pub(super) struct Copies {
    pages: Vec<Copied>,
    /// Of all pages, one after the other, big-endian.
    words: Vec<[u8; 32]>,
}

#[derive(Debug)]
struct Copied {
    space: u32,
    index: u32,
    written: u32,
    /// As in [`PageVersion`].
    pointers: Option<u32>,
    /// Words that were copied.
    filled: u32,
}

/// Pages that few chunks write more of.
const USUAL_PAGES: usize = 1_024;

impl Copies {
    /// Copies a page of a memory or stack.
    pub(super) fn copy(&mut self, space: u32, page: DirtyPage<'_>) {
        let (index, written, filled, pointers) = match page {
            DirtyPage::Heap(page) => {
                let words = page.page.0.as_chunks::<32>().0;
                self.words.extend(words_of(page.filled).map(|at| words[at]));
                (page.index, page.written, page.filled, None)
            }
            DirtyPage::Stack(page) => {
                let StackPage { words, pointers } = page.page;
                let words = words_of(page.filled).map(|at| word_to_bytes(words[at]));
                self.words.extend(words);
                (page.index, page.written, page.filled, Some(*pointers))
            }
        };
        self.pages.push(Copied {
            space,
            index,
            written,
            pointers,
            filled,
        });
    }

    /// Drops them, and keeps the usual room for others.
    pub(super) fn clear(&mut self) {
        self.pages.clear();
        self.pages.shrink_to(USUAL_PAGES);
        self.words.clear();
        self.words.shrink_to(USUAL_PAGES * PAGE_WORDS);
    }

    /// What they are versions of, in the order in which they came.
    pub(super) fn versions(&self) -> impl Iterator<Item = Version> {
        self.pages.iter().map(|page| Version {
            page: (page.space, page.pointers.is_some(), page.index),
            written: page.written,
        })
    }

    /// Writes the pages, the last part of a keyframe: their number, then each. Only words that are not zero are stored; a
    /// mask says which.
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.number(self.pages.len() as u64);
        let mut words = self.words.iter().map(word_from_bytes);
        let mut of_page = Vec::with_capacity(PAGE_WORDS);
        for page in &self.pages {
            e.number(page.space);
            e.number(page.index);
            e.number(page.written);
            e.option(page.pointers, Encoder::number);
            let copied = words_of(page.filled).zip(&mut words);
            of_page.clear();
            of_page.extend(copied.filter(|(_, word)| !word.is_zero()));
            let filled = of_page.iter().fold(0u32, |mask, (at, _)| mask | 1 << at);
            e.number(filled);
            for &(_, word) in &of_page {
                e.word(word);
            }
        }
    }
}

/// Reads the pages of a keyframe, the last part of it: their number, then each.
pub(super) fn decode_pages(d: &mut Decoder<'_>) -> Result<Vec<PageVersion>, Malformed> {
    let count = d.count()?;
    let bytes: Arc<[u8]> = d.clone().rest().into();
    let all = bytes.len();
    let place = |d: &Decoder<'_>| u32::try_from(all - d.remaining()).map_err(|_| Malformed);
    let mut pages = Vec::with_capacity(count);
    for _ in 0..count {
        let (space, index, written) = (d.number()?, d.number()?, d.number()?);
        let pointers = d.option(Decoder::number)?;
        let filled: u32 = d.number()?;
        let start = place(d)?;
        for _ in 0..filled.count_ones() {
            d.pass_word()?;
        }
        pages.push(PageVersion {
            space,
            index,
            written,
            pointers,
            filled,
            words: start..place(d)?,
            bytes: Arc::clone(&bytes),
            content: OnceLock::new(),
        });
    }
    Ok(pages)
}

//! Pages of a memory as a recording has them: read when they are first looked at, and shared by all copies.

use std::sync::{Arc, OnceLock};

use super::Page;

/// Pages that are found together.
const LEAF_PAGES: usize = 64;

/// Where the pages of a recorded memory come from.
pub trait PageSource<P>: std::fmt::Debug + Send + Sync {
    /// One more than the largest index that may have a page.
    fn end(&self) -> u32;

    /// Indices that have a page, in order.
    fn indices(&self) -> Vec<u32>;

    /// The page at an index; `None` when nothing was written there.
    ///
    /// # Errors
    /// When it cannot be read. It is asked for again when it is looked at again.
    fn page(&self, index: u32) -> Result<Option<Arc<P>>, Unread>;
}

/// A page cannot be read; its source keeps the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread;

/// The pages of a source that were looked at, and the source.
#[derive(Debug)]
pub(super) struct RecordedPages<P> {
    source: Box<dyn PageSource<P>>,
    leaves: Box<[OnceLock<Box<Leaf<P>>>]>,
    /// What stands for a page while it cannot be read.
    zero: OnceLock<Box<P>>,
}

type Leaf<P> = [OnceLock<Option<Arc<P>>>; LEAF_PAGES];

impl<P: Page> RecordedPages<P> {
    pub(super) fn new(source: Box<dyn PageSource<P>>) -> Self {
        let leaves = (source.end() as usize).div_ceil(LEAF_PAGES);
        Self {
            source,
            leaves: (0..leaves).map(|_| OnceLock::new()).collect(),
            zero: OnceLock::new(),
        }
    }

    pub(super) fn page(&self, index: usize) -> Option<&P> {
        let leaf = self.leaves.get(index / LEAF_PAGES)?;
        let leaf = leaf.get_or_init(|| Box::new(std::array::from_fn(|_| OnceLock::new())));
        let seen = &leaf[index % LEAF_PAGES];
        let page = match seen.get() {
            Some(page) => page,
            None => match self.source.page(index as u32) {
                Ok(page) => seen.get_or_init(|| page),
                Err(Unread) => return Some(self.zero.get_or_init(P::zeroed)),
            },
        };
        page.as_deref()
    }

    pub(super) fn indices(&self) -> Vec<u32> {
        self.source.indices()
    }
}

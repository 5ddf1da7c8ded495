//! The pages that a frame keeps alive until it ends.

use std::fmt;
use std::sync::Arc;

/// Page ids, oldest first.
///
/// The root frame keeps some fifty for each transaction. A state that was read from a recording shares those of before
/// with others, since nobody asks for them until the frame ends.
#[derive(Debug, Clone, Default)]
pub struct KeptPages {
    earlier: Option<Earlier>,
    later: Vec<u32>,
}

/// Where the pages of before come from.
pub trait EarlierPages: fmt::Debug + Send + Sync {
    /// How many there are.
    fn count(&self) -> usize;

    /// All of them, oldest first.
    fn pages(&self) -> Vec<u32>;
}

#[derive(Debug, Clone)]
struct Earlier {
    count: usize,
    source: Arc<dyn EarlierPages>,
}

impl KeptPages {
    /// Those of before, in a state that was read from a recording.
    pub fn recorded(source: Arc<dyn EarlierPages>) -> Self {
        let count = source.count();
        Self {
            earlier: (count > 0).then_some(Earlier { count, source }),
            later: Vec::new(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.earlier.as_ref().map_or(0, |earlier| earlier.count) + self.later.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds one.
    #[inline]
    pub fn push(&mut self, page: u32) {
        self.later.push(page);
    }

    /// Takes the last one away.
    pub fn pop(&mut self) -> Option<u32> {
        if self.later.is_empty() {
            self.make_own();
        }
        self.later.pop()
    }

    /// The last one.
    pub fn last(&self) -> Option<u32> {
        let earlier = || self.earlier.as_ref()?.source.pages().last().copied();
        self.later.last().copied().or_else(earlier)
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        let earlier = self.earlier.as_ref().map(|earlier| earlier.source.pages());
        earlier.into_iter().flatten().chain(self.later.iter().copied())
    }

    /// Those after the first `count`.
    pub fn after(&self, count: usize) -> Vec<u32> {
        let earlier = self.earlier.as_ref().map_or(0, |earlier| earlier.count);
        match count.checked_sub(earlier) {
            Some(skipped) => self.later.get(skipped..).unwrap_or_default().to_vec(),
            None => self.iter().skip(count).collect(),
        }
    }

    /// Keeps the first `count` only.
    pub(crate) fn truncate(&mut self, count: usize) {
        if self.earlier.as_ref().is_some_and(|earlier| count < earlier.count) {
            self.make_own();
        }
        let earlier = self.earlier.as_ref().map_or(0, |earlier| earlier.count);
        self.later.truncate(count - earlier);
    }

    pub(crate) fn clear(&mut self) {
        self.earlier = None;
        self.later.clear();
    }

    fn make_own(&mut self) {
        self.later = self.iter().collect();
        self.earlier = None;
    }
}

impl FromIterator<u32> for KeptPages {
    fn from_iter<I: IntoIterator<Item = u32>>(pages: I) -> Self {
        Self {
            earlier: None,
            later: pages.into_iter().collect(),
        }
    }
}

impl PartialEq for KeptPages {
    fn eq(&self, other: &Self) -> bool {
        // States of one stretch share what was before.
        let is_shared = match (&self.earlier, &other.earlier) {
            (Some(a), Some(b)) => Arc::ptr_eq(&a.source, &b.source),
            (None, None) => true,
            _ => false,
        };
        if is_shared {
            self.later == other.later
        } else {
            self.len() == other.len() && self.iter().eq(other.iter())
        }
    }
}

impl Eq for KeptPages {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Before(Vec<u32>);

    impl EarlierPages for Before {
        fn count(&self) -> usize {
            self.0.len()
        }

        fn pages(&self) -> Vec<u32> {
            self.0.clone()
        }
    }

    #[test]
    fn pages_of_before_are_like_own_ones() {
        let own: KeptPages = [3, 1, 2].into_iter().collect();
        let mut shared = KeptPages::recorded(Arc::new(Before(vec![3, 1])));
        assert_eq!((shared.len(), shared.last()), (2, Some(1)));
        shared.push(2);
        assert_eq!(shared, own);
        assert_eq!(
            (shared.after(1), shared.after(2), shared.after(9)),
            (vec![1, 2], vec![2], vec![])
        );
        assert_eq!(
            [shared.pop(), shared.pop(), shared.pop(), shared.pop()],
            [Some(2), Some(1), Some(3), None]
        );
        let mut cut = KeptPages::recorded(Arc::new(Before(vec![3, 1])));
        cut.push(9);
        cut.truncate(1);
        assert!(cut.iter().eq([3]));
        assert_ne!(cut, own);
    }
}

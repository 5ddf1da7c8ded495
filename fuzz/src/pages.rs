//! Which heap of the peer is which page of ours.
//!
//! The machines number memories in their own ways, unless ours is told to follow the peer's. Two kinds of words hold such numbers: tagged ones, which are
//! compared through this map, and untagged ones that kernel code made of them, which `translate` keeps equal.

use eradbg_vm::page_ids::{NO_PAGE, PageNumbering, aux_heap_page, heap_page};
use eradbg_vm::{FatPointer, U256};
use rustc_hash::FxHashMap;

/// A one-to-one map between page ids of the two machines. Pages of code are the exception: the peer copies them anew
/// for each `decommit`, so several of its heaps may be one page of ours, which nobody can write to.
#[derive(Debug)]
pub struct Pages {
    numbering: PageNumbering,
    to_peer: FxHashMap<u32, u32>,
    to_ours: FxHashMap<u32, u32>,
}

impl Pages {
    /// The pages of the root frame: nothing, calldata, heap, aux heap.
    pub fn new(numbering: PageNumbering) -> Self {
        let mut pages = Self {
            numbering,
            to_peer: FxHashMap::default(),
            to_ours: FxHashMap::default(),
        };
        let base = numbering.bootloader_base();
        let ours = [
            NO_PAGE,
            numbering.bootloader_calldata(),
            heap_page(base),
            aux_heap_page(base),
        ];
        for (peer, ours) in (0..).zip(ours) {
            pages.add(ours, peer);
        }
        pages
    }

    /// Adds a pair; false when one of the two has another partner already, or when they should be equal and are not.
    pub fn add(&mut self, ours: u32, peer: u32) -> bool {
        let is_new = !self.to_peer.contains_key(&ours) && !self.to_ours.contains_key(&peer);
        self.add_copy(ours, peer);
        is_new && (self.numbering == PageNumbering::ByFrame || ours == peer)
    }

    /// How our machine numbers memories.
    pub fn numbering(&self) -> PageNumbering {
        self.numbering
    }

    /// Adds one more heap of the peer for a page of code.
    pub fn add_copy(&mut self, ours: u32, peer: u32) {
        self.to_peer.insert(ours, peer);
        self.to_ours.insert(peer, ours);
    }

    /// The peer's heap for a page of ours.
    pub fn peer(&self, ours: u32) -> Option<u32> {
        self.to_peer.get(&ours).copied()
    }

    /// Our page for a heap of the peer.
    pub fn ours(&self, peer: u32) -> Option<u32> {
        self.to_ours.get(&peer).copied()
    }

    /// A pointer of ours as the peer would hold it.
    pub fn pointer_to_peer(&self, word: U256) -> Option<U256> {
        Some(with_page(word, self.peer(page(word))?))
    }

    /// A pointer of the peer as we would hold it.
    pub fn pointer_to_ours(&self, word: U256) -> Option<U256> {
        Some(with_page(word, self.ours(page(word))?))
    }
}

fn page(word: U256) -> u32 {
    FatPointer::from_word(word).page
}

fn with_page(word: U256, page: u32) -> U256 {
    let U256([low, rest @ ..]) = word;
    U256([
        low & 0xffff_ffff | u64::from(page) << 32,
        rest[0],
        rest[1],
        rest[2],
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_translate_to_and_fro_and_keep_all_but_the_page() {
        let mut pages = Pages::new(PageNumbering::ByFrame);
        assert!(pages.add(2050, 4));
        let ours = U256([2050 << 32 | 5, 6, 7, 8]);
        let peer = U256([4 << 32 | 5, 6, 7, 8]);
        assert_eq!(pages.pointer_to_peer(ours), Some(peer));
        assert_eq!(pages.pointer_to_ours(peer), Some(ours));
        assert_eq!(pages.pointer_to_ours(U256([9 << 32, 0, 0, 0])), None);
    }

    #[test]
    fn a_page_has_one_partner() {
        let mut pages = Pages::new(PageNumbering::ByFrame);
        assert!(pages.add(2050, 4));
        assert!(!pages.add(2058, 4));
        assert!(!pages.add(2050, 6));
    }

    #[test]
    fn partners_are_equal_where_both_machines_number_alike() {
        let mut pages = Pages::new(PageNumbering::OneByOne);
        assert_eq!([0, 1, 2, 3].map(|page| pages.peer(page)), [0, 1, 2, 3].map(Some));
        assert!(pages.add(4, 4));
        assert!(!pages.add(5, 6));
    }
}

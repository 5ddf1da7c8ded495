//! Page ids: the numbers by which fat pointers and precompile calls name memories, and how frames get theirs.
//!
//! Sources: `zk_evm` 0.153.8 (`src/vm_state/mod.rs`, `src/opcodes/execution/far_call.rs`), `zksync_vm2` 0.5.0
//! (`src/heap.rs`).

/// Page id where nothing lives.
pub const NO_PAGE: u32 = 0;
/// Page of the static memory that all kernel code shares.
pub const STATIC_MEMORY_PAGE: u32 = 1;

/// Page of a frame's stack, by its base page.
pub const fn stack_page(base: u32) -> u32 {
    base + 1
}

/// Page of a frame's heap, by its base page.
pub const fn heap_page(base: u32) -> u32 {
    base + 2
}

/// Page of a frame's aux heap, by its base page.
pub const fn aux_heap_page(base: u32) -> u32 {
    base + 3
}

/// How memories are numbered. In each way a frame's heap and aux heap are [`heap_page`] and [`aux_heap_page`] of its
/// base page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageNumbering {
    /// Each far call takes eight ids: code, stack, heap, aux heap, and four unused. `decommit` writes fresh code to the
    /// heap of its frame, and a rollback gives ids back.
    ByFrame,
    /// Each far call takes two ids, for heap and aux heap: code and stack have none, and what would be their ids is
    /// others'. `decommit` takes one, for a copy of the code. No id is given twice.
    OneByOne,
}

impl PageNumbering {
    /// Page of the bootloader's (empty) calldata.
    pub const fn bootloader_calldata(self) -> u32 {
        match self {
            Self::ByFrame => 7,
            Self::OneByOne => 1,
        }
    }

    /// Base page of the bootloader's frame.
    pub const fn bootloader_base(self) -> u32 {
        match self {
            Self::ByFrame => 8,
            Self::OneByOne => 0,
        }
    }

    /// Base page of the first far call's frame.
    pub const fn first_base(self) -> u32 {
        match self {
            Self::ByFrame => 2048,
            Self::OneByOne => 2,
        }
    }

    /// From one far call's base page to the next one's.
    pub const fn per_frame(self) -> u32 {
        match self {
            Self::ByFrame => 8,
            Self::OneByOne => 2,
        }
    }

    /// All base pages that frames can have had which were entered while the next base page moved on.
    pub fn bases(self, from: u32, to: u32) -> impl Iterator<Item = u32> {
        let apart = match self {
            Self::ByFrame => self.per_frame(),
            // A `decommit` in between moves it by one.
            Self::OneByOne => 1,
        };
        (from..to).step_by(apart as usize)
    }

    /// The first id that belongs to the frame with a base page; lower ones are those of older frames.
    pub const fn first_of(self, base: u32) -> u32 {
        match self {
            Self::ByFrame => base,
            Self::OneByOne => heap_page(base),
        }
    }
}

/// Whether a page that code was decommitted to holds nothing but this code; else it is the heap of a frame, where
/// programs can overwrite it.
pub const fn is_code_page(page: u32) -> bool {
    page.is_multiple_of(PageNumbering::ByFrame.per_frame())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_pages_of_their_own_in_each_numbering() {
        for numbering in [PageNumbering::ByFrame, PageNumbering::OneByOne] {
            let first = numbering.first_base();
            let bases = [
                numbering.bootloader_base(),
                first,
                first + numbering.per_frame(),
                first + 2 * numbering.per_frame(),
            ];
            let pages: Vec<u32> = bases
                .into_iter()
                .flat_map(|base| [heap_page(base), aux_heap_page(base)])
                .collect();
            assert!(pages.is_sorted_by(|a, b| a < b), "{pages:?}");
            assert!(numbering.bootloader_calldata() < pages[0]);
            for base in bases {
                let own = numbering.first_of(base);
                assert!(own <= heap_page(base));
                assert!(pages.iter().all(|&page| page < own || page >= heap_page(base)));
            }
        }
    }

    #[test]
    fn every_base_between_two_is_found_with_code_in_between() {
        let bases =
            |numbering: PageNumbering, to| numbering.bases(numbering.first_base(), to).collect::<Vec<_>>();
        assert_eq!(bases(PageNumbering::ByFrame, 2064), [2048, 2056]);
        // A call, a decommit, a call.
        let next = PageNumbering::OneByOne.first_base() + 2 + 1 + 2;
        let found = bases(PageNumbering::OneByOne, next);
        assert!(found.contains(&2) && found.contains(&5), "{found:?}");
    }
}

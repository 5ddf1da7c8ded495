//! Memory of the official VM: words by page and index, and which pages die with a frame.
//!
//! Rules: `matter-labs/zksync-era` `core/lib/multivm/src/versions/vm_latest/old_vm/memory.rs`.

use std::collections::{BTreeMap, HashMap};

use eradbg_vm::{H160, U256, Value};
use zk_evm::aux_structures::{MemoryPage, MemoryQuery, Timestamp};
use zk_evm::zkevm_opcode_defs::FatPointer;

const CODE_ORACLE: u64 = 0x8012;

/// Tagged words by page and index.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(super) pages: HashMap<u32, BTreeMap<u32, Value>>,
    /// Pages that each far frame can see, the bootloader's own in front.
    observable: Vec<Vec<u32>>,
}

impl Memory {
    /// Puts words on a page, from index 0 on.
    pub(super) fn fill(&mut self, page: u32, words: &[U256]) {
        for (index, &word) in (0..).zip(words) {
            self.set(page, index, Value::integer(word));
        }
    }

    /// The word at an index of a page.
    pub(super) fn get(&self, page: u32, index: u32) -> Value {
        let word = self.pages.get(&page).and_then(|page| page.get(&index));
        word.copied().unwrap_or(Value::ZERO)
    }

    fn set(&mut self, page: u32, index: u32, value: Value) {
        self.pages.entry(page).or_default().insert(index, value);
    }

    fn query(&mut self, mut query: MemoryQuery) -> MemoryQuery {
        let (page, index) = (query.location.page.0, query.location.index.0);
        if query.rw_flag {
            let value = Value {
                word: query.value,
                is_pointer: query.value_is_pointer,
            };
            self.set(page, index, value);
        } else {
            let Value { word, is_pointer } = self.get(page, index);
            (query.value, query.value_is_pointer) = (word, is_pointer);
        }
        query
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            pages: HashMap::new(),
            observable: vec![Vec::new()],
        }
    }
}

impl zk_evm::abstractions::Memory for Memory {
    fn execute_partial_query(&mut self, _: u32, query: MemoryQuery) -> MemoryQuery {
        self.query(query)
    }

    fn specialized_code_query(&mut self, _: u32, query: MemoryQuery) -> MemoryQuery {
        self.query(query)
    }

    fn read_code_query(&self, _: u32, mut query: MemoryQuery) -> MemoryQuery {
        let Value { word, is_pointer } = self.get(query.location.page.0, query.location.index.0);
        (query.value, query.value_is_pointer) = (word, is_pointer);
        query
    }

    fn start_global_frame(
        &mut self,
        _: MemoryPage,
        MemoryPage(new_base): MemoryPage,
        calldata: FatPointer,
        _: Timestamp,
    ) {
        self.observable.push(vec![
            calldata.memory_page,
            new_base + 1,
            new_base + 2,
            new_base + 3,
        ]);
    }

    fn finish_global_frame(
        &mut self,
        MemoryPage(base): MemoryPage,
        this: H160,
        returndata: FatPointer,
        _: Timestamp,
    ) {
        let pages = self.observable.pop().expect("a frame was started");
        if this == H160::from_low_u64_be(CODE_ORACLE) {
            return;
        }
        for page in pages {
            if page >= base && page != returndata.memory_page {
                self.pages.remove(&page);
            }
        }
        let caller = self.observable.last_mut().expect("the caller is there");
        caller.push(returndata.memory_page);
    }
}

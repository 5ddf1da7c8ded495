//! What a machine is given to run: code, contracts, slots, ergs.

use std::collections::{BTreeMap, HashMap};

use eradbg_vm::execution::Settings;
use eradbg_vm::protocol::Revision;
use eradbg_vm::pubdata::state_diff::pubdata_cost_of_write;
use eradbg_vm::storage::ACCOUNT_CODE_STORAGE;
use eradbg_vm::{H160, Missing, Storage, StorageKey, U256};

/// Code of which nothing is known: every hash has some, so that no run can ask for what is missing.
const UNKNOWN_CODE: [U256; 1] = [U256([0x42d; 4])];

/// One case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Code in the place of the bootloader.
    pub root: Code,
    /// Code by hash, construction mark cleared. Nothing checks that hash and code belong together.
    pub codes: BTreeMap<U256, Code>,
    /// Slots before the run: value, and whether a write is initial.
    pub slots: BTreeMap<StorageKey, (U256, bool)>,
    /// Hash of the default account's code.
    pub default_account: U256,
    /// Hash of the EVM emulator's code.
    pub evm_emulator: U256,
    /// Ergs of the root frame.
    pub ergs: u32,
    /// Bytes of heap and aux heap that the root frame has paid for.
    pub bounds: (u32, u32),
    /// Byte offset of the hook slot in the root frame's heap.
    pub hook_offset: u32,
    /// Steps after which the case ends.
    pub max_steps: u64,
    /// Revision of our machine.
    pub revision: Revision,
}

/// A code page: instructions, then constants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Code {
    /// Instruction words; their number is a multiple of four.
    pub instructions: Vec<u64>,
    /// Words behind them.
    pub constants: Vec<U256>,
}

impl Code {
    /// The words of the page.
    pub fn words(&self) -> Vec<U256> {
        let word = |chunk: &[u64]| U256([chunk[3], chunk[2], chunk[1], chunk[0]]);
        let instructions = self.instructions.chunks_exact(4).map(word);
        instructions.chain(self.constants.iter().copied()).collect()
    }
}

impl Case {
    /// Settings of our machine, of a protocol version that both machines follow.
    pub fn settings(&self) -> Settings {
        Settings {
            default_account: self.default_account,
            evm_emulator: self.evm_emulator,
            hook_offset: self.hook_offset,
            unpaid_growth_raises_bound: false,
            ec_precompiles: true,
            revision: self.revision,
        }
    }

    /// Addresses with something in place of a code hash.
    pub fn contracts(&self) -> impl Iterator<Item = (H160, U256)> {
        let hashes = self
            .slots
            .iter()
            .filter(|(key, _)| key.address == ACCOUNT_CODE_STORAGE);
        hashes.map(|(key, &(hash, _))| (eradbg_vm::value::address_of(key.key), hash))
    }
}

/// The chain before a case. Both machines read it.
#[derive(Debug)]
pub struct Chain {
    slots: HashMap<StorageKey, (U256, bool)>,
    codes: HashMap<U256, Vec<U256>>,
}

impl Chain {
    /// The chain of a case.
    pub fn new(case: &Case) -> Self {
        Self {
            slots: case.slots.iter().map(|(&key, &slot)| (key, slot)).collect(),
            codes: case
                .codes
                .iter()
                .map(|(&hash, code)| (hash, code.words()))
                .collect(),
        }
    }

    /// Words of the code with a hash.
    pub fn code(&self, hash: U256) -> &[U256] {
        self.codes.get(&hash).map_or(&UNKNOWN_CODE, Vec::as_slice)
    }

    /// Value of a slot, and whether a write is initial.
    pub fn slot(&self, key: &StorageKey) -> (U256, bool) {
        self.slots.get(key).copied().unwrap_or((U256::zero(), true))
    }
}

impl Storage for &Chain {
    fn decommit(&mut self, hash: U256) -> Result<Option<Vec<U256>>, Missing> {
        Ok(Some(self.code(hash).to_vec()))
    }

    fn storage_read(&mut self, key: &StorageKey) -> Result<Option<U256>, Missing> {
        Ok(self.slots.get(key).map(|(value, _)| *value))
    }

    fn cost_of_writing_storage(&mut self, key: &StorageKey, value: U256) -> u32 {
        let (initial, is_initial) = self.slot(key);
        pubdata_cost_of_write(is_initial, initial, value)
    }

    fn enumeration_index(&self, key: &StorageKey) -> Option<u64> {
        let (_, is_initial) = self.slot(key);
        (!is_initial).then_some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_fill_words_from_the_most_significant_limb_and_constants_follow() {
        let code = Code {
            instructions: vec![1, 2, 3, 4],
            constants: vec![U256::MAX],
        };
        assert_eq!(code.words(), [U256([4, 3, 2, 1]), U256::MAX]);
    }
}

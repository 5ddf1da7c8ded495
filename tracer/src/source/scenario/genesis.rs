//! The chain's state before the first batch, put together as zksync-era does it.
//!
//! Source: `matter-labs/zksync-era` `core/lib/vm_interface/src/storage/in_memory.rs`, `core/lib/types/src/storage/mod.rs`
//! and `core/lib/constants/src/system_context.rs`.

use std::collections::{BTreeMap, HashMap};

use eradbg_vm::batch::{Absent, Snapshot};
use eradbg_vm::keccak::keccak256_concat;
use eradbg_vm::pubdata::state_diff::derived_key;
use eradbg_vm::storage::{
    ACCOUNT_CODE_STORAGE, BOOTLOADER, CONTRACT_DEPLOYER, KNOWN_CODES_STORAGE, L2_BASE_TOKEN, SYSTEM_CONTEXT,
    StorageKey,
};
use eradbg_vm::value::word_of;
use primitive_types::{H160, H256, U256};

use super::code::Code;

/// Slots of `SystemContext` that genesis sets.
const CHAIN_ID_SLOT: u64 = 0;
const BLOCK_GAS_LIMIT_SLOT: u64 = 3;
const COINBASE_SLOT: u64 = 4;
const DIFFICULTY_SLOT: u64 = 5;
const BLOCK_GAS_LIMIT: u64 = 1 << 50;
const DIFFICULTY: u64 = 2_500_000_000_000_000;

/// Slots of `L2BaseToken`: the mapping of balances, and the sum of them.
const BALANCES_SLOT: u64 = 0;
const TOTAL_SUPPLY_SLOT: u64 = 1;
/// Slot of `ContractDeployer`: the mapping of accounts to what kind they are.
const ACCOUNT_INFO_SLOT: u64 = 0;

/// A state that is being put together.
#[derive(Debug)]
pub(super) struct Genesis {
    slots: BTreeMap<StorageKey, U256>,
    codes: HashMap<U256, Vec<u8>>,
    supply: U256,
}

impl Genesis {
    /// The state of a chain with nothing on it.
    pub(super) fn new(chain_id: u64) -> Self {
        let mut genesis = Self {
            slots: BTreeMap::new(),
            codes: HashMap::new(),
            supply: U256::zero(),
        };
        for (slot, value) in [
            (CHAIN_ID_SLOT, chain_id.into()),
            (BLOCK_GAS_LIMIT_SLOT, BLOCK_GAS_LIMIT.into()),
            (COINBASE_SLOT, word_of(BOOTLOADER)),
            (DIFFICULTY_SLOT, DIFFICULTY.into()),
        ] {
            genesis.set(SYSTEM_CONTEXT, slot.into(), value);
        }
        genesis
    }

    /// Puts a contract at an address.
    pub(super) fn deploy(&mut self, address: H160, code: &Code) {
        self.set(ACCOUNT_CODE_STORAGE, word_of(address), code.hash);
        self.know(code);
    }

    /// Marks code as known, so that it may be deployed.
    pub(super) fn know(&mut self, code: &Code) {
        self.set(KNOWN_CODES_STORAGE, code.hash, U256::one());
        self.supply_code(code);
    }

    /// Makes the bytes of code available without marking it as known.
    pub(super) fn supply_code(&mut self, code: &Code) {
        self.codes.insert(code.hash, code.bytes.clone());
    }

    /// Gives an address an amount of the base token, in wei.
    pub(super) fn mint(&mut self, address: H160, amount: U256) {
        if !amount.is_zero() {
            self.supply += amount;
            let slot = mapping_slot(word_of(address), BALANCES_SLOT.into());
            self.set(L2_BASE_TOKEN, slot, amount);
        }
    }

    /// Registers a contract as an account, which may send transactions.
    pub(super) fn register_account(&mut self, address: H160) {
        let slot = mapping_slot(word_of(address), ACCOUNT_INFO_SLOT.into());
        self.set(CONTRACT_DEPLOYER, slot, U256::one());
    }

    /// Sets a slot.
    pub(super) fn set(&mut self, address: H160, key: U256, value: U256) {
        self.slots.insert(StorageKey { address, key }, value);
    }

    /// The whole state. Enumeration indices follow the order of address and key, from 1.
    pub(super) fn into_snapshot(mut self) -> Snapshot {
        if !self.supply.is_zero() {
            self.set(L2_BASE_TOKEN, TOTAL_SUPPLY_SLOT.into(), self.supply);
        }
        let slots = (1..).zip(self.slots);
        Snapshot {
            absent: Absent::Unwritten,
            slots: slots
                .map(|(index, (key, value))| (derived_key(key.address, key.key), Some((value, index))))
                .collect(),
            factory_deps: self.codes,
        }
    }
}

/// The slot of a mapping's value: keccak256 of key and the mapping's own slot.
pub(super) fn mapping_slot(key: U256, slot: U256) -> U256 {
    let bytes = |word: U256| {
        let mut bytes = [0; 32];
        word.to_big_endian(&mut bytes);
        H256(bytes)
    };
    U256::from_big_endian(keccak256_concat(bytes(key), bytes(slot)).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contract_is_known_and_has_its_code_and_indices_follow_the_keys() {
        let mut genesis = Genesis::new(270);
        let code = Code::from_bytes(vec![1; 32]).unwrap();
        let address = H160::repeat_byte(7);
        genesis.deploy(address, &code);
        genesis.mint(address, 5.into());
        let snapshot = genesis.into_snapshot();
        let slot = |address, key| snapshot.slots.get(&derived_key(address, key)).copied().flatten();
        assert_eq!(snapshot.absent, Absent::Unwritten);
        assert_eq!(slot(ACCOUNT_CODE_STORAGE, word_of(address)), Some((code.hash, 1)));
        assert_eq!(slot(KNOWN_CODES_STORAGE, code.hash), Some((U256::one(), 2)));
        assert_eq!(slot(SYSTEM_CONTEXT, U256::zero()).unwrap().0, U256::from(270));
        assert_eq!(slot(L2_BASE_TOKEN, U256::one()).unwrap().0, U256::from(5));
        let balance = mapping_slot(word_of(address), U256::zero());
        assert_eq!(slot(L2_BASE_TOKEN, balance).unwrap().0, U256::from(5));
        assert_eq!(snapshot.factory_deps[&code.hash], code.bytes);
        let mut indices: Vec<u64> = snapshot.slots.values().flatten().map(|slot| slot.1).collect();
        indices.sort_unstable();
        assert_eq!(indices, (1..=8).collect::<Vec<_>>());
    }

    #[test]
    fn the_balance_slot_of_the_bootloader_is_the_known_one() {
        let slot = mapping_slot(word_of(BOOTLOADER), U256::zero());
        assert_eq!(
            format!("{slot:x}"),
            "31b66141c575a054316a84da9cf4aa6fe0abd373cab1bf4ac029ffc061aae0da"
        );
    }
}

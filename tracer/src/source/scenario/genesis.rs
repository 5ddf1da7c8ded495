//! The chain's state before the batch: what batches before have left, or a genesis as zksync-era does it, with what the
//! scenario adds. What is there already stays as it is.
//!
//! Source: `matter-labs/zksync-era` `core/lib/vm_interface/src/storage/in_memory.rs`, `core/lib/types/src/storage/mod.rs`
//! and `core/lib/constants/src/system_context.rs`.

use std::collections::{BTreeMap, BTreeSet};

use eradbg_vm::keccak::keccak256_concat;
use eradbg_vm::storage::{
    ACCOUNT_CODE_STORAGE, BOOTLOADER, CONTRACT_DEPLOYER, KNOWN_CODES_STORAGE, L2_BASE_TOKEN, SYSTEM_CONTEXT,
    StorageKey,
};
use eradbg_vm::value::word_of;
use primitive_types::{H160, H256, U256};

use super::code::Code;
use crate::chain::Contents;

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
    /// What batches before have left, and all code.
    before: Contents,
    /// What is set up over it.
    slots: BTreeMap<StorageKey, U256>,
    /// Where the scenario has its contracts.
    placed: BTreeSet<H160>,
    /// What was minted.
    minted: U256,
}

/// A contract has other code than it should: the hash of what it has.
#[derive(Debug)]
pub(super) struct OtherCode(pub(super) U256);

impl Genesis {
    /// The state of a chain on which nothing happened but what is in `before`.
    pub(super) fn new(chain_id: u64, before: Contents) -> Self {
        let mut genesis = Self {
            before,
            slots: BTreeMap::new(),
            placed: BTreeSet::new(),
            minted: U256::zero(),
        };
        for (slot, value) in [
            (CHAIN_ID_SLOT, chain_id.into()),
            (BLOCK_GAS_LIMIT_SLOT, BLOCK_GAS_LIMIT.into()),
            (COINBASE_SLOT, word_of(BOOTLOADER)),
            (DIFFICULTY_SLOT, DIFFICULTY.into()),
        ] {
            genesis.set_new(SYSTEM_CONTEXT, slot.into(), value);
        }
        genesis
    }

    /// Whether nothing was at an address before the scenario.
    pub(super) fn is_vacant(&self, address: H160) -> bool {
        self.value_before(ACCOUNT_CODE_STORAGE, word_of(address))
            .is_zero()
    }

    /// Puts a contract of the scenario at an address.
    ///
    /// # Errors
    /// When one with other code was there before.
    pub(super) fn deploy(&mut self, address: H160, code: &Code) -> Result<(), OtherCode> {
        let before = self.value_before(ACCOUNT_CODE_STORAGE, word_of(address));
        if !before.is_zero() && before != code.hash {
            return Err(OtherCode(before));
        }
        self.placed.insert(address);
        self.know(code);
        if before.is_zero() {
            self.set(ACCOUNT_CODE_STORAGE, word_of(address), code.hash);
        }
        Ok(())
    }

    /// Puts a system contract at its address, unless the scenario has one of its own there.
    ///
    /// # Errors
    /// When one with other code was there before.
    pub(super) fn deploy_system(&mut self, address: H160, code: &Code) -> Result<(), OtherCode> {
        if self.placed.contains(&address) {
            self.know(code);
            return Ok(());
        }
        self.deploy(address, code)
    }

    /// Marks code as known, so that it may be deployed.
    pub(super) fn know(&mut self, code: &Code) {
        self.set_new(KNOWN_CODES_STORAGE, code.hash, U256::one());
        self.supply_code(code);
    }

    /// Makes the bytes of code available without marking it as known.
    pub(super) fn supply_code(&mut self, code: &Code) {
        self.before.code.insert(code.hash, code.bytes.clone());
    }

    /// Gives an address an amount of the base token, in wei, if it never had any.
    pub(super) fn mint(&mut self, address: H160, amount: U256) {
        let key = mapping_slot(word_of(address), BALANCES_SLOT.into());
        if !amount.is_zero() && !self.was_written(L2_BASE_TOKEN, key) {
            self.minted = self.minted.saturating_add(amount);
            self.set(L2_BASE_TOKEN, key, amount);
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

    /// The whole state.
    pub(super) fn into_contents(mut self) -> Contents {
        if !self.minted.is_zero() {
            let supply = self.value_before(L2_BASE_TOKEN, TOTAL_SUPPLY_SLOT.into());
            let supply = supply.saturating_add(self.minted);
            self.set(L2_BASE_TOKEN, TOTAL_SUPPLY_SLOT.into(), supply);
        }
        self.before.set_up(&self.slots);
        self.before
    }

    /// Sets a slot unless it was written before.
    fn set_new(&mut self, address: H160, key: U256, value: U256) {
        if !self.was_written(address, key) {
            self.set(address, key, value);
        }
    }

    fn was_written(&self, address: H160, key: U256) -> bool {
        self.before.slots.contains_key(&StorageKey { address, key })
    }

    fn value_before(&self, address: H160, key: U256) -> U256 {
        self.before.value(StorageKey { address, key })
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
    use crate::chain::Slot;

    #[test]
    fn a_contract_is_known_and_has_its_code_and_indices_follow_the_keys() {
        let mut genesis = Genesis::new(270, Contents::default());
        let code = Code::from_bytes(vec![1; 32]).unwrap();
        let address = H160::repeat_byte(7);
        assert!(genesis.is_vacant(address));
        genesis.deploy(address, &code).unwrap();
        genesis.mint(address, 5.into());
        let contents = genesis.into_contents();
        let slot = |address, key| contents.slots[&StorageKey { address, key }];
        let written = |value, index| Slot { value, index };
        assert_eq!(
            slot(ACCOUNT_CODE_STORAGE, word_of(address)),
            written(code.hash, 1)
        );
        assert_eq!(slot(KNOWN_CODES_STORAGE, code.hash), written(U256::one(), 2));
        assert_eq!(slot(SYSTEM_CONTEXT, U256::zero()).value, 270.into());
        assert_eq!(slot(L2_BASE_TOKEN, U256::one()).value, 5.into());
        let balance = mapping_slot(word_of(address), U256::zero());
        assert_eq!(slot(L2_BASE_TOKEN, balance).value, 5.into());
        assert_eq!(contents.code[&code.hash], code.bytes);
        let indices: BTreeSet<u64> = contents.slots.values().map(|slot| slot.index).collect();
        assert_eq!(indices, (1..=8).collect());
    }

    #[test]
    fn what_was_there_before_stays_and_only_what_is_new_is_added() {
        let code = |byte| Code::from_bytes(vec![byte; 32]).unwrap();
        let [old, new] = [7, 8].map(H160::repeat_byte);
        let mut genesis = Genesis::new(270, Contents::default());
        genesis.deploy(old, &code(1)).unwrap();
        genesis.mint(old, 5.into());
        let before = genesis.into_contents();

        let mut genesis = Genesis::new(270, before.clone());
        assert!(!genesis.is_vacant(old) && genesis.is_vacant(new));
        genesis.deploy(old, &code(1)).unwrap();
        genesis.mint(old, 100.into());
        assert_eq!(genesis.into_contents(), before);

        let mut genesis = Genesis::new(270, before.clone());
        genesis.deploy(new, &code(1)).unwrap();
        genesis.mint(new, 3.into());
        let after = genesis.into_contents();
        let value = |address, key| after.value(StorageKey { address, key });
        assert_eq!(value(ACCOUNT_CODE_STORAGE, word_of(new)), code(1).hash);
        assert_eq!(value(L2_BASE_TOKEN, TOTAL_SUPPLY_SLOT.into()), 8.into());
        assert_eq!(after.next_index(), before.next_index() + 2);

        let mut genesis = Genesis::new(270, before);
        assert_eq!(genesis.deploy(old, &code(2)).unwrap_err().0, code(1).hash);
        assert_eq!(genesis.deploy_system(old, &code(2)).unwrap_err().0, code(1).hash);
        genesis.deploy(old, &code(1)).unwrap();
        genesis.deploy_system(old, &code(2)).unwrap();
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

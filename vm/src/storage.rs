//! The chain's storage and code as the machine asks for them, and storage kept in memory.

use hashbrown::HashMap;
use primitive_types::{H160, H256, U256};

use crate::batch::{Absent, Snapshot};
use crate::pubdata::state_diff::{derived_key, pubdata_cost_of_write};

/// Address of `AccountCodeStorage`, which holds the code hash of each address.
pub const ACCOUNT_CODE_STORAGE: H160 = system_address(0x8002);
/// Address of `KnownCodesStorage`, which marks the bytecode hashes that may be deployed.
pub const KNOWN_CODES_STORAGE: H160 = system_address(0x8004);
/// Address of `ContractDeployer`.
pub const CONTRACT_DEPLOYER: H160 = system_address(0x8006);
/// Address of `L1Messenger`.
pub const L1_MESSENGER: H160 = system_address(0x8008);
/// Address of `L2BaseToken`.
pub const L2_BASE_TOKEN: H160 = system_address(0x800a);
/// Address of `SystemContext`.
pub const SYSTEM_CONTEXT: H160 = system_address(0x800b);
/// The bootloader's formal address.
pub const BOOTLOADER: H160 = system_address(0x8001);

/// Slot of the bootloader's balance in `L2BaseToken`: keccak256(pad32(0x8001) ++ pad32(0)).
const BOOTLOADER_BALANCE_SLOT: U256 = U256([
    0xc029_ffc0_61aa_e0da,
    0xe0ab_d373_cab1_bf4a,
    0x316a_84da_9cf4_aa6f,
    0x31b6_6141_c575_a054,
]);

/// The address with these low 16 bits.
pub const fn system_address(low: u16) -> H160 {
    let mut bytes = [0; 20];
    [bytes[18], bytes[19]] = low.to_be_bytes();
    H160(bytes)
}

/// A slot of a contract's storage. Ordered by address, then key: the order of published state diffs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StorageKey {
    /// The contract.
    pub address: H160,
    /// The slot.
    pub key: U256,
}

/// What the input does not contain although the run needs it. The run cannot go on, since a guess may be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// A storage slot.
    #[error("the input has no storage slot {:#x} of {:#x} (hashed key {:#x})", .0.key, .0.address, derived_key(.0.address, .0.key))]
    Slot(StorageKey),
    /// A bytecode.
    #[error("the input has no bytecode with hash {0:#066x}")]
    Code(U256),
}

/// The chain as it was before the batch.
pub trait Storage {
    /// Words of the code with a hash (construction mark cleared), `None` when it is known not to exist.
    ///
    /// # Errors
    /// When the input does not say.
    fn decommit(&mut self, hash: U256) -> Result<Option<Vec<U256>>, Missing>;

    /// Value of a slot, `None` when it was never written.
    ///
    /// # Errors
    /// When the input does not say.
    fn storage_read(&mut self, key: &StorageKey) -> Result<Option<U256>, Missing>;

    /// Bytes of pubdata that setting the slot to `value` takes at the end of the batch (STATE.md, section 4).
    fn cost_of_writing_storage(&mut self, key: &StorageKey, value: U256) -> u32;

    /// Enumeration index; `None` or 0 when the slot was not written before the batch, so that a write is initial.
    fn enumeration_index(&self, key: &StorageKey) -> Option<u64>;

    /// Whether accesses cost neither cold ergs nor pubdata: all of `SystemContext`, and the bootloader's balance.
    fn is_free_storage_slot(&self, key: &StorageKey) -> bool {
        key.address == SYSTEM_CONTEXT || key.address == L2_BASE_TOKEN && key.key == BOOTLOADER_BALANCE_SLOT
    }

    /// Whether a write is initial: no enumeration index was given before the batch.
    fn is_write_initial(&self, key: &StorageKey) -> bool {
        self.enumeration_index(key).unwrap_or(0) == 0
    }
}

/// Storage read from a snapshot of hashed slots, with code that transactions of the batch bring along.
#[derive(Debug, Clone)]
pub struct SnapshotStorage {
    snapshot: Snapshot,
    hashed: HashMap<StorageKey, H256>,
}

impl SnapshotStorage {
    /// Storage over a snapshot.
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            snapshot,
            hashed: HashMap::new(),
        }
    }

    /// The hashed key, computed once for each slot.
    fn hash(&mut self, key: &StorageKey) -> H256 {
        *self
            .hashed
            .entry(*key)
            .or_insert_with(|| derived_key(key.address, key.key))
    }
}

impl Storage for SnapshotStorage {
    fn decommit(&mut self, hash: U256) -> Result<Option<Vec<U256>>, Missing> {
        match (self.snapshot.factory_deps.get(&hash), self.snapshot.absent) {
            (Some(code), _) => Ok(Some(crate::bytecode::bytes_to_words(code))),
            (None, Absent::Unwritten) => Ok(None),
            (None, Absent::Unknown) => Err(Missing::Code(hash)),
        }
    }

    fn storage_read(&mut self, key: &StorageKey) -> Result<Option<U256>, Missing> {
        let hashed = self.hash(key);
        match (self.snapshot.slots.get(&hashed), self.snapshot.absent) {
            (Some(slot), _) => Ok(slot.map(|(value, _)| value)),
            (None, Absent::Unwritten) => Ok(None),
            (None, Absent::Unknown) => Err(Missing::Slot(*key)),
        }
    }

    fn cost_of_writing_storage(&mut self, key: &StorageKey, value: U256) -> u32 {
        let initial = self.storage_read(key).ok().flatten().unwrap_or_default();
        pubdata_cost_of_write(self.is_write_initial(key), initial, value)
    }

    fn enumeration_index(&self, key: &StorageKey) -> Option<u64> {
        let hashed = self
            .hashed
            .get(key)
            .copied()
            .unwrap_or_else(|| derived_key(key.address, key.key));
        self.snapshot
            .slots
            .get(&hashed)
            .copied()
            .flatten()
            .map(|(_, index)| index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keccak::keccak256;

    #[test]
    fn absent_slots_are_unwritten_in_a_whole_state_and_missing_in_part_of_one() {
        let key = StorageKey {
            address: L2_BASE_TOKEN,
            key: U256::one(),
        };
        let mut part = SnapshotStorage::new(Snapshot::default());
        assert_eq!(part.storage_read(&key), Err(Missing::Slot(key)));
        assert_eq!(part.decommit(U256::one()), Err(Missing::Code(U256::one())));
        let whole = Snapshot {
            absent: Absent::Unwritten,
            ..Snapshot::default()
        };
        let mut whole = SnapshotStorage::new(whole);
        assert_eq!(whole.storage_read(&key), Ok(None));
        assert_eq!(whole.decommit(U256::one()), Ok(None));
        assert!(whole.is_write_initial(&key));
    }

    #[test]
    fn the_bootloaders_balance_slot_is_the_mapping_slot_of_its_address() {
        let mut preimage = [0; 64];
        preimage[30..32].copy_from_slice(&[0x80, 0x01]);
        assert_eq!(
            U256::from_big_endian(keccak256(&preimage).as_bytes()),
            BOOTLOADER_BALANCE_SLOT
        );
    }
}

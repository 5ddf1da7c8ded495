//! A small chain that both machines read from.

use std::collections::HashMap;

use eradbg_vm::bytecode::words_to_bytes;
use eradbg_vm::pubdata::state_diff::pubdata_cost_of_write;
use eradbg_vm::storage::{ACCOUNT_CODE_STORAGE, SnapshotStorage};
use eradbg_vm::{H160, Missing, Storage, StorageKey, U256};
use zksync_vm2::interface::Tracer;
use zksync_vm2::{StorageInterface, StorageSlot};

/// Contracts that are there from the start; slots that nobody has written.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    codes: HashMap<U256, Vec<U256>>,
    hashes: HashMap<U256, U256>,
    /// The chain of a batch, in place of an empty one.
    snapshot: Option<SnapshotStorage>,
}

impl World {
    /// The chain before a batch, with all code that the batch loads.
    pub(crate) fn of_batch(codes: HashMap<U256, Vec<U256>>, storage: SnapshotStorage) -> Self {
        Self {
            codes,
            hashes: HashMap::new(),
            snapshot: Some(storage),
        }
    }

    /// Puts code at an address.
    pub(crate) fn contract(&mut self, address: u64, hash: U256, words: Vec<U256>) {
        self.codes.insert(hash, words);
        self.hashes.insert(address.into(), hash);
    }
}

impl Storage for World {
    fn decommit(&mut self, hash: U256) -> Result<Option<Vec<U256>>, Missing> {
        Ok(self.codes.get(&hash).cloned())
    }

    fn storage_read(&mut self, key: &StorageKey) -> Result<Option<U256>, Missing> {
        match &mut self.snapshot {
            Some(snapshot) => snapshot.storage_read(key),
            None if key.address == ACCOUNT_CODE_STORAGE => Ok(self.hashes.get(&key.key).copied()),
            None => Ok(None),
        }
    }

    fn cost_of_writing_storage(&mut self, key: &StorageKey, value: U256) -> u32 {
        match &mut self.snapshot {
            Some(snapshot) => snapshot.cost_of_writing_storage(key, value),
            None => pubdata_cost_of_write(true, U256::zero(), value),
        }
    }

    fn enumeration_index(&self, key: &StorageKey) -> Option<u64> {
        self.snapshot.as_ref()?.enumeration_index(key)
    }
}

/// The world as `zksync_vm2` asks for it with a tracer, and the code that it has decoded.
#[derive(Debug)]
pub(crate) struct PeerWorld<T> {
    world: World,
    programs: HashMap<U256, zksync_vm2::Program<T, Self>>,
}

impl<T: Tracer> PeerWorld<T> {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world,
            programs: HashMap::new(),
        }
    }
}

impl<T: Tracer> StorageInterface for PeerWorld<T> {
    fn read_storage(&mut self, address: H160, key: U256) -> StorageSlot {
        let key = StorageKey { address, key };
        let value = self.world.storage_read(&key).expect("the batch ran before");
        StorageSlot {
            value: value.unwrap_or_default(),
            is_write_initial: self.world.is_write_initial(&key),
        }
    }

    fn cost_of_writing_storage(&mut self, slot: StorageSlot, value: U256) -> u32 {
        pubdata_cost_of_write(slot.is_write_initial, slot.value, value)
    }

    fn is_free_storage_slot(&self, &address: &H160, &key: &U256) -> bool {
        self.world.is_free_storage_slot(&StorageKey { address, key })
    }
}

impl<T: Tracer> zksync_vm2::World<T> for PeerWorld<T> {
    fn decommit(&mut self, hash: U256) -> zksync_vm2::Program<T, Self> {
        let words = || self.world.codes[&hash].clone();
        let program = || zksync_vm2::Program::from_words(words(), false);
        self.programs.entry(hash).or_insert_with(program).clone()
    }

    fn decommit_code(&mut self, hash: U256) -> Vec<u8> {
        words_to_bytes(self.decommit(hash).code_page())
    }
}

//! The chain before a batch, as `zksync_vm2` asks for it.

use std::collections::HashMap;

use eradbg_tracer::Recording;
use eradbg_vm::batch::BatchInput;
use eradbg_vm::bytecode::{bytes_to_words, hash_bytecode, words_to_bytes};
use eradbg_vm::pubdata::state_diff::pubdata_cost_of_write;
use eradbg_vm::storage::{SnapshotStorage, Storage, StorageKey};
use eradbg_vm::{H160, U256};
use zksync_vm2::{Program, StorageInterface, StorageSlot, World};

/// Storage and code of a batch.
pub(crate) struct Chain {
    storage: SnapshotStorage,
    /// Words of code that comes with the batch, by hash.
    codes: HashMap<U256, Vec<U256>>,
    /// Decoded code.
    programs: HashMap<U256, Program<(), Self>>,
    /// Holds code that the batch itself makes: EVM contracts.
    recording: Recording,
}

impl Chain {
    /// The chain before a batch that was recorded.
    pub(crate) fn new(input: &BatchInput, recording: &Recording) -> Self {
        let brought_along = input.transactions().flat_map(|tx| &tx.factory_deps);
        let mut codes: HashMap<_, _> = brought_along
            .map(|code| (hash_bytecode(code).unwrap(), bytes_to_words(code)))
            .collect();
        let known = input.storage.factory_deps.iter();
        codes.extend(known.map(|(&hash, code)| (hash, bytes_to_words(code))));
        let system = [
            Some(&input.system.default_account),
            input.system.evm_emulator.as_ref(),
        ];
        codes.extend(
            system
                .into_iter()
                .flatten()
                .map(|code| (code.hash, code.words.clone())),
        );
        Self {
            storage: SnapshotStorage::new(input.storage.clone()),
            codes,
            programs: HashMap::new(),
            recording: recording.clone(),
        }
    }

    /// Index of a slot in the state tree before the batch; 0 when it had none.
    pub(crate) fn enumeration_index(&self, key: &StorageKey) -> u64 {
        self.storage.enumeration_index(key).unwrap_or(0)
    }
}

impl StorageInterface for Chain {
    fn read_storage(&mut self, address: H160, key: U256) -> StorageSlot {
        let key = StorageKey { address, key };
        let value = self.storage.storage_read(&key);
        StorageSlot {
            value: value
                .unwrap_or_else(|missing| panic!("{missing}"))
                .unwrap_or_default(),
            is_write_initial: self.storage.is_write_initial(&key),
        }
    }

    fn cost_of_writing_storage(&mut self, slot: StorageSlot, value: U256) -> u32 {
        pubdata_cost_of_write(slot.is_write_initial, slot.value, value)
    }

    fn is_free_storage_slot(&self, &address: &H160, &key: &U256) -> bool {
        self.storage.is_free_storage_slot(&StorageKey { address, key })
    }
}

impl World<()> for Chain {
    fn decommit(&mut self, hash: U256) -> Program<(), Self> {
        if let Some(program) = self.programs.get(&hash) {
            return program.clone();
        }
        let program = match self.codes.get(&hash) {
            Some(words) => Program::from_words(words.clone(), false),
            None => Program::from_words(self.recording.program(hash).unwrap().words().to_vec(), false),
        };
        self.programs.insert(hash, program.clone());
        program
    }

    fn decommit_code(&mut self, hash: U256) -> Vec<u8> {
        words_to_bytes(self.decommit(hash).code_page())
    }
}

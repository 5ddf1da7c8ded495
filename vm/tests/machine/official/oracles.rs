//! What stands behind the official VM: storage, events, precompiles and code.
//!
//! Rules: `matter-labs/zksync-era` `core/lib/multivm/src/versions/vm_latest`. Everything that a frame can lose is
//! copied whole when it starts, so that nothing of our undo logs can be wrong in the same way here.

use std::collections::{BTreeMap, HashMap, HashSet};

use eradbg_vm::pubdata::state_diff::pubdata_cost_of_write;
use eradbg_vm::{H160, Storage as _, StorageKey, U256};
use zk_evm::abstractions::{
    DecommittmentProcessor, EventSink, Memory, MemoryType, PrecompileCyclesWitness, PrecompilesProcessor,
    StorageAccessRefund,
};
use zk_evm::aux_structures::{
    DecommittmentQuery, LogQuery, MemoryIndex, MemoryLocation, MemoryPage, MemoryQuery, PubdataCost,
    Timestamp,
};
use zk_evm::zk_evm_abstractions::precompiles::DefaultPrecompilesProcessor;
use zk_evm::zkevm_opcode_defs::system_params::{STORAGE_AUX_BYTE, TRANSIENT_STORAGE_AUX_BYTE};

use crate::lab::Lab;

/// Storage and transient storage with their prices.
#[derive(Debug)]
pub(crate) struct Storage {
    base: Lab,
    pub(super) now: Slots,
    frames: Vec<Slots>,
    pub(super) read: HashSet<StorageKey>,
    pub(super) written: HashSet<StorageKey>,
    pub(super) refunds: Vec<u32>,
    pub(super) pubdata_costs: Vec<i32>,
}

/// What a failed frame takes back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slots {
    pub(super) values: BTreeMap<StorageKey, U256>,
    pub(super) transient: BTreeMap<StorageKey, U256>,
    pub(super) paid: HashMap<StorageKey, u32>,
}

impl Storage {
    pub(super) fn new(lab: &Lab) -> Self {
        Self {
            base: lab.clone(),
            now: Slots::default(),
            frames: Vec::new(),
            read: HashSet::new(),
            written: HashSet::new(),
            refunds: Vec::new(),
            pubdata_costs: Vec::new(),
        }
    }

    fn initial(&mut self, key: &StorageKey) -> U256 {
        let value = self.base.storage_read(key).expect("a lab knows every slot");
        value.unwrap_or_default()
    }

    fn price(&mut self, key: &StorageKey, value: U256) -> u32 {
        let initial = self.initial(key);
        if self.base.is_free_storage_slot(key) || value == initial {
            0
        } else {
            pubdata_cost_of_write(self.base.is_write_initial(key), initial, value)
        }
    }
}

impl zk_evm::abstractions::Storage for Storage {
    fn get_access_refund(&mut self, _: u32, query: &LogQuery) -> StorageAccessRefund {
        let key = key_of(query);
        let is_free = self.base.is_free_storage_slot(&key);
        let refund = if query.rw_flag {
            if is_free || self.written.contains(&key) {
                5440
            } else if self.read.contains(&key) {
                2000
            } else {
                0
            }
        } else if is_free || self.read.contains(&key) {
            1970
        } else {
            0
        };
        self.refunds.push(refund);
        StorageAccessRefund::Warm { ergs: refund }
    }

    fn execute_partial_query(&mut self, _: u32, mut query: LogQuery) -> (LogQuery, PubdataCost) {
        let key = key_of(&query);
        let mut cost = 0;
        match query.aux_byte {
            TRANSIENT_STORAGE_AUX_BYTE => {
                query.read_value = self.now.transient.get(&key).copied().unwrap_or_default();
                if query.rw_flag {
                    self.now.transient.insert(key, query.written_value);
                }
            }
            STORAGE_AUX_BYTE => {
                let initial = self.initial(&key);
                query.read_value = self.now.values.get(&key).copied().unwrap_or(initial);
                self.read.insert(key);
                if query.rw_flag {
                    self.written.insert(key);
                    self.now.values.insert(key, query.written_value);
                    let price = self.price(&key, query.written_value);
                    let paid = self.now.paid.insert(key, price).unwrap_or(0);
                    cost = price as i32 - paid as i32;
                }
            }
            other => unreachable!("{other} is no kind of storage"),
        }
        self.pubdata_costs.push(cost);
        (query, PubdataCost(cost))
    }

    fn start_frame(&mut self, _: Timestamp) {
        self.frames.push(self.now.clone());
    }

    fn finish_frame(&mut self, _: Timestamp, panicked: bool) {
        let before = self.frames.pop().expect("a frame was started");
        if panicked {
            self.now = before;
        }
    }

    fn start_new_tx(&mut self, _: Timestamp) {
        self.now.transient.clear();
    }
}

fn key_of(query: &LogQuery) -> StorageKey {
    StorageKey {
        address: query.address,
        key: query.key,
    }
}

/// Events and L2->L1 logs.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(super) logs: Vec<LogQuery>,
    frames: Vec<usize>,
}

impl EventSink for Events {
    fn add_partial_query(&mut self, _: u32, query: LogQuery) {
        self.logs.push(query);
    }

    fn start_frame(&mut self, _: Timestamp) {
        self.frames.push(self.logs.len());
    }

    fn finish_frame(&mut self, panicked: bool, _: Timestamp) {
        let before = self.frames.pop().expect("a frame was started");
        if panicked {
            self.logs.truncate(before);
        }
    }
}

/// Precompiles of a protocol version.
#[derive(Debug)]
pub(crate) struct Precompiles {
    pub(super) ec_precompiles: bool,
}

impl PrecompilesProcessor for Precompiles {
    fn execute_precompile<M: Memory>(
        &mut self,
        cycle: u32,
        query: LogQuery,
        memory: &mut M,
    ) -> Option<(Vec<MemoryQuery>, Vec<MemoryQuery>, PrecompileCyclesWitness)> {
        let is_late = (5..=8).any(|low| query.address == H160::from_low_u64_be(low));
        if is_late && !self.ec_precompiles {
            return None;
        }
        DefaultPrecompilesProcessor::<false>.execute_precompile(cycle, query, memory)
    }

    fn start_frame(&mut self) {}

    fn finish_frame(&mut self, _: bool) {}
}

/// Code by hash, and where it lies once somebody has paid for it.
#[derive(Debug)]
pub(crate) struct Decommitter {
    base: Lab,
    pub(super) hashes: HashMap<U256, Option<u32>>,
}

impl Decommitter {
    pub(super) fn new(lab: &Lab) -> Self {
        Self {
            base: lab.clone(),
            hashes: HashMap::new(),
        }
    }
}

impl DecommittmentProcessor for Decommitter {
    fn prepare_to_decommit(
        &mut self,
        _: u32,
        mut query: DecommittmentQuery,
    ) -> anyhow::Result<DecommittmentQuery> {
        let page = *self.hashes.entry(hash_of(&query)).or_insert(None);
        query.is_fresh = page.is_none();
        if let Some(page) = page {
            query.memory_page = MemoryPage(page);
        }
        Ok(query)
    }

    fn decommit_into_memory<M: Memory>(
        &mut self,
        cycle: u32,
        query: DecommittmentQuery,
        memory: &mut M,
    ) -> anyhow::Result<Option<Vec<U256>>> {
        let hash = hash_of(&query);
        let code = self.base.decommit(hash).expect("a lab knows all code");
        let code = code.ok_or_else(|| anyhow::anyhow!("there is no code {hash:#x}"))?;
        self.hashes.insert(hash, Some(query.memory_page.0));
        for (index, value) in (0..).zip(code) {
            memory.specialized_code_query(
                cycle,
                MemoryQuery {
                    timestamp: query.timestamp,
                    location: MemoryLocation {
                        memory_type: MemoryType::Code,
                        page: query.memory_page,
                        index: MemoryIndex(index),
                    },
                    value,
                    value_is_pointer: false,
                    rw_flag: true,
                },
            );
        }
        Ok(None)
    }
}

fn hash_of(query: &DecommittmentQuery) -> U256 {
    let mut hash = [0; 32];
    hash[..4].copy_from_slice(&query.header.0);
    hash[4..].copy_from_slice(&query.normalized_preimage.0);
    hash[1] = 0;
    U256::from_big_endian(&hash)
}

//! Results of transactions and batches as `export batch` writes them and recordings keep them.
//!
//! As JSON they are made of hex strings, `0x`-prefixed and lower case: words of 64 digits, addresses of 40.

mod stored;

use eradbg_vm::bytecode::compress::CompressedBytecode;
use eradbg_vm::events::{Event, L2ToL1Log};
use eradbg_vm::keccak::keccak256;
use eradbg_vm::operator::{BatchResult, ExecutionResult, RevertReason, RunResult};
use eradbg_vm::pubdata::state_diff::StateDiff;
use eradbg_vm::state::StorageChange;
use impl_serde::serialize as hex_bytes;
use primitive_types::{H160, H256, U256};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What one run gave: a transaction's part of a report, or the end of a batch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RunReport {
    /// `status` with `output`, `reason` and texts for people.
    pub result: Value,
    /// First step of the run.
    pub first_step: u64,
    /// Steps.
    pub cycles_used: u64,
    /// Ergs of the bootloader's frame at the end.
    pub gas_remaining: u32,
    /// Those at the start less those at the end.
    pub gas_used: u32,
    /// The same number under its other name.
    pub computational_gas_used: u32,
    /// Bytes of pubdata that the refund was computed with.
    pub pubdata_published: u32,
    /// Gas refunded.
    pub gas_refunded: u64,
    /// Gas that the operator suggested to refund.
    pub operator_suggested_refund: u64,
    /// Merged events.
    pub events: Vec<EventReport>,
    /// L2->L1 logs of users.
    pub user_l2_to_l1_logs: Vec<LogReport>,
    /// L2->L1 logs of the system.
    pub system_l2_to_l1_logs: Vec<LogReport>,
    /// Slots whose value changed.
    pub storage_changes: Vec<StorageChangeReport>,
    /// Hash, length and keccak256 of code that became known without having been brought along.
    pub new_known_factory_deps: Vec<(H256, usize, H256)>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventReport {
    /// Number of the transaction in the batch.
    pub tx: u16,
    /// The contract that emitted it.
    pub address: H160,
    /// Indexed words.
    pub topics: Vec<H256>,
    /// What is not indexed.
    #[serde(with = "hex_bytes")]
    pub data: Vec<u8>,
}

/// An L2->L1 log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogReport {
    /// Always 0: there are no shards.
    pub shard_id: u8,
    /// Whether it is of the system.
    pub is_service: bool,
    /// Number of the transaction in the batch.
    pub tx: u16,
    /// The contract that sent it.
    pub sender: H160,
    /// Its key.
    pub key: H256,
    /// Its value.
    pub value: H256,
}

/// A slot whose value changed: address, key, value before and after, whether the chain knew the slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StorageChangeReport(pub H160, pub H256, pub H256, pub H256, pub WriteKind);

/// Whether the chain knew a slot before the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WriteKind {
    /// It did not.
    Initial,
    /// It did.
    Repeated,
}

/// A transaction's report.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TransactionReport {
    /// Number in the batch, rejected transactions included.
    pub index: usize,
    /// Number of its L2 block.
    pub l2_block: u32,
    /// Its hash.
    pub tx_hash: H256,
    /// Whether the operator took it back.
    pub rolled_back: bool,
    /// Lengths and hashes of bytecodes published in compressed form, or an error.
    pub compressed_bytecodes: Value,
    /// The run that was taken back since compressed bytecodes did not get published, when the transaction was run once
    /// more without compression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_attempt: Option<RunReport>,
    /// The run that counts.
    #[serde(flatten)]
    pub run: RunReport,
}

/// A closed batch's report: `finish_batch` of the export.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BatchReport {
    /// The run that closed it.
    pub block_tip: RunReport,
    /// What the whole batch left.
    pub final_execution_state: ExecutionState,
    /// Bytes for the settlement layer.
    #[serde(with = "hex_bytes")]
    pub pubdata_input: Vec<u8>,
    /// Slots that differ from those before the batch, in the order of the pubdata.
    pub state_diffs: Vec<StateDiffReport>,
    /// The initial bootloader memory with which the batch can be run again.
    pub final_bootloader_memory: BootloaderMemory,
}

/// What a whole batch left: events, logs, storage, refunds and pubdata costs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ExecutionState {
    /// Merged events.
    pub events: Vec<EventReport>,
    /// Address, key and value of slots whose value changed.
    pub deduplicated_storage_logs: Vec<(H160, H256, H256)>,
    /// Hashes of code that was asked for, in order.
    pub used_contract_hashes: Vec<H256>,
    /// L2->L1 logs of the system.
    pub system_logs: Vec<LogReport>,
    /// L2->L1 logs of users.
    pub user_l2_to_l1_logs: Vec<LogReport>,
    /// Ergs refunded of each storage access.
    pub storage_refunds: Vec<u32>,
    /// Pubdata delta of each access.
    pub pubdata_costs: Vec<i32>,
}

/// A slot that differs: address, key, derived key, enumeration index, value before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateDiffReport(pub H160, pub H256, pub H256, pub u64, pub H256, pub H256);

/// Words of the bootloader's memory that the operator wrote.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BootloaderMemory {
    /// How many there are.
    pub cells: usize,
    /// keccak256 over slot (8 bytes) and word (32 bytes) of each, big-endian.
    pub keccak256: H256,
    /// Those that are not zero.
    pub sparse: Vec<(u32, U256)>,
}

impl TransactionReport {
    /// The report of a run; `compressed` is `None` when its bytecodes did not get published.
    pub fn new(run: RunResult, compressed: Option<&[CompressedBytecode]>, rolled_back: bool) -> Self {
        let compressed_bytecodes = match compressed {
            Some(bytecodes) => bytecodes.iter().map(compressed_bytecode).collect(),
            None => json!({"error": "Bytecode compression failed"}),
        };
        Self {
            compressed_bytecodes,
            rolled_back,
            run: RunReport::new(run),
            ..Self::default()
        }
    }
}

impl RunReport {
    /// The report of a run.
    pub fn new(run: RunResult) -> Self {
        Self {
            result: result(&run.result),
            first_step: run.first_step,
            cycles_used: run.steps,
            gas_remaining: run.gas_remaining,
            gas_used: run.gas_used,
            computational_gas_used: run.gas_used,
            pubdata_published: run.pubdata_published,
            gas_refunded: run.gas_refunded,
            operator_suggested_refund: run.operator_suggested_refund,
            events: run.events.into_iter().map(EventReport::from).collect(),
            user_l2_to_l1_logs: run.user_l2_to_l1_logs.iter().map(LogReport::from).collect(),
            system_l2_to_l1_logs: run.system_l2_to_l1_logs.iter().map(LogReport::from).collect(),
            storage_changes: run
                .storage_changes
                .iter()
                .map(StorageChangeReport::from)
                .collect(),
            new_known_factory_deps: run
                .new_factory_deps
                .iter()
                .map(|&(hash, length, keccak)| (word(hash), length, keccak))
                .collect(),
        }
    }

    /// `success`, `revert` or `halt`.
    pub fn status(&self) -> &str {
        self.result["status"].as_str().unwrap_or_default()
    }

    /// Why it failed, for people; empty when it did not.
    pub fn failure(&self) -> &str {
        let text = |value: &Value| value["display"].as_str().map(str::len);
        let place = if text(&self.result).is_some() {
            &self.result
        } else {
            &self.result["reason"]
        };
        place["display"].as_str().unwrap_or_default()
    }
}

impl BatchReport {
    /// The report of a closed batch.
    pub fn new(batch: &BatchResult) -> Self {
        let storage_logs = batch
            .storage_changes
            .iter()
            .map(|change| (change.key.address, word(change.key.key), word(change.after)));
        Self {
            block_tip: RunReport::new(batch.tip.clone()),
            final_execution_state: ExecutionState {
                events: batch.events.iter().cloned().map(EventReport::from).collect(),
                deduplicated_storage_logs: storage_logs.collect(),
                used_contract_hashes: batch.used_contract_hashes.iter().copied().map(word).collect(),
                system_logs: batch.system_l2_to_l1_logs.iter().map(LogReport::from).collect(),
                user_l2_to_l1_logs: batch.user_l2_to_l1_logs.iter().map(LogReport::from).collect(),
                storage_refunds: batch.storage_refunds.clone(),
                pubdata_costs: batch.pubdata_costs.clone(),
            },
            pubdata_input: batch.pubdata.clone(),
            state_diffs: batch.state_diffs.iter().map(StateDiffReport::from).collect(),
            final_bootloader_memory: BootloaderMemory::of(batch),
        }
    }
}

impl From<Event> for EventReport {
    fn from(event: Event) -> Self {
        Self {
            tx: event.tx_number,
            address: event.address,
            topics: event.topics,
            data: event.data,
        }
    }
}

impl From<&L2ToL1Log> for LogReport {
    fn from(log: &L2ToL1Log) -> Self {
        Self {
            shard_id: log.shard_id,
            is_service: log.is_service,
            tx: log.tx_number,
            sender: log.address,
            key: word(log.key),
            value: word(log.value),
        }
    }
}

impl From<&StorageChange> for StorageChangeReport {
    fn from(change: &StorageChange) -> Self {
        let kind = if change.is_write_initial {
            WriteKind::Initial
        } else {
            WriteKind::Repeated
        };
        let [key, before, after] = [change.key.key, change.before, change.after].map(word);
        Self(change.key.address, key, before, after, kind)
    }
}

impl From<&StateDiff> for StateDiffReport {
    fn from(diff: &StateDiff) -> Self {
        let [key, before, after] = [diff.key, diff.initial_value, diff.final_value].map(word);
        let index = diff.enumeration_index;
        Self(diff.address, key, diff.derived_key, index, before, after)
    }
}

impl BootloaderMemory {
    fn of(batch: &BatchResult) -> Self {
        let cells = &batch.bootloader_memory;
        let mut packed = Vec::with_capacity(cells.len() * 40);
        for (&slot, &value) in cells {
            packed.extend(u64::from(slot).to_be_bytes());
            packed.extend(word(value).0);
        }
        let sparse = cells.iter().filter(|(_, value)| !value.is_zero());
        Self {
            cells: cells.len(),
            keccak256: keccak256(&packed),
            sparse: sparse.map(|(&slot, &value)| (slot, value)).collect(),
        }
    }
}

fn result(result: &ExecutionResult) -> Value {
    match result {
        ExecutionResult::Success(output) => json!({"status": "success", "output": bytes(output)}),
        ExecutionResult::Revert(reason) => {
            json!({"status": "revert", "display": reason.to_string(), "reason": revert_reason(reason)})
        }
        ExecutionResult::Halt(halt) => json!({
            "status": "halt",
            "reason": {
                "halt": halt.name(),
                "display": halt.to_string(),
                "reason": halt.reason().map(revert_reason),
            },
        }),
    }
}

fn revert_reason(reason: &RevertReason) -> Value {
    match reason {
        RevertReason::General { message, data } => {
            json!({"kind": "General", "msg": message, "data": bytes(data)})
        }
        RevertReason::Unknown { selector, data } => {
            json!({"kind": "Unknown", "selector": bytes(selector), "data": bytes(data)})
        }
    }
}

fn compressed_bytecode(bytecode: &CompressedBytecode) -> Value {
    json!({
        "original_len": bytecode.original.len(),
        "compressed_len": bytecode.compressed.len(),
        "compressed_keccak256": format!("{:#x}", keccak256(&bytecode.compressed)),
    })
}

fn word(word: U256) -> H256 {
    let mut bytes = [0; 32];
    word.to_big_endian(&mut bytes);
    H256(bytes)
}

fn bytes(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

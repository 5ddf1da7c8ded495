//! Results of transactions and batches as `export batch` writes them and recordings keep them.
//!
//! Hex strings are `0x`-prefixed lower case: words 64 digits, addresses 40.

use eradbg_vm::bytecode::compress::CompressedBytecode;
use eradbg_vm::events::{Event, L2ToL1Log};
use eradbg_vm::keccak::keccak256;
use eradbg_vm::operator::{BatchResult, ExecutionResult, RevertReason, RunResult};
use eradbg_vm::state::StorageChange;
use primitive_types::U256;
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
    pub events: Vec<Value>,
    /// L2->L1 logs of users.
    pub user_l2_to_l1_logs: Vec<Value>,
    /// L2->L1 logs of the system.
    pub system_l2_to_l1_logs: Vec<Value>,
    /// `[address, key, before, after, "initial" | "repeated"]`.
    pub storage_changes: Vec<Value>,
    /// `[hash, length, keccak256]` of code that became known without having been brought along.
    pub new_known_factory_deps: Vec<Value>,
}

/// A transaction's report.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TransactionReport {
    /// Number in the batch, rejected transactions included.
    pub index: usize,
    /// Number of its L2 block.
    pub l2_block: u32,
    /// Its hash.
    pub tx_hash: String,
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
    /// Events, logs, storage, refunds and pubdata costs of the whole batch.
    pub final_execution_state: Value,
    /// Bytes for the settlement layer.
    pub pubdata_input: String,
    /// `[address, key, derived key, enumeration index, initial, final]`.
    pub state_diffs: Vec<Value>,
    /// The initial bootloader memory with which the batch can be run again.
    pub final_bootloader_memory: Value,
}

impl TransactionReport {
    /// The report of a run; `compressed` is `None` when its bytecodes did not get published.
    pub fn new(run: &RunResult, compressed: Option<&[CompressedBytecode]>, rolled_back: bool) -> Self {
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
    pub fn new(run: &RunResult) -> Self {
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
            events: run.events.iter().map(event).collect(),
            user_l2_to_l1_logs: run.user_l2_to_l1_logs.iter().map(log).collect(),
            system_l2_to_l1_logs: run.system_l2_to_l1_logs.iter().map(log).collect(),
            storage_changes: run.storage_changes.iter().map(storage_change).collect(),
            new_known_factory_deps: run
                .new_factory_deps
                .iter()
                .map(|(hash, length, keccak)| json!([word(*hash), length, format!("{keccak:#x}")]))
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
        let words = |words: &[U256]| words.iter().copied().map(word).collect::<Vec<_>>();
        let storage_logs = batch.storage_changes.iter().map(|change| {
            json!([
                address(change.key.address),
                word(change.key.key),
                word(change.after)
            ])
        });
        let state_diffs = batch.state_diffs.iter().map(|diff| {
            let derived_key = format!("{:#x}", diff.derived_key);
            let values = [word(diff.initial_value), word(diff.final_value)];
            json!([
                address(diff.address),
                word(diff.key),
                derived_key,
                diff.enumeration_index,
                values[0],
                values[1]
            ])
        });
        Self {
            block_tip: RunReport::new(&batch.tip),
            final_execution_state: json!({
                "events": batch.events.iter().map(event).collect::<Vec<_>>(),
                "deduplicated_storage_logs": storage_logs.collect::<Vec<_>>(),
                "used_contract_hashes": words(&batch.used_contract_hashes),
                "system_logs": batch.system_l2_to_l1_logs.iter().map(log).collect::<Vec<_>>(),
                "user_l2_to_l1_logs": batch.user_l2_to_l1_logs.iter().map(log).collect::<Vec<_>>(),
                "storage_refunds": batch.storage_refunds,
                "pubdata_costs": batch.pubdata_costs,
            }),
            pubdata_input: bytes(&batch.pubdata),
            state_diffs: state_diffs.collect(),
            final_bootloader_memory: bootloader_memory(batch),
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

fn event(event: &Event) -> Value {
    let topics: Vec<String> = event.topics.iter().map(|topic| format!("{topic:#x}")).collect();
    json!({"tx": event.tx_number, "address": address(event.address), "topics": topics, "data": bytes(&event.data)})
}

fn log(log: &L2ToL1Log) -> Value {
    json!({
        "shard_id": log.shard_id,
        "is_service": log.is_service,
        "tx": log.tx_number,
        "sender": address(log.address),
        "key": word(log.key),
        "value": word(log.value),
    })
}

fn storage_change(change: &StorageChange) -> Value {
    let kind = if change.is_write_initial {
        "initial"
    } else {
        "repeated"
    };
    json!([
        address(change.key.address),
        word(change.key.key),
        word(change.before),
        word(change.after),
        kind
    ])
}

fn compressed_bytecode(bytecode: &CompressedBytecode) -> Value {
    json!({
        "original_len": bytecode.original.len(),
        "compressed_len": bytecode.compressed.len(),
        "compressed_keccak256": format!("{:#x}", keccak256(&bytecode.compressed)),
    })
}

fn bootloader_memory(batch: &BatchResult) -> Value {
    let cells = &batch.bootloader_memory;
    let mut packed = Vec::with_capacity(cells.len() * 40);
    for (&slot, &value) in cells {
        packed.extend(u64::from(slot).to_be_bytes());
        let mut bytes = [0; 32];
        value.to_big_endian(&mut bytes);
        packed.extend(bytes);
    }
    let sparse = cells
        .iter()
        .filter(|(_, value)| !value.is_zero())
        .map(|(slot, value)| json!([slot, format!("{value:#x}")]));
    json!({
        "cells": cells.len(),
        "keccak256": format!("{:#x}", keccak256(&packed)),
        "sparse": sparse.collect::<Vec<_>>(),
    })
}

fn word(word: U256) -> String {
    format!("{word:#066x}")
}

fn address(address: primitive_types::H160) -> String {
    format!("{address:#x}")
}

fn bytes(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

//! VM dumps of zksync-era: `VmDump` of its `core/lib/vm_interface/src/utils/dump.rs` as JSON.

mod env;
mod transaction;

use std::collections::HashMap;
use std::path::Path;

use eradbg_vm::batch::{Absent, BatchInput, L2Block, L2BlockEnv, Snapshot};
use eradbg_vm::bytecode;
use serde::Deserialize;

use self::env::{InteropRoot, L1BatchEnv, System, interop_roots};
use super::error::InputError;
use super::file;
use super::wire::{Bytes, Hash};

/// What errors call such a file.
pub(super) const EXPECTED: &str = "a VM dump (a JSON object, plain or gzipped)";

/// Parses a VM dump and checks that every bytecode in it has the hash that it goes by.
///
/// Fields that newer or older versions of zksync-era do not write may be absent: interop roots and fee, settlement
/// layer, EVM emulator. Unknown fields are ignored.
pub(super) fn parse(path: &Path, json: &[u8]) -> Result<BatchInput, InputError> {
    let dump: Dump = file::parse(path, json, EXPECTED)?;
    let input = dump.into_input();
    match first_bad_bytecode(&input) {
        None => Ok(input),
        Some((at, problem)) => Err(InputError::Inconsistent {
            file: path.to_owned(),
            at,
            problem,
        }),
    }
}

#[derive(Deserialize)]
struct Dump {
    l1_batch_env: L1BatchEnv,
    system_env: System,
    l2_blocks: Vec<Block>,
    storage: Storage,
}

#[derive(Deserialize)]
struct Block {
    number: u32,
    timestamp: u64,
    prev_block_hash: Hash,
    virtual_blocks: u32,
    txs: Vec<transaction::Transaction>,
    #[serde(default)]
    interop_roots: Vec<InteropRoot>,
}

#[derive(Deserialize)]
struct Storage {
    storage: HashMap<Hash, Option<(Hash, u64)>>,
    factory_deps: HashMap<Hash, Bytes>,
}

impl Dump {
    fn into_input(self) -> BatchInput {
        let batch = self.l1_batch_env.into_env();
        let mut blocks: Vec<L2Block> = self.l2_blocks.into_iter().map(Block::into_block).collect();
        // The first block is there twice, and play-back takes it from the batch's environment.
        match blocks.first_mut() {
            Some(first) => first.env = batch.first_l2_block.clone(),
            None => blocks.push(L2Block {
                env: batch.first_l2_block.clone(),
                transactions: vec![],
            }),
        }
        BatchInput {
            batch,
            system: self.system_env.into_env(),
            blocks,
            storage: self.storage.into_snapshot(),
        }
    }
}

impl Block {
    fn into_block(self) -> L2Block {
        L2Block {
            env: L2BlockEnv {
                number: self.number,
                timestamp: self.timestamp,
                prev_block_hash: self.prev_block_hash.0,
                max_virtual_blocks: self.virtual_blocks,
                interop_roots: interop_roots(self.interop_roots),
            },
            transactions: self.txs.into_iter().map(Into::into).collect(),
        }
    }
}

impl Storage {
    fn into_snapshot(self) -> Snapshot {
        let slot = |(key, slot): (Hash, Option<(Hash, u64)>)| {
            (key.0, slot.map(|(value, index)| (value.word(), index)))
        };
        Snapshot {
            absent: Absent::Unknown,
            slots: self.storage.into_iter().map(slot).collect(),
            factory_deps: self
                .factory_deps
                .into_iter()
                .map(|(hash, code)| (hash.word(), code.0))
                .collect(),
        }
    }
}

/// Looks for a bytecode that is invalid or does not have its hash; returns its place and what is wrong.
fn first_bad_bytecode(input: &BatchInput) -> Option<(String, String)> {
    let system = &input.system;
    let contracts = [
        ("bootloader", Some(&system.bootloader)),
        ("default_aa", Some(&system.default_account)),
        ("evm_emulator", system.evm_emulator.as_ref()),
    ];
    for (name, contract) in contracts {
        let checked = contract.map_or(Ok(()), |contract| {
            bytecode::validate_hash(contract.hash, &bytecode::words_to_bytes(&contract.words))
        });
        if let Err(problem) = checked {
            return Some((
                format!("system_env.base_system_smart_contracts.{name}"),
                problem.to_string(),
            ));
        }
    }
    let bad_deps = input.storage.factory_deps.iter().filter_map(|(&hash, code)| {
        let problem = bytecode::validate_hash(hash, code).err()?;
        Some((hash, problem))
    });
    // The map has no order of its own, the message should not change from run to run.
    if let Some((hash, problem)) = bad_deps.min_by_key(|(hash, _)| *hash) {
        return Some((format!("storage.factory_deps.{hash:#066x}"), problem.to_string()));
    }
    for (block_index, block) in input.blocks.iter().enumerate() {
        for (index, tx) in block.transactions.iter().enumerate() {
            for (dep_index, code) in tx.factory_deps.iter().enumerate() {
                if let Err(problem) = bytecode::length_in_words(code) {
                    let at =
                        format!("l2_blocks[{block_index}].txs[{index}].execute.factoryDeps[{dep_index}]");
                    return Some((at, problem.to_string()));
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;

//! Scenarios: batches that a person writes down in RON.
//!
//! ```text
//! (
//!     accounts: { "alice": Rich(0), "bob": Wallet(key: "0x...", balance: "1.5 ether") },
//!     contracts: { "token": (code: Sample("token")) },
//!     blocks: [
//!         (steps: [
//!             Transfer(from: "alice", to: "bob", value: "1 ether", expect: Success),
//!             Call(from: "bob", to: "token", function: "transfer(address,uint256)", args: ["alice", 5],
//!                  expect: Reverted("balance too low")),
//!         ]),
//!     ],
//! )
//! ```
//!
//! `fixtures/scenarios/README.md` has every field with its default. From such a file this module makes what a VM dump
//! holds: the chain's state as at genesis, or as batches before have left it; really signed transactions, blocks; and
//! besides a [`Script`](super::Script) of what the operator does between transactions, and an [`Expectation`] for each
//! transaction.
//!
//! Errors name line, column and field. Most are found while parsing. The others are about strings, and a string knows its
//! place in the file (`text`).

mod abi;
mod base;
mod code;
mod deployment;
mod expectation;
mod format;
mod genesis;
mod names;
mod nonces;
mod origin;
mod steps;
mod text;
mod transaction;
mod value;
mod wallet;

use std::path::Path;

use eradbg_fixtures::embedded::{self, Embedded};
use eradbg_vm::batch::{
    BatchEnv, BatchInput, ExecutionMode, FeeInput, L2Block, L2BlockEnv, SystemCode, SystemEnv,
};
use eradbg_vm::keccak::keccak256;
use eradbg_vm::protocol::{ProtocolVersion, Revision};
use primitive_types::{H160, H256, U256};
use sha2::{Digest, Sha256};

use self::abi::Names;
use self::base::Base;
use self::code::Code;
pub use self::expectation::Expectation;
use self::format::{Batch, Scenario};
use self::genesis::{Genesis, OtherCode};
use self::names::Directory;
use self::origin::{OWN_VERSION, Origin};
use self::steps::Steps;
use self::text::File;
use self::transaction::Parameters;
use super::error::InputError;
use super::{InputKind, Loaded, file};
use crate::chain::Contents;

/// What errors call such a file.
pub(super) const EXPECTED: &str = "a scenario (RON)";

const FAIR_L2_GAS_PRICE: u64 = 100_000_000;
const FAIR_PUBDATA_PRICE: u64 = 2_000_000_000;
const L1_GAS_PRICE: u64 = 1_000_000_000;
/// Who operates a chain without an account of that name.
const OPERATOR: &str = "operator";
const OPERATOR_ADDRESS: H160 = H160::repeat_byte(0x0f);

/// Loads a scenario that eradbg brings along.
///
/// # Errors
/// When there is none of that name.
pub fn embedded(name: &str) -> Result<Loaded, InputError> {
    let found = embedded::SCENARIOS.iter().find(|scenario| scenario.name == name);
    let Embedded { name, file, text } = found.ok_or_else(|| {
        let names: Vec<&str> = embedded::SCENARIOS.iter().map(|scenario| scenario.name).collect();
        InputError::UnknownScenario {
            name: name.to_owned(),
            names: names.join(", "),
        }
    })?;
    load(Path::new(file), None, name, text.as_bytes(), Contents::default())
}

/// Makes a batch of a scenario's text, on a chain that has `before`.
pub(super) fn load(
    path: &Path,
    folder: Option<&Path>,
    name: &str,
    bytes: &[u8],
    before: Contents,
) -> Result<Loaded, InputError> {
    let scenario: Scenario = file::parse_ron(path, bytes)?;
    let text = std::str::from_utf8(bytes).expect("what was parsed is UTF-8");
    let file = File { path, folder, text };
    let origin = Origin::new(file, &scenario.chain, before.head.as_ref())?;
    let Origin {
        chain_id, version, ..
    } = origin;
    let base = base_of(file, &scenario, version)?;
    let mut genesis = Genesis::new(chain_id, before);
    let directory = Directory::new(file, &scenario, &mut genesis)?;
    deploy_base(file, &scenario, &base, &mut genesis)?;
    let start = genesis.into_contents();
    let first_block = first_block(&scenario, &origin);
    let batch = batch_env(file, &scenario, &directory, &origin, first_block)?;
    let parameters = Parameters {
        chain_id,
        protocol_version: version.number(),
        base_fee: batch.base_fee(),
    };
    let mut steps = Steps::new(file, directory, parameters, &start);
    let blocks = blocks(&scenario, &batch, &mut steps)?;
    let Steps {
        directory,
        mut script,
        expectations,
        ..
    } = steps;
    script.links_blocks = true;
    let system = SystemEnv {
        version,
        revision: Revision::default(),
        chain_id,
        execution_mode: ExecutionMode::VerifyExecute,
        bootloader: system_code(&base.bootloader),
        default_account: system_code(&base.default_account),
        evm_emulator: base.evm_emulator.as_ref().map(system_code),
        bootloader_gas_limit: u32::MAX,
        validation_gas_limit: scenario.chain.validation_gas_limit.unwrap_or(u32::MAX),
    };
    let system_contracts = base.contracts.into_iter().map(|(_, code)| code);
    let mut listings: Vec<_> = [base.bootloader, base.default_account]
        .into_iter()
        .chain(system_contracts)
        .chain(directory.into_codes())
        .filter_map(|code| code.listing)
        .collect();
    listings.sort_by_key(|listing| listing.hash);
    listings.dedup_by_key(|listing| listing.hash);
    Ok(Loaded {
        name: name.to_owned(),
        kind: InputKind::Scenario,
        size_bytes: bytes.len() as u64,
        sha256: Sha256::digest(bytes).into(),
        input: BatchInput {
            batch,
            system,
            blocks,
            storage: start.snapshot(),
        },
        start: Some(start),
        script,
        listings,
        run: scenario.run,
        expectations,
    })
}

/// Loads the system that the scenario asks for.
fn base_of(file: File, scenario: &Scenario, version: ProtocolVersion) -> Result<Base, InputError> {
    let Some(name) = &scenario.base else {
        if version.number() != OWN_VERSION {
            return Err(InputError::Inconsistent {
                file: file.path.to_owned(),
                at: "chain.protocol_version".to_owned(),
                problem: format!(
                    "eradbg's own bootloader has Version{OWN_VERSION}, expected a `base` with a bootloader of {version}"
                ),
            });
        }
        return Base::own();
    };
    let missing = |problem| file.error(name, "base", problem);
    let beside = file
        .folder
        .ok_or_else(|| missing("an embedded scenario has no files beside it".to_owned()))?;
    Base::load(&beside.join(name.as_str()), missing)
}

/// Puts the system contracts into the state, and makes the code of the others available.
fn deploy_base(
    file: File,
    scenario: &Scenario,
    base: &Base,
    genesis: &mut Genesis,
) -> Result<(), InputError> {
    for (address, code) in &base.contracts {
        genesis
            .deploy_system(*address, code)
            .map_err(|OtherCode(found)| {
                let problem = format!(
                    "the state has another system contract at {address:#x}, with code hash {found:#066x}, \
                 expected {:#066x}",
                    code.hash
                );
                match &scenario.base {
                    Some(name) => file.error(name, "base", problem),
                    None => InputError::Inconsistent {
                        file: file.path.to_owned(),
                        at: "base (eradbg's own)".to_owned(),
                        problem,
                    },
                }
            })?;
    }
    for code in std::iter::once(&base.default_account).chain(&base.evm_emulator) {
        genesis.supply_code(code);
    }
    Ok(())
}

/// The environment of the first block.
fn first_block(scenario: &Scenario, origin: &Origin) -> L2BlockEnv {
    let given = scenario.blocks.first();
    let number = given.and_then(|block| block.number).unwrap_or(origin.block);
    let batch = &scenario.batch;
    let timestamp = given.and_then(|block| block.timestamp);
    L2BlockEnv {
        number,
        timestamp: timestamp.unwrap_or_else(|| batch.timestamp.unwrap_or(origin.timestamp)),
        prev_block_hash: batch
            .previous_block_hash
            .map(|hash| hash.0)
            .or(origin.previous_block_hash)
            .unwrap_or_else(|| first_previous_hash(number)),
        max_virtual_blocks: given.and_then(|block| block.virtual_blocks).unwrap_or(1),
        interop_roots: Vec::new(),
    }
}

fn batch_env(
    file: File,
    scenario: &Scenario,
    directory: &Directory,
    origin: &Origin,
    first_l2_block: L2BlockEnv,
) -> Result<BatchEnv, InputError> {
    let batch: &Batch = &scenario.batch;
    let operator = match &scenario.chain.operator {
        Some(name) => directory
            .address(name.as_str())
            .map_err(|problem| file.error(name, "chain.operator", problem))?,
        None => directory.address(OPERATOR).unwrap_or(OPERATOR_ADDRESS),
    };
    Ok(BatchEnv {
        previous_batch_hash: batch
            .previous_batch_hash
            .map(|hash| hash.0)
            .or(origin.previous_batch_hash),
        number: batch.number.unwrap_or(origin.batch),
        timestamp: batch.timestamp.unwrap_or(origin.timestamp),
        fee_input: FeeInput::PubdataIndependent {
            fair_l2_gas_price: batch.fair_l2_gas_price.unwrap_or(FAIR_L2_GAS_PRICE),
            fair_pubdata_price: batch.fair_pubdata_price.unwrap_or(FAIR_PUBDATA_PRICE),
            l1_gas_price: batch.l1_gas_price.unwrap_or(L1_GAS_PRICE),
        },
        fee_account: operator,
        enforced_base_fee: batch.base_fee,
        first_l2_block,
        interop_fee: U256::zero(),
        settlement_layer_chain_id: 1,
    })
}

/// The blocks. Each follows the one before, unless it says otherwise; hashes are computed when the batch is driven.
fn blocks(scenario: &Scenario, batch: &BatchEnv, steps: &mut Steps) -> Result<Vec<L2Block>, InputError> {
    let mut blocks: Vec<L2Block> = Vec::new();
    for (index, block) in scenario.blocks.iter().enumerate() {
        let env = match blocks.last() {
            None => batch.first_l2_block.clone(),
            Some(last) => L2BlockEnv {
                number: block.number.unwrap_or_else(|| last.env.number.wrapping_add(1)),
                timestamp: block
                    .timestamp
                    .unwrap_or_else(|| last.env.timestamp.saturating_add(1)),
                prev_block_hash: H256::zero(),
                max_virtual_blocks: block.virtual_blocks.unwrap_or(1),
                interop_roots: Vec::new(),
            },
        };
        let transactions = steps.add_block(index, &block.steps)?;
        blocks.push(L2Block { env, transactions });
    }
    if blocks.is_empty() {
        blocks.push(L2Block {
            env: batch.first_l2_block.clone(),
            transactions: Vec::new(),
        });
    }
    Ok(blocks)
}

/// The hash that stands for the block before the first one, as for all blocks before zksync-era's blocks had hashes of
/// their content: the keccak256 of its number (`L2BlockHasher::legacy_hash`).
fn first_previous_hash(number: u32) -> H256 {
    keccak256(&number.wrapping_sub(1).to_be_bytes())
}

fn system_code(code: &Code) -> SystemCode {
    SystemCode {
        hash: code.hash,
        words: code.words(),
    }
}

#[cfg(test)]
mod tests;

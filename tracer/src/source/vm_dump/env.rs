//! Environments in a VM dump: `L1BatchEnv` and `SystemEnv` of zksync-era's `core/lib/vm_interface/src/types/inputs`.

use eradbg_vm::batch::{self, BatchEnv, ExecutionMode, FeeInput, L2BlockEnv, SystemCode, SystemEnv};
use eradbg_vm::protocol::Revision;
use serde::Deserialize;

use crate::source::wire::{self, Address, ChainId, Hash, Quantity, Version};

#[derive(Deserialize)]
pub(super) struct L1BatchEnv {
    previous_batch_hash: Option<Hash>,
    number: u32,
    timestamp: u64,
    fee_input: BatchFeeInput,
    #[serde(default)]
    interop_fee: Quantity,
    fee_account: Address,
    enforced_base_fee: Option<u64>,
    first_l2_block: FirstBlock,
    settlement_layer: Option<SettlementLayer>,
}

#[derive(Deserialize)]
enum BatchFeeInput {
    PubdataIndependent {
        fair_l2_gas_price: u64,
        fair_pubdata_price: u64,
        l1_gas_price: u64,
    },
    L1Pegged {
        fair_l2_gas_price: u64,
        l1_gas_price: u64,
    },
}

#[derive(Deserialize)]
struct FirstBlock {
    number: u32,
    timestamp: u64,
    prev_block_hash: Hash,
    max_virtual_blocks_to_create: u32,
    #[serde(default)]
    interop_roots: Vec<InteropRoot>,
}

#[derive(Deserialize)]
pub(super) struct InteropRoot {
    chain_id: ChainId,
    block_number: u32,
    sides: Vec<Hash>,
}

#[derive(Deserialize)]
struct SettlementLayer {
    chain_id: u64,
}

#[derive(Deserialize)]
pub(super) struct System {
    version: Version,
    base_system_smart_contracts: BaseSystemContracts,
    bootloader_gas_limit: u32,
    #[serde(deserialize_with = "wire::name")]
    execution_mode: TxExecutionMode,
    default_validation_computational_gas_limit: u32,
    chain_id: ChainId,
}

#[derive(Deserialize)]
struct BaseSystemContracts {
    bootloader: Code,
    default_aa: Code,
    evm_emulator: Option<Code>,
}

#[derive(Deserialize)]
struct Code {
    code: Vec<Quantity>,
    hash: Hash,
}

#[derive(Deserialize)]
enum TxExecutionMode {
    VerifyExecute,
    EstimateFee,
    EthCall,
}

impl L1BatchEnv {
    pub(super) fn into_env(self) -> BatchEnv {
        /// Ethereum, zksync-era's own default.
        const DEFAULT_SETTLEMENT_CHAIN: u64 = 1;
        let fee_input = match self.fee_input {
            BatchFeeInput::PubdataIndependent {
                fair_l2_gas_price,
                fair_pubdata_price,
                l1_gas_price,
            } => FeeInput::PubdataIndependent {
                fair_l2_gas_price,
                fair_pubdata_price,
                l1_gas_price,
            },
            BatchFeeInput::L1Pegged {
                fair_l2_gas_price,
                l1_gas_price,
            } => FeeInput::L1Pegged {
                fair_l2_gas_price,
                l1_gas_price,
            },
        };
        let first = self.first_l2_block;
        BatchEnv {
            previous_batch_hash: self.previous_batch_hash.map(|hash| hash.0),
            number: self.number,
            timestamp: self.timestamp,
            fee_input,
            fee_account: self.fee_account.0,
            enforced_base_fee: self.enforced_base_fee,
            first_l2_block: L2BlockEnv {
                number: first.number,
                timestamp: first.timestamp,
                prev_block_hash: first.prev_block_hash.0,
                max_virtual_blocks: first.max_virtual_blocks_to_create,
                interop_roots: interop_roots(first.interop_roots),
            },
            interop_fee: self.interop_fee.0,
            settlement_layer_chain_id: self
                .settlement_layer
                .map_or(DEFAULT_SETTLEMENT_CHAIN, |layer| layer.chain_id),
        }
    }
}

impl System {
    pub(super) fn into_env(self) -> SystemEnv {
        let contracts = self.base_system_smart_contracts;
        SystemEnv {
            version: self.version.0,
            revision: Revision::default(),
            chain_id: self.chain_id.0,
            execution_mode: match self.execution_mode {
                TxExecutionMode::VerifyExecute => ExecutionMode::VerifyExecute,
                TxExecutionMode::EstimateFee => ExecutionMode::EstimateFee,
                TxExecutionMode::EthCall => ExecutionMode::EthCall,
            },
            bootloader: contracts.bootloader.into_code(),
            default_account: contracts.default_aa.into_code(),
            evm_emulator: contracts.evm_emulator.map(Code::into_code),
            bootloader_gas_limit: self.bootloader_gas_limit,
            validation_gas_limit: self.default_validation_computational_gas_limit,
        }
    }
}

impl Code {
    fn into_code(self) -> SystemCode {
        SystemCode {
            hash: self.hash.word(),
            words: self.code.into_iter().map(|word| word.0).collect(),
        }
    }
}

pub(super) fn interop_roots(roots: Vec<InteropRoot>) -> Vec<batch::InteropRoot> {
    let root = |root: InteropRoot| batch::InteropRoot {
        chain_id: root.chain_id.0,
        block_number: root.block_number,
        sides: root.sides.into_iter().map(|side| side.0).collect(),
    };
    roots.into_iter().map(root).collect()
}

//! The environment of a batch: prices, block parameters, base system contracts.

use primitive_types::{H160, H256, U256};

use crate::protocol::{ProtocolVersion, Revision};

/// The most ergs that a byte of pubdata may cost (`MAX_GAS_PER_PUBDATA_BYTE` in zksync-era's
/// `vm_latest/constants.rs`).
pub const MAX_GAS_PER_PUBDATA_BYTE: u64 = 50_000;

/// L1 gas per byte of pubdata where the pubdata price is pegged to the L1 gas price.
const L1_GAS_PER_PUBDATA_BYTE: u64 = 17;

/// How the bootloader treats transactions (`TxExecutionMode` in zksync-era).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionMode {
    /// As on the chain: validation and execution by the proved bootloader.
    VerifyExecute,
    /// The fee estimation bootloader: as above with validation failures of the signature ignored.
    EstimateFee,
    /// The playground bootloader calls the target directly and returns its output.
    EthCall,
}

/// Prices of a batch, in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeeInput {
    /// The pubdata price stands on its own.
    PubdataIndependent {
        /// Price of one unit of L2 gas that covers the operator's cost.
        fair_l2_gas_price: u64,
        /// Price of one byte of pubdata that covers the operator's cost.
        fair_pubdata_price: u64,
        /// Price of one unit of L1 gas.
        l1_gas_price: u64,
    },
    /// The pubdata price follows from the L1 gas price.
    L1Pegged {
        /// Price of one unit of L2 gas that covers the operator's cost.
        fair_l2_gas_price: u64,
        /// Price of one unit of L1 gas.
        l1_gas_price: u64,
    },
}

/// Parameters of a batch (`L1BatchEnv` in zksync-era).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchEnv {
    /// State root after the previous batch; `None` if unknown.
    pub previous_batch_hash: Option<H256>,
    /// Batch number.
    pub number: u32,
    /// Unix time of the batch, in seconds.
    pub timestamp: u64,
    /// Prices.
    pub fee_input: FeeInput,
    /// The operator, who receives the fees.
    pub fee_account: H160,
    /// Base fee to be used whatever the prices say, in wei.
    pub enforced_base_fee: Option<u64>,
    /// The L2 block with which the batch opens.
    pub first_l2_block: L2BlockEnv,
    /// Fee per interop call, in wei. Used from version 31.
    pub interop_fee: U256,
    /// Chain to which the batch is committed. Used from version 31.
    pub settlement_layer_chain_id: u64,
}

/// What the operator tells the bootloader about an L2 block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct L2BlockEnv {
    /// Block number.
    pub number: u32,
    /// Unix time of the block, in seconds.
    pub timestamp: u64,
    /// Hash of the block before.
    pub prev_block_hash: H256,
    /// How many virtual blocks may be created at the start of the block.
    pub max_virtual_blocks: u32,
    /// Roots of other chains imported with this block, in order. Used from version 29.
    pub interop_roots: Vec<InteropRoot>,
}

/// A message root of another chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InteropRoot {
    /// The other chain.
    pub chain_id: u64,
    /// Its block or batch that the root belongs to.
    pub block_number: u32,
    /// The root, as a path of sides; a single element holds the root itself.
    pub sides: Vec<H256>,
}

/// Parameters that outlive a batch (`SystemEnv` in zksync-era).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemEnv {
    /// Protocol version.
    pub version: ProtocolVersion,
    /// Release of the official VMs that decides where releases differ.
    pub revision: Revision,
    /// The chain's own id.
    pub chain_id: u64,
    /// How transactions are treated.
    pub execution_mode: ExecutionMode,
    /// Code of the bootloader.
    pub bootloader: SystemCode,
    /// Code of accounts that have none of their own.
    pub default_account: SystemCode,
    /// Code that runs EVM contracts, if the chain has it.
    pub evm_emulator: Option<SystemCode>,
    /// Ergs with which the bootloader starts.
    pub bootloader_gas_limit: u32,
    /// Ergs that the validation of a transaction may use.
    pub validation_gas_limit: u32,
}

/// A base system contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemCode {
    /// Versioned bytecode hash.
    pub hash: U256,
    /// Code page.
    pub words: Vec<U256>,
}

impl FeeInput {
    /// Returns the price of one unit of L2 gas that covers the operator's cost.
    pub const fn fair_l2_gas_price(self) -> u64 {
        match self {
            Self::PubdataIndependent {
                fair_l2_gas_price, ..
            }
            | Self::L1Pegged {
                fair_l2_gas_price, ..
            } => fair_l2_gas_price,
        }
    }

    /// Returns the price of one byte of pubdata that covers the operator's cost; saturates.
    pub const fn fair_pubdata_price(self) -> u64 {
        match self {
            Self::PubdataIndependent {
                fair_pubdata_price, ..
            } => fair_pubdata_price,
            Self::L1Pegged { l1_gas_price, .. } => l1_gas_price.saturating_mul(L1_GAS_PER_PUBDATA_BYTE),
        }
    }

    /// Returns the price of one unit of L1 gas.
    pub const fn l1_gas_price(self) -> u64 {
        match self {
            Self::PubdataIndependent { l1_gas_price, .. } | Self::L1Pegged { l1_gas_price, .. } => {
                l1_gas_price
            }
        }
    }
}

impl BatchEnv {
    /// Returns the batch's base fee in wei: the enforced one, or the lowest with which pubdata stays within
    /// [`MAX_GAS_PER_PUBDATA_BYTE`] (`get_batch_base_fee` in zksync-era's `vm_latest/utils/fee.rs`).
    pub fn base_fee(&self) -> u64 {
        let prices = self.fee_input;
        let pubdata_floor = prices.fair_pubdata_price().div_ceil(MAX_GAS_PER_PUBDATA_BYTE);
        self.enforced_base_fee
            .unwrap_or_else(|| prices.fair_l2_gas_price().max(pubdata_floor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl BatchEnv {
        /// A first batch of which only the prices matter.
        pub(crate) fn of_prices(fee_input: FeeInput, enforced_base_fee: Option<u64>) -> Self {
            Self {
                previous_batch_hash: None,
                number: 1,
                timestamp: 1,
                fee_input,
                fee_account: H160::zero(),
                enforced_base_fee,
                first_l2_block: L2BlockEnv {
                    number: 1,
                    timestamp: 1,
                    prev_block_hash: H256::zero(),
                    max_virtual_blocks: 1,
                    interop_roots: vec![],
                },
                interop_fee: U256::zero(),
                settlement_layer_chain_id: 1,
            }
        }
    }

    #[test]
    fn pegged_pubdata_price_is_seventeen_times_the_l1_gas_price() {
        let pegged = FeeInput::L1Pegged {
            fair_l2_gas_price: 5,
            l1_gas_price: 100,
        };
        assert_eq!(pegged.fair_pubdata_price(), 1_700);
        let dear = FeeInput::L1Pegged {
            fair_l2_gas_price: 5,
            l1_gas_price: u64::MAX,
        };
        assert_eq!(dear.fair_pubdata_price(), u64::MAX);
    }

    #[test]
    fn base_fee_is_enforced_or_the_larger_of_gas_price_and_pubdata_share() {
        let prices = |fair_pubdata_price| FeeInput::PubdataIndependent {
            fair_l2_gas_price: 10,
            fair_pubdata_price,
            l1_gas_price: 1,
        };
        assert_eq!(BatchEnv::of_prices(prices(500_000), None).base_fee(), 10);
        assert_eq!(BatchEnv::of_prices(prices(500_001), None).base_fee(), 11);
        assert_eq!(BatchEnv::of_prices(prices(500_001), Some(3)).base_fee(), 3);
    }
}

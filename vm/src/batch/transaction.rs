//! A transaction in the form in which the bootloader reads it.

use primitive_types::{H160, H256, U256};

/// Transaction types by their number.
pub mod tx_type {
    /// Ethereum transaction without a type byte.
    pub const LEGACY: u8 = 0;
    /// Ethereum transaction with an access list.
    pub const EIP_2930: u8 = 1;
    /// Ethereum transaction with a priority fee.
    pub const EIP_1559: u8 = 2;
    /// ZKsync's own type, signed as EIP-712 typed data.
    pub const EIP_712: u8 = 0x71;
    /// Protocol upgrade.
    pub const UPGRADE: u8 = 0xfe;
    /// Priority operation requested on L1.
    pub const PRIORITY: u8 = 0xff;
}

/// A transaction with all fields of the bootloader's transaction tuple (`TransactionData` in zksync-era's
/// `vm_latest/types/transaction_data.rs`), plus what its source says about its identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    /// One of the numbers in [`tx_type`].
    pub tx_type: u8,
    /// Account that sends the transaction.
    pub from: H160,
    /// Target; `None` deploys an EVM contract.
    pub to: Option<H160>,
    /// Gas limit of the whole transaction.
    pub gas_limit: U256,
    /// The most gas that a byte of pubdata may cost. Types 0, 1 and 2 do not sign one and have
    /// [`MAX_GAS_PER_PUBDATA_BYTE`](super::MAX_GAS_PER_PUBDATA_BYTE) here.
    pub gas_per_pubdata_limit: U256,
    /// The highest price per gas, in wei.
    pub max_fee_per_gas: U256,
    /// The highest priority fee per gas, in wei; 0 for L1 transactions.
    pub max_priority_fee_per_gas: U256,
    /// Who pays, or zero if the sender does.
    pub paymaster: H160,
    /// The sender's nonce; the id of a priority operation; the protocol version of an upgrade.
    pub nonce: U256,
    /// Value in wei.
    pub value: U256,
    /// Words whose meaning depends on the type. L2: see [`l2_reserved_words`](super::l2_reserved_words).
    /// L1 and upgrade: value to mint, refund recipient, 0, 0.
    pub reserved: [U256; 4],
    /// Calldata.
    pub data: Vec<u8>,
    /// Signature as the account checks it. An Ethereum signature is r, s and then 27 or 28. Empty for L1 transactions.
    pub signature: Vec<u8>,
    /// Bytecodes to be made known; each must be valid (see [`crate::bytecode`]).
    pub factory_deps: Vec<Vec<u8>>,
    /// Input of the paymaster.
    pub paymaster_input: Vec<u8>,
    /// Unused, empty in all known transactions.
    pub reserved_dynamic: Vec<u8>,
    /// Signed bytes of an L2 transaction as they were submitted, type byte included, if the source has them.
    pub signed_bytes: Option<Vec<u8>>,
    /// The hash that the source gives; [`Transaction::hash`] computes one from the fields.
    pub known_hash: Option<H256>,
}

impl Transaction {
    /// Returns whether the transaction comes from L1: a priority operation or an upgrade.
    pub fn is_l1(&self) -> bool {
        matches!(self.tx_type, tx_type::PRIORITY | tx_type::UPGRADE)
    }
}

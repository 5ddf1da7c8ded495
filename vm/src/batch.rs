//! What a run starts from: the environment of a batch, its L2 blocks with their transactions, and the state before it.

mod encoding;
mod env;
mod hash;
mod transaction;

use std::collections::HashMap;

use primitive_types::{H256, U256};

pub use self::encoding::{MAX_COMPUTE_GAS, l2_reserved_words};
pub use self::env::{
    BatchEnv, ExecutionMode, FeeInput, InteropRoot, L2BlockEnv, MAX_GAS_PER_PUBDATA_BYTE, SystemCode,
    SystemEnv,
};
pub use self::hash::signed_chain_id;
pub use self::transaction::{Transaction, tx_type};

/// Everything that a batch needs to be executed, whatever kind of file or node it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchInput {
    /// Parameters of the batch.
    pub batch: BatchEnv,
    /// Parameters of the system around it.
    pub system: SystemEnv,
    /// L2 blocks in execution order. There is at least one; the first one's environment is
    /// [`BatchEnv::first_l2_block`].
    pub blocks: Vec<L2Block>,
    /// State at the start of the batch, as far as it is known.
    pub storage: Snapshot,
}

impl BatchInput {
    /// Iterates over all transactions in execution order.
    pub fn transactions(&self) -> impl Iterator<Item = &Transaction> {
        self.blocks.iter().flat_map(|block| &block.transactions)
    }
}

/// An L2 block and the transactions to be executed in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct L2Block {
    /// What the operator tells the bootloader about the block.
    pub env: L2BlockEnv,
    /// Transactions in execution order. Only the last block of a batch may have none.
    pub transactions: Vec<Transaction>,
}

/// A snapshot of the chain's state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What is known of slots and bytecodes that are not listed.
    pub absent: Absent,
    /// Slots by hashed key, `blake2s256(0^12 ‖ address ‖ key)`.
    ///
    /// `None`: the slot is zero and was never written. `Some((value, index))`: its value and enumeration index; index 0
    /// marks a value written earlier in the same batch, for which a write still is an initial one.
    pub slots: HashMap<H256, Option<(U256, u64)>>,
    /// Bytecodes by versioned hash, padded to whole words.
    pub factory_deps: HashMap<U256, Vec<u8>>,
}

/// What is known of the slots and bytecodes that a snapshot does not list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Absent {
    /// Nothing: the snapshot has what some run needed.
    #[default]
    Unknown,
    /// They were never written: the snapshot is the whole state.
    Unwritten,
}

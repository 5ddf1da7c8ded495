//! L2 blocks as they grow, and the rule that joins them.

use primitive_types::{H256, U256};

use crate::batch::L2BlockEnv;
use crate::keccak::{keccak256, keccak256_concat};
use crate::protocol::ProtocolVersion;

/// An L2 block that transactions are pushed into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct L2BlockState {
    /// Its parameters.
    pub env: L2BlockEnv,
    /// Rolling hash of its transactions' hashes, from zero on.
    pub transactions_hash: H256,
    /// Index in the batch of its first transaction.
    pub first_transaction: usize,
    /// Transactions in it.
    pub transactions: usize,
}

/// Why a block cannot follow another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// The block before has no transaction: only the fictive block that ends a batch is empty. A node seals a block when at
    /// least one of its transactions stayed, and puts what comes after rejected ones in the same block.
    #[error("L2 block {next} cannot start: block {last} has no transaction that was not taken back")]
    AfterEmpty {
        /// Number of the block before.
        last: u32,
        /// Number of the block.
        next: u32,
    },
    /// A field does not continue the block before.
    #[error("L2 block {number} does not follow block {last}: its {field} is {found}, expected {expected}")]
    Discontinuous {
        /// Number of the block before.
        last: u32,
        /// Number of the block.
        number: u32,
        /// Name of the field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What it should be.
        expected: String,
    },
}

impl L2BlockState {
    /// A block without transactions; `first_transaction` is the index of the next one in the batch.
    pub fn new(env: L2BlockEnv, first_transaction: usize) -> Self {
        Self {
            env,
            transactions_hash: H256::zero(),
            first_transaction,
            transactions: 0,
        }
    }

    /// Adds a transaction.
    pub fn push(&mut self, transaction: H256) {
        self.transactions_hash = keccak256_concat(self.transactions_hash, transaction);
        self.transactions += 1;
    }

    /// Hash of the block: keccak256 of number, timestamp, previous hash and transactions hash, 32 bytes each.
    pub fn hash(&self) -> H256 {
        let mut preimage = [0; 128];
        U256::from(self.env.number).to_big_endian(&mut preimage[..32]);
        U256::from(self.env.timestamp).to_big_endian(&mut preimage[32..64]);
        preimage[64..96].copy_from_slice(self.env.prev_block_hash.as_bytes());
        preimage[96..].copy_from_slice(self.transactions_hash.as_bytes());
        keccak256(&preimage)
    }

    /// Checks that a block may follow this one.
    ///
    /// # Errors
    /// When this block is empty, or number, timestamp or previous hash do not continue it.
    pub fn check_next(&self, next: &L2BlockEnv, version: ProtocolVersion) -> Result<(), BlockError> {
        let (last, number) = (self.env.number, next.number);
        if self.transactions == 0 {
            return Err(BlockError::AfterEmpty { last, next: number });
        }
        let fail = |field, found, expected| {
            Err(BlockError::Discontinuous {
                last,
                number,
                field,
                found,
                expected,
            })
        };
        // The first block of a chain may be followed by any number, and may share its timestamp.
        let is_first = last == 0;
        if !is_first && number != last + 1 {
            return fail("number", number.to_string(), (last + 1).to_string());
        }
        let may_share_timestamp = is_first || version.protocol().timestamps_may_repeat;
        let earliest = self.env.timestamp + u64::from(!may_share_timestamp);
        if next.timestamp < earliest {
            return fail(
                "timestamp",
                next.timestamp.to_string(),
                format!("{earliest} or later"),
            );
        }
        if next.prev_block_hash != self.hash() {
            return fail(
                "previous hash",
                format!("{:#x}", next.prev_block_hash),
                format!("{:#x}", self.hash()),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(number: u32, timestamp: u64, prev_block_hash: H256) -> L2BlockEnv {
        L2BlockEnv {
            number,
            timestamp,
            prev_block_hash,
            max_virtual_blocks: 1,
            interop_roots: vec![],
        }
    }

    #[test]
    fn a_block_follows_only_a_non_empty_one_that_it_names() {
        let version = |number| ProtocolVersion::new(number).unwrap();
        let mut first = L2BlockState::new(block(7, 100, H256::zero()), 0);
        let hash = |state: &L2BlockState| state.hash();
        assert!(matches!(
            first.check_next(&block(8, 101, hash(&first)), version(29)),
            Err(BlockError::AfterEmpty { .. })
        ));
        first.push(H256::repeat_byte(1));
        let good = hash(&first);
        for version in ProtocolVersion::all() {
            assert_eq!(first.check_next(&block(8, 101, good), version), Ok(()));
            let repeats = first.check_next(&block(8, 100, good), version);
            assert_eq!(repeats.is_ok(), version.number() >= 29, "{version}");
        }
        let field = |next| match first.check_next(&next, version(29)) {
            Err(BlockError::Discontinuous { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field(block(9, 101, good)), "number");
        assert_eq!(field(block(7, 101, good)), "number");
        assert_eq!(field(block(8, 99, good)), "timestamp");
        assert_eq!(field(block(8, 101, H256::zero())), "previous hash");
    }

    #[test]
    fn the_first_block_of_a_chain_may_be_followed_by_any_number_at_its_own_time() {
        let mut first = L2BlockState::new(block(0, 100, H256::zero()), 0);
        first.push(H256::repeat_byte(1));
        for version in ProtocolVersion::all() {
            assert_eq!(first.check_next(&block(55, 100, first.hash()), version), Ok(()));
            assert!(first.check_next(&block(55, 99, first.hash()), version).is_err());
            assert!(first.check_next(&block(55, 100, H256::zero()), version).is_err());
        }
    }

    #[test]
    fn a_block_is_hashed_with_the_rolling_hash_of_its_transactions() {
        let mut state = L2BlockState::new(block(7, 100, H256::repeat_byte(3)), 0);
        let words = |transactions: H256| {
            let mut bytes = vec![0; 64];
            (bytes[31], bytes[63]) = (7, 100);
            bytes.extend([3; 32]);
            bytes.extend(transactions.as_bytes());
            keccak256(&bytes)
        };
        assert_eq!(state.hash(), words(H256::zero()));
        let [first, second] = [1, 2].map(H256::repeat_byte);
        state.push(first);
        let one = keccak256(&[[0; 32], first.0].concat());
        assert_eq!(state.hash(), words(one));
        state.push(second);
        assert_eq!(state.hash(), words(keccak256(&[one.0, second.0].concat())));
    }
}

//! The Merkle tree over the user L2->L1 logs of a batch.

use primitive_types::H256;

use crate::events::L2ToL1Log;
use crate::keccak::{keccak256, keccak256_concat};

/// Number of leaves of the tree in protocol versions 23 and later.
pub const LEAVES: usize = 1 << DEPTH;

const DEPTH: usize = 14;

/// Returns the root of the binary Keccak tree over `logs`.
///
/// Leaves are the hashes of the packed logs; packed logs of zeros fill the tree up to [`LEAVES`]. With more logs, which
/// `L1Messenger` refuses, the tree has the next power of two, as the reference operator's.
pub fn logs_root(logs: &[L2ToL1Log]) -> H256 {
    let mut level: Vec<H256> = logs.iter().map(|log| keccak256(&log.to_bytes())).collect();
    // Root of the subtree of this level without logs: the nodes right of `level` are all equal.
    let mut empty = keccak256(&[0; L2ToL1Log::LENGTH]);
    let depth = DEPTH.max(logs.len().next_power_of_two().ilog2() as usize);
    for _ in 0..depth {
        level = level
            .chunks(2)
            .map(|pair| keccak256_concat(pair[0], pair.get(1).copied().unwrap_or(empty)))
            .collect();
        empty = keccak256_concat(empty, empty);
    }
    level.first().copied().unwrap_or(empty)
}

#[cfg(test)]
mod tests {
    use primitive_types::H160;

    use super::*;

    fn logs(count: usize) -> Vec<L2ToL1Log> {
        let log = |index: usize| L2ToL1Log {
            shard_id: 0,
            is_service: false,
            tx_number: 1,
            address: H160::repeat_byte(7),
            key: index.into(),
            value: 5.into(),
        };
        (0..count).map(log).collect()
    }

    /// Hashes the whole tree, node by node.
    fn root_of_full_tree(logs: &[L2ToL1Log], leaves: usize) -> H256 {
        let mut level: Vec<H256> = logs.iter().map(|log| keccak256(&log.to_bytes())).collect();
        level.resize(leaves, keccak256(&[0; 88]));
        while level.len() > 1 {
            level = level
                .chunks(2)
                .map(|pair| keccak256_concat(pair[0], pair[1]))
                .collect();
        }
        level[0]
    }

    #[test]
    fn padding_leaf_is_the_hash_of_an_all_zero_log() {
        let expected = "72abee45b59e344af8a6e520241c4744aff26ed411f4c4b00f8af09adada43ba";
        assert_eq!(hex::encode(keccak256(&[0; L2ToL1Log::LENGTH])), expected);
    }

    #[test]
    fn root_is_that_of_the_tree_hashed_in_full() {
        for count in [0, 1, 2, 3, 5, 8, 1000] {
            assert_eq!(
                logs_root(&logs(count)),
                root_of_full_tree(&logs(count), LEAVES),
                "{count} logs"
            );
        }
    }

    #[test]
    fn the_tree_grows_when_it_is_full() {
        let logs = logs(LEAVES + 1);
        assert_eq!(
            logs_root(&logs[..LEAVES]),
            root_of_full_tree(&logs[..LEAVES], LEAVES)
        );
        assert_eq!(logs_root(&logs), root_of_full_tree(&logs, 2 * LEAVES));
    }
}

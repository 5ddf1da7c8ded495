//! Keccak-256, the hash of the chain's own records: logs, messages, trees, rolling hashes.

use primitive_types::H256;
use sha3::{Digest, Keccak256};

/// Returns the Keccak-256 hash of `bytes` (Ethereum's padding, not that of SHA-3).
///
/// ```
/// # use eradbg_vm::keccak::keccak256;
/// assert_eq!(keccak256(b"L1MessageSent(address,bytes32,bytes)").as_bytes()[..4], [0x3a, 0x36, 0xe4, 0x72]);
/// ```
pub fn keccak256(bytes: &[u8]) -> H256 {
    H256(Keccak256::digest(bytes).into())
}

/// Returns the Keccak-256 hash of the 64 bytes of `left` and `right`: a tree node, or a link of a chained hash.
pub fn keccak256_concat(left: H256, right: H256) -> H256 {
    let hasher = Keccak256::new().chain_update(left).chain_update(right);
    H256(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_input_has_the_known_hash() {
        let expected = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
        assert_eq!(hex::encode(keccak256(b"")), expected);
    }

    #[test]
    fn concatenation_keeps_the_order_of_its_parts() {
        let (a, b) = (H256::repeat_byte(1), H256::repeat_byte(2));
        assert_eq!(keccak256_concat(a, b), keccak256(&[a.0, b.0].concat()));
        assert_ne!(keccak256_concat(a, b), keccak256_concat(b, a));
    }
}

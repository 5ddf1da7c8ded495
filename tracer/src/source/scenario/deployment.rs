//! Addresses of contracts that transactions deploy.
//!
//! Source: `matter-labs/era-contracts` `system-contracts/contracts/ContractDeployer.sol`.

use eradbg_vm::batch::Transaction;
use eradbg_vm::bytecode::words_to_bytes;
use eradbg_vm::keccak::keccak256;
use eradbg_vm::value::word_of;
use primitive_types::{H160, U256};

/// What the addresses are derived with.
const CREATE_PREFIX: &[u8] = b"zksyncCreate";
const CREATE2_PREFIX: &[u8] = b"zksyncCreate2";

/// Address of a sender's contract by the number of its deployments before.
pub(super) fn create_address(sender: H160, number: u64) -> H160 {
    derived(CREATE_PREFIX, &[word_of(sender), number.into()])
}

/// Address of a contract by salt, code and input, which stand in the calldata of `create2`.
pub(super) fn create2_address(transaction: &Transaction) -> H160 {
    let word = |index: usize| U256::from_big_endian(&transaction.data[4 + 32 * index..][..32]);
    let input = &transaction.data[4 + 4 * 32..][..word(3).as_usize()];
    let input_hash = U256::from_big_endian(keccak256(input).as_bytes());
    derived(
        CREATE2_PREFIX,
        &[word_of(transaction.from), word(0), word(1), input_hash],
    )
}

/// The last 20 bytes of the keccak256 of a prefix's keccak256 and words.
fn derived(prefix: &[u8], words: &[U256]) -> H160 {
    let mut bytes = keccak256(prefix).as_bytes().to_vec();
    bytes.extend(words_to_bytes(words));
    H160::from_slice(&keccak256(&bytes).as_bytes()[12..])
}

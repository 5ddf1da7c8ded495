//! How many transactions and deployments the state says that an account has made.
//!
//! Source: `matter-labs/era-contracts` `system-contracts/contracts/NonceHolder.sol`: slot 0 maps accounts to the number
//! of transactions in the low 128 bits, and that of deployments above.

use eradbg_vm::storage::{StorageKey, system_address};
use eradbg_vm::value::word_of;
use primitive_types::{H160, U256};

use super::genesis::mapping_slot;
use crate::chain::Contents;

const NONCE_HOLDER: H160 = system_address(0x8003);
const NONCES_SLOT: u64 = 0;

/// Transactions: the nonce of the next one.
pub(super) fn transactions(start: &Contents, account: H160) -> U256 {
    U256::from(nonces(start, account).low_u128())
}

/// Contracts created without a salt.
pub(super) fn deployments(start: &Contents, account: H160) -> u64 {
    (nonces(start, account) >> 128).low_u64()
}

fn nonces(start: &Contents, account: H160) -> U256 {
    start.value(StorageKey {
        address: NONCE_HOLDER,
        key: mapping_slot(word_of(account), NONCES_SLOT.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_counts_are_read_from_one_slot() {
        let account = H160::repeat_byte(3);
        let key = StorageKey {
            address: NONCE_HOLDER,
            key: mapping_slot(word_of(account), U256::zero()),
        };
        let mut start = Contents::default();
        assert_eq!(
            (transactions(&start, account), deployments(&start, account)),
            (0.into(), 0)
        );
        start.set_up(&[(key, (U256::from(7) << 128) + 9)].into());
        assert_eq!(
            (transactions(&start, account), deployments(&start, account)),
            (9.into(), 7)
        );
        assert_eq!(transactions(&start, H160::zero()), U256::zero());
    }
}

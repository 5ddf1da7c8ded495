//! ABI encoding of a transaction in the bootloader's memory and what the operator derives from its size.

use primitive_types::{H160, U256};

use super::hash::signed_chain_id;
use super::transaction::{Transaction, tx_type};
use crate::bytecode::{WORD_BYTES, bytes_to_words, hash_bytecode};

/// The most gas that the computation of a transaction may use (`TX_MAX_COMPUTE_GAS_LIMIT` in zksync-era's
/// `vm_latest/constants.rs`, like the two below).
pub const MAX_COMPUTE_GAS: u32 = 80_000_000;
/// Gas for the slot that a transaction takes in its batch.
const SLOT_OVERHEAD_GAS: u32 = 10_000;
/// Gas per word of the encoding. The bootloader allows this price per byte, so the operator's demand is never refused.
const MEMORY_OVERHEAD_GAS: u32 = 10;

/// Words of the tuple before its dynamic parts.
const HEAD_WORDS: usize = 19;
/// Lengths of the dynamic parts: data, signature, factory dependencies, paymaster input, reserved.
const DYNAMIC_PARTS: usize = 5;

impl Transaction {
    /// Fields of one word that the tuple, and what an EIP-712 signature signs, start with.
    pub(super) fn fixed_fields(&self) -> [U256; 10] {
        [
            self.tx_type.into(),
            address_word(self.from),
            address_word(self.to.unwrap_or_default()),
            self.gas_limit,
            self.gas_per_pubdata_limit,
            self.max_fee_per_gas,
            self.max_priority_fee_per_gas,
            address_word(self.paymaster),
            self.nonce,
            self.value,
        ]
    }

    /// Encodes the transaction as the operator puts it into the bootloader's memory: `abi.encode` of one tuple, that
    /// is an offset word 0x20, 19 head words and the dynamic parts, tightly packed in the order of their offsets.
    ///
    /// # Panics
    ///
    /// A factory dependency is not valid bytecode. Inputs are checked for that when they are loaded.
    pub fn encode(&self) -> Vec<U256> {
        let parts = [
            bytes_part(&self.data),
            bytes_part(&self.signature),
            array_part(&self.factory_dep_hashes()),
            bytes_part(&self.paymaster_input),
            bytes_part(&self.reserved_dynamic),
        ];
        let mut words = Vec::with_capacity(self.encoding_len());
        words.push(WORD_BYTES.into());
        words.extend(self.fixed_fields());
        words.extend(self.reserved);
        let mut offset_words = HEAD_WORDS;
        for part in &parts {
            words.push((offset_words * WORD_BYTES).into());
            offset_words += part.len();
        }
        words.extend(parts.into_iter().flatten());
        words
    }

    /// Returns the length of [`Self::encode`] in words, without encoding.
    pub fn encoding_len(&self) -> usize {
        let words = |bytes: &[u8]| bytes.len().div_ceil(WORD_BYTES);
        1 + HEAD_WORDS
            + DYNAMIC_PARTS
            + words(&self.data)
            + words(&self.signature)
            + self.factory_deps.len()
            + words(&self.paymaster_input)
            + words(&self.reserved_dynamic)
    }

    /// Returns the gas that the operator charges for the transaction's place in the batch
    /// (`derive_overhead` in zksync-era's `vm_latest/utils/overhead.rs`).
    pub fn overhead_gas(&self) -> u32 {
        let length_words = u32::try_from(self.encoding_len()).unwrap_or(u32::MAX);
        SLOT_OVERHEAD_GAS.max(length_words.saturating_mul(MEMORY_OVERHEAD_GAS))
    }

    /// Returns the gas limit that the operator vouches for: the transaction's, at most 80 million.
    pub fn trusted_gas_limit(&self) -> u32 {
        self.gas_limit.min(MAX_COMPUTE_GAS.into()).as_u32()
    }

    /// Returns the versioned hashes of the factory dependencies, in their order.
    ///
    /// # Panics
    ///
    /// As [`Self::encode`].
    pub fn factory_dep_hashes(&self) -> Vec<U256> {
        let hash = |code: &Vec<u8>| {
            hash_bytecode(code).expect("inputs are checked for invalid bytecode when loaded")
        };
        self.factory_deps.iter().map(hash).collect()
    }
}

/// Returns [`Transaction::reserved`] of an L2 transaction: word 0 is 1 for a legacy transaction whose signature covers
/// the chain id, word 1 is 1 if there is no target, the others are 0.
///
/// As in zksync-era, a legacy transaction without its signed bytes counts as signed without a chain id.
pub fn l2_reserved_words(tx_type: u8, to: Option<H160>, signed_bytes: Option<&[u8]>) -> [U256; 4] {
    let covers_chain_id = tx_type == tx_type::LEGACY && signed_bytes.and_then(signed_chain_id).is_some();
    let word = |set: bool| U256::from(u8::from(set));
    [
        word(covers_chain_id),
        word(to.is_none()),
        U256::zero(),
        U256::zero(),
    ]
}

/// Returns an address as a word, zeros first.
fn address_word(address: H160) -> U256 {
    U256::from_big_endian(address.as_bytes())
}

/// Encodes `bytes`: the length, then whole words, the last one padded with zeros.
fn bytes_part(bytes: &[u8]) -> Vec<U256> {
    std::iter::once(bytes.len().into())
        .chain(bytes_to_words(bytes))
        .collect()
}

/// Encodes `bytes32[]`: the length, then the elements.
fn array_part(elements: &[U256]) -> Vec<U256> {
    std::iter::once(elements.len().into())
        .chain(elements.iter().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Transaction {
        Transaction {
            tx_type: tx_type::EIP_712,
            from: H160::repeat_byte(0xaa),
            to: Some(H160::repeat_byte(0xbb)),
            gas_limit: 1.into(),
            gas_per_pubdata_limit: 2.into(),
            max_fee_per_gas: 3.into(),
            max_priority_fee_per_gas: 4.into(),
            paymaster: H160::repeat_byte(0xcc),
            nonce: 5.into(),
            value: 6.into(),
            reserved: [7, 8, 9, 10].map(U256::from),
            data: vec![0x11; 33],
            signature: vec![0x22; 65],
            factory_deps: vec![vec![0x33; 32], vec![0x44; 96]],
            paymaster_input: vec![0x55; 32],
            reserved_dynamic: vec![],
            ..Transaction::default()
        }
    }

    #[test]
    fn head_words_stand_in_the_order_of_the_tuple() {
        let words = sample().encode();
        let address = |byte| address_word(H160::repeat_byte(byte));
        let fixed = [0x20, 0x71].map(U256::from);
        assert_eq!(words[..2], fixed);
        assert_eq!(words[2..4], [address(0xaa), address(0xbb)]);
        assert_eq!(words[4..8], [1, 2, 3, 4].map(U256::from));
        assert_eq!(words[8], address(0xcc));
        assert_eq!(words[9..15], [5, 6, 7, 8, 9, 10].map(U256::from));
    }

    #[test]
    fn offsets_point_at_tightly_packed_parts() {
        let tx = sample();
        let words = tx.encode();
        // Head 19; data 1 + 2; signature 1 + 3; dependencies 1 + 2; paymaster input 1 + 1; reserved 1.
        let offsets = [19, 22, 26, 29, 31].map(|words: usize| U256::from(words * 32));
        assert_eq!(words[15..20], offsets);
        let lengths: Vec<usize> = offsets
            .iter()
            .map(|at| words[1 + at.as_usize() / 32].as_usize())
            .collect();
        assert_eq!(lengths, [33, 65, 2, 32, 0]);
        assert_eq!(words.len(), 1 + 32);
        assert_eq!(
            words[22],
            U256::from(0x11) << 248,
            "the last word of a part is padded on the right"
        );
        assert_eq!(words[28..30], tx.factory_dep_hashes());
    }

    #[test]
    fn encoding_len_is_the_length_of_the_encoding() {
        for length in [0, 1, 31, 32, 33, 64] {
            let bytes = vec![1; length];
            let tx = Transaction {
                data: bytes.clone(),
                signature: bytes.clone(),
                paymaster_input: bytes.clone(),
                reserved_dynamic: bytes,
                ..sample()
            };
            assert_eq!(tx.encoding_len(), tx.encode().len());
        }
    }

    #[test]
    fn overhead_is_charged_by_words_above_a_floor() {
        assert_eq!(sample().overhead_gas(), 10_000);
        let large = Transaction {
            data: vec![0; 32 * 1_000],
            ..Transaction::default()
        };
        assert_eq!(large.overhead_gas(), 10 * 1_025);
    }

    #[test]
    fn trusted_gas_limit_is_capped() {
        let tx = |gas_limit| Transaction {
            gas_limit,
            ..Transaction::default()
        };
        assert_eq!(tx(79_999_999.into()).trusted_gas_limit(), 79_999_999);
        assert_eq!(tx(U256::MAX).trusted_gas_limit(), 80_000_000);
    }

    #[test]
    fn reserved_words_mark_a_missing_target_for_every_l2_type() {
        for tx_type in [tx_type::LEGACY, tx_type::EIP_1559, tx_type::EIP_712] {
            assert_eq!(
                l2_reserved_words(tx_type, None, None),
                [0, 1, 0, 0].map(U256::from)
            );
            assert_eq!(
                l2_reserved_words(tx_type, Some(H160::zero()), None),
                [U256::zero(); 4]
            );
        }
    }
}

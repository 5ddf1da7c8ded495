//! Versioned hashes of bytecodes, and bytecodes as bytes or as words.
//!
//! Format: `matter-labs/zksync-era` `core/lib/basic_types/src/bytecode.rs`.

pub mod compress;

use primitive_types::U256;
use sha2::{Digest, Sha256};

/// Length of a word of code.
pub const WORD_BYTES: usize = 32;

const VERSION_ERA_VM: u8 = 1;
const VERSION_EVM: u8 = 2;
/// Second byte of a hash: its contract's constructor has not finished yet.
const UNDER_CONSTRUCTION: u8 = 1;

/// Why bytes are no bytecode, or not the one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BytecodeError {
    /// Code is made of whole words.
    #[error("bytecode of {0} bytes is not made of whole 32-byte words")]
    NotWords(usize),
    /// Code has an odd number of words.
    #[error("bytecode has {0} words, an even number")]
    EvenWords(usize),
    /// The hash has two bytes for the length.
    #[error("bytecode of {0} words or bytes is longer than its hash can tell")]
    TooLong(usize),
    /// The first two bytes of the hash are no known version and state.
    #[error("{0:#066x} is not a bytecode hash")]
    UnknownHashFormat(U256),
    /// The code has another hash.
    #[error("bytecode does not have the hash {0:#066x}")]
    WrongHash(U256),
}

/// Returns the versioned hash of EraVM code: 1, 0, the length in words (2 bytes), the last 28 bytes of its SHA-256.
///
/// # Errors
///
/// When `code` is not an odd number of whole words below 2^16.
pub fn hash_bytecode(code: &[u8]) -> Result<U256, BytecodeError> {
    let length = length_in_words(code)?;
    Ok(versioned_hash(VERSION_ERA_VM, length, code))
}

/// Returns the versioned hash of EVM code without padding: 2, 0, the length in bytes (2 bytes), the last 28 bytes of
/// the SHA-256 of the [padded](pad_evm_bytecode) code.
///
/// # Errors
///
/// When `code` has 2^16 bytes or more.
pub fn hash_evm_bytecode(code: &[u8]) -> Result<U256, BytecodeError> {
    let length = u16::try_from(code.len()).map_err(|_| BytecodeError::TooLong(code.len()))?;
    Ok(hash_padded_evm_bytecode(length, &pad_evm_bytecode(code)))
}

/// Returns the versioned hash of EVM code that is padded already; `length` is its length in bytes without padding.
pub fn hash_padded_evm_bytecode(length: u16, padded: &[u8]) -> U256 {
    versioned_hash(VERSION_EVM, length, padded)
}

/// Returns EVM code in the form in which the chain keeps it: with zeros up to an odd number of words.
pub fn pad_evm_bytecode(code: &[u8]) -> Vec<u8> {
    let words = code.len().div_ceil(WORD_BYTES) | 1;
    let mut padded = code.to_vec();
    padded.resize(words * WORD_BYTES, 0);
    padded
}

/// Tells whether `code` is an odd number of whole words below 2^16, as every published bytecode is.
pub fn is_valid_bytecode(code: &[u8]) -> bool {
    length_in_words(code).is_ok()
}

/// Returns the length of valid code in words.
///
/// # Errors
///
/// When `code` is not an odd number of whole words below 2^16.
pub fn length_in_words(code: &[u8]) -> Result<u16, BytecodeError> {
    let words = code.len() / WORD_BYTES;
    if !code.len().is_multiple_of(WORD_BYTES) {
        Err(BytecodeError::NotWords(code.len()))
    } else if words.is_multiple_of(2) {
        Err(BytecodeError::EvenWords(words))
    } else {
        u16::try_from(words).map_err(|_| BytecodeError::TooLong(words))
    }
}

/// Checks that `code` is what `hash` stands for: EraVM code, or EVM code with its padding.
///
/// The construction state in the hash is the contract's, not the code's, so either is accepted.
///
/// # Errors
///
/// When `hash` has no known format, `code` is not valid bytecode, or its hash is another one.
pub fn validate_hash(hash: U256, code: &[u8]) -> Result<(), BytecodeError> {
    let mut bytes = [0; 32];
    hash.to_big_endian(&mut bytes);
    let [version, state @ 0..=UNDER_CONSTRUCTION, high, low, ..] = bytes else {
        return Err(BytecodeError::UnknownHashFormat(hash));
    };
    let hash_length = u16::from_be_bytes([high, low]);
    let length_in_words = length_in_words(code)?;
    let length_fits = match version {
        VERSION_ERA_VM => hash_length == length_in_words,
        VERSION_EVM => code
            .get(hash_length as usize..)
            .is_some_and(|padding| padding.iter().all(|byte| *byte == 0)),
        _ => return Err(BytecodeError::UnknownHashFormat(hash)),
    };
    let constructed = hash - (U256::from(state) << 240);
    if length_fits && versioned_hash(version, hash_length, code) == constructed {
        Ok(())
    } else {
        Err(BytecodeError::WrongHash(hash))
    }
}

/// Splits bytes into big-endian words; zeros fill up the last one.
pub fn bytes_to_words(bytes: &[u8]) -> Vec<U256> {
    let (whole, rest) = bytes.as_chunks::<WORD_BYTES>();
    let mut words: Vec<U256> = whole.iter().map(U256::from).collect();
    if !rest.is_empty() {
        let mut last = [0; WORD_BYTES];
        last[..rest.len()].copy_from_slice(rest);
        words.push(U256::from(last));
    }
    words
}

/// Joins words, each as 32 big-endian bytes.
pub fn words_to_bytes(words: &[U256]) -> Vec<u8> {
    let mut bytes = vec![0; words.len() * WORD_BYTES];
    for (word, chunk) in words.iter().zip(bytes.as_chunks_mut::<WORD_BYTES>().0) {
        word.to_big_endian(chunk);
    }
    bytes
}

fn versioned_hash(version: u8, length: u16, padded_code: &[u8]) -> U256 {
    let mut hash: [u8; 32] = Sha256::digest(padded_code).into();
    hash[..2].copy_from_slice(&[version, 0]);
    hash[2..4].copy_from_slice(&length.to_be_bytes());
    U256::from(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn era_vm_hash_counts_words_and_keeps_the_end_of_the_sha256() {
        let zero_word = "01000001f862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
        assert_eq!(format!("{:064x}", hash_bytecode(&[0; 32]).unwrap()), zero_word);
        assert_eq!(hash_bytecode(&[0; 96]).unwrap() >> 224, U256::from(0x0100_0003));
    }

    #[test]
    fn evm_hash_counts_unpadded_bytes() {
        let code = [0x60, 0x01, 0x00];
        assert_eq!(hash_evm_bytecode(&code).unwrap() >> 224, U256::from(0x0200_0003));
        assert_eq!(
            hash_evm_bytecode(&code).unwrap() & (U256::MAX >> 32),
            hash_bytecode(&pad_evm_bytecode(&code)).unwrap() & (U256::MAX >> 32)
        );
    }

    #[test]
    fn evm_padding_gives_an_odd_number_of_words() {
        for (bytes, padded) in [
            (0, 32),
            (1, 32),
            (32, 32),
            (33, 96),
            (64, 96),
            (96, 96),
            (97, 160),
        ] {
            assert_eq!(pad_evm_bytecode(&vec![1; bytes]).len(), padded, "{bytes} bytes");
        }
    }

    #[test]
    fn only_an_odd_number_of_words_below_two_to_the_sixteenth_is_valid() {
        let check = |bytes: usize| length_in_words(&vec![0; bytes]);
        assert_eq!(check(32), Ok(1));
        assert_eq!(check(65_535 * 32), Ok(65_535));
        assert_eq!(check(0), Err(BytecodeError::EvenWords(0)));
        assert_eq!(check(64), Err(BytecodeError::EvenWords(2)));
        assert_eq!(check(33), Err(BytecodeError::NotWords(33)));
        assert_eq!(check(65_537 * 32), Err(BytecodeError::TooLong(65_537)));
        assert!(is_valid_bytecode(&[0; 32]) && !is_valid_bytecode(&[0; 31]));
        assert_eq!(
            hash_evm_bytecode(&vec![0; 65_536]),
            Err(BytecodeError::TooLong(65_536))
        );
    }

    #[test]
    fn code_is_valid_for_its_own_hash_in_either_construction_state() {
        let code = [7; 32];
        let constructed = hash_bytecode(&code).unwrap();
        let under_construction = constructed | (U256::one() << 240);
        assert_eq!(validate_hash(constructed, &code), Ok(()));
        assert_eq!(validate_hash(under_construction, &code), Ok(()));

        let evm = [0x60; 40];
        assert_eq!(
            validate_hash(hash_evm_bytecode(&evm).unwrap(), &pad_evm_bytecode(&evm)),
            Ok(())
        );
    }

    #[test]
    fn a_hash_of_other_code_length_or_format_is_refused() {
        let code = [7; 32];
        let right = hash_bytecode(&code).unwrap();
        for wrong in [right + 1, right + (U256::from(2) << 224)] {
            assert_eq!(validate_hash(wrong, &code), Err(BytecodeError::WrongHash(wrong)));
        }
        for format in [
            U256::zero(),
            right + (U256::from(2) << 248),
            right + (U256::from(2) << 240),
        ] {
            assert_eq!(
                validate_hash(format, &code),
                Err(BytecodeError::UnknownHashFormat(format))
            );
        }
    }

    #[test]
    fn an_evm_hash_whose_length_cuts_code_is_refused() {
        let padded = [0x60; 96];
        let cut = versioned_hash(VERSION_EVM, 90, &padded);
        assert_eq!(validate_hash(cut, &padded), Err(BytecodeError::WrongHash(cut)));
        let beyond = versioned_hash(VERSION_EVM, 97, &padded);
        assert_eq!(
            validate_hash(beyond, &padded),
            Err(BytecodeError::WrongHash(beyond))
        );
    }

    #[test]
    fn words_and_bytes_convert_both_ways() {
        let bytes: Vec<u8> = (0..64).collect();
        assert_eq!(words_to_bytes(&bytes_to_words(&bytes)), bytes);
        assert_eq!(bytes_to_words(&[1]), [U256::one() << 248]);
    }
}

//! Precompiles: hash functions and arithmetic that kernel contracts run on words of memory.
//!
//! The hash functions read and hash in one go ([`Precompile::hash`]). The others first gather their words
//! ([`Precompile::input`]) and then compute ([`Precompile::compute`]), so that an output can also come from a record.
//! What a failed check leaves in memory follows `crates/zk_evm_abstractions/src/precompiles` of
//! `matter-labs/zksync-protocol`; checks of signatures and ranges that belong to the calling contract are not here.

mod abi;
mod bn254;
mod ecadd;
mod ecmul;
mod ecpairing;
mod ecrecover;
mod keccak256;
mod modexp;
mod output;
mod secp256r1_verify;
mod sha256;

use primitive_types::U256;

pub use abi::PrecompileAbi;
pub use output::{MAX_OUTPUT_WORDS, Output};

use crate::value::word_to_bytes as bytes;

/// A precompile, selected by the low 16 bits of the calling kernel contract's address.
///
/// Where an output starts with `ok`, a failed check makes all its words zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precompile {
    /// Keccak-256 of bytes at any alignment. Output: hash.
    Keccak256,
    /// SHA-256 compression of rounds of two words, padded by the caller. Output: hash; nothing for zero rounds.
    Sha256,
    /// Recovery of an Ethereum address from digest, v (0 or 1), r, s. Output: ok, address.
    Ecrecover,
    /// P-256 check of digest, r, s, x, y. Output: ok (signature and key are usable), 1 when the signature matches.
    Secp256r1Verify,
    /// Modular exponentiation of base, exponent, modulus. Output: the power; zero for a zero modulus.
    Modexp,
    /// Sum of two points of bn254 (`alt_bn128`), given as x1, y1, x2, y2. Output: ok, x, y.
    EcAdd,
    /// Multiple of a point of bn254, given as x, y, scalar. Output: ok, x, y.
    EcMul,
    /// Pairing check of bn254 over pairs of six words. Output: ok, 1 when the product of the pairings is one.
    EcPairing,
}

/// Memory as precompiles read it.
pub trait ReadWord {
    /// The word at a word index of a page; zero where nothing was written.
    fn read_word(&self, page: u32, index: u32) -> U256;
}

impl Precompile {
    /// Returns the precompile at a kernel address, given by its low 16 bits. `None` where a call only burns ergs.
    ///
    /// `ec_precompiles` adds modexp and the bn254 functions, which exist from protocol version 28 on.
    pub fn at(address_low: u16, ec_precompiles: bool) -> Option<Self> {
        Some(match address_low {
            0x0001 => Self::Ecrecover,
            0x0002 => Self::Sha256,
            0x0005 if ec_precompiles => Self::Modexp,
            0x0006 if ec_precompiles => Self::EcAdd,
            0x0007 if ec_precompiles => Self::EcMul,
            0x0008 if ec_precompiles => Self::EcPairing,
            0x0100 => Self::Secp256r1Verify,
            0x8010 => Self::Keccak256,
            _ => return None,
        })
    }

    /// Runs a hash function over memory; `None` for the other precompiles.
    ///
    /// Needs no memory for the input, however long it is.
    pub fn hash(self, abi: &PrecompileAbi, memory: &impl ReadWord) -> Option<Output> {
        match self {
            Self::Keccak256 => Some(Output::from([keccak256::hash(abi, memory)])),
            Self::Sha256 => {
                Some(sha256::hash(abi, memory).map_or(Output::NOTHING, |hash| Output::from([hash])))
            }
            _ => None,
        }
    }

    /// Reads the words that [`Precompile::compute`] takes. Word indexes wrap around at 2^32.
    ///
    /// # Panics
    /// For the hash functions, which [`Precompile::hash`] runs.
    pub fn input(self, abi: &PrecompileAbi, memory: &impl ReadWord) -> Vec<U256> {
        let count = match self {
            Self::Keccak256 | Self::Sha256 => unreachable!("hash functions read memory as they hash"),
            Self::Modexp | Self::EcMul => 3,
            Self::Ecrecover | Self::EcAdd => 4,
            Self::Secp256r1Verify => 5,
            Self::EcPairing => abi.interpreted.saturating_mul(ecpairing::WORDS_PER_PAIR as u64),
        };
        (0..count)
            .map(|index| memory.read_word(abi.page_to_read, abi.input_offset.wrapping_add(index as u32)))
            .collect()
    }

    /// Computes the output from the words of [`Precompile::input`]: a pure function.
    ///
    /// # Panics
    /// For the hash functions, and when `input` has another count of words than [`Precompile::input`] returns.
    pub fn compute(self, input: &[U256]) -> Output {
        match self {
            Self::Keccak256 | Self::Sha256 => unreachable!("hash functions read memory as they hash"),
            Self::Ecrecover => Output::checked(ecrecover::recover(words(input)).map(|address| [address])),
            Self::Secp256r1Verify => {
                let verdict = secp256r1_verify::verify(words(input));
                Output::checked(verdict.map(|matches| [U256::from(u8::from(matches))]))
            }
            Self::Modexp => Output::from([modexp::power(words(input))]),
            Self::EcAdd => Output::checked(ecadd::add(words(input))),
            Self::EcMul => Output::checked(ecmul::multiply(words(input))),
            Self::EcPairing => {
                let verdict = ecpairing::product_is_one(input);
                Output::checked(verdict.map(|is_one| [U256::from(u8::from(is_one))]))
            }
        }
    }
}

fn words<const N: usize>(input: &[U256]) -> [U256; N] {
    input
        .try_into()
        .expect("the input has as many words as Precompile::input reads")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words from index 0 of page 7 on; all other memory is zero.
    pub(super) struct Page(pub(super) Vec<U256>);

    impl Page {
        pub(super) fn of_bytes(bytes: &[u8]) -> Self {
            let mut padded = bytes.to_vec();
            padded.resize(bytes.len().next_multiple_of(32), 0xee);
            Self(padded.chunks(32).map(U256::from_big_endian).collect())
        }
    }

    impl ReadWord for Page {
        fn read_word(&self, page: u32, index: u32) -> U256 {
            let word = self.0.get(index as usize).filter(|_| page == 7);
            word.copied().unwrap_or_default()
        }
    }

    pub(super) fn abi(input_offset: u32, input_length: u32, interpreted: u64) -> PrecompileAbi {
        PrecompileAbi {
            input_offset,
            input_length,
            output_offset: 0,
            output_length: 0,
            page_to_read: 7,
            page_to_write: 8,
            interpreted,
        }
    }

    pub(super) fn hex(digits: &str) -> U256 {
        U256::from_str_radix(digits, 16).unwrap()
    }

    #[test]
    fn curve_precompiles_need_their_protocol_version() {
        for address in 0..=u16::MAX {
            let (before, after) = (Precompile::at(address, false), Precompile::at(address, true));
            let added = (5..=8).contains(&address);
            assert_eq!(before.is_none() && after.is_some(), added, "{address:#x}");
            assert_eq!(
                after.is_some(),
                added || [1, 2, 0x100, 0x8010].contains(&address),
                "{address:#x}"
            );
        }
    }

    #[test]
    fn input_index_wraps_around() {
        let memory = Page(vec![U256::from(10), U256::from(11)]);
        let input = Precompile::Modexp.input(&abi(u32::MAX, 0, 0), &memory);
        assert_eq!(input, [0, 10, 11].map(U256::from));
    }

    #[test]
    fn pairing_reads_six_words_per_pair() {
        let memory = Page((0..20).map(U256::from).collect());
        let input = Precompile::EcPairing.input(&abi(1, 0, 3), &memory);
        assert_eq!(input, (1..19).map(U256::from).collect::<Vec<_>>());
        assert!(Precompile::EcPairing.input(&abi(1, 600, 0), &memory).is_empty());
    }

    #[test]
    fn failed_checks_write_zeros_in_full_length() {
        let ones = |count| vec![U256::one(); count];
        let zeros = |count| vec![U256::zero(); count];
        assert_eq!(Precompile::EcAdd.compute(&ones(4)).words(), zeros(3));
        assert_eq!(Precompile::EcMul.compute(&ones(3)).words(), zeros(3));
        assert_eq!(Precompile::EcPairing.compute(&ones(6)).words(), zeros(2));
        assert_eq!(Precompile::Secp256r1Verify.compute(&ones(5)).words(), zeros(2));
        assert_eq!(Precompile::Ecrecover.compute(&zeros(4)).words(), zeros(2));
    }
}

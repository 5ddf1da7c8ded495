//! Dictionary compression of the bytecodes that L2 transactions bring along.

use std::cmp::Reverse;
use std::collections::HashMap;

use primitive_types::U256;

use super::{BytecodeError, bytes_to_words, hash_bytecode, length_in_words};

/// Why a bytecode cannot be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompressError {
    /// It is not EraVM code.
    #[error(transparent)]
    Invalid(#[from] BytecodeError),
    /// An index has two bytes, and so has the number of entries.
    #[error("{0} distinct 8-byte chunks do not fit a dictionary of 65535 entries")]
    DictionaryOverflow(usize),
}

/// A bytecode to publish, in both forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompressedBytecode {
    /// Versioned hash of the original.
    pub hash: U256,
    /// The code.
    pub original: Vec<u8>,
    /// The code as [`compress`] returns it.
    pub compressed: Vec<u8>,
}

/// Compresses EraVM code.
///
/// The dictionary holds the distinct 8-byte chunks, the most frequent first and of equally frequent ones the one that
/// appears later first. Output: number of entries (2 bytes), the entries (8 bytes each), for each chunk of the code
/// its index in the dictionary (2 bytes); big-endian.
///
/// Source: `matter-labs/zksync-era`, `core/lib/multivm/src/utils/bytecode.rs`.
///
/// # Errors
///
/// When `code` is not valid bytecode or has too many distinct chunks.
pub fn compress(code: &[u8]) -> Result<Vec<u8>, CompressError> {
    length_in_words(code)?;
    let (chunks, _) = code.as_chunks::<8>();
    let dictionary = dictionary(chunks);
    let entries =
        u16::try_from(dictionary.len()).map_err(|_| CompressError::DictionaryOverflow(dictionary.len()))?;
    let index_of: HashMap<[u8; 8], u16> = dictionary.iter().copied().zip(0..entries).collect();

    let mut compressed = Vec::with_capacity(2 + 8 * dictionary.len() + 2 * chunks.len());
    compressed.extend(entries.to_be_bytes());
    compressed.extend(dictionary.as_flattened());
    compressed.extend(chunks.iter().flat_map(|chunk| index_of[chunk].to_be_bytes()));
    Ok(compressed)
}

/// Returns the words that go to the bootloader's area of compressed bytecodes.
///
/// The hash, a zero word whose end the bootloader overwrites with the selector of `publishCompressedBytecode`, then
/// that call's arguments: `abi.encode(bytes original, bytes compressed)`.
pub fn encode_call(hash: U256, original: &[u8], compressed: &[u8]) -> Vec<U256> {
    let original_words = bytes_to_words(original);
    let head_bytes = 64;
    let compressed_offset = head_bytes + 32 * (1 + original_words.len());

    let mut words = vec![hash, U256::zero(), head_bytes.into(), compressed_offset.into()];
    words.push(original.len().into());
    words.extend(original_words);
    words.push(compressed.len().into());
    words.extend(bytes_to_words(compressed));
    words
}

/// Compresses those factory dependencies of an L2 transaction that the chain does not know yet.
///
/// They keep their order; repetitions, and bytecodes that cannot be compressed, are left out.
pub fn compress_unknown(
    factory_deps: &[Vec<u8>],
    mut is_known: impl FnMut(U256) -> bool,
) -> Vec<CompressedBytecode> {
    let mut selected: Vec<CompressedBytecode> = Vec::new();
    for code in factory_deps {
        let Ok(hash) = hash_bytecode(code) else { continue };
        if selected.iter().any(|earlier| earlier.hash == hash) || is_known(hash) {
            continue;
        }
        if let Ok(compressed) = compress(code) {
            selected.push(CompressedBytecode {
                hash,
                original: code.clone(),
                compressed,
            });
        }
    }
    selected
}

fn dictionary(chunks: &[[u8; 8]]) -> Vec<[u8; 8]> {
    let mut ranks: HashMap<[u8; 8], (usize, usize)> = HashMap::new();
    for (position, chunk) in chunks.iter().enumerate() {
        let (occurrences, _) = ranks.entry(*chunk).or_insert((0, position));
        *occurrences += 1;
    }
    let mut entries: Vec<_> = ranks.into_iter().collect();
    entries.sort_unstable_by_key(|(_, rank)| Reverse(*rank));
    entries.into_iter().map(|(chunk, _)| chunk).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a compressed bytecode as the Compressor contract does.
    fn decompress(compressed: &[u8]) -> Vec<u8> {
        let (entries, rest) = compressed.split_first_chunk::<2>().unwrap();
        let (dictionary, indices) = rest.split_at(u16::from_be_bytes(*entries) as usize * 8);
        let entry = |index: &[u8; 2]| dictionary.as_chunks::<8>().0[u16::from_be_bytes(*index) as usize];
        indices.as_chunks().0.iter().flat_map(entry).collect()
    }

    #[test]
    fn frequent_chunks_come_first_and_later_ones_before_earlier_ones() {
        let code = [[0; 8], [0x11; 8], [0x11; 8], [0x22; 8]].concat();
        let expected = "0003111111111111111122222222222222220000000000000000\
                        0002000000000001";
        assert_eq!(hex::encode(compress(&code).unwrap()), expected);
    }

    #[test]
    fn decompression_restores_the_code() {
        let code: Vec<u8> = (0..96 * 33_u32).map(|i| (i * i / 64) as u8).collect();
        assert_eq!(decompress(&compress(&code).unwrap()), code);
    }

    #[test]
    fn invalid_and_too_varied_code_is_refused() {
        assert_eq!(compress(&[0; 64]), Err(BytecodeError::EvenWords(2).into()));

        let chunks = |distinct: u64, words: u64| -> Vec<u8> {
            (0..words * 4)
                .flat_map(|i| (i % distinct).to_be_bytes())
                .collect()
        };
        assert!(compress(&chunks(65_535, 20_001)).is_ok());
        assert_eq!(
            compress(&chunks(65_536, 20_001)),
            Err(CompressError::DictionaryOverflow(65_536))
        );
    }

    #[test]
    fn call_is_laid_out_as_hash_selector_room_and_two_byte_strings() {
        let words = encode_call(7.into(), &[0xff; 32], &[0xee; 33]);
        let expected: Vec<U256> = [
            U256::from(7),
            U256::zero(),
            U256::from(0x40),
            U256::from(0x80),
            U256::from(32),
            U256::MAX,
            U256::from(33),
            U256::from_big_endian(&[0xee; 32]),
            U256::from(0xee) << 248,
        ]
        .to_vec();
        assert_eq!(words, expected);
    }

    #[test]
    fn only_new_compressible_dependencies_are_selected_in_their_order() {
        let (known, new, other, even) = (vec![1; 32], vec![9; 32], vec![2; 32], vec![3; 64]);
        let known_hash = hash_bytecode(&known).unwrap();
        let deps = [new.clone(), known, other.clone(), even, new.clone()];

        let selected = compress_unknown(&deps, |hash| hash == known_hash);

        assert_eq!(
            selected.iter().map(|code| &code.original).collect::<Vec<_>>(),
            [&new, &other]
        );
        assert_eq!(selected[0].hash, hash_bytecode(&new).unwrap());
        assert_eq!(selected[0].compressed, compress(&new).unwrap());
    }
}

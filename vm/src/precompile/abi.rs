//! The ABI word of a precompile call.

use primitive_types::U256;

/// ABI word of a precompile call.
///
/// Only [`Precompile::Keccak256`](super::Precompile::Keccak256) counts its input in bytes. No precompile looks at
/// `output_length`: each writes all its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrecompileAbi {
    /// Where the input starts: a byte for Keccak-256, a word index otherwise.
    pub input_offset: u32,
    /// Length of the input of Keccak-256 in bytes; without meaning for the others.
    pub input_length: u32,
    /// Word index where the output goes.
    pub output_offset: u32,
    /// Length of the output as the caller states it, in words.
    pub output_length: u32,
    /// Memory page of the input.
    pub page_to_read: u32,
    /// Memory page of the output.
    pub page_to_write: u32,
    /// Rounds of SHA-256, pairs of the pairing check; without meaning for the others.
    pub interpreted: u64,
}

impl PrecompileAbi {
    /// Splits an ABI word. From the lowest bits up: input offset and length, output offset and length, page to read,
    /// page to write (32 bits each), interpreted data (64 bits).
    pub fn from_word(word: U256) -> Self {
        let [input, output, pages, interpreted] = word.0;
        let high = |limb: u64| (limb >> 32) as u32;
        Self {
            input_offset: input as u32,
            input_length: high(input),
            output_offset: output as u32,
            output_length: high(output),
            page_to_read: pages as u32,
            page_to_write: high(pages),
            interpreted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precompile::tests::hex;

    #[test]
    fn abi_word_splits_into_its_fields() {
        let word = hex("0123456789abcdef000000060000000500000004000000030000000200000001");
        let fields = PrecompileAbi {
            input_offset: 1,
            input_length: 2,
            output_offset: 3,
            output_length: 4,
            page_to_read: 5,
            page_to_write: 6,
            interpreted: 0x0123_4567_89ab_cdef,
        };
        assert_eq!(PrecompileAbi::from_word(word), fields);
    }
}

//! Keccak-256 over bytes of a memory page.

use primitive_types::U256;
use sha3::{Digest, Keccak256};

use super::{PrecompileAbi, ReadWord, bytes};

/// Hashes `input_length` bytes from byte `input_offset` on, a word of memory at a time.
pub(super) fn hash(abi: &PrecompileAbi, memory: &impl ReadWord) -> U256 {
    let mut hasher = Keccak256::new();
    let mut position = u64::from(abi.input_offset);
    let end = position + u64::from(abi.input_length);
    while position < end {
        let word = bytes(memory.read_word(abi.page_to_read, (position / 32) as u32));
        let start = position % 32;
        let stop = (end - position + start).min(32);
        hasher.update(&word[start as usize..stop as usize]);
        position += stop - start;
    }
    U256::from_big_endian(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precompile::tests::{Page, abi, hex};

    #[test]
    fn known_hashes() {
        let empty = hash(&abi(31, 0, 0), &Page(vec![]));
        assert_eq!(
            empty,
            hex("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")
        );
        let abc = hash(&abi(0, 3, 0), &Page::of_bytes(b"abc"));
        assert_eq!(
            abc,
            hex("4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45")
        );
    }

    #[test]
    fn any_alignment_and_length_around_the_block_size() {
        let content: Vec<u8> = (0..400_u32).map(|byte| (byte * 7) as u8).collect();
        let memory = Page::of_bytes(&content);
        for offset in [0, 1, 31, 32, 33, 64] {
            for length in [1, 31, 32, 33, 64, 135, 136, 137, 271, 272, 273] {
                let expected = Keccak256::digest(&content[offset..offset + length]);
                let actual = hash(&abi(offset as u32, length as u32, 0), &memory);
                assert_eq!(
                    actual,
                    U256::from_big_endian(&expected),
                    "{length} bytes from {offset}"
                );
            }
        }
    }

    #[test]
    fn input_may_end_above_the_byte_range_of_u32() {
        let hash = hash(&abi(u32::MAX, 34, 0), &Page::of_bytes(b"not read"));
        assert_eq!(hash, U256::from_big_endian(&Keccak256::digest([0; 34])));
    }
}

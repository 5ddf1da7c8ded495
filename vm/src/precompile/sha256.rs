//! SHA-256 compression over words of a memory page; the calling contract pads the message.

use primitive_types::U256;
use sha2::compress256;

use super::{PrecompileAbi, ReadWord, bytes};

/// State before the first round (FIPS 180-4, section 5.3.3).
const INITIAL_STATE: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Compresses `interpreted` blocks of two words from word `input_offset` on; word indexes wrap around at 2^32.
/// `None` for zero blocks.
pub(super) fn hash(abi: &PrecompileAbi, memory: &impl ReadWord) -> Option<U256> {
    let mut state = INITIAL_STATE;
    let mut index = abi.input_offset;
    for _ in 0..abi.interpreted {
        let mut block = [0; 64];
        for half in block.chunks_exact_mut(32) {
            half.copy_from_slice(&bytes(memory.read_word(abi.page_to_read, index)));
            index = index.wrapping_add(1);
        }
        compress256(&mut state, &[block.into()]);
    }
    let hash = state
        .iter()
        .fold(U256::zero(), |hash, &part| (hash << 32) | U256::from(part));
    (abi.interpreted > 0).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precompile::tests::{Page, abi, hex};
    use sha2::{Digest, Sha256};

    fn padded(message: &[u8]) -> Vec<u8> {
        let mut bytes = message.to_vec();
        bytes.push(0x80);
        while bytes.len() % 64 != 56 {
            bytes.push(0);
        }
        bytes.extend((message.len() as u64 * 8).to_be_bytes());
        bytes
    }

    #[test]
    fn known_hash_of_a_padded_message() {
        let abc = hash(&abi(0, 0, 1), &Page::of_bytes(&padded(b"abc")));
        assert_eq!(
            abc,
            Some(hex(
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
            ))
        );
    }

    #[test]
    fn rounds_start_at_a_word_offset() {
        let message = [0x5a; 200];
        let content = [[0xff; 96].as_slice(), &padded(&message)].concat();
        let expected = U256::from_big_endian(&Sha256::digest(message));
        assert_eq!(hash(&abi(3, 0, 4), &Page::of_bytes(&content)), Some(expected));
    }

    #[test]
    fn word_index_wraps_around() {
        let halves = padded(b"abc");
        let rotated = hash(&abi(u32::MAX, 0, 1), &Page::of_bytes(&halves[..32]));
        let plain = hash(
            &abi(0, 0, 1),
            &Page::of_bytes(&[&[0; 32], &halves[..32]].concat()),
        );
        assert_eq!(rotated, plain);
    }

    #[test]
    fn zero_rounds_write_nothing() {
        assert_eq!(hash(&abi(0, 64, 0), &Page(vec![])), None);
    }
}

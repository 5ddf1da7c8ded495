//! Words with a pointer tag, and the fat pointers that tagged words hold.

use primitive_types::{H160, U256};

/// A word of a register or stack slot with its pointer tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Value {
    /// The 256-bit word.
    pub word: U256,
    /// Whether the word is a fat pointer.
    pub is_pointer: bool,
}

impl Value {
    /// Zero, untagged.
    pub const ZERO: Self = Self {
        word: U256::zero(),
        is_pointer: false,
    };

    /// An untagged word.
    pub const fn integer(word: U256) -> Self {
        Self {
            word,
            is_pointer: false,
        }
    }

    /// A tagged fat pointer with zero in its upper half.
    pub const fn pointer(pointer: FatPointer) -> Self {
        Self {
            word: pointer.to_word(),
            is_pointer: true,
        }
    }

    /// What user code sees of a pointer where it may not be one: offset, length and the upper half.
    #[must_use]
    pub fn without_pointer_metadata(self) -> Self {
        if !self.is_pointer {
            return self;
        }
        let U256([low, high, rest @ ..]) = self.word;
        Self::integer(U256([
            low & 0xffff_ffff,
            high & 0xffff_ffff_0000_0000,
            rest[0],
            rest[1],
        ]))
    }
}

impl From<u64> for Value {
    fn from(word: u64) -> Self {
        Self::integer(word.into())
    }
}

/// A slice of a page: the low 128 bits of a tagged word, and of call and return ABIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct FatPointer {
    /// Bytes from `start` to the next byte to read.
    pub offset: u32,
    /// Page that the slice lies on.
    pub page: u32,
    /// First byte of the slice.
    pub start: u32,
    /// Length of the slice in bytes.
    pub length: u32,
}

impl FatPointer {
    /// Reads the low 128 bits of a word.
    pub const fn from_word(word: U256) -> Self {
        Self {
            offset: word.0[0] as u32,
            page: (word.0[0] >> 32) as u32,
            start: word.0[1] as u32,
            length: (word.0[1] >> 32) as u32,
        }
    }

    /// The pointer in the low 128 bits of a word.
    pub const fn to_word(self) -> U256 {
        let low = self.offset as u64 | (self.page as u64) << 32;
        let high = self.start as u64 | (self.length as u64) << 32;
        U256([low, high, 0, 0])
    }

    /// The part after `offset` as a pointer of its own. Callers have checked `offset <= length`.
    #[must_use]
    pub const fn narrowed(self) -> Self {
        Self {
            offset: 0,
            page: self.page,
            start: self.start.wrapping_add(self.offset),
            length: self.length.wrapping_sub(self.offset),
        }
    }
}

/// Which memory a far call or a return hands over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    /// A slice of the own heap.
    Heap,
    /// A pointer that the frame has.
    Pointer,
    /// A slice of the own aux heap.
    AuxHeap,
}

impl Forwarding {
    /// Bits 224..231 of an ABI word; unknown values mean the heap.
    pub const fn of_abi(word: U256) -> Self {
        match (word.0[3] >> 32) as u8 {
            1 => Self::Pointer,
            2 => Self::AuxHeap,
            _ => Self::Heap,
        }
    }
}

/// The word of 32 big-endian bytes.
#[inline(always)]
pub fn word_from_bytes(bytes: &[u8; 32]) -> U256 {
    let limb = |at: usize| u64::from_be_bytes(core::array::from_fn(|i| bytes[at + i]));
    U256([limb(24), limb(16), limb(8), limb(0)])
}

/// The 32 big-endian bytes of a word.
#[inline(always)]
pub fn word_to_bytes(word: U256) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (limb, chunk) in word.0.iter().rev().zip(bytes.chunks_exact_mut(8)) {
        chunk.copy_from_slice(&limb.to_be_bytes());
    }
    bytes
}

/// The low 160 bits of a word.
pub fn address_of(word: U256) -> H160 {
    H160::from_slice(&word_to_bytes(word)[12..])
}

/// An address as a word.
pub fn word_of(address: H160) -> U256 {
    U256::from_big_endian(address.as_bytes())
}

/// Whether an address is in kernel space: below 2^16.
pub fn is_kernel(address: H160) -> bool {
    address.0[..18].iter().all(|&byte| byte == 0)
}

/// The low 16 bits of an address.
pub fn low16(address: H160) -> u16 {
    u16::from_be_bytes([address.0[18], address.0[19]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fat_pointer_survives_its_word() {
        let pointer = FatPointer {
            offset: 1,
            page: 2,
            start: 3,
            length: 4,
        };
        assert_eq!(FatPointer::from_word(pointer.to_word()), pointer);
        assert_eq!(
            pointer.narrowed(),
            FatPointer {
                offset: 0,
                page: 2,
                start: 4,
                length: 3
            }
        );
    }

    #[test]
    fn user_code_sees_offset_and_length_of_a_pointer_but_not_where_it_points() {
        let tagged = Value {
            word: U256([0x1111_1111_2222_2222, 0x3333_3333_4444_4444, 5, 6]),
            is_pointer: true,
        };
        let seen = tagged.without_pointer_metadata();
        assert_eq!(
            seen,
            Value::integer(U256([0x2222_2222, 0x3333_3333_0000_0000, 5, 6]))
        );
        let integer = Value::integer(tagged.word);
        assert_eq!(integer.without_pointer_metadata(), integer);
    }

    #[test]
    fn bytes_of_a_word_are_big_endian_in_both_directions() {
        let word = U256([1, 2, 3, 4 << 56]);
        let mut expected = [0; 32];
        word.to_big_endian(&mut expected);
        assert_eq!(word_to_bytes(word), expected);
        assert_eq!(word_from_bytes(&expected), word);
    }

    #[test]
    fn kernel_space_ends_at_two_to_the_sixteen() {
        assert!(is_kernel(H160::from_low_u64_be(0xffff)));
        assert!(!is_kernel(H160::from_low_u64_be(0x1_0000)));
    }
}

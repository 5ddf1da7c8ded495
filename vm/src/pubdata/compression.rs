//! Compression of a changed storage value: the shortest way to get from the old value to the new one.

use primitive_types::U256;

/// Longest operand that an operation other than [`Operation::Raw`] may have, in bytes.
const MAX_OPERAND_BYTES: u32 = 30;

/// How the operand leads to the new value, modulo 2^256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The operand is the new value in 32 bytes; nothing shorter exists.
    Raw = 0,
    /// new = old + operand.
    Add = 1,
    /// new = old - operand.
    Sub = 2,
    /// new = operand.
    Transform = 3,
}

/// A value as it is published: a byte of metadata, then the operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressedValue {
    /// What to do with the operand.
    pub operation: Operation,
    /// The operand.
    pub operand: U256,
}

impl CompressedValue {
    /// Returns the first byte: bits 0..3 the operation, bits 3..8 the operand's length, which is 0 for a raw value.
    pub fn metadata(self) -> u8 {
        match self.operation {
            Operation::Raw => 0,
            operation => (self.operand_bytes() << 3) as u8 | operation as u8,
        }
    }

    /// Returns the length of the operand in bytes, without leading zeros unless the value is raw.
    pub fn operand_bytes(self) -> u32 {
        match self.operation {
            Operation::Raw => 32,
            _ => minimal_bytes(self.operand),
        }
    }

    /// Returns the length of the published form in bytes: 1 to 31, or 33.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(self) -> u32 {
        1 + self.operand_bytes()
    }

    /// Appends the published form.
    pub fn write_to(self, out: &mut Vec<u8>) {
        let mut operand = [0; 32];
        self.operand.to_big_endian(&mut operand);
        out.push(self.metadata());
        out.extend_from_slice(&operand[32 - self.operand_bytes() as usize..]);
    }
}

/// Compresses a change from `initial` to `new`.
///
/// The operation with the shortest operand is taken, the first of add, sub and transform when equal; raw when every
/// operand has more than 30 bytes.
pub fn compress_value(initial: U256, new: U256) -> CompressedValue {
    let candidates = [
        (Operation::Add, new.overflowing_sub(initial).0),
        (Operation::Sub, initial.overflowing_sub(new).0),
        (Operation::Transform, new),
    ];
    let shortest = candidates
        .map(|(operation, operand)| CompressedValue { operation, operand })
        .into_iter()
        .filter(|value| value.operand_bytes() <= MAX_OPERAND_BYTES)
        .min_by_key(|value| value.operand_bytes());
    shortest.unwrap_or(CompressedValue {
        operation: Operation::Raw,
        operand: new,
    })
}

/// Returns the length in bytes of the compressed change from `initial` to `new`, metadata included.
pub fn compressed_length(initial: U256, new: U256) -> u32 {
    compress_value(initial, new).len()
}

fn minimal_bytes(value: U256) -> u32 {
    value.bits().div_ceil(8) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressed(initial: U256, new: U256) -> String {
        let mut bytes = Vec::new();
        let value = compress_value(initial, new);
        value.write_to(&mut bytes);
        assert_eq!(bytes.len() as u32, value.len());
        hex::encode(bytes)
    }

    /// Applies a compressed value as the Compressor contract does.
    fn decompress(initial: U256, bytes: &[u8]) -> U256 {
        let operand = U256::from_big_endian(&bytes[1..]);
        if bytes[0] == 0 {
            assert_eq!(bytes.len(), 33);
            return operand;
        }
        assert_eq!(bytes.len() - 1, usize::from(bytes[0] >> 3));
        match bytes[0] & 7 {
            1 => initial.overflowing_add(operand).0,
            2 => initial.overflowing_sub(operand).0,
            3 => operand,
            other => panic!("operation {other}"),
        }
    }

    #[test]
    fn known_changes_have_the_published_form() {
        let old = 580_481_589.into();
        assert_eq!(compressed(255_438_218.into(), 255_438_638.into()), "1101a4");
        assert_eq!(compressed(old, 229_496_100.into()), "2214eb9d11");
        assert_eq!(compressed(old, 1337.into()), "130539");
        assert_eq!(compressed(old, U256::zero()), "03");
        assert_eq!(compressed(U256::MAX, U256::one()), "0902");
    }

    #[test]
    fn ties_go_to_add_then_sub() {
        assert_eq!(compressed(U256::zero(), U256::one()), "0901");
        assert_eq!(compressed(4.into(), 3.into()), "0a01");
        assert_eq!(compressed(U256::one() << 255, U256::zero()), "03");
    }

    #[test]
    fn values_are_raw_when_every_operand_is_longer_than_30_bytes() {
        let thirty = (U256::one() << 240) - 1;
        assert_eq!(compressed_length(U256::zero(), thirty), 31);
        assert_eq!(compressed_length(U256::zero(), thirty + 1), 33);
        assert_eq!(
            compressed(U256::zero(), U256::one() << 255),
            format!("0080{}", "00".repeat(31))
        );
    }

    #[test]
    fn decompression_restores_the_new_value() {
        let values: Vec<U256> = (0..256)
            .step_by(5)
            .flat_map(|bit| [U256::one() << bit, U256::MAX >> bit])
            .collect();
        for initial in &values {
            for new in &values {
                let bytes = hex::decode(compressed(*initial, *new)).unwrap();
                assert_eq!(decompress(*initial, &bytes), *new, "{initial:x} to {new:x}");
            }
        }
    }
}

//! State diffs: what a write costs, the records given to `L1Messenger`, and the compressed section that is published.

use blake2::{Blake2s256, Digest};
use primitive_types::{H160, H256, U256};

use super::compression::{compress_value, compressed_length};

/// Length of [`StateDiff::record`] in bytes.
pub const RECORD_BYTES: usize = 156;
/// Length of [`StateDiff::padded_record`] in bytes: two blocks of Keccak.
pub const PADDED_RECORD_BYTES: usize = 272;

const COMPRESSION_VERSION: u8 = 1;
const DERIVED_KEY_BYTES: u32 = 32;
const ENUMERATION_INDEX_BYTES: u8 = 4;

/// Why state diffs cannot be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateDiffError {
    /// The published index has four bytes.
    #[error("enumeration index {index} of slot {key:#x} of {address:#x} does not fit 4 bytes")]
    EnumerationIndexTooLarge {
        /// The contract.
        address: H160,
        /// The slot.
        key: U256,
        /// Its index.
        index: u64,
    },
    /// The published number of initial writes has two bytes.
    #[error("{0} initial writes are more than 65535")]
    TooManyInitialWrites(usize),
    /// The published length has three bytes.
    #[error("{0} bytes of compressed state diffs are more than 16777215")]
    TooLong(usize),
}

/// A storage slot whose value at the end of the batch differs from that at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateDiff {
    /// The contract.
    pub address: H160,
    /// The slot.
    pub key: U256,
    /// The slot's key in the state tree, see [`derived_key`].
    pub derived_key: H256,
    /// The slot's index in the state tree at the start of the batch; 0 if it had none, so the write is initial.
    pub enumeration_index: u64,
    /// Value at the start of the batch.
    pub initial_value: U256,
    /// Value at the end of the batch.
    pub final_value: U256,
}

impl StateDiff {
    /// Returns the diff of a slot, with the derived key that belongs to it.
    pub fn new(
        address: H160,
        key: U256,
        enumeration_index: u64,
        initial_value: U256,
        final_value: U256,
    ) -> Self {
        let derived_key = derived_key(address, key);
        Self {
            address,
            key,
            derived_key,
            enumeration_index,
            initial_value,
            final_value,
        }
    }

    /// Tells whether the slot had no enumeration index at the start of the batch.
    pub fn is_initial_write(&self) -> bool {
        self.enumeration_index == 0
    }

    /// Returns the uncompressed record: the fields in the order of their declaration, big-endian.
    pub fn record(&self) -> [u8; RECORD_BYTES] {
        let mut record = [0; RECORD_BYTES];
        record[..20].copy_from_slice(self.address.as_bytes());
        self.key.to_big_endian(&mut record[20..52]);
        record[52..84].copy_from_slice(self.derived_key.as_bytes());
        record[84..92].copy_from_slice(&self.enumeration_index.to_be_bytes());
        self.initial_value.to_big_endian(&mut record[92..124]);
        self.final_value.to_big_endian(&mut record[124..]);
        record
    }

    /// Returns the record with the zeros after it that `L1Messenger` expects.
    pub fn padded_record(&self) -> [u8; PADDED_RECORD_BYTES] {
        let mut padded = [0; PADDED_RECORD_BYTES];
        padded[..RECORD_BYTES].copy_from_slice(&self.record());
        padded
    }
}

/// Returns the key of a slot in the state tree and in snapshots: BLAKE2s-256 of the address, left-padded to 32 bytes,
/// and the key.
pub fn derived_key(address: H160, key: U256) -> H256 {
    let mut preimage = [0; 64];
    preimage[12..32].copy_from_slice(address.as_bytes());
    key.to_big_endian(&mut preimage[32..]);
    H256(Blake2s256::digest(preimage).into())
}

/// Returns the bytes of pubdata that a slot costs when it changes from `initial` to `new`: 0 when they are equal, else
/// the key or index and the compressed value, at most 65 bytes.
///
/// `is_initial` says that the slot has no enumeration index. Source: `matter-labs/zksync-era`,
/// `core/lib/multivm/src/versions/vm_fast/world.rs`.
pub fn pubdata_cost_of_write(is_initial: bool, initial: U256, new: U256) -> u32 {
    if initial == new {
        return 0;
    }
    let key_bytes = if is_initial {
        DERIVED_KEY_BYTES
    } else {
        u32::from(ENUMERATION_INDEX_BYTES)
    };
    key_bytes + compressed_length(initial, new)
}

/// Returns the section of state diffs in the published data.
///
/// Header: version (1 byte), length of the rest (3), bytes per enumeration index (1). Rest: number of initial writes
/// (2), initial writes (derived key, value), repeated writes (enumeration index, value).
///
/// `diffs` are in order of address and key, which both kinds of write keep.
///
/// # Errors
///
/// When an enumeration index, the number of initial writes or the length does not fit its field.
pub fn compressed_section(diffs: &[StateDiff]) -> Result<Vec<u8>, StateDiffError> {
    debug_assert!(
        diffs.is_sorted_by_key(|diff| (diff.address, diff.key)),
        "state diffs out of order"
    );
    let (initial, repeated): (Vec<&StateDiff>, Vec<&StateDiff>) =
        diffs.iter().partition(|diff| diff.is_initial_write());
    let initial_count =
        u16::try_from(initial.len()).map_err(|_| StateDiffError::TooManyInitialWrites(initial.len()))?;

    let mut body = initial_count.to_be_bytes().to_vec();
    for diff in initial {
        body.extend_from_slice(diff.derived_key.as_bytes());
        compress_value(diff.initial_value, diff.final_value).write_to(&mut body);
    }
    for diff in repeated {
        body.extend(published_index(diff)?.to_be_bytes());
        compress_value(diff.initial_value, diff.final_value).write_to(&mut body);
    }

    let [0, 0, 0, 0, 0, length @ ..] = (body.len() as u64).to_be_bytes() else {
        return Err(StateDiffError::TooLong(body.len()));
    };
    let mut section = vec![COMPRESSION_VERSION];
    section.extend(length);
    section.push(ENUMERATION_INDEX_BYTES);
    section.extend(body);
    Ok(section)
}

fn published_index(diff: &StateDiff) -> Result<u32, StateDiffError> {
    u32::try_from(diff.enumeration_index).map_err(|_| StateDiffError::EnumerationIndexTooLarge {
        address: diff.address,
        key: diff.key,
        index: diff.enumeration_index,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(key: u64, enumeration_index: u64, initial: u64, new: u64) -> StateDiff {
        StateDiff::new(
            H160::repeat_byte(1),
            key.into(),
            enumeration_index,
            initial.into(),
            new.into(),
        )
    }

    #[test]
    fn derived_key_of_the_bootloader_balance_is_the_known_one() {
        let slot = hex::decode("31b66141c575a054316a84da9cf4aa6fe0abd373cab1bf4ac029ffc061aae0da").unwrap();
        let key = derived_key(H160::from_low_u64_be(0x800a), U256::from_big_endian(&slot));
        let expected = "1541e8c9b6b3693ab4e647bd2f6f226033d1818cc54c373aaf016cd9d94e16dd";
        assert_eq!(hex::encode(key), expected);
    }

    #[test]
    fn cost_is_key_and_compressed_value_and_nothing_without_change() {
        let (zero, one) = (U256::zero(), U256::one());
        assert_eq!(pubdata_cost_of_write(true, zero, one), 34);
        assert_eq!(pubdata_cost_of_write(true, zero, one << 255), 65);
        assert_eq!(pubdata_cost_of_write(false, 5.into(), 6.into()), 6);
        assert_eq!(pubdata_cost_of_write(false, zero, one << 255), 37);
        assert_eq!(pubdata_cost_of_write(true, 5.into(), 5.into()), 0);
    }

    #[test]
    fn record_holds_the_fields_at_the_offsets_that_the_compressor_reads() {
        let diff = diff(3, 9, 4, 5);
        let record = diff.padded_record();
        assert_eq!(record[..20], [1; 20]);
        assert_eq!(U256::from_big_endian(&record[20..52]), 3.into());
        assert_eq!(record[52..84], diff.derived_key.0);
        assert_eq!(record[84..92], 9_u64.to_be_bytes());
        assert_eq!(U256::from_big_endian(&record[92..124]), 4.into());
        assert_eq!(U256::from_big_endian(&record[124..156]), 5.into());
        assert_eq!(record[156..], [0; 116]);
    }

    #[test]
    fn initial_writes_precede_repeated_ones() {
        let diffs = [
            diff(1, 7, 1, 2),
            diff(2, 0, 0, 3),
            diff(3, 8, 9, 0),
            diff(4, 0, 0, 5),
        ];
        let expected = [
            &[1, 0, 0, 2 + 34 + 6 + 34 + 5, 4, 0, 2][..],
            &diffs[1].derived_key.0,
            &[0x09, 3],
            &diffs[3].derived_key.0,
            &[0x09, 5],
            &[0, 0, 0, 7, 0x09, 1],
            &[0, 0, 0, 8, 0x03],
        ]
        .concat();
        assert_eq!(compressed_section(&diffs).unwrap(), expected);
    }

    #[test]
    fn no_diffs_make_an_empty_section() {
        assert_eq!(compressed_section(&[]).unwrap(), [1, 0, 0, 2, 4, 0, 0]);
    }

    #[test]
    fn fields_that_overflow_are_errors() {
        assert!(compressed_section(&[diff(1, u64::from(u32::MAX), 0, 1)]).is_ok());
        let error = compressed_section(&[diff(1, 1 << 32, 0, 1)]).unwrap_err();
        assert!(error.to_string().contains("4294967296"), "{error}");

        let initial = vec![diff(1, 0, 0, 1); 65_536];
        assert_eq!(
            compressed_section(&initial),
            Err(StateDiffError::TooManyInitialWrites(65_536))
        );
        let repeated = vec![diff(1, 1, 0, 1); (1 << 24) / 6 + 1];
        assert!(matches!(
            compressed_section(&repeated),
            Err(StateDiffError::TooLong(_))
        ));
    }
}

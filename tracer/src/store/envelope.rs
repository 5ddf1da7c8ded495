//! The envelope of each value: what it is, how it is packed, and a checksum over it and its key.
//!
//! `kind | format | codec | raw length (varint) | payload | xxh3-64 over key and all before (8 bytes, little-endian)`

use std::cell::RefCell;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};
use zstd::bulk::{Compressor, Decompressor};

use crate::store::codec::{Decoder, Encoder, Malformed};

/// Largest content that an envelope may announce: nothing larger is ever written.
const MAX_RAW_BYTES: usize = 1 << 30;
/// Level of zstd: higher ones save little.
const LEVEL: i32 = 1;
const LAYOUT: u8 = 1;
const CHECKSUM_BYTES: usize = 8;

/// What a value is. The number is part of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// What the recording is about.
    Manifest = 1,
    /// How far it was written.
    Seal = 2,
    /// That it was finished.
    End = 3,
    /// Code of a contract.
    Code = 4,
    /// Answers of a chunk.
    Log = 5,
    /// State at the start of a chunk.
    Keyframe = 6,
    /// Rows about `VMState` and far calls.
    Ledger = 7,
    /// A transaction's or the batch's report.
    Report = 8,
    /// Source text of code.
    Source = 9,
    /// Where a chain stands after a batch: makes the batch part of the state.
    Head = 10,
    /// A piece of what a batch changed.
    Piece = 11,
    /// What a packed recording holds, and where.
    Directory = 12,
    /// Summaries of a group of chunks.
    Index = 13,
    /// Rows that overviews are made of.
    Overview = 14,
}

/// Why a value cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Bytes were changed, cut or exchanged.
    #[error("the checksum does not fit, bytes were changed")]
    Checksum,
    /// The value is of another kind, packed in an unknown way, or malformed.
    #[error("the value is malformed")]
    Malformed,
}

impl From<Malformed> for EnvelopeError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

thread_local! {
    // Making one of these takes longer than using it on a value of usual size.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(LEVEL).ok());
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = RefCell::new(Decompressor::new().ok());
}

/// Packs a value for a key.
pub fn pack(kind: Kind, key: &[u8], raw: &[u8]) -> Vec<u8> {
    // A failed compression falls back to the raw bytes.
    let compressed = COMPRESSOR
        .with_borrow_mut(|compressor| compressor.as_mut()?.compress(raw).ok())
        .filter(|compressed| compressed.len() < raw.len());
    let mut envelope = Encoder::default();
    envelope.u8(kind as u8);
    envelope.u8(LAYOUT);
    envelope.u8(u8::from(compressed.is_some()));
    envelope.number(raw.len() as u64);
    let mut bytes = envelope.into_bytes();
    bytes.extend_from_slice(compressed.as_deref().unwrap_or(raw));
    let checksum = checksum(key, &bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

/// Unpacks the value of a key.
///
/// # Errors
/// When bytes were changed, or the value is not of this kind.
pub fn unpack(kind: Kind, key: &[u8], envelope: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let Some((content, stored)) = envelope.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err(EnvelopeError::Malformed);
    };
    if checksum(key, content) != u64::from_le_bytes(*stored) {
        return Err(EnvelopeError::Checksum);
    }
    let mut header = Decoder::new(content);
    if header.u8()? != kind as u8 || header.u8()? != LAYOUT {
        return Err(EnvelopeError::Malformed);
    }
    let codec = header.u8()?;
    let length: usize = header.number()?;
    let payload = header.rest();
    match codec {
        0 if payload.len() == length => Ok(payload.to_vec()),
        1 if length <= MAX_RAW_BYTES => {
            let raw = DECOMPRESSOR
                .with_borrow_mut(|decompressor| decompressor.as_mut()?.decompress(payload, length).ok());
            raw.filter(|raw| raw.len() == length)
                .ok_or(EnvelopeError::Malformed)
        }
        _ => Err(EnvelopeError::Malformed),
    }
}

/// Unpacks the value of a key, with the checksum by which others name it.
///
/// # Errors
/// As [`unpack`].
pub fn open(kind: Kind, key: &[u8], envelope: &[u8]) -> Result<(Vec<u8>, u64), EnvelopeError> {
    unpack(kind, key, envelope).map(|raw| (raw, stored_checksum(envelope)))
}

/// The checksum that ends an envelope, by which the next chunk names it.
pub fn stored_checksum(envelope: &[u8]) -> u64 {
    envelope
        .last_chunk::<CHECKSUM_BYTES>()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn checksum(key: &[u8], content: &[u8]) -> u64 {
    if key.is_empty() {
        return xxh3_64(content);
    }
    let mut hasher = Xxh3::new();
    hasher.update(key);
    hasher.update(content);
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_values_come_back() {
        for raw in [&b""[..], b"x", &[7; 10_000]] {
            let packed = pack(Kind::Log, b"key", raw);
            assert_eq!(unpack(Kind::Log, b"key", &packed).as_deref(), Ok(raw));
        }
    }

    #[test]
    fn a_changed_byte_a_cut_or_another_key_never_goes_unnoticed() {
        let packed = pack(Kind::Log, b"key", &[7; 1000]);
        for at in 0..packed.len() {
            let mut changed = packed.clone();
            changed[at] ^= 1;
            assert!(unpack(Kind::Log, b"key", &changed).is_err(), "byte {at}");
            assert!(unpack(Kind::Log, b"key", &packed[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(unpack(Kind::Log, b"kez", &packed), Err(EnvelopeError::Checksum));
        assert_eq!(unpack(Kind::Seal, b"key", &packed), Err(EnvelopeError::Malformed));
    }
}

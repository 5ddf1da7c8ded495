//! Keys. Integers are big-endian, so that byte order is time order.
//!
//! | Tree | Key | Value |
//! |---|---|---|
//! | `meta` | `manifest`, `seal`, `end` | what it is about, how far it is sealed, how it ended |
//! | `code` | hash, 32 bytes | words of the code |
//! | `log`, `keyframe` | chunk, 4 bytes | answers of a chunk, state at its start |
//! | `ledger`, `overview` | chunk, 4 bytes | its rows: about `VMState` and far calls; those that overviews are made of |
//! | `index` | group of 64 chunks, 4 bytes | what each of them did, in short |
//! | `report` | group of 16 transactions, 4 bytes; all ones: the batch | their results as JSON |
//! | `source` | hash of the code, 32 bytes | its source text, with the line of each instruction |
//!
//! The state of a chain has other trees:
//!
//! | Tree | Key | Value |
//! |---|---|---|
//! | `meta` | `state` | its format |
//! | `batch` | commit, 4 bytes | where the chain stands after it, number and checksum of its pieces |
//! | `batch` | commit, 4 bytes; piece, 4 bytes | a part of what the batch changed |

use eradbg_vm::U256;

/// Transactions whose reports are one value: they are alike, and pack well together.
const GROUP_REPORTS: usize = 16;

/// Of the manifest.
pub const MANIFEST: &[u8] = b"manifest";
/// Of the seal.
pub const SEAL: &[u8] = b"seal";
/// Of the end.
pub const END: &[u8] = b"end";

/// Of what a state says about itself.
pub const STATE: &[u8] = b"state";

/// Of a chunk's log, keyframe and rows.
pub fn chunk(index: u32) -> [u8; 4] {
    index.to_be_bytes()
}

/// Of the summaries of a group of chunks.
pub fn group(index: u32) -> [u8; 4] {
    index.to_be_bytes()
}

/// Of the batch's report: after those of all transactions.
pub const BATCH_REPORT: [u8; 4] = [0xff; 4];

/// Of the reports of the group that a transaction belongs to.
pub fn reports(transaction: usize) -> [u8; 4] {
    ((transaction / GROUP_REPORTS) as u32).to_be_bytes()
}

/// Of code, and of its source.
pub fn code(hash: U256) -> [u8; 32] {
    let mut key = [0; 32];
    hash.to_big_endian(&mut key);
    key
}

/// Of a commit's head.
pub fn commit(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

/// Of a piece of what a commit changed.
pub fn piece(number: u32, piece: u32) -> [u8; 8] {
    (u64::from(number) << 32 | u64::from(piece)).to_be_bytes()
}

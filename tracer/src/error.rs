//! What can be wrong with a recording, or with the state of a chain.

use std::path::PathBuf;

use eradbg_vm::protocol::UnknownRevision;

/// An error about a recording or a state: which one, where in it, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no recording at the path.
    #[error("{path}: {why}")]
    NotARecording {
        /// The path.
        path: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// There is no state of a chain at the path.
    #[error("{path}: {why}")]
    NotAState {
        /// The path.
        path: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// A batch did not start from the state that it is to be committed to.
    #[error("{path}: the batch does not continue this state: {field} is {found}, expected {expected}")]
    DoesNotContinue {
        /// The path.
        path: PathBuf,
        /// What differs.
        field: String,
        /// What the batch has.
        found: String,
        /// What it should have.
        expected: String,
    },
    /// There is no transaction of this number.
    #[error("{path}: there is no transaction {index}: the recording has {count}, counted from 0")]
    NoTransaction {
        /// The recording.
        path: PathBuf,
        /// The number.
        index: u32,
        /// How many there are.
        count: usize,
    },
    /// Nothing was executed after the last transaction.
    #[error("{path}: nothing was executed after its last transaction: the batch was not closed")]
    NoBatchEnd {
        /// The recording.
        path: PathBuf,
    },
    /// What only a transaction has was asked of the end of the batch.
    #[error("{path}: {topic} is about a transaction: give its number, counted from 0")]
    OnlyOfTransactions {
        /// The recording.
        path: PathBuf,
        /// What was asked.
        topic: &'static str,
    },
    /// The recording is packed already.
    #[error("{path}: it is packed already; copy the file, or unpack it")]
    Packed {
        /// The path.
        path: PathBuf,
    },
    /// Something is at the path where a recording is to be made.
    #[error("{path}: already exists; choose another place, or remove it")]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// The file system refuses.
    #[error("{path}: {error}")]
    Io {
        /// The path.
        path: PathBuf,
        /// What it says.
        error: std::io::Error,
    },
    /// Another process holds the recording or state.
    #[error("{path}: another process has this open (a second eradbg?); close it and try again")]
    Locked {
        /// The path.
        path: PathBuf,
    },
    /// The recording or state was made by a newer eradbg.
    #[error("{path}: it has format {found}, this eradbg reads up to {known}; use a newer eradbg")]
    NewerFormat {
        /// The path.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Newest format that is known.
        known: u32,
    },
    /// The recording was made by a machine with other semantics.
    #[error(
        "{path}: recorded by machine revision {found}, this eradbg has {known} and cannot step it; \
         record the input again (its SHA-256 is {sha256})"
    )]
    OtherMachine {
        /// The path.
        path: PathBuf,
        /// Revision of the recording.
        found: u32,
        /// Own revision.
        known: u32,
        /// The input's hash.
        sha256: String,
    },
    /// The recording was made with the semantics of a release that is not known.
    #[error("{path}: it was recorded with a newer eradbg: {revision}")]
    OtherRevision {
        /// The path.
        path: PathBuf,
        /// What the recording names.
        revision: UnknownRevision,
    },
    /// A part of the recording is missing or its checksum does not fit.
    #[error("{path}: {place}: {why}")]
    Damaged {
        /// The path.
        path: PathBuf,
        /// Tree, key and steps.
        place: String,
        /// What is wrong.
        why: String,
    },
}

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

//! What can be wrong with a recording.

use std::path::PathBuf;

/// An error about a recording: which one, where in it, and what to do.
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
    /// Something is at the path where a recording is to be made.
    #[error("{path}: already exists; choose another folder with -o, or remove it")]
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
    /// Another process holds the recording.
    #[error("{path}: another process has this recording open (a second eradbg?); close it and try again")]
    Locked {
        /// The path.
        path: PathBuf,
    },
    /// The recording was made by a newer eradbg.
    #[error("{path}: the recording has format {found}, this eradbg reads up to {known}; use a newer eradbg")]
    NewerFormat {
        /// The path.
        path: PathBuf,
        /// Format of the recording.
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

//! What can be wrong with an input file.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A file that cannot be used as input. The message names the file, the place in it and what was expected there.
#[derive(Debug, Error)]
pub enum InputError {
    /// Nothing is at the path.
    #[error("{file}: no such file")]
    Missing {
        /// The path as given.
        file: PathBuf,
    },
    /// The path is a folder.
    #[error("{file}: is a directory, expected {expected}")]
    Directory {
        /// The path as given.
        file: PathBuf,
        /// What kind of file is needed.
        expected: &'static str,
    },
    /// The operating system does not let it be read.
    #[error("{file}: cannot be read: {cause}")]
    Unreadable {
        /// The path as given.
        file: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// The file has no content.
    #[error("{file}: is empty, expected {expected}")]
    Empty {
        /// The path as given.
        file: PathBuf,
        /// What kind of file is needed.
        expected: &'static str,
    },
    /// The file is too large, be it only after unpacking.
    #[error("{file}: has more than {limit_bytes} bytes when unpacked, which is the limit")]
    TooLarge {
        /// The path as given.
        file: PathBuf,
        /// The limit.
        limit_bytes: u64,
    },
    /// The gzip stream ends before its end mark.
    #[error("{file}: the gzip stream ends too early, the file is truncated")]
    GzipTruncated {
        /// The path as given.
        file: PathBuf,
    },
    /// The gzip stream is inconsistent.
    #[error("{file}: the gzip stream is damaged: {cause}")]
    GzipDamaged {
        /// The path as given.
        file: PathBuf,
        /// What the decoder says.
        cause: io::Error,
    },
    /// The file does not hold a JSON object.
    #[error("{file}: expected {expected}, found content that starts with \"{start}\"")]
    NotAnObject {
        /// The path as given.
        file: PathBuf,
        /// What kind of file is needed.
        expected: &'static str,
        /// The first bytes, escaped.
        start: String,
    },
    /// The RON is not well-formed, or not of the expected shape.
    #[error("{file}:{line}:{column}: {at}{separator}{problem}", separator = if at.is_empty() { "" } else { ": " })]
    Ron {
        /// The path as given.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// Path of the value, like `blocks[0].steps[2].Call.value`; empty for the whole.
        at: String,
        /// What is wrong.
        problem: String,
    },
    /// The file is to continue a chain, but has a state of its own.
    #[error("{file}: a VM dump brings its own state, expected a scenario (.ron) to continue a chain")]
    OwnState {
        /// The path as given.
        file: PathBuf,
    },
    /// There is no embedded scenario of this name.
    #[error("there is no scenario \"{name}\"; there are {names}")]
    UnknownScenario {
        /// The name as given.
        name: String,
        /// The names that there are.
        names: String,
    },
    /// The text is no EraVM assembly.
    #[error("{file}:{line}: {problem}")]
    Assembly {
        /// The path as given.
        file: PathBuf,
        /// Line, from 1.
        line: u32,
        /// What is wrong with it.
        problem: String,
    },
    /// The JSON is not well-formed, or not of the expected shape.
    #[error("{file}:{line}:{column}: {at}{separator}{problem}", separator = if at.is_empty() { "" } else { ": " })]
    Json {
        /// The path as given.
        file: PathBuf,
        /// Line, from 1, in the unpacked file.
        line: usize,
        /// Column in bytes, from 1, in the unpacked file.
        column: usize,
        /// Path of the value, like `l2_blocks[0].txs[2].execute.value`; empty for the whole.
        at: String,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// A value has the right shape but contradicts another one.
    #[error("{file}: {at}: {problem}")]
    Inconsistent {
        /// The path as given.
        file: PathBuf,
        /// Path of the value.
        at: String,
        /// What is wrong, and what was expected.
        problem: String,
    },
}

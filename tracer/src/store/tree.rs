//! The trees of a database, which depend on what it holds.

use std::path::Path;

use crate::error::Error;

/// What a database holds, which decides the trees that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A recording.
    Recording,
    /// The state of a chain between batches.
    State,
}

/// A tree of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tree {
    /// Manifest, seal, end.
    Meta,
    /// Code by hash.
    Code,
    /// Answers by chunk.
    Log,
    /// States by chunk.
    Keyframe,
    /// Rows about `VMState` and far calls, by chunk.
    Ledger,
    /// Rows that overviews are made of, by chunk.
    Overview,
    /// Reports by groups of transactions; the batch's comes last.
    Report,
    /// Source text by hash of the code. Recordings made before it was there have none.
    Source,
    /// What chunks did, by groups of chunks. Recordings made before it was there have none.
    Index,
    /// Committed batches of a state, by number.
    Batch,
}

impl Content {
    /// Its trees.
    pub const fn trees(self) -> &'static [Tree] {
        match self {
            Self::Recording => &[
                Tree::Meta,
                Tree::Code,
                Tree::Log,
                Tree::Keyframe,
                Tree::Ledger,
                Tree::Overview,
                Tree::Report,
                Tree::Source,
                Tree::Index,
            ],
            Self::State => &[Tree::Meta, Tree::Batch],
        }
    }

    /// The error about a directory that does not hold it.
    pub(super) fn missing(self, path: &Path, why: &str) -> Error {
        let path = path.to_owned();
        match self {
            Self::Recording => Error::NotARecording {
                path,
                why: format!("is no recording: {why}"),
            },
            Self::State => Error::NotAState {
                path,
                why: format!("is no state of a chain: {why}"),
            },
        }
    }
}

impl Tree {
    /// Its name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Code => "code",
            Self::Log => "log",
            Self::Keyframe => "keyframe",
            Self::Ledger => "ledger",
            Self::Overview => "overview",
            Self::Report => "report",
            Self::Source => "source",
            Self::Index => "index",
            Self::Batch => "batch",
        }
    }
}

//! What the parts of a recording take.

use crate::error::Result;
use crate::recording::Recording;
use crate::store::tree::Tree;

/// A part of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartSize {
    /// What it is.
    pub name: &'static str,
    /// Values in the database.
    pub values: u64,
    /// Bytes of them, packed; what the database adds is not in it.
    pub bytes: u64,
}

impl Recording {
    /// What its parts take, in the order in which a chunk is written. All of it is read.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn part_sizes(&self) -> Result<Vec<PartSize>> {
        let mut parts = Vec::new();
        for (name, tree) in [
            ("code", Tree::Code),
            ("keyframes", Tree::Keyframe),
            ("logs", Tree::Log),
            ("rows", Tree::Ledger),
            ("overview", Tree::Overview),
            ("index", Tree::Index),
            ("reports", Tree::Report),
            ("source text", Tree::Source),
        ] {
            let sizes = self.0.database.sizes(tree)?;
            parts.push(PartSize::of(name, sizes.iter().map(|(_, bytes)| *bytes)));
        }
        Ok(parts)
    }
}

impl PartSize {
    fn of(name: &'static str, sizes: impl Iterator<Item = u64>) -> Self {
        sizes.fold(
            Self {
                name,
                values: 0,
                bytes: 0,
            },
            |all, bytes| Self {
                values: all.values + 1,
                bytes: all.bytes + bytes,
                ..all
            },
        )
    }
}

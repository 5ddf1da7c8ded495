//! What the parts of a recording take.

use crate::error::Result;
use crate::ledger::LedgerKind;
use crate::recording::{Recording, ledger_name};
use crate::store::database::Tree;

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

const LEDGERS: [LedgerKind; 5] = [
    LedgerKind::State,
    LedgerKind::Call,
    LedgerKind::Failure,
    LedgerKind::Operator,
    LedgerKind::Code,
];

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
            ("reports", Tree::Report),
            ("source text", Tree::Source),
        ] {
            parts.push(PartSize::of(name, &self.0.database.sizes(tree)?));
        }
        let rows = self.0.database.sizes(Tree::Ledger)?;
        for kind in LEDGERS {
            let of_kind: Vec<_> = rows
                .iter()
                .filter(|(key, _)| key.first() == Some(&(kind as u8)))
                .cloned()
                .collect();
            parts.push(PartSize::of(ledger_name(kind), &of_kind));
        }
        Ok(parts)
    }
}

impl PartSize {
    fn of(name: &'static str, sizes: &[(Vec<u8>, u64)]) -> Self {
        Self {
            name,
            values: sizes.len() as u64,
            bytes: sizes.iter().map(|(_, bytes)| bytes).sum(),
        }
    }
}

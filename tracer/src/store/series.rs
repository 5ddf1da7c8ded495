//! Values under numbers that come in order, each written once.
//!
//! sled writes a value when it comes, and once more with the rest of its leaf whenever the leaf splits (at 17 keys) or has
//! had ten changes. Where keys come in order, a leaf is full of values when it splits, and each value is written three
//! times. So keys are put ahead of their values, with nothing under them: leaves split while they are empty, nine keys stay
//! in each, and nine values are nine changes.

use rustc_hash::FxHashMap;

use crate::error::Result;
use crate::store::database::Database;
use crate::store::envelope::Kind;
use crate::store::tree::Tree;

/// Keys ahead of the next value: more than a leaf holds, so that the leaf of the value has split.
const AHEAD: u32 = 20;

/// What was put ahead in trees whose keys are numbers.
#[derive(Debug, Default)]
pub struct Series {
    /// By tree, the first number that was not put ahead.
    ends: FxHashMap<Tree, u32>,
}

impl Series {
    /// Puts a value under the next number, or again under one of the last ones: its checksum.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(
        &mut self,
        database: &Database,
        tree: Tree,
        kind: Kind,
        key: [u8; 4],
        raw: &[u8],
    ) -> Result<u64> {
        let end = self.ends.entry(tree).or_default();
        while *end <= u32::from_be_bytes(key).saturating_add(AHEAD) {
            database.put_ahead(tree, &end.to_be_bytes())?;
            *end += 1;
        }
        database.put(tree, kind, &key, raw)
    }
}

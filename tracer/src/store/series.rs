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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::disk_bytes;
    use crate::store::tree::Content;

    #[test]
    fn values_are_written_once_and_keys_ahead_of_them_count_as_absent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recording");
        let database = Database::create(&path, Content::Recording).unwrap();
        let mut series = Series::default();
        // They do not compress.
        let value = |number: u32| -> Vec<u8> {
            let words = (0..512)
                .map(|word| xxhash_rust::xxh3::xxh3_64(&[number, word].map(u32::to_le_bytes).concat()));
            words.flat_map(u64::to_le_bytes).collect()
        };
        let count = 1_000u32;
        for number in 0..count {
            series
                .put(
                    &database,
                    Tree::Log,
                    Kind::Log,
                    number.to_be_bytes(),
                    &value(number),
                )
                .unwrap();
        }
        database.flush().unwrap();
        let keys: Vec<Vec<u8>> = (0..count).map(|number| number.to_be_bytes().to_vec()).collect();
        assert_eq!(database.keys(Tree::Log).unwrap(), keys);
        assert!(!database.contains(Tree::Log, &count.to_be_bytes()).unwrap());
        let last = (count - 1).to_be_bytes();
        let found = database.get(Tree::Log, Kind::Log, &last, String::new).unwrap();
        assert_eq!(found.unwrap().0, value(count - 1));
        let of_values: u64 = database
            .sizes(Tree::Log)
            .unwrap()
            .iter()
            .map(|(_, bytes)| bytes)
            .sum();
        let on_disk = disk_bytes(&path);
        assert!(on_disk < of_values * 5 / 4, "{on_disk} bytes for {of_values}");
    }
}

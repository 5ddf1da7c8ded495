//! Source texts of code that a recording keeps, each read when it is first asked for.

use std::sync::Arc;

use eradbg_vm::U256;

use super::{Recording, lock};
use crate::error::{Error, Result};
use crate::listing::Listing;
use crate::store::envelope::Kind;
use crate::store::key;
use crate::store::tree::Tree;

impl Recording {
    /// Source of the code with a hash; `None` when the recording has none.
    ///
    /// # Errors
    /// When it is damaged: nothing else depends on it.
    pub fn listing(&self, hash: U256) -> Result<Option<Arc<Listing>>> {
        if let Some(known) = lock(&self.0.read.listings).get(&hash) {
            return Ok(known.clone());
        }
        let place = || format!("source of code {hash:#066x}");
        let found = self
            .0
            .database
            .get(Tree::Source, Kind::Source, &key::code(hash), place)?;
        let listing = match found {
            Some((bytes, _)) => Some(
                Listing::decode(hash, &bytes).map_err(|error| self.damaged(place(), error.to_string()))?,
            ),
            None => None,
        };
        let listing = listing.map(Arc::new);
        lock(&self.0.read.listings).insert(hash, listing.clone());
        Ok(listing)
    }

    /// Reads every source text, and tells what is wrong with those that are damaged.
    pub fn broken_listings(&self) -> Vec<Error> {
        let keys = match self.0.database.keys(Tree::Source) {
            Ok(keys) => keys,
            Err(error) => return vec![error],
        };
        let broken = keys.into_iter().filter_map(|key| {
            let Ok(hash) = <[u8; 32]>::try_from(&key[..]) else {
                let place = format!("source {}", hex::encode(&key));
                return Some(self.damaged(place, "its key is no hash".to_owned()));
            };
            self.listing(U256::from_big_endian(&hash)).err()
        });
        broken.collect()
    }
}

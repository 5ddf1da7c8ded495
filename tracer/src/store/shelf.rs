//! Where a recording is read from: a database in a directory, or a packed file.

use std::path::Path;

use crate::error::{Error, Result};
use crate::store::database::Database;
use crate::store::envelope::{self, Kind};
use crate::store::pack::Pack;
use crate::store::tree::{Content, Tree};

/// A recording's values, open for reading.
#[derive(Debug)]
pub enum Shelf {
    /// A directory.
    Directory(Database),
    /// A file.
    File(Pack),
}

impl Shelf {
    /// Opens what is at a path.
    ///
    /// # Errors
    /// When there is no recording, another process holds it, or it is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_file() {
            Pack::open(path).map(Self::File)
        } else {
            Database::open(path, Content::Recording).map(Self::Directory)
        }
    }

    /// The directory or file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Directory(database) => database.path(),
            Self::File(pack) => pack.path(),
        }
    }

    /// The value of a key with its checksum, `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read or is damaged; `place` names it in the error.
    pub fn get(
        &self,
        tree: Tree,
        kind: Kind,
        key: &[u8],
        place: impl Fn() -> String,
    ) -> Result<Option<(Vec<u8>, u64)>> {
        match self {
            Self::Directory(database) => database.get(tree, kind, key, place),
            Self::File(pack) => {
                let opened = pack
                    .raw(tree, key)?
                    .map(|packed| envelope::open(kind, key, &packed));
                opened
                    .transpose()
                    .map_err(|error| self.damaged(place(), error.to_string()))
            }
        }
    }

    /// Keys of a tree, in order, with the bytes that each value takes packed.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn sizes(&self, tree: Tree) -> Result<Vec<(Vec<u8>, u64)>> {
        match self {
            Self::Directory(database) => database.sizes(tree),
            Self::File(pack) => Ok(pack.sizes(tree)),
        }
    }

    /// Keys of a tree, in order.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn keys(&self, tree: Tree) -> Result<Vec<Vec<u8>>> {
        match self {
            Self::Directory(database) => database.keys(tree),
            Self::File(pack) => Ok(pack.sizes(tree).into_iter().map(|(key, _)| key).collect()),
        }
    }

    /// Whether a tree has a key.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn contains(&self, tree: Tree, key: &[u8]) -> Result<bool> {
        match self {
            Self::Directory(database) => database.contains(tree, key),
            Self::File(pack) => Ok(pack.contains(tree, key)),
        }
    }

    /// An error about a place in it.
    pub fn damaged(&self, place: String, why: String) -> Error {
        Error::Damaged {
            path: self.path().to_owned(),
            place,
            why,
        }
    }
}

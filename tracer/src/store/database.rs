//! Trees and keys, over sled.
//!
//! All integers in keys are big-endian, so that range scans run in time order. sled panics on some damaged files; it is
//! opened on a thread of its own, and a panic becomes an error that names the directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::store::envelope::{self, Kind};

/// Bytes of cache that sled may use.
const CACHE_BYTES: u64 = 64 << 20;
/// Times that a locked database is tried again, and the pause between.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// Name of the thread that opens the database: panic hooks stay quiet on it.
pub const OPENING_THREAD: &str = "open-recording";

/// A tree of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tree {
    /// Manifest, seal, end.
    Meta,
    /// Code by hash.
    Code,
    /// Answers by chunk.
    Log,
    /// States by chunk.
    Keyframe,
    /// Ledger blocks by kind and block.
    Ledger,
    /// Reports by transaction; the batch's comes last.
    Report,
    /// Source text by hash of the code. Recordings made before it was there have none.
    Source,
}

impl Tree {
    const ALL: [Self; 7] = [
        Self::Meta,
        Self::Code,
        Self::Log,
        Self::Keyframe,
        Self::Ledger,
        Self::Report,
        Self::Source,
    ];

    /// Its name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Code => "code",
            Self::Log => "log",
            Self::Keyframe => "keyframe",
            Self::Ledger => "ledger",
            Self::Report => "report",
            Self::Source => "source",
        }
    }
}

/// An open database.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    db: sled::Db,
    trees: [sled::Tree; 7],
}

impl Database {
    /// Makes a database in a new directory.
    ///
    /// # Errors
    /// When the directory exists or cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(Error::Exists {
                path: path.to_owned(),
            });
        }
        std::fs::create_dir_all(path).map_err(|error| Error::Io {
            path: path.to_owned(),
            error,
        })?;
        Self::open_with_sled(path)
    }

    /// Opens the database in a directory.
    ///
    /// # Errors
    /// When there is none, another process holds it, or its files are damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let not_a_recording = |why: &str| Error::NotARecording {
            path: path.to_owned(),
            why: why.to_owned(),
        };
        let metadata = path.metadata().map_err(|error| Error::Io {
            path: path.to_owned(),
            error,
        })?;
        if !metadata.is_dir() {
            return Err(not_a_recording("is a file, but a recording is a directory"));
        }
        // sled would fill any directory with an empty database.
        if !path.join("db").is_file() || !path.join("conf").is_file() {
            return Err(not_a_recording(
                "is no recording: the directory has no database in it",
            ));
        }
        Self::open_with_sled(path)
    }

    /// Threads of a database that this process has just closed may hold its lock for a moment longer.
    fn open_with_sled(path: &Path) -> Result<Self> {
        for _ in 0..LOCK_TRIES {
            match Self::try_open_with_sled(path) {
                Err(Error::Locked { .. }) => std::thread::sleep(LOCK_PAUSE),
                result => return result,
            }
        }
        Self::try_open_with_sled(path)
    }

    fn try_open_with_sled(path: &Path) -> Result<Self> {
        let owned = path.to_owned();
        let opening = std::thread::Builder::new()
            .name(OPENING_THREAD.to_owned())
            .spawn(move || {
                let db = sled::Config::new()
                    .path(&owned)
                    .cache_capacity(CACHE_BYTES)
                    .flush_every_ms(None)
                    .mode(sled::Mode::HighThroughput)
                    .open()?;
                let trees = Tree::ALL.map(|tree| db.open_tree(tree.name()));
                let mut opened = Vec::new();
                for tree in trees {
                    opened.push(tree?);
                }
                Ok::<_, sled::Error>((db, opened))
            });
        let opened = opening
            .map_err(|error| Error::Io {
                path: path.to_owned(),
                error,
            })?
            .join();
        let damaged = |why: String| Error::Damaged {
            path: path.to_owned(),
            place: "database files".to_owned(),
            why,
        };
        let Ok(opened) = opened else {
            return Err(damaged(
                "they are damaged so badly that the database cannot be opened".to_owned(),
            ));
        };
        let (db, trees) = opened.map_err(|error| sled_error(path, "database files", error))?;
        let trees = trees
            .try_into()
            .map_err(|_| damaged("trees are missing".to_owned()))?;
        Ok(Self {
            path: path.to_owned(),
            db,
            trees,
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a value under a key.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, tree: Tree, kind: Kind, key: &[u8], raw: &[u8]) -> Result<u64> {
        let packed = envelope::pack(kind, key, raw);
        let checksum = envelope::stored_checksum(&packed);
        self.tree(tree)
            .insert(key, packed)
            .map_err(|error| sled_error(&self.path, tree.name(), error))?;
        Ok(checksum)
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
        let found = self
            .tree(tree)
            .get(key)
            .map_err(|error| sled_error(&self.path, tree.name(), error))?;
        let Some(packed) = found else { return Ok(None) };
        let checksum = envelope::stored_checksum(&packed);
        let raw =
            envelope::unpack(kind, key, &packed).map_err(|error| self.damaged(place(), error.to_string()))?;
        Ok(Some((raw, checksum)))
    }

    /// Keys of a tree, in order.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn keys(&self, tree: Tree) -> Result<Vec<Vec<u8>>> {
        let keys = self
            .tree(tree)
            .iter()
            .keys()
            .map(|key| key.map(|key| key.to_vec()));
        keys.collect::<Result<_, sled::Error>>()
            .map_err(|error| sled_error(&self.path, tree.name(), error))
    }

    /// Whether a tree has a key.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn contains(&self, tree: Tree, key: &[u8]) -> Result<bool> {
        self.tree(tree)
            .contains_key(key)
            .map_err(|error| sled_error(&self.path, tree.name(), error))
    }

    /// Makes everything put so far survive the end of the process.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&self) -> Result<()> {
        self.db
            .flush()
            .map(drop)
            .map_err(|error| sled_error(&self.path, "database files", error))
    }

    /// Makes everything flushed so far survive a loss of power.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn sync(&self) -> Result<()> {
        let file = self.path.join("db");
        let sync = || std::fs::File::open(&file)?.sync_all();
        sync().map_err(|error| Error::Io {
            path: file.clone(),
            error,
        })
    }

    /// An error about a place in this database.
    pub fn damaged(&self, place: String, why: String) -> Error {
        Error::Damaged {
            path: self.path.clone(),
            place,
            why,
        }
    }

    fn tree(&self, tree: Tree) -> &sled::Tree {
        &self.trees[tree as usize]
    }
}

/// Bytes that a directory takes on disk, itself and all below.
pub fn disk_bytes(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        Ok(metadata) => allocated_bytes(&metadata),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(unix)]
fn allocated_bytes(metadata: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn allocated_bytes(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}

fn sled_error(path: &Path, place: &str, error: sled::Error) -> Error {
    let path = path.to_owned();
    match error {
        sled::Error::Io(error) if error.kind() == std::io::ErrorKind::WouldBlock => Error::Locked { path },
        sled::Error::Io(error) if error.to_string().contains("could not acquire lock") => {
            Error::Locked { path }
        }
        sled::Error::Io(error) => Error::Io { path, error },
        sled::Error::Corruption { .. } => Error::Damaged {
            path,
            place: place.to_owned(),
            why: "the database files are damaged".to_owned(),
        },
        other => Error::Damaged {
            path,
            place: place.to_owned(),
            why: other.to_string(),
        },
    }
}

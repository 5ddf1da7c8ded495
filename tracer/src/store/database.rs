//! Trees and keys, over sled.
//!
//! All integers in keys are big-endian, so that range scans run in time order. sled panics on some damaged files; it is
//! opened on a thread of its own, and a panic becomes an error that names the directory ([`guarded`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::store::envelope::{self, Kind};
use crate::store::files;
use crate::store::mend;
use crate::store::settings::sled_config;
use crate::store::tree::{Content, Tree};

/// Times that a locked database is tried again, and the pause between.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// Bytes of a log that takes no more than some 10 ms to read.
const SHORT_LOG: u64 = 16 << 20;
/// Name of the thread that opens the database: panic hooks stay quiet on it.
pub const OPENING_THREAD: &str = "open-recording";
/// Name of the tree that sled makes in each database.
const SLED_TREE: &[u8] = b"__sled__default";
/// What is under a key whose value has not come. No envelope is empty.
const NO_VALUE: &[u8] = &[];
/// Why a database of sled's may be no use.
const FOREIGN: &str = "its database is of another program";
/// What sled makes in a directory before its database is whole.
const SLED_FILES: [&str; 3] = [files::BLOBS, files::SETTINGS, files::LOG];

/// An open database. Clones share it.
#[derive(Debug, Clone)]
pub struct Database {
    path: PathBuf,
    content: Content,
    /// There until it is dropped.
    handles: Option<Handles>,
    /// Whether something could not be written.
    has_failed: Arc<AtomicBool>,
}

/// sled's own handles.
#[derive(Debug, Clone)]
struct Handles {
    db: sled::Db,
    /// In the order of the content's trees.
    trees: Vec<sled::Tree>,
}

impl Drop for Database {
    fn drop(&mut self) {
        // sled flushes when its last handle goes, and waits for ever for a write that has failed.
        if self.has_failed.load(Ordering::Relaxed) {
            std::mem::forget(self.handles.take());
        }
    }
}

impl Database {
    /// Makes a database in a new directory.
    ///
    /// # Errors
    /// When the directory exists or cannot be made.
    pub fn create(path: &Path, content: Content) -> Result<Self> {
        Self::claim(path)?;
        Self::open_with_sled(path, content)
    }

    /// Makes the directory of a new database, which [`Self::open_or_create`] makes in it.
    ///
    /// # Errors
    /// When the directory exists or cannot be made.
    pub fn claim(path: &Path) -> Result<()> {
        if path.symlink_metadata().is_ok() {
            return Err(Error::Exists {
                path: path.to_owned(),
            });
        }
        make_directory(path)
    }

    /// Opens the database in a directory.
    ///
    /// # Errors
    /// When there is none or one that holds something else, another process holds it, or its files are damaged.
    pub fn open(path: &Path, content: Content) -> Result<Self> {
        let metadata = path.metadata().map_err(|error| Error::Io {
            path: path.to_owned(),
            error,
        })?;
        if !metadata.is_dir() {
            return Err(content.missing(path, "it is a file, not a directory"));
        }
        if !files::is_database(path) {
            return Err(content.missing(path, "the directory has no database in it"));
        }
        Self::open_with_sled(path, content)
    }

    /// Opens the database in a directory, or makes one when the directory is new or empty.
    ///
    /// # Errors
    /// As [`Self::open`], and when the directory holds other files or cannot be made.
    pub fn open_or_create(path: &Path, content: Content) -> Result<Self> {
        let io = |error| Error::Io {
            path: path.to_owned(),
            error,
        };
        match std::fs::read_dir(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => make_directory(path)?,
            // It is a file, or may not be read: opening says so.
            Err(_) => return Self::open(path, content),
            Ok(entries) => {
                for entry in entries {
                    let name = entry.map_err(io)?.file_name();
                    // A process that was killed while it made the database leaves less than a database.
                    if !SLED_FILES.iter().any(|file| name == *file) {
                        return Self::open(path, content);
                    }
                }
            }
        }
        Self::open_with_sled(path, content)
    }

    /// Threads of a database that this process has just closed may hold its lock for a moment longer.
    fn open_with_sled(path: &Path, content: Content) -> Result<Self> {
        for _ in 0..LOCK_TRIES {
            match guarded(path, || Self::try_open_with_sled(path, content)) {
                Err(Error::Locked { .. }) => std::thread::sleep(LOCK_PAUSE),
                result => return result,
            }
        }
        guarded(path, || Self::try_open_with_sled(path, content))
    }

    fn try_open_with_sled(path: &Path, content: Content) -> Result<Self> {
        let failed = |error| sled_error(path, "database files", error);
        mend::mend(path)?;
        let db = sled_config(path).open().map_err(|error| match error {
            sled::Error::Unsupported(_) => content.missing(path, FOREIGN),
            error => failed(error),
        })?;
        // Opening a tree makes it, so what belongs to someone else is refused before that.
        if let Some(why) = foreign(&db, content) {
            return Err(content.missing(path, why));
        }
        let trees = content.trees().iter().map(|tree| db.open_tree(tree.name()));
        let trees = trees.collect::<Result<_, _>>().map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            content,
            handles: Some(Handles { db, trees }),
            has_failed: Arc::default(),
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
        self.put_raw(tree, key, packed)?;
        Ok(checksum)
    }

    /// Puts a value that is packed already under a key.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put_raw(&self, tree: Tree, key: &[u8], packed: Vec<u8>) -> Result<()> {
        let written = self.tree(tree).insert(key, packed);
        written.map(drop).map_err(|error| self.failed(tree.name(), error))
    }

    /// Puts a key ahead of its value: until that comes, there is none.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put_ahead(&self, tree: Tree, key: &[u8]) -> Result<()> {
        self.put_raw(tree, key, NO_VALUE.to_vec())
    }

    /// Takes a key out, for tests of what is missing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remove(&self, tree: Tree, key: &[u8]) -> Result<()> {
        let removed = self.tree(tree).remove(key);
        removed
            .map(drop)
            .map_err(|error| sled_error(&self.path, tree.name(), error))
    }

    /// The value of a key, packed; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn raw(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.find(tree, key)
            .map(|packed| packed.map(|packed| packed.to_vec()))
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
        self.find(tree, key)?
            .map(|packed| envelope::open(kind, key, &packed))
            .transpose()
            .map_err(|error| self.damaged(place(), error.to_string()))
    }

    /// Keys of a tree, in order.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn keys(&self, tree: Tree) -> Result<Vec<Vec<u8>>> {
        Ok(self.sizes(tree)?.into_iter().map(|(key, _)| key).collect())
    }

    /// Keys of a tree, in order, with the bytes that each value takes packed.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn sizes(&self, tree: Tree) -> Result<Vec<(Vec<u8>, u64)>> {
        let mut sizes = Vec::new();
        for entry in self.tree(tree) {
            let (key, packed) = entry.map_err(|error| sled_error(&self.path, tree.name(), error))?;
            if packed != NO_VALUE {
                sizes.push((key.to_vec(), packed.len() as u64));
            }
        }
        Ok(sizes)
    }

    /// Whether a tree has a key.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn contains(&self, tree: Tree, key: &[u8]) -> Result<bool> {
        self.find(tree, key).map(|found| found.is_some())
    }

    fn find(&self, tree: Tree, key: &[u8]) -> Result<Option<sled::IVec>> {
        let found = self.tree(tree).get(key);
        found
            .map(|packed| packed.filter(|packed| packed != NO_VALUE))
            .map_err(|error| sled_error(&self.path, tree.name(), error))
    }

    /// Makes everything put so far survive the end of the process.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&self) -> Result<()> {
        let flushed = self.handles().db.flush();
        flushed
            .map(drop)
            .map_err(|error| self.failed("database files", error))
    }

    /// Makes everything flushed so far survive a loss of power.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn sync(&self) -> Result<()> {
        files::sync(&self.path).inspect_err(|_| self.has_failed.store(true, Ordering::Relaxed))
    }

    /// Closes it, and makes everything flushed survive a loss of power. sled reads its whole log unless there is a snapshot
    /// of the page table, which it writes when a database is opened: one with a long log is opened once more meanwhile, so
    /// that the next open is quick.
    ///
    /// # Errors
    /// When the file system refuses. That it cannot be opened again now is none: everything is written.
    pub fn close(self) -> Result<()> {
        let (path, content) = (self.path.clone(), self.content);
        drop(self);
        if files::log_bytes(&path) <= SHORT_LOG {
            return files::sync(&path);
        }
        std::thread::scope(|scope| {
            let again = scope.spawn(|| drop(Self::open(&path, content)));
            let synced = files::sync(&path);
            // It does not panic: opening catches that.
            again.join().ok();
            synced
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

    fn handles(&self) -> &Handles {
        self.handles.as_ref().expect("they are there until it is dropped")
    }

    /// Notes that something could not be written.
    fn failed(&self, place: &str, error: sled::Error) -> Error {
        self.has_failed.store(true, Ordering::Relaxed);
        sled_error(&self.path, place, error)
    }

    fn tree(&self, tree: Tree) -> &sled::Tree {
        let index = self
            .content
            .trees()
            .iter()
            .position(|&of_content| of_content == tree);
        &self.handles().trees[index.expect("recordings and states ask for their own trees only")]
    }
}

/// Does work with a database of which sled may panic when its files are damaged: that becomes an error.
///
/// # Errors
/// Those of the work, and damage.
pub fn guarded<T: Send>(path: &Path, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(OPENING_THREAD.to_owned());
        let working = thread.spawn_scoped(scope, work).map_err(|error| Error::Io {
            path: path.to_owned(),
            error,
        })?;
        working.join().unwrap_or_else(|_| {
            Err(Error::Damaged {
                path: path.to_owned(),
                place: "database files".to_owned(),
                why: "they are damaged so badly that the database cannot be used".to_owned(),
            })
        })
    })
}

fn make_directory(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| Error::Io {
        path: path.to_owned(),
        error,
    })
}

/// Why a database is not meant for this content; a new one is for any.
fn foreign(db: &sled::Db, content: Content) -> Option<&'static str> {
    let names = db.tree_names();
    let has = |tree: Tree| names.iter().any(|name| name == tree.name().as_bytes());
    match content {
        Content::Recording if has(Tree::Batch) => {
            Some("it is the state of a chain, which `record --state` takes")
        }
        Content::State if has(Tree::Log) => Some("it is a recording, which `open` takes"),
        Content::State => {
            let trees = content.trees();
            let is_ours = |name: &sled::IVec| {
                name == SLED_TREE || trees.iter().any(|tree| name == tree.name().as_bytes())
            };
            (!names.iter().all(is_ours) || !db.is_empty()).then_some(FOREIGN)
        }
        Content::Recording => None,
    }
}

/// sled hands errors of the system on in the form for programmers.
fn plain(error: std::io::Error) -> std::io::Error {
    let text = error.to_string();
    let message = text
        .split_once("message: \"")
        .and_then(|(_, rest)| rest.split_once('"'));
    match message {
        Some((message, _)) => std::io::Error::new(error.kind(), message.to_owned()),
        None => error,
    }
}

fn sled_error(path: &Path, place: &str, error: sled::Error) -> Error {
    let path = path.to_owned();
    match error {
        sled::Error::Io(error) if error.kind() == std::io::ErrorKind::WouldBlock => Error::Locked { path },
        sled::Error::Io(error) if error.to_string().contains("could not acquire lock") => {
            Error::Locked { path }
        }
        sled::Error::Io(error) => Error::Io {
            path,
            error: plain(error),
        },
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

//! The files of sled's that a database is made of, and getting them to the disk.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// The log, with all values but those of [`BLOBS`].
pub(super) const LOG: &str = "db";
/// The settings.
pub(super) const SETTINGS: &str = "conf";
/// The directory of what is too large for the log: a file for each, named by a number that grows and never written again.
pub(super) const BLOBS: &str = "blobs";

/// Whether a directory looks like one of sled's: any other would be filled with an empty database.
pub(super) fn is_database(path: &Path) -> bool {
    path.join(LOG).is_file() && (path.join(SETTINGS).is_file() || path.join(BLOBS).is_dir())
}

/// How many blobs are on the disk for good.
#[derive(Debug, Default)]
pub(super) struct Synced {
    /// Those with a smaller number.
    below: AtomicU64,
}

impl Synced {
    /// Makes what was written survive a loss of power.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(super) fn sync(&self, path: &Path) -> Result<()> {
        let below = self.below.load(Ordering::Relaxed);
        let mut next = below;
        let blobs = path.join(BLOBS);
        for file in list(&blobs)? {
            let number = file.file_name().and_then(|name| name.to_str()?.parse().ok());
            let number: u64 = number.unwrap_or(below);
            if number >= below {
                match sync_file(&file) {
                    // sled takes away what was replaced.
                    Err(Error::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
                    result => result?,
                }
                next = next.max(number + 1);
            }
        }
        // Only there can a directory be opened as a file.
        if cfg!(unix) {
            sync_file(&blobs)?;
        }
        // What it says of blobs is true only when they are there.
        sync_file(&path.join(LOG))?;
        self.below.store(next, Ordering::Relaxed);
        Ok(())
    }
}

/// What is in a directory.
pub(super) fn list(path: &Path) -> Result<Vec<PathBuf>> {
    let list = || {
        fs::read_dir(path)?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<_>>()
    };
    list().map_err(|error| Error::Io {
        path: path.to_owned(),
        error,
    })
}

fn sync_file(path: &Path) -> Result<()> {
    let sync = || File::open(path)?.sync_all();
    sync().map_err(|error| Error::Io {
        path: path.to_owned(),
        error,
    })
}

//! The files of sled's that a database is made of, and getting them to the disk.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The log.
pub(super) const LOG: &str = "db";
/// The settings.
pub(super) const SETTINGS: &str = "conf";
/// The directory of what is too large for the log: a file for each.
pub(super) const BLOBS: &str = "blobs";

/// Whether a directory looks like one of sled's: any other would be filled with an empty database.
pub(super) fn is_database(path: &Path) -> bool {
    path.join(LOG).is_file() && (path.join(SETTINGS).is_file() || path.join(BLOBS).is_dir())
}

/// Bytes of the log; 0 when that cannot be told.
pub(super) fn log_bytes(path: &Path) -> u64 {
    path.join(LOG).metadata().map_or(0, |metadata| metadata.len())
}

/// Makes what was written survive a loss of power.
///
/// # Errors
/// When the file system refuses.
pub(super) fn sync(path: &Path) -> Result<()> {
    let blobs = path.join(BLOBS);
    // What the log says of blobs is true only when they are there, and a file is there when its directory says so.
    let files = list(&blobs)?.into_iter();
    let files = files.chain([path.join(SETTINGS), path.join(LOG)]);
    let directories = [blobs, path.to_owned()];
    for file in files.chain(directories.into_iter().filter(|_| cfg!(unix))) {
        match File::open(&file).and_then(|file| file.sync_all()) {
            // sled takes away what was replaced.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Io { path: file, error });
            }
            _ => {}
        }
    }
    Ok(())
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

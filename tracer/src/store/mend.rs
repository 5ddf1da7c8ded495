//! Files of a database that sled refuses although no value is lost.
//!
//! sled keeps values in `db`, its log, and large ones in `blobs`. `snap.*` say where in the log the pages are, which only
//! spares reading all of it, and `conf` holds settings that are the same for all databases here. A process that is killed while
//! it opens a database leaves half a `snap.*.generating`, and sled (0.34, `pagecache/snapshot.rs`, `config.rs`) takes
//! that for the newest snapshot and opens nothing. Such files are taken away before sled sees them; it makes them again.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::error::{Error, Result};
use crate::store::files::{self, BLOBS, LOG, SETTINGS};

/// How the name of a snapshot starts. Its bytes end with their length and a checksum; the settings end with a checksum.
const SNAPSHOT: &str = "snap.";
/// How the name of a snapshot ends while it is written.
const UNFINISHED: &str = ".generating";
/// Bytes of a checksum.
const CHECKSUM: usize = 4;
/// Bytes of the length of a snapshot.
const LENGTH: usize = 8;

/// Takes away what sled would refuse to open. Does nothing while another process holds the database.
///
/// # Errors
/// When a file cannot be read or removed.
pub(super) fn mend(path: &Path) -> Result<()> {
    // sled makes that directory first: files of that name beside none are someone else's.
    if !path.join(BLOBS).is_dir() {
        return Ok(());
    }
    // Settings are written before there is a log: without one, nothing was recorded, and no process has the lock.
    let log = path.join(LOG);
    let lock = match File::open(&log) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::Io { path: log, error }),
    };
    // sled holds the same lock as long as a database is open.
    if lock.as_ref().is_some_and(|file| file.try_lock().is_err()) {
        return Ok(());
    }
    for file in files::list(path)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let trailer = if name == SETTINGS {
            CHECKSUM
        } else if name.starts_with(SNAPSHOT) {
            LENGTH + CHECKSUM
        } else {
            continue;
        };
        let io = |error| Error::Io {
            path: file.clone(),
            error,
        };
        if name.ends_with(UNFINISHED) || !is_whole(&fs::read(&file).map_err(io)?, trailer) {
            fs::remove_file(&file).map_err(io)?;
        }
    }
    Ok(())
}

/// Whether the last bytes of a file are the checksum of what comes before its trailer.
fn is_whole(bytes: &[u8], trailer: usize) -> bool {
    let Some(length) = bytes.len().checked_sub(trailer) else {
        return false;
    };
    bytes.ends_with(&crc32fast::hash(&bytes[..length]).to_le_bytes())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::store::database::Database;
    use crate::store::envelope::Kind;
    use crate::store::tree::{Content, Tree};

    const KEY: &[u8] = b"key";

    /// A database with one value, which was opened again and closed.
    fn database() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("d");
        let database = Database::create(&path, Content::State).expect("the folder is writable");
        database
            .put(Tree::Meta, Kind::Seal, KEY, b"value")
            .expect("it is written");
        drop(database);
        still_has_its_value(&path);
        folder
    }

    /// The one snapshot that opening it made.
    fn snapshot(path: &Path) -> PathBuf {
        let mut files = files::list(path).expect("the folder is readable");
        files.retain(|file| file.to_string_lossy().contains(SNAPSHOT));
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }

    #[track_caller]
    fn still_has_its_value(path: &Path) {
        let database = Database::open(path, Content::State).expect("it opens");
        let value = database.get(Tree::Meta, Kind::Seal, KEY, String::new);
        let (value, _) = value.expect("it is readable").expect("it is there");
        assert_eq!(value, b"value");
    }

    #[test]
    fn a_database_whose_process_was_killed_while_it_wrote_a_snapshot_keeps_its_values() {
        let folder = database();
        let path = folder.path().join("d");
        let whole = snapshot(&path);
        let bytes = fs::read(&whole).expect("it is readable");
        fs::remove_file(&whole).expect("it is ours");
        for written in [0, 5, bytes.len() - 4, bytes.len()] {
            let unfinished = format!("{}{UNFINISHED}", whole.display());
            fs::write(unfinished, &bytes[..written]).expect("the folder is writable");
            still_has_its_value(&path);
        }
    }

    #[test]
    fn a_damaged_or_missing_snapshot_or_settings_cost_no_value() {
        for name in [SNAPSHOT, SETTINGS] {
            for damage in [
                |bytes: &mut Vec<u8>| bytes[3] ^= 1,
                |bytes: &mut Vec<u8>| bytes.truncate(9),
                Vec::clear,
            ] {
                let folder = database();
                let path = folder.path().join("d");
                let file = if name == SNAPSHOT {
                    snapshot(&path)
                } else {
                    path.join(name)
                };
                let mut bytes = fs::read(&file).expect("it is readable");
                damage(&mut bytes);
                fs::write(&file, bytes).expect("the folder is writable");
                still_has_its_value(&path);
                fs::remove_file(path.join(SETTINGS)).expect("sled made it again");
                still_has_its_value(&path);
            }
        }
    }

    #[test]
    fn files_beside_no_database_are_left_alone() {
        let folder = tempfile::tempdir().expect("there is room");
        let file = folder.path().join(SETTINGS);
        fs::write(&file, "of another program").expect("the folder is writable");
        mend(folder.path()).expect("there is nothing to do");
        assert!(file.is_file());
        assert!(!files::is_database(folder.path()));
    }
}

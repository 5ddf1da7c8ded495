//! How far a state was committed, in a file beside the database.
//!
//! sled takes the damaged end of a file for a write that was not finished, and silently goes on with what was before.
//! A chain that forgets its last batches would look sound; this file tells.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Name of the file.
pub(super) const FILE: &str = "committed";

/// At least so much was committed: a process may be killed between a commit and its note here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Witness {
    /// Commits.
    pub(super) commits: u32,
    /// Checksum of the last one's head.
    pub(super) last: u64,
}

impl Witness {
    /// Reads the file of a state; `None` when there is none.
    pub(super) fn read(state: &Path) -> Result<Option<Self>> {
        let bytes = match fs::read(state.join(FILE)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| io(state, error))?,
        };
        let witness = serde_json::from_slice(&bytes).map_err(|error| Error::Damaged {
            path: state.to_owned(),
            place: FILE.to_owned(),
            why: error.to_string(),
        })?;
        Ok(Some(witness))
    }

    /// Replaces the file of a state; it is the old one or the new one at any moment.
    pub(super) fn write(self, state: &Path) -> Result<()> {
        let new = state.join(FILE).with_extension("new");
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(&serde_json::to_vec(&self)?)?;
            file.sync_all()?;
            fs::rename(&new, state.join(FILE))
        };
        write().map_err(|error| io(state, error))
    }
}

fn io(state: &Path, error: std::io::Error) -> Error {
    Error::Io {
        path: state.join(FILE),
        error,
    }
}

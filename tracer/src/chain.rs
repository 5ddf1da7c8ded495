//! A chain that outlives its batches: a directory keeps what a batch starts from, and takes what it changed.
//!
//! The database is a list of commits, the oldest first, and the state is all of them applied in order. What a batch
//! changed is written in pieces, then flushed; the commit's head follows as a single value, and only that makes the
//! pieces count. So a process that dies anywhere in between leaves the state as it was. Each head names the checksum of
//! its pieces and of the head before, so that missing, changed or foreign parts show; a file beside the database knows
//! the last one.
//!
//! ```
//! use eradbg_tracer::chain::ChainState;
//!
//! let folder = tempfile::tempdir().unwrap();
//! let state = ChainState::open(&folder.path().join("state")).unwrap();
//! assert_eq!(state.head(), None);
//! ```

mod closed;
mod commit;
mod contents;
#[cfg(test)]
mod tests;
mod witness;

use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};
use crate::store::database::{Database, guarded};
use crate::store::envelope::Kind;
use crate::store::tree::{Content, Tree};
use crate::store::{STATE_FORMAT, key};
use commit::{CommitHead, Delta};
use witness::Witness;

pub use closed::{ClosedBatch, Uncommittable, stand_in_hash};
pub use contents::{Contents, Head, Slot, Tip};

/// Bytes of a piece. Sixteen of them, as many as sled puts on a page, stay below the size from which sled keeps a page
/// in a file of its own.
const PIECE_BYTES: usize = 4 << 10;

/// The state of a chain in a directory, held by this process alone.
#[derive(Debug)]
pub struct ChainState {
    database: Database,
    contents: Contents,
    commits: u32,
    /// Checksum of the last commit's head.
    last: u64,
    /// A commit was not written to its end, so nobody knows whether it counts until the state is opened again.
    is_uncertain: bool,
}

/// What a state says about itself. Kept as JSON, so that any version can read it.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    tool_version: String,
}

impl ChainState {
    /// Opens the state in a directory. A new or empty directory becomes a state without commits.
    ///
    /// # Errors
    /// When the directory holds something else or a newer format, another process holds it, or its files are damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let database = Database::open_or_create(path, Content::State)?;
        // Some damage makes sled panic only when it reads.
        guarded(path, || Self::read(database))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.database.path()
    }

    /// Where the chain stands; `None` when nothing was committed yet.
    pub fn head(&self) -> Option<&Head> {
        self.contents.head.as_ref()
    }

    /// What the next batch starts from. A batch that needs more adds it to a copy.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Commits a closed batch: all of it, with whatever `start` has beyond this state, or nothing.
    ///
    /// # Errors
    /// When the batch did not start from this state, or belongs to another chain or protocol version: then nothing is
    /// written. When it cannot be written: then the directory has the state before or after the batch, which only opening
    /// it again shows; until then all further commits are refused.
    pub fn commit(&mut self, start: &Contents, batch: &ClosedBatch) -> Result<()> {
        let path = self.database.path();
        if self.is_uncertain {
            let why = "a commit before could not be written; open the state again".to_owned();
            return Err(self.database.damaged(head_place(self.commits), why));
        }
        commit::check(&self.contents, start, batch).map_err(|mismatch| Error::DoesNotContinue {
            path: path.to_owned(),
            field: mismatch.field,
            found: mismatch.found,
            expected: mismatch.expected,
        })?;
        let (after, head) = commit::apply(start, batch);
        let delta = Delta::between(&self.contents, &after);
        let written = guarded(path, || self.write(&delta, head));
        self.is_uncertain = written.is_err();
        self.last = written?;
        self.commits += 1;
        self.contents = after;
        Ok(())
    }

    fn read(database: Database) -> Result<Self> {
        check_format(&database)?;
        let witness = Witness::read(database.path())?;
        let mut state = Self {
            database,
            contents: Contents::default(),
            commits: 0,
            last: 0,
            is_uncertain: false,
        };
        while let Some((commit, checksum)) = state.read_head(state.commits)? {
            let number = state.commits;
            let damaged = |why: &str| state.database.damaged(head_place(number), why.to_owned());
            if commit.previous != state.last {
                return Err(damaged("it does not follow the commit before"));
            }
            let bytes = state.read_pieces(number, &commit)?;
            Delta::decode(&bytes)
                .map_err(|error| damaged(&error.to_string()))?
                .add_to(&mut state.contents);
            state.contents.head = Some(commit.head);
            state.commits += 1;
            state.last = checksum;
            if witness.is_some_and(|witness| witness.commits == state.commits && witness.last != checksum) {
                let why = format!("it is not the one that `{}` names", witness::FILE);
                return Err(state.database.damaged(head_place(number), why));
            }
        }
        state.check_end(witness)?;
        Ok(state)
    }

    fn read_head(&self, number: u32) -> Result<Option<(CommitHead, u64)>> {
        let place = || head_place(number);
        let found = self
            .database
            .get(Tree::Batch, Kind::Head, &key::commit(number), place)?;
        let Some((bytes, checksum)) = found else {
            return Ok(None);
        };
        let head = CommitHead::decode(&bytes)
            .map_err(|error| self.database.damaged(head_place(number), error.to_string()))?;
        Ok(Some((head, checksum)))
    }

    fn read_pieces(&self, number: u32, commit: &CommitHead) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for index in 0..commit.pieces {
            let place = || format!("batch/commit {number}, piece {index}");
            let piece = self
                .database
                .get(Tree::Batch, Kind::Piece, &key::piece(number, index), place)?;
            let Some((piece, _)) = piece else {
                return Err(self.database.damaged(place(), "it is missing".to_owned()));
            };
            bytes.extend(piece);
        }
        if xxh3_64(&bytes) == commit.checksum {
            Ok(bytes)
        } else {
            let why = "its pieces are not those that it was committed with";
            Err(self.database.damaged(head_place(number), why.to_owned()))
        }
    }

    /// Checks that nothing follows the commits that were read, and that their slots fit the last head. Pieces without a
    /// head are left by a killed process.
    fn check_end(&self, witness: Option<Witness>) -> Result<()> {
        let keys = self.database.keys(Tree::Batch)?;
        let heads = keys.iter().filter(|key| key.len() == key::commit(0).len());
        let has_gap = heads.count() > self.commits as usize;
        if has_gap || witness.is_some_and(|witness| witness.commits > self.commits) {
            let why = "it is missing, although it was committed".to_owned();
            return Err(self.database.damaged(head_place(self.commits), why));
        }
        if self
            .head()
            .is_some_and(|head| head.next_index != self.contents.next_index())
        {
            let why = "its next enumeration index does not follow its slots".to_owned();
            return Err(self.database.damaged(head_place(self.commits - 1), why));
        }
        // The process may have been killed after the first commit.
        if witness.is_none() && self.commits > 1 {
            let why = "the file is missing".to_owned();
            return Err(self.database.damaged(witness::FILE.to_owned(), why));
        }
        Ok(())
    }

    /// Writes and notes a commit: the checksum of its head.
    fn write(&self, delta: &Delta, head: Head) -> Result<u64> {
        let database = &self.database;
        let number = self.commits;
        if number == 0 {
            let manifest = Manifest {
                format: STATE_FORMAT,
                tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            };
            let json = serde_json::to_vec(&manifest).expect("a manifest is plain data");
            database.put(Tree::Meta, Kind::Manifest, key::STATE, &json)?;
        }
        let bytes = delta.encode();
        let mut pieces = 0;
        for piece in bytes.chunks(PIECE_BYTES) {
            database.put(Tree::Batch, Kind::Piece, &key::piece(number, pieces), piece)?;
            pieces += 1;
        }
        database.flush()?;
        let commit = CommitHead {
            previous: self.last,
            pieces,
            checksum: xxh3_64(&bytes),
            head,
        };
        let last = database.put(Tree::Batch, Kind::Head, &key::commit(number), &commit.encode())?;
        database.flush()?;
        database.sync()?;
        let commits = number + 1;
        Witness { commits, last }.write(database.path())?;
        Ok(last)
    }
}

/// Refuses a newer format. A state without commits says nothing about itself yet.
fn check_format(database: &Database) -> Result<()> {
    let place = || "meta/state".to_owned();
    let Some((json, _)) = database.get(Tree::Meta, Kind::Manifest, key::STATE, place)? else {
        return if database.contains(Tree::Batch, &key::commit(0))? {
            Err(database.damaged(place(), "it is missing".to_owned()))
        } else {
            Ok(())
        };
    };
    // The format comes first: a newer one may have other fields.
    let fields: serde_json::Value =
        serde_json::from_slice(&json).map_err(|error| database.damaged(place(), error.to_string()))?;
    match fields["format"].as_u64() {
        Some(format) if format > u64::from(STATE_FORMAT) => Err(Error::NewerFormat {
            path: database.path().to_owned(),
            found: u32::try_from(format).unwrap_or(u32::MAX),
            known: STATE_FORMAT,
        }),
        Some(_) => Ok(()),
        None => Err(database.damaged(place(), "it names no format".to_owned())),
    }
}

fn head_place(number: u32) -> String {
    format!("batch/commit {number}")
}
